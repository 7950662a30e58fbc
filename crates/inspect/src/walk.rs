//! A walk along copied stacks: from registers and bytes to return addresses.

use crate::modules::{Unwinder, unwinder};
use core::ops::Range;
use framehop::{CacheNative, MayAllocateDuringUnwind, UnwindRegsNative, Unwinder as _};
use gmp_arch_amd64::{MOST_COPIED, Registers, capture, copy_memory};
use gmp_core::contract::{Context, SavedRegisters};
use std::time::Duration;

const WORD: usize = size_of::<usize>();

/// The most frames of one stack. Go: 100 (`tracebackInnerFrames` and `tracebackOuterFrames`).
const MOST_FRAMES: usize = 100;

/// For how long a running thread is asked to show itself, if it runs among many: it may have to wait for a CPU.
const PATIENCE: Duration = Duration::from_millis(100);

/// A copied stack, and what walks along it.
pub(crate) struct Walk {
    unwinder: Unwinder,
    cache: CacheNative<MayAllocateDuringUnwind>,
    copy: Vec<u8>,
    /// Where the copy was made, and its registers; `None`: there is no copy.
    at: Option<(usize, Registers)>,
    pcs: Vec<usize>,
}

/// A stack that was copied to be walked along later.
pub(crate) struct Copy {
    stack: Vec<u8>,
    registers: Registers,
}

/// Empties a list, and its memory too: who searches memory for those who refer to something (`leaks.rs`) is not to find
/// copies of stacks there, or addresses on some.
pub(crate) fn wipe<T>(list: &mut Vec<T>) {
    list.clear();
    let spare = list.spare_capacity_mut();
    spare.fill_with(core::mem::MaybeUninit::zeroed);
    core::hint::black_box(spare);
}

impl Drop for Walk {
    fn drop(&mut self) {
        wipe(&mut self.copy);
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        wipe(&mut self.stack);
    }
}

impl Copy {
    /// Copies what a thread executes, if the thread shows itself within `patience`.
    pub(crate) fn capture(thread: i32, slot: usize, patience: Duration) -> Option<Self> {
        let mut stack = Vec::new();
        let registers = capture(thread, slot, patience, &mut stack)?;
        Some(Self { stack, registers })
    }
}

impl Walk {
    pub(crate) fn new() -> Self {
        Self::over(Vec::with_capacity(MOST_COPIED), None)
    }

    /// A walk along one stack.
    pub(crate) fn along(mut copy: Copy) -> Self {
        let stack = core::mem::take(&mut copy.stack);
        Self::over(stack, Some((copy.registers.sp, copy.registers)))
    }

    fn over(copy: Vec<u8>, at: Option<(usize, Registers)>) -> Self {
        Self { unwinder: unwinder(), cache: CacheNative::new(), copy, at, pcs: Vec::new() }
    }

    /// Copies a suspended stack.
    pub(crate) fn copy(&mut self, context: Context, saved: SavedRegisters, stack: &Range<usize>) {
        let start = context.0.addr();
        self.at = None;
        if !stack.contains(&start) {
            return;
        }
        self.copy.resize((stack.end - start).min(MOST_COPIED), 0);
        let copied = copy_memory(start, &mut self.copy);
        self.copy.truncate(copied);
        let word = |at: usize| word_at(&self.copy, at * WORD);
        if let (Some(pc), Some(frame_pointer)) = (word(saved.pc), word(saved.frame_pointer)) {
            self.at = Some((start, Registers { pc, sp: start + saved.words * WORD, frame_pointer }));
        }
    }

    /// Copies what a thread executes.
    pub(crate) fn capture(&mut self, thread: i32, slot: usize) {
        self.at = capture(thread, slot, PATIENCE, &mut self.copy).map(|registers| (registers.sp, registers));
    }

    /// Copies what a thread executes, goroutine or not, and returns what its current-G slot held. `None`: the thread does
    /// not show itself so soon.
    #[cfg(feature = "profile")]
    pub(crate) fn capture_any(&mut self, thread: i32, patience: Duration) -> Option<usize> {
        self.at = None;
        let (registers, slot) = gmp_arch_amd64::capture_any(thread, patience, &mut self.copy)?;
        self.at = Some((registers.sp, registers));
        Some(slot)
    }

    /// Forgets the copy.
    pub(crate) fn forget(&mut self) {
        self.at = None;
    }

    /// The addresses of the copied stack, innermost first: the place where it stands, then the places to which its
    /// calls return. There are none without a copy. This uses the copy up.
    pub(crate) fn addresses(&mut self) -> &[usize] {
        self.pcs.clear();
        let Some((start, registers)) = self.at.take() else { return &self.pcs };
        let copy = &self.copy;
        let mut read = |address: u64| {
            let offset = (address as usize).checked_sub(start).ok_or(())?;
            word_at(copy, offset).map(|word| word as u64).ok_or(())
        };
        let begin =
            UnwindRegsNative::new(registers.pc as u64, registers.sp as u64, registers.frame_pointer as u64);
        let mut frames = self.unwinder.iter_frames(registers.pc as u64, begin, &mut self.cache, &mut read);
        // An error is where the walk ends: the copy is not deep enough, or there are no tables.
        while let Ok(Some(frame)) = frames.next() {
            self.pcs.push(frame.address() as usize);
            if self.pcs.len() == MOST_FRAMES {
                break;
            }
        }
        &self.pcs
    }
}

fn word_at(copy: &[u8], offset: usize) -> Option<usize> {
    let word = copy.get(offset..offset.checked_add(WORD)?)?;
    Some(usize::from_ne_bytes(word.try_into().ok()?))
}
