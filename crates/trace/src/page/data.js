// The trace: from the parts of the file to lanes of bars in columns, kinds of goroutines, marks and regions. What the parts
// are made of is told in page.rs.

const STEAL = 0, FROM_SHARED = 1, HAND_OFF = 2, WAKE = 3, TAKEN = 4, LOG = 5, WORLD = 6;
/** Threads that are no M have numbers from here on. */
const OUTSIDE = 2 ** 32;

/** The parts, and whether the last one is whole: a program may have ended while it was written. */
function readParts() {
  const parts = [];
  let whole = true;
  for (const element of document.querySelectorAll("script.part")) {
    try {
      parts.push(JSON.parse(element.textContent));
    } catch {
      whole = false;
    }
  }
  return { parts, whole };
}

/** What all parts tell. */
function readTrace() {
  const { parts, whole } = readParts();
  const trace = {
    program: parts.find((part) => part.program)?.program ?? "", whole, until: 0,
    goroutines: new Map(), kinds: [], lanes: [], ps: [], regions: [], runs: 0,
    off: { others: 0, asleep: 0 }, queues: [], shared: null, longest: 0,
  };
  const kinds = new Map(), lanes = new Map(), texts = new Map(), words = [];
  const word = (text) => {
    if (!texts.has(text)) texts.set(text, words.push(text) - 1);
    return texts.get(text);
  };
  const kind = (name, site) => {
    const key = `${name}\n${site}`;
    if (!kinds.has(key)) {
      kinds.set(key, {
        name, site, goroutines: 0, runs: 0, running: 0, runnable: 0, waiting: 0, calls: 0, longest: 0, reasons: new Map(),
      });
    }
    return kinds.get(key);
  };
  const goroutine = (number) => {
    let g = trace.goroutines.get(number);
    if (!g) {
      g = { number, name: "", kind: null };
      trace.goroutines.set(number, g);
    }
    return g;
  };
  const lane = (key, make) => {
    if (!lanes.has(key)) lanes.set(key, { ...make(), bars: [], off: [], marks: [] });
    return lanes.get(key);
  };
  const laneOfP = (p) => lane(p < 0 ? "no P" : `P${p}`, () => ({ label: p < 0 ? "no P" : `P${p}`, isP: true, order: p < 0 ? 1e6 : p, p }));
  const laneOfM = (m) => lane(`M${m}`, () => ({ label: m < OUTSIDE ? `M${m}` : "thread", isP: false, order: 1e9 + m, p: -1 }));

  for (const part of parts) {
    trace.until = Math.max(trace.until, part.until);
    for (const [number, name, file, line, given] of part.goroutines) {
      const g = goroutine(number);
      g.kind = kind(part.texts[name] || "(no name)", line ? `${part.texts[file]}:${line}` : "");
      g.name = given < 0 ? "" : part.texts[given];
    }
  }
  const known = (number) => {
    const g = goroutine(number);
    g.kind ??= kind("(started before)", "");
    return g;
  };
  /** Why each goroutine last stopped, so that what it waited is told by reason. */
  const stopped = new Map();
  for (const part of parts) {
    for (const [p, m, number, start, length, why, waited, runnable, byP, byG, how] of part.runs) {
      const { kind } = known(number), reason = part.texts[why];
      laneOfP(p).bars.push({ start, end: start + length, g: number, m, why: word(reason), waited, runnable, byP, byG, how });
      kind.runs += 1;
      kind.running += length;
      kind.runnable += runnable;
      kind.waiting += waited;
      kind.longest = Math.max(kind.longest, runnable);
      const before = stopped.get(number);
      if (waited && before) kind.reasons.set(before, (kind.reasons.get(before) ?? 0) + waited);
      stopped.set(number, reason);
      trace.runs += 1;
    }
    for (const [m, p, number, start, length, taken] of part.calls) {
      known(number).kind.calls += length;
      const why = word(taken ? "blocking call, in which it lost its P" : "blocking call");
      laneOfM(m).bars.push({ start, end: start + length, g: number, m, why, waited: 0, runnable: 0, byP: -1, byG: 0, how: 0, p });
    }
    for (const [p, , start, length, others] of part.off) {
      laneOfP(p).off.push({ start, end: start + length, others });
      trace.off[others ? "others" : "asleep"] += length;
    }
    for (const [p, m, time, kind, text] of part.marks) {
      (p < 0 ? laneOfM(m) : laneOfP(p)).marks.push({ time, kind, text: part.texts[text] });
    }
    for (const [g, start, length, name] of part.regions) {
      trace.regions.push({ g, start, end: start + length, name: part.texts[name] });
    }
    for (const [number, does, since] of part.left) {
      known(number).kind[does ? "waiting" : "runnable"] += trace.until - since;
    }
  }
  addQueues(trace, parts, lane, laneOfP);
  for (const g of trace.goroutines.values()) {
    g.kind ??= kind("(started before)", "");
    g.kind.goroutines += 1;
  }
  trace.kinds = [...kinds.values()].sort((a, b) => b.running - a.running);
  trace.kinds.forEach((kind, at) => { kind.at = at; });
  trace.words = words;
  trace.lanes = [...lanes.values()].sort((a, b) => a.order - b.order);
  trace.lanes.forEach((lane, at) => columns(trace, lane, at));
  trace.ps = trace.lanes.filter((lane) => lane.isP);
  return trace;
}

