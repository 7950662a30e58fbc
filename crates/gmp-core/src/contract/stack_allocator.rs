//! `StackAllocator`, and `Region`, the operating system's half under it.

use core::ptr::NonNull;

/// One stack: `size` usable bytes from `bottom` upwards; it grows down from `top`.
#[derive(Debug, PartialEq, Eq)]
pub struct Stack {
    bottom: NonNull<u8>,
    size: usize,
}

// SAFETY: a `Stack` is an owned range of memory (clause A3); nothing about it belongs to one thread.
unsafe impl Send for Stack {}

impl Stack {
    /// Describes a stack.
    ///
    /// # Safety
    /// The range is what [`StackAllocator`]'s clauses A1 to A4 promise, and the caller owns it.
    pub unsafe fn new(bottom: NonNull<u8>, size: usize) -> Self {
        Self { bottom, size }
    }

    /// The lowest usable address; the guard lies below it.
    pub fn bottom(&self) -> NonNull<u8> {
        self.bottom
    }

    /// Usable bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The address just past the highest usable byte; 16-aligned.
    pub fn top(&self) -> *mut u8 {
        self.bottom.as_ptr().wrapping_add(self.size)
    }
}

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackError {
    /// The operating system has no more memory or address space for us (its errno).
    OutOfMemory {
        /// What the system said.
        errno: i32,
    },
    /// The size asked for is not one that can be had.
    BadSize {
        /// What was asked for, in bytes.
        asked: usize,
        /// The least, in bytes.
        least: usize,
        /// The most, in bytes.
        most: usize,
    },
}

impl core::fmt::Display for StackError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfMemory { errno } => write!(f, "no memory for another goroutine stack (errno {errno})"),
            Self::BadSize { asked, least, most } => {
                write!(
                    f,
                    "a goroutine stack of {asked} bytes is not possible: allowed are {least} to {most} bytes"
                )
            }
        }
    }
}

impl std::error::Error for StackError {}

/// How much memory stacks take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StackFigures {
    /// Stacks that goroutines hold.
    pub in_use: usize,
    /// Stacks kept for reuse.
    pub free: usize,
    /// Address space reserved for stacks, in bytes; most of it is never touched.
    pub reserved_bytes: usize,
}

/// Makes and takes back goroutine stacks.
///
/// # Safety
/// - **A1** An allocated stack has the `size()` it was asked for or more, readable and writable, from `bottom()` up.
/// - **A2** `top()` is 16-aligned.
/// - **A3** It is owned by the caller alone until it is given back, and stays mapped at its address until then.
/// - **A4** Below `bottom()` lies a guard: a touch of it faults, and faults nowhere else.
/// - **A5** A stack comes back only to the allocator that made it, and only when nothing on it will be used again.
/// - **A6** No call unwinds or calls the runtime.
pub unsafe trait StackAllocator: Send + Sync + 'static {
    /// A P's private cache, reached without a lock; last in, first out.
    type Cache: Send + 'static;

    /// An empty cache.
    fn cache(&self) -> Self::Cache;

    /// Hands out a stack of at least `size` bytes.
    ///
    /// # Errors
    /// [`StackError`], and nothing is lost.
    #[doc(alias = "malg")]
    #[doc(alias = "stackalloc")]
    fn allocate(&self, cache: &mut Self::Cache, size: usize) -> Result<Stack, StackError>;

    /// Takes a stack back.
    ///
    /// # Safety
    /// Clause A5.
    #[doc(alias = "stackfree")]
    unsafe fn free(&self, cache: &mut Self::Cache, stack: Stack);

    /// Empties a P's cache into the common one: the P is being removed, or goes idle for long.
    fn flush(&self, cache: &mut Self::Cache);

    /// Gives memory that free stacks have touched back to the system, as far as retention says. May be slow.
    fn trim(&self);

    /// Figures for `stats()`.
    fn figures(&self) -> StackFigures;
}

/// A run of equally large stacks in one mapping: stack `i` takes the `stride` bytes from `base + i * stride`, of which
/// the lowest `guard` bytes are its guard once [`Region::guard`] has been called for it.
///
/// ```compile_fail,E0451
/// # use gmp_core::contract::Slab;
/// let mut page = [0_u8; 8192];
/// let base = core::ptr::NonNull::from(&mut page).cast();
/// let _forged = Slab { base, stride: 8192, guard: 4096, count: 1 };
/// ```
///
/// ```compile_fail,E0133
/// # use gmp_core::contract::Slab;
/// let mut page = [0_u8; 8192];
/// let _forged = Slab::new(core::ptr::NonNull::from(&mut page).cast(), 1, 8192, 4096);
/// ```
#[derive(Debug)]
pub struct Slab {
    base: NonNull<u8>,
    count: usize,
    stride: usize,
    guard: usize,
}

impl Slab {
    /// Describes `count` stacks of `stride` bytes, of which the lowest `guard` are for the guard.
    ///
    /// # Safety
    /// From `base` on lie `count * stride` bytes of one mapping that is there for these stacks and nothing else, and stays
    /// until it is given to [`Region::release`]: their guards may be made to fault at any time. `guard < stride`.
    pub unsafe fn new(base: NonNull<u8>, count: usize, stride: usize, guard: usize) -> Self {
        Self { base, count, stride, guard }
    }

    /// The lowest address of the mapping.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Bytes a stack takes with its guard.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Guard bytes at the low end of each.
    pub fn guard(&self) -> usize {
        self.guard
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the whole mapping.
    pub fn bytes(&self) -> usize {
        self.count * self.stride
    }

    /// Where stack `index` begins, with its guard.
    ///
    /// # Panics
    /// If there is no such stack.
    pub fn stack(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.count, "stack {index} of a slab of {}", self.count);
        // SAFETY: below the count, so inside the mapping, as whoever made the slab promised.
        unsafe { self.base.add(index * self.stride) }
    }
}

// SAFETY: a `Slab` describes owned address space; nothing about it belongs to one thread.
unsafe impl Send for Slab {}

/// Address space with guards, as the operating system gives it. Implemented by the arch crates, used by `gmp-stack`.
///
/// # Safety
/// - **R1** A reserved slab is private to the caller, zeroed on first touch and costs no memory until touched.
/// - **R2** After `guard` has returned `Ok`, a touch of that stack's guard faults, for as long as the slab lives;
///   `discard` does not lift it.
/// - **R3** `discard` keeps the mapping; the pages read as zero when touched again.
pub unsafe trait Region: Send + Sync + 'static {
    /// Bytes in a page.
    fn page_size(&self) -> usize;

    /// Reserves a slab.
    ///
    /// # Errors
    /// [`StackError::OutOfMemory`].
    ///
    /// # Panics
    /// Unless `stride` and `guard` are multiples of the page size and `guard < stride`.
    fn reserve(&self, count: usize, stride: usize, guard: usize) -> Result<Slab, StackError>;

    /// Installs the guard of stack `index`, before the stack is first used.
    ///
    /// # Errors
    /// [`StackError::OutOfMemory`]: the system would not split the mapping further, say.
    ///
    /// # Panics
    /// If there is no such stack.
    fn guard(&self, slab: &Slab, index: usize) -> Result<(), StackError>;

    /// Gives the touched pages of a range inside a slab back to the system.
    ///
    /// # Safety
    /// The range is page-aligned, lies in usable parts of one slab, and nothing in it will be read again.
    unsafe fn discard(&self, start: NonNull<u8>, bytes: usize);

    /// Gives a whole slab back.
    ///
    /// # Safety
    /// The slab came from `reserve` of this region and no stack of it is in use.
    unsafe fn release(&self, slab: Slab);
}
