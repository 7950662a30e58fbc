//! Ten thousand descriptors: first silent, then written to, used again at once, connected at once; and what a silent server
//! costs.
//! Each test runs in a process of its own, whose limit of open files is raised.

use gmp::net::{TcpListener, TcpStream, UnixStream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Runs a test of this file in a child, or is that child. `false`: the child has run.
fn in_child(name: &str) -> bool {
    if std::env::var("GMP_MANY").is_ok_and(|child| child == name) {
        return true;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env("GMP_MANY", name).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    false
}

/// As many descriptors as can be had, up to `most`.
fn descriptors(most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum.or(Some(1 << 20)), maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).unwrap();
    let have = getrlimit(Resource::Nofile).current.unwrap_or(1 << 20) as usize;
    most.min(have.saturating_sub(100))
}

fn runtime() -> gmp::Runtime {
    gmp::Builder::new().procs(2).build().unwrap()
}

/// Where descriptors are spread over more pollers than there are Ps.
fn with_shards() -> gmp::Runtime {
    gmp::Builder::new().procs(2).poller_shards(3).build().unwrap()
}

#[test]
fn ten_thousand_descriptors_wait_and_each_is_heard() {
    if !in_child("ten_thousand_descriptors_wait_and_each_is_heard") {
        return;
    }
    let pairs = descriptors(10_000) / 2;
    with_shards()
        .run(move || {
            let heard = Arc::new(AtomicUsize::new(0));
            let (waiting, others): (Vec<_>, Vec<_>) = (0..pairs)
                .map(|n| {
                    let (one, other) = UnixStream::pair().unwrap();
                    let heard = Arc::clone(&heard);
                    let reader = gmp::go(move || {
                        let mut number = [0; 8];
                        (&one).read_exact(&mut number).unwrap();
                        heard.fetch_add(1, SeqCst);
                        usize::from_le_bytes(number) == n
                    });
                    (reader, other)
                })
                .unzip();
            assert_eq!(heard.load(SeqCst), 0);
            // They are taken in another order than they were made in.
            for n in (0..pairs).rev() {
                (&others[n]).write_all(&n.to_le_bytes()).unwrap();
            }
            assert!(waiting.into_iter().all(|reader| reader.join().unwrap()), "each gets its own message");
            assert_eq!(heard.load(SeqCst), pairs);
        })
        .unwrap();
}

/// Those who wait are closed, shut down, timed out or written to, all at once, and the next sockets get their numbers
/// at once.
#[test]
fn ten_thousand_descriptors_are_used_again_at_once() {
    if !in_child("ten_thousand_descriptors_are_used_again_at_once") {
        return;
    }
    let pairs = descriptors(2_000) / 2;
    with_shards()
        .run(move || {
            for round in 0..10 {
                let enders: Vec<_> = (0..pairs)
                    .map(|n| {
                        let (one, other) = UnixStream::pair().unwrap();
                        let one = Arc::new(one);
                        let reading = Arc::clone(&one);
                        let reader =
                            gmp::go(move || (&*reading).read(&mut [0; 8]).map_err(|error| error.kind()));
                        gmp::go(move || {
                            if n % 8 < 4 {
                                gmp::yield_now();
                            }
                            let expected = match (n + round) % 4 {
                                0 => {
                                    one.close().unwrap();
                                    Err(ErrorKind::NotConnected)
                                }
                                1 => {
                                    one.set_read_deadline(Some(Instant::now()));
                                    Err(ErrorKind::TimedOut)
                                }
                                2 => {
                                    (&other).write_all(b"four").unwrap();
                                    Ok(4)
                                }
                                _ => {
                                    drop(other);
                                    Ok(0)
                                }
                            };
                            assert_eq!(reader.join().unwrap(), expected, "descriptor {n} in round {round}");
                        })
                    })
                    .collect();
                enders.into_iter().for_each(|ender| ender.join().unwrap());
            }
            // No descriptor is left open.
            let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
            assert!(open < 50, "{open} descriptors are open");
        })
        .unwrap();
}

/// A poll every 10 ms would be 100 switches of threads in a second, and each of several threads would do so.
const FEW: u64 = 50;

/// A thousand silent connections: no thread of the process runs, so none is switched to.
#[test]
fn a_silent_server_does_nothing() {
    if !in_child("a_silent_server_does_nothing") {
        return;
    }
    let connections = descriptors(2_000) / 2;
    runtime()
        .run(move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = gmp::go(move || {
                for stream in listener.incoming().take(connections) {
                    let stream = stream.unwrap();
                    gmp::go(move || (&stream).read(&mut [0]));
                }
            });
            let clients: Vec<_> = (0..connections).map(|_| TcpStream::connect(address).unwrap()).collect();
            server.join().unwrap();
            // Where the machine has much to do, it takes seconds until the last reader waits.
            let in_a_second: Vec<_> = std::iter::repeat_with(|| {
                let before = switches();
                gmp::sleep(Duration::from_secs(1));
                switches() - before
            })
            .take(30)
            .take_while(|switched| *switched >= FEW)
            .collect();
            assert!(
                in_a_second.len() < 30,
                "{in_a_second:?} switches of threads in a second of silence each"
            );
            drop(clients);
        })
        .unwrap();
}

