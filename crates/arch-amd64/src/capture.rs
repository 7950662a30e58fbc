//! Capture: what another thread executes at this moment. The thread itself copies its registers and its stack, in a
//! signal handler.
//!
//! ```text
//!            capture                 handler                        handler
//!   Idle ──────────────► Asked(tid) ──────────► Writing ──────────────────────► Done
//!     ▲                     │ not in time                                        │ read
//!     └─────────────────────┴────────────────────────────────────────────────────┘
//! ```
//!
//! **Invariant.** The buffer belongs to the handler from Writing to Done, and to `capture` at all other times. Both
//! leave Asked by a compare-and-swap, so a handler that comes late, after `capture` has given up, finds no request and
//! touches nothing; nor does it take up a request that is meant for another thread. One capture is under way at a time,
//! under a lock.
//!
//! The signal is SIGURG, as Go has it for preemption, and for Go's reasons: it is ignored unless somebody asks for it,
//! libraries and debuggers let it pass, and programs that use it must expect it at any time. System calls go on after
//! it (SA_RESTART), except those that the kernel never restarts: sleeps and polls report EINTR, which std hides and
//! other code must handle. What was installed before is called for every SIGURG that is not ours.
//!
//! The handler reads its own stack by a system call that returns an error where memory is missing, and does not fault.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::Amd64Slot;
use gmp_core::contract::CurrentSlot;

/// How much of a stack is copied: its innermost frames.
pub const MOST_COPIED: usize = 64 << 10;

/// The signal by which threads are asked, also to stop (`standstill.rs`).
pub const SIGNAL: libc::c_int = libc::SIGURG;
/// How long it waits between two looks for the answer.
const LOOK_AGAIN: Duration = Duration::from_micros(20);

const IDLE: u32 = 0;
const ASKED: u32 = 1;
const WRITING: u32 = 2;
const DONE: u32 = 3;

/// The registers of a thread that an unwinder needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The instruction that comes next.
    pub pc: usize,
    /// The stack pointer.
    pub sp: usize,
    /// The frame pointer.
    pub frame_pointer: usize,
}

/// What the handler leaves behind.
struct Answer {
    registers: Registers,
    slot: usize,
    copied: usize,
    stack: [u8; MOST_COPIED],
}

struct Place(UnsafeCell<Answer>);

// SAFETY: `STATE` says whose it is.
unsafe impl Sync for Place {}

static STATE: AtomicU32 = AtomicU32::new(IDLE);
static THREAD: AtomicI32 = AtomicI32::new(0);
static ANSWER: Place = Place(UnsafeCell::new(Answer {
    registers: Registers { pc: 0, sp: 0, frame_pointer: 0 },
    slot: 0,
    copied: 0,
    stack: [0; MOST_COPIED],
}));
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Copies the innermost part of a thread's stack into `into`, which it empties first. `None`: the thread has ended, blocks
/// the signal, does not answer within `patience`, or its current-G slot holds something else than `slot`. A thread
/// answers in microseconds if a CPU is free for it.
pub fn capture(thread: i32, slot: usize, patience: Duration, into: &mut Vec<u8>) -> Option<Registers> {
    let (registers, held) = capture_any(thread, patience, into)?;
    if held != slot {
        into.clear();
    }
    (held == slot).then_some(registers)
}

/// [`capture`], whatever the thread's current-G slot holds; that comes beside the registers.
pub fn capture_any(thread: i32, patience: Duration, into: &mut Vec<u8>) -> Option<(Registers, usize)> {
    into.clear();
    let began = Instant::now();
    let _one = loop {
        match ONE_AT_A_TIME.try_lock() {
            Ok(one) => break one,
            Err(TryLockError::Poisoned(one)) => break one.into_inner(),
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(LOOK_AGAIN),
            Err(TryLockError::WouldBlock) => return None,
        }
    };
    install()?;
    THREAD.store(thread, Ordering::Relaxed);
    // ORDER: capture. Release pairs with the handler's acquire: it sees which thread is meant.
    STATE.store(ASKED, Ordering::Release);
    // SAFETY: a signal to a thread of this process, or to none.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) } == 0;
    // ORDER: capture. Acquire pairs with the handler's release: the answer is there.
    while STATE.load(Ordering::Acquire) != DONE {
        if sent && began.elapsed() < patience {
            std::thread::sleep(LOOK_AGAIN);
        } else if STATE.compare_exchange(ASKED, IDLE, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return None;
        } else {
            // The handler is writing at this moment.
            std::thread::yield_now();
        }
    }
    // SAFETY: Done: the handler is through, and no other begins before somebody asks.
    let answer = unsafe { &mut *ANSWER.0.get() };
    into.extend_from_slice(&answer.stack[..answer.copied]);
    // Whoever searches memory for those who refer to something (`standstill.rs`) is not to find the copy.
    answer.stack[..answer.copied].fill(0);
    let (registers, slot) = (answer.registers, answer.slot);
    STATE.store(IDLE, Ordering::Relaxed);
    Some((registers, slot))
}

