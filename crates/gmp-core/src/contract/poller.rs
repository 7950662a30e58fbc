//! `Poller`: what tells the scheduler which file descriptors have become ready. Go: `netpoll` (netpoll.go, Go 1.27).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// What a descriptor was added with, and what comes back when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// A number that no descriptor is ever added with: a poller may use it for itself.
    pub const UNUSED: u64 = u64::MAX;

    pub(crate) fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    pub(crate) fn index(self) -> u32 {
        self.0 as u32
    }

    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The tag as a number.
    pub fn into_raw(self) -> u64 {
        self.0
    }

    /// The tag that gave this number.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }
}

/// One of the two things that a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Something can be read, a connection accepted, or the end was reached.
    Read,
    /// Something can be written, or a connection stands.
    Write,
}

/// The news that a descriptor has become ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Which descriptor.
    pub tag: Tag,
    /// Something to read.
    pub readable: bool,
    /// Room to write.
    pub writable: bool,
    /// An end, an error or something out of the ordinary: from here on a read that got less than it asked for does not
    /// mean that a later arrival would be told.
    pub restless: bool,
}

/// Some descriptors that have become ready, as many as a poller tells at once.
#[derive(Debug)]
pub struct ReadyList {
    list: [Ready; Self::CAPACITY],
    len: usize,
}

impl ReadyList {
    /// How many it holds. Go: 128 events a call of `netpoll`.
    pub const CAPACITY: usize = 128;

    /// An empty list.
    pub fn new() -> Self {
        let blank = Ready { tag: Tag(Tag::UNUSED), readable: false, writable: false, restless: false };
        Self { list: [blank; Self::CAPACITY], len: 0 }
    }

    /// Adds one. `false`: it is full.
    pub fn push(&mut self, ready: Ready) -> bool {
        let Some(place) = self.list.get_mut(self.len) else { return false };
        *place = ready;
        self.len += 1;
        true
    }

    /// Whether there is none in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For how many more there is room.
    pub fn room(&self) -> usize {
        Self::CAPACITY - self.len
    }

    /// Each in turn.
    pub fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.list[..self.len].iter().copied()
    }
}

impl Default for ReadyList {
    fn default() -> Self {
        Self::new()
    }
}

/// Watches descriptors. One for each runtime, made when a goroutine of it first has to wait for one. An opinion, not an
/// obligation: a wrong one loses or invents wake-ups, and nothing else.
///
/// - **N1** A descriptor is added once for its life, for both sides, edge-triggered: whatever becomes ready after `add` has
///   begun, or is ready then, is told by `look` or `wait`, to one caller, at least once for each change.
/// - **N2** `look` returns at once, tells of one shard only, and takes no interrupt away from `wait`, which tells of all.
/// - **N3** `wait` returns when something is ready, at `until`, or interrupted. An `interrupt` ends the `wait` that is
///   under way, or the next one. Interrupts that nobody has taken yet may become one.
/// - **N4** Any of it may be called by several threads at once; at most one is in `wait`.
/// - **N5** What is told may be old: the descriptor may have been closed, and its tag be another's.
/// - **N6** A signal handler that runs meanwhile is no error.
/// - **N7** None of it calls the runtime or unwinds: it may be called on a goroutine's stack or the scheduler's, and under
///   locks of either.
#[doc(alias = "netpoll")]
pub trait Poller: Send + Sync + 'static {
    /// Begins to watch a descriptor, N1.
    ///
    /// # Errors
    /// The system's: it cannot be watched, or there is no memory.
    #[doc(alias = "netpollopen")]
    fn add(&self, descriptor: BorrowedFd<'_>, tag: Tag) -> io::Result<()>;

    /// How many shards the descriptors are spread over: so many threads may look at once without being in each other's
    /// way. Always the same.
    fn shards(&self) -> usize {
        1
    }

    /// Ends the watch over a descriptor, with the tag that it was added with. One that is closed, and has no duplicate,
    /// need not be removed.
    ///
    /// # Errors
    /// The system's: it was not watched.
    #[doc(alias = "netpollclose")]
    fn remove(&self, descriptor: BorrowedFd<'_>, tag: Tag) -> io::Result<()>;

    /// Says what is ready now in a shard, one of `0..self.shards()`, N2.
    ///
    /// # Errors
    /// The system's.
    fn look(&self, shard: usize, ready: &mut ReadyList) -> io::Result<()>;

    /// Waits, N3.
    ///
    /// # Errors
    /// The system's.
    fn wait(&self, until: Option<Instant>, ready: &mut ReadyList) -> io::Result<()>;

    /// Ends a `wait`, N3.
    #[doc(alias = "netpollBreak")]
    fn interrupt(&self);
}

/// What wakes a plain thread that waits for a descriptor.
pub trait Alarm: Send + Sync + 'static {
    /// Wakes it, now or when it goes to sleep. Must not block, call the runtime or unwind.
    fn ring(&self);
}
