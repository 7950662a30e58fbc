//! What a runtime says about itself, from inside and from a plain thread, and what a goroutine says about itself.

use std::time::Duration;

pub(crate) fn main() {
    // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
    let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.procs(2).build().unwrap();
    let handle = runtime.handle();
    runtime
        .run(|| {
            let sleepers: Vec<_> = (0..100)
                .map(|i| {
                    let sleeper = gmp::spawn().name(format!("sleeper {i}")).label("kind", "sleeper");
                    sleeper.go(|| gmp::sleep(Duration::from_millis(100))).expect("there is memory")
                })
                .collect();
            gmp::sleep(Duration::from_millis(20));
            let stats = gmp::stats();
            println!("{} goroutines, {} of them wait", stats.goroutines, stats.waiting);
            println!("{} stacks in use, {} bytes reserved", stats.stacks.in_use, stats.stacks.reserved_bytes);
            println!("{} threads for {} Ps", stats.threads, stats.procs);
            let me = gmp::current().expect("this is a goroutine");
            println!("goroutine {} was created at {}", me.number, me.created_at);
            sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        })
        .unwrap();
    let after = handle.stats();
    println!("{} spawned, {} left, policy {}", after.spawned, after.goroutines, handle.policy());
}
