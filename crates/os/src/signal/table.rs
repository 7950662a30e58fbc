//! Which signals are wanted or ignored, and therefore whether their default action is taken.
//!
//! A handler that was installed once stays, since taking it out races with those of others. So the first handler of
//! each signal takes the system's default action if a flag says so, which means that nobody wants the signal and it is
//! not ignored.

use signal_hook::flag;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Entry {
    by_default: Arc<AtomicBool>,
    wanted: usize,
    ignored: bool,
}

static TABLE: Mutex<BTreeMap<i32, Entry>> = Mutex::new(BTreeMap::new());

fn table() -> MutexGuard<'static, BTreeMap<i32, Entry>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn change(signal: i32, change: impl FnOnce(&mut Entry)) -> io::Result<()> {
    let mut table = table();
    let entry = match table.entry(signal) {
        std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
        std::collections::btree_map::Entry::Vacant(new) => {
            let entry = Entry::default();
            flag::register_conditional_default(signal, Arc::clone(&entry.by_default))?;
            new.insert(entry)
        }
    };
    change(entry);
    // Relaxed, since it guards nothing, and a signal that comes meanwhile may find either.
    entry.by_default.store(entry.wanted == 0 && !entry.ignored, Relaxed);
    Ok(())
}

/// Counts one more request for the signal.
pub(super) fn wanted(signal: i32) -> io::Result<()> {
    change(signal, |entry| entry.wanted += 1)
}

/// Counts one request less.
pub(super) fn unwanted(signal: i32) {
    // It is in the table, so nothing is installed.
    let _ = change(signal, |entry| entry.wanted -= 1);
}

pub(super) fn set_ignored(signal: i32, ignored: bool) -> io::Result<()> {
    change(signal, |entry| entry.ignored = ignored)
}
