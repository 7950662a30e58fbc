//! The allocator over real memory: guards, mappings, warm pages, limits, many threads.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use gmp_arch_amd64::{GuardMode, Guarded};
use gmp_core::contract::{Stack, StackAllocator, StackError};
use gmp_stack::{Cache, Config, Retention, Stacks};

const SIZE: usize = 64 << 10;
const CHILD: &str = "GMP_TEST_CHILD";

/// Mappings, faults and memory are counted for the whole process, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a test of this file again in a process of its own; `None` in that process.
fn child(name: &str) -> Option<(Output, String)> {
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some((output, text))
}

fn stacks(retention: Retention) -> (Stacks<Guarded>, Cache<Guarded>) {
    let stacks = Stacks::new(Guarded::default(), Config { retention, ..Config::default() }).unwrap();
    let cache = stacks.cache();
    (stacks, cache)
}

fn give(stacks: &Stacks<Guarded>, cache: &mut Cache<Guarded>, all: impl IntoIterator<Item = Stack>) {
    for stack in all {
        // SAFETY: from this allocator, and nothing on it is used again.
        unsafe { stacks.free(cache, stack) };
    }
}

/// Writes to this many bytes of the stack from the top, as a goroutine would.
fn touch(stack: &Stack, bytes: usize, value: u8) {
    // SAFETY: the stack is the test's own, and the range lies in it (A1, A3).
    unsafe { stack.top().sub(bytes).write_bytes(value, bytes) };
}

