//! The blueprint: what the photographs of two newborn threads say about every block.
//!
//! Two threads at two addresses show what a word is: one that points into its own block in both is moved along with the
//! block, one that holds the thread's tid is the tid, and so on. If something must be found in exactly one place and is
//! not, the attempt ends.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::base::{CARRIED, PER_LEVEL, at};
use super::key::Key;
use super::missing::Missing;
use super::newborn::{self, Module, Newborn};
use super::symbols::{self, Symbols};
use super::{chain, modules};

/// The lowest tid that the kernel never gives (`PID_MAX_LIMIT`).
const FIRST_TID: u32 = 1 << 22;
/// `RSEQ_CPU_ID_REGISTRATION_FAILED`.
const RSEQ_FAILED: i32 = -2;
/// glibc's mark of a module whose part has not been made.
const UNALLOCATED: usize = usize::MAX;

/// A word that differs from block to block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    /// Points this many bytes from the base.
    Own(isize),
    Zero,
}

/// Everything about blocks except the contents of thread-locals, which change with the modules that are loaded.
pub(super) struct Blueprint {
    /// Bytes below the base, the reserve included.
    pub(super) below: usize,
    /// Bytes from the base on.
    pub(super) above: usize,
    pub(super) align: usize,
    /// The words from the lowest thread-local to the block's end, in a block at address 0.
    words: Vec<(isize, u64)>,
    specials: Vec<(isize, Special)>,
    tid: isize,
    /// The address of the stack, and its size.
    stack: (isize, isize),
    pub(super) list: isize,
    pub(super) errno: isize,
    dtv: Vec<[usize; 2]>,
    /// The base that the dtv's addresses belong to.
    dtv_base: usize,
    pub(super) keys: Keys,
    pub(super) symbols: Symbols,
}

/// Where a block keeps values of pthread keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    /// The byte that says whether a key has ever had a value.
    pub(super) used: isize,
    /// The pointers to the second level: the first one points into the block.
    pub(super) levels: isize,
}

/// The contents of the thread-locals of all modules but libc's, which make a block fresh.
pub(super) struct Image {
    /// Runs of bytes: where, and what.
    runs: Vec<(isize, Box<[u8]>)>,
    pub(super) adds: u64,
}

/// So long the system may refuse the thread that shows a new library's thread-locals. No goroutine begins before.
const PATIENCE: Duration = Duration::from_secs(10);

static BLUEPRINT: OnceLock<Blueprint> = OnceLock::new();
/// The present image. An old one is never freed: somebody may be copying from it.
static IMAGE: AtomicPtr<Image> = AtomicPtr::new(ptr::null_mut());

/// The blueprint. It exists only after [`draw`].
#[inline]
pub(super) fn blueprint() -> &'static Blueprint {
    match BLUEPRINT.get() {
        Some(blueprint) => blueprint,
        None => gmp_core::fatal!("blocks are made after the blueprint", "no blueprint has been drawn"),
    }
}

/// Makes the experiments, unless they have been made.
pub(super) fn draw() -> Result<(), Missing> {
    if BLUEPRINT.get().is_some() {
        return Ok(());
    }
    let symbols = symbols::find()?;
    let key = Key::make(symbols)?;
    // Another thread of the program may be born between the two, and then they are not neighbours.
    for _ in 0..8 {
        let (older, newer) = (newborn::bookend(key.number(), true)?, newborn::bookend(key.number(), false)?);
        if !older.shows_all() || !newer.shows_all() {
            return Err(Missing::new("the block of a new thread does not lie at the top of its stack"));
        }
        let Some(list) = chain::find_links(&older, &newer) else { continue };
        let blueprint = Blueprint::from(&older, &newer, list, &key, symbols)?;
        for bookend in [&older, &newer] {
            // The kernel will give the tid to another thread one day, and signals for that one must not go by this
            // block.
            blueprint.set_tid(bookend.base);
        }
        chain::set_ends(newer.base, older.base, list);
        IMAGE.store(Box::into_raw(Box::new(Image::of(&older, blueprint.errno)?)), Ordering::Release);
        // With another malloc, or one that keeps its caches elsewhere, each block has its own.
        let carried =
            if let [one, other] = older.filled_by_malloc[..] { [one, other] } else { [spare_word(); 2] };
        // SAFETY: nobody reads it before the first block, which is made after the blueprint, and this comes here once.
        unsafe { *CARRIED.0.get() = carried };
        modules::watch();
        // Set once: one at a time draws, and there was none.
        let _ = BLUEPRINT.set(blueprint);
        return Ok(());
    }
    Err(Missing::new("new threads do not become neighbours on glibc's list of threads"))
}

