//! PostgreSQL by tokio-postgres, without tokio's reactor: the connection is a future over a socket of gmp's, which a
//! goroutine of its own awaits, and so does each goroutine that asks with its question.

use gmp::net::TcpStream;
use std::error::Error;
use std::net::SocketAddr;
use tokio_postgres::{Client, Config, NoTls};

/// Connects. The connection's goroutine ends with the client.
pub fn connect(address: SocketAddr, config: &Config) -> Result<Client, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (client, connection) = gmp::block_on(config.connect_raw(stream, NoTls))?;
    gmp::go(move || gmp::block_on(connection));
    Ok(client)
}
