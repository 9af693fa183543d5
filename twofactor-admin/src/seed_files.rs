//! Seed files: what vendors send with a box of tokens, read into what may become tokens of ours.
//!
//! The story of a file: [`open`] tells by its content what it is, takes it out of its zip file with the password,
//! brings its text to UTF-8, and looks at every row once to decide what holds for all of them. Then
//! [`SeedFile::rows`] reads row by row what each offers: a token, or a reason why not.
//!
//! What always holds: nothing decrypted touches a disk, and whatever held a secret is wiped. Everything has a bound.
//! No error, rejection or note repeats what stood in a field. Nothing here knows what was imported before: meeting
//! that is the registry's part.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use twofactor_core::codes::otp::{Algorithm, Digits, Period};

mod ahead;
mod aladdin;
mod apps;
mod characters;
mod columns;
mod container;
mod deepnet;
mod delimited;
mod entries;
mod error;
mod headings;
mod json;
mod note;
mod offer;
mod phenixid;
mod privacyidea;
mod pskc;
mod pskc_codes;
mod pskc_crypto;
mod rcdevs;
mod recognition;
mod records;
mod safeword;
mod seed_encoding;
mod table;
mod xml;
mod yubico;

pub use apps::{App, SerialFrom};
pub use error::{ErrorKind, ImportError, PskcError};
pub use note::{Aspect, Assumption, Container, Content, Explanation, Form, Note, Part, Unexplained};
pub use offer::{KeyRejection, Offered, Parameter, Rejection};
pub use recognition::Foreign;
pub use records::Kind;
pub use seed_encoding::Encoding;

use container::{Content as EntryContent, Entry};
use pskc::Pskc;
use recognition::Beginning;
use records::Records;
use table::Table;

/// The largest file, in bytes.
pub const LARGEST_FILE: u64 = 64 << 20;
/// The most that is unpacked, in bytes: of one zip entry, and of all that are taken.
pub const LARGEST_ENTRY: u64 = 256 << 20;
/// The most entries of a zip file.
pub const MOST_ENTRIES: usize = 1_000;
/// The most rows of a file.
pub const MOST_ROWS: usize = 4_000_000;
/// The longest field, in bytes.
pub const LONGEST_FIELD: usize = 1_024;
/// The most columns of a table that are looked at.
const MOST_COLUMNS: usize = 64;
/// The most notes about one file.
const MOST_NOTES: usize = 32;

/// What a person says about a file, because the file does not, or says it wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// What the file is.
    pub format: Format,
    /// The entry of a zip file that holds the seeds; else all are looked at.
    pub entry: Option<String>,
    /// The field of an authenticator app's entry that becomes the serial number.
    pub serial_from: Option<SerialFrom>,
    /// How secrets are written; else decided per file.
    pub encoding: Option<Encoding>,
    /// TOTP or HOTP.
    pub kind: Option<KindName>,
    /// The hash; else what the file says, else SHA-1. Never told by the length of a secret.
    pub algorithm: Option<Algorithm>,
    /// The length of a code; else what the file says, else 6.
    pub digits: Option<Digits>,
    /// The length of a step; else what the file says, else 30 s.
    pub period: Option<Period>,
}

impl Options {
    /// Whether nothing is said about codes, so that no row can say otherwise.
    fn is_silent(&self) -> bool {
        self.kind.is_none() && self.algorithm.is_none() && self.digits.is_none() && self.period.is_none()
    }
}

/// What a file is. Zip files are opened in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Told by the content.
    #[default]
    Auto,
    /// Delimited text.
    Delimited,
    /// PSKC (RFC 6030).
    Pskc,
}

/// TOTP or HOTP, without the parameters of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindName {
    /// Time-based.
    Totp,
    /// Counter-based.
    Hotp,
}

/// What opens an encrypted file. Asked only when needed, and each at most once.
pub trait Keyring {
    /// The password of the file, of the zip or of PSKC. `None`: there is none to be had.
    fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error>;
    /// The pre-shared AES key: 16, 24 or 32 bytes, raw or as hexadecimal digits. `None`: there is none to be had.
    fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error>;
}

/// A seed file, decrypted and surveyed. Its rows are parsed when they are asked for.
pub struct SeedFile {
    sha256: [u8; 32],
    form: Form,
    notes: Vec<Note>,
    options: Options,
    documents: Vec<Document>,
}

/// A text with rows: the file, or an entry of a zip file.
struct Document {
    entry: Option<Arc<str>>,
    text: Zeroizing<Vec<u8>>,
    reading: Reading,
    /// The zip entry that it is was encrypted.
    encrypted: bool,
    /// How many bytes of other documents stand before it.
    before: u64,
}

