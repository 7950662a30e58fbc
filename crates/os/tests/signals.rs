//! Signals on channels. Each test uses signals of its own, since they belong to the process.

use gmp::signal::{Signal, ignore, notify, reset};
use std::process::Command;

fn send(signal: &str) {
    let this = std::process::id().to_string();
    assert!(Command::new("kill").args([signal, &this]).status().unwrap().success());
}

#[test]
fn signals_come_on_a_channel() {
    for procs in [1, 2] {
        let runtime = gmp::Builder::new().procs(procs).build().unwrap();
        runtime
            .run(|| {
                let first = notify(&[Signal::USER1, Signal::HANGUP]).unwrap();
                let second = notify(&[Signal::USER1]).unwrap();
                for _ in 0..5 {
                    send("-USR1");
                    assert_eq!(first.recv(), Ok(Signal::USER1));
                    assert_eq!(second.recv(), Ok(Signal::USER1));
                }
                send("-HUP");
                assert_eq!(first.recv(), Ok(Signal::HANGUP));
                drop(first);
                send("-USR1");
                assert_eq!(second.recv(), Ok(Signal::USER1));
                assert_eq!(format!("{second:?}"), "[SIGUSR1]");
            })
            .unwrap();
    }
}

#[test]
fn nobody_receives_and_nothing_waits() {
    gmp::run(|| {
        let signals = notify(&[Signal::WINDOW]).unwrap();
        for _ in 0..20 {
            send("-WINCH");
        }
        assert_eq!(signals.recv(), Ok(Signal::WINDOW));
        // It may have come again, once.
        let _ = signals.try_recv();
    });
}

#[test]
fn ignored_signals_do_nothing() {
    gmp::run(|| {
        ignore(&[Signal::USER2]).unwrap();
        send("-USR2");
        let signals = notify(&[Signal::USER2]).unwrap();
        send("-USR2");
        assert_eq!(signals.recv(), Ok(Signal::USER2));
        drop(signals);
        send("-USR2");
    });
}

/// The system's default action is taken again when nobody wants the signal any more; this runs in another process.
#[test]
fn a_signal_that_nobody_wants_does_what_it_does() {
    if std::env::var_os("GMP_SIGNAL_CHILD").is_some() {
        gmp::run(|| {
            drop(notify(&[Signal::TERMINATE]).unwrap());
            ignore(&[Signal::TERMINATE]).unwrap();
            reset(&[Signal::TERMINATE]).unwrap();
            send("-TERM");
            loop {
                gmp::sleep(std::time::Duration::from_secs(1));
            }
        });
    }
    use std::os::unix::process::ExitStatusExt;
    let this = std::env::current_exe().unwrap();
    let name = "a_signal_that_nobody_wants_does_what_it_does";
    let status =
        Command::new(this).args(["--exact", name]).env("GMP_SIGNAL_CHILD", "1").output().unwrap().status;
    assert_eq!(status.signal(), Some(Signal::TERMINATE.as_raw()));
}

#[test]
fn what_cannot_be_is_said() {
    let outside = notify(&[Signal::USER1]).unwrap_err();
    assert!(outside.to_string().contains("outside a goroutine"), "{outside}");
    gmp::run(|| {
        let error = notify(&[Signal::from_raw(9)]).unwrap_err();
        assert!(error.to_string().starts_with("signal 9 cannot be handled"), "{error}");
    });
}
