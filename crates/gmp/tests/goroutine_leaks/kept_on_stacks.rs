//! Handles on the stacks of goroutines that wait for something, or run, or may.

use super::kept::{Begun, Kept, hidden, kept, sent, shown};
use super::*;
use gmp::sync::{Cond, RwLock, WaitGroup};
use std::io::{Read, Write};

type End = Box<dyn FnOnce() + Send>;

/// A keeper that first waits as `wait` says, which ends by what comes second.
fn keeper(
    sender: gmp::Sender<u32>,
    wait: impl FnOnce() + Send + 'static,
    end: impl FnOnce() + Send + 'static,
) -> End {
    let (hidden, begun) = (hidden(sender), Begun::default());
    let has_begun = begun.clone();
    let keeper = gmp::go(move || {
        let sender = shown(hidden);
        has_begun.say();
        wait();
        sent(&sender);
    });
    begun.wait();
    Box::new(move || {
        end();
        keeper.join().unwrap();
    })
}

pub(crate) fn all(stop: &Arc<AtomicBool>) -> Vec<Kept> {
    let sleeps = |stop: &Arc<AtomicBool>| {
        let stop = stop.clone();
        move || {
            while !stop.load(Relaxed) {
                gmp::sleep(SHORT);
            }
        }
    };
    let mut all = at_locks(stop);
    all.extend([
        kept("of one that is reached", |sender| {
            let (wake, woken) = chan::<()>(0);
            keeper(sender, move || _ = woken.recv(), move || drop(wake))
        }),
        kept("of one that sends a value, which is reached", |sender| {
            let (put, get) = chan::<u32>(0);
            keeper(sender, move || put.send(7).unwrap(), move || assert_eq!(get.recv(), Ok(7)))
        }),
        kept("in a value that is being sent", |sender| {
            let (put, get) = chan(0);
            let sends = gmp::go(move || put.send(sender).unwrap());
            Box::new(move || {
                sent(&get.recv().unwrap());
                sends.join().unwrap();
            })
        }),
        kept("of one in a select, one channel of which is reached", |sender| {
            let ((wake, woken), (other, never)) = (chan::<()>(0), chan::<()>(0));
            let wait = move || {
                gmp::select! {
                    recv(never) -> _ => {},
                    recv(woken) -> _ => {},
                }
                drop(other);
            };
            keeper(sender, wait, move || drop(wake))
        }),
        kept("of one in a select of very many, the last of which is reached", |sender| {
            let ((wake, woken), others) =
                (chan::<()>(0), (0..5000).map(|_| chan::<()>(0)).collect::<Vec<_>>());
            let wait = move || {
                let mut select = gmp::Select::new();
                others.iter().for_each(|(_, never)| _ = select.recv(never));
                select.recv(&woken);
                let _ = select.select().recv(&woken);
            };
            keeper(sender, wait, move || drop(wake))
        }),
        kept("of one that sleeps", |sender| keeper(sender, sleeps(stop), || {})),
        kept("of one that is parked", |sender| {
            let (tell, told) = chan(1);
            let woken = Arc::new(AtomicBool::new(false));
            let is_woken = woken.clone();
            let wait = move || {
                tell.send(gmp::current().unwrap().unparker()).unwrap();
                while !is_woken.load(Relaxed) {
                    gmp::park();
                }
            };
            let end = move || {
                woken.store(true, Relaxed);
                told.recv().unwrap().unpark();
            };
            keeper(sender, wait, end)
        }),
        kept("of one that joins one that sleeps", |sender| {
            let sleeper = gmp::go(sleeps(stop));
            keeper(sender, move || sleeper.join().unwrap(), || {})
        }),
        kept("of one that joins one that is reached", |sender| {
            let (wake, woken) = chan::<()>(0);
            let reached = gmp::go(move || _ = woken.recv());
            keeper(sender, move || reached.join().unwrap(), move || drop(wake))
        }),
        kept("of one that awaits a future", |sender| {
            let (tell, told) = gmp::sync::oneshot::channel::<u32>();
            let wait = move || assert_eq!(gmp::block_on(async move { told.await.ok() }), Some(1));
            keeper(sender, wait, move || tell.send(1).unwrap())
        }),
        kept("in a future that is awaited", |sender| {
            let (tell, told) = gmp::sync::oneshot::channel::<u32>();
            let awaits = gmp::go(move || {
                gmp::block_on(Box::pin(async move {
                    let _ = told.await;
                    sent(&sender);
                }));
            });
            Box::new(move || {
                tell.send(1).unwrap();
                awaits.join().unwrap();
            })
        }),
        kept("of one that reads from a socket", |sender| {
            let listener = gmp::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let mut writer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut reader, _) = listener.accept().unwrap();
            keeper(
                sender,
                move || reader.read_exact(&mut [0]).unwrap(),
                move || writer.write_all(b"x").unwrap(),
            )
        }),
        kept("of one in a blocking call", |sender| {
            let (wake, woken) = mpsc::channel::<()>();
            keeper(sender, move || gmp::blocking(|| _ = woken.recv()), move || drop(wake))
        }),
        kept("of one on the system stack", |sender| {
            let stop = stop.clone();
            let keeper = gmp::go(move || {
                gmp::on_system_stack(move || {
                    let moved = black_box(sender);
                    while !stop.load(Relaxed) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    moved
                })
            });
            Box::new(move || sent(&keeper.join().unwrap()))
        }),
    ]);
    // On two Ps, so that some of them do not run at any moment.
    all.extend((0..4).map(|_| kept("of one that yields", |sender| keeper(sender, yields(stop), || {}))));
    all
}

