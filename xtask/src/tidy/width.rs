//! Law: no line of a comment is wider than a reader's window. Code is wrapped by rustfmt, which leaves comments alone.

use crate::tidy::tree::Tree;

/// Code has 110 columns (`rustfmt.toml`); a comment may end a word or two later.
const COLUMNS: usize = 124;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        for (i, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            let said = line.trim_start();
            // A link cannot be broken, nor can a table's row.
            let is_whole = line.contains("://") || said.trim_start_matches(['/', '!', ' ']).starts_with('|');
            if columns > COLUMNS && said.starts_with("//") && !is_whole {
                complaints.push(format!(
                    "{}:{}: a comment of {columns} columns, {COLUMNS} are allowed",
                    file.path,
                    i + 1
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(line: &str) -> usize {
        law(&Tree::specimen(&[("a.rs", line)])).len()
    }

    #[test]
    fn bites_wide_comments_alone() {
        let comment = |columns: usize| format!("    //! {}", "─".repeat(columns - 8));
        assert_eq!((complaints(&comment(COLUMNS)), complaints(&comment(COLUMNS + 1))), (0, 1));
        assert_eq!(complaints(&format!("let x = {};", "1".repeat(COLUMNS))), 0);
        assert_eq!(complaints(&format!("// https://example.org/{}", "x".repeat(COLUMNS))), 0);
    }
}
