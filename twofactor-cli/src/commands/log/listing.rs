//! The output of `log`: a table in 80 columns, or JSON. Entries are printed as they come.
//!
//! Invariant: no text that others chose reaches a terminal raw.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use twofactor_admin::logbook::{Entry, Message, Source, Writer};
use twofactor_core::log::record::Event;

use crate::error::Failure;
use crate::output::{self, Format, Output, Pieces, Reader, Stream, Unwritten, element};

/// A list on its way to its reader.
pub(super) struct Listing {
    form: Form,
    pieces: Pieces,
    is_empty: bool,
    /// The first rows of a table, until it is known how wide their events are.
    held: Vec<Entry>,
    /// The widths of the columns of events and users, once they are known.
    widths: Option<Widths>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Lines of at most so many columns, where there is a terminal.
    Table(Option<usize>),
    /// One array.
    Json,
    /// One object a line.
    JsonLines,
}

/// The widths of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Widths {
    event: usize,
    user: usize,
}

/// So many rows say how wide a column has to be.
const HELD: usize = 256;
/// The column of events is no narrower: `accepted`.
const NARROWEST: usize = 8;

impl Listing {
    pub(super) fn new(json_lines: bool, output: &Output) -> Self {
        let form = match output.format() {
            _ if json_lines => Form::JsonLines,
            Format::Json => Form::Json,
            Format::Text => Form::Table(output.screen(Stream::Results).size.map(|(columns, _)| columns)),
        };
        Self { form, pieces: Pieces::new(), is_empty: true, held: Vec::new(), widths: None }
    }

