//! The idle rule that `--idle` picks, as one type: in this way there is one more runtime to compile for each policy,
//! and not one for each pair. A rule is asked only where a P is idle, so the choice costs nothing where it would count.

use crate::cell::Result;
use gmp::contract::{IdlePolicy, IdleView};
use gmp::policy::{Eager, Frugal, GoIdle};
use std::sync::OnceLock;

/// What this process measures: one cell, one rule.
static RULE: OnceLock<Rule> = OnceLock::new();

/// The rules there are, by name.
pub(super) const NAMES: &[&str] = &[GoIdle::NAME, Eager::NAME, Frugal::NAME];

#[derive(Clone, Copy, Debug)]
enum Rule {
    Go,
    Eager,
    Frugal,
}

/// Picks the rule of this name for every runtime of this process with the idle rule [`Picked`].
pub(super) fn pick(name: &str) -> Result<()> {
    let rule = match name {
        GoIdle::NAME => Rule::Go,
        Eager::NAME => Rule::Eager,
        Frugal::NAME => Rule::Frugal,
        _ => return Err(format!("no idle rule {name:?}; there are: {}", NAMES.join(", ")).into()),
    };
    RULE.set(rule).map_err(|_| "a process measures one idle rule".into())
}

/// The picked rule; Go's if none was.
#[derive(Debug)]
pub(super) struct Picked(Rule);

impl Default for Picked {
    fn default() -> Self {
        Self(RULE.get().copied().unwrap_or(Rule::Go))
    }
}

impl IdlePolicy for Picked {
    const NAME: &'static str = "picked";
    /// Not all of them keep the strong law.
    const STRONG: bool = false;

    fn may_spin(&self, view: IdleView) -> bool {
        match self.0 {
            Rule::Go => GoIdle.may_spin(view),
            Rule::Eager => Eager.may_spin(view),
            Rule::Frugal => Frugal.may_spin(view),
        }
    }

    fn wake_on_submit(&self, view: IdleView, queued: impl Fn() -> usize) -> bool {
        match self.0 {
            Rule::Go => GoIdle.wake_on_submit(view, queued),
            Rule::Eager => Eager.wake_on_submit(view, queued),
            Rule::Frugal => Frugal.wake_on_submit(view, queued),
        }
    }

    fn pass_on(&self, view: IdleView, queued: impl Fn() -> usize) -> bool {
        match self.0 {
            Rule::Go => GoIdle.pass_on(view, queued),
            Rule::Eager => Eager.pass_on(view, queued),
            Rule::Frugal => Frugal.pass_on(view, queued),
        }
    }
}
