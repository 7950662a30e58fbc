//! A deadlock's report: each line names what its goroutine waits for, and tells its labels.

mod told;

use gmp::sync::{Barrier, Cond, Mutex, Once, OnceCell, RwLock, Semaphore, WaitGroup};
use gmp::{DeadlockReport, DeadlockRule, RunError, block_forever, chan, never};
use std::sync::Arc;

/// What is held for ever, or never comes.
#[derive(Default)]
struct Never {
    mutex: Mutex<()>,
    rw_lock: RwLock<()>,
    group: WaitGroup,
    cond: (Mutex<()>, Cond),
    once: Once,
    cell: OnceCell<u32>,
}

/// Starts a goroutine that is named after what its line is to say.
fn waits(line: &str, f: impl FnOnce() + Send + 'static) {
    drop(gmp::spawn().name(line).label("file", "a \"b\".txt").label("part", "2").go(f).unwrap());
}

fn deadlocked() -> DeadlockReport {
    let builder = told::moving(gmp::Builder::new());
    let runtime = builder.procs(1).deadlock(DeadlockRule::Always).build().unwrap();
    let ended = runtime.run(|| {
        let all = Arc::new(Never::default());
        let with = |line: &str, f: fn(&Never)| {
            let all = all.clone();
            waits(line, move || f(&all));
        };
        let holder = all.clone();
        gmp::go(move || {
            let _held = (holder.mutex.lock(), holder.rw_lock.write());
            holder.once.call_once(|| {
                holder.cell.get_or_init(|| block_forever());
            });
        });
        all.group.add(1);
        gmp::yield_now();
        with("Mutex::lock", |all| drop(all.mutex.lock()));
        with("RwLock::read", |all| drop(all.rw_lock.read()));
        with("RwLock::write", |all| drop(all.rw_lock.write()));
        with("WaitGroup::wait", |all| all.group.wait());
        with("Cond::wait", |all| all.cond.1.wait(&mut all.cond.0.lock()));
        with("Once::call_once", |all| all.once.call_once(|| ()));
        with("Once::call_once", |all| _ = all.cell.get_or_init(|| 1));
        waits("Semaphore::acquire", || drop(Semaphore::new(0).acquire()));
        waits("Barrier::wait", || _ = Barrier::new(2).wait());
        let ((to, _from), (_to, from)) = (chan::<u32>(0), chan::<u32>(0));
        let (other_to, other_from) = (to.clone(), from.clone());
        waits("chan send", move || _ = to.send(1));
        waits("chan receive", move || _ = from.recv());
        waits("select", move || {
            gmp::select! {
                send(other_to, 1) -> _ => {}
                recv(other_from) -> _ => {}
            }
        });
        waits("select (no cases)", || block_forever());
        waits("chan receive", || _ = never::<u32>().recv());
        waits("park", gmp::park);
        waits("join", || gmp::go(gmp::park).join().unwrap());
        waits("scope", || gmp::scope(|s| drop(s.go(gmp::park))));
        gmp::park();
    });
    match ended {
        Err(RunError::Deadlock(report)) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_line_names_what_is_waited_for() {
    let report = deadlocked();
    let named: Vec<_> = report.waiting.iter().filter(|sleeper| sleeper.name.is_some()).collect();
    assert_eq!(named.len(), 17, "{report}");
    for sleeper in named {
        assert_eq!(sleeper.name.as_deref(), Some(&*sleeper.reason.to_string()));
    }
}

#[test]
fn each_line_tells_the_labels() {
    let text = deadlocked().to_string();
    let line = text.lines().find(|line| line.contains("[Semaphore::acquire] [Semaphore::acquire, ")).unwrap();
    assert!(line.contains(r#", labels: {"file": "a \"b\".txt", "part": "2"}]: created at "#), "{line}");
    assert!(text.lines().any(|line| line.starts_with("goroutine 1 [park, ") && !line.contains("labels")));
}
