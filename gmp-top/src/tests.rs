//! What is drawn of an answer, and what keys do; and the same with a program that runs.

use crate::app::{App, Source};
use crate::client::Client;
use crate::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

const ANSWER: &str = r#"{"pid": 4711, "policy": "go", "procs": 2, "idle_procs": 1, "threads": 5, "idle_threads": 2,
"shared_queue": 3, "spawned": 120, "steals": 3, "wakeups": 9, "handoffs": 0, "overruns": 1,
"stacks": {"in_use": 7, "free": 25, "reserved_bytes": 33554432},
"counts": {"runnable": 4, "running": 1, "blocked": 0, "waiting": 2},
"latencies": {"nanos": 123456, "buckets": [[64, 90], [2048, 9], [0, 1]]},
"ps": [{"id": 0, "status": 1, "tick": 99, "calls": 0, "m": 2, "queue": 4, "timers": 1, "running": 17},
       {"id": 1, "status": 0, "tick": 5, "calls": 0, "queue": 0, "timers": 0}],
"sites": [{"at": "src/main.rs:40:9", "goroutines": 6, "runnable": 4, "running": 1, "blocked": 0, "waiting": 1}],
"goroutines": [
  {"number": 17, "parent": 1, "created_at": "src/main.rs:40:9", "system": false, "state": "running", "m": 2},
  {"number": 18, "parent": 1, "name": "reader", "labels": {"kind": "r"}, "created_at": "src/main.rs:41:9", "system": false,
   "state": "waiting", "reason": "chan receive", "age_ns": 2500000000, "at": "0x7f0000001000"}]}"#;

/// Gives the same answers each time, and keeps what it was asked.
#[derive(Clone, Default)]
struct Canned(Rc<RefCell<Vec<String>>>);

impl Source for Canned {
    fn ask(&mut self, request: &str) -> io::Result<Vec<u8>> {
        self.0.borrow_mut().push(request.into());
        match request.split(' ').next() {
            Some("look") => Ok(ANSWER.into()),
            Some("stack") => {
                Ok("goroutine 18 [reader] [chan receive]:\ndemo::reads\n\tsrc/main.rs:12\n".into())
            }
            _ => Ok(format!("answer to {request}").into()),
        }
    }
}

fn screen(app: &mut App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(120, 20)).unwrap();
    terminal.draw(|frame| view::draw(frame, app)).unwrap();
    view::text(terminal.backend().buffer())
}

fn press(app: &mut App, code: KeyCode) {
    app.press(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn an_answer_is_drawn() {
    let mut app = App::new(Canned::default());
    app.refresh();
    let drawn = screen(&mut app);
    let lines: Vec<_> =
        drawn.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines[0], "7 goroutines: 1 running, 4 runnable, 0 in calls, 2 waiting pid 4711, policy go",
        "{drawn}"
    );
    assert_eq!(
        lines[1], "latency p50 64ns p90 64ns p99 2.0us shared queue 3 2 Ps (1 idle), 5 threads (2 idle)",
        "{drawn}"
    );
    assert_eq!(lines[4], "P0 running M2 G17 4 1 - 6 5 src/main.rs:40:9", "{drawn}");
    assert_eq!(lines[5], "P1 idle 0 0 -", "{drawn}");
    assert_eq!(lines[8], "17 running on M2 src/main.rs:40:9", "{drawn}");
    assert_eq!(lines[9], "18 chan receive at 0x7f0000001000 2.5s reader kind=r src/main.rs:41:9", "{drawn}");
    assert_eq!(*lines.last().unwrap(), view::text_of_keys(), "{drawn}");
    // Nothing happened between two equal answers.
    app.refresh();
    assert!(screen(&mut app).contains("a second: 0 started, 0 steals"), "{}", screen(&mut app));
    assert!(screen(&mut app).contains("latency p50 -"), "{}", screen(&mut app));
}

#[test]
fn keys_choose_show_and_ask() {
    let canned = Canned::default();
    let mut app = App::new(canned.clone());
    app.refresh();
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Down);
    assert_eq!(app.chosen(), Some(18), "there is none below");
    press(&mut app, KeyCode::Enter);
    let drawn = screen(&mut app);
    assert!(drawn.contains("goroutine 18 (Esc: back)") && drawn.contains("demo::reads"), "{drawn}");
    press(&mut app, KeyCode::Esc);
    assert!(!screen(&mut app).contains("demo::reads") && !app.is_over());
    app.refresh();
    assert_eq!(app.chosen(), Some(18), "a choice outlasts an answer");
    press(&mut app, KeyCode::Char(' '));
    let asked = canned.0.borrow().len();
    app.refresh();
    assert_eq!(canned.0.borrow().len(), asked, "it is paused");
    assert_eq!(*canned.0.borrow(), ["look 1000", "stack 18", "look 1000"]);
    press(&mut app, KeyCode::Char('q'));
    assert!(app.is_over());
}

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gmp-top-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Its files and what is in them.
    fn files(&self) -> Vec<(String, String)> {
        let read = |entry: std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        };
        let mut files: Vec<_> =
            std::fs::read_dir(&self.0).unwrap().map(|entry| read(entry.unwrap())).collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What is on the screen when the answer that a key asks for has been kept.
