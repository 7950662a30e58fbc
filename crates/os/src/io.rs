//! Pipes, the standard streams, and copies that do not pass through the program.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! use gmp::net::{Shutdown, UnixStream};
//! use std::io::{Read, Write};
//!
//! let (reader, mut writer) = gmp::io::pipe()?;
//! let (socket, mut other) = UnixStream::pair()?;
//! let copying = gmp::go(move || {
//!     let copied = gmp::io::copy(&reader, &socket)?;
//!     socket.shutdown(Shutdown::Write).map(|()| copied)
//! });
//! writer.write_all(b"hello")?;
//! drop(writer);
//! let mut text = String::new();
//! other.read_to_string(&mut text)?;
//! assert_eq!((text.as_str(), copying.join().unwrap()?), ("hello", 5));
//! # std::io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```

mod copy;
mod standard;

use gmp_net::Pollable;
use std::io;

pub use copy::copy;
pub use standard::{Stderr, Stdin, Stdout, stderr, stdin, stdout};

/// The end of a pipe from which goroutines read.
pub type PipeReader = Pollable<io::PipeReader>;
/// The end of a pipe to which goroutines write.
pub type PipeWriter = Pollable<io::PipeWriter>;

/// Makes a pipe; see [`std::io::pipe`]. Never suspends.
///
/// # Errors
/// The system's: too many open files, mostly.
#[doc(alias = "Pipe")]
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((Pollable::new(reader)?, Pollable::new(writer)?))
}
