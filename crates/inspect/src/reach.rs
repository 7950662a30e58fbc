//! Who can go on: which of the goroutines that wait somebody can still reach, by what stands in memory.
//!
//! Each goroutine that waits without a deadline at channels, for a mutex or for another goroutine may be one that never
//! goes on. It does if one of its channels is *reached*: if the channel's address, which is what each handle holds,
//! stands in memory that counts. All memory counts at first but the stacks of these goroutines and the channels' own.
//! What a goroutine that goes on has on its stack counts then, too, and so does a stack into which something that counts
//! points: whoever has borrowed a handle there can use it. What is left in the end goes on by nobody. Go 1.27 finds
//! leaked goroutines so by its collector's marks (`findGoroutineLeaks`, mgc.go).
//!
//! This file has the rule alone; memory is read by others (`leaks.rs`).

use core::ops::Range;
use std::collections::{HashMap, HashSet};

/// A channel. Its address is kept inverted, so that the next who searches memory does not find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Channel(usize);

impl Channel {
    /// Channels begin at multiples of this.
    const ALIGN: usize = 64;
    /// What of a channel's own memory does not count as long as nobody reaches it: all of it but its buffer. The counts
    /// of its handles are among that (`Counted` of gmp-sync).
    pub(crate) const SIZE: usize = 128;

    pub(crate) fn at(address: usize) -> Self {
        Self(!address)
    }

    pub(crate) fn address(self) -> usize {
        !self.0
    }
}

/// Who could make a goroutine go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Whoever has a handle of one of these.
    Channels(Vec<Channel>),
    /// This one: a goroutine by its place among those that wait. `None`: somebody else, who may.
    Another(Option<usize>),
    /// Nobody.
    Nobody,
}

/// A goroutine that waits without a deadline.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    pub(crate) by: By,
    /// The living part of its stack.
    pub(crate) stack: Range<usize>,
}

/// A part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All that counts from the beginning.
    All,
    /// The stack of the goroutine at this place.
    Stack(usize),
    /// What a channel consists of.
    Channel(Channel),
}

/// What stands in memory, as far as it matters.
pub(crate) struct Wanted {
    channels: HashMap<Channel, Vec<usize>>,
    /// The lowest address of a channel and the highest, inverted.
    channel_bounds: (usize, usize),
    /// The stacks by address, and whose they are.
    stacks: Vec<(Range<usize>, usize)>,
    stack_bounds: Range<usize>,
}

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The address of a channel.
    Channel(Channel),
    /// A pointer into the stack of the goroutine at this place.
    Stack(usize),
}

impl Wanted {
    fn of(waits: &[Waits]) -> Self {
        let mut channels = HashMap::<Channel, Vec<usize>>::new();
        for (place, one) in waits.iter().enumerate() {
            if let By::Channels(all) = &one.by {
                all.iter().for_each(|&channel| channels.entry(channel).or_default().push(place));
            }
        }
        let low = channels.keys().map(|channel| channel.address()).min().unwrap_or(usize::MAX);
        let high = channels.keys().map(|channel| channel.address()).max().unwrap_or(0);
        let mut stacks: Vec<_> = waits.iter().map(|one| one.stack.clone()).zip(0..).collect();
        stacks.retain(|(stack, _)| !stack.is_empty());
        stacks.sort_unstable_by_key(|(stack, _)| stack.start);
        let stack_bounds = match (stacks.first(), stacks.last()) {
            (Some((first, _)), Some((last, _))) => first.start..last.end,
            _ => 0..0,
        };
        Self { channels, channel_bounds: (!low, !high), stacks, stack_bounds }
    }

    /// Whether an address lies in a channel at which one of the goroutines waits.
    pub(crate) fn is_in_channel(&self, address: usize) -> bool {
        let start = address / Channel::ALIGN * Channel::ALIGN;
        let starts = (0..Channel::SIZE / Channel::ALIGN).map(|lines| start - lines * Channel::ALIGN);
        starts.map(Channel::at).any(|channel| self.channels.contains_key(&channel))
    }

    /// What a word is.
    #[inline]
    fn find(&self, word: usize) -> Option<Found> {
        let (low, high) = self.channel_bounds;
        if word >= !low && word <= !high && word.is_multiple_of(Channel::ALIGN) {
            let channel = Channel::at(word);
            return self.channels.contains_key(&channel).then_some(Found::Channel(channel));
        }
        if self.stack_bounds.contains(&word) && word.is_multiple_of(size_of::<usize>()) {
            let after = self.stacks.partition_point(|(stack, _)| stack.start <= word);
            let (stack, place) = self.stacks.get(after.checked_sub(1)?)?;
            // Where it begins its own record knows, and others who need not be able to go on with it.
            return (stack.start < word && word < stack.end).then_some(Found::Stack(*place));
        }
        None
    }

    /// Calls `tell` with what stands in some memory that begins at this address.
    pub(crate) fn search(&self, memory: &[u8], at: usize, tell: &mut dyn FnMut(usize, Found)) {
        let (words, _) = memory.as_chunks::<{ size_of::<usize>() }>();
        for (place, word) in words.iter().enumerate() {
            if let Some(found) = self.find(usize::from_ne_bytes(*word)) {
                tell(at + place * size_of::<usize>(), found);
            }
        }
    }
}

