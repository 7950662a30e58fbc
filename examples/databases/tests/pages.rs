//! reqwest awaited from a hundred goroutines, at a server of goroutines.

use databases::http;
use gmp::net::{TcpListener, TcpStream};
use std::io::{self, BufRead, BufReader, Write};

/// Answers each request of a connection with its path.
fn talk(stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next() {
        let path = first?.split(' ').nth(1).unwrap_or_default().to_owned();
        // The head ends with an empty line.
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        gmp::sleep(std::time::Duration::from_millis(1));
        let status = if path.starts_with("/page") { "200 OK" } else { "404 Not Found" };
        write!({ stream }, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{path}", path.len())?;
    }
    Ok(())
}

#[test]
fn a_hundred_goroutines_await_reqwest() {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for procs in [1, 2] {
        let handle = tokio.handle().clone();
        let main = move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            gmp::go(move || {
                for stream in listener.incoming() {
                    let stream = stream.unwrap();
                    gmp::go(move || talk(&stream));
                }
            });
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let readers: Vec<_> = (0..100)
                .map(|n| {
                    let (handle, client) = (handle.clone(), client.clone());
                    gmp::go(move || {
                        for page in 0..5 {
                            let url = format!("http://{address}/page/{n}/{page}");
                            assert_eq!(
                                http::get(&handle, &client, &url).unwrap(),
                                format!("/page/{n}/{page}")
                            );
                        }
                    })
                })
                .collect();
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            let nothing = http::get(&handle, &client, &format!("http://{address}/nowhere")).unwrap_err();
            assert_eq!(nothing.status().unwrap(), 404);
        };
        gmp::Builder::new().procs(procs).build().unwrap().run(main).unwrap();
    }
}
