//! Files of records that are neither tables nor PSKC: vendors' own XML, logs and inventories, and the exports of
//! authenticator apps.
//!
//! Invariants: a kind is told by its content; its records are parsed when they are asked for, the same every time. A
//! property that the kind does not state is an assumption in the report.

mod aladdin;
mod apps;
mod deepnet;
mod phenixid;
mod privacyidea;
mod rcdevs;
mod safeword;
mod yubico;

use super::bounds::{MOST_NOTES, MOST_ROWS};
use super::characters;
use super::error::ImportError;
use super::kind::{App, Kind};
use super::note::{Assumption, Explanation, Note, Part, Unexplained};
use super::options::Options;
use super::place::Place;
use super::recognition::Foreign;
use super::record::Record;
use super::seed_encoding;
use super::table::Unsaid;
use super::xml::{TOO_MANY, XmlDocument, XmlError};

impl Kind {
    /// Tells the kind of a text. `Err`: one that is named and not read.
    pub(super) fn of(text: &str) -> Result<Option<Self>, Foreign> {
        if super::recognition::is_xml(text.as_bytes()) {
            let root = XmlDocument::begin(text).map(|(_, root)| root.name).unwrap_or_default().to_ascii_lowercase();
            return match root.as_str() {
                "tokens" => Ok(Some(Self::Aladdin)),
                "data" | "tokenlist" => Ok(Some(Self::Deepnet)),
                "tknbatch" => Err(Foreign::Sdtid),
                root => super::recognition::office_xml(root, text).map_or(Ok(None), Err),
            };
        }
        if let Some(app) = App::of(text)? {
            return Ok(Some(Self::App(app)));
        }
        let kinds = [
            (Self::SafeWord, safeword::is_it as fn(&str) -> bool),
            (Self::Yubico, yubico::is_it),
            (Self::Rcdevs, rcdevs::is_it),
            (Self::PhenixId, phenixid::is_it),
            (Self::PrivacyIdea, |text| privacyidea::offset(text).is_some()),
        ];
        Ok(kinds.into_iter().find(|(_, is_it)| is_it(text)).map(|(kind, _)| kind))
    }

    /// The records of a text of this kind, in order.
    fn records<'t>(self, text: &'t str, options: &'t Options) -> Box<dyn Iterator<Item = Record> + 't> {
        match self {
            Self::Aladdin => Box::new(aladdin::records(text, options)),
            Self::Deepnet => Box::new(deepnet::records(text, options)),
            Self::SafeWord => Box::new(safeword::records(text, options)),
            Self::Yubico => Box::new(yubico::records(text, options)),
            Self::Rcdevs => Box::new(rcdevs::records(text, options)),
            Self::PhenixId => Box::new(phenixid::records(text, options)),
            Self::PrivacyIdea => Box::new(privacyidea::records(text, options)),
            Self::App(app) => Box::new(app.records(text, options)),
        }
    }
}

/// A file of records, surveyed.
pub(super) struct Records {
    pub(super) kind: Kind,
    /// The beginning of the first record and the end of the last.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The number of records.
    pub(super) rows: usize,
    parts: &'static [(&'static str, &'static str)],
}

