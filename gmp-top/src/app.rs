//! What is shown, and what keys do.

use crate::client::Client;
use crate::snapshot::Snapshot;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The most goroutines that are asked for.
const MOST: usize = 1_000;
/// For how long a trace is asked for, in seconds.
const TRACE_SECONDS: u32 = 5;
const TRACED: &str = "the next five seconds are being traced";

/// Who is asked: a program, or a test.
pub trait Source {
    fn ask(&mut self, request: &str) -> io::Result<Vec<u8>>;
}

impl Source for Client {
    fn ask(&mut self, request: &str) -> io::Result<Vec<u8>> {
        Client::ask(self, request)
    }
}

/// An answer that goes to a file of the folder that this was started in.
struct Wanted {
    request: String,
    ending: &'static str,
}

/// A goroutine's stack over the tables.
pub struct Stack {
    pub number: u64,
    pub text: String,
    pub scroll: u16,
}

pub struct App {
    source: Box<dyn Source>,
    /// The last answers, the one before for what has happened in between.
    pub now: Option<Snapshot>,
    pub before: Option<Snapshot>,
    /// The goroutine that is chosen, by its row.
    pub rows: TableState,
    pub stack: Option<Stack>,
    /// What is said at the bottom.
    pub message: String,
    pub paused: bool,
    /// Where files are written.
    folder: PathBuf,
    wanted: Option<Wanted>,
    over: bool,
}

impl App {
    pub fn new(source: impl Source + 'static) -> Self {
        Self {
            source: Box::new(source),
            now: None,
            before: None,
            rows: TableState::default().with_selected(0),
            stack: None,
            message: String::new(),
            paused: false,
            folder: PathBuf::new(),
            wanted: None,
            over: false,
        }
    }

    /// Writes files to this folder, not to the present one.
    #[cfg(test)]
    pub fn into_folder(self, folder: PathBuf) -> Self {
        Self { folder, ..self }
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Asks anew. The goroutine that was chosen stays so, wherever it stands by now.
    pub fn refresh(&mut self) {
        if self.paused {
            return;
        }
        let chosen = self.chosen();
        let answer = self.source.ask(&format!("look {MOST}"));
        match answer.and_then(|bytes| Snapshot::read(&bytes).map_err(io::Error::other)) {
            Ok(snapshot) => {
                self.before = self.now.replace(snapshot);
                self.choose(chosen);
            }
            Err(error) => {
                self.message = format!("no answer: {error}");
                self.paused = true;
            }
        }
    }

    /// The number of the goroutine that is chosen.
    pub fn chosen(&self) -> Option<u64> {
        let row = self.rows.selected()?;
        self.now.as_ref()?.goroutines.get(row).map(|goroutine| goroutine.number)
    }

    fn choose(&mut self, number: Option<u64>) {
        let Some(now) = &self.now else { return };
        let row = now.goroutines.iter().position(|goroutine| Some(goroutine.number) == number);
        let last = now.goroutines.len().saturating_sub(1);
        let row = row.unwrap_or_else(|| self.rows.selected().unwrap_or(0).min(last));
        self.rows.select(Some(row));
    }

    /// A key.
    pub fn press(&mut self, key: KeyEvent) {
        self.message.clear();
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => self.over = true,
            KeyCode::Esc | KeyCode::Char('q') if self.stack.is_some() => self.stack = None,
            KeyCode::Char('q') | KeyCode::Esc => self.over = true,
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown => self.step(20),
            KeyCode::PageUp => self.step(-20),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Enter => self.show_stack(),
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('d') => self.want("dump".into(), "txt", "the dump is being made"),
            KeyCode::Char('t') => self.want(format!("trace {TRACE_SECONDS} page"), "html", TRACED),
            // No word of the format: an older program knows only this one.
            KeyCode::Char('T') => self.want(format!("trace {TRACE_SECONDS}"), "trace", TRACED),
            _ => {}
        }
    }

    /// Moves by so many rows: of the stack, if one is shown.
    fn step(&mut self, rows: isize) {
        if let Some(stack) = &mut self.stack {
            let last = stack.text.lines().count().saturating_sub(1);
            stack.scroll = (stack.scroll as usize).saturating_add_signed(rows).min(last) as u16;
            return;
        }
        let last = self.now.as_ref().map_or(0, |now| now.goroutines.len().saturating_sub(1));
        let row = self.rows.selected().unwrap_or(0).saturating_add_signed(rows).min(last);
        self.rows.select(Some(row));
    }

    fn show_stack(&mut self) {
        let Some(number) = self.chosen() else { return };
        match self.source.ask(&format!("stack {number}")) {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text).replace('\t', "    ");
                self.stack = Some(Stack { number, text, scroll: 0 });
            }
            Err(error) => self.message = error.to_string(),
        }
    }

    /// An answer is to be kept; until it is there, `meanwhile` is said.
    fn want(&mut self, request: String, ending: &'static str, meanwhile: &str) {
        self.message = meanwhile.into();
        self.wanted = Some(Wanted { request, ending });
    }

    /// Writes the answer that a key has asked for to a file of the folder that this was started in. Blocks until it is
    /// there, so what is said meanwhile is to be drawn first. Returns whether there was one.
    pub fn keep_wanted(&mut self) -> bool {
        let Some(Wanted { request, ending }) = self.wanted.take() else { return false };
        self.message = match self.keep(&request, ending) {
            Ok(path) => format!("written to {}", path.display()),
            Err(error) => format!("{request}: {}", in_words(&request, &error)),
        };
        true
    }

    /// The file comes first: where none can be made nothing is asked.
    fn keep(&mut self, request: &str, ending: &str) -> io::Result<PathBuf> {
        let (path, mut file) = create(&self.folder, self.now.as_ref().map_or(0, |now| now.pid), ending)?;
        let kept = self.source.ask(request).and_then(|bytes| file.write_all(&bytes));
        if kept.is_err() {
            // It is ours, and says nothing.
            let _ = std::fs::remove_file(&path);
        }
        kept.map(|()| path)
    }
}

/// A file that was not there.
fn create(folder: &Path, pid: u64, ending: &str) -> io::Result<(PathBuf, File)> {
    for i in 1..10_000 {
        let path = folder.join(format!("gmp-{pid}-{i}.{ending}"));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("cannot write {}: {error}", path.display()),
                ));
            }
        }
    }
    Err(io::Error::other("there are ten thousand already"))
}

/// A program of an older version takes a request that says a format for one with a wrong number.
fn in_words(request: &str, error: &io::Error) -> String {
    let said = error.to_string();
    if request.ends_with("page") && said.starts_with("trace wants a number of seconds") {
        return "this program's gmp is older and writes no pages; T writes a trace for go tool trace".into();
    }
    said
}
