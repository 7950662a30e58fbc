//! Blocks: what makes a flow of control a thread to everybody but the kernel.
//!
//! On x86-64 a thread's thread-locals, and what libc keeps of the thread, lie in one block, and the FS register holds
//! its *base*. A flow with a block of its own has thread-locals of its own, on whichever thread it runs; the switch
//! (`own.rs`) saves and restores the base like any register.
//!
//! ```text
//!   lower addresses
//!   +--------------------------------------+
//!   |  reserve for modules loaded later    |   zero, touched by nobody before
//!   +--------------------------------------+  <- base - used
//!   |  static thread-locals of all modules |   libc's last, then libraries', the program's next to the base
//!   +--------------------------------------+  <- base: FS
//!   |  the base itself; the dtv; the base  |   ABI: the words at 0 and 16 hold the base, at 8 the dtv's address
//!   |  stack guard, pointer guard          |   ABI: 40 and 48
//!   |  struct pthread                      |   glibc's own: list of threads, tid, keys, resolver, rseq, ...
//!   +--------------------------------------+
//!   higher addresses
//! ```
//!
//! # How a block is made
//!
//! No offset of glibc's stands in this crate. A thread that was just born on memory of ours is *photographed*
//! (`newborn.rs`), and a block is a copy of that photograph in which every word is what it would be in a thread at that
//! place (`blueprint.rs`). So a block has whatever glibc of this version gives to a thread.
//!
//! | part | is | because |
//! | --- | --- | --- |
//! | words that point into the block (base, resolver state, first keys, robust list) | own, moved | as in every thread |
//! | thread-locals of Rust and of libraries | own, fresh for each goroutine | what this is all about |
//! | `errno` | own, 0 for each goroutine | as in every thread |
//! | locale | own; global again for each goroutine | `uselocale` is a thread's |
//! | ctype tables | as a thread's that was born when the first such runtime was built | they follow the locale of that time |
//! | resolver state, buffers of `strerror` and `dlerror` | own; the next goroutine of the block inherits the buffers | they hold memory, and no call hands out what another left |
//! | malloc's cache and arena | shared with the thread: the switch takes the two words along | no suspension happens inside malloc; a cache for each goroutine would cost 0.8 KB and be cold |
//! | caches of other allocators | own, or shared with the thread by `per_thread.rs` | they lie in thread-locals that nobody but them knows |
//! | stack guard, pointer guard | the process's | frames and jump buffers are made and checked in one flow, but compared with the process's value |
//! | dtv | own, grown by glibc | modules loaded later are found by it |
//! | pthread keys | own; destructors run at the goroutine's end | as in every thread |
//! | tid | own, a number that no kernel thread has | owners of recursive mutexes must stay the same over a migration; whoever sends a signal by it is told that there is no such thread |
//! | links of glibc's list of threads | our chain (`chain.rs`) | `dlopen` initialises a new module's part in each block on the list; `fork` unlinks |
//! | stack's address and size | the goroutine's | `pthread_getattr_np` |
//! | rseq area | says "registration failed" | the kernel writes the thread's, not ours |
//! | start routine, cleanup buffer, cancellation | empty | nobody started it, and nobody may cancel it |
//!
//! # When it is refused
//!
//! [`available`] makes the experiments once in a process and tries a block (`trial.rs`). Anything that is not as
//! expected leads to a refusal that says what it was: nothing is guessed. Only if the system refused memory or a thread
//! for an experiment is it made again the next time.

mod base;
mod blueprint;
mod chain;
mod ending;
mod fork;
mod key;
mod missing;
mod modules;
#[cfg(test)]
mod moving;
mod newborn;
mod pool;
mod symbols;
mod trial;

use std::sync::{Mutex, OnceLock, PoisonError};

pub(crate) use base::{CARRIED, base, call_on};
pub(crate) use blueprint::describe_stack;
pub(crate) use ending::end_of_flow;
pub(crate) use fork::HomeGuard;
pub use missing::Missing;
pub(crate) use pool::{flush, make_fresh, put, take};

