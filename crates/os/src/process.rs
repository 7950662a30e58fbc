//! Processes: [`std::process::Command`], with waits that give the P away.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! let output = gmp::process::Command::new("echo").arg("hello").output()?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # std::io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```
//!
//! A goroutine waits for a child by its pidfd, as for a socket; on a kernel before 5.3 it waits by a blocking call.
//! Pipes are [`Pollable`](gmp_net::Pollable). Starting a process takes some time, during which the thread is blocked:
//! that is declared.

mod child;

use gmp_core::blocking;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process as std_process;

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{ExitStatus, Output, Stdio};

/// A process to be started; see [`std::process::Command`].
#[derive(Debug)]
pub struct Command(std_process::Command);

impl Command {
    /// A command that runs this program. Never suspends.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self(std_process::Command::new(program))
    }

    /// Adds an argument. Never suspends.
    pub fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(argument);
        self
    }

    /// Adds arguments. Never suspends.
    pub fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.0.args(arguments);
        self
    }

    /// Sets a variable of its environment. Never suspends.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.0.env(name, value);
        self
    }

    /// Removes a variable from its environment. Never suspends.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.0.env_remove(name);
        self
    }

    /// Removes all variables from its environment. Never suspends.
    pub fn env_clear(&mut self) -> &mut Self {
        self.0.env_clear();
        self
    }

    /// Sets the folder that it starts in. Never suspends.
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.0.current_dir(folder);
        self
    }

    /// Sets where its standard input comes from. Never suspends.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.0.stdin(stdin);
        self
    }

    /// Sets where its standard output goes. Never suspends.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.0.stdout(stdout);
        self
    }

    /// Sets where its standard error goes. Never suspends.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.0.stderr(stderr);
        self
    }

    /// std's command, for what is not here: users and groups, `pre_exec`. Never suspends.
    pub fn as_std_mut(&mut self) -> &mut std_process::Command {
        &mut self.0
    }

    /// The program. Never suspends.
    pub fn get_program(&self) -> OsString {
        self.0.get_program().into()
    }

    /// Starts it. **Suspends**, as `blocking` does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(blocking(|| self.0.spawn())?)
    }

    /// Runs it to its end. **Suspends.**
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Runs it to its end, without input, and returns what it has written to its output and its error pipe.
    /// **Suspends.**
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        self.0.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn()?.wait_with_output()
    }
}

impl From<std_process::Command> for Command {
    fn from(command: std_process::Command) -> Self {
        Self(command)
    }
}
