//! What the broken queues are made of: tokens as bare words, which can be copied, unlike tokens. All `unsafe` of the
//! fixtures is here.

use gmp_core::contract::{Link, Token};
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::SeqCst;

/// A token's address. Whoever makes two tokens of it breaks T1, as these queues do on purpose; a probe's ledger keeps
/// what it points to alive, and ends the test when the second one is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(NonNull<Link>);

// SAFETY: an address alone does nothing; `token` says what making tokens of it asks for.
unsafe impl Send for Word {}

impl Word {
    pub(crate) fn new<T: Token>(token: T) -> Self {
        Self(token.into_raw())
    }

    pub(crate) fn token<T: Token>(self) -> T {
        // SAFETY: the address came from `into_raw`. That nobody made a token of it since is what broken queues get
        // wrong; the suite runs them on probes, whose second consumption is noticed before it touches anything.
        unsafe { T::from_raw(self.0) }
    }
}

/// Places for words that threads share. Each is a safe atomic, so a bug in their use is a race and not undefined
/// behaviour.
pub(crate) struct Slots<T> {
    slots: Box<[AtomicPtr<Link>]>,
    tokens: PhantomData<fn() -> T>,
}

impl<T: Token> Slots<T> {
    pub(crate) fn new(count: usize) -> Self {
        Self { slots: (0..count).map(|_| AtomicPtr::new(null_mut())).collect(), tokens: PhantomData }
    }

    pub(crate) fn put(&self, at: usize, token: T) {
        self.slots[at % self.slots.len()].store(Word::new(token).0.as_ptr(), SeqCst);
    }

    /// The word at this place, if there ever was one; it stays there.
    pub(crate) fn look(&self, at: usize) -> Option<Word> {
        NonNull::new(self.slots[at % self.slots.len()].load(SeqCst)).map(Word)
    }
}
