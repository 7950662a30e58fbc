//! Sockets under goroutines, in the modes and with the numbers of Ps that differ.

use gmp::net::*;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Runs `main` under each configuration of a runtime.
fn everywhere(main: fn()) {
    for (procs, shards) in [(1, 1), (2, 2), (4, 3)] {
        for make in ["own", "shared", "pinned", "threads"] {
            let builder = gmp::Builder::new().procs(procs).poller_shards(shards);
            let builder = builder.at_main_return(gmp::AtMainReturn::Wait);
            let builder = match make {
                "own" => builder.own_thread_locals(),
                // SAFETY: nothing in here keeps a thread-local over a call.
                "shared" => unsafe { builder.share_thread_locals() },
                // SAFETY: as above.
                "pinned" => unsafe { builder.pinned() },
                _ => builder.one_thread_each(),
            };
            if let Err(error) = builder.build().unwrap().run(main) {
                panic!("{make}, {procs} Ps: {error}");
            }
        }
    }
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn what_is_sent_comes_back() {
    everywhere(|| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = gmp::go(move || {
            for _ in 0..20 {
                let (stream, _) = listener.accept().unwrap();
                gmp::go(move || {
                    let mut buf = [0; 64];
                    loop {
                        match (&stream).read(&mut buf).unwrap() {
                            0 => break,
                            n => (&stream).write_all(&buf[..n]).unwrap(),
                        }
                    }
                });
            }
        });
        let clients: Vec<_> = (0..20_u8)
            .map(|n| {
                gmp::go(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    stream.set_nodelay(true).unwrap();
                    for round in 0..50_u8 {
                        let sent = [n, round, 3, 4, 5];
                        stream.write_all(&sent).unwrap();
                        let mut got = [0; 5];
                        stream.read_exact(&mut got).unwrap();
                        assert_eq!(got, sent);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        server.join().unwrap();
    });
}

#[test]
fn readers_hear_of_deadlines_that_move() {
    everywhere(|| {
        let (client, server) = pair();
        let client = Arc::new(client);
        let begun = Instant::now();
        client.set_read_deadline(Some(begun + Duration::from_secs(600)));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let client = Arc::clone(&client);
                gmp::go(move || (&*client).read(&mut [0; 8]).map_err(|error| error.kind()))
            })
            .collect();
        gmp::sleep(Duration::from_millis(2));
        // The deadline is set to an earlier moment from another goroutine, while they wait.
        client.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)));
        for reader in readers {
            assert_eq!(reader.join().unwrap(), Err(ErrorKind::TimedOut));
        }
        assert!(begun.elapsed() < Duration::from_secs(600));
        // The deadline is past, so nothing is read though there is something.
        (&server).write_all(b"x").unwrap();
        assert_eq!((&*client).read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        client.set_read_deadline(None);
        assert_eq!((&*client).read(&mut [0; 8]).unwrap(), 1);
        // A time-out counts for each call by itself.
        client.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        for _ in 0..3 {
            assert_eq!((&*client).read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert_eq!(
            client.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn a_close_wakes_all_and_ends_all() {
    everywhere(|| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let (client, mut server) = pair();
        let client = Arc::new(client);
        let plain = std::thread::spawn({
            let client = Arc::clone(&client);
            move || (&*client).read(&mut [0]).unwrap_err().kind()
        });
        let waiters: Vec<_> = (0..3)
            .flat_map(|_| {
                let (listener, client) = (Arc::clone(&listener), Arc::clone(&client));
                [
                    gmp::go(move || listener.accept().unwrap_err().kind()),
                    gmp::go(move || (&*client).read(&mut [0]).unwrap_err().kind()),
                ]
            })
            .collect();
        gmp::sleep(Duration::from_millis(3));
        listener.close().unwrap();
        client.close().unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), ErrorKind::NotConnected);
        }
        assert_eq!(gmp::blocking(|| plain.join()).unwrap(), ErrorKind::NotConnected);
        // Closed means closed: the other side sees it, nobody listens, and the number is still ours.
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(listener.close().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!((&*client).write(b"x").unwrap_err().kind(), ErrorKind::NotConnected);
        let same = std::os::fd::AsRawFd::as_raw_fd(&*client);
        assert_ne!(std::os::fd::AsRawFd::as_raw_fd(&pair().0), same);
    });
}

#[test]
fn a_shutdown_by_another_goroutine_wakes_readers_and_writers() {
    everywhere(|| {
        let (client, server) = pair();
        let client = Arc::new(client);
        let reader = gmp::go({
            let client = Arc::clone(&client);
            move || (&*client).read(&mut [0]).unwrap()
        });
        let writer = gmp::go({
            let client = Arc::clone(&client);
            move || loop {
                if let Err(error) = (&*client).write(&[0; 1 << 16]) {
                    return error.kind();
                }
            }
        });
        gmp::sleep(Duration::from_millis(3));
        client.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        let end = writer.join().unwrap();
        assert!(matches!(end, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{end:?}");
        drop(server);
    });
}

/// Descriptors are closed and their numbers used again at once, by many goroutines: nobody is woken for another one's
/// event, and nobody sleeps through their own.
#[test]
fn numbers_are_used_again_at_once() {
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    everywhere(|| {
        ROUNDS.store(0, SeqCst);
        let hands: Vec<_> = (0..8_u8)
            .map(|hand| {
                gmp::go(move || {
                    for round in 0..40_u8 {
                        let (here, there) = UnixStream::pair().unwrap();
                        let reader = gmp::go(move || {
                            let mut got = [0; 2];
                            (&here).read_exact(&mut got).map(|()| got).map_err(|error| error.kind())
                        });
                        match round % 4 {
                            // It is dropped with its reader asleep, or on the way there.
                            0 => drop(there),
                            1 => {
                                gmp::yield_now();
                                drop(there);
                            }
                            _ => {
                                (&there).write_all(&[hand]).unwrap();
                                gmp::yield_now();
                                (&there).write_all(&[round]).unwrap();
                            }
                        }
                        let got = reader.join().unwrap();
                        let meant =
                            if round % 4 < 2 { Err(ErrorKind::UnexpectedEof) } else { Ok([hand, round]) };
                        assert_eq!(got, meant);
                        ROUNDS.fetch_add(1, SeqCst);
                    }
                })
            })
            .collect();
        hands.into_iter().for_each(|hand| hand.join().unwrap());
        assert_eq!(ROUNDS.load(SeqCst), 8 * 40);
    });
}

#[test]
fn closes_race_with_reads() {
    everywhere(|| {
        for _ in 0..60 {
            let (here, there) = UnixStream::pair().unwrap();
            let here = Arc::new(here);
            let users: Vec<_> = (0..3)
                .map(|n| {
                    let here = Arc::clone(&here);
                    gmp::go(move || {
                        if n == 0 {
                            here.set_deadline(Some(Instant::now() + Duration::from_secs(600)));
                        }
                        (&*here).read(&mut [0]).map_err(|error| error.kind())
                    })
                })
                .collect();
            let closer = gmp::go({
                let here = Arc::clone(&here);
                move || here.close().unwrap()
            });
            _ = (&there).write(b"x");
            closer.join().unwrap();
            let got: Vec<_> = users.into_iter().map(|user| user.join().unwrap()).collect();
            assert!(got.iter().all(|got| matches!(got, Ok(1) | Err(ErrorKind::NotConnected))), "{got:?}");
        }
    });
}

/// What goes wrong on the other side, or here.
#[test]
fn resets_refusals_and_half_open_peers_are_told() {
    everywhere(|| {
        let (client, server) = pair();
        // A reset: what was sent is not read by a side that closes.
        (&client).write_all(b"unread").unwrap();
        gmp::sleep(Duration::from_millis(1));
        drop(server);
        let told = (&client).read(&mut [0]).map_err(|error| error.kind());
        assert!(matches!(told, Err(ErrorKind::ConnectionReset) | Ok(0)), "{told:?}");
        // A half-open peer: it has ended its side, and still reads.
        let (client, server) = pair();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&server).read(&mut [0]).unwrap(), 0);
        (&server).write_all(b"still").unwrap();
        let mut got = [0; 5];
        (&client).read_exact(&mut got).unwrap();
        assert_eq!(&got, b"still");
        // Nobody listens.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            TcpStream::connect_timeout(&address, Duration::from_secs(5)).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        // A peer that does not read: a write ends in its time.
        let (client, server) = pair();
        client.set_write_timeout(Some(Duration::from_millis(5))).unwrap();
        let full = loop {
            if let Err(error) = (&client).write(&[0; 1 << 16]) {
                break error.kind();
            }
        };
        assert_eq!(full, ErrorKind::TimedOut);
        drop(server);
    });
}

#[test]
fn std_sockets_come_and_go() {
    everywhere(|| {
        let (client, server) = pair();
        let twin = client.try_clone().unwrap();
        drop(client);
        (&server).write_all(b"ab").unwrap();
        let mut got = [0; 1];
        assert_eq!(twin.peek(&mut got).unwrap(), 1);
        (&twin).read_exact(&mut got).unwrap();
        let mut std = twin.into_std().unwrap();
        gmp::blocking(|| std.read_exact(&mut got)).unwrap();
        assert_eq!(&got, b"b");
        let again = TcpStream::from_std(std).unwrap();
        let reader = gmp::go(move || (&again).read(&mut [0; 4]).unwrap());
        gmp::sleep(Duration::from_millis(1));
        let sent = (&server).write_vectored(&[io::IoSlice::new(b"cd"), io::IoSlice::new(b"e")]);
        assert_eq!(sent.unwrap(), 3);
        assert_eq!(reader.join().unwrap(), 3);
        server.set_nonblocking(true).unwrap();
        assert_eq!((&server).read(&mut [0; 8]).map_err(|error| error.kind()), Ok(0));
    });
}

#[test]
fn datagrams_come_whole() {
    everywhere(|| {
        let (one, other) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = other.local_addr().unwrap();
        let echo = gmp::go(move || {
            for _ in 0..20 {
                let mut buf = [0; 100];
                let (n, from) = other.recv_from(&mut buf).unwrap();
                other.send_to(&buf[..n], from).unwrap();
            }
        });
        one.connect(to).unwrap();
        for n in 1..=20 {
            one.send(&vec![7; n]).unwrap();
            assert_eq!(one.recv(&mut [0; 100]).unwrap(), n);
        }
        echo.join().unwrap();
        one.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        assert_eq!(one.recv(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        let (one, other) = UnixDatagram::pair().unwrap();
        let reader = gmp::go(move || other.recv(&mut [0; 9]).unwrap());
        one.send(b"whole").unwrap();
        assert_eq!(reader.join().unwrap(), 5);
    });
}