/// Returns the image, made anew if modules have been loaded or unloaded since it was made.
#[cold]
pub(super) fn renew_image() -> &'static Image {
    static RENEWING: Mutex<()> = Mutex::new(());
    let _one = RENEWING.lock().unwrap_or_else(PoisonError::into_inner);
    let present = image();
    let adds = modules::adds();
    if present.adds == adds {
        return present;
    }
    let make = || {
        let newborn = newborn::visitor(Key::make(blueprint().symbols)?.number())?;
        Image::of(&newborn, blueprint().errno)
    };
    let begun = Instant::now();
    let mut made = make();
    while made.as_ref().is_err_and(Missing::is_for_now) && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
        made = make();
    }
    match made {
        Ok(mut image) => {
            image.adds = adds;
            let image = Box::leak(Box::new(image));
            IMAGE.store(image, Ordering::Release);
            image
        }
        Err(missing) => {
            gmp_core::fatal!("a library's thread-locals can be seen in a new thread", "{missing}")
        }
    }
}

/// The present image.
#[inline]
pub(super) fn image() -> &'static Image {
    // ORDER: image. Pairs with the stores in `draw` and `renew_image`.
    let image = IMAGE.load(Ordering::Acquire);
    // SAFETY: set by `draw`, before there are blocks, and never freed.
    unsafe { &*image }
}

/// Writes into a block where the stack lies that its flow runs on.
pub(crate) fn describe_stack(base: usize, bottom: usize, size: usize) {
    let (address, length) = blueprint().stack;
    // SAFETY: a block in the caller's hands.
    unsafe {
        at(base, address).write(bottom as u64);
        at(base, length).write(size as u64);
    }
}

impl Blueprint {
    fn from(
        older: &Newborn,
        newer: &Newborn,
        list: isize,
        key: &Key,
        symbols: Symbols,
    ) -> Result<Self, Missing> {
        let above = older.above();
        let used = older.used().next_multiple_of(8);
        if above != newer.above() || used != newer.used().next_multiple_of(8) {
            return Err(Missing::new("the blocks of two new threads differ in size"));
        }
        let tid = find_tid(older, newer)?;
        let keys = find_keys(older, key)?;
        let align = older.modules.iter().map(|module| module.align).fold(64, usize::max);
        if align > 4096 || !align.is_power_of_two() || !older.base.is_multiple_of(align) {
            return Err(Missing::new(format!("a module wants its thread-locals aligned to {align} bytes")));
        }
        let mut drawn = Self {
            below: (older.base - older.frame).max(newer.base - newer.frame).next_multiple_of(align),
            above: above.cast_unsigned().next_multiple_of(align),
            align,
            words: Vec::new(),
            specials: Vec::new(),
            tid,
            stack: (0, 0),
            list,
            errno: older.errno,
            dtv: older.dtv.clone(),
            dtv_base: older.base,
            keys,
            symbols,
        };
        let mut stacks = (Vec::new(), Vec::new());
        for ((offset, word), (_, other)) in
            older.words(-used.cast_signed(), above).zip(newer.words(-used.cast_signed(), above))
        {
            drawn.note(offset, [(word, older), (other, newer)], &mut stacks)?;
        }
        let ([address], [size]) = (&stacks.0[..], &stacks.1[..]) else {
            return Err(Missing::new("a new thread's block does not say once where its stack is"));
        };
        drawn.stack = (*address, *size);
        drawn.shorten_dtv();
        Ok(drawn)
    }

