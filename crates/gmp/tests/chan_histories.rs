//! Histories of a channel against a model. Each operation, including those that wait, ends as a sequential channel says
//! it must; and between goroutines and plain threads every value comes out exactly once, whatever is closed or dropped.

mod told;

use gmp::channel::{SendTimeoutError, TryRecvError, TrySendError};
use gmp::{Builder, Receiver, Sender, chan};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

// ---- one after another, with waiters ----

#[derive(Clone, Copy, Debug)]
enum Step {
    TrySend,
    TryRecv,
    /// A goroutine of its own sends, and waits if it must.
    Send,
    Recv,
    Close,
    CloneAndDrop,
    DropSenders,
    DropReceivers,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::TrySend),
        4 => Just(Step::TryRecv),
        6 => Just(Step::Send),
        6 => Just(Step::Recv),
        1 => Just(Step::Close),
        1 => Just(Step::CloneAndDrop),
        1 => Just(Step::DropSenders),
        1 => Just(Step::DropReceivers),
    ];
    prop::collection::vec(step, 0..40)
}

/// How an operation ended: what was received, what came back, or nothing of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Sent,
    Received(u64),
    Full(u64),
    Empty,
    SendClosed(u64),
    RecvClosed,
}

/// A channel in which one thing happens at a time.
#[derive(Default)]
struct Model {
    capacity: usize,
    closed: bool,
    buffer: VecDeque<u64>,
    senders: VecDeque<(usize, u64)>,
    receivers: VecDeque<usize>,
    ended: BTreeMap<usize, End>,
}

impl Model {
    fn send(&mut self, id: usize, value: u64, may_wait: bool) {
        let end = if self.closed {
            End::SendClosed(value)
        } else if let Some(receiver) = self.receivers.pop_front() {
            self.ended.insert(receiver, End::Received(value));
            End::Sent
        } else if self.buffer.len() < self.capacity {
            self.buffer.push_back(value);
            End::Sent
        } else if may_wait {
            return self.senders.push_back((id, value));
        } else {
            End::Full(value)
        };
        self.ended.insert(id, end);
    }

    fn receive(&mut self, id: usize, may_wait: bool) {
        let sender = self.senders.pop_front();
        if let Some((sender, value)) = sender {
            self.buffer.push_back(value);
            self.ended.insert(sender, End::Sent);
        }
        let end = match self.buffer.pop_front() {
            Some(value) => End::Received(value),
            None if self.closed => End::RecvClosed,
            None if may_wait => return self.receivers.push_back(id),
            None => End::Empty,
        };
        self.ended.insert(id, end);
    }

    fn close(&mut self) {
        self.closed = true;
        for receiver in self.receivers.drain(..) {
            self.ended.insert(receiver, End::RecvClosed);
        }
        for (sender, value) in self.senders.drain(..) {
            self.ended.insert(sender, End::SendClosed(value));
        }
    }
}

type Ends = Arc<Mutex<BTreeMap<usize, End>>>;

fn note(ends: &Ends, id: usize, end: End) {
    assert!(ends.lock().unwrap().insert(id, end).is_none(), "operation {id} ended twice");
}

fn sent(tx: &Sender<Box<u64>>, value: u64) -> End {
    tx.send(Box::new(value)).map_or_else(|back| End::SendClosed(*back.into_inner()), |()| End::Sent)
}

fn received(rx: &Receiver<Box<u64>>) -> End {
    rx.recv().map_or(End::RecvClosed, |value| End::Received(*value))
}

/// Runs the script on a real channel and on the model, and compares after every step.
fn follows_the_model(capacity: usize, script: &[Step]) {
    let (tx, rx) = chan::<Box<u64>>(capacity);
    let (mut tx, mut rx) = (Some(tx), Some(rx));
    let mut model = Model { capacity, ..Model::default() };
    let ends = Ends::default();
    for (id, &step) in script.iter().enumerate() {
        let value = id as u64;
        match (step, &tx, &rx) {
            (Step::TrySend, Some(tx), _) => {
                model.send(id, value, false);
                note(
                    &ends,
                    id,
                    match tx.try_send(Box::new(value)) {
                        Ok(()) => End::Sent,
                        Err(TrySendError::Full(back)) => End::Full(*back),
                        Err(TrySendError::Closed(back)) => End::SendClosed(*back),
                    },
                );
            }
            (Step::TryRecv, _, Some(rx)) => {
                model.receive(id, false);
                note(
                    &ends,
                    id,
                    match rx.try_recv() {
                        Ok(value) => End::Received(*value),
                        Err(TryRecvError::Empty) => End::Empty,
                        Err(TryRecvError::Closed) => End::RecvClosed,
                    },
                );
            }
            (Step::Send, Some(tx), _) => {
                model.send(id, value, true);
                let (tx, ends) = (tx.clone(), ends.clone());
                gmp::go(move || note(&ends, id, sent(&tx, value)));
            }
            (Step::Recv, _, Some(rx)) => {
                model.receive(id, true);
                let (rx, ends) = (rx.clone(), ends.clone());
                gmp::go(move || note(&ends, id, received(&rx)));
            }
            (Step::Close, Some(tx), _) => {
                assert_eq!(tx.close(), !model.closed);
                model.close();
            }
            (Step::CloneAndDrop, Some(tx), Some(rx)) => drop((tx.clone(), rx.clone())),
            // Waiting goroutines keep their own handles, so dropping these closes only if nobody waits on that side.
            (Step::DropSenders, Some(_), _) => {
                tx = None;
                if model.senders.is_empty() {
                    model.close();
                }
            }
            (Step::DropReceivers, _, Some(_)) => {
                rx = None;
                if model.receivers.is_empty() {
                    model.close();
                    model.buffer.clear();
                }
            }
            _ => {}
        }
        // With one P, whatever can go on has done so, and waits or has ended, when we are back for the second time.
        (0..3).for_each(|_| gmp::yield_now());
        // A side whose handles are all with goroutines that have ended is closed by the last of them.
        if tx.is_none() && model.senders.is_empty() {
            model.close();
        }
        if rx.is_none() && model.receivers.is_empty() {
            model.close();
            model.buffer.clear();
        }
        assert_eq!(*ends.lock().unwrap(), model.ended, "after step {id} of {script:?}, capacity {capacity}");
        if let Some(rx) = &rx {
            assert_eq!((rx.len(), rx.is_closed()), (model.buffer.len(), model.closed), "after step {id}");
        }
    }
    // Those who still wait end with the channel.
    if let Some(tx) = &tx {
        tx.close();
    } else if let Some(rx) = &rx {
        rx.close();
    }
}

