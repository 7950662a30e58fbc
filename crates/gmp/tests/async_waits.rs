//! What goroutines provide, awaited by async code: ends of goroutines, values, room for values, moments.

use gmp::channel::RecvError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

fn everywhere(main: fn()) {
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap();
        gmp::Builder::new().procs(procs).one_thread_each().build().unwrap().run(main).unwrap();
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Polls once, with a waker that nobody waits for.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Awaits two futures side by side.
async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

#[test]
fn ends_of_goroutines_are_awaited() {
    everywhere(|| {
        for round in 0..100 {
            let one = gmp::go(move || {
                gmp::yield_now();
                round
            });
            let other = gmp::go(|| -> u32 { std::panic::resume_unwind(Box::new("other")) });
            let (one, other) = gmp::block_on(both(one.into_future(), other.into_future()));
            assert_eq!(one.unwrap(), round);
            assert!(matches!(other, Err(gmp::JoinError::Panicked(_))));
        }
        // Dropped unawaited, and half awaited.
        drop(gmp::go(gmp::yield_now).into_future());
        let mut future = gmp::go(gmp::yield_now).into_future();
        let _ = poll_once(&mut future);
        drop(future);
        // Many wakers for one wait: the last one counts.
        let (go_on, waits) = gmp::chan::<()>(0);
        let mut future = gmp::go(move || waits.recv().is_err()).into_future();
        let counts: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        for count in &counts {
            let waker = Waker::from(Arc::clone(count));
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(go_on);
        while counts[2].0.load(SeqCst) == 0 {
            gmp::yield_now();
        }
        assert_eq!(counts[0].0.load(SeqCst) + counts[1].0.load(SeqCst), 0);
        assert!(matches!(poll_once(&mut future), Poll::Ready(Ok(true))));
    });
}

#[test]
fn a_plain_thread_awaits_goroutines_and_their_runtimes_end() {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (done, never): (gmp::JoinHandle<u32>, gmp::JoinHandle<()>) = receive.recv().unwrap();
        gmp::block_on(async { (done.await, never.await) })
    });
    runtime
        .run(move || {
            let done = gmp::go(|| 7);
            let never = gmp::go(|| gmp::block_forever());
            send.send((done, never)).unwrap();
            gmp::sleep(Duration::from_millis(20));
        })
        .unwrap();
    let (done, never) = thread.join().unwrap();
    assert_eq!(done.unwrap(), 7);
    assert!(matches!(never, Err(gmp::JoinError::Abandoned)), "{never:?}");
}

#[test]
fn channels_are_awaited_on_both_sides() {
    everywhere(|| {
        for capacity in [0, 1, 7] {
            let (sender, receiver) = gmp::chan(capacity);
            let (other, others) = (sender.clone(), receiver.clone());
            let threads = [
                gmp::go(move || {
                    gmp::block_on(async {
                        for n in 0..500 {
                            sender.send_async(n).await.unwrap()
                        }
                    })
                }),
                gmp::go(move || (500..1000).for_each(|n| other.send(n).unwrap())),
            ];
            let sums = [
                gmp::go(move || {
                    gmp::block_on(async {
                        let mut all = Vec::new();
                        while let Ok(n) = receiver.recv_async().await {
                            all.push(n);
                        }
                        all
                    })
                }),
                gmp::go(move || others.iter().collect()),
            ];
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            let mut all: Vec<u32> = sums.into_iter().flat_map(|sum| sum.join().unwrap()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..1000).collect::<Vec<_>>(), "capacity {capacity}");
        }
    });
}

#[test]
fn a_closed_channel_ends_what_is_awaited() {
    everywhere(|| {
        let (sender, receiver) = gmp::chan::<u32>(0);
        let waiting = gmp::go(move || gmp::block_on(receiver.recv_async()));
        let (full, nobody) = gmp::chan(0);
        let sending = gmp::go(move || gmp::block_on(full.send_async("back")));
        gmp::yield_now();
        drop((sender, nobody));
        assert_eq!(waiting.join().unwrap(), Err(RecvError));
        assert_eq!(sending.join().unwrap().unwrap_err().into_inner(), "back");
    });
}

#[test]
fn tasks_stand_in_line_with_goroutines() {
    let (sender, receiver) = gmp::chan(0);
    // A receive that waits is one that a send which does not wait can meet.
    let mut first = receiver.recv_async();
    let mut second = receiver.recv_async();
    assert!(poll_once(&mut first).is_pending() && poll_once(&mut second).is_pending());
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    sender.try_send(3).unwrap_err();
    assert_eq!(poll_once(&mut second), Poll::Ready(Ok(2)));
    assert_eq!(poll_once(&mut first), Poll::Ready(Ok(1)));
    drop((first, second));
    // And so with sends.
    let mut sends: Vec<_> = (4..7).map(|n| sender.send_async(n)).collect();
    assert!(sends.iter_mut().all(|send| poll_once(send).is_pending()));
    drop(sends.remove(1));
    assert_eq!([receiver.try_recv(), receiver.try_recv()], [Ok(4), Ok(6)]);
    assert!(receiver.try_recv().is_err());
    assert!(sends.iter_mut().all(|send| poll_once(send) == Poll::Ready(Ok(()))));
}

