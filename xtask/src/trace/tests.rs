//! A trace is read again and put into a page; and in a real browser the pages of programs that ran are drawn without a
//! complaint, react to keys and tell the same numbers as we count.

use super::*;
use std::path::Path;
use std::process::Command;

const PART: &str = "\"texts\":[\"f\",\"a.rs\",\"yield\",\"steals 1 from P1\"],\"goroutines\":[[7,0,1,3,-1]],\
    \"runs\":[[0,1,7,0,60,2,0,0,-1,0,2],[0,1,7,80,20,2,0,20,0,7,1],[1,2,9,5,10,2,5,0,-1,0,0]],\"calls\":[[2,-1,9,15,30,1]],\
    \"marks\":[[0,1,80,0,3]],\"regions\":[],\"left\":[[7,0,90],[9,1,45]],\"until\":100}</script>\n";

fn specimen() -> String {
    format!("{}{}{PART}", viewer::HEAD, viewer::PART)
}

#[test]
fn times_go_to_kinds() {
    let page = specimen();
    let trace = Trace::read(&page).unwrap();
    assert_eq!(trace.summary(), "3 runs on 2 Ps in 100 ns, 1 steals");
    let kinds: Vec<_> =
        trace.kinds().into_iter().map(|k| (k.function, k.running, k.runnable, k.waiting, k.calls)).collect();
    assert_eq!(kinds, [("f".into(), 80, 30, 0, 0), ("(started before)".into(), 10, 0, 60, 30)]);
    assert_eq!(super::page(&trace), page);
}

#[test]
fn queues_are_told_and_a_page_without_them_is_read() {
    let page = specimen();
    assert_eq!(Trace::read(&page).unwrap().queues(), [], "as older versions wrote it");
    let with = |rows: &str| page.replace("\"until\"", &format!("\"queues\":[{rows}],\"until\""));
    // In parts, as a long trace is.
    let page = with("[1,20,4],[-1,20,0],[0,50,3]") + &with("[1,60,8],[1,70,1]")[viewer::HEAD.len()..];
    let trace = Trace::read(&page).unwrap();
    let told: Vec<_> = trace.queues().into_iter().map(|q| (q.name, q.longest, q.mean)).collect();
    assert_eq!(told, [("P0".into(), 3, 3.0), ("P1".into(), 8, 3.375), ("shared".into(), 0, 0.0)]);
    assert!(table(&trace).contains("3.38"), "{}", table(&trace));
}

#[test]
fn what_is_cut_off_is_left_out_and_what_is_no_trace_is_refused() {
    let page = specimen() + &specimen()[viewer::HEAD.len()..viewer::HEAD.len() + 100];
    assert_eq!(Trace::read(&page).unwrap().lines.len(), 1);
    let error = Trace::read("<!doctype html>\n<p>Hello").unwrap_err().to_string();
    assert!(error.contains("GMP_TRACE"), "{error}");
}

/// Ends a page that is drawn: without a screen there may be no frames to wait for.
const FRAMES: &str = "<script>window.requestAnimationFrame = (then) => setTimeout(then, 1);</script>\n";

