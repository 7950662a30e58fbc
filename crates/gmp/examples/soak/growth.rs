//! Growth: memory, threads and descriptors of the process while no runtime exists, compared with what they were once
//! everything had been done a few times.

use core::fmt;
use std::time::{Duration, Instant};

/// Resident memory may grow by this much: what the C library's heaps keep from a busier time.
const MEMORY: u64 = 16 << 20;
/// A goroutine that is left behind keeps its stack, and its runtime, for ever.
const LEAKED_RUNTIME: u64 = 256 << 10;
/// The first look counts after this long, and not before the second one.
const WARM: Duration = Duration::from_secs(20);
/// Threads that have said that they are done may take this long to be gone.
const SETTLING: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
struct Size {
    memory: u64,
    threads: usize,
    descriptors: usize,
    leaked: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, threads, descriptors, .. } = self;
        write!(f, "{} KiB, {threads} threads, {descriptors} descriptors", memory >> 10)
    }
}

/// Has the C library give memory back as soon as it is freed. By itself it learns from large blocks that come and go, as
/// those of a snapshot do, to keep up to 64 MiB at the end of each of its heaps, and `malloc_trim` leaves those of all
/// threads but the first alone.
fn keep_nothing() {
    for (what, bytes) in [(libc::M_TRIM_THRESHOLD, 128 << 10), (libc::M_MMAP_THRESHOLD, 128 << 10)] {
        // SAFETY: it may be called at any time.
        unsafe { libc::mallopt(what, bytes) };
    }
}

impl Size {
    fn now(leaked: u32) -> Self {
        // What has been freed is given back, so that only what is kept counts.
        // SAFETY: it may be called at any time.
        unsafe { libc::malloc_trim(0) };
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        let entries = |folder| std::fs::read_dir(folder).expect("Linux tells").count();
        Self {
            memory: pages.expect("a number of pages") * 4096,
            threads: entries("/proc/self/task"),
            descriptors: entries("/proc/self/fd"),
            leaked,
        }
    }

    fn is_within(&self, first: &Self, allowed: u64) -> bool {
        let leaked = u64::from(self.leaked - first.leaked) * LEAKED_RUNTIME;
        self.memory <= first.memory + allowed + leaked
            && self.threads <= first.threads
            && self.descriptors <= first.descriptors
    }
}

/// How large the process was when it had warmed up, and how large it is now.
pub(crate) struct Growth {
    began: Instant,
    seconds: u64,
    looks: u32,
    /// By how much the memory may grow.
    allowed: u64,
    first: Option<Size>,
    last: Size,
}

impl Growth {
    /// The growth of a soak of this many seconds. With `dumps` the crate backtrace reads more of the program's tables of
    /// symbols as it meets new functions, and keeps it: they are a part of the program's file.
    pub(crate) fn of(seconds: u64, dumps: bool) -> Self {
        keep_nothing();
        let file = std::fs::metadata("/proc/self/exe").map_or(0, |file| file.len());
        let allowed = MEMORY + if dumps { file } else { 0 };
        Self { began: Instant::now(), seconds, looks: 0, allowed, first: None, last: Size::now(0) }
    }

    /// Looks again, while no runtime exists except those that have been closed with goroutines left behind.
    pub(crate) fn look(&mut self, leaked: u32) -> Result<(), String> {
        let deadline = Instant::now() + SETTLING;
        self.looks += 1;
        self.last = Size::now(leaked);
        let Some(first) = self.first else {
            let warm = WARM.min(Duration::from_secs(self.seconds) / 3);
            self.first = (self.looks > 1 && self.began.elapsed() >= warm).then_some(self.last);
            return Ok(());
        };
        while !self.last.is_within(&first, self.allowed) {
            if Instant::now() > deadline {
                return Err(format!(
                    "the process has grown since it was warm, from {first} to {}; allowed are {} KiB more, for each of {} \
                     runtimes that were leaked since then {} KiB more, and nothing else",
                    self.last,
                    self.allowed >> 10,
                    leaked - first.leaked,
                    LEAKED_RUNTIME >> 10,
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
            self.last = Size::now(leaked);
        }
        Ok(())
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first {
            Some(first) => write!(f, "from {first} to {}", self.last),
            None => write!(f, "{}", self.last),
        }
    }
}
