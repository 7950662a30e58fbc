//! `M`: a *machine*: an OS thread that runs goroutines while it holds a P.
//!
//! Plain fields belong to the M's own thread; `next_p` and `spinning` are written by a waker while the M sleeps, and
//! its note orders that. Another thread may take the P of an M whose goroutine's own code runs, and writes `p` and `lent`
//! then; the door orders that.

pub(crate) mod door;
pub(crate) mod gathered;
pub(crate) mod hopped;
pub(crate) mod inbox;
pub(crate) mod jobs;
pub(crate) mod note;
pub(crate) mod overrun;

#[cfg(all(test, loom))]
mod loom_door;
#[cfg(all(test, loom))]
mod loom_jobs;
#[cfg(all(test, loom))]
mod loom_note;
#[cfg(all(test, loom))]
pub(crate) mod loom_poller;

use crate::contract::{Context, Popped};
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::shown::{ShownAddress, ShownBool, ShownNumber};
use crate::records::g::{G, WaitReason};
use crate::records::latency::WithoutP;
use crate::records::p::PCore;
use crate::records::p::slice::NOTICES;
use crate::records::p::word::{Call, PStatus};
use crate::records::rt;
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use core::task::Waker;
use door::{Door, Way};
use gathered::Gathered;
use hopped::Hopped;
use inbox::Inbox;
use jobs::Jobs;
use note::Note;
use overrun::Overrunning;
use std::sync::Arc;

/// Why a goroutine left its stack for g0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Nothing: the initial value.
    Nothing,
    /// It yields to everybody: the shared queue's tail.
    Yield,
    /// It gives way because its slice is over: the shared queue's tail, too.
    SliceOver,
    /// It yields within its P: the local queue's tail.
    YieldLocal,
    /// It parks, as [`M::park`] says.
    Park,
    /// It has ended.
    Exit,
    /// It came back from a blocking call and found no P.
    LostP,
    /// It wants to block, and is on a reserve thread: it waits for another one.
    WantsThread,
    /// It wants [`M::system_call`] made on g0's stack, and to go on at once.
    SystemStack,
}

/// A call to be made on g0's stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemCall {
    pub(crate) call: unsafe fn(*mut (), &M),
    pub(crate) data: *mut (),
}

unsafe fn no_call(_: *mut (), _: &M) {}

unsafe fn no_commit(_: *mut (), parked: Parked) -> Option<Parked> {
    Some(parked)
}

/// How to park.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParkRequest {
    pub(crate) reason: WaitReason,
    /// In nanoseconds since the runtime's start; `u64::MAX`: none.
    pub(crate) deadline: u64,
    /// Moves the commit out of the goroutine's stack and calls it. `Some`: the park is called off.
    pub(crate) commit: unsafe fn(*mut (), Parked) -> Option<Parked>,
    pub(crate) data: *mut (),
}

/// A runtime as its Ms and goroutines see it.
pub(crate) type AnyRuntime = dyn rt::AnyRuntime<M>;

/// What its goroutines' records point to.
pub(crate) type Header = rt::Header<M>;