/// Copies memory of this process that may be missing, or may change meanwhile. Returns how many bytes were copied.
pub fn copy_memory(from: usize, into: &mut [u8]) -> usize {
    const PAGE: usize = 4096;
    // A piece of which one byte is missing is not copied at all, so each piece is one page.
    let mut pieces = [libc::iovec { iov_base: null_mut(), iov_len: 0 }; MOST_COPIED / PAGE + 1];
    let (mut count, mut at, end) = (0, from, from.saturating_add(into.len()));
    while at < end && count < pieces.len() {
        let next = (at / PAGE + 1).saturating_mul(PAGE).min(end);
        pieces[count] = libc::iovec { iov_base: core::ptr::without_provenance_mut(at), iov_len: next - at };
        count += 1;
        at = next;
    }
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: the kernel writes to `into` only, and checks what it reads.
    let copied = unsafe {
        libc::process_vm_readv(
            libc::getpid(),
            &raw const local,
            1,
            pieces.as_ptr(),
            count as libc::c_ulong,
            0,
        )
    };
    usize::try_from(copied).unwrap_or(0)
}

/// Installs the handler, once.
pub(crate) fn install() -> Option<()> {
    if PREVIOUS.get().is_some() {
        return Some(());
    }
    // SAFETY: all zeroes is a valid action, filled in below.
    let mut ours: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    ours.sa_sigaction = handler as *const () as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: only reads the present action into a valid place.
    if unsafe { libc::sigaction(SIGNAL, core::ptr::null(), before.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: filled in by the call. The lock is held, so nobody else installs.
    let _ = PREVIOUS.set(unsafe { before.assume_init() });
    // SAFETY: the handler keeps to what a signal handler may do: it calls the kernel and touches atomics and its buffer.
    (unsafe { libc::sigaction(SIGNAL, &raw const ours, null_mut()) } == 0).then_some(())
}

/// Entered by the kernel on the asked thread, on its signal stack if it has one.
extern "C" fn handler(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel passes the context of the instruction that was interrupted.
    let stack = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RSP as usize] };
    let stopped = crate::halt::stop_if_wanted(stack as usize, context);
    // ORDER: capture. Acquire pairs with the release in `capture`.
    let asked = STATE.load(Ordering::Acquire) == ASKED
        && THREAD.load(Ordering::Relaxed) == crate::cpus::thread_id()
        && STATE.compare_exchange(ASKED, WRITING, Ordering::Acquire, Ordering::Relaxed).is_ok();
    if asked {
        // SAFETY: Writing: the place is ours.
        let answer = unsafe { &mut *ANSWER.0.get() };
        // SAFETY: the kernel passes the context of the instruction that was interrupted.
        let registers = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let register = |which: libc::c_int| registers[which as usize] as usize;
        answer.registers = Registers {
            pc: register(libc::REG_RIP),
            sp: register(libc::REG_RSP),
            frame_pointer: register(libc::REG_RBP),
        };
        answer.slot = Amd64Slot::get().addr();
        answer.copied = copy_memory(answer.registers.sp, &mut answer.stack);
        // ORDER: capture. Release pairs with the acquire in `capture`: the answer is there.
        STATE.store(DONE, Ordering::Release);
    } else if let Some(previous) = PREVIOUS.get().filter(|_| !stopped) {
        // SAFETY: the arguments are the kernel's, and so was the action.
        unsafe { crate::overflow::call(previous, signal, info, context) };
    }
    Errno::set_raw(errno);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    const PATIENCE: Duration = Duration::from_millis(100);

    #[test]
    fn another_threads_stack_is_copied() {
        static STOP: AtomicBool = AtomicBool::new(false);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mark = [0x5eed_5eed_5eed_5eed_u64; 4];
            tell.send((crate::cpus::thread_id(), mark.as_ptr().addr())).unwrap();
            while !STOP.load(Ordering::Relaxed) {
                std::hint::black_box(&mark);
                std::thread::yield_now();
            }
        });
        let (id, mark) = told.recv().unwrap();
        let mut copy = Vec::new();
        let registers =
            std::iter::repeat_with(|| capture(id, 0, PATIENCE, &mut copy)).flatten().next().unwrap();
        assert!(capture(id, 1, PATIENCE, &mut Vec::new()).is_none(), "its slot is null");
        STOP.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        assert!(capture(id, 0, PATIENCE, &mut Vec::new()).is_none(), "it has ended");
        let at = mark - registers.sp;
        assert_eq!(copy[at..at + 8], 0x5eed_5eed_5eed_5eed_u64.to_ne_bytes());
    }

    #[test]
    fn memory_that_is_not_there_is_no_fault() {
        let mut buffer = [1_u8; 10000];
        assert_eq!(copy_memory(8, &mut buffer), 0);
        let source = vec![7_u8; 10000];
        assert_eq!(copy_memory(source.as_ptr().addr(), &mut buffer), 10000);
        assert_eq!(buffer.to_vec(), source);
    }
}
