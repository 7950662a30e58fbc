//! Law: only the crates listed in `xtask/floors.toml` contain the word `unsafe` as code. (That each block says who
//! promised what is a lint of clippy's.)

use crate::tidy::source;
use crate::tidy::tree::Tree;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.ships()) {
        let Some(package) = tree.package_of(&file.path) else { continue };
        if tree.house.opens_unsafe.contains_key(&package) {
            continue;
        }
        for (i, line) in source::code(&file.text).lines().enumerate() {
            if source::has_word(line, "unsafe") {
                complaints.push(format!("{}:{}: {package} is to be safe code", file.path, i + 1));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::specimen(&[("crates/p/Cargo.toml", "[package]\nname = 'p'"), ("crates/p/src/a.rs", text)])
    }

    #[test]
    fn bites_unsafe_code_and_not_prose() {
        let text = "//! No unsafe here.\n#![deny(unsafe_code)]\nfn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(law(&tree(text)), ["crates/p/src/a.rs:4: p is to be safe code"]);
    }

    #[test]
    fn listed_crates_may() {
        let mut tree = tree("unsafe fn f() {}");
        tree.house.opens_unsafe.insert("p".into(), "reason".into());
        assert_eq!(law(&tree), Vec::<String>::new());
    }
}
