//! `select!`: its grammar, and what its cases do, those with futures too.

mod told;

use gmp::channel::{RecvError, SendError};
use gmp::{Builder, chan, never, select};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

#[test]
fn the_one_that_is_ready_comes_up() {
    let (a, from_a) = chan(1);
    let (b, from_b) = chan::<&str>(1);
    let (full, _keep) = chan(0);
    for _ in 0..100 {
        a.send(7).unwrap();
        let got = select! {
            recv(from_a) -> n => n.unwrap(),
            recv(from_b) -> word => word.unwrap().len(),
            send(full, 1) -> _ => 0,
        };
        assert_eq!(got, 7);
        b.send("word").unwrap();
        let got = select! {
            recv(from_a) -> n => { n.unwrap() }
            recv(&from_b) -> word => word.unwrap().len(),
            default => 0
        };
        assert_eq!(got, 4);
        let got = select! {
            recv(from_a) -> n => n.unwrap(),
            recv(from_b) -> _ => 1,
            default() => 2,
        };
        assert_eq!(got, 2);
    }
}

#[test]
fn waits_for_any_of_its_cases() {
    for procs in [1, 2, 4] {
        let sum = run(procs, || {
            let (a, from_a) = chan(0);
            let (b, from_b) = chan(0);
            let (totals, total) = chan(0);
            gmp::go(move || (1..=1000_u64).for_each(|n| a.send(n).unwrap()));
            gmp::go(move || (1..=1000_u64).for_each(|n| b.send(n * 1000).unwrap()));
            gmp::go(move || {
                let (mut sum, mut open) = (0, 2);
                let (mut from_a, mut from_b) = (from_a, from_b);
                while open > 0 {
                    select! {
                        recv(from_a) -> n => match n {
                            Ok(n) => sum += n,
                            Err(RecvError) => { open -= 1; from_a = never() }
                        },
                        recv(from_b) -> n => match n {
                            Ok(n) => sum += n,
                            Err(RecvError) => { open -= 1; from_b = never() }
                        },
                    }
                }
                select! { send(totals, sum) -> sent => sent.unwrap() }
            });
            total.recv().unwrap()
        });
        assert_eq!(sum, 500_500 * 1001);
    }
}

#[test]
fn a_variable_is_moved_only_if_it_is_sent() {
    let (full, taken) = chan(1);
    let (other, from_other) = chan::<u8>(1);
    let word = String::from("first");
    full.send(String::from("zeroth")).unwrap();
    select! {
        send(full, word) -> _ => unreachable!(),
        recv(from_other) -> _ => unreachable!(),
        default => {}
    }
    // Still ours.
    assert_eq!(word, "first");
    assert_eq!(taken.recv().unwrap(), "zeroth");
    let sent = select! {
        send(full, word) -> sent => sent,
        recv(from_other) -> _ => unreachable!(),
    };
    assert_eq!(sent, Ok(()));
    assert_eq!(taken.recv().unwrap(), "first");
    full.close();
    let word = String::from("second");
    let sent = select! {
        send(full, word) -> sent => sent,
        recv(from_other) -> _ => unreachable!(),
    };
    assert!(sent == Err(SendError(String::from("second"))));
    drop(other);
}

#[test]
fn control_flow_leaves_the_arms() {
    fn first(numbers: &gmp::Receiver<Result<u32, String>>) -> Result<u32, String> {
        loop {
            let n = select! {
                recv(numbers) -> n => n.map_err(|closed| closed.to_string())??,
                default(LONG) => return Err("late".into()),
            };
            if n > 2 {
                return Ok(n);
            }
            let even = select! {
                recv(numbers) -> n => match n {
                    Ok(Ok(n)) if n % 2 == 0 => n,
                    Ok(_) => continue,
                    Err(_) => break Ok(0),
                },
            };
            assert_eq!(even, 2);
        }
    }
    let (to, numbers) = chan(9);
    let fill = |ns: &[u32]| ns.iter().for_each(|&n| to.send(Ok(n)).unwrap());
    fill(&[1, 2, 3]);
    assert_eq!(first(&numbers), Ok(3));
    fill(&[1, 1, 5]);
    assert_eq!(first(&numbers), Ok(5));
    to.send(Err("no number".into())).unwrap();
    assert_eq!(first(&numbers), Err("no number".into()));
    fill(&[1]);
    to.close();
    assert_eq!(first(&numbers), Ok(0));
    assert_eq!(first(&numbers), Err(RecvError.to_string()));
}

