//! Tables: strings and stacks, which a generation names by numbers.

use super::bytes::{Batch, NOBODY, number};
use std::collections::HashMap;

/// The longest string that Go's parser reads.
const LONGEST: usize = 1024;

/// A frame: its number, which stands for the address that Go has there, function, file and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pc: u64,
    function: u64,
    file: u64,
    line: u64,
}

/// What has been named in a generation.
#[derive(Debug, Default)]
pub(super) struct Tables {
    strings: HashMap<Box<str>, u64>,
    frames: HashMap<(u64, u64, u64), u64>,
    stacks: HashMap<Vec<Frame>, u64>,
}

impl Tables {
    pub(super) fn string(&mut self, text: &str) -> u64 {
        let mut end = text.len().min(LONGEST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        if text.is_empty() {
            return 0;
        }
        if let Some(&id) = self.strings.get(text) {
            return id;
        }
        let id = self.strings.len() as u64 + 1;
        self.strings.insert(text.into(), id);
        id
    }

    pub(super) fn frame(&mut self, function: &str, file: &str, line: u32) -> Frame {
        let (function, file, line) = (self.string(function), self.string(file), u64::from(line));
        // Go's parser keeps one function for each address, so each frame has one of its own.
        let next = self.frames.len() as u64 + 1;
        let pc = *self.frames.entry((function, file, line)).or_insert(next);
        Frame { pc, function, file, line }
    }

    /// The number of a stack, innermost frame first.
    pub(super) fn stack(&mut self, frames: &[Frame]) -> u64 {
        if let Some(&id) = self.stacks.get(frames) {
            return id;
        }
        let id = self.stacks.len() as u64 + 1;
        self.stacks.insert(frames.to_vec(), id);
        id
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>, generation: u64, time: u64) {
        let mut stacks: Vec<_> = self.stacks.iter().collect();
        stacks.sort_unstable_by_key(|(_, id)| **id);
        let mut batch = Batch::default();
        for (frames, id) in stacks {
            if batch.is_full() {
                batch.write_to(out, generation, NOBODY, time);
            }
            if batch.data.is_empty() {
                batch.data.push(2);
            }
            batch.raw(3, &[*id, frames.len() as u64]);
            for frame in frames {
                [frame.pc, frame.function, frame.file, frame.line]
                    .into_iter()
                    .for_each(|word| number(&mut batch.data, word));
            }
        }
        let mut strings: Vec<_> = self.strings.iter().collect();
        strings.sort_unstable_by_key(|(_, id)| **id);
        for (at, (text, id)) in strings.into_iter().enumerate() {
            if at == 0 || batch.is_full() {
                batch.write_to(out, generation, NOBODY, time);
                batch.data.push(4);
            }
            batch.raw(5, &[*id, text.len() as u64]);
            batch.data.extend_from_slice(text.as_bytes());
        }
        batch.write_to(out, generation, NOBODY, time);
    }
}
