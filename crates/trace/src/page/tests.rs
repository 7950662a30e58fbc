//! What is written is what happened, on one line for each part, and nothing in it is taken for markup.

use super::*;
use gmp_core::WaitReason;

fn page(acts: &[(u64, Act)], origins: &HashMap<u64, Origin>) -> String {
    let mut writer = Writer::default();
    for (time, act) in acts {
        writer.step(&Step { time: *time, m: 4, act: act.clone() }, origins);
    }
    writer.end();
    String::from_utf8(writer.flip()).unwrap()
}

fn list<'a>(page: &'a str, name: &str) -> &'a str {
    let part = page.lines().find_map(|line| line.strip_prefix(viewer::PART)).unwrap();
    let list = &part[part.find(&format!("\"{name}\":[")).unwrap() + name.len() + 4..];
    // No text of these tests has brackets.
    let end = list.find("],\"").unwrap_or(list.len());
    &list[..end]
}

#[test]
fn a_run_says_who_readied_it_and_how_long_it_waited() {
    let acts = [
        (1_000, Act::ProcIs(2, PState::Running(4))),
        (1_000, Act::GoIs(1, GState::Running(4))),
        (1_100, Act::GoCreate(7)),
        (1_200, Act::GoBlock(1, WaitReason::ChanReceive)),
        (1_250, Act::GoStart { g: 7, next: true }),
        (1_300, Act::GoUnblock(1)),
        (1_400, Act::GoStop { g: 7, preempted: false }),
        (1_420, Act::GoStart { g: 1, next: false }),
        (1_500, Act::GoSyscallBegin(1)),
        (1_800, Act::ProcSteal(2)),
        (1_900, Act::GoSyscallEndBlocked(1)),
        (2_000, Act::Steal { p: 3, victim: 2, amount: 5 }),
    ];
    let page = page(&acts, &HashMap::new());
    assert_eq!(
        list(&page, "runs"),
        "[2,4,1,0,200,2,0,0,-1,0,0],[2,4,7,250,150,3,0,150,2,1,3],[2,4,1,420,80,4,100,120,2,7,0]"
    );
    assert_eq!(
        list(&page, "texts"),
        r#""main","","chan receive","yield","blocking call","taken from a blocking call","steals 5 from P2""#
    );
    assert_eq!(list(&page, "calls"), "[4,-1,1,500,400,1]");
    assert_eq!(list(&page, "marks"), "[2,4,800,4,5],[3,4,1000,0,6]");
    assert_eq!(list(&page, "left"), "[1,0,900],[7,0,400]");
    assert!(page.ends_with("\"until\":1000}</script>\n"));
}

#[test]
fn regions_end_with_their_goroutine_and_runs_with_the_trace() {
    let acts = [
        (10, Act::ProcIs(0, PState::Running(4))),
        (10, Act::GoCreate(1)),
        (20, Act::GoStart { g: 1, next: false }),
        (30, Act::RegionBegin(1, "outer".into())),
        (40, Act::RegionBegin(1, "inner".into())),
        (50, Act::RegionEnd(1, "inner".into())),
        (60, Act::GoCreate(2)),
        (70, Act::GoDestroy(1)),
        (80, Act::GoStart { g: 2, next: false }),
        (99, Act::Queues { p: 0, own: 1, shared: 0, before: None }),
    ];
    let page = page(&acts, &HashMap::new());
    assert_eq!(list(&page, "regions"), "[1,30,10,2],[1,20,40,4]");
    assert_eq!(list(&page, "runs"), "[0,4,1,10,50,3,0,10,0,0,2],[0,4,2,70,19,5,0,20,0,1,2]");
    assert_eq!(list(&page, "texts"), r#""main","","inner","ended","outer","still runs""#);
}

#[test]
fn queues_are_as_long_as_looks_say() {
    let acts = [
        (1_000, Act::ProcIs(0, PState::Running(4))),
        (1_100, Act::Queues { p: 0, own: 1, shared: 0, before: None }),
        (1_250, Act::Steal { p: 1, victim: 0, amount: 30 }),
        (1_300, Act::Queues { p: 0, own: 69, shared: 4, before: Some((1_105, 70)) }),
        (1_310, Act::Queues { p: 0, own: 69, shared: 4, before: Some((1_300, 69)) }),
        (1_320, Act::Queues { p: 3, own: 0, shared: 5, before: None }),
    ];
    assert_eq!(
        list(&page(&acts, &HashMap::new()), "queues"),
        "[0,100,1],[-1,100,0],[0,105,100],[0,250,70],[0,300,69],[-1,300,4],[3,320,0],[-1,320,5]"
    );
}

#[test]
#[cfg(feature = "kernel-switches")]
fn what_the_kernel_did_stands_with_the_p_that_it_held_up() {
    let acts = [
        (10, Act::OffCpu { preempted: false }),
        (20, Act::OnCpu),
        (20, Act::ProcIs(2, PState::Running(4))),
        (30, Act::OffCpu { preempted: true }),
        (45, Act::OnCpu),
        (50, Act::OffCpu { preempted: false }),
        (70, Act::ProcStop(2)),
        (80, Act::OnCpu),
    ];
    assert_eq!(list(&page(&acts, &HashMap::new()), "off"), "[2,4,20,15,1],[2,4,40,30,0]");
}

#[test]
fn names_are_not_taken_for_markup() {
    let origin =
        Origin { function: "f<\"A\">".into(), file: "a\\b.rs".into(), line: 7, name: "</script>\n".into() };
    let page = page(&[(0, Act::GoCreate(1))], &HashMap::from([(1, origin)]));
    let texts = r#""\u003c/script\u003e\u000a","f\u003c\"A\"\u003e","a\\b.rs""#;
    assert_eq!(list(&page, "texts"), texts);
    assert_eq!(list(&page, "goroutines"), "[1,1,2,7,0]");
}

#[test]
fn each_part_is_a_line_with_texts_of_its_own() {
    let mut writer = Writer::default();
    let mut flip = |g| {
        let acts = [Act::GoCreate(g), Act::GoStart { g, next: false }, Act::GoDestroy(g)];
        for act in acts {
            writer.step(&Step { time: g, m: 4, act }, &HashMap::new());
        }
        String::from_utf8(writer.flip()).unwrap()
    };
    let (first, second) = (flip(2), flip(3));
    assert!(first.starts_with("<!doctype html>") && first.contains("\"program\":"));
    assert_eq!(second.lines().count(), 1);
    assert_eq!((list(&first, "texts"), list(&second, "texts")), ("\"ended\"", "\"ended\""));
    assert!(
        !viewer::HEAD.contains("src=") && !viewer::HEAD.contains("http:"),
        "nothing comes from elsewhere"
    );
}
