//! What a goroutine has marked that is not written yet.

use std::sync::Arc;

/// A region's begin or end, or a message.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Begin(Arc<str>),
    End(Arc<str>),
    Log(Arc<str>, Arc<str>),
}

/// A goroutine's marks.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The open regions that have been written, outermost first.
    pub(super) open: Vec<Arc<str>>,
    /// What is to be written when the goroutine runs.
    pub(super) waiting: Vec<Mark>,
}

impl Marks {
    /// The goroutine does not run: the mark waits.
    pub(super) fn wait(&mut self, mark: Mark) {
        let begun = self.waiting.iter().rposition(|waiting| matches!(waiting, Mark::Begin(_) | Mark::End(_)));
        match (&mark, begun) {
            // The one that begins last ends first.
            (Mark::End(_), Some(at)) if matches!(self.waiting[at], Mark::Begin(_)) => {
                self.waiting.remove(at);
            }
            _ => self.waiting.push(mark),
        }
    }
}
