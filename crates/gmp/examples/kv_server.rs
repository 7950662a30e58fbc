//! A key-value server that speaks the Redis protocol: a goroutine for each connection, plain blocking code.
//!
//! ```text
//! cargo run --release -p gmp --example kv_server -- 127.0.0.1:6379
//! redis-benchmark -p 6379 -t set,get -c 50 -P 16
//! ```

use gmp::net::{TcpListener, TcpStream};
use gmp::sync::Mutex;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::mem::take;
use std::sync::Arc;

/// Keys and values. A goroutine that serves a connection locks them, for a moment each time.
type Store = Mutex<HashMap<Vec<u8>, Vec<u8>>>;
/// A command's words.
type Words = Vec<Vec<u8>>;

/// More words, or a longer one, than any well-meaning client sends.
const MOST: usize = 64 << 20;

#[gmp::main]
#[allow(dead_code, reason = "the test starts the server by itself")]
fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6379".into());
    let listener = TcpListener::bind(address)?;
    println!("listening at {}", listener.local_addr()?);
    serve(&listener)
}

/// Serves connections until the listener is closed.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    let store = Arc::new(Store::default());
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let store = Arc::clone(&store);
                gmp::go(move || talk(&stream, &store));
            }
            // Too many open files: those who are connected go on, and one of them may leave soon.
            Err(error) if error.raw_os_error().is_some() => gmp::sleep(std::time::Duration::from_millis(10)),
            Err(error) => return if error.kind() == ErrorKind::NotConnected { Ok(()) } else { Err(error) },
        }
    }
}

/// Answers one client until it leaves.
fn talk(stream: &TcpStream, store: &Store) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut requests, mut answers) = (BufReader::new(stream), BufWriter::new(stream));
    let mut line = Vec::new();
    while let Some(words) = read_command(&mut requests, &mut line)? {
        answer(words, store, &mut answers)?;
        // What came in one piece is answered in one piece.
        if requests.buffer().is_empty() {
            answers.flush()?;
        }
    }
    answers.flush()
}

/// Reads `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`, or words on a line; `None` at the end. `line` is for each line in turn.
fn read_command(requests: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<Words>> {
    if read_line(requests, line)? == 0 {
        return Ok(None);
    }
    let text = line.trim_ascii();
    let Some(count) = text.strip_prefix(b"*") else {
        return Ok(Some(text.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect()));
    };
    (0..number(count)?).map(|_| read_word(requests, line)).collect::<io::Result<_>>().map(Some)
}

fn read_word(requests: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    read_line(requests, line)?;
    let length = line.trim_ascii().strip_prefix(b"$").ok_or(ErrorKind::InvalidData)?;
    let mut word = vec![0; number(length)?];
    requests.read_exact(&mut word)?;
    requests.read_exact(&mut [0; 2])?;
    Ok(word)
}

fn read_line(requests: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    requests.read_until(b'\n', line)
}

fn number(digits: &[u8]) -> io::Result<usize> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|&number| number <= MOST).ok_or_else(|| ErrorKind::InvalidData.into())
}

fn answer(mut words: Words, store: &Store, to: &mut impl Write) -> io::Result<()> {
    let Some((name, arguments)) = words.split_first_mut() else {
        return to.write_all(b"-ERR no command\r\n");
    };
    name.make_ascii_uppercase();
    match (&name[..], arguments) {
        (b"PING", _) => to.write_all(b"+PONG\r\n"),
        (b"SET", [key, value, ..]) => {
            // The value that it replaces is dropped when the store is unlocked.
            let _before = store.lock().insert(take(key), take(value));
            to.write_all(b"+OK\r\n")
        }
        (b"GET", [key]) => {
            let value = store.lock().get(key).cloned();
            bulk(value.as_deref(), to)
        }
        (b"DEL", keys) => {
            let mut store = store.lock();
            let gone = keys.iter().filter(|key| store.remove(&key[..]).is_some()).count();
            drop(store);
            write!(to, ":{gone}\r\n")
        }
        (b"INCR", [key]) => {
            let mut store = store.lock();
            let value = store.entry(take(key)).or_default();
            let next =
                std::str::from_utf8(value).ok().and_then(|value| value.parse::<i64>().ok()).unwrap_or(0) + 1;
            *value = next.to_string().into_bytes();
            drop(store);
            write!(to, ":{next}\r\n")
        }
        (b"CONFIG" | b"COMMAND", _) => to.write_all(b"*0\r\n"),
        _ => write!(to, "-ERR unknown command or wrong number of arguments\r\n"),
    }
}

fn bulk(value: Option<&[u8]>, to: &mut impl Write) -> io::Result<()> {
    let Some(value) = value else { return to.write_all(b"$-1\r\n") };
    write!(to, "${}\r\n", value.len())?;
    to.write_all(value)?;
    to.write_all(b"\r\n")
}
