//! The memory of goroutines, and in whose cache it is.
//!
//! Two things of a goroutine are memory that a scheduler waits for: its record, which whoever spawns, readies, runs or
//! joins it touches, and its stack. What a touch costs depends on where the thing is, and that on how much memory the
//! CPU has touched since it touched this: little, and it is in the nearest cache; much, and it is in none. So each CPU
//! has a list of what it touched, the last first, and the *distance* of a thing is the number of lines in front of it.
//! The list is exact; that a cache holds what was used last is the model.
//!
//! | where it is | what a touch costs |
//! | --- | --- |
//! | on this CPU's list | what the distance says, on one of two curves: memory is walked through in order, or by jumps |
//! | on another's | what it takes to get it from there, or what the distance there says if that is more |
//! | nowhere yet | the far end of the curve |
//!
//! A CPU fetches ahead where memory is walked through by steps of one length, up or down, and that is why there are two
//! curves. For a thousand stacks and more a step of two or four stacks is as good as one to the next, and an order that is
//! mixed within eight of them as bad as any (measured with rounds as in `calibrate/memory.rs`).

use crate::costs::{Curve, MemoryCosts, at};
use crate::line::Fabric;
use std::cell::RefCell;

/// A record has three lines.
pub(crate) const RECORD: u64 = 3;
/// What a goroutine with little on its stack touches of it: the frames above its suspension.
pub(crate) const STACK: u64 = 4;

/// A piece of memory, by its number: neighbours have consecutive ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Record(u32),
    Stack(u32),
}

impl Thing {
    fn kind(self) -> usize {
        match self {
            Self::Record(_) => 0,
            Self::Stack(_) => 1,
        }
    }

    fn number(self) -> u32 {
        let (Self::Record(number) | Self::Stack(number)) = self;
        number
    }
}

/// All CPUs' lists.
#[derive(Debug)]
pub(crate) struct Memory {
    costs: MemoryCosts,
    /// Lines of data that each goroutine has beside its stack.
    data: u64,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    lists: Vec<List>,
    /// Where each record is, and each stack.
    places: [Vec<Option<Place>>; 2],
}

/// On whose list, and at which of its moments.
#[derive(Clone, Copy, Debug)]
struct Place {
    cpu: usize,
    moment: usize,
}

/// What one CPU touched.
#[derive(Debug, Default)]
struct List {
    /// What was touched at each moment; `None`: it has been touched later, or by another CPU.
    touched: Vec<Option<Thing>>,
    /// Lines of what was touched, by moment, in a Fenwick tree: the sum up to a moment takes a dozen additions.
    sums: Vec<u64>,
    lines: u64,
    live: usize,
    /// The last record and the last stack, each with how many numbers it was away from the one before.
    last: [(u32, i64); 2],
}

/// Longer steps are jumps, whether the last one was as long or not.
const LONGEST_STEP: u64 = 4;
/// A list has at least this many moments before it is made anew.
const MOMENTS: usize = 1024;

impl Memory {
    pub(crate) fn new(costs: &MemoryCosts, data: u32, cpus: usize) -> Self {
        let lists = (0..cpus).map(|_| List::default()).collect();
        let state = RefCell::new(State { lists, places: [Vec::new(), Vec::new()] });
        Self { costs: costs.clone(), data: u64::from(data), state }
    }

    fn lines(&self, thing: Thing) -> u64 {
        match thing {
            Thing::Record(_) => RECORD,
            Thing::Stack(_) => STACK + self.data,
        }
    }

    /// CPU `cpu` touches a thing; returns how many nanoseconds that takes. A goroutine's data takes as long for each of
    /// its lines as its stack does.
    pub(crate) fn touch(&self, thing: Thing, cpu: usize, fabric: &Fabric) -> f64 {
        let costs = &self.costs;
        let (in_order, by_jumps, moved, least) = match thing {
            Thing::Record(_) => (&costs.record_in_order, &costs.record_by_jumps, costs.record_moved, RECORD),
            Thing::Stack(_) => (&costs.stack_in_order, &costs.stack_by_jumps, costs.stack_moved, STACK),
        };
        let lines = self.lines(thing);
        let found = self.state.borrow_mut().take(thing, cpu, lines);
        let curve = if found.in_order { in_order } else { by_jumps };
        let ns = match found.from {
            None => end_of(curve),
            Some((from, distance)) if from == cpu => at(curve, distance as f64),
            Some((from, distance)) => at(curve, distance as f64).max(moved * fabric.distance(from, cpu)),
        };
        ns * lines as f64 / least as f64
    }

    /// CPU `cpu` has used a thing all along: it is the last that was touched.
    pub(crate) fn keep(&self, thing: Thing, cpu: usize) {
        self.state.borrow_mut().take(thing, cpu, self.lines(thing));
    }
}

fn end_of(curve: &Curve) -> f64 {
    curve.last().map_or(0.0, |[_, most]| *most)
}

/// Where a thing was: on whose list and with how many lines in front of it.
struct Found {
    from: Option<(usize, u64)>,
    in_order: bool,
}

