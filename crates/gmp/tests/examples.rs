//! Every example runs to its end and prints what it promises, in a process of its own.

use std::process::Command;

#[path = "../examples/blocking_call.rs"]
mod blocking_call;
#[path = "../examples/crawler.rs"]
mod crawler;
#[path = "../examples/custom_policy.rs"]
mod custom_policy;
#[path = "../examples/custom_stack.rs"]
mod custom_stack;
#[path = "../examples/hello.rs"]
mod hello;
#[path = "../examples/parallel_sum.rs"]
mod parallel_sum;
#[path = "../examples/philosophers.rs"]
mod philosophers;
#[path = "../examples/pinned.rs"]
mod pinned;
#[path = "../examples/pipeline.rs"]
mod pipeline;
#[path = "../examples/plain_blocking.rs"]
mod plain_blocking;
#[path = "../examples/prime_sieve.rs"]
mod prime_sieve;
#[path = "../examples/rate_limiter.rs"]
mod rate_limiter;
#[path = "../examples/stats.rs"]
mod stats;
#[cfg(all(feature = "net", feature = "trace"))]
#[path = "../examples/traced.rs"]
mod traced;

/// Name, program, and parts of what it prints.
type Example = (&'static str, fn(), &'static [&'static str]);

const EXAMPLES: &[Example] = &[
    ("blocking_call", blocking_call::main, &["8 calls that wait for each other", "handed off: true"]),
    ("crawler", || crawler::main().unwrap(), &["92 pages of 93 known; failed: [13]"]),
    (
        "custom_policy",
        custom_policy::main,
        &[r#"go:     ["spawned", "main"]"#, r#"polite: ["main", "spawned"]"#],
    ),
    (
        "custom_stack",
        custom_stack::main,
        &["32 KiB: 20 deep", "16 MiB: 10000 deep", "the thread's own stack: 1000 deep"],
    ),
    ("hello", hello::main, &["42"]),
    ("parallel_sum", parallel_sum::main, &["the sum is 499999500000, by 128 goroutines"]),
    ("philosophers", philosophers::main, &["500 meals, forks used 1000 times"]),
    (
        "pinned",
        pinned::main,
        &["go_pinned stays: true", "a locked one stays: true", "all of a pinned runtime stay: true"],
    ),
    (
        "pipeline",
        pipeline::main,
        &[
            "100 squares of numbers below 120: true",
            "the source was less than 20 ahead: true",
            "stopped: context canceled",
        ],
    ),
    ("plain_blocking", plain_blocking::main, &["20 goroutines have had the lock", "Ps were taken: true"]),
    ("prime_sieve", prime_sieve::main, &["22 goroutines, then 1", "[2, 3, 5, 7, 11", "61, 67, 71]"]),
    ("rate_limiter", rate_limiter::main, &["8 requests served", "kept to the rate: true"]),
    ("stats", stats::main, &["101 goroutines, 100 of them wait", "goroutine 1 was", "101 spawned, 0 left"]),
    #[cfg(all(feature = "net", feature = "trace"))]
    ("traced", traced::main, &["10000 goroutines at the leaves"]),
];

/// Tells the child process which example it is.
const WHICH: &str = "GMP_EXAMPLE";

/// Does nothing unless a parent asks for it: the body of the child processes.
#[test]
fn one_example() {
    let Ok(which) = std::env::var(WHICH) else { return };
    let (_, main, _) = EXAMPLES.iter().find(|(name, ..)| *name == which).expect("an example of this name");
    main();
}

#[test]
fn examples_print_what_they_promise() {
    for (name, _, promised) in EXAMPLES {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["one_example", "--exact", "--nocapture"])
            .env(WHICH, name)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
        for line in *promised {
            assert!(out.contains(line), "{name} does not print {line:?}:\n{out}");
        }
    }
}

/// A new example cannot be forgotten here.
#[test]
fn every_example_is_listed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".rs") else { continue };
        // The soak is a gate of its own, `cargo xtask soak`, and servers have clients in `servers.rs`.
        let known = ["soak", "kv_server", "tcp_proxy"].contains(&name)
            || EXAMPLES.iter().any(|(known, ..)| *known == name);
        assert!(known, "examples/{name}.rs is run by no test");
    }
}
