//! What a stack costs: from the cache, from the depot, and for the first time.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gmp_arch_amd64::Guarded;
use gmp_core::contract::StackAllocator;
use gmp_stack::{Config, Stacks};

const SIZE: usize = 64 << 10;

fn stacks() -> Stacks<Guarded> {
    Stacks::new(Guarded::default(), Config::default()).unwrap()
}

fn benches(criterion: &mut Criterion) {
    let all = stacks();
    let mut cache = all.cache();
    criterion.bench_function("allocate-free/cache", |bench| {
        bench.iter(|| {
            let stack = all.allocate(&mut cache, std::hint::black_box(SIZE)).unwrap();
            // SAFETY: nothing was ever on it.
            unsafe { all.free(&mut cache, stack) };
        });
    });
    criterion.bench_function("allocate-free/128 at once, by the depot", |bench| {
        bench.iter(|| {
            let taken: Vec<_> = (0..128).map(|_| all.allocate(&mut cache, SIZE).unwrap()).collect();
            for stack in taken {
                // SAFETY: nothing was ever on it.
                unsafe { all.free(&mut cache, stack) };
            }
        });
    });
    // A hundred new stacks from an allocator that has reserved them: a lock and a guard each, no page touched.
    criterion.bench_function("allocate/100 for the first time", |bench| {
        bench.iter_batched_ref(
            || {
                let all = stacks();
                let mut cache = all.cache();
                let warm_up: Vec<_> = (0..128).map(|_| all.allocate(&mut cache, SIZE).unwrap()).collect();
                (all, cache, warm_up)
            },
            |(all, cache, taken)| taken.extend((0..100).map(|_| all.allocate(cache, SIZE).unwrap())),
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(all, benches);
criterion_main!(all);
