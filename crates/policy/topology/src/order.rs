//! `Topology`: the victim order, and its walk.

use crate::machine::{Distance, Machine};
use gmp_core::contract::{VictimOrder, WalkStart};
use gmp_core::queue::{Coprime, CoprimeWalk};
use std::sync::Arc;

/// With more Ps than this, victims come in Go's order, since a walk has no memory for more distances.
const MOST_PS: usize = 1024;

/// Victims by the distance of their CPUs from the thief's; see the head of this crate.
#[derive(Clone, Debug)]
pub struct Topology {
    procs: usize,
    machine: Arc<Machine>,
    flat: Coprime,
}

/// One walk of [`Topology`]: one pass of the same random walk over all Ps for each distance that occurs.
#[derive(Clone, Debug)]
pub struct TopologyWalk {
    /// The distance of each P, by [`Distance::rank`]. All are asked for when the walk begins, so that each P comes up
    /// once though Ms move meanwhile (V1). They are stored in the walk itself, since an M that is about to go idle
    /// allocates nothing.
    ranks: [u8; MOST_PS],
    /// A bit for each rank that occurs and has not been walked through yet.
    ahead: u16,
    rank: u8,
    pass: CoprimeWalk,
    whole: CoprimeWalk,
}

const _: () = assert!(Distance::COUNT <= u16::BITS as usize, "each rank has a bit");

impl Topology {
    /// The order for this many Ps (at least 1) on the given machine.
    pub fn on(machine: Arc<Machine>, procs: usize) -> Self {
        Self { procs, machine, flat: Coprime::new(procs) }
    }
}

impl VictimOrder for Topology {
    type Walk<'a> = TopologyWalk;

    const WANTS_CPUS: bool = true;

    fn new(procs: usize) -> Self {
        Self::on(Machine::here(), procs)
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> TopologyWalk {
        let whole = self.flat.by_seed(from.seed);
        let unknown = Distance::Unknown.rank();
        // It is filled in the place from which it is returned, since it is too large to be moved.
        let mut walk = TopologyWalk {
            ranks: [unknown; MOST_PS],
            ahead: 1 << unknown,
            rank: 0,
            pass: whole.clone(),
            whole,
        };
        if let Some(ranks) = walk.ranks.get_mut(..self.procs)
            && let Some(here) = from.victims.cpu(from.own)
        {
            walk.ahead = 0;
            for (p, rank) in ranks.iter_mut().enumerate() {
                if let Some(there) = from.victims.cpu(p) {
                    *rank = self.machine.distance(here, there).rank();
                }
                walk.ahead |= 1 << *rank;
            }
        }
        walk.next_rank();
        walk
    }
}

impl TopologyWalk {
    /// Goes on to the next greater distance that occurs; `false`: there is none.
    fn next_rank(&mut self) -> bool {
        if self.ahead == 0 {
            return false;
        }
        self.rank = self.ahead.trailing_zeros() as u8;
        self.ahead &= self.ahead - 1;
        self.pass = self.whole.clone();
        true
    }
}

impl Iterator for TopologyWalk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let Self { ranks, rank, pass, .. } = self;
            // Beyond the limit no distance is asked for, so there is one pass with all Ps in it.
            let found = pass.find(|p| ranks.get(*p).is_none_or(|found| found == rank));
            if found.is_some() || !self.next_rank() {
                return found;
            }
        }
    }
}
