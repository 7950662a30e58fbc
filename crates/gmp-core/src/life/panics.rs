//! Panics that leave a goroutine, and `exit`.

use crate::entering::caller::{Caller, caller};
use crate::records::g::body::{Goexit, Outcome};
use crate::records::g::{Flags, G, Wake};
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

const NO_TEXT: &str = "(a payload that is no text)";

fn text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&'static str>().copied().or_else(|| Some(payload.downcast_ref::<String>()?))
}

/// What a panic said, as far as its payload is text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    text(payload).unwrap_or(NO_TEXT)
}

/// What a goroutine panicked with.
///
/// `Sync`, though what is inside need not be, because only its owner gets that: so the errors that hold one go into
/// `anyhow::Error` and `Box<dyn Error + Send + Sync>`.
pub struct Payload(Mutex<Box<dyn Any + Send + 'static>>);

impl Payload {
    pub(crate) fn new(payload: Box<dyn Any + Send + 'static>) -> Self {
        Self(Mutex::new(payload))
    }

    /// The payload itself: to be downcast, or to go on with by [`resume_unwind`](std::panic::resume_unwind).
    pub fn into_inner(self) -> Box<dyn Any + Send + 'static> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The panic's message. `None` if the payload is no text: then it came from
    /// [`panic_any`](std::panic::panic_any) or `resume_unwind`.
    pub fn text(&self) -> Option<String> {
        text(&**self.0.lock().unwrap_or_else(PoisonError::into_inner)).map(str::to_owned)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// The message, or a text that says that there is none.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_deref().unwrap_or(NO_TEXT))
    }
}

thread_local! {
    /// What std's hook would have said of the last panic on this thread, under `abort_on_panic`: where it was, and its
    /// backtrace if the environment asks for one. A goroutine that unwinds has its thread to itself.
    static LAST: Cell<Option<String>> = const { Cell::new(None) };
}

/// Keeps std's hook quiet about goroutines under `abort_on_panic`: one that recovers says nothing, as in Go, and of one
/// that does not `panic: ...` is to be the first line. A hook that the program sets later comes before this one.
pub(crate) fn hush_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match caller() {
            Caller::G(here) if here.g().header().abort_on_panic => note(info),
            _ => before(info),
        }));
    });
}

#[inline(never)]
fn note(info: &std::panic::PanicHookInfo<'_>) {
    let mut text = info.location().map_or_else(String::new, |at| format!("\tat {at}\n"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        text += &format!("{backtrace}\n");
    }
    // A destructor of a thread-local may panic when this one is gone.
    let _ = LAST.try_with(|last| last.set(Some(text)));
}

/// Says which goroutine panicked, after std's hook has said why. With `abort_on_panic`, says it as Go does and ends
/// the process with exit code 2.
#[doc(alias = "fatalpanic")]
#[cold]
#[inline(never)]
pub(crate) fn report(g: &G, payload: &(dyn Any + Send)) {
    let (title, created_at) = (g.title(), g.created_at.get());
    let abort = g.header().abort_on_panic;
    let text = if abort {
        let at = LAST.try_with(Cell::take).ok().flatten().unwrap_or_default();
        format!("panic: {}\n\ngoroutine {title} [running]:\n{at}created by {created_at}\n", message(payload))
    } else {
        format!("note: that was goroutine {title}, created by {created_at}\n")
    };
    // Nothing is left to be done about a failing standard error.
    let _ = std::io::stderr().write_all(text.as_bytes());
    if abort {
        std::process::exit(2);
    }
}

/// Runs the closure of `g` and leaves the outcome.
///
/// # Safety
/// On the goroutine's own stack, once; its body holds its closure.
#[inline]
pub(crate) unsafe fn run_body(g: &G) {
    // SAFETY: the caller says so.
    match unsafe { (g.table.get().run)(&g.body) } {
        Ok(()) => g.outcome.set(Outcome::Value),
        Err(payload) => end_by_unwind(g, payload),
    }
}

#[cold]
fn end_by_unwind(g: &G, payload: Box<dyn Any + Send>) {
    if payload.is::<Goexit>() {
        return g.outcome.set(Outcome::Exited);
    }
    report(g, payload.as_ref());
    // SAFETY: the closure has left the body.
    unsafe { g.body.put(payload) };
    g.outcome.set(Outcome::Panicked);
}

/// The destructor of one of the goroutine's locals has panicked: that is what its handle gets, in place of what the
/// goroutine ended with.
#[cold]
pub(crate) fn end_in_panic(g: &G, payload: Box<dyn Any + Send>) {
    report(g, payload.as_ref());
    if g.has(Flags::DROPPING) {
        // Nobody has a handle any more. A payload whose own drop panics is not worth more care than this.
        core::mem::forget(payload);
        return;
    }
    // SAFETY: the closure is over, and nobody gets at its outcome before the goroutine has left.
    unsafe { g.drop_unwanted() };
    // SAFETY: the outcome has just left the body.
    unsafe { g.body.put(payload) };
    g.outcome.set(Outcome::Panicked);
    // What the destructor of a lost result has made anew. One message is enough.
    core::mem::forget(crate::life::local::end_of_goroutine());
}

/// Ends the calling goroutine: unwinds it, running every destructor, without the panic hook.
#[doc(alias = "Goexit")]
pub(crate) fn unwind_goroutine() -> ! {
    if let Caller::G(here) = caller() {
        here.g().set(Flags::UNWINDS);
    }
    std::panic::resume_unwind(Box::new(Goexit))
}

/// Unwinds the calling goroutine if its wait ended because the runtime is closing, and if it [may be](may_unwind).
pub fn unwind_if_closing(wake: Wake) {
    if wake == Wake::Closing && may_unwind() {
        unwind_goroutine();
    }
}

/// Whether the caller may be unwound because its runtime closes: not one that unwinds already, nor a goroutine whose code
/// is over and whose thread-locals are being dropped, since what unwinds out of such a destructor ends the process. Never
/// suspends.
pub fn may_unwind() -> bool {
    let code_is_over = || matches!(caller(), Caller::G(here) if here.g().has(Flags::CODE_OVER));
    !std::thread::panicking() && !code_is_over()
}
