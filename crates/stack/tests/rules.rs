//! The rules of preference, growth, retention and failure, one by one.

mod fake;

use fake::{ENOMEM, Fake, PAGE};
use gmp_core::contract::{Stack, StackAllocator, StackError};
use gmp_stack::{Cache, Config, ConfigError, Retention, Stacks};

const SIZE: usize = 64 << 10;
const STRIDE: usize = SIZE + PAGE;

fn with(retention: Retention) -> (Fake, Stacks<Fake>, Cache<Fake>) {
    let region = Fake::default();
    let stacks = Stacks::new(region.clone(), Config { guard_size: PAGE, retention }).unwrap();
    let cache = stacks.cache();
    (region, stacks, cache)
}

fn take(stacks: &Stacks<Fake>, cache: &mut Cache<Fake>, count: usize) -> Vec<Stack> {
    (0..count).map(|_| stacks.allocate(cache, SIZE).unwrap()).collect()
}

fn give(stacks: &Stacks<Fake>, cache: &mut Cache<Fake>, all: impl IntoIterator<Item = Stack>) {
    for stack in all {
        // SAFETY: from this allocator, and nothing is on it.
        unsafe { stacks.free(cache, stack) };
    }
}

fn bottoms(stacks: &[Stack]) -> Vec<usize> {
    stacks.iter().map(|stack| stack.bottom().addr().get()).collect()
}

#[test]
fn the_last_freed_comes_first_even_through_the_depot() {
    let (_, stacks, mut cache) = with(Retention::default());
    let taken = take(&stacks, &mut cache, 200);
    let mut expected = bottoms(&taken);
    expected.reverse();
    give(&stacks, &mut cache, taken);
    assert_eq!(bottoms(&take(&stacks, &mut cache, 200)), expected);
}

#[test]
fn another_store_gets_what_was_flushed_before_anything_cold() {
    let (region, stacks, mut cache) = with(Retention::default());
    let taken = take(&stacks, &mut cache, 10);
    let expected: Vec<_> = bottoms(&taken).into_iter().rev().collect();
    give(&stacks, &mut cache, taken);
    stacks.flush(&mut cache);
    let mut other = stacks.cache();
    assert_eq!(bottoms(&take(&stacks, &mut other, 10)), expected);
    assert_eq!(region.look(|history| history.guarded.len()), 10, "no cold stack was touched");
}

#[test]
fn a_guard_is_installed_just_before_first_use() {
    let (region, stacks, mut cache) = with(Retention::default());
    assert_eq!(region.look(|history| history.reserved), 0, "nothing is reserved before it is needed");
    for count in 1..=5 {
        take(&stacks, &mut cache, 1);
        assert_eq!(region.look(|history| (history.reserved, history.guarded.len())), (1, count));
    }
}

#[test]
fn slabs_grow_with_what_there_is() {
    let (region, stacks, mut cache) = with(Retention::default());
    drop(take(&stacks, &mut cache, 1));
    assert_eq!(stacks.figures().reserved_bytes, 16 * STRIDE, "a small program reserves 1 MiB");
    drop(take(&stacks, &mut cache, 4999));
    let (reserved, counts) = region.look(|history| {
        let mut counts: Vec<_> = history.slabs.values().map(|slab| slab.2).collect();
        counts.sort_unstable();
        (history.reserved, counts)
    });
    assert_eq!(counts, [16, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]);
    assert_eq!(reserved, 10);
}

#[test]
fn a_refused_slab_is_tried_smaller_and_nothing_is_lost() {
    let (region, stacks, mut cache) = with(Retention::default());
    region.look(|history| history.most_bytes = Some(3 * STRIDE));
    drop(take(&stacks, &mut cache, 20));
    assert!(region.look(|history| history.slabs.values().all(|slab| slab.2 <= 3)));
    region.look(|history| history.most_bytes = Some(0));
    let left = (0..3).take_while(|_| stacks.allocate(&mut cache, SIZE).is_ok()).count();
    let error = stacks.allocate(&mut cache, SIZE).unwrap_err();
    assert_eq!(error, StackError::OutOfMemory { errno: ENOMEM });
    assert!(left < 3 && stacks.figures().free == 0);
    region.look(|history| history.most_bytes = None);
    assert_eq!(take(&stacks, &mut cache, 1).len(), 1, "it works again when there is memory");
}

