//! Traces of programs that run: they are sound by the rules of Go's parser, and show what the program did.
#![cfg(feature = "trace")]

#[allow(dead_code, reason = "each program that reads traces asks something else")]
#[path = "../../trace/src/go/check.rs"]
mod check;

use gmp::sync::WaitGroup;
use gmp::trace::Format;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn read(&self) -> check::Read {
        let bytes = self.0.lock().unwrap();
        check::read(&bytes).unwrap_or_else(|error| {
            let file = std::env::temp_dir().join(format!("gmp-broken-{}.trace", std::process::id()));
            let _ = std::fs::write(&file, &*bytes);
            panic!("{error}; the trace is {}", file.display())
        })
    }
}

fn skynet(level: u32) -> u64 {
    if level == 0 {
        return 1;
    }
    let (to, from) = gmp::chan(10);
    for _ in 0..10 {
        let to = to.clone();
        gmp::go(move || to.send(skynet(level - 1)));
    }
    drop(to);
    from.iter().sum()
}

/// Everything that goroutines do, for some milliseconds.
fn work() {
    assert_eq!(skynet(2), 100);
    let group = WaitGroup::new();
    let lock = Arc::new(gmp::sync::Mutex::new(0));
    for worker in 0..8 {
        let (lock, done) = (lock.clone(), group.clone());
        group.add(1);
        gmp::go(move || {
            for round in 0..20 {
                *lock.lock() += 1;
                match (worker + round) % 5 {
                    0 => gmp::yield_now(),
                    1 => gmp::sleep(Duration::from_micros(50)),
                    2 => gmp::blocking(|| std::thread::sleep(Duration::from_micros(30))),
                    3 => {
                        let _region = gmp::trace::region("round");
                        gmp::trace::log("worker", "works");
                        gmp::yield_now();
                    }
                    _ => drop(gmp::go(move || round).join()),
                }
            }
            done.done();
        });
    }
    group.wait();
    assert_eq!(*lock.lock(), 160);
}

fn in_each_mode(work: impl Fn(gmp::Builder)) {
    for procs in [1, 4] {
        work(gmp::Builder::new().procs(procs));
    }
    // SAFETY: the tests use no thread-local over a suspension.
    work(unsafe { gmp::Builder::new().procs(2).share_thread_locals() });
}

#[test]
fn a_recording_is_sound_and_whole() {
    in_each_mode(|builder| {
        let (out, runtime) = (Memory::default(), builder.build().unwrap());
        let file = out.clone();
        let summary = runtime
            .run(move || {
                let recording = gmp::trace::start(file, Format::Go).unwrap();
                work();
                gmp::blocking(|| recording.stop().unwrap())
            })
            .unwrap()
            .value;
        let read = out.read();
        assert_eq!(summary.lost, 0);
        assert!(summary.events > 1_000 && summary.bytes as usize == out.0.lock().unwrap().len());
        // 110 of skynet's, 8 workers, 32 that these start.
        // One whose spawner had to do without its P a moment ago has no event for its birth.
        assert!((1..=150).contains(&read.kinds[&14]), "{:?}", read.kinds);
        // Whoever has said that it is done may end after the recording.
        assert!(read.kinds[&16] > read.kinds[&17] && read.kinds[&17] >= 100, "{:?}", read.kinds);
        assert_eq!(read.kinds[&42], read.kinds[&43], "{:?}", read.kinds);
        assert_eq!(read.marks.iter().filter(|mark| *mark == "worker: works").count(), 32);
        for reason in ["chan receive", "sleep", "sync"] {
            assert!(read.reasons.contains(reason), "{:?}", read.reasons);
        }
        let named = |name: &str| read.goroutines.values().filter(|of| of.contains(name)).count();
        // A birth that another P has recorded may be read a round later than what the goroutine did, which has no name
        // then.
        assert!(named("trace::skynet") >= 80 && named("trace::work") >= 30, "{:?}", read.goroutines);
    });
}

/// They are of the goroutine whose closure runs there, whether or not its P was taken meanwhile.
#[test]
fn marks_on_the_system_stack_are_recorded() {
    in_each_mode(|builder| {
        let (out, runtime) = (Memory::default(), builder.build().unwrap());
        let file = out.clone();
        runtime
            .run(move || {
                let recording = gmp::trace::start(file, Format::Go).unwrap();
                let marks = || {
                    let _region = gmp::trace::region("deep");
                    gmp::trace::log("deep", "is here");
                };
                gmp::on_system_stack(marks);
                gmp::blocking(|| gmp::on_system_stack(marks));
                gmp::yield_now();
                gmp::blocking(|| recording.stop().unwrap());
            })
            .unwrap();
        let read = out.read();
        assert_eq!(read.marks.iter().filter(|mark| *mark == "deep: is here").count(), 2, "{read:?}");
    });
}

