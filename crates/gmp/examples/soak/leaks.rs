//! Leaks: once a second somebody asks in the middle of the work which goroutines leak. Pairs that have been made to are
//! told, and nobody else ever: all others go on and end, as the books show.
//!
//! The pairs end as well. What ends them is a handle that is kept as a number which is no address: for the search there is
//! none.

use crate::account::{ACCOUNT, Ticket};
use crate::weather;
use gmp::profile::Sample;
use gmp::{JoinHandle, Sender, chan};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How many pairs leak at once: remains of handles may hide one.
const PAIRS: usize = 8;
/// How they are called.
const NAME: &str = "leaks on purpose";
/// Of so many searches one at least tells a pair. One in which a thread did not stop in time, as it may be on a busy
/// machine, tells none.
const SEARCHES: u64 = 40;

static ASKED: AtomicU64 = AtomicU64::new(0);
static TOLD: AtomicU64 = AtomicU64::new(0);

/// How often was asked, and how many leaks were told.
pub(crate) fn counts() -> (u64, u64) {
    (ASKED.load(Relaxed), TOLD.load(Relaxed))
}

/// Whether none was told in all the searches.
pub(crate) fn are_hidden() -> bool {
    let (asked, told) = counts();
    asked >= SEARCHES && told == 0
}

/// A handle as a number that is no address.
struct Hidden(usize);

impl Hidden {
    fn of(sender: Sender<u32>) -> Self {
        // SAFETY: a handle is one word.
        Self(!unsafe { core::mem::transmute::<Sender<u32>, usize>(sender) })
    }

    fn shown(self) -> Sender<u32> {
        // SAFETY: it was made of one, which is used once.
        unsafe { core::mem::transmute::<usize, Sender<u32>>(!self.0) }
    }
}

/// Two that wait for each other, and what ends that.
struct Pair {
    one: JoinHandle<bool>,
    other: JoinHandle<bool>,
    end: Hidden,
}

impl Pair {
    #[inline(never)]
    fn begin() -> Self {
        let ((to_one, of_one), (to_other, of_other)) = (chan::<u32>(0), chan::<u32>(0));
        let (end, tickets) = (Hidden::of(to_one.clone()), (Ticket::new(), Ticket::new()));
        let one = gmp::spawn().name(NAME).go(move || {
            let _ticket = tickets.0;
            of_one.recv().is_ok_and(|value| to_other.send(value + 1).is_ok())
        });
        let other = gmp::spawn().name(NAME).go(move || {
            let _ticket = tickets.1;
            let got = of_other.recv();
            drop(to_one);
            got == Ok(8)
        });
        Self { one: one.ok().unwrap(), other: other.ok().unwrap(), end }
    }

    fn end(self) {
        let sent = self.end.shown().send(7).is_ok();
        let [one, other] = [self.one, self.other].map(|handle| handle.join().unwrap_or(false));
        if !(sent && one && other) {
            ACCOUNT.complain(String::from("a pair that leaked on purpose did not go on as it was to"));
        }
    }
}

/// Asks who leaks.
pub(crate) fn ask() {
    let pairs: Vec<_> = (0..PAIRS).map(|_| Pair::begin()).collect();
    gmp::sleep(Duration::from_millis(1));
    let leaks = {
        // It makes a thread, and opens files.
        let _fair = gmp::blocking(weather::fair);
        gmp::profile::goroutine_leaks()
    };
    let name = |sample: &Sample| sample.labels.iter().any(|(key, name)| key == "goroutine" && name == NAME);
    let (told, wrong): (Vec<&Sample>, Vec<&Sample>) = leaks.samples.iter().partition(|sample| name(sample));
    if !wrong.is_empty() {
        ACCOUNT.complain(format!("goroutines are said to leak that go on: {wrong:#?}"));
    }
    ASKED.fetch_add(1, Relaxed);
    TOLD.fetch_add(told.iter().map(|sample| sample.count).sum(), Relaxed);
    pairs.into_iter().for_each(Pair::end);
}
