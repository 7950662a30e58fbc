//! `goroutine_leaks` over channels: what is told, and what must not be. With the feature `profile`: the gate `features`
//! runs it.
#![cfg(feature = "profile")]

use gmp::profile::goroutine_leaks;
use std::time::Duration;

/// How many goroutines of this name are told to leak.
fn leaked(name: &str) -> u64 {
    let leaks = goroutine_leaks();
    let named = |sample: &&gmp::profile::Sample| {
        sample.labels.iter().any(|(key, text)| key == "goroutine" && text == name)
    };
    leaks.samples.iter().filter(named).map(|sample| sample.count).sum()
}

fn run(main: impl FnOnce() + Send + 'static) {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    runtime.run(main).unwrap();
}

#[inline(never)]
fn iterates_over_its_own_receiver() {
    let (sender, receiver) = gmp::chan::<u32>(0);
    gmp::spawn()
        .name("iterates")
        .go(move || {
            let _keeps = sender;
            for value in &receiver {
                std::hint::black_box(value);
            }
        })
        .unwrap();
}

#[inline(never)]
fn two_wait_for_each_other() {
    let (to_one, of_one) = gmp::chan::<u32>(0);
    let (to_other, of_other) = gmp::chan::<u32>(0);
    gmp::spawn().name("two").go(move || of_one.recv().map(|value| to_other.send(value))).unwrap();
    gmp::spawn().name("two").go(move || of_other.recv().map(|value| to_one.send(value))).unwrap();
}

#[inline(never)]
fn pool() {
    let (sender, receiver) = gmp::chan::<u32>(0);
    for _ in 0..4 {
        let (sender, receiver) = (sender.clone(), receiver.clone());
        let work = move || {
            for value in &receiver {
                sender.send(value + 1).unwrap();
            }
        };
        gmp::spawn().name("pool").go(work).unwrap();
    }
}

#[inline(never)]
fn select() {
    let (sender, receiver) = gmp::chan::<u32>(0);
    let (other, of_other) = gmp::chan::<u32>(0);
    gmp::spawn()
        .name("select")
        .go(move || {
            gmp::select! {
                recv(receiver) -> value => drop(value),
                recv(of_other) -> value => drop(value),
            }
            drop((sender, other));
        })
        .unwrap();
}

#[test]
fn typical() {
    run(|| {
        iterates_over_its_own_receiver();
        two_wait_for_each_other();
        pool();
        select();
        gmp::sleep(Duration::from_millis(50));
        for _ in 0..3 {
            let began = std::time::Instant::now();
            eprintln!("iterates {}", leaked("iterates"));
            eprintln!("{:?}", began.elapsed());
            eprintln!("two {}", leaked("two"));
            eprintln!("pool {}", leaked("pool"));
            eprintln!("select {}", leaked("select"));
        }
    });
}
