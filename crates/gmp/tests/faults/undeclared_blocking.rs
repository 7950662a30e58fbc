//! A blocking call that nobody had declared kept its P, and all that could have ended it waited for that P. The kind: whatever
//! puts a thread to sleep (locks, channels and barriers of std, a sleep, a file, a socket, a call of C), with one P; and
//! every way on for the goroutine whose P was taken meanwhile.

use crate::harness::{child, named};
use gmp::{AtMainReturn, Builder, chan, go};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_std_mutex_may_be_held_over_a_suspension,
        a_std_channel_is_received_from,
        a_condvar_is_waited_at,
        a_std_barrier_is_passed,
        a_thread_is_parked,
        a_plain_thread_is_joined,
        a_once_lock_is_slow,
        everything_at_once_with_two_ps,
        whoever_lost_its_p_goes_on,
        it_stays_on_its_thread,
        the_world_stops_beside_a_sleeper,
        main_returns_beside_a_sleeper,
        channels_keep_their_values_with_one_p,
        without_retake_it_keeps_its_p,
    ],
    named![
        mutex,
        channel,
        condvar,
        barrier,
        parked_thread,
        joined_thread,
        once_lock,
        everything,
        goes_on,
        stays,
        stops,
        returns,
        bias,
        keeps,
    ],
);

const MS: Duration = Duration::from_millis(1);

/// A builder in the default mode, where all of this is safe.
fn one_p() -> Builder<gmp::policy::Go> {
    Builder::new().policy::<gmp::policy::Go>().procs(1)
}

/// Runs in the modes in which goroutines move. A pinned one would wait for a neighbour that has blocked their thread.
fn moving(main: fn()) {
    one_p().build().unwrap().run(main).unwrap();
    // SAFETY: nothing here holds a borrow of a thread-local, or a guard, across a call that suspends.
    unsafe { one_p().share_thread_locals() }.build().unwrap().run(main).unwrap();
}

/// Runs in all modes in which goroutines share threads.
fn in_every_mode(main: fn()) {
    moving(main);
    // SAFETY: as above.
    unsafe { one_p().pinned() }.build().unwrap().run(main).unwrap();
}

fn mutex() {
    one_p().build().unwrap().run(hold_a_mutex).unwrap();
    println!("done");
}

fn hold_a_mutex() {
    let total = Arc::new(Mutex::new(0));
    let holders: Vec<_> = (0..20)
        .map(|_| {
            let total = Arc::clone(&total);
            go(move || {
                let mut total = total.lock().unwrap();
                gmp::sleep(MS / 10);
                gmp::yield_now();
                *total += 1;
            })
        })
        .collect();
    holders.into_iter().for_each(|holder| holder.join().unwrap());
    assert_eq!(*total.lock().unwrap(), 20);
}

fn a_std_mutex_may_be_held_over_a_suspension() {
    child("mutex").run().code(0).prints("done\n");
}

fn channel() {
    moving(|| {
        let (sender, receiver) = mpsc::channel();
        let sum = go(move || receiver.into_iter().sum::<u32>());
        gmp::yield_now();
        for i in 0..100 {
            sender.send(i).unwrap();
            gmp::yield_now();
        }
        drop(sender);
        assert_eq!(sum.join().unwrap(), 4950);
    });
    println!("done");
}

fn a_std_channel_is_received_from() {
    child("channel").run().code(0).prints("done\n");
}

fn condvar() {
    moving(|| {
        let turn = Arc::new((Mutex::new(0), Condvar::new()));
        let players: Vec<_> = (0..4)
            .map(|me| {
                let turn = Arc::clone(&turn);
                go(move || {
                    for round in 0..10 {
                        let mine = turn.1.wait_while(turn.0.lock().unwrap(), |turn| *turn != round * 4 + me);
                        *mine.unwrap() += 1;
                        turn.1.notify_all();
                    }
                })
            })
            .collect();
        players.into_iter().for_each(|player| player.join().unwrap());
        assert_eq!(*turn.0.lock().unwrap(), 40);
    });
    println!("done");
}

fn a_condvar_is_waited_at() {
    child("condvar").run().code(0).prints("done\n");
}

fn barrier() {
    moving(|| {
        let all = Arc::new(Barrier::new(8));
        let waiting = |_| {
            let all = Arc::clone(&all);
            go(move || (0..5).filter(|_| all.wait().is_leader()).count())
        };
        let waiting: Vec<_> = (0..8).map(waiting).collect();
        assert_eq!(waiting.into_iter().map(|one| one.join().unwrap()).sum::<usize>(), 5);
    });
    println!("done");
}

fn a_std_barrier_is_passed() {
    child("barrier").run().code(0).prints("done\n");
}

