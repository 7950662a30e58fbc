//! Fit: whether an event is possible as things stand, and what is made up so that it is.

use super::{Source, Story};
use crate::step::{Act, GState, MADE_UP, Mid, OUTSIDE, Origin, PState};
use gmp_core::WaitReason;
use gmp_core::trace::What;

impl Story {
    /// The goroutine that the M runs, if that is not in a blocking call.
    pub(super) fn runs(&self, m: Mid) -> Option<u64> {
        self.running(m).filter(|g| self.gs.get(g) == Some(&GState::Running(m)))
    }

    /// Whether an event is possible now. Of a goroutine or P that is not known yet everything is that happens without a P:
    /// what makes it fit will never come, and while it waited, all that its M recorded after it would wait, too.
    pub(super) fn fits(&self, source: Source, about: Option<u32>, what: &What) -> bool {
        let (Source::P(p), false) = (source, of_no_p(what)) else {
            return self.fits_outside(source, about_of(source, about), what);
        };
        let state = self.ps.get(&p).copied();
        if let What::ProcStart(m) = *what {
            // One that comes back from a call without its P says so first.
            let free = self.ms.get(&m).is_none_or(|&held| held == (None, None));
            return state == Some(PState::Running(m)) || (free && matches!(state, None | Some(PState::Idle)));
        }
        let m = match (what, state) {
            (What::Writer { .. } | What::Queues { .. }, _) => return true,
            (What::GoSyscallEnd(g), Some(PState::Syscall(m))) => {
                return self.gs.get(g) == Some(&GState::Syscall(m));
            }
            (_, Some(PState::Running(m))) => m,
            _ => return false,
        };
        match what {
            What::ProcStop(by) => *by == m && self.running(m).is_none(),
            What::GoStart { g, .. } => self.running(m).is_none() && self.may_start(*g),
            What::HopPark { to, .. } | What::HopYield { to, .. } | What::HopExit { to, .. } => {
                self.runs(m).is_some_and(|g| g != *to) && self.may_start(*to)
            }
            What::GoPreempt(g) => self.runs(m) == Some(*g) || self.gs.get(g) == Some(&GState::Runnable),
            What::GoDestroy(g)
            | What::GoStop(g)
            | What::GoBlock(g, _)
            | What::GoSyscallBegin(g)
            | What::RegionBegin(g, _)
            | What::RegionEnd(g, _)
            | What::Log(g, ..) => self.runs(m) == Some(*g),
            What::GoUnblock(g) => matches!(self.gs.get(g), None | Some(GState::Waiting)),
            What::GoCreate(g, _) => !self.gs.contains_key(g),
            What::GoSyscallEnd(_) => false,
            _ => true,
        }
    }

    fn may_start(&self, g: u64) -> bool {
        matches!(self.gs.get(&g), None | Some(GState::Runnable))
    }

    /// Whether it may be recorded by one who holds no P. Whatever else is in such a ring was recorded before its P had one.
    pub(super) fn may_be_outside(what: &What) -> bool {
        of_no_p(what)
            || matches!(
                what,
                What::GoUnblock(_)
                    | What::GoCreate(..)
                    | What::RegionBegin(..)
                    | What::RegionEnd(..)
                    | What::Log(..)
                    | What::Writer { .. }
                    | What::HandOff
                    | What::Wake(_)
            )
    }

    fn fits_outside(&self, source: Source, about: Option<u32>, what: &What) -> bool {
        match what {
            What::GoUnblock(g) => matches!(self.gs.get(g), None | Some(GState::Waiting)),
            What::GoCreate(g, _) => !self.gs.contains_key(g),
            What::GoSyscallEndBlocked(g) => match self.gs.get(g) {
                Some(&GState::Syscall(m)) => self.ms.get(&m).is_none_or(|&(p, _)| p.is_none()),
                state => state.is_none(),
            },
            What::ProcSteal => {
                let state = about.and_then(|p| self.ps.get(&p));
                matches!(state, None | Some(PState::Syscall(_)))
            }
            // Of one that is in a blocking call, or whose P was taken.
            What::RegionBegin(g, _) | What::RegionEnd(g, _) | What::Log(g, ..) => match source {
                Source::NoP(Some(m)) => self.is_out_on(*g, m) || self.may_be_out_on(*g, m),
                _ => false,
            },
            _ => true,
        }
    }

    fn is_out_on(&self, g: u64, m: Mid) -> bool {
        self.gs.get(&g) == Some(&GState::Syscall(m))
    }

    /// Whether a goroutine of which nothing is known may be in a blocking call on this M, or without its P.
    fn may_be_out_on(&self, g: u64, m: Mid) -> bool {
        !self.gs.contains_key(&g) && self.ms.get(&m).is_none_or(|&held| held == (None, None))
    }

    /// What it marks says that it is on this M, in a blocking call or without its P.
    pub(super) fn meet_outside(&mut self, m: Mid, g: u64) {
        if self.may_be_out_on(g, m) {
            self.step(m, Act::GoIs(g, GState::Syscall(m)));
        }
    }

