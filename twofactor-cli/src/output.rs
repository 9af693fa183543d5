//! The one file that prints. Its rules:
//!
//! - Results go to standard output, and nothing else does: a script can read it to the end.
//! - Prompts, progress, warnings and errors go to standard error.
//! - `--quiet` drops sentences that explain, never a result, a warning or an error.
//! - With `--json` standard output is one JSON document; what a person has to see meanwhile goes to standard error. Each
//!   object that stands alone, or in the list that is the document, begins with its [`FORMAT`].
//! - A reader that has gone away (`| head`) is no error for a report. What is shown only once must reach its reader:
//!   [`must_show`] says when it did not.
//! - A whole text is written at once and ends in a newline, so no buffer keeps a secret. Long lists without secrets are
//!   written piece by piece ([`Pieces`]).
//! - Only `progress.rs` writes to standard error beside this file: its bar moves on a terminal.
//! - Errors and warnings may quote typed text: control characters are escaped.
//! - Prose fits the screen, and 80 columns where there is none; no word is broken. Behind a pipe a message is one line, for
//!   those who search for it. Tables and what is to be pasted are not prose: [`Output::report_whole`].
//! - Colours: [`Output::screen`] alone decides.

mod screen;
mod sentences;
mod table;
pub(crate) mod values;

use std::ffi::OsString;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::Value;
use thiserror::Error;
use twofactor_core::host::trusted::describe;

pub(crate) use screen::{Palette, Screen, Tint, tinted};
use sentences::{Escaped, fitted};
pub(crate) use sentences::{pasted, printable, wrapped};
pub(crate) use table::{Cell, table};

/// The form and place of this run's output.
#[derive(Debug)]
pub(crate) struct Output {
    /// `--json` or not.
    pub(crate) format: Format,
    /// `--quiet` or not.
    pub(crate) verbosity: Verbosity,
    /// `--color`.
    pub(crate) color: ColorChoice,
}

/// A result could not be written.
#[derive(Debug, Error)]
#[error("cannot write the result: {}", describe(.0))]
pub(crate) struct Unwritten(pub(crate) io::Error);

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    // On a terminal.
    Auto,
    // Into files and pipes too.
    Always,
    // Nowhere.
    Never,
}

impl ColorChoice {
    /// True when `stream` gets colours.
    fn holds(self, stream: Stream) -> bool {
        let chosen = match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal(stream) && variable("TERM").is_some_and(|term| term != "dumb"),
        };
        // The library that draws in colour honours NO_COLOR by itself, and then what it draws cannot be read.
        chosen && variable("NO_COLOR").is_none()
    }

    /// The choice on a command line that could not be read as a whole.
    fn typed(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let words: Vec<String> = arguments.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let behind = words.windows(2).filter(|two| two[0] == "--color").map(|two| two[1].as_str());
        let within = words.iter().filter_map(|word| word.strip_prefix("--color="));
        let mut choices = behind.chain(within).filter_map(|word| Self::from_str(word, false).ok());
        choices.next_back().unwrap_or(Self::Auto)
    }
}

/// `--json` or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// `--quiet` or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Explanations too.
    Normal,
    /// Results only.
    Quiet,
}

/// One of the two standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Results,
    /// Standard error.
    Progress,
}

impl Output {
    /// `--json` or not.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// A result in the form that was asked for: prose, which is wrapped.
    pub(crate) fn report(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), Unwritten> {
        let width = columns(Stream::Results).unwrap_or(WIDTH);
        self.report_whole(|| fitted(&text(), width), json)
    }

