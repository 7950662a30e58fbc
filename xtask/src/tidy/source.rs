//! Rust source without its comments and string literals, so that a law about code does not trip over prose.

/// The same lines with comments, strings and character literals blanked.
pub(crate) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = prose_end(&chars, i);
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

/// Where the comment or text that begins at `i` ends; `i` itself if none begins there.
fn prose_end(chars: &[char], i: usize) -> usize {
    let next = chars.get(i + 1).copied();
    match (chars[i], next) {
        ('/', Some('/')) => find(chars, i, |at| chars[at] == '\n'),
        ('/', Some('*')) => block_comment_end(chars, i),
        ('"', _) => string_end(chars, i + 1),
        ('r', Some('"' | '#')) if !follows_word(chars, i) => raw_string_end(chars, i),
        ('\'', Some('\\')) => (find(chars, i + 3, |at| chars[at] == '\'') + 1).min(chars.len()),
        ('\'', Some(_)) if chars.get(i + 2) == Some(&'\'') => i + 3,
        _ => i,
    }
}

fn find(chars: &[char], from: usize, hit: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|at| hit(*at)).unwrap_or(chars.len())
}

fn follows_word(chars: &[char], i: usize) -> bool {
    i > 0 && is_word(chars[i - 1]) && chars[i - 1] != 'b'
}

fn block_comment_end(chars: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') if depth == 1 => return i + 2,
            ('*', '/') => depth -= 1,
            _ => {
                i += 1;
                continue;
            }
        }
        i += 2;
    }
    chars.len()
}

fn string_end(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

/// `r"..."`, `r#"..."#`; a raw identifier such as `r#type` is no text.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return start;
    }
    let closes = |at: usize| {
        chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (find(chars, open + 1, closes) + 1 + hashes).min(chars.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the line has `word` as a whole word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_blanked_and_lines_stay() {
        let text = "a // unsafe\n\"unsafe \\\" x\" b /* u /* v */\n w */ c 'x' '\\'' 'a r#\"un\"safe\"# r#type br\"y\" d";
        let code = code(text);
        assert_eq!(code.lines().count(), 2 + 1);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "'a", "r#type", "b", "d"]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("x = unsafe {", "unsafe"));
        assert!(!has_word("unsafe_op_in_unsafe_fn", "unsafe"));
    }
}