    /// Decides what a word is.
    fn note(
        &mut self,
        offset: isize,
        seen: [(u64, &Newborn); 2],
        stacks: &mut (Vec<isize>, Vec<isize>),
    ) -> Result<(), Missing> {
        let [(word, older), (other, newer)] = seen;
        let (value, value2) = (usize::try_from(word).unwrap_or(0), usize::try_from(other).unwrap_or(0));
        let in_block = (older.base - older.used()..older.top).contains(&value);
        let from_base = value.wrapping_sub(older.base).cast_signed();
        let links = [self.list, self.list + 8];
        let rseq = self.symbols.is_rseq(offset);
        if offset == 8 || links.contains(&offset) || rseq || offset == self.tid & !7 {
            // The dtv, the links, rseq's area and the tid are written by `stamp` and the chain.
            return Ok(());
        }
        if in_block && value2.wrapping_sub(newer.base).cast_signed() == from_base {
            self.specials.push((offset, Special::Own(from_base)));
        } else if offset > 0 && value == older.low && value2 == newer.low {
            stacks.0.push(offset);
        } else if offset > 0 && value == newborn::STACK && value2 == newborn::STACK {
            stacks.1.push(offset);
        } else if older.is_private(value) && newer.is_private(value2) {
            self.specials.push((offset, Special::Zero));
        } else if word == other {
            if word != 0 {
                self.words.push((offset, word));
            }
        } else {
            return Err(Missing::new(format!(
                "what a new thread's block holds at {offset} is not understood"
            )));
        }
        Ok(())
    }

    /// Keeps only the part of the dtv that is in use: glibc lengthens it when it must.
    fn shorten_dtv(&mut self) {
        let used = self.dtv.iter().rposition(|entry| entry[0] != 0 && entry[0] != UNALLOCATED).unwrap_or(0);
        self.dtv.truncate(used + 1);
    }

    /// Makes a block of fresh zeroed memory; `None`: no memory for its dtv.
    pub(super) fn stamp(&self, base: usize) -> Option<()> {
        let len = self.dtv.len();
        // glibc reallocates it, so it must come from the same malloc; one entry in front says how long it is.
        // SAFETY: allocates.
        let dtv = unsafe { libc::malloc((len + 1) * size_of::<[usize; 2]>()) }.cast::<[usize; 2]>();
        if dtv.is_null() {
            return None;
        }
        let (own, size) = (self.dtv_base - self.below, self.below + self.above);
        // SAFETY: so large it was allocated.
        unsafe {
            dtv.write([len - 1, 0]);
            for (index, &[value, _]) in self.dtv.iter().enumerate() {
                let moved = if index > 0 && value.wrapping_sub(own) < size {
                    value.wrapping_sub(self.dtv_base).wrapping_add(base)
                } else {
                    value
                };
                dtv.add(index + 1).write([moved, 0]);
            }
            at(base, 8).write(dtv.add(1).expose_provenance() as u64);
        }
        for &(offset, word) in &self.words {
            // SAFETY: inside the block, which is the caller's alone.
            unsafe { at(base, offset).write(word) };
        }
        for &(offset, special) in &self.specials {
            if let Special::Own(from_base) = special {
                // SAFETY: as above.
                unsafe { at(base, offset).write(base.wrapping_add_signed(from_base) as u64) };
            }
        }
        self.set_tid(base);
        if let Some(rseq) = self.symbols.rseq {
            // SAFETY: as above; the second field of the area is the CPU's number or what is wrong.
            unsafe { at(base, rseq).cast::<i32>().add(1).write(RSEQ_FAILED) };
        }
        self.freshen(base, image());
        Some(())
    }

    /// Writes a tid into a block that no kernel thread has.
    fn set_tid(&self, base: usize) {
        static NEXT: AtomicU32 = AtomicU32::new(FIRST_TID);
        // The tid stays below the bits that futexes use for flags. After a thousand million blocks the numbers come
        // again.
        let tid = NEXT.fetch_add(1, Ordering::Relaxed) & 0x3fff_ffff | FIRST_TID;
        let at: *mut u32 = ptr::with_exposed_provenance_mut(base.wrapping_add_signed(self.tid));
        // SAFETY: inside a block that nobody runs on.
        unsafe { at.write(tid) };
    }

