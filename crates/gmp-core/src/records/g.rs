//! `G`: a *goroutine*: one record, one stack once it has run, one saved context, one status.
//!
//! Records are **type-stable**: they live in slabs of one process-wide [`registry`], are reused and never freed, and
//! their generations survive. So a stale pointer from an `Unparker`, a timer or a dump reads a valid record and finds
//! out by its generation that the goroutine is gone. 192 bytes each, three lines of cache: what a goroutine costs
//! before it first runs.
//!
//! **Who may touch what.** The words (`word`, `join`, `permit`) are atomic and speak for themselves. All other fields
//! belong to whoever owns the goroutine's next step as told in [`word`]: spawner, holder of the `Runnable`, the M that
//! runs it, or a reader that has scanned it. The owner alone writes them, but anybody may read those of `shown.rs` and
//! `extra.rs`, and learns from the word, read before and after, whether they were one goroutine's.

mod ahead;
pub(crate) mod body;
pub(crate) mod extra;
mod flags;
mod header_ref;
pub(crate) mod join;
pub(crate) mod locals;
mod outcome;
pub(crate) mod parked;
pub(crate) mod permit;
pub(crate) mod registry;
pub(crate) mod runnable;
pub(crate) mod shown;
pub(crate) mod word;

#[cfg(all(test, loom))]
mod loom_extra;

#[cfg(all(test, loom))]
mod loom_header_ref;

#[cfg(all(test, loom))]
mod loom_join;

#[cfg(all(test, loom))]
mod loom_park;

use crate::contract::Link;
use body::{Body, Outcome};
use core::cell::Cell;
use core::ptr;
use extra::{Extra, ExtraCell};
pub(crate) use flags::Flags;
use header_ref::HeaderRef;
use join::JoinWord;
use permit::Permit;
use shown::{ShownContext, ShownFlags, ShownNumber, ShownPlace, ShownStack, ShownTable};
use word::{GWord, Serial};

/// A goroutine's record.
#[doc(alias = "g")]
#[repr(C, align(64))]
pub(crate) struct G {
    // First, so that the link's address is the record's (clause T1). One cache line: what a switch touches.
    pub(crate) link: Link,
    pub(crate) word: GWord,
    pub(crate) context: ShownContext,
    /// The M that it runs on. This and the field `home` are mere addresses; [`G::m`] and [`G::home`] make Ms of them
    /// (`ties.rs`).
    pub(in crate::records) m: Cell<*const ()>,
    pub(crate) stack: ShownStack,
    pub(in crate::records) rt: HeaderRef,
    pub(crate) table: ShownTable,
    // Second line: what spawn and join touch, and the first two words of the body, so that a goroutine with a small
    // closure that never parks costs two lines of cache.
    pub(crate) join: JoinWord,
    pub(crate) number: ShownNumber,
    pub(crate) parent: ShownNumber,
    pub(crate) created_at: ShownPlace,
    pub(crate) reason: Cell<WaitReason>,
    pub(crate) outcome: Cell<Outcome>,
    pub(crate) wake: Cell<Wake>,
    /// While it is timed: for how many it stands, as a power of two.
    pub(crate) stands_for: Cell<u8>,
    pub(crate) flags: ShownFlags,
    pub(crate) locks: Cell<u16>,
    /// The M that this goroutine is locked or pinned to; null for none.
    pub(in crate::records) home: Cell<*const ()>,
    pub(crate) body: Body,
    // The rest of the last line: what parking and few goroutines touch.
    pub(crate) permit: Permit,
    /// When the present wait began, on the coarse clock, or when it became runnable if that is being measured
    /// (nanoseconds since the runtime's start).
    pub(crate) since: Cell<u64>,
    pub(crate) extra: ExtraCell,
}

const _: () = assert!(core::mem::size_of::<G>() == 192, "a spawned goroutine costs 192 bytes");

// SAFETY: the module's documentation says who may touch what; the words decide it.
unsafe impl Sync for G {}
// SAFETY: as above; a record belongs to no thread.
unsafe impl Send for G {}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wake {
    /// Someone readied the goroutine.
    Woken,
    /// The deadline passed first.
    TimedOut,
    /// The runtime is closing and unwinds what is left.
    Closing,
}

/// Why a goroutine waits. Go: `waitReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "waitReason")]
#[non_exhaustive]
pub enum WaitReason {
    /// In `park`.
    Park,
    /// In `sleep`.
    Sleep,
    /// In `JoinHandle::join`.
    Join,
    /// In a channel's send.
    ChanSend,
    /// In a channel's receive.
    ChanReceive,
    /// In a select.
    Select,
    /// In a select without cases, or in `block_forever`.
    SelectNoCases,
    /// For a `Mutex`, or for the mutex of a `Cond` that was notified.
    Mutex,
    /// To read under an `RwLock`.
    RwLockRead,
    /// To write under an `RwLock`.
    RwLockWrite,
    /// For a `WaitGroup`.
    WaitGroup,
    /// For a `Cond`.
    Cond,
    /// For a `Once`, `OnceCell` or `Lazy` that somebody else is filling.
    Once,
    /// For a `Semaphore`.
    Semaphore,
    /// At a `Barrier`.
    Barrier,
    /// At the end of a scope or a `join`, for its goroutines. A closing runtime does not end this wait.
    Scope,
    /// For nothing but the thread that it is pinned to, which another goroutine has locked.
    LockedThread,
    /// To enter `blocking`, at the limit of threads, for a thread that may block.
    Thread,
    /// For a file descriptor to become ready. Others can end this wait from outside the process.
    #[doc(alias = "waitReasonIOWait")]
    Io,
    /// In `block_on`, for a future.
    Future,
}

