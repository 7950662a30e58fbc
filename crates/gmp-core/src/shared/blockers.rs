//! Blockers: where goroutines were started that block their threads without declaring it. The scheduler's lock guards
//! them.
//!
//! A site is noted each time a P is taken for it (`watching/retake.rs`). A goroutine that blocks once may do so by
//! chance, on a lock of the allocator's or on a page that is missing. After some times it is a habit, and sysmon takes
//! the P without waiting for a second look. The table is bounded: a new site takes the place of the one that was noted
//! least often.

use crate::records::stats::{BlockingSite, WORST_SITES};
use core::panic::Location;
use core::ptr;
use std::time::Duration;

/// How many sites are remembered.
const MOST: usize = 64;
/// How often a site blocks before that counts as a habit.
const HABIT: u64 = 8;

/// The sites.
#[derive(Debug, Default)]
pub(crate) struct Blockers {
    sites: Vec<BlockingSite>,
}

impl Blockers {
    /// Notes that a P was taken from a goroutine that was started there.
    pub(crate) fn note_taken(&mut self, created_at: &'static Location<'static>) {
        if let Some(site) = self.find(created_at) {
            site.times += 1;
            return;
        }
        let new = BlockingSite { created_at, times: 1, lasted: Duration::ZERO };
        if self.sites.len() < MOST {
            return self.sites.push(new);
        }
        if let Some(rarest) = self.sites.iter_mut().min_by_key(|site| site.times) {
            *rarest = new;
        }
    }

    /// Notes that such a goroutine has come back, after this long.
    pub(crate) fn note_back(&mut self, created_at: &'static Location<'static>, lasted: Duration) {
        if let Some(site) = self.find(created_at) {
            site.lasted += lasted;
        }
    }

    /// Whether goroutines from there block again and again.
    pub(crate) fn know(&self, created_at: &'static Location<'static>) -> bool {
        self.sites.iter().any(|site| ptr::eq(site.created_at, created_at) && site.times >= HABIT)
    }

    /// Whether any place is known for that.
    pub(crate) fn know_any(&self) -> bool {
        self.sites.iter().any(|site| site.times >= HABIT)
    }

    /// Those that have kept their threads for longest.
    pub(crate) fn worst(&self) -> [Option<BlockingSite>; WORST_SITES] {
        let mut sites = self.sites.clone();
        sites.sort_by_key(|site| core::cmp::Reverse((site.lasted, site.times)));
        core::array::from_fn(|at| sites.get(at).copied())
    }

    fn find(&mut self, created_at: &'static Location<'static>) -> Option<&mut BlockingSite> {
        self.sites.iter_mut().find(|site| ptr::eq(site.created_at, created_at))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    #[test]
    fn a_habit_takes_some_times() {
        let (site, mut blockers) = (here(), Blockers::default());
        for _ in 1..HABIT {
            blockers.note_taken(site);
            assert!(!blockers.know(site) && !blockers.know_any());
        }
        blockers.note_taken(site);
        assert!(blockers.know_any());
        assert!(blockers.know(site) && !blockers.know(here()));
    }

    #[test]
    fn the_worst_come_first() {
        let (often, long, mut blockers) = (here(), here(), Blockers::default());
        assert_eq!(blockers.worst(), [None; WORST_SITES]);
        for site in [often, often, long] {
            blockers.note_taken(site);
        }
        blockers.note_back(often, Duration::from_millis(1));
        blockers.note_back(long, Duration::from_millis(2));
        let [Some(first), Some(second), ..] = blockers.worst() else { panic!("{blockers:?}") };
        assert_eq!((first.created_at, first.times), (long, 1));
        assert_eq!((second.created_at, second.times), (often, 2));
    }

    #[test]
    fn a_new_site_finds_a_place() {
        let mut blockers = Blockers::default();
        let [often, new] = [here(), here()];
        let leaked: &'static [Location<'static>] = Vec::leak(vec![*here(); MOST - 1]);
        [often, often].into_iter().chain(leaked).chain([new]).for_each(|site| blockers.note_taken(site));
        assert_eq!(blockers.sites.len(), MOST);
        assert!(blockers.find(new).is_some() && blockers.find(often).is_some());
    }
}
