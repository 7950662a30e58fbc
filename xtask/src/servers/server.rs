//! A server's process, and what it uses.

use anyhow::{Context, Result, ensure};
use std::fs::read_to_string;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server that listens. It is ended when this is dropped.
pub(super) struct Server {
    child: Child,
    port: u16,
}

/// What a process has used so far.
pub(super) struct Used {
    /// Seconds of CPU time, the system's part included.
    pub(super) cpu: f64,
    pub(super) threads: f64,
    /// The most memory that was resident at once.
    pub(super) mebibytes: f64,
}

impl Server {
    /// Starts one, which prints at what address it listens.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let shown = format!("{command:?}");
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {shown}"))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        // It is ended from here on, whatever happens.
        let mut server = Self { child, port: 0 };
        read.transpose()?;
        server.port =
            port(&line).with_context(|| format!("{shown} does not say where it listens, but {line:?}"))?;
        Ok(server)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn used(&self) -> Result<Used> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.child.id());
            read_to_string(&path).with_context(|| format!("cannot read {path}: the server has ended"))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        let of =
            |name| number_after(&status, name).with_context(|| format!("no {name} in the server's status"));
        let cpu = cpu_seconds(&stat).context("no CPU time in the server's state")?;
        ensure!(cpu.is_finite(), "an odd CPU time");
        Ok(Used { cpu, threads: of("Threads:")?, mebibytes: of("VmHWM:")? / 1024.0 })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn port(line: &str) -> Option<u16> {
    line.trim().rsplit_once(':')?.1.parse().ok()
}

fn number_after(status: &str, name: &str) -> Option<f64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// User's and system's time from `/proc/PID/stat`, in ticks of 10 ms there. The name may hold anything but ends with the
/// last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 150 50 0 0 20 0 4 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(number_after("Name:\tx\nThreads:\t4\nVmHWM:\t  2048 kB\n", "VmHWM:"), Some(2048.0));
        assert_eq!((port("listening at 127.0.0.1:8080\n"), port("cannot bind")), (Some(8080), None));
    }

    #[test]
    fn who_does_not_listen_is_named() {
        let error = Server::start(Command::new("true")).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("\"true\" does not say where it listens"), "{error}");
    }
}
