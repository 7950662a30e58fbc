//! `Gathered`: goroutines that become runnable while an M deals with the news of a poller. They are queued together when it
//! has dealt with all, so that nobody is woken for each of them, and so that they run in the order of the news.
//!
//! Those who wait for a descriptor themselves could be put aside where the news is read. The goroutine behind a future's
//! task cannot: it is readied by a waker, whose code may be anybody's, and arrives here by way of `Sched::ready`.

use crate::contract::List;
use crate::records::g::runnable::Runnable;
use core::cell::Cell;

/// Of one M; touched by its thread alone, and only on its own stack.
#[derive(Default)]
pub(crate) struct Gathered(Cell<Option<List<Runnable>>>);

impl Gathered {
    /// From here on goroutines that this M readies are gathered.
    pub(crate) fn begin(&self) {
        let before = self.0.replace(Some(List::new()));
        debug_assert!(before.is_none(), "news of pollers are dealt with one after another");
    }

    /// Adds one. `Some`: nothing is gathered, and the caller is to queue it.
    pub(crate) fn add(&self, g: Runnable) -> Option<Runnable> {
        let Some(mut list) = self.0.take() else { return Some(g) };
        list.push_back(g);
        self.0.set(Some(list));
        None
    }

    /// Those that were gathered, first come first; from here on nothing is.
    pub(crate) fn end(&self) -> List<Runnable> {
        self.0.take().unwrap_or_default()
    }
}