#[test]
fn a_refused_guard_is_tried_again() {
    let (region, stacks, mut cache) = with(Retention::default());
    region.look(|history| history.refuse_guards = 2);
    for _ in 0..2 {
        let error = stacks.allocate(&mut cache, SIZE).unwrap_err();
        assert_eq!(error, StackError::OutOfMemory { errno: ENOMEM });
    }
    assert_eq!(stacks.figures().in_use, 0);
    let taken = take(&stacks, &mut cache, 16);
    assert_eq!(region.look(|history| history.reserved), 1, "the refused one is among the sixteen");
    assert_eq!(taken.len(), 16);
}

#[test]
fn trimming_keeps_the_warmest_and_cools_the_others() {
    let (region, stacks, mut cache) = with(Retention { warm: 3, keep_bytes: PAGE + 1 });
    let taken = take(&stacks, &mut cache, 10);
    let order = bottoms(&taken);
    give(&stacks, &mut cache, taken);
    stacks.flush(&mut cache);
    stacks.trim();
    let discarded = region.look(|history| std::mem::take(&mut history.discarded));
    let cooled: Vec<_> = order[..7].iter().map(|&start| (start, SIZE)).collect();
    let shallow: Vec<_> = order[7..].iter().map(|&start| (start, SIZE - 2 * PAGE)).collect();
    assert_eq!(discarded, [cooled, shallow].concat(), "two pages cover a page and a byte");
    stacks.trim();
    assert_eq!(region.look(|history| history.discarded.len()), 0, "a second trim finds nothing to do");
    let again = bottoms(&take(&stacks, &mut cache, 10));
    let mut cold = order[..7].to_vec();
    cold.sort_unstable();
    let warm: Vec<_> = order[7..].iter().rev().copied().collect();
    assert_eq!(again, [warm, cold].concat(), "warm ones first, then the lowest cold address");
    assert_eq!(region.look(|history| history.guarded.len()), 10, "guards stay over a trim");
}

#[test]
fn what_is_kept_whole_is_not_discarded() {
    let (region, stacks, mut cache) = with(Retention { warm: 10, keep_bytes: usize::MAX });
    let taken = take(&stacks, &mut cache, 10);
    give(&stacks, &mut cache, taken);
    stacks.flush(&mut cache);
    stacks.trim();
    assert_eq!(region.look(|history| history.discarded.len()), 0);
}

#[test]
fn a_dropped_store_gives_its_stacks_to_the_depot() {
    let (_, stacks, mut cache) = with(Retention::default());
    let taken = take(&stacks, &mut cache, 5);
    give(&stacks, &mut cache, taken);
    drop(cache);
    let figures = stacks.figures();
    assert_eq!((figures.in_use, figures.free), (0, 5));
}

#[test]
fn a_slab_with_a_stack_in_use_outlives_the_allocator() {
    let (region, stacks, mut cache) = with(Retention::default());
    let taken = take(&stacks, &mut cache, 20);
    let last = taken.last().unwrap().bottom().addr().get();
    let mut taken = taken.into_iter();
    give(&stacks, &mut cache, taken.by_ref().take(19));
    drop((cache, stacks));
    let left: Vec<_> =
        region.look(|history| history.slabs.iter().map(|(base, slab)| (*base, slab.2)).collect());
    assert_eq!(left.len(), 1);
    assert!((left[0].0..left[0].0 + left[0].1 * STRIDE).contains(&last));
}

#[test]
fn sizes_and_guards_out_of_range_are_refused_with_the_limits() {
    let (_, stacks, mut cache) = with(Retention::default());
    for asked in [0, (16 << 10) - 1, (64 << 20) + 1, usize::MAX] {
        let error = stacks.allocate(&mut cache, asked).unwrap_err();
        assert_eq!(error, StackError::BadSize { asked, least: 16 << 10, most: 64 << 20 });
    }
    for asked in [0, 1, PAGE - 1, PAGE + 1, (1 << 20) + PAGE] {
        let config = Config { guard_size: asked, ..Config::default() };
        let error = Stacks::new(Fake::default(), config).unwrap_err();
        assert_eq!(error, ConfigError::GuardSize { asked, page: PAGE, most: 1 << 20 });
        assert!(error.to_string().contains(&asked.to_string()));
    }
}
