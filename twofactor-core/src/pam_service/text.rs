//! The text of a PAM service as lines and words, cut as libpam cuts it.
//!
//! libpam has put lines together in two ways: [`Reading::Old`] (Linux-PAM 1.5.3 and before, libpam/pam_handlers.c:
//! `_pam_assemble_line`) and [`Reading::New`] (1.6 and later, libpam_internal/pam_line.c: `_pam_line_assemble`). Both are
//! followed here step by step, with what was surely not meant: the old one reads on past blank lines and comments while it
//! continues a line, and takes what stands behind byte 1,023 of a line for the next one. Words are cut the same by both
//! (libpam/pam_misc.c: `_pam_StrTok`, later `_pam_tokenize`): at blanks, tabs and ends of lines, and at nothing else that looks
//! like a blank.

use std::ops::Range;

/// The rule by which libpam joins lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Linux-PAM 1.5.3 and before.
    Old,
    /// Linux-PAM 1.6 and later.
    New,
}

impl Reading {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Old => Self::New,
            Self::New => Self::Old,
        }
    }
}

/// A line as libpam runs it: one of the file, or several that a backslash puts together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalLine {
    /// Its first line in the file, from 1.
    pub first: usize,
    /// Its last.
    pub last: usize,
    /// Its words. A line has none where a backslash continued nothing.
    pub words: Vec<Word>,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its bytes in the text, with the backslashes and newlines inside brackets that go on in the next line.
    pub span: Range<usize>,
    /// As it is written, with the brackets that let it hold blanks.
    pub written: String,
    /// As libpam takes it: without them, and with `]` for `\]`.
    pub taken: String,
}

/// A text, cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its lines without comments and blank ones.
    pub lines: Vec<LogicalLine>,
    /// Its end.
    pub end: End,
}

/// The end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a whole line.
    Whole,
    /// With a line that goes on, which began at this one: libpam gives the file up.
    Unfinished(usize),
    /// Nowhere: libpam never comes to the end of this line.
    Endless(usize),
}

/// The room of the old reading, with the zero behind it (`BUF_SIZE`).
const ROOM: usize = 1024;
/// The blanks that words are cut at.
const BLANKS: &[u8] = b" \n\t";

/// True when a text has nothing that versions of libpam cut differently: no backslash, no zero, and no line longer than the
/// room of the old reading.
pub(super) fn is_plain(text: &[u8]) -> bool {
    !text.contains(&b'\\') && !text.contains(&0) && text.split(|byte| *byte == b'\n').all(|line| line.len() + 1 < ROOM)
}

/// The lines of a text.
pub fn cut(text: &[u8], reading: Reading) -> Cut {
    match reading {
        Reading::Old => cut_as_before(text),
        Reading::New => cut_as_now(text),
    }
}

fn cut_as_before(text: &[u8]) -> Cut {
    let mut lines = Vec::new();
    let mut pieces = Pieces { text, at: 0, number: 1 };
    let (mut so_far, mut first): (Gathered, Option<usize>) = (Gathered::default(), None);
    loop {
        let room = ROOM - 1 - so_far.bytes.len().min(ROOM - 1);
        if room == 0 {
            return Cut { lines, end: End::Endless(first.unwrap_or(pieces.number)) };
        }
        let Some((number, start, piece)) = pieces.next(room) else {
            return Cut { lines, end: first.map_or(End::Whole, End::Unfinished) };
        };
        let string = until(piece, 0);
        match string.get(leading(string, BLANKS)..).unwrap_or_default() {
            [] | [b'#', ..] => continue,
            _ => {}
        }
        let began = *first.get_or_insert(number);
        let content = until(string, b'#');
        let goes_on = if content.len() == string.len() { backslash(content) } else { None };
        match goes_on {
            Some(at) => {
                so_far.add(content.get(..at).unwrap_or_default(), start);
                so_far.add(b" ", start + at);
            }
            None => {
                so_far.add(content, start);
                lines.push(LogicalLine { first: began, last: number, words: so_far.words() });
                (so_far, first) = (Gathered::default(), None);
            }
        }
    }
}

fn cut_as_now(text: &[u8]) -> Cut {
    let mut lines = Vec::new();
    let mut pieces = Pieces { text, at: 0, number: 1 };
    let (mut so_far, mut first): (Gathered, Option<usize>) = (Gathered::default(), None);
    while let Some((number, start, piece)) = pieces.next(usize::MAX) {
        let is_nothing = matches!(piece.get(leading(piece, b" \t")..), None | Some([] | [b'\n' | b'#', ..]));
        if is_nothing && so_far.bytes.is_empty() {
            (so_far, first) = (Gathered::default(), None);
            continue;
        }
        let began = *first.get_or_insert(number);
        let (line, goes_on) = match backslash(piece) {
            Some(at) => ([piece.get(..at).unwrap_or_default(), b" "].concat(), true),
            None => (piece.to_vec(), false),
        };
        let start = start + leading(&line, b" \t");
        let line = line.get(leading(&line, b" \t")..).unwrap_or_default();
        let content = until(until(line, 0), b'#');
        let is_commented = content.len() < until(line, 0).len();
        // Of a line with a zero everything is kept, and read as far as the zero.
        let kept = if is_commented { [content, b"\0"].concat() } else { line.to_vec() };
        if goes_on && !is_commented {
            so_far.add(&kept, start);
            continue;
        }
        if !so_far.bytes.is_empty() || !matches!(content, [] | [b'\n', ..]) {
            so_far.add(&kept, start);
        }
        if !until(&so_far.bytes, 0).is_empty() {
            lines.push(LogicalLine { first: began, last: number, words: so_far.words() });
        }
        (so_far, first) = (Gathered::default(), None);
    }
    Cut { lines, end: first.map_or(End::Whole, End::Unfinished) }
}