/** A lane's bars by their start, as columns, with the sum of all lengths before each. */
function columns(trace, lane, at) {
  const bars = lane.bars.sort((a, b) => a.start - b.start || a.end - b.end);
  lane.at = at;
  lane.n = bars.length;
  for (const name of ["start", "end", "g", "m", "waited", "runnable", "byP", "byG"]) {
    lane[name] = Float64Array.from(bars, (bar) => bar[name]);
  }
  lane.why = Int32Array.from(bars, (bar) => bar.why);
  lane.how = Uint8Array.from(bars, (bar) => bar.how);
  lane.kind = Int32Array.from(bars, (bar) => trace.goroutines.get(bar.g).kind.at);
  lane.sum = new Float64Array(lane.n + 1);
  for (let i = 0; i < lane.n; i++) lane.sum[i + 1] = lane.sum[i] + lane.end[i] - lane.start[i];
  lane.off.sort((a, b) => a.start - b.start);
  lane.marks.sort((a, b) => a.time - b.time);
  delete lane.bars;
}

/** The first of a rising column, from `low` on, that is above `value`. */
function above(column, value, low = 0) {
  let high = column.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** All bars of a goroutine, in order, as pairs of a lane and a place in it. */
function barsOf(trace, g) {
  const found = [];
  for (const lane of trace.lanes) {
    for (let i = 0; i < lane.n; i++) if (lane.g[i] === g) found.push({ lane, i });
  }
  return found.sort((a, b) => a.lane.start[a.i] - b.lane.start[b.i]);
}

/** For how long of a bar its thread was off the CPU, for others or because it slept. */
function offDuring(lane, i, others) {
  const within = (off) => Math.max(0, Math.min(off.end, lane.end[i]) - Math.max(off.start, lane.start[i]));
  return lane.off.reduce((sum, off) => sum + (off.others === others ? within(off) : 0), 0);
}

function duration(ns) {
  const digits = (x) => x.toFixed(x < 10 ? 2 : x < 100 ? 1 : 0);
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)} µs`;
  if (ns < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

/** A moment, as exactly as steps of this length need it. */
function moment(time, step) {
  const [unit, name] = time < 1e3 ? [1, "ns"] : time < 1e6 ? [1e3, "µs"] : time < 1e9 ? [1e6, "ms"] : [1e9, "s"];
  const digits = Math.ceil(Math.log10(unit / Math.max(1, step)) - 1e-9);
  return `${(time / unit).toFixed(Math.max(0, digits))} ${name}`;
}

function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** A goroutine as people say it. */
function title(trace, number) {
  const g = trace.goroutines.get(number);
  return g?.name ? `G${number} ${g.name}` : `G${number}`;
}
