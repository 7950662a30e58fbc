//! What the sections of a page are made of.

/// A part of a run's section; nothing if there is nothing to show.
pub(crate) fn part(title: &str, about: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<h3>{}</h3>\n<p>{}</p>\n{content}", escaped(title), escaped(about))
}

/// A picture with the words that stand for it where it cannot be seen.
pub(crate) fn figure(label: &str, caption: &str, svg: &str) -> String {
    let caption = match caption {
        "" => String::new(),
        caption => format!("<figcaption>{}</figcaption>", escaped(caption)),
    };
    format!("<figure><div role=\"img\" aria-label=\"{}\">{svg}</div>{caption}</figure>\n", escaped(label))
}

/// Pictures side by side, as many as fit; nothing if there are none.
pub(crate) fn tiled(figures: &str) -> String {
    if figures.is_empty() { String::new() } else { format!("<div class=\"tiles\">{figures}</div>\n") }
}

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
