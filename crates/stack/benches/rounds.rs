//! There and back with each of many suspended stacks, as a scheduler with many goroutines does it: how stacks lie in
//! memory decides what the caches can keep. Ours against bare stacks of a region at several strides; the switch colours
//! all of them alike.

use std::ptr::null_mut;

use criterion::{Criterion, criterion_group, criterion_main};
use gmp_arch_amd64::{Amd64, Guarded};
use gmp_core::contract::{Carry, Context, Region, Stack, StackAllocator, Switch};
use gmp_stack::{Config, Stacks};

const SIZE: usize = 64 << 10;
const PAGE: usize = 4 << 10;

/// What a flow of a round works with: its own context, and that of the flow that goes round.
struct Member {
    outside: Context,
    inside: Context,
}

unsafe extern "C" fn take_part(carry: Carry) -> Context {
    let member = carry.cast::<Member>();
    loop {
        // SAFETY: the member is never freed, and each of the two contexts is continued once after it was saved.
        unsafe { Amd64::switch(&raw mut (*member).inside, (*member).outside, null_mut()) };
    }
}

fn round(criterion: &mut Criterion, name: &str, stacks: impl Iterator<Item = Stack>) {
    let mut round: Vec<_> = stacks
        .map(|stack| {
            // SAFETY: the stack is unused and lives for ever.
            Member { outside: Context::NULL, inside: unsafe { Amd64::init(&stack, take_part) }.unwrap() }
        })
        .collect();
    criterion.bench_function(name, |bench| {
        bench.iter(|| {
            for member in &mut round {
                let member: *mut Member = member;
                // SAFETY: as in `take_part`.
                unsafe { Amd64::switch(&raw mut (*member).outside, (*member).inside, member.cast()) };
            }
        });
    });
    // The suspended flows refer to their members for ever.
    std::mem::forget(round);
}

fn rounds(criterion: &mut Criterion) {
    let region = Guarded::default();
    for members in [50, 200, 1000, 10_000] {
        for pages in [16, 17, 18] {
            let slab = region.reserve(members, pages * PAGE, PAGE).unwrap();
            let stacks = (0..members).map(|index| {
                region.guard(&slab, index).unwrap();
                // SAFETY: the stack is this round's alone, and its slab is never released.
                unsafe { Stack::new(slab.base().add(index * slab.stride() + PAGE), slab.stride() - PAGE) }
            });
            round(criterion, &format!("{members} stacks, bare, every {pages} pages"), stacks);
        }
        let ours = Stacks::new(Guarded::default(), Config::default()).unwrap();
        let mut cache = ours.cache();
        let stacks = (0..members).map(|_| ours.allocate(&mut cache, SIZE).unwrap());
        round(criterion, &format!("{members} stacks, ours"), stacks);
        // Never given back: slabs with a stack in use outlive their allocator.
    }
}

criterion_group!(all, rounds);
criterion_main!(all);
