//! Declared blocking calls: the P is lent out while its goroutine sits in the operating system.
//!
//! Entering is one release store to the P word; leaving is one compare-and-swap, because sysmon may have retaken the P
//! for others in the meantime. The goroutine that comes back to a lost P takes any idle one, and queues if there is
//! none. Go: `entersyscall`, `exitsyscall` (proc.go, Go 1.21 for the P word, 1.27 for the order of attempts).

use crate::entering::gate;
use crate::ground::event::EventKind;
use crate::records::g::G;
use crate::records::m::{Leave, M};
use crate::records::p::word::Call;
use crate::shared::sched::{Config, Sched, attention};
use core::ptr;
use core::sync::atomic::Ordering;

/// Calls `f`, which may block its thread, while other goroutines use the P. **Suspends** (afterwards, if the P was
/// taken and none is idle).
///
/// Inside `f` the goroutine keeps its thread through every call of this crate that never suspends; what it starts there
/// goes to the shared queue. A call that suspends brings it back for its duration. `errno` is a thread's: read it inside
/// `f`. Outside a goroutine, and inside another `blocking`, it just calls `f`.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     gmp::set_max_procs(1);
///     let call = gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(20))));
///     // Goes on at once: the call has lent its P out.
///     gmp::go(|| ()).join().unwrap();
///     assert!(!call.is_finished());
///     call.join().unwrap();
/// }).unwrap();
/// ```
///
/// # Panics
/// As `f` does; the P is back by then.
#[doc(alias = "entersyscall")]
#[doc(alias = "exitsyscall")]
#[track_caller]
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    let Some(here) = gate::pass_or_plain("blocking") else { return f() };
    let g = here.g();
    if g.word.is_blocked() {
        // The outer section lasts.
        return f();
    }
    g.header().runtime().enter_blocking(g);
    let section = Section(g);
    let result = apart(f);
    drop(section);
    end_slice();
    result
}

/// Calls `f` in a frame of its own. The goroutine may have moved by the time of its next call: were `f` a part of the
/// caller's frame, the compiler might use the address of a thread-local that `f` asked for the last time.
#[inline(never)]
fn apart<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// A goroutine in a loop of short calls never comes to g0 by itself: when its slice is over it makes room here. Go:
/// `exitsyscall`, which preempts a goroutine that was asked to.
fn end_slice() {
    let inside = gate::enter("blocking");
    if inside.m().p_core().is_some_and(|p| p.preempt.load(Ordering::Relaxed)) {
        inside.leave(Leave::Yield);
    }
}

/// A blocking section; ends when dropped, by a panic too.
struct Section(&'static G);

impl Drop for Section {
    fn drop(&mut self) {
        self.0.header().runtime().leave_blocking(self.0);
    }
}

impl<C: Config> Sched<C> {
    pub(crate) fn enter_blocking_here(&self, g: &G) {
        let m = m_of(g);
        self.emit(EventKind::GoSyscallBegin, g, Some(m), 0);
        g.word.to_blocked();
        let p = m.p.replace(ptr::null());
        // SAFETY: a goroutine inside the runtime has a P, and Ps live as long as the runtime.
        let call = unsafe { &*p }.word.enter_blocking();
        m.lent.set((p, call));
        self.sysmon.rouse_from_doze();
    }

    pub(crate) fn leave_blocking_here(&self, g: &'static G) {
        let m = m_of(g);
        let (p, call) = m.lent.replace((ptr::null(), Call::NONE));
        // SAFETY: set by `enter_blocking_here`; Ps live as long as the runtime.
        if unsafe { &*p }.word.leave_blocking(call) {
            m.p.set(p);
            g.word.to_unblocked();
            self.emit(EventKind::GoSyscallEnd, g, Some(m), 0);
        } else {
            self.leave_blocking_without_p(g, m, p);
        }
    }

    /// The P was taken: the same one if it is idle by now, else any idle one, else the queue.
    #[cold]
    fn leave_blocking_without_p(&self, g: &'static G, m: &M, lost: *const crate::records::p::PCore) {
        self.emit(EventKind::GoSyscallEndBlocked, g, Some(m), 0);
        let mut lists = self.lock();
        let idle = if self.attention() & attention::STOP != 0 {
            None
        } else {
            self.take_idle_p_at(&mut lists, lost).or_else(|| self.take_idle_p(&mut lists))
        };
        drop(lists);
        if let Some(p) = idle {
            p.core.word.acquire();
            p.core.cpu_clock.store(m.cpu_clock.load(Ordering::Relaxed), Ordering::Relaxed);
            m.p.set(p.into_core());
            g.word.to_unblocked();
            return;
        }
        // The call may be ending by an unwind, and the next M we run on must not be another one then.
        gate::Inside::of_late_comer(g).reserve_m_while_panicking();
        m.leave.set(Leave::LostP);
        // SAFETY: we are on this goroutine's stack, it runs on this M, and the reason is set.
        unsafe { crate::g0::leave_stack::<C>(g) };
    }

    /// sysmon took this P from a blocking call: finds somebody to run its goroutines.
    pub(crate) fn count_handoff(&self) {
        self.handoffs.fetch_add(1, Ordering::Relaxed);
    }
}

fn m_of(g: &G) -> &M {
    // SAFETY: the M that runs the calling goroutine lives.
    unsafe { &*g.m.get() }
}
