//! crossbeam-deque and st3, with plain words in them.

use crate::{Contestant, Owner, Thief};
use criterion::Criterion;
use crossbeam_deque::{Injector, Stealer, Worker};
use std::hint::black_box;

/// Room of a bounded queue: Go's ring.
const ROOM: usize = 256;

/// crossbeam-deque's two flavours.
pub(crate) enum Crossbeam {
    Fifo,
    Lifo,
}

impl Contestant for Crossbeam {
    type Token = usize;
    type Owner = Worker<usize>;
    type Thief = (Stealer<usize>, Worker<usize>);

    fn name(&self) -> String {
        match self {
            Self::Fifo => "crossbeam-deque fifo".into(),
            Self::Lifo => "crossbeam-deque lifo".into(),
        }
    }

    fn room(&self) -> Option<usize> {
        None
    }

    fn queue(&self) -> (Self::Owner, Self::Thief) {
        let owner = match self {
            Self::Fifo => Worker::new_fifo(),
            Self::Lifo => Worker::new_lifo(),
        };
        let stealer = owner.stealer();
        (owner, (stealer, Worker::new_fifo()))
    }

    fn tokens(&self, count: usize) -> Vec<usize> {
        (0..count).collect()
    }
}

impl Owner for Worker<usize> {
    type Token = usize;

    #[inline]
    fn push(&mut self, token: usize, _spilled: &mut Vec<usize>) {
        Worker::push(self, token);
    }

    #[inline]
    fn pop(&mut self) -> Option<usize> {
        Worker::pop(self)
    }
}

impl Thief for (Stealer<usize>, Worker<usize>) {
    type Token = usize;

    fn steal(&mut self, stolen: &mut Vec<usize>) {
        stolen.extend(self.0.steal_batch_and_pop(&self.1).success());
        stolen.extend(std::iter::from_fn(|| self.1.pop()));
    }

    fn is_empty(&self) -> Option<bool> {
        Some(self.0.is_empty())
    }
}

/// st3's two flavours have the same interface and no common trait.
macro_rules! st3 {
    ($contestant:ident, $flavour:ident) => {
        pub(crate) struct $contestant;

        impl Contestant for $contestant {
            type Token = usize;
            type Owner = st3::$flavour::Worker<usize>;
            type Thief = (st3::$flavour::Stealer<usize>, st3::$flavour::Worker<usize>);

            fn name(&self) -> String {
                concat!("st3 ", stringify!($flavour)).into()
            }

            fn room(&self) -> Option<usize> {
                Some(ROOM)
            }

            fn queue(&self) -> (Self::Owner, Self::Thief) {
                let owner = st3::$flavour::Worker::new(ROOM);
                let stealer = owner.stealer();
                (owner, (stealer, st3::$flavour::Worker::new(ROOM)))
            }

            fn tokens(&self, count: usize) -> Vec<usize> {
                (0..count).collect()
            }
        }

        impl Owner for st3::$flavour::Worker<usize> {
            type Token = usize;

            /// st3 gives back what does not fit, one by one.
            #[inline]
            fn push(&mut self, token: usize, spilled: &mut Vec<usize>) {
                spilled.extend(st3::$flavour::Worker::push(self, token).err());
            }

            #[inline]
            fn pop(&mut self) -> Option<usize> {
                st3::$flavour::Worker::pop(self)
            }
        }

        impl Thief for (st3::$flavour::Stealer<usize>, st3::$flavour::Worker<usize>) {
            type Token = usize;

            fn steal(&mut self, stolen: &mut Vec<usize>) {
                if let Ok((number, _)) = self.0.steal_and_pop(&self.1, |queued| queued.div_ceil(2)) {
                    stolen.push(number);
                    stolen.extend(std::iter::from_fn(|| self.1.pop()));
                }
            }

            fn is_empty(&self) -> Option<bool> {
                None
            }
        }
    };
}

st3!(St3Fifo, fifo);
st3!(St3Lifo, lifo);

/// crossbeam-deque's shared queue: one in, one out.
pub(crate) fn injector(c: &mut Criterion) {
    let queue = Injector::new();
    let mut hand = Some(1_usize);
    c.benchmark_group("shared push+pop").bench_function("crossbeam-deque injector", |bencher| {
        bencher.iter(|| {
            queue.push(black_box(hand.take().expect("it came back")));
            hand = queue.steal().success();
        });
    });
}
