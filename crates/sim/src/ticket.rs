//! `Ticket`: the right to run a virtual goroutine, which is what the real queues hold here.

use core::ptr::NonNull;
use gmp_core::contract::{Link, Token};

/// The one right to run a virtual goroutine, by its number. It is a box, so that queueing it allocates nothing.
#[derive(Debug)]
pub(crate) struct Ticket(Box<Body>);

#[derive(Debug)]
#[repr(C, align(8))]
struct Body {
    /// First, so that its address is the body's.
    link: Link,
    number: u64,
}

impl Ticket {
    pub(crate) fn new(number: usize) -> Self {
        Self(Box::new(Body { link: Link::new(), number: number as u64 }))
    }

    /// The number of the goroutine.
    pub(crate) fn goroutine(&self) -> usize {
        self.0.number as usize
    }
}

// SAFETY: T1: `into_raw` leaks the box and `from_raw` makes it again from the same address, which is the body's, since the
// link stands first in a `repr(C)` struct. T2: a leaked box stays allocated until it is made again. T3: by `align(8)`.
unsafe impl Token for Ticket {
    fn number(&self) -> u64 {
        self.0.number
    }

    fn into_raw(self) -> NonNull<Link> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<Link>) -> Self {
        // SAFETY: the caller's promise: it came from `into_raw`, which leaked a box of a body, and is made again once.
        Self(unsafe { Box::from_raw(raw.cast::<Body>().as_ptr()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmp_core::contract::List;

    #[test]
    fn tickets_travel_in_a_list() {
        let mut list: List<Ticket> = (0..3).map(Ticket::new).collect();
        list.push_front(Ticket::new(9));
        assert_eq!(list.map(|ticket| ticket.goroutine()).collect::<Vec<_>>(), [9, 0, 1, 2]);
    }
}
