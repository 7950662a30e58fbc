//! Users' timers: a callback on the scheduler's stack at a given time, once or again and again.
//!
//! A [`Timer`] lies in the heap of the P that armed it, beside the deadlines of parked goroutines
//! (`records/p/timers.rs`), and the M that finds it due calls [`Fire::fire`]. Channels that deliver the time, functions
//! run after a delay and contexts with deadlines are built from it. `records/p/plan.rs` describes what a timer goes
//! through. Go: `timer`, `timers.run` (time.go, Go 1.27).

mod alarm;
mod remains;
mod setter;

#[cfg(all(test, loom))]
mod loom_plan;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::entering::foreign;
use crate::ground::sync::SpinLock;
use crate::life::handle::JoinHandle;
use crate::life::spawn::NoRecord;
use crate::records::m::M;
use crate::records::p::plan::Plan;
use crate::records::p::timer::{Expiry, Head, Table};
use crate::records::p::timers::{NEVER, Timers};

pub use alarm::{Setting, instant, now};
pub(crate) use remains::drop_in_a_goroutine;

pub use crate::records::p::plan::next_tick;
pub use crate::records::p::timer::AnyTimer;

use crate::ground::clock::{epoch, nanos};
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::ptr::NonNull;
use setter::{Added, Setter};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a timer does when it goes off.
pub trait Fire: Send + Sync + Sized + 'static {
    /// Whether the destructor may run on the scheduler's stack, under the rules of [`Fire::fire`]. If not, and the
    /// scheduler finds itself with the last reference, a goroutine is started to drop it, which counts as one of the
    /// runtime's own.
    const LIGHT: bool = !core::mem::needs_drop::<Self>();

    /// Whether each expiry is claimed before the callback is called, for one that would do so at once, under no lock of its
    /// own. [`Firing::claim`] is not asked then.
    const CLAIMED: bool = false;

    /// Called on the scheduler's stack of the M that found the timer due. It may be called on several Ms at once, if the
    /// period is shorter than the call, or if the timer is reset meanwhile.
    ///
    /// It is to be short. It may ready goroutines ([`Parked::ready`](crate::Parked::ready)), stop and reset timers and
    /// spawn by [`Firing::spawn`]; everything else that needs a goroutine is refused. A panic that comes out of it ends
    /// the process.
    fn fire(timer: &Timer<Self>, firing: Firing<'_>);
}

/// One expiry, as its callback sees it.
pub struct Firing<'a> {
    head: NonNull<Head>,
    m: &'a M,
    round: u64,
    when: u64,
    now: u64,
    /// The scheduler's count of the timer, until the callback takes it.
    count: &'a Cell<Option<NonNull<Head>>>,
    // Of this M's stack.
    not_send: PhantomData<*mut ()>,
}

impl core::fmt::Debug for Firing<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Firing").field("when", &self.when()).finish_non_exhaustive()
    }
}

impl Firing<'_> {
    /// Makes the expiry final. `false`: a stop or a reset came before, was told that it was in time, and counts on the
    /// callback to do nothing. A callback that takes a lock claims under it.
    pub fn claim(&self) -> bool {
        self.plan(|plan| plan.claim(self.round))
    }

    /// Stops the timer, if it repeats: for a callback that finds that nobody wants it any more.
    pub fn stop(&self) {
        self.plan(Plan::stop);
    }

    /// The moment that the timer was set to, or that of this tick, however late it is now.
    ///
    /// Exact, so that the ticks of a period are multiples of it apart. (Go subtracts the delay from a second look at the
    /// clock.)
    pub fn when(&self) -> Instant {
        epoch() + Duration::from_nanos(self.when)
    }

    /// A clone of the timer, which is the callback's own argument: it takes the scheduler's count, which nobody needs any
    /// more.
    ///
    /// # Safety
    /// When the clone may have gone, also on another thread, the callback no longer uses its argument, nor does it
    /// [claim](Firing::claim) or [stop](Firing::stop).
    pub unsafe fn keep<F: Fire>(&self, timer: &Timer<F>) -> Timer<F> {
        match self.count.take() {
            Some(head) if core::ptr::eq(head.as_ptr(), &timer.0.head) => {
                // SAFETY: the count is that of this very node, and nobody else uses it.
                Timer(unsafe { Arc::from_raw(head.cast::<Node<F>>().as_ptr()) })
            }
            other => {
                self.count.set(other);
                timer.clone()
            }
        }
    }

    fn plan<R>(&self, look: impl FnOnce(&mut Plan) -> R) -> R {
        // SAFETY: the scheduler's count keeps it, or the clone that took that: see `keep`.
        unsafe { self.head.as_ref() }.plan.with(look)
    }

    /// The time, by the clock of [`now`], at which the M saw that the timer was due.
    pub fn seen(&self) -> u64 {
        self.now
    }

    /// Spawns a goroutine, next on the P of the M that makes the call; `at` is told as its place of creation.
    ///
    /// # Errors
    /// No memory for another record; the closure comes back.
    #[doc(alias = "goFunc")]
    pub fn spawn<F, T>(&self, at: &'static Location<'static>, f: F) -> Result<JoinHandle<T>, NoRecord<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        crate::life::spawn::spawn_on_g0(self.m, at, f)
    }
}

