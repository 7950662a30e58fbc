//! `Standing`: all goroutines of the process at one moment, while none of its threads moves.
//!
//! A [`look`](crate::sight::Look) sees goroutines one after the other. Who asks whether anybody can still reach what a
//! goroutine waits at needs them all at once, and stops the threads for that (`standstill.rs` of gmp-arch-amd64). A thread
//! that was stopped may hold any lock, malloc's too: so the list of records is made before, and reading it takes no lock
//! and no memory.
//!
//! What is read may be a goroutine half way from one status to the next. That is told as [`Stands::Goes`], of which
//! nothing is known but the stack.

use crate::records::g::word::Status;
use crate::records::g::{Flags, G, WaitReason, registry};
use crate::records::sight::{Address, Object};
use crate::records::waits_at;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A goroutine's record, while all threads stand still.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Standing {
    /// The goroutine's number.
    pub number: u64,
    /// Whether it is one of the runtime that was asked for, and no system goroutine.
    pub wanted: bool,
    /// What it does.
    pub is: Stands,
    /// The addresses of its stack; none if it has none.
    pub stack: Range<usize>,
}

/// What a goroutine does, while all threads stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stands {
    /// The record holds no goroutine.
    Free,
    /// It waits, off its stack.
    Waits {
        /// The goroutine that it joins.
        joins: Option<u64>,
        /// An address on the stack of whoever has the `Mutex` that it waits for.
        held_from: Option<Address>,
        /// For what.
        reason: WaitReason,
        /// The wait's number.
        wait: u64,
        /// Whether it has a deadline.
        timed: bool,
        /// Where the living part of its stack begins.
        from: usize,
    },
    /// It runs, or may.
    Goes,
}

/// Calls its argument with each channel that a goroutine waits at.
pub type Channels<'a> = dyn Fn(&mut dyn FnMut(usize)) + 'a;

/// Every record that there was when this was made.
#[derive(Debug)]
pub struct Records {
    all: Vec<&'static G>,
    header: usize,
}

/// How many stacks of goroutines that never run again are left behind, where no record tells of them.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// A goroutine is given up, and its stack stays.
pub(crate) fn stack_is_left() {
    LEFT.fetch_add(1, Relaxed);
}

/// Whether there are stacks that no record tells of and that somebody may still refer to.
pub fn stacks_are_left() -> bool {
    LEFT.load(Relaxed) != 0
}

impl Records {
    pub(crate) fn of(header: *const ()) -> Self {
        let mut all = Vec::with_capacity(registry::count());
        registry::for_each(|g| all.push(g));
        Self { all, header: header.addr() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether no record was made since.
    #[must_use]
    pub fn are_all(&self) -> bool {
        registry::count() == self.all.len()
    }

    /// Reads them all. It takes no lock and no memory, and neither may `see`, which also gets what calls its argument with
    /// each channel that a goroutine waits at.
    ///
    /// # Safety
    /// No other thread of the process executes anything meanwhile.
    pub unsafe fn read(&self, mut see: impl FnMut(Standing, &Channels<'_>)) {
        for g in &self.all {
            let is = match g.word.present_wait() {
                Some(wait) => {
                    let (reason, from) = (g.reason.get(), g.context.get().0.addr());
                    // SAFETY: it waits, and nobody ends that wait meanwhile.
                    let at = unsafe { waits_at::of(g, reason) };
                    let joins = match at.object() {
                        Some(Object::Goroutine(number)) => Some(number),
                        _ => None,
                    };
                    let (wait, timed, held_from) = (wait.into_raw(), at.timed, at.held_from);
                    Stands::Waits { joins, held_from, reason, wait, timed, from }
                }
                None if g.word.status() == Status::Free => Stands::Free,
                None => Stands::Goes,
            };
            let channels = |tell: &mut dyn FnMut(usize)| {
                if let Stands::Waits { reason, .. } = is {
                    // SAFETY: it waits, and nobody ends that wait meanwhile.
                    unsafe { waits_at::channels(g, reason, tell) };
                }
            };
            let wanted = g.rt.get().addr() == self.header && !g.has(Flags::SYSTEM);
            see(Standing { number: g.number.get(), wanted, is, stack: g.stack.addresses() }, &channels);
        }
    }
}
