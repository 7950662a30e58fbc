//! Who can go on: which of the goroutines that wait somebody can still reach, by what stands in memory.
//!
//! Each goroutine that waits without a deadline at channels, for a mutex or for another goroutine may be one that never goes
//! on. It does if one of its channels is *reached*: if the channel's address, which is what each handle holds, stands in
//! memory that counts. All memory counts at first but the stacks of these goroutines and the channels' own. What a goroutine
//! that goes on has on its stack counts then, too, and so does a stack into which something that counts points: whoever
//! has borrowed a handle there can use it. What is left in the end goes on by nobody. Go 1.27 finds leaked goroutines so by
//! its collector's marks (`findGoroutineLeaks`, mgc.go).
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
    /// What of a channel's own memory does not count as long as nobody reaches it: all of it but its buffer. The counts of its
    /// handles are among that (`Counted` of gmp-sync).
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
