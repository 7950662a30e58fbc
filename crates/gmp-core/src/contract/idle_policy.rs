//! `IdlePolicy`: how eager idle Ms are.

/// What the idle word says at one moment. A hint by the time it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleView {
    /// How many Ps there are.
    pub procs: usize,
    /// How many of them are idle.
    pub idle: usize,
    /// How many Ms look for work with a P in hand.
    pub spinning: usize,
}

impl IdleView {
    /// Ps that are not idle.
    pub fn busy(&self) -> usize {
        self.procs.saturating_sub(self.idle)
    }
}

/// Opinions on who spins and who is woken. Core keeps the counters, the fences and the progress: it asks
/// `wake_on_submit` only when a P is idle, an M that finds work as a spinner always passes the right on, and sysmon
/// wakes an M for work older than 10 ms whatever an opinion says.
pub trait IdlePolicy: Default + Send + Sync + 'static {
    /// Whether one more M may look for work in other Ps' queues.
    fn may_spin(&self, view: IdleView) -> bool;

    /// Whether a submission should wake an M for an idle P. Go: only if nobody spins yet.
    fn wake_on_submit(&self, view: IdleView) -> bool;

    /// Whether `may_spin` and `wake_on_submit` together keep the *strong law*: no runnable goroutine waits while a P
    /// is idle and no M is spinning or about to. The suite holds a policy to what it says here.
    const STRONG: bool;
}
