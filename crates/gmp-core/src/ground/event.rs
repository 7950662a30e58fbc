//! Events: what the scheduler did, at Go's points and under Go's names.

/// What happened. Named as in Go's execution trace (`internal/trace`, Go 1.27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A goroutine was spawned.
    #[doc(alias = "EvGoCreate")]
    GoCreate,
    /// It starts or goes on running.
    #[doc(alias = "EvGoStart")]
    GoStart,
    /// It ended.
    #[doc(alias = "EvGoDestroy")]
    GoDestroy,
    /// It yielded.
    #[doc(alias = "EvGoStop")]
    GoStop,
    /// Its time slice ended.
    GoPreempt,
    /// It parked.
    #[doc(alias = "EvGoBlock")]
    GoBlock,
    /// It was readied.
    #[doc(alias = "EvGoUnblock")]
    GoUnblock,
    /// It entered a declared blocking call.
    #[doc(alias = "EvGoSyscallBegin")]
    GoSyscallBegin,
    /// It came back with its P.
    #[doc(alias = "EvGoSyscallEnd")]
    GoSyscallEnd,
    /// It came back and had lost its P.
    #[doc(alias = "EvGoSyscallEndBlocked")]
    GoSyscallEndBlocked,
    /// An M took a P.
    #[doc(alias = "EvProcStart")]
    ProcStart,
    /// An M gave its P up.
    #[doc(alias = "EvProcStop")]
    ProcStop,
    /// sysmon, or a stop of the world, took a P from a blocking call.
    #[doc(alias = "EvProcSteal")]
    ProcSteal,
    /// The number of Ps changed; `value` is the new one.
    #[doc(alias = "EvProcsChange")]
    ProcsChange,
    /// The world is being stopped.
    #[doc(alias = "EvSTWBegin")]
    StwBegin,
    /// It goes on.
    #[doc(alias = "EvSTWEnd")]
    StwEnd,
    /// A goroutine waited `value` nanoseconds on queues before it ran; of those that became runnable on a P one in eight is
    /// measured, as in Go (`gTrackingPeriod`), and each of those that others made runnable.
    #[doc(alias = "/sched/latencies:seconds")]
    SchedLatency,
}

/// One event.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which goroutine; 0: none.
    pub goroutine: u64,
    /// On which P; `None`: none.
    pub p: Option<u32>,
    /// On which M; `None`: a thread that is none.
    pub m: Option<u64>,
    /// A number, whose meaning the kind tells.
    pub value: u64,
}

/// Receives events. Called in the middle of the scheduler: it must not block, unwind, or call the runtime. A call of
/// the runtime, or of a channel, a timer or a context, panics here with a message that says so, and an unwind ends the
/// process. A mutex of `gmp::sync` may be taken here if it is free.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event.
    fn event(&self, event: &Event);
}
