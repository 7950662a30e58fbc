// Drawing: the lanes with their bars, marks and arrows, and the overview above them. A bar narrower than a pixel is drawn as
// part of a column, which is as strong as the share of its time in which the P was at work, so a picture takes as long for a
// million bars as for a thousand.

const P_HEIGHT = 40, M_HEIGHT = 22, AXIS = 22, GAP = 3;
const LIGHT = ["#2a6fd1", "#d9601f", "#148a60", "#a86f00", "#c54b84", "#5b8c00", "#6750b5", "#c93636"];
const DARK = ["#4c94ee", "#e8743b", "#27a97c", "#d69a1a", "#dd6a9b", "#7fb01d", "#9d8cf0", "#ec6d6d"];

/** What a canvas needs of the theme. */
function theme() {
  const of = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return {
    dark, back: of("--back"), text: of("--text"), quiet: of("--quiet"), edge: of("--edge"), lane: of("--lane"), hot: of("--hot"),
    cool: of("--cool"), onBar: dark ? "#0d1117" : "#ffffff",
  };
}

/** A kind's colour: those that ran longest have the clearest. */
function colour(at, dark) {
  const palette = dark ? DARK : LIGHT;
  if (at < palette.length) return palette[at];
  return `hsl(${(at * 137.5) % 360} 30% ${dark ? 62 : 44}%)`;
}

/** Sizes a canvas to its place on the page; returns its context and width. */
function sized(canvas, height) {
  const ratio = window.devicePixelRatio || 1, width = Math.max(canvas.clientWidth, 50);
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width };
}

function gutter(width) {
  return width < 500 ? 36 : 56;
}

/** Where each lane stands, and how high all are; one that is not shown has no height. */
function layout(trace, view) {
  let y = AXIS;
  for (const lane of trace.lanes) {
    lane.y = y;
    if (lane.isShared) lane.height = view.queues ? SHARED_HEIGHT : 0;
    else lane.height = lane.isP ? P_HEIGHT + (view.queues && lane.queue ? QUEUE_HEIGHT : 0) : M_HEIGHT;
    if (lane.height) y += lane.height + GAP;
  }
  return y;
}

/** How high a lane is without its queue. */
function body(lane) {
  return lane.isP ? P_HEIGHT : lane.height;
}

/** Draws all lanes for what `view` says, and returns how many bars and columns were drawn, and how many steps of queues. */
function drawLanes(canvas, trace, view) {
  const height = layout(trace, view), { context: c, width } = sized(canvas, height), look = theme();
  view.left = gutter(width);
  view.width = width - view.left;
  c.clearRect(0, 0, width, height);
  c.font = "12px system-ui, sans-serif";
  c.textBaseline = "middle";
  axis(c, view, height, look);
  let drawn = 0, steps = 0;
  for (const lane of trace.lanes) {
    if (!lane.height) continue;
    c.fillStyle = look.lane;
    c.fillRect(view.left, lane.y, view.width, lane.height);
    c.fillStyle = look.quiet;
    c.textAlign = "right";
    c.fillText(lane.label, view.left - 6, lane.y + body(lane) / 2, view.left - 8);
    c.save();
    c.beginPath();
    c.rect(view.left, lane.y, view.width, lane.height);
    c.clip();
    drawn += drawBars(c, trace, lane, view, look);
    drawOff(c, lane, view, look);
    steps += drawQueue(c, trace, lane, view, look);
    if (view.marks) drawMarks(c, lane, view, look);
    c.restore();
  }
  c.save();
  c.beginPath();
  c.rect(view.left, AXIS, view.width, height);
  c.clip();
  if (view.chosen) drawChosen(c, trace, view, look);
  if (view.focus) outline(c, view, view.focus, look.cool, 2);
  if (view.moment !== null) {
    c.fillStyle = look.text;
    c.fillRect(Math.round(xOf(view, view.moment)), AXIS, 1, height);
  }
  c.restore();
  return { drawn, steps };
}

