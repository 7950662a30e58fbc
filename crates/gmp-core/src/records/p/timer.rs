//! A timer as a heap holds it: its plan, and a table of what its callback's type decides. What users do with timers stands
//! in `life/timer.rs`.

use super::plan::Plan;
use crate::ground::sync::SpinLock;
use core::ptr::NonNull;

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) plan: SpinLock<Plan>,
    pub(crate) table: &'static Table,
}

/// What depends on the callback's type.
#[derive(Debug)]
pub(crate) struct Table {
    /// Uses a count up.
    pub(crate) fire: unsafe fn(NonNull<Head>, Expiry),
    pub(crate) retain: unsafe fn(NonNull<Head>),
    /// Gives the count up; what nobody has any more comes out, to be dropped by the caller.
    pub(crate) release: unsafe fn(NonNull<Head>) -> Option<Remains>,
    pub(crate) light: bool,
    /// Each expiry is claimed before the callback is called.
    pub(crate) claimed: bool,
}

/// What nobody refers to any more, such as a timer's memory: to be dropped where foreign code may run.
pub(crate) type Remains = Box<dyn Send>;

/// One expiry, on its way to the callback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    /// The M that found the timer due, by its address.
    pub(crate) m: *const (),
    pub(crate) round: u64,
    pub(crate) when: u64,
    /// When the M saw that it was due.
    pub(crate) now: u64,
}

/// A timer whose callback's type is forgotten, and all that can be done with it. Clones are the same timer.
#[derive(Debug)]
#[doc(alias = "timer")]
pub struct AnyTimer(NonNull<Head>);

// SAFETY: it is an `Arc` of a node whose callback is `Send` and `Sync`.
unsafe impl Send for AnyTimer {}
// SAFETY: as above.
unsafe impl Sync for AnyTimer {}

impl AnyTimer {
    /// The timer behind this head.
    ///
    /// # Safety
    /// `head` is the first field of what its table is for, and one count of it is used up.
    pub(crate) unsafe fn from_head(head: NonNull<Head>) -> Self {
        Self(head)
    }

    pub(crate) fn head(&self) -> NonNull<Head> {
        self.0
    }

    /// Whether each expiry is claimed before the callback is called.
    #[inline]
    pub(crate) fn is_claimed(&self) -> bool {
        // SAFETY: the reference is counted.
        unsafe { self.0.as_ref() }.table.claimed
    }

    #[inline]
    pub(crate) fn plan<R>(&self, look: impl FnOnce(&mut Plan) -> R) -> R {
        // SAFETY: the reference is counted.
        unsafe { self.0.as_ref() }.plan.with(look)
    }
}

impl Clone for AnyTimer {
    fn clone(&self) -> Self {
        // SAFETY: the reference is counted, and the table is that of the node's type.
        unsafe { (self.0.as_ref().table.retain)(self.0) };
        Self(self.0)
    }
}