fn top_byte(stack: &Stack) -> u8 {
    // SAFETY: as in `touch`.
    unsafe { stack.top().sub(1).read() }
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// A figure of this process in pages: 0 is all of its address space, 1 is what is in memory.
fn statm(field: usize) -> usize {
    let all = std::fs::read_to_string("/proc/self/statm").unwrap();
    all.split(' ').nth(field).unwrap().parse().unwrap()
}

fn resident() -> usize {
    statm(1)
}

fn faults() -> i64 {
    // SAFETY: all zeroes is a valid value, and the call fills it in.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_minflt
}

#[test]
fn a_million_stacks_take_few_mappings() {
    let _alone = alone();
    let (stacks, mut cache) = stacks(Retention::default());
    let before = mappings();
    // Other tests' threads come and go and have a few mappings each; split ones show as two hundred.
    let mut all: Vec<_> = (0..100).map(|_| stacks.allocate(&mut cache, SIZE).unwrap()).collect();
    if mappings() > before + 100 {
        eprintln!("skipped: this kernel has no MADV_GUARD_INSTALL");
        return;
    }
    all.extend((100..1_000_000).map(|_| stacks.allocate(&mut cache, SIZE).unwrap()));
    assert!(mappings() < before + 200, "{before} mappings have become {}", mappings());
    assert_eq!(stacks.figures().in_use, 1_000_000);
    give(&stacks, &mut cache, all);
    let reserved = stacks.figures().reserved_bytes / 4096;
    let with_stacks = statm(0);
    drop((stacks, cache));
    assert!(statm(0) < with_stacks - reserved / 10 * 9, "{with_stacks} pages have become {}", statm(0));
}

#[test]
fn a_warm_stack_is_reused_without_a_page_fault() {
    let _alone = alone();
    let (stacks, mut cache) = stacks(Retention::default());
    let round = |cache: &mut Cache<Guarded>| {
        let all: Vec<_> = (0..50).map(|_| stacks.allocate(cache, SIZE).unwrap()).collect();
        all.iter().for_each(|stack| touch(stack, 5000, 1));
        give(&stacks, cache, all);
    };
    round(&mut cache);
    let before = faults();
    for _ in 0..20 {
        round(&mut cache);
    }
    assert!(faults() - before < 50, "{} faults in 1,000 reuses", faults() - before);
}

#[test]
fn trimming_gives_memory_back_and_keeps_guards_and_tops() {
    let _alone = alone();
    let (stacks, mut cache) = stacks(Retention { warm: 10, keep_bytes: 4096 });
    let all: Vec<_> = (0..1000).map(|_| stacks.allocate(&mut cache, SIZE).unwrap()).collect();
    let before = resident();
    all.iter().for_each(|stack| touch(stack, SIZE, 7));
    assert!(resident() > before + 15_000, "sixteen pages a stack were touched");
    give(&stacks, &mut cache, all);
    stacks.flush(&mut cache);
    stacks.trim();
    assert!(resident() < before + 500, "{before} pages have become {}", resident());
    let again: Vec<_> = (0..1000).map(|_| stacks.allocate(&mut cache, SIZE).unwrap()).collect();
    let kept = again.iter().take_while(|stack| top_byte(stack) == 7).count();
    assert_eq!(kept, 10, "the tops of the warmest are kept, and they come first");
    assert!(again[10..].iter().all(|stack| top_byte(stack) == 0));
}

/// Touches, in a child, the byte that lies this far below a stack's bottom.
fn faults_below(name: &str, mode: GuardMode, distance: usize) {
    if let Some((output, text)) = child(name) {
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{text}");
        assert!(text.contains("the stack itself is fine"), "{text}");
        return;
    }
    let config = Config { guard_size: 16 << 10, ..Config::default() };
    let stacks = Stacks::new(Guarded::new(mode), config).unwrap();
    let mut cache = stacks.cache();
    let _neighbour = stacks.allocate(&mut cache, SIZE).unwrap();
    let stack = stacks.allocate(&mut cache, SIZE).unwrap();
    touch(&stack, stack.size(), 1);
    eprintln!("the stack itself is fine");
    // SAFETY: it faults, which is the point.
    unsafe { stack.bottom().as_ptr().wrapping_sub(distance).write_volatile(1) };
}

#[test]
fn a_guard_lies_just_below_a_stack() {
    faults_below("a_guard_lies_just_below_a_stack", GuardMode::Auto, 1);
}

#[test]
fn a_guard_has_its_full_size() {
    faults_below("a_guard_has_its_full_size", GuardMode::Auto, 16 << 10);
}

#[test]
fn a_guard_by_mprotect_has_its_full_size() {
    faults_below("a_guard_by_mprotect_has_its_full_size", GuardMode::Mprotect, 16 << 10);
}

#[test]
fn at_the_address_space_limit_an_error_comes_back_and_nothing_is_lost() {
    let name = "at_the_address_space_limit_an_error_comes_back_and_nothing_is_lost";
    if let Some((output, text)) = child(name) {
        assert!(output.status.success(), "{text}");
        return;
    }
    let limit = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
    // SAFETY: the pointer is valid; the limit holds for this process alone.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let (stacks, mut cache) = stacks(Retention::default());
    let mut all = Vec::with_capacity(1 << 15);
    let error = loop {
        match stacks.allocate(&mut cache, SIZE) {
            Ok(stack) => all.push(stack),
            Err(error) => break error,
        }
    };
    assert_eq!(error, StackError::OutOfMemory { errno: libc::ENOMEM });
    assert!(all.len() > 10_000, "only {} stacks fit into 1 GiB", all.len());
    assert_eq!(stacks.figures().in_use, all.len());
    give(&stacks, &mut cache, all.drain(..100));
    assert_eq!((0..100).filter(|_| stacks.allocate(&mut cache, SIZE).is_ok()).count(), 100);
}

#[test]
fn a_store_of_another_allocator_is_refused() {
    if let Some((output, text)) = child("a_store_of_another_allocator_is_refused") {
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
        assert!(text.contains("another allocator"), "{text}");
        return;
    }
    let (first, _) = stacks(Retention::default());
    let (_second, mut cache) = stacks(Retention::default());
    let _never = first.allocate(&mut cache, SIZE);
}

/// Stacks wander between threads while another one trims; each is written by its owner only.
#[test]
fn threads_exchange_stacks_while_one_trims() {
    let _alone = alone();
    let (stacks, _) = stacks(Retention { warm: 16, keep_bytes: 4096 });
    let running = AtomicU8::new(3);
    std::thread::scope(|scope| {
        let mut ends: Vec<_> =
            (0..3).map(|_| mpsc::channel::<Stack>()).map(|(to, from)| (Some(to), from)).collect();
        let first = ends[0].0.take();
        for place in 0..3 {
            let to = if place == 2 { first.clone() } else { ends[place + 1].0.take() }.unwrap();
            let (_, from) = std::mem::replace(&mut ends[place], (None, mpsc::channel().1));
            let (stacks, running) = (&stacks, &running);
            scope.spawn(move || {
                let mut cache = stacks.cache();
                let mine = u8::try_from(place).unwrap() + 1;
                for round in 0..3000 {
                    let stack = stacks.allocate(&mut cache, SIZE << (round % 2)).unwrap();
                    touch(&stack, 100, mine);
                    std::hint::black_box(&stack);
                    assert_eq!(top_byte(&stack), mine, "nobody else writes to it");
                    if round % 3 == 0 {
                        // A neighbour that is done does not take it: then it comes back here.
                        if let Err(back) = to.send(stack) {
                            give(stacks, &mut cache, [back.0]);
                        }
                    } else {
                        give(stacks, &mut cache, [stack]);
                    }
                    give(stacks, &mut cache, from.try_iter());
                }
                drop(to);
                running.fetch_sub(1, Ordering::Release);
                while running.load(Ordering::Acquire) > 0 {
                    give(stacks, &mut cache, from.try_iter());
                    std::thread::yield_now();
                }
                give(stacks, &mut cache, from.try_iter());
            });
        }
        drop(first);
        while running.load(Ordering::Acquire) > 0 {
            stacks.trim();
            std::thread::yield_now();
        }
    });
    let figures = stacks.figures();
    assert_eq!(figures.in_use, 0, "{figures:?}");
    assert!(figures.free > 0);
}
