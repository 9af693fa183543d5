//! A text with rows, told by its content, surveyed whole, and read row by row.

use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::bounds::length_of;
use super::characters::{self, as_str};
use super::error::ImportError;
use super::json;
use super::keyring::Asked;
use super::kind::Kind;
use super::kinds::Records;
use super::note::Note;
use super::offer::Offered;
use super::options::{Format, Options};
use super::place::Place;
use super::pskc::Pskc;
use super::recognition::{self, Beginning, Foreign};
use super::rejection::Rejection;
use super::table::Table;

/// A text with rows: the file, or an entry of a zip file.
pub(super) struct Document {
    pub(super) entry: Option<Arc<str>>,
    pub(super) text: Zeroizing<Vec<u8>>,
    pub(super) reading: Reading,
    /// The zip entry that it is was encrypted.
    pub(super) encrypted: bool,
    /// The bytes of other documents before it.
    pub(super) before: u64,
}

/// The way in which a document is read.
pub(super) enum Reading {
    Delimited(Box<Table>),
    Pskc(Box<Pskc>),
    Records(Records),
}

/// One row, and where it stood.
#[derive(Debug)]
pub struct Row {
    /// Its place.
    pub place: Place,
    /// The column of a table, from 1, that a rejection is about.
    pub column: Option<usize>,
    /// Its token, or the reason for which there is none.
    pub token: Result<Offered, Rejection>,
    /// The distance of this row into the file: at most [`SeedFile::size_hint`](super::SeedFile::size_hint).
    pub reached: u64,
    pub(super) document: usize,
    pub(super) span: Range<usize>,
}

impl Document {
    pub(super) fn read(
        entry: Option<Arc<str>>,
        bytes: Zeroizing<Vec<u8>>,
        options: &Options,
        asked: &mut Asked<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Self, ImportError> {
        let foreign = match recognition::recognise(bytes.get(..recognition::ENOUGH).unwrap_or(&bytes)) {
            Beginning::Zip => Some(Foreign::Zip),
            Beginning::Foreign(foreign) => Some(foreign),
            Beginning::Text => None,
        };
        if let Some(foreign) = foreign {
            let entry = entry.as_deref().unwrap_or_default().to_owned();
            return Err(ImportError::Nested { entry, foreign });
        }
        let mut text = characters::text(bytes).map_err(|_| ImportError::NotText)?;
        let place = |line| Place { entry: entry.clone(), line };
        let kind = match options.format {
            Format::Auto => {
                // Text that is not UTF-8 can only be a table: the other kinds are ASCII, or XML and brought to UTF-8.
                if recognition::is_xml(&text) {
                    text = characters::utf8(text);
                }
                let wrong = |foreign| if foreign == Foreign::Json { json::wrong_line(as_str(&text)) } else { None };
                Kind::of(as_str(&text)).map_err(|foreign| match (wrong(foreign), &entry) {
                    (Some(line), _) => ImportError::Json(place(line)),
                    (None, None) => ImportError::Foreign(foreign),
                    (None, Some(entry)) => ImportError::Nested { entry: entry.to_string(), foreign },
                })?
            }
            Format::Delimited | Format::Pskc => None,
        };
        let is_pskc = match options.format {
            Format::Auto => recognition::is_xml(&text),
            Format::Delimited => false,
            Format::Pskc => true,
        };
        let reading = if let Some(kind) = kind {
            Reading::Records(Records::survey(kind, as_str(&text), options, place, notes)?)
        } else if is_pskc {
            text = characters::utf8(text);
            Reading::Pskc(Box::new(Pskc::survey(as_str(&text), options, place, asked, notes)?))
        } else {
            if characters::even_spaces(&mut text) {
                notes.push(Note::Spaces);
            }
            Reading::Delimited(Box::new(Table::survey(&text, options, place, notes)?))
        };
        Ok(Self { entry, text, reading, encrypted: false, before: 0 })
    }

    /// The number of its rows.
    pub(super) fn rows(&self) -> usize {
        match &self.reading {
            Reading::Delimited(table) => table.rows,
            Reading::Pskc(pskc) => pskc.rows,
            Reading::Records(records) => records.rows,
        }
    }

    /// True when its secrets stand there as they are, for all who can read the file.
    pub(super) fn is_in_the_clear(&self) -> bool {
        match &self.reading {
            Reading::Delimited(_) | Reading::Records(_) => true,
            Reading::Pskc(pskc) => !pskc.is_encrypted(),
        }
    }
}

/// The rows of one document.
enum Offers<T, P, R> {
    Delimited(T),
    Pskc(P),
    Records(R),
}

impl<T: Iterator<Item = Row>, P: Iterator<Item = Row>, R: Iterator<Item = Row>> Iterator for Offers<T, P, R> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        match self {
            Self::Delimited(rows) => rows.next(),
            Self::Pskc(rows) => rows.next(),
            Self::Records(rows) => rows.next(),
        }
    }
}

impl Document {
    pub(super) fn offers<'t>(&'t self, document: usize, options: &'t Options) -> impl Iterator<Item = Row> + 't {
        let row = move |line, column, span: Range<usize>, token| Row {
            place: Place { entry: self.entry.clone(), line },
            column,
            token,
            reached: self.before + length_of(span.end),
            document,
            span,
        };
        match &self.reading {
            Reading::Delimited(table) => {
                let rows = table.rows(&self.text, options);
                Offers::Delimited(
                    rows.map(move |found| row(found.line, found.column, found.start..found.end, found.token)),
                )
            }
            Reading::Pskc(pskc) => {
                let rows = pskc.rows(as_str(&self.text), options);
                Offers::Pskc(rows.map(move |found| row(found.line, None, found.start..found.end, found.token)))
            }
            Reading::Records(records) => {
                let rows = records.rows(as_str(&self.text), options);
                Offers::Records(rows.map(move |found| row(found.line, None, found.start..found.end, found.token)))
            }
        }
    }
}
