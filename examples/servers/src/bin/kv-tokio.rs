//! The key-value server of gmp's example `kv_server`, step for step, in tokio's way: a task for each connection.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};

type Store = Mutex<HashMap<Vec<u8>, Vec<u8>>>;
type Words = Vec<Vec<u8>>;

const MOST: usize = 64 << 20;

fn main() -> io::Result<()> {
    servers::tokio_runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening at {}", listener.local_addr()?);
        let store = Arc::new(Store::default());
        loop {
            let (stream, _) = listener.accept().await?;
            let store = Arc::clone(&store);
            tokio::spawn(async move { talk(stream, &store).await });
        }
    })
}

async fn talk(mut stream: TcpStream, store: &Store) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.split();
    let (mut requests, mut out) = (BufReader::new(reader), BufWriter::new(writer));
    let (mut line, mut text) = (Vec::new(), Vec::new());
    while let Some(words) = read_command(&mut requests, &mut line).await? {
        text.clear();
        answers::answer(words, store, &mut text)?;
        out.write_all(&text).await?;
        if requests.buffer().is_empty() {
            out.flush().await?;
        }
    }
    out.flush().await
}

async fn read_command(
    requests: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<Option<Words>> {
    if read_line(requests, line).await? == 0 {
        return Ok(None);
    }
    let text = line.trim_ascii();
    let Some(count) = text.strip_prefix(b"*") else {
        return Ok(Some(text.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect()));
    };
    let mut words = Vec::new();
    for _ in 0..number(count)? {
        words.push(read_word(requests, line).await?);
    }
    Ok(Some(words))
}

async fn read_word(requests: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    read_line(requests, line).await?;
    let length = line.trim_ascii().strip_prefix(b"$").ok_or(ErrorKind::InvalidData)?;
    let mut word = vec![0; number(length)?];
    requests.read_exact(&mut word).await?;
    requests.read_exact(&mut [0; 2]).await?;
    Ok(word)
}

async fn read_line(requests: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    requests.read_until(b'\n', line).await
}

fn number(digits: &[u8]) -> io::Result<usize> {
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.filter(|&number| number <= MOST).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// Into memory, so it does not wait: a function of its own module, where `write_all` is std's.
mod answers {
    use super::{Store, Words};
    use std::io::{self, Write};
    use std::mem::take;

    pub(super) fn answer(mut words: Words, store: &Store, to: &mut Vec<u8>) -> io::Result<()> {
        let Some((name, arguments)) = words.split_first_mut() else {
            return to.write_all(b"-ERR no command\r\n");
        };
        name.make_ascii_uppercase();
        match (&name[..], arguments) {
            (b"PING", _) => to.write_all(b"+PONG\r\n"),
            (b"SET", [key, value, ..]) => {
                let _before = store.lock().unwrap().insert(take(key), take(value));
                to.write_all(b"+OK\r\n")
            }
            (b"GET", [key]) => {
                let value = store.lock().unwrap().get(key).cloned();
                bulk(value.as_deref(), to)
            }
            (b"CONFIG" | b"COMMAND", _) => to.write_all(b"*0\r\n"),
            _ => write!(to, "-ERR unknown command or wrong number of arguments\r\n"),
        }
    }

    fn bulk(value: Option<&[u8]>, to: &mut Vec<u8>) -> io::Result<()> {
        let Some(value) = value else { return to.write_all(b"$-1\r\n") };
        write!(to, "${}\r\n", value.len())?;
        to.write_all(value)?;
        to.write_all(b"\r\n")
    }
}
