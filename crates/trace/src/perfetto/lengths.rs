//! Lengths of queues, as far as they are known.

use std::collections::HashMap;

/// What has been told, and what is still to be.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// Of each track: when its counter was told last, and what it said.
    pub(super) told: HashMap<u64, (u64, i64)>,
    /// What others have taken from each P since the last look there.
    pub(super) stolen: HashMap<u32, Vec<(u64, u32)>>,
}

impl Queues {
    pub(super) fn note_steal(&mut self, time: u64, victim: u32, amount: u32) {
        self.stolen.entry(victim).or_default().push((time, amount));
    }
}
