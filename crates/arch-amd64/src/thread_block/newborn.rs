//! A newborn thread is photographed: the layout of a thread's block and its first contents, learned by experiment.
//!
//! A thread whose stack we provide has its block at the top of our own memory, and glibc has just filled it. So what a
//! block must hold is read off there, and no offset of glibc's is written down anywhere in this crate.
//!
//! The threads that are photographed are *bookends*: their kernel half leaves by the bare system call, and glibc goes on
//! counting them among its threads. Two that were made one after the other are neighbours on glibc's list of threads,
//! and nobody but us changes what lies between them: there our blocks are linked in (`chain.rs`).

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicU32, Ordering};
use std::io;

use super::base::{PER_LEVEL, base};
use super::missing::Missing;
use super::symbols::{self, Symbols};

/// Bytes of a bookend's stack.
pub(super) const STACK: usize = 256 << 10;
/// How much of its upper end is photographed.
const PHOTO: usize = 64 << 10;
/// The most modules with thread-locals that a program may have at its start.
const MODULES: usize = 256;
/// What is put under the key to find where keys keep their values.
const MARK: usize = 0x5ead_0e7a_11a5_eed5;

/// One module's part of the static thread-locals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Module {
    /// Where it begins, in bytes below the thread's base.
    pub(super) below: usize,
    pub(super) size: usize,
    pub(super) align: usize,
}

/// What a thread that was just born looks like.
pub(super) struct Newborn {
    /// Its base: what the FS register holds.
    pub(super) base: usize,
    pub(super) tid: u32,
    pub(super) low: usize,
    /// The address just past its block.
    pub(super) top: usize,
    /// An address below its static thread-locals, their reserve included: its first frame.
    pub(super) frame: usize,
    photo: Box<[u64]>,
    pub(super) modules: Vec<Module>,
    pub(super) errno: isize,
    pub(super) dtv: Vec<[usize; 2]>,
    /// Words of the block, as bytes from the base, that the thread's first use of malloc filled.
    pub(super) filled_by_malloc: Vec<isize>,
    /// Where the value of the key that we passed lies; if it does not lie in the block, the word that leads to it; and
    /// the bytes which say that a key has a value.
    pub(super) key_value: Option<isize>,
    pub(super) key_level: Option<isize>,
    pub(super) key_flags: Vec<isize>,
    /// What was passed to the thread: an address that its block may hold.
    argument: usize,
}

/// What main passes to the thread and gets back. It lives in main's frame.
struct Sitting {
    key: libc::pthread_key_t,
    symbols: Symbols,
    low: usize,
    photo: *mut u64,
    base: usize,
    tid: u32,
    frame: usize,
    errno: usize,
    dtv: [[usize; 2]; MODULES],
    dtv_len: usize,
    modules: [Module; MODULES],
    modules_len: usize,
    filled: [isize; 8],
    filled_len: usize,
    key_value: Option<isize>,
    key_level: Option<isize>,
    key_flags: [isize; 8],
    key_flags_len: usize,
    gone: *const AtomicU32,
    leaves: bool,
    tries_malloc: bool,
}

/// Makes a thread on a stack of ours and photographs it. It stays on glibc's list for ever.
pub(super) fn bookend(key: libc::pthread_key_t, tries_malloc: bool) -> Result<Newborn, Missing> {
    sit(key, true, tries_malloc)
}

/// Photographs a thread that ends as threads do. What its block says of its stack and its place on the list is of no
/// use.
pub(super) fn visitor(key: libc::pthread_key_t) -> Result<Newborn, Missing> {
    sit(key, false, false)
}

