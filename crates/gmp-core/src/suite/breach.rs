//! `Breach`: a clause that was broken, and how a law's failure is put into words.
//!
//! Laws panic, as tests do, with the clause in brackets, `... (Q2)`, or in front, `V1: ...`. [`watch`] turns the panic into a [`Breach`], which
//! knows what the clause asks for and where to look; [`law`] adds the policy's name. So a broken queue that panics by
//! itself, on any thread, is reported in the same way: it broke Q5.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// Clauses, what they ask for, and what to do about a breach.
const CLAUSES: &[(&str, &str, &str)] = &[
    (
        "Q1",
        "each token comes out exactly once",
        "one atomic step must decide who has a token; look at every path \
        that takes one, and at positions where they wrap round",
    ),
    (
        "Q2",
        "is_empty is never wrong at rest",
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
    ("Q5", "no call blocks, unwinds or calls the runtime", "the queue itself panicked: see its message"),
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
    ("V2", "the same seed gives the same walk", "take all randomness from the seed"),
    ("I2", "STRONG is true", "see the laws in `suite/idle_policy.rs`"),
];

/// What a panic breaks that names no clause: the policy's own code panicked.
const BY_ITSELF: &str = "Q5";

/// A broken clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The clause, as `Q1`.
    pub clause: String,
    /// What was seen.
    pub seen: String,
}

impl Breach {
    fn new(seen: String) -> Self {
        let named = seen.split('(').map(|part| part.get(..2).unwrap_or_default());
        let is_clause = |name: &&str| {
            name.starts_with(['Q', 'S', 'V', 'I']) && name.ends_with(|last: char| last.is_ascii_digit())
        };
        let clause = named.into_iter().find(is_clause).unwrap_or(BY_ITSELF).to_owned();
        Self { clause, seen }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = CLAUSES.iter().find(|clause| clause.0 == self.clause);
        let (_, asks, advice) = known.unwrap_or(&("", "see the contract's documentation", "see there"));
        write!(f, "clause {}: {asks}\n  seen: {}\n  to do: {advice}", self.clause, self.seen)
    }
}

thread_local! {
    /// Whether a panic of this thread is going to be reported by somebody who caught it.
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread's panics as somebody else's to report, so that shrinking a script does not print hundreds.
pub(super) fn be_watched() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WATCHED.get() {
                before(info);
            }
        }));
    });
    WATCHED.set(true);
}

/// Runs a law; its panic is a breach.
pub(super) fn watch<R>(law: impl FnOnce() -> R) -> Result<R, Breach> {
    let before = WATCHED.get();
    be_watched();
    let outcome = panic::catch_unwind(AssertUnwindSafe(law));
    WATCHED.set(before);
    outcome.map_err(|panic| Breach::new(message(&*panic)))
}

/// What a panic said.
pub(super) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// Runs a law on a policy of this name. Panics if it is broken: with the policy, the clause and what to do.
pub fn law(policy: &str, name: &str, law: impl FnOnce()) {
    if let Err(breach) = watch(law) {
        panic!("policy {policy} breaks {name}, {breach}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_names_its_clause() {
        let breach = watch(|| panic!("a token (number {}) was out of sight (Q2)", 3)).unwrap_err();
        assert_eq!(breach.clause, "Q2");
        assert!(breach.to_string().contains("to do: look into every place"), "{breach}");
        assert_eq!(watch(|| panic!("V1: P 3 twice")).unwrap_err().clause, "V1");
        assert_eq!(watch(|| Vec::<u8>::new()[1]).unwrap_err().clause, "Q5");
        assert_eq!(watch(|| 7), Ok(7));
    }

    #[test]
    fn clauses_have_different_names() {
        let mut names: Vec<&str> = CLAUSES.iter().map(|clause| clause.0).collect();
        names.dedup();
        assert_eq!(names.len(), CLAUSES.len());
    }
}
