//! Names and addresses: a name is looked up inside `blocking`, since that may take a while.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

/// All addresses of a name. **Suspends**, as `blocking` does.
#[track_caller]
pub(crate) fn resolve(name: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    gmp_core::blocking(|| Ok(name.to_socket_addrs()?.collect()))
}

/// Tries one address after another, until `attempt` succeeds with one.
#[track_caller]
pub(crate) fn first_that_does<R>(
    name: impl ToSocketAddrs,
    mut attempt: impl FnMut(&SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut failed = None;
    for address in resolve(name)? {
        match attempt(&address) {
            Ok(done) => return Ok(done),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the name or list of addresses has no address in it")
    }))
}