function xOf(view, time) {
  return view.left + (time - view.from) / (view.to - view.from) * view.width;
}

function timeAt(view, x) {
  return view.from + (x - view.left) / view.width * (view.to - view.from);
}

/** Time that two marks of the axis are apart: 1, 2 or 5 of some power of ten. */
function tick(span, width) {
  const least = span / Math.max(1, width / 110), power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least);
}

function axis(c, view, height, look) {
  const step = Math.max(1, tick(view.to - view.from, view.width));
  c.textAlign = "left";
  for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
    const x = Math.round(xOf(view, time)) + 0.5;
    c.strokeStyle = look.edge;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(x, 4);
    c.lineTo(x, height);
    c.stroke();
    c.fillStyle = look.quiet;
    c.fillText(moment(time, step), x + 4, AXIS / 2);
  }
}

/** The strip of a lane in which its bars stand: marks are above, the queue is below. */
function strip(lane) {
  return lane.isP ? { y: lane.y + 11, height: P_HEIGHT - 14 } : { y: lane.y + 3, height: lane.height - 6 };
}

function drawBars(c, trace, lane, view, look) {
  const { y, height } = strip(lane), scale = view.width / (view.to - view.from);
  let i = above(lane.end, view.from), drawn = 0;
  while (i < lane.n && lane.start[i] < view.to) {
    const x = xOf(view, lane.start[i]), wide = (lane.end[i] - lane.start[i]) * scale;
    drawn += 1;
    if (wide >= 1.5) {
      drawBar(c, trace, lane, i, { x, wide, y, height }, view, look);
      i += 1;
      continue;
    }
    // All that begin in this column of pixels, but for a last one that is wide.
    const column = Math.floor(x), end = timeAt(view, column + 1);
    let next = Math.max(i + 1, above(lane.start, end, i));
    if (next > i + 1 && (lane.end[next - 1] - lane.start[next - 1]) * scale >= 1.5) next -= 1;
    const share = Math.min(1, (lane.sum[next] - lane.sum[i]) * scale), at = lane.kind[(i + next) >> 1];
    c.globalAlpha = (0.3 + 0.7 * share) * (view.kind === null || view.kind === at ? 1 : 0.15);
    c.fillStyle = colour(at, look.dark);
    c.fillRect(column, y, 1, height);
    i = next;
  }
  c.globalAlpha = 1;
  return drawn;
}

/** When the thread that had the P was off its CPU: the colour says whether others ran or it slept. */
function drawOff(c, lane, view, look) {
  const { y, height } = strip(lane), scale = view.width / (view.to - view.from);
  for (const off of lane.off) {
    if (off.end < view.from || off.start > view.to) continue;
    c.fillStyle = off.others ? look.hot : look.quiet;
    c.fillRect(xOf(view, off.start), y + height - 4, Math.max(1, (off.end - off.start) * scale), 4);
  }
}

function drawBar(c, trace, lane, i, { x, wide, y, height }, view, look) {
  const at = lane.kind[i], from = Math.max(x, view.left - 2), to = Math.min(x + wide, view.left + view.width + 2);
  c.globalAlpha = view.kind === null || view.kind === at ? 1 : 0.15;
  c.fillStyle = colour(at, look.dark);
  // A hair of the lane stays between neighbours.
  c.fillRect(from, y, Math.max(1, to - from - (wide > 4 ? 0.75 : 0)), height);
  if (!lane.isP) {
    c.fillStyle = look.lane;
    for (let stripe = from + 4; stripe < to; stripe += 8) c.fillRect(stripe, y + height - 2, 4, 2);
  }
  if (lane.how[i] & 1 && wide > 8) {
    c.fillStyle = look.onBar;
    c.beginPath();
    c.moveTo(x, y);
    c.lineTo(x + 5, y);
    c.lineTo(x, y + 5);
    c.fill();
  }
  if (to - from > 34 && height > 12) {
    c.save();
    c.beginPath();
    c.rect(from, y, to - from - 3, height);
    c.clip();
    c.fillStyle = look.onBar;
    c.textAlign = "left";
    const g = trace.goroutines.get(lane.g[i]);
    const text = to - from > 150 && !g.name ? `G${g.number} ${g.kind.name}` : title(trace, g.number);
    c.fillText(text, from + 7, y + height / 2 + 0.5);
    c.restore();
  }
}

