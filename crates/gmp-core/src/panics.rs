//! Panics that leave a goroutine, and `exit`.

use crate::current::{Current, current};
use crate::g::G;
use crate::g::cargo::Goexit;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

/// What a panic said, as far as its payload is text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(a payload that is no text)"
    }
}

thread_local! {
    /// Where the last panic of a goroutine under `abort_on_panic` was on this thread, and its backtrace if one is asked
    /// for. A goroutine that suspends while it unwinds keeps its thread, so this is its own.
    static WHERE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps std's hook quiet for goroutines under `abort_on_panic`, whose panics are told as Go tells them: only if they
/// leave the goroutine, and with `panic: ` first. Once a process; other panics go to the hook that was there.
pub(crate) fn tell_as_go_does() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match current() {
            Current::G(g) if g.header().abort_on_panic => {
                let place = info.location().map_or_else(String::new, |at| format!("\t{at}\n"));
                let backtrace = Backtrace::capture();
                let traced = backtrace.status() == BacktraceStatus::Captured;
                let trace = if traced { backtrace.to_string() } else { String::new() };
                WHERE.set(place + &trace);
            }
            _ => before(info),
        }));
    });
}

/// Says which goroutine panicked, after std's hook has said why. With `abort_on_panic`, says it as Go does and ends
/// the process with exit code 2.
#[doc(alias = "fatalpanic")]
pub(crate) fn report(g: &G, payload: &(dyn Any + Send)) {
    let (title, created_at) = (g.title(), g.created_at.get());
    let abort = g.header().abort_on_panic;
    let text = if abort {
        let (why, place) = (message(payload), WHERE.take());
        format!("panic: {why}\n\ngoroutine {title} [running]:\n{place}created by {created_at}\n")
    } else {
        format!("note: that was goroutine {title}, created by {created_at}\n")
    };
    // Nothing is left to be done about a failing standard error.
    let _ = std::io::stderr().write_all(text.as_bytes());
    if abort {
        std::process::exit(2);
    }
}

/// Ends the calling goroutine: unwinds it, running every destructor, without the panic hook.
#[doc(alias = "Goexit")]
pub(crate) fn unwind_goroutine() -> ! {
    std::panic::resume_unwind(Box::new(Goexit))
}
