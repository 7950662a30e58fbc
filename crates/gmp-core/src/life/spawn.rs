//! Spawn: a new goroutine from a closure. Go: `newproc1`, `gfget`, `saveAncestors` (proc.go, Go 1.27).
//!
//! A spawned goroutine is a record with its closure in line; it gets a stack when it first runs.

use crate::contract::Slot;
use crate::entering::caller::{Here, caller};
use crate::life::handle::JoinHandle;
use crate::records::g::body::{Outcome, table};
use crate::records::g::extra::{Ancestor, Extra};
use crate::records::g::registry::{self, BATCH};
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::door::Way;
use crate::records::m::jobs::Job;
use crate::records::m::{AnyRuntime, Header, M};
use crate::records::p::{PCore, add_own};
use core::panic::Location;
use core::ptr;
use std::sync::Arc;

/// What is special about one spawn.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// A name for reports.
    pub name: Option<Arc<str>>,
    /// Stack size in bytes; 0: the runtime's default.
    pub stack_size: usize,
    /// Labels beside those inherited; one of the same key replaces it.
    pub labels: Vec<(String, String)>,
    /// Pin to the M that first runs it.
    pub pinned: bool,
}

/// There was no memory for another record; the closure comes back.
pub struct NoRecord<F>(pub F);

/// Spawns from a goroutine: next on its P, or at the shared queue's tail if it is inside `blocking`. Never suspends.
#[inline]
pub(crate) fn spawn<F, T>(
    here: &Here,
    spec: Option<&Spec>,
    at: &'static Location<'static>,
    f: F,
) -> Result<JoinHandle<T>, NoRecord<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: neither closure nor result borrows anything.
    unsafe { spawn_unchecked(here, spec, at, f) }
}

/// [`spawn`] for a closure and a result that may borrow.
///
/// # Safety
/// What `f` borrows stays valid until `f` has run, or was dropped unrun; what the result borrows, until it was dropped
/// or taken, or for ever out of reach.
#[inline]
pub(crate) unsafe fn spawn_unchecked<F, T>(
    here: &Here,
    spec: Option<&Spec>,
    at: &'static Location<'static>,
    f: F,
) -> Result<JoinHandle<T>, NoRecord<F>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let _hold = here.m().door.hold();
    let Some(g) = prepare(here, spec, at) else { return Err(NoRecord(f)) };
    // SAFETY: as the caller promises.
    Ok(unsafe { submit(here.m(), g, f) })
}

/// Spawns from g0 of `m`: next on the P that it holds. sysmon, which runs timers when nobody else does, holds none: then in
/// the shared queue. Never suspends.
pub(crate) fn spawn_on_g0<F, T>(
    m: &M,
    at: &'static Location<'static>,
    f: F,
) -> Result<JoinHandle<T>, NoRecord<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let record = m.p_core().map_or_else(|| take_record_outside(m.rt()), |p| take_record(m, p));
    let Some((g, number)) = record else { return Err(NoRecord(f)) };
    fill(g, m.rt().header(), number, 0, at);
    // SAFETY: neither closure nor result borrows anything.
    Ok(unsafe { submit(m, g, f) })
}

/// Makes a goroutine of a job that `steal` takes from another M, on g0 of `m`, which holds a P: runnable, and in no queue.
/// `None`: nothing was taken, or there is no memory for a record, and then nothing is taken.
///
/// # Safety
/// The same as for [`spawn_unchecked`].
pub(crate) unsafe fn spawn_stolen<'a, F>(
    m: &M,
    steal: impl FnOnce() -> Option<(&'a Job, F)>,
) -> Option<Runnable>
where
    F: FnOnce() + Send,
{
    let p = m.p_core()?;
    // SAFETY: our M holds the P, and the reference ends in this statement.
    if !registry::has_one(unsafe { p.free() }) {
        return None;
    }
    let (job, f) = steal()?;
    let (g, number) = take_record(m, p)?;
    fill_with_job(g, m.rt().header(), number, job);
    // SAFETY: as the caller promises; just filled.
    Some(unsafe { runnable(g, f) })
}