impl WaitReason {
    /// All of them, each at the place of its number.
    pub(crate) const ALL: [Self; 20] = [
        Self::Park,
        Self::Sleep,
        Self::Join,
        Self::ChanSend,
        Self::ChanReceive,
        Self::Select,
        Self::SelectNoCases,
        Self::Mutex,
        Self::RwLockRead,
        Self::RwLockWrite,
        Self::WaitGroup,
        Self::Cond,
        Self::Once,
        Self::Semaphore,
        Self::Barrier,
        Self::Scope,
        Self::LockedThread,
        Self::Thread,
        Self::Io,
        Self::Future,
    ];
}

const _: () = {
    let mut at = 0;
    while at < WaitReason::ALL.len() {
        assert!(WaitReason::ALL[at] as usize == at, "each reason stands at the place of its number");
        at += 1;
    }
};

impl core::fmt::Display for WaitReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Park => "park",
            Self::Sleep => "sleep",
            Self::Join => "join",
            Self::ChanSend => "chan send",
            Self::ChanReceive => "chan receive",
            Self::Select => "select",
            Self::SelectNoCases => "select (no cases)",
            Self::Mutex => "Mutex::lock",
            Self::RwLockRead => "RwLock::read",
            Self::RwLockWrite => "RwLock::write",
            Self::WaitGroup => "WaitGroup::wait",
            Self::Cond => "Cond::wait",
            Self::Once => "Once::call_once",
            Self::Semaphore => "Semaphore::acquire",
            Self::Barrier => "Barrier::wait",
            Self::Scope => "scope",
            Self::LockedThread => "pinned to a locked thread",
            Self::Thread => "limit of threads",
            Self::Io => "IO wait",
            Self::Future => "block_on",
        })
    }
}

impl G {
    pub(crate) fn blank() -> G {
        G {
            link: Link::new(),
            word: GWord::new(),
            context: ShownContext::new(),
            m: Cell::new(ptr::null()),
            stack: ShownStack::new(),
            rt: HeaderRef::new(),
            table: ShownTable::new(),
            join: JoinWord::new(),
            number: ShownNumber::new(),
            parent: ShownNumber::new(),
            created_at: ShownPlace::new(),
            permit: Permit::new(),
            since: Cell::new(0),
            reason: Cell::new(WaitReason::Park),
            outcome: Cell::new(Outcome::Pending),
            wake: Cell::new(Wake::Woken),
            flags: ShownFlags::new(),
            locks: Cell::new(0),
            stands_for: Cell::new(0),
            home: Cell::new(ptr::null()),
            extra: ExtraCell::new(),
            body: Body::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn has(&self, flag: Flags) -> bool {
        self.flags.get().has(flag)
    }

    pub(crate) fn set(&self, flag: Flags) {
        self.flags.set(self.flags.get().with(flag));
    }

    pub(crate) fn unset(&self, flag: Flags) {
        self.flags.set(self.flags.get().without(flag));
    }

    /// The number under which this goroutine, which is the caller, has a permit.
    #[inline]
    pub(crate) fn own_permit(&self) -> Serial {
        if !self.has(Flags::OWNS_PERMIT) {
            self.permit.own_up(self.word.serial());
            self.set(Flags::OWNS_PERMIT);
        }
        self.permit.owner()
    }

    /// Whether it is queued in its M's inbox: it is pinned and has run. One that is locked as well is queued for
    /// everybody, so that whoever finds it gives its M a P; a locked M looks into no queue.
    #[inline(always)]
    pub(crate) fn is_inboxed(&self) -> bool {
        let flags = self.flags.get();
        flags.has(Flags::PINNED) && flags.has(Flags::STARTED) && !flags.has(Flags::LOCKED)
    }

    /// `17` or `17 [name]`, for people.
    pub(crate) fn title(&self) -> String {
        match self.extra().and_then(|extra| extra.name.as_ref()) {
            Some(name) => format!("{} [{name}]", self.number.get()),
            None => self.number.get().to_string(),
        }
    }

    /// Sets or drops what few goroutines have.
    pub(crate) fn set_extra(&self, extra: Option<Box<Extra>>) {
        if extra.is_some() {
            self.set(Flags::EXTRA);
        } else {
            self.unset(Flags::EXTRA);
        }
        self.extra.replace(extra);
    }

    /// What few goroutines have. For its owner, or a reader that has scanned it.
    pub(crate) fn extra(&self) -> Option<&Extra> {
        // SAFETY: the caller is the owner, or keeps it from going on.
        unsafe { self.extra.get() }
    }

    /// The size of this goroutine's stack: what its spawn asked for, but no less than the least, or the default.
    #[inline]
    pub(crate) fn stack_size(&self) -> usize {
        if self.has(Flags::EXTRA) { self.own_stack_size() } else { self.header().stack_size }
    }

    #[cold]
    fn own_stack_size(&self) -> usize {
        match self.extra() {
            Some(extra) if extra.stack_size != 0 => extra.stack_size.max(self.header().least_stack_size),
            _ => self.header().stack_size,
        }
    }
}

impl core::fmt::Debug for G {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("G").field("word", &self.word).finish_non_exhaustive()
    }
}
