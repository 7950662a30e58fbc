//! Ready: ends a wait and queues the goroutine.

use crate::entering::caller::{Who, caller};
use crate::entering::foreign;
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Wait;
use crate::records::g::{G, Wake};
use crate::records::outsiders::Outsider;

impl Parked {
    /// Makes the goroutine runnable: next on the caller's P if the caller is a goroutine of the same runtime, in the
    /// shared queue otherwise. Never suspends. `false`: the wait was over already.
    #[doc(alias = "goready")]
    #[inline]
    pub fn ready(self) -> bool {
        self.ready_with(Wake::Woken)
    }

    /// [`Parked::ready`] by a caller that has been looked up.
    #[inline]
    pub fn ready_by(self, who: Who) -> bool {
        let (g, wait) = self.into_parts();
        let Some(caller) = who.goroutine().filter(|caller| caller.g().is_beside(g)) else {
            return ready(g, wait, Wake::Woken);
        };
        let Some(runnable) = end(g, wait, Wake::Woken) else { return false };
        caller.m().rt().ready(caller.m(), runnable);
        true
    }

    pub(crate) fn ready_with(self, wake: Wake) -> bool {
        let (g, wait) = self.into_parts();
        ready(g, wait, wake)
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        ready(self.g(), self.wait(), Wake::Woken);
    }
}

/// Ends `wait` and queues the goroutine. `false`: it was over already.
pub(crate) fn ready(g: &'static G, wait: Wait, wake: Wake) -> bool {
    // Asked before the wait is ended: until then the answer may be wrong, but then the wait is over.
    let caller = caller();
    let Some(m) = caller.m_beside(g) else { return ready_as_outsider(g, wait, wake) };
    let Some(runnable) = end(g, wait, wake) else { return false };
    g.header().runtime().ready(m, runnable);
    true
}

/// [`ready`] by a plain thread or out of another runtime.
#[cold]
fn ready_as_outsider(g: &'static G, wait: Wait, wake: Wake) -> bool {
    if let Some(who) = foreign::who() {
        foreign::has_readied(who);
    }
    let _outsider = Outsider::enter(g.runtime_address());
    let Some(runnable) = end(g, wait, wake) else { return false };
    g.header().runtime().ready_outside(runnable);
    true
}

/// Ends `wait`. `Some`: the caller is to queue the goroutine.
#[inline(always)]
pub(crate) fn end(g: &'static G, wait: Wait, wake: Wake) -> Option<Runnable> {
    if !g.word.to_ready(wait) {
        return None;
    }
    g.wake.set(wake);
    // SAFETY: the wait was ours to end, so this is the only Runnable for it.
    Some(unsafe { Runnable::new(g) })
}
