//! `Promise`: what a [`RunQueue`](crate::contract::RunQueue) says of its order (clause Q6), in words that a suite can
//! check.
//!
//! A promise speaks of *ranks*. A token pushed [`Slot::Back`](crate::contract::Slot::Back) gets its rank with its own
//! push, the tokens of a batch one after the other. What a token pushed [`Slot::Next`](crate::contract::Slot::Next)
//! gets is the [`NextPromise`]. Ranks only rise, and say nothing of where tokens are: the other two promises do.

/// What a queue promises of order. The suite checks each part, at rest and while thieves are at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Of tokens pushed Next.
    pub next: NextPromise,
    /// Of tokens with a rank, as the owner pops them.
    pub back: BackPromise,
    /// Of tokens with a rank, as thieves take them.
    pub steals: StealPromise,
}

/// Where a token pushed Next goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextPromise {
    /// To a place for one, in front of everything: `pop` gives it before all others, and it alone inherits. The next
    /// push Next displaces it, and it gets its rank then, as if pushed Back by that push. A thief that takes it from
    /// there takes it alone, in the last round.
    Slot,
    /// Where a token pushed Back goes, with the same rank.
    Back,
    /// Nothing is promised; it has no rank.
    Any,
}

/// In which order the owner gets the tokens that have a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackPromise {
    /// Lowest rank first. What one push spills rises in rank from the batch's front to its back.
    Fifo,
    /// Highest rank first.
    Lifo,
    /// Nothing is promised.
    Any,
}

/// Which tokens a steal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StealPromise {
    /// Those of lowest rank: what was inside all the while and stays has a higher rank than all that is taken. So what
    /// one thief takes rises in rank from steal to steal.
    Oldest,
    /// Nothing is promised.
    Any,
}

impl Promise {
    /// No promise at all.
    pub const NONE: Promise =
        Promise { next: NextPromise::Any, back: BackPromise::Any, steals: StealPromise::Any };

    /// What Go's local queue keeps: one goroutine to run next, the others first in first out, whoever takes them.
    pub const GO: Promise =
        Promise { next: NextPromise::Slot, back: BackPromise::Fifo, steals: StealPromise::Oldest };
}