/// Tries, once in a process, whether blocks can be made and behave as threads' do; anew if the system refused what the
/// trial needs.
///
/// # Errors
/// [`Missing`]: it says what is not as it would have to be.
pub fn available() -> Result<(), Missing> {
    static ANSWER: OnceLock<Result<(), Missing>> = OnceLock::new();
    static LOOKING: Mutex<()> = Mutex::new(());
    if let Some(answer) = ANSWER.get() {
        return answer.clone();
    }
    let _one = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = ANSWER.get() {
        return answer.clone();
    }
    let answer = find_out();
    if answer.as_ref().is_err_and(Missing::is_for_now) {
        return answer;
    }
    ANSWER.get_or_init(|| answer).clone()
}

/// What it has done before a refusal for now is not done again. One at a time.
fn find_out() -> Result<(), Missing> {
    if cfg!(not(target_env = "gnu")) {
        return Err(Missing::new("this program is built for another C library than glibc"));
    }
    if cfg!(target_feature = "crt-static") {
        return Err(Missing::new(
            "glibc is linked statically, so that its private functions cannot be looked up",
        ));
    }
    const FSGSBASE: u64 = 1 << 1;
    // SAFETY: reads the vector that the kernel passed to the process; 0 if the entry is missing.
    if unsafe { libc::getauxval(libc::AT_HWCAP2) } & FSGSBASE == 0 {
        return Err(Missing::new(
            "the kernel does not let programs set the FS register (FSGSBASE, Linux 5.9)",
        ));
    }
    if crate::running_on_valgrind() {
        return Err(Missing::new("valgrind does not know the instruction that sets the FS register"));
    }
    blueprint::draw()?;
    fork::install()?;
    trial::run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use core::ffi::c_void;

    thread_local! { static MARK: Cell<u64> = const { Cell::new(0x0123_4567_89ab_cdef) } }

    /// `None`: the test is skipped, since there is no such mode here.
    fn block() -> Option<usize> {
        match available() {
            Ok(()) => Some(take().unwrap()),
            Err(missing) => {
                eprintln!("skipped: {missing}");
                None
            }
        }
    }

    #[test]
    fn a_block_is_little_larger_than_glibcs_own() {
        if available().is_ok() {
            let blueprint = blueprint::blueprint();
            // glibc 2.36: 2.3 KB of its own, 1.7 KB of reserve, and the program's thread-locals.
            let bytes = blueprint.below + blueprint.above;
            assert!(
                bytes < 6 << 10,
                "{bytes}: {} below the base and {} above",
                blueprint.below,
                blueprint.above
            );
        }
    }

    #[test]
    fn the_last_block_comes_first_and_is_fresh() {
        unsafe extern "C" fn change(seen: *mut c_void) {
            // SAFETY: the test passes it.
            unsafe { *seen.cast::<u64>() = MARK.replace(1) };
        }
        let Some(first) = block() else { return };
        let mut seen = 0_u64;
        for _ in 0..3 {
            // SAFETY: nobody else has the block, and the call neither suspends nor unwinds.
            unsafe { call_on(first, change, (&raw mut seen).cast()) };
            assert_eq!(seen, 0x0123_4567_89ab_cdef);
            make_fresh(first);
            put(first);
            assert_eq!(take().unwrap(), first);
        }
        assert_eq!(MARK.get(), 0x0123_4567_89ab_cdef, "the thread's own is untouched");
        put(first);
        flush();
    }

    #[test]
    fn blocks_go_round_between_threads() {
        let Some(first) = block() else { return };
        put(first);
        flush();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    let blocks: Vec<_> = (0..200).map(|_| take().unwrap()).collect();
                    let mut bases = blocks.clone();
                    bases.dedup();
                    assert_eq!(bases.len(), 200);
                    blocks.iter().for_each(|&block| put(block));
                    flush();
                    blocks
                })
            })
            .collect();
        let mut all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert!((200..=801).contains(&all.len()));
        assert!(all.iter().all(|base| base.is_multiple_of(64)));
    }
}
