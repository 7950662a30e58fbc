// The page: what is shown, and what keys, wheel, fingers and buttons change about it.

addEventListener("DOMContentLoaded", () => {
  const at = (id) => document.getElementById(id), canvas = at("lanes"), overviewCanvas = at("overview"), tip = at("tip");
  const trace = readTrace();
  const view = {
    from: 0, to: Math.max(1, trace.until), left: 56, width: 1, marks: true, queues: true, kind: null, chosen: null, focus: null, moment: null,
  };
  let asked = false, place = { left: 0, bins: 1 };

  function draw() {
    asked = false;
    const { drawn, steps } = drawLanes(canvas, trace, view);
    Object.assign(document.documentElement.dataset, { drawn, steps });
    place = drawOverview(overviewCanvas, trace, view);
    at("span").textContent = `${duration(view.to - view.from)} from ${moment(view.from, (view.to - view.from) / 10)} on`;
  }
  function redraw() {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  }

  /** Shows this stretch, within the trace and no shorter than 20 ns. */
  function show(from, to) {
    const span = Math.min(Math.max(1, trace.until), Math.max(20, to - from));
    view.from = Math.max(0, Math.min(from, trace.until - span));
    view.to = view.from + span;
    redraw();
  }
  function zoom(factor, time = (view.from + view.to) / 2) {
    show(time - (time - view.from) * factor, time + (view.to - time) * factor);
  }
  const move = (share) => show(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);

  /** Moves the stretch, and makes it shorter if it must, so that a bar can be seen. */
  function reveal({ lane, i }) {
    const start = lane.start[i], end = lane.end[i], span = view.to - view.from, wide = (end - start) / span * view.width;
    if (wide < 3) show(start - (end - start + 100) * 20, end + (end - start + 100) * 20);
    else if (start < view.from || end > view.to) show(start - span * 0.3, start + span * 0.7);
    else redraw();
  }

  // Words about a bar.
  function facts({ lane, i }) {
    const g = trace.goroutines.get(lane.g[i]), length = lane.end[i] - lane.start[i], found = [
      ["goroutine", title(trace, g.number)], ["function", g.kind.name], ["started at", g.kind.site],
      [lane.isP ? "ran" : "in the call", `${duration(length)}, from ${moment(lane.start[i], 100)} on`],
      ["on", lane.isP ? `${lane.label}, ${lane.m[i] < OUTSIDE ? `M${lane.m[i]}` : "an M that is not known"}` : lane.label],
      [lane.isP ? "then" : "kind", trace.words[lane.why[i]]],
    ];
    if (!lane.isP) return found;
    const who = lane.byG[i] ? title(trace, lane.byG[i]) : lane.byP[i] >= 0 ? "the scheduler" : "";
    const where = lane.byP[i] >= 0 ? ` on P${lane.byP[i]}` : "";
    if (who) found.push([lane.how[i] & 2 ? "started by" : "readied by", who + where]);
    if (lane.waited[i]) found.push(["waited before", duration(lane.waited[i])]);
    for (const [name, others] of [["others had the CPU", 1], ["its thread slept", 0]]) {
      const off = offDuring(lane, i, others);
      if (off) found.push([name, `for ${duration(off)} of that`]);
    }
    found.push(["runnable before", duration(lane.runnable[i]) + (lane.how[i] & 1 ? ", a hit of run_next" : "")]);
    const within = trace.regions.filter((region) => region.g === g.number && region.start < lane.end[i] && region.end > lane.start[i]);
    if (within.length) found.push(["regions", [...new Set(within.map((region) => region.name))].join(", ")]);
    found.push([`${lane.label}'s own queue`, queueDuring(lane.queue, lane.start[i], lane.end[i])]);
    if (trace.shared?.most) found.push(["shared queue", queueDuring(trace.shared, lane.start[i], lane.end[i])]);
    return found;
  }
  const sentence = (bar) => facts(bar).filter(([, what]) => what).map(([name, what]) => `${name} ${what}`);

  /** How long each queue was at the moment that was chosen. */
  function lengths() {
    const at = (queue) => queueAt(queue, view.moment, 0), found = [["at", moment(view.moment, (view.to - view.from) / view.width)]];
    if (trace.shared) found.push(["shared queue", at(trace.shared)]);
    return [...found, ...trace.ps.filter((lane) => lane.queue).map((lane) => [`${lane.label}'s own queue`, at(lane.queue)])];
  }

  function listed(all) {
    const list = document.createElement("dl");
    for (const [name, what] of all) {
      if (!what) continue;
      const term = document.createElement("dt"), told = document.createElement("dd");
      term.textContent = name;
      told.textContent = what;
      list.append(term, told);
    }
    return list;
  }

  function details() {
    const box = at("details");
    box.replaceChildren();
    if (view.moment !== null) {
      box.append(listed(lengths()));
      return;
    }
    if (!view.chosen) {
      const none = document.createElement("p");
      none.textContent = "None.";
      box.append(none);
      return;
    }
    const { bar, bars, readied } = view.chosen;
    const all = [...facts(bar), ["bars of it", `${bars.length.toLocaleString("en")} in this trace`]];
    if (readied.length) {
      const names = readied.slice(0, 20).map(({ lane, i }) => title(trace, lane.g[i]));
      all.push(["readied", names.join(", ") + (readied.length > 20 ? `, and ${readied.length - 20} more` : "")]);
    }
    box.append(listed(all));
    const here = bars.findIndex((other) => other.lane === bar.lane && other.i === bar.i);
    const steps = [["Its bar before", bars[here - 1]], ["Its next bar", bars[here + 1]], ["Who readied it", readier(bar)]];
    for (const [words, to] of steps) {
      if (!to) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.addEventListener("click", () => {
        choose(to);
        [...box.querySelectorAll("button")].find((other) => other.textContent === words)?.focus();
      });
      box.append(button, " ");
    }
  }

  /** The bar in which the goroutine was readied. */
  function readier({ lane, i }) {
    const by = trace.ps.find((other) => other.p === lane.byP[i]);
    if (!lane.isP || !by || !lane.byG[i]) return undefined;
    const time = lane.start[i] - lane.runnable[i];
    for (let j = above(by.start, time) - 1; j >= 0 && j > above(by.start, time) - 4; j--) {
      if (by.g[j] === lane.byG[i]) return { lane: by, i: j };
    }
    return undefined;
  }

  /** Chooses a bar, or a moment, or nothing. */
  function choose(bar, moment = null) {
    view.focus = bar ?? null;
    view.chosen = null;
    view.moment = moment;
    if (bar) {
      const { lane, i } = bar, g = lane.g[i], readied = [];
      for (const other of lane.isP ? trace.ps : []) {
        for (let j = above(other.start, lane.start[i]); j < other.n && readied.length < 200; j++) {
          const ready = other.start[j] - other.runnable[j];
          if (other.byG[j] === g && other.byP[j] === lane.p && ready >= lane.start[i] && ready <= lane.end[i]) {
            readied.push({ lane: other, i: j });
          }
        }
      }
      view.chosen = { bar, bars: barsOf(trace, g), readied };
      reveal(bar);
    }
    details();
    redraw();
  }

  function focus(bar) {
    if (!bar) return;
    view.focus = bar;
    reveal(bar);
    at("now").textContent = `${bar.lane.label}: ${sentence(bar).join("; ")}`;
  }

  /** The bar at a point of the canvas, or the nearest within some pixels; or a decision; or a moment, below the bars. */
  function pick(x, y) {
    const lane = trace.lanes.find((lane) => y >= lane.y && y < lane.y + lane.height);
    if (!lane || x < view.left) return undefined;
    const time = timeAt(view, x), slack = 4 * (view.to - view.from) / view.width;
    if (lane.queue && y >= queueStrip(lane).y && view.queues) return { lane, time };
    if (lane.isP ? y < lane.y + 11 : false) {
      const mark = lane.marks[firstMark(lane, time - slack)];
      if (view.marks && mark && mark.time <= time + slack) return { lane, mark };
    }
    const i = above(lane.end, time);
    if (i < lane.n && lane.start[i] <= time) return { lane, i };
    const near = [i - 1, i].filter((j) => j >= 0 && j < lane.n && lane.start[j] - slack <= time && lane.end[j] + slack >= time);
    return near.length ? { lane, i: near[0] } : { lane };
  }
  function queueTip({ lane, time }) {
    const name = lane.isShared ? "The shared queue" : `${lane.label}'s own queue`, blur = (view.to - view.from) / view.width / 2;
    return `${name} at ${moment(time, blur)}:\n${queueAt(lane.queue, time, blur)}`;
  }
  function hover(event) {
    const { left, top } = canvas.getBoundingClientRect(), x = event.clientX - left, y = event.clientY - top, found = pick(x, y);
    tip.hidden = !found || (found.i === undefined && !found.mark && found.time === undefined);
    if (tip.hidden) return;
    if (found.mark) tip.textContent = `${found.lane.label} ${found.mark.text}\nat ${moment(found.mark.time, 100)}`;
    else if (found.time !== undefined) tip.textContent = queueTip(found);
    else tip.textContent = sentence(found).join("\n");
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = `${Math.max(0, Math.min(x + 14, canvas.clientWidth - width))}px`;
    tip.style.top = `${y + 18 + height > canvas.clientHeight + 60 ? Math.max(0, y - height - 12) : y + 18}px`;
  }

  // Wheel, mouse and fingers.
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1, [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) move((event.shiftKey && !dx ? dy : dx) / view.width);
    else zoom(Math.exp(Math.max(-1, Math.min(1, dy / 400))), timeAt(view, event.clientX - canvas.getBoundingClientRect().left));
    tip.hidden = true;
  }, { passive: false });
  const fingers = new Map();
  let travelled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event.clientX);
    travelled = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return hover(event);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
    fingers.set(event.pointerId, event.clientX);
    travelled += Math.abs(event.clientX - before);
    if (others.length) {
      const middle = (event.clientX + others[0]) / 2 - canvas.getBoundingClientRect().left;
      zoom(Math.max(20, Math.abs(before - others[0])) / Math.max(20, Math.abs(event.clientX - others[0])), timeAt(view, middle));
    } else if (travelled > 4) {
      move((before - event.clientX) / view.width);
    }
    tip.hidden = true;
    return undefined;
  });
  const lift = (event) => {
    if (fingers.delete(event.pointerId) && event.type === "pointerup" && travelled <= 4 && !fingers.size) {
      const { left, top } = canvas.getBoundingClientRect(), found = pick(event.clientX - left, event.clientY - top);
      if (!found?.mark) choose(found?.i === undefined ? undefined : found, found?.time);
    }
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  let dragging = false;
  const centre = (event) => {
    const x = event.clientX - overviewCanvas.getBoundingClientRect().left - place.left, half = (view.to - view.from) / 2;
    show(x / place.bins * trace.until - half, x / place.bins * trace.until + half);
  };
  overviewCanvas.addEventListener("pointerdown", (event) => {
    overviewCanvas.setPointerCapture(event.pointerId);
    dragging = true;
    centre(event);
  });
  overviewCanvas.addEventListener("pointermove", (event) => { if (dragging) centre(event); });
  for (const end of ["pointerup", "pointercancel"]) overviewCanvas.addEventListener(end, () => { dragging = false; });

  // Keys: a bar has the focus, and the view goes with it.
  function first() {
    const lane = trace.lanes.find((lane) => lane.n);
    return lane && { lane, i: Math.min(lane.n - 1, above(lane.end, view.from)) };
  }
  function beside(step) {
    if (!view.focus) return first();
    const { lane, i } = view.focus;
    return { lane, i: Math.max(0, Math.min(lane.n - 1, i + step)) };
  }
  function otherLane(step) {
    if (!view.focus) return first();
    const time = view.focus.lane.start[view.focus.i];
    for (let at = view.focus.lane.at + step; at >= 0 && at < trace.lanes.length; at += step) {
      const lane = trace.lanes[at];
      if (lane.n) return { lane, i: Math.min(lane.n - 1, above(lane.end, time)) };
    }
    return view.focus;
  }
  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? move(-0.25) : focus(beside(-1))), ArrowRight: (event) => (event.shiftKey ? move(0.25) : focus(beside(1))),
    ArrowUp: () => focus(otherLane(-1)), ArrowDown: () => focus(otherLane(1)),
    Enter: () => view.focus && choose(view.focus), " ": () => view.focus && choose(view.focus), Escape: () => choose(undefined),
    "+": () => zoom(0.5, centreOfFocus()), "=": () => zoom(0.5, centreOfFocus()), "-": () => zoom(2, centreOfFocus()),
    0: () => show(0, trace.until), Home: () => show(0, trace.until),
  };
  function centreOfFocus() {
    const { lane, i } = view.focus ?? {}, time = lane && (lane.start[i] + lane.end[i]) / 2;
    return time >= view.from && time <= view.to ? time : undefined;
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key](event);
  });

  // Buttons.
  const does = { in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.5), right: () => move(0.5), whole: () => show(0, trace.until) };
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", does[button.dataset.do]);
  at("marks").addEventListener("change", (event) => {
    view.marks = event.target.checked;
    redraw();
  });
  at("queues").addEventListener("change", (event) => {
    view.queues = event.target.checked;
    redraw();
  });
  at("find").addEventListener("change", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    if (!wanted) return;
    const all = [...trace.goroutines.values()], called = all.find((g) => `g${g.number}` === wanted || String(g.number) === wanted)
      ?? all.find((g) => g.name.toLowerCase().includes(wanted)) ?? all.find((g) => g.kind.name.toLowerCase().includes(wanted));
    const bar = called && barsOf(trace, called.number)[0];
    if (bar) choose(bar);
    else at("now").textContent = `no goroutine ${wanted}`;
    event.target.setAttribute("aria-invalid", String(!bar));
  });

  // What is told in words.
  const marks = (kind) => trace.lanes.reduce((sum, lane) => sum + lane.marks.filter((mark) => mark.kind === kind).length, 0);
  document.title = trace.program ? `${trace.program}: gmp trace` : "gmp trace";
  document.querySelector("h1").textContent = document.title;
  const hits = trace.ps.reduce((sum, lane) => sum + lane.how.reduce((sum, how) => sum + (how & 1), 0), 0);
  at("summary").textContent = `${count(trace.runs, "run")} of ${count(trace.goroutines.size, "goroutine")} of ${count(trace.kinds.length, "kind")} `
    + `on ${count(trace.ps.length, "P")} in ${duration(trace.until)}; ${count(marks(STEAL), "steal")}, `
    + `${trace.runs ? Math.round(100 * hits / trace.runs) : 0} % of the runs hits of run_next.`
    + (trace.off.others ? ` The kernel ran others for ${duration(trace.off.others)} in which a P was at work.` : "")
    + (trace.whole ? "" : " The file lacks its end: the program ended while it was written.");
  kindsTable(trace, view, redraw);
  psTable(trace);
  regionsTable(trace);
  at("queues").closest("label").hidden = at("queues-told").hidden = !trace.shared;
  at("queues-told").textContent = queuesInWords(trace);
  const dress = () => {
    legend(trace);
    redraw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  new ResizeObserver(redraw).observe(canvas);
  document.documentElement.dataset.runs = trace.runs;
  dress();
});
