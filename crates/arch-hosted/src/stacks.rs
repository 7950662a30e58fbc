//! `ThreadStacks`: stacks that are only a size, as the thread that `Hosted` starts for a goroutine brings its own.

use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmp_core::contract::{Stack, StackAllocator, StackError, StackFigures};

/// The least that can be asked for, in bytes; less and a thread of the standard library can not even start.
const LEAST: usize = 16 << 10;
/// The most that can be asked for, in bytes.
const MOST: usize = 64 << 20;
/// Where every one of these stacks seems to begin: no memory is there.
const NOWHERE: NonZero<usize> = NonZero::new(4096).unwrap();

/// Hands out sizes. For [`Hosted`](crate::Hosted) and nothing else: nobody may touch the memory of such a stack.
#[derive(Debug, Default)]
pub struct ThreadStacks {
    in_use: AtomicUsize,
}

/// A P's store of sizes: there is nothing to store.
#[derive(Debug, Default)]
pub struct ThreadStackCache(());

// SAFETY: A1, A3 and A4 are kept by the thread that `Hosted` starts with this size: its own stack has the size, is its
// alone while it lives and has the standard library's guard; `Hosted` never touches the range that the `Stack` names.
// A2: 4096 and the rounded size are multiples of 16. A5 is the caller's. A6: nothing here can panic.
unsafe impl StackAllocator for ThreadStacks {
    type Cache = ThreadStackCache;

    fn cache(&self) -> ThreadStackCache {
        ThreadStackCache(())
    }

    fn allocate(&self, _: &mut ThreadStackCache, size: usize) -> Result<Stack, StackError> {
        if !(LEAST..=MOST).contains(&size) {
            return Err(StackError::BadSize { asked: size, least: LEAST, most: MOST });
        }
        // Relaxed: a count that orders nothing.
        self.in_use.fetch_add(1, Ordering::Relaxed);
        // SAFETY: A1 to A4 are kept as said above.
        Ok(unsafe { Stack::new(NonNull::without_provenance(NOWHERE), size.next_multiple_of(16)) })
    }

    unsafe fn free(&self, _: &mut ThreadStackCache, _stack: Stack) {
        // Relaxed: a count that orders nothing.
        self.in_use.fetch_sub(1, Ordering::Relaxed);
    }

    fn flush(&self, _: &mut ThreadStackCache) {}

    fn trim(&self) {}

    fn figures(&self) -> StackFigures {
        StackFigures { in_use: self.in_use.load(Ordering::Relaxed), free: 0, reserved_bytes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked_rounded_and_counted() {
        let stacks = ThreadStacks::default();
        let mut cache = stacks.cache();
        for asked in [0, LEAST - 1, MOST + 1, usize::MAX] {
            let error = stacks.allocate(&mut cache, asked).unwrap_err();
            assert_eq!(error, StackError::BadSize { asked, least: LEAST, most: MOST });
        }
        let stack = stacks.allocate(&mut cache, LEAST + 1).unwrap();
        assert_eq!(stack.size(), LEAST + 16);
        assert_eq!(stack.top().addr() % 16, 0);
        assert_eq!(stacks.figures().in_use, 1);
        // SAFETY: nothing was ever on it.
        unsafe { stacks.free(&mut cache, stack) };
        stacks.flush(&mut cache);
        stacks.trim();
        assert_eq!(stacks.figures(), StackFigures::default());
    }
}