fn keep(app: &mut App, key: char) -> String {
    press(app, KeyCode::Char(key));
    assert!(app.keep_wanted() && !app.keep_wanted(), "once");
    screen(app)
}

#[test]
fn a_trace_is_a_page_or_gos_and_no_file_is_written_over() {
    let (canned, folder) = (Canned::default(), Folder::new("keep"));
    let mut app = App::new(canned.clone()).into_folder(folder.0.clone());
    app.refresh();
    std::fs::write(folder.0.join("gmp-4711-1.html"), "somebody's").unwrap();
    press(&mut app, KeyCode::Char('t'));
    assert!(screen(&mut app).contains("the next five seconds are being traced"), "{}", screen(&mut app));
    assert_eq!(canned.0.borrow().len(), 1, "it is drawn before anything is asked");
    let drawn = keep(&mut app, 't');
    assert!(drawn.contains("written to /") && drawn.contains("gmp-4711-2.html"), "{drawn}");
    keep(&mut app, 'T');
    keep(&mut app, 'd');
    assert_eq!(*canned.0.borrow(), ["look 1000", "trace 5 page", "trace 5", "dump"]);
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let expected = [
        file("gmp-4711-1.html", "somebody's"),
        file("gmp-4711-1.trace", "answer to trace 5"),
        file("gmp-4711-1.txt", "answer to dump"),
        file("gmp-4711-2.html", "answer to trace 5 page"),
    ];
    assert_eq!(folder.files(), expected);
    // Where no file can be made nothing is asked.
    let mut app = App::new(canned.clone()).into_folder(folder.0.join("gone"));
    let drawn = keep(&mut app, 't');
    assert!(drawn.contains("trace 5 page: cannot write ") && drawn.contains("gone"), "{drawn}");
    assert_eq!(canned.0.borrow().len(), 4);
}

#[test]
fn why_there_is_no_trace_is_said_and_no_file_is_left() {
    struct Refuses(&'static str);
    impl Source for Refuses {
        fn ask(&mut self, _: &str) -> io::Result<Vec<u8>> {
            Err(io::Error::other(self.0))
        }
    }
    let folder = Folder::new("refused");
    // What a program says that was built before there were formats.
    let older = "trace wants a number of seconds from 1 to 60";
    let newer = "this program was built without a tracer";
    for (said, key, shown) in [
        (newer, 't', "trace 5 page: this program was built without a tracer"),
        (newer, 'T', "trace 5: this program was built without a tracer"),
        (older, 't', "this program's gmp is older and writes no pages; T writes a trace for go tool trace"),
    ] {
        let drawn = keep(&mut App::new(Refuses(said)).into_folder(folder.0.clone()), key);
        assert!(drawn.contains(shown), "{drawn}");
    }
    assert_eq!(folder.files(), []);
}

/// Without an answer it says why, and draws on a screen of any size.
#[test]
fn no_answer_and_no_room() {
    struct Gone;
    impl Source for Gone {
        fn ask(&mut self, _: &str) -> io::Result<Vec<u8>> {
            Err(io::Error::other("the program is gone"))
        }
    }
    let mut app = App::new(Gone);
    app.refresh();
    assert!(screen(&mut app).contains("no answer: the program is gone"));
    let mut app = App::new(Canned::default());
    app.refresh();
    press(&mut app, KeyCode::Enter);
    for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 100)] {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view::draw(frame, &mut app)).unwrap();
    }
}

#[test]
fn a_program_that_runs_is_shown() {
    let path = std::env::temp_dir().join(format!("gmp-top-{}", std::process::id()));
    let runtime = gmp::Builder::new().procs(2).inspect(&path).build().unwrap();
    let drawn = runtime.run(move || {
        let (_keeps_it_open, values) = gmp::chan::<u32>(0);
        gmp::spawn().name("reader").go(move || values.recv()).unwrap();
        gmp::yield_now();
        // A thread of its own, as another process would be.
        let view = std::thread::spawn(move || {
            let mut app = App::new(Client::connect(&path).unwrap());
            // The reader may have been stolen, and be on its way to where it waits.
            let mut drawn = String::new();
            for _ in 0..1_000 {
                app.refresh();
                drawn = screen(&mut app);
                if drawn.contains("chan receive") {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            press(&mut app, KeyCode::Enter);
            drawn.push_str(&screen(&mut app));
            let folder = Folder::new("runs");
            let mut app = app.into_folder(folder.0.clone());
            let traced = keep(&mut app, 't');
            let files = folder.files();
            assert!(files.len() == 1 && files[0].1.starts_with("<!doctype html>"), "{traced}");
            drawn
        });
        gmp::blocking(|| view.join().unwrap())
    });
    let drawn = drawn.unwrap().value;
    assert!(
        drawn.contains("2 goroutines") && drawn.contains("reader") && drawn.contains("chan receive at 0x"),
        "{drawn}"
    );
    // Main waits for the view's thread.
    assert!(
        drawn.contains("goroutine 1 [blocking call on M") && drawn.contains("JoinHandle<T>::join"),
        "{drawn}"
    );
}
