//! How long the kernel lets a thread run at a time, while others want its CPU: its slice. Linux 6.12 and later.
//!
//! A thread's share of the CPUs stays what it is. But one that wakes, and has the shorter slice, gets a CPU at once from
//! one that has a longer one; else it may wait for the kernel's next ticks, of 4 ms each on many systems.

use core::mem::MaybeUninit;
use gmp_core::contract::ThreadSlice;
use nix::errno::Errno;

/// What the kernel takes for a slice, in nanoseconds, of a thread that has slices of `now`; 0 is what it finds right
/// itself.
///
/// A long one is some times the usual one and no more: threads that a program makes meanwhile inherit it.
fn length(slice: ThreadSlice, now: u64) -> u64 {
    const SHORTEST: u64 = 100_000;
    const LONGEST: u64 = 100_000_000;
    match slice {
        ThreadSlice::Short => SHORTEST,
        ThreadSlice::Usual => 0,
        ThreadSlice::Long => (8 * now).min(LONGEST),
    }
}

/// Asks for such a slice for a thread of this process, by the kernel's number. A wish: where the kernel knows no such
/// thing, a sandbox forbids it, or the thread is none of those that share the CPUs fairly, nothing changes.
pub(crate) fn ask(thread: i32, slice: ThreadSlice) {
    let Ok(mut now) = attributes(thread) else { return };
    if now.sched_policy == libc::SCHED_OTHER.cast_unsigned() {
        now.sched_runtime = length(slice, now.sched_runtime);
        let _ = set_attributes(thread, &now);
    }
}

fn attributes(thread: i32) -> Result<libc::sched_attr, Errno> {
    let mut now = MaybeUninit::<libc::sched_attr>::zeroed();
    let (at, size) = (now.as_mut_ptr(), size_of::<libc::sched_attr>());
    // SAFETY: the kernel writes at most this many bytes there.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_getattr, thread, at, size, 0) })?;
    // SAFETY: all fields are numbers, and zero or what the kernel wrote.
    Ok(unsafe { now.assume_init() })
}

fn set_attributes(thread: i32, new: &libc::sched_attr) -> Result<(), Errno> {
    // SAFETY: the kernel reads as many bytes there as the attributes say themselves.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const *new, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_as_long_as_asked_for_and_all_else_stays() {
        let told = |slice| {
            ask(crate::thread_id(), slice);
            attributes(crate::thread_id()).unwrap()
        };
        let usual = attributes(crate::thread_id()).unwrap();
        let long = told(ThreadSlice::Long);
        if long.sched_runtime == usual.sched_runtime {
            println!("skipped: this kernel has no slices of a thread's own");
            return;
        }
        assert_eq!(long.sched_runtime, 8 * usual.sched_runtime);
        assert!(told(ThreadSlice::Short).sched_runtime < usual.sched_runtime);
        let again = told(ThreadSlice::Usual);
        assert_eq!(again.sched_runtime, usual.sched_runtime);
        assert_eq!((again.sched_nice, again.sched_flags), (usual.sched_nice, usual.sched_flags));
    }

    #[test]
    fn a_thread_that_has_ended_is_no_fault() {
        let ended = std::thread::spawn(crate::thread_id).join().unwrap();
        ask(ended, ThreadSlice::Long);
    }
}
