//! Handles that somebody keeps and uses in the end, so that whoever waits at their channels is none that leaks: the ways
//! that come first to mind.

use super::*;
use gmp::{Receiver, Sender};

/// A goroutine that waits for a value, and somebody who has its sender.
pub(crate) struct Kept {
    pub(crate) waiter: gmp::JoinHandle<bool>,
    /// Sends, or lets go.
    pub(crate) end: Box<dyn FnOnce() + Send>,
}

/// A waiter of this name at a new channel; `keep` puts the sender away, and returns what ends that.
#[inline(never)]
pub(crate) fn kept(name: &str, keep: impl FnOnce(Sender<u32>) -> Box<dyn FnOnce() + Send>) -> Kept {
    let (sender, receiver) = chan(0);
    Kept { waiter: waits(name, receiver), end: keep(sender) }
}

#[inline(never)]
pub(crate) fn waits(name: &str, receiver: Receiver<u32>) -> gmp::JoinHandle<bool> {
    spawn(name, move || receiver.recv().is_ok())
}

pub(crate) fn sent(sender: &Sender<u32>) {
    sender.send(1).unwrap();
}

static GLOBAL: Mutex<Option<Sender<u32>>> = Mutex::new(None);

/// Every way to keep a handle where somebody can use it.
pub(crate) fn all(stop: &Arc<AtomicBool>) -> Vec<Kept> {
    let (moves, moves_too, runs) = (stop.clone(), stop.clone(), stop.clone());
    vec![
        kept("in a global", |sender| {
            *GLOBAL.lock().unwrap() = Some(sender);
            Box::new(|| sent(&GLOBAL.lock().unwrap().take().unwrap()))
        }),
        kept("in a box of one that sleeps", |sender| {
            let (wake, woken) = chan::<()>(0);
            let boxed = Box::new(sender);
            let keeper = gmp::go(move || {
                let _ = woken.recv_timeout(Duration::from_secs(1000));
                sent(&boxed);
            });
            Box::new(move || {
                drop(wake);
                keeper.join().unwrap();
            })
        }),
        kept("in a blocked thread's frame", |sender| {
            let (wake, woken) = mpsc::channel::<()>();
            let keeper = std::thread::spawn(move || {
                let _ = woken.recv();
                sent(&sender);
            });
            Box::new(move || {
                drop(wake);
                gmp::blocking(|| keeper.join()).unwrap();
            })
        }),
        kept("in one that runs", |sender| {
            let keeper = gmp::go(move || {
                while !runs.load(Relaxed) {
                    black_box(sender.is_closed());
                }
                sent(&sender);
            });
            Box::new(move || keeper.join().unwrap())
        }),
        kept("moved between two boxes", |sender| {
            let keeper = gmp::go(move || {
                let mut boxes = [Box::new(Some(sender)), Box::new(None)];
                while !moves.load(Relaxed) {
                    let taken = black_box(&mut boxes[0]).take();
                    **black_box(&mut boxes[1]) = taken;
                    boxes.swap(0, 1);
                }
                sent(boxes.iter().find_map(|one| one.as_ref().as_ref()).unwrap());
            });
            Box::new(move || keeper.join().unwrap())
        }),
        kept("passed round through channels", |sender| {
            let ((there, here), (back, again)) = (chan(0), chan(0));
            there_and_back(here, back);
            let keeper = gmp::go(move || {
                let mut sender = sender;
                while !moves_too.load(Relaxed) {
                    there.send(sender).unwrap();
                    sender = again.recv().unwrap();
                }
                sent(&sender);
            });
            Box::new(move || keeper.join().unwrap())
        }),
        kept("in a buffer", |sender| {
            let (put, get) = chan(1);
            put.send(sender).unwrap();
            Box::new(move || sent(&get.recv().unwrap()))
        }),
        kept("in a result", |sender| {
            let ended = gmp::go(move || sender);
            Box::new(move || sent(&ended.join().unwrap()))
        }),
        kept("in a timer", |sender| {
            let timer = gmp::time::after_func(Duration::from_secs(1000), move || _ = sender.try_send(1));
            Box::new(move || _ = timer.reset(Duration::ZERO))
        }),
        Kept {
            waiter: spawn("until a moment", {
                let (sender, receiver) = chan::<u32>(0);
                move || {
                    let _ = receiver.recv_timeout(Duration::from_secs(5));
                    drop(sender);
                    true
                }
            }),
            end: Box::new(|| {}),
        },
        Kept {
            waiter: spawn("a select until a moment", {
                let ((sender, one), (other, two)) = (chan::<u32>(0), chan::<u32>(0));
                move || {
                    gmp::select! {
                        recv(one) -> _ => {},
                        recv(two) -> _ => {},
                        default(Duration::from_secs(5)) => {},
                    }
                    drop((sender, other));
                    true
                }
            }),
            end: Box::new(|| {}),
        },
        Kept {
            waiter: spawn("a select with a timer", {
                let (sender, receiver) = chan::<u32>(0);
                move || {
                    let after = gmp::time::after(Duration::from_secs(5));
                    gmp::select! {
                        recv(receiver) -> _ => {},
                        recv(after) -> _ => {},
                    }
                    drop(sender);
                    true
                }
            }),
            end: Box::new(|| {}),
        },
        Kept { waiter: borrowed(stop), end: Box::new(|| {}) },
    ]
}

/// Gets senders and gives them back, until nobody has any more.
#[inline(never)]
fn there_and_back(here: Receiver<Sender<u32>>, back: Sender<Sender<u32>>) {
    gmp::go(move || here.iter().for_each(|sender| drop(back.send(sender))));
}

/// The only sender is in the waiter's own frame, lent to a goroutine that runs.
fn borrowed(stop: &Arc<AtomicBool>) -> gmp::JoinHandle<bool> {
    let stop = stop.clone();
    spawn("lends its handle", move || {
        let (sender, receiver) = chan(0);
        gmp::scope(|scope| {
            scope.go(|| {
                while !stop.load(Relaxed) {
                    gmp::yield_now();
                }
                sent(&sender);
            });
            receiver.recv().is_ok()
        })
    })
}

/// Says that it has begun, and waits for that: before, a hidden handle is in no place that counts.
#[derive(Clone, Default)]
pub(crate) struct Begun(pub(crate) Arc<AtomicBool>);

impl Begun {
    pub(crate) fn say(&self) {
        self.0.store(true, Relaxed);
    }

    pub(crate) fn wait(&self) {
        while !self.0.load(Relaxed) {
            gmp::sleep(Duration::from_millis(1));
        }
    }
}

/// A handle as a number that is no address: so it leaves no remains where it passes.
pub(crate) fn hidden(sender: Sender<u32>) -> usize {
    // SAFETY: a handle is one word.
    !unsafe { core::mem::transmute::<Sender<u32>, usize>(sender) }
}

/// The handle again.
pub(crate) fn shown(hidden: usize) -> Sender<u32> {
    // SAFETY: it was made of one, and is used once.
    unsafe { core::mem::transmute::<usize, Sender<u32>>(!hidden) }
}
