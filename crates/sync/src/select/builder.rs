//! `Select`: a set of cases that is made while the program runs.

use super::case::Case;
use super::round;
use super::timeout::Timeout;
use crate::channel::{Receiver, RecvError, SendError, Sender};
use core::cell::Cell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::time::{Duration, Instant};

/// One case's value, or the place for it.
struct CaseValue<T> {
    /// Whether the select has moved it: in, for a receive; out, for a send.
    moved: Cell<bool>,
    sends: bool,
    value: MaybeUninit<T>,
}

impl<T> CaseValue<T> {
    fn take(&mut self) -> Option<T> {
        let here = self.moved.replace(self.sends) != self.sends;
        // SAFETY: a receive's value is here after it was moved in, a send's value until it is moved out; from now on
        // `moved` says that there is none.
        here.then(|| unsafe { self.value.assume_init_read() })
    }
}

impl<T> Drop for CaseValue<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// A case's value whose type is forgotten.
trait ErasedValue {
    fn clear(&mut self);
}

impl<T> ErasedValue for CaseValue<T> {
    fn clear(&mut self) {
        drop(self.take());
    }
}

/// A case's value that is owned here and pointed into by its case.
struct Owned<'a>(NonNull<dyn ErasedValue + 'a>);

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointer came out of a box, and its case is not looked at any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A set of sends and receives, of which each call of [`select`](Select::select) performs one. It is for sets that
/// are not known when the program is written; for others [`select!`](crate::select!) is shorter and faster.
///
/// As in Go, and unlike in crossbeam, the operation has *taken place* when a select returns: the other side does not
/// wait for what the caller does next, and nothing is lost if the caller does nothing. Therefore the set is given a
/// send's value in advance, and a [`SelectedOperation`] holds the value that was received.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let channels: Vec<_> = (0..5).map(|_| gmp::chan(0)).collect();
///     for (i, (sender, _)) in channels.iter().enumerate() {
///         let sender = sender.clone();
///         gmp::go(move || sender.send(i).unwrap());
///     }
///     let mut all = gmp::Select::new();
///     for (_, receiver) in &channels {
///         all.recv(receiver);
///     }
///     for _ in 0..5 {
///         let one = all.select();
///         let i = one.index();
///         assert_eq!(one.recv(&channels[i].1), Ok(i));
///     }
///     assert!(all.try_select().is_none());
/// }).unwrap();
/// ```
#[derive(Default)]
pub struct Select<'a> {
    cases: Vec<Case<'a>>,
    /// `None`: the case has been removed, and does not come up any more.
    values: Vec<Option<Owned<'a>>>,
}

