//! The fault: ordinary crates overflowed the default stack, and the report did not say what would have helped.
//!
//! What the crates need is in `examples/ordinary-crates`; here is how the size is found: the builder's, the spawn's, the
//! environment's `GMP_STACK_SIZE`, and what the report of an overflow advises.

use crate::harness::{Child, Done, child, named};
use std::hint::black_box;

pub(crate) const FAULT: crate::Fault = (
    named![
        an_overflow_says_the_size_that_helps,
        a_recursion_is_advised_the_next_size,
        the_environment_raises_what_the_program_asks_for,
        a_small_size_of_a_spawn_counts_as_the_least,
        a_bad_size_in_the_environment_is_an_error_with_value_and_range,
        large_stacks_lie_below_the_stacks_of_threads,
    ],
    named![large_frame, recursion, small_by_program, tiny_spawn, build_alone, addresses],
);

const SIZE: &str = "GMP_STACK_SIZE";

fn runtime() -> gmp::Runtime<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).procs(1).build().unwrap()
}

#[inline(never)]
fn two_mebibytes() -> u8 {
    black_box([7_u8; 2 << 20])[9]
}

#[inline(never)]
fn recurse(depth: usize) -> usize {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { recurse(black_box(depth - 1)) + black_box(&frame)[1] }
}

fn large_frame() {
    runtime().run(two_mebibytes).unwrap();
}

fn recursion() {
    runtime().run(|| recurse(usize::MAX)).unwrap();
}

fn small_by_program() {
    let builder = crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).stack_size(64 << 10);
    let main = || {
        let spawned = gmp::spawn().stack_size(32 << 10).go(two_mebibytes).unwrap();
        spawned.join().unwrap() + two_mebibytes()
    };
    assert_eq!(builder.build().unwrap().run(main).unwrap().value, 14);
}

fn tiny_spawn() {
    let main = || gmp::spawn().stack_size(1).go(|| 5).unwrap().join().unwrap();
    assert_eq!(runtime().run(main).unwrap().value, 5);
}

fn build_alone() {
    match crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).build() {
        Ok(_) => println!("built"),
        Err(error) => println!("{error}"),
    }
}

/// Where a goroutine's stack is, and where the stacks of the process's threads are.
fn addresses() {
    fn here() -> usize {
        let local = 0_u8;
        black_box(&raw const local).addr()
    }
    let runtime =
        crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).procs(4).build().unwrap();
    let main = || {
        let all: Vec<_> = (0..1000)
            .map(|_| {
                gmp::go(|| {
                    gmp::yield_now();
                    (here(), gmp::on_system_stack(here))
                })
            })
            .collect();
        all.into_iter().map(|each| each.join().unwrap()).all(|(goroutine, thread)| goroutine < thread)
    };
    assert!(runtime.run(main).unwrap().value);
}

fn with_size(name: &'static str, size: &str) -> Child {
    child(name).env(SIZE, size)
}

/// The size that a report advises.
fn advised(done: &Done) -> String {
    let after = done.stderr.split_once("; set GMP_STACK_SIZE=").map(|(_, after)| after);
    let size = after.and_then(|after| after.split_once(" in the environment, or see Builder::stack_size"));
    done.aborted().check(size.is_some(), "advises a size");
    size.unwrap().0.to_owned()
}

fn an_overflow_says_the_size_that_helps() {
    let done = child("large_frame").run();
    done.says("overflowed its stack of 1024 KiB; created by ").says("; it needed at least ");
    with_size("large_frame", &advised(&done)).run().code(0);
    let small = with_size("large_frame", "65536").run();
    small.says("overflowed its stack of 64 KiB; created by ");
    small.check(advised(&small) == advised(&done), "advises the same, whatever size it had");
}

fn a_recursion_is_advised_the_next_size() {
    let done = child("recursion").run();
    done.check(advised(&done) == "2M", "advises twice of what it had");
    let done = with_size("recursion", "64M").run();
    done.aborted().says("overflowed its stack of 65536 KiB").says("only be a thread's");
}

fn the_environment_raises_what_the_program_asks_for() {
    child("small_by_program").run().aborted();
    with_size("small_by_program", "16K").run().says("overflowed its stack of 32 KiB").aborted();
    with_size("small_by_program", "16M").run().code(0);
}

fn a_small_size_of_a_spawn_counts_as_the_least() {
    child("tiny_spawn").run().code(0);
}

fn a_bad_size_in_the_environment_is_an_error_with_value_and_range() {
    for bad in ["12", "65M", "large", "-1", "512KB"] {
        let done = with_size("build_alone", bad).run();
        let said = |text: &str| done.stdout.contains(text);
        let whole = said(&format!("GMP_STACK_SIZE={bad:?}")) && said("16384") && said("67108864");
        done.check(whole, "names the value and the allowed range");
    }
    with_size("build_alone", "").run().prints("built\n");
}

/// Crates that compare the stack pointer with the bounds of the thread's stack then find no room rather than gigabytes.
fn large_stacks_lie_below_the_stacks_of_threads() {
    child("addresses").run().code(0);
}
