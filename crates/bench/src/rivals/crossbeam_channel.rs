//! Rival: crossbeam-channel between OS threads, the channel that a program without a scheduler would take.

use crate::cell::{Cell, Figures, Result, expect};
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::measure;
use crate::threads::chan::{self, Channel};
use crate::threads::confine;
use crate::work::{self, BUFFER, SENDERS};
use crate::workload::Run;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

pub(crate) const LIBRARY: Library = Library {
    name: "crossbeam-channel",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: || library::names(PROGRAMS),
    own_groups: &[],
    run,
};

const PROGRAMS: &Programs<Run> = &[
    ("park_unpark_chan", chan::park_unpark::<Crossbeam>),
    ("chan_pingpong", chan::pingpong::<Crossbeam>),
    ("chan_buffered_spsc", chan::spsc::<Crossbeam>),
    ("chan_mpmc", mpmc),
    ("select_2", select_2),
];

fn run(cell: &Cell) -> Result<Figures> {
    confine(cell.procs);
    library::program(PROGRAMS, cell)?(cell)
}

struct Crossbeam;

impl Channel for Crossbeam {
    type Sender<T: Send> = Sender<T>;
    type Receiver<T: Send> = Receiver<T>;

    fn chan<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
        bounded(capacity)
    }

    fn send<T: Send>(sender: &Sender<T>, value: T) -> bool {
        sender.send(value).is_ok()
    }

    fn recv<T: Send>(receiver: &Receiver<T>) -> Option<T> {
        receiver.recv().ok()
    }
}

fn mpmc(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ((send, receive), each, sum) = (bounded(BUFFER), n / SENDERS, AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..SENDERS {
                let send = send.clone();
                scope.spawn(move || (0..each).all(|i| send.send(i).is_ok()));
                scope.spawn(|| sum.fetch_add(receive.iter().sum(), Ordering::Relaxed));
            }
            drop(send);
        });
        expect("sum of the messages", sum.into_inner(), SENDERS * work::below(each))
    })
}

fn select_2(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let feeds = [bounded::<u64>(0), bounded::<u64>(0)];
        let sum = thread::scope(|scope| {
            for (send, _) in &feeds {
                scope.spawn(move || (0..n / 2).all(|i| send.send(i).is_ok()));
            }
            let next = |_| {
                select! {
                    recv(feeds[0].1) -> value => value.unwrap_or(0),
                    recv(feeds[1].1) -> value => value.unwrap_or(0),
                }
            };
            (0..n).map(next).sum()
        });
        expect("sum of the messages", sum, 2 * work::below(n / 2))
    })
}
