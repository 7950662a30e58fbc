//! What the two tables are made of.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table with its header.
pub(super) fn new(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    table
}

/// The table's lines, with the columns but the first one flush right.
pub(super) fn lines(mut table: Table, right: std::ops::Range<usize>) -> String {
    for column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    trimmed.join("\n") + "\n"
}

/// A workload's size, where it has one.
pub(super) fn size(n: u64) -> String {
    if n == 0 { String::new() } else { crate::bench::units::grouped(n as f64) }
}
