//! Parts of documents that a command writes: between two comments that name them.

use anyhow::{Context, Result};
use std::path::Path;

/// The text between the marks of `name`.
pub(crate) fn part<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let part = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end));
    let (part, _) = part.with_context(|| format!("there are no lines {} and {end}", begin.trim_end()))?;
    Ok(part)
}

/// Puts `content` between the marks of `name` in a file.
pub(crate) fn write(path: &Path, name: &str, content: &str) -> Result<()> {
    let about = || format!("cannot write {name} in {}", path.display());
    let text = std::fs::read_to_string(path).with_context(about)?;
    let text = replaced(&text, name, content).with_context(about)?;
    std::fs::write(path, text).with_context(about)
}

fn replaced(text: &str, name: &str, content: &str) -> Result<String> {
    let old = part(text, name)?;
    let begin = old.as_ptr() as usize - text.as_ptr() as usize;
    Ok([&text[..begin], "\n", content.trim(), "\n\n", &text[begin + old.len()..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let text = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        let new = replaced(text, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x -->\n\nnew\n\n<!-- end of x -->\nb\n");
        assert_eq!(
            (replaced(&new, "x", "new").unwrap(), part(&new, "x").unwrap()),
            (new.clone(), "\nnew\n\n")
        );
        assert!(replaced(text, "y", "").unwrap_err().to_string().contains("<!-- y -->"));
    }
}
