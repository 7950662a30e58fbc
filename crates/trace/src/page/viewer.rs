//! What stands in front of a page's data: the styles, the script that draws, and the page that it fills.

/// Before all parts. Nothing in it asks for anything from elsewhere, and its first lines forbid that.
pub(crate) const HEAD: &str = concat!(
    include_str!("head.html"),
    "<style>\n",
    include_str!("page.css"),
    "</style>\n<script>\n\"use strict\";\n",
    include_str!("data.js"),
    include_str!("queues.js"),
    include_str!("lanes.js"),
    include_str!("tables.js"),
    include_str!("page.js"),
    "</script>\n",
    include_str!("body.html"),
);

/// Before each part, which ends with its line.
pub(crate) const PART: &str = "<script type=\"application/json\" class=\"part\">{";