fn sit(key: libc::pthread_key_t, leaves: bool, tries_malloc: bool) -> Result<Newborn, Missing> {
    let symbols = symbols::find()?;
    let failed = |what: &str, error: io::Error| {
        Missing::for_now(format!("{what} for a look at a new thread: {error}"))
    };
    // SAFETY: a fresh private mapping.
    let low = unsafe {
        libc::mmap(
            null_mut(),
            STACK,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if low == libc::MAP_FAILED {
        return Err(failed("no memory", io::Error::last_os_error()));
    }
    let mut photo = vec![0_u64; PHOTO / 8].into_boxed_slice();
    // 1: the thread lives.
    let gone = Box::new(AtomicU32::new(1));
    let mut sitting = Box::new(Sitting {
        key,
        symbols,
        low: low.addr(),
        photo: photo.as_mut_ptr(),
        base: 0,
        tid: 0,
        frame: 0,
        errno: 0,
        dtv: [[0; 2]; MODULES],
        dtv_len: 0,
        modules: [Module { below: 0, size: 0, align: 0 }; MODULES],
        modules_len: 0,
        filled: [0; 8],
        filled_len: 0,
        key_value: None,
        key_level: None,
        key_flags: [0; 8],
        key_flags_len: 0,
        gone: &raw const *gone,
        leaves,
        tries_malloc,
    });
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: all pointers are valid, and the stack lives until the thread is gone.
    let error = unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstack(attributes.as_mut_ptr(), low, STACK);
        if leaves {
            libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        }
        let arg = (&raw mut *sitting).cast();
        let error = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), sitter, arg);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        error
    };
    if error != 0 {
        // SAFETY: mapped above, and no thread runs on it.
        unsafe { libc::munmap(low, STACK) };
        return Err(failed("no thread", io::Error::from_raw_os_error(error)));
    }
    if leaves {
        wait_until_gone(&gone);
    } else {
        // SAFETY: the thread was made above and is joined once; nobody uses its stack afterwards.
        unsafe {
            libc::pthread_join(thread.assume_init(), null_mut());
            libc::munmap(low, STACK);
        }
    }
    Ok(Newborn {
        base: sitting.base,
        tid: sitting.tid,
        low: sitting.low,
        top: sitting.low + STACK,
        frame: sitting.frame,
        photo,
        modules: sitting.modules[..sitting.modules_len].to_vec(),
        errno: sitting.errno.wrapping_sub(sitting.base).cast_signed(),
        dtv: sitting.dtv[..sitting.dtv_len].to_vec(),
        filled_by_malloc: sitting.filled[..sitting.filled_len].to_vec(),
        key_value: sitting.key_value,
        key_level: sitting.key_level,
        key_flags: sitting.key_flags[..sitting.key_flags_len].to_vec(),
        argument: (&raw const *sitting).addr(),
    })
}

impl Newborn {
    /// The word at a distance from the base, as it was when the thread was born.
    pub(super) fn word(&self, offset: isize) -> u64 {
        let from_top = self.top - self.base.wrapping_add_signed(offset);
        self.photo[(PHOTO - from_top) / 8]
    }

    /// The words from one distance to another.
    pub(super) fn words(&self, from: isize, to: isize) -> impl Iterator<Item = (isize, u64)> {
        (from..to).step_by(8).map(|offset| (offset, self.word(offset)))
    }

    /// Bytes from the base to the end of the block.
    pub(super) fn above(&self) -> isize {
        (self.top - self.base).cast_signed()
    }

    /// Where the lowest static thread-local lies, in bytes below the base.
    pub(super) fn used(&self) -> usize {
        self.modules.iter().map(|module| module.below).max().unwrap_or(0)
    }

    /// This many bytes from a distance on.
    pub(super) fn bytes(&self, from: isize, size: usize) -> Box<[u8]> {
        let start = from & !7;
        let words = self.words(start, from + size.cast_signed());
        words
            .flat_map(|(_, word)| word.to_le_bytes())
            .skip((from - start).cast_unsigned())
            .take(size)
            .collect()
    }

    /// Whether a value is an address that means something to this thread alone: of its stack, of what it runs, or of
    /// what was passed to it.
    pub(super) fn is_private(&self, value: usize) -> bool {
        (self.low..self.top).contains(&value)
            || value == sitter as *const () as usize
            || value == self.argument
    }

    /// Whether the photograph shows all that it must.
    pub(super) fn shows_all(&self) -> bool {
        let room = self.top - self.base < PHOTO / 2 && self.base - self.frame < PHOTO / 2;
        self.base != 0 && room && self.used() + 8 <= self.base - self.frame
    }

    /// A word of the thread's block as it is now; the memory of a bookend stays.
    pub(super) fn now(&self, offset: isize) -> *mut u64 {
        core::ptr::with_exposed_provenance_mut(self.base.wrapping_add_signed(offset))
    }
}

/// Waits until the kernel has let go of the thread, which it says by a zero.
fn wait_until_gone(gone: &AtomicU32) {
    // ORDER: bookend. What the thread filled in stands before the kernel's zero.
    while gone.load(Ordering::Acquire) != 0 {
        // SAFETY: a futex on a live word of ours.
        unsafe { libc::syscall(libc::SYS_futex, gone.as_ptr(), libc::FUTEX_WAIT, 1, null::<c_void>()) };
    }
}