/// How many threads two Ps come to have, of which one computes and the other has its M sent from the poller to each of many
/// goroutines, and how many they had when there was nothing but one who waits there.
fn threads_of_a_server() -> (usize, usize) {
    let one_p_is_idle = || {
        while gmp::stats().idle_procs == 0 {
            std::hint::spin_loop();
        }
        // It has given its P up, and is on its way to the poller.
        (0..10_000).for_each(|_| std::hint::spin_loop());
    };
    let counts = move || {
        let (writer, reader) = UnixStream::pair().unwrap();
        let reader = gmp::go(move || (&reader).read(&mut [0]));
        while gmp::stats().waiting == 0 {
            std::hint::spin_loop();
        }
        one_p_is_idle();
        let before = gmp::stats().threads;
        for _ in 0..100 {
            let has_run = Arc::new(AtomicUsize::new(0));
            gmp::go({
                let has_run = Arc::clone(&has_run);
                move || has_run.store(1, SeqCst)
            });
            while has_run.load(SeqCst) == 0 {
                std::hint::spin_loop();
            }
            one_p_is_idle();
        }
        let after = gmp::stats().threads;
        drop(writer);
        reader.join().unwrap().unwrap();
        (before, after)
    };
    runtime().run(counts).unwrap().value
}

/// With all Ps in use there is nobody for whom the M in the poller could wait, so it is the one that gets the last P: no
/// thread is made beside it. One that has given its P up, and is not there yet, is not found, so it is tried several times.
#[test]
fn the_last_p_goes_to_the_m_in_the_poller() {
    if in_child("the_last_p_goes_to_the_m_in_the_poller") {
        let tries = std::iter::repeat_with(threads_of_a_server).take(20);
        let in_vain: Vec<_> = tries.take_while(|(before, after)| before != after).collect();
        assert!(in_vain.len() < 20, "threads before and after: {in_vain:?}");
    }
}

/// Ten thousand clients connect at once, more than wait to be accepted: each is accepted in the end, and answered.
#[test]
fn ten_thousand_connect_at_once() {
    if !in_child("ten_thousand_connect_at_once") {
        return;
    }
    let clients = descriptors(20_100) / 2 - 50;
    runtime()
        .run(move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let clients: Vec<_> = (0..clients)
                .map(|n| {
                    gmp::go(move || {
                        let mut stream = TcpStream::connect(address)?;
                        stream.write_all(&n.to_le_bytes())?;
                        let mut answer = [0; 8];
                        stream.read_exact(&mut answer)?;
                        std::io::Result::Ok((usize::from_le_bytes(answer) == n + 1).then_some(stream))
                    })
                })
                .collect();
            let server = gmp::go({
                let many = clients.len();
                move || {
                    for _ in 0..many {
                        let (mut stream, _) = listener.accept().unwrap();
                        gmp::go(move || {
                            let mut number = [0; 8];
                            stream.read_exact(&mut number)?;
                            stream.write_all(&(usize::from_le_bytes(number) + 1).to_le_bytes())?;
                            // They all stay connected.
                            stream.read(&mut number)
                        });
                    }
                }
            });
            let streams: Vec<_> = clients.into_iter().map(|client| client.join().unwrap().unwrap()).collect();
            assert!(streams.iter().all(Option::is_some), "each gets its own answer");
            server.join().unwrap();
        })
        .unwrap();
}

