//! Whether the operating system would give memory. This is asked before something is begun that aborts if memory is
//! refused.

use core::num::NonZero;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::io;

/// Maps this many bytes, and unmaps them again; nothing is touched.
///
/// # Errors
/// What the operating system said.
pub(crate) fn probe_memory(bytes: usize) -> io::Result<()> {
    let bytes = NonZero::new(bytes).unwrap_or(NonZero::<usize>::MIN);
    // The memory is writable, or it would not count towards a limit on data.
    let (access, flags) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE);
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let at = unsafe { mmap_anonymous(None, bytes, access, flags | MapFlags::MAP_NORESERVE) }?;
    // SAFETY: mapped above, and nobody was told of it.
    unsafe { munmap(at, bytes.get()) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_may_be_had_and_what_there_is_not_may_not() {
        probe_memory(4 << 20).unwrap();
        probe_memory(0).unwrap();
        assert_eq!(probe_memory(1 << 60).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }
}
