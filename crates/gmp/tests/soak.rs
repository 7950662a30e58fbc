//! The soak of `examples/soak`, for three seconds, in a process of its own: its books are those of a whole process.

#[path = "../examples/soak/account.rs"]
mod account;
#[path = "../examples/soak/answers.rs"]
mod answers;
#[path = "../examples/soak/broken.rs"]
mod broken;
#[allow(dead_code, reason = "each program that reads traces asks something else")]
#[path = "../../trace/src/go/check.rs"]
mod check;
#[path = "../examples/soak/closing.rs"]
mod closing;
#[path = "../examples/soak/growth.rs"]
mod growth;
#[cfg(feature = "profile")]
#[path = "../examples/soak/leaks.rs"]
mod leaks;
#[path = "../examples/soak/looks.rs"]
mod looks;
#[path = "../examples/soak/options.rs"]
mod options;
#[path = "../examples/soak/outside.rs"]
mod outside;
#[path = "../examples/soak/refusals.rs"]
mod refusals;
#[path = "../examples/soak/scopes.rs"]
mod scopes;
#[path = "../examples/soak/soak.rs"]
mod soak;
#[path = "../examples/soak/sockets.rs"]
mod sockets;
#[path = "../examples/soak/timers.rs"]
mod timers;
#[path = "../examples/soak/traffic.rs"]
mod traffic;
#[path = "../examples/soak/weather.rs"]
mod weather;
#[path = "../examples/soak/work.rs"]
mod work;

use std::process::Command;

/// How the test below says to its child what to do.
const ARGUMENTS: &str = "GMP_SOAK_ARGUMENTS";

/// The child: does nothing unless it was started by [`soak_for`].
#[test]
fn soak_child() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let options = options::Options::from_arguments(arguments.split_whitespace().map(str::to_owned));
    let options = options.unwrap_or_else(|complaint| panic!("{complaint}\n{}", options::USAGE));
    println!("{}", soak::run(&options).unwrap());
}

fn soak_for(arguments: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "soak_child", "--nocapture"])
        .env(ARGUMENTS, arguments)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success() && out.contains("soak ok"),
        "{arguments}: {}\n{out}\n{err}",
        output.status
    );
}

#[test]
fn three_seconds_of_random_work() {
    soak_for("--seconds 3 --seed 1");
}

/// A storm of signals, a dump and a snapshot of the trace once a second.
#[test]
fn three_seconds_under_looks() {
    soak_for("--seconds 3 --seed 4 --mode own --looks");
}

#[test]
fn a_second_pinned_and_random() {
    soak_for("--seconds 1 --seed 2 --mode pinned --policy random");
}

#[test]
fn a_second_with_a_thread_for_each() {
    soak_for("--seconds 1 --seed 3 --mode one-thread-each");
}
