//! What the servers on gmp and on tokio share: the modes of a runtime of gmp, and the answer to an HTTP request.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};

/// A runtime of gmp for two processors, as the program's first argument says: with thread-locals of its goroutines' own,
/// which is the default, or with shared ones.
pub fn runtime() -> gmp::Runtime {
    let builder = gmp::Builder::new().procs(2);
    let builder = match std::env::args().nth(1).as_deref() {
        None | Some("own") => builder,
        // SAFETY: nothing in these servers, hyper included, keeps a thread-local's address or value over a suspension.
        Some("shared") => unsafe { builder.share_thread_locals() },
        Some(other) => panic!("no mode {other:?}; there are: own, shared"),
    };
    builder.build().expect("a runtime can be made")
}

/// A runtime of tokio for two processors.
pub fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()
        .expect("a runtime can be made")
}

/// Five bytes, whatever was asked for.
pub async fn hello(_: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    Ok(Response::new(Full::from("hello")))
}