/// [`spawn_stolen`] by one who holds no P: to the shared queue's tail. `false`: there was nothing to steal, or no record.
///
/// # Safety
/// The same as for [`spawn_unchecked`].
#[cold]
pub(crate) unsafe fn spawn_stolen_outside<'a, F>(
    rt: &AnyRuntime,
    steal: impl FnOnce() -> Option<(&'a Job, F)>,
) -> bool
where
    F: FnOnce() + Send,
{
    let Some(g) = registry::take_one() else { return false };
    let Some((job, f)) = steal() else {
        registry::give_one(g);
        return false;
    };
    rt.count_outside_spawn();
    fill_with_job(g, rt.header(), rt.one_number(), job);
    // SAFETY: as the caller promises; just filled.
    rt.submit_from_outside(unsafe { runnable(g, f) });
    true
}

/// A record for a job that was taken: its goroutine inherits what one inherits that was spawned in the `join`'s place, and
/// has no handle.
fn fill_with_job(g: &'static G, header: &Header, number: u64, job: &Job) {
    fill(g, header, number, job.parent, job.at);
    if let Some(labels) = &job.labels {
        g.set_extra(Some(Box::new(Extra { labels: Arc::clone(labels), ..Extra::default() })));
    }
    g.join.reset_detached();
}

/// Puts the closure into a record just filled: a goroutine, runnable, and in no queue.
///
/// # Safety
/// The same as for [`spawn_unchecked`]; the record was just filled, and this is its only call.
#[inline]
unsafe fn runnable<F, T>(g: &'static G, f: F) -> Runnable
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    // SAFETY: a record just filled is the caller's and its body is empty.
    unsafe { g.body.put(f) };
    g.table.set(table::<F, T>());
    g.word.to_spawned();
    // SAFETY: just made Runnable, once.
    unsafe { Runnable::new(g) }
}

/// Puts the closure into a record just filled, and the record into the queue of the P that `m` holds, or into the shared
/// one if it holds none.
///
/// # Safety
/// The same as for [`spawn_unchecked`].
#[inline]
unsafe fn submit<F, T>(m: &M, g: &'static G, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    // SAFETY: as the caller promises; just filled.
    let runnable = unsafe { runnable(g, f) };
    let handle = JoinHandle::new(g);
    m.rt().submit(m, runnable);
    handle
}

/// Spawns from a plain thread: at the shared queue's tail.
pub(crate) fn spawn_outside<F, T>(
    rt: &AnyRuntime,
    header: &Header,
    spec: Option<&Spec>,
    at: &'static Location<'static>,
    f: F,
) -> Result<JoinHandle<T>, NoRecord<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let Some((g, number)) = take_record_outside(rt) else { return Err(NoRecord(f)) };
    fill(g, header, number, 0, at);
    specify(g, None, spec);
    // SAFETY: as in `spawn`; just filled.
    let runnable = unsafe { runnable(g, f) };
    let handle = JoinHandle::new(g);
    match caller().m_beside(g) {
        Some(m) => {
            let _hold = m.door.hold();
            rt.submit(m, runnable);
        }
        None => rt.submit_from_outside(runnable),
    }
    Ok(handle)
}

/// Starts a goroutine of the runtime's own, which nobody counts or joins, at the shared queue's tail: from any place where
/// the scheduler may queue a goroutine, without its lock held.
#[cold]
pub(crate) fn spawn_system<F: FnOnce() + Send + 'static>(
    rt: &AnyRuntime,
    at: &'static Location<'static>,
    f: F,
) -> Result<(), NoRecord<F>> {
    let Some(g) = registry::take_one() else { return Err(NoRecord(f)) };
    fill(g, rt.header(), rt.one_number(), 0, at);
    g.set(Flags::SYSTEM);
    g.join.reset_detached();
    // SAFETY: as in `spawn`; just filled.
    let runnable = unsafe { runnable(g, f) };
    rt.count_system();
    rt.ready_outside(runnable);
    Ok(())
}