/// A text as it is read, piece by piece: a line, or as much of it as there is room for.
struct Pieces<'t> {
    text: &'t [u8],
    at: usize,
    number: usize,
}

impl<'t> Pieces<'t> {
    /// The number of its line, where it begins, and itself.
    fn next(&mut self, room: usize) -> Option<(usize, usize, &'t [u8])> {
        let rest = self.text.get(self.at..)?;
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        let piece = rest.get(..end.min(room))?;
        let (number, start) = (self.number, self.at);
        self.number += usize::from(piece.ends_with(b"\n"));
        self.at += piece.len();
        (!piece.is_empty()).then_some((number, start, piece))
    }
}

/// The bytes of a line that is put together from pieces of the text.
#[derive(Default)]
struct Gathered {
    bytes: Vec<u8>,
    /// Of each piece where it begins, here and in the text.
    pieces: Vec<(usize, usize)>,
}

impl Gathered {
    fn add(&mut self, bytes: &[u8], start: usize) {
        self.pieces.push((self.bytes.len(), start));
        self.bytes.extend_from_slice(bytes);
    }

    /// The place of a byte in the text.
    fn place(&self, at: usize) -> usize {
        let piece = self.pieces.iter().rfind(|(begins, _)| *begins <= at);
        piece.map_or(0, |(begins, start)| start + at - begins)
    }

    /// The words as far as a zero.
    fn words(&self) -> Vec<Word> {
        let line = until(&self.bytes, 0);
        let mut words = Vec::new();
        let mut at = leading(line, BLANKS);
        while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
            let (taken, length) = if rest.starts_with(b"[") { bracketed(rest) } else { plain(rest) };
            let end = at + length.clamp(1, rest.len());
            let written = line.get(at..end).unwrap_or_default();
            let span = self.place(at)..self.place(end - 1) + 1;
            words.push(Word { span, written: text_of(written), taken: text_of(&taken) });
            at = end + leading(line.get(end..).unwrap_or_default(), BLANKS);
        }
        words
    }
}

fn until(text: &[u8], end: u8) -> &[u8] {
    text.split(|byte| *byte == end).next().unwrap_or_default()
}

fn leading(text: &[u8], blanks: &[u8]) -> usize {
    text.iter().take_while(|byte| blanks.contains(byte)).count()
}

/// The place of the backslash that a line ends with, blanks apart.
fn backslash(line: &[u8]) -> Option<usize> {
    let last = line.iter().rposition(|byte| !BLANKS.contains(byte))?;
    (line.get(last) == Some(&b'\\')).then_some(last)
}

fn plain(rest: &[u8]) -> (Vec<u8>, usize) {
    let end = rest.iter().position(|byte| BLANKS.contains(byte)).unwrap_or(rest.len());
    (rest.get(..end).unwrap_or_default().to_vec(), end)
}

/// A word in brackets, up to the first `]` that has no backslash before it, or to the end of the line.
fn bracketed(rest: &[u8]) -> (Vec<u8>, usize) {
    let mut taken = Vec::new();
    let mut at = 1;
    loop {
        match (rest.get(at), rest.get(at + 1)) {
            (None, _) => return (taken, rest.len()),
            (Some(b']'), _) => return (taken, at + 1),
            (Some(b'\\'), Some(b']')) => {
                taken.push(b']');
                at += 2;
            }
            (Some(byte), _) => {
                taken.push(*byte);
                at += 1;
            }
        }
    }
}

