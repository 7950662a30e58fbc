//! Law: a comment that refers to one above has one above, of its own kind and near enough to be found.

use crate::tidy::tree::{File, Tree};
use std::collections::BTreeMap;

/// How a comment refers to another one.
const REFERS: [&str; 4] = ["as above", "see above", "as said above", "the same as above"];
/// How many lines above the other comment may stand: a reader sees both.
const NEAR: usize = 60;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    tree.files.iter().filter(|file| file.is_rust()).flat_map(nothing_above).collect()
}

fn nothing_above(file: &File) -> Vec<String> {
    // Where a comment of each kind last said something of its own, or referred to one that did.
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        let Some((_, said)) = comment(line) else { continue };
        let kind = kind(said);
        let lower = said.to_lowercase();
        let refers = REFERS.iter().find(|phrase| lower.contains(*phrase));
        match refers.filter(|_| told.get(kind).is_none_or(|&at| i - at > NEAR)) {
            Some(phrase) => complaints.push(format!(
                "{}:{}: \"{phrase}\", and no such comment stands in the {NEAR} lines above",
                file.path,
                i + 1
            )),
            None => _ = told.insert(kind, i),
        }
    }
    complaints
}

/// The code before a comment, and what the comment says. A quoted comment does not count.
fn comment(line: &str) -> Option<(&str, &str)> {
    line.split_once("//").filter(|(code, _)| !code.contains('"'))
}

/// What a comment is about: `SAFETY`, a named ordering, or nothing in particular.
fn kind(said: &str) -> &str {
    let said = said.trim_start_matches(['/', '!', ' ']);
    if said.starts_with("SAFETY:") {
        "SAFETY"
    } else if let Some(rest) = said.strip_prefix("ORDER: ") {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        &rest[..end]
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        law(&Tree::specimen(&[("a.rs", text)]))
    }

    #[test]
    fn bites_what_refers_to_nothing() {
        for text in
            ["// SAFETY: as above.", "/// See above.", "x(); // ORDER: note. As above.", "// As said above."]
        {
            assert_eq!(complaints(text).len(), 1, "{text}");
            let another = format!("// ORDER: other. Pairs with f.\n{text}");
            assert_eq!(complaints(&another).len(), 1, "{another}");
        }
    }

    #[test]
    fn bites_what_refers_to_something_far_away() {
        let far = |lines: usize| format!("// SAFETY: ours.\n{}// SAFETY: as above.", "\n".repeat(lines));
        assert_eq!((complaints(&far(NEAR - 1)).len(), complaints(&far(NEAR)).len()), (0, 1));
    }

    #[test]
    fn one_after_the_other_is_fine() {
        let text = "// SAFETY: the lock is held.\nf();\n// SAFETY: as above.\nf();\n// SAFETY: as above.\n";
        assert_eq!(complaints(text), Vec::<String>::new());
        assert_eq!(
            complaints("// ORDER: bias. Pairs with f.\n// ORDER: bias. As above."),
            Vec::<String>::new()
        );
        assert_eq!(complaints("let text = \"// SAFETY: as above.\";"), Vec::<String>::new());
    }
}
