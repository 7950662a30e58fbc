//! A small harness for tests that run in processes of their own.
//!
//! libtest runs tests on threads of its own, and a process with threads that the runtime does not know is exactly what
//! some tests must not have. So a test binary with this harness has a plain `main`, which calls [`run`]. A test starts
//! the same binary again with `GMP_CHILD` naming one of its children: that function then runs on the main thread, with
//! no other thread beside it, and the test looks at how the process ended and what it wrote.
//!
//! `GMP_REPEAT=200` runs each test that many times. Words on the command line choose tests, as with libtest.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The environment variable that names the child to be.
const CHILD: &str = "GMP_CHILD";
/// The environment variable that says how often each test runs.
const REPEAT: &str = "GMP_REPEAT";
/// A child that lives longer hangs: none needs a second, but a busy machine can take long over that.
const TIME_OUT: Duration = Duration::from_secs(300);
/// How many tests run at once.
const AT_ONCE: usize = 2;

/// A test or a child, with its name.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) call: fn(),
}

/// A list of functions with their names.
#[allow(unused_macros, reason = "the goldens make their own list")]
macro_rules! named {
    ($($call:ident),* $(,)?) => {
        &[$($crate::harness::Named { name: stringify!($call), call: $call }),*]
    };
}
#[allow(unused_imports, reason = "as above")]
pub(crate) use named;

/// `main` of a test binary.
pub(crate) fn run(tests: &[Named], children: &[Named]) -> ExitCode {
    if let Ok(wanted) = std::env::var(CHILD) {
        let child = children.iter().find(|child| child.name == wanted);
        (child.unwrap_or_else(|| panic!("there is no child {wanted}")).call)();
        return ExitCode::SUCCESS;
    }
    no_name_twice(tests);
    no_name_twice(children);
    let chosen = choose(tests, std::env::args().skip(1));
    let Some(chosen) = chosen else { return ExitCode::SUCCESS };
    let repeat = std::env::var(REPEAT).map_or(1, |times| times.parse().expect("GMP_REPEAT is a number"));
    println!("\nrunning {} tests", chosen.len());
    keep_what_panics_say();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(test) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let passed = (0..repeat).all(|_| catch_unwind(AssertUnwindSafe(test.call)).is_ok());
                    println!("test {} ... {}", test.name, if passed { "ok" } else { "FAILED" });
                    if !passed {
                        failed.lock().unwrap().push((test.name, SAID.take()));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if !failed.is_empty() {
        println!("\nfailures:");
        failed.iter().for_each(|(name, said)| println!("\n---- {name} ----\n{said}"));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        chosen.len() - failed.len(),
        failed.len()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

thread_local! {
    /// What the last panic of this thread said.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what failed tests say: it stands among what their neighbours print, so it is said again at the end.
fn keep_what_panics_say() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        SAID.set(info.to_string());
        before(info);
    }));
}

/// If several files bring children of the same name, the second one would never be called.
fn no_name_twice(all: &[Named]) {
    let mut seen = HashSet::new();
    let twice = all.iter().find(|one| !seen.insert(one.name));
    assert!(twice.is_none(), "two are named {}", twice.map_or("", |one| one.name));
}

/// The tests that the command line asks for; `None`: it only asks for their names.
fn choose(tests: &[Named], arguments: impl Iterator<Item = String>) -> Option<Vec<Named>> {
    let (mut words, mut skipped, mut exact) = (Vec::new(), Vec::new(), false);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                tests.iter().for_each(|test| println!("{}: test", test.name));
                return None;
            }
            "--exact" => exact = true,
            "--skip" => skipped.extend(arguments.next()),
            "--test-threads" | "--format" | "--color" => drop(arguments.next()),
            flag if flag.starts_with("--") || flag == "-q" => {}
            word => words.push(word.to_owned()),
        }
    }
    let wants = |name: &str, word: &String| if exact { name == word } else { name.contains(word.as_str()) };
    let mut chosen = tests.to_vec();
    chosen.retain(|test| {
        (words.is_empty() || words.iter().any(|word| wants(test.name, word)))
            && !skipped.iter().any(|word| wants(test.name, word))
    });
    Some(chosen)
}

/// A child about to be started.
pub(crate) struct Child {
    name: &'static str,
    command: Command,
}

/// The child of this name.
pub(crate) fn child(name: &'static str) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own file"));
    command
        .env(CHILD, name)
        .env_remove("GOMAXPROCS")
        .env_remove("GMP_STACK_SIZE")
        .env_remove("GMP_DEBUG")
        .env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Child { name, command }
}

impl Child {
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end; fails with what it wrote until then if its time is over.
    #[track_caller]
    pub(crate) fn run(self) -> Done {
        match self.try_run() {
            Ok(done) => done,
            Err(hung) => {
                hung.check(false, &format!("ends within {TIME_OUT:?}"));
                hung
            }
        }
    }

    /// Runs it to its end. The error is what there is of one that had to be killed as its time was over.
    pub(crate) fn try_run(mut self) -> Result<Done, Done> {
        let mut child = self.command.spawn().expect("a child can be started");
        let stdout = reader(child.stdout.take().expect("piped"));
        let stderr = reader(child.stderr.take().expect("piped"));
        let start = Instant::now();
        let mut pause = Duration::from_micros(500);
        let status = loop {
            if let Some(status) = child.try_wait().expect("our own child") {
                break Some(status);
            }
            if start.elapsed() > TIME_OUT {
                // It may have ended in this moment, which is as good.
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        let done = Done {
            name: self.name,
            status: status.unwrap_or_default(),
            stdout: stdout.join().expect("reading does not panic"),
            stderr: stderr.join().expect("reading does not panic"),
        };
        if status.is_some() { Ok(done) } else { Err(done) }
    }
}

fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could not be read is missing from the report, no more.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A child that has ended.
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Fails with all there is to know about the child unless `holds`.
    #[track_caller]
    pub(crate) fn check(&self, holds: bool, what: &str) -> &Self {
        assert!(
            holds,
            "{} does not do this: {what}\n{}\n--- its stdout ---\n{}\n--- its stderr ---\n{}\n---",
            self.name, self.status, self.stdout, self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &Self {
        self.check(self.status.code() == Some(code), &format!("exits with {code}"))
    }

    #[track_caller]
    pub(crate) fn aborted(&self) -> &Self {
        self.check(self.status.signal() == Some(libc::SIGABRT), "ends by SIGABRT")
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        self.check(self.stderr.contains(text), &format!("says {text:?} on stderr"))
    }

    #[track_caller]
    pub(crate) fn says_first(&self, line: &str) -> &Self {
        self.check(self.stderr.lines().next() == Some(line), &format!("says first {line:?}"))
    }

    #[track_caller]
    pub(crate) fn never_says(&self, text: &str) -> &Self {
        self.check(!self.stderr.contains(text), &format!("never says {text:?}"))
    }

    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        self.check(self.stdout == text, &format!("prints exactly {text:?}"))
    }
}

/// Gives threads that have just been started a moment to begin, before the system is to give no more memory: std ends the
/// process where one of them finds none for its signal stack, after it has got its name. The moment is shorter than a time
/// slice, so that sysmon starts no thread in place of this one.
pub(crate) fn let_threads_begin() {
    let began = Instant::now();
    while !all_others_sleep() && began.elapsed() < Duration::from_millis(8) {
        thread::yield_now();
    }
}

fn all_others_sleep() -> bool {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let mut threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap());
    threads.all(|thread| {
        // A thread that has ended meanwhile has no state.
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        Some(&*thread.file_name()) == own.file_name() || !stat.contains(") R ")
    })
}
