//! `goroutine_leaks` over channels: what is told, and what must not be. With the feature `profile`: the gate `features`
//! runs it.
//!
//! Each test is a process of its own: memory is searched for handles, and what one test leaves there for ever, on stacks
//! of another runtime say, might hide the leaks of another.

use gmp::chan;
use gmp::profile::{Profile, Sample, goroutine_leaks};
use harness::{Named, child};
use kept::Kept;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

mod harness;
#[path = "goroutine_leaks/kept.rs"]
mod kept;
#[path = "goroutine_leaks/kept_elsewhere.rs"]
mod kept_elsewhere;
#[path = "goroutine_leaks/kept_on_stacks.rs"]
mod kept_on_stacks;

/// Tests and children of the same names: a test runs its child.
macro_rules! each_in_a_process {
    ($($test:ident),* $(,)?) => {
        const TESTS: &[Named] = &[$(Named {
            name: stringify!($test),
            call: || _ = child(stringify!($test)).run().code(0),
        }),*];
        const CHILDREN: &[Named] = harness::named![$($test),*];
    };
}

each_in_a_process![
    typical_leaks_are_told,
    what_is_kept_of_a_look_is_no_handle,
    whoever_may_go_on_is_not_told,
    whoever_has_a_handle_on_its_stack_may_use_it,
    a_handle_counts_wherever_it_is_kept,
    another_runtime_may_go_on,
    a_join_of_another_runtime_is_not_one_of_the_same_number,
];

fn main() -> std::process::ExitCode {
    harness::run(TESTS, CHILDREN)
}

const SHORT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

fn name(sample: &Sample) -> Option<&str> {
    sample.labels.iter().find(|(key, _)| key == "goroutine").map(|(_, name)| name.as_str())
}

/// How many goroutines of this name are told.
fn count(leaks: &Profile, wanted: &str) -> u64 {
    leaks.samples.iter().filter(|sample| name(sample) == Some(wanted)).map(|sample| sample.count).sum()
}

fn stands_in(leaks: &Profile, wanted: &str, function: &str) -> bool {
    let has = |sample: &Sample| {
        sample.stack.iter().any(|frames| frames.iter().any(|frame| frame.function.contains(function)))
    };
    leaks.samples.iter().filter(|sample| name(sample) == Some(wanted)).all(has)
}

fn run(main: impl FnOnce() + Send + 'static) {
    gmp::Builder::new().procs(2).build().unwrap().run(main).unwrap();
}

fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> gmp::JoinHandle<T> {
    gmp::spawn().name(name).go(body).unwrap()
}

/// Asks until each of these was told, while nobody else is. Returns one profile for each. Remains of a handle may hide
/// one of a kind, so there are several of each.
fn are_told(wanted: &[&str]) -> Vec<Profile> {
    let begun = Instant::now();
    let mut told = vec![None; wanted.len()];
    while told.iter().any(Option::is_none) {
        let leaks = goroutine_leaks();
        for sample in &leaks.samples {
            let at = wanted.iter().position(|wanted| name(sample) == Some(wanted));
            let at = at.unwrap_or_else(|| panic!("{:?} is told\n{leaks}", name(sample)));
            told[at].get_or_insert_with(|| leaks.clone());
        }
        let missing = wanted.iter().zip(&told).find(|(_, told)| told.is_none());
        assert!(missing.is_none() || begun.elapsed() < PATIENCE, "{missing:?} is not told\n{leaks}");
    }
    told.into_iter().flatten().collect()
}

mod leaks {
    //! The typical leaks. Each is made by a goroutine that has ended before anybody looks: frames of functions that go on
    //! may have remains of handles in places that they do not use.
    use super::*;

    pub(super) fn make(leak: fn()) {
        gmp::go(leak).join().unwrap();
    }

    pub(super) fn iterates_over_its_own_receiver() {
        let (sender, receiver) = chan::<u32>(0);
        spawn("iterates", move || {
            let _keeps_it_open = sender;
            receiver.iter().for_each(|value| _ = black_box(value));
        });
    }

    pub(super) fn two_wait_for_each_other() {
        let (to_one, of_one) = chan::<u32>(0);
        let (to_other, of_other) = chan::<u32>(0);
        spawn("two", move || of_one.recv().map(|value| to_other.send(value)));
        spawn("two", move || of_other.recv().map(|value| to_one.send(value)));
    }

