//! loom models of the watch post and the watcher's note, on the real types over loom's threads.
//!
//! Modelled: two Ms that would wait in the poller while a third thread, at the limit of threads, gives a P to the one that
//! watches. Threads: three. Preemptions: three. Time: under a second.
//!
//! Caught when broken: `enter` without its look at `in_poller` (the second M takes the interrupt that is meant for the
//! first, which never comes back); `leave` that forgets `in_poller` for an M that was taken off (the next one is refused
//! for ever).

use super::watch_post::WatchPost;
use crate::contract::{Poller, ReadyList};
use crate::ground::sync::Arc;
use crate::records::m::loom_poller::Interruptible;
use crate::records::m::note::Note;
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// What two Ms share. `given` stands for the P that somebody has left to an M.
struct Ms {
    lists: Mutex<(WatchPost<usize>, [bool; 2])>,
    notes: [Note; 2],
    back: Mutex<[bool; 2]>,
    came_back: Condvar,
    events: std::sync::Arc<Interruptible>,
    poller: std::sync::Arc<dyn Poller>,
}

impl Ms {
    fn new() -> Arc<Self> {
        let events = std::sync::Arc::new(Interruptible::new(false));
        Arc::new(Self {
            lists: Mutex::new((WatchPost::new(), [false; 2])),
            notes: [Note::new(), Note::new()],
            back: Mutex::new([false; 2]),
            came_back: Condvar::new(),
            poller: events.clone(),
            events,
        })
    }

    /// As `G0::watch` does. Whether the M was given a P meanwhile.
    fn watch(&self, me: usize) -> bool {
        self.notes[me].adopt();
        let entered = self.lists.lock().unwrap().0.enter(me, u64::MAX, true).is_ok();
        let given = entered && {
            self.notes[me].sleep_in(&self.poller, None, &mut ReadyList::new()).unwrap();
            let (post, given) = &mut *self.lists.lock().unwrap();
            post.leave(me, true);
            self.notes[me].clear();
            core::mem::replace(&mut given[me], false)
        };
        self.back.lock().unwrap()[me] = true;
        self.came_back.notify_all();
        given
    }

    fn wait_for(&self, m: usize) {
        let mut back = self.back.lock().unwrap();
        while !back[m] {
            back = self.came_back.wait(back).unwrap();
        }
    }
}

#[test]
fn a_watcher_that_was_given_a_p_comes_back_by_that() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let ms = Ms::new();
        let threads = [0, 1].map(|m| {
            let ms = ms.clone();
            thread::spawn(move || ms.watch(m))
        });
        let taken = {
            let (post, given) = &mut *ms.lists.lock().unwrap();
            post.take().map(|m| {
                given[m] = true;
                (m, ms.notes[m].set().cloned())
            })
        };
        if let Some((m, target)) = &taken {
            target.as_ref().expect("its thread has made the note its own").rouse();
            // No event ends its wait.
            ms.wait_for(*m);
        }
        // Whoever else is in there, or comes later, is let out.
        ms.events.happens();
        (0..2).for_each(|m| ms.wait_for(m));
        let given = threads.map(|thread| thread.join().unwrap());
        assert_eq!(given.iter().filter(|given| **given).count(), usize::from(taken.is_some()));
        assert_eq!(ms.lists.lock().unwrap().0.enter(0, u64::MAX, true), Ok(()));
    });
}