/// How a document is read.
enum Reading {
    Delimited(Box<Table>),
    Pskc(Box<Pskc>),
    Records(Records),
}

/// One row, and where it stood.
#[derive(Debug)]
pub struct Row {
    /// Where it stood.
    pub place: Place,
    /// The column of a table, from 1, that a rejection is about.
    pub column: Option<usize>,
    /// What it offers, or why nothing.
    pub token: Result<Offered, Rejection>,
    /// How far this row is into the file: at most [`SeedFile::size_hint`].
    pub reached: u64,
    document: usize,
    span: Range<usize>,
}

/// Where something stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The entry of a zip file.
    pub entry: Option<Arc<str>>,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(formatter, "{entry}, line {}", self.line),
            None => write!(formatter, "line {}", self.line),
        }
    }
}

/// What stands around the rows of a document, so that some of them can be written to a file of the same form.
pub struct Frame {
    /// The header of a table; the beginning of a PSKC document, with what its keys are encrypted with.
    pub before: Zeroizing<Vec<u8>>,
    /// The end of a PSKC document.
    pub after: Zeroizing<Vec<u8>>,
    /// What stands between two rows besides a line end: the comma of JSON.
    pub between: &'static str,
}

/// Opens a seed file: reads, decrypts and surveys it. An error means that nothing of it can be imported.
pub fn open<R: Read + Seek + Send>(
    mut source: R,
    options: &Options,
    keyring: &mut dyn Keyring,
) -> Result<SeedFile, ImportError> {
    let size = source.seek(SeekFrom::End(0))?;
    if size > LARGEST_FILE {
        return Err(ImportError::FileTooLarge);
    }
    source.rewind()?;
    let (mut asked, mut notes) = (Asked::new(keyring), Vec::new());
    let mut start = Zeroizing::new(Vec::with_capacity(recognition::ENOUGH));
    source.by_ref().take(length_of(recognition::ENOUGH)).read_to_end(&mut start)?;
    source.rewind()?;
    let mut beginning = recognition::recognise(&start);
    // A self-extracting archive begins as a program does, the last part of a split one as anything.
    let unlikely = matches!(beginning, Beginning::Foreign(Foreign::Program)) || !characters::is_text(&start);
    if beginning != Beginning::Zip && unlikely && container::ends_like_zip(&mut source)? {
        beginning = Beginning::Zip;
    }
    let (container, entries) = match beginning {
        Beginning::Foreign(foreign) => return Err(ImportError::Foreign(foreign)),
        Beginning::Zip => (Container::Zip, container::unpack(&mut source, options.entry.as_deref(), &mut asked)?),
        Beginning::Text if options.entry.is_some() => return Err(ImportError::NotZip),
        Beginning::Text => {
            let content = EntryContent::Bytes(take_in(&mut source, size)?);
            (Container::Plain, vec![Entry { name: "".into(), encrypted: false, content }])
        }
    };
    // What was assumed about the rows comes first: there may be many notes about entries.
    let about_entries = std::mem::take(&mut notes);
    let survey = || entries::read(container, entries, options, &mut asked, &mut notes);
    // What a file is refused for shows early, so its digest comes last; beside the survey it takes no time.
    let (sha256, documents) = ahead::beside(|| digest(&mut source), survey);
    let (documents, sha256) = (documents?, sha256?);
    notes.extend(about_entries);
    // However many notes there are, those that `--strict` asks about are not among the ones left out.
    notes.sort_by_key(|note| !note.is_doubt());
    let content = match documents.first().map(|document| &document.reading) {
        Some(Reading::Delimited(table)) => Content::Delimited(table.encoding),
        Some(Reading::Pskc(_)) => Content::Pskc,
        Some(Reading::Records(records)) => Content::Records(records.kind),
        None => return Err(ImportError::NoRows),
    };
    Ok(SeedFile {
        sha256,
        form: Form { container, content },
        notes: bounded(notes),
        options: options.clone(),
        documents,
    })
}

/// Every note once, and no more than a person reads.
fn bounded(notes: Vec<Note>) -> Vec<Note> {
    let (mut kept, mut more) = (Vec::new(), 0);
    for note in notes {
        if kept.contains(&note) {
            continue;
        }
        if kept.len() < MOST_NOTES {
            kept.push(note);
        } else {
            more += 1;
        }
    }
    kept.extend((more > 0).then_some(Note::More(more)));
    kept
}