impl State {
    /// Moves a thing to the front of a CPU's list.
    fn take(&mut self, thing: Thing, cpu: usize, lines: u64) -> Found {
        let (kind, number) = (thing.kind(), thing.number());
        let places = &mut self.places[kind];
        if places.len() <= number as usize {
            places.resize(number as usize + 1, None);
        }
        let from = places[number as usize]
            .take()
            .map(|place| (place.cpu, self.lists[place.cpu].remove(place.moment, lines)));
        let (last, last_step) = self.lists[cpu].last[kind];
        let step = i64::from(number) - i64::from(last);
        if step != 0 {
            self.lists[cpu].last[kind] = (number, step);
        }
        if self.lists[cpu].touched.len() == self.lists[cpu].sums.len() {
            self.make_room(cpu);
        }
        let moment = self.lists[cpu].push(thing, lines);
        self.places[kind][number as usize] = Some(Place { cpu, moment });
        Found { from, in_order: step == last_step && step.unsigned_abs() <= LONGEST_STEP }
    }

    /// Numbers the moments of a list anew, without those that nothing is left of.
    fn make_room(&mut self, cpu: usize) {
        let list = &mut self.lists[cpu];
        let lines_of: Vec<u64> = (0..list.touched.len()).map(|moment| list.lines_at(moment)).collect();
        let before = std::mem::take(&mut list.touched);
        list.sums = vec![0; (2 * list.live).max(MOMENTS)];
        (list.lines, list.live) = (0, 0);
        for (thing, lines) in before.into_iter().zip(lines_of) {
            let Some(thing) = thing else { continue };
            let moment = list.push(thing, lines);
            self.places[thing.kind()][thing.number() as usize] = Some(Place { cpu, moment });
        }
    }
}

impl List {
    fn push(&mut self, thing: Thing, lines: u64) -> usize {
        let moment = self.touched.len();
        self.touched.push(Some(thing));
        self.add(moment, lines);
        self.lines += lines;
        self.live += 1;
        moment
    }

    /// Takes off what was touched at a moment; returns how many lines were in front of it.
    fn remove(&mut self, moment: usize, lines: u64) -> u64 {
        let in_front = self.lines - self.up_to(moment + 1);
        self.touched[moment] = None;
        self.add(moment, lines.wrapping_neg());
        self.lines -= lines;
        self.live -= 1;
        in_front
    }

    fn add(&mut self, moment: usize, lines: u64) {
        let mut at = moment + 1;
        while at <= self.sums.len() {
            self.sums[at - 1] = self.sums[at - 1].wrapping_add(lines);
            at += at & at.wrapping_neg();
        }
    }

    /// The lines of the first `moments` moments.
    fn up_to(&self, moments: usize) -> u64 {
        let (mut at, mut sum) = (moments, 0_u64);
        while at > 0 {
            sum = sum.wrapping_add(self.sums[at - 1]);
            at -= at & at.wrapping_neg();
        }
        sum
    }

    fn lines_at(&self, moment: usize) -> u64 {
        self.up_to(moment + 1) - self.up_to(moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;

    fn costs() -> MemoryCosts {
        let (order, jumps) = (vec![[0.0, 0.0], [1000.0, 1000.0]], vec![[0.0, 0.0], [1000.0, 3000.0]]);
        MemoryCosts {
            record_in_order: order.clone(),
            record_by_jumps: jumps.clone(),
            record_moved: 50.0,
            stack_in_order: order,
            stack_by_jumps: jumps,
            stack_moved: 90.0,
        }
    }

    #[test]
    fn what_was_touched_lately_is_near_and_what_another_touched_is_with_that() {
        let fabric = Fabric { machine: Machine { nodes: 2, cpus: 2 }, near: 10, far: 30 };
        let memory = Memory::new(&costs(), 0, 4);
        let touch = |thing, cpu| memory.touch(thing, cpu, &fabric);
        assert_eq!(touch(Thing::Stack(7), 0), 3000.0, "nobody has it");
        assert_eq!(touch(Thing::Stack(7), 0), 0.0);
        assert_eq!(
            [8, 10, 12].map(|at| touch(Thing::Stack(at), 0)),
            [3000.0, 3000.0, 1000.0],
            "the step is the same"
        );
        assert_eq!(touch(Thing::Record(1), 0), 3000.0);
        assert_eq!(touch(Thing::Stack(7), 0), 45.0, "three stacks and a record are in front of it");
        assert_eq!(touch(Thing::Stack(7), 1), 90.0);
        assert_eq!(touch(Thing::Stack(7), 2), 270.0, "it comes from another node");
        assert_eq!(touch(Thing::Record(1), 0), 0.0, "nothing is in front of it but what has gone");
    }

    #[test]
    fn distances_are_exact_however_long_a_list_becomes() {
        let mut state = State { lists: vec![List::default()], places: [Vec::new(), Vec::new()] };
        let mut by_hand: Vec<u32> = Vec::new();
        for step in 0..20_000_u32 {
            let number = step.wrapping_mul(2_654_435_761) % 700;
            let found = state.take(Thing::Stack(number), 0, 4);
            let at = by_hand.iter().rev().position(|known| *known == number);
            assert_eq!(found.from.map(|(_, distance)| distance), at.map(|at| 4 * at as u64));
            by_hand.retain(|known| *known != number);
            by_hand.push(number);
        }
    }
}
