//! Declared blocking calls: the P is lent out while its goroutine sits in the operating system.
//!
//! Entering and leaving are plain stores to the P word: sysmon may retake the P for others in the meantime, and the fence
//! between the two is sysmon's to make (`records/p/word.rs`). The goroutine that comes back to a lost P takes any idle
//! one, and queues if there is none.
//!
//! sysmon takes a P only from a call that it sees twice. Where many goroutines make calls that block shortly, as servers
//! do, each of them would keep its P through call after call, idle half of the time, while the others wait. So a P
//! remembers that a call has *held it up*: it lasted as long as sysmon's pause while others waited, so that sysmon might
//! have taken the P. From then on its goroutines queue again *before* each call, as long as others wait: by the time
//! their turn comes, what they wait for is mostly there, and the call does not block at all. Calls that return at once hold
//! nobody up, and keep Go's order.
//!
//! Go: `entersyscall`, `exitsyscall` (proc.go, Go 1.21 for the P word, 1.27 for the order of attempts).

use crate::entering::gate;
use crate::records::g::G;

/// Calls `f`, which may block its thread, while other goroutines use the P. **Suspends**: afterwards, if the P was taken
/// and none is idle; and before, if others wait for a P that such calls have held up, or if at the limit of threads
/// nobody could run the others.
///
/// Inside `f` the goroutine keeps its thread through every call of this crate that never suspends; what it starts there
/// goes to the shared queue. A call that suspends brings it back for its duration. `errno` is a thread's: read it inside
/// `f`. Outside a goroutine, and inside another `blocking`, it just calls `f`.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     gmp::set_max_procs(1);
///     let call = gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(20))));
///     // Goes on at once: the call has lent its P out.
///     gmp::go(|| ()).join().unwrap();
///     assert!(!call.is_finished());
///     call.join().unwrap();
/// }).unwrap();
/// ```
///
/// # Panics
/// As `f` does; the P is back by then.
#[doc(alias = "entersyscall")]
#[doc(alias = "exitsyscall")]
#[track_caller]
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    gate::give_way();
    let Some(here) = gate::pass_or_plain("blocking") else { return gate::in_own_frame(f) };
    let g = here.g();
    let Some(inside) = gate::Inside::unless_declared(here) else {
        // The outer section lasts.
        return gate::in_own_frame(f);
    };
    g.header().runtime().begin_blocking(g);
    let section = Section(g);
    drop(inside);
    // The goroutine may have moved by the time of its next call: were `f` a part of the caller's frame, the compiler might
    // use the address of a thread-local that `f` asked for the last time.
    let result = gate::in_own_frame(f);
    drop(section);
    // A goroutine in a loop of short calls never comes to g0 by itself. Go: `exitsyscall`, which preempts, too.
    gate::give_way();
    result
}

/// A blocking section; ends when dropped, by a panic too.
struct Section(&'static G);

impl Drop for Section {
    fn drop(&mut self) {
        let inside = gate::Inside::as_it_is(self.0);
        self.0.header().runtime().leave_blocking(self.0);
        drop(inside);
    }
}
