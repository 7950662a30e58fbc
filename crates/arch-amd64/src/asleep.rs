//! Whether another thread of this process runs, or sleeps in the kernel.

use crate::cpus::thread_of;
use std::fs::File;
use std::io::Read;

/// How much of the state's line is read: the number, the name of at most 15 bytes in brackets, and the letter.
const HEAD: usize = 64;

/// Whether the thread to which a CPU clock belongs sleeps in the kernel, as its state says: S, or D where nothing wakes
/// it early. A thread that waits for a CPU is R, however long it waits. `None`: the thread has ended, or there is no
/// such file. It takes 5 us.
pub(crate) fn sleeps(clock: i32) -> Option<bool> {
    state_of(thread_of(clock)).map(|state| matches!(state, b'S' | b'D'))
}

/// Whether a thread, by the kernel's number of it, runs or would if it had a CPU. It takes 5 us.
pub fn thread_runs(thread: i32) -> bool {
    state_of(thread) == Some(b'R')
}

fn state_of(thread: i32) -> Option<u8> {
    let mut head = [0; HEAD];
    let read = File::open(format!("/proc/self/task/{thread}/stat"))
        .and_then(|mut file| file.read(&mut head))
        .ok()?;
    state(&head[..read])
}

/// The letter after the name; the name may have any bytes, brackets too.
fn state(line: &[u8]) -> Option<u8> {
    let name_ends = line.iter().rposition(|&byte| byte == b')')?;
    line.get(name_ends + 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(state(b"71 (gmp-3) S 1 71"), Some(b'S'));
        assert_eq!(state(b"71 (a) R (b)) D 1 71"), Some(b'D'));
        assert_eq!(state(b"71 (gmp-3)"), None);
        assert_eq!(state(b""), None);
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
}
