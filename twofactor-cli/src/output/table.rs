//! Short tables of plain text: columns apart by blanks, nothing around them.

use comfy_table::{ContentArrangement, Table, presets};

/// A table, wrapped to so many columns when it goes to a screen.
pub(crate) fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
    screen: Option<usize>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(columns) = screen {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    }
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    // The style leaves a blank before the first column, which would be in the way of a script.
    table.lines().fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(&line).trim_end() + "\n")
}
