//! What sights are made of, and circles among them.

use super::*;

/// Each field is one that is written as a whole, and they fill the type: an `Option` with room for a payload that was
/// lacking hid leaks in optimised builds.
#[test]
fn a_sight_has_no_room_for_a_word_that_nobody_has_written() {
    /// What has no such room, neither within it nor around it.
    trait Whole {}
    impl Whole for bool {}
    impl Whole for u64 {}
    impl Whole for Rest {}
    impl Whole for What {}
    impl Whole for WaitReason {}
    impl Whole for Does {}
    impl Whole for Range<usize> {}
    impl Whole for &'static str {}
    impl Whole for &'static Location<'static> {}
    impl Whole for Arc<str> {}
    impl<T> Whole for Arc<[T]> {}
    // A number and an address; what its elements are is told below.
    impl Whole for Vec<Ancestor> {}
    // Lacking, they are a zero.
    impl Whole for Option<Address> {}
    impl Whole for Option<NonZeroU64> {}
    fn sum(sizes: &[usize]) -> usize {
        sizes.iter().sum()
    }
    fn size<T: Whole>(_: &T) -> usize {
        size_of::<T>()
    }
    let fields = |sight: &Sight| {
        let Sight { number, parent, name, labels, ancestors, created_at, function, system, .. } = sight;
        let Sight { state, stack, wait, timed, held_from, holder, _rest, .. } = sight;
        let Does { m, age, at, joins, what, reason, _rest: its_rest } = state;
        let does = [size(m), size(age), size(at), size(joins), size(what), size(reason), size(its_rest)];
        assert_eq!(sum(&does), size(state));
        let names = [size(number), size(parent), size(name), size(labels), size(ancestors)];
        let places = [size(created_at), size(function), size(stack), size(held_from), size(holder)];
        sum(&names) + sum(&places) + sum(&[size(system), size(state), size(wait), size(timed), size(_rest)])
    };
    let sight = Sight {
        number: 1,
        parent: 0,
        name: Arc::default(),
        labels: Arc::default(),
        ancestors: Vec::new(),
        created_at: Location::caller(),
        function: "",
        system: false,
        state: Does::of(State::Running(None)),
        stack: 0..0,
        wait: 0,
        timed: false,
        held_from: None,
        holder: None,
        _rest: [0; 6],
    };
    assert_eq!(fields(&sight), size_of::<Sight>());
    let Ancestor { number, created_at } = Ancestor { number: 1, created_at: Location::caller() };
    assert_eq!(size(&number) + size(&created_at), size_of::<Ancestor>());
}

#[test]
fn a_state_is_given_back() {
    let at = Some(Object::At(Address::new(0x7000)));
    let (reason, age) = (WaitReason::Join, Duration::from_nanos(1_000_000_001));
    for state in [
        State::Runnable { started: false },
        State::Runnable { started: true },
        State::Running(Some(0)),
        State::Running(None),
        State::Blocked(Some(7)),
        State::Blocked(None),
        State::Waiting { reason, age, at },
        State::Waiting { reason, age, at: Some(Object::Goroutine(9)) },
        State::Waiting { reason, age, at: None },
    ] {
        assert_eq!(Does::of(state).get(), state);
    }
}

#[test]
fn cycles_are_found_once_and_paths_into_them_are_none() {
    let waits = BTreeMap::from([(1, 3), (3, 9), (9, 4), (4, 3), (5, 4), (6, 6), (7, 8), (10, 7)]);
    let stacks = ByStack::new([(100..200, 7), (0..0, 9), (300..400, 8)].into_iter());
    assert_eq!([50, 100, 199, 200, 399].map(|at| stacks.find(at)), [None, Some(7), Some(7), None, Some(8)]);
    assert_eq!(cycles(&waits), [vec![3, 9, 4], vec![6]]);
    assert!(cycles(&BTreeMap::from([(1, 2), (2, 3)])).is_empty());
}
