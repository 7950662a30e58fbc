//! What a program answers at the socket of `Builder::inspect` beyond what gmp-inspect does: its metrics, and a trace.

use gmp_inspect::Answers;

/// The answers, by the name of the request.
pub(crate) const ANSWERS: Answers = &[
    ("metrics", |handle, _| Ok(crate::metrics::Metrics::of(handle).to_string().into_bytes())),
    #[cfg(feature = "trace")]
    ("trace", traces::trace),
];

#[cfg(feature = "trace")]
mod traces {
    use gmp_core::runtime::Handle;
    use gmp_trace::Format;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::time::{Duration, Instant};

    /// The longest trace that may be asked for, in seconds.
    const LONGEST: u64 = 60;
    /// A trace that has grown to this many bytes ends before its time: it is kept in the program's own memory.
    const MOST_BYTES: usize = 128 << 20;
    /// How often its size is looked at.
    const PERIOD: Duration = Duration::from_millis(20);

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.bytes().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// For how long, and in which format.
    fn read(request: &str) -> Result<(Duration, Format), String> {
        let (seconds, format) = request.trim().split_once(' ').unwrap_or((request.trim(), "go"));
        let wanted = seconds.parse().ok().filter(|seconds| (1..=LONGEST).contains(seconds));
        // `gmp-top` knows an older program by this answer to a request with a format.
        let seconds = wanted.ok_or_else(|| format!("trace wants a number of seconds from 1 to {LONGEST}"))?;
        let format = match format.trim() {
            "go" => Format::Go,
            "page" => Format::Page,
            other => return Err(format!("trace knows the formats go and page, not {other:?}")),
        };
        Ok((Duration::from_secs(seconds), format))
    }

    /// A trace of the next seconds. On a thread that is no M.
    pub(super) fn trace(handle: &Handle, request: &str) -> Result<Vec<u8>, String> {
        let (length, format) = read(request)?;
        let (kept, begun) = (Kept::default(), Instant::now());
        let recording = gmp_trace::record_as(handle, Box::new(kept.clone()), format);
        let recording = recording.map_err(|error| error.to_string())?;
        while let Some(left) = length.checked_sub(begun.elapsed())
            && kept.bytes().len() < MOST_BYTES
        {
            std::thread::sleep(left.min(PERIOD));
        }
        recording.stop().map_err(|error| error.to_string())?;
        let bytes = core::mem::take(&mut *kept.bytes());
        Ok(bytes)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_request_says_how_long_and_may_say_the_format() {
            let five = Duration::from_secs(5);
            assert_eq!(read("5"), Ok((five, Format::Go)), "as older versions of gmp-top ask");
            assert_eq!(read(" 5 go "), Ok((five, Format::Go)));
            assert_eq!(read("5 page"), Ok((five, Format::Page)));
            for wrong in ["", "0", "61", "page", "page 5"] {
                assert_eq!(read(wrong).unwrap_err(), "trace wants a number of seconds from 1 to 60");
            }
            assert_eq!(read("5 ogg").unwrap_err(), "trace knows the formats go and page, not \"ogg\"");
        }
    }
}
