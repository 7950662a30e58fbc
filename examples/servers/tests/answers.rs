//! Each server answers a plain client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A server that is ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says something to a server, and returns as many bytes of its answer.
fn ask(program: &str, mode: Option<&str>, request: &[u8], bytes: usize) -> Vec<u8> {
    let mut server = Server(Command::new(program).args(mode).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at ").unwrap_or_else(|| panic!("{program}: {line:?}"));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = vec![0; bytes];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn key_value_servers_keep_values() {
    let request = b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nab\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\n";
    let answer = b"+PONG\r\n+OK\r\n$2\r\nab\r\n$-1\r\n";
    let (gmp, tokio) = (env!("CARGO_BIN_EXE_kv-gmp"), env!("CARGO_BIN_EXE_kv-tokio"));
    for (program, mode) in [(gmp, Some("own")), (gmp, Some("shared")), (tokio, None)] {
        let got = ask(program, mode, request, answer.len());
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(answer), "{program}");
    }
}

#[test]
fn http_servers_say_hello() {
    let request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    let (gmp, tokio) = (env!("CARGO_BIN_EXE_hello-gmp"), env!("CARGO_BIN_EXE_hello-tokio"));
    for (program, mode) in [(gmp, Some("own")), (gmp, Some("shared")), (tokio, None)] {
        let got = ask(program, mode, request, 80);
        let text = String::from_utf8_lossy(&got);
        assert!(
            text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("content-length: 5\r\n"),
            "{program}: {text}"
        );
    }
}