    /// True when there was nothing to print.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Prints entries for as long as the reader reads.
    pub(super) fn add_all(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<Reader, Unwritten> {
        for entry in entries {
            if self.add(entry)? == Reader::Gone {
                return Ok(Reader::Gone);
            }
        }
        Ok(Reader::Here)
    }

    fn add(&mut self, entry: Entry) -> Result<Reader, Unwritten> {
        let is_first = std::mem::replace(&mut self.is_empty, false);
        let text = match (self.form, is_first, self.widths) {
            (Form::Table(columns), _, Some(widths)) => row(&entry, widths, columns),
            (Form::Table(_), _, None) => {
                self.held.push(entry);
                return if self.held.len() < HELD { Ok(Reader::Here) } else { self.release() };
            }
            (Form::Json, true, _) => format!("[\n{}", element(as_json(&entry))),
            (Form::Json, false, _) => format!(",\n{}", element(as_json(&entry))),
            (Form::JsonLines, ..) => format!("{}\n", element(as_json(&entry))),
        };
        self.pieces.write(&text)
    }

    /// Writes the head of a table and the rows that were held.
    fn release(&mut self) -> Result<Reader, Unwritten> {
        let Form::Table(columns) = self.form else { return Ok(Reader::Here) };
        let held = std::mem::take(&mut self.held);
        let event = held.iter().map(|entry| entry.message.event.word().len()).fold(NARROWEST, usize::max);
        // A wide screen has room for whole names; for scripts the column is no wider than usual, and names are whole all the same.
        let most = columns.map_or(USER, |columns| USER + columns.saturating_sub(80) / 3);
        let user = held.iter().map(|entry| user(entry).chars().count()).fold(USER, usize::max).min(most);
        let widths = Widths { event, user };
        self.widths = Some(widths);
        let titles = format!("{:<20}  {:<event$}  {:<user$}  DETAIL\n", "TIME", "EVENT", "USER");
        self.pieces.write(&held.iter().fold(titles, |text, entry| text + &row(entry, widths, columns)))
    }

    /// Ends the list.
    pub(super) fn finish(mut self, output: &Output) -> Result<(), Failure> {
        if !self.held.is_empty() {
            let _ = self.release()?;
        }
        let end = match (self.form, self.is_empty) {
            (Form::Json, true) => "[]\n",
            (Form::Json, false) => "\n]\n",
            (Form::Table(_) | Form::JsonLines, _) => "",
        };
        let _ = self.pieces.write(end)?;
        self.pieces.finish()?;
        if self.is_empty && matches!(self.form, Form::Table(_)) {
            output.explain("no events");
        }
        Ok(())
    }
}

/// The column of users is no narrower.
const USER: usize = 12;

/// A row of the table: on a terminal in lines no longer than it is wide, for scripts in one.
fn row(entry: &Entry, widths: Widths, columns: Option<usize>) -> String {
    let message = &entry.message;
    let (user, Widths { event, user: width }) = (user(entry), widths);
    let mut text = format!("{}  {:<event$}  ", entry.at, message.event.word());
    if columns.is_some() && user.chars().count() > width {
        text.extend(user.chars().take(width - 1));
        text.push('…');
    } else {
        let _ = write!(text, "{user:<width$}");
    }
    text.push_str("  ");
    let unproven = if entry.source == Source::Unproven { "unproven: " } else { "" };
    let detail = format!("{unproven}{}", legible(&detail(message)));
    let text = match columns {
        Some(columns) => output::wrapped(&text, &detail, 0, columns),
        None => text + &detail,
    };
    format!("{}\n", text.trim_end())
}

/// The user that an entry is about.
fn user(entry: &Entry) -> String {
    legible(entry.message.value("user").unwrap_or("-"))
}

/// The details, the most important first: `wrong-code, sshd from 192.0.2.7`.
fn detail(message: &Message) -> String {
    let value = |key| message.value(key);
    let mut parts = Vec::new();
    let mut used = vec!["user", "service", "rhost", "tty", "by"];
    for key in ["reason", "token", "policy", "serial", "series"] {
        if let Some(value) = value(key) {
            parts.push(value.to_owned());
            used.push(key);
        }
    }
    if message.event != Event::Resynced && value("drift") == Some("0") {
        used.push("drift");
    }
    match (value("service"), value("rhost"), value("tty")) {
        (Some(service), Some(rhost), _) => parts.push(format!("{service} from {rhost}")),
        (Some(service), None, Some(tty)) => parts.push(format!("{service} at {tty}")),
        (Some(service), None, None) => parts.push(service.to_owned()),
        (None, Some(rhost), _) => parts.push(format!("from {rhost}")),
        (None, None, _) => {}
    }
    let others = message.pairs.iter().filter(|(key, _)| !used.contains(&key.as_str()));
    parts.extend(others.map(|(key, value)| match key.as_str() {
        "problem" => value.clone(),
        _ => format!("{key} {value}"),
    }));
    if let Some(by) = value("by") {
        parts.push(format!("by {by}"));
    }
    parts.join(", ")
}

/// A text that others chose: whatever is not plainly visible is escaped.
fn legible(text: &str) -> String {
    let mut legible = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => legible.push(character),
            _ => legible.extend(character.escape_debug()),
        }
    }
    legible
}

/// Keys whose values are numbers.
const NUMBERS: [&str; 15] = [
    "accounts",
    "asked_by",
    "asked_by_process",
    "conflicts",
    "count",
    "drift",
    "failures",
    "new",
    "recovery_codes_left",
    "rejected",
    "tokens",
    "tokens_before",
    "uid",
    "uid_before",
    "unchanged",
];

