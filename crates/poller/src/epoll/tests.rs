//! The contract's clauses, N1 to N3, on pipes and sockets.

use super::*;
use gmp_core::contract::Poller;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Longer than anything here takes: whatever waits for this long hangs.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// One without shards, and one with some.
fn both() -> [Epoll; 2] {
    [1, 3].map(|shards| Epoll::new(shards).unwrap())
}

fn tags(epoll: &Epoll) -> Vec<(u64, bool, bool, bool)> {
    (0..epoll.shards()).flat_map(|shard| tags_in(epoll, shard)).collect()
}

fn tags_in(epoll: &Epoll, shard: usize) -> Vec<(u64, bool, bool, bool)> {
    let mut ready = ReadyList::new();
    epoll.look(shard, &mut ready).unwrap();
    ready.iter().map(|r| (r.tag.into_raw(), r.readable, r.writable, r.restless)).collect()
}

#[test]
fn each_change_is_told_once() {
    for epoll in both() {
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
        epoll.remove(here.as_fd(), Tag::from_raw(7)).unwrap();
        assert!(epoll.remove(here.as_fd(), Tag::from_raw(7)).is_err());
    }
}

#[test]
fn an_interrupt_ends_the_next_wait_and_no_look_takes_it() {
    for epoll in both() {
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
}

#[test]
fn a_deadline_is_kept_to_less_than_a_millisecond() {
    for epoll in both() {
        for micros in [1, 300, 999, 1000, 1700, 2300] {
            let deadline = Instant::now() + Duration::from_micros(micros);
            epoll.wait(Some(deadline), &mut ReadyList::new()).unwrap();
            assert!(Instant::now() >= deadline, "{micros} us");
        }
    }
}

#[test]
fn more_than_a_list_holds_comes_with_the_next_look() {
    for epoll in both() {
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
}

#[test]
fn a_wait_hears_of_every_shard_and_a_look_of_one() {
    let epoll = Epoll::new(3).unwrap();
    let mut pairs: Vec<_> = (0..6_u64)
        .map(|tag| {
            let pair = UnixStream::pair().unwrap();
            epoll.add(pair.0.as_fd(), Tag::from_raw(tag)).unwrap();
            pair
        })
        .collect();
    for shard in 0..3 {
        let told: Vec<_> = tags_in(&epoll, shard as usize).iter().map(|told| told.0).collect();
        assert_eq!(told, [shard, shard + 3]);
    }
    for (tag, (_, there)) in pairs.iter_mut().enumerate() {
        there.write_all(b"a").unwrap();
        let mut ready = ReadyList::new();
        epoll.wait(None, &mut ready).unwrap();
        assert_eq!(ready.iter().map(|ready| ready.tag.into_raw()).collect::<Vec<_>>(), [tag as u64]);
    }
}

#[test]
fn a_wait_leaves_nothing_behind_that_it_has_no_room_for() {
    let epoll = Epoll::new(2).unwrap();
    let many = 3 * ReadyList::CAPACITY as u64;
    let pairs: Vec<_> = (0..many)
        .map(|tag| {
            let pair = UnixStream::pair().unwrap();
            epoll.add(pair.0.as_fd(), Tag::from_raw(tag)).unwrap();
            pair
        })
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < pairs.len() {
        let mut ready = ReadyList::new();
        epoll.wait(Some(Instant::now() + LONG_WAIT), &mut ready).unwrap();
        assert!(!ready.is_empty(), "told of {} of {}", seen.len(), pairs.len());
        seen.extend(ready.iter().map(|ready| ready.tag.into_raw()));
    }
}

/// Several threads look into shards while one waits for all: each change is told to somebody.
#[test]
fn lookers_and_a_waiter_miss_nothing() {
    const ROUNDS: u64 = 2_000;
    let epoll = Epoll::new(2).unwrap();
    let (here, mut there) = UnixStream::pair().unwrap();
    here.set_nonblocking(true).unwrap();
    epoll.add(here.as_fd(), Tag::from_raw(1)).unwrap();
    let (told, done) = (std::sync::Mutex::new(0_u64), AtomicBool::new(false));
    let collect = |ready: &ReadyList| {
        if ready.iter().any(|ready| ready.readable) {
            let mut told = told.lock().unwrap();
            while (&here).read(&mut [0; 8]).is_ok_and(|read| read > 0) {
                *told += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        for shard in 0..2 {
            let (epoll, done, collect) = (&epoll, &done, &collect);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let mut ready = ReadyList::new();
                    epoll.look(shard, &mut ready).unwrap();
                    collect(&ready);
                    std::thread::yield_now();
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let mut ready = ReadyList::new();
                epoll.wait(None, &mut ready).unwrap();
                collect(&ready);
            }
        });
        let begun = Instant::now();
        for round in 0..ROUNDS {
            there.write_all(b"a").unwrap();
            while *told.lock().unwrap() <= round && begun.elapsed() < LONG_WAIT {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
        epoll.interrupt();
    });
    assert_eq!(*told.lock().unwrap(), ROUNDS);
}
