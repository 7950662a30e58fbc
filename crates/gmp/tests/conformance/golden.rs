//! What Go printed, and where a child first differs from it.

use crate::harness::Done;
use std::fmt::Write as _;

/// What Go's program did.
pub(crate) struct Golden {
    stdout: String,
    code: i32,
    /// The first line on standard error; nothing stands there if there is none.
    stderr: Option<String>,
}

impl Golden {
    /// The golden of the scenario of this name.
    pub(crate) fn of(name: &str) -> Self {
        let read = |what: &str| {
            let path = format!("{}/tests/conformance/golden/{name}.{what}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).ok()
        };
        Self {
            stdout: read("txt").unwrap_or_else(|| panic!("{name} has no golden")),
            code: read("code").map_or(0, |code| code.trim().parse().expect("a code is a number")),
            stderr: read("stderr").map(|line| line.trim_end().to_owned()),
        }
    }

    /// The first difference, if there is one.
    pub(crate) fn difference(&self, done: &Done) -> Option<String> {
        let code = || match done.status.code() {
            Some(code) if code == self.code => None,
            _ => Some(format!("Go exits with code {}, we end with {}", self.code, done.status)),
        };
        let stderr = || {
            let ours = done.stderr.lines().next();
            let differs = ours != self.stderr.as_deref();
            differs.then(|| {
                format!("stderr: Go {:?}, we {:?}", self.stderr.as_deref().unwrap_or(""), ours.unwrap_or(""))
            })
        };
        in_text(&self.stdout, &done.stdout).or_else(code).or_else(stderr)
    }
}

/// The first line and word in which two texts differ.
fn in_text(go: &str, ours: &str) -> Option<String> {
    if go == ours {
        return None;
    }
    let (mut theirs, mut own) = (go.split('\n'), ours.split('\n'));
    for line in 1.. {
        let (Some(go), Some(ours)) = (theirs.next(), own.next()) else {
            return Some(format!("line {line}: one of the two has ended"));
        };
        if go != ours {
            let same = go.split(' ').zip(ours.split(' ')).take_while(|(go, ours)| go == ours).count();
            return Some(format!(
                "line {line}, word {}: Go {}, we {}",
                same + 1,
                excerpt(go, same),
                excerpt(ours, same)
            ));
        }
    }
    None
}

/// Some words of a line, from one of them on.
fn excerpt(line: &str, from: usize) -> String {
    const WORDS: usize = 6;
    let rest: Vec<_> = line.split(' ').skip(from).collect();
    let mut shown = format!("{:?}", rest[..rest.len().min(WORDS)].join(" "));
    if rest.len() > WORDS {
        write!(shown, " ... ({} more)", rest.len() - WORDS).expect("a String takes all");
    }
    shown
}

/// A comparison that finds no difference proves nothing unless it is able to find one.
pub(crate) fn differences_are_found() {
    assert_eq!(in_text("a b\nc\n", "a b\nc\n"), None);
    assert_eq!(in_text("a b\nc d e\n", "a b\nc x e\n").unwrap(), r#"line 2, word 2: Go "d e", we "x e""#);
    assert_eq!(in_text("a b\n", "a\n").unwrap(), r#"line 1, word 2: Go "b", we """#);
    assert_eq!(in_text("a\n", "a").unwrap(), "line 2: one of the two has ended");
    let long = in_text("1 2 3 4 5 6 7 8", "0 2 3 4 5 6 7 8").unwrap();
    assert_eq!(long, r#"line 1, word 1: Go "1 2 3 4 5 6" ... (2 more), we "0 2 3 4 5 6" ... (2 more)"#);
}
