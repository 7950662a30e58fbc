//! Standstill: all other threads of the process stop for a moment, in a signal handler, and a copy of the process is made
//! meanwhile that can be read at leisure.
//!
//! ```text
//!   who asks                                   each other thread
//!   ────────                                   ─────────────────
//!   WANTED = round; signal ───────────────────► handler: writes down where its stack is, arrives
//!     ⋮ until all have arrived                       ⋮ sleeps while WANTED == round
//!   copy (fork); work
//!   WANTED = 0; wake ─────────────────────────► leaves
//!     ⋮ until all have left
//! ```
//!
//! **It cannot wedge.** A thread that was stopped may hold any lock, so from the first signal on who asks takes no lock and
//! no memory. If it should be held up all the same, each thread goes on by itself after [`MOST`], and says that the
//! standstill was broken.
//!
//! **What can be believed.** If every thread has arrived, and none has left early, no other thread executed anything of the
//! program between the last arrival and the end. New threads are made by threads: once two readings of the list of threads
//! have found none that runs, there are no others. A thread that blocks the signal never arrives, and then there is no
//! standstill. Programs that share the process's memory (`vfork`) are stopped with the thread that made them.
//!
//! The copy is a child process that executes nothing but `pause`. Fork's handlers do not run, as they may want malloc's
//! lock. All signals are blocked in it, it shares the table of descriptors rather than keep them open, it tells nobody when
//! it ends, and it ends with the thread that made it.

use crate::halt::{ARRIVED, BROKEN, LEFT, MOST, Place, THREADS, WANTED};
use core::sync::atomic::Ordering;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it waits between two looks for those who have not arrived.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

static ONE_AT_A_TIME: Mutex<u32> = Mutex::new(0);

/// A copy of the process as it was at one moment. It is gone when this is dropped.
#[derive(Debug)]
pub struct Snapshot(libc::pid_t);

impl Snapshot {
    /// The number of the process that is the copy.
    #[must_use]
    pub fn process(&self) -> i32 {
        self.0
    }

    /// Forks. `None`: the system refuses.
    fn take() -> Option<Self> {
        // SAFETY: all zeroes are valid sets, filled in next.
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { core::mem::zeroed() };
        // SAFETY: both sets are live; no more than the thread's mask is changed.
        unsafe {
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        }
        let (flags, none) = (libc::c_long::from(libc::CLONE_FILES | libc::CLONE_FS), 0_usize);
        // SAFETY: without CLONE_VM and without a stack it is a fork, whose child goes on below on a copy of this stack.
        let child = unsafe { libc::syscall(libc::SYS_clone, flags, none, none, none, none) };
        if child == 0 {
            // SAFETY: system calls that touch no memory of the process. The child never leaves this block.
            unsafe {
                libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                loop {
                    libc::syscall(libc::SYS_pause);
                }
            }
        }
        // SAFETY: the set was filled in above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, core::ptr::null_mut()) };
        (child > 0).then(|| Self(child as libc::pid_t))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: the child is ours, and nobody else waits for it: one without a signal at its end is no child to `wait`.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            while libc::waitpid(self.0, core::ptr::null_mut(), libc::__WALL) == -1
                && *libc::__errno_location() == libc::EINTR
            {}
        }
    }
}

/// Stops all other threads of the process, copies it, and calls `meanwhile` with the places on their stacks from which on
/// those are alive. Returns the copy, and what `meanwhile` returned. `None`: somebody did not stop within `patience`, or
/// the system refuses a copy.
///
/// System calls in which threads are go on afterwards, except those that the kernel never restarts, as with
/// [`capture`](crate::capture()).
///
/// # Safety
/// `meanwhile` takes no lock, and neither asks for memory nor gives any back: whoever has malloc's lock stands still.
pub unsafe fn standstill<T>(
    patience: Duration,
    meanwhile: impl FnOnce(&mut dyn Iterator<Item = usize>) -> T,
) -> Option<(Snapshot, T)> {
    let mut round = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    crate::capture::install()?;
    let threads = File::open("/proc/self/task").ok()?;
    let mut asked = Vec::with_capacity(THREADS);
    let mut entries = vec![0_u64; 4096];
    *round = round.wrapping_add(1).max(1);
    ARRIVED.store(0, Ordering::Relaxed);
    LEFT.store(0, Ordering::Relaxed);
    let until = Instant::now() + patience.min(MOST / 2);
    // ORDER: standstill. Release pairs with the handler's acquire: the counts are at 0.
    WANTED.store(*round, Ordering::Release);
    // From here on nothing takes memory or a lock.
    let mut result = None;
    if all_arrive(*round, &threads, &mut entries, &mut asked, until)
        && let Some(snapshot) = Snapshot::take()
    {
        let value = meanwhile(&mut Place::of(*round).map(|place| place.from()));
        result = Some((snapshot, value));
    }
    // ORDER: standstill. Release pairs with the handler's acquire: what was read was read before it goes on.
    WANTED.store(0, Ordering::Release);
    // SAFETY: wakes whoever sleeps at this word, which is there for ever.
    unsafe {
        libc::syscall(libc::SYS_futex, WANTED.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX)
    };
    // ORDER: standstill. Acquire pairs with the handler's release: it has said whether it left early.
    while LEFT.load(Ordering::Acquire) != ARRIVED.load(Ordering::Acquire) {
        std::thread::sleep(LOOK_AGAIN);
    }
    result.filter(|_| BROKEN.load(Ordering::Relaxed) != *round)
}

