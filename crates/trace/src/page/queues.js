// Queues: how many goroutines were in each P's own queue and in the shared one, as steps over time. Of several changes within
// a pixel the longest is drawn. It comes from a tree of maxima, so a picture takes as long for a million changes as for a
// thousand.

/** How much higher a P's lane is for its queue, and the shared queue's lane. */
const QUEUE_HEIGHT = 16, SHARED_HEIGHT = 22;

/** A queue from its changes, which are in order: times and lengths by turns. */
function queueOf(changes, until) {
  const n = changes.length / 2, time = new Float64Array(n), length = new Float64Array(n);
  // In the second half the lengths, before them the greater of each two, as a heap has them.
  const tree = new Float64Array(2 * n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    time[i] = changes[2 * i];
    length[i] = tree[n + i] = changes[2 * i + 1];
    if (i) sum += length[i - 1] * (time[i] - time[i - 1]);
  }
  for (let i = n - 1; i > 0; i--) tree[i] = Math.max(tree[2 * i], tree[2 * i + 1]);
  sum += length[n - 1] * (until - time[n - 1]);
  const queue = { n, time, length, tree, until, most: 0, mean: sum / Math.max(1, until - time[0]) };
  queue.most = greatest(queue, 0, n);
  return queue;
}

/** The greatest of the lengths from the place `from` on, before the place `to`. */
function greatest({ n, tree }, from, to) {
  let most = 0;
  for (let low = from + n, high = to + n; low < high; low >>= 1, high >>= 1) {
    if (low & 1) most = Math.max(most, tree[low++]);
    if (high & 1) most = Math.max(most, tree[--high]);
  }
  return most;
}

/** Gives each P's lane its queue, and makes a lane for the shared one if that ever had anything. */
function addQueues(trace, parts, lane, laneOfP) {
  const changes = new Map();
  for (const part of parts) {
    // Pages of older versions have none.
    for (const [p, time, length] of part.queues ?? []) {
      if (!changes.has(p)) changes.set(p, []);
      changes.get(p).push(time, length);
    }
  }
  for (const [p, its] of changes) {
    const queue = queueOf(its, trace.until);
    if (p < 0) {
      trace.shared = queue;
      if (queue.most) lane("shared", () => ({ label: "shared", isP: false, isShared: true, order: 2e6, p: -1 })).queue = queue;
    } else {
      laneOfP(p).queue = queue;
      trace.queues.push(queue);
    }
  }
  trace.longest = trace.queues.reduce((most, queue) => Math.max(most, queue.most), 0);
}

/** The place of the length at a moment; -1 before the first look. */
function placeAt(queue, moment) {
  return above(queue.time, moment) - 1;
}

/** The greatest length from one moment to another, of which something must be known. */
function greatestBetween(queue, from, to) {
  return greatest(queue, Math.max(0, placeAt(queue, from)), placeAt(queue, to) + 1);
}

/** What a queue was at a moment, and how long it stayed so; `blur` is how exactly the moment was pointed to. */
function queueAt(queue, time, blur) {
  const i = placeAt(queue, time);
  if (i < 0) return "not known, nobody has looked yet";
  const end = i + 1 < queue.n ? queue.time[i + 1] : queue.until, most = greatestBetween(queue, time - blur, time + blur);
  return `${count(queue.length[i], "goroutine")}, from ${moment(queue.time[i], 100)} to ${moment(end, 100)}`
    + (most > queue.length[i] ? `; up to ${number(most)} within a pixel` : "");
}

/** What a queue was while something went on. */
function queueDuring(queue, from, to) {
  if (!queue || placeAt(queue, to) < 0) return "";
  const i = Math.max(0, placeAt(queue, from)), first = queue.length[i], most = greatestBetween(queue, from, to);
  return count(first, "goroutine") + (most > first ? `, then up to ${number(most)}` : "");
}

/** A mean in few digits. */
function mean(value) {
  return value && value < 10 ? value.toFixed(value < 0.1 ? 3 : 2) : value.toFixed(1);
}

/** What the lines show, and how high they are, for who sees them and for who does not. */
function queuesInWords(trace) {
  const { queues, longest, shared } = trace, words = [];
  if (longest) words.push(`The timeline shows below the bars of a P how long its own queue was; the full height is ${count(longest, "goroutine")}.`);
  else if (queues.length) words.push("No P's own queue was ever seen to hold a goroutine.");
  if (shared?.most) {
    words.push(`The shared queue, which has a lane of its own, held up to ${count(shared.most, "goroutine")}, ${mean(shared.mean)} on average.`);
  } else if (shared) {
    words.push("The shared queue was never seen to hold one.");
  }
  words.push("Ps look at the queues once in some ten microseconds, with an event: what comes and goes in between is not counted.");
  return words.join(" ");
}

/** Where a lane's queue is drawn. */
function queueStrip(lane) {
  if (lane.isShared) return { y: lane.y + 3, height: lane.height - 4 };
  return { y: lane.y + P_HEIGHT, height: lane.height - P_HEIGHT - 1 };
}

/** Draws a lane's queue, if it has one, and returns how many steps that took: at most one for each pixel. */
function drawQueue(c, trace, lane, view, look) {
  const { queue } = lane, scale = lane.isShared ? queue?.most : trace.longest;
  if (!queue || !view.queues) return 0;
  const { y, height } = queueStrip(lane), base = y + height, right = view.left + view.width, line = new Path2D();
  // One goroutine is seen beside a thousand, too.
  const level = (length) => base - 0.5 - (length && Math.max(2, length / scale * (height - 1)));
  let i = Math.max(0, placeAt(queue, view.from)), x = Math.max(view.left, xOf(view, queue.time[i])), drawn = 0;
  const first = x;
  while (i < queue.n && x < right) {
    const end = xOf(view, i + 1 < queue.n ? queue.time[i + 1] : queue.until);
    let to = x + 1, at = queue.length[i];
    if (end >= to || i + 1 === queue.n) {
      to = Math.min(end, right);
      i += 1;
    } else {
      const next = Math.max(i, placeAt(queue, timeAt(view, to)));
      at = greatest(queue, i, next + 1);
      i = next;
    }
    line.lineTo(x, level(at));
    line.lineTo(to, level(at));
    x = to;
    drawn += 1;
  }
  if (!drawn) return 0;
  const area = new Path2D(line);
  area.lineTo(x, base);
  area.lineTo(first, base);
  c.fillStyle = c.strokeStyle = look.quiet;
  c.lineWidth = 1;
  c.globalAlpha = 0.3;
  c.fill(area);
  c.globalAlpha = 0.9;
  c.stroke(line);
  c.globalAlpha = 1;
  return drawn;
}
