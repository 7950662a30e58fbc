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
fn what_is_cut_off_is_left_out_and_what_is_no_trace_is_refused() {
    let page = specimen() + &specimen()[viewer::HEAD.len()..viewer::HEAD.len() + 100];
    assert_eq!(Trace::read(&page).unwrap().lines.len(), 1);
    let error = Trace::read("<!doctype html>\n<p>Hello").unwrap_err().to_string();
    assert!(error.contains("GMP_TRACE"), "{error}");
}

/// What a reader does, and what is seen of it: told in attributes of the document.
const READER: &str = r##"<script>
// Without a screen there may be no frames to wait for.
window.requestAnimationFrame = (then) => setTimeout(then, 1);
addEventListener("load", async () => {
  const seen = document.documentElement.dataset, canvas = document.getElementById("lanes");
  const key = (key, more) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, ...more }));
  const drawn = () => new Promise((go) => setTimeout(go, 100));
  const span = () => document.getElementById("span").textContent;
  document.querySelector("[data-do=whole]").click();
  await drawn();
  // How much of each lane is covered by bars, which may be all: its last line shows what is behind them.
  const ratio = canvas.width / canvas.clientWidth, covered = [], ps = document.querySelectorAll("#ps tbody tr").length;
  const picture = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  for (let y = AXIS; y < canvas.clientHeight; ) {
    const height = covered.length < ps ? P_HEIGHT : M_HEIGHT, line = (y) => Math.floor(y * ratio) * canvas.width;
    const behind = picture[line(y + height - 1) + canvas.width - 2], middle = line(y + height / 2);
    const row = picture.subarray(middle + Math.ceil(gutter(canvas.clientWidth) * ratio), middle + canvas.width);
    covered.push(row.filter((pixel) => pixel !== behind).length);
    y += height + GAP;
  }
  seen.covered = covered.join(" ");
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
        let (dom, said) = browse(Path::new(&browser), &folder, &(text.clone() + READER));
        let about = format!("{}: {}\n{said}", page.display(), &dom[..dom.find("<head>").unwrap_or(0)]);
        assert!(!said.contains("CONSOLE"), "{about}");
        assert_eq!(attribute(&dom, "done"), "yes", "{about}");
        assert_eq!(attribute(&dom, "runs"), trace.runs().to_string(), "{about}");
        let covered: Vec<u32> = attribute(&dom, "covered").split(' ').map(|n| n.parse().unwrap()).collect();
        assert!(covered.len() >= trace.procs() && covered.iter().all(|lane| *lane > 0), "{about}");
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
    }
    let _it_is_in_the_folder_for_such_things = std::fs::remove_dir_all(&folder);
    assert!(pages > 0);
}