#[test]
fn a_value_that_a_dropped_future_received_is_not_lost() {
    for capacity in [0, 1, 3] {
        let (sender, receiver) = gmp::chan(capacity);
        let mut futures: Vec<_> = (0..2).map(|_| receiver.recv_async()).collect();
        assert!(futures.iter_mut().all(|future| poll_once(future).is_pending()));
        let mut sent = 0;
        while sender.try_send(sent).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, 2 + capacity, "two go to the futures, the others into the buffer");
        // The second value first: the first one comes before it again.
        drop(futures.pop());
        drop(futures.pop());
        sender.try_send(99).unwrap_err();
        // Closing loses none of them.
        assert!(sender.close());
        assert_eq!(receiver.iter().collect::<Vec<_>>(), (0..sent).collect::<Vec<_>>(), "capacity {capacity}");
    }
}

#[test]
fn a_value_given_back_goes_to_the_next_in_line() {
    everywhere(|| {
        let (sender, receiver) = gmp::chan(0);
        let mut first = receiver.recv_async();
        assert!(poll_once(&mut first).is_pending());
        let next = receiver.clone();
        let next = gmp::go(move || next.recv());
        // One that only asks whether there is something is told, too.
        let asks = receiver.clone();
        let asking = gmp::go(move || gmp::Select::new().recv(&asks));
        while sender.try_send(7).is_err() {
            gmp::yield_now();
        }
        assert_eq!(asking.join().unwrap(), 0);
        gmp::sleep(Duration::from_millis(1));
        drop(first);
        assert_eq!(next.join().unwrap(), Ok(7));
    });
}

#[test]
fn values_that_nobody_receives_are_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    for capacity in [0, 1] {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = gmp::chan(capacity);
        let mut future = receiver.recv_async();
        assert!(poll_once(&mut future).is_pending());
        sender.try_send(Counted(Arc::clone(&dropped))).unwrap();
        let mut made = 1;
        if capacity == 1 {
            sender.try_send(Counted(Arc::clone(&dropped))).unwrap();
            made += 1;
        }
        let mut unsent = sender.send_async(Counted(Arc::clone(&dropped)));
        assert!(poll_once(&mut unsent).is_pending());
        drop(unsent);
        assert_eq!(dropped.load(SeqCst), 1);
        // It comes back into a full channel, which then goes.
        drop(future);
        drop(sender);
        assert_eq!(dropped.load(SeqCst), 1);
        drop(receiver);
        assert_eq!(dropped.load(SeqCst), 1 + made, "capacity {capacity}");
    }
}

#[test]
fn sleeps_are_awaited_and_dropped() {
    everywhere(|| {
        let begun = Instant::now();
        let forever = gmp::time::sleep_async(Duration::from_secs(3600));
        let short = gmp::time::sleep_async(Duration::from_millis(3));
        gmp::block_on(both(short, gmp::time::sleep_async(Duration::from_millis(5))));
        assert!(begun.elapsed() >= Duration::from_millis(5));
        let mut forever = forever;
        assert!(poll_once(&mut forever).is_pending());
        drop(forever);
        // A context's end, by its deadline.
        let (context, _cancel) = gmp::context::Context::background().with_timeout(Duration::from_millis(2));
        assert!(gmp::block_on(context.done().recv_async()).is_err());
    });
}

/// Receives that are dropped at any moment, between sends: every value arrives once.
#[test]
fn races_with_dropped_futures_lose_no_value() {
    everywhere(|| {
        for capacity in [0, 1, 2] {
            let (sender, receiver) = gmp::chan(capacity);
            let receivers: Vec<_> = (0..3)
                .map(|who| {
                    let receiver = receiver.clone();
                    gmp::go(move || {
                        let mut got = Vec::new();
                        loop {
                            let mut future = receiver.recv_async();
                            // Some are dropped after one poll.
                            if (got.len() + who) % 2 == 0 {
                                match poll_once(&mut future) {
                                    Poll::Ready(Ok(n)) => got.push(n),
                                    Poll::Ready(Err(_)) => return got,
                                    Poll::Pending => gmp::yield_now(),
                                }
                                drop(future);
                                future = receiver.recv_async();
                            }
                            match gmp::block_on(future) {
                                Ok(n) => got.push(n),
                                Err(_) => return got,
                            }
                        }
                    })
                })
                .collect();
            drop(receiver);
            let senders: Vec<_> = (0..2)
                .map(|who| {
                    let sender = sender.clone();
                    gmp::go(move || (0..300).for_each(|n| sender.send(n * 2 + who).unwrap()))
                })
                .collect();
            drop(sender);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            let mut all: Vec<u32> =
                receivers.into_iter().flat_map(|receiver| receiver.join().unwrap()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..600).collect::<Vec<_>>(), "capacity {capacity}");
        }
    });
}
