//! `Sched`: what all Ms of a runtime share. Go: `schedt` (runtime2.go, Go 1.27).

use crate::contract::{Config, IdleView, Policy, Switch, VictimOrder};
use crate::entering::foreign;
use crate::ground::settings::Settings;
use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::m::{AnyRuntime, Header, M};
use crate::records::p::{Counters, NUMBER_BATCH, OwnedP, P};
use crate::shared::idle_word::IdleWord;
use crate::shared::lists::{Lists, Locked};
use crate::shared::polling::Polling;
use crate::shared::sysmon_note::SysmonNote;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crossbeam_epoch::{Atomic, Collector, LocalHandle, Owned};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) type SharedOf<C> = <<C as Config>::Policy as Policy>::Shared<Runnable>;
pub(crate) type IdleOf<C> = <<C as Config>::Policy as Policy>::Idle;
pub(crate) type OrderOf<C> = <<C as Config>::Policy as Policy>::Order;
pub(crate) type SlotOf<C> = <<C as Config>::Switch as Switch>::Slot;

/// The Ps as thieves and sysmon see them: replaced as a whole while the world is stopped.
pub(crate) struct AllP<C: Config> {
    pub(crate) ps: Vec<Arc<P<C>>>,
    pub(crate) order: ManuallyDrop<OrderOf<C>>,
}

impl<C: Config> Drop for AllP<C> {
    /// The table is replaced by a resize, and goes later, in the middle of some M's look at the next one.
    fn drop(&mut self) {
        // SAFETY: it is not used any more.
        as_guest::<C::Policy>(|| unsafe { ManuallyDrop::drop(&mut self.order) });
    }
}

/// The shared state of a runtime.
#[doc(alias = "schedt")]
pub(crate) struct Sched<C: Config> {
    pub(crate) header: Header,
    pub(crate) settings: Settings,
    pub(crate) stacks: C::Stacks,
    /// Policy code: `queues.rs` alone calls it.
    pub(super) shared: ManuallyDrop<SharedOf<C>>,
    pub(crate) idle: IdleWord,
    pub(crate) idle_policy: ManuallyDrop<IdleOf<C>>,
    pub(crate) procs: AtomicUsize,
    #[doc(alias = "allp")]
    pub(crate) all_p: Atomic<AllP<C>>,
    pub(crate) collector: Collector,
    pub(crate) lists: Mutex<Lists<C>>,
    pub(crate) sysmon: SysmonNote,
    pub(crate) polling: Polling,
    #[doc(alias = "goidgen")]
    pub(crate) numbers: AtomicU64,
    /// Spawned by plain threads, ended in a closing runtime, and pushed to the shared queue without a P.
    pub(crate) outside: Counters,
    pub(crate) system: AtomicUsize,
    pub(crate) wakeups: AtomicU64,
    pub(crate) handoffs: AtomicU64,
    pub(crate) overruns: AtomicU64,
    pub(crate) waiting_for_stack: AtomicUsize,
    pub(crate) closed: AtomicBool,
    /// When CLOSING was set (1 if there is no more time to unwind anything); 0 before that.
    pub(crate) closing_since: AtomicU64,
    /// Whether it has closed without having run.
    pub(crate) never_ran: AtomicBool,
    /// The life of an M on a thread of its own: the scheduler, which stands above.
    pub(crate) machine: fn(Arc<Sched<C>>, Arc<M>),
}