/** The shapes of decisions, by kind; their words stand in the legend. */
const SHAPES = [
  ["steals", (c, x, y) => { c.moveTo(x - 4, y - 4); c.lineTo(x + 4, y - 4); c.lineTo(x, y + 4); }],
  ["from the shared queue", (c, x, y) => c.arc(x, y, 3, 0, 7)],
  ["P handed on", (c, x, y) => { c.moveTo(x, y - 4); c.lineTo(x + 4, y); c.lineTo(x, y + 4); c.lineTo(x - 4, y); }],
  ["M woken", (c, x, y) => { c.moveTo(x - 4, y + 4); c.lineTo(x + 4, y + 4); c.lineTo(x, y - 4); }],
  ["P taken from a call", (c, x, y) => c.rect(x - 3, y - 3, 6, 6)],
  ["log", (c, x, y) => c.rect(x - 4, y - 1.5, 8, 3)],
  ["world stopped or started", (c, x, y) => c.rect(x - 1, y - 5, 2, 10)],
];

/** Which of the two colours of decisions a kind has. */
function markColour(kind, look) {
  return kind === STEAL || kind === TAKEN || kind === WORLD ? look.hot : look.cool;
}

function firstMark(lane, time) {
  let low = 0, high = lane.marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane.marks[middle].time >= time) high = middle;
    else low = middle + 1;
  }
  return low;
}

function drawMarks(c, lane, view, look) {
  const y = lane.isP ? lane.y + 5 : lane.y + lane.height / 2;
  for (let i = firstMark(lane, view.from); i < lane.marks.length;) {
    const { time, kind } = lane.marks[i];
    if (time > view.to) break;
    const x = xOf(view, time);
    c.fillStyle = markColour(kind, look);
    c.beginPath();
    SHAPES[kind][1](c, x, y);
    c.fill();
    // One for each few pixels: more would not be seen.
    i = Math.max(i + 1, firstMark(lane, timeAt(view, x + 5)));
  }
}

function outline(c, view, { lane, i }, colour, width) {
  const { y, height } = strip(lane), x = xOf(view, lane.start[i]);
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.strokeRect(x - 1, y - 1, Math.max(3, xOf(view, lane.end[i]) - x) + 2, height + 2);
}

function arrow(c, from, to, colour) {
  const bend = Math.max(12, Math.abs(to.x - from.x) / 2);
  c.strokeStyle = c.fillStyle = colour;
  c.lineWidth = 1.75;
  c.beginPath();
  c.moveTo(from.x, from.y);
  c.bezierCurveTo(from.x + bend, from.y, to.x - bend, to.y, to.x - 6, to.y);
  c.stroke();
  c.beginPath();
  c.moveTo(to.x, to.y);
  c.lineTo(to.x - 8, to.y - 4);
  c.lineTo(to.x - 8, to.y + 4);
  c.fill();
}

