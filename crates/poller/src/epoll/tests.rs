//! The contract's clauses, N1 to N3, on pipes and sockets.

use super::*;
use gmp_core::contract::Poller;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Longer than anything here takes: whatever waits for this long hangs.
const LONG_WAIT: Duration = Duration::from_secs(60);

fn tags(epoll: &Epoll) -> Vec<(u64, bool, bool, bool)> {
    let mut ready = ReadyList::new();
    epoll.look(&mut ready).unwrap();
    ready.iter().map(|r| (r.tag.into_raw(), r.readable, r.writable, r.restless)).collect()
}

#[test]
fn each_change_is_told_once() {
    let epoll = Epoll::new().unwrap();
    let (mut here, mut there) = UnixStream::pair().unwrap();
    epoll.add(here.as_fd(), Tag::from_raw(7)).unwrap();
    assert_eq!(tags(&epoll), [(7, false, true, false)], "what is so already is told");
    assert_eq!(tags(&epoll), []);
    there.write_all(b"a").unwrap();
    assert_eq!(tags(&epoll), [(7, true, true, false)]);
    assert_eq!(tags(&epoll), [], "told once, though nothing was read");
    there.write_all(b"b").unwrap();
    assert_eq!(tags(&epoll), [(7, true, true, false)]);
    here.read_exact(&mut [0; 2]).unwrap();
    drop(there);
    assert_eq!(tags(&epoll), [(7, true, true, true)], "the end is told");
    epoll.remove(here.as_fd()).unwrap();
    assert!(epoll.remove(here.as_fd()).is_err());
}

#[test]
fn an_interrupt_ends_the_next_wait_and_no_look_takes_it() {
    let epoll = Epoll::new().unwrap();
    epoll.interrupt();
    epoll.interrupt();
    assert_eq!(tags(&epoll), []);
    let begun = Instant::now();
    epoll.wait(Some(begun + LONG_WAIT), &mut ReadyList::new()).unwrap();
    assert!(begun.elapsed() < LONG_WAIT);
    // Both interrupts counted as one.
    let deadline = Instant::now() + Duration::from_millis(20);
    epoll.wait(Some(deadline), &mut ReadyList::new()).unwrap();
    assert!(Instant::now() >= deadline);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            let waiter = scope.spawn(|| epoll.wait(None, &mut ReadyList::new()).unwrap());
            epoll.interrupt();
            waiter.join().unwrap();
        }
    });
}

#[test]
fn a_deadline_is_kept_to_less_than_a_millisecond() {
    let epoll = Epoll::new().unwrap();
    for micros in [1, 300, 999, 1000, 1700, 2300] {
        let deadline = Instant::now() + Duration::from_micros(micros);
        epoll.wait(Some(deadline), &mut ReadyList::new()).unwrap();
        assert!(Instant::now() >= deadline, "{micros} us");
    }
}

#[test]
fn more_than_a_list_holds_comes_with_the_next_look() {
    let epoll = Epoll::new().unwrap();
    let pairs: Vec<_> = (0..ReadyList::CAPACITY as u64 + 9)
        .map(|tag| {
            let pair = UnixStream::pair().unwrap();
            epoll.add(pair.0.as_fd(), Tag::from_raw(tag)).unwrap();
            pair
        })
        .collect();
    let mut seen = tags(&epoll);
    seen.extend(tags(&epoll));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), pairs.len());
}
