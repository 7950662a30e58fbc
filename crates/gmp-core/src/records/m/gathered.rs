//! `Gathered`: goroutines that become runnable while an M deals with the news of a poller. They are queued together when it
//! has dealt with all, so that nobody is woken for each of them, and so that they run in the order of the news.
//!
//! Those who wait for a descriptor themselves could be put aside where the news is read. The goroutine behind a future's
//! task cannot: it is readied by a waker, whose code may be anybody's, and arrives here by way of `Sched::ready`.

use crate::contract::List;
use crate::records::g::runnable::Runnable;
use core::cell::Cell;

/// Of one M; touched by whoever runs on it. Goroutines are gathered on the M's own stack only.
#[derive(Default)]
pub(crate) struct Gathered {
    gathers: Cell<bool>,
    list: Cell<List<Runnable>>,
}

impl Gathered {
    /// From here on goroutines that this M readies are gathered.
    pub(crate) fn begin(&self) {
        let before = self.gathers.replace(true);
        debug_assert!(!before, "news of pollers are dealt with one after another");
    }

    /// Adds one. `Some`: nothing is gathered, and the caller is to queue it.
    #[inline]
    pub(crate) fn add(&self, g: Runnable) -> Option<Runnable> {
        if !self.gathers.get() {
            return Some(g);
        }
        let mut list = self.list.take();
        list.push_back(g);
        self.list.set(list);
        None
    }

    /// Those that were gathered, first come first; from here on nothing is.
    pub(crate) fn end(&self) -> List<Runnable> {
        self.gathers.set(false);
        self.list.take()
    }
}
