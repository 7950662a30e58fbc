//! Cache lines: which CPUs have one, and what it costs to get it.
//!
//! A coherence protocol cut down to what a scheduler notices. A line that another CPU wrote has to be fetched, from
//! near or from afar. A line that others have read has to be taken from them before it is written. A write makes the
//! next writer wait until the line has arrived. A request takes half of the way: until it has come, whoever has the line
//! goes on using it, and so gets more done in one go than if they took turns.

use crate::clock::{Time, time};
use crate::costs::MachineCosts;
use crate::machine::{MOST, Machine};
use std::cell::Cell;

/// One line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    writer: Cell<Option<usize>>,
    /// A bit for each CPU that has a copy.
    copies: Cell<[u64; MOST / 64]>,
    busy_until: Cell<Time>,
    /// Who had it before, and until when: a CPU goes on using a line until the other one's request has come to it.
    leaves: Cell<Option<(usize, Time)>>,
}

/// What lines cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fabric {
    pub(crate) machine: Machine,
    pub(crate) near: Time,
    pub(crate) far: Time,
}

impl Fabric {
    pub(crate) fn new(machine: Machine, costs: &MachineCosts) -> Self {
        Self { machine, near: time(costs.transfer_near), far: time(costs.transfer_far) }
    }

    /// How many times as far two CPUs are from each other as two of one node.
    pub(crate) fn distance(&self, from: usize, to: usize) -> f64 {
        if self.machine.is_near(from, to) { 1.0 } else { self.far as f64 / self.near as f64 }
    }

    /// The way of one line from one CPU to another.
    pub(crate) fn transfer(&self, from: usize, to: usize) -> Time {
        match () {
            () if from == to => 0,
            () if self.machine.is_near(from, to) => self.near,
            () => self.far,
        }
    }
}

impl Line {
    /// CPU `cpu` reads it; returns how long that takes.
    pub(crate) fn read(&self, cpu: usize, fabric: &Fabric) -> Time {
        let mut copies = self.copies.get();
        let (word, bit) = (cpu / 64, 1 << (cpu % 64));
        if copies[word] & bit != 0 {
            return 0;
        }
        copies[word] |= bit;
        self.copies.set(copies);
        self.writer.get().map_or(0, |writer| fabric.transfer(writer, cpu))
    }

    /// CPU `cpu` writes it, beginning at `now`; returns how long that takes.
    pub(crate) fn write(&self, cpu: usize, now: Time, fabric: &Fabric) -> Time {
        if self.is_still_at(cpu, now) {
            return 0;
        }
        let mut alone = [0; MOST / 64];
        alone[cpu / 64] = 1 << (cpu % 64);
        let shared = self.copies.get() != alone;
        let writer = self.writer.replace(Some(cpu)).unwrap_or(cpu);
        self.copies.set(alone);
        if writer == cpu && !shared {
            return 0;
        }
        let wait = self.busy_until.get().saturating_sub(now);
        // All copies are taken back at once, however many there are; that takes as long as the transfer of one line.
        let way = if writer == cpu { fabric.near } else { fabric.transfer(writer, cpu) };
        self.busy_until.set(now + wait + way);
        self.leaves.set((writer != cpu).then_some((writer, now + wait + way / 2)));
        wait + way
    }

    /// Whether another CPU has asked for the line and this one, which had it, has not heard of it yet.
    pub(crate) fn is_still_at(&self, cpu: usize, now: Time) -> bool {
        self.leaves.get().is_some_and(|(owner, until)| owner == cpu && now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_line_pays_nothing_and_who_fetches_it_waits_for_those_before() {
        let fabric = Fabric { machine: Machine { nodes: 2, cpus: 2 }, near: 10, far: 30 };
        let line = Line::default();
        assert_eq!(line.read(0, &fabric), 0, "nobody has written it");
        assert_eq!(line.write(0, 0, &fabric), 0);
        assert_eq!([line.read(1, &fabric), line.read(1, &fabric), line.read(2, &fabric)], [10, 0, 30]);
        assert_eq!(line.write(0, 100, &fabric), 10, "the copies are taken back");
        assert_eq!(line.write(2, 105, &fabric), 5 + 30, "the line is on its way until 110");
        assert_eq!(line.write(2, 200, &fabric), 0);
        assert_eq!(line.write(0, 300, &fabric), 30);
        assert_eq!([314, 315].map(|now| line.write(2, now, &fabric)), [0, 15 + 30], "it leaves half-way");
    }
}