/// The photographed thread. It has a small first frame, since everything from there up to the block is taken for the
/// block's reserve.
extern "C" fn sitter(arg: *mut c_void) -> *mut c_void {
    let local = 0_u64;
    // SAFETY: main waits, and nobody else uses the sitting.
    let sitting = unsafe { &mut *arg.cast::<Sitting>() };
    sitting.frame = (&raw const local).addr() & !63;
    sit_still(sitting);
    null_mut()
}

/// Looks at everything. It uses no thread-local of Rust's and nothing that could unwind.
#[inline(never)]
fn sit_still(sitting: &mut Sitting) {
    let arg: *mut c_void = core::ptr::from_mut(sitting).cast();
    let top = sitting.low + STACK;
    sitting.base = base();
    let photographed: *const u64 = core::ptr::with_exposed_provenance(top - PHOTO);
    // SAFETY: the upper end of our own stack, and room for as much.
    unsafe { core::ptr::copy_nonoverlapping(photographed, sitting.photo, PHOTO / 8) };
    // SAFETY: a system call without arguments.
    sitting.tid = u32::try_from(unsafe { libc::syscall(libc::SYS_gettid) }).unwrap_or(0);
    // SAFETY: as its documentation says.
    sitting.errno = unsafe { libc::__errno_location() }.addr();
    read_dtv(sitting);
    // SAFETY: the callback gets the sitting, which lives on.
    unsafe { libc::dl_iterate_phdr(Some(note_module), arg) };
    #[cfg(test)]
    move_to_another_cpu();
    try_key(sitting, top);
    if sitting.tries_malloc {
        try_malloc(sitting);
    }
    if sitting.leaves {
        let gone = sitting.gone;
        // SAFETY: the kernel clears the word that we name instead of the one in the block, and wakes who waits for it;
        // nothing of this thread is used from there on, its memory stays, and glibc is not told.
        unsafe {
            libc::syscall(libc::SYS_set_tid_address, gone);
            libc::syscall(libc::SYS_exit, 0);
        }
    }
}

/// The thread's vector of thread-local blocks: the second word of the block points to it, as the ABI has it.
fn read_dtv(sitting: &mut Sitting) {
    let at: *const *const [usize; 2] = core::ptr::with_exposed_provenance(sitting.base + 8);
    // SAFETY: its element -1 holds how many there are, element 0 the generation.
    unsafe {
        let dtv = *at;
        let len = (*dtv.sub(1))[0];
        sitting.dtv_len = (len + 1).min(MODULES);
        for index in 0..sitting.dtv_len {
            sitting.dtv[index] = *dtv.add(index);
        }
    }
}

extern "C" fn note_module(info: *mut libc::dl_phdr_info, _: usize, arg: *mut c_void) -> c_int {
    // SAFETY: glibc passes a valid description and our own argument.
    let (info, sitting) = unsafe { (&*info, &mut *arg.cast::<Sitting>()) };
    if info.dlpi_tls_modid == 0 || info.dlpi_tls_data.is_null() {
        return 0;
    }
    for index in 0..usize::from(info.dlpi_phnum) {
        // SAFETY: there are this many headers.
        let header = unsafe { &*info.dlpi_phdr.add(index) };
        let data = info.dlpi_tls_data.addr();
        // For a module that was loaded late and has its part elsewhere, glibc makes the part when it is first used.
        if header.p_type == libc::PT_TLS
            && (sitting.low..sitting.base).contains(&data)
            && sitting.modules_len < MODULES
        {
            sitting.modules[sitting.modules_len] = Module {
                below: sitting.base - data,
                size: usize::try_from(header.p_memsz).unwrap_or(0),
                align: usize::try_from(header.p_align).unwrap_or(0),
            };
            sitting.modules_len += 1;
        }
    }
    0
}