    /// Makes the thread-locals of all modules but libc's what they are in a new thread.
    #[inline]
    pub(super) fn freshen(&self, base: usize, image: &Image) {
        for (offset, bytes) in &image.runs {
            let to: *mut u8 = ptr::with_exposed_provenance_mut(base.wrapping_add_signed(*offset));
            // SAFETY: inside the block, on which nobody runs.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        }
        let errno: *mut i32 = ptr::with_exposed_provenance_mut(base.wrapping_add_signed(self.errno));
        // SAFETY: as above.
        unsafe { errno.write(0) };
    }

    /// Frees what glibc allocated for modules whose part lies elsewhere.
    #[inline]
    pub(super) fn free_dynamic(&self, base: usize) {
        // SAFETY: the block is the caller's; its dtv was made by `stamp` or lengthened by glibc.
        unsafe {
            let dtv: *mut [usize; 2] = ptr::with_exposed_provenance_mut(at(base, 8).read() as usize);
            let len = (*dtv.sub(1))[0];
            for index in 1..=len {
                let entry = dtv.add(index);
                if (*entry)[1] != 0 {
                    libc::free(ptr::with_exposed_provenance_mut((*entry)[1]));
                    *entry = [UNALLOCATED, 0];
                }
            }
        }
    }
}

impl Image {
    /// What the thread-locals of all modules but libc's were in a new thread.
    fn of(newborn: &Newborn, errno: isize) -> Result<Self, Missing> {
        let mut modules = newborn.modules.clone();
        modules.sort_by_key(|module| core::cmp::Reverse(module.below));
        let is_libc = |module: &Module| {
            let from = -module.below.cast_signed();
            (from..from + module.size.cast_signed()).contains(&errno)
        };
        if !modules.iter().any(is_libc) {
            return Err(Missing::new("errno lies in no module's thread-locals"));
        }
        let mut runs: Vec<(isize, Box<[u8]>)> = Vec::new();
        for module in modules.iter().filter(|module| !is_libc(module) && module.size > 0) {
            let from = -module.below.cast_signed();
            runs.push((from, newborn.bytes(from, module.size)));
        }
        Ok(Self { runs, adds: modules::adds() })
    }
}

/// The one place that holds the tid of each thread.
fn find_tid(older: &Newborn, newer: &Newborn) -> Result<isize, Missing> {
    let halves = |newborn: &Newborn, offset: isize| {
        let word = newborn.word(offset & !7);
        if offset & 4 == 0 { word as u32 } else { (word >> 32) as u32 }
    };
    let found: Vec<_> = (0..older.above())
        .step_by(4)
        .filter(|&offset| halves(older, offset) == older.tid && halves(newer, offset) == newer.tid)
        .collect();
    match found[..] {
        [one] => Ok(one),
        _ => Err(Missing::new("a new thread's block does not hold its tid once")),
    }
}

/// Finds where the values of keys lie, from where the value of one lies.
pub(super) fn find_keys(newborn: &Newborn, key: &Key) -> Result<Keys, Missing> {
    let unclear = || Missing::new("it is not clear where a thread keeps the values of pthread keys");
    let number = key.number() as usize;
    let level = 8 * (number / PER_LEVEL).cast_signed();
    let (levels, sequence) = if let Some(value) = newborn.key_value {
        // The first ones lie in the block. A value has its key's sequence number in front.
        let first = value - 8 - 16 * (number % PER_LEVEL).cast_signed();
        let leads_there = |&(_, word): &(isize, u64)| word == newborn.base.wrapping_add_signed(first) as u64;
        (newborn.words(0, newborn.above()).find(leads_there).ok_or_else(unclear)?.0, value - 8)
    } else {
        (newborn.key_level.ok_or_else(unclear)? - level, isize::MIN)
    };
    let flags: Vec<_> = newborn.key_flags.iter().filter(|&&flag| flag & !7 != sequence).collect();
    match flags[..] {
        [&used] => Ok(Keys { used, levels }),
        _ => Err(unclear()),
    }
}

core::arch::global_asm!(
    ".pushsection .tbss.gmp_spare, \"awT\", @nobits",
    ".balign 8",
    ".globl gmp_spare",
    ".hidden gmp_spare",
    ".type gmp_spare, @object",
    ".size gmp_spare, 8",
    "gmp_spare:",
    ".zero 8",
    ".popsection",
);

/// A word that the switch may take along and nobody reads.
fn spare_word() -> isize {
    let offset;
    // SAFETY: reads a constant of the global offset table.
    unsafe {
        core::arch::asm!("mov {}, qword ptr [rip + gmp_spare@GOTTPOFF]", out(reg) offset, options(nostack, preserves_flags, readonly));
    }
    offset
}