/// A timer with its callback; [`AnyTimer`] has what is done with it. Clones are the same timer. Dropping the last one
/// stops nothing.
///
/// Each of the calls is one step: whatever the other threads do, an expiry is either claimed by its callback or undone by
/// the one stop or reset that says `true`.
///
/// ```
/// use gmp_core::timer::{Fire, Firing, Timer};
///
/// struct Note;
/// impl Fire for Note {
///     fn fire(_: &Timer<Self>, firing: Firing<'_>) {
///         assert!(firing.claim());
///     }
/// }
/// let timer = Timer::new(Note).as_any();
/// assert!(!timer.is_pending() && !timer.stop());
/// ```
#[doc(alias = "timer")]
pub struct Timer<F>(Arc<Node<F>>);

impl<F> Clone for Timer<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> core::fmt::Debug for Timer<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Timer").field(&self.0.head).finish()
    }
}

impl<F: Fire> Timer<F> {
    /// A timer that is not set.
    pub fn new(fire: F) -> Self {
        let table = const {
            &Table {
                fire: fire_node::<F>,
                retain: retain_node::<F>,
                release: release_node::<F>,
                light: F::LIGHT,
                claimed: F::CLAIMED,
            }
        };
        Self(Arc::new(Node { head: Head { plan: SpinLock::new(Plan::stopped()), table }, fire }))
    }

    /// What it does.
    pub fn callback(&self) -> &F {
        &self.0.fire
    }

    /// The timer with its callback's type forgotten.
    pub fn as_any(&self) -> AnyTimer {
        let node = Arc::into_raw(Arc::clone(&self.0));
        // SAFETY: an Arc's pointer is not null; `Node` is `repr(C)` and begins with the head.
        unsafe { AnyTimer::from_head(NonNull::new_unchecked(node.cast_mut().cast())) }
    }
}

impl<F: Fire> From<Timer<F>> for AnyTimer {
    fn from(timer: Timer<F>) -> Self {
        let node = Arc::into_raw(timer.0);
        // SAFETY: as in `as_any`; the count is the given one's.
        unsafe { Self::from_head(NonNull::new_unchecked(node.cast_mut().cast())) }
    }
}

/// A timer's memory. The head comes first, so that a heap can hold timers without knowing their callbacks' types.
#[repr(C)]
struct Node<F> {
    head: Head,
    fire: F,
}

/// # Safety
/// `head` is that of a `Node<F>`, a count of it is used up, and the caller is on g0 of the expiry's M.
unsafe fn fire_node<F: Fire>(head: NonNull<Head>, expiry: Expiry) {
    let Expiry { m, round, when, now } = expiry;
    // SAFETY: the caller says so.
    let m = unsafe { &*m.cast::<M>() };
    let count = Cell::new(Some(head));
    let firing = Firing { head, m, round, when, now, count: &count, not_send: PhantomData };
    // SAFETY: the caller says so, and the pointer came from `Arc::into_raw` of this very type.
    let timer = ManuallyDrop::new(Timer(unsafe { Arc::from_raw(head.cast::<Node<F>>().as_ptr()) }));
    F::fire(&timer, firing);
    if let Some(head) = count.take() {
        // SAFETY: the callback has not taken the count.
        drop(unsafe { AnyTimer::from_head(head) });
    }
}

/// # Safety
/// The same as for [`fire_node`].
unsafe fn retain_node<F>(head: NonNull<Head>) {
    // SAFETY: as above.
    unsafe { Arc::increment_strong_count(head.cast::<Node<F>>().as_ptr().cast_const()) };
}

/// # Safety
/// The same as for [`fire_node`]; the count is used up.
unsafe fn release_node<F: Fire>(head: NonNull<Head>) -> Option<crate::records::p::timer::Remains> {
    // SAFETY: as above.
    let node = unsafe { Arc::from_raw(head.cast::<Node<F>>().as_ptr().cast_const()) };
    Arc::into_inner(node).map(|node| Box::new(node) as crate::records::p::timer::Remains)
}

impl AnyTimer {
    /// Whether it is set and has not gone off, or repeats. Never suspends.
    pub fn is_pending(&self) -> bool {
        self.plan(|plan| plan.is_pending())
    }

    /// Stops it; from any thread. `true`: an expiry was still to come, and will not. Never suspends.
    #[doc(alias = "stopTimer")]
    #[track_caller]
    pub fn stop(&self) -> bool {
        foreign::refuse("time::Timer::stop");
        self.plan(Plan::stop)
    }

