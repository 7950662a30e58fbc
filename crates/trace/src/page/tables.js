// Tables: goroutines by kind, Ps with what the policy decided, and regions. A click on a heading sorts.

/** Fills a table: columns of a heading, a value to sort by and words for it; those of `words` are aligned as text. */
function fill(table, columns, rows) {
  const head = table.createTHead().insertRow();
  for (const { heading, words } of columns) {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    cell.setAttribute("aria-sort", "none");
    if (words) cell.className = "words";
    button.type = "button";
    button.textContent = heading;
    cell.append(button);
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    columns.forEach((column, at) => {
      const cell = document.createElement(at ? "td" : "th"), value = column.value(row);
      if (!at) cell.scope = "row";
      if (column.words) cell.className = "words";
      cell.dataset.value = value;
      cell.append(column.show ? column.show(value, row) : value);
      line.append(cell);
    });
  }
  const headings = [...head.cells];
  headings.forEach((heading, at) => heading.firstChild.addEventListener("click", () => {
    // Figures fall at the first click, words rise.
    const words = columns[at].words, before = heading.getAttribute("aria-sort");
    const rising = before === "none" ? Boolean(words) : before === "descending";
    headings.forEach((other) => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const value = (row) => row.cells[at].dataset.value;
    const compare = words ? (a, b) => value(a).localeCompare(value(b)) : (a, b) => value(a) - value(b);
    body.append(...[...body.rows].sort((a, b) => (rising ? compare(a, b) : compare(b, a))));
  }));
}

const number = (value) => value.toLocaleString("en");

/** The kinds; the name of each shows it alone in the timeline. */
function kindsTable(trace, view, redraw) {
  const time = (heading, value) => ({ heading, value, show: (ns) => (ns ? duration(ns) : "0") });
  const name = (value, kind) => {
    const button = document.createElement("button"), swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.dataset.kind = kind.at;
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(swatch, value);
    button.addEventListener("click", () => {
      view.kind = view.kind === kind.at ? null : kind.at;
      for (const other of document.querySelectorAll("#kinds tbody button")) {
        other.setAttribute("aria-pressed", String(view.kind !== null && other === button));
      }
      redraw();
    });
    return button;
  };
  const reason = (kind) => [...kind.reasons].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  fill(document.getElementById("kinds"), [
    { heading: "function", words: true, value: (kind) => kind.name, show: name },
    { heading: "goroutines", value: (kind) => kind.goroutines, show: number },
    { heading: "runs", value: (kind) => kind.runs, show: number },
    time("running", (kind) => kind.running),
    time("runnable", (kind) => kind.runnable),
    time("longest", (kind) => kind.longest),
    time("waiting", (kind) => kind.waiting),
    { heading: "most for", words: true, value: reason },
    time("in calls", (kind) => kind.calls),
    { heading: "started at", words: true, value: (kind) => kind.site },
  ], trace.kinds);
}

/** The Ps: how busy they were, how long their queues, and what was decided on them. */
function psTable(trace) {
  const marks = (kind) => (lane) => lane.marks.filter((mark) => mark.kind === kind).length;
  const share = (of) => (lane) => (lane.n ? of(lane) / lane.n : 0);
  const percent = (value) => `${(100 * value).toFixed(1)} %`;
  // A trace of an older version has no queues.
  const queues = !trace.queues.length ? [] : [
    { heading: "longest own queue", value: (lane) => lane.queue?.most ?? 0, show: number },
    { heading: "mean own queue", value: (lane) => lane.queue?.mean ?? 0, show: mean },
  ];
  fill(document.getElementById("ps"), [
    { heading: "P", words: true, value: (lane) => lane.label },
    { heading: "at work", value: (lane) => lane.sum[lane.n] / Math.max(1, trace.until), show: percent },
    { heading: "runs", value: (lane) => lane.n, show: number },
    { heading: "hits of run_next", value: share((lane) => lane.how.reduce((sum, how) => sum + (how & 1), 0)), show: percent },
    ...queues,
    { heading: "steals", value: marks(STEAL), show: number },
    { heading: "from the shared queue", value: marks(FROM_SHARED), show: number },
    { heading: "handed on", value: marks(HAND_OFF), show: number },
    { heading: "Ms woken", value: marks(WAKE), show: number },
    { heading: "taken from calls", value: marks(TAKEN), show: number },
  ], trace.ps);
}

/** The regions by their names. */
function regionsTable(trace) {
  const regions = new Map();
  for (const { name, start, end } of trace.regions) {
    const region = regions.get(name) ?? { name, times: 0, total: 0, longest: 0 };
    region.times += 1;
    region.total += end - start;
    region.longest = Math.max(region.longest, end - start);
    regions.set(name, region);
  }
  if (!regions.size) return;
  document.getElementById("regions-section").hidden = false;
  fill(document.getElementById("regions"), [
    { heading: "region", words: true, value: (region) => region.name },
    { heading: "times", value: (region) => region.times, show: number },
    { heading: "in all", value: (region) => region.total, show: duration },
    { heading: "mean", value: (region) => region.total / region.times, show: duration },
    { heading: "longest", value: (region) => region.longest, show: duration },
  ], [...regions.values()].sort((a, b) => b.total - a.total));
}

/** The legend: colours of kinds, as many as have one of their own, shapes of decisions, and how high queues are drawn. */
function legend(trace) {
  const list = document.getElementById("legend"), look = theme();
  list.replaceChildren();
  const entry = (mark, text) => {
    const item = document.createElement("li");
    item.append(mark, text);
    list.append(item);
  };
  for (const kind of trace.kinds.slice(0, LIGHT.length)) {
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.dataset.kind = kind.at;
    entry(swatch, kind.name);
  }
  const seen = new Set(trace.lanes.flatMap((lane) => [...new Set(lane.marks.map((mark) => mark.kind))]));
  const drawn = (draw) => {
    const canvas = document.createElement("canvas");
    canvas.style.cssText = "display:inline-block;width:12px;vertical-align:-2px;margin-right:.4em;border-radius:0";
    canvas.setAttribute("aria-hidden", "true");
    canvas.width = 24;
    canvas.height = 24;
    const c = canvas.getContext("2d");
    c.scale(2, 2);
    c.beginPath();
    draw(c);
    c.fill();
    return canvas;
  };
  SHAPES.forEach(([words, shape], kind) => {
    if (seen.has(kind)) entry(drawn((c) => { c.fillStyle = markColour(kind, look); shape(c, 6, 6); }), words);
  });
  for (const [told, fill, words] of [
    [trace.off.others, look.hot, "foot of a bar: the kernel ran others"], [trace.off.asleep, look.quiet, "foot of a bar: its thread slept"],
  ]) {
    if (told) entry(drawn((c) => { c.fillStyle = fill; c.rect(0, 8, 12, 4); }), words);
  }
  const steps = (c) => {
    c.fillStyle = look.quiet;
    [3, 7, 5].forEach((high, at) => c.rect(4 * at, 12 - high, 4, high));
  };
  if (trace.longest) entry(drawn(steps), `below a P's bars: its own queue, up to ${number(trace.longest)}`);
  if (trace.shared?.most) entry(drawn(steps), `lane "shared": the shared queue, up to ${number(trace.shared.most)}`);
  const above = (c) => { c.fillStyle = look.cool; c.globalAlpha = 0.45; c.rect(0, 2, 12, 10); };
  entry(drawn(above), "overview: Ps at work");
  entry(drawn((c) => { c.fillStyle = look.hot; c.rect(0, 5, 12, 2); }), "overview: runnable goroutines");
  const corner = (c) => { c.fillStyle = look.text; c.moveTo(1, 1); c.lineTo(10, 1); c.lineTo(1, 10); };
  entry(drawn(corner), "corner of a bar: a hit of run_next");
  for (const swatch of document.querySelectorAll(".swatch")) swatch.style.background = colour(Number(swatch.dataset.kind), look.dark);
}