/// Finds where a key's value lies, and which bytes say that the key has one.
fn try_key(sitting: &mut Sitting, top: usize) {
    let words = (top - sitting.base) / 8;
    let block: *const u64 = core::ptr::with_exposed_provenance(sitting.base);
    let photo = sitting.photo.wrapping_add(PHOTO / 8 - words);
    // SAFETY: the key is main's; the value is never followed.
    unsafe { libc::pthread_setspecific(sitting.key, core::ptr::without_provenance(MARK)) };
    let second = sitting.key as usize % PER_LEVEL;
    for index in 0..words {
        // SAFETY: inside the block, and inside the photograph of it.
        let (now, before) = unsafe { (block.add(index).read_volatile(), *photo.add(index)) };
        let offset = (index * 8).cast_signed();
        if sitting.symbols.is_rseq(offset) {
            // The kernel has written there if it has moved this thread to another CPU meanwhile.
            continue;
        }
        if now == MARK as u64 {
            sitting.key_value = Some(offset);
        } else if now ^ before != 0 && (now ^ before).count_ones() == 1 && sitting.key_flags_len < 8 {
            let byte = (now ^ before).trailing_zeros() / 8;
            sitting.key_flags[sitting.key_flags_len] = offset + byte as isize;
            sitting.key_flags_len += 1;
        } else if before == 0 && now != 0 && sitting.key as usize >= PER_LEVEL {
            let values: *const [usize; 2] = core::ptr::with_exposed_provenance(now as usize);
            // SAFETY: the one pointer that a new value puts into a block is that to a new second level.
            if unsafe { (*values.add(second))[1] } == MARK {
                sitting.key_level = Some(offset);
            }
        }
    }
    // SAFETY: as above.
    unsafe { libc::pthread_setspecific(sitting.key, null()) };
}

/// Finds the words that lead to malloc's cache and arena: they are empty in a newborn, and filled by the first use.
fn try_malloc(sitting: &mut Sitting) {
    let errno = sitting.base - (sitting.errno & !7);
    let modules = &sitting.modules[..sitting.modules_len];
    let Some(libc) =
        modules.iter().find(|module| (module.below - module.size..=module.below).contains(&errno))
    else {
        return;
    };
    allocate_and_free();
    let from = sitting.base - libc.below;
    let photo = sitting.photo.wrapping_add((PHOTO - (sitting.low + STACK - from)) / 8);
    for index in 0..libc.size / 8 {
        let word: *const u64 = core::ptr::with_exposed_provenance(from + index * 8);
        // SAFETY: inside libc's part, and inside the photograph.
        let (now, before) = unsafe { (word.read_volatile(), *photo.add(index)) };
        if before == 0 && now != 0 && (from + index * 8) & !7 != sitting.errno & !7 && sitting.filled_len < 8
        {
            sitting.filled[sitting.filled_len] = (index * 8).cast_signed() - libc.below.cast_signed();
            sitting.filled_len += 1;
        }
    }
    prove_cache(sitting);
}

/// Uses malloc for a small piece and for one that no cache holds.
fn allocate_and_free() {
    for size in [40, 3000] {
        // SAFETY: allocates and frees; hidden from the optimiser, which would remove both.
        unsafe { libc::free(core::hint::black_box(libc::malloc(core::hint::black_box(size)))) };
    }
}

/// Keeps only those words that malloc fills again when they are emptied, and leaves alone while they are full.
fn prove_cache(sitting: &mut Sitting) {
    let mut proved = 0;
    for index in 0..sitting.filled_len {
        let word: *mut usize =
            core::ptr::with_exposed_provenance_mut(sitting.base.wrapping_add_signed(sitting.filled[index]));
        // SAFETY: the word is one of libc's that starts as zero in every thread, so zero is a value it is made for; the
        // chunks are freed where they were allocated.
        let holds = unsafe {
            let kept = word.read_volatile();
            word.write_volatile(0);
            allocate_and_free();
            let anew = word.read_volatile();
            word.write_volatile(kept);
            allocate_and_free();
            anew != 0 && word.read_volatile() == kept
        };
        if holds {
            sitting.filled[proved] = sitting.filled[index];
            proved += 1;
        }
    }
    sitting.filled_len = proved;
}

/// Whether tests have the photographed thread moved to another CPU before the second look.
#[cfg(test)]
pub(super) static MOVES: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

#[cfg(test)]
fn move_to_another_cpu() {
    if MOVES.load(Ordering::Relaxed) {
        // SAFETY: forbids this thread the CPU on which it is.
        unsafe {
            let mut cpus: libc::cpu_set_t = core::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&cpus), &raw mut cpus);
            libc::CPU_CLR(libc::sched_getcpu() as usize, &mut cpus);
            libc::sched_setaffinity(0, size_of_val(&cpus), &raw const cpus);
        }
    }
}