    /// The same for a list of results, of which each is one line for a script.
    pub(crate) fn report_lines(
        &self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Unwritten> {
        match columns(Stream::Results) {
            Some(width) => self.report_whole(|| fitted(&text(), width), json),
            None => self.report_whole(text, json),
        }
    }

    /// The same for tables, which know the screen, and for what is pasted into a file.
    pub(crate) fn report_whole(
        &self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Unwritten> {
        let text = match self.format {
            Format::Text => text(),
            Format::Json => pretty(json()),
        };
        sent(write(Stream::Results, &text))
    }

    /// That an action is done: a sentence for people, which `--quiet` drops, or JSON.
    pub(crate) fn done(
        &self,
        sentence: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Unwritten> {
        match (self.format, self.verbosity) {
            (Format::Text, Verbosity::Quiet) => Ok(()),
            _ => self.report(sentence, json),
        }
    }

    /// A result that only scripts need.
    pub(crate) fn report_json(&self, json: impl FnOnce() -> Value) -> Result<(), Unwritten> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json => self.report(String::new, json),
        }
    }

    /// Explains on standard error what is about to happen.
    pub(crate) fn explain(&self, sentence: &str) {
        if self.verbosity == Verbosity::Normal {
            progress(sentence);
        }
    }

    /// True when a progress bar would be seen and is not unwanted.
    pub(crate) fn shows_progress(&self) -> bool {
        self.verbosity == Verbosity::Normal && is_terminal(Stream::Progress)
    }

    /// A sentence of a text with secrets, as `stream` shows it, or nothing under `--quiet`.
    pub(crate) fn explanation(&self, sentence: &str, stream: Stream) -> String {
        match self.verbosity {
            Verbosity::Normal => fitted(sentence, columns(stream).unwrap_or(WIDTH)),
            Verbosity::Quiet => String::new(),
        }
    }

    /// The abilities of a stream.
    pub(crate) fn screen(&self, stream: Stream) -> Screen {
        let palette = match (is_utf8_locale(variable), self.color.holds(stream)) {
            (true, true) => Palette::Color,
            (true, false) => Palette::Utf8,
            (false, _) => Palette::Ascii,
        };
        Screen { size: size(stream), palette }
    }
}

/// A result that has one form only.
pub(crate) fn raw(text: &str) -> Result<(), Unwritten> {
    sent(write(Stream::Results, text))
}

/// A result that is written as it is found, piece by piece: a million tokens do not fit into memory.
pub(crate) struct Pieces(BufWriter<StdoutLock<'static>>);

/// The presence of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Reader {
    Here,
    Gone,
}

impl Pieces {
    /// Takes standard output. Nothing secret may be written: a buffer keeps it.
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, text: &str) -> Result<Reader, Unwritten> {
        heard(self.0.write_all(text.as_bytes()))
    }

    /// Makes sure that everything was written.
    pub(crate) fn finish(mut self) -> Result<(), Unwritten> {
        heard(self.0.flush()).map(|_| ())
    }
}

fn heard(written: io::Result<()>) -> Result<Reader, Unwritten> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        written => written.map(|()| Reader::Here).map_err(Unwritten),
    }
}

/// A text that is worthless unless it is read.
pub(crate) fn must_show(stream: Stream, text: &str) -> io::Result<()> {
    write(stream, text)
}

/// A JSON document that is worthless unless it is read.
pub(crate) fn must_show_json(json: Value) -> io::Result<()> {
    write(Stream::Results, &pretty(json))
}

/// A JSON document, for a file.
pub(crate) fn document(json: Value) -> String {
    pretty(json)
}

/// A question, without a newline.
pub(crate) fn prompt(question: &str) {
    say(&on_the_screen(question));
}

/// Lines of a file, for the person who is asked about them.
pub(crate) fn excerpt(text: &str) {
    say(text);
}

/// A line of progress, or why a question is asked again.
pub(crate) fn progress(line: &str) {
    say(&on_the_screen(&format!("{line}\n")));
}

/// Something the sysadmin should know although the command goes on.
pub(crate) fn warning(sentence: &str) {
    message("twofactor: warning: ", sentence);
}

/// The way out behind a warning.
pub(crate) fn hint(sentence: &str) {
    message("twofactor: hint: ", sentence);
}

/// One of many things that are wrong with a file; the error that follows sums them up.
pub(crate) fn complaint(sentence: &str) {
    message("twofactor: ", sentence);
}

/// A failure, and the way out.
pub(crate) fn failure(lines: &[String], hint: Option<&str>) {
    for line in lines {
        message("twofactor: error: ", line);
    }
    if let Some(sentence) = hint {
        self::hint(sentence);
    }
}

/// A sentence behind its prefix, wrapped for a reader at a terminal.
fn message(prefix: &str, sentence: &str) {
    let line = match columns(Stream::Progress) {
        Some(width) => wrapped(prefix, sentence, 0, width),
        None => format!("{prefix}{}", Escaped(sentence)),
    };
    say(&format!("{line}\n"));
}

/// A text for standard error: prose on a screen, and as it is in a pipe.
fn on_the_screen(text: &str) -> String {
    columns(Stream::Progress).map_or_else(|| text.to_owned(), |width| fitted(text, width))
}

