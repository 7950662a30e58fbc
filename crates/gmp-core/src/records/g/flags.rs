//! `Flags`: facts about a goroutine.

/// Facts about a goroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub(super) u16);

impl Flags {
    /// One of the runtime's own: not counted, not waited for.
    pub(crate) const SYSTEM: Flags = Flags(1);
    /// Has run: its stack may hold anything.
    pub(crate) const STARTED: Flags = Flags(2);
    /// After its first run it stays on its M.
    pub(crate) const PINNED: Flags = Flags(4);
    /// Locked to its M because it suspended while panicking.
    pub(crate) const PANICKING: Flags = Flags(8);
    /// Locked to its M by the user, or because it panics.
    pub(crate) const LOCKED: Flags = Flags(16);
    /// Has ended unwanted and runs once more to drop its outcome on a goroutine's stack.
    pub(crate) const DROPPING: Flags = Flags(32);
    /// The record has an `Extra`: asked on hot paths.
    pub(crate) const EXTRA: Flags = Flags(128);
    /// Waited for a stack, and none can come.
    pub(crate) const STACKLESS: Flags = Flags(64);
    /// Its permit has this goroutine's number: see `permit.rs`.
    pub(crate) const OWNS_PERMIT: Flags = Flags(256);
    /// Never started, and runs only to drop its closure, on a stack of its own.
    pub(crate) const DISCARDED: Flags = Flags(512);
    /// Its runtime is gone, and a policy still has its `Runnable`: the record is never used again.
    pub(crate) const KEPT: Flags = Flags(1024);
    /// Its code is over, and the destructors of its thread-locals run: nothing may unwind out of those.
    pub(crate) const CODE_OVER: Flags = Flags(2048);
    /// It is being timed until it runs: g0 has to run it (`records/latency.rs`).
    pub(crate) const TIMED: Flags = Flags(4096);
    /// Has run, and nothing is to be seen to before it goes on. Asked on hot paths in place of the two.
    pub(crate) const AT_ONCE: Flags = Flags(8192);
    /// What a goroutine is from its first run on.
    pub(crate) const BEGUN: Flags = Flags(Flags::STARTED.0 | Flags::AT_ONCE.0);
    /// Either of the two, for those who free records.
    pub(crate) const EXTRA_OR_KEPT: Flags = Flags(Flags::EXTRA.0 | Flags::KEPT.0);
    /// Runs to drop something, and its closure no more.
    pub(crate) const ONLY_DROPS: Flags = Flags(Flags::DROPPING.0 | Flags::DISCARDED.0);
    /// Has a stack of its own kind, a home, or is not counted: g0 sees to its beginning and its end.
    pub(crate) const ENDS_BY_G0: Flags =
        Flags(Flags::EXTRA.0 | Flags::PINNED.0 | Flags::PANICKING.0 | Flags::LOCKED.0 | Flags::SYSTEM.0);

    /// For one that has never run: g0 sees to its beginning.
    pub(crate) const BEGINS_BY_G0: Flags = Flags(Flags::ENDS_BY_G0.0 | Flags::TIMED.0);

    #[inline(always)]
    pub(crate) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) fn with(self, flag: Flags) -> Flags {
        Flags(self.0 | flag.0)
    }

    pub(crate) fn without(self, flag: Flags) -> Flags {
        Flags(self.0 & !flag.0)
    }
}
