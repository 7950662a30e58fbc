//! A dump as text, close to what Go prints on SIGQUIT.

use crate::dump::{Dump, Group};
use core::fmt;
use gmp_core::sight::{Object, Sight, State};

/// How many numbers of a group's goroutines are printed at most.
const MOST_NUMBERS: usize = 10;

impl fmt::Display for Dump {
    /// `{}` leaves the runtime's own frames out, `{:#}` shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (goroutines, groups) = (self.len(), self.groups.len());
        let plural = |count| if count == 1 { "" } else { "s" };
        write!(f, "{goroutines} goroutine{} in {groups} group{}", plural(goroutines), plural(groups))?;
        writeln!(f, ", {} P{}, policy {}", self.procs, plural(self.procs), self.policy)?;
        self.cycles.iter().try_for_each(|cycle| circle(f, self, cycle))?;
        self.groups.iter().try_for_each(|group| write!(f, "\n{group}"))
    }
}

/// A circle, each goroutine with what it waits at and the innermost function of its own.
fn circle(f: &mut fmt::Formatter<'_>, dump: &Dump, cycle: &[u64]) -> fmt::Result {
    f.write_str("\ndeadlock: these wait for each other in a circle:\n")?;
    for (i, number) in cycle.iter().enumerate() {
        let next = cycle[(i + 1) % cycle.len()];
        let Some((sight, stack)) = dump.goroutines().find(|(sight, _)| sight.number == *number) else {
            continue;
        };
        write!(f, "\tgoroutine {number}")?;
        if !sight.name.is_empty() {
            write!(f, " [{}]", sight.name)?;
        }
        if let Some(frame) = stack.first() {
            write!(f, ", in {},", frame.function)?;
        }
        match sight.state() {
            State::Waiting { reason, at: Some(Object::At(address)), .. } => {
                writeln!(f, " waits: {reason} at {address}, which goroutine {next} holds")?;
            }
            _ => writeln!(f, " waits for the end of goroutine {next}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, others @ ..] = &self.goroutines[..] else { return Ok(()) };
        if others.is_empty() {
            write!(f, "goroutine {}", first.number)?;
            if !first.name.is_empty() {
                write!(f, " [{}]", first.name)?;
            }
        } else {
            write!(f, "{} goroutines", self.goroutines.len())?;
        }
        f.write_str(" [")?;
        state(f, &self.goroutines)?;
        if others.is_empty() {
            labels(f, first)?
        }
        f.write_str("]:")?;
        if !others.is_empty() {
            numbers(f, &self.goroutines)?;
        }
        f.write_str("\n")?;
        let frames = if f.alternate() { &self.frames[..] } else { self.stack() };
        if frames.is_empty() {
            writeln!(f, "\t{}", why_no_stack(first))?;
        }
        frames.iter().try_for_each(|frame| writeln!(f, "{frame}"))?;
        created(f, self)
    }
}

/// What all goroutines of a group do, and for how long they have waited.
fn state(f: &mut fmt::Formatter<'_>, goroutines: &[Sight]) -> fmt::Result {
    match goroutines[0].state() {
        State::Runnable { .. } => f.write_str("runnable")?,
        State::Running(Some(m)) => write!(f, "running on M{m}")?,
        State::Blocked(Some(m)) => write!(f, "blocking call on M{m}")?,
        State::Running(None) => f.write_str("running")?,
        State::Blocked(None) => f.write_str("blocking call")?,
        State::Waiting { reason, at, .. } => {
            write!(f, "{reason}")?;
            let same = |sight: &Sight| matches!(sight.state(), State::Waiting { at: its, .. } if its == at);
            match at.filter(|_| goroutines.iter().all(same)) {
                Some(Object::At(address)) => write!(f, " at {address}")?,
                Some(Object::Goroutine(number)) => write!(f, " of goroutine {number}")?,
                _ => {}
            }
            let holder = goroutines[0].holder;
            if let Some(holder) = holder.filter(|_| goroutines.iter().all(|sight| sight.holder == holder)) {
                write!(f, " held by goroutine {holder}")?;
            }
            let ages = || {
                goroutines.iter().filter_map(|sight| match sight.state() {
                    State::Waiting { age, .. } => Some(age),
                    _ => None,
                })
            };
            let (least, most) = (ages().min().unwrap_or_default(), ages().max().unwrap_or_default());
            let (least, most) = (format!("{least:.1?}"), format!("{most:.1?}"));
            if least == most { write!(f, ", {most}")? } else { write!(f, ", {least} to {most}")? }
        }
        _ => f.write_str("in an unknown state")?,
    }
    if goroutines[0].system { f.write_str(", the runtime's own") } else { Ok(()) }
}

fn labels(f: &mut fmt::Formatter<'_>, sight: &Sight) -> fmt::Result {
    if sight.labels.is_empty() {
        return Ok(());
    }
    for (i, (key, value)) in sight.labels.iter().enumerate() {
        write!(f, "{}{key:?}: {value:?}", if i == 0 { ", labels: {" } else { ", " })?;
    }
    f.write_str("}")
}

fn numbers(f: &mut fmt::Formatter<'_>, goroutines: &[Sight]) -> fmt::Result {
    for (i, sight) in goroutines.iter().take(MOST_NUMBERS).enumerate() {
        write!(f, "{}{}", if i == 0 { " " } else { ", " }, sight.number)?;
        if !sight.name.is_empty() {
            write!(f, " [{}]", sight.name)?;
        }
    }
    if goroutines.len() > MOST_NUMBERS { f.write_str(", ...") } else { Ok(()) }
}

fn why_no_stack(sight: &Sight) -> &'static str {
    match sight.state() {
        State::Runnable { started: false } => "it has not begun to run",
        State::Running(_) => "it runs, and its thread did not show its stack in time",
        State::Blocked(_) => "it is in a blocking call, and its thread did not show its stack in time",
        _ => "its stack could not be read",
    }
}

fn created(f: &mut fmt::Formatter<'_>, group: &Group) -> fmt::Result {
    let first = &group.goroutines[0];
    let one_parent = group.goroutines.iter().all(|sight| sight.parent == first.parent);
    match first.parent {
        parent if parent != 0 && one_parent => write!(f, "created by goroutine {parent}")?,
        _ => f.write_str("created")?,
    }
    writeln!(f, "\n\t{}", first.created_at)?;
    if group.goroutines.len() == 1 {
        // The nearest is the parent, which is named above.
        for ancestor in first.ancestors.iter() {
            writeln!(f, "\twhose goroutine {} was created at {}", ancestor.number, ancestor.created_at)?;
        }
    }
    Ok(())
}
