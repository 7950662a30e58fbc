//! What the two tables are made of. Where the columns are wider than the terminal, a table becomes several below each
//! other, each with the same rows.

use crate::bench::report::Row;
use crate::bench::units::grouped;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Columns in front of the others, in each of the tables.
const KEYS: [&str; 3] = ["workload", "procs", "n"];
/// How much room a column takes beside its text.
const FRAME: usize = 3;

/// A line for each row, and columns, each with its heading first. All stand flush right except the one named `words`,
/// which is broken into lines where it does not fit.
pub(super) fn render(rows: &[&Row], columns: &[Vec<String>], words: &str, width: usize) -> String {
    let keys: Vec<[String; 3]> = rows.iter().map(|row| key(row)).collect();
    let key_columns = (0..KEYS.len()).map(|at| {
        let texts = keys.iter().map(|key| key[at].as_str()).chain([KEYS[at]]);
        texts.map(columns_of).max().unwrap_or(0) + FRAME
    });
    let left = width.saturating_sub(key_columns.sum::<usize>() + 1);
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| column.iter().map(|text| columns_of(text)).max().unwrap_or(0) + FRAME)
        .collect();
    let tables: Vec<String> = blocks(&widths, left)
        .into_iter()
        .map(|block| {
            let is_too_wide = widths[block.clone()].iter().sum::<usize>() > left;
            let mut table = Table::new();
            table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(match is_too_wide {
                true => ContentArrangement::Dynamic,
                false => ContentArrangement::Disabled,
            });
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
            let line = |keys: &[String], at: usize| {
                let entries = columns[block.clone()].iter().map(|column| column[at].clone());
                keys.iter().cloned().chain(entries).collect::<Vec<_>>()
            };
            table.set_header(line(&KEYS.map(str::to_owned), 0));
            keys.iter().enumerate().for_each(|(at, key)| _ = table.add_row(line(key, at + 1)));
            let headings = columns[block].iter().map(|column| column[0].as_str());
            for (at, heading) in KEYS.into_iter().chain(headings).enumerate().skip(1) {
                if let (false, Some(column)) = (heading == words, table.column_mut(at)) {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
            let text = table.to_string();
            text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
        })
        .collect();
    tables.join("\n")
}

fn key(row: &Row) -> [String; 3] {
    let n = if row.cell.n == 0 { String::new() } else { grouped(row.cell.n as f64) };
    [row.cell.workload.clone(), row.cell.procs.to_string(), n]
}

fn columns_of(text: &str) -> usize {
    text.chars().count()
}

/// Consecutive columns that fit into the width together; one that is too wide stands alone.
fn blocks(widths: &[usize], width: usize) -> Vec<std::ops::Range<usize>> {
    let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
    for at in 0..widths.len() {
        match blocks.last_mut() {
            Some(last) if widths[last.start..=at].iter().sum::<usize>() <= width => last.end = at + 1,
            _ => blocks.push(at..at + 1),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn columns_stand_in_blocks_that_fit() {
        assert_eq!(blocks(&[10, 10, 10], 25), [0..2, 2..3]);
        assert_eq!(blocks(&[10, 50, 10], 25), [0..1, 1..2, 2..3]);
        assert_eq!(blocks(&[5, 5], 0), [0..1, 1..2]);
    }
}