    pub(super) fn pool() {
        let (sender, receiver) = chan::<u32>(0);
        for _ in 0..4 {
            let (sender, receiver) = (sender.clone(), receiver.clone());
            spawn("pool", move || receiver.iter().for_each(|value| sender.send(value + 1).unwrap()));
        }
    }

    pub(super) fn sends() {
        let (sender, receiver) = chan::<u32>(1);
        spawn("sends", move || {
            (0..3).for_each(|value| sender.send(value).unwrap());
            drop(receiver);
        });
    }

    pub(super) fn selects() {
        let ((sender, receiver), (other, of_other)) = (chan::<u32>(0), chan::<u32>(0));
        spawn("selects", move || {
            gmp::select! {
                recv(receiver) -> _ => {},
                send(other, 7) -> _ => {},
            }
            drop((sender, of_other));
        });
    }

    /// Its closure is too large for a goroutine's record.
    pub(super) fn with_a_large_closure() {
        let ((sender, receiver), ballast) = (chan::<u32>(0), [1_u64; 100]);
        spawn("large", move || {
            let _ = receiver.recv();
            drop((sender, black_box(ballast)));
        });
    }

    /// One that keeps a mutex while it leaks, one that waits for the mutex, and one that joins that.
    pub(super) fn others_behind_it() {
        let (lock, (sender, receiver)) = (Arc::new(gmp::sync::Mutex::new(())), chan::<u32>(0));
        let (locks, locked) = (lock.clone(), Arc::new(AtomicBool::new(false)));
        let has_locked = locked.clone();
        spawn("holder", move || {
            let _held = locks.lock();
            has_locked.store(true, Relaxed);
            let _ = receiver.recv();
            drop(sender);
        });
        while !locked.load(Relaxed) {
            gmp::yield_now();
        }
        let waiter = spawn("waiter", move || drop(lock.lock()));
        spawn("joiner", move || drop(waiter.join()));
    }
}

fn typical_leaks_are_told() {
    run(|| {
        type Kind = (fn(), &'static [&'static str]);
        let kinds: [Kind; 7] = [
            (leaks::iterates_over_its_own_receiver, &["iterates"]),
            (leaks::two_wait_for_each_other, &["two"]),
            (leaks::pool, &["pool"]),
            (leaks::sends, &["sends"]),
            (leaks::selects, &["selects"]),
            (leaks::with_a_large_closure, &["large"]),
            (leaks::others_behind_it, &["holder", "waiter", "joiner"]),
        ];
        for _ in 0..4 {
            kinds.iter().for_each(|(kind, _)| leaks::make(*kind));
        }
        gmp::sleep(SHORT);
        let names: Vec<&str> = kinds.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let told = are_told(&names);
        for (name, function) in [("pool", "leaks::pool"), ("sends", "leaks::sends")] {
            let leaks = &told[names.iter().position(|one| *one == name).unwrap()];
            assert!(stands_in(leaks, name, function), "{leaks}");
        }
        // Neither what was told nor a dump is taken for handles.
        let dump = gmp::dump();
        are_told(&names);
        drop(dump);
    });
}

/// In optimised builds a dump had words in which nobody had written, and in those what registers happened to hold: places
/// on stacks, and addresses of channels. What leaked there was told no more as long as the dump was kept.
fn what_is_kept_of_a_look_is_no_handle() {
    run(|| {
        // Of every state there are some without a name and without labels. Who goes on begins before anything leaks: on a
        // stack that had been another goroutine's there would be remains of its handles.
        (0..4).for_each(|_| drop(gmp::go(|| gmp::sleep(Duration::from_secs(30)))));
        let stop = Arc::new(AtomicBool::new(false));
        let yields = stop.clone();
        gmp::go(move || {
            while !yields.load(Relaxed) {
                gmp::yield_now();
            }
        });
        gmp::sleep(SHORT);
        for _ in 0..4 {
            leaks::make(leaks::two_wait_for_each_other);
            leaks::make(leaks::selects);
            leaks::make(leaks::others_behind_it);
        }
        gmp::sleep(SHORT);
        let names = ["two", "selects", "holder", "waiter", "joiner"];
        let most = |told: &[Profile]| names.map(|name| told.iter().map(|one| count(one, name)).max());
        let before = are_told(&names);
        let kept: Vec<_> = (0..8).map(|_| (gmp::dump(), goroutine_leaks(), gmp::metrics::read())).collect();
        let all =
            |after: &[Profile]| most(after).into_iter().zip(most(&before)).all(|(now, then)| now >= then);
        let begun = Instant::now();
        let mut after = are_told(&names);
        // What hides some for a moment is no fault of theirs.
        while !all(&after) && begun.elapsed() < PATIENCE {
            after.extend(are_told(&names));
        }
        assert!(all(&after), "{:?} were told, and {:?} are", most(&before), most(&after));
        stop.store(true, Relaxed);
        drop(kept);
    });
}

