//! `Child`: a process that was started.

use gmp_core::{blocking, goroutine, step_aside};
use gmp_net::Pollable;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{self as std_process, ExitStatus, Output};
use std::sync::{Mutex, PoisonError};

/// The pipe to a child's standard input.
pub type ChildStdin = Pollable<PipeWriter>;
/// The pipe from a child's standard output.
pub type ChildStdout = Pollable<PipeReader>;
/// The pipe from a child's standard error.
pub type ChildStderr = Pollable<PipeReader>;

/// The pipe that a child was given, as one that can be waited for.
fn pollable<P: From<OwnedFd> + AsFd>(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Option<Pollable<P>>> {
    pipe.map(|pipe| Pollable::new(P::from(pipe.into()))).transpose()
}

/// A process that was started; see [`std::process::Child`]. Dropping it neither ends it nor waits for it.
#[derive(Debug)]
pub struct Child {
    child: Mutex<std_process::Child>,
    /// The process's pidfd, which is readable when the process has ended. `None`: the kernel has no such thing.
    end: Option<Pollable<OwnedFd>>,
    id: u32,
    /// The pipe to its standard input, if one was asked for.
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if one was asked for.
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if one was asked for.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    pub(super) fn new(mut child: std_process::Child) -> io::Result<Self> {
        let id = child.id();
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        // It is our child, and nobody has waited for it, so the number is still its own.
        let end = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok(Self {
            stdin: pollable(child.stdin.take())?,
            stdout: pollable(child.stdout.take())?,
            stderr: pollable(child.stderr.take())?,
            end: end.map(Pollable::new).transpose()?,
            child: Mutex::new(child),
            id,
        })
    }

    fn with<R>(&self, call: impl FnOnce(&mut std_process::Child) -> R) -> R {
        call(&mut self.child.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The process's number. Never suspends.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Ends it by SIGKILL; nothing happens if it has ended. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(&self) -> io::Result<()> {
        step_aside();
        self.with(std_process::Child::kill)
    }

    /// How it has ended; `None`: it has not. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        step_aside();
        self.with(std_process::Child::try_wait)
    }

    /// Waits for its end, any number of times, from any number of goroutines; the pipe to its input is closed first.
    /// **Suspends.**
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        self.ended()
    }

    fn ended(&self) -> io::Result<ExitStatus> {
        match &self.end {
            Some(end) => end.read_with(|_| self.try_wait()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())),
            None => blocking(|| self.with(std_process::Child::wait)),
        }
    }

    /// Waits for its end, and reads all that it writes meanwhile, if there are pipes. **Suspends.**
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        fn all(from: Option<Pollable<PipeReader>>) -> io::Result<Vec<u8>> {
            let mut all = Vec::new();
            if let Some(mut from) = from {
                from.read_to_end(&mut all)?;
            }
            Ok(all)
        }
        self.stdin = None;
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        // Both are read at once: the child would wait for ever for room in a pipe that nobody reads.
        let gone = || io::Error::other("whoever was to read what the process complains of has not come back");
        let (stdout, stderr) = match goroutine::handle() {
            Some(runtime) => {
                let other = runtime.spawn(None, move || all(stderr));
                let other = other.map_err(|_| io::Error::other("no goroutine could be started to read"))?;
                (all(stdout)?, other.join().map_err(|_| gone())??)
            }
            None => {
                let other = std::thread::spawn(move || all(stderr));
                (all(stdout)?, other.join().map_err(|_| gone())??)
            }
        };
        Ok(Output { status: self.ended()?, stdout, stderr })
    }
}
