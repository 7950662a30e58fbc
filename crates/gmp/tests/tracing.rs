//! Spans of the crate `tracing` are regions of the goroutine that is in them, and its events messages.
#![cfg(feature = "tracing")]

#[allow(dead_code, reason = "each program that reads traces asks something else")]
#[path = "../../trace/src/go/check.rs"]
mod check;

use gmp::Builder;
use gmp::trace::TracingLayer;
use std::time::Duration;
use tracing::{info, info_span};
use tracing_subscriber::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a program in goroutines of one runtime, and returns what each marked, in the order of their spawns.
fn marks_of(builder: Builder, goroutines: usize, program: fn(usize)) -> Vec<Vec<String>> {
    let _ = tracing_subscriber::registry().with(TracingLayer).try_init();
    let run = builder.flight_recorder(HOUR).build().unwrap().run(move || {
        let handles: Vec<_> = (0..goroutines).map(|number| gmp::go(move || program(number))).collect();
        let numbers: Vec<_> = handles.iter().map(gmp::JoinHandle::number).collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
        let trace = gmp::trace::snapshot().unwrap();
        let mut read = check::read(&trace.to_go()).unwrap();
        assert!(!trace.is_cut(), "{trace}");
        numbers.into_iter().map(|number| read.marks_of.remove(&number).unwrap_or_default()).collect()
    });
    run.unwrap().value
}

fn in_each_mode(check: impl Fn(Builder)) {
    check(Builder::new().procs(1));
    check(Builder::new().procs(4));
    // SAFETY: what `tracing` keeps in thread-locals may be another goroutine's. The spans have no parents, so none of it is
    // used.
    check(unsafe { Builder::new().procs(4).share_thread_locals() });
}

#[test]
fn a_span_is_a_region_over_suspensions() {
    in_each_mode(|builder| {
        let all = marks_of(builder, 40, |number| {
            let _outer = info_span!(parent: None, "outer", number).entered();
            for _ in 0..5 {
                gmp::yield_now();
                let _inner = info_span!(parent: None, "inner").entered();
                gmp::sleep(Duration::from_micros(10));
            }
            info!(number, "done");
        });
        for (number, marks) in all.into_iter().enumerate() {
            let (begin, end) = (marks.first().cloned(), marks.last().cloned());
            assert_eq!((begin.as_deref(), end.as_deref()), (Some("outer"), Some("outer")), "{marks:?}");
            assert_eq!(marks.iter().filter(|mark| *mark == "inner").count(), 10, "{marks:?}");
            assert_eq!(marks[11], format!("tracing: INFO done number={number}"));
        }
    });
}

#[test]
fn spans_may_be_left_in_any_order() {
    in_each_mode(|builder| {
        let all = marks_of(builder, 4, |_| {
            let outer = info_span!(parent: None, "outer").entered();
            let inner = info_span!(parent: None, "inner").entered();
            drop(outer);
            gmp::yield_now();
            drop(inner);
        });
        for marks in all {
            // sysmon may have taken the P meanwhile: then what had ended by the yield is left out.
            let expected: [&[&str]; 3] = [
                &["outer", "inner", "inner", "outer", "inner", "inner"],
                &["outer", "outer", "inner", "inner"],
                &["inner", "inner"],
            ];
            assert!(expected.iter().any(|expected| marks == *expected), "{marks:?}");
        }
    });
}

/// A span that is entered by one and left by another, or never left, ends with its goroutine.
#[test]
fn a_span_that_is_never_left_ends_with_its_goroutine() {
    let all = marks_of(Builder::new().procs(2), 4, |_| {
        std::mem::forget(info_span!(parent: None, "kept").entered());
        let strange = info_span!(parent: None, "strange");
        strange.with_subscriber(|(id, dispatch)| dispatch.exit(id));
    });
    for marks in all {
        // One that has been joined may be about to end.
        assert!(marks == ["kept"] || marks == ["kept", "kept"], "{marks:?}");
    }
}

/// A goroutine that is in a blocking call tells of it when it is back.
#[test]
fn spans_in_and_over_blocking_calls() {
    in_each_mode(|builder| {
        let all = marks_of(builder, 4, |_| {
            let over = info_span!(parent: None, "over").entered();
            let begun = gmp::blocking(|| {
                drop(over);
                drop(info_span!(parent: None, "within").entered());
                std::thread::sleep(Duration::from_micros(100));
                info_span!(parent: None, "begun within").entered()
            });
            drop(begun);
        });
        for marks in all {
            assert_eq!(marks, ["over", "over", "begun within", "begun within"]);
        }
    });
}

#[test]
fn each_poll_of_a_future_is_a_region() {
    use tracing::Instrument as _;
    let all = marks_of(Builder::new().procs(2), 1, |_| {
        let (to, from) = gmp::chan::<u32>(0);
        gmp::go(move || {
            gmp::sleep(Duration::from_millis(5));
            to.send(7).unwrap();
        });
        let asked = async move { from.recv_async().await }.instrument(info_span!(parent: None, "asks"));
        assert_eq!(gmp::block_on(asked), Ok(7));
    });
    assert_eq!(all[0].len() % 2, 0);
    assert!(all[0].len() >= 2 && all[0].iter().all(|mark| mark == "asks"), "{all:?}");
}
