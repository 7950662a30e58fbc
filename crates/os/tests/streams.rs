//! Standard streams and pipes, under goroutines with one P that nobody takes away: whoever blocked it would be waited for
//! for ever. The streams are those of a child, which is this program once more.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

fn child(test: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--quiet"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn with_one_p(main: fn()) {
    gmp::Builder::new().procs(1).retake(false).build().unwrap().run(main).unwrap();
}

#[test]
#[ignore = "a child of `a_read_of_standard_input_holds_no_p`"]
fn echoes() {
    with_one_p(|| {
        let echo = gmp::go(|| {
            let mut out = gmp::io::stdout().unwrap();
            for line in BufReader::new(gmp::io::stdin().unwrap()).lines() {
                writeln!(out, "echo {}", line.unwrap()).unwrap();
            }
        });
        gmp::yield_now();
        gmp::io::stderr().unwrap().write_all(b"the reader waits\n").unwrap();
        echo.join().unwrap();
        let mode = rustix::fs::fcntl_getfl(std::io::stdin()).unwrap();
        assert!(!mode.contains(rustix::fs::OFlags::NONBLOCK), "the mode is left as it was");
    });
}

#[test]
fn a_read_of_standard_input_holds_no_p() {
    let mut child = child("echoes");
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert_eq!(line, "the reader waits\n");
    let mut to = child.stdin.take().unwrap();
    to.write_all(b"one\ntwo\n").unwrap();
    drop(to);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("echo one\necho two\n") && output.status.success(), "{text}");
}

#[test]
#[ignore = "a child of `a_write_to_a_full_pipe_holds_no_p`"]
fn writes_a_lot() {
    with_one_p(|| {
        let writes = gmp::go(|| gmp::io::stdout().unwrap().write_all(&vec![b'x'; 1 << 20]).unwrap());
        gmp::yield_now();
        gmp::io::stderr().unwrap().write_all(b"the writer waits\n").unwrap();
        writes.join().unwrap();
    });
}

#[test]
fn a_write_to_a_full_pipe_holds_no_p() {
    let mut child = child("writes_a_lot");
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert_eq!(line, "the writer waits\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'x').count(), 1 << 20);
    assert!(output.status.success());
}

#[test]
#[ignore = "a child of `standard_input_may_be_a_file`"]
fn reads_a_file() {
    with_one_p(|| {
        let mut text = String::new();
        gmp::io::stdin().unwrap().read_to_string(&mut text).unwrap();
        gmp::io::stdout().unwrap().write_all(text.as_bytes()).unwrap();
    });
}

#[test]
fn standard_input_may_be_a_file() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "reads_a_file", "--ignored", "--nocapture", "--quiet"]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = command.stdin(std::fs::File::open(manifest).unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("name = \"gmp-os\"") && output.status.success(), "{text}");
}

#[test]
fn pipes_wait_at_both_ends() {
    with_one_p(|| {
        let (mut reader, mut writer) = gmp::io::pipe().unwrap();
        let writes = gmp::go(move || writer.write_all(&vec![7; 1 << 20]).unwrap());
        let mut got = Vec::new();
        reader.read_to_end(&mut got).unwrap();
        writes.join().unwrap();
        assert!(got == vec![7; 1 << 20]);
    });
}