impl<C: Config> Sched<C> {
    pub(crate) fn new(
        settings: Settings,
        stacks: C::Stacks,
        machine: fn(Arc<Sched<C>>, Arc<M>),
    ) -> Arc<Self> {
        crate::entering::caller::install::<SlotOf<C>>();
        let hooks = settings.on_out_of_stacks.is_some() || settings.on_overrun.is_some();
        if settings.events.is_some() || hooks {
            foreign::expect();
        }
        crate::ground::fence::install(C::Switch::heavy_fence());
        crate::ground::threads::install(C::Switch::probe_memory());
        let sched = Arc::new(Self {
            header: Header::new(
                C::Policy::NAME,
                C::Switch::THREAD_EACH,
                C::Switch::OWN_THREAD_LOCALS,
                &settings,
            ),
            settings,
            stacks,
            shared: ManuallyDrop::new(SharedOf::<C>::default()),
            idle: IdleWord::new(),
            idle_policy: ManuallyDrop::new(IdleOf::<C>::default()),
            procs: AtomicUsize::new(0),
            all_p: Atomic::null(),
            collector: Collector::new(),
            lists: Mutex::new(Lists::new()),
            sysmon: SysmonNote::new(),
            polling: Polling::default(),
            numbers: AtomicU64::new(1 + NUMBER_BATCH),
            outside: Counters::default(),
            system: AtomicUsize::new(0),
            wakeups: AtomicU64::new(0),
            handoffs: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            waiting_for_stack: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            closing_since: AtomicU64::new(0),
            never_ran: AtomicBool::new(false),
            machine,
        });
        let erased: &AnyRuntime = &*sched;
        // SAFETY: nobody else has the Arc yet, and it owns the header.
        unsafe { sched.header.tie(core::ptr::from_ref(erased)) };
        let known: Arc<AnyRuntime> = sched.clone();
        crate::records::living::enter(&known);
        sched
    }

    /// Go's `sched.lock`.
    pub(crate) fn lock(&self) -> Locked<'_, C> {
        // A panic under this lock is a broken invariant of ours and aborts before it could poison.
        Locked::new(self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[inline]
    pub(crate) fn procs(&self) -> usize {
        self.procs.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn attention(&self) -> u32 {
        self.header.attention.load(Ordering::Relaxed)
    }

    pub(crate) fn call_attention(&self, bits: u32) {
        self.header.attention.fetch_or(bits, Ordering::Relaxed);
    }

    pub(crate) fn clear_attention(&self, bits: u32) {
        self.header.attention.fetch_and(!bits, Ordering::Relaxed);
    }

    pub(crate) fn view(&self) -> IdleView {
        self.idle.view(self.procs())
    }

    /// Calls `look` with the Ps of this moment.
    pub(crate) fn with_all_p<R>(&self, epoch: &LocalHandle, look: impl FnOnce(&AllP<C>) -> R) -> R {
        let guard = epoch.pin();
        // ORDER: allp. Acquire pairs with the release in `publish_all_p`: the Ps are fully there.
        let all = self.all_p.load(Ordering::Acquire, &guard);
        // SAFETY: published before the first M runs, and a replaced table is freed only after our guard is gone.
        look(unsafe { all.deref() })
    }

    /// Replaces the table of Ps. With the world stopped.
    pub(crate) fn publish_all_p(&self, ps: Vec<Arc<P<C>>>, epoch: &LocalHandle) {
        let order = ManuallyDrop::new(self.policy_from_anywhere(|| OrderOf::<C>::new(ps.len())));
        self.procs.store(ps.len(), Ordering::Relaxed);
        let guard = epoch.pin();
        // ORDER: allp. Release pairs with the acquire in `with_all_p`.
        let old = self.all_p.swap(Owned::new(AllP { ps, order }), Ordering::AcqRel, &guard);
        if !old.is_null() {
            // SAFETY: no longer reachable; thieves and sysmon that still read it hold guards.
            unsafe { guard.defer_destroy(old) };
        }
    }

    /// Says whether the holder of a P may take it for the only one (`only_p`). It may not while there is a goroutine
    /// whose P was taken, since that one may have been in the middle of asking. Under the lock, after the number of Ps
    /// or of such goroutines has changed.
    pub(crate) fn tell_only_p(&self, lists: &Lists<C>) {
        let only_p = self.procs() == 1 && lists.taken == 0 && C::Switch::heavy_fence().is_some();
        let serial = if only_p { crate::entering::only_p::short(self.header.serial) } else { 0 };
        self.header.only_p.store(serial, Ordering::Relaxed);
    }

    /// The right to use the P that `m` holds, borrowed for a moment.
    ///
    /// # Safety
    /// On `m`'s thread (or a goroutine it runs), and `m` holds a P. Not while another such borrow is used.
    #[inline]
    pub(crate) unsafe fn p_of(&self, m: &M) -> ManuallyDrop<OwnedP<C>> {
        debug_assert!(m.has_p(), "M {} holds a P", m.id);
        // SAFETY: an M of this runtime holds only Ps of this runtime, and it is the only holder.
        ManuallyDrop::new(unsafe { OwnedP::from_core(m.p()) })
    }

    /// Runs policy code for `m`: it may not call the runtime, nor unwind.
    #[inline(always)]
    pub(crate) fn policy<R>(&self, m: &M, call: impl FnOnce() -> R) -> R {
        let policy = self.enter_policy(m);
        let result = call();
        policy.leave();
        result
    }

    /// From here on `m` runs policy code, until the result is told to leave.
    #[inline(always)]
    pub(crate) fn enter_policy<'m>(&self, m: &'m M) -> InPolicy<'m, C::Policy> {
        m.in_policy.set(true);
        InPolicy { m, _guard: PolicyGuard(core::marker::PhantomData) }
    }

