//! Marks: what users write into the record of events, for the goroutine that runs.

use crate::entering::gate;
use crate::records::record::write_with;
use crate::records::recorder::{kind, text};
use crate::records::trace::SEPARATOR;

/// What is marked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Mark<'a> {
    /// A region of this name begins.
    RegionBegin(&'a str),
    /// The innermost one of this name ends.
    RegionEnd(&'a str),
    /// A message, with its category.
    Log(&'a str, &'a str),
}

/// Whether the caller is a goroutine whose events are recorded, also inside `on_system_stack`. Never suspends.
#[must_use]
pub fn is_recorded() -> bool {
    gate::step_aside();
    gate::here().is_some_and(|here| here.g().header().events.records())
}

/// Writes a mark, if the caller is a goroutine whose events are recorded, also inside `on_system_stack`. Longer texts than
/// 1,800 bytes are cut. Never suspends.
pub fn mark(mark: Mark<'_>) {
    gate::step_aside();
    let Some(here) = gate::here() else { return };
    let g = here.g();
    let events = &g.header().events;
    if !events.records() {
        return;
    }
    // What is put together here calls the allocator, which may be anybody's: before the P is held.
    let line;
    let (kind, said) = match mark {
        Mark::RegionBegin(name) => (kind::REGION_BEGIN, name),
        Mark::RegionEnd(name) => (kind::REGION_END, name),
        Mark::Log(category, message) => {
            line = format!("{category}{SEPARATOR}{message}");
            (kind::LOG, line.as_str())
        }
    };
    let m = here.m();
    // The P stays where it is meanwhile, so its ring is ours.
    let hold = m.door.hold();
    if hold.found_p() {
        write_with(events, Some(m), kind, 0, g.number.get(), text(said));
    } else {
        events.write_shared(Some(m.id), None, kind, 0, g.number.get(), text(said));
    }
}
