//! Law: relative links in Markdown lead to a file that is there, and to a heading that it has.

use crate::tidy::tree::Tree;

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (i, line) in prose(&file.text) {
            for link in targets(line).filter(|link| is_relative(link)) {
                if let Some(wrong) = judge(tree, &file.path, link) {
                    complaints.push(format!("{}:{}: {link}: {wrong}", file.path, i + 1));
                }
            }
        }
    }
    complaints
}

/// Lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What stands in the round brackets of `[text](target)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// Whether it is neither the web nor a path of rustdoc's (`Type::method` in a README that is a crate's documentation).
fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:") && !link.contains("::") && !link.is_empty()
}

fn judge(tree: &Tree, from: &str, link: &str) -> Option<String> {
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let target = if path.is_empty() { from.to_owned() } else { resolve(from, path) };
    let folder = format!("{target}/");
    let Some(file) = tree.files.iter().find(|file| file.path == target) else {
        let is_folder = target.is_empty() || tree.files.iter().any(|file| file.path.starts_with(&folder));
        return (!is_folder).then(|| "no such file".to_owned());
    };
    let heading = heading.filter(|_| target.ends_with(".md"))?;
    let has = prose(&file.text).any(|(_, line)| line.starts_with('#') && anchor(line) == heading);
    (!has).then(|| format!("{target} has no such heading"))
}

/// The path from the root, with `.` and `..` resolved.
fn resolve(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A heading's anchor, as code hosts make it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bites_links_into_nowhere() {
        let text = "[a](docs/a.md) [b](docs/b.md) [c](https://x.y/z) [d](docs) [e](#top-level) [f](#none)\n\
                    # `Top` level!\n```\n[g](gone)\n```\n[h](docs/a.md#deep) [i](docs/a.md#shallow) [j](gmp::go)";
        let tree = Tree::specimen(&[("README.md", text), ("docs/a.md", "## Deep\n[up](../README.md)")]);
        assert_eq!(
            law(&tree),
            [
                "README.md:1: docs/b.md: no such file",
                "README.md:1: #none: README.md has no such heading",
                "README.md:6: docs/a.md#shallow: docs/a.md has no such heading",
            ]
        );
    }
}