#[test]
fn time_outs() {
    run(2, || {
        let (to, from) = chan::<u8>(0);
        let (to_2, from_2) = chan::<u8>(0);
        let wait = Duration::from_millis(2);
        let timed_out = select! { recv(from) -> _ => false, default(wait) => true };
        assert!(timed_out);
        let timed_out = select! {
            recv(from) -> _ => false,
            send(to_2, 1) -> _ => false,
            default(wait) => true,
        };
        assert!(timed_out);
        let timed_out = select! { recv(never::<u8>()) -> _ => false, recv(never::<u8>()) -> _ => false, default(wait) => true };
        assert!(timed_out);
        gmp::go(move || {
            gmp::sleep(wait);
            to.send(9).unwrap()
        });
        let got = select! { recv(from) -> n => n, recv(from_2) -> n => n, default(LONG) => Ok(0) };
        assert_eq!(got, Ok(9));
        let got = select! { recv(from) -> n => n, default(LONG) => Ok(0) };
        assert_eq!(got, Err(RecvError));
        select! { default(wait) => {} }
        select! { default => {} }
    });
}

#[test]
fn temporaries_and_expressions_are_evaluated_once_and_in_order() {
    let order = std::cell::RefCell::new(Vec::new());
    let note = |n: u32| {
        order.borrow_mut().push(n);
        n
    };
    let (to, _from) = chan(0);
    select! {
        recv({ note(1); never::<u8>() }) -> _ => {}
        send({ note(2); &to }, note(3)) -> _ => {}
        recv({ note(4); never::<u8>() }) -> _ => {}
        default({ note(5); Duration::ZERO }) => {}
    }
    assert_eq!(*order.borrow(), [1, 2, 3, 4, 5]);
}

/// Runs it with one P, with several, and with goroutines that are threads.
fn everywhere(main: fn()) {
    [1, 2].into_iter().for_each(|procs| run(procs, main));
    Builder::new().procs(2).one_thread_each().build().unwrap().run(main).unwrap();
}

/// A future that says how often it is to be polled, wakes itself each time, and counts drops.
struct Steps<'a>(u32, &'a std::cell::Cell<u32>);

impl Future for Steps<'_> {
    type Output = &'static str;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<&'static str> {
        if self.0 == 0 {
            return std::task::Poll::Ready("done");
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
    }
}

#[test]
fn a_future_is_an_arm() {
    everywhere(|| {
        let (_to, from) = chan::<u8>(0);
        let drops = std::cell::Cell::new(0);
        let done = select! { recv(from) -> _ => "received", await(Steps(3, &drops)) -> done => done };
        assert_eq!((done, drops.get()), ("done", 1));
        // Alone, with others of its kind, and by a reference that leaves it to be awaited again.
        let done = select! { await(Steps(3, &drops)) -> done => done };
        assert_eq!((done, drops.get()), ("done", 2));
        let first = select! {
            await(Steps(9, &drops)) -> _ => 9,
            await(Steps(2, &drops)) -> _ => { assert_eq!(drops.get(), 4); 2 }
            await(std::future::pending::<u8>()) -> n => n,
        };
        assert_eq!(first, 2);
        let mut steps = Steps(1, &drops);
        let asked = select! { await(&mut steps) -> done => done, default => "not yet" };
        assert_eq!((asked, steps.0), ("not yet", 0));
        assert_eq!(select! { recv(from) -> _ => "received", await(&mut steps) -> done => done }, "done");
        assert_eq!(drops.get(), 4);
    });
}

#[test]
fn a_future_is_woken_from_anywhere() {
    everywhere(|| {
        let (_to, from) = chan::<u8>(0);
        let (to_2, from_2) = chan::<u8>(0);
        for round in 0..50 {
            let (sender, answer) = gmp::sync::oneshot::channel();
            match round % 3 {
                0 => drop(std::thread::spawn(move || sender.send(round))),
                1 => drop(gmp::go(move || sender.send(round))),
                // By a timer, on the scheduler's stack: what it wakes is the sleep's own waker.
                _ => {
                    let got = select! {
                        recv(from) -> _ => false,
                        await(gmp::time::sleep_async(Duration::from_millis(1))) -> () => true,
                    };
                    assert!(got);
                    sender.send(round).unwrap();
                }
            }
            let got = select! {
                recv(from) -> _ => None,
                send(to_2, 1) -> _ => None,
                await(answer) -> answer => Some(answer.unwrap()),
                default(LONG) => None,
            };
            assert_eq!(got, Some(round));
        }
        drop(from_2);
    });
}

