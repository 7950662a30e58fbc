//! Asks the program: a line goes out, and `ok LENGTH` with so many bytes, or `error WHY`, comes back.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer may take: a dump of a million goroutines takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer is longer.
const MOST_BYTES: usize = 1 << 30;

/// A connection to a program.
#[derive(Debug)]
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects to the program that listens at `path`.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// What the program answers to a request.
    pub fn ask(&mut self, request: &str) -> io::Result<Vec<u8>> {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let mut head = String::new();
        if self.0.read_line(&mut head)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the program is gone"));
        }
        let head = head.trim_end();
        let Some(length) = head.strip_prefix("ok ") else {
            return Err(io::Error::other(head.strip_prefix("error ").unwrap_or(head).to_owned()));
        };
        let length = length.parse().ok().filter(|&length| length <= MOST_BYTES);
        let length =
            length.ok_or_else(|| io::Error::other(format!("an answer that begins with {head:?}")))?;
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
