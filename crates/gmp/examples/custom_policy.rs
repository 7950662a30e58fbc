//! A policy from the public contracts alone: Go's queues, with other numbers and another idle rule.

use gmp::contract::{IdlePolicy, IdleView, Policy, Rules, Token};
use std::sync::{Arc, Mutex};

/// A goroutine that has yielded comes before one that has just been spawned.
struct Polite;

impl Policy for Polite {
    const NAME: &'static str = "polite";
    /// The shared queue, where yielded goroutines wait, is looked at before each dispatch.
    const RULES: Rules = Rules { shared_tick: 1, ..Rules::GO };
    type Queue<T: Token> = <gmp::policy::Go as Policy>::Queue<T>;
    type Shared<T: Token> = <gmp::policy::Go as Policy>::Shared<T>;
    type Idle = Eager;
    type Order = <gmp::policy::Go as Policy>::Order;
}

/// Wakes an M for every submission while a P is idle, and lets every M look around.
#[derive(Default)]
struct Eager;

impl IdlePolicy for Eager {
    const NAME: &'static str = "polite";
    const STRONG: bool = true;
    fn may_spin(&self, _: IdleView) -> bool {
        true
    }
    fn wake_on_submit(&self, _: IdleView, _: impl Fn() -> usize) -> bool {
        true
    }
}

fn order<P: Policy>() -> Vec<&'static str> {
    let builder = gmp::Builder::new();
    let main = || {
        gmp::yield_now();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = seen.clone();
        let spawned = gmp::go(move || theirs.lock().unwrap().push("spawned"));
        gmp::yield_now();
        seen.lock().unwrap().push("main");
        spawned.join().unwrap();
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    };
    builder.policy::<P>().procs(1).build().unwrap().run(main).unwrap().value
}

pub(crate) fn main() {
    println!("go:     {:?}", order::<gmp::policy::Go>());
    println!("polite: {:?}", order::<Polite>());
}
