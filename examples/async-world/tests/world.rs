//! The servers, with clients that know nothing of gmp, and with hyper's own client on goroutines.

use async_world::{for_each_connection, http, https};
use bytes::Bytes;
use gmp::net::{TcpListener, TcpStream};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Runs a server on `procs` Ps, and `client` in the same runtime.
fn with_server(procs: usize, talk: fn(TcpStream), client: fn(SocketAddr)) {
    gmp::Builder::new()
        .procs(procs)
        .build()
        .unwrap()
        .run(move || {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            let address = listener.local_addr().unwrap();
            let server = gmp::go({
                let listener = Arc::clone(&listener);
                move || for_each_connection(&listener, talk)
            });
            client(address);
            listener.close().unwrap();
            server.join().unwrap().unwrap();
        })
        .unwrap();
}

fn request(method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(format!("http://localhost{path}"));
    request.header("host", "localhost").body(Full::from(body.to_owned())).unwrap()
}

#[test]
fn hyper_serves_a_plain_client() {
    for procs in [1, 2] {
        with_server(procs, http::talk, |address| {
            let text = gmp::blocking(|| {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            });
            assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("hello"), "{text}");
            assert!(text.contains("404 Not Found"), "{text}");
        });
    }
}

#[test]
fn hypers_client_and_server_on_goroutines() {
    for procs in [1, 2] {
        with_server(procs, http::talk, |address| {
            let clients: Vec<_> = (0..20)
                .map(|n| {
                    gmp::go(move || {
                        let stream = TcpStream::connect(address).unwrap();
                        let (mut sender, connection) =
                            gmp::block_on(hyper::client::conn::http1::handshake(stream)).unwrap();
                        let connection = gmp::go(move || gmp::block_on(connection));
                        for round in 0..20 {
                            let text = format!("{n} in round {round}");
                            let body = gmp::block_on(async {
                                sender.ready().await?;
                                let answer =
                                    sender.send_request(request(Method::POST, "/echo", &text)).await?;
                                answer.into_body().collect().await
                            });
                            assert_eq!(body.unwrap().to_bytes(), text);
                        }
                        let sum = gmp::block_on(async {
                            sender.ready().await?;
                            sender
                                .send_request(request(Method::GET, "/sum", ""))
                                .await?
                                .into_body()
                                .collect()
                                .await
                        });
                        assert_eq!(sum.unwrap().to_bytes(), "5050");
                        drop(sender);
                        connection.join().unwrap().unwrap();
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
    }
}

#[test]
fn http2_has_a_goroutine_for_each_request() {
    for procs in [1, 2] {
        with_server(procs, http::talk_http2, |address| {
            let stream = TcpStream::connect(address).unwrap();
            let handshake = hyper::client::conn::http2::handshake(gmp::hyper::Executor, stream);
            let (sender, connection) = gmp::block_on(handshake).unwrap();
            gmp::go(move || gmp::block_on(connection));
            let requests: Vec<_> = (0..50)
                .map(|n| {
                    let mut sender = sender.clone();
                    gmp::go(move || {
                        let text = format!("stream {n}").repeat(1000);
                        let body = gmp::block_on(async {
                            sender.ready().await?;
                            let answer = sender.send_request(request(Method::POST, "/echo", &text)).await?;
                            answer.into_body().collect().await
                        });
                        body.unwrap().to_bytes() == text
                    })
                })
                .collect();
            assert!(requests.into_iter().all(|request| request.join().unwrap()));
        });
    }
}

/// A real client of HTTP/2, where it is installed (Debian: `nghttp2-client`).
#[test]
fn h2load_ends_without_an_error() {
    with_server(2, http::talk_http2, |address| {
        let url = format!("http://{address}/");
        let mut h2load = gmp::process::Command::new("h2load");
        let Ok(output) = h2load.args(["-n", "5000", "-c", "20", "-m", "10", &url]).output() else {
            println!("skipped: there is no h2load here");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("5000 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    });
}

#[test]
fn rustls_over_blocking_streams() {
    gmp::run(|| {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, private) = (key.cert.der().clone(), key.signing_key.serialize_der());
        let private = rustls::pki_types::PrivateKeyDer::Pkcs8(private.into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let server = Arc::new(server.with_single_cert(vec![certificate.clone()], private).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        gmp::go(move || {
            for stream in listener.incoming() {
                let (stream, server) = (stream.unwrap(), Arc::clone(&server));
                gmp::go(move || https::talk(stream, server));
            }
        });
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(provider);
        let client = client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let client = Arc::new(client.with_no_client_auth());
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let client = Arc::clone(&client);
                gmp::go(move || {
                    let name = "localhost".try_into().unwrap();
                    let connection = rustls::ClientConnection::new(client, name).unwrap();
                    let mut tls = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
                    tls.write_all(b"GET /secret HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
                    let mut text = String::new();
                    tls.read_to_string(&mut text).unwrap();
                    assert!(text.ends_with("you said \"GET /secret HTTP/1.1\" over TLS\n"), "{text}");
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

#[test]
fn tokios_and_futures_traits() {
    for procs in [1, 2] {
        gmp::Builder::new()
            .procs(procs)
            .build()
            .unwrap()
            .run(|| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let mut one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let (mut other, _) = listener.accept().unwrap();
                let text = "over and over ".repeat(100_000);
                let sent = text.clone();
                let writer = gmp::go(move || {
                    gmp::block_on(async {
                        // By its path: the stream has std's methods of these names, too.
                        tokio::io::AsyncWriteExt::write_all(&mut one, sent.as_bytes()).await?;
                        tokio::io::AsyncWriteExt::shutdown(&mut one).await
                    })
                });
                let got = gmp::block_on(async {
                    let mut got = String::new();
                    futures_util::AsyncReadExt::read_to_string(&mut other, &mut got).await.map(|_| got)
                });
                assert!(got.unwrap() == text);
                writer.join().unwrap().unwrap();
            })
            .unwrap();
    }
}

/// A library that needs tokio's reactor: tokio runs beside, on threads of its own, and the goroutine waits for it.
#[test]
fn a_reactor_beside() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let handle = tokio.handle().clone();
    gmp::Builder::new()
        .procs(1)
        .build()
        .unwrap()
        .run(move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            gmp::go(move || for_each_connection(&listener, http::talk));
            let clients: Vec<_> = (0..10)
                .map(|_| {
                    let handle = handle.clone();
                    gmp::go(move || {
                        let _entered = handle.enter();
                        gmp::block_on(async {
                            use tokio::io::{AsyncReadExt, AsyncWriteExt};
                            tokio::time::sleep(Duration::from_millis(1)).await;
                            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
                            let mut text = String::new();
                            stream.read_to_string(&mut text).await.unwrap();
                            assert!(text.ends_with("hello"), "{text}");
                        });
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
        })
        .unwrap();
}