    /// Asks the idle policy, from any thread.
    pub(crate) fn opinion(&self, ask: impl FnOnce(&IdleOf<C>) -> bool) -> bool {
        self.policy_from_anywhere(|| ask(&self.idle_policy))
    }

    /// [`Sched::policy`] on any thread, even on an M of another runtime, whose goroutine may not suspend in here either.
    pub(crate) fn policy_from_anywhere<R>(&self, call: impl FnOnce() -> R) -> R {
        foreign::called(("code of policy ", C::Policy::NAME), || {
            let guard = PolicyGuard::<C::Policy>(core::marker::PhantomData);
            let result = call();
            core::mem::forget(guard);
            result
        })
    }

    /// Until the result is forgotten, an unwind on this thread, which runs the scheduler, is fatal, since policies are
    /// called from everywhere in it.
    pub(crate) fn no_unwind() -> impl Drop {
        PolicyGuard::<C::Policy>(core::marker::PhantomData)
    }

    /// Aborts, because the policy gave out a goroutine that it had been given by another runtime.
    #[cold]
    pub(crate) fn refuse_stranger(&self, g: &G) -> ! {
        crate::fatal!(
            "a goroutine stays in its runtime",
            "policy {} was handed goroutine {} of another runtime",
            self.header.policy,
            g.title()
        );
    }

    /// Sums a counter over all Ps, and what was counted without one.
    pub(crate) fn sum(&self, lists: &Lists<C>, counter: impl Fn(&Counters) -> i128) -> i128 {
        counter(&self.outside) + lists.every_p.iter().map(|p| counter(&p.core.counters)).sum::<i128>()
    }
}

/// Policy code runs on an M.
pub(crate) struct InPolicy<'m, P: Policy> {
    m: &'m M,
    _guard: PolicyGuard<P>,
}

impl<P: Policy> InPolicy<'_, P> {
    /// It is through, and has not unwound.
    #[inline(always)]
    pub(crate) fn leave(self) {
        self.m.in_policy.set(false);
        core::mem::forget(self);
    }
}

impl<C: Config> Drop for P<C> {
    /// Both halves of the queue are the policy's, so their destructors are foreign code.
    fn drop(&mut self) {
        // SAFETY: used no more.
        as_guest::<C::Policy>(|| unsafe { self.drop_queue() });
    }
}

impl<C: Config> Sched<C> {
    /// Drops what else is the policy's, when the runtime goes.
    pub(crate) fn drop_policy(&mut self) {
        as_guest::<C::Policy>(|| {
            // SAFETY: used no more.
            unsafe {
                ManuallyDrop::drop(&mut self.shared);
                ManuallyDrop::drop(&mut self.idle_policy);
            }
        });
    }
}

/// Runs a policy's destructor, on any thread and in the middle of anything: it may not call the runtime, nor unwind.
#[cold]
pub(crate) fn as_guest<P: Policy>(call: impl FnOnce()) {
    crate::entering::foreign::called(("policy ", P::NAME), || {
        let guard = PolicyGuard::<P>(core::marker::PhantomData);
        call();
        core::mem::forget(guard);
    });
}

/// Turns an unwind out of policy code into a `fatal!` that names the policy.
struct PolicyGuard<P: Policy>(core::marker::PhantomData<P>);

impl<P: Policy> Drop for PolicyGuard<P> {
    #[cold]
    fn drop(&mut self) {
        crate::fatal!("policies do not unwind", "a panic came out of policy {}", P::NAME);
    }
}
