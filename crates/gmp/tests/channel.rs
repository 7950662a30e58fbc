//! Channels between goroutines, and plain threads.

mod told;

use gmp::{Builder, chan};

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

#[test]
fn ping_pong() {
    for procs in [1, 2, 4] {
        let sum = run(procs, || {
            let (ping, pings) = chan(0);
            let (pong, pongs) = chan(0);
            gmp::go(move || pings.iter().for_each(|n: u64| pong.send(n + 1).unwrap()));
            (0..1000).map(|n| (ping.send(n).unwrap(), pongs.recv().unwrap()).1).sum::<u64>()
        });
        assert_eq!(sum, 500_500);
    }
}

#[test]
fn between_a_thread_and_a_goroutine() {
    for capacity in [0, 1, 7] {
        let (numbers, all) = chan(capacity);
        let thread = std::thread::spawn(move || all.iter().sum::<u64>());
        run(2, move || (0..1000).for_each(|n| numbers.send(n).unwrap()));
        assert_eq!(thread.join().unwrap(), 499_500);
    }
}

/// Handles of channels, and the primitives that hold no value, need no `AssertUnwindSafe`.
#[test]
fn a_panic_that_is_caught_leaves_them_usable() {
    run(2, || {
        let (sender, receiver) = chan(1);
        let (group, once) = (gmp::sync::WaitGroup::new(), gmp::sync::Once::new());
        let (cell, seats) = (gmp::sync::OnceCell::<u32>::new(), gmp::sync::Semaphore::new(1));
        let lazy = gmp::sync::Lazy::<u32>::new(|| 7);
        let caught = std::panic::catch_unwind(|| {
            group.add(1);
            let _seat = seats.acquire();
            sender.send(*lazy).unwrap();
            once.call_once(|| _ = cell.get_or_init(|| panic!("half made")));
        });
        assert!(caught.is_err());
        assert_eq!((receiver.recv(), once.is_completed(), cell.get()), (Ok(7), true, None));
        group.done();
        group.wait();
        assert_eq!(seats.available(), 1);
    });
}

/// `?` takes an error of a plain operation where one of a `try_` operation or one with a deadline is asked for.
#[test]
fn errors_widen() {
    use gmp::channel::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
    let (sender, receiver) = chan(1);
    assert!(receiver.close());
    assert_eq!(TrySendError::from(sender.send(7).unwrap_err()), TrySendError::Closed(7));
    assert_eq!(SendTimeoutError::from(sender.send(7).unwrap_err()), SendTimeoutError::Closed(7));
    assert_eq!(TryRecvError::from(receiver.recv().unwrap_err()), TryRecvError::Closed);
    assert_eq!(RecvTimeoutError::from(receiver.recv().unwrap_err()), RecvTimeoutError::Closed);
}
