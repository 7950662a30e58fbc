//! The page is whole, and a real browser draws it without a complaint.

use super::*;
use crate::bench::cell::CellSpec;
use crate::bench::log::{Head, Record};
use crate::bench::sample::{Line, Outcome, Sample};
use std::process::Command;

/// A run of two contestants: two workloads on one and two processors, the second with latencies; and one that failed.
pub(crate) fn report() -> Report {
    let cell = |lib: &str, workload: &str, procs: u64| -> CellSpec {
        let text = format!(r#"{{"lib":"{lib}","policy":"-","workload":"{workload}","procs":{procs},"n":0}}"#);
        serde_json::from_str(&text).unwrap()
    };
    let cells: Vec<CellSpec> = [("spawn", 1), ("spawn", 2), ("wake", 2), ("<crash>", 1)]
        .into_iter()
        .flat_map(|(workload, procs)| [cell("gmp", workload, procs), cell("rival", workload, procs)])
        .collect();
    let samples = cells.iter().flat_map(|cell| (0..3).map(move |turn| sample(cell, turn))).collect();
    let head = format!(
        r#"{{"commit":"0123","machine":{{"cpu":"a & b","cores":2,"kernel":"linux","rustc":"rustc"}},"command":"x",
        "args":{{"policy":["go"],"idle":[],"lib":["gmp"],"group":"workloads","workload":[],"procs":[],"quick":false,
        "mode":["Migrating"],"mimalloc":false,"runs":null,"precise":false,"instructions":false,"go":null,
        "timeout":null,"cell_program":null}},"runs":3,"cells":{}}}"#,
        serde_json::to_string(&cells).unwrap()
    );
    let head: Head = serde_json::from_str(&head).unwrap();
    Report::new(&Record { head, samples })
}

fn sample(cell: &CellSpec, turn: u64) -> Sample {
    let slower = if cell.lib == "rival" { 3.0 } else { 1.0 };
    let latencies = [("latency_50", 900.0), ("latency_99", 4e3), ("latency_100", 2e5)];
    let mut extra: std::collections::BTreeMap<String, Option<f64>> =
        [("bytes_per_g".to_owned(), Some(4096.0 * slower))].into();
    if cell.workload == "wake" {
        extra.extend(latencies.map(|(name, ns)| (name.to_owned(), Some(ns * slower))));
    }
    let ns_per_op = Some((50.0 + turn as f64) * slower / cell.procs as f64);
    let outcome = match cell.workload.as_str() {
        "<crash>" => Outcome::Failed("crashed: <signal>".into()),
        _ => Outcome::Measured(Line { n: 1, ns_per_op, extra }),
    };
    Sample { cell: cell.clone(), turn, outcome }
}

/// Pictures of [`report`]: ratios, three tiles of figures, scaling, latencies, three tiles of memory.
const PICTURES: usize = 1 + 3 + 1 + 1 + 3;

#[test]
fn every_part_is_there_and_nothing_is_taken_for_markup() {
    let page = render(&[report()]).unwrap();
    assert_eq!(page.matches("<svg").count(), PICTURES);
    for part in ["Ratios", "Who is fastest where", "Figures", "Scaling", "Latencies", "Memory", "Raw figures"]
    {
        assert!(page.contains(&format!("<h3>{part}</h3>")), "{part}");
    }
    assert!(page.contains("&lt;crash&gt;") && !page.contains("<crash>") && !page.contains("<signal>"));
    assert!(page.contains("a &amp; b"));
    assert!(
        !page.contains("http-equiv") && !page.contains("src="),
        "the page asks for something from elsewhere"
    );
}

/// It runs in the gate `browser`, which names in `GMP_BROWSER` the program to start; elsewhere it is skipped.
#[test]
fn a_browser_draws_it_without_a_word() {
    let Some(browser) = std::env::var_os("GMP_BROWSER") else {
        return eprintln!("skipped: GMP_BROWSER names no browser; `cargo xtask ci browser` runs this test");
    };
    let folder = std::env::temp_dir().join(format!("gmp-xtask-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // A reader clicks on the heading of the fifth column twice; the largest figure comes first.
    let click = "document.querySelectorAll('.sortable button')[4].click();";
    let page =
        render(&[report()]).unwrap().replace("</body>", &format!("<script>{click}{click}</script></body>"));
    std::fs::write(folder.join("page.html"), page).unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--enable-logging=stderr",
    ]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display())).arg("--dump-dom");
    let output = command.arg(format!("file://{}", folder.join("page.html").display())).output().unwrap();
    let _it_is_in_the_folder_for_such_things = std::fs::remove_dir_all(&folder);
    let (dom, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("CONSOLE"), "{said}");
    assert_eq!(dom.matches("<svg").count(), PICTURES, "{said}");
    let table = &dom[dom.find("class=\"sortable\"").unwrap()..];
    assert_eq!(table.matches("aria-sort=\"descending\"").count(), 1);
    let first = &table[table.find("<tbody>").unwrap()..];
    let first = &first[..first.find("</tr>").unwrap()];
    assert!(first.contains("rival") && first.contains("153 ns"), "{first}");
}
