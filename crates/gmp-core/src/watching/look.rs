//! Look: all goroutines of a runtime as they stand, while the program runs on.
//!
//! | a goroutine that | is read |
//! | --- | --- |
//! | waits | frozen by the word's Scan bit: whoever readies it waits for the copy of some KiB, and for nothing else |
//! | is runnable | without a claim, and again if it was another goroutine's, or in another wait, by the end of the copy |
//! | runs, or is in a blocking call | the same; its stack by a signal to its thread, which copies itself |
//!
//! **Invariant.** Nothing is read that may be freed: records never are, an [`Extra`](crate::records::g::extra::Extra)
//! waits for its readers, and stacks are copied by a call that bears memory that is not there. What was not frozen is
//! believed only if the word has the same serial number before and after, so a sight is of one goroutine. What it may
//! mix is two moments between which that goroutine only ran: a runnable one that ran and yielded during the copy may
//! show a torn stack.
//!
//! **A look never hangs.** It tries to get the scheduler's lock for a while, and does without if somebody keeps it. No
//! goroutine, M or P is asked for anything. Two may look at once: whoever finds a goroutine frozen looks again. Go
//! stops the world for this (`tracebackothers`, `goroutineProfileWithLabels`; Go 1.27).

use crate::contract::{Config, Switch};
use crate::records::g::extra::Reader;
use crate::records::g::word::{Status, Wait};
use crate::records::g::{Flags, G, registry};
use crate::records::m::M;
use crate::records::sight::{Look, Sight, State};
use crate::records::waits_at;
use crate::shared::sched::Sched;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

/// How long it tries to get the lock.
const LOCK_PATIENCE: Duration = Duration::from_millis(100);
/// How often a goroutine that goes on under the look is looked at again before what was seen last is taken.
const TRIES: usize = 8;

/// Wipes what the calls of a look left below their caller's frame. Addresses of channels and of places on stacks are among
/// it, and what is made there next may keep them, in words that nobody writes in: who searches memory for handles
/// (`gmp::profile::goroutine_leaks`) would take them for some.
#[inline(never)]
fn wipe_frames() {
    core::hint::black_box(&mut [0_u8; 4096]);
}

impl<C: Config> Sched<C> {
    /// Shows every goroutine that has not ended.
    pub(crate) fn look_at_all(&self, look: &mut dyn Look) {
        let ms = self.all_ms();
        registry::for_each(|g| {
            for _ in 0..TRIES {
                let Some(status) = g.status_in(&self.header) else { return };
                let sight = match status {
                    Status::Free => return,
                    Status::Waiting => self.look_at_waiting(g, look),
                    _ => self.look_at_going(g, &ms, look),
                };
                if let Some(sight) = sight {
                    return look.see(sight);
                }
                look.forget();
            }
        });
        wipe_frames();
    }

    /// Every M of this moment, or none if somebody keeps the lock.
    fn all_ms(&self) -> Vec<Arc<M>> {
        let began = Instant::now();
        loop {
            match self.lists.try_lock() {
                Ok(lists) => return lists.all_m.clone(),
                Err(TryLockError::Poisoned(_)) => return Vec::new(),
                Err(TryLockError::WouldBlock) if began.elapsed() > LOCK_PATIENCE => return Vec::new(),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_micros(100)),
            }
        }
    }

    /// Looks at one that waits. `None`: it does not any more.
    fn look_at_waiting(&self, g: &G, look: &mut dyn Look) -> Option<Sight> {
        let Some(frozen) = g.word.scan() else {
            std::thread::yield_now();
            return None;
        };
        if !g.is_of(&self.header) {
            // It has ended, and its record has gone to another runtime.
            return None;
        }
        let reason = g.reason.get();
        let age = Duration::from_nanos(self.header.now().saturating_sub(g.since.get()));
        // SAFETY: it is frozen.
        let (waits, extra) = unsafe { (waits_at::of(g, reason), g.extra.get()) };
        let mut sight = Sight::of(g, extra, State::Waiting { reason, age, at: waits.object() });
        (sight.wait, sight.timed, sight.held_from) =
            (g.word.present_wait().map_or(0, Wait::into_raw), waits.timed, waits.held_from);
        let thread = match C::Switch::SAVED {
            Some(saved) => {
                look.copy(g.context.get(), saved, g.stack.addresses());
                None
            }
            // SAFETY: it was suspended, and is frozen.
            None => unsafe { C::Switch::thread_of(g.context.get()) },
        };
        drop(frozen);
        if let Some(thread) = thread {
            look.capture(thread, ptr::from_ref(g).addr());
        }
        Some(sight)
    }

    /// Looks at one that is runnable, runs or is in a blocking call. `None`: what was seen is nobody's.
    fn look_at_going(&self, g: &G, ms: &[Arc<M>], look: &mut dyn Look) -> Option<Sight> {
        let before = g.word.glimpse();
        if !g.is_of(&self.header) {
            // As above. If not, and the word is the same afterwards, it has not gone there meanwhile.
            return None;
        }
        let started = g.flags.get().has(Flags::STARTED);
        let its_m = || ms.iter().find(|m| ptr::eq(m.running(), g));
        let id = |m: Option<&Arc<M>>| m.map(|m| m.id);
        let state = match before.status() {
            Status::Free | Status::Waiting => return None,
            Status::Runnable => State::Runnable { started },
            Status::Running => State::Running(id(its_m())),
            Status::Blocked => match its_m() {
                Some(m) if m.overrun.is_under_way() => State::Running(Some(m.id)),
                m => State::Blocked(id(m)),
            },
        };
        match state {
            State::Runnable { started: true } => {
                let context = g.context.get();
                if let Some(saved) = C::Switch::SAVED {
                    look.copy(context, saved, g.stack.addresses());
                }
                if g.context.get() != context {
                    return None;
                }
            }
            State::Running(_) | State::Blocked(_) => {
                // Where each goroutine is a thread, its M's is another.
                if let Some(m) = its_m().filter(|_| !C::Switch::THREAD_EACH) {
                    look.capture(m.thread_id.load(Relaxed), ptr::from_ref(g).addr());
                }
            }
            _ => {}
        }
        let reader = Reader::enter();
        let sight = Sight::of(g, reader.look(&g.extra), state);
        drop(reader);
        g.word.still(before).then_some(sight)
    }
}
