//! hyper on tokio: `hello` to whoever asks, on a port of the system's choice, which it prints.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;

fn main() -> io::Result<()> {
    servers::tokio_runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("listening at {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(servers::hello)).await
            });
        }
    })
}