impl<'a> Select<'a> {
    /// A set without cases. Never suspends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a receive, and returns its number: the lowest that no case has. Never suspends.
    ///
    /// ```
    /// let ((one, ones), (_two, twos)) = (gmp::chan(1), gmp::chan::<&str>(1));
    /// let mut set = gmp::Select::new();
    /// let (first, second) = (set.recv(&ones), set.recv(&twos));
    /// one.send(7).unwrap();
    /// match set.select() {
    ///     case if case.index() == first => assert_eq!(case.recv(&ones), Ok(7)),
    ///     case if case.index() == second => assert!(case.recv(&twos).is_err()),
    ///     _ => unreachable!("there are two cases"),
    /// }
    /// ```
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.add(MaybeUninit::uninit(), false, |slot, moved| {
            // SAFETY: the value lives until the case is removed, and the case is not used after that.
            unsafe { Case::new(receiver.chan(), receiver.is_never(), false, Some(slot), Some(moved)) }
        })
    }

    /// Adds a send of `value`, and returns its number: the lowest that no case has. Never suspends.
    ///
    /// The case is good for one send: it is removed once it has come up.
    ///
    /// ```
    /// let (sender, receiver) = gmp::chan(1);
    /// let mut set = gmp::Select::new();
    /// set.send(&sender, "hello");
    /// assert_eq!(set.select().send(&sender), Ok(()));
    /// assert_eq!(receiver.recv(), Ok("hello"));
    /// // It was there for one send.
    /// assert!(set.try_select().is_none());
    /// ```
    pub fn send<T>(&mut self, sender: &'a Sender<T>, value: T) -> usize {
        self.add(MaybeUninit::new(value), true, |slot, moved| {
            // SAFETY: the value lives until the case is removed, and the case is not used after that.
            unsafe { Case::new(sender.chan(), false, true, Some(slot), Some(moved)) }
        })
    }

    fn add<T: 'a>(
        &mut self,
        value: MaybeUninit<T>,
        sends: bool,
        case: impl FnOnce(NonNull<T>, &'a Cell<bool>) -> Case<'a>,
    ) -> usize {
        let value = Box::into_raw(Box::new(CaseValue { moved: Cell::new(false), sends, value }));
        // SAFETY: the pointer is fresh from its box. As long as the case exists, everything in it is used through
        // pointers only.
        let (slot, moved, value) = unsafe {
            let slot = NonNull::new_unchecked(&raw mut (*value).value).cast();
            (slot, &(*value).moved, NonNull::new_unchecked(value as *mut (dyn ErasedValue + 'a)))
        };
        let (case, value) = (case(slot, moved), Some(Owned(value)));
        let index = self.values.iter().position(Option::is_none).unwrap_or(self.values.len());
        if index == self.values.len() {
            self.cases.push(case);
            self.values.push(value);
        } else {
            (self.cases[index], self.values[index]) = (case, value);
        }
        index
    }

    /// Removes a case, and drops its value if it is a send. Its number may be given to a later case. Never suspends.
    ///
    /// ```
    /// let (sender, receiver) = gmp::chan(1);
    /// sender.send(7).unwrap();
    /// let mut set = gmp::Select::new();
    /// let case = set.recv(&receiver);
    /// set.remove(case);
    /// assert!(set.try_select().is_none());
    /// ```
    ///
    /// # Panics
    /// If there is no such case.
    #[track_caller]
    pub fn remove(&mut self, index: usize) {
        assert!(self.has(index), "Select::remove: there is no case {index}");
        self.cases[index].never = true;
        self.values[index] = None;
    }

    /// Removes a send and returns its value. Never suspends.
    ///
    /// ```
    /// let (sender, _receiver) = gmp::chan(0);
    /// let mut set = gmp::Select::new();
    /// let case = set.send(&sender, String::from("hello"));
    /// assert!(set.try_select().is_none());
    /// assert_eq!(set.withdraw(case, &sender), "hello");
    /// ```
    ///
    /// # Panics
    /// If there is no such case, or it is not a send on `sender`'s channel.
    #[track_caller]
    pub fn withdraw<T>(&mut self, index: usize, sender: &Sender<T>) -> T {
        assert!(
            self.has(index) && self.cases[index].is_of(sender.chan(), true),
            "Select::withdraw: case {index} is no send on this channel"
        );
        // SAFETY: just asked.
        let value = unsafe { self.take(index) };
        self.remove(index);
        value.expect("a send that is still in the set has its value")
    }

    fn has(&self, index: usize) -> bool {
        self.values.get(index).is_some_and(Option::is_some)
    }

    /// The value of a case, if it is here.
    ///
    /// # Safety
    /// The case exists, and its channel carries `T`.
    unsafe fn take<T>(&mut self, index: usize) -> Option<T> {
        let value = self.values[index].as_ref()?.0.cast::<CaseValue<T>>();
        // SAFETY: it is of that type, as the caller promises, and nobody else uses it outside a select.
        unsafe { (*value.as_ptr()).take() }
    }

    /// Waits until one of the cases comes up. If several are ready, each is equally likely. **Suspends.** Without
    /// cases it waits for ever, as [`block_forever`](crate::select::block_forever).
    ///
    /// Shown at [`Select`].
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[doc(alias = "selectgo")]
    #[track_caller]
    pub fn select(&mut self) -> SelectedOperation<'_, 'a> {
        match self.select_with(Timeout::never()) {
            Some(selected) => selected,
            None => round::block_forever(),
        }
    }

    /// Performs a case if one is ready at once. Never suspends.
    ///
    /// Shown at [`Select::send`].
    #[track_caller]
    pub fn try_select(&mut self) -> Option<SelectedOperation<'_, 'a>> {
        self.select_with(Timeout::immediate())
    }

    /// Like [`Select::select`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (_sender, receiver) = gmp::chan::<u32>(0);
    ///     let mut set = gmp::Select::new();
    ///     set.recv(&receiver);
    ///     assert!(set.select_timeout(Duration::from_millis(1)).is_none());
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn select_timeout(&mut self, timeout: Duration) -> Option<SelectedOperation<'_, 'a>> {
        self.select_with(Timeout::after(timeout))
    }

    /// Like [`Select::select`], but waits until `deadline` at most. **Suspends.**
    ///
    /// As shown at [`Select::select_timeout`].
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn select_deadline(&mut self, deadline: Instant) -> Option<SelectedOperation<'_, 'a>> {
        self.select_with(Timeout::at(deadline))
    }

    #[track_caller]
    fn select_with(&mut self, timeout: Timeout) -> Option<SelectedOperation<'_, 'a>> {
        let index = self.run(&self.cases, timeout)?;
        // A send's value is gone, so the case is out of the set from now on, whatever becomes of what we return.
        self.cases[index].never |= self.cases[index].sends;
        Some(SelectedOperation { select: self, index })
    }

    /// Waits until one of the cases is ready, and returns its number without performing it. **Suspends.** Somebody
    /// else may be faster, so use a `try_` operation afterwards.
    ///
    /// ```
    /// let (sender, receiver) = gmp::chan(1);
    /// let mut set = gmp::Select::new();
    /// let case = set.recv(&receiver);
    /// assert_eq!(set.try_ready(), None);
    /// sender.send(7).unwrap();
    /// assert_eq!(set.ready(), case);
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn ready(&mut self) -> usize {
        self.ready_with(Timeout::never()).unwrap_or_else(|| round::block_forever())
    }

    /// The number of a case that is ready now. Never suspends.
    ///
    /// Shown at [`Select::ready`].
    #[track_caller]
    pub fn try_ready(&mut self) -> Option<usize> {
        self.ready_with(Timeout::immediate())
    }

    /// Like [`Select::ready`], but waits for at most `timeout`. **Suspends.**
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (_sender, receiver) = gmp::chan::<u32>(0);
    ///     let mut set = gmp::Select::new();
    ///     set.recv(&receiver);
    ///     assert_eq!(set.ready_timeout(Duration::from_millis(1)), None);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn ready_timeout(&mut self, timeout: Duration) -> Option<usize> {
        self.ready_with(Timeout::after(timeout))
    }

    /// Like [`Select::ready`], but waits until `deadline` at most. **Suspends.**
    ///
    /// As shown at [`Select::ready_timeout`].
    ///
    /// # Panics
    /// The same as for [`Sender::send`].
    #[track_caller]
    pub fn ready_deadline(&mut self, deadline: Instant) -> Option<usize> {
        self.ready_with(Timeout::at(deadline))
    }

    #[track_caller]
    fn ready_with(&mut self, timeout: Timeout) -> Option<usize> {
        let cases: Vec<_> = self.cases.iter().map(Case::without_slot).collect();
        self.run(&cases, timeout)
    }

    #[track_caller]
    fn run(&self, cases: &[Case<'_>], timeout: Timeout) -> Option<usize> {
        let index = round::select_any(cases, timeout.begun())?;
        // A removed case comes up only in a goroutine that unwinds because its runtime closes; any other case will do
        // instead.
        if self.has(index) { Some(index) } else { self.values.iter().position(Option::is_some) }
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |at: usize| if self.cases[at].sends { "send" } else { "recv" };
        let here = (0..self.cases.len()).filter(|&at| self.has(at));
        f.debug_map().entries(here.map(|at| (at, kind(at)))).finish()
    }
}

/// A case that has come up. The operation has taken place: dropping this drops the value that was received, or the
/// value that a closed channel did not take. Shown at [`Select::recv`] and [`Select::send`].
#[must_use = "the value that was received is dropped with this"]
pub struct SelectedOperation<'s, 'a> {
    select: &'s mut Select<'a>,
    index: usize,
}

impl SelectedOperation<'_, '_> {
    /// The number of the case. Never suspends.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The received value. Never suspends.
    ///
    /// # Errors
    /// The channel was closed and empty.
    ///
    /// # Panics
    /// If the case is not a receive from `receiver`'s channel.
    #[track_caller]
    pub fn recv<T>(self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        assert!(
            self.select.cases[self.index].is_of(receiver.chan(), false),
            "SelectedOperation::recv: case {} is no receive from this channel",
            self.index
        );
        // SAFETY: just asked.
        unsafe { self.select.take(self.index) }.ok_or(RecvError)
    }

    /// The result of the send. Never suspends.
    ///
    /// # Errors
    /// The channel was closed; the value comes back.
    ///
    /// # Panics
    /// If the case is not a send on `sender`'s channel.
    #[track_caller]
    pub fn send<T>(self, sender: &Sender<T>) -> Result<(), SendError<T>> {
        assert!(
            self.select.cases[self.index].is_of(sender.chan(), true),
            "SelectedOperation::send: case {} is no send on this channel",
            self.index
        );
        // SAFETY: just asked.
        match unsafe { self.select.take(self.index) } {
            None => Ok(()),
            Some(value) => Err(SendError(value)),
        }
    }
}

impl Drop for SelectedOperation<'_, '_> {
    fn drop(&mut self) {
        if self.select.cases[self.index].sends {
            self.select.remove(self.index);
        } else if let Some(value) = &mut self.select.values[self.index] {
            // SAFETY: nobody else uses it outside a select.
            unsafe { value.0.as_mut() }.clear();
        }
    }
}

impl fmt::Debug for SelectedOperation<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectedOperation").field("index", &self.index).finish()
    }
}
