//! HTTP by hyper: the connection is a future, which its goroutine awaits.

use bytes::Bytes;
use gmp::net::TcpStream;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use std::time::Duration;

/// HTTP/1.1 with one client.
pub fn talk(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    // A client that sends its headers too slowly is cut off.
    http.timer(gmp::hyper::Timer).header_read_timeout(Duration::from_secs(10));
    if let Err(error) = gmp::block_on(http.serve_connection(stream, service_fn(answer))) {
        eprintln!("a connection ended: {error}");
    }
}

/// HTTP/2: each request has a goroutine of its own.
pub fn talk_http2(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let http = hyper::server::conn::http2::Builder::new(gmp::hyper::Executor);
    if let Err(error) = gmp::block_on(http.serve_connection(stream, service_fn(answer))) {
        eprintln!("a connection ended: {error}");
    }
}

async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => Ok(Response::new(Full::from("hello"))),
        // The handler waits and holds nobody up: what it waits for is a goroutine.
        (&Method::GET, "/sum") => {
            let sum = gmp::go(|| (1..=100_u32).sum::<u32>()).await.unwrap_or_default();
            gmp::time::sleep_async(Duration::from_millis(1)).await;
            Ok(Response::new(Full::from(sum.to_string())))
        }
        (&Method::POST, "/echo") => {
            Ok(Response::new(Full::from(request.into_body().collect().await?.to_bytes())))
        }
        _ => {
            let mut nothing = Response::new(Full::from("nothing here\n"));
            *nothing.status_mut() = StatusCode::NOT_FOUND;
            Ok(nothing)
        }
    }
}