/// Handles have passed through frames that are gone. What remains of them there is not to be found instead of the handles.
#[inline(never)]
fn wipe_frames() {
    black_box(&mut [0_u8; 24 << 10]);
}

/// Each of these can go on, and does in the end. What leaks beside them is told meanwhile.
fn none_is_told(all_kept: fn(&Arc<AtomicBool>) -> Vec<Kept>) {
    run(move || {
        let stop = Arc::new(AtomicBool::new(false));
        let kept = all_kept(&stop);
        wipe_frames();
        // Several, as the address of one may stand in some remains.
        (0..8).for_each(|_| leaks::make(leaks::iterates_over_its_own_receiver));
        let begun = Instant::now();
        // A search that tells nothing may have been none, as somebody did not stop in time.
        let mut searches = 0;
        while searches < 5 && begun.elapsed() < PATIENCE {
            let leaks = goroutine_leaks();
            let wrong = leaks.samples.iter().find(|sample| name(sample) != Some("iterates"));
            assert!(wrong.is_none(), "{:?} can go on\n{leaks}", wrong.and_then(name));
            searches += u32::from(count(&leaks, "iterates") != 0);
        }
        assert!(searches > 0, "what leaks is not told");
        stop.store(true, Relaxed);
        for Kept { waiter, end } in kept {
            end();
            assert!(waiter.join().unwrap());
        }
    });
}

fn whoever_may_go_on_is_not_told() {
    none_is_told(kept::all);
}

fn whoever_has_a_handle_on_its_stack_may_use_it() {
    none_is_told(kept_on_stacks::all);
}

fn a_handle_counts_wherever_it_is_kept() {
    none_is_told(kept_elsewhere::all);
}

/// A goroutine of another runtime is not told, and one that waits for it is none that leaks.
fn another_runtime_may_go_on() {
    let (sender, receiver) = chan::<u32>(0);
    let (ask, asked) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        let main = move || {
            leaks::make(leaks::iterates_over_its_own_receiver);
            let waits_there = sender.clone();
            // It has both ends of the channel at which the other runtime's goroutine waits, and may use them.
            let keeper = spawn("there", move || {
                let (_silent, never_comes) = chan::<u32>(0);
                let _ = never_comes.recv_timeout(Duration::from_secs(3));
                waits_there.send(1)
            });
            drop(sender);
            keeper.join().unwrap().unwrap();
            let _ = asked.recv();
        };
        gmp::Builder::new().procs(1).build().unwrap().run(main).unwrap();
    });
    run(move || {
        let here = spawn("here", move || receiver.recv().is_ok());
        for _ in 0..5 {
            let leaks = goroutine_leaks();
            assert!(leaks.samples.is_empty(), "{leaks}");
        }
        assert!(here.join().unwrap());
        drop(ask);
    });
    other.join().unwrap();
}

/// A goroutine that waited for one of another runtime was told to join the one of its own that has the same number.
fn a_join_of_another_runtime_is_not_one_of_the_same_number() {
    let (give, given) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        gmp::Builder::new()
            .procs(1)
            .build()
            .unwrap()
            .run(move || {
                // Numbers 2 to 20 there. Each waits until the end.
                let ended = Arc::new(Mutex::new(ended));
                for _ in 0..20 {
                    let ended = ended.clone();
                    let waits = move || gmp::blocking(|| _ = ended.lock().unwrap().recv());
                    give.send(gmp::go(waits)).unwrap();
                }
                drop(give);
                gmp::sleep(Duration::from_millis(1));
                while gmp::num_goroutines() > 1 {
                    gmp::sleep(Duration::from_millis(10));
                }
            })
            .unwrap();
    });
    run(move || {
        // Numbers 2 to 30 here, which never go on.
        (0..30).for_each(|_| drop(spawn("for ever", || gmp::block_forever())));
        let joins: Vec<_> =
            given.iter().map(|handle| spawn("joins", move || handle.join().is_ok())).collect();
        gmp::sleep(SHORT);
        are_told(&["for ever"]);
        assert!(!gmp::dump().to_string().contains("join of goroutine"));
        drop(end);
        assert!(joins.into_iter().all(|join| join.join().unwrap()));
    });
    other.join().unwrap();
}
