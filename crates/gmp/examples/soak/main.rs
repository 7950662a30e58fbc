//! The soak: random work for as long as one likes, every goroutine accounted for exactly once.
//!
//! `cargo run --release -p gmp --example soak -- --seconds 120 --seed 1 --procs-max 16 --mode migrating --policy go`
//!
//! It prints one line and exits with 0, or says what is wrong and exits with 1; a watchdog aborts with a diagnosis if
//! nothing has moved for 30 seconds. It is also wrong if the process has grown. With `--faults` code breaks meanwhile,
//! and the system refuses threads, stacks and descriptors, all at random. With `--looks` the flight recorder is on, and
//! once a second there is a storm of signals, a dump and a snapshot; with the feature `profile` there are profiles, too,
//! and somebody asks who leaks. `cargo xtask soak` runs it for two minutes.

mod account;
mod answers;
mod broken;
#[allow(dead_code, reason = "each program that reads traces asks something else")]
#[path = "../../../trace/src/go/check.rs"]
mod check;
mod closing;
mod growth;
#[cfg(feature = "profile")]
mod leaks;
mod looks;
mod options;
mod outside;
mod refusals;
mod scopes;
mod soak;
mod sockets;
mod timers;
mod traffic;
mod weather;
mod work;

fn main() -> std::process::ExitCode {
    let options = match options::Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(complaint) => {
            eprintln!("soak: {complaint}\n{}", options::USAGE);
            return std::process::ExitCode::from(2);
        }
    };
    match soak::run(&options) {
        Ok(summary) => {
            println!("{summary}");
            std::process::ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("soak FAILED ({options:?}): {complaint}");
            std::process::ExitCode::FAILURE
        }
    }
}
