//! hyper on goroutines: `hello` to whoever asks, on a port of the system's choice, which it prints.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::io;

fn main() -> io::Result<()> {
    let serve = || -> io::Result<()> {
        let listener = gmp::net::TcpListener::bind("127.0.0.1:0")?;
        println!("listening at {}", listener.local_addr()?);
        for stream in listener.incoming() {
            let stream = stream?;
            gmp::go(move || {
                let _ = stream.set_nodelay(true);
                gmp::block_on(http1::Builder::new().serve_connection(stream, service_fn(servers::hello)))
            });
        }
        Ok(())
    };
    servers::runtime().run(serve).map_err(io::Error::other)?.value
}