fn yields(stop: &Arc<AtomicBool>) -> impl FnOnce() + Send + use<> {
    let stop = stop.clone();
    move || {
        while !stop.load(Relaxed) {
            gmp::yield_now();
        }
    }
}

/// A goroutine that takes a lock and calls what it is given while it has it. It has the lock when this returns, and until
/// it is to stop.
fn holder(stop: &Arc<AtomicBool>, hold: impl FnOnce(&dyn Fn()) + Send + 'static) -> gmp::JoinHandle<()> {
    let (stop, locked) = (stop.clone(), Arc::new(AtomicBool::new(false)));
    let has_locked = locked.clone();
    let holder = gmp::go(move || {
        hold(&|| {
            has_locked.store(true, Relaxed);
            while !stop.load(Relaxed) {
                gmp::sleep(SHORT);
            }
        });
    });
    while !locked.load(Relaxed) {
        gmp::yield_now();
    }
    holder
}

fn at_locks(stop: &Arc<AtomicBool>) -> Vec<Kept> {
    vec![
        kept("of one at a wait group", |sender| {
            let all = Arc::new(WaitGroup::new());
            all.add(1);
            let waits = all.clone();
            keeper(sender, move || waits.wait(), move || all.done())
        }),
        kept("of one at a read-write lock", |sender| {
            // The lock's holder is not known, so whoever waits for it goes on.
            let lock = Arc::new(RwLock::new(()));
            let waits = lock.clone();
            let holder = holder(stop, move |meanwhile| {
                let _held = lock.write();
                meanwhile();
            });
            keeper(sender, move || drop(waits.read()), move || holder.join().unwrap())
        }),
        kept("of one at a condition", |sender| {
            let pair = Arc::new((gmp::sync::Mutex::new(false), Cond::new()));
            let waits = pair.clone();
            let wait = move || {
                let mut woken = waits.0.lock();
                while !*woken {
                    waits.1.wait(&mut woken);
                }
            };
            let end = move || {
                *pair.0.lock() = true;
                pair.1.notify_all();
            };
            keeper(sender, wait, end)
        }),
        kept("of one at the mutex of one that sleeps", |sender| {
            let lock = Arc::new(gmp::sync::Mutex::new(()));
            let locks = lock.clone();
            let holder = holder(stop, move |meanwhile| {
                let _held = locks.lock();
                meanwhile();
            });
            keeper(sender, move || drop(lock.lock()), move || holder.join().unwrap())
        }),
        kept("of one at the mutex of a plain thread", |sender| {
            let lock = Arc::new(gmp::sync::Mutex::new(()));
            let (locks, (locked, is_locked)) = (lock.clone(), mpsc::channel());
            let (wake, woken) = mpsc::channel::<()>();
            let holder = std::thread::spawn(move || {
                let _held = locks.lock();
                locked.send(()).unwrap();
                let _ = woken.recv();
            });
            gmp::blocking(|| is_locked.recv()).unwrap();
            let end = move || {
                drop(wake);
                gmp::blocking(|| holder.join()).unwrap();
            };
            keeper(sender, move || drop(lock.lock()), end)
        }),
    ]
}
