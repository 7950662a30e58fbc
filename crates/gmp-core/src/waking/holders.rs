//! Holders: who has the threads, for the reports that there are no more of them.
//!
//! The lock keeps every M on the list. The goroutine on an M goes on meanwhile, may end, and its record may become
//! another one's: what was read of it is believed only if its word has the same serial number before and after, as in a
//! dump (`watching/look.rs`).

use crate::contract::Config;
use crate::records::g::G;
use crate::records::g::extra::Reader;
use crate::records::g::word::Status;
use crate::records::m::M;
use crate::records::m::door::Way;
use crate::shared::lists::Lists;
use crate::shared::sched::Sched;
use core::fmt::Write;
use core::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// At most this many are named, those that have had their threads for longest first.
const MOST: usize = 20;

/// A goroutine that has a thread.
struct Holder {
    number: u64,
    name: Option<Arc<str>>,
    created_at: &'static Location<'static>,
    what: &'static str,
    since: Option<u64>,
}

impl<C: Config> Sched<C> {
    /// Who has the threads, a line each, each with a line break before it. Under the lock.
    pub(crate) fn holders(&self, lists: &Lists<C>) -> String {
        let mut holders: Vec<_> = lists.all_m.iter().filter_map(|m| Holder::of(m)).collect();
        holders.sort_by_key(|holder| (holder.since.unwrap_or(u64::MAX), holder.number));
        let now = self.header.now();
        let mut text = String::new();
        for holder in holders.iter().take(MOST) {
            holder.write(now, &mut text).expect("a string takes everything");
        }
        if let more @ 1.. = holders.len().saturating_sub(MOST) {
            write!(text, "\nand {more} more").expect("a string takes everything");
        }
        text
    }
}

impl Holder {
    fn of(m: &M) -> Option<Self> {
        let locked = m.locked_g.get();
        let on_it = if locked.is_null() { m.running().cast_const() } else { locked };
        // SAFETY: records are never freed.
        let g: &G = unsafe { on_it.as_ref() }?;
        let before = g.word.glimpse();
        let without_p = before.status() == Status::Blocked;
        let what = match m.door.way() {
            _ if !locked.is_null() => "has locked its thread",
            _ if !without_p => "runs",
            _ if m.overrun.is_under_way() => "computes beside the Ps",
            Way::Taken => "blocked without saying so",
            Way::Aside => "runs on without a P",
            _ => "blocking call",
        };
        let reader = Reader::enter();
        let name = reader.look(&g.extra).and_then(|extra| extra.name.clone());
        drop(reader);
        let (number, created_at) = (g.number.get(), g.created_at.get());
        let since = without_p.then(|| m.lent_since.get());
        g.word.still(before).then_some(Self { number, name, created_at, what, since })
    }

    fn write(&self, now: u64, text: &mut String) -> core::fmt::Result {
        write!(text, "\ngoroutine {}", self.number)?;
        if let Some(name) = &self.name {
            write!(text, " [{name}]")?;
        }
        write!(text, " [{}", self.what)?;
        if let Some(since) = self.since {
            write!(text, ", {:.1?}", Duration::from_nanos(now.saturating_sub(since)))?;
        }
        write!(text, "]: created at {}", self.created_at)
    }
}
