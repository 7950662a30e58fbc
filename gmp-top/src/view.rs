//! How it is drawn.

use crate::app::{App, Stack};
use crate::snapshot::{Counts, P, Snapshot};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Margin, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table};
use std::time::Duration;

const KEYS: &str =
    " q quit   up/down choose   Enter stack   d dump   t trace page   T go trace   space pause";

/// The most rows of the tables in the middle.
const MOST_PS: u16 = 8;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let ps =
        app.now.as_ref().map_or(0, |now| now.ps.len().max(now.sites.len().min(4)) as u16).clamp(1, MOST_PS);
    let areas =
        [Constraint::Length(3), Constraint::Length(ps + 2), Constraint::Fill(1), Constraint::Length(1)];
    let [head, middle, below, foot] = Layout::vertical(areas).areas(frame.area());
    if let Some(now) = &app.now {
        draw_head(frame, head, now, app.before.as_ref());
        let [left, right] = Layout::horizontal([Constraint::Length(60), Constraint::Fill(1)]).areas(middle);
        draw_ps(frame, left, now, app.before.as_ref());
        draw_sites(frame, right, now);
        draw_goroutines(frame, below, now, &mut app.rows);
    }
    if let Some(stack) = &app.stack {
        draw_stack(frame, frame.area().inner(Margin::new(4, 2)), stack);
    }
    let said = match (&app.message, app.paused) {
        (message, _) if !message.is_empty() => {
            Span::styled(format!(" {message}"), Style::new().fg(Color::Yellow))
        }
        (_, true) => Span::styled(" paused: space goes on", Style::new().fg(Color::Yellow)),
        _ => Span::styled(KEYS, Style::new().add_modifier(Modifier::DIM)),
    };
    frame.render_widget(Line::from(said), foot);
}

/// What grows, by second.
fn rate(now: &Snapshot, before: Option<&Snapshot>, of: impl Fn(&Snapshot) -> u64) -> String {
    let Some(before) = before else { return "-".into() };
    let seconds = now.taken.saturating_duration_since(before.taken).as_secs_f64().max(1e-3);
    short(of(now).saturating_sub(of(before)) as f64 / seconds)
}

/// A number in few digits.
fn short(number: f64) -> String {
    match number {
        ..10_000.0 => format!("{number:.0}"),
        ..10_000_000.0 => format!("{:.1}k", number / 1e3),
        _ => format!("{:.1}M", number / 1e6),
    }
}

/// A duration in three digits.
pub fn span(time: Duration) -> String {
    match time.as_secs_f64() {
        ..1e-6 => format!("{}ns", time.as_nanos()),
        seconds @ ..1e-3 => format!("{:.1}us", seconds * 1e6),
        seconds @ ..1.0 => format!("{:.1}ms", seconds * 1e3),
        seconds @ ..120.0 => format!("{seconds:.1}s"),
        seconds @ ..7200.0 => format!("{:.1}min", seconds / 60.0),
        seconds if time < Duration::MAX => format!("{:.1}h", seconds / 3600.0),
        _ => "long".into(),
    }
}

fn counts(counts: &Counts) -> String {
    let Counts { runnable, running, blocked, waiting } = counts;
    format!("{running} running, {runnable} runnable, {blocked} in calls, {waiting} waiting")
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, before: Option<&Snapshot>) {
    let latency = |part| now.latency(before, part).map_or("-".into(), span);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let first = Line::from(vec![
        Span::styled(format!(" {} goroutines", now.counts.all()), bold),
        format!(": {}", counts(&now.counts)).into(),
        format!("   pid {}, policy {}", now.pid, now.policy).into(),
    ]);
    let second = Line::from(vec![
        Span::styled(" latency", bold),
        format!(" p50 {}  p90 {}  p99 {}", latency(0.5), latency(0.9), latency(0.99)).into(),
        format!("   shared queue {}", now.shared_queue).into(),
        format!(
            "   {} Ps ({} idle), {} threads ({} idle)",
            now.procs, now.idle_procs, now.threads, now.idle_threads
        )
        .into(),
    ]);
    let rate = |of: fn(&Snapshot) -> u64| rate(now, before, of);
    let third = Line::from(vec![
        Span::styled(" a second", bold),
        format!(
            ": {} started, {} steals, {} wakes",
            rate(|s| s.spawned),
            rate(|s| s.steals),
            rate(|s| s.wakeups)
        )
        .into(),
        format!(", {} hand-offs, {} overruns", rate(|s| s.handoffs), rate(|s| s.overruns)).into(),
        format!("   stacks {}", now.stacks).into(),
    ]);
    frame.render_widget(Paragraph::new(vec![first, second, third]), area);
}

