//! Law: no Rust file is longer than a reader can hold in mind, except those exempted with a reason.

use crate::tidy::tree::Tree;

/// Well-liked files elsewhere have 100 to 450 lines; those that are hard to read have over 1,000.
const LIMIT: usize = 450;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        match tree.house.long.get(&file.path) {
            None if lines > LIMIT => {
                complaints.push(format!("{}: {lines} lines, {LIMIT} are allowed", file.path))
            }
            Some(_) if lines <= LIMIT => {
                complaints.push(format!("{}: short enough by now, take it off the list `long`", file.path));
            }
            Some(reason) if reason.len() < 10 => {
                complaints.push(format!("{}: exempted without a reason", file.path))
            }
            _ => {}
        }
    }
    let gone = |path: &&String| !tree.files.iter().any(|file| file.path == **path);
    complaints
        .extend(tree.house.long.keys().filter(gone).map(|path| format!("{path}: exempted, but not there")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(lines: usize, exempt: Option<&str>) -> Vec<String> {
        let mut tree = Tree::specimen(&[("a.rs", &"x\n".repeat(lines))]);
        tree.house.long = exempt.map(|reason| ("a.rs".to_owned(), reason.to_owned())).into_iter().collect();
        law(&tree)
    }

    #[test]
    fn bites_long_files_and_idle_exemptions() {
        assert_eq!(complaints(450, None), Vec::<String>::new());
        assert_eq!(complaints(451, None), ["a.rs: 451 lines, 450 are allowed"]);
        assert_eq!(complaints(451, Some("one table of registers")), Vec::<String>::new());
        assert!(complaints(451, Some(""))[0].contains("without a reason"));
        assert!(complaints(2, Some("one table of registers"))[0].contains("take it off"));
    }

    #[test]
    fn bites_exemptions_of_files_that_are_gone() {
        let mut tree = Tree::specimen(&[]);
        tree.house.long.insert("a.rs".into(), "one table of registers".into());
        assert_eq!(law(&tree), ["a.rs: exempted, but not there"]);
    }
}
