//! Models of the ring of records. Two threads, a ring of eight slots, three of which may be written before they are
//! counted. Preemptions: 3. Time: below a second.
//!
//! Caught when broken: a copy that keeps what it has read; one that forgets the slack; `put` Relaxed; `publish` Relaxed; no
//! fence in `copy`.

use super::ring::Ring;
use crate::ground::sync::Arc;
use loom::thread;

/// Whoever copies while the writer goes round the ring keeps whole records only, the last ones in their order.
#[test]
fn a_reader_keeps_whole_records() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(|| {
        let ring = Arc::new(Ring::new(4));
        let writer = ring.clone();
        let writes = thread::spawn(move || {
            for n in 1..=8 {
                writer.push(9, n as u8, n, || (70, 80));
            }
        });
        let copied = ring.copy(0);
        for [first, second] in copied.records {
            let number = (first >> 8) as u8;
            match first as u8 {
                1 => assert_eq!(second, 70, "a torn record was kept"),
                2 => assert_eq!(second, 80, "a torn record was kept"),
                9 => assert_eq!(u64::from(number), second, "a torn record was kept"),
                kind => panic!("nobody wrote a record of kind {kind}"),
            }
        }
        writes.join().unwrap();
        let last = ring.copy(0).records;
        assert_eq!(last.last().unwrap()[1], 8);
    });
}
