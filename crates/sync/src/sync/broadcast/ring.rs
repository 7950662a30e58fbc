//! The ring of values that senders and receivers share.

use super::error::RecvError;
use crate::sync::change::Changing;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a receiver finds.
pub(super) type Found<T> = Result<Arc<T>, RecvError>;

/// What senders and receivers share.
pub(super) type Shared<T> = Arc<Changing<Ring<T>>>;

pub(super) struct Ring<T> {
    pub(super) places: VecDeque<Place<T>>,
    pub(super) capacity: usize,
    /// The number of the first place's value; they count from 0.
    pub(super) first: u64,
    pub(super) senders: usize,
    pub(super) receivers: usize,
}

pub(super) struct Place<T> {
    pub(super) value: Arc<T>,
    /// How many receivers have still to see it.
    pub(super) to_see: usize,
}

impl<T> Ring<T> {
    /// The number that the next value gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    /// Takes the first value out.
    pub(super) fn pop(&mut self) -> Option<Arc<T>> {
        let place = self.places.pop_front()?;
        self.first += 1;
        Some(place.value)
    }

    /// What a receiver finds whose next value has this number; `None`: nothing yet.
    pub(super) fn find(&mut self, next: &mut u64) -> Option<Found<T>> {
        if *next < self.first {
            let missed = self.first - *next;
            *next = self.first;
            return Some(Err(RecvError::Lagged(missed)));
        }
        let at = usize::try_from(*next - self.first).ok()?;
        let Some(place) = self.places.get_mut(at) else {
            return (self.senders == 0).then_some(Err(RecvError::Closed));
        };
        *next += 1;
        place.to_see -= 1;
        // A value that nobody has to see any more, but that is not the first, is taken out by the receiver that is just
        // being dropped: it counts its values down before it takes them out.
        let found = if at == 0 && place.to_see == 0 { self.pop() } else { Some(place.value.clone()) };
        found.map(Ok)
    }
}

/// An empty ring with one sender and one receiver.
///
/// # Panics
/// If there is no memory for that many values.
#[track_caller]
pub(super) fn of<T>(capacity: usize) -> Shared<T> {
    let mut places = VecDeque::new();
    if let Err(error) = places.try_reserve_exact(capacity) {
        panic!("gmp::sync::broadcast::channel({capacity}): {error}");
    }
    Arc::new(Changing::new(Ring { places, capacity, first: 0, senders: 1, receivers: 1 }))
}
