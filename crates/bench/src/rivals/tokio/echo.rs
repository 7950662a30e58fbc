//! `tcp_echo`: a task for each side of each connection.

use super::runtime::enter;
use crate::cell::{Cell, Figures, Result};
use crate::echo::{self, SIZE, since};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::spawn;

pub(super) fn tcp_echo(cell: &Cell, runtime: &Runtime, connections: u64) -> Result<Figures> {
    echo::measure(cell, connections, |each| Ok(enter(runtime, all(connections, each))??))
}

async fn all(connections: u64, each: u64) -> io::Result<Vec<f64>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let clients: Vec<_> = (0..connections).map(|_| spawn(client(address, each))).collect();
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        spawn(serve(stream));
    }
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await??);
    }
    Ok(latencies)
}

async fn client(address: SocketAddr, messages: u64) -> io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut message, mut latencies) = ([7; SIZE], Vec::new());
    for _ in 0..messages {
        let sent = Instant::now();
        stream.write_all(&message).await?;
        stream.read_exact(&mut message).await?;
        latencies.push(since(sent));
    }
    Ok(latencies)
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = [0; 4096];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            n => stream.write_all(&buf[..n]).await?,
        }
    }
}
