//! What a goroutine waits at, as its record tells it.
//!
//! | reason | the word has |
//! | --- | --- |
//! | a join | the number of the goroutine |
//! | a descriptor | the descriptor |
//! | a select | the address of a [`Several`]; the lowest bit: it has a deadline |
//! | a channel, a lock and their like | the object's address; the lowest bit: it has a deadline |
//! | others | nothing |

use crate::records::g::{G, WaitReason};
use crate::records::sight::{Address, Object};
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// What a `Mutex` begins with.
#[derive(Debug)]
#[repr(C)]
pub struct HeldFrom {
    /// An address on the stack of whoever took it last, except in the instructions right after somebody took it. Its two
    /// lowest bits mean nothing here.
    from: AtomicUsize,
    /// The lowest bit: somebody has it.
    state: AtomicU32,
}

impl HeldFrom {
    fn holder(&self) -> Option<Address> {
        let held = self.state.load(Relaxed) & 1 != 0;
        Some(self.from.load(Relaxed)).filter(|&from| held && from != 0).map(Address::new)
    }
}

/// The channels at which a select waits.
#[derive(Debug)]
pub struct Several {
    /// What `nth` is called with.
    pub of: *const (),
    /// How many there are.
    pub count: usize,
    /// The address of one of them, by its place. It reads, and does nothing else.
    ///
    /// # Safety
    /// It is called with `of`, and a place below `count`, while the wait goes on.
    pub nth: unsafe fn(*const (), usize) -> usize,
}

/// The lowest bit of an object's address.
const TIMED: usize = 1;

/// The word for an object.
#[inline(always)]
pub(crate) fn tagged(at: usize, timed: bool) -> usize {
    at | if timed { TIMED } else { 0 }
}

/// What a goroutine waits at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct At {
    /// One object.
    object: Option<Object>,
    /// Whether the wait has a deadline. That is not told of those at descriptors.
    pub(crate) timed: bool,
    /// If it waits for a `Mutex` that somebody has: an address on the stack of whoever took that last.
    pub(crate) held_from: Option<Address>,
}

impl At {
    /// The one object that it waits at.
    pub(crate) fn object(self) -> Option<Object> {
        self.object
    }
}

/// The word of a goroutine that waits for this, without the bit for a deadline, and whether that is set.
///
/// # Safety
/// The goroutine waits, and cannot go on meanwhile.
unsafe fn word(g: &G, reason: WaitReason) -> (usize, bool) {
    // SAFETY: the caller keeps it from going on, and it says for each wait of the other reasons what it waits at.
    let word = || unsafe { g.body.waits_at() };
    match reason {
        WaitReason::Sleep => (0, true),
        WaitReason::Park | WaitReason::Scope | WaitReason::LockedThread | WaitReason::Thread => (0, false),
        WaitReason::Join | WaitReason::Io => (word(), false),
        _ => (word() & !TIMED, word() & TIMED != 0),
    }
}

/// What a goroutine says that waits for this.
///
/// # Safety
/// The goroutine waits, and cannot go on meanwhile.
pub(crate) unsafe fn of(g: &G, reason: WaitReason) -> At {
    // SAFETY: as the caller promises.
    let (what, timed) = unsafe { word(g, reason) };
    let object = match what {
        0 => None,
        // The list of its channels, not one.
        _ if reason == WaitReason::Select => None,
        number if reason == WaitReason::Join => Some(Object::Goroutine(number as u64)),
        address => Some(Object::At(Address::new(address))),
    };
    let held_from = if reason == WaitReason::Mutex && what != 0 {
        // SAFETY: whoever waits for a `Mutex` says to wait at this, and it is there as long as the wait (`AtGate::park`).
        unsafe { &*core::ptr::with_exposed_provenance::<HeldFrom>(what) }.holder()
    } else {
        None
    };
    At { object, timed, held_from }
}

/// Tells each channel at which a goroutine waits that is in this wait.
///
/// # Safety
/// As for [`of`].
pub(crate) unsafe fn channels(g: &G, reason: WaitReason, tell: &mut dyn FnMut(usize)) {
    // SAFETY: as the caller promises.
    let (what, _) = unsafe { word(g, reason) };
    match reason {
        WaitReason::ChanSend | WaitReason::ChanReceive => tell(what),
        WaitReason::Select if what != 0 => {
            // SAFETY: a select says that this is there as long as the wait (`AtGate::park`).
            let several = unsafe { &*core::ptr::with_exposed_provenance::<Several>(what) };
            // SAFETY: the wait goes on.
            (0..several.count).for_each(|n| tell(unsafe { (several.nth)(several.of, n) }));
        }
        _ => {}
    }
}
