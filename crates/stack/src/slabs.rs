//! `Slabs`: address space for the stacks of one class, reserved in growing pieces.
//!
//! A slab is one mapping. The first is small, each next one at most doubles what there is, up to 1 GiB: a million
//! stacks of 1 MiB take about 1,000, and a program with ten goroutines reserves 15 MiB. A reservation costs no
//! memory, but it counts against `ulimit -v`, and with `mlockall(MCL_FUTURE)` it is populated at once; so a refused
//! reservation is tried again at half its size, down to a single stack.

use core::ptr::NonNull;

use gmp_core::contract::{Region, Slab, StackError};

/// Stacks in the first slab, if they are small.
const FIRST: usize = 16;

/// The most that the first slab takes, in bytes, unless a single stack is larger.
const FIRST_BYTES: usize = 16 << 20;

/// The most that a slab takes, in bytes.
const MOST_BYTES: usize = 1 << 30;

/// The lowest usable address of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub(crate) struct Bottom(pub(crate) NonNull<u8>);

// SAFETY: stands for an owned stack, which belongs to no thread (`Stack` is Send for the same reason).
unsafe impl Send for Bottom {}

/// A stack that nobody has used yet, and whose guard is not installed.
pub(crate) struct Uncarved {
    slab: Slab,
    index: usize,
}

impl Uncarved {
    /// Installs the guard; after an error the stack can be put back with [`Slabs::put_back`].
    pub(crate) fn guard<R: Region>(&self, region: &R) -> Result<Bottom, StackError> {
        region.guard(&self.slab, self.index)?;
        // SAFETY: a stack is larger than its guard, so this lies in it.
        Ok(Bottom(unsafe { self.slab.stack(self.index).add(self.slab.guard()) }))
    }
}

/// All slabs of one class.
#[derive(Debug)]
pub(crate) struct Slabs {
    stride: usize,
    guard: usize,
    slabs: Vec<Slab>,
    /// How many stacks there are in all slabs.
    total: usize,
    /// How many stacks of the last slab have been carved.
    carved: usize,
    /// Stacks whose guard could not be installed and which will be tried again, as the slab's position and the
    /// position in it.
    refused: Vec<(usize, usize)>,
}

impl Slabs {
    /// No slabs yet; stacks will take `stride` bytes, of which the lowest `guard` are the guard.
    pub(crate) fn new(stride: usize, guard: usize) -> Self {
        Self { stride, guard, slabs: Vec::new(), total: 0, carved: 0, refused: Vec::new() }
    }

    /// The next stack that nobody has used: one that was refused before, or the lowest of the last slab.
    pub(crate) fn carve<R: Region>(&mut self, region: &R) -> Result<Uncarved, StackError> {
        if let Some((slab, index)) = self.refused.pop() {
            return Ok(Uncarved { slab: view(&self.slabs[slab]), index });
        }
        if self.slabs.last().is_none_or(|last| self.carved == last.count()) {
            self.grow(region)?;
        }
        let index = self.carved;
        self.carved += 1;
        let last = self.slabs.last().expect("grown above");
        Ok(Uncarved { slab: view(last), index })
    }

    /// Takes back a stack whose guard could not be installed.
    pub(crate) fn put_back(&mut self, stack: &Uncarved) {
        let slab = self.slabs.iter().rposition(|slab| slab.base() == stack.slab.base());
        self.refused.push((slab.expect("carved from one of these"), stack.index));
    }

    /// How many stacks have been carved and not put back.
    pub(crate) fn carved(&self) -> usize {
        let uncarved = self.slabs.last().map_or(0, |last| last.count() - self.carved);
        self.total - uncarved - self.refused.len()
    }

    /// Address space reserved, in bytes.
    pub(crate) fn reserved_bytes(&self) -> usize {
        self.total * self.stride
    }

    /// Reserves another slab.
    fn grow<R: Region>(&mut self, region: &R) -> Result<(), StackError> {
        let first = FIRST.min(FIRST_BYTES / self.stride).max(1);
        let most = (MOST_BYTES / self.stride).max(1);
        let mut count = self.total.clamp(first, most);
        loop {
            match region.reserve(count, self.stride, self.guard) {
                Ok(slab) => {
                    self.total += slab.count();
                    self.carved = 0;
                    self.slabs.push(slab);
                    return Ok(());
                }
                Err(error) if count == 1 => return Err(error),
                Err(_) => count /= 2,
            }
        }
    }

    /// Gives back every slab of which no stack is in use, given all free ones in order of their addresses.
    ///
    /// # Safety
    /// Nobody allocates from these slabs any more.
    pub(crate) unsafe fn release<R: Region>(&mut self, region: &R, free: &[Bottom]) {
        let last = self.slabs.len().wrapping_sub(1);
        for (position, slab) in self.slabs.drain(..).enumerate() {
            let uncarved = if position == last { slab.count() - self.carved } else { 0 };
            let refused = self.refused.iter().filter(|(of, _)| *of == position).count();
            let start = slab.base().addr().get();
            let end = start + slab.bytes();
            let free = free.partition_point(|stack| stack.0.addr().get() < end)
                - free.partition_point(|stack| stack.0.addr().get() < start);
            if uncarved + refused + free == slab.count() {
                // SAFETY: the slab came from this region, and all its stacks are accounted for as free.
                unsafe { region.release(slab) };
            }
        }
        self.refused.clear();
        self.total = 0;
        self.carved = 0;
    }
}

/// A second description of a slab, for use without the depot's lock. Slabs stay until the allocator is dropped.
fn view(slab: &Slab) -> Slab {
    // SAFETY: it is the same slab, and one of the two descriptions is released at most.
    unsafe { Slab::new(slab.base(), slab.count(), slab.stride(), slab.guard()) }
}
