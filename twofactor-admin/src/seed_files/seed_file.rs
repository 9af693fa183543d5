//! A seed file that was opened: what is known about it, and its rows.

use std::fmt;

use zeroize::Zeroizing;

use super::bounds::length_of;
use super::document::{Document, Reading, Row};
use super::note::{Assumption, Explanation, Form, Note, Unexplained};
use super::options::Options;

/// A seed file, decrypted and surveyed. Its rows are parsed when they are asked for.
pub struct SeedFile {
    pub(super) sha256: [u8; 32],
    pub(super) form: Form,
    pub(super) notes: Vec<Note>,
    pub(super) options: Options,
    pub(super) documents: Vec<Document>,
}

/// The text around the rows of a document, so that some of them can be written to a file of the same form.
pub struct Frame {
    /// The header of a table; the beginning of a PSKC document, with what its keys are encrypted with.
    pub before: Zeroizing<Vec<u8>>,
    /// The end of a PSKC document.
    pub after: Zeroizing<Vec<u8>>,
    /// The text between two rows besides a line end: the comma of JSON.
    pub between: &'static str,
}

impl fmt::Debug for SeedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SeedFile({}, {} rows)", self.form, self.row_count())
    }
}

impl SeedFile {
    /// The SHA-256 of the file as it was given.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Assumptions and warnings about the whole file.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// The properties that the file does not state, and the values that were taken.
    pub fn assumptions(&self) -> impl Iterator<Item = &Assumption> {
        self.notes.iter().filter_map(|note| match note {
            Note::Assumed(assumption) => Some(assumption),
            _ => None,
        })
    }

    /// Columns and elements that were not understood.
    pub fn unexplained(&self) -> impl Iterator<Item = &Unexplained> {
        self.notes.iter().filter_map(|note| match note {
            Note::Unexplained(part) => Some(part),
            _ => None,
        })
    }

    /// The explanation of each document.
    pub fn explanations(&self) -> impl Iterator<Item = Explanation> + '_ {
        self.documents.iter().map(|document| {
            let entry = document.entry.clone();
            match &document.reading {
                Reading::Delimited(table) => Explanation { entry, ..table.explanation() },
                Reading::Pskc(pskc) => Explanation { entry, ..pskc.explanation() },
                Reading::Records(records) => Explanation { entry, ..records.explanation() },
            }
        })
    }

    /// True when secrets stand there for all who can read the file: neither a zip file nor a document encrypts them.
    pub fn is_in_the_clear(&self) -> bool {
        self.documents.iter().any(|document| !document.encrypted && document.is_in_the_clear())
    }

    /// The form of the file.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The bytes to be read: [`Row::reached`] counts up to this.
    pub fn size_hint(&self) -> u64 {
        self.documents.last().map_or(0, |document| document.before + length_of(document.text.len()))
    }

    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.documents.iter().map(Document::rows).sum()
    }

    /// All rows of all documents, in order; the same every time.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.documents.iter().enumerate().flat_map(|(index, document)| document.offers(index, &self.options))
    }

    /// The text of a row as it stands in the file, in UTF-8: a line, or a `KeyPackage`. It holds the secret.
    pub fn raw(&self, row: &Row) -> Option<Zeroizing<Vec<u8>>> {
        let text = self.documents.get(row.document)?.text.get(row.span.clone())?;
        Some(Zeroizing::new(text.to_vec()))
    }

    /// The text around the rows of the document that `row` belongs to.
    pub fn frame(&self, row: &Row) -> Option<Frame> {
        let document = self.documents.get(row.document)?;
        let (first, last) = match &document.reading {
            Reading::Delimited(table) => (table.body, document.text.len()),
            Reading::Pskc(pskc) => (pskc.first, pskc.last),
            Reading::Records(records) => (records.first, records.last),
        };
        let (before, after) = (document.text.get(..first)?, document.text.get(last..)?);
        let between = match &document.reading {
            Reading::Records(records) => records.between(),
            Reading::Delimited(_) | Reading::Pskc(_) => "",
        };
        Some(Frame { between, before: Zeroizing::new(before.to_vec()), after: Zeroizing::new(after.to_vec()) })
    }
}
