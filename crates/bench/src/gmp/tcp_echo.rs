//! `tcp_echo`: a goroutine for each side of each connection.

use crate::cell::{Cell, Figures, Result};
use crate::echo::{self, SIZE, since};
use gmp::net::{TcpListener, TcpStream};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

pub(super) fn main(cell: &Cell, connections: u64) -> Result<Figures> {
    echo::measure(cell, connections, |each| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let clients: Vec<_> = (0..connections).map(|_| gmp::go(move || client(address, each))).collect();
        for _ in 0..connections {
            let (stream, _) = listener.accept()?;
            gmp::go(move || serve(stream));
        }
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.join()??);
        }
        Ok(latencies)
    })
}

fn client(address: SocketAddr, messages: u64) -> io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut message = [7; SIZE];
    let send = |_| {
        let sent = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        Ok(since(sent))
    };
    (0..messages).map(send).collect()
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf)? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n])?,
        }
    }
}
