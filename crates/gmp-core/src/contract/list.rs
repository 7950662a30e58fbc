//! `List`: a first-in-first-out list of tokens that needs no memory of its own.

use crate::contract::{Link, Token};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// Tokens in a row, linked through themselves. Owns them: dropping a non-empty list drops each.
#[doc(alias = "gQueue")]
#[doc(alias = "gList")]
pub struct List<T: Token> {
    head: Option<NonNull<Link>>,
    tail: Option<NonNull<Link>>,
    len: usize,
    owns: PhantomData<T>,
}

// SAFETY: a list owns its tokens, and tokens are `Send`.
unsafe impl<T: Token> Send for List<T> {}

impl<T: Token> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self { head: None, tail: None, len: 0, owns: PhantomData }
    }

    /// How many tokens are in the list.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Adds a token behind the others.
    #[inline]
    pub fn push_back(&mut self, token: T) {
        let link = token.into_raw();
        // SAFETY: T2: we own the token that was just given up, hence its link.
        unsafe { link.as_ref().set_next(None) };
        match self.tail {
            // SAFETY: T2: the list owns its tail.
            Some(tail) => unsafe { tail.as_ref().set_next(Some(link)) },
            None => self.head = Some(link),
        }
        self.tail = Some(link);
        self.len += 1;
    }

    /// Adds a token in front of the others.
    pub fn push_front(&mut self, token: T) {
        let link = token.into_raw();
        // SAFETY: T2: we own the token that was just given up, hence its link.
        unsafe { link.as_ref().set_next(self.head) };
        if self.tail.is_none() {
            self.tail = Some(link);
        }
        self.head = Some(link);
        self.len += 1;
    }

    /// Takes the first token.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        let link = self.head?;
        // SAFETY: T2: the list owns its head.
        self.head = unsafe { link.as_ref().next() };
        if self.head.is_none() {
            self.tail = None;
        }
        self.len -= 1;
        // SAFETY: the address came from `into_raw` in a push and has just left the list.
        Some(unsafe { T::from_raw(link) })
    }

    /// Moves all of `other` behind this list's tokens.
    #[inline]
    pub fn append(&mut self, mut other: List<T>) {
        let Some(head) = other.head.take() else { return };
        match self.tail {
            // SAFETY: T2: the list owns its tail.
            Some(tail) => unsafe { tail.as_ref().set_next(Some(head)) },
            None => self.head = Some(head),
        }
        self.tail = other.tail.take();
        self.len += core::mem::take(&mut other.len);
    }

    /// Moves the first `count` tokens, or all there are, into a list of their own.
    pub fn split_front(&mut self, count: usize) -> List<T> {
        if count >= self.len {
            return core::mem::take(self);
        }
        let Some(mut last) = self.head.filter(|_| count > 0) else { return List::new() };
        let head = self.head;
        for _ in 1..count {
            // SAFETY: T2: the list owns its tokens.
            last = unsafe { last.as_ref().next() }.expect("count is below len");
        }
        // SAFETY: as above.
        self.head = unsafe { last.as_ref().next() };
        // SAFETY: as above.
        unsafe { last.as_ref().set_next(None) };
        self.len -= count;
        List { head, tail: Some(last), len: count, owns: PhantomData }
    }
}

impl<T: Token> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Token> Drop for List<T> {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}

impl<T: Token> Iterator for List<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl<T: Token> Extend<T> for List<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, tokens: I) {
        tokens.into_iter().for_each(|token| self.push_back(token));
    }
}

impl<T: Token> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(tokens: I) -> Self {
        let mut list = List::new();
        list.extend(tokens);
        list
    }
}

impl<T: Token> core::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("List").field("len", &self.len).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::suite::{Ledger, Probe};

    /// Both parts of a cut list can be added to and cut again.
    #[test]
    fn a_cut_list_is_two_lists() {
        for count in 0..7 {
            let ledger = Ledger::new(7);
            let mut list: List<Probe> = (0..5).map(|_| ledger.mint()).collect();
            let mut front = list.split_front(count);
            assert_eq!((front.len(), list.len()), (count.min(5), 5 - count.min(5)));
            front.push_back(ledger.mint());
            list.push_front(ledger.mint());
            front.append(list);
            let numbers: Vec<u64> = front.map(Probe::consume).collect();
            let cut = count.min(5) as u64;
            assert_eq!(numbers, (0..cut).chain([5, 6]).chain(cut..5).collect::<Vec<_>>());
            ledger.settle();
        }
    }
}