fn parked_thread() {
    // Each goroutine has a thread of std's to itself there.
    let main = || {
        let (tell, hear) = chan(1);
        let sleeper = go(move || {
            let woken = Arc::new(AtomicBool::new(false));
            tell.send((thread::current(), Arc::clone(&woken))).unwrap();
            while !woken.load(SeqCst) {
                thread::park();
            }
        });
        let (sleeper_thread, woken) = hear.recv().unwrap();
        gmp::sleep(MS);
        woken.store(true, SeqCst);
        sleeper_thread.unpark();
        sleeper.join().unwrap();
    };
    one_p().build().unwrap().run(main).unwrap();
    println!("done");
}

fn a_thread_is_parked() {
    child("parked_thread").run().code(0).prints("done\n");
}

fn joined_thread() {
    moving(|| {
        let (ask, question) = mpsc::channel::<u32>();
        let (answer, answered) = mpsc::channel();
        let thread = thread::spawn(move || answer.send(question.recv().unwrap() + 1).unwrap());
        // What the thread waits for is done by a goroutine that needs the P.
        go(move || {
            gmp::sleep(MS);
            ask.send(6).unwrap();
        });
        thread.join().unwrap();
        assert_eq!(answered.recv().unwrap(), 7);
    });
    println!("done");
}

fn a_plain_thread_is_joined() {
    child("joined_thread").run().code(0).prints("done\n");
}

fn once_lock() {
    let main = || {
        static VALUE: OnceLock<u32> = OnceLock::new();
        let slow = || {
            gmp::sleep(2 * MS);
            7
        };
        let asking: Vec<_> = (0..10).map(|_| go(move || *VALUE.get_or_init(slow))).collect();
        asking.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 7));
    };
    one_p().build().unwrap().run(main).unwrap();
    println!("done");
}

fn a_once_lock_is_slow() {
    child("once_lock").run().code(0).prints("done\n");
}