// ---- all at once ----

/// What one party does: how many operations, which kind each time.
#[derive(Clone, Debug)]
struct Party {
    sends: bool,
    on_a_thread: bool,
    kinds: Vec<u8>,
}

fn parties() -> impl Strategy<Value = Vec<Party>> {
    let party = (any::<bool>(), prop::bool::weighted(0.3), prop::collection::vec(0_u8..8, 0..60));
    let party = party.prop_map(|(sends, on_a_thread, kinds)| Party { sends, on_a_thread, kinds });
    prop::collection::vec(party, 2..7)
}

/// What all parties have seen of the values.
#[derive(Default)]
struct Books {
    offered: Vec<u64>,
    came_back: Vec<u64>,
    received: Vec<(usize, u64)>,
}

const SHORT: Duration = Duration::from_micros(200);

fn send_all(tx: &Sender<u64>, who: usize, kinds: &[u8], books: &Mutex<Books>) {
    for (nth, kind) in kinds.iter().enumerate() {
        let value = (who as u64) << 32 | nth as u64;
        books.lock().unwrap().offered.push(value);
        let back = match kind {
            0..=2 => tx.send(value).err().map(|back| back.into_inner()),
            3 | 4 => tx.try_send(value).err().map(TrySendError::into_inner),
            5 | 6 => tx.send_timeout(value, SHORT).err().map(SendTimeoutError::into_inner),
            _ if nth > 40 => {
                tx.close();
                Some(value)
            }
            _ => Some(value),
        };
        books.lock().unwrap().came_back.extend(back);
    }
}

fn receive_all(rx: &Receiver<u64>, who: usize, kinds: &[u8], books: &Mutex<Books>) {
    for kind in kinds {
        let value = match kind {
            0..=2 => rx.recv().ok(),
            3 | 4 => rx.try_recv().ok(),
            5 | 6 => rx.recv_timeout(SHORT).ok(),
            _ => rx.try_iter().next(),
        };
        books.lock().unwrap().received.extend(value.map(|value| (who, value)));
    }
}

/// Every party at work at once, on goroutines and threads; then what is left is taken out, and the books are balanced.
fn balances(procs: usize, capacity: usize, parties: Vec<Party>) {
    let books = Arc::new(Mutex::new(Books::default()));
    let (tx, rx) = chan(capacity);
    // What nobody takes in time is taken here, so that parties end, whatever the others do.
    let rest = rx.clone();
    let (of_all, mine) = (books.clone(), books.clone());
    let parties_left = parties.len();
    run(procs, move || {
        let (mut goroutines, mut threads) = (Vec::new(), Vec::new());
        for (who, party) in parties.into_iter().enumerate() {
            let (tx, rx, books) = (party.sends.then(|| tx.clone()), rx.clone(), of_all.clone());
            let work = move || match tx {
                Some(tx) => {
                    drop(rx);
                    send_all(&tx, who, &party.kinds, &books);
                }
                None => receive_all(&rx, who, &party.kinds, &books),
            };
            if party.on_a_thread {
                threads.push(std::thread::spawn(work));
            } else {
                goroutines.push(gmp::go(work));
            }
        }
        drop((tx, rx));
        // Receivers end when the last sender has gone; senders because this goes on until then.
        let drain = gmp::go(move || {
            while let Ok(value) = rest.recv() {
                mine.lock().unwrap().received.push((parties_left, value));
            }
        });
        goroutines.into_iter().for_each(|one| one.join().unwrap());
        gmp::blocking(|| threads.into_iter().for_each(|one| one.join().unwrap()));
        drain.join().unwrap();
    });
    let books = books.lock().unwrap();
    let mut seen: Vec<u64> =
        books.received.iter().map(|&(_, value)| value).chain(books.came_back.iter().copied()).collect();
    let mut offered = books.offered.clone();
    seen.sort_unstable();
    offered.sort_unstable();
    assert_eq!(seen, offered, "each value is received once or comes back, and never both");
    // One sender's values reach one receiver in the order in which they were sent.
    let mut last = BTreeMap::new();
    for &(receiver, value) in &books.received {
        let before = last.insert((receiver, value >> 32), value);
        assert!(before < Some(value), "receiver {receiver} got {value:x} after {before:x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_operation_ends_as_the_model_says(capacity in 0_usize..4, script in steps()) {
        // The order counts here, so the policy is named.
        let builder = told::moving(Builder::new()).procs(1).policy::<gmp::policy::Go>();
        builder.build().unwrap().run(move || follows_the_model(capacity, &script)).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_value_comes_out_once(procs in 1_usize..4, capacity in 0_usize..5, parties in parties()) {
        balances(procs, capacity, parties);
    }
}