/// Twenty thousand connections that say nothing, as many as may be open: what each costs the server, all told, and that a
/// message on each comes back. The clients are another process, without goroutines.
///
/// `cargo test --release -p gmp-net --test many -- --ignored --nocapture twenty`
#[test]
#[ignore = "takes twenty thousand descriptors in each of two processes, and some hundred megabytes"]
fn twenty_thousand_idle_connections() {
    if let Ok(server) = std::env::var("GMP_MANY") {
        return serve_idle_connections(&server);
    }
    // A stack of 1 MiB takes half a page of page tables, and one of 256 KiB an eighth. In the default mode 4.8 KiB are the
    // goroutine's own thread-locals. Frames of a debug build take a page more.
    for (server, most) in [("own", 11_900), ("own, small stacks", 10 << 10), ("shared", 7 << 10)] {
        let each = idle_connections(server);
        assert!(cfg!(debug_assertions) || each <= most, "{server}: {each} bytes each");
    }
}

fn idle_connections(server: &str) -> u64 {
    let connections = descriptors(20_050) - 50;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "twenty_thousand_idle_connections", "--ignored", "--nocapture"]);
    child.env("GMP_MANY", server).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = said.find_map(|line| line.rsplit_once("port ")?.1.parse::<u16>().ok()).unwrap();
    let before = memory_of(child.id());
    let mut streams: Vec<_> = (0..connections)
        // Several addresses: one has 28,000 ports to connect from.
        .map(|n| std::net::TcpStream::connect((Ipv4Addr::new(127, 0, 0, 1 + (n % 4) as u8), port)).unwrap())
        .collect();
    // A message to the last ones says that all are accepted and wait.
    for stream in streams.iter_mut().rev().take(100) {
        comes_back(stream);
    }
    std::thread::sleep(Duration::from_millis(500));
    let each = (memory_of(child.id()) - before) / connections as u64;
    println!(
        "{server}, {connections} idle connections: {each} bytes each, of which the kernel's sockets are no part"
    );
    streams.iter_mut().for_each(comes_back);
    drop(streams);
    child.kill().unwrap();
    child.wait().unwrap();
    each
}

fn comes_back(stream: &mut std::net::TcpStream) {
    stream.write_all(b"message").unwrap();
    let mut got = [0; 7];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"message");
}

fn serve_idle_connections(server: &str) {
    descriptors(usize::MAX);
    let serve = || {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        println!("port {}", listener.local_addr().unwrap().port());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            gmp::go(move || -> std::io::Result<()> {
                let mut buf = [0; 512];
                loop {
                    match stream.read(&mut buf)? {
                        0 => return Ok(()),
                        n => stream.write_all(&buf[..n])?,
                    }
                }
            });
        }
    };
    let builder = gmp::Builder::new().procs(2);
    let builder = match server {
        "own" => builder,
        "own, small stacks" => builder.stack_size(256 << 10),
        // SAFETY: the server keeps no thread-local over a call.
        _ => unsafe { builder.share_thread_locals() },
    };
    builder.build().unwrap().run(serve).unwrap();
}

/// The resident memory of a process and its page tables, in bytes.
fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    };
    of("VmRSS:") + of("VmPTE:")
}

/// How often the threads of this process have gone to sleep of their own accord.
fn switches() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    };
    tasks.filter_map(of).sum()
}
