//! Three programs to look at in a trace: `GMP_TRACE=FILE cargo run --example traced -- skynet` (or `server`, `blocking`),
//! then `go tool trace FILE`.

use std::io::{Read, Write};
use std::time::Duration;

fn skynet(level: u32) -> u64 {
    if level == 0 {
        return 1;
    }
    let (to, from) = gmp::chan(10);
    for _ in 0..10 {
        let to = to.clone();
        gmp::go(move || to.send(skynet(level - 1)));
    }
    drop(to);
    from.iter().sum()
}

fn echo(stream: &gmp::net::TcpStream) -> std::io::Result<()> {
    let (mut stream, mut bytes) = (stream, [0; 64]);
    loop {
        let length = stream.read(&mut bytes)?;
        let _region = gmp::trace::region("answer");
        stream.write_all(&bytes[..length])?;
        if length == 0 {
            return Ok(());
        }
    }
}

fn server() -> std::io::Result<usize> {
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let accept =
        move || listener.incoming().flatten().for_each(|stream| drop(gmp::go(move || echo(&stream))));
    gmp::spawn().name("listener").go(accept).expect("there is memory");
    let clients = [(); 10].map(|()| {
        gmp::go(move || -> std::io::Result<usize> {
            let mut stream = gmp::net::TcpStream::connect(address)?;
            (0..100).try_fold(0, |sum, _| {
                stream.write_all(b"hello")?;
                Ok(sum + stream.read(&mut [0; 64])?)
            })
        })
    });
    clients.into_iter().map(|client| client.join().expect("no client panics")).sum()
}

fn blocking() -> u32 {
    let sleep = |n| gmp::blocking(|| std::thread::sleep(Duration::from_millis(n)));
    let calls = [(); 8].map(|()| gmp::go(move || (0..5).for_each(sleep)));
    calls.into_iter().map(|call| call.join().map_or(0, |()| 1)).sum()
}

#[gmp::main]
pub(crate) fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("server") => println!("{:?} bytes came back", server()),
        Some("blocking") => println!("{} goroutines have slept", blocking()),
        _ => println!("{} goroutines at the leaves", skynet(4)),
    }
}
