//! Sentences as they are printed: without control characters, and in lines that are not too long.
//!
//! Invariants: no typed text moves a cursor, and a command in quotes stays whole where a line has room
//! for it.

/// `start` and `words` in lines of at most `width` columns. The first begins behind `column` columns; the others below the
/// words. What stands between double quotes is pasted, and stays whole where a line has room for it.
pub(crate) fn wrapped(start: &str, words: &str, column: usize, width: usize) -> String {
    let words = printable(words, usize::MAX);
    let indent = column + start.chars().count();
    let mut text = start.to_owned();
    let mut at = indent;
    for (index, piece) in pieces(&words, width.saturating_sub(indent)).into_iter().enumerate() {
        let length = piece.chars().count();
        if index > 0 && at + 1 + length > width {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            at = indent;
        } else if index > 0 {
            text.push(' ');
            at += 1;
        }
        text.push_str(piece);
        at += length;
    }
    text
}

/// The words of a text; those of a command are one piece when it is no longer than `room`.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.split(' ').next().unwrap_or_default().len();
        let end = command(rest).filter(|end| rest.get(..*end).is_some_and(|text| text.chars().count() <= room));
        let (piece, behind) = rest.split_at(end.unwrap_or(word));
        pieces.push(piece);
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    pieces
}

/// The end of the command that a text begins with: behind the word with the second of two quotes.
fn command(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('"')?;
    let quote = inside.find('"')? + 1;
    let behind = text.get(quote..)?;
    Some(quote + behind.find(' ').unwrap_or(behind.len()))
}

/// A text that others chose, for a result: its control characters are escaped, and what is longer than `longest` is cut.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    let escaped = Escaped(text).to_string();
    match escaped.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", escaped.get(..end).unwrap_or_default()),
        None => escaped,
    }
}

/// A text whose control characters are escaped, so that it cannot move a terminal's cursor.
pub(super) struct Escaped<'t>(pub(super) &'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_wrapped_at_words_and_commands_stay_whole() {
        let hint = "run \"twofactor enroll alice\"; --force does it";
        assert_eq!(wrapped("hint: ", hint, 0, 80), format!("hint: {hint}"));
        assert_eq!(
            wrapped("hint: ", hint, 0, 34),
            "hint: run\n      \"twofactor enroll alice\";\n      --force does it"
        );
        assert_eq!(wrapped("", "a \"b c d e\" f", 0, 6), "a \"b c\nd e\" f", "a command that does not fit");
    }

    #[test]
    fn what_somebody_typed_cannot_move_the_cursor() {
        assert_eq!(Escaped("a\u{1b}[2Jb\n").to_string(), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("a\nb", 10), "a\\nb");
        assert_eq!(printable(&"h".repeat(5000), 60).len(), 63);
    }
}
