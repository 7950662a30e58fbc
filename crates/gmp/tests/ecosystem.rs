//! `examples/thread-local-libraries`: libraries that live by thread-locals, each used by goroutines that move. And
//! `examples/async-world`: hyper, rustls and tokio with gmp's sockets. And `examples/servers`, which answer. And
//! `gmp-top`, which draws in a terminal. And `examples/allocators`: other allocators than the system's.
//!
//! Not with `--locked`: what the workspace has begun to use is added to their lock files, and all other versions stay.
//!
//! They build some hundred crates of other people's, so they are run when asked for:
//! `cargo test -p gmp --test ecosystem -- --ignored`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

const ALLOCATORS: &str = "examples/allocators";

/// Runs cargo in a folder of the repository. Returns what it printed, if it succeeded.
///
/// It builds in the workspace's target folder, where most of what these programs are built of is already, or comes to be
/// for another one of them. Only the allocators have a folder of their own: while C compilers make them, the others would
/// have to wait.
fn cargo(folder: &str, what: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), |given| root.join(given));
    if folder == ALLOCATORS {
        target.push("allocators");
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root.join(folder)).args(what);
    command.env("CARGO_TARGET_DIR", target);
    let output = command.output().expect("cargo can be started");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}

#[test]
#[ignore = "builds some hundred crates that nothing else here needs"]
fn libraries_take_a_goroutine_for_a_thread() {
    let out = cargo("examples/thread-local-libraries", &["run"]);
    for library in
        ["tokio", "tracing", "rand", "parking_lot", "rayon", "regex", "arc-swap", "crossbeam-epoch"]
    {
        assert!(out.contains(&format!("{library} ok")), "{library}:\n{out}");
    }
}

#[test]
#[ignore = "builds some hundred crates that nothing else here needs"]
fn the_async_world_runs_on_goroutines() {
    cargo("examples/async-world", &["test"]);
}

#[test]
#[ignore = "builds some hundred crates that nothing else here needs"]
fn the_servers_that_are_compared_answer() {
    cargo("examples/servers", &["test"]);
}

#[test]
#[ignore = "builds some hundred crates that nothing else here needs"]
fn the_terminal_view_draws_a_program_that_runs() {
    cargo("gmp-top", &["test"]);
}

#[test]
#[ignore = "builds allocators written in C"]
fn memory_is_bounded_with_other_allocators() {
    for allocator in ["mimalloc", "jemalloc"] {
        for (what, count) in [("turns", "50000"), ("parked", "10000")] {
            let run = ["run", "--features", allocator, "--", what, count];
            println!("{allocator}: {}", cargo(ALLOCATORS, &run));
        }
    }
}
