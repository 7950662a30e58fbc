//! Reading: the parts of a page, each a line of JSON, as `crates/trace/src/page.rs` says.

use anyhow::{Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What stands before the parts, and before each: the page that a program writes is the same.
#[path = "../../../crates/trace/src/page/viewer.rs"]
pub(super) mod viewer;

/// The arrays of a part.
#[derive(Debug, Deserialize)]
struct Part {
    texts: Vec<String>,
    goroutines: Vec<[i64; 5]>,
    runs: Vec<[i64; 11]>,
    calls: Vec<[i64; 6]>,
    marks: Vec<[i64; 5]>,
    left: Vec<[i64; 3]>,
    /// Older versions wrote none.
    #[serde(default)]
    queues: Vec<[i64; 3]>,
    until: i64,
}

/// A trace, as far as tables tell of it.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    parts: Vec<Part>,
    /// Their lines in the page.
    pub(super) lines: Vec<&'a str>,
}

/// Goroutines of one function that were started at one place. Times are in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    pub(super) function: String,
    pub(super) site: String,
    pub(super) goroutines: usize,
    pub(super) runs: usize,
    pub(super) running: i64,
    pub(super) runnable: i64,
    pub(super) waiting: i64,
    pub(super) calls: i64,
}

/// How long a queue was, a P's own or the shared one.
#[derive(Debug, PartialEq)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) longest: i64,
    pub(super) mean: f64,
}

impl<'a> Trace<'a> {
    pub(super) fn read(page: &'a str) -> Result<Self> {
        let mut trace = Self { parts: Vec::new(), lines: Vec::new() };
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with(viewer::PART)).collect();
        for (at, line) in lines.iter().enumerate() {
            let json = line.strip_suffix("</script>").map(|line| &line[viewer::PART.len() - 1..]);
            match json.map(serde_json::from_str) {
                Some(Ok(part)) => trace.parts.push(part),
                Some(Err(error)) => bail!("a part of the trace is not what a program of gmp writes: {error}"),
                // The program ended while it wrote it.
                None if at + 1 == lines.len() => break,
                None => bail!("part {} of the trace lacks its end", at + 1),
            }
            trace.lines.push(line);
        }
        if trace.parts.is_empty() {
            bail!("there is no trace in it; GMP_TRACE=FILE.html and Trace::to_html write one");
        }
        Ok(trace)
    }

    /// The kinds, those that ran longest first.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut names = HashMap::new();
        for part in &self.parts {
            let text = |at: i64| part.texts[at as usize].clone();
            for &[g, function, file, line, _] in &part.goroutines {
                let site = if line == 0 { String::new() } else { format!("{}:{line}", text(file)) };
                names.insert(g, (text(function), site));
            }
        }
        let mut kinds = HashMap::<(String, String), (Kind, HashSet<i64>)>::new();
        let mut add = |g: i64, to: &dyn Fn(&mut Kind)| {
            let key = names.get(&g).cloned().unwrap_or_else(|| ("(started before)".into(), String::new()));
            let (kind, goroutines) = kinds.entry(key).or_default();
            goroutines.insert(g);
            to(kind);
        };
        let until = self.until();
        names.keys().for_each(|g| add(*g, &|_| {}));
        for part in &self.parts {
            for &[_, _, g, _, length, _, waited, runnable, ..] in &part.runs {
                add(g, &|kind| {
                    kind.runs += 1;
                    kind.running += length;
                    kind.waiting += waited;
                    kind.runnable += runnable;
                });
            }
            part.calls.iter().for_each(|&[_, _, g, _, length, _]| add(g, &|kind| kind.calls += length));
            for &[g, does, since] in &part.left {
                add(g, &|kind| {
                    *(if does == 0 { &mut kind.runnable } else { &mut kind.waiting }) += until - since
                });
            }
        }
        let named = |((function, site), (kind, goroutines)): ((String, String), (Kind, HashSet<i64>))| Kind {
            function,
            site,
            goroutines: goroutines.len(),
            ..kind
        };
        let mut kinds: Vec<Kind> = kinds.into_iter().map(named).collect();
        kinds.sort_by(|a, b| b.running.cmp(&a.running).then_with(|| a.function.cmp(&b.function)));
        kinds
    }

    fn until(&self) -> i64 {
        self.parts.last().map_or(0, |part| part.until)
    }

    pub(super) fn runs(&self) -> usize {
        self.parts.iter().map(|part| part.runs.len()).sum()
    }

    /// How many marks are of this kind.
    pub(super) fn marks(&self, kind: i64) -> usize {
        self.parts.iter().flat_map(|part| &part.marks).filter(|mark| mark[3] == kind).count()
    }

    /// The queues of which the trace tells, those of the Ps first.
    pub(super) fn queues(&self) -> Vec<Queue> {
        let mut changes = BTreeMap::<(bool, i64), Vec<(i64, i64)>>::new();
        for &[p, since, length] in self.parts.iter().flat_map(|part| &part.queues) {
            changes.entry((p < 0, p)).or_default().push((since, length));
        }
        let queue = |((is_shared, p), changes): ((bool, i64), Vec<(i64, i64)>)| {
            let ends = changes.iter().skip(1).map(|(since, _)| *since).chain([self.until()]);
            let area: i64 =
                changes.iter().zip(ends).map(|((since, length), end)| length * (end - since)).sum();
            Queue {
                name: if is_shared { "shared".into() } else { format!("P{p}") },
                longest: changes.iter().map(|(_, length)| *length).max().unwrap_or(0),
                mean: area as f64 / (self.until() - changes[0].0).max(1) as f64,
            }
        };
        changes.into_iter().map(queue).collect()
    }

    /// The Ps that ran something.
    pub(super) fn procs(&self) -> usize {
        let runs = self.parts.iter().flat_map(|part| &part.runs);
        runs.map(|run| run[0]).collect::<HashSet<i64>>().len()
    }

    pub(super) fn summary(&self) -> String {
        let time = crate::bench::units::duration(self.until() as f64);
        format!("{} runs on {} Ps in {time}, {} steals", self.runs(), self.procs(), self.marks(0))
    }
}
