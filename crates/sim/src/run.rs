//! One run: from the first goroutine's start to its end, event by event.

use crate::clock::{Event, Time};
use crate::execute::MAIN;
use crate::figures::Figures;
use crate::hand::Hand;
use crate::store::Store;
use crate::world::{Parts, World};
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use gmp_core::contract::{Policy, RunQueue, SharedQueue, Slot, Thief};
use std::rc::Rc;

/// sysmon's period, which is also a time slice: 10 ms.
const ROUND: Time = 10_000_000_000;
/// A run of more events than this is one that does not end.
const MOST_EVENTS: u64 = 200_000_000;
/// Policies' code runs on it: a walk of `Topology` alone has a kilobyte.
const STACK: usize = 128 * 1024;

type Flow = Coroutine<(), (), ()>;

/// Runs a workload to its end, twice: the bench, too, warms up before it measures, and what comes of it is that free
/// stacks and records lie in the order in which goroutines ended, and not in that of their addresses.
pub(crate) fn run<P: Policy>(
    parts: impl Fn() -> Result<Parts, String>,
    store: Store,
) -> Result<Figures, String> {
    let (world, _) = play::<P>(parts()?, store)?;
    let store = Rc::into_inner(world).expect("who played is gone").store;
    let (world, elapsed) = play::<P>(parts()?, store)?;
    for m in world.ms.borrow().iter().filter(|m| !m.asleep.get()) {
        // An M on its way up is not awake yet.
        world.counts.awake.add(elapsed.saturating_sub(m.awake_since.get()));
    }
    let program = world.program.borrow();
    Ok(world.counts.figures(program.operations(), elapsed, world.procs(), program.counts_cpu()))
}

/// Plays a world to the end of its first goroutine; returns it and when that was.
fn play<P: Policy>(parts: Parts, store: Store) -> Result<(Rc<World<P>>, Time), String> {
    let world = Rc::new(World::<P>::new(parts, store));
    let main = world.new_goroutine(world.program.borrow().main(), 0, 0);
    debug_assert_eq!(main, MAIN);
    let ticket = world.with(MAIN, |g| g.ticket.take()).expect("it has just been made");
    world.ps[0].queue.borrow_mut().push(ticket, Slot::Next, &mut |batch| world.shared.push_batch(batch));
    world.begin();
    world.clock.announce(0, Event::Resume(0));
    world.clock.announce(ROUND, Event::Sysmon);
    let elapsed = Engine { world: Rc::clone(&world), flows: Vec::new(), quiet: false }.play()?;
    Ok((world, elapsed))
}

struct Engine<P: Policy> {
    world: Rc<World<P>>,
    /// The Ms' coroutines, by number.
    flows: Vec<Option<Flow>>,
    /// Whether sysmon found everybody asleep and nothing announced.
    quiet: bool,
}

impl<P: Policy> Engine<P> {
    /// Plays event by event until the first goroutine has ended; returns when that was.
    fn play(mut self) -> Result<Time, String> {
        for _ in 0..MOST_EVENTS {
            let event = self.world.clock.next().expect("sysmon always comes again");
            match event {
                Event::Resume(m) => self.resume(m)?,
                Event::Up(m, nth) => {
                    let up = {
                        let m = &self.world.ms.borrow()[m];
                        let up = m.sleeps.get() == nth;
                        if up {
                            m.coming.set(None);
                        }
                        up
                    };
                    if up {
                        self.resume(m)?;
                    }
                }
                Event::Timeout(m, sleep) => {
                    let asleep = {
                        let m = &self.world.ms.borrow()[m];
                        m.asleep.get() && m.sleeps.get() == sleep
                    };
                    if asleep {
                        self.resume(m)?;
                    }
                }
                Event::Sysmon => self.sysmon()?,
            }
            if let Some(end) = self.world.over.get() {
                return Ok(end);
            }
        }
        Err(format!(
            "no end after {MOST_EVENTS} events: the policy makes its Ms look for ever, or n is too large"
        ))
    }

    fn start(&mut self, id: usize) -> Result<(), String> {
        let (world, m) = (Rc::clone(&self.world), Rc::clone(&self.world.ms.borrow()[id]));
        let stack = DefaultStack::new(STACK).map_err(|error| format!("no stack for a virtual M: {error}"))?;
        let flow = Flow::with_stack(stack, move |yielder, ()| Hand::new(&world, &m, yielder).schedule());
        self.flows.resize_with(self.flows.len().max(id + 1), || None);
        self.flows[id] = Some(flow);
        Ok(())
    }

    fn resume(&mut self, m: usize) -> Result<(), String> {
        if self.flows.get(m).is_none_or(Option::is_none) {
            self.start(m)?;
        }
        let flow = self.flows[m].as_mut().expect("it has just been started");
        match flow.resume(()) {
            CoroutineResult::Yield(()) => Ok(()),
            CoroutineResult::Return(()) => unreachable!("an M looks for work until its run is over"),
        }
    }

    /// sysmon's round: ends slices that are over, and wakes an M for work that has waited beside an idle P. Core:
    /// `sysmon`, `keep_bounded_law`.
    fn sysmon(&mut self) -> Result<(), String> {
        let w = &self.world;
        let asleep = w.ms.borrow().iter().all(|m| m.asleep.get());
        let nothing_comes = w.clock.is_empty();
        w.clock.announce(w.clock.now() + ROUND, Event::Sysmon);
        for p in w.ps.iter().filter(|p| !p.idle.get()) {
            let tick = Some(p.tick.get());
            p.slice_is_over.set(p.tick_seen.replace(tick) == tick && p.runs.get());
        }
        let work = !w.shared.is_empty() || w.ps.iter().any(|p| !p.thief.is_empty());
        if work {
            self.wake_for_old_work();
        } else if asleep && nothing_comes {
            if self.quiet {
                return Err(format!(
                    "all is idle and main has not ended: the policy keeps some of {} goroutines",
                    self.world.counts.alive.get()
                ));
            }
            self.quiet = true;
        }
        Ok(())
    }

    /// Keeps the bounded law, whatever the policy thinks. sysmon has a thread of its own, so this costs no M anything.
    fn wake_for_old_work(&self) {
        let w = &self.world;
        if !w.idle.try_spin(w.procs(), |view| view.idle > 0 && view.spinning == 0) {
            return;
        }
        let (Some(p), Some(m)) = (w.idle_ps.borrow_mut().pop(), w.idle_ms.borrow_mut().pop()) else {
            return w.idle.give_up();
        };
        w.idle.p_busy();
        w.counts.wakes.add(1);
        let m = Rc::clone(&w.ms.borrow()[m]);
        m.spinning.set(true);
        m.next_p.set(Some(p));
        m.note.set(true);
        if m.asleep.take() {
            m.comes_up(&w.clock, w.clock.now() + crate::clock::time(w.costs.machine.wake_latency.at(0.5)));
        }
    }
}
