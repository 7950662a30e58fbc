//! What happens in a fuzzed run, as plain data, so that a failing run can be shrunk, printed and run again.

use crate::contract::{Slot, StealRound};
use std::fmt;

/// What the owner does next. Each pushed token gets the next number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Pushes one token.
    Push(Slot),
    /// Pushes that many tokens as one batch.
    PushBatch(u8),
    /// Pops.
    Pop,
    /// Asks whether the queue is empty.
    Look,
    /// Lets others run: it spins that often, or gives up the rest of the time slice if the number is 0.
    Pause(u8),
}

impl Op {
    /// How many tokens it pushes.
    pub fn tokens(&self) -> usize {
        match self {
            Op::Push(_) => 1,
            Op::PushBatch(count) => usize::from(*count),
            Op::Pop | Op::Look | Op::Pause(_) => 0,
        }
    }
}

/// What a thief does next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Raid {
    /// Steals, with this knowledge.
    Steal(StealRound),
    /// Asks whether the victim is empty.
    Look,
}

/// A concurrent run: an owner against thieves that really run.
#[derive(Clone)]
pub struct Script {
    /// The owner's operations, once.
    pub owner: Vec<Op>,
    /// What each thief does, over and over until the owner is done. May be empty.
    pub thieves: Vec<Vec<Raid>>,
}

impl Script {
    /// How many tokens it pushes.
    pub fn tokens(&self) -> usize {
        self.owner.iter().map(Op::tokens).sum()
    }
}

/// What happens in a sequential run: everything is done on one thread, one step after the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The owner does this.
    Own(Op),
    /// A thief with an empty queue of its own steals.
    Steal(StealRound),
    /// A thief steals into the victim itself.
    StealFromOneself,
}

/// A steal in few words: a failing script is read by people.
struct Short(StealRound);

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StealRound { last, victim_runs, backed_off } = self.0;
        let known = [(last, "last round"), (victim_runs, "victim runs"), (backed_off, "backed off")];
        let known: Vec<&str> = known.into_iter().filter(|it| it.0).map(|it| it.1).collect();
        write!(f, "Steal({})", known.join(" + "))
    }
}

impl fmt::Debug for Raid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raid::Steal(round) => Short(*round).fmt(f),
            Raid::Look => f.write_str("Look"),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Own(op) => op.fmt(f),
            Step::Steal(round) => Short(*round).fmt(f),
            Step::StealFromOneself => f.write_str("StealFromOneself"),
        }
    }
}

/// A list in which repeated items are counted.
pub(super) struct Counted<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Debug + PartialEq> fmt::Debug for Counted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.0.chunk_by(|one, other| one == other).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match run {
                [one] => write!(f, "{comma}{one:?}")?,
                _ => write!(f, "{comma}{:?} x {}", run[0], run.len())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  owner: {:?}", Counted(&self.owner))?;
        self.thieves.iter().try_for_each(|raids| write!(f, "\n  thief: {:?}", Counted(raids)))
    }
}

/// The steps of a sequential run; prints as a [`Script`] does.
#[derive(Clone)]
pub struct Sequential(
    /// The steps.
    pub Vec<Step>,
);

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  one thread: {:?}", Counted(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_printed_in_few_words() {
        let round = StealRound { last: true, victim_runs: false, backed_off: true };
        let raids = vec![Raid::Look, Raid::Steal(round), Raid::Steal(round)];
        let script = Script { owner: vec![Op::Pop, Op::Pop, Op::PushBatch(3)], thieves: vec![raids] };
        let expected = "\n  owner: Pop x 2, PushBatch(3)\n  thief: Look, Steal(last round + backed off) x 2";
        assert_eq!(format!("{script:?}"), expected);
        assert_eq!(script.tokens(), 3);
        let run = Sequential(vec![Step::StealFromOneself, Step::Own(Op::Push(Slot::Next))]);
        assert_eq!(format!("{run:?}"), "\n  one thread: StealFromOneself, Push(Next)");
    }
}
