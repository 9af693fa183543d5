//! The output of the tool on screens of other widths, and behind a pipe: no line is too long, and no word is cut.

use std::process::{Output, Stdio};

use crate::private_host::{Host, said};
use crate::terminal::{Size, Terminal};

/// The narrowest screen that people have.
const NARROW: Size = Size::CONSOLE;
/// So wide that no line is broken.
const WIDE: Size = Size { columns: 5000, lines: NARROW.lines };

/// The form of a result behind a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Sentences, which fit 80 columns there, too.
    Prose,
    /// A line for each thing, with whole values, for scripts.
    Rows,
}

impl Host {
    /// Runs the tool behind a pipe, on a screen of 80 columns and on a wide one, and asserts that all three say the same
    /// words, in lines that fit. The command must change nothing. Gives what the narrow screen showed.
    #[track_caller]
    pub fn fits(&self, arguments: &[&str], form: Form) -> String {
        let piped = self.twofactor(arguments).stdin(Stdio::null()).output().unwrap();
        let wide = self.shown(arguments, WIDE);
        if form == Form::Prose {
            let story = format!("{arguments:?} behind a pipe: {}", said(&piped));
            assert_fit(&String::from_utf8_lossy(&piped.stdout), &story);
        }
        assert_same_words(arguments, &wide, &both(&piped));
        self.fits_as(arguments, &piped)
    }

    /// Runs the tool on a screen of 80 columns, and asserts that it says the words there that it said behind a pipe, in lines
    /// that fit. The command must have changed nothing.
    #[track_caller]
    pub fn fits_as(&self, arguments: &[&str], piped: &Output) -> String {
        assert!(!both(piped).contains('\u{1b}'), "{arguments:?} has colours in a pipe: {}", said(piped));
        let narrow = self.shown(arguments, NARROW);
        assert_fit(&narrow, &format!("{arguments:?}: {narrow}"));
        assert_same_words(arguments, &narrow, &both(piped));
        narrow
    }

    /// The tool's output on a screen, with no person who could answer.
    fn shown(&self, arguments: &[&str], size: Size) -> String {
        let mut command = self.command("sh");
        command.args(["-c", "exec twofactor \"$@\" </dev/null", "sh"]).args(arguments);
        let mut terminal = Terminal::start(&command, size);
        terminal.wait();
        plain(&terminal.shown())
    }

    /// Runs the tool on a screen of 80 columns and answers its questions: each text that is waited for, and the line that is
    /// typed then. Gives what was shown.
    #[track_caller]
    pub fn talks(&self, arguments: &[&str], answers: &[(&str, &str)]) -> String {
        let mut terminal = Terminal::start(&self.twofactor(arguments), NARROW);
        for (question, answer) in answers {
            terminal.expect(question);
            terminal.type_line(answer);
        }
        terminal.wait();
        let shown = plain(&terminal.shown());
        assert_fit(&shown, &format!("{arguments:?}: {shown}"));
        shown
    }
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A text of a terminal without colours, and without progress bars, which give their line back.
fn plain(shown: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in shown.replace("\r\n", "\n").chars() {
        match (inside, character) {
            (false, '\u{1b}') => inside = true,
            (true, letter) => inside = !letter.is_ascii_alphabetic(),
            (false, '\r') => text.truncate(text.rfind('\n').map_or(0, |end| end + 1)),
            (false, letter) => text.push(letter),
        }
    }
    text
}

/// Asserts that no line is longer than 80 columns, unless it is one word that cannot be broken.
#[track_caller]
fn assert_fit(text: &str, story: &str) {
    for line in text.lines() {
        let length = line.trim_end().chars().count();
        assert!(length <= usize::from(NARROW.columns) || is_one_word(line), "{length} columns: {line}\n{story}");
    }
}

/// A path, a URI or a serial, perhaps behind its label.
fn is_one_word(line: &str) -> bool {
    let mut rest = line.trim();
    for prefix in ["twofactor: ", "error: ", "hint: ", "warning: "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let rest = match rest.split_once(": ") {
        Some((label, word)) if !label.contains(['/', ' ']) => word,
        _ => rest,
    };
    !rest.trim().contains(' ')
}

/// Asserts that a screen shows the words of a pipe, whole or, in a table, cut with `…`.
#[track_caller]
fn assert_same_words(arguments: &[&str], shown: &str, piped: &str) {
    let story = format!("{arguments:?}\n{shown}\nBehind a pipe:\n{piped}");
    let (shown, piped) = (words(shown), words(piped));
    if shown.iter().any(|word| word.contains('…')) {
        for word in shown.iter().filter(|word| !word.contains('…')) {
            assert!(piped.contains(word), "{word} is cut: {story}");
        }
    } else {
        assert_eq!(shown, piped, "{story}");
    }
}

/// The words of a text, sorted: a terminal has both streams in one. Those of one moment are those of another. A backslash at
/// the end of a line is no word, and neither is the name of a column that stands in each row on a screen.
fn words(text: &str) -> Vec<String> {
    let words = text.split_whitespace().filter(|word| !["\\", "PROBLEMS", "problem:"].contains(word));
    let mut words: Vec<String> = words.map(|word| word.replace(|letter: char| letter.is_ascii_digit(), "0")).collect();
    words.sort();
    words
}
