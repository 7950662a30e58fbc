//! Iterators over the values of a channel.

use super::handle::Receiver;
use core::iter::FusedIterator;

impl<T> Receiver<T> {
    /// Receives until the channel is closed and empty. **The iterator's `next` suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// runtime.run(|| {
    ///     let (sender, words) = gmp::chan(0);
    ///     gmp::go(move || ["one", "two"].into_iter().for_each(|word| sender.send(word).unwrap()));
    ///     // The same as `words.iter()`; `for word in words` uses the receiver up.
    ///     for word in &words {
    ///         assert_eq!(word.len(), 3);
    ///     }
    /// }).unwrap();
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// Receives the values that are there now. Never suspends.
    ///
    /// ```
    /// let (sender, receiver) = gmp::chan(3);
    /// (1..=2).for_each(|n| sender.send(n).unwrap());
    /// // `iter` would wait for a third value, since the channel is open.
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

/// Receives until the channel is closed and empty. **`next` suspends.** Made by [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(pub(super) &'a Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

/// Receives the values that are there now. Never suspends. Made by [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(pub(super) &'a Receiver<T>);

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// Receives until the channel is closed and empty, and owns the receiver. **`next` suspends.**
///
/// ```
/// let (sender, receiver) = gmp::chan(2);
/// (1..=2).for_each(|n| sender.send(n).unwrap());
/// drop(sender);
/// let mut sum = 0;
/// for n in receiver {
///     sum += n;
/// }
/// assert_eq!(sum, 3);
/// ```
#[derive(Debug)]
pub struct IntoIter<T>(pub(super) Receiver<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

// A channel that is closed and empty stays so.
impl<T> FusedIterator for Iter<'_, T> {}
impl<T> FusedIterator for IntoIter<T> {}
