//! Signals on a channel. Go: package `os/signal`.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! use gmp::signal::{self, Signal};
//!
//! let stop = signal::notify(&[Signal::INTERRUPT, Signal::TERMINATE])?;
//! let (_requests, to_serve) = gmp::chan::<u32>(0);
//! # std::process::Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status()?;
//! gmp::select! {
//!     recv(to_serve) -> _ => {}
//!     recv(stop) -> signal => assert_eq!(signal, Ok(Signal::TERMINATE)),
//! }
//! # std::io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```
//!
//! The handler does nothing but set a flag and write a byte. A goroutine of the caller's runtime, which waits for that
//! byte as for a socket's, does the rest. Handlers that others have installed go on being called.

mod table;

use gmp_core::goroutine;
use gmp_net::Pollable;
use gmp_sync::channel::{Receiver, Sender, chan};
use signal_hook::low_level::{pipe, unregister};
use signal_hook::{SigId, flag};
use std::fmt;
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $number:ident;)*) => {
        impl Signal {
            $(
                $(#[$doc])*
                pub const $name: Signal = Signal(signal_hook::consts::$number);
            )*
        }

        impl fmt::Debug for Signal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$name => f.write_str(stringify!($number)),)*
                    Self(number) => write!(f, "signal {number}"),
                }
            }
        }
    };
}

signals! {
    /// The terminal has gone; a server takes it as the request to read its settings again.
    HANGUP = SIGHUP;
    /// Control-C.
    #[doc(alias = "Interrupt")]
    INTERRUPT = SIGINT;
    /// Control-\.
    QUIT = SIGQUIT;
    /// The request to end, which service managers send first.
    TERMINATE = SIGTERM;
    /// For the program's own use.
    USER1 = SIGUSR1;
    /// For the program's own use.
    USER2 = SIGUSR2;
    /// The terminal has another size.
    WINDOW = SIGWINCH;
    /// A child has ended, or stopped.
    CHILD = SIGCHLD;
    /// A write to a pipe that nobody reads. Rust's programs ignore it from the start.
    PIPE = SIGPIPE;
}

impl Signal {
    /// The signal with this number. Never suspends.
    pub fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number. Never suspends.
    pub fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The signals that [`notify`] asked for, on a channel: it is used as the [`Receiver`] to which it dereferences.
/// Dropping it ends the request; then the system's default action is taken again, unless others have asked for the
/// signal or it is [ignored](ignore).
#[doc(alias = "Stop")]
pub struct Signals {
    receiver: Receiver<Signal>,
    pipe: Arc<Pollable<UnixStream>>,
    wanted: Vec<Wanted>,
}

/// A signal that is wanted, and its handlers.
struct Wanted {
    signal: Signal,
    came: Arc<AtomicBool>,
    handlers: Vec<SigId>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            unregister(handler);
        }
        table::unwanted(self.signal.0);
    }
}

/// Makes these signals come on a channel, in place of the system's default action. Never suspends; receiving does.
///
/// The channel has room for one of each. A signal that comes again before it was received counts once, as signals do.
///
/// A goroutine of the caller's runtime waits for them, until the [`Signals`] are dropped or the runtime closes.
///
/// # Errors
/// A signal that cannot be handled (SIGKILL, SIGSTOP, faults); too many open files; the caller is no goroutine.
#[doc(alias = "Notify")]
pub fn notify(signals: &[Signal]) -> io::Result<Signals> {
    let Some(runtime) = goroutine::handle() else {
        return Err(io::Error::other(
            "signal::notify was called outside a goroutine; a goroutine of the caller's runtime waits for the signals",
        ));
    };
    let (read, write) = UnixStream::pair()?;
    let mut wanted = Vec::new();
    for &signal in signals {
        refuse_forbidden(signal)?;
        table::wanted(signal.0)?;
        let mut one = Wanted { signal, came: Arc::default(), handlers: Vec::new() };
        // The flag is registered first: whoever reads the byte finds it set.
        one.handlers.push(flag::register(signal.0, Arc::clone(&one.came))?);
        one.handlers.push(pipe::register(signal.0, write.try_clone()?)?);
        wanted.push(one);
    }
    let (sender, receiver) = chan(signals.len().max(1));
    let pipe = Arc::new(Pollable::new(read)?);
    let flags: Vec<_> = wanted.iter().map(|wanted| (wanted.signal, Arc::clone(&wanted.came))).collect();
    let reader = Arc::clone(&pipe);
    let started = runtime.spawn(None, move || pass_on(&reader, &flags, &sender));
    started.map_err(|_| io::Error::other("no goroutine could be started that waits for the signals"))?;
    Ok(Signals { receiver, pipe, wanted })
}

/// Sends the signals whose flags are set, whenever a byte comes, until the pipe is closed.
fn pass_on(mut pipe: &Pollable<UnixStream>, flags: &[(Signal, Arc<AtomicBool>)], to: &Sender<Signal>) {
    while matches!(pipe.read(&mut [0; 64]), Ok(1..)) {
        for (signal, came) in flags {
            // Relaxed, since the byte that was read was written after the flag was set.
            if came.swap(false, Relaxed) {
                // There is room for one of each; if it is still full, that one has not been received yet.
                let _ = to.try_send(*signal);
            }
        }
    }
}

impl Deref for Signals {
    type Target = Receiver<Signal>;

    fn deref(&self) -> &Receiver<Signal> {
        &self.receiver
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // Its goroutine ends.
        let _ = self.pipe.close();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.wanted.iter().map(|wanted| wanted.signal)).finish()
    }
}

/// Makes the process do nothing when these signals come, except for those who are [notified](notify). A program that is
/// started from here has the system's defaults. Never suspends.
///
/// # Errors
/// A signal that cannot be handled.
#[doc(alias = "Ignore")]
pub fn ignore(signals: &[Signal]) -> io::Result<()> {
    set_ignored(signals, true)
}

/// Ends [`ignore`]: the system's default action is taken again, unless somebody is [notified](notify). Never suspends.
///
/// # Errors
/// A signal that cannot be handled.
#[doc(alias = "Reset")]
pub fn reset(signals: &[Signal]) -> io::Result<()> {
    set_ignored(signals, false)
}

fn set_ignored(signals: &[Signal], ignored: bool) -> io::Result<()> {
    gmp_core::step_aside();
    for &signal in signals {
        refuse_forbidden(signal)?;
        table::set_ignored(signal.0, ignored)?;
    }
    Ok(())
}

fn refuse_forbidden(signal: Signal) -> io::Result<()> {
    if signal_hook::consts::FORBIDDEN.contains(&signal.0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "{signal} cannot be handled: it is the system's, or says that the program has gone wrong"
            ),
        ));
    }
    Ok(())
}