/// An M.
#[doc(alias = "m")]
pub(crate) struct M {
    pub(crate) id: u64,
    /// Valid for the M's life: its thread owns the runtime.
    rt: *const AnyRuntime,
    pub(crate) note: Note,
    /// The clock of its thread's CPU time; 0: none.
    pub(crate) cpu_clock: AtomicI32,
    /// The operating system's number of its thread; 0: none, or it does not run yet.
    pub(crate) thread_id: AtomicI32,
    /// What the switch says of its thread's own thread-locals (`Switch::home`).
    pub(crate) home: Cell<usize>,
    /// The context of the M's own stack, where scheduling happens.
    pub(crate) g0: Cell<Context>,
    /// The goroutine it runs. Read by dumps and by a closing runtime.
    #[doc(alias = "curg")]
    pub(crate) g: AtomicPtr<G>,
    /// The goroutine whose park's commit it is making: its stack is still read, so nobody but the token's holder may
    /// ready it. Asked by a closing runtime.
    parking: AtomicPtr<G>,
    /// It has counted a goroutine as ended whose result it may still have to have dropped.
    ending: AtomicBool,
    /// Whether its goroutine's own code runs, and whether it holds a P.
    pub(crate) door: Door,
    /// The P it holds: null whenever the door says that there is none, but for the moment in which it comes back from a
    /// blocking call: it announces itself here to whoever would take the P (`p/word.rs`).
    p: AtomicPtr<PCore>,
    pub(crate) next_p: Cell<*const PCore>,
    /// The locked goroutine that comes with `next_p` goes on in the time slice of the one before it.
    pub(crate) next_inherits: Cell<bool>,
    /// The P lent out by the present blocking call, and the call.
    pub(crate) lent: Cell<(*const PCore, Call)>,
    /// When its goroutine's blocking call began, if others waited for the P then; 0: not timed.
    pub(crate) call_began: Cell<u64>,
    /// Since when its goroutine has lent the P out, good to 10 ms: for who asks who has the threads.
    pub(crate) lent_since: ShownNumber,
    /// What sysmon noted when it took the P because the goroutine overran its slice.
    pub(crate) overrun: Overrunning,
    pub(crate) leave: Cell<Leave>,
    /// How the goroutine wants to park.
    pub(crate) park: Cell<ParkRequest>,
    /// The goroutine that left for the one that runs now, which is still to make its park or to queue it.
    pub(crate) hopped: Hopped,
    /// What a hop took out of the queue and left to g0.
    pub(crate) at_hand: Cell<Option<Popped<Runnable>>>,
    /// What becomes runnable while it deals with the news of a poller.
    pub(crate) gathered: Gathered,
    /// Whose task waited for a goroutine that has ended on its own stack: g0 wakes it.
    pub(crate) task_to_wake: Cell<Option<Waker>>,
    /// What it wants called.
    pub(crate) system_call: Cell<SystemCall>,
    pub(crate) spinning: ShownBool,
    pub(crate) locked_g: ShownAddress<G>,
    /// At the limit of threads it runs goroutines until another M can: m0, or the second reserve (`waking/limit.rs`).
    pub(crate) reserve: Cell<bool>,
    /// A goroutine has ended here with a leaked lock: the thread ends as soon as no goroutine is pinned to it.
    pub(crate) doomed: Cell<bool>,
    /// Policy code runs on this M: every call into the runtime is refused.
    pub(crate) in_policy: Cell<bool>,
    /// Whose code, if it is not the policy's: an event sink's, a hook's.
    pub(crate) foreign: Cell<Option<(&'static str, &'static str)>>,
    pub(crate) random: Cell<u64>,
    /// Goroutines that have run here and are pinned: the thread lives as long as there are any.
    pub(crate) pinned: Cell<usize>,
    pub(crate) inbox: Inbox,
    /// What its goroutine has offered to thieves. Kept by the runtime as well: thieves may still look when the M is gone.
    pub(crate) jobs: Arc<Jobs>,
    /// The time as its goroutine read it on its way into a sleep, for the look at the timers that follows; 0: none.
    pub(crate) clock: Cell<u64>,
    /// It slept until it was given a P, and has not looked for work since.
    pub(crate) just_given_p: Cell<bool>,
    /// Which of the goroutines are timed that its goroutine starts without a P.
    pub(crate) without_p: WithoutP,
}

// SAFETY: the module's documentation says who may touch what.
unsafe impl Sync for M {}
// SAFETY: as above; `rt` is valid for the M's life.
unsafe impl Send for M {}

