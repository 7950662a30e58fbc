//! `select!`: its grammar, and what its cases do.

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
