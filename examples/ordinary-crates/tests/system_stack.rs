//! The fault: a closure for the thread's stack was inlined into the goroutine's frame (it is also called there, where
//! goroutines are threads), and overflowed the stack that it was to spare.
//!
//! The kind: every function that is called on another stack than the code around it, or in its stead on the same one,
//! has a frame of its own. Only an optimised build shows it, and this package is the one whose tests run in release, too.

use std::hint::black_box;

/// A frame of 512 KiB where a goroutine has 64 KiB: an overflow ends the process.
fn a_large_frame_is_made_on_the_system_stack(builder: gmp::Builder) {
    let runtime = builder.procs(1).stack_size(64 << 10).build().unwrap();
    runtime
        .run(|| {
            let sum =
                gmp::on_system_stack(|| black_box([7_u8; 1 << 19]).iter().fold(0, |sum, byte| sum ^ byte));
            assert_eq!(sum, 0);
            // Whatever is called from plain code, too, has a closure that could be merged with its caller's frame.
            gmp::go(|| gmp::on_system_stack(|| black_box([1_u8; 1 << 19])[9])).join().unwrap();
        })
        .unwrap();
    assert_eq!(gmp::on_system_stack(|| black_box([7_u8; 1 << 19])[0]), 7);
}

#[test]
fn a_large_frame_is_made_on_the_system_stack_with_own_thread_locals() {
    a_large_frame_is_made_on_the_system_stack(gmp::Builder::new());
}

#[test]
fn a_large_frame_is_made_on_the_system_stack_with_shared_thread_locals() {
    // SAFETY: nothing in the test uses thread-locals across a suspension.
    a_large_frame_is_made_on_the_system_stack(unsafe { gmp::Builder::new().share_thread_locals() });
}
