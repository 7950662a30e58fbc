//! What a runtime says about itself, from inside and from a plain thread, and what a goroutine says about itself.

use std::sync::mpsc;

pub(crate) fn main() {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    let handle = runtime.handle();
    runtime
        .run(|| {
            let (tell, hear) = mpsc::channel();
            let sleepers: Vec<_> = (0..100)
                .map(|i| {
                    let tell = tell.clone();
                    let sleeper = gmp::spawn().name(format!("sleeper {i}")).label("kind", "sleeper");
                    let sleeps = move || {
                        tell.send(gmp::current().expect("this is a goroutine").unparker()).unwrap();
                        gmp::park();
                    };
                    sleeper.go(sleeps).expect("there is memory")
                })
                .collect();
            while gmp::stats().waiting < 100 {
                gmp::yield_now();
            }
            let stats = gmp::stats();
            println!("{} goroutines, {} of them wait", stats.goroutines, stats.waiting);
            println!("{} stacks in use, {} bytes reserved", stats.stacks.in_use, stats.stacks.reserved_bytes);
            println!("{} threads for {} Ps", stats.threads, stats.procs);
            let me = gmp::current().expect("this is a goroutine");
            println!("goroutine {} was created at {}", me.number, me.created_at);
            hear.try_iter().for_each(|sleeper| sleeper.unpark());
            sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        })
        .unwrap();
    let after = handle.stats();
    println!("{} spawned, {} left, policy {}", after.spawned, after.goroutines, handle.policy());
}
