//! Sockets awaited by async code on goroutines: beside other futures, until a context is done, and dropped half way.

use gmp::context::{Context, ContextError};
use gmp::future::block_on_with;
use gmp::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

fn everywhere(main: fn()) {
    for procs in [1, 2] {
        gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap();
        gmp::Builder::new().procs(procs).one_thread_each().build().unwrap().run(main).unwrap();
    }
}

async fn both<A: Future, B: Future>(one: A, other: B) -> (A::Output, B::Output) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(move |context| {
        if first.is_none() {
            first = match one.as_mut().poll(context) {
                Poll::Ready(value) => Some(value),
                Poll::Pending => None,
            };
        }
        if second.is_none() {
            second = match other.as_mut().poll(context) {
                Poll::Ready(value) => Some(value),
                Poll::Pending => None,
            };
        }
        if first.is_none() || second.is_none() {
            return Poll::Pending;
        }
        Poll::Ready(first.take().zip(second.take()).unwrap())
    })
    .await
}

#[test]
fn a_server_and_its_client_in_one_goroutine() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = async {
            let stream = TcpStream::connect_async(address).await.unwrap();
            for round in 0..50_u8 {
                assert_eq!(stream.write_async(&[round]).await.unwrap(), 1);
                let mut answer = [0; 2];
                assert_eq!(stream.read_async(&mut answer).await.unwrap(), 1);
                assert_eq!(answer[0], round + 1);
            }
        };
        let server = async {
            let (stream, _) = listener.accept_async().await.unwrap();
            let mut request = [0; 8];
            while let n @ 1.. = stream.read_async(&mut request).await.unwrap() {
                request[..n].iter_mut().for_each(|byte| *byte += 1);
                stream.write_async(&request[..n]).await.unwrap();
            }
        };
        gmp::block_on(both(client, server));
    });
}

#[test]
fn local_and_datagram_sockets_are_awaited() {
    everywhere(|| {
        let path = std::env::temp_dir().join(format!("gmp-awaited-{}-{:p}", std::process::id(), &0));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let connecting = gmp::go(move || UnixStream::connect(path));
        let (accepted, _) = gmp::block_on(listener.accept_async()).unwrap();
        (&accepted).write_all(b"hello").unwrap();
        let mut buf = [0; 9];
        let other = connecting.join().unwrap().unwrap();
        assert_eq!(gmp::block_on(other.read_async(&mut buf)).unwrap(), 5);

        let (one, two) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = one.local_addr().unwrap();
        gmp::block_on(both(async { one.recv_from_async(&mut buf).await.unwrap() }, async {
            gmp::time::sleep_async(Duration::from_millis(1)).await;
            two.send_to(b"datagram", to).unwrap();
        }));
    });
}

#[test]
fn a_context_ends_what_waits_for_a_socket() {
    everywhere(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (context, _cancel) = Context::background().with_timeout(Duration::from_millis(3));
        let accepted = block_on_with(&context, listener.accept_async());
        assert!(matches!(accepted, Err(ContextError::DeadlineExceeded)), "{accepted:?}");

        let (context, cancel) = Context::background().with_cancel();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let reader = gmp::go(move || {
            let ended = block_on_with(&context, stream.read_async(&mut [0; 8]));
            // The socket is as good as before.
            (ended.is_err(), (&stream).write_all(b"still here").is_ok())
        });
        gmp::sleep(Duration::from_millis(1));
        cancel.cancel();
        assert_eq!(reader.join().unwrap(), (true, true));
        let mut text = String::new();
        (&client).read_to_string(&mut text).unwrap();
        assert_eq!(text, "still here");
    });
}

#[test]
fn close_and_deadlines_wake_tasks() {
    everywhere(|| {
        let (one, other) = UnixStream::pair().unwrap();
        let one = Arc::new(one);
        let reader = Arc::clone(&one);
        let waiting = gmp::go(move || gmp::block_on(reader.read_async(&mut [0; 8])).map_err(|e| e.kind()));
        gmp::sleep(Duration::from_millis(1));
        one.set_read_deadline(Some(Instant::now()));
        assert_eq!(waiting.join().unwrap(), Err(ErrorKind::TimedOut));
        one.set_read_deadline(None);
        let reader = Arc::clone(&one);
        let waiting = gmp::go(move || gmp::block_on(reader.read_async(&mut [0; 8])).map_err(|e| e.kind()));
        gmp::sleep(Duration::from_millis(1));
        one.close().unwrap();
        assert_eq!(waiting.join().unwrap(), Err(ErrorKind::NotConnected));
        drop(other);
    });
}