/// What a reader does, and what is seen of it: told in attributes of the document.
const READER: &str = r##"<script>
addEventListener("load", async () => {
  const seen = document.documentElement.dataset, canvas = document.getElementById("lanes");
  const key = (key, more) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, ...more }));
  const drawn = () => new Promise((go) => setTimeout(go, 100));
  const span = () => document.getElementById("span").textContent;
  document.querySelector("[data-do=whole]").click();
  await drawn();
  // How much of each lane is covered by bars, and in how much of it the queue stands above the ground. Either may be all:
  // the lane's last line but for the queue shows what is behind them.
  const ratio = canvas.width / canvas.clientWidth, trace = readTrace(), bars = [], queues = [];
  layout(trace, { queues: true });
  const picture = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const line = (y) => picture.subarray(Math.floor(y * ratio) * canvas.width).subarray(0, canvas.width);
  for (const lane of trace.lanes) {
    const behind = line(lane.y + body(lane) - 1)[canvas.width - 2], left = Math.ceil(gutter(canvas.clientWidth) * ratio);
    const covered = (y) => line(y).subarray(left).filter((pixel) => pixel !== behind).length;
    if (lane.n) bars.push(covered(strip(lane).y + strip(lane).height / 2));
    // One goroutine is two pixels high.
    if (lane.queue?.most) queues.push(covered(queueStrip(lane).y + queueStrip(lane).height - 1.5));
  }
  Object.assign(seen, { covered: bars.join(" "), queues: queues.join(" ") });
  const headings = [...document.querySelectorAll("#ps thead button")].map((button) => button.textContent);
  const [longest, mean] = ["longest own queue", "mean own queue"].map((heading) => headings.indexOf(heading));
  seen.ps = [...document.querySelectorAll("#ps tbody tr")].filter(({ cells }) => cells[0].textContent !== "no P")
    .map(({ cells }) => `${cells[0].textContent}: ${cells[longest].dataset.value}, ${Number(cells[mean].dataset.value).toFixed(2)}`).join("; ");
  seen.shared = document.getElementById("queues-told").textContent;
  // A queue is pointed to, then chosen by a click; without queues the lanes are lower.
  const lane = trace.lanes.find((lane) => lane.queue), { left, top } = canvas.getBoundingClientRect();
  const pointer = (kind, x) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, clientX: left + x, clientY: top + queueStrip(lane).y + 5,
  }));
  canvas.setPointerCapture = () => {};
  pointer("pointermove", canvas.clientWidth - 9);
  seen.tip = document.getElementById("tip").textContent;
  for (const kind of ["pointerdown", "pointerup"]) pointer(kind, canvas.clientWidth - 9);
  seen.moment = document.getElementById("details").textContent;
  key("Escape");
  const high = canvas.clientHeight;
  document.getElementById("queues").click();
  await drawn();
  seen.lower = `${high - canvas.clientHeight} ${seen.steps}`;
  document.getElementById("queues").click();
  await drawn();
  seen.whole = span();
  for (let i = 0; i < 4; i++) key("ArrowRight");
  seen.told = document.getElementById("now").textContent;
  key("Enter");
  for (let i = 0; i < 6; i++) key("+");
  await drawn();
  seen.zoomed = span();
  seen.details = document.getElementById("details").textContent;
  canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 300, clientX: 300, cancelable: true }));
  key("ArrowRight", { shiftKey: true });
  key("ArrowDown");
  await drawn();
  key("Escape");
  key("0");
  await drawn();
  seen.again = span();
  document.querySelectorAll("#kinds thead button")[2].click();
  document.querySelector("#kinds tbody button").click();
  const find = document.getElementById("find");
  find.value = "main";
  find.dispatchEvent(new Event("change"));
  await drawn();
  seen.found = document.getElementById("details").textContent;
  seen.done = "yes";
});
</script>"##;

fn browse(browser: &Path, folder: &Path, page: &str) -> (String, String) {
    std::fs::write(folder.join("page.html"), page).unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--enable-logging=stderr",
    ]);
    command.args(["--virtual-time-budget=20000", "--window-size=1200,900"]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display())).arg("--dump-dom");
    let output = command.arg(format!("file://{}", folder.join("page.html").display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (String::from_utf8_lossy(&output.stdout).into_owned(), said)
}

/// An attribute of the document that a browser was left with.
fn attribute<'a>(dom: &'a str, name: &str) -> &'a str {
    let head = &dom[..dom.find("<head>").unwrap_or(dom.len())];
    let value = head.split_once(&format!("data-{name}=\"")).map(|(_, value)| value);
    value.and_then(|value| value.split('"').next()).unwrap_or_else(|| panic!("no data-{name} in {head}"))
}

