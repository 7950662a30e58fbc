//! `Weighted`: victims with longer queues likelier first.
//!
//! The idea is that of block-based work stealing (Wang et al., "BWoS", OSDI 2023): where the load is uneven most queues
//! are empty or short, and a thief that asks them in any order asks in vain. Its first victim is drawn with a chance
//! that grows as the queue's length does. The draw is Chao's (Biometrika 69, 1982): one pass, no memory; each P in turn
//! takes the place of the one drawn so far with a chance of its own length over all lengths so far.
//!
//! Only the first is drawn. If that steal fails the lengths were old, and the rest follow in the order of
//! [`Coprime`], as V1 wants; the next round draws anew.

use super::{Coprime, CoprimeWalk, Rng};
use crate::contract::{VictimOrder, WalkStart};

/// From here on lengths count as the same: a million and two millions are both enough, and the sum does not overflow.
const LONGEST: usize = 1 << 20;

/// Walks that begin at a P drawn by the length of its queue, and go on as [`Coprime`]'s do. If all queues are empty, it
/// is [`Coprime`].
///
/// A walk reads the length of every queue once when it is made, which is dear where owners are busy: for policies whose
/// lengths are cheap to read, or whose steals are dear.
#[derive(Clone, Debug)]
pub struct Weighted {
    procs: usize,
    others: Coprime,
}

/// One walk of [`Weighted`].
#[derive(Clone, Debug)]
pub struct WeightedWalk {
    first: Option<usize>,
    /// The P that was drawn, until it comes up among the others and is passed over.
    drawn: Option<usize>,
    others: CoprimeWalk,
}

impl VictimOrder for Weighted {
    type Walk<'a> = WeightedWalk;

    fn new(procs: usize) -> Self {
        Self { procs: procs.max(1), others: Coprime::new(procs) }
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> WeightedWalk {
        let drawn = self.draw(from);
        WeightedWalk { first: drawn, drawn, others: self.others.by_seed(from.seed) }
    }
}

impl Weighted {
    fn draw(&self, from: WalkStart<'_>) -> Option<usize> {
        let mut rng = Rng::new(u64::from(from.seed));
        let mut drawn = None;
        let mut total = 0;
        for p in (0..self.procs).filter(|&p| p != from.own) {
            let length = from.victims.queued(p).min(LONGEST);
            total += length;
            if length > 0 && rng.below(total) < length {
                drawn = Some(p);
            }
        }
        drawn
    }
}

impl Iterator for WeightedWalk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let next = self.others.next()?;
        if self.drawn != Some(next) {
            return Some(next);
        }
        self.drawn = None;
        self.others.next()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::contract::Victims;
    use crate::suite::victim_order::{each_walk_visits_each_once, seeds_repeat};

    struct Lengths<'a>(&'a [usize]);

    impl Victims for Lengths<'_> {
        fn queued(&self, p: usize) -> usize {
            self.0[p]
        }
        fn cpu(&self, _: usize) -> Option<usize> {
            None
        }
    }

    const WALKS: u32 = 20_000;

    /// How often each P comes first.
    fn firsts(own: usize, lengths: &[usize]) -> Vec<u32> {
        let order = Weighted::new(lengths.len());
        let mut firsts = vec![0; lengths.len()];
        for seed in 0..WALKS {
            let mut walk = order.walk(WalkStart { seed, own, victims: &Lengths(lengths) });
            firsts[walk.next().unwrap()] += 1;
        }
        firsts
    }

    #[test]
    fn laws() {
        each_walk_visits_each_once::<Weighted>();
        seeds_repeat::<Weighted>();
    }

    #[test]
    fn the_first_is_drawn_by_length() {
        let lengths = [10, 0, 20, 1, 69];
        for (first, length) in firsts(1, &lengths).into_iter().zip(lengths) {
            let due = WALKS * length as u32 / 100;
            assert!(
                first.abs_diff(due) <= WALKS / 50,
                "{first} times first, {due} expected of length {length}"
            );
            assert!(length > 0 || first == 0, "an empty queue was drawn");
        }
    }

    #[test]
    fn its_own_queue_is_not_drawn() {
        assert_eq!(firsts(2, &[0, 3, 1000, 0])[1], WALKS);
    }

    #[test]
    fn among_empty_queues_it_walks_as_coprime_does() {
        let (order, coprime) = (Weighted::new(10), Coprime::new(10));
        for seed in 0..1000 {
            let walk = order.walk(WalkStart { seed, own: 4, victims: &Lengths(&[0; 10]) });
            assert!(walk.eq(coprime.by_seed(seed)));
        }
    }

    #[test]
    fn lengths_beyond_all_measure_do_no_harm() {
        let firsts = firsts(0, &[0, usize::MAX, usize::MAX]);
        assert!(firsts[1].abs_diff(firsts[2]) < WALKS / 20, "{firsts:?}");
    }
}
