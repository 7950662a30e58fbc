//! What the bench waits for: the end of a cell's process, or somebody who wants the run to end.
//!
//! The waiting thread sleeps in the kernel until one of the two happens or the time is up. A look every few milliseconds
//! would take CPU time from the cell that is being measured.

use crate::interrupt;
use anyhow::{Context, Result};
use shared_child::SharedChild;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

#[derive(Debug)]
enum Event {
    Ended(std::io::Result<ExitStatus>),
    Interrupted,
}

/// How a cell's process came to its end.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself, or by a signal.
    Exited(ExitStatus),
    /// It took too long and was killed.
    TimedOut,
    /// The whole run is to end; the process was killed.
    Interrupted,
}

/// The events of one run.
#[derive(Debug)]
pub(crate) struct Events {
    sender: Sender<Event>,
    receiver: Receiver<Event>,
}

impl Events {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver }
    }

    /// Ctrl-C, SIGTERM and SIGHUP interrupt the run from here on.
    pub(crate) fn listen_for_signals(&self) -> Result<()> {
        // A second signal finds the run on its way out; a user who cannot wait for that has SIGKILL.
        interrupt::on_signal(self.interrupter())
    }

    /// A function that asks the run to end, from any thread.
    pub(crate) fn interrupter(&self) -> impl Fn() + Send + 'static {
        let sender = self.sender.clone();
        move || drop(sender.send(Event::Interrupted))
    }

    /// Whether somebody wanted the run to end while no process was being waited for.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.receiver.try_iter().any(|event| matches!(event, Event::Interrupted))
    }

    /// Waits until the child ends. It is gone when this returns.
    pub(crate) fn wait(&self, child: SharedChild, limit: Duration) -> Result<End> {
        let child = Arc::new(child);
        let waiter = {
            let (child, sender) = (Arc::clone(&child), self.sender.clone());
            std::thread::spawn(move || drop(sender.send(Event::Ended(child.wait()))))
        };
        let first = self.receiver.recv_timeout(limit);
        let end = match first {
            Ok(Event::Ended(status)) => End::Exited(status.context("cannot wait for the cell")?),
            Ok(Event::Interrupted) => End::Interrupted,
            Err(RecvTimeoutError::Timeout) => End::TimedOut,
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender"),
        };
        if !matches!(end, End::Exited(_)) {
            child.kill().context("cannot end the cell")?;
        }
        let _its_own_result_is_the_event = waiter.join();
        // The end of a killed child is an event, too; the next cell must not take it for its own.
        let rest = self.receiver.try_iter().any(|event| matches!(event, Event::Interrupted));
        Ok(if rest { End::Interrupted } else { end })
    }
}