/// The columns of prose where there is no screen.
pub(crate) const WIDTH: usize = 80;

/// The columns of a stream that is a terminal.
fn columns(stream: Stream) -> Option<usize> {
    size(stream).map(|(columns, _)| columns)
}

/// The columns and rows of a stream that is a terminal.
fn size(stream: Stream) -> Option<(usize, usize)> {
    let size = match stream {
        Stream::Results => terminal_size::terminal_size_of(io::stdout()),
        Stream::Progress => terminal_size::terminal_size_of(io::stderr()),
    };
    size.map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
}

/// Writes to standard error at once, behind what was written to standard output before.
fn say(text: &str) {
    let _ = io::stdout().flush();
    // No reader is left to be told.
    let _ = write(Stream::Progress, text);
}

/// Help and version go to standard output; mistakes to standard error, with exit code 2.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let stream = if error.use_stderr() { Stream::Progress } else { Stream::Results };
    let text = error.render();
    let color = ColorChoice::typed(std::env::args_os()).holds(stream);
    let text = if color { text.ansi().to_string() } else { text.to_string() };
    let prefix = if stream == Stream::Progress && error.kind() != HELP_FOR_NOTHING { "twofactor: " } else { "" };
    let text = format!("{prefix}{text}");
    let text = columns(stream).map_or_else(|| text.clone(), |width| fitted(&text, width));
    // A reader that has gone away has read enough help.
    let _ = write(stream, &text);
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// No arguments at all: clap prints the help, and there is no sentence to put a prefix before.
const HELP_FOR_NOTHING: clap::error::ErrorKind = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// A reader that has gone away has read what it wanted.
fn sent(written: io::Result<()>) -> Result<(), Unwritten> {
    heard(written).map(|_| ())
}

fn write(stream: Stream, text: &str) -> io::Result<()> {
    match stream {
        Stream::Results => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        }
        Stream::Progress => io::stderr().lock().write_all(text.as_bytes()),
    }
}

/// The format of `--json`. `docs/json.md` says what may change without a new one; `docs/schemas` describes this one.
const FORMAT: u8 = 1;

fn pretty(json: Value) -> String {
    format!("{:#}\n", with_format(json))
}

/// One object of a list that is written piece by piece, in one line.
pub(crate) fn element(json: Value) -> String {
    with_format(json).to_string()
}

/// The document with its format: in the object that it is, or in each object of the list that it is.
fn with_format(json: Value) -> Value {
    match json {
        Value::Object(mut object) => {
            object.shift_insert(0, "format".to_owned(), FORMAT.into());
            Value::Object(object)
        }
        Value::Array(list) => list.into_iter().map(with_format).collect(),
        other => other,
    }
}

fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Results => io::stdout().is_terminal(),
        Stream::Progress => io::stderr().is_terminal(),
    }
}

/// A variable of the environment; an empty one counts as unset, as NO_COLOR and the locale variables define it.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first of LC_ALL, LC_CTYPE and LANG that is set decides (POSIX, chapter 8.2).
fn is_utf8_locale(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let charset = locale.split('@').next().and_then(|name| name.split_once('.')).map_or("", |(_, charset)| charset);
    charset.eq_ignore_ascii_case("UTF-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_object_of_a_document_begins_with_the_format_and_no_object_inside_has_it() {
        let object = json!({ "user": "alice", "tokens": [{ "serial": "1" }] });
        let expected = r#"{"format":1,"user":"alice","tokens":[{"serial":"1"}]}"#;
        assert_eq!(element(object.clone()), expected);
        assert_eq!(with_format(json!([object])).to_string(), format!("[{expected}]"));
        assert_eq!(pretty(json!([])), "[]\n");
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let utf8 = |set: &[(&str, &str)]| {
            is_utf8_locale(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(utf8(&[("LANG", "de_DE.UTF-8")]));
        assert!(utf8(&[("LANG", "C.utf8")]));
        assert!(utf8(&[("LANG", "C"), ("LC_CTYPE", "en_GB.UTF-8")]));
        assert!(utf8(&[("LANG", "ca_ES.UTF-8@valencia")]));
        assert!(!utf8(&[("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]));
        assert!(!utf8(&[("LANG", "de_DE.ISO-8859-1")]));
        assert!(!utf8(&[]));
    }
}