fn text_of(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines with their words, and how the text ends, in both readings when they are the same.
    fn both(text: &str) -> (Vec<Vec<String>>, End) {
        let (before, now) = (read(text, Reading::Old), read(text, Reading::New));
        assert_eq!(before, now, "{text:?}");
        now
    }

    fn read(text: &str, reading: Reading) -> (Vec<Vec<String>>, End) {
        let cut = cut(text.as_bytes(), reading);
        let words = |line: LogicalLine| line.words.into_iter().map(|word| word.taken).collect();
        (cut.lines.into_iter().map(words).collect(), cut.end)
    }

    fn lines(text: &str) -> Vec<Vec<String>> {
        let (lines, end) = both(text);
        assert_eq!(end, End::Whole, "{text:?}");
        lines
    }

    #[test]
    fn comments_and_blank_lines_are_no_lines_and_a_newline_at_the_end_may_be_missing() {
        assert_eq!(
            lines("# a\n\n \t\nauth b # c \\\nauth d\n#e \\\nauth f"),
            [["auth", "b"], ["auth", "d"], ["auth", "f"]]
        );
        assert_eq!(lines(""), [[""; 0]; 0]);
    }

    #[test]
    fn a_backslash_continues_a_line_even_with_blanks_behind_it() {
        assert_eq!(lines("auth \\ \t\n  required\\\nb\n"), [["auth", "required", "b"]]);
        assert_eq!(lines("auth \\x\n"), [["auth", "\\x"]]);
        assert_eq!(both("a\nauth \\"), (vec![vec!["a".to_owned()]], End::Unfinished(2)));
    }

    #[test]
    fn a_blank_line_or_a_comment_in_a_continued_line_is_read_in_two_ways() {
        for between in ["\n", " \t\n", "# why\n", "  # why \\\n"] {
            let text = format!("auth a \\\n{between}auth b\n");
            assert_eq!(read(&text, Reading::Old).0, [["auth", "a", "auth", "b"]], "{text:?}");
            assert_eq!(read(&text, Reading::New).0, [["auth", "a"], ["auth", "b"]], "{text:?}");
        }
        assert_eq!(read("auth a \\\n\n", Reading::Old).1, End::Unfinished(1));
        assert_eq!(read("auth a \\\n\n", Reading::New).1, End::Whole);
    }

    #[test]
    fn a_line_longer_than_a_thousand_bytes_is_read_in_two_ways() {
        let text = format!("# {}auth b\n", "x".repeat(1021));
        assert_eq!(read(&text, Reading::Old).0, [["auth", "b"]], "the end of a comment");
        assert_eq!(read(&text, Reading::New).0, [[""; 0]; 0]);
        let fits = format!("auth {}\nauth b\n", "x".repeat(1017));
        assert_eq!(lines(&fits).len(), 2);
        let endless = format!("auth {} \\\nauth b\n", "x".repeat(1016));
        assert_eq!(read(&endless, Reading::Old).1, End::Endless(1));
    }

    #[test]
    fn words_are_cut_at_blanks_tabs_and_newlines_only() {
        let text = "auth\trequired \u{a0}pam_unix.so\r\n\r\nauth\u{b}required\u{c}x\n";
        assert_eq!(
            lines(text),
            [&["auth", "required", "\u{a0}pam_unix.so\r"][..], &["\r"], &["auth\u{b}required\u{c}x"]]
        );
    }

    #[test]
    fn brackets_hold_blanks_and_end_a_word() {
        assert_eq!(lines("[auth] [a=b c\\]d]x [y\n"), [["auth", "a=b c]d", "x", "y\n"]]);
        assert_eq!(lines("a[b c]\n[]d\n"), [["a[b", "c]"], ["", "d"]]);
        let entry = cut(b"auth [a b] c\n", Reading::New).lines.remove(0);
        assert_eq!(entry.words[1].written, "[a b]");
    }

    #[test]
    fn a_zero_ends_what_is_read_of_a_line() {
        assert_eq!(lines("auth a\0b\nauth c\n"), [["auth", "a"], ["auth", "c"]]);
        assert_ne!(read("auth a \\\0\nb\n", Reading::Old), read("auth a \\\0\nb\n", Reading::New));
    }

    #[test]
    fn words_know_where_they_stand() {
        let text = "# c\n auth [a \\\n  b] \\ \n\tpam_x.so  [y z] # d\naccount\trequired pam_y.so";
        for reading in [Reading::Old, Reading::New] {
            let lines = cut(text.as_bytes(), reading).lines;
            let words = lines.iter().flat_map(|line| &line.words).map(|word| &text[word.span.clone()]);
            let expected = ["auth", "[a \\\n  b]", "pam_x.so", "[y z]", "account", "required", "pam_y.so"];
            assert_eq!(words.collect::<Vec<_>>(), expected, "{reading:?}");
        }
    }

    #[test]
    fn lines_know_where_they_stand() {
        let cut = cut(b"\n# x\nauth \\\n  b\nauth c\n", Reading::New);
        let places: Vec<_> = cut.lines.iter().map(|line| (line.first, line.last)).collect();
        assert_eq!(places, [(3, 4), (5, 5)]);
    }

    #[test]
    fn what_versions_may_cut_differently_is_not_plain() {
        assert!(is_plain(b"# c\nauth [a=b] x\n"));
        for text in ["auth a \\\n\nb\n", "a\0", &"x".repeat(1023)] {
            assert!(!is_plain(text.as_bytes()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_text_is_cut_the_same_by_all_versions(text in "([ \t#a\\[\\]\u{b}\r]{0,6}\n){0,8}[ a#]{0,3}") {
            prop_assert!(is_plain(text.as_bytes()));
            let [old, new] = [Reading::Old, Reading::New].map(|reading| cut(text.as_bytes(), reading));
            for word in new.lines.iter().flat_map(|line| &line.words) {
                prop_assert_eq!(&text[word.span.clone()], &word.written);
            }
            prop_assert_eq!(old, new);
        }
    }
}
