//! loom models of the jobs, on the real type, which has room for two here.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_jobs`
//!
//! Threads: two or three (the owner is the model's main thread). Preemptions: what
//! each model gives to `explore`, or what `LOOM_MAX_PREEMPTIONS` says.
//! Both halves of the fence are full ones here, which is what they amount to. A job's content is written before the
//! push and rewritten by whoever takes it, through loom's `UnsafeCell`, so that one that is taken twice, or read too
//! early, is a race.
//!
//! Caught when broken: either half of the fence left out; `bottom` lowered after the look at `top`; a release of `bottom`
//! or an acquire of it that is relaxed; a last job that is taken without the race for it. Not caught: a relaxed move of
//! `top`, or a relaxed look at it in `push`, since in loom no load is performed later than it is written.

use super::door::{Door, Way};
use super::jobs::Jobs;
use crate::ground::sync::{Arc, UnsafeCell, full_fence, light_fence};
use loom::thread;

/// What a job's frame holds: whether it was called.
struct Frame(UnsafeCell<u32>);

impl Frame {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    /// By whoever has taken the job.
    fn call(&self) {
        // SAFETY: one taker has it, as the model is to prove.
        self.0.with_mut(|calls| unsafe { *calls += 1 });
    }

    fn calls(&self) -> u32 {
        // SAFETY: all threads are joined.
        self.0.with(|calls| unsafe { *calls })
    }
}

struct House {
    jobs: Jobs<Frame>,
    frames: [Frame; 3],
}

fn explore(preemptions: usize, model: impl Fn(Arc<House>) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(move || {
        let frames = [Frame::new(), Frame::new(), Frame::new()];
        model(Arc::new(House { jobs: Jobs::new(), frames }));
    });
}

fn thief(house: &Arc<House>) -> thread::JoinHandle<()> {
    let house = Arc::clone(house);
    thread::spawn(move || {
        if let Some(frame) = house.jobs.steal() {
            // SAFETY: the house keeps its frames.
            unsafe { &*frame }.call();
        }
    })
}

impl House {
    /// A `join`: the frame's job is offered, `inside` runs, and the job is taken back, or is somebody else's.
    fn join(&self, frame: usize, inside: impl FnOnce()) {
        let frame = &self.frames[frame];
        let queued = self.jobs.push(frame);
        assert!(queued, "there is room for two");
        inside();
        if self.jobs.pop() {
            frame.call();
        }
    }

    fn each_was_called_once(&self, frames: usize) {
        assert!(self.jobs.is_empty());
        assert!(self.frames[..frames].iter().all(|frame| frame.calls() == 1));
    }
}

/// The last job, which owner and thief want at once.
#[test]
fn a_last_job_has_one_taker() {
    explore(3, |house| {
        let thief = thief(&house);
        house.join(0, || {});
        thief.join().unwrap();
        house.each_was_called_once(1);
    });
}

/// Two nested joins and two thieves, who take the outer one first.
#[test]
fn two_thieves_and_two_jobs() {
    explore(2, |house| {
        let thieves = [thief(&house), thief(&house)];
        house.join(0, || house.join(1, || {}));
        thieves.into_iter().for_each(|thief| thief.join().unwrap());
        house.each_was_called_once(2);
    });
}

/// A slot that was emptied and filled again, while a thief is on its way to it.
#[test]
fn slots_are_filled_again_behind_a_thief() {
    explore(3, |house| {
        let thief = thief(&house);
        house.join(0, || {});
        house.join(1, || {});
        house.join(2, || {});
        thief.join().unwrap();
        house.each_was_called_once(3);
    });
}

/// The P is taken while a job is offered: the job is made a goroutine by one of the two, and never lies there unseen.
#[test]
fn what_is_offered_while_the_p_is_taken_is_seen() {
    explore(3, |house| {
        let door = Arc::new(Door::new());
        door.set_way(Way::Open);
        door.go_out();
        let taker = thread::spawn({
            let (house, door) = (Arc::clone(&house), Arc::clone(&door));
            move || {
                let Some(mark) = door.begin_taking() else { return };
                full_fence();
                if !door.may_take(mark) {
                    return door.give_up_taking(mark);
                }
                door.end_taking();
                while let Some(frame) = house.jobs.steal() {
                    // SAFETY: as in `thief`.
                    unsafe { &*frame }.call();
                }
            }
        });
        assert!(house.jobs.push(&house.frames[0]));
        light_fence();
        if !door.is_open() && !door.hold().found_p() {
            while let Some(frame) = house.jobs.take_oldest() {
                // SAFETY: as in `thief`.
                unsafe { &*frame }.call();
            }
        }
        taker.join().unwrap();
        // One that was offered to thieves, and not seen, is taken back by its own join.
        if house.jobs.pop() {
            assert!(door.hold().found_p(), "a job of an M without a P was seen by nobody");
            house.frames[0].call();
        }
        house.each_was_called_once(1);
    });
}

/// The goroutine suspends: what is left becomes goroutines, and its joins find nothing, while a thief has its look.
#[test]
fn what_is_promoted_is_not_taken_back() {
    explore(3, |house| {
        let thief = thief(&house);
        house.join(0, || {
            house.join(1, || {
                while let Some(frame) = house.jobs.take_oldest() {
                    // SAFETY: as in `thief`.
                    unsafe { &*frame }.call();
                }
            });
        });
        thief.join().unwrap();
        house.each_was_called_once(2);
    });
}
