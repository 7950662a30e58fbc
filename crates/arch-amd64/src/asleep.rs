//! Whether another thread of this process runs, or sleeps in the kernel.
//!
//! The kernel tells it in a file, and to open one takes several times as long as to read it. The same few threads are
//! asked about again and again: those that block often. So their files stay open, at most [`KEPT`] of them in a process,
//! each until its thread ends or another one needs its place.

use crate::cpus::thread_of;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

/// How much of the state's line is read: the number, the name of at most 15 bytes in brackets, and the letter.
const HEAD: usize = 64;
/// How many files are kept open at most. Descriptors are the program's, and it may have few.
const KEPT: usize = 32;

/// A thread, and the file that tells its state.
type Kept = Mutex<Option<(i32, File)>>;

/// The files that are open, each at a place that follows from its thread's number.
static FILES: [Kept; KEPT] = [const { Mutex::new(None) }; KEPT];

/// Whether the thread to which a CPU clock belongs sleeps in the kernel, as its state says: S, or D where nothing wakes
/// it early. A thread that waits for a CPU is R, however long it waits. `None`: the thread has ended, or there is no
/// such file. It takes 3 us, and 10 the first time.
pub(crate) fn sleeps(clock: i32) -> Option<bool> {
    let thread = thread_of(clock);
    let state = match place_of(thread).try_lock() {
        Ok(mut kept) => state_by_kept(thread, &mut kept),
        Err(_) => state_by(thread, &open(thread).ok()?),
    };
    state.map(|state| matches!(state, b'S' | b'D'))
}

/// Whether a thread, by the kernel's number of it, runs or would if it had a CPU. It takes 10 us.
pub fn thread_runs(thread: i32) -> bool {
    open(thread).is_ok_and(|file| state_by(thread, &file) == Some(b'R'))
}

/// Closes what is open for the calling thread, which is about to end.
pub(crate) fn forget_this_thread() {
    let thread = crate::thread_id();
    // Nothing panics while it is held.
    let mut kept = place_of(thread).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    drop(kept.take_if(|(known, _)| *known == thread));
}

fn place_of(thread: i32) -> &'static Kept {
    &FILES[thread.unsigned_abs() as usize % KEPT]
}

fn state_by_kept(thread: i32, kept: &mut Option<(i32, File)>) -> Option<u8> {
    if kept.as_ref().is_none_or(|(known, _)| *known != thread) {
        *kept = Some((thread, open(thread).ok()?));
    }
    let state = kept.as_ref().and_then(|(_, file)| state_by(thread, file));
    if state.is_none() {
        // It was another thread of this number, which has ended, or the program has closed what it did not open.
        *kept = None;
    }
    state
}

fn open(thread: i32) -> io::Result<File> {
    File::open(format!("/proc/self/task/{thread}/stat"))
}

fn state_by(thread: i32, file: &File) -> Option<u8> {
    let mut head = [0; HEAD];
    let read = file.read_at(&mut head, 0).ok()?;
    state(thread, &head[..read])
}

/// The letter after the number and the name; the name may have any bytes, brackets too.
fn state(thread: i32, line: &[u8]) -> Option<u8> {
    let number = thread.to_string();
    let rest = line.strip_prefix(number.as_bytes())?.strip_prefix(b" (")?;
    let name_ends = rest.iter().rposition(|&byte| byte == b')')?;
    rest.get(name_ends + 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state(71, b"71 (gmp-3) S 1 71"), Some(b'S'));
        assert_eq!(state(71, b"71 (a) R (b)) D 1 71"), Some(b'D'));
        assert_eq!(state(71, b"71 (gmp-3)"), None);
        assert_eq!(state(71, b"712 (gmp-3) S 1 71"), None);
        assert_eq!(state(71, b"what another file says ) S"), None);
        assert_eq!(state(71, b""), None);
    }

    #[test]
    fn a_sleeper_sleeps_and_who_works_does_not() {
        let (tell, hear) = std::sync::mpsc::channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(crate::cpus::own_clock().unwrap()).unwrap();
            wait.recv().unwrap();
            while wait.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                std::hint::spin_loop();
            }
        });
        let clock = hear.recv().unwrap();
        let becomes = |wanted| {
            let start = std::time::Instant::now();
            while sleeps(clock) != wanted {
                assert!(start.elapsed().as_secs() < 60, "it never was {wanted:?}");
                std::thread::yield_now();
            }
        };
        becomes(Some(true));
        go_on.send(()).unwrap();
        becomes(Some(false));
        go_on.send(()).unwrap();
        thread.join().unwrap();
        becomes(None);
    }

    #[test]
    fn an_ended_thread_leaves_no_file_open() {
        let thread = std::thread::spawn(|| {
            let clock = crate::cpus::own_clock().unwrap();
            let kept = || place_of(thread_of(clock)).lock().unwrap().as_ref().map(|(thread, _)| *thread);
            assert_eq!(sleeps(clock), Some(false));
            forget_this_thread();
            // Another test may have asked about a thread of the same place by now.
            assert_ne!(kept(), Some(thread_of(clock)));
        });
        thread.join().unwrap();
    }

    #[test]
    fn a_file_that_was_closed_and_is_another_one_is_not_believed() {
        let thread = crate::thread_id();
        let mut kept = Some((thread, File::open("/proc/self/status").unwrap()));
        assert_eq!(state_by_kept(thread, &mut kept), None);
        assert!(kept.is_none());
        assert_eq!(state_by_kept(thread, &mut kept), Some(b'R'));
    }
}
