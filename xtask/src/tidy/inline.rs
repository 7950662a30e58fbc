//! Law: what the facade takes from other crates stands on its rustdoc pages with a summary, so it is inlined there. (That
//! it has a summary is the lint `missing_docs`.)

use crate::tidy::tree::Tree;

/// The facade, whose pages are what users read.
const FACADE: &str = "crates/gmp/src/";

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.starts_with(FACADE) && file.is_rust()) {
        let mut inlined = false;
        for (i, line) in file.text.lines().map(str::trim_start).enumerate() {
            if line.starts_with("pub use gmp_") && !inlined {
                complaints.push(format!("{}:{}: a re-export without #[doc(inline)]", file.path, i + 1));
            }
            inlined = line == "#[doc(inline)]" || (inlined && line.starts_with("#["));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bites_re_exports_without_a_summary() {
        let text = "#[doc(inline)]\npub use gmp_core::a;\npub use gmp_core::b;\n#[doc(inline)]\n#[cfg(x)]\n\
                    pub use gmp_sync::c;\npub use own::d;";
        let tree = Tree::specimen(&[
            ("crates/gmp/src/lib.rs", text),
            ("crates/sync/src/lib.rs", "pub use gmp_x::y;"),
        ]);
        assert_eq!(law(&tree), ["crates/gmp/src/lib.rs:3: a re-export without #[doc(inline)]"]);
    }
}