/// Where goroutines are threads, each switch goes by g0.
#[test]
fn goroutines_that_are_threads_are_recorded_too() {
    let (out, runtime) = (Memory::default(), gmp::Builder::new().procs(2).one_thread_each().build().unwrap());
    let file = out.clone();
    runtime
        .run(move || {
            let recording = gmp::trace::start(file, Format::Go).unwrap();
            assert_eq!(skynet(1), 10);
            gmp::blocking(|| recording.stop().unwrap());
        })
        .unwrap();
    let read = out.read();
    assert!(read.goroutines.values().filter(|name| name.contains("skynet")).count() >= 5, "{read:?}");
}

#[test]
fn a_snapshot_is_sound_while_the_program_runs_on() {
    in_each_mode(|builder| {
        let runtime = builder.flight_recorder(HOUR).build().unwrap();
        runtime
            .run(|| {
                let busy = gmp::go(work);
                while !busy.is_finished() {
                    let trace = gmp::trace::snapshot().unwrap();
                    let read = check::read(&trace.to_go()).unwrap();
                    assert_eq!(read.generations, usize::from(read.events != 0));
                }
                let trace = gmp::trace::snapshot().unwrap();
                let read = check::read(&trace.to_go()).unwrap();
                assert!(read.events > 500, "{trace}");
                assert!(trace.to_string().contains("blocking calls"), "{trace}");
            })
            .unwrap();
    });
}

#[test]
fn a_page_has_the_program_in_it_and_nothing_from_elsewhere() {
    in_each_mode(|builder| {
        let (out, runtime) = (Memory::default(), builder.flight_recorder(HOUR).build().unwrap());
        let file = out.clone();
        let (summary, snapshot) = runtime
            .run(move || {
                let recording = gmp::trace::start(file, Format::Page).unwrap();
                work();
                let snapshot = gmp::trace::snapshot().unwrap().to_html();
                (gmp::blocking(|| recording.stop().unwrap()), snapshot)
            })
            .unwrap()
            .value;
        let recorded = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(summary.bytes as usize, recorded.len());
        for page in [recorded, snapshot] {
            assert_eq!(page.matches("<!doctype html>").count(), 1);
            let parts: Vec<_> = page.lines().filter(|line| line.starts_with("<script type=")).collect();
            assert!(parts.iter().all(|part| part.ends_with("</script>")), "each part is one line");
            let all = parts.concat();
            for known in ["trace::skynet", "trace::work", "chan receive", "blocking call", "worker: works"] {
                assert!(all.contains(known), "{known} is not in the page");
            }
            assert!(parts[0].contains("\"runs\":[[") && !page.contains("src="));
        }
    });
}

/// A snapshot of rings that were overwritten many times, taken from a plain thread.
#[test]
fn a_snapshot_has_the_last_events_only() {
    let runtime = gmp::Builder::new().procs(2).flight_recorder(Duration::from_millis(20)).build().unwrap();
    let handle = runtime.handle();
    runtime
        .run(move || {
            let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let both = [0, 1].map(|_| {
                let stop = stop.clone();
                gmp::go(move || {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        gmp::yield_now();
                    }
                })
            });
            gmp::sleep(Duration::from_millis(50));
            let thread = std::thread::spawn(move || handle.snapshot().unwrap());
            let trace = gmp::blocking(|| thread.join().unwrap());
            let read = check::read(&trace.to_go()).unwrap();
            assert!(read.events > 0, "{trace}");
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            both.into_iter().for_each(|one| one.join().unwrap());
        })
        .unwrap();
}

#[test]
fn goroutines_keep_the_names_they_were_given() {
    let runtime = gmp::Builder::new().flight_recorder(HOUR).build().unwrap();
    runtime
        .run(|| {
            gmp::spawn().name("reader of files").go(gmp::yield_now).unwrap().join().unwrap();
            let file = gmp::trace::snapshot().unwrap().to_go();
            let name = b"reader of files";
            assert!(file.windows(name.len()).any(|at| at == name));
            let read = check::read(&file).unwrap();
            assert_eq!(read.goroutines[&1], "main");
        })
        .unwrap();
}

#[test]
fn who_records_nothing_is_told() {
    let runtime = gmp::Builder::new().build().unwrap();
    runtime
        .run(|| {
            assert!(!gmp::trace::is_enabled());
            let error = gmp::trace::snapshot().unwrap_err();
            assert!(error.to_string().contains("flight_recorder"), "{error}");
            // Nowhere to be seen, and no harm.
            let _region = gmp::trace::region("nothing");
            gmp::trace::log("to", "nobody");
        })
        .unwrap();
    gmp::trace::log("from", "a plain thread");
}

#[test]
fn worlds_that_stop_and_ps_that_come_and_go_are_sound() {
    let (out, runtime) = (Memory::default(), gmp::Builder::new().procs(2).build().unwrap());
    let file = out.clone();
    runtime
        .run(move || {
            let recording = gmp::trace::start(file, Format::Go).unwrap();
            for procs in [4, 1, 3, 2] {
                gmp::set_max_procs(procs);
                work();
            }
            gmp::blocking(|| recording.stop().unwrap());
        })
        .unwrap();
    let read = out.read();
    assert!(read.kinds.get(&26).is_some_and(|stops| *stops >= 3), "{:?}", read.kinds);
}
