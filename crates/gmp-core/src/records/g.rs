//! `G`: a *goroutine*: one record, one stack once it has run, one saved context, one status.
//!
//! Records are **type-stable**: they live in slabs of one process-wide [`registry`], are reused and never freed, and
//! their generations survive. So a stale pointer from an `Unparker`, a timer or a dump reads a valid record and finds
//! out by its generation that the goroutine is gone. 192 bytes each, three lines of cache: what a goroutine costs before it first runs.
//!
//! **Who may touch what.** The words (`word`, `join`, `permit`) are atomic and speak for themselves. All other fields
//! belong to whoever owns the goroutine's next step as told in [`word`]: spawner, holder of the `Runnable`, the M that
//! runs it, or a reader that has scanned it.

pub(crate) mod body;
pub(crate) mod join;
pub(crate) mod locals;
mod outcome;
pub(crate) mod parked;
pub(crate) mod permit;
pub(crate) mod registry;
pub(crate) mod runnable;
pub(crate) mod word;

#[cfg(all(test, loom))]
mod loom_join;

#[cfg(all(test, loom))]
mod loom_park;

use crate::contract::{Context, Link, Stack};
use crate::records::g::locals::Locals;
use body::{Body, BodyTable, Outcome};
use core::cell::Cell;
use core::panic::Location;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use join::JoinWord;
use permit::Permit;
use std::sync::Arc;
use word::{GWord, Serial};

/// A goroutine's record.
#[doc(alias = "g")]
#[repr(C, align(64))]
pub(crate) struct G {
    // First, so that the link's address is the record's (clause T1). One cache line: what a switch touches.
    pub(crate) link: Link,
    pub(crate) word: GWord,
    pub(crate) context: Cell<Context>,
    /// The M that it runs on, and below the one that it is locked or pinned to: addresses here, Ms to those who ask by
    /// [`G::m`] and [`G::home`] (`ties.rs`).
    pub(in crate::records) m: Cell<*const ()>,
    pub(crate) stack: Cell<Option<Stack>>,
    pub(in crate::records) rt: HeaderRef,
    pub(crate) table: Cell<&'static BodyTable>,
    // Second line: what spawn and join touch, and the first two words of the body, so that a goroutine with a small
    // closure that never parks costs two lines of cache.
    pub(crate) join: JoinWord,
    pub(crate) number: Cell<u64>,
    pub(crate) parent: Cell<u64>,
    pub(crate) created_at: Cell<&'static Location<'static>>,
    pub(crate) reason: Cell<WaitReason>,
    pub(crate) outcome: Cell<Outcome>,
    pub(crate) wake: Cell<Wake>,
    pub(crate) tracking: Cell<u8>,
    pub(crate) flags: Cell<Flags>,
    pub(crate) locks: Cell<u16>,
    /// The M that this goroutine is locked or pinned to; null for none.
    pub(in crate::records) home: Cell<*const ()>,
    pub(crate) body: Body,
    // The rest of the last line: what parking and few goroutines touch.
    pub(crate) permit: Permit,
    /// When the present wait began, on the coarse clock, or when it became runnable if that is being measured
    /// (nanoseconds since the runtime's start).
    pub(crate) since: Cell<u64>,
    extra: Cell<*mut Extra>,
}

const _: () = assert!(core::mem::size_of::<G>() == 192, "a spawned goroutine costs 192 bytes");

// SAFETY: the module's documentation says who may touch what; the words decide it.
unsafe impl Sync for G {}
// SAFETY: as above; a record belongs to no thread.
unsafe impl Send for G {}

/// The runtime that a goroutine lives in. An atomic, since whoever looks through all records, or holds a stale token of
/// an earlier goroutine, asks for it while a spawner of another runtime fills the record; Relaxed, since such a reader
/// compares it at most.
#[derive(Debug)]
pub(crate) struct HeaderRef(AtomicPtr<()>);

impl HeaderRef {
    #[inline(always)]
    pub(crate) fn get(&self) -> *const () {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, header: *const ()) {
        self.0.store(header.cast_mut(), Ordering::Relaxed);
    }
}

/// What few goroutines have: kept out of the record.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The name given at spawn.
    pub name: Option<Arc<str>>,
    /// Labels, inherited by goroutines that this one spawns.
    pub labels: Arc<[(String, String)]>,
    /// Where the spawners were created, nearest first; only if asked for.
    pub ancestors: Vec<Ancestor>,
    /// The stack size asked for at spawn in bytes; 0: the runtime's default.
    pub stack_size: usize,
    /// Its goroutine-locals.
    pub locals: Locals,
}

