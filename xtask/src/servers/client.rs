//! Clients that load a server, and what they say of it.

use crate::bench::machine::has;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// A client, and how much it asks.
pub(super) enum Client {
    Redis { connections: u64, pipeline: u64, requests: u64 },
    Wrk { connections: u64, seconds: u64 },
}

/// What a client has seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    /// Requests a second.
    pub(super) rate: f64,
    pub(super) requests: f64,
    /// Milliseconds until half, and 99 of 100, were answered.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// Says which clients are missing, and where they come from.
pub(super) fn are_installed() -> Result<()> {
    ensure!(has("redis-benchmark"), "there is no `redis-benchmark` (Debian: apt-get install redis-tools)");
    // It has no way to be asked for its version that ends well.
    let wrk = Command::new("wrk").arg("-v").output();
    ensure!(wrk.is_ok(), "there is no `wrk` (Debian: apt-get install wrk)");
    Ok(())
}

impl Client {
    /// Loads the server at a port of this machine.
    pub(super) fn load(&self, port: u16) -> Result<Load> {
        match *self {
            Self::Redis { connections, pipeline, requests } => {
                let mut command = Command::new("redis-benchmark");
                command.args(["-p", &port.to_string(), "-c", &connections.to_string()]);
                command.args(["-P", &pipeline.to_string(), "-n", &requests.to_string()]);
                // A thousand keys, so that the table does not stay in the first cache.
                command.args(["-t", "set,get", "-r", "1000", "--csv"]);
                let said = output(&mut command)?;
                redis(&said, requests as f64).with_context(|| format!("redis-benchmark says {said:?}"))
            }
            Self::Wrk { connections, seconds } => {
                let mut command = Command::new("wrk");
                command.args([
                    "-t2",
                    "-c",
                    &connections.to_string(),
                    "-d",
                    &format!("{seconds}s"),
                    "--latency",
                ]);
                let said = output(command.arg(format!("http://127.0.0.1:{port}/")))?;
                let errors =
                    said.lines().find(|line| line.contains("Socket errors") || line.contains("Non-2xx"));
                ensure!(errors.is_none(), "wrk says: {}", errors.unwrap_or_default().trim());
                wrk(&said).with_context(|| format!("wrk says {said:?}"))
            }
        }
    }
}

fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Servers of ours have no CONFIG, which it takes for a word of warning.
    let errors: Vec<_> = err.lines().filter(|line| !line.is_empty() && !line.contains("CONFIG")).collect();
    ensure!(
        output.status.success() && errors.is_empty(),
        "{shown}: {}; {}",
        output.status,
        errors.join("; ")
    );
    Ok(out.into_owned())
}

/// `"SET","14522.22","2.239","0.160","1.271","6.527","9.399","23.615"`: a line for each command, with its rate, and the
/// average, least, p50, p95, p99 and most milliseconds.
fn redis(said: &str, requests: f64) -> Option<Load> {
    let mut seconds = 0.0;
    let (mut all, mut p50, mut p99) = (0.0, 0.0_f64, 0.0_f64);
    for line in said.lines().filter(|line| !line.starts_with("\"test\"")) {
        let fields: Vec<f64> = line
            .split(',')
            .skip(1)
            .map(|field| field.trim_matches('"').parse().ok())
            .collect::<Option<_>>()?;
        let [rate, _, _, half, _, most, _] = fields[..] else { return None };
        seconds += requests / rate;
        all += requests;
        (p50, p99) = (p50.max(half), p99.max(most));
    }
    (all > 0.0).then(|| Load { rate: all / seconds, requests: all, p50, p99 })
}

fn wrk(said: &str) -> Option<Load> {
    let word_of = |line: &str, n: usize| Some(line.split_whitespace().nth(n)?.to_owned());
    let line_with = |text: &str| said.lines().find(|line| line.contains(text));
    let percentile = |text: &str| milliseconds(&word_of(line_with(text)?, 1)?);
    Some(Load {
        rate: word_of(line_with("Requests/sec:")?, 1)?.parse().ok()?,
        requests: word_of(line_with(" requests in ")?, 0)?.parse().ok()?,
        p50: percentile(" 50% ")?,
        p99: percentile(" 99% ")?,
    })
}

/// `1.27ms`, `830.00us` or `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let (digits, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    Some(digits.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_benchmark_says_is_understood() {
        let said = "\"test\",\"rps\",\"avg_latency_ms\"\n\
            \"SET\",\"100.00\",\"2.2\",\"0.1\",\"1.5\",\"6.5\",\"9.0\",\"23.6\"\n\
            \"GET\",\"300.00\",\"2.2\",\"0.1\",\"1.0\",\"6.5\",\"9.5\",\"23.6\"\n";
        let load = redis(said, 600.0).unwrap();
        assert_eq!(load, Load { rate: 150.0, requests: 1200.0, p50: 1.5, p99: 9.5 });
        assert_eq!(redis("ERR no such command", 600.0), None);
    }

    #[test]
    fn what_wrk_says_is_understood() {
        let said = "  Latency Distribution\n     50%  500.00us\n     75%   10.31ms\n     99%    1.02s \n\
            \x20 31934 requests in 2.10s, 2.44MB read\nRequests/sec:  15228.79\n";
        let load = wrk(said).unwrap();
        assert_eq!(load, Load { rate: 15228.79, requests: 31934.0, p50: 0.5, p99: 1020.0 });
        assert_eq!(wrk("unable to connect"), None);
    }
}
