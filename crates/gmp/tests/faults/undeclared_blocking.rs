//! A blocking call that nobody had declared kept its P, and everything that could have ended it waited for that P. The
//! kind: whatever puts a thread to sleep (std's locks, channels and barriers, a sleep, a file, a socket, a call of C),
//! with one P. `lost_p.rs` has what a goroutine does whose P was taken meanwhile.

use crate::harness::{child, named};
use gmp::{Builder, chan, go};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
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
        the_worst_sites_are_named,
        many_short_calls_end,
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
        sites,
        short_calls
    ],
);

const MS: Duration = Duration::from_millis(1);

/// A builder in the default mode, where all of this is safe.
pub(super) fn one_p() -> Builder<gmp::policy::Go> {
    Builder::new().policy::<gmp::policy::Go>().procs(1)
}

/// Runs in the modes in which goroutines move. A pinned one would wait for a neighbour that has blocked their thread.
pub(super) fn moving(main: fn()) {
    one_p().build().unwrap().run(main).unwrap();
    // SAFETY: nothing here holds a borrow of a thread-local, or a guard, across a call that suspends.
    unsafe { one_p().share_thread_locals() }.build().unwrap().run(main).unwrap();
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

/// What `stats` says of the place where goroutines were started on this line of this file.
fn site_of(line: u32) -> Option<gmp::BlockingSite> {
    let here = |site: &gmp::BlockingSite| site.created_at.file() == file!() && site.created_at.line() == line;
    gmp::stats().blocking_sites.into_iter().flatten().find(here)
}

/// One site blocks often, and is known for that soon, another one seldom.
fn sites() {
    moving(|| {
        let often: u32 = line!() + 1;
        let blocks = go(|| {
            for _ in 0..50 {
                lose_the_p();
                // Comes back, or there would be no P to lose.
                gmp::yield_now();
            }
        });
        blocks.join().unwrap();
        let seldom = line!() + 1;
        go(lose_the_p).join().unwrap();
        let [often, seldom] = [often, seldom].map(|line| site_of(line).unwrap());
        assert!(often.times >= 50 && seldom.times >= 1, "{often:?} {seldom:?}");
        assert!(often.lasted > Duration::ZERO);
        // What has declared that it blocks is no news.
        let declared = line!() + 1;
        go(|| gmp::blocking(|| thread::sleep(5 * MS))).join().unwrap();
        assert_eq!(site_of(declared), None);
    });
    println!("done");
}

fn the_worst_sites_are_named() {
    child("sites").run().code(0).prints("done\n");
}

/// Too short to be noticed one by one, and in turns on all Ps.
fn short_calls() {
    for procs in [1, 2] {
        let main = || {
            let all: Vec<_> = (0..16)
                .map(|_| {
                    go(|| {
                        for _ in 0..200 {
                            thread::sleep(MS / 10);
                            gmp::yield_now();
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        };
        one_p().procs(procs).build().unwrap().run(main).unwrap();
    }
    println!("done");
}

fn many_short_calls_end() {
    child("short_calls").run().code(0).prints("done\n");
}
