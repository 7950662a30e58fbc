//! The three kinds of runtime: which switch, and which stacks. This is the only place that knows the machine.

use core::marker::PhantomData;
use gmp_arch_amd64::{Amd64, Amd64Slot, Guarded, OwnAmd64};
use gmp_arch_hosted::{Hosted, ThreadStacks};
use gmp_core::Config;
use gmp_core::contract::Policy;
use gmp_core::overflow::Suspect;
use gmp_stack::Stacks;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Goroutines on guarded stacks of their own, switched in user space.
pub(crate) struct Native<P>(PhantomData<P>);

impl<P: Policy> Config for Native<P> {
    type Policy = P;
    type Stacks = Stacks<Guarded>;
    type Switch = Amd64;
}

/// The same, and each goroutine has thread-locals of its own.
pub(crate) struct OwnThreadLocals<P>(PhantomData<P>);

impl<P: Policy> Config for OwnThreadLocals<P> {
    type Policy = P;
    type Stacks = Stacks<Guarded>;
    type Switch = OwnAmd64;
}

/// Each goroutine on an OS thread of its own.
pub(crate) struct OneThreadEach<P>(PhantomData<P>);

impl<P: Policy> Config for OneThreadEach<P> {
    type Policy = P;
    type Stacks = ThreadStacks;
    type Switch = Hosted<Amd64Slot>;
}

/// The largest guard of any runtime so far: how far below a stack a fault counts as its overflow.
static LARGEST_GUARD: AtomicUsize = AtomicUsize::new(0);

/// Makes overflows of stacks with guards of this many bytes end in a report.
pub(crate) fn report_overflows(guard: usize) {
    LARGEST_GUARD.fetch_max(guard, Ordering::Relaxed);
    gmp_arch_amd64::set_overflow_describer(|fault, report| {
        let suspect = Suspect {
            address: fault.address,
            frame_end: fault.frame_end,
            guard: LARGEST_GUARD.load(Ordering::Relaxed),
            most: gmp_stack::MOST_SIZE,
        };
        gmp_core::overflow::describe(&suspect, report)
    });
}