/// Go's words for what a P does.
fn status(p: &P) -> &'static str {
    ["idle", "running", "in a call", "stopped", "removed"].get(p.status as usize).copied().unwrap_or("?")
}

fn head(names: &'static [&'static str]) -> Row<'static> {
    Row::new(names.iter().copied()).style(Style::new().add_modifier(Modifier::REVERSED))
}

fn draw_ps(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, before: Option<&Snapshot>) {
    let or_none =
        |number: Option<u64>, sign: &str| number.map_or(String::new(), |number| format!("{sign}{number}"));
    let rows = now.ps.iter().map(|p| {
        let slices = rate(now, before, |then| {
            then.ps.iter().find(|its| its.id == p.id).map_or(p.tick, |its| its.tick)
        });
        let busy = if p.queue > 0 { Style::new().fg(Color::Yellow) } else { Style::new() };
        let cells = [
            format!("P{}", p.id),
            status(p).into(),
            or_none(p.m, "M"),
            or_none(p.running, "G"),
            p.queue.to_string(),
            p.timers.to_string(),
            slices,
        ];
        Row::new(cells).style(busy)
    });
    let widths = [5, 9, 6, 10, 7, 7, 8].map(Constraint::Length);
    let names = &["P", "does", "M", "runs", "queue", "timers", "slices/s"];
    frame.render_widget(Table::new(rows, widths).header(head(names)).block(Block::new()), area);
}

fn draw_sites(frame: &mut Frame<'_>, area: Rect, now: &Snapshot) {
    let rows = now.sites.iter().map(|site| {
        let Counts { runnable, running, blocked, .. } = site.counts;
        let active = if runnable + running + blocked == 0 {
            String::new()
        } else {
            (runnable + running + blocked).to_string()
        };
        Row::new([site.goroutines.to_string(), active, tail(&site.at, 80)])
    });
    let widths = [Constraint::Length(8), Constraint::Length(6), Constraint::Fill(1)];
    let names = &["started", "active", "where goroutines were started"];
    frame.render_widget(Table::new(rows, widths).header(head(names)), area);
}

/// The end of a text, which in a path is what tells.
fn tail(text: &str, most: usize) -> String {
    let skipped = text.chars().count().saturating_sub(most);
    if skipped == 0 {
        text.into()
    } else {
        format!("…{}", text.chars().skip(skipped + 1).collect::<String>())
    }
}

fn draw_goroutines(
    frame: &mut Frame<'_>,
    area: Rect,
    now: &Snapshot,
    state: &mut ratatui::widgets::TableState,
) {
    let rows = now.goroutines.iter().map(|goroutine| {
        let name = match (&*goroutine.name, &*goroutine.labels) {
            (name, "") => name.to_owned(),
            ("", labels) => labels.to_owned(),
            (name, labels) => format!("{name} {labels}"),
        };
        let age = goroutine.age.map_or(String::new(), span);
        let colour = match goroutine.state.split(' ').next() {
            Some("running") => Style::new().fg(Color::Green),
            Some("runnable") => Style::new().fg(Color::Yellow),
            Some("blocked") => Style::new().fg(Color::Cyan),
            _ => Style::new(),
        };
        let cells = [
            goroutine.number.to_string(),
            goroutine.state.clone(),
            age,
            name,
            tail(&goroutine.created_at, 60),
        ];
        Row::new(cells).style(colour)
    });
    let widths = [
        Constraint::Length(9),
        Constraint::Length(44),
        Constraint::Length(9),
        Constraint::Fill(1),
        Constraint::Fill(1),
    ];
    let names = &["goroutine", "does, or waits for", "for", "name, labels", "started at"];
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let table = Table::new(rows, widths).header(head(names)).row_highlight_style(chosen);
    frame.render_stateful_widget(table, area, state);
}

fn draw_stack(frame: &mut Frame<'_>, area: Rect, stack: &Stack) {
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(format!(" goroutine {} (Esc: back) ", stack.number));
    frame.render_widget(Paragraph::new(&*stack.text).block(block).scroll((stack.scroll, 0)), area);
}

/// A screen as text.
pub fn text(buffer: &Buffer) -> String {
    let rows = buffer.content.chunks(usize::from(buffer.area.width).max(1));
    let lines =
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// What stands at the bottom if nothing else does.
#[cfg(test)]
pub fn text_of_keys() -> String {
    KEYS.split_whitespace().collect::<Vec<_>>().join(" ")
}
