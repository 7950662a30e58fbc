//! sysmon's note: how the others wake it.

use crate::records::m::note::Note;
use core::sync::atomic::{AtomicBool, Ordering};

/// sysmon's own note.
pub(crate) struct SysmonNote {
    pub(crate) note: Note,
    /// Whether it sleeps lightly: whoever needs it within the longest pause then wakes it.
    lightly_asleep: AtomicBool,
    /// Whether its pauses are the shortest ones: there is no use in waking it.
    looks_often: AtomicBool,
}

impl SysmonNote {
    pub(crate) fn new() -> Self {
        Self {
            note: Note::new(),
            lightly_asleep: AtomicBool::new(false),
            looks_often: AtomicBool::new(false),
        }
    }

    /// Wakes sysmon because a P is lent to a blocking call, and others may want it soon.
    #[inline]
    pub(crate) fn wake_from_light_sleep(&self) {
        if self.lightly_asleep.load(Ordering::Relaxed) && self.lightly_asleep.swap(false, Ordering::Relaxed) {
            self.note.wake();
        }
    }

    /// Whether it looks again soon, as it was when it last went to sleep.
    pub(crate) fn looks_often(&self) -> bool {
        self.looks_often.load(Ordering::Relaxed)
    }

    /// By sysmon alone.
    pub(crate) fn set_looks_often(&self, often: bool) {
        self.looks_often.store(often, Ordering::Relaxed);
    }

    /// By sysmon alone.
    pub(crate) fn set_lightly_asleep(&self, asleep: bool) {
        self.lightly_asleep.store(asleep, Ordering::Relaxed);
    }
}
