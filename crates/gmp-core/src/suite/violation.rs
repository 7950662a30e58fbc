//! `Violation`: a clause that was broken, and how a law's failure is put into words.
//!
//! Laws panic, as tests do, with the clause in brackets, `... (Q2)`, or in front, `V1: ...`. `watch` turns
//! the panic into a [`Violation`], which knows what the clause asks for and where to look; [`law`] adds the policy's name.
//! So a broken queue that panics by itself, on any thread, is reported in the same way, with the place: it broke Q5.
//! What blocks for ever cannot be caught; `in_time` says on the standard error output what is stuck.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

/// How long a law, or one script of a fuzzer, may take before it is reported as stuck; usually it takes some seconds.
const PATIENCE: Duration = Duration::from_secs(45);

/// Clauses, what they ask for, and what to do about a violation.
const CLAUSES: &[(&str, &str, &str)] = &[
    (
        "Q1",
        "each token comes out exactly once",
        "one atomic step must decide who has a token; look at every path \
        that takes one, and at positions where they wrap round",
    ),
    (
        "Q2",
        "is_empty and len are never wrong at rest",
        "look into every place where a token may wait, and once more if \
        something moved between the looks",
    ),
    (
        "Q3",
        "pop gives None only if the queue was empty",
        "look into every place before giving up, and again after a \
        lost race",
    ),
    (
        "Q4",
        "CAPACITY is true, and a push spills one batch",
        "count everything that waits, a `next` slot included, or \
        declare another CAPACITY; collect what has no room in one List",
    ),
    (
        "Q5",
        "no call blocks, unwinds or calls the runtime (of other parts: S3, I5)",
        "the policy's own code panicked, with the message and at the place above",
    ),
    (
        "Q6",
        "the queue keeps the order of its PROMISE",
        "keep it whoever takes tokens meanwhile, in spills and batches \
        too, or promise less",
    ),
    (
        "Q7",
        "a steal takes what there is, or moves nothing",
        "the last look takes anything from others and nothing \
        from oneself; back off once at most",
    ),
    ("S1", "each token comes out of the shared queue once", "see Q1"),
    ("S2", "the shared queue's is_empty and len are true at rest", "see Q2"),
    (
        "S4",
        "push_front is served first, in its order",
        "a removed P's goroutines must not wait behind newer ones",
    ),
    (
        "S5",
        "a batch keeps to its limit",
        "`pop_batch` gives at most `limit` tokens, at least one if there is one and \
        the limit allows, and tokens in order of arrival",
    ),
    ("V1", "a walk visits each P once", "no index may be left out, come twice or be too large"),
    (
        "V2",
        "the same seed gives the same walk, and other seeds other walks",
        "take all randomness from the seed, and take some: thieves must not all begin with one victim",
    ),
    (
        "I2",
        "STRONG is true",
        "say `true` in `wake_on_submit` and `pass_on` whenever a P is idle and nobody spins, however little is \
        queued, or set STRONG to false; if nothing is ever refused then, set it to true",
    ),
];

/// The clause that a panic breaks if it names none: the policy's own code panicked.
const BY_ITSELF: &str = "Q5";

/// What stands in front of the place of such a panic.
const AT: &str = "\n  at: ";

/// A broken clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The clause, as `Q1`.
    pub clause: String,
    /// What was seen.
    pub seen: String,
}

