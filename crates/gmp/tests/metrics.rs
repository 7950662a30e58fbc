//! Metrics: the histogram of latencies counts what becomes runnable, in every mode; the bridge tells a recorder.

use gmp::metrics::Metrics;

/// How many goroutines are counted before the last round of a P is timed, at most.
const ROUND: u64 = 1_025;

fn counted(metrics: &Metrics) -> u64 {
    metrics.histogram("/sched/latencies:seconds").unwrap().count()
}

fn count_all(builder: gmp::Builder) {
    const TIMES: u64 = 10_000;
    let run = builder.procs(1).build().unwrap().run(|| {
        let before = counted(&gmp::metrics::read());
        let other = gmp::go(|| (0..TIMES).for_each(|_| gmp::yield_now()));
        (0..TIMES).for_each(|_| gmp::yield_now());
        other.join().unwrap();
        let yields = counted(&gmp::metrics::read());
        (0..TIMES).for_each(|_| gmp::go(|| ()).join().unwrap());
        let spawns = counted(&gmp::metrics::read());
        let (sender, receiver) = gmp::chan(0);
        let other = gmp::go(move || (0..TIMES).for_each(|i| sender.send(i).unwrap()));
        (0..TIMES).for_each(|i| assert_eq!(receiver.recv().unwrap(), i));
        other.join().unwrap();
        (yields - before, spawns - yields, counted(&gmp::metrics::read()) - spawns)
    });
    let (yields, spawns, messages) = run.unwrap().value;
    // Two goroutines that yield to each other; one that alone is left goes on at once, through no queue.
    assert!((TIMES..=2 * TIMES + 2 * ROUND).contains(&yields), "{yields} yields");
    // Each is spawned, and its end wakes the one that waits for it, unless it ends first.
    assert!((TIMES - ROUND..=2 * TIMES + 2 * ROUND).contains(&spawns), "{spawns} of spawns");
    assert!((TIMES / 2 - ROUND..=2 * TIMES + 2 * ROUND).contains(&messages), "{messages} of messages");
}

#[test]
fn what_becomes_runnable_is_counted() {
    count_all(gmp::Builder::new());
}

#[test]
fn what_becomes_runnable_is_counted_where_goroutines_are_threads() {
    count_all(gmp::Builder::new().one_thread_each());
}

#[test]
fn who_waits_for_a_p_is_seen_to() {
    let run = gmp::Builder::new().procs(1).build().unwrap().run(|| {
        // All but the first few wait for those before them.
        let handles: Vec<_> =
            (0..2_000).map(|_| gmp::go(|| std::hint::black_box((0..1_000).sum::<u32>()))).collect();
        handles.into_iter().for_each(|handle| _ = handle.join().unwrap());
        gmp::metrics::read()
    });
    let metrics = run.unwrap().value;
    let latencies = metrics.histogram("/sched/latencies:seconds").unwrap();
    assert!(latencies.sum > 0.0, "{latencies:?}");
    assert!(latencies.quantile(0.99).unwrap() >= latencies.quantile(0.5).unwrap());
    let text = metrics.to_string();
    assert!(text.contains("\n# TYPE gmp_sched_latencies_seconds histogram\n"), "{text}");
}

#[cfg(feature = "metrics")]
mod bridge {
    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
    use metrics::{CounterFn, GaugeFn, HistogramFn};
    use std::sync::{Arc, Mutex};

    /// Keeps what it is told.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<Figure>>>);

    /// A name, how it was told, and the value.
    type Figure = (String, &'static str, f64);

    struct Named(Told, String);

    impl Named {
        fn tell(&self, how: &'static str, value: f64) {
            self.0.0.lock().unwrap().push((self.1.clone(), how, value));
        }
    }

    impl CounterFn for Named {
        fn increment(&self, _: u64) {}
        fn absolute(&self, value: u64) {
            self.tell("counter", value as f64);
        }
    }

    impl GaugeFn for Named {
        fn increment(&self, _: f64) {}
        fn decrement(&self, _: f64) {}
        fn set(&self, value: f64) {
            self.tell("gauge", value);
        }
    }

    impl HistogramFn for Named {
        fn record(&self, value: f64) {
            self.tell("histogram", value);
        }
    }

    impl Recorder for Told {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(Arc::new(Named(self.clone(), key.name().into())))
        }
        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::new(Named(self.clone(), key.name().into())))
        }
        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::new(Named(self.clone(), key.name().into())))
        }
    }

    #[test]
    fn a_recorder_is_told_everything_and_a_duration_once() {
        let told = Told::default();
        let runtime = gmp::Builder::new().procs(1).build().unwrap();
        let mut bridge = gmp::metrics::Bridge::new(&runtime.handle());
        runtime.run(|| (0..5_000).for_each(|_| gmp::go(|| ()).join().unwrap())).unwrap();
        metrics::with_local_recorder(&told, || bridge.publish());
        let first: Vec<_> = std::mem::take(&mut *told.0.lock().unwrap());
        let of = |how| first.iter().filter(|(_, its, _)| *its == how).count();
        assert!(
            first.contains(&("gmp_sched_goroutines_created_goroutines_total".into(), "counter", 5_001.0)),
            "{first:?}"
        );
        assert!(of("gauge") > 10, "{first:?}");
        assert!((1..2_000).contains(&of("histogram")), "{first:?}");
        metrics::with_local_recorder(&told, || bridge.publish());
        assert!(!told.0.lock().unwrap().iter().any(|(_, how, _)| *how == "histogram"));
    }
}
