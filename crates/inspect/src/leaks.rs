//! Leaks: goroutines of a runtime that never go on, whatever the rest of the program does.
//!
//! ```text
//!   standstill     all threads stop; the process is copied; who waits for what, and where stacks are alive, is read
//!   in the copy    who can be reached, by the rule of `reach.rs`
//!   a little later the goroutines are looked at once more: whoever is in another wait was no leak, and all begins anew
//! ```
//!
//! **What is promised.** All that is told is of one moment, as no thread of the process does anything at it. So no handle
//! can hide by being moved meanwhile. What is not known counts as reached: a stack of which nobody knows how much of it
//! is alive counts as a whole, and so does all of a thread's.
//!
//! What counts for nothing: what lies below the living part of a goroutine's stack, free stacks, and the stack of the
//! thread that asks, below the call. All these are remains.

use crate::cycles::LASTS;
use crate::memory::Memory;
use crate::reach::{By, Channel, Found, Part, Waits, Wanted, never};
use crate::sights::All;
use crate::threads::threads;
use crate::walk::wipe;
use core::ops::Range;
use gmp_arch_amd64::{Snapshot, StackSlabs, standstill};
use gmp_core::WaitReason;
use gmp_core::runtime::Handle;
use gmp_core::sight::{Address, ByStack, Object, Sight, State};
use gmp_core::standing::{Channels, Records, Standing, Stands, stacks_are_left};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::time::Duration;

/// How long threads may take to stop.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often it is tried to find a moment of which all can be told.
const TRIES: usize = 5;
/// How far below the call the stack of the thread that asks is taken to be nobody's.
const OWN: usize = 1 << 20;

/// A goroutine by number, and its wait.
type Named = (u64, u64);

/// The goroutines of a runtime that never go on. For a thread that is no M, with a thread's stack.
pub(crate) fn find(handle: &Handle) -> HashSet<Named> {
    if !all_can_stop() {
        return by_locks_and_joins(handle);
    }
    for room in (0..TRIES).map(|tries| 4096 << (2 * tries)) {
        let Some(moment) = Moment::of(handle, room) else { continue };
        // Without the memory of the copy, locks and joins are what there is.
        let Ok(found) = moment.leaked() else { break };
        drop(moment);
        if found.is_empty() {
            return HashSet::new();
        }
        std::thread::sleep(LASTS);
        let mut later = All::default();
        handle.look(&mut later);
        let still: HashMap<Named, Option<Address>> =
            later.sights.iter().map(|sight| ((sight.number, sight.wait), sight.held_from)).collect();
        if found.iter().all(|(name, held_from)| still.get(name) == Some(held_from)) {
            return found.into_keys().collect();
        }
    }
    by_locks_and_joins(handle)
}

/// Whether no thread blocks the signal by which threads are stopped.
fn all_can_stop() -> bool {
    let blocks = |thread: i32| {
        let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
        Some(u64::from_str_radix(mask.trim(), 16).ok()? >> (gmp_arch_amd64::SIGNAL - 1) & 1 != 0)
    };
    // One that has ended meanwhile blocks nothing.
    !threads().any(|thread| blocks(thread).unwrap_or(false))
}

/// Those who never go on as far as locks and joins can tell. They are looked at twice.
fn by_locks_and_joins(handle: &Handle) -> HashSet<Named> {
    let look = || {
        let mut all = All::default();
        handle.look(&mut all);
        let stacks = ByStack::new(all.sights.iter().map(|sight| (sight.stack.clone(), sight.number)));
        let waiting = all.sights.iter().filter(|sight| !sight.timed && !sight.system);
        let places: HashMap<u64, usize> = waiting.clone().map(|sight| sight.number).zip(0..).collect();
        let by = |sight: &Sight| match sight.state() {
            State::Waiting { reason: WaitReason::SelectNoCases, .. } => By::Nobody,
            State::Waiting { at: Some(Object::Goroutine(joined)), .. } => {
                By::Another(places.get(&joined).copied())
            }
            _ => By::Another(
                sight
                    .held_from
                    .and_then(|from| stacks.find(from.get()))
                    .and_then(|one| places.get(&one).copied()),
            ),
        };
        let waits: Vec<_> = waiting.clone().map(|sight| Waits { by: by(sight), stack: 0..0 }).collect();
        let nothing_read = |_, _: &Wanted, _: &mut dyn FnMut(Found)| Ok::<_, io::Error>(());
        let never = never(&waits, nothing_read).unwrap_or_default();
        waiting
            .zip(never)
            .filter(|(_, never)| *never)
            .map(|(sight, _)| ((sight.number, sight.wait), sight.held_from))
            .collect::<BTreeMap<Named, Option<Address>>>()
    };
    let first = look();
    if first.is_empty() {
        return HashSet::new();
    }
    std::thread::sleep(LASTS);
    let second = look();
    // Whoever waited for one that goes on goes on as well, so all or nothing.
    if first.iter().all(|one| second.get(one.0) == Some(one.1)) {
        first.into_keys().collect()
    } else {
        HashSet::new()
    }
}

