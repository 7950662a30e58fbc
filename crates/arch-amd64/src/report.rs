//! `Report`: a text of bounded length, written in one go, without allocating and without a lock.

use core::fmt;

/// Room for a line with a goroutine's name and a path; what does not fit is cut off.
const CAPACITY: usize = 1024;

/// What the overflow describer writes into: `write!(report, ...)` never fails and cuts off what is too long.
#[derive(Debug)]
pub struct Report {
    text: [u8; CAPACITY],
    len: usize,
}

impl Report {
    /// An empty report.
    pub(crate) const fn new() -> Self {
        Self { text: [0; CAPACITY], len: 0 }
    }

    /// What has been written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// Ends the line, and writes everything to standard error by `write(2)`, in one call unless the system takes less.
    pub(crate) fn print(mut self) {
        let end = self.len.min(CAPACITY - 1);
        self.text[end] = b'\n';
        let mut rest = &self.text[..=end];
        while !rest.is_empty() {
            // SAFETY: the pointer and length are those of a live slice.
            let written = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written) if written > 0 => rest = &rest[written..],
                _ if nix::errno::Errno::last() == nix::errno::Errno::EINTR => {}
                _ => return,
            }
        }
    }
}

impl fmt::Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = CAPACITY - 1 - self.len;
        let mut fits = text.len().min(free);
        while !text.is_char_boundary(fits) {
            fits -= 1;
        }
        self.text[self.len..self.len + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.len += fits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn cuts_off_at_a_character() {
        let mut report = Report::new();
        for _ in 0..CAPACITY {
            write!(report, "é").unwrap();
        }
        assert_eq!(report.as_bytes().len(), CAPACITY - 2, "an odd byte and the line's end stay free");
        assert!(core::str::from_utf8(report.as_bytes()).is_ok());
        write!(report, "xy").unwrap();
        assert_eq!(report.as_bytes().last(), Some(&b'x'));
    }
}