/// A task that nobody polls any more does not keep others from using the socket.
#[test]
fn a_dropped_wait_leaves_nothing_behind() {
    everywhere(|| {
        let (one, other) = UnixStream::pair().unwrap();
        for _ in 0..1000 {
            let mut buf = [0; 8];
            let mut read = pin!(one.read_async(&mut buf));
            let mut context = std::task::Context::from_waker(Waker::noop());
            assert!(read.as_mut().poll(&mut context).is_pending());
            assert!(read.as_mut().poll(&mut context).is_pending());
        }
        let reader = gmp::go(move || (&one).read(&mut [0; 8]));
        gmp::yield_now();
        (&other).write_all(b"six...").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 6);
    });
}

#[test]
fn outside_a_goroutine_a_poll_says_so() {
    let (one, _other) = UnixStream::pair().unwrap();
    let error = gmp::block_on(one.read_async(&mut [0; 8])).unwrap_err();
    assert!(error.to_string().contains("outside a goroutine"), "{error}");
}

/// Several tasks wait at one side, and some are dropped at every moment: each byte reaches one of them.
#[test]
fn tasks_that_come_and_go_lose_no_byte() {
    everywhere(|| {
        let (one, other) = UnixStream::pair().unwrap();
        let one = Arc::new(one);
        let readers: Vec<_> = (0..3)
            .map(|who| {
                let stream = Arc::clone(&one);
                gmp::go(move || {
                    let mut got = 0;
                    for round in 0.. {
                        let mut buf = [0; 3];
                        let (context, _cancel) = Context::background()
                            .with_timeout(Duration::from_micros(100 * (1 + (round + who) % 3)));
                        match block_on_with(&context, stream.read_async(&mut buf)) {
                            Ok(Ok(0)) => break,
                            Ok(read) => got += read.unwrap(),
                            Err(_) => {}
                        }
                    }
                    got
                })
            })
            .collect();
        for _ in 0..200 {
            (&other).write_all(b"five!").unwrap();
            gmp::yield_now();
        }
        drop(other);
        assert_eq!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>(), 1000);
    });
}

/// The goroutines behind tasks that one look wakes are queued together, as those are that wait for a socket themselves.
#[test]
fn tasks_run_in_the_order_of_their_news() {
    const READERS: usize = 40;
    let order = || {
        let (send, heard) = gmp::chan(READERS);
        let mut writers = Vec::new();
        for n in 0..READERS {
            let (writer, reader) = UnixStream::pair().unwrap();
            writers.push(writer);
            let send = send.clone();
            gmp::go(move || {
                let read = if n.is_multiple_of(3) {
                    (&reader).read(&mut [0])
                } else {
                    gmp::block_on(reader.read_async(&mut [0]))
                };
                send.send((n, read.unwrap())).unwrap();
            });
        }
        while gmp::stats().waiting < READERS {
            gmp::yield_now();
        }
        // Meanwhile the runtime hears that all of them can be written to. Else it would hear of both at once, in the order
        // in which it began to ask.
        gmp::sleep(Duration::from_millis(5));
        writers.iter_mut().for_each(|writer| writer.write_all(b"x").unwrap());
        (0..READERS).map(|_| heard.recv().unwrap()).collect::<Vec<_>>()
    };
    // Where the machine has much to do, sysmon may hear of the first ones before the others are written to.
    let tries =
        std::iter::repeat_with(|| gmp::Builder::new().procs(1).build().unwrap().run(order).unwrap().value);
    let in_order: Vec<_> = (0..READERS).map(|n| (n, 1)).collect();
    let others: Vec<_> = tries.take(20).take_while(|heard| *heard != in_order).collect();
    assert!(others.len() < 20, "{others:?}");
}
