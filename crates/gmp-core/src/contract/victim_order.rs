//! `VictimOrder`: in which order a thief looks at the Ps.

/// What a thief may know of the Ps before it looks into their queues. Hints: each answer may be old by the time it is
/// read, and the next one may differ.
pub trait Victims {
    /// About how many tokens P `p` has queued ([`Thief::len`](crate::contract::Thief::len)); 0 for a P that is not
    /// there. It reads words that the owner of `p` writes, so it costs a cache miss where the owner is busy.
    fn queued(&self, p: usize) -> usize;

    /// On which CPU, by the operating system's number, the M of P `p` was when it took the P or last looked for work.
    /// `None`: not known, or the order does not ask ([`VictimOrder::WANTS_CPUS`]), or the switch cannot tell.
    fn cpu(&self, p: usize) -> Option<usize>;
}

/// Where a walk begins.
#[derive(Clone, Copy)]
pub struct WalkStart<'a> {
    /// A random number.
    pub seed: u32,
    /// The thief's own P. Its queue is empty; core passes over it when the walk comes to it.
    pub own: usize,
    /// What is known of the Ps.
    pub victims: &'a dyn Victims,
}

/// A family of walks over the Ps `0..procs`, made anew whenever the number of Ps changes.
///
/// # Contract
/// - **V1** Each walk visits each of `0..procs` exactly once, the thief's own P too; whatever [`Victims`] answers, and
///   though the answers change while it walks.
/// - **V2** The same seed, own P and answers of [`Victims`] give the same walk. With three Ps or more some seeds give
///   different ones, so that thieves do not all begin with one victim.
///
/// No call unwinds or calls the runtime, and no walk blocks, as for queues (Q5). A walk is made and walked through by an
/// M that is about to go idle, [`Rules::steal_rounds`](crate::contract::Rules) times, so it should not allocate.
#[doc(alias = "randomOrder")]
pub trait VictimOrder: Send + Sync + 'static {
    /// One walk.
    type Walk<'a>: Iterator<Item = usize>
    where
        Self: 'a;

    /// Whether the walks ask for CPUs. Core notes them only then, which costs a system call, or something quicker in
    /// its place, for each P taken and each look for work.
    const WANTS_CPUS: bool = false;

    /// The family for this many Ps (at least 1). Called before the first M runs, and then with the world stopped: what
    /// takes long, such as reading files, is to be done the first time only.
    fn new(procs: usize) -> Self;

    /// The walk that a thief takes from here.
    #[doc(alias = "stealOrder")]
    fn walk<'a>(&'a self, from: WalkStart<'a>) -> Self::Walk<'a>;
}
