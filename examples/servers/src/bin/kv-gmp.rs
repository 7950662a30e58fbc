//! The example `kv_server` on a port of the system's choice, which it prints.

use std::io;

#[path = "../../../../crates/gmp/examples/kv_server.rs"]
#[allow(dead_code, reason = "the example's own main is not called")]
mod kv_server;

fn main() -> io::Result<()> {
    let serve = || {
        let listener = gmp::net::TcpListener::bind("127.0.0.1:0")?;
        println!("listening at {}", listener.local_addr()?);
        kv_server::serve(&listener)
    };
    servers::runtime().run(serve).map_err(io::Error::other)?.value
}
