//! A socket on which a running program answers questions about itself: what `gmp-top` shows.
//!
//! ```text
//!   the one who asks                  the program
//!   ────────────────                  ───────────
//!   look 200\n             ─────►     ok 5321\n and so many bytes: JSON
//!   stack 17\n             ─────►     ok 412\n  text
//!   dump\n                 ─────►     ok 93211\n text
//!   trace 5 page\n         ─────►     ok 80812\n  a page for a browser; or: error this program ...\n
//! ```
//!
//! | request | answer |
//! | --- | --- |
//! | `look N` | the figures, Ps, sites and up to N goroutines, those that have waited longest first: `look.rs` |
//! | `stack NUMBER` | that goroutine as a dump shows it |
//! | `dump`, `dump json` | every goroutine |
//! | `metrics` | what a program gave to be told under this name, as `gmp` gives its metrics |
//! | `trace SECONDS`, `trace SECONDS FORMAT` | the same: a trace of the next seconds, in the format `go`, which is meant if none is said, or `page` |
//!
//! **Nobody who asks can hold up the program.** Answers are made by threads of their own that are no Ms, one for each who
//! asks, eight at most; they look at goroutines as a dump does, and an answer that nobody reads is given up after 5 s. Only
//! processes of the program's own user, and root, are answered.

use crate::dump::dump;
use crate::look::look;
use gmp_core::helpers;
use gmp_core::runtime::Handle;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// The most that ask at a time.
const MOST_CLIENTS: usize = 8;
/// The longest request.
const MOST_BYTES: u64 = 1 << 10;
/// For how long an answer waits for its reader.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers a request of this name that is not answered here: gets what stands behind the name.
pub type Answer = fn(&Handle, &str) -> Result<Vec<u8>, String>;

/// Further requests that are answered, by name.
pub type Answers = &'static [(&'static str, Answer)];

/// The program answers for as long as this lives. Dropped, it takes the socket's file away.
#[derive(Debug)]
pub struct Served {
    path: PathBuf,
    listener: UnixListener,
    over: Arc<AtomicBool>,
}

/// Answers at a socket of this path.
///
/// # Errors
/// What the operating system said: somebody else listens there, or there is another file, or no thread.
pub fn serve(handle: Handle, path: &Path, answers: Answers) -> io::Result<Served> {
    let listener = bind(path).map_err(|error| {
        io::Error::new(error.kind(), format!("the socket {} (Builder::inspect): {error}", path.display()))
    })?;
    let over = Arc::new(AtomicBool::new(false));
    let served = Served { path: path.into(), listener: listener.try_clone()?, over: over.clone() };
    helpers::spawn("gmp-inspect", move || accept_all(&listener, &handle, answers, &over))?;
    Ok(served)
}

impl Drop for Served {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        let _ = std::fs::remove_file(&self.path);
        // SAFETY: the listener is open.
        unsafe { libc::shutdown(self.listener.as_raw_fd(), libc::SHUT_RDWR) };
    }
}

/// Binds a socket, in the place of one at which nobody listens any more.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    // Whoever connects before this is asked who he is all the same.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Whether it is the socket of a program that is gone.
fn is_dead(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn accept_all(listener: &UnixListener, handle: &Handle, answers: Answers, over: &Arc<AtomicBool>) {
    let clients = Arc::new(AtomicUsize::new(0));
    while !over.load(Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            // Out of descriptors, say.
            std::thread::sleep(Duration::from_millis(10));
            continue;
        };
        if over.load(Relaxed) || !is_ours(&stream) {
            continue;
        }
        if clients.fetch_add(1, Relaxed) >= MOST_CLIENTS {
            clients.fetch_sub(1, Relaxed);
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let _ = (&stream).write_all(b"error too many ask at once\n");
            continue;
        }
        let (handle, over, leaves) = (handle.clone(), over.clone(), Leaves(clients.clone()));
        // Without a thread nobody is answered.
        let _ = helpers::spawn("gmp-inspect", move || {
            let _leaves = leaves;
            let _ = answer_all(&stream, &handle, answers, &over);
        });
    }
}

/// One who asks, no more when this is dropped.
struct Leaves(Arc<AtomicUsize>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Whether a process of our own user, or root, is at the other end.
fn is_ours(stream: &UnixStream) -> bool {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the option is of this type, and the descriptor is open.
    let asked = unsafe {
        let (peer, length) = ((&raw mut peer).cast(), &raw mut length);
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, length)
    };
    // SAFETY: it only tells a number.
    asked == 0 && (peer.uid == 0 || peer.uid == unsafe { libc::geteuid() })
}

fn answer_all(
    mut stream: &UnixStream,
    handle: &Handle,
    answers: Answers,
    over: &AtomicBool,
) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    // Wakes up now and then, to see whether the runtime is still there.
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut requests = BufReader::new(stream);
    let mut line = String::new();
    while !over.load(Relaxed) {
        match requests.by_ref().take(MOST_BYTES).read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if line.ends_with('\n') => {}
            Ok(_) if line.len() as u64 >= MOST_BYTES => return Ok(()),
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                continue;
            }
            Err(error) => return Err(error),
        }
        match answer(line.trim(), handle, answers) {
            Ok(bytes) => {
                stream.write_all(format!("ok {}\n", bytes.len()).as_bytes())?;
                stream.write_all(&bytes)?;
            }
            Err(why) => stream.write_all(format!("error {}\n", why.replace('\n', " ")).as_bytes())?,
        }
        line.clear();
    }
    Ok(())
}

fn answer(request: &str, handle: &Handle, answers: Answers) -> Result<Vec<u8>, String> {
    let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
    let number = || rest.trim().parse::<u64>().map_err(|_| format!("{name} wants a number, not {rest:?}"));
    match (name, rest) {
        ("look", _) => Ok(look(handle, usize::try_from(number()?).unwrap_or(usize::MAX)).into_bytes()),
        ("dump", "") => Ok(dump(handle).to_string().into_bytes()),
        ("dump", "json") => Ok(dump(handle).to_json().into_bytes()),
        ("stack", _) => {
            let number = number()?;
            let found =
                crate::dump::one(handle, number).ok_or_else(|| format!("there is no goroutine {number}"))?;
            Ok(found.to_string().into_bytes())
        }
        _ => match answers.iter().find(|(its, _)| *its == name) {
            Some((_, answer)) => answer(handle, rest),
            None if name == "trace" => Err("this program was built without a tracer".into()),
            None => Err(format!("nothing is known of {name:?}")),
        },
    }
}
