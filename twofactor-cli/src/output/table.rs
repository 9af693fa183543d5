//! Short tables of plain text: columns apart by blanks, nothing around them.

use std::array;

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

/// A table with a line for each row: where a screen has too few columns, cells are cut, but not below these widths, the widest
/// column first.
pub(crate) fn shortened<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
    least: [usize; COLUMNS],
    screen: Option<usize>,
) -> String {
    let Some(screen) = screen else { return table(header, rows, None) };
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let mut widths: [usize; COLUMNS] = array::from_fn(|column| widest(column).max(header[column].chars().count()));
    let room = screen.saturating_sub(GAP * COLUMNS.saturating_sub(1));
    loop {
        let excess = widths.iter().sum::<usize>().saturating_sub(room);
        let most = (0..COLUMNS).max_by_key(|column| widths[*column].saturating_sub(least[*column])).unwrap_or(0);
        let spare = widths[most].saturating_sub(least[most]);
        if excess == 0 || spare == 0 {
            break;
        }
        widths[most] -= 1;
    }
    let cut = |row: [String; COLUMNS]| {
        let mut column = 0;
        row.map(|cell| {
            let width = widths[column];
            column += 1;
            cut(&cell, width)
        })
    };
    table(header, rows.into_iter().map(cut), None)
}

/// Blanks between columns.
const GAP: usize = 2;

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_too_long_for_the_screen_is_cut_and_never_broken() {
        let row = || [["alice".to_owned(), "phone (totp), tablet (totp), 1234567891234 (totp)".to_owned()]].to_vec();
        let narrow = shortened(["USER", "TOKENS"], row(), [4, 10], Some(30));
        assert_eq!(narrow, "USER   TOKENS\nalice  phone (totp), tablet (…\n");
        let script = shortened(["USER", "TOKENS"], row(), [4, 10], None);
        assert!(script.contains("1234567891234 (totp)\n"), "{script}");
        let tiny = shortened(["USER", "TOKENS"], row(), [4, 10], Some(8));
        assert_eq!(tiny.lines().count(), 2, "{tiny}");
    }
}