/// The process at one moment.
struct Moment {
    snapshot: Snapshot,
    slabs: StackSlabs,
    /// Every goroutine, and how many channels it waits at.
    goroutines: Vec<(Standing, usize)>,
    /// Those channels, one goroutine's after the other's.
    channels: Vec<Channel>,
    /// From where on the stacks of the threads are alive, by address.
    threads: Vec<usize>,
    /// Where the stack of the thread that asks was.
    own: usize,
    /// Whether free stacks are known to be nobody's.
    free_is_free: bool,
}

impl Drop for Moment {
    fn drop(&mut self) {
        wipe(&mut self.goroutines);
        wipe(&mut self.threads);
    }
}

impl Moment {
    /// With room for so many channels. `None`: it was not to be had; the next one may.
    fn of(handle: &Handle, room: usize) -> Option<Self> {
        let (records, slabs) = (handle.records(), StackSlabs::now());
        // All the room beforehand, as there is no memory to be had while threads stand still.
        let (mut goroutines, mut channels) = (Vec::with_capacity(records.len()), Vec::with_capacity(room));
        let mut threads = Vec::with_capacity(4096);
        let mut whole = true;
        let here = 0_u8;
        let own = core::ptr::from_ref(&here).addr();
        // SAFETY: all of these have room for what is put in, and nothing else here takes memory or a lock.
        let (snapshot, free_is_free) = unsafe {
            standstill(PATIENCE, |stopped| {
                whole = read(&records, &mut goroutines, &mut channels) && slabs.are_there();
                threads.extend(stopped.take(threads.capacity()));
                !stacks_are_left()
            })
        }?;
        threads.sort_unstable();
        let moment = Self { snapshot, slabs, goroutines, channels, threads, own, free_is_free };
        (whole && records.are_all()).then_some(moment)
    }

    /// Who never goes on, and where the mutexes that they wait for were taken.
    fn leaked(&self) -> io::Result<HashMap<Named, Option<Address>>> {
        let (mut waits, names) = self.waits();
        let mut memory = Memory::of(self.snapshot.process())?;
        let mut rest = self.what_counts(&memory, &waits);
        let own = memory
            .around(self.own)
            .map_or(0..0, |mapping| mapping.addresses.start.max(self.own.saturating_sub(OWN))..self.own);
        let never = never(&waits, |part, wanted, tell| match part {
            Part::All => memory.read(&rest, &mut |bytes, at| {
                wanted.search(bytes, at, &mut |at, found| {
                    if !own.contains(&at) && !wanted.is_in_channel(at) {
                        tell(found);
                    }
                });
            }),
            Part::Stack(place) => {
                memory.read(core::slice::from_ref(&waits[place].stack), &mut |bytes, at| {
                    wanted.search(bytes, at, &mut |_, found| tell(found));
                })
            }
            Part::Channel(channel) => {
                let start = channel.address();
                memory.read(core::slice::from_ref(&(start..start + Channel::SIZE)), &mut |bytes, at| {
                    wanted.search(bytes, at, &mut |_, found| tell(found));
                })
            }
        });
        wipe(&mut rest);
        wipe(&mut waits);
        Ok(names.into_iter().zip(never?).filter(|(_, never)| *never).map(|(name, _)| name).collect())
    }

    /// Whether a thread executes something on this stack, and from where on that is alive then.
    fn thread_on(&self, stack: &Range<usize>) -> Option<usize> {
        let first = self.threads.partition_point(|&from| from < stack.start);
        self.threads.get(first).copied().filter(|from| stack.contains(from))
    }

