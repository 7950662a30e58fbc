//! `gmp-top`: a terminal view of a running program that was built on gmp with `Builder::inspect(path)`.
//!
//! ```text
//! gmp-top /run/user/1000/server.sock
//! gmp-top --once /run/user/1000/server.sock      # prints one screen, for scripts
//! ```
//!
//! | file | is |
//! | --- | --- |
//! | `client.rs` | asks the program |
//! | `snapshot.rs` | what it answered, as values |
//! | `app.rs` | what is shown, and what keys do |
//! | `view.rs` | how it is drawn |

mod app;
mod client;
mod snapshot;
mod view;

#[cfg(test)]
mod tests;

use app::App;
use client::Client;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the program is asked.
const PERIOD: Duration = Duration::from_secs(1);

const USAGE: &str = "usage: gmp-top [--once] SOCKET   (the path that the program gave to Builder::inspect)";

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let once =
        arguments.iter().position(|argument| argument == "--once").map(|i| arguments.remove(i)).is_some();
    let [path] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let path = PathBuf::from(path);
    let shown = match Client::connect(&path) {
        Ok(client) if once => print_once(App::new(client)),
        Ok(client) => show(App::new(client)),
        Err(error) => Err(error),
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gmp-top: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// Shows it until the user has seen enough.
fn show(mut app: App) -> std::io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let shown = run(&mut terminal, &mut app);
    ratatui::restore();
    shown
}

fn run(terminal: &mut ratatui::DefaultTerminal, app: &mut App) -> std::io::Result<()> {
    let mut asked: Option<Instant> = None;
    while !app.is_over() {
        if asked.is_none_or(|asked| asked.elapsed() >= PERIOD) {
            app.refresh();
            asked = Some(Instant::now());
        }
        terminal.draw(|frame| view::draw(frame, app))?;
        if app.keep_wanted() {
            // What has become of it, and of the program meanwhile.
            asked = None;
            continue;
        }
        let left = PERIOD.saturating_sub(asked.map_or(Duration::ZERO, |asked| asked.elapsed()));
        if event::poll(left)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            app.press(key);
        }
    }
    Ok(())
}

/// Prints what a terminal of 120 columns would show after a second.
fn print_once(mut app: App) -> std::io::Result<()> {
    app.refresh();
    std::thread::sleep(PERIOD);
    app.refresh();
    let backend = ratatui::backend::TestBackend::new(120, 40);
    let mut terminal = ratatui::Terminal::new(backend).map_err(std::io::Error::other)?;
    terminal.draw(|frame| view::draw(frame, &mut app)).map_err(std::io::Error::other)?;
    println!("{}", view::text(terminal.backend().buffer()));
    Ok(())
}
