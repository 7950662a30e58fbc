//! Traces for Perfetto, as far as Go's format has no place for what is in them.
#![cfg(feature = "perfetto")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The fields of a protobuf message: numbers, and what has a length.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a number ends");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if *first < 0x80 {
                break;
            }
        }
        value
    }
    let mut all = Vec::new();
    while !message.is_empty() {
        let tag = number(&mut message);
        let value = if tag & 7 == 1 { 0 } else { number(&mut message) };
        let length = match tag & 7 {
            0 => 0,
            1 => 8,
            2 => value as usize,
            kind => panic!("no field of kind {kind} is written"),
        };
        let text;
        (text, message) = message.split_at(length);
        all.push((tag >> 3, value, text));
    }
    all
}

/// What each counter says, by name: `trace_packet.proto`, `track_descriptor.proto`, `track_event.proto`.
fn counters(trace: &[u8]) -> HashMap<String, Vec<i64>> {
    let (mut names, mut counters) = (HashMap::new(), HashMap::<_, Vec<i64>>::new());
    for (_, _, packet) in fields(trace) {
        for (kind, _, inner) in fields(packet) {
            let inner = || fields(inner);
            let value = |of| inner().iter().find(|(field, ..)| *field == of).map(|(_, value, _)| *value);
            match kind {
                60 => {
                    let name = inner().into_iter().find(|(field, ..)| *field == 2).map(|(_, _, name)| name);
                    let name = String::from_utf8(name.expect("tracks have names").to_vec()).unwrap();
                    names.insert(value(1).expect("tracks have numbers"), name);
                }
                11 => {
                    if let (Some(track), Some(count)) = (value(11), value(30)) {
                        counters.entry(names[&track].clone()).or_default().push(count as i64);
                    }
                }
                _ => {}
            }
        }
    }
    counters
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// What each counter says after a program on so many Ps.
fn counters_after<P: gmp::contract::Policy>(procs: usize, program: fn()) -> HashMap<String, Vec<i64>> {
    let builder = gmp::Builder::new().procs(procs).policy::<P>();
    let runtime = builder.flight_recorder(Duration::from_secs(3600)).build().unwrap();
    let traced = move || {
        program();
        counters(&gmp::trace::snapshot().unwrap().to_perfetto())
    };
    runtime.run(traced).unwrap().value
}

#[test]
fn counters_tell_how_many_are_queued() {
    let counters = counters_after::<gmp::policy::Go>(1, || {
        let queued: Vec<_> = (0..100).map(|_| gmp::go(|| ())).collect();
        spin(Duration::from_micros(200));
        queued.into_iter().for_each(|handle| handle.join().unwrap());
        let yields: Vec<_> = (0..30)
            .map(|_| {
                gmp::go(|| {
                    for _ in 0..20 {
                        spin(Duration::from_micros(20));
                        gmp::yield_now();
                    }
                })
            })
            .collect();
        yields.into_iter().for_each(|handle| handle.join().unwrap());
    });
    let longest = |name: &str| counters[name].iter().copied().max();
    assert!(longest("queue of P0").is_some_and(|length| (95..=101).contains(&length)), "{counters:?}");
    assert!(longest("shared queue").is_some_and(|length| (10..=31).contains(&length)), "{counters:?}");
    assert!(counters.values().flatten().all(|length| *length >= 0), "{counters:?}");
}

/// A policy that queues nothing on its Ps.
#[test]
fn counters_of_a_policy_with_one_queue() {
    let counters = counters_after::<gmp::policy::Global>(2, || {
        let queued: Vec<_> = (0..500).map(|_| gmp::go(|| spin(Duration::from_micros(5)))).collect();
        queued.into_iter().for_each(|handle| handle.join().unwrap());
    });
    assert!(counters["shared queue"].iter().any(|length| *length > 10), "{counters:?}");
}

/// More threads compute than there are CPUs, and one goroutine sleeps in the kernel: both stand below the M.
#[test]
#[cfg(feature = "kernel-switches")]
fn the_kernels_switches_stand_below_each_m() {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let written = Shared::default();
    let out = written.clone();
    let summary = gmp::Builder::new().procs(1).build().unwrap().run(move || {
        let recording = gmp::trace::start(out, gmp::trace::Format::Perfetto).unwrap();
        let cpus = std::thread::available_parallelism().unwrap().get();
        std::thread::scope(|scope| {
            (0..2 * cpus).for_each(|_| drop(scope.spawn(|| spin(Duration::from_millis(100)))));
            // The thread is watched from the recording's second look on.
            std::thread::sleep(Duration::from_millis(30));
            spin(Duration::from_millis(50));
            std::thread::sleep(Duration::from_millis(1));
        });
        recording.stop().unwrap()
    });
    let Some(switches) = summary.unwrap().value.switches else {
        println!("skipped: this kernel does not tell when it ran others");
        return;
    };
    let trace = written.0.lock().unwrap();
    let holds = |text: &str| trace.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(switches > 0 && holds("off its CPU"), "{switches}");
    assert!(holds("the kernel runs others") && holds("sleeps in the kernel"), "{switches}");
}
