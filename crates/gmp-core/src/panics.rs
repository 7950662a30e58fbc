//! Panics that leave a goroutine, and `exit`.

use crate::g::G;
use crate::g::cargo::Goexit;
use std::any::Any;
use std::io::Write;

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

/// Says which goroutine panicked, after std's hook has said why. With `abort_on_panic`, says it as Go does and ends
/// the process with exit code 2.
#[doc(alias = "fatalpanic")]
pub(crate) fn report(g: &G, payload: &(dyn Any + Send)) {
    let (title, created_at) = (g.title(), g.created_at.get());
    let abort = g.header().abort_on_panic;
    let text = if abort {
        format!("panic: {}\n\ngoroutine {title} [running]:\ncreated by {created_at}\n", message(payload))
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