    /// Sets it to go off after `delay`, and then every `period` if that is not zero, whatever it was set to before.
    /// `true`: that was still to come, and will not. Never suspends.
    ///
    /// A tick that is missed is left out, so the ticks keep their distance from the first. A delay of more than 500 years
    /// never ends.
    ///
    /// # Panics
    /// Outside a goroutine, unless the caller is a timer's callback.
    #[doc(alias = "resetTimer")]
    #[doc(alias = "modify")]
    #[track_caller]
    pub fn reset_in(&self, delay: Duration, period: Duration) -> bool {
        // SAFETY: it does nothing of its own.
        unsafe { self.reset_in_step(delay, period, |set| set()) }
    }

    /// [`AnyTimer::reset_in`] for callers that keep state of their own in step with the timer. `step` takes their lock
    /// and calls its argument, which sets the timer and returns what `reset_in` would; what `step` returns is the
    /// result of the whole. Everything here that may panic is done before `step` is called, so its argument does not
    /// panic. Never suspends.
    ///
    /// ```compile_fail,E0133
    /// fn suspends_in_the_middle(timer: &gmp_core::timer::AnyTimer) {
    ///     timer.reset_in_step(Default::default(), Default::default(), |set| {
    ///         gmp_core::goroutine::yield_now();
    ///         set()
    ///     });
    /// }
    /// ```
    ///
    /// # Panics
    /// The same as for [`AnyTimer::reset_in`].
    ///
    /// # Safety
    /// `step` neither suspends nor unwinds: the P and the M that the timer is set on are in use around it.
    #[track_caller]
    pub unsafe fn reset_in_step(
        &self,
        delay: Duration,
        period: Duration,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> bool {
        let setter = Setter::enter();
        let now = nanos(epoch().elapsed());
        self.reset(&setter, now.saturating_add(nanos(delay)), nanos(period), step)
    }

    /// [`AnyTimer::reset_in`], for the first time at `at`; at once if that is past. Never suspends.
    ///
    /// # Panics
    /// The same as for [`AnyTimer::reset_in`].
    #[track_caller]
    pub fn reset_at(&self, at: Instant, period: Duration) -> bool {
        let setter = Setter::enter();
        self.reset(&setter, nanos(at.saturating_duration_since(epoch())), nanos(period), |set| set())
    }

    fn reset(
        &self,
        setter: &Setter<'_>,
        when: u64,
        period: u64,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> bool {
        self.reset_on(setter.m(), when.min(NEVER - 1), period, step)
    }

    /// Sets it on an M that has a P, or has lent one.
    fn reset_on(
        &self,
        m: &M,
        when: u64,
        period: u64,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> bool {
        let _hold = m.door.hold();
        if let Some(p) = m.p_core() {
            let (answer, added) = self.set_in_step(&p.timers, when, period, step);
            if added == Added::Earliest {
                m.rt().timer_added(when);
            }
            return answer;
        }
        // A heap may be added to by anybody: inside `blocking` it is that of the P which the call has lent out.
        let Some(p) = m.lent_p() else {
            crate::fatal!("who sets a timer has, or has lent, a P", "M {} has none", m.id)
        };
        let (answer, added) = self.set_in_step(&p.timers, when, period, step);
        if added != Added::Nothing {
            m.rt().timer_added_to_lent(p, when);
        }
        answer
    }

    /// Returns what `step` returns, and what it added to `timers`.
    fn set_in_step(
        &self,
        timers: &Timers,
        when: u64,
        period: u64,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> (bool, Added) {
        let mut add = false;
        let answer = step(&mut || {
            let (pending, adds) = self.plan(|plan| plan.reset(when, period, &timers.home));
            add |= adds;
            pending
        });
        if !add {
            return (answer, Added::Nothing);
        }
        let earliest = timers.add_timer(when, self.clone());
        (answer, if earliest { Added::Earliest } else { Added::Later })
    }

    /// Whether an expiry was still to come, and whether the timer is the earliest of `timers` now.
    #[cfg(test)]
    fn set_in(&self, timers: &Timers, when: u64, period: u64) -> (bool, bool) {
        let (pending, added) = self.set_in_step(timers, when, period, |set| set());
        (pending, added == Added::Earliest)
    }

    /// Calls the callback, on g0 of `m`.
    pub(crate) fn fire(self, m: &M, round: u64, when: u64, now: u64) {
        let expiry = Expiry { m: core::ptr::from_ref(m).cast(), round, when, now };
        let this = ManuallyDrop::new(self);
        // SAFETY: the count is used up by the call, and the table is that of the node's type.
        crate::ground::fatal::no_unwind("a timer's callback", || unsafe {
            (this.head().as_ref().table.fire)(this.head(), expiry)
        });
    }
}
