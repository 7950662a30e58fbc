//! The memory of a copy of the process, read by system calls that return an error where there is none.
//!
//! Only pages are read that somebody has written to: those that a private mapping has for itself, in memory or swapped out,
//! and those of shared mappings that may be written to. The latter are no copies: they are read where the process has
//! them, and may change meanwhile.

use core::ops::Range;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

const WORD: usize = size_of::<usize>();
const PAGE: usize = 4096;
/// How much is read at once.
const PIECE: usize = 256 << 10;
/// How many pages are looked up at once.
const PAGES: usize = 4096;

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) addresses: Range<usize>,
    shared: bool,
}

/// What a copied process consists of.
pub(crate) struct Memory {
    copy: Process,
    own: Process,
    mappings: Vec<Mapping>,
    /// What is read, for a moment.
    piece: Vec<u8>,
    pages: Vec<u8>,
}

struct Process {
    memory: File,
    pages: File,
}

impl Process {
    fn open(name: &str) -> io::Result<Self> {
        let open = |file| File::open(format!("/proc/{name}/{file}"));
        Ok(Self { memory: open("mem")?, pages: open("pagemap")? })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // The next who searches the memory of this process is not to find what was read.
        self.piece.fill(0);
        core::hint::black_box(&self.piece);
    }
}

impl Memory {
    /// That of the process of this number, a copy of this one.
    pub(crate) fn of(process: i32) -> io::Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
        let mappings = maps.lines().filter_map(mapping).collect();
        let (copy, own) = (Process::open(&process.to_string())?, Process::open("self")?);
        Ok(Self { copy, own, mappings, piece: vec![0; PIECE], pages: vec![0; PAGES * 8] })
    }

    /// The addresses of all mappings, ascending.
    pub(crate) fn mappings(&self) -> impl Iterator<Item = &Range<usize>> {
        self.mappings.iter().map(|mapping| &mapping.addresses)
    }

    /// The mapping in which this address lies.
    pub(crate) fn around(&self, address: usize) -> Option<&Mapping> {
        let after = self.mappings.partition_point(|mapping| mapping.addresses.start <= address);
        self.mappings.get(after.checked_sub(1)?).filter(|mapping| mapping.addresses.contains(&address))
    }

    /// Calls `see` with what stands in these parts of the memory, piece by piece, and where that begins.
    pub(crate) fn read(
        &mut self,
        parts: &[Range<usize>],
        see: &mut dyn FnMut(&[u8], usize),
    ) -> io::Result<()> {
        for part in parts {
            let mut at = self.mappings.partition_point(|mapping| mapping.addresses.end <= part.start);
            while let Some(mapping) = self.mappings.get(at).filter(|one| one.addresses.start < part.end) {
                let mapping = mapping.clone();
                self.read_in(&mapping, part, see)?;
                at += 1;
            }
        }
        Ok(())
    }

    fn read_in(
        &mut self,
        mapping: &Mapping,
        part: &Range<usize>,
        see: &mut dyn FnMut(&[u8], usize),
    ) -> io::Result<()> {
        let process = if mapping.shared { &self.own } else { &self.copy };
        let (start, end) = (part.start.max(mapping.addresses.start), part.end.min(mapping.addresses.end));
        let (mut first, last) = (start / PAGE, end.div_ceil(PAGE));
        while first < last {
            let count = (last - first).min(PAGES);
            let entries = &mut self.pages[..count * 8];
            process.pages.read_exact_at(entries, (first * 8) as u64)?;
            let counts = |entry: &[u8]| {
                let entry = entry.try_into().map_or(0, u64::from_ne_bytes);
                // Linux, Documentation/admin-guide/mm/pagemap.rst. A guard of `MADV_GUARD_INSTALL` counts as swapped out.
                let (there, of_file, guard) = (entry >> 62 != 0, entry >> 61 & 1 != 0, entry >> 58 & 1 != 0);
                there && !guard && (mapping.shared || !of_file)
            };
            let mut at = 0;
            while at < count {
                let (rest, _) = entries[at * 8..].as_chunks::<8>();
                let skipped = rest.iter().take_while(|entry| !counts(&entry[..])).count();
                let taken = rest[skipped..].iter().take_while(|entry| counts(&entry[..])).count();
                let run = (first + at + skipped) * PAGE..(first + at + skipped + taken) * PAGE;
                let run = run.start.max(start)..run.end.min(end);
                read_run(&process.memory, &mut self.piece, &run, see)?;
                at += skipped + taken;
            }
            first += count;
        }
        Ok(())
    }
}

fn read_run(
    memory: &File,
    piece: &mut [u8],
    run: &Range<usize>,
    see: &mut dyn FnMut(&[u8], usize),
) -> io::Result<()> {
    let mut at = run.start.next_multiple_of(WORD);
    while at < run.end {
        let piece = &mut piece[..(run.end - at).min(PIECE)];
        match memory.read_at(piece, at as u64) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                see(&piece[..read], at);
                // What is no whole word at the end of what was read is read again.
                at += if read < WORD { read } else { read / WORD * WORD };
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The mapping that a line of the kernel's list tells of, if its memory may have been written by the program.
fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?.as_bytes();
    let path = words.nth(3).unwrap_or("");
    let number = |text| usize::from_str_radix(text, 16).ok();
    let addresses = number(start)?..number(end)?;
    let shared = rights.get(3) == Some(&b's');
    let device =
        path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && !path.starts_with("/dev/zero");
    let kernels = path.starts_with("[v");
    let counts = rights[0] == b'r' && !kernels && !device && (!shared || rights.get(1) == Some(&b'w'));
    counts.then_some(Mapping { addresses, shared })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_that_may_have_been_written_are_told() {
        let line = |line| mapping(line).map(|found| (found.addresses, found.shared));
        assert_eq!(
            line("55d0c8a00000-55d0c8a21000 rw-p 00000000 00:00 0    [heap]"),
            Some((0x55d0c8a00000..0x55d0c8a21000, false))
        );
        assert_eq!(line("7f00-8000 r--p 00001000 08:01 42  /lib/libc.so.6"), Some((0x7f00..0x8000, false)));
        assert_eq!(line("1000-2000 rw-s 00000000 00:01 7 /dev/shm/x"), Some((0x1000..0x2000, true)));
        assert_eq!(line("1000-2000 r--s 00000000 08:01 7 /etc/passwd"), None);
        assert_eq!(line("1000-2000 rw-s 00000000 08:01 7 /dev/dri/card0"), None);
        assert_eq!(line("1000-2000 ---p 00000000 00:00 0 "), None);
        assert_eq!(line("7ffd-7fff r-xp 00000000 00:00 0 [vdso]"), None);
    }
}
