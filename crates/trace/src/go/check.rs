//! A reader of Go's traces that believes nothing: it knows the rules by which Go's own parser puts the batches of the Ms in
//! order (`internal/trace`, Go 1.27), and says which one a file breaks. For tests, also those of gmp.

use std::collections::{HashMap, HashSet, VecDeque};

/// What a sound file holds.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// How many events.
    pub(crate) events: usize,
    /// How many generations.
    pub(crate) generations: usize,
    /// The functions of the outermost frames by goroutine, as far as stacks tell.
    pub(crate) goroutines: HashMap<u64, String>,
    /// How often each kind of event stands there, by its number.
    pub(crate) kinds: HashMap<u8, usize>,
    /// Why goroutines waited.
    pub(crate) reasons: HashSet<String>,
    /// Regions and messages of the user's, of all goroutines and of each.
    pub(crate) marks: Vec<String>,
    pub(crate) marks_of: HashMap<u64, Vec<String>>,
}

impl Read {
    fn note(&mut self, g: u64, mark: String) {
        self.marks_of.entry(g).or_default().push(mark.clone());
        self.marks.push(mark);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum G {
    Runnable,
    Running(u64),
    Waiting,
    Syscall(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum P {
    Idle,
    Running(u64),
    Syscall(u64),
}

const NOBODY: u64 = u64::MAX;

/// How many arguments an event has behind its time.
fn arguments(kind: u8) -> Option<usize> {
    Some(match kind {
        11 | 17 | 23 | 24 | 27 => 0,
        38 | 39 => 1,
        9 | 10 | 13 | 16 | 19 | 20 | 22 | 26 => 2,
        12 | 14 | 21 | 42 | 43 | 47 => 3,
        25 | 44 | 48 => 4,
        _ => return None,
    })
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.0.split_first().ok_or("the file ends too soon")?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is too long".into())
    }

    fn take(&mut self, length: u64) -> Result<&[u8], String> {
        let length = usize::try_from(length).map_err(|_| "a length is too large")?;
        if length > self.0.len() {
            return Err("the file ends too soon".into());
        }
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(taken)
    }
}

type Event = (u8, u64, Vec<u64>);

#[derive(Default)]
struct Generation {
    strings: HashMap<u64, String>,
    stacks: HashMap<u64, Vec<u64>>,
    events: HashMap<u64, VecDeque<Event>>,
    synced: bool,
}

/// Reads a whole file.
///
/// # Errors
/// Which rule it breaks.
pub(crate) fn read(file: &[u8]) -> Result<Read, String> {
    let mut bytes = Bytes(file.strip_prefix(b"go 1.23 trace\0\0\0").ok_or("not the header of such a file")?);
    let mut generations: Vec<(u64, Generation)> = Vec::new();
    while !bytes.0.is_empty() {
        if bytes.byte()? != 1 {
            return Err("a batch begins with 1".into());
        }
        let [number, m, time, length] = [bytes.number()?, bytes.number()?, bytes.number()?, bytes.number()?];
        if length > 65536 {
            return Err("a batch is too long".into());
        }
        if generations.last().is_none_or(|(last, _)| *last != number) {
            if number != generations.len() as u64 + 1 {
                return Err(format!("generation {number} comes behind {}", generations.len()));
            }
            generations.push((number, Generation::default()));
        }
        let (_, generation) = generations.last_mut().expect("just pushed");
        read_batch(generation, m, time, bytes.take(length)?)?;
    }
    let mut state = State::default();
    for (number, generation) in generations {
        state.run(number, generation).map_err(|error| format!("generation {number}: {error}"))?;
    }
    Ok(state.read)
}

fn read_batch(generation: &mut Generation, m: u64, mut time: u64, data: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes(data);
    match data.first() {
        None => {}
        Some(8) => {
            bytes.byte()?;
            if bytes.number()? == 0 || core::mem::replace(&mut generation.synced, true) {
                return Err("one frequency for each generation".into());
            }
        }
        Some(4) => {
            bytes.byte()?;
            while !bytes.0.is_empty() {
                if bytes.byte()? != 5 {
                    return Err("a string begins with 5".into());
                }
                let (id, length) = (bytes.number()?, bytes.number()?);
                let text = String::from_utf8(bytes.take(length)?.to_vec()).map_err(|_| "a string is text")?;
                if id == 0 || length > 1024 || generation.strings.insert(id, text).is_some() {
                    return Err(format!("string {id} is told once, and short"));
                }
            }
        }
        Some(2) => {
            bytes.byte()?;
            while !bytes.0.is_empty() {
                if bytes.byte()? != 3 {
                    return Err("a stack begins with 3".into());
                }
                let (id, frames) = (bytes.number()?, bytes.number()?);
                let mut stack = Vec::new();
                for _ in 0..frames {
                    let [_pc, function, ..] = [(); 4].map(|()| bytes.number());
                    stack.push(function?);
                }
                if id == 0 || frames > 128 || generation.stacks.insert(id, stack).is_some() {
                    return Err(format!("stack {id} is told once, and short"));
                }
            }
        }
        Some(_) => {
            while !bytes.0.is_empty() {
                let kind = bytes.byte()?;
                let count = arguments(kind).ok_or_else(|| format!("event {kind} is not known"))?;
                time += bytes.number()?;
                let args = (0..count).map(|_| bytes.number()).collect::<Result<Vec<_>, _>>()?;
                generation.events.entry(m).or_default().push_back((kind, time, args));
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct State {
    gs: HashMap<u64, G>,
    ps: HashMap<u64, P>,
    ms: HashMap<u64, (Option<u64>, Option<u64>)>,
    /// The last number of sequence, of those that have told their state in this generation.
    g_last: HashMap<u64, u64>,
    p_last: HashMap<u64, u64>,
    regions: HashMap<u64, Vec<String>>,
    read: Read,
}

impl State {
    /// Orders the events of a generation, as they become possible.
    fn run(&mut self, number: u64, mut generation: Generation) -> Result<(), String> {
        if !generation.synced {
            return Err("no frequency".into());
        }
        self.g_last.clear();
        self.p_last.clear();
        self.read.generations += 1;
        let mut ms: Vec<u64> = generation.events.keys().copied().collect();
        ms.sort_unstable();
        let mut advanced = true;
        while advanced {
            advanced = false;
            for &m in &ms {
                while let Some(event) = generation.events.get(&m).and_then(VecDeque::front).cloned() {
                    let done = self.advance(number, m, &event, &generation);
                    if !done.map_err(|error| format!("M {m}, event {event:?}: {error}"))? {
                        break;
                    }
                    generation.events.get_mut(&m).expect("it had a front").pop_front();
                    self.read.events += 1;
                    *self.read.kinds.entry(event.0).or_default() += 1;
                    advanced = true;
                }
            }
        }
        match generation.events.iter().find_map(|(m, events)| Some((m, events.front()?))) {
            Some((m, event)) => Err(format!("failed to advance: M {m} has {event:?}; {:?}", self.ms.get(m))),
            None => Ok(()),
        }
    }

    /// Whether the event was possible, or must wait for others; an error if it never can be.
    fn advance(&mut self, number: u64, m: u64, event: &Event, of: &Generation) -> Result<bool, String> {
        let (kind, _, ref args) = *event;
        let (p, g) = self.ms.get(&m).copied().unwrap_or_default();
        let need_p = || p.ok_or("it needs a P");
        let need_g = || g.ok_or("it needs a goroutine");
        match kind {
            9 => drop(need_p().and(need_g())?),
            10 => {
                let idle = self.ps.get(&args[0]) == Some(&P::Idle);
                if !idle || !next(&mut self.p_last, args[0], args[1]) {
                    return Ok(false);
                }
                if let Some(p) = p {
                    return Err(format!("the M has P {p}"));
                }
                self.ps.insert(args[0], P::Running(m));
                self.ms.entry(m).or_default().0 = Some(args[0]);
            }
            11 => {
                let p = need_p()?;
                if g.is_some_and(|g| self.gs.get(&g) == Some(&G::Running(m))) {
                    return Err("a goroutine still runs".into());
                }
                self.ps.insert(p, P::Idle);
                self.ms.entry(m).or_default().0 = None;
            }
            12 => {
                let lent = self.ps.get(&args[0]) == Some(&P::Syscall(args[2]));
                if !lent || !next(&mut self.p_last, args[0], args[1]) {
                    return Ok(false);
                }
                self.ps.insert(args[0], P::Idle);
                self.ms.entry(args[2]).or_default().0 = None;
            }
            13 => self.status_of_p(m, args)?,
            25 | 48 => self.status_of_g(number, m, args)?,
            14 | 47 => {
                need_p()?;
                let state = if kind == 14 { G::Runnable } else { G::Waiting };
                if self.gs.insert(args[0], state).is_some() {
                    return Err("it lives already".into());
                }
                self.g_last.insert(args[0], 0);
            }
            16 => {
                let runnable = self.gs.get(&args[0]) == Some(&G::Runnable);
                if !runnable || !next(&mut self.g_last, args[0], args[1]) {
                    return Ok(false);
                }
                need_p()?;
                if let Some(g) = g {
                    return Err(format!("the M runs {g}"));
                }
                self.gs.insert(args[0], G::Running(m));
                self.ms.entry(m).or_default().1 = Some(args[0]);
            }
            17 | 19 | 20 => {
                need_p()?;
                let g = need_g()?;
                if self.gs.get(&g) != Some(&G::Running(m)) {
                    return Err("it does not run".into());
                }
                self.ms.entry(m).or_default().1 = None;
                match kind {
                    17 => {
                        if self.regions.remove(&g).is_some_and(|open| !open.is_empty()) {
                            return Err("a region is open".into());
                        }
                        self.gs.remove(&g);
                    }
                    19 => drop(self.gs.insert(g, G::Runnable)),
                    _ => {
                        self.read.reasons.insert(text(of, args[0])?);
                        self.gs.insert(g, G::Waiting);
                    }
                }
            }
            21 => {
                let waits = self.gs.get(&args[0]) == Some(&G::Waiting);
                if !waits || !next(&mut self.g_last, args[0], args[1]) {
                    return Ok(false);
                }
                self.gs.insert(args[0], G::Runnable);
            }
            22 => {
                let (p, g) = (need_p()?, need_g()?);
                if !next(&mut self.p_last, p, args[0]) {
                    return Ok(false);
                }
                if self.gs.insert(g, G::Syscall(m)) != Some(G::Running(m)) {
                    return Err("it does not run".into());
                }
                self.ps.insert(p, P::Syscall(m));
            }
            23 => {
                let (p, g) = (need_p()?, need_g()?);
                if self.ps.insert(p, P::Running(m)) != Some(P::Syscall(m)) {
                    return Err("the P is not lent".into());
                }
                if self.gs.insert(g, G::Running(m)) != Some(G::Syscall(m)) {
                    return Err("it is in no call".into());
                }
            }
            24 => {
                let g = need_g()?;
                if self.gs.get(&g) != Some(&G::Syscall(m)) {
                    return Err("it is in no call".into());
                }
                if p.is_some_and(|p| self.ps.get(&p) == Some(&P::Syscall(m))) {
                    return Ok(false);
                }
                self.gs.insert(g, G::Runnable);
                self.ms.entry(m).or_default().1 = None;
            }
            42 | 43 => {
                let (g, name) = (need_g()?, text(of, args[1])?);
                let open = self.regions.entry(g).or_default();
                if kind == 42 {
                    open.push(name.clone());
                } else if open.pop().as_ref() != Some(&name) {
                    return Err("it is not the innermost region".into());
                }
                self.read.note(g, name);
            }
            44 => self.read.note(need_g()?, format!("{}: {}", text(of, args[1])?, text(of, args[2])?)),
            _ => drop(need_g()?),
        }
        self.note_stacks(kind, args, of)?;
        Ok(true)
    }

    fn note_stacks(&mut self, kind: u8, args: &[u64], of: &Generation) -> Result<(), String> {
        let (stack, g) = match kind {
            14 | 47 => (args[1], args[0]),
            48 => (args[3], args[0]),
            19 | 20 => (args[1], 0),
            _ => return Ok(()),
        };
        let outermost = of.stacks.get(&stack).and_then(|stack| stack.last()).ok_or("no such stack")?;
        let name = text(of, *outermost)?;
        self.read.goroutines.entry(g).or_insert(name);
        Ok(())
    }

    fn status_of_p(&mut self, m: u64, args: &[u64]) -> Result<(), String> {
        let state = match args[1] {
            1 => P::Running(m),
            2 => P::Idle,
            3 => P::Syscall(m),
            _ => return Err("no such state".into()),
        };
        if self.p_last.insert(args[0], 0).is_some() {
            return Err("it tells its state twice".into());
        }
        if let Some(&before) = self.ps.get(&args[0])
            && before != state
        {
            return Err(format!("it was {before:?}"));
        }
        self.ps.insert(args[0], state);
        if state != P::Idle {
            let (held, _) = self.ms.entry(m).or_default();
            if held.is_some_and(|held| held != args[0]) {
                return Err("the M has another P".into());
            }
            *held = Some(args[0]);
        }
        Ok(())
    }

    fn status_of_g(&mut self, number: u64, m: u64, args: &[u64]) -> Result<(), String> {
        let state = match args[2] {
            1 => G::Runnable,
            2 => G::Running(args[1]),
            3 => G::Syscall(args[1]),
            4 => G::Waiting,
            _ => return Err("no such state".into()),
        };
        if self.g_last.insert(args[0], 0).is_some() {
            return Err("it tells its state twice".into());
        }
        match self.gs.get(&args[0]) {
            None if number > 1 => return Err("it is new after the first generation".into()),
            Some(before) if *before != state => return Err(format!("it was {before:?}")),
            _ => {}
        }
        self.gs.insert(args[0], state);
        match state {
            G::Running(of) | G::Syscall(of)
                if of == NOBODY || (of != m && matches!(state, G::Running(_))) =>
            {
                return Err("it runs on another M".into());
            }
            G::Running(of) | G::Syscall(of) => {
                let (_, running) = self.ms.entry(of).or_default();
                if running.is_some_and(|running| running != args[0]) {
                    return Err("the M runs another one".into());
                }
                *running = Some(args[0]);
            }
            G::Runnable | G::Waiting => {}
        }
        Ok(())
    }
}

fn next(last: &mut HashMap<u64, u64>, of: u64, number: u64) -> bool {
    let is_next = last.get(&of) == Some(&number.wrapping_sub(1));
    if is_next {
        last.insert(of, number);
    }
    is_next
}

fn text(of: &Generation, id: u64) -> Result<String, String> {
    let text = if id == 0 { Some(String::new()) } else { of.strings.get(&id).cloned() };
    text.ok_or_else(|| format!("no such string: {id}"))
}
