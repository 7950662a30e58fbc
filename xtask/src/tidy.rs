//! `cargo xtask tidy`: the laws of the house, each in a file with a specimen which proves that the law bites.

mod above;
mod floors;
mod heads;
mod imports;
mod inline;
mod ledger;
mod links;
mod orders;
mod rooms;
mod size;
mod source;
mod strays;
mod tree;
mod unsafety;
mod width;
mod words;

use crate::root;
use anyhow::Result;
use tree::Tree;

/// A law says what is wrong, a line for each complaint: `path:line: what`.
type Law = fn(&Tree) -> Vec<String>;

const LAWS: &[(&str, Law)] = &[
    ("floors only look down", floors::law),
    ("rooms only look down, and no files import each other", rooms::law),
    ("every file opens with //!", heads::law),
    ("files stay short", size::law),
    ("comments stay narrow", width::law),
    ("what refers to a comment above has one above", above::law),
    ("no file lies about", strays::law),
    ("unsafe only where it is listed", unsafety::law),
    ("orderings say what they pair with", orders::law),
    ("the ledger of orderings names what is there", ledger::law),
    ("links lead somewhere", links::law),
    ("the facade shows what it re-exports", inline::law),
    ("no words of one machine", words::law),
];

pub(crate) fn run() -> Result<bool> {
    let tree = Tree::load(root::root())?;
    let mut well = true;
    for (name, law) in LAWS {
        let complaints = law(&tree);
        println!("{:4} {name}", if complaints.is_empty() { "ok" } else { "BAD" });
        complaints.iter().for_each(|complaint| println!("     {complaint}"));
        well &= complaints.is_empty();
    }
    Ok(well)
}
