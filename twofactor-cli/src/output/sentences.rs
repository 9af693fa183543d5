//! Sentences as they are printed: without control characters, and in lines that are not too long.
//!
//! Invariants: no typed text moves a cursor, no word is broken, and a command in quotes stays whole where a line has room
//! for it. A word that is longer than a line (a path, a URI) stays whole.

/// `start` and `words` in lines of at most `width` columns. The first begins behind `column` columns; the others below the
/// words. What stands between double quotes is pasted, and stays whole where a line has room for it.
pub(crate) fn wrapped(start: &str, words: &str, column: usize, width: usize) -> String {
    filled(start, &printable(words, usize::MAX), column, width)
}

/// A whole text in lines of at most `width` columns. A line that is longer goes on below its own words: behind the label
/// (`Token:  `) or the blanks that it begins with. Blanks at the end of a question stay.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let mut fitted = String::with_capacity(text.len() + 80);
    for line in text.split_inclusive('\n') {
        if columns(line.trim_end_matches('\n')) <= width {
            fitted.push_str(line);
            continue;
        }
        let words = line.trim_end();
        let (start, words) = words.split_at(margin(words));
        fitted.push_str(&filled(start, words, 0, width));
        fitted.push_str(line.get(start.len() + words.len()..).unwrap_or_default());
    }
    fitted
}

/// The end of a line's label, or of the blanks that it begins with.
fn margin(line: &str) -> usize {
    let blanks = line.len() - line.trim_start().len();
    let is_label = |label: &str| {
        label.starts_with(char::is_uppercase) && label.chars().all(|letter| letter.is_alphanumeric() || letter == ' ')
    };
    match line.split_once(':') {
        Some((label, words))
            if blanks == 0 && label.len() < LONGEST_LABEL && words.starts_with(' ') && is_label(label) =>
        {
            line.len() - words.trim_start().len()
        }
        _ => blanks,
    }
}

/// A longer text begins a sentence.
const LONGEST_LABEL: usize = 18;

/// The columns that a text takes on a screen: sequences of escapes, as colours are, take none.
fn columns(text: &str) -> usize {
    let mut inside = false;
    let takes = |character: &char| match (inside, *character) {
        (false, '\u{1b}') => {
            inside = true;
            false
        }
        (true, letter) => {
            inside = !letter.is_ascii_alphabetic();
            false
        }
        (false, _) => true,
    };
    text.chars().filter(takes).count()
}

fn filled(start: &str, words: &str, column: usize, width: usize) -> String {
    let indent = column + columns(start);
    flowed(
        start,
        &pieces(words, width.saturating_sub(indent)),
        Lines { first: indent, others: indent, width, mark: "" },
    )
}

/// A command to paste, behind `start`, in lines of at most `width` columns: one that is longer goes on behind a backslash, as
/// a shell reads it. It is broken between words, and never inside quotes.
pub(crate) fn pasted(start: &str, command: &str, width: usize) -> String {
    let command = printable(command, usize::MAX);
    let first = columns(start);
    flowed(start, &shell_words(&command), Lines { first, others: first + 2, width, mark: " \\" })
}

/// The lines that words flow into.
#[derive(Clone, Copy)]
struct Lines {
    /// The column at which the first line begins, and the others.
    first: usize,
    others: usize,
    width: usize,
    /// Ends each line but the last.
    mark: &'static str,
}

/// `start` and the words behind it, as many in a line as fit.
fn flowed(start: &str, words: &[&str], lines: Lines) -> String {
    let Lines { first, others, width, mark } = lines;
    let mut text = start.to_owned();
    let mut at = first;
    for (index, word) in words.iter().enumerate() {
        let length = columns(word);
        // The mark, where the text goes on behind this word.
        let needed = length + if index + 1 < words.len() { mark.len() } else { 0 };
        if index > 0 && at + 1 + needed > width {
            text.push_str(mark);
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', others));
            at = others;
        } else if index > 0 {
            text.push(' ');
            at += 1;
        }
        text.push_str(word);
        at += length;
    }
    text
}

/// The words of a command, with their quotes.
fn shell_words(command: &str) -> Vec<&str> {
    let (mut words, mut start, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (place, character) in command.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, ' ') => {
                words.extend(command.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    words.extend(command.get(start..));
    words
}

/// The words of a text; those of a command are one piece when it is no longer than `room`.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.split(' ').next().unwrap_or_default().len();
        let end = command(rest).filter(|end| rest.get(..*end).is_some_and(|text| columns(text) <= room));
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
    fn a_long_line_goes_on_below_its_own_words() {
        let fitted = |text| fitted(text, 30);
        assert_eq!(fitted("short\n\n  as it  is\n"), "short\n\n  as it  is\n");
        assert_eq!(
            fitted("Uid:   every login is refused from now on\n"),
            "Uid:   every login is refused\n       from now on\n"
        );
        assert_eq!(fitted("    issued on a day in the year, drift 0"), "    issued on a day in the\n    year, drift 0");
        assert_eq!(
            fitted("/etc/pam.d/sshd: is the place of what is changed? [y/N] "),
            "/etc/pam.d/sshd: is the place\nof what is changed? [y/N] "
        );
        assert_eq!(
            fitted("URI: otpauth://totp/a-long-name-without-an-end"),
            "URI: otpauth://totp/a-long-name-without-an-end"
        );
        let red = "\u{1b}[1;31mrefused\u{1b}[0m: no code was given here";
        assert_eq!(fitted(red), format!("{}\nhere", red.trim_end_matches(" here")), "a colour takes no room");
    }

    #[test]
    fn no_text_of_words_is_longer_than_its_screen_and_no_word_is_broken() {
        let words = ["a", "of", "the", "\"run it\"", "token", "administrators", "Uid:", "twofactor.toml"];
        for seed in 0..2000_usize {
            let chosen =
                (0..seed % 40).map(|place| words[(seed * 31 + place * place * 7 + place * seed) % words.len()]);
            let text = chosen.collect::<Vec<_>>().join(" ");
            let width = 20 + seed % 70;
            for shown in [fitted(&text, width), wrapped("twofactor: ", &text, 0, width.max(26))] {
                assert!(shown.lines().all(|line| columns(line) <= width.max(26)), "{width}: {shown}");
                let shown = shown.strip_prefix("twofactor: ").unwrap_or(&shown);
                assert!(shown.split_whitespace().eq(text.split_whitespace()), "{shown}");
            }
        }
    }

    #[test]
    fn a_long_command_goes_on_behind_a_backslash_and_never_inside_quotes() {
        let command = "sed -i 's/a long text/b/' /etc/pam.d/sshd && echo done";
        assert_eq!(pasted("  fix: ", command, 80), format!("  fix: {command}"));
        assert_eq!(
            pasted("fix: ", command, 40),
            "fix: sed -i 's/a long text/b/' \\\n       /etc/pam.d/sshd && echo done"
        );
        assert_eq!(shell_words(r#"a\ b "c \" d" 'e"' f"#), [r"a\ b", r#""c \" d""#, r#"'e"'"#, "f"]);
    }

    #[test]
    fn what_somebody_typed_cannot_move_the_cursor() {
        assert_eq!(Escaped("a\u{1b}[2Jb\n").to_string(), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("a\nb", 10), "a\\nb");
        assert_eq!(printable(&"h".repeat(5000), 60).len(), 63);
    }
}