impl Extra {
    /// Whether it says nothing that a goroutine without one would not.
    pub(crate) fn is_plain(&self) -> bool {
        self.name.is_none()
            && self.labels.is_empty()
            && self.ancestors.is_empty()
            && self.stack_size == 0
            && self.locals.is_empty()
    }
}

/// A goroutine that spawned this one, directly or not.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ancestorInfo")]
pub struct Ancestor {
    /// Its number.
    pub number: u64,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
}

/// Facts about a goroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// One of the runtime's own: not counted, not waited for.
    pub(crate) const SYSTEM: Flags = Flags(1);
    /// Has run: its stack may hold anything.
    pub(crate) const STARTED: Flags = Flags(2);
    /// After its first run it stays on its M.
    pub(crate) const PINNED: Flags = Flags(4);
    /// Locked to its M because it suspended while panicking.
    pub(crate) const PANICKING: Flags = Flags(8);
    /// Locked to its M by the user, or because it panics.
    pub(crate) const LOCKED: Flags = Flags(16);
    /// Has ended unwanted and runs once more to drop its outcome on a goroutine's stack.
    pub(crate) const DROPPING: Flags = Flags(32);
    /// The record has an [`Extra`]: asked on hot paths.
    pub(crate) const EXTRA: Flags = Flags(128);
    /// Waited for a stack, and none can come.
    pub(crate) const STACKLESS: Flags = Flags(64);
    /// Its permit has this goroutine's number: see [`permit`].
    pub(crate) const OWNS_PERMIT: Flags = Flags(256);
    /// Never started, and runs only to drop its closure, on a stack of its own.
    pub(crate) const DISCARDED: Flags = Flags(512);
    /// Its runtime is gone, and a policy still has its `Runnable`: the record is never used again.
    pub(crate) const KEPT: Flags = Flags(1024);
    /// Either of the two, for those who free records.
    pub(crate) const EXTRA_OR_KEPT: Flags = Flags(Flags::EXTRA.0 | Flags::KEPT.0);
    /// Runs to drop something, and its closure no more.
    pub(crate) const ONLY_DROPS: Flags = Flags(Flags::DROPPING.0 | Flags::DISCARDED.0);

    /// Has a stack of its own kind, a home, or is not counted: g0 sees to its beginning and its end.
    pub(crate) const ENDS_BY_G0: Flags =
        Flags(Flags::EXTRA.0 | Flags::PINNED.0 | Flags::PANICKING.0 | Flags::LOCKED.0 | Flags::SYSTEM.0);

    #[inline(always)]
    pub(crate) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) fn with(self, flag: Flags) -> Flags {
        Flags(self.0 | flag.0)
    }

    pub(crate) fn without(self, flag: Flags) -> Flags {
        Flags(self.0 & !flag.0)
    }
}

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
}

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
        })
    }
}

impl G {
    pub(crate) fn blank() -> G {
        G {
            link: Link::new(),
            word: GWord::new(),
            context: Cell::new(Context::NULL),
            m: Cell::new(ptr::null()),
            stack: Cell::new(None),
            rt: HeaderRef(AtomicPtr::new(ptr::null_mut())),
            table: Cell::new(&body::NOTHING),
            join: JoinWord::new(),
            number: Cell::new(0),
            parent: Cell::new(0),
            created_at: Cell::new(Location::caller()),
            permit: Permit::new(),
            since: Cell::new(0),
            reason: Cell::new(WaitReason::Park),
            outcome: Cell::new(Outcome::Pending),
            wake: Cell::new(Wake::Woken),
            flags: Cell::new(Flags::default()),
            locks: Cell::new(0),
            tracking: Cell::new(0),
            home: Cell::new(ptr::null()),
            extra: Cell::new(ptr::null_mut()),
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

    /// The number under which the calling goroutine, which this is, has a permit.
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
        let old = self.extra.replace(extra.map_or(ptr::null_mut(), Box::into_raw));
        if !old.is_null() {
            // SAFETY: it came from `Box::into_raw` here, and nobody looks at a record that is being filled or freed, or at the
            // extra of a goroutine that runs, but itself.
            drop(unsafe { Box::from_raw(old) });
        }
    }

    /// What few goroutines have. For its owner, or a reader that has scanned it.
    pub(crate) fn extra(&self) -> Option<&Extra> {
        // SAFETY: set by `set_extra`, and stays until the owner of the record sets another.
        unsafe { self.extra.get().as_ref() }
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
