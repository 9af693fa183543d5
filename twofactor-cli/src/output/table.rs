//! Short tables: columns apart by blanks, nothing around them.
//!
//! Invariants: a row is one line. On a screen with too few columns cells are cut, and `…` says so; for scripts they are whole.

use std::array;
use std::fmt;
use std::iter::repeat_n;

use super::screen::{Screen, Tint, tinted};

/// A cell: pieces of text, each in its colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell(Vec<(String, Tint)>);

impl Cell {
    /// A text in one colour.
    pub(crate) fn tinted(text: impl Into<String>, tint: Tint) -> Self {
        Self(vec![(text.into(), tint)])
    }

    /// The same with `other` behind it.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Several, with `between` between them.
    pub(crate) fn joined(cells: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let with = |all: Self, cell| all.and(between.into()).and(cell);
        cells.into_iter().reduce(with).unwrap_or_else(|| "".into())
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text.chars().count()).sum()
    }

    /// The cell in at most `width` columns.
    fn cut(self, width: usize) -> Self {
        if self.width() <= width {
            return self;
        }
        let mut room = width.saturating_sub(1);
        let mut pieces = Vec::with_capacity(self.0.len());
        for (text, tint) in self.0 {
            let text: String = text.chars().take(room).collect();
            room -= text.chars().count();
            pieces.push((text, tint));
        }
        pieces.push(("…".to_owned(), Tint::Plain));
        Self(pieces)
    }

    fn write(&self, line: &mut String, screen: Screen) {
        for (text, tint) in self.0.iter().filter(|(text, _)| !text.is_empty()) {
            line.push_str(&tinted(text, *tint, screen));
        }
    }
}

impl fmt::Display for Cell {
    /// The text alone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(text, _)| formatter.write_str(text))
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::tinted(text, Tint::Plain)
    }
}

/// A table with a line for each row. Where a screen has too few columns, cells are cut, but not below the widths `least`,
/// the widest column first.
pub(crate) fn table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
    least: [usize; COLUMNS],
    screen: Screen,
) -> String {
    let widest = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let mut widths: [usize; COLUMNS] = array::from_fn(|column| widest(column).max(header[column].chars().count()));
    let room = screen.size.map_or(usize::MAX, |(columns, _)| columns.saturating_sub(GAP * COLUMNS.saturating_sub(1)));
    loop {
        let excess = widths.iter().sum::<usize>().saturating_sub(room);
        let most = (0..COLUMNS).max_by_key(|column| widths[*column].saturating_sub(least[*column])).unwrap_or(0);
        let spare = widths[most].saturating_sub(least[most]);
        if excess == 0 || spare == 0 {
            break;
        }
        widths[most] -= 1;
    }
    let mut text = String::new();
    for row in std::iter::once(header.map(Cell::from)).chain(rows) {
        let mut blanks = 0;
        for (cell, width) in row.into_iter().zip(widths) {
            let cell = cell.cut(width);
            let length = cell.width();
            // No blanks at the end of a line.
            if length > 0 {
                text.extend(repeat_n(' ', std::mem::take(&mut blanks)));
                cell.write(&mut text, screen);
            }
            blanks += width - length + GAP;
        }
        text.push('\n');
    }
    text
}

/// Blanks between columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::screen::Palette;

    fn shown<const COLUMNS: usize>(
        header: [&str; COLUMNS],
        row: [Cell; COLUMNS],
        least: [usize; COLUMNS],
        columns: Option<usize>,
        palette: Palette,
    ) -> String {
        table(header, vec![row], least, Screen { size: columns.map(|columns| (columns, 24)), palette })
    }

    #[test]
    fn a_row_that_is_too_long_for_the_screen_is_cut_and_never_broken() {
        let shown = |columns| {
            let row = ["alice".into(), "phone (totp), tablet (totp), 1234567891234 (totp)".into()];
            shown(["USER", "TOKENS"], row, [4, 10], columns, Palette::Utf8)
        };
        assert_eq!(shown(Some(30)), "USER   TOKENS\nalice  phone (totp), tablet (…\n");
        assert!(shown(None).contains("1234567891234 (totp)\n"), "{}", shown(None));
        assert_eq!(shown(Some(8)).lines().count(), 2, "{}", shown(Some(8)));
    }

    #[test]
    fn a_colour_takes_no_room_and_ends_where_its_word_is_cut() {
        let shown = |columns, palette| {
            let lost = Cell::from("12345 (").and(Cell::tinted("lost", Tint::Red)).and(")".into());
            shown(["TOKEN", "USER"], [lost, "bob".into()], [4, 4], Some(columns), palette)
        };
        assert_eq!(shown(80, Palette::Utf8), "TOKEN         USER\n12345 (lost)  bob\n");
        assert_eq!(shown(80, Palette::Color), "TOKEN         USER\n12345 (\u{1b}[1;31mlost\u{1b}[0m)  bob\n");
        assert_eq!(shown(16, Palette::Color), "TOKEN       USER\n12345 (\u{1b}[1;31mlo\u{1b}[0m…  bob\n");
    }
}
