//! Law: every Rust file opens with `//!`: what it is, before how.

use crate::tidy::tree::Tree;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let headless = tree.files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//! "));
    headless.map(|file| format!("{}:1: opens without //!", file.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bites_files_without_a_head() {
        let tree = Tree::specimen(&[("a.rs", "//! A.\n"), ("b.rs", "use x;\n//! B.\n"), ("c.md", "# C")]);
        assert_eq!(law(&tree), ["b.rs:1: opens without //!"]);
    }
}