#[test]
fn a_channel_comes_first_and_the_future_goes_on() {
    everywhere(|| {
        let (numbers, from) = chan(0);
        let (go_on, waits) = gmp::sync::oneshot::channel();
        gmp::go(move || {
            (0..100).for_each(|n| numbers.send(n).unwrap());
            go_on.send("all").unwrap();
            gmp::block_forever()
        });
        let mut end = waits.into_future();
        let mut sum = 0;
        let end = loop {
            select! {
                recv(from) -> n => sum += n.unwrap(),
                await(&mut end) -> end => break end,
            }
        };
        assert_eq!((sum, end), (4950, Ok("all")));
    });
}

/// What is sent by a select and what it receives moves as ever when futures stand beside.
#[test]
fn values_move_beside_a_future() {
    everywhere(|| {
        let ((to, from), (back, other)) = (chan(0), chan(1));
        let echo = gmp::go(move || (0..100).for_each(|_| back.send(from.recv().unwrap()).unwrap()));
        for n in 0..100 {
            let word = format!("word {n}");
            select! {
                send(to, word) -> sent => sent.unwrap(),
                await(std::future::pending::<()>()) -> () => unreachable!(),
            }
            let came = select! {
                await(std::future::pending::<()>()) -> () => unreachable!(),
                recv(other) -> word => word,
            };
            assert_eq!(came, Ok(format!("word {n}")));
        }
        echo.join().unwrap();
    });
}

#[test]
fn each_that_is_ready_is_as_likely() {
    let (to, from) = chan(1);
    let mut counts = [0; 3];
    for _ in 0..3000 {
        let _ = to.try_send(());
        counts[select! {
            recv(from) -> _ => 0,
            await(std::future::ready(())) -> () => 1,
            await(async {}) -> () => 2,
        }] += 1;
    }
    // 1000 of each are expected, with a deviation of 26.
    assert!(counts.iter().all(|count| (740..1260).contains(count)), "{counts:?}");
}

#[test]
fn time_runs_out_beside_a_future() {
    everywhere(|| {
        let wait = Duration::from_millis(2);
        let (_to, from) = chan::<u8>(0);
        // One that never waits does not keep the time from running out.
        let restless = || {
            std::future::poll_fn(|context| {
                context.waker().wake_by_ref();
                std::task::Poll::<()>::Pending
            })
        };
        assert!(select! { await(std::future::pending::<()>()) -> () => false, default(wait) => true });
        assert!(select! { await(restless()) -> () => false, default(wait) => true });
        assert!(select! { await(restless()) -> () => false, default => true });
        assert!(
            select! { await(restless()) -> () => false, recv(from) -> _ => false, default(wait) => true }
        );
        assert!(select! { await(restless()) -> () => false, recv(from) -> _ => false, default => true });
    });
}

#[test]
fn a_panic_of_a_future_is_the_selects() {
    everywhere(|| {
        let (to, from) = chan::<String>(1);
        let panics = gmp::go(move || {
            let word = String::from("never sent");
            let (full, _keep) = chan(0);
            select! {
                recv(from) -> _ => {},
                send(full, word) -> _ => {},
                await(async { std::panic::resume_unwind(Box::new("oh")) }) -> () => {},
            }
        });
        assert!(matches!(panics.join(), Err(gmp::JoinError::Panicked(_))));
        assert!(to.is_closed());
    });
}

/// A goroutine that unwinds because its runtime closes does not wait: its first channel counts as closed.
#[test]
fn a_closing_runtime_ends_a_select_with_a_future() {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
    static ENDED: AtomicU32 = AtomicU32::new(0);
    struct Selects;
    impl Drop for Selects {
        fn drop(&mut self) {
            let (_to, from) = chan::<u8>(0);
            let end = select! {
                await(std::future::pending::<()>()) -> () => unreachable!(),
                recv(from) -> n => n,
            };
            assert_eq!(end, Err(RecvError));
            ENDED.fetch_add(1, SeqCst);
        }
    }
    for procs in [1, 2] {
        let builder = Builder::new().procs(procs).at_main_return(gmp::AtMainReturn::Unwind);
        let main = || {
            gmp::go(|| {
                let _selects = Selects;
                let (_to, from) = chan::<u8>(0);
                select! { recv(from) -> _ => {}, await(std::future::pending::<()>()) -> () => {} }
            });
            while gmp::stats().waiting == 0 {
                gmp::yield_now();
            }
        };
        builder.build().unwrap().run(main).unwrap();
    }
    assert_eq!(ENDED.load(SeqCst), 2);
}
