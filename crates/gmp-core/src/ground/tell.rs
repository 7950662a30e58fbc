//! Tell: what the scheduler says on standard error.

use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;

/// Writes to standard error past std's lock of it: a goroutine may hold that, for as long as it likes, and wait for the
/// scheduler, which has locks of its own in its hands here.
pub(crate) fn tell(text: &str) {
    const STANDARD_ERROR: i32 = 2;
    // SAFETY: as std itself does, the number is taken for standard error's; it is not closed here.
    let mut to = ManuallyDrop::new(unsafe { File::from_raw_fd(STANDARD_ERROR) });
    // Nothing is left to be done about a failing standard error.
    let _ = to.write_all(text.as_bytes());
}