impl Records {
    /// Looks at every record once.
    pub(super) fn survey(
        kind: Kind,
        text: &str,
        options: &Options,
        place: impl Fn(usize) -> Place,
        notes: &mut Vec<Note>,
    ) -> Result<Self, ImportError> {
        let parts = match kind {
            Kind::Aladdin => &aladdin::PARTS[..],
            Kind::Deepnet => &deepnet::PARTS[..],
            Kind::SafeWord => &safeword::PARTS[..],
            Kind::Yubico => &yubico::PARTS[..],
            Kind::Rcdevs => &rcdevs::PARTS[..],
            Kind::PhenixId => &phenixid::PARTS[..],
            Kind::PrivacyIdea => &privacyidea::PARTS[..],
            Kind::App(_) if options.serial_from.is_none() => return Err(ImportError::SerialFrom),
            Kind::App(_) => &apps::PARTS[..],
        };
        if matches!(kind, Kind::Aladdin | Kind::Deepnet) {
            check_xml(text, &place)?;
        }
        let mut records = Self { kind, first: text.len(), last: text.len(), rows: 0, parts };
        let (mut unsaid, mut overruled) = (Unsaid::default(), false);
        let (mut lengths, mut twice, mut unread) = (Vec::new(), false, Vec::new());
        for record in kind.records(text, options) {
            records.first = records.first.min(record.start);
            records.last = record.end;
            records.rows += 1;
            for name in &record.unknown {
                let name = Note::Unexplained(unexplained(kind, name));
                if unread.len() < MOST_NOTES && !unread.contains(&name) {
                    unread.push(name);
                }
            }
            if records.rows > MOST_ROWS {
                return Err(ImportError::TooManyRows);
            }
            let settled = record.stated.settle(options);
            overruled |= settled.overruled;
            if let Ok(offered) = &record.token {
                unsaid.see(record.stated, settled.parameters.kind);
                let bytes = offered.secret.expose();
                twice |= seed_encoding::is_encoded_once_more(bytes);
                // Those that speak for a hash.
                if matches!(bytes.len(), 32 | 64) && lengths.iter().all(|(length, _)| *length != bytes.len()) {
                    lengths.push((bytes.len(), record.line));
                }
            }
        }
        if records.rows == 0 {
            return Err(ImportError::NoRows);
        }
        unsaid.note(&lengths, options, notes);
        notes.append(&mut unread);
        notes.extend(twice.then(|| Note::Assumed(Assumption::encoded_twice("as its kind has it"))));
        if kind == Kind::PrivacyIdea {
            let is_export = privacyidea::offset(text) == Some(1);
            let command = if is_export { privacyidea::OWNERS } else { privacyidea::USERS };
            notes.push(Note::Owners(command, place(1).entry));
        }
        notes.extend(overruled.then_some(Note::Overruled));
        Ok(records)
    }

    /// The records of the text that was surveyed, in order.
    pub(super) fn rows<'t>(&self, text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
        self.kind.records(text, options)
    }

    /// The text between two records besides a line end.
    pub(super) fn between(&self) -> &'static str {
        match self.kind {
            Kind::App(App::Uris | App::Migration) => "",
            Kind::App(_) => ",",
            _ => "",
        }
    }

    /// The explanation of the file; the entry is the caller's to name.
    pub(super) fn explanation(&self) -> Explanation {
        let part =
            |(name, taken_for): &(&str, &'static str)| Part { name: (*name).to_owned(), taken_for: Some(taken_for) };
        Explanation { entry: None, layout: self.kind.name().to_owned(), parts: self.parts.iter().map(part).collect() }
    }
}

/// A part that is not read, by its name; one in the form of a secret is not printed.
fn unexplained(kind: Kind, name: &str) -> Unexplained {
    let is_secret = seed_encoding::may_be_secret(name.as_bytes());
    let name = if is_secret { "(a secret?)".to_owned() } else { characters::words(name.as_bytes()) };
    match kind {
        Kind::Aladdin | Kind::Deepnet => Unexplained::Element(name),
        Kind::PrivacyIdea => Unexplained::Column(name),
        _ => Unexplained::Member(name),
    }
}

/// Refuses XML that is not well-formed or beyond a bound, so that reading its records does not end early.
fn check_xml(text: &str, place: impl Fn(usize) -> Place) -> Result<(), ImportError> {
    let refused = |error: XmlError| match error.problem {
        TOO_MANY => ImportError::TooManyElements,
        problem => ImportError::Xml(place(error.line), problem),
    };
    let (mut document, _) = XmlDocument::begin(text).map_err(refused)?;
    while document.next().map_err(refused)?.is_some() {}
    Ok(())
}