/// Asks every other thread to stop. `false`: not all have until then.
fn all_arrive(round: u32, threads: &File, entries: &mut [u64], asked: &mut Vec<i32>, until: Instant) -> bool {
    let (own, mut quiet) = (crate::cpus::thread_id(), 0);
    while quiet < 2 {
        let mut all = true;
        let listed = each_thread(threads, entries, |thread| {
            if thread == own {
                return;
            }
            if !asked.contains(&thread) {
                all = false;
                if asked.len() == asked.capacity() {
                    return;
                }
                // SAFETY: a signal to a thread of this process, or to none. One that has ended is not listed next time.
                let sent = unsafe {
                    libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, crate::capture::SIGNAL)
                };
                if sent == 0 {
                    asked.push(thread);
                }
            } else if !has_arrived(round, thread) {
                all = false;
            }
        });
        match listed {
            Ok(()) if all => quiet += 1,
            Ok(()) if Instant::now() < until => {
                quiet = 0;
                std::thread::sleep(LOOK_AGAIN);
            }
            _ => return false,
        }
    }
    true
}

fn has_arrived(round: u32, thread: i32) -> bool {
    Place::of(round).any(|place| place.is_of(thread))
}

/// Calls `tell` with each thread of the process, without memory. `entries` is room for the kernel's answer.
fn each_thread(threads: &File, entries: &mut [u64], mut tell: impl FnMut(i32)) -> io::Result<()> {
    // SAFETY: moves the position in a directory that is ours.
    if unsafe { libc::lseek(threads.as_raw_fd(), 0, libc::SEEK_SET) } < 0 {
        return Err(io::Error::last_os_error());
    }
    loop {
        let room = size_of_val(entries);
        // SAFETY: the kernel writes to `entries` only, no more than there is room for.
        let read =
            unsafe { libc::syscall(libc::SYS_getdents64, threads.as_raw_fd(), entries.as_mut_ptr(), room) };
        let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
        if read == 0 {
            return Ok(());
        }
        // SAFETY: so many bytes were written.
        let bytes = unsafe { core::slice::from_raw_parts(entries.as_ptr().cast::<u8>(), read) };
        let mut at = 0;
        // linux_dirent64: inode and offset of 8 bytes each, the record's length of 2, the type of 1, and the name.
        while let Some(length) = bytes.get(at + 16..at + 18) {
            let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
            let name = bytes.get(at + 19..at + length).unwrap_or(&[]);
            let digits = name.iter().take_while(|byte| byte.is_ascii_digit());
            let number = digits
                .fold(0_i32, |number, digit| number.wrapping_mul(10).wrapping_add(i32::from(digit - b'0')));
            if number != 0 {
                tell(number);
            }
            at += length.max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    /// Four threads that count as fast as they can do not go on meanwhile, and the copy has what they had counted.
    #[test]
    fn nobody_goes_on_meanwhile_and_the_copy_stays() {
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicU64::new(0) }; 4]));
        let threads: Vec<_> = (0..4)
            .map(|place| {
                let (stop, counts) = (stop.clone(), counts.clone());
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        counts[place].fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let read = || counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        while read().contains(&0) {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            // SAFETY: it reads, and sleeps by a system call.
            let found = unsafe {
                standstill(Duration::from_secs(1), |stacks| {
                    let before = read();
                    std::thread::sleep(Duration::from_millis(2));
                    (before, read(), stacks.count())
                })
            };
            // Other tests' threads may be slow to stop.
            let Some((snapshot, (before, after, stopped))) = found else { continue };
            assert_eq!(before, after);
            assert!(stopped >= 4);
            let memory = File::open(format!("/proc/{}/mem", snapshot.process())).unwrap();
            let mut copied = [0; 32];
            let at = core::ptr::from_ref(&*counts).addr() as u64;
            std::os::unix::fs::FileExt::read_exact_at(&memory, &mut copied, at).unwrap();
            let (copied, _) = copied.as_chunks::<8>();
            assert_eq!(copied.iter().map(|count| u64::from_ne_bytes(*count)).collect::<Vec<_>>(), before);
        }
        let before = read();
        while read().iter().zip(before).any(|(now, before)| *now == before) {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn every_thread_is_listed_once() {
        let (tell, told) = std::sync::mpsc::channel();
        let threads: Vec<_> = (0..50)
            .map(|_| {
                let tell = tell.clone();
                std::thread::spawn(move || {
                    tell.send(crate::cpus::thread_id()).unwrap();
                    std::thread::park();
                })
            })
            .collect();
        let ids: Vec<i32> = told.iter().take(50).collect();
        // Room for some twenty, so that the kernel is asked more than once.
        let (mut entries, mut listed) = ([0; 64], Vec::new());
        each_thread(&File::open("/proc/self/task").unwrap(), &mut entries, |thread| listed.push(thread))
            .unwrap();
        for id in ids {
            assert_eq!(listed.iter().filter(|&&one| one == id).count(), 1);
        }
        threads.iter().for_each(|thread| thread.thread().unpark());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
