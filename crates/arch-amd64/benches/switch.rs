//! Our switch and corosensei's, side by side in one process: there and back, so two switches an iteration.

use std::hint::black_box;
use std::ptr::null_mut;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use criterion::{Criterion, criterion_group, criterion_main};
use gmp_arch_amd64::{Amd64, Amd64Slot, Guarded};
use gmp_core::contract::{Carry, Context, CurrentSlot, Region, Stack, Switch};

static mut HERE: Context = Context::NULL;
static mut THERE: Context = Context::NULL;

unsafe extern "C" fn echo(mut carry: Carry) -> Context {
    loop {
        // SAFETY: the two contexts belong to this one thread, and each is continued once after it was saved.
        carry = unsafe { Amd64::switch(&raw mut THERE, HERE, carry) };
    }
}

fn switches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("there-and-back");
    let region = Guarded::default();
    let slab = region.reserve(1, 68 << 10, 4 << 10).unwrap();
    region.guard(&slab, 0).unwrap();
    // SAFETY: the slab is this function's alone and never released.
    let stack = unsafe { Stack::new(slab.base().add(slab.guard()), slab.stride() - slab.guard()) };
    // SAFETY: the stack is unused and lives for ever.
    unsafe { THERE = Amd64::init(&stack, echo).unwrap() };
    group.bench_function("amd64", |bench| {
        bench.iter(|| {
            // SAFETY: as in `echo`.
            unsafe { black_box(Amd64::switch(&raw mut HERE, THERE, black_box(null_mut()))) }
        });
    });
    let mut other = Coroutine::with_stack(
        DefaultStack::new(64 << 10).unwrap(),
        |yielder: &corosensei::Yielder<*mut (), *mut ()>, mut carry| -> () {
            loop {
                carry = yielder.suspend(carry);
            }
        },
    );
    group.bench_function("corosensei", |bench| {
        bench.iter(|| match other.resume(black_box(null_mut())) {
            CoroutineResult::Yield(carry) => black_box(carry),
            CoroutineResult::Return(()) => unreachable!("it loops for ever"),
        });
    });
    group.finish();
    // It never ends by itself, and unwinding it would measure nothing.
    // SAFETY: nothing on that stack needs to be dropped.
    unsafe { other.force_reset() };
}

fn slot(criterion: &mut Criterion) {
    criterion.bench_function("slot/get", |bench| bench.iter(|| black_box(Amd64Slot::get())));
}

fn guard(criterion: &mut Criterion) {
    let region = Guarded::default();
    let count = 1 << 20;
    let slab = region.reserve(count, 68 << 10, 4 << 10).unwrap();
    let mut next = 0;
    criterion.bench_function("guard", |bench| {
        bench.iter(|| {
            region.guard(&slab, next % count).unwrap();
            next += 1;
        });
    });
}

criterion_group!(benches, switches, slot, guard);
criterion_main!(benches);