/// The page as older versions wrote it.
fn without_queues(page: &str) -> String {
    let lines = page.lines().map(|line| match (line.find("\"queues\":["), line.find("\"left\":[")) {
        (Some(queues), Some(left)) if line.starts_with(viewer::PART) => {
            format!("{}{}\n", &line[..queues], &line[left..])
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

fn queues_are_drawn_and_told(dom: &str, trace: &Trace, about: &str) {
    let queues = trace.queues();
    let (shared, of_ps): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| queue.name == "shared");
    let busy = queues.iter().filter(|queue| queue.longest > 0).count();
    let pixels = attribute(dom, "queues").split_whitespace().map(|n| n.parse::<u32>().unwrap());
    assert!(busy > 0 && pixels.filter(|pixels| *pixels > 0).count() == busy, "{busy} queues: {about}");
    let told = of_ps.iter().map(|queue| format!("{}: {}, {:.2}", queue.name, queue.longest, queue.mean));
    assert_eq!(attribute(dom, "ps"), told.collect::<Vec<_>>().join("; "), "{about}");
    let longest = of_ps.iter().map(|queue| queue.longest).max().unwrap();
    let words = attribute(dom, "shared").replace(',', "");
    for number in [longest, shared[0].longest].into_iter().filter(|longest| *longest > 0) {
        assert!(words.contains(&format!(" {number} goroutine")), "{number}: {about}");
    }
    assert!(attribute(dom, "tip").contains("queue at"), "{about}");
    assert!(attribute(dom, "moment").contains("P0's own queue"), "{about}");
    // However many changes there are, a pixel of a lane has one step.
    let steps: usize = attribute(dom, "steps").parse().unwrap();
    assert!((1..=queues.len() * 1200).contains(&steps), "{steps} steps: {about}");
    let (lower, steps) = attribute(dom, "lower").split_once(' ').unwrap();
    assert!(lower.parse::<u32>().unwrap() >= 16 && steps == "0", "{lower} pixels, {steps} steps: {about}");
}

/// It runs in the gate `browser`, which names in `GMP_BROWSER` the program to start and in `GMP_TRACES` a folder of pages
/// that programs wrote; elsewhere it is skipped.
#[test]
fn a_browser_draws_traces_without_a_word() {
    let (Some(browser), Some(traces)) = (std::env::var_os("GMP_BROWSER"), std::env::var_os("GMP_TRACES"))
    else {
        return eprintln!("skipped: `cargo xtask ci browser` names a browser and traces, and runs this test");
    };
    let folder = std::env::temp_dir().join(format!("gmp-xtask-trace-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut pages = 0;
    for page in std::fs::read_dir(&traces).unwrap() {
        let page = page.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        let trace = Trace::read(&text).unwrap();
        let (dom, said) = browse(Path::new(&browser), &folder, &(text.clone() + FRAMES + READER));
        let about = format!("{}: {}\n{said}", page.display(), &dom[..dom.find("<head>").unwrap_or(0)]);
        assert!(!said.contains("CONSOLE"), "{about}");
        assert_eq!(attribute(&dom, "done"), "yes", "{about}");
        assert_eq!(attribute(&dom, "runs"), trace.runs().to_string(), "{about}");
        let covered: Vec<u32> = attribute(&dom, "covered").split(' ').map(|n| n.parse().unwrap()).collect();
        assert!(covered.len() >= trace.procs() && covered.iter().all(|lane| *lane > 0), "{about}");
        queues_are_drawn_and_told(&dom, &trace, &about);
        assert!(attribute(&dom, "drawn").parse::<usize>().unwrap() > 0, "{about}");
        assert_eq!(attribute(&dom, "whole"), attribute(&dom, "again"), "{about}");
        assert_ne!(attribute(&dom, "whole"), attribute(&dom, "zoomed"), "{about}");
        assert!(attribute(&dom, "told").contains("goroutine G"), "{about}");
        assert!(attribute(&dom, "details").contains("goroutineG"), "{about}");
        assert!(attribute(&dom, "found").contains("functionmain"), "{about}");
        let kinds = &dom[dom.find("id=\"kinds\"").unwrap()..];
        let kinds = &kinds[kinds.find("<tbody>").unwrap()..kinds.find("</tbody>").unwrap()];
        let ours: usize = trace.kinds().iter().map(|kind| kind.goroutines).sum();
        let steals = trace.marks(0);
        let summary = &dom[dom.find("id=\"summary\"").unwrap()..];
        let summary = &summary[..summary.find("</p>").unwrap()].replace(',', "");
        assert_eq!(kinds.matches("<tr>").count(), trace.kinds().len(), "{about}");
        for number in [format!(" of {ours} goroutine"), format!(" {steals} steal")] {
            assert!(summary.contains(&number), "{number}: {summary}");
        }
        pages += 1;
        let (dom, said) = browse(Path::new(&browser), &folder, &(without_queues(&text) + FRAMES));
        assert!(!said.contains("CONSOLE"), "an old page: {said}");
        assert_eq!(attribute(&dom, "runs"), trace.runs().to_string(), "an old page");
        assert!(
            attribute(&dom, "steps") == "0" && dom.contains("<label hidden"),
            "there are no queues to show"
        );
    }
    let _it_is_in_the_folder_for_such_things = std::fs::remove_dir_all(&folder);
    assert!(pages > 0);
}
