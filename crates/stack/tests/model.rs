//! Any sequence of operations: each stack exclusive, guarded and large enough, and every figure exact.

mod fake;

use std::collections::BTreeMap;

use fake::{Fake, PAGE};
use gmp_core::contract::{Stack, StackAllocator, StackError};
use gmp_stack::{Cache, Config, Retention, Stacks};
use proptest::prelude::*;

const STORES: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    /// In a store: this many stacks of a size.
    Allocate(usize, usize, usize),
    /// Into a store: this many of the stacks in use, from a place on.
    Free(usize, usize, usize),
    Flush(usize),
    Trim,
    RefuseGuards(usize),
    Limit(Option<usize>),
    NewStore(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let store = 0..STORES;
    let size = prop_oneof![3 => Just(64 << 10), 1 => (16 << 10)..(300_usize << 10)];
    let op = prop_oneof![
        6 => (store.clone(), size, 1..80_usize).prop_map(|(store, size, count)| Op::Allocate(store, size, count)),
        6 => (store.clone(), any::<usize>(), 1..120_usize).prop_map(|(to, from, count)| Op::Free(to, from, count)),
        1 => store.clone().prop_map(Op::Flush),
        2 => Just(Op::Trim),
        1 => (1..4_usize).prop_map(Op::RefuseGuards),
        1 => prop_oneof![Just(None), (0..2_000_000_usize).prop_map(Some)].prop_map(Op::Limit),
        1 => store.prop_map(Op::NewStore),
    ];
    prop::collection::vec(op, 1..60)
}

/// The allocator under test, and all that is in use.
struct World {
    region: Fake,
    stacks: Stacks<Fake>,
    stores: Vec<Cache<Fake>>,
    in_use: Vec<Stack>,
    /// Start and end of each stack in use.
    ranges: BTreeMap<usize, usize>,
}

impl World {
    fn new(retention: Retention) -> Self {
        let region = Fake::default();
        let stacks = Stacks::new(region.clone(), Config { guard_size: PAGE, retention }).unwrap();
        let stores = (0..STORES).map(|_| stacks.cache()).collect();
        Self { region, stacks, stores, in_use: Vec::new(), ranges: BTreeMap::new() }
    }

    fn allocate(&mut self, store: usize, size: usize) {
        let stack = match self.stacks.allocate(&mut self.stores[store], size) {
            Ok(stack) => stack,
            Err(StackError::OutOfMemory { errno }) => return assert_eq!(errno, fake::ENOMEM),
            Err(other) => panic!("{other}"),
        };
        let (start, end) = (stack.bottom().addr().get(), stack.top().addr());
        assert!(stack.size() >= size && end - start == stack.size() && end.is_multiple_of(16), "A1, A2");
        assert!(self.region.look(|history| history.guarded.contains(&start)), "A4");
        let below = self.ranges.range(..end).next_back();
        assert!(below.is_none_or(|(_, &below)| below <= start - PAGE), "A3: and a guard between");
        self.ranges.insert(start, end);
        self.in_use.push(stack);
    }

    fn free(&mut self, store: usize, place: usize) {
        if self.in_use.is_empty() {
            return;
        }
        let stack = self.in_use.swap_remove(place % self.in_use.len());
        self.ranges.remove(&stack.bottom().addr().get()).unwrap();
        // SAFETY: from this allocator, and nothing is on it.
        unsafe { self.stacks.free(&mut self.stores[store], stack) };
    }

    fn trim(&mut self) {
        self.stacks.trim();
        for (start, bytes) in self.region.look(|history| std::mem::take(&mut history.discarded)) {
            let below = self.ranges.range(..start + bytes).next_back();
            assert!(below.is_none_or(|(_, &end)| end <= start), "a stack in use loses nothing");
        }
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Allocate(store, size, count) => (0..count).for_each(|_| self.allocate(store, size)),
            Op::Free(store, from, count) => (0..count).for_each(|at| self.free(store, from.wrapping_add(at))),
            Op::Flush(store) => self.stacks.flush(&mut self.stores[store]),
            Op::Trim => self.trim(),
            Op::RefuseGuards(count) => self.region.look(|history| history.refuse_guards = count),
            Op::Limit(limit) => self.region.look(|history| history.most_bytes = limit),
            Op::NewStore(store) => self.stores[store] = self.stacks.cache(),
        }
        let figures = self.stacks.figures();
        let (guarded, reserved) = self.region.look(|history| {
            let bytes = history.slabs.values().map(|(stride, _, count)| stride * count).sum();
            (history.guarded.len(), bytes)
        });
        assert_eq!(figures.in_use, self.in_use.len());
        assert_eq!(figures.free, guarded - self.in_use.len(), "no stack is lost");
        assert_eq!(figures.reserved_bytes, reserved);
    }

    /// Drops the allocator: exactly the slabs without a stack in use go.
    fn end(self) {
        let Self { region, stacks, stores, in_use, ranges } = self;
        drop((stacks, stores));
        region.look(|history| {
            for (&base, &(stride, _, count)) in &history.slabs {
                assert!(
                    ranges.range(base..base + stride * count).next().is_some(),
                    "a slab without use goes"
                );
            }
            for start in ranges.keys() {
                assert!(
                    history
                        .slabs
                        .range(..start)
                        .next_back()
                        .is_some_and(|(base, (stride, _, count))| { start < &(base + stride * count) }),
                    "a slab in use stays"
                );
            }
        });
        drop(in_use);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_keeps_the_clauses(ops in ops(), warm in 0..40_usize, keep_bytes in 0..80_000_usize) {
        let mut world = World::new(Retention { warm, keep_bytes });
        for op in &ops {
            world.step(op);
        }
        world.end();
    }
}