/// Which of the goroutines never go on. `read` searches a part of the memory for what is wanted.
///
/// # Errors
/// That of `read`.
pub(crate) fn never<E>(
    waits: &[Waits],
    mut read: impl FnMut(Part, &Wanted, &mut dyn FnMut(Found)) -> Result<(), E>,
) -> Result<Vec<bool>, E> {
    let wanted = Wanted::of(waits);
    let mut behind = HashMap::<usize, Vec<usize>>::new();
    let mut marks =
        Marks { goes: vec![false; waits.len()], counts: vec![false; waits.len()], parts: vec![Part::All] };
    for (place, one) in waits.iter().enumerate() {
        match one.by {
            By::Another(Some(other)) => behind.entry(other).or_default().push(place),
            By::Another(None) => marks.goes_on(place, &behind),
            _ => {}
        }
    }
    // Those behind one that was found before they were.
    for place in 0..waits.len() {
        if marks.goes[place] {
            marks.goes[place] = false;
            marks.goes_on(place, &behind);
        }
    }
    let mut reached = HashSet::new();
    while let Some(part) = marks.parts.pop() {
        read(part, &wanted, &mut |found| match found {
            Found::Channel(channel) if reached.insert(channel) => {
                marks.parts.push(Part::Channel(channel));
                wanted.channels[&channel].iter().for_each(|&place| marks.goes_on(place, &behind));
            }
            Found::Channel(_) => {}
            Found::Stack(place) => marks.count(place),
        })?;
    }
    Ok(marks.goes.iter().map(|goes| !goes).collect())
}

struct Marks {
    /// Who goes on.
    goes: Vec<bool>,
    /// Whose stack counts.
    counts: Vec<bool>,
    /// What is still to be read.
    parts: Vec<Part>,
}

impl Marks {
    fn count(&mut self, place: usize) {
        if !core::mem::replace(&mut self.counts[place], true) {
            self.parts.push(Part::Stack(place));
        }
    }

    fn goes_on(&mut self, place: usize, behind: &HashMap<usize, Vec<usize>>) {
        let mut left = vec![place];
        while let Some(place) = left.pop() {
            if !core::mem::replace(&mut self.goes[place], true) {
                self.count(place);
                left.extend(behind.get(&place).into_iter().flatten());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: usize = 0x7000_0000;
    const B: usize = 0x7000_0080;

    fn at(channels: &[usize], place: usize) -> Waits {
        let channels = channels.iter().map(|&address| Channel::at(address)).collect();
        Waits { by: By::Channels(channels), stack: stack(place) }
    }

    fn stack(place: usize) -> Range<usize> {
        0x1000 * place..0x1000 * place + 0x800
    }

    /// Who never goes on where this stands in memory: in what counts, and on each one's stack.
    fn judge(waits: &[Waits], all: &[usize], stacks: &[&[usize]]) -> Vec<bool> {
        let read = |part, wanted: &Wanted, tell: &mut dyn FnMut(Found)| {
            let words = match part {
                Part::All => all,
                Part::Stack(place) => stacks.get(place).copied().unwrap_or(&[]),
                Part::Channel(_) => &[],
            };
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            wanted.search(&bytes, 0, &mut |_, found| tell(found));
            Ok::<_, ()>(())
        };
        never(waits, read).unwrap()
    }

    #[test]
    fn a_channel_is_reached_from_what_counts_and_from_who_goes_on() {
        let waits = [at(&[A], 1), at(&[B], 2)];
        let on_stacks: [&[usize]; 2] = [&[A, B], &[B]];
        assert_eq!(judge(&waits, &[], &on_stacks), [true, true]);
        assert_eq!(judge(&waits, &[7, B], &on_stacks), [true, false]);
        assert_eq!(
            judge(&waits, &[A], &on_stacks),
            [false, false],
            "the first goes on, and has a handle of B"
        );
        assert_eq!(judge(&waits, &[A + 1, A + 8, !A], &on_stacks), [true, true]);
    }

    #[test]
    fn a_select_goes_on_by_any_of_its_channels() {
        assert_eq!(judge(&[at(&[A, B], 1)], &[B], &[&[]]), [false]);
        assert_eq!(judge(&[at(&[A, B], 1)], &[], &[&[]]), [true]);
    }

    #[test]
    fn a_stack_that_is_pointed_into_counts() {
        let (waits, stacks): (_, [&[usize]; 1]) = ([at(&[A], 1)], [&[A]]);
        assert_eq!(judge(&waits, &[0x1008], &stacks), [false]);
        assert_eq!(
            judge(&waits, &[0x1000, 0x1009, 0x1800], &stacks),
            [true],
            "the context, no pointer, the end"
        );
    }

    #[test]
    fn whoever_is_behind_another_goes_on_with_it() {
        let behind = |place, other| Waits { by: By::Another(other), stack: stack(place) };
        let waits = [
            behind(1, Some(1)),
            behind(2, Some(2)),
            at(&[A], 3),
            behind(4, Some(4)),
            behind(5, Some(3)),
            behind(6, None),
        ];
        assert_eq!(
            judge(&waits, &[], &[]),
            [true, true, true, true, true, false],
            "4 and 5 wait for each other"
        );
        assert_eq!(judge(&waits, &[A], &[]), [false, false, false, true, true, false]);
        let nobody = Waits { by: By::Nobody, stack: stack(7) };
        assert_eq!(judge(&[nobody, behind(1, Some(0))], &[0x7008], &[]), [true, true]);
    }

    #[test]
    fn all_but_the_buffer_of_a_channel_is_its_own() {
        let wanted = Wanted::of(&[at(&[A], 1)]);
        let own = [A - 1, A, A + 64, A + 127, A + 128].map(|address| wanted.is_in_channel(address));
        assert_eq!(own, [false, true, true, true, false]);
    }
}
