//! Ctrl-C, SIGTERM and SIGHUP: one handler for the process, which does what the current run asks for.

use anyhow::{Context, Result};
use std::sync::{Mutex, OnceLock, PoisonError};

type Callback = Box<dyn FnMut() + Send>;

/// What the next signal does. One run at a time: a later one takes the place of one that is over.
static CALLBACK: Mutex<Option<Callback>> = Mutex::new(None);

/// Calls `callback` at each signal from here on, on a thread of its own, in place of what was called before.
pub(crate) fn on_signal(callback: impl FnMut() + Send + 'static) -> Result<()> {
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    *CALLBACK.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(callback));
    let installed = INSTALLED.get_or_init(|| ctrlc::set_handler(call).map_err(|error| error.to_string()));
    installed.clone().map_err(anyhow::Error::msg).context("cannot listen for Ctrl-C and SIGTERM")
}

fn call() {
    if let Some(callback) = CALLBACK.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        callback();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The gates run one after another in one process, and two of them listen.
    #[test]
    fn a_later_run_takes_the_place_of_an_earlier_one() {
        let (first, second) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        for count in [&first, &second] {
            let count = Arc::clone(count);
            on_signal(move || _ = count.fetch_add(1, Ordering::Relaxed)).unwrap();
        }
        call();
        assert_eq!((first.load(Ordering::Relaxed), second.load(Ordering::Relaxed)), (0, 1));
    }
}
