//! A dump as JSON.

use crate::dump::{Dump, Group};
use core::fmt::Write;
use gmp_core::sight::{Object, Sight, State};

impl Dump {
    /// The dump as one JSON object:
    ///
    /// ```json
    /// {"policy": "go", "procs": 2, "goroutines": 3, "took_ns": 812345, "groups": [{
    ///   "stack": [{"function": "demo::worker", "file": "src/main.rs", "line": 12}],
    ///   "created_at": "src/main.rs:40:9",
    ///   "goroutines": [{"number": 17, "parent": 1, "name": "parser", "labels": {"file": "a.txt"}, "ancestors": [],
    ///     "system": false, "state": "waiting", "reason": "chan receive", "age_ns": 1200, "at": "0x7f0000001000"}]
    /// }], "cycles": []}
    /// ```
    ///
    /// `name`, `labels`, `reason`, `age_ns`, `at`, `holder` (of a mutex: a goroutine's number), `joins` (the same) and
    /// `m` stand only where there is such a thing; the states are `runnable`, `running`, `blocked` and `waiting`.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"policy\": ");
        text(&mut out, self.policy);
        let (procs, count, took) = (self.procs, self.len(), self.took.as_nanos());
        let _ =
            write!(out, ", \"procs\": {procs}, \"goroutines\": {count}, \"took_ns\": {took}, \"groups\": ");
        list(&mut out, &self.groups, group);
        out.push_str(", \"cycles\": ");
        list(&mut out, &self.cycles, |out, cycle| {
            list(out, cycle, |out, number| _ = write!(out, "{number}"))
        });
        out.push('}');
        out
    }
}

fn group(out: &mut String, group: &Group) {
    out.push_str("{\"stack\": ");
    list(out, group.stack(), |out, frame| {
        out.push_str("{\"function\": ");
        text(out, &frame.function);
        if let Some(file) = frame.file() {
            out.push_str(", \"file\": ");
            text(out, file);
        }
        if let Some(line) = frame.line() {
            let _ = write!(out, ", \"line\": {line}");
        }
        out.push('}');
    });
    out.push_str(", \"created_at\": ");
    text(out, &group.goroutines[0].created_at.to_string());
    out.push_str(", \"goroutines\": ");
    list(out, &group.goroutines, goroutine);
    out.push('}');
}

pub(crate) fn goroutine(out: &mut String, sight: &Sight) {
    let _ = write!(out, "{{\"number\": {}, \"parent\": {}", sight.number, sight.parent);
    if !sight.name.is_empty() {
        out.push_str(", \"name\": ");
        text(out, &sight.name);
    }
    if !sight.labels.is_empty() {
        out.push_str(", \"labels\": {");
        for (i, (key, value)) in sight.labels.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { ", " });
            text(out, key);
            out.push_str(": ");
            text(out, value);
        }
        out.push('}');
    }
    out.push_str(", \"ancestors\": ");
    list(out, &sight.ancestors, |out, ancestor| {
        let _ = write!(out, "{{\"number\": {}, \"created_at\": ", ancestor.number);
        text(out, &ancestor.created_at.to_string());
        out.push('}');
    });
    let _ = write!(out, ", \"system\": {}, \"state\": ", sight.system);
    let (name, m) = match sight.state() {
        State::Runnable { .. } => ("runnable", None),
        State::Running(m) => ("running", m),
        State::Blocked(m) => ("blocked", m),
        State::Waiting { .. } => ("waiting", None),
        _ => ("unknown", None),
    };
    text(out, name);
    if let Some(m) = m {
        let _ = write!(out, ", \"m\": {m}");
    }
    if let State::Waiting { reason, age, at } = sight.state() {
        out.push_str(", \"reason\": ");
        text(out, &reason.to_string());
        let _ = write!(out, ", \"age_ns\": {}", age.as_nanos());
        let _ = match at {
            Some(Object::At(address)) => write!(out, ", \"at\": \"{address}\""),
            Some(Object::Goroutine(number)) => write!(out, ", \"joins\": {number}"),
            _ => Ok(()),
        };
        if let Some(holder) = sight.holder {
            let _ = write!(out, ", \"holder\": {holder}");
        }
    }
    out.push('}');
}

pub(crate) fn list<T>(out: &mut String, items: &[T], item: impl Fn(&mut String, &T)) {
    out.push('[');
    for (i, each) in items.iter().enumerate() {
        out.push_str(if i == 0 { "" } else { ", " });
        item(out, each);
    }
    out.push(']');
}

/// A string as JSON has it.
pub(crate) fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        super::text(&mut out, "a\"b\\c\n\u{1}ü");
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001ü\"");
    }
}
