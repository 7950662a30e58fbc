//! Bytes: numbers and batches as Go's trace has them.

/// No M.
pub(super) const NOBODY: u64 = u64::MAX;
/// The most bytes of a batch's data.
const MOST: usize = 60 << 10;

/// Writes a number: seven bits a byte, the lower ones first (LEB128).
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Events of one M that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    began: u64,
    last: u64,
    pub(super) data: Vec<u8>,
}

impl Batch {
    /// Adds an event, and first writes the batch if it is full.
    pub(super) fn event(
        &mut self,
        out: &mut Vec<u8>,
        generation: u64,
        m: u64,
        time: u64,
        kind: u8,
        args: &[u64],
    ) {
        if self.data.len() > MOST {
            self.write_to(out, generation, m, self.began);
        }
        if self.data.is_empty() {
            (self.began, self.last) = (time, time);
        }
        self.data.push(kind);
        number(&mut self.data, time.saturating_sub(self.last));
        self.last = self.last.max(time);
        args.iter().for_each(|&arg| number(&mut self.data, arg));
    }

    /// Adds what is no event: it has no time.
    pub(super) fn raw(&mut self, kind: u8, args: &[u64]) {
        self.data.push(kind);
        args.iter().for_each(|&arg| number(&mut self.data, arg));
    }

    pub(super) fn is_full(&self) -> bool {
        self.data.len() > MOST
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>, generation: u64, m: u64) {
        let began = self.began;
        self.write_to(out, generation, m, began);
    }

    /// Writes the batch, and empties it.
    pub(super) fn write_to(&mut self, out: &mut Vec<u8>, generation: u64, m: u64, time: u64) {
        out.push(1);
        for value in [generation, m, time, self.data.len() as u64] {
            number(out, value);
        }
        out.append(&mut self.data);
    }
}
