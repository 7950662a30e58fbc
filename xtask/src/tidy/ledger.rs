//! Law: what `docs/orderings.md` names exists. Names of orderings have sites and sites have lines; functions and models
//! exist.

use crate::tidy::source;
use crate::tidy::tree::{File, Tree};
use std::collections::BTreeSet;

const LEDGER: &str = "docs/orderings.md";
/// What begins a comment that names an ordering.
const SITE: &str = "// ORDER: ";

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    let Some(ledger) = tree.files.iter().find(|file| file.path == LEDGER) else { return complaints };
    let sources: Vec<&File> =
        tree.files.iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")).collect();
    let (named, sites) = (names(&ledger.text), sites(&sources));
    let lost = sites.iter().filter(|(name, _)| !named.contains(name.as_str()));
    complaints.extend(lost.map(|(name, place)| format!("{place}: ORDER: {name} has no line in {LEDGER}")));
    let known: BTreeSet<&str> = sites.iter().map(|(name, _)| name.as_str()).collect();
    let gone = named.iter().filter(|name| !known.contains(name.as_str()));
    complaints.extend(gone.map(|name| format!("{LEDGER}: no site says ORDER: {name}")));
    let (functions, models) = defined(&sources);
    for (i, line) in ledger.text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        for said in line.split('`').skip(1).step_by(2) {
            let parts: Vec<&str> = said.split("::").collect();
            let is_name =
                |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
            if !parts.iter().all(|part| is_name(part) || *part == "*") {
                continue;
            }
            let last = parts[parts.len() - 1];
            let there = if parts.len() > 1 && parts[0].starts_with(|c: char| c.is_lowercase()) {
                last == "*" || models.contains(last) || models.contains(&format!("loom_{}_{last}", parts[0]))
            } else {
                functions.contains(last)
            };
            if !there {
                complaints.push(format!("{LEDGER}:{}: {said} is nowhere in crates/", i + 1));
            }
        }
    }
    complaints
}

/// The names of orderings that the ledger's tables list, and those that its text has in bold.
fn names(ledger: &str) -> BTreeSet<String> {
    let of_row = |line: &str| Some(line.strip_prefix("| ")?.split(" | ").next()?.trim().to_owned());
    let is_name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let rows = ledger
        .lines()
        .filter_map(of_row)
        .filter(|name| is_name(name) && name.as_str() != "name" && name != "sites");
    let bold = ledger.split("**").skip(1).step_by(2).map(str::to_owned).filter(is_name);
    rows.chain(bold).collect()
}

/// Which orderings the sites name, and where.
fn sites(sources: &[&File]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // Models say what stands for an ordering, and not which one it is.
    for file in sources.iter().filter(|file| file.ships()) {
        for (i, line) in file.text.lines().enumerate() {
            let Some((_, rest)) = line.split_once(SITE) else { continue };
            let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            found.push((name, format!("{}:{}", file.path, i + 1)));
        }
    }
    found
}

/// The names of all functions and types, and of all functions in models.
fn defined(sources: &[&File]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut models) = (BTreeSet::new(), BTreeSet::new());
    for file in sources {
        let code = source::code(&file.text);
        for keyword in ["fn ", "struct ", "enum ", "trait ", "type "] {
            for (at, _) in code.match_indices(keyword) {
                let name: String = code[at + keyword.len()..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if keyword == "fn " {
                    models.insert(name.clone());
                }
                all.insert(name);
            }
        }
    }
    (all, models)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "struct Word;\nfn wake() {\n    // ORDER: note. Pairs with sleep.\n}\nfn a_wake_is_seen() {}";

    fn complaints(ledger: &str) -> Vec<String> {
        law(&Tree::specimen(&[(LEDGER, ledger), ("crates/x/src/a.rs", CODE)]))
    }

    #[test]
    fn a_true_ledger_passes() {
        let row = "| note | `Word::wake` | `wake` (swap) | what the waker did | `note::a_wake_is_seen`, `chan::*` |";
        assert_eq!(complaints(row), Vec::<String>::new());
    }

    #[test]
    fn bites_what_was_renamed_on_one_side() {
        let row = "| note | `Word::rouse` | `wake` | | `note::a_wake_is_lost` |";
        let found = complaints(row);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("Word::rouse") && found[1].contains("note::a_wake_is_lost"), "{found:?}");
    }

    #[test]
    fn bites_names_without_a_line_or_a_site() {
        let found = complaints("| gone | `wake` | | | none |");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("ORDER: note has no line"), "{found:?}");
        assert!(found[1].contains("no site says ORDER: gone"), "{found:?}");
    }
}
