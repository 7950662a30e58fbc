//! The note that an M sleeps in, for programs that measure what a wake costs.

use crate::records::m::note::Note;
use std::sync::Arc;

/// Two threads wake each other `trips` times, each asleep until it is woken. Returns the trips that the second thread
/// counted: if they are not `trips`, the note has lost a wake.
pub fn there_and_back(trips: u64) -> u64 {
    let notes = Arc::new((Note::new(), Note::new()));
    let theirs = Arc::clone(&notes);
    let other = std::thread::spawn(move || {
        let (here, there) = (&theirs.1, &theirs.0);
        here.adopt();
        // The first wake says that this thread may be woken from now on.
        there.wake();
        (0..trips).fold(0, |counted, _| {
            here.sleep();
            here.clear();
            there.wake();
            counted + 1
        })
    });
    let (here, there) = (&notes.0, &notes.1);
    here.adopt();
    here.sleep();
    for _ in 0..trips {
        here.clear();
        there.wake();
        here.sleep();
    }
    other.join().expect("it sleeps, wakes and counts")
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_wake_is_lost() {
        assert_eq!(super::there_and_back(20_000), 20_000);
    }
}
