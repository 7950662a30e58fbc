//! Arms of `select!` that await a future.
//!
//! ```text
//!   look   all arms, in random order: a future is polled, a channel tried; the first that is ready comes up
//!   wait   a select of the channels and a bell, which the futures' waker rings
//!   rung   look again
//! ```
//!
//! **Invariant.** The bell is a channel with room for one ring, so one between a poll and the wait after it is not lost.
//! Futures are polled with no lock held.

use super::arm::RecvSlot;
use super::case::Case;
use super::rng::Rng;
use super::round;
use super::timeout::Timeout;
use crate::channel::{Sender, chan};
use crate::wait::Bell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Where an arm's future is, and the place for its output.
pub struct FutureSlot<'f, F: Future> {
    future: Pin<&'f mut F>,
    output: &'f mut Option<F::Output>,
}

impl<'f, F: Future> FutureSlot<'f, F> {
    /// A slot for this future.
    pub fn new(future: Pin<&'f mut F>, output: &'f mut Option<F::Output>) -> Self {
        Self { future, output }
    }

    /// The case that awaits it.
    pub fn case(&mut self) -> Arm<'_> {
        Arm(Kind::Future(self))
    }
}

/// The output, for its arm.
///
/// # Panics
/// Unless the arm has just come up.
pub fn finish<T>(output: Option<T>) -> T {
    output.expect("an arm with a future comes up when the future is ready")
}

/// A future whose type is forgotten.
trait Awaited {
    /// Whether it is ready. It is not asked again after that.
    fn is_ready(&mut self, context: &mut Context<'_>) -> bool;
}

impl<F: Future> Awaited for FutureSlot<'_, F> {
    fn is_ready(&mut self, context: &mut Context<'_>) -> bool {
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => *self.output = Some(output),
            Poll::Pending => return false,
        }
        true
    }
}

/// One arm.
pub struct Arm<'a>(Kind<'a>);

enum Kind<'a> {
    Channel(Case<'a>),
    Future(&'a mut (dyn Awaited + 'a)),
}

impl<'a> From<Case<'a>> for Arm<'a> {
    fn from(case: Case<'a>) -> Self {
        Self(Kind::Channel(case))
    }
}

/// What the futures' waker rings.
struct Ringer(Sender<()>);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ring = ();
        // SAFETY: the slot holds the value. If one is there already, or nobody waits any more, nothing is to be done.
        let _ = unsafe { self.0.chan().try_send(&raw mut ring) };
    }
}

/// The arms, apart: cases of channels with their numbers, and futures with theirs.
struct Arms<'a> {
    cases: Vec<Case<'a>>,
    numbers: Vec<usize>,
    futures: Vec<(usize, &'a mut (dyn Awaited + 'a))>,
}

impl Arms<'_> {
    /// Takes the first arm that is ready, in random order: its number.
    fn look(&mut self, context: &mut Context<'_>) -> Option<usize> {
        let (channels, mut rng) = (self.numbers.len(), Rng::new());
        let mut order: Vec<usize> = (0..channels + self.futures.len()).collect();
        for left in (1..order.len()).rev() {
            order.swap(left, rng.below(left + 1));
        }
        order.into_iter().find_map(|at| match at.checked_sub(channels) {
            None => round::alone(&self.cases[at], Timeout::immediate()).then_some(self.numbers[at]),
            Some(at) => {
                let (number, future) = &mut self.futures[at];
                future.is_ready(context).then_some(*number)
            }
        })
    }
}

impl Arms<'_> {
    /// Waits for one of the futures. It need not be a select, and goes on even in a goroutine that unwinds.
    #[track_caller]
    fn first_future(&mut self) -> usize {
        let bell = Arc::new(Bell::new());
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Some(number) = self.look(&mut context) {
                return number;
            }
            bell.wait();
        }
    }
}

/// Selects, and returns the number of the arm that came up, or `None` for the default. **Suspends**, if it may wait.
#[track_caller]
pub fn awaiting<const N: usize>(arms: [Arm<'_>; N], timeout: Timeout) -> Option<usize> {
    let mut timeout = timeout.begun();
    let (ring, rings) = chan(1);
    let mut rung = RecvSlot::new();
    let mut all = Arms { cases: Vec::with_capacity(N + 1), numbers: Vec::new(), futures: Vec::new() };
    for (number, arm) in arms.into_iter().enumerate() {
        match arm.0 {
            Kind::Channel(case) => {
                all.cases.push(case);
                all.numbers.push(number);
            }
            Kind::Future(future) => all.futures.push((number, future)),
        }
    }
    if all.numbers.is_empty() && timeout.is_never() {
        return Some(all.first_future());
    }
    let waker = Waker::from(Arc::new(Ringer(ring)));
    let mut context = Context::from_waker(&waker);
    all.cases.push(rung.case(&rings));
    loop {
        if let Some(number) = all.look(&mut context) {
            return Some(number);
        }
        timeout = timeout.of_rounds();
        // Whoever does not wait has polled once, and asks all channels again, at one moment.
        let bell = usize::from(!timeout.is_immediate());
        match round::select_any(&all.cases[..all.numbers.len() + bell], timeout) {
            None => return None,
            Some(at) if at < all.numbers.len() => return Some(all.numbers[at]),
            Some(_) => timeout = timeout.begun(),
        }
    }
}
