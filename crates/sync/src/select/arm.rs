//! What connects an arm of `select!` with its case: where the value is, and how the arm learns what became of it.
//!
//! A received value is written into the frame that selects ([`RecvSlot`]). A value to send is either a variable,
//! which stays where it is until it is sent ([`InPlace`]), or any other expression, whose value is kept in a slot of
//! its own ([`SendSlot`]).

use super::case::Case;
use super::round;
use super::timeout::Timeout;
use crate::channel::protocol::Refusal;
use crate::channel::{Receiver, RecvError, SendError, Sender};
use crate::seam::step_aside;
use core::cell::Cell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// The place for a receive's value.
pub struct RecvSlot<T> {
    value: MaybeUninit<T>,
    filled: Cell<bool>,
}

impl<T> RecvSlot<T> {
    /// A slot without a value.
    #[inline]
    #[expect(clippy::new_without_default, reason = "only the macro makes one")]
    pub fn new() -> Self {
        Self { value: MaybeUninit::uninit(), filled: Cell::new(false) }
    }

    /// The case that fills the slot.
    #[inline]
    pub fn case<'a>(&'a mut self, receiver: &'a Receiver<T>) -> Case<'a> {
        let slot = NonNull::from(&mut self.value).cast();
        // SAFETY: the slot is ours, and borrowed for as long as the case.
        unsafe { Case::new(receiver.chan(), receiver.is_never(), false, Some(slot), Some(&self.filled)) }
    }

    /// Receives, if that needs no wait. Whether the arm comes up. Never suspends.
    #[inline]
    pub fn try_it(&mut self, receiver: &Receiver<T>) -> bool {
        step_aside();
        if receiver.is_never() {
            return false;
        }
        // SAFETY: the slot is ours.
        comes_up(unsafe { receiver.chan().try_receive(self.value.as_mut_ptr()) }, &self.filled)
    }

    /// The result of the receive, for its arm.
    ///
    /// # Errors
    /// The channel was closed and empty.
    #[inline]
    pub fn finish(&mut self) -> Result<T, RecvError> {
        if self.filled.replace(false) {
            // SAFETY: a value was moved in, and it is taken out only once.
            Ok(unsafe { self.value.assume_init_read() })
        } else {
            Err(RecvError)
        }
    }
}

/// The value of a send that is no variable. It is dropped with this if it was not sent.
pub struct SendSlot<T> {
    value: MaybeUninit<T>,
    gone: Cell<bool>,
}

impl<T> SendSlot<T> {
    /// A slot with this value. The sender is there to determine the value's type.
    #[inline]
    pub fn new(_: &Sender<T>, value: T) -> Self {
        Self { value: MaybeUninit::new(value), gone: Cell::new(false) }
    }

    /// The case that sends it.
    #[inline]
    pub fn case<'a>(&'a mut self, sender: &'a Sender<T>) -> Case<'a> {
        let slot = (!self.gone.get()).then(|| NonNull::from(&mut self.value).cast());
        // SAFETY: the slot is ours, borrowed for as long as the case, and holds a value until `gone` says otherwise.
        unsafe { Case::new(sender.chan(), false, true, slot, Some(&self.gone)) }
    }

    /// Sends, if that needs no wait. Whether the arm comes up. Never suspends.
    #[inline]
    pub fn try_it(&mut self, sender: &Sender<T>) -> bool {
        step_aside();
        // SAFETY: the slot is ours, and holds a value: the macro tries once.
        !self.gone.get() && comes_up(unsafe { sender.chan().try_send(self.value.as_mut_ptr()) }, &self.gone)
    }

    /// The result of the send, for its arm.
    ///
    /// # Errors
    /// The channel was closed; the value comes back.
    #[inline]
    pub fn finish(&mut self) -> Result<(), SendError<T>> {
        if self.gone.replace(true) {
            Ok(())
        } else {
            // SAFETY: not sent, and taken out once.
            Err(SendError(unsafe { self.value.assume_init_read() }))
        }
    }
}

impl<T> Drop for SendSlot<T> {
    fn drop(&mut self) {
        if !self.gone.get() {
            // SAFETY: not sent, and not taken out.
            unsafe { self.value.assume_init_drop() };
        }
    }
}

/// The value of a send that is a variable. If it was sent, the arm must forget the variable at once (see [`sent`]).
pub struct InPlace<'v, T> {
    value: &'v T,
    gone: Cell<bool>,
}

impl<'v, T> InPlace<'v, T> {
    /// A slot that is this variable.
    ///
    /// ```compile_fail,E0133
    /// let message = String::from("sent, and here all the same");
    /// let _place = gmp_sync::select::expansion::InPlace::new(&message);
    /// ```
    ///
    /// # Safety
    /// The caller makes at most one [case](InPlace::case) of it, or [tries](InPlace::try_it) it once. When the select is
    /// over, the caller asks [`InPlace::is_sent`], and if that is so, gives the variable to [`sent`] before anything else
    /// uses it.
    #[inline]
    pub unsafe fn new(value: &'v T) -> Self {
        Self { value, gone: Cell::new(false) }
    }

    /// The case that sends it.
    #[inline]
    pub fn case<'a>(&'a self, sender: &'a Sender<T>) -> Case<'a> {
        // SAFETY: the variable is borrowed for as long as the case, and holds its value until `gone` says otherwise:
        // then whoever made this forgets the variable before anything else can look at it, as promised.
        unsafe { Case::new(sender.chan(), false, true, Some(NonNull::from(self.value)), Some(&self.gone)) }
    }

    /// Sends it, if that needs no wait. Whether the arm comes up. Never suspends.
    #[inline]
    pub fn try_it(&self, sender: &Sender<T>) -> bool {
        step_aside();
        let value = core::ptr::from_ref(self.value).cast_mut();
        // SAFETY: the value is only moved out of the variable, which whoever made this forgets then, as promised.
        comes_up(unsafe { sender.chan().try_send(value) }, &self.gone)
    }

    /// Whether its value was sent.
    #[inline]
    pub fn is_sent(&self) -> bool {
        self.gone.get()
    }
}

/// Whether an operation that does not wait has taken place or found its channel closed. `moved` learns of the former.
#[inline(always)]
fn comes_up(ended: Result<(), Refusal>, moved: &Cell<bool>) -> bool {
    match ended {
        Ok(()) => {
            moved.set(true);
            true
        }
        Err(refusal) => refusal == Refusal::Closed,
    }
}

/// Forgets a variable whose value was sent out of it.
#[inline(always)]
pub fn sent<T>(value: T) {
    core::mem::forget(value);
}

/// Uses references to what must outlive a value that is sent out of its variable.
pub fn outlive<T>(_others: &T) {}

/// The numbers of the cases: 0, 1, 2 and so on.
#[inline(always)]
pub fn indexes<const N: usize>() -> [usize; N] {
    core::array::from_fn(|i| i)
}

/// Selects, and returns the number of the case that came up, or `None` for the default. **Suspends**, if it may wait.
#[track_caller]
#[inline]
pub fn run<const N: usize>(cases: [Case<'_>; N], timeout: Timeout) -> Option<usize> {
    round::select(&cases, timeout.begun())
}