    /// The goroutines that wait for what somebody may or may not do, with their names, and where the mutexes that they wait
    /// for were taken.
    fn waits(&self) -> (Vec<Waits>, Vec<(Named, Option<Address>)>) {
        let mut next = 0;
        let mut found = Vec::with_capacity(self.goroutines.len());
        for (at, (goroutine, count)) in self.goroutines.iter().enumerate() {
            let channels = next..next + count;
            next += count;
            let Stands::Waits { reason, timed: false, .. } = goroutine.is else { continue };
            let known = matches!(
                reason,
                WaitReason::ChanSend
                    | WaitReason::ChanReceive
                    | WaitReason::Select
                    | WaitReason::SelectNoCases
                    | WaitReason::Join
                    | WaitReason::Mutex
            );
            if goroutine.wanted && known && self.thread_on(&goroutine.stack).is_none() {
                found.push((at, channels));
            }
        }
        let places: HashMap<usize, usize> = found.iter().map(|(at, _)| *at).zip(0..).collect();
        let wanted = self
            .goroutines
            .iter()
            .zip(0..)
            .filter(|((goroutine, _), _)| goroutine.wanted && goroutine.is != Stands::Free);
        let numbers: HashMap<u64, usize> =
            wanted.map(|((goroutine, _), at)| (goroutine.number, at)).collect();
        let stacks = self.goroutines.iter().zip(0..).map(|((one, _), at)| (one.stack.clone(), at));
        let stacks = ByStack::new(stacks);
        let mut waits = Vec::with_capacity(found.len());
        let mut names = Vec::with_capacity(found.len());
        for (at, channels) in found {
            let goroutine = &self.goroutines[at].0;
            let Stands::Waits { reason, wait, from, joins, held_from, .. } = goroutine.is else { continue };
            let another = |at: Option<usize>| By::Another(at.and_then(|at| places.get(&at).copied()));
            let by = match reason {
                WaitReason::SelectNoCases => By::Nobody,
                WaitReason::Join => another(joins.and_then(|number| numbers.get(&number).copied())),
                WaitReason::Mutex => {
                    let holder = held_from.and_then(|from| stacks.find(from.get()));
                    another(holder.and_then(|at| usize::try_from(at).ok()))
                }
                _ if channels.is_empty() => By::Another(None),
                _ => By::Channels(self.channels[channels].to_vec()),
            };
            let stack = if goroutine.stack.contains(&from) { from..goroutine.stack.end } else { 0..0 };
            waits.push(Waits { by, stack });
            names.push(((goroutine.number, wait), held_from));
        }
        (waits, names)
    }

    /// All memory but what is nobody's, and the stacks of those who wait.
    fn what_counts(&self, memory: &Memory, waits: &[Waits]) -> Vec<Range<usize>> {
        let asked: HashSet<usize> = waits.iter().map(|one| one.stack.start).collect();
        let stacks = || self.goroutines.iter().filter(|(goroutine, _)| !goroutine.stack.is_empty());
        let mut left_out: Vec<_> = stacks().map(|(goroutine, _)| goroutine.stack.clone()).collect();
        if self.free_is_free {
            left_out.extend(self.slabs.all().cloned());
        }
        let mut counts = without(memory.mappings().cloned(), &mut left_out);
        wipe(&mut left_out);
        let mut of_somebody = HashSet::new();
        for (goroutine, _) in stacks() {
            let Range { start, end } = goroutine.stack;
            match (goroutine.is, self.thread_on(&goroutine.stack)) {
                (_, Some(from)) => {
                    of_somebody.insert(from);
                    counts.push(from..end);
                }
                (Stands::Waits { from, .. }, None) if asked.contains(&from) => {}
                (Stands::Waits { from, .. }, None) if goroutine.stack.contains(&from) => {
                    counts.push(from..end)
                }
                _ => counts.push(start..end),
            }
        }
        // A thread on a stack that is no goroutine's at this moment: one begins there, or has just ended.
        let others = self.threads.iter().filter(|from| !of_somebody.contains(from));
        counts.extend(others.filter_map(|&from| Some(from..self.slabs.stack_at(from)?.end)));
        counts
    }
}

/// Reads the records while all threads stand still. `false`: there was no room for all channels.
fn read(records: &Records, goroutines: &mut Vec<(Standing, usize)>, channels: &mut Vec<Channel>) -> bool {
    let mut whole = true;
    let see = |standing: Standing, tell: &Channels<'_>| {
        let before = channels.len();
        tell(&mut |address| {
            whole &= channels.len() < channels.capacity();
            if whole {
                channels.push(Channel::at(address));
            }
        });
        goroutines.push((standing, channels.len() - before));
    };
    // SAFETY: our caller's threads stand still, and there is room for all that is put in.
    unsafe { records.read(see) };
    whole
}

/// Ranges without others, which this sorts.
fn without(ranges: impl Iterator<Item = Range<usize>>, others: &mut [Range<usize>]) -> Vec<Range<usize>> {
    others.sort_unstable_by_key(|range| range.start);
    let (mut rest, mut next) = (Vec::with_capacity(others.len() * 2 + 1024), 0);
    for range in ranges {
        let mut start = range.start;
        while next < others.len() && others[next].end <= start {
            next += 1;
        }
        let mut at = next;
        while at < others.len() && others[at].start < range.end {
            if others[at].start > start {
                rest.push(start..others[at].start);
            }
            start = start.max(others[at].end);
            at += 1;
        }
        if start < range.end {
            rest.push(start..range.end);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_may_overlap_and_reach_over_the_ends() {
        let others = &mut [5..7, 15..40, 18..20, 6..12, 60..61, 0..1];
        let rest = without([0..10, 10..20, 30..50, 50..70].into_iter(), others);
        assert_eq!(rest, [1..5, 12..15, 40..50, 50..60, 61..70]);
    }
}