/// 200 goroutines, each in one of five kinds of calls, on two Ps, beside a ticker.
fn everything() {
    let main = || {
        let over = Arc::new(AtomicBool::new(false));
        let ticking = Arc::clone(&over);
        let ticker = go(move || {
            let mut ticks = 0;
            while !ticking.load(SeqCst) {
                gmp::sleep(MS);
                ticks += 1;
            }
            ticks
        });
        let total = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..200)
            .map(|i| {
                let total = Arc::clone(&total);
                go(move || match i % 5 {
                    0 => thread::sleep(5 * MS),
                    // SAFETY: it only sleeps.
                    1 => _ = unsafe { libc::usleep(5000) },
                    2 => assert!(!std::fs::read("/proc/self/stat").unwrap().is_empty()),
                    3 => echo(),
                    _ => {
                        let mut total = total.lock().unwrap();
                        gmp::sleep(MS / 10);
                        *total += 1;
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        over.store(true, SeqCst);
        assert_eq!(*total.lock().unwrap(), 40);
        assert!(ticker.join().unwrap() > 0);
    };
    one_p().procs(2).build().unwrap().run(main).unwrap();
    println!("done");
}

/// One byte there and back, by sockets of std's, on two goroutines.
fn echo() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let server = go(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        client.write_all(&byte).unwrap();
    });
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(&[7]).unwrap();
    let mut byte = [0];
    stream.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [7]);
    server.join().unwrap();
}

fn everything_at_once_with_two_ps() {
    child("everything").run().code(0).prints("done\n");
}

/// Waits in the kernel until the P has been taken, which another goroutine's running shows.
fn lose_the_p() {
    let (tell, hear) = mpsc::channel();
    go(move || tell.send(()).unwrap());
    hear.recv().unwrap();
}

/// After its P was taken it spawns, sets timers, uses channels, unwinds and ends, without a P at first.
fn goes_on() {
    in_every_mode(|| {
        go(lose_the_p).join().unwrap();
        let spawned = go(|| {
            lose_the_p();
            go(|| 7)
        });
        assert_eq!(spawned.join().unwrap().join().unwrap(), 7);
        let timer = go(|| {
            lose_the_p();
            gmp::time::after(MS)
        });
        timer.join().unwrap().recv().unwrap();
        let (send, receive) = chan(1);
        go(move || {
            lose_the_p();
            send.try_send(7).unwrap();
        });
        assert_eq!(receive.recv().unwrap(), 7);
        let blocks = go(|| {
            lose_the_p();
            gmp::blocking(|| thread::sleep(MS));
            lose_the_p();
            gmp::yield_now();
        });
        blocks.join().unwrap();
        let panics = go(|| {
            lose_the_p();
            std::panic::resume_unwind(Box::new(7));
        });
        panics.join().unwrap_err();
        let exits = go(|| {
            lose_the_p();
            gmp::exit();
        });
        exits.join().unwrap_err();
        assert!(gmp::scope(|scope| scope.go(lose_the_p).join().is_ok()));
        // A handle of a goroutine that has ended gives its record back.
        let ended = go(|| Box::new(1));
        gmp::yield_now();
        go(move || {
            lose_the_p();
            drop(ended);
        })
        .join()
        .unwrap();
    });
    println!("done");
}

fn whoever_lost_its_p_goes_on() {
    child("goes_on").run().code(0).prints("done\n");
}

/// Locked or pinned it comes back on its own thread; any other at least stays there until it next suspends.
fn stays() {
    in_every_mode(|| {
        // SAFETY: it only asks.
        let here = || unsafe { libc::syscall(libc::SYS_gettid) };
        go(move || {
            let before = here();
            lose_the_p();
            assert_eq!(before, here());
        })
        .join()
        .unwrap();
        go(move || {
            let _lock = gmp::lock_os_thread();
            let before = here();
            for _ in 0..5 {
                lose_the_p();
                gmp::yield_now();
                assert_eq!(before, here());
            }
        })
        .join()
        .unwrap();
        gmp::go_pinned(move || {
            let before = here();
            for _ in 0..5 {
                lose_the_p();
                gmp::yield_now();
                assert_eq!(before, here());
            }
        })
        .join()
        .unwrap();
    });
    println!("done");
}

fn it_stays_on_its_thread() {
    child("stays").run().code(0).prints("done\n");
}

fn stops() {
    one_p()
        .procs(2)
        .build()
        .unwrap()
        .run(|| {
            let (tell, hear) = mpsc::channel();
            let sleeper = go(move || hear.recv().unwrap());
            gmp::sleep(MS);
            for procs in [1, 3, 2] {
                gmp::set_max_procs(procs);
            }
            tell.send(()).unwrap();
            sleeper.join().unwrap();
        })
        .unwrap();
    println!("done");
}

fn the_world_stops_beside_a_sleeper() {
    child("stops").run().code(0).prints("done\n");
}

fn returns() {
    let run = |at_return| {
        let (tell, hear) = mpsc::channel::<()>();
        let finished = one_p().at_main_return(at_return).build().unwrap().run(move || {
            let (started, is_started) = chan(1);
            go(move || {
                started.send(()).unwrap();
                hear.recv().unwrap();
                gmp::yield_now();
            });
            is_started.recv().unwrap();
            gmp::sleep(2 * MS);
            tell
        });
        finished.unwrap()
    };
    let left = run(AtMainReturn::Leak);
    assert_eq!(left.left.running, 1);
    drop(left.value);
    let left = run(AtMainReturn::Unwind);
    assert_eq!(left.left.running, 1);
    drop(left.value);
    println!("done");
}

fn main_returns_beside_a_sleeper() {
    child("returns").run().code(0).prints("done\n");
}

/// The locks of channels are biased to the holder of the only P: whoever loses it must not be taken for the holder.
fn bias() {
    let main = || {
        let (send, receive) = chan::<u64>(4);
        let sum = Arc::new(AtomicU64::new(0));
        let senders: Vec<_> = (0..8)
            .map(|i| {
                let send = send.clone();
                go(move || {
                    for k in 0..300 {
                        if (k + i) % 16 == 0 {
                            thread::sleep(MS / 10);
                        }
                        send.send(k).unwrap();
                    }
                })
            })
            .collect();
        drop(send);
        let receivers: Vec<_> = (0..4)
            .map(|i| {
                let (receive, sum) = (receive.clone(), Arc::clone(&sum));
                go(move || {
                    for (k, value) in receive.into_iter().enumerate() {
                        if (k + i) % 16 == 0 {
                            thread::sleep(MS / 10);
                        }
                        sum.fetch_add(value, SeqCst);
                    }
                })
            })
            .collect();
        senders.into_iter().chain(receivers).for_each(|one| one.join().unwrap());
        assert_eq!(sum.load(SeqCst), 8 * (299 * 300 / 2));
    };
    one_p().build().unwrap().run(main).unwrap();
    println!("done");
}

fn channels_keep_their_values_with_one_p() {
    child("bias").run().code(0).prints("done\n");
}

fn keeps() {
    let finished = one_p().retake(false).build().unwrap().run(|| {
        let ran = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&ran);
        let other = go(move || other.store(true, SeqCst));
        thread::sleep(50 * MS);
        let early = ran.load(SeqCst);
        other.join().unwrap();
        early
    });
    println!("{}", finished.unwrap().value);
}

fn without_retake_it_keeps_its_p() {
    child("keeps").run().code(0).prints("false\n");
}