/** The chosen bar, the other bars of its goroutine, who readied it and whom it readied. */
function drawChosen(c, trace, view, look) {
  const { lane, i } = view.chosen.bar, middle = (lane) => strip(lane).y + strip(lane).height / 2;
  let last = -Infinity;
  c.fillStyle = look.text;
  for (const bar of view.chosen.bars) {
    const x = xOf(view, bar.lane.start[bar.i]), wide = Math.max(2, xOf(view, bar.lane.end[bar.i]) - x);
    if (x + wide < view.left || x > view.left + view.width || x + wide < last + 1) continue;
    c.fillRect(x, bar.lane.y + body(bar.lane) - 2, wide, 2);
    last = x + wide;
  }
  outline(c, view, view.chosen.bar, look.text, 2);
  const place = (bar) => {
    const { lane, i } = bar, ready = lane.start[i] - lane.runnable[i];
    const by = trace.ps.find((other) => other.p === lane.byP[i]);
    return by && { from: { x: xOf(view, ready), y: middle(by) }, to: { x: xOf(view, lane.start[i]), y: middle(lane) } };
  };
  if (lane.runnable[i] > 0) {
    const ready = xOf(view, lane.start[i] - lane.runnable[i]), y = middle(lane);
    c.strokeStyle = look.text;
    c.lineWidth = 1;
    c.setLineDash([3, 3]);
    c.beginPath();
    c.moveTo(ready, y);
    c.lineTo(xOf(view, lane.start[i]), y);
    c.stroke();
    c.setLineDash([]);
  }
  for (const bar of view.chosen.readied) {
    const { from, to } = place(bar) ?? {};
    if (from) arrow(c, from, to, look.cool);
  }
  const { from, to } = place(view.chosen.bar) ?? {};
  if (from) arrow(c, from, to, look.hot);
}

/** Above the lanes: how many run and how many are runnable, over the whole trace, and which part the lanes show. */
function drawOverview(canvas, trace, view) {
  const height = 44, { context: c, width } = sized(canvas, height), look = theme(), left = gutter(width);
  const bins = Math.max(1, Math.floor(width - left));
  if (trace.overview?.bins !== bins) trace.overview = overview(trace, bins);
  const { running, runnable, most } = trace.overview, x = (time) => left + time / trace.until * bins;
  c.clearRect(0, 0, width, height);
  c.fillStyle = look.lane;
  c.fillRect(left, 0, bins, height);
  c.fillStyle = look.cool;
  for (let i = 0; i < bins; i++) {
    const high = running[i] / Math.max(1, trace.ps.length) * (height - 4);
    c.globalAlpha = 0.45;
    c.fillRect(left + i, height - high, 1, high);
  }
  c.globalAlpha = 1;
  c.strokeStyle = look.hot;
  c.lineWidth = 1.25;
  c.beginPath();
  for (let i = 0; i < bins; i++) c.lineTo(left + i, height - 2 - runnable[i] / Math.max(1, most) * (height - 8));
  c.stroke();
  const from = x(view.from), to = Math.max(from + 3, x(view.to));
  c.fillStyle = look.back;
  c.globalAlpha = 0.65;
  c.fillRect(left, 0, from - left, height);
  c.fillRect(to, 0, left + bins - to, height);
  c.globalAlpha = 1;
  c.strokeStyle = look.text;
  c.lineWidth = 1;
  c.strokeRect(from + 0.5, 0.5, to - from - 1, height - 1);
  return { left, bins };
}

/** Averages over each of so many stretches of time. */
function overview(trace, bins) {
  const running = new Float64Array(bins), runnable = new Float64Array(bins), span = Math.max(1, trace.until) / bins;
  // Stretches that are covered whole are noted where they begin and end, so a long wait costs no more than a short one.
  const whole = new Map([[running, new Float64Array(bins + 1)], [runnable, new Float64Array(bins + 1)]]);
  const add = (to, from, end) => {
    const [a, b] = [from, end].map((time) => Math.max(0, Math.min(bins - 1, Math.floor(time / span))));
    if (a === b) {
      to[a] += (end - from) / span;
      return;
    }
    to[a] += a + 1 - from / span;
    to[b] += end / span - b;
    whole.get(to)[a + 1] += 1;
    whole.get(to)[b] -= 1;
  };
  for (const lane of trace.ps) {
    for (let i = 0; i < lane.n; i++) {
      add(running, lane.start[i], lane.end[i]);
      if (lane.runnable[i]) add(runnable, lane.start[i] - lane.runnable[i], lane.start[i]);
    }
  }
  for (const [to, changes] of whole) {
    let open = 0;
    for (let i = 0; i < bins; i++) {
      open += changes[i];
      to[i] += open;
    }
  }
  return { bins, running, runnable, most: runnable.reduce((a, b) => Math.max(a, b), 0) };
}
