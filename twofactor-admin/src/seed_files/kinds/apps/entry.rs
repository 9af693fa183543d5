//! An entry of an export: what its members say, put together.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::seed_files::characters;
use crate::seed_files::json::Json;
use crate::seed_files::offer::{self, Stated};
use crate::seed_files::options::{Encoding, KindName, Options, SerialFrom};
use crate::seed_files::record::{Fields, Record};
use crate::seed_files::rejection::Rejection;
use crate::seed_files::seed_encoding::decode;

/// An entry's words about its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EntryKind {
    Known(KindName),
    /// Neither TOTP nor HOTP, so that no option makes one of it.
    #[default]
    Other,
    /// Something else than a word, which an option overrides.
    Misread,
    Unsaid,
}

impl EntryKind {
    /// That of a word.
    pub(super) fn named(word: &str) -> Self {
        offer::kind(word).map_or(Self::Other, Self::Known)
    }

    /// That of a member of an entry.
    pub(super) fn of(json: Option<&Json>) -> Self {
        match json {
            None | Some(Json::Null) => Self::Unsaid,
            Some(value) => value.text().map_or(Self::Misread, Self::named),
        }
    }
}

/// An entry of an export.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) issuer: String,
    pub(super) label: String,
    pub(super) secret: Option<Result<Zeroizing<Vec<u8>>, Rejection>>,
    /// The same as text: base32, unless an option says otherwise.
    pub(super) encoded: Option<Zeroizing<Vec<u8>>>,
    pub(super) kind: EntryKind,
    pub(super) algorithm: Option<String>,
    pub(super) digits: Option<i64>,
    pub(super) period: Option<i64>,
    pub(super) counter: Option<i64>,
    /// It could not be read at all, and why.
    pub(super) unreadable: Option<Rejection>,
    /// The names of its members that are not read.
    pub(super) unknown: Vec<String>,
}

impl Entry {
    pub(super) fn from_base32(secret: Option<&str>) -> Self {
        let encoded = secret.map(|text| Zeroizing::new(text.as_bytes().to_vec()));
        Self { encoded, ..Self::default() }
    }

    /// The stand-in for text that is no entry.
    pub(super) fn unreadable(why: Rejection) -> Self {
        Self { unreadable: Some(why), ..Self::default() }
    }

    pub(super) fn record(self, number: usize, line: usize, span: Range<usize>, options: &Options) -> Record {
        if let Some(why) = self.unreadable {
            return Fields::unreadable(why).record(line, span, options);
        }
        let serial = match options.serial_from {
            Some(SerialFrom::Issuer) => as_serial(&self.issuer),
            Some(SerialFrom::Label) => as_serial(&self.label),
            Some(SerialFrom::Number) | None => number.to_string(),
        };
        let unknown = self.unknown.clone();
        let stated = self.stated(options);
        let encoding = options.encoding.unwrap_or(Encoding::Base32);
        let encoded = self.encoded.map(|text| decode(&text, encoding));
        let secret = self.secret.or(encoded).unwrap_or(Err(Rejection::SecretMissing));
        let fields = Fields { serial: serial.as_bytes(), secret, stated, vendor: None, model: None };
        fields.record_beside(unknown, line, span, options)
    }

    /// Its words about codes. A wrong one does no harm where an option says otherwise.
    fn stated(&self, options: &Options) -> Result<Stated, Rejection> {
        let whole = |number: Option<i64>| number.map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        let kind = match self.kind {
            EntryKind::Known(kind) => Some(kind),
            EntryKind::Unsaid => None,
            EntryKind::Misread if options.kind.is_some() => None,
            EntryKind::Misread => return Err(Rejection::Kind),
            EntryKind::Other => return Err(Rejection::OtherKind),
        };
        let is_hotp = options.kind.or(kind) == Some(KindName::Hotp);
        let counter = whole(self.counter).filter(|_| is_hotp);
        let period = whole(self.period).filter(|_| !is_hotp);
        Ok(Stated {
            usual_kind: None,
            kind,
            algorithm: unless(options.algorithm, self.algorithm.as_deref().map(offer::algorithm))?,
            digits: unless(options.digits, whole(self.digits).map(offer::digits))?,
            period: unless(options.period, period.map(offer::period))?,
            counter: counter.map(offer::counter).transpose()?,
        })
    }
}

/// A value, and its defect unless an option overrides it.
fn unless<T: Copy>(option: Option<T>, value: Option<Result<T, Rejection>>) -> Result<Option<T>, Rejection> {
    if option.is_some() { Ok(value.and_then(Result::ok)) } else { value.transpose() }
}

/// A whole number. `None`: it is not there; one of another form is a number that no entry can have.
pub(super) fn whole(json: Option<&Json>) -> Option<i64> {
    present(json).map(|value| value.number().unwrap_or(i64::MAX))
}

/// The name of a hash. `None`: it is not there; a value of another form is no hash.
pub(super) fn hash(json: Option<&Json>) -> Option<String> {
    present(json).map(|value| value.text().unwrap_or("?").to_owned())
}

/// A value that says something.
pub(super) fn present(json: Option<&Json>) -> Option<&Json> {
    json.filter(|value| match value {
        Json::Null => false,
        Json::Text(text) => !text.is_empty(),
        _ => true,
    })
}

/// The members of an object that are none of those known.
pub(super) fn unknown(json: Option<&Json>, known: &[&str]) -> Vec<String> {
    let Some(Json::Object(members)) = json else { return Vec::new() };
    let names = members.iter().map(|(name, _)| name).filter(|name| !known.contains(&name.as_str()));
    names.cloned().collect()
}

/// A word as a serial number: blanks become hyphens, because no serial number has any.
fn as_serial(word: &str) -> String {
    word.split_whitespace().collect::<Vec<_>>().join("-")
}

/// A text of an entry, fit for a report.
pub(super) fn word(json: Option<&Json>) -> String {
    json.and_then(Json::text).map(|text| characters::words(text.as_bytes())).unwrap_or_default()
}
