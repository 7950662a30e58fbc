//! Lengths: from the looks that Ps take at the queues to how long each queue was since when, for the writers that show it.
//!
//! ```text
//!   events of a P:    a    b c          d, with a look at the queue: so long it was from c to d
//!   what is told:     ─────┘ └──────────┘
//!   steals:                      │       what a thief took in between was there before
//! ```
//!
//! A look comes with an event once in a while (gmp-core's `ground/ring.rs`), so what changes within some ten microseconds
//! is passed over; but a queue never stands still for longer without its length being told.

use crate::step::Act;
use std::collections::HashMap;

/// A queue of goroutines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Queue {
    OfP(u32),
    Shared,
}

/// A queue is this long from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) queue: Queue,
    pub(crate) time: u64,
    pub(crate) length: u64,
}

/// What has been told, and what is still to be.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    /// Of each queue: when its length was told last, and what it was.
    told: HashMap<Queue, (u64, u64)>,
    /// What others have taken from each P since the last look there.
    stolen: HashMap<u32, Vec<(u64, u32)>>,
}

impl Lengths {
    /// What is known by this step that was not known before. Of each queue the times never fall, but they may lie before
    /// the step's own: a look says what was, too.
    pub(crate) fn step(&mut self, time: u64, act: &Act) -> Vec<Change> {
        let mut changes = Vec::new();
        match *act {
            Act::Steal { victim, amount, .. } => self.stolen.entry(victim).or_default().push((time, amount)),
            Act::Queues { p, own, shared, before } => {
                let mut stolen = self.stolen.remove(&p).unwrap_or_default();
                if let Some((since, before)) = before {
                    stolen.retain(|(at, _)| (since..time).contains(at));
                    let amounts = stolen.iter().map(|(_, amount)| u64::from(*amount));
                    let mut length = u64::from(before) + amounts.sum::<u64>();
                    changes.extend(self.tell(Queue::OfP(p), since, length));
                    for (at, amount) in stolen {
                        length -= u64::from(amount);
                        changes.extend(self.tell(Queue::OfP(p), at, length));
                    }
                }
                changes.extend(self.tell(Queue::OfP(p), time, own.into()));
                changes.extend(self.tell(Queue::Shared, time, shared.into()));
            }
            _ => {}
        }
        changes
    }

    /// Nothing, if that was said last.
    fn tell(&mut self, queue: Queue, time: u64, length: u64) -> Option<Change> {
        let time = match self.told.get(&queue) {
            Some(&(_, last)) if last == length => return None,
            Some(&(told, _)) => time.max(told),
            None => time,
        };
        self.told.insert(queue, (time, length));
        Some(Change { queue, time, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(acts: &[(u64, Act)]) -> Vec<(Queue, u64, u64)> {
        let mut lengths = Lengths::default();
        let changes = acts.iter().flat_map(|(time, act)| lengths.step(*time, act));
        changes.map(|change| (change.queue, change.time, change.length)).collect()
    }

    #[test]
    fn a_queue_was_as_long_as_the_next_look_says() {
        let acts = [
            (100, Act::Queues { p: 0, own: 1, shared: 0, before: None }),
            // Many are spawned at once, up to 105; then the spawner computes.
            (250, Act::Steal { p: 1, victim: 0, amount: 30 }),
            (300, Act::Queues { p: 0, own: 69, shared: 4, before: Some((105, 70)) }),
            (310, Act::Queues { p: 0, own: 69, shared: 4, before: Some((300, 69)) }),
        ];
        let (own, shared) = (Queue::OfP(0), Queue::Shared);
        let expected = [
            (own, 100, 1),
            (shared, 100, 0),
            (own, 105, 100),
            (own, 250, 70),
            (own, 300, 69),
            (shared, 300, 4),
        ];
        assert_eq!(told(&acts), expected);
    }

    #[test]
    fn times_of_a_queue_never_fall_and_old_steals_are_over() {
        let acts = [
            (50, Act::Steal { p: 1, victim: 0, amount: 9 }),
            (100, Act::Queues { p: 0, own: 3, shared: 0, before: None }),
            (110, Act::Steal { p: 1, victim: 0, amount: 2 }),
            // What it says of the time before 100 is told already.
            (200, Act::Queues { p: 0, own: 0, shared: 0, before: Some((90, 1)) }),
            (300, Act::Queues { p: 0, own: 0, shared: 0, before: Some((210, 5)) }),
        ];
        let told = told(&acts);
        let own: Vec<_> = told.iter().filter(|(queue, ..)| *queue == Queue::OfP(0)).collect();
        let times_and_lengths: Vec<_> = own.iter().map(|(_, time, length)| (*time, *length)).collect();
        assert_eq!(times_and_lengths, [(100, 3), (110, 1), (200, 0), (210, 5), (300, 0)]);
    }
}
