//! Marks: what does not change what anybody is doing: the user's regions, and looks at the queues.

use super::{Source, Story};
use crate::step::{Act, GState, Mid, OUTSIDE};
use gmp_core::trace::What;
use std::sync::Arc;

impl Story {
    /// Notes when a P's ring tells of an event. A look at the queues comes with the event before it.
    pub(super) fn note_time(&mut self, source: Source, what: &What) {
        if let Source::P(p) = source
            && !matches!(what, What::Writer { .. } | What::Queues { .. })
        {
            let told = self.told.entry(p).or_default();
            *told = [self.time, told[0]];
        }
    }

    /// What was told before now is read by nobody.
    pub(super) fn forget_times_before(&mut self) {
        let now = self.time;
        self.told.values_mut().for_each(|told| *told = told.map(|at| at.max(now)));
    }

    /// A look at the queues. The P's own was the same from the event before the last one on.
    pub(super) fn queues(&self, p: u32, own: u32, shared: u32, before: Option<u32>) -> Act {
        let since = self.told.get(&p).map(|told| told[1]).filter(|since| *since != 0);
        Act::Queues { p, own, shared, before: since.zip(before) }
    }

    pub(super) fn begin_region(&mut self, m: Mid, g: u64, name: Arc<str>) {
        self.regions.entry(g).or_default().push(name.clone());
        self.step(m, Act::RegionBegin(g, name));
    }

    /// Ends the innermost region of this name. Those inside it that are still open end as well, and begin again: what is
    /// written has regions only one in the other.
    pub(super) fn end_region(&mut self, m: Mid, g: u64, name: &str) {
        let Some(open) = self.regions.get_mut(&g) else { return };
        let Some(at) = open.iter().rposition(|open| **open == *name) else { return };
        let inside = open.split_off(at + 1);
        let ended = open.pop().into_iter();
        open.extend(inside.iter().cloned());
        for ended in ended.chain(inside.iter().cloned()).rev() {
            self.step(m, Act::RegionEnd(g, ended));
        }
        for name in inside {
            self.step(m, Act::RegionBegin(g, name));
        }
    }

    /// Begins all regions that are open, for who has not read that.
    pub(super) fn open_regions_again(&mut self) {
        for (g, open) in self.regions.clone() {
            let m = match self.gs.get(&g) {
                Some(&(GState::Running(m) | GState::Syscall(m))) => m,
                _ => OUTSIDE,
            };
            open.into_iter().for_each(|name| self.step(m, Act::RegionBegin(g, name)));
        }
    }
}
