//! TLS by rustls over a plain blocking stream: nothing of it is async.

use gmp::net::TcpStream;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Write};
use std::sync::Arc;

/// One HTTP request of a client, answered.
pub fn talk(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = BufReader::new(StreamOwned::new(connection, stream));
    let mut request = String::new();
    // The head ends with an empty line.
    while tls.read_line(&mut request)? > 2 {}
    let first = request.lines().next().unwrap_or_default();
    let answer = format!("you said {first:?} over TLS\n");
    let tls = tls.get_mut();
    write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len())?;
    tls.conn.send_close_notify();
    tls.flush()
}
