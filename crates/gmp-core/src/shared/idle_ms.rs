//! The Ms that sleep until they are given a P. The scheduler's lock guards them.
//!
//! A certain number of them are *kept*, however long they sleep; those beyond are *surplus*, and end after a while.
//!
//! **Invariant**: no surplus M is given a P while one that is kept could have it. So a surplus M that is not needed is
//! left alone until its time is over, however often others come and go beside it. If the last to go to sleep were always
//! the first to be woken, as in Go, whose Ms never end, a single goroutine that sleeps for a millisecond at a time would
//! keep a surplus M alive for ever.

/// The idle Ms.
#[doc(alias = "midle")]
pub(crate) struct IdleMs<M> {
    /// Both lists are last in, first out.
    kept: Vec<M>,
    surplus: Vec<M>,
}

impl<M: Copy + PartialEq> IdleMs<M> {
    /// A list without an M.
    pub(crate) fn new() -> Self {
        Self { kept: Vec::new(), surplus: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len() + self.surplus.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts `m` on the list as it goes to sleep, where `keep` Ms are kept. `true`: it is surplus.
    pub(crate) fn push(&mut self, m: M, keep: usize) -> bool {
        let surplus = self.kept.len() >= keep;
        if surplus {
            self.surplus.push(m)
        } else {
            self.kept.push(m)
        }
        surplus
    }

    /// The M that is to be given a P.
    pub(crate) fn pop(&mut self) -> Option<M> {
        self.kept.pop().or_else(|| self.surplus.pop())
    }

    /// Takes `m` off, wherever it is. `false`: it is not here.
    pub(crate) fn remove(&mut self, m: M) -> bool {
        let before = self.len();
        self.kept.retain(|&known| known != m);
        self.surplus.retain(|&known| known != m);
        self.len() < before
    }

    /// Says that the time of `m`, which is surplus, is over: it becomes one of the kept if there is room among them.
    /// `true`: there is none, and it is off the list.
    pub(crate) fn dismiss(&mut self, m: M, keep: usize) -> bool {
        let found = self.remove(m);
        debug_assert!(found, "whoever takes an M off has set its note");
        if self.kept.len() < keep {
            self.kept.push(m);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(idle: &mut IdleMs<u8>) -> Vec<u8> {
        std::iter::from_fn(|| idle.pop()).collect()
    }

    #[test]
    fn whoever_is_surplus_is_left_alone_while_others_come_and_go() {
        let mut idle = IdleMs::new();
        assert_eq!([1, 2, 3, 4].map(|m| idle.push(m, 2)), [false, false, true, true]);
        for _ in 0..10 {
            let (one, other) = (idle.pop().unwrap(), idle.pop().unwrap());
            assert!(one < 3 && other < 3);
            assert!(!idle.push(one, 2) && !idle.push(other, 2));
        }
        assert!(idle.dismiss(3, 2) && idle.dismiss(4, 2));
        assert_eq!(idle.len(), 2);
    }

    #[test]
    fn surplus_ones_are_used_where_the_others_do_not_suffice() {
        let mut idle = IdleMs::new();
        [1, 2, 3].into_iter().for_each(|m| _ = idle.push(m, 1));
        assert_eq!(all(&mut idle), [1, 3, 2]);
        assert!(idle.is_empty());
    }

    #[test]
    fn whoever_is_dismissed_takes_a_place_that_became_free() {
        let mut idle = IdleMs::new();
        [1, 2, 3].into_iter().for_each(|m| _ = idle.push(m, 1));
        assert_eq!(idle.pop(), Some(1));
        assert!(!idle.dismiss(2, 1), "1 runs, so 2 stays");
        assert!(idle.dismiss(3, 1));
        assert!(idle.push(1, 1));
        assert_eq!(all(&mut idle), [2, 1]);
    }

    #[test]
    fn only_what_is_there_is_removed() {
        let mut idle = IdleMs::new();
        [1, 2].into_iter().for_each(|m| _ = idle.push(m, 1));
        assert!(idle.remove(2) && idle.remove(1) && !idle.remove(1));
        assert!(idle.is_empty());
    }
}
