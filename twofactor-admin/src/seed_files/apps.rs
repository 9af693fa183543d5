//! Exports of authenticator apps as a source of tokens: entries that have an issuer and a label and no serial number, so
//! that one of those, or the number of the entry, has to be named as the serial.
//!
//! Invariant: an entry that is neither TOTP nor HOTP (Steam, mOTP, Yandex) is rejected and never taken for one.

use std::fmt;

use zeroize::Zeroizing;

use super::delimited::Lines;
use super::json::{Json, NotJson};
use super::offer::{self, Rejection, Stated};
use super::recognition::Foreign;
use super::records::{Fields, Record};
use super::seed_encoding::{Encoding, decode};
use super::xml::line_ends;
use super::{KindName, Options, characters};

mod aegis;
mod andotp;
mod bitwarden;
mod freeotp;
mod migration;
mod proton;
mod stratum;
mod twofas;
mod uri;

/// The elements of an array, when there is one.
type Elements<'j> = Option<&'j [(std::ops::Range<usize>, Json)]>;
/// Reads an entry. `None`: the element is none.
type Reads = fn(&Json) -> Option<Entry>;

/// An app whose plain export is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// `otpauth://` URIs, one a line: Ente, and the text exports of Aegis, Stratum and others.
    Uris,
    /// `otpauth-migration://` URIs: the QR codes of Google Authenticator.
    Migration,
    /// Aegis.
    Aegis,
    /// 2FAS.
    TwoFas,
    /// andOTP.
    AndOtp,
    /// FreeOTP+.
    FreeOtp,
    /// Bitwarden and Bitwarden Authenticator.
    Bitwarden,
    /// Proton Authenticator.
    Proton,
    /// Stratum (Authenticator Pro).
    Stratum,
}

/// The field of an entry that becomes the serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialFrom {
    /// The service that the entry is for.
    Issuer,
    /// The account.
    Label,
    /// The number of the entry in the file, from 1.
    Number,
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

/// What an entry says about its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum EntryKind {
    Known(KindName),
    /// Neither TOTP nor HOTP, so that no option makes one of it.
    #[default]
    Other,
    Unsaid,
}

impl EntryKind {
    /// That of a word.
    fn named(word: &str) -> Self {
        offer::kind(word).map_or(Self::Other, Self::Known)
    }

    /// That of a member of an entry.
    fn of(json: Option<&Json>) -> Self {
        match json {
            None | Some(Json::Null) => Self::Unsaid,
            Some(value) => value.text().map_or(Self::Other, Self::named),
        }
    }
}

/// An entry of an export.
#[derive(Default)]
struct Entry {
    issuer: String,
    label: String,
    secret: Option<Result<Zeroizing<Vec<u8>>, Rejection>>,
    kind: EntryKind,
    algorithm: Option<String>,
    digits: Option<i64>,
    period: Option<i64>,
    counter: Option<i64>,
    /// It could not be read at all, and why.
    unreadable: Option<Rejection>,
}

impl Entry {
    fn from_base32(secret: Option<&str>) -> Self {
        let decoded = secret.map(|text| decode(text.as_bytes(), Encoding::Base32));
        Self { secret: decoded, ..Self::default() }
    }

    /// What stands for text that is no entry.
    fn unreadable(why: Rejection) -> Self {
        Self { unreadable: Some(why), ..Self::default() }
    }

    fn record(self, number: usize, line: usize, span: std::ops::Range<usize>, options: &Options) -> Record {
        if let Some(why) = self.unreadable {
            return Fields::unreadable(why).record(line, span, options);
        }
        let serial = match options.serial_from {
            Some(SerialFrom::Issuer) => as_serial(&self.issuer),
            Some(SerialFrom::Label) => as_serial(&self.label),
            Some(SerialFrom::Number) | None => number.to_string(),
        };
        let stated = self.stated();
        let secret = self.secret.unwrap_or(Err(Rejection::SecretMissing));
        let fields = Fields { serial: serial.as_bytes(), secret, stated, vendor: None, model: None };
        fields.record(line, span, options)
    }

    fn stated(&self) -> Result<Stated, Rejection> {
        let whole = |number: Option<i64>| number.map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        let kind = match self.kind {
            EntryKind::Known(kind) => Some(kind),
            EntryKind::Unsaid => None,
            EntryKind::Other => return Err(Rejection::OtherKind),
        };
        let counter = whole(self.counter).filter(|_| kind == Some(KindName::Hotp));
        Ok(Stated {
            usual_kind: None,
            kind,
            algorithm: self.algorithm.as_deref().map(offer::algorithm).transpose()?,
            digits: whole(self.digits).map(offer::digits).transpose()?,
            period: whole(self.period).filter(|_| kind != Some(KindName::Hotp)).map(offer::period).transpose()?,
            counter: counter.map(offer::counter).transpose()?,
        })
    }
}

/// The line in which a text is no JSON any more. `None`: it is JSON.
pub(super) fn wrong_line(text: &str) -> Option<usize> {
    let NotJson(at) = Json::parse(text).err()?;
    Some(1 + line_ends(text.as_bytes().get(..at).unwrap_or_default()))
}

/// A word as a serial number: blanks become hyphens, because no serial number has any.
fn as_serial(word: &str) -> String {
    word.split_whitespace().collect::<Vec<_>>().join("-")
}

impl App {
    /// Its name in a report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Uris => "otpauth URIs",
            Self::Migration => "otpauth-migration URIs",
            Self::Aegis => "Aegis export",
            Self::TwoFas => "2FAS export",
            Self::AndOtp => "andOTP export",
            Self::FreeOtp => "FreeOTP+ export",
            Self::Bitwarden => "Bitwarden export",
            Self::Proton => "Proton Authenticator export",
            Self::Stratum => "Stratum export",
        }
    }

    /// Tells the app of a text. `Err`: its export is encrypted, or it is JSON of another kind.
    pub(super) fn of(text: &str) -> Result<Option<Self>, Foreign> {
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
        if matches!(self, Self::Uris | Self::Migration) {
            return Box::new(of_lines(text, options));
        }
        let Ok(json) = Json::parse(text) else { return Box::new(std::iter::empty()) };
        let (entries, read) = self.entries(&json);
        let mut counted = (0, 1);
        let records: Vec<Record> = entries
            .unwrap_or_default()
            .iter()
            .filter_map(|(span, entry)| Some((span, read(entry)?)))
            .enumerate()
            .map(|(place, (span, entry))| {
                let between = text.as_bytes().get(counted.0..span.start).unwrap_or_default();
                counted = (span.start, counted.1 + line_ends(between));
                entry.record(place + 1, counted.1, span.clone(), options)
            })
            .collect();
        Box::new(records.into_iter())
    }

    /// Where the entries of an export stand, and how one is read.
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
fn of_lines<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
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
        entry.record(place + 1, line.number, span, options)
    })
}

impl fmt::Display for SerialFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Issuer => "issuer",
            Self::Label => "label",
            Self::Number => "number",
        })
    }
}

/// A text of an entry, fit for a report.
fn word(json: Option<&Json>) -> String {
    json.and_then(Json::text).map(|text| characters::words(text.as_bytes())).unwrap_or_default()
}
