//! The heavy fence: every other thread of the process passes a full fence while the call lasts (`membarrier`).
//!
//! It is for protocols in which one side is frequent and the other rare: the rare side pays some 3 us here, and the
//! frequent one then needs no fence of its own. Linux sends an interrupt to the CPUs on which other threads of the
//! process run; threads that do not run pass a fence when they are switched to.

use nix::errno::Errno;
use std::sync::OnceLock;

/// The call, if the kernel has it: Linux 4.14 and later, unless a sandbox forbids it.
pub(crate) fn heavy_fence() -> Option<fn()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let wanted = || membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED).is_ok();
    REGISTERED.get_or_init(wanted).then_some(call as fn())
}

fn call() {
    if let Err(error) = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
        gmp_core::fatal!("a heavy fence that was registered works", "membarrier: {error}");
    }
}

fn membarrier(command: libc::c_int) -> Result<(), Errno> {
    // SAFETY: membarrier touches no memory of ours.
    Errno::result(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, compiler_fence};

    /// Dekker's two flags, with a heavy fence on one side only: both threads are never inside at once.
    #[test]
    fn orders_a_store_and_a_load_of_another_thread() {
        let Some(heavy_fence) = super::heavy_fence() else { return };
        let (near, far, both) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU32::new(0));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    near.store(true, Relaxed);
                    compiler_fence(std::sync::atomic::Ordering::SeqCst);
                    if !far.load(Relaxed) {
                        both.fetch_add(1, Relaxed);
                        both.fetch_sub(1, Relaxed);
                    }
                    near.store(false, std::sync::atomic::Ordering::Release);
                }
            });
            for _ in 0..20_000 {
                far.store(true, Relaxed);
                heavy_fence();
                while near.load(std::sync::atomic::Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                assert_eq!(both.load(Relaxed), 0, "the other thread is inside");
                far.store(false, std::sync::atomic::Ordering::Release);
            }
            stop.store(true, Relaxed);
        });
    }
}