fn as_json(entry: &Entry) -> Value {
    let message = &entry.message;
    let mut object = Map::new();
    object.insert("time".to_owned(), entry.at.to_string().into());
    object.insert("source".to_owned(), entry.source.word().into());
    if entry.source == Source::Unproven {
        object.insert("unproven".to_owned(), true.into());
    }
    object.insert("event".to_owned(), message.event.word().into());
    if let Some(host) = &entry.host {
        object.insert("host".to_owned(), host.as_str().into());
    }
    if let Some(pid) = entry.pid {
        object.insert("pid".to_owned(), pid.into());
    }
    if let Writer::Module { phase } = &message.writer {
        object.insert("phase".to_owned(), phase.as_str().into());
    }
    for (key, value) in &message.pairs {
        let number = if NUMBERS.contains(&key.as_str()) { value.parse::<i64>().ok() } else { None };
        let value = number.map_or_else(|| Value::from(value.as_str()), Value::from);
        object.entry(key.clone()).or_insert(value);
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use twofactor_core::host::clock::UnixTime;

    use super::*;

    const WIDTHS: Widths = Widths { event: 8, user: USER };

    fn entry(identifier: &str, text: &str) -> Entry {
        let message = Message::read(identifier, text).unwrap();
        let at = UnixTime::from_rfc3339("2026-11-21T22:27:54Z").unwrap();
        Entry { at, source: Source::File, host: Some("testhost".to_owned()), pid: Some(7), message }
    }

    fn denied(user: &str) -> Entry {
        let rest = "service=sshd rhost=192.0.2.7 reason=wrong-code";
        entry("sshd", &format!("pam_twofactor(sshd:auth): denied user={user} {rest}"))
    }

    #[test]
    fn a_row_begins_with_what_matters_and_fits_80_columns() {
        let row = row(&denied("alice"), WIDTHS, Some(80));
        assert_eq!(row, "2026-11-21T22:27:54Z  denied    alice         wrong-code, sshd from 192.0.2.7\n");
        assert!(row.chars().count() <= 81);
    }

    #[test]
    fn a_terminal_sees_no_more_than_it_can_show_and_a_script_everything() {
        let long = denied(&"a".repeat(100));
        let shown = row(&long, WIDTHS, Some(80));
        assert!(shown.contains("aaaaaaaaaaa…  wrong-code, sshd from 192.0.2.7"), "{shown}");
        assert!(row(&long, WIDTHS, None).contains(&"a".repeat(100)));
        let narrow = row(&denied("alice"), WIDTHS, Some(60));
        let lines: Vec<&str> = narrow.lines().collect();
        assert_eq!(lines.len(), 3, "{narrow}");
        assert!(lines.iter().all(|line| line.len() <= 60) && narrow.ends_with("192.0.2.7\n"), "{narrow}");
    }

    #[test]
    fn nothing_moves_a_cursor_or_turns_a_line_around() {
        let row = row(&denied("\"a\\x1b[2J\\xe2\\x80\\xae\\x0ab\""), WIDTHS, None);
        assert!(row.trim_end().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{row}");
        assert!(row.contains("a\\u{1b}[2J\\u{202e}\\nb"), "{row}");
    }

    #[test]
    fn what_a_user_may_have_forged_says_so_first() {
        let forged = Entry { source: Source::Unproven, ..denied("root") };
        let row = row(&forged, WIDTHS, Some(80));
        assert!(row.contains("  unproven: wrong-code, sshd"), "{row}");
        let json = as_json(&forged);
        assert_eq!((&json["source"], &json["unproven"]), (&"journal".into(), &true.into()));
        assert_eq!(as_json(&denied("root")).get("unproven"), None);
    }

    #[test]
    fn administrative_events_say_what_and_who() {
        let detail = |text| detail(&entry("twofactor", text).message);
        assert_eq!(detail("assigned serial=0815 user=alice by=carol"), "0815, by carol");
        assert_eq!(detail("secret-shown user=alice token=app by=carol"), "app, by carol");
        assert_eq!(detail("recovery-replaced user=alice count=10 by=root"), "count 10, by root");
        assert_eq!(
            detail("imported series=fobs new=3 unchanged=0 conflicts=0 rejected=0 by=root"),
            "fobs, new 3, unchanged 0, conflicts 0, rejected 0, by root"
        );
    }

    #[test]
    fn json_has_the_names_of_the_log_line() {
        let json = as_json(&denied("alice"));
        let expected = r#"{"time":"2026-11-21T22:27:54Z","source":"file","event":"denied","host":"testhost","pid":7,"phase":"auth","user":"alice","service":"sshd","rhost":"192.0.2.7","reason":"wrong-code"}"#;
        assert_eq!(json.to_string(), expected);
        let json = as_json(&entry("twofactor", "assigned time=never failures=3 drift=x"));
        assert_eq!(
            (&json["time"], &json["failures"], &json["drift"]),
            (&"2026-11-21T22:27:54Z".into(), &3.into(), &"x".into())
        );
    }
}