impl Violation {
    /// `place` is where the panic was.
    fn new(seen: String, place: Option<String>) -> Self {
        let named = seen.split('(').map(|part| part.get(..2).unwrap_or_default());
        let is_clause = |name: &&str| {
            name.starts_with(['Q', 'S', 'V', 'I']) && name.ends_with(|last: char| last.is_ascii_digit())
        };
        let named = named.into_iter().find(is_clause).map(str::to_owned);
        match (named, place) {
            (Some(clause), _) => Self { clause, seen },
            // What another thread reported already has its place.
            (None, Some(place)) if !seen.contains(AT) => {
                Self { clause: BY_ITSELF.to_owned(), seen: format!("{seen}{AT}{place}") }
            }
            (None, _) => Self { clause: BY_ITSELF.to_owned(), seen },
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = CLAUSES.iter().find(|clause| clause.0 == self.clause);
        let (_, asks, advice) = known.unwrap_or(&("", "see the contract's documentation", "see there"));
        write!(f, "clause {}: {asks}\n  seen: {}\n  to do: {advice}", self.clause, self.seen)
    }
}

thread_local! {
    /// Whether a panic of this thread is going to be reported by somebody who caught it.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic of this thread happened, among those that somebody caught.
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Marks this thread's panics as somebody else's to report, so that shrinking a script does not print hundreds of them.
pub(super) fn be_watched() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
    WATCHED.set(true);
}

/// Runs a law, and turns its panic into a violation.
pub(super) fn watch<R>(law: impl FnOnce() -> R) -> Result<R, Violation> {
    let before = WATCHED.get();
    be_watched();
    let outcome = panic::catch_unwind(AssertUnwindSafe(law));
    WATCHED.set(before);
    outcome.map_err(|panic| Violation::new(message(&*panic), PLACE.take()))
}

/// What a panic said.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// Runs some work, and calls `stuck` from another thread if that takes longer than `patience`.
fn within<R>(patience: Duration, stuck: impl FnOnce() + Send, work: impl FnOnce() -> R) -> R {
    thread::scope(|scope| {
        let (ended, end) = mpsc::channel::<()>();
        scope.spawn(move || {
            if end.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                stuck();
            }
        });
        let outcome = work();
        drop(ended);
        outcome
    })
}

/// Runs some work on a policy of this name. If it takes long, it is named: it may never end.
pub(super) fn in_time<R>(policy: &str, what: impl FnOnce() -> String + Send, work: impl FnOnce() -> R) -> R {
    let stuck = || {
        // The output of tests is held back until they end, except what is written without the print macros.
        let _ = writeln!(io::stderr(), "{}", stuck(policy, &what()));
    };
    within(PATIENCE, stuck, work)
}

/// What to say of a law that does not end.
fn stuck(policy: &str, what: &str) -> String {
    format!(
        "policy {policy}: not over after {} s: {what}\n  if it never ends, a call blocks or loops (Q5)\n  \
        to do: look for a lock that is taken twice, as in a steal from oneself, for two that are taken in different \
        orders, and for a loop that nothing ends",
        PATIENCE.as_secs()
    )
}

/// Runs a law on a policy of this name. Panics if it is broken: with the policy, the clause and what to do.
pub fn law(policy: &str, name: &str, law: impl FnOnce()) {
    if let Err(violation) = in_time(policy, || name.to_owned(), || watch(law)) {
        panic!("policy {policy} breaks {name}, {violation}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_names_its_clause() {
        let violation = watch(|| panic!("a token (number {}) was out of sight (Q2)", 3)).unwrap_err();
        assert_eq!(violation.clause, "Q2");
        assert!(violation.to_string().contains("to do: look into every place"), "{violation}");
        assert_eq!(watch(|| panic!("V1: P 3 twice")).unwrap_err().clause, "V1");
        assert_eq!(watch(|| Vec::<u8>::new()[1]).unwrap_err().clause, "Q5");
        assert_eq!(watch(|| 7), Ok(7));
    }

    /// A policy's own panic is reported with its place, once, also if it was caught on another thread and passed on.
    #[test]
    fn a_panic_without_a_clause_says_where_it_was() {
        let line = line!() + 1;
        let violation = watch(|| panic!("oh")).unwrap_err();
        assert!(violation.seen.starts_with(&format!("oh{AT}{}:{line}:", file!())), "{violation}");
        let again = watch(|| panic!("{}", violation.seen)).unwrap_err();
        assert_eq!(again, violation);
    }

    #[test]
    fn work_that_takes_long_is_named() {
        let (named, name) = mpsc::channel();
        let outcome =
            within(Duration::from_millis(1), || named.send("stuck").unwrap(), || name.recv().unwrap());
        assert_eq!(outcome, "stuck");
        within(Duration::from_secs(3600), || panic!("it took a moment only"), || {});
        assert!(stuck("newest", "a_law").starts_with("policy newest: not over after 45 s: a_law\n"));
    }

    #[test]
    fn clauses_have_different_names() {
        let mut names: Vec<&str> = CLAUSES.iter().map(|clause| clause.0).collect();
        names.dedup();
        assert_eq!(names.len(), CLAUSES.len());
    }
}
