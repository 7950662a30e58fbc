//! Tells valgrind where stacks are, so that it does not take a switch for a wild change of the stack pointer.
//!
//! A client request is a sequence of instructions that does nothing on a processor and that valgrind recognises: four
//! rotations which add up to none, and an exchange of a register with itself. Only this file knows it; no header and
//! no library is needed.

use core::arch::asm;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

/// `VG_USERREQ__RUNNING_ON_VALGRIND`: how many valgrinds run this program, one inside another.
const RUNNING: usize = 0x1001;
/// `VG_USERREQ__STACK_REGISTER`: takes the lowest and highest byte, and gives a number.
const STACK_REGISTER: usize = 0x1501;
/// `VG_USERREQ__STACK_DEREGISTER`: takes the number.
const STACK_DEREGISTER: usize = 0x1502;

/// Registered stacks: lowest byte and valgrind's number. Used under valgrind only.
static REGISTERED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Makes a request; without valgrind the result is 0.
fn request(kind: usize, first: usize, second: usize) -> usize {
    let block = [kind, first, second, 0, 0, 0];
    let result;
    // SAFETY: on a processor this leaves every register as it was; valgrind reads the block and writes rdx.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            inout("rdx") 0_usize => result,
            in("rax") block.as_ptr(),
            // rdi may hold anything: it comes out as it went in.
            options(nostack),
        );
    }
    result
}

/// Whether valgrind runs this program.
pub fn running_on_valgrind() -> bool {
    const UNKNOWN: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    // Relaxed: a caller that asks first, or for a second time, gets the same answer from the request itself.
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => {
            let answer = request(RUNNING, 0, 0) != 0;
            ANSWER.store(u8::from(answer), Ordering::Relaxed);
            answer
        }
        known => known != 0,
    }
}

/// Registers the stack of `size` bytes from `bottom` up, if valgrind is there.
pub(crate) fn register(bottom: usize, size: usize) {
    if running_on_valgrind() {
        let number = request(STACK_REGISTER, bottom, bottom + size - 1);
        REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).push((bottom, number));
    }
}

/// Forgets the registered stacks in a range of addresses.
pub(crate) fn deregister(start: usize, bytes: usize) {
    if running_on_valgrind() {
        let range = start..start + bytes;
        REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).retain(|&(bottom, number)| {
            let ours = range.contains(&bottom);
            if ours {
                request(STACK_DEREGISTER, number, 0);
            }
            !ours
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_valgrind_says_no_and_changes_nothing() {
        let before = REGISTERED.lock().unwrap().len();
        if !running_on_valgrind() {
            assert_eq!(request(RUNNING, 0, 0), 0);
            register(0x1000, 0x1000);
            deregister(0x1000, 0x1000);
        }
        assert_eq!(REGISTERED.lock().unwrap().len(), before);
    }
}
