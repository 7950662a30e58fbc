//! `IdlePolicy`: how eager idle Ms are.

/// What the idle word says at one moment. A hint by the time it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleView {
    /// How many Ps there are.
    pub procs: usize,
    /// How many of them are idle.
    pub idle: usize,
    /// How many Ms look for work with a P in hand, or have been woken for that.
    pub spinning: usize,
}

impl IdleView {
    /// Ps that are not idle.
    pub fn busy(&self) -> usize {
        self.procs.saturating_sub(self.idle)
    }
}

/// Opinions on who spins and who is woken. `g0/idle/README.md` describes the strong and the bounded law.
///
/// Questions about work come with `queued`, which counts it when called: goroutines in the queue of the caller's P, the
/// one just submitted included and the one that runs not, and in the shared queue. It costs a few loads, and nothing if
/// it is not called.
///
/// # Contract
/// - **I1** An opinion is asked only while a P is idle (`wake_on_submit`, `pass_on`) or there is more than one P
///   (`may_spin`). When all Ps are idle, core wakes an M for a submission unasked.
/// - **I2** Strong means strong: if [`IdlePolicy::STRONG`], `wake_on_submit` and `pass_on` say `true` whenever a P is
///   idle and nobody spins. A policy that is not strong refuses in some such state, or it should say that it is strong.
/// - **I3** An M that may not spin goes idle, and takes the last look at all queues as others do. So `may_spin` decides
///   over CPU time and latency, and over no law.
/// - **I4** Whatever the opinions are, the bounded law holds: sysmon wakes an M for work, or a timer, that has waited for
///   10 ms beside an idle P. Core keeps the counters, the fences and that progress.
/// - **I5** No call blocks, sleeps, unwinds, or calls the runtime. Core turns an unwind or a call into a `fatal!` that
///   names the policy. It may ask twice for one wake, and acts by the last answer.
pub trait IdlePolicy: Default + Send + Sync + 'static {
    /// The name to choose it by.
    const NAME: &'static str;

    /// Whether it keeps the *strong law*: no runnable goroutine waits while a P is idle and no M is spinning or about
    /// to. The suite holds a policy to what it says here.
    const STRONG: bool;

    /// Whether one more M, which holds a P and has found no work, may look into other Ps' queues.
    fn may_spin(&self, view: IdleView) -> bool;

    /// Whether a submission should wake an M for an idle P. Go: only if nobody spins yet.
    #[doc(alias = "wakep")]
    fn wake_on_submit(&self, view: IdleView, queued: impl Fn() -> usize) -> bool;

    /// Whether an M that spun and has found work should wake the next one, which makes a chain of wake-ups as long as
    /// there is work. The view no longer counts it as spinning. Go: as for a submission.
    #[doc(alias = "resetspinning")]
    fn pass_on(&self, view: IdleView, queued: impl Fn() -> usize) -> bool {
        self.wake_on_submit(view, queued)
    }
}