/// The SHA-256 of a file. Read once more, as what was read first has become text, or what was in a zip file.
fn digest(source: &mut (impl Read + Seek)) -> Result<[u8; 32], io::Error> {
    source.rewind()?;
    let (mut hash, mut chunk) = (Sha256::new(), Zeroizing::new([0; 16 << 10]));
    loop {
        match source.read(chunk.as_mut_slice()) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(read) => hash.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The content of a file, in a buffer that never grows and so leaves no copy behind.
fn take_in(source: &mut impl Read, size: u64) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let capacity = usize::try_from(size).map_err(|_| ImportError::FileTooLarge)?;
    bytes.try_reserve_exact(capacity).map_err(|_| ImportError::FileTooLarge)?;
    source.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Document {
    fn read(
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
                let wrong = |foreign| if foreign == Foreign::Json { apps::wrong_line(as_str(&text)) } else { None };
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

    /// How many rows it has.
    fn rows(&self) -> usize {
        match &self.reading {
            Reading::Delimited(table) => table.rows,
            Reading::Pskc(pskc) => pskc.rows,
            Reading::Records(records) => records.rows,
        }
    }

    /// How many of them look as if they held a seed.
    fn usable(&self) -> usize {
        match &self.reading {
            Reading::Delimited(table) => table.usable,
            Reading::Pskc(pskc) => pskc.rows,
            Reading::Records(records) => records.rows,
        }
    }

    /// Whether its secrets stand there as they are, for all who can read the file.
    fn is_in_the_clear(&self) -> bool {
        match &self.reading {
            Reading::Delimited(_) | Reading::Records(_) => true,
            Reading::Pskc(pskc) => !pskc.is_encrypted(),
        }
    }
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

    /// What the file does not state, and the values that were taken.
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

    /// How each document was understood.
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

    /// Whether secrets stand there for all who can read the file: neither a zip file nor a document encrypts them.
    pub fn is_in_the_clear(&self) -> bool {
        self.documents.iter().any(|document| !document.encrypted && document.is_in_the_clear())
    }

    /// What the file was.
    pub fn form(&self) -> Form {
        self.form
    }

    /// How much there is to read, in bytes: what [`Row::reached`] counts up to.
    pub fn size_hint(&self) -> u64 {
        self.documents.last().map_or(0, |document| document.before + length_of(document.text.len()))
    }

    /// How many rows there are.
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

    /// What stands around the rows of the document that `row` belongs to.
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
    fn offers<'t>(&'t self, document: usize, options: &'t Options) -> impl Iterator<Item = Row> + 't {
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

/// Answers of a keyring, asked for once. Nobody goes on without one that is missing.
struct Asked<'k> {
    keyring: &'k mut dyn Keyring,
    password: Option<Zeroizing<Vec<u8>>>,
    key: Option<Zeroizing<Vec<u8>>>,
    /// What lies beside the seeds and has the size of a key.
    beside: Vec<Beside>,
}

/// An entry of a zip file that may be a key.
struct Beside {
    name: Arc<str>,
    bytes: Zeroizing<Vec<u8>>,
    opened: bool,
}

/// A key to try, and which of those beside the seeds it is.
struct KeyTry {
    bytes: Zeroizing<Vec<u8>>,
    beside: Option<usize>,
}

impl<'k> Asked<'k> {
    fn new(keyring: &'k mut dyn Keyring) -> Self {
        Self { keyring, password: None, key: None, beside: Vec::new() }
    }

    fn password(&mut self) -> Result<Option<&Zeroizing<Vec<u8>>>, ImportError> {
        if self.password.is_none() {
            self.password = self.keyring.password().map_err(ImportError::Keyring)?;
        }
        Ok(self.password.as_ref())
    }

    /// The keys to try: the one that was given, else all that lie beside the seeds.
    fn keys(&mut self) -> Result<Vec<KeyTry>, ImportError> {
        if self.key.is_none() {
            self.key = self.keyring.key().map_err(ImportError::Keyring)?;
        }
        Ok(match &self.key {
            Some(key) => vec![KeyTry { bytes: key.clone(), beside: None }],
            None => {
                let tries = self.beside.iter().enumerate();
                tries.map(|(place, key)| KeyTry { bytes: key.bytes.clone(), beside: Some(place) }).collect()
            }
        })
    }

    /// Whether an entry is a key that opened a document.
    fn is_key(&self, name: &str) -> bool {
        self.beside.iter().any(|key| key.opened && &*key.name == name)
    }

    /// Takes note of the key that opened a document.
    fn opened_by(&mut self, beside: Option<usize>) {
        if let Some(key) = beside.and_then(|place| self.beside.get_mut(place)) {
            key.opened = true;
        }
    }
}

/// Text that [`characters::utf8`] has made UTF-8.
fn as_str(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
