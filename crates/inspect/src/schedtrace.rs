//! One line a period about the scheduler, in Go's format, so that what is written about `GODEBUG=schedtrace` applies.
//!
//! What gmp has no counterpart for is 0, `false` or empty; the order of the fields is Go's (`schedtrace`, proc.go, Go
//! 1.27).

use core::fmt::{self, Display};
use gmp_core::runtime::Handle;
use gmp_core::schedule::{Schedule, ScheduleG, ScheduleM, ScheduleP};
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Lines are printed for as long as this lives.
#[derive(Debug)]
pub struct Traced {
    _stop: Sender<()>,
}

/// Prints the state of a runtime's scheduler to standard error once each `period`, for as long as the result lives; with
/// `detail` every P, M and goroutine in lines of their own.
///
/// # Errors
/// The operating system refused a thread.
pub fn schedtrace(handle: Handle, period: Duration, detail: bool) -> io::Result<Traced> {
    let (stop, stopped) = channel::<()>();
    let began = Instant::now();
    gmp_core::helpers::spawn("gmp-schedtrace", move || {
        while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            let lines = Lines { schedule: handle.schedule(detail), after: began.elapsed(), detail };
            crate::signals::write_all(format!("{lines}\n").as_bytes());
        }
    })?;
    Ok(Traced { _stop: stop })
}

struct Lines {
    schedule: Schedule,
    after: Duration,
    detail: bool,
}

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = &self.schedule;
        write!(f, "SCHED {}ms: gomaxprocs={} idleprocs={}", self.after.as_millis(), it.procs, it.idle_procs)?;
        write!(f, " threads={} spinningthreads={} needspinning=0", it.threads, it.spinning)?;
        write!(f, " idlethreads={} runqueue={}", it.idle_threads, it.shared_queue)?;
        if !self.detail {
            f.write_str(" [")?;
            it.ps.iter().try_for_each(|p| write!(f, " {}", p.queue))?;
            f.write_str(" ] schedticks=[")?;
            it.ps.iter().try_for_each(|p| write!(f, " {}", p.tick))?;
            return f.write_str(" ]");
        }
        write!(f, " gcwaiting=false nmidlelocked={}", it.idle_locked)?;
        write!(f, " stopwait={} sysmonwait={}", it.stop_wait, it.sysmon_asleep)?;
        it.ps.iter().try_for_each(|p| p_line(f, p))?;
        it.ms.iter().try_for_each(|m| m_line(f, m))?;
        it.gs.iter().try_for_each(|g| g_line(f, g, &it.ms))
    }
}

/// A number, or Go's word for none.
fn or_nil(number: Option<impl Display>) -> String {
    number.map_or_else(|| "nil".into(), |number| number.to_string())
}

fn p_line(f: &mut fmt::Formatter<'_>, p: &ScheduleP) -> fmt::Result {
    write!(f, "\n  P{}: status={} schedtick={} syscalltick={}", p.id, p.status, p.tick, p.calls)?;
    write!(f, " m={} runqsize={} gfreecnt=0 timerslen={}", or_nil(p.m), p.queue, p.timers)
}

fn m_line(f: &mut fmt::Formatter<'_>, m: &ScheduleM) -> fmt::Result {
    write!(f, "\n  M{}: p={} curg={} mallocing=0 throwing=0", m.id, or_nil(m.p), or_nil(m.running))?;
    write!(f, " preemptoff= locks=0 dying=0 spinning={}", m.spinning)?;
    let blocked = m.p.is_none() && m.running.is_none();
    write!(f, " blocked={blocked} lockedg={}", or_nil(m.locked))
}

fn g_line(f: &mut fmt::Formatter<'_>, g: &ScheduleG, ms: &[ScheduleM]) -> fmt::Result {
    let reason = g.reason.map(|reason| reason.to_string()).unwrap_or_default();
    let locked = ms.iter().find(|m| m.locked == Some(g.number)).map(|m| m.id);
    write!(f, "\n  G{}: status={}({reason}) m={} lockedm={}", g.number, g.status, or_nil(g.m), or_nil(locked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_gos() {
        let schedule = Schedule::default();
        let line = Lines { schedule, after: Duration::from_millis(109), detail: false }.to_string();
        let expected = "SCHED 109ms: gomaxprocs=0 idleprocs=0 threads=0 spinningthreads=0 needspinning=0 \
                        idlethreads=0 runqueue=0 [ ] schedticks=[ ]";
        assert_eq!(line, expected);
    }
}
