//! Exports of authenticator apps as a source of tokens: entries that have an issuer and a label and no serial number, so
//! that one of those, or the number of the entry, has to be named as the serial.
//!
//! Invariant: an entry that is neither TOTP nor HOTP (Steam, mOTP, Yandex) is rejected and never taken for one.

use crate::seed_files::delimited::Lines;
use crate::seed_files::json::Json;
use crate::seed_files::kind::App;
use crate::seed_files::options::Options;
use crate::seed_files::recognition::Foreign;
use crate::seed_files::record::Record;
use crate::seed_files::rejection::Rejection;
use crate::seed_files::xml::line_ends;

mod aegis;
mod andotp;
mod bitwarden;
mod entry;
mod freeotp;
mod migration;
mod proton;
mod stratum;
mod twofas;
mod uri;

use entry::Entry;

/// The elements of an array, when there is one.
type Elements<'j> = Option<&'j [(std::ops::Range<usize>, Json)]>;
/// Reads an entry. `None`: the element is none.
type Reads = fn(&Json) -> Option<Entry>;

/// An entry at its place in the text.
struct Placed {
    /// Its number, from 1.
    number: usize,
    line: usize,
    span: std::ops::Range<usize>,
    entry: Entry,
}

/// An entry with the names that the app shows.
pub(in crate::seed_files) struct Named {
    pub(in crate::seed_files) number: usize,
    pub(in crate::seed_files) issuer: String,
    pub(in crate::seed_files) label: String,
    pub(in crate::seed_files) record: Record,
}

/// The fields of an entry and their meanings.
pub(super) const PARTS: [(&str, &str); 6] = [
    ("issuer, label or number, as --serial-from says", "serial number"),
    ("secret", "secret"),
    ("type", "type"),
    ("algorithm", "hash"),
    ("digits", "digits"),
    ("period or counter", "period or counter"),
];

impl App {
    /// Tells the app of a text. `Err`: its export is encrypted, or it is JSON of another kind.
    pub(in crate::seed_files) fn of(text: &str) -> Result<Option<Self>, Foreign> {
        match text.trim_start().as_bytes().first() {
            Some(b'{' | b'[') => {}
            _ if migration::is_it(text) => return Ok(Some(Self::Migration)),
            _ => return Ok(uri::is_it(text).then_some(Self::Uris)),
        }
        // A table may begin with a bracket; what is no JSON is none.
        let Ok(json) = Json::parse(text) else {
            let mut begins = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
            return if matches!([begins.next(), begins.next()], [Some(b'{'), Some(b'"')] | [Some(b'['), Some(b'{')]) {
                Err(Foreign::Json)
            } else {
                Ok(None)
            };
        };
        let has = |name: &str| json.get(name).is_some();
        let is_true = |name: &str| matches!(json.get(name), Some(Json::Bool(true)));
        let sealed = is_true("encrypted")
            || ["kdfParams", "encryptedData", "servicesEncrypted"].into_iter().any(has)
            || (has("header") && json.get("db").is_some_and(|db| db.text().is_some()))
            || (has("salt") && has("content"));
        if sealed {
            return Err(Foreign::EncryptedApp);
        }
        let apps = [
            (json.at(&["db", "entries"]).is_some(), Self::Aegis),
            (has("services"), Self::TwoFas),
            (has("tokens"), Self::FreeOtp),
            (has("items"), Self::Bitwarden),
            (has("entries"), Self::Proton),
            (has("Authenticators"), Self::Stratum),
            (
                json.elements().is_some_and(|entries| entries.iter().any(|(_, entry)| entry.get("secret").is_some())),
                Self::AndOtp,
            ),
        ];
        apps.into_iter().find(|(is_it, _)| *is_it).map(|(_, app)| Some(app)).ok_or(Foreign::Json)
    }

    /// The entries of an export, each with its place.
    pub(super) fn records<'t>(self, text: &'t str, options: &'t Options) -> Box<dyn Iterator<Item = Record> + 't> {
        let record = |placed: Placed| placed.entry.record(placed.number, placed.line, placed.span, options);
        if matches!(self, Self::Uris | Self::Migration) {
            return Box::new(of_lines(text).map(record));
        }
        Box::new(self.of_json(text).into_iter().map(record))
    }

    /// The same with the names that the app shows.
    pub(in crate::seed_files) fn named(self, text: &str, options: &Options) -> Vec<Named> {
        let placed: Vec<Placed> = match self {
            Self::Uris | Self::Migration => of_lines(text).collect(),
            _ => self.of_json(text),
        };
        let named = |Placed { number, line, span, entry }: Placed| {
            let (issuer, label) = (entry.issuer.clone(), entry.label.clone());
            Named { number, issuer, label, record: entry.record(number, line, span, options) }
        };
        placed.into_iter().map(named).collect()
    }

    fn of_json(self, text: &str) -> Vec<Placed> {
        let Ok(json) = Json::parse(text) else { return Vec::new() };
        let (entries, read) = self.entries(&json);
        let mut counted = (0, 1);
        let entries = entries.unwrap_or_default().iter().filter_map(|(span, entry)| Some((span, read(entry)?)));
        let placed = entries.enumerate().map(|(place, (span, entry))| {
            let between = text.as_bytes().get(counted.0..span.start).unwrap_or_default();
            counted = (span.start, counted.1 + line_ends(between));
            Placed { number: place + 1, line: counted.1, span: span.clone(), entry }
        });
        placed.collect()
    }

    /// The entries of an export, and the reader of one.
    fn entries(self, json: &Json) -> (Elements<'_>, Reads) {
        let list = |name: &str| json.get(name).and_then(Json::elements);
        match self {
            Self::Uris | Self::Migration => (None, |_| None),
            Self::Aegis => (json.at(&["db", "entries"]).and_then(Json::elements), |json| Some(aegis::entry(json))),
            Self::TwoFas => (list("services"), |json| Some(twofas::entry(json))),
            Self::AndOtp => (json.elements(), |json| Some(andotp::entry(json))),
            Self::FreeOtp => (list("tokens"), |json| Some(freeotp::entry(json))),
            Self::Bitwarden => (list("items"), bitwarden::entry),
            Self::Proton => (list("entries"), |json| Some(proton::entry(json))),
            Self::Stratum => (list("Authenticators"), |json| Some(stratum::entry(json))),
        }
    }
}

/// The entries of a list of URIs of either kind. One for migration holds several.
fn of_lines(text: &str) -> impl Iterator<Item = Placed> {
    let entries = Lines::new(text.as_bytes()).flat_map(|line| {
        let content = std::str::from_utf8(line.content).unwrap_or_default();
        let entries = if migration::is_it(content) {
            migration::entries(content).unwrap_or_else(|| vec![Entry::unreadable(Rejection::Migration)])
        } else {
            vec![uri::entry(content).unwrap_or_else(|| Entry::unreadable(Rejection::NoUri))]
        };
        entries.into_iter().map(move |entry| (line, entry))
    });
    entries.enumerate().map(|(place, (line, entry))| {
        let span = line.start..line.start + line.content.len();
        Placed { number: place + 1, line: line.number, span, entry }
    })
}
