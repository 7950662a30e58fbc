//! loom model of the extra's cell: somebody who reads against the owner, who frees.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Threads: two. Preemptions: unbounded. What the pointer leads to is in a cell of loom's, which the owner writes where the
//! real one frees, and the reader reads where the real one copies.

use super::extra::{Extra, ExtraCell, Readers};
use crate::ground::sync::{Arc, UnsafeCell, thread};

struct Shared {
    cell: ExtraCell,
    readers: Readers,
    content: UnsafeCell<u32>,
}

// SAFETY: loom finds who touches the content beside another.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

#[test]
fn nothing_is_freed_under_a_reader() {
    loom::model(|| {
        let shared =
            Arc::new(Shared { cell: ExtraCell::new(), readers: Readers::new(), content: UnsafeCell::new(7) });
        assert!(shared.cell.replace_beside(&shared.readers, Some(Box::default())).is_none());
        let reader = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let reading = shared.readers.enter();
                if reading.look(&shared.cell).is_some() {
                    // SAFETY: loom judges it.
                    shared.content.with(|content| assert_eq!(unsafe { *content }, 7));
                }
            })
        };
        let freed: Option<Box<Extra>> = shared.cell.replace_beside(&shared.readers, None);
        // SAFETY: loom judges it.
        shared.content.with_mut(|content| unsafe { *content = 8 });
        assert!(freed.is_some());
        reader.join().unwrap();
    });
}
