//! Fields of a record, of a G or of an M, that their owner writes and anybody may read: Relaxed atomics, which cost
//! what plain fields cost.
//!
//! What is read is a true value of some moment. Whether several were of one goroutine the reader learns from the word:
//! if it names the same serial number before and after, they were (`GWord::still`).

use super::body::{BodyTable, NOTHING};
use super::flags::Flags;
use crate::contract::{Context, Stack};
use core::ops::Range;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU16, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// A number.
#[derive(Debug)]
pub(crate) struct ShownNumber(AtomicU64);

impl ShownNumber {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Relaxed);
    }
}

/// A place in the source.
#[derive(Debug)]
pub(crate) struct ShownPlace(AtomicPtr<Location<'static>>);

impl ShownPlace {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::from_ref(Location::caller()).cast_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &'static Location<'static> {
        // SAFETY: only places are stored here, and they live as long as the program.
        unsafe { &*self.0.load(Relaxed) }
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, place: &'static Location<'static>) {
        self.0.store(core::ptr::from_ref(place).cast_mut(), Relaxed);
    }
}

/// What can be done with a goroutine's body.
#[derive(Debug)]
pub(crate) struct ShownTable(AtomicPtr<BodyTable>);

impl ShownTable {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::from_ref(&NOTHING).cast_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &'static BodyTable {
        // SAFETY: only tables are stored here, and they live as long as the program.
        unsafe { &*self.0.load(Relaxed) }
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, table: &'static BodyTable) {
        self.0.store(core::ptr::from_ref(table).cast_mut(), Relaxed);
    }
}

/// The facts about a goroutine.
#[derive(Debug)]
pub(crate) struct ShownFlags(AtomicU16);

impl ShownFlags {
    pub(crate) fn new() -> Self {
        Self(AtomicU16::new(0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Flags {
        Flags(self.0.load(Relaxed))
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, flags: Flags) {
        self.0.store(flags.0, Relaxed);
    }
}

/// Where a suspended goroutine goes on. The switch writes it, in assembly.
#[derive(Debug)]
pub(crate) struct ShownContext(AtomicPtr<()>);

impl ShownContext {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(Context::NULL.0))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> Context {
        Context(self.0.load(Relaxed))
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, context: Context) {
        self.0.store(context.0, Relaxed);
    }

    /// For the switch, by the owner.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut Context {
        self.0.as_ptr().cast()
    }
}

/// A goroutine's stack, which the record owns.
#[derive(Debug)]
pub(crate) struct ShownStack {
    /// Null: there is none.
    bottom: AtomicPtr<u8>,
    size: AtomicUsize,
}

impl ShownStack {
    pub(crate) fn new() -> Self {
        Self { bottom: AtomicPtr::new(core::ptr::null_mut()), size: AtomicUsize::new(0) }
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, stack: Option<Stack>) {
        match stack {
            Some(stack) => {
                self.bottom.store(stack.bottom().as_ptr(), Relaxed);
                self.size.store(stack.size(), Relaxed);
            }
            None => self.bottom.store(core::ptr::null_mut(), Relaxed),
        }
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<Stack> {
        let bottom = NonNull::new(self.bottom.load(Relaxed))?;
        self.bottom.store(core::ptr::null_mut(), Relaxed);
        // SAFETY: the stack that `set` was given, and which only this gives out, once.
        Some(unsafe { Stack::new(bottom, self.size.load(Relaxed)) })
    }

    /// Its addresses; empty if there is none.
    pub(crate) fn addresses(&self) -> Range<usize> {
        let bottom = self.bottom.load(Relaxed).addr();
        if bottom == 0 { 0..0 } else { bottom..bottom.saturating_add(self.size.load(Relaxed)) }
    }
}

/// Whether something is so.
#[derive(Debug)]
pub(crate) struct ShownBool(AtomicBool);

impl ShownBool {
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, so: bool) {
        self.0.store(so, Relaxed);
    }

    /// By the owner; returns what was so before.
    #[inline(always)]
    pub(crate) fn replace(&self, so: bool) -> bool {
        let before = self.get();
        self.set(so);
        before
    }
}

/// An address, null at first.
#[derive(Debug)]
pub(crate) struct ShownAddress<T>(AtomicPtr<T>);

impl<T> ShownAddress<T> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> *const T {
        self.0.load(Relaxed)
    }

    /// By the owner.
    #[inline(always)]
    pub(crate) fn set(&self, address: *const T) {
        self.0.store(address.cast_mut(), Relaxed);
    }
}
