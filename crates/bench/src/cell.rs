//! A cell: what one process is asked to measure, and what it answers.

use std::fmt::Write;

/// Anything that stops a cell ends in a message and a non-zero exit code; nobody recovers from it.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The question: library, policy, workload, processors, size.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) lib: String,
    pub(crate) policy: String,
    /// gmp's idle rule, if it is not to be the policy's own.
    pub(crate) idle: Option<String>,
    pub(crate) workload: String,
    pub(crate) procs: usize,
    /// The workload's own size; 0 where the repetition is calibrated by time.
    pub(crate) n: u64,
    /// A smoke run, which proves that the cell works; its figures mean little.
    pub(crate) quick: bool,
    /// Fewer and shorter repetitions, at full sizes.
    pub(crate) short: bool,
    /// How goroutines treat thread-locals; only gmp listens to it.
    pub(crate) mode: String,
    /// Whether events are recorded meanwhile; only gmp listens to it.
    pub(crate) recorder: bool,
    /// Whether Ps are left to goroutines that block or compute without a word; only gmp listens to it.
    pub(crate) no_retake: bool,
    /// How many shards the poller has; only gmp listens to it.
    pub(crate) shards: usize,
}

/// The answer.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) n: u64,
    pub(crate) ns_per_op: f64,
    pub(crate) extra: Vec<(&'static str, f64)>,
}

impl Figures {
    pub(crate) fn new(n: u64, ns_per_op: f64) -> Self {
        Self { n, ns_per_op, extra: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: f64) -> Self {
        self.extra.push((name, value));
        self
    }

    /// The same figures with another one as the one that counts; the spread is left out, since it was the old one's.
    pub(crate) fn counting(mut self, ns_per_op: f64) -> Self {
        self.extra.retain(|(name, _)| !matches!(*name, "min" | "max"));
        Self { ns_per_op, ..self }
    }

    /// The one line of JSON that the process prints. Names are plain ASCII words, so nothing needs escaping.
    pub(crate) fn to_json(&self, cell: &Cell) -> String {
        let mut line = format!(
            r#"{{"lib":"{}","policy":"{}",{}"workload":"{}","procs":{},"n":{},"ns_per_op":{},"extra":{{"#,
            cell.lib,
            cell.policy,
            cell.idle.as_ref().map_or(String::new(), |idle| format!(r#""idle":"{idle}","#)),
            cell.workload,
            cell.procs,
            self.n,
            number(self.ns_per_op)
        );
        for (i, (name, value)) in self.extra.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let _ = write!(line, r#"{comma}"{name}":{}"#, number(*value));
        }
        line.push_str("}}");
        line
    }
}

/// Three digits after the point: the clocks give no more, and JSON knows neither infinity nor NaN.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "null".to_owned() }
}

/// Checks a result that must hold, or the figure is worth nothing.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: T, want: T) -> Result<()> {
    if got == want {
        Ok(())
    } else {
        Err(format!("wrong result: {what} is {got:?}, should be {want:?}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_reads_as_documented() {
        let cell = Cell {
            lib: "gmp".into(),
            policy: "go".into(),
            idle: None,
            workload: "yield_2".into(),
            procs: 1,
            n: 0,
            quick: false,
            short: false,
            mode: "migrating".into(),
            recorder: false,
            no_retake: false,
            shards: 1,
        };
        let figures = Figures::new(1_384_000, 21.9).with("min", 20.0).with("odd", f64::NAN);
        assert_eq!(
            figures.to_json(&cell),
            r#"{"lib":"gmp","policy":"go","workload":"yield_2","procs":1,"n":1384000,"ns_per_op":21.900,"extra":{"min":20.000,"odd":null}}"#
        );
        let frugal = Cell { idle: Some("frugal".into()), ..cell };
        assert!(
            figures.to_json(&frugal).starts_with(r#"{"lib":"gmp","policy":"go","idle":"frugal","workload""#)
        );
    }

    #[test]
    fn a_wrong_result_is_an_error_that_names_both() {
        let message = expect("sum", 3, 4).unwrap_err().to_string();
        assert_eq!(message, "wrong result: sum is 3, should be 4");
    }
}
