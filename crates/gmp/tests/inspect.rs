//! `Builder::inspect`: a running program answers at a socket, whatever its goroutines do, and whoever asks cannot hold it
//! up. With the feature `dump`.
#![cfg(feature = "dump")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("gmp-inspect-{}-{name}", std::process::id()))
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(path: &Path) -> Self {
        // The runtime makes it when it runs.
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => return Self(BufReader::new(stream)),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    fn ask(&mut self, request: &str) -> Result<String, String> {
        self.ask_bytes(request).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    fn ask_bytes(&mut self, request: &str) -> Result<Vec<u8>, String> {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut head = String::new();
        self.0.read_line(&mut head).unwrap();
        let Some(length) = head.strip_prefix("ok ") else { return Err(head) };
        let mut text = vec![0; length.trim().parse().unwrap()];
        self.0.read_exact(&mut text).unwrap();
        Ok(text)
    }
}

/// Runs main, and asks from a plain thread meanwhile; main goes on until that is done.
fn beside(
    name: &str,
    builder: gmp::Builder,
    main: impl FnOnce(&AtomicBool) + Send + 'static,
    ask: impl FnOnce(&Path) + Send,
) {
    struct Done(Arc<AtomicBool>);
    impl Drop for Done {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let path = socket(name);
    let runtime = builder.inspect(&path).build().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let tells = Done(done.clone());
        let asking = scope.spawn(|| {
            let _tells = tells;
            ask(&path);
        });
        runtime.run(move || main(&done)).unwrap();
        asking.join().unwrap();
    });
    assert!(!path.exists(), "the socket's file goes with the runtime");
}

fn sleeps_until(done: &AtomicBool) {
    while !done.load(Relaxed) {
        gmp::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_request_is_answered() {
    let main = |done: &AtomicBool| {
        let (_keeps_it_open, values) = gmp::chan::<u32>(0);
        gmp::spawn().name("reader").label("kind", "r").go(move || values.recv()).unwrap();
        sleeps_until(done);
    };
    beside("all", gmp::Builder::new().procs(2), main, |path| {
        let mut client = Client::connect(path);
        let mut look = client.ask("look 10").unwrap();
        while !look.contains("\"state\": \"waiting\", \"reason\": \"chan receive\"") {
            look = client.ask("look 10").unwrap();
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for part in [
            "\"policy\": \"",
            "\", \"procs\": 2, ",
            "\"name\": \"reader\", \"labels\": {\"kind\": \"r\"}",
            "\"ps\": [{\"id\": 0, ",
            "\"sites\": [{\"at\": \"crates/gmp/tests/inspect.rs:",
            "\"latencies\": {\"nanos\": ",
        ] {
            assert!(look.contains(part), "{part} in {look}");
        }
        assert!(client.ask("look 0").unwrap().ends_with("\"goroutines\": []}"));
        let stack = client.ask("stack 1").unwrap();
        assert!(stack.contains("goroutine 1 ") && stack.contains("sleeps_until"), "{stack}");
        assert_eq!(client.ask("stack 999").unwrap_err(), "error there is no goroutine 999\n");
        assert!(client.ask("dump").unwrap().contains("[reader] [chan receive at 0x"));
        assert!(client.ask("dump json").unwrap().starts_with("{\"policy\": \""));
        assert!(client.ask("metrics").unwrap().contains("\ngmp_sched_latencies_seconds_count "));
        if cfg!(feature = "trace") {
            assert!(client.ask_bytes("trace 1").unwrap().starts_with(b"go 1."));
            let page = client.ask("trace 1 page").unwrap();
            assert!(page.starts_with("<!doctype html>") && page.ends_with("}</script>\n"), "a whole page");
            let why = "error trace knows the formats go and page, not \"svg\"\n";
            assert_eq!(client.ask("trace 1 svg").unwrap_err(), why);
            let why = "error trace wants a number of seconds from 1 to 60\n";
            assert_eq!(client.ask("trace 0").unwrap_err(), why);
        } else {
            assert_eq!(client.ask("trace 1").unwrap_err(), "error this program was built without a tracer\n");
        }
        assert_eq!(client.ask("stack x").unwrap_err(), "error stack wants a number, not \"x\"\n");
        assert_eq!(client.ask("colour").unwrap_err(), "error nothing is known of \"colour\"\n");
    });
}

#[test]
fn a_busy_program_answers_several_and_whoever_does_not_read_holds_up_nobody() {
    let main = |done: &AtomicBool| {
        let stop = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..4)
            .map(|_| {
                let stop = stop.clone();
                gmp::go(move || {
                    while !stop.load(Relaxed) {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        let many: Vec<_> = (0..2_000).map(|_| gmp::go(|| gmp::sleep(Duration::from_millis(1)))).collect();
        many.into_iter().for_each(|one| one.join().unwrap());
        sleeps_until(done);
        stop.store(true, Relaxed);
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
    };
    beside("busy", gmp::Builder::new().procs(2), main, |path| {
        // This one asks and never reads.
        let mut silent = Client::connect(path);
        (0..200).for_each(|_| _ = silent.0.get_mut().write_all(b"look 5000\n"));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut client = Client::connect(path);
                    for _ in 0..20 {
                        assert!(client.ask("look 100").unwrap().contains("\"running\""));
                    }
                });
            }
        });
        // Too many at once are told so.
        let mut all: Vec<_> = (0..12).map(|_| Client::connect(path)).collect();
        let refused = all.iter_mut().map(|client| {
            let _ = client.0.get_mut().write_all(b"look 1\n");
            let mut head = String::new();
            client.0.read_line(&mut head).is_ok() && head == "error too many ask at once\n"
        });
        assert!(refused.filter(|refused| *refused).count() >= 4);
    });
}

#[test]
fn the_socket_of_one_that_is_gone_is_replaced_and_that_of_another_is_not() {
    let path = socket("twice");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let inner = path.clone();
    let run = gmp::Builder::new().inspect(&path).build().unwrap().run(move || {
        let second = thread::spawn(move || {
            gmp::Builder::new().inspect(inner).build().unwrap().run(|| ()).unwrap_err()
        });
        gmp::blocking(|| second.join().unwrap().to_string())
    });
    let error = run.unwrap().value;
    assert!(error.contains("Builder::inspect") && error.contains("gmp-inspect-"), "{error}");
    let file = std::env::temp_dir().join(format!("gmp-no-socket-{}", std::process::id()));
    std::fs::write(&file, "keep").unwrap();
    assert!(gmp::Builder::new().inspect(&file).build().unwrap().run(|| ()).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "keep");
    std::fs::remove_file(file).unwrap();
}