impl M {
    pub(crate) fn new(id: u64, rt: *const AnyRuntime, seed: u64, jobs: Arc<Jobs>) -> Self {
        Self {
            id,
            rt,
            note: Note::new(),
            cpu_clock: AtomicI32::new(0),
            thread_id: AtomicI32::new(0),
            home: Cell::new(0),
            g0: Cell::new(Context::NULL),
            g: AtomicPtr::new(ptr::null_mut()),
            parking: AtomicPtr::new(ptr::null_mut()),
            ending: AtomicBool::new(false),
            door: Door::new(),
            p: AtomicPtr::new(ptr::null_mut()),
            next_p: Cell::new(ptr::null()),
            next_inherits: Cell::new(false),
            lent: Cell::new((ptr::null(), Call::NONE)),
            call_began: Cell::new(0),
            lent_since: ShownNumber::new(),
            overrun: Overrunning::new(),
            leave: Cell::new(Leave::Nothing),
            park: Cell::new(ParkRequest {
                reason: WaitReason::Park,
                deadline: u64::MAX,
                commit: no_commit,
                data: ptr::null_mut(),
            }),
            hopped: Hopped::default(),
            at_hand: Cell::new(None),
            gathered: Gathered::default(),
            task_to_wake: Cell::new(None),
            system_call: Cell::new(SystemCall { call: no_call, data: ptr::null_mut() }),
            spinning: ShownBool::new(),
            locked_g: ShownAddress::new(),
            reserve: Cell::new(false),
            doomed: Cell::new(false),
            in_policy: Cell::new(false),
            foreign: Cell::new(None),
            // A multiplier that spreads neighbouring seeds; xorshift must not start at zero.
            random: Cell::new((seed ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            pinned: Cell::new(0),
            inbox: Inbox::new(),
            jobs,
            clock: Cell::new(0),
            just_given_p: Cell::new(false),
            without_p: WithoutP::default(),
        }
    }

    #[inline]
    pub(crate) fn rt(&self) -> &AnyRuntime {
        // SAFETY: the M's thread owns the runtime for the M's life.
        unsafe { &*self.rt }
    }

    /// The P it holds; null: none.
    #[inline(always)]
    pub(crate) fn p(&self) -> *const PCore {
        self.p.load(Ordering::Relaxed)
    }

    /// Whether it holds a P, asked by its own thread, inside.
    #[inline(always)]
    pub(crate) fn has_p(&self) -> bool {
        self.door.has_p()
    }

    /// Holds `p` from here on: thieves that look at that P find this M's jobs, and sysmon finds this M.
    #[inline]
    pub(crate) fn hold(&self, p: *const PCore) {
        // SAFETY: Ps live as long as their runtime.
        let core = unsafe { &*p };
        core.set_jobs(&self.jobs);
        core.holder.store(ptr::from_ref(self).cast_mut().cast(), Ordering::Relaxed);
        self.p.store(p.cast_mut(), Ordering::Relaxed);
        self.door.set_way(Way::Open);
    }

    /// It gives the P up that it holds.
    #[inline]
    pub(crate) fn take_p(&self) -> *const PCore {
        let p = self.p();
        // ORDER: back. Release pairs with `lent_is_back`: whoever sees that we hold no P sees how the last call ended.
        self.p.store(ptr::null_mut(), Ordering::Release);
        self.door.set_way(Way::NoP);
        p
    }

    /// Its goroutine has lent the P out because its slice is over.
    pub(crate) fn step_aside(&self) {
        self.door.set_way(Way::Aside);
        NOTICES.add();
    }

    /// By a thread that may take the P: the M has lent it out for `call`. The door is still to be told.
    pub(crate) fn taken(&self, call: Call) {
        self.lent.set((self.p(), call));
        self.p.store(ptr::null_mut(), Ordering::Relaxed);
        NOTICES.add();
    }

    /// Its goroutine, which is in `blocking` or aside, comes back: the P that was lent, and whether the M holds it again,
    /// since nobody took it.
    pub(crate) fn come_back(&self) -> (*const PCore, bool) {
        if self.door.way() != Way::NoP {
            NOTICES.take();
            self.door.set_way(Way::NoP);
        }
        let (p, call) = self.lent.replace((ptr::null(), Call::NONE));
        // SAFETY: `lent` is set by whoever lends the P, and Ps live as long as their runtime.
        let core = unsafe { &*p };
        let kept = core.word.leave_blocking(call, || self.p.store(p.cast_mut(), Ordering::Relaxed));
        if kept {
            self.hold(p);
        } else {
            self.p.store(ptr::null_mut(), Ordering::Relaxed);
        }
        (p, kept)
    }

    /// Takes the P that is lent out for `call`, unless its M is back. By whoever holds the scheduler's lock.
    pub(crate) fn take_lent(core: &PCore, call: Call, to: PStatus) -> bool {
        let is_back = || {
            // SAFETY: while the call lasted the M lived. It ends the call only after us, or it has ended it already; then
            // it may end, too, but is forgotten under the lock alone.
            let m = unsafe { &*core.holder.load(Ordering::Relaxed).cast::<M>() };
            // ORDER: back. Acquire pairs with `take_p`.
            ptr::eq(m.p.load(Ordering::Acquire), core)
        };
        core.word.take(call, to, is_back)
    }

    /// The runtime, of whatever type it is.
    #[inline]
    pub(crate) fn untyped_rt(&self) -> *const () {
        self.rt.cast()
    }

    /// The P it holds, as far as types are forgotten.
    #[inline]
    pub(crate) fn p_core(&self) -> Option<&PCore> {
        // SAFETY: Ps live as long as their runtime.
        unsafe { self.p().as_ref() }
    }

    /// The P that its goroutine's present blocking call has lent out, whoever has it by now.
    pub(crate) fn lent_p(&self) -> Option<&PCore> {
        // SAFETY: Ps live as long as their runtime.
        unsafe { self.lent.get().0.as_ref() }
    }

    /// The number of the P it holds.
    #[inline]
    pub(crate) fn p_id(&self) -> Option<u32> {
        self.p_core().map(|p| p.id)
    }

    /// A cheap random number. Go: `cheaprand`; here Marsaglia's xorshift64 (J. Stat. Softw. 8, 2003).
    #[doc(alias = "cheaprand")]
    #[inline]
    pub(crate) fn random(&self) -> u32 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        (x >> 32) as u32
    }

    #[inline]
    pub(crate) fn running(&self) -> *mut G {
        // ORDER: curg. Acquire pairs with the release in `set_running`.
        self.g.load(Ordering::Acquire)
    }

    /// Whether this M is between counting a goroutine as ended and counting what is to drop its result. Ask after an
    /// acquire of the count.
    pub(crate) fn is_ending(&self) -> bool {
        // ORDER: ending. Acquire pairs with the release in `set_ending`: what drops the result has been counted.
        self.ending.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn set_ending(&self, ending: bool) {
        // ORDER: ending. Release pairs with `is_ending`; before the end is counted, the count releases it.
        self.ending.store(ending, Ordering::Release);
    }

    /// Whether this M is in the commit of this goroutine's park. Ask after an acquire of the wait.
    #[inline]
    pub(crate) fn is_parking(&self, g: &G) -> bool {
        // ORDER: parking. Acquire pairs with the release in `set_parking`: the commit is over.
        ptr::eq(self.parking.load(Ordering::Acquire), g)
    }

    #[inline]
    pub(crate) fn set_parking(&self, g: *const G) {
        // ORDER: parking. Release pairs with `is_parking`; before a wait begins, `to_waiting` releases it.
        self.parking.store(g.cast_mut(), Ordering::Release);
    }

    #[inline]
    pub(crate) fn set_running(&self, g: *const G) {
        // ORDER: curg. Release pairs with `running`: a closing runtime sees what the M did before.
        self.g.store(g.cast_mut(), Ordering::Release);
    }
}