/// A record for a goroutine spawned by the one inside.
#[inline]
fn prepare(here: &Here, spec: Option<&Spec>, at: &'static Location<'static>) -> Option<&'static G> {
    let (parent, m) = (here.g(), here.m());
    let (g, number) = match m.p_core() {
        Some(p) => take_record(m, p)?,
        None => take_record_without_p(m, parent)?,
    };
    let header = parent.header();
    fill(g, header, number, parent.number.get(), at);
    if spec.is_some() || header.ancestors != 0 || parent.has(Flags::EXTRA) {
        specify(g, Some(parent), spec);
    }
    Some(g)
}

/// A record, and a number.
type Numbered = (&'static G, u64);

/// A record and a number, counted as a goroutine, from the P that `m` holds. On `m`'s thread.
#[inline]
fn take_record(m: &M, p: &PCore) -> Option<Numbered> {
    // SAFETY: our M holds the P, and the reference ends in this statement.
    let recycled = unsafe { p.free() }.pop();
    let g = match recycled {
        Some(g) => g,
        None => {
            // SAFETY: as above.
            let free = unsafe { p.free() };
            registry::refill(free, BATCH);
            free.pop()?
        }
    };
    // SAFETY: our M holds the P.
    let number = unsafe { p.next_number(|| m.rt().number_batch()) };
    add_own(&p.counters.spawned, 1);
    Some((g, number))
}

/// [`take_record`] for the goroutine on `m`, which holds no P. Nothing that is started without one is cheap, so a long loop
/// of spawns does not stay without: if the goroutine has stepped aside, or its P was taken, it comes back to an idle one.
#[cold]
fn take_record_without_p(m: &M, parent: &'static G) -> Option<Numbered> {
    if matches!(m.door.way(), Way::Aside | Way::Taken) {
        m.rt().come_back_at_once(parent);
    }
    match m.p_core() {
        Some(p) => take_record(m, p),
        None => take_record_outside(m.rt()),
    }
}

/// [`take_record`] for those who hold no P.
#[cold]
fn take_record_outside(rt: &AnyRuntime) -> Option<Numbered> {
    let g = registry::take_one()?;
    rt.count_outside_spawn();
    Some((g, rt.one_number()))
}

#[inline]
pub(crate) fn fill(g: &'static G, header: &Header, number: u64, parent: u64, at: &'static Location<'static>) {
    g.set_header(header);
    g.number.set(number);
    g.parent.set(parent);
    g.created_at.set(at);
    g.outcome.set(Outcome::Pending);
    g.flags.set(if header.pinned { Flags::default().with(Flags::PINNED) } else { Flags::default() });
    g.set_home(ptr::null());
    g.locks.set(0);
    g.join.reset();
}

/// Name, labels, ancestors, stack size: what few goroutines have.
#[cold]
fn specify(g: &'static G, parent: Option<&G>, spec: Option<&Spec>) {
    let inherited = parent.and_then(G::extra);
    let mut extra = Extra::default();
    if let Some(parent_extra) = inherited {
        extra.labels = parent_extra.labels.clone();
    }
    if let Some(spec) = spec {
        extra.name = spec.name.clone();
        extra.stack_size = spec.stack_size;
        if !spec.labels.is_empty() {
            let kept = extra.labels.iter().filter(|(key, _)| spec.labels.iter().all(|(new, _)| new != key));
            extra.labels = kept.chain(&spec.labels).cloned().collect();
        }
        if spec.pinned {
            g.set(Flags::PINNED);
        }
    }
    if let Some(parent) = parent {
        let depth = parent.header().ancestors;
        let nearest = Ancestor { number: parent.number.get(), created_at: parent.created_at.get() };
        let older = inherited.map_or(&[][..], |extra| &extra.ancestors);
        extra.ancestors = core::iter::once(nearest).chain(older.iter().copied()).take(depth).collect();
    }
    g.set_extra((!extra.is_plain()).then(|| Box::new(extra)));
}

/// Where a spawned goroutine goes.
pub(crate) const SPAWN_SLOT: Slot = Slot::Next;
