//! Law: nothing in the project names a place that only one machine has.

use crate::tidy::tree::Tree;

/// Written in two parts, so that this file does not break its own law.
const FORBIDDEN: [&str; 3] = [concat!("/", "work/"), concat!("/", "tmp/"), concat!("/", "root/")];

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in &tree.files {
        for (i, line) in file.text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                complaints.push(format!("{}:{}: {word} is a place on one machine", file.path, i + 1));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bites_paths_of_one_machine() {
        let text = format!("fine\nsee {}x\n", FORBIDDEN[0]);
        let complaints = law(&Tree::specimen(&[("a.md", &text)]));
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("a.md:2: "), "{complaints:?}");
    }
}
