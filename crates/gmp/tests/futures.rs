//! Futures awaited by goroutines and plain threads.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A value that somebody provides later.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<(Option<u32>, Option<Waker>)>>);

impl Later {
    fn give(&self, value: u32) {
        let waker = {
            let mut later = self.0.lock().unwrap();
            later.0 = Some(value);
            later.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Later {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        let mut later = self.0.lock().unwrap();
        match later.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                later.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn everywhere(main: fn()) {
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap();
        gmp::Builder::new().procs(procs).one_thread_each().build().unwrap().run(main).unwrap();
    }
}

#[test]
fn a_future_is_awaited_wherever_its_waker_rings() {
    everywhere(|| {
        for round in 0..100 {
            let later = Later::default();
            let giver = later.clone();
            let awaiting = gmp::go(move || gmp::block_on(later));
            match round % 3 {
                0 => giver.give(round),
                1 => gmp::go(move || giver.give(round)).join().unwrap(),
                _ => gmp::blocking(|| std::thread::spawn(move || giver.give(round)).join().unwrap()),
            }
            assert_eq!(awaiting.join().unwrap(), round);
        }
    });
    // A plain thread.
    let later = Later::default();
    let giver = later.clone();
    let thread = std::thread::spawn(move || gmp::block_on(later));
    giver.give(7);
    assert_eq!(thread.join().unwrap(), 7);
}

#[test]
fn a_future_may_wake_itself() {
    everywhere(|| {
        let mut left = 1000;
        gmp::block_on(poll_fn(move |context| {
            left -= 1;
            context.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
}

/// Wakers that are kept, and ring late, wake nobody for something else.
#[test]
fn a_late_ring_leaves_later_waits_alone() {
    everywhere(|| {
        let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let keeper = Arc::clone(&kept);
        let mut polls = 0;
        gmp::block_on(poll_fn(move |context| {
            polls += 1;
            keeper.lock().unwrap().push(context.waker().clone());
            context.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
        let ringer = gmp::go(move || kept.lock().unwrap().drain(..).for_each(Waker::wake));
        assert_eq!(gmp::park_timeout(Duration::from_millis(3)), gmp::Wake::TimedOut, "a ring is no permit");
        ringer.join().unwrap();
    });
}

/// A runtime that unwinds ends the wait.
#[test]
fn a_closing_runtime_unwinds_who_awaits() {
    let runtime = gmp::Builder::new().at_main_return(gmp::AtMainReturn::Unwind).build().unwrap();
    let finished = runtime.run(|| {
        gmp::go(|| gmp::block_on(std::future::pending::<()>()));
        gmp::sleep(Duration::from_millis(5));
    });
    assert!(finished.unwrap().left.is_clean());
}