    /// Makes up what is missing for an event. `false`: the event says nothing that is not known, or makes no sense.
    pub(super) fn make_fit(&mut self, source: Source, what: &What) -> bool {
        let (Source::P(p), false) = (source, of_no_p(what)) else {
            return self.make_fit_outside(what);
        };
        if let What::ProcStart(m) = *what {
            if self.ps.get(&p) != Some(&PState::Running(m)) {
                self.free_m(m);
                self.clear(m);
                self.free_p(p);
            }
            return true;
        }
        let m = self.run_p(p);
        match what {
            What::ProcStop(_) => {
                self.clear(m);
                if let Some(&(Some(p), _)) = self.ms.get(&m) {
                    self.step(m, Act::ProcStop(p));
                }
                false
            }
            What::GoStart { g, .. } | What::GoSyscallEnd(g) => {
                if self.runs(m) != Some(*g) {
                    self.run_g(m, *g);
                }
                false
            }
            What::HopPark { to, .. } | What::HopYield { to, .. } | What::HopExit { to, .. } => {
                if self.runs(m) == Some(*to) {
                    return false;
                }
                self.make_runnable(*to);
                if self.runs(m).is_none() {
                    self.clear(m);
                }
                true
            }
            What::GoDestroy(g)
            | What::GoStop(g)
            | What::GoPreempt(g)
            | What::GoBlock(g, _)
            | What::GoSyscallBegin(g)
            | What::RegionBegin(g, _)
            | What::RegionEnd(g, _)
            | What::Log(g, ..) => {
                if self.runs(m) != Some(*g) {
                    self.run_g(m, *g);
                }
                true
            }
            What::GoUnblock(g) => self.make_waiting(*g),
            What::GoCreate(g, origin) => self.is_new(*g, origin),
            _ => true,
        }
    }

    /// Whether this goroutine has not been met. If it has, what its birth tells of it is kept all the same.
    fn is_new(&mut self, g: u64, origin: &gmp_core::trace::Origin) -> bool {
        let met = self.gs.contains_key(&g);
        if met {
            self.note_origin(g, Origin::from(origin.clone()));
        }
        !met
    }

    fn make_fit_outside(&mut self, what: &What) -> bool {
        match what {
            What::GoUnblock(g) => self.make_waiting(*g),
            What::GoCreate(g, origin) => self.is_new(*g, origin),
            What::GoSyscallEndBlocked(g) => {
                let Some(&GState::Syscall(m)) = self.gs.get(g) else { return false };
                self.lose_p(m);
                true
            }
            What::RegionBegin(g, _) | What::RegionEnd(g, _) | What::Log(g, ..) => self.gs.contains_key(g),
            _ => false,
        }
    }

    /// The M in whose blocking call a P is lent out has lost that P.
    fn lose_p(&mut self, m: Mid) {
        if let Some(&(Some(p), _)) = self.ms.get(&m)
            && self.ps.get(&p) == Some(&PState::Syscall(m))
        {
            self.step(OUTSIDE, Act::ProcSteal(p));
        }
    }

    /// Sees to it that an M runs the P.
    fn run_p(&mut self, p: u32) -> Mid {
        match self.ps.get(&p).copied() {
            Some(PState::Running(m)) => return m,
            Some(PState::Syscall(m)) => match self.running(m) {
                Some(g) => {
                    self.step(m, Act::GoSyscallEnd(g));
                    return m;
                }
                None => self.step(OUTSIDE, Act::ProcSteal(p)),
            },
            Some(PState::Idle) | None => {}
        }
        let m = MADE_UP + u64::from(p);
        self.free_m(m);
        self.clear(m);
        self.meet_p(m, p);
        self.step(m, Act::ProcStart(p));
        m
    }

    /// Takes the P away from whoever has it.
    fn free_p(&mut self, p: u32) {
        match self.ps.get(&p).copied() {
            None | Some(PState::Idle) => {}
            Some(PState::Syscall(_)) => self.step(OUTSIDE, Act::ProcSteal(p)),
            Some(PState::Running(m)) => {
                self.clear(m);
                self.step(m, Act::ProcStop(p));
            }
        }
    }

    /// Takes the M's P away.
    fn free_m(&mut self, m: Mid) {
        if let Some(&(Some(p), _)) = self.ms.get(&m) {
            self.free_p(p);
        }
    }

    /// Takes the goroutine away that the M runs, or that is in a blocking call there.
    fn clear(&mut self, m: Mid) {
        let Some(g) = self.running(m) else { return };
        if self.runs(m).is_none() {
            self.lose_p(m);
            return self.step(m, Act::GoSyscallEndBlocked(g));
        }
        self.step(m, Act::GoStop { g, preempted: false });
    }

    /// Sees to it that the M, which has a P, runs the goroutine.
    fn run_g(&mut self, m: Mid, g: u64) {
        self.clear(m);
        if !self.gs.contains_key(&g) {
            return self.step(m, Act::GoIs(g, GState::Running(m)));
        }
        self.make_runnable(g);
        self.start(m, None, g, None);
    }

    /// Sees to it that the goroutine may start.
    fn make_runnable(&mut self, g: u64) {
        match self.gs.get(&g).copied() {
            None | Some(GState::Runnable) => {}
            Some(GState::Waiting) => self.step(OUTSIDE, Act::GoUnblock(g)),
            Some(GState::Running(m) | GState::Syscall(m)) => self.clear(m),
        }
    }

    /// Sees to it that the goroutine waits. `false`: it need not, since it is runnable already.
    fn make_waiting(&mut self, g: u64) -> bool {
        match self.gs.get(&g).copied() {
            None | Some(GState::Waiting) => true,
            Some(GState::Runnable) => false,
            Some(GState::Running(m)) => {
                self.step(m, Act::GoBlock(g, WaitReason::Park));
                true
            }
            Some(GState::Syscall(m)) => {
                self.clear(m);
                false
            }
        }
    }
}

/// Whether it happens where no P is held, wherever it was recorded.
fn of_no_p(what: &What) -> bool {
    matches!(what, What::ProcSteal | What::GoSyscallEndBlocked(_))
}

fn about_of(source: Source, about: Option<u32>) -> Option<u32> {
    match source {
        Source::P(p) => Some(p),
        Source::NoP(_) => about,
    }
}
