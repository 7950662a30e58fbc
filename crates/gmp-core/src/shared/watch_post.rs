//! The watch post: which M, of those without work, waits for timers and descriptors. The scheduler's lock guards it.
//!
//! ```text
//!   free ──enter──► held by an M ──────────leave: the M is back──────────► free
//!    ▲                 └──take: the M was given a P──► free, but the M is in the poller yet
//!    └──────────────────────────leave──────────────────────────────────┘
//! ```
//!
//! **Invariant** (the contract's N4). At most one M is in the poller: the one that holds the post, or one that was taken
//! off it and has not come back. Another that would wait there is refused: the one that is in there has a P by then, or
//! takes one, and comes here again when it gives that up.
//!
//! **The danger** is a second M in the poller: it would take the interrupt that is meant for the first, which would sleep
//! on with a P in its hands.

/// The one idle M that wakes by itself: for timers, for descriptors, or for both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watcher<M> {
    pub(crate) m: M,
    /// The earliest timer that it knows of.
    pub(crate) until: u64,
    /// It sleeps in the poller, not in its note.
    pub(crate) polls: bool,
}

/// Why an M does not watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another one does, and knows as much.
    Watched,
    /// Another one does, and does not know all that there is to watch for: it is to look again.
    KnowsTooLittle,
    /// Another one has not left the poller yet.
    InUse,
}

/// The post.
#[derive(Debug)]
pub(crate) struct WatchPost<M> {
    watcher: Option<Watcher<M>>,
    in_poller: bool,
}

impl<M: Copy + PartialEq> WatchPost<M> {
    /// Nobody watches.
    pub(crate) fn new() -> Self {
        Self { watcher: None, in_poller: false }
    }

    /// Who watches.
    pub(crate) fn watcher(&self) -> Option<Watcher<M>> {
        self.watcher
    }

    /// Whether this M watches.
    pub(crate) fn is_held_by(&self, m: M) -> bool {
        self.watcher.is_some_and(|watcher| watcher.m == m)
    }

    /// Lets `m` watch: until a timer is due, and in the poller if it `polls`.
    pub(crate) fn enter(&mut self, m: M, until: u64, polls: bool) -> Result<(), Refused> {
        match self.watcher {
            Some(watcher) if watcher.until > until || (polls && !watcher.polls) => {
                Err(Refused::KnowsTooLittle)
            }
            Some(_) => Err(Refused::Watched),
            None if polls && self.in_poller => Err(Refused::InUse),
            None => {
                self.watcher = Some(Watcher { m, until, polls });
                self.in_poller |= polls;
                Ok(())
            }
        }
    }

    /// Says that `m`, which has entered with this `polls`, is back.
    pub(crate) fn leave(&mut self, m: M, polls: bool) {
        self.in_poller &= !polls;
        self.watcher = self.watcher.filter(|watcher| watcher.m != m);
    }

    /// Takes the watcher off its post, to give it a P.
    pub(crate) fn take(&mut self) -> Option<M> {
        self.watcher.take().map(|watcher| watcher.m)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_watches_and_is_told_if_it_knows_too_little() {
        let mut post = WatchPost::new();
        assert_eq!(post.enter('a', 10, false), Ok(()));
        assert_eq!(post.enter('b', 10, false), Err(Refused::Watched));
        assert_eq!(post.enter('b', 9, false), Err(Refused::KnowsTooLittle));
        assert_eq!(post.enter('b', 20, true), Err(Refused::KnowsTooLittle));
        assert!(post.is_held_by('a') && !post.is_held_by('b'));
        post.leave('a', false);
        assert!(post.watcher().is_none());
    }

    #[test]
    fn whoever_was_taken_off_keeps_others_from_the_poller_until_it_is_back() {
        let mut post = WatchPost::new();
        assert_eq!(post.enter('a', 10, true), Ok(()));
        assert_eq!(post.take(), Some('a'));
        assert_eq!(post.enter('b', 10, true), Err(Refused::InUse));
        assert_eq!(post.enter('b', 10, false), Ok(()));
        post.leave('a', true);
        assert!(post.is_held_by('b'));
        post.leave('b', false);
        assert_eq!(post.enter('c', 10, true), Ok(()));
    }
}
