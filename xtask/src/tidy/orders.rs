//! Law: the strong ordering lives in one place, and every acquire or release of core says what it pairs with.

use crate::tidy::source;
use crate::tidy::tree::Tree;

/// The only file that may name the strongest ordering: its `full_fence` is what all protocols use.
const SEAM: &str = "crates/gmp-core/src/ground/sync.rs";
/// Where orderings must be explained.
const EXPLAINED: &str = "crates/gmp-core/src/";
/// Orderings that pair with another site.
const PAIRING: [&str; 3] = ["Acquire", "Release", "AcqRel"];
/// How many lines above the site the comment may begin.
const NEAR: usize = 8;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.ships() && file.path.starts_with("crates/")) {
        let code = source::code(&file.text);
        let lines: Vec<&str> = file.text.lines().collect();
        for (i, line) in code.lines().enumerate() {
            // What follows are the file's own tests.
            if line.trim_start().starts_with("#[cfg(test)]") || line.contains("#[cfg(all(test") {
                break;
            }
            if source::has_word(line, "SeqCst") && file.path != SEAM {
                complaints.push(format!(
                    "{}:{}: SeqCst; the strong ordering is sync::full_fence",
                    file.path,
                    i + 1
                ));
            }
            if file.path.starts_with(EXPLAINED) && pairs(line) && !explained(&lines, i) {
                complaints.push(format!(
                    "{}:{}: no ORDER: comment says what this pairs with",
                    file.path,
                    i + 1
                ));
            }
        }
    }
    complaints
}

fn pairs(line: &str) -> bool {
    !line.trim_start().starts_with("use ") && PAIRING.iter().any(|word| source::has_word(line, word))
}

fn explained(lines: &[&str], site: usize) -> bool {
    lines[site.saturating_sub(NEAR)..=site].iter().any(|line| line.contains("ORDER:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        law(&Tree::specimen(&[(path, text)]))
    }

    #[test]
    fn bites_the_strong_ordering_outside_the_seam() {
        let text = "fence(Ordering::SeqCst);";
        assert_eq!(complaints(SEAM, text), Vec::<String>::new());
        assert_eq!(complaints("crates/gmp/src/a.rs", text).len(), 1);
    }

    #[test]
    fn bites_orderings_without_a_word_in_core_only() {
        let bare = "use Ordering::Acquire;\nx.load(Acquire);";
        assert_eq!(complaints("crates/gmp-core/src/a.rs", bare).len(), 1);
        assert_eq!(complaints("crates/gmp/src/a.rs", bare), Vec::<String>::new());
        let told = "// ORDER: submit-spin. Pairs with f.\nx.load(Ordering::Acquire);";
        assert_eq!(complaints("crates/gmp-core/src/a.rs", told), Vec::<String>::new());
        let far = format!("// ORDER: far.\n{}x.load(Ordering::Acquire);", "\n".repeat(NEAR));
        assert_eq!(complaints("crates/gmp-core/src/a.rs", &far).len(), 1);
    }

    #[test]
    fn prose_and_tests_are_free() {
        let text = "// Acquire, SeqCst\n#[cfg(test)]\nmod tests { x.load(Ordering::SeqCst) }";
        assert_eq!(complaints("crates/gmp-core/src/a.rs", text), Vec::<String>::new());
    }
}
