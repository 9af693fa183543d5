//! Zip files: which entries are taken, and what is in them.
//!
//! What always holds: nothing is written anywhere; an entry is whole and its checksum right before anybody looks at
//! it; sizes are checked before anything is unpacked and again while it is, because a zip file may lie about them. The
//! zip crate knows no bounds of its own: all of them are here.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use zeroize::{Zeroize as _, Zeroizing};
use zip::ZipArchive;
use zip::read::{ZipFileEntry, ZipReadOptions};
use zip::result::ZipError;

use super::error::ImportError;
use super::note::Note;
use super::recognition::Foreign;
use super::{Asked, LARGEST_ENTRY, MOST_ENTRIES, length_of};

/// An entry that was taken.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) sort: Sort,
    pub(super) encrypted: bool,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// What the name and size of an entry promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// `*.txt`: seeds, or a README.
    Text,
    /// `*.csv`, `*.xml`, `*.pskc`.
    Seeds,
    /// Any other name, and the size of an AES key.
    Key,
    /// Any other name.
    Other,
}

/// The most that is read to learn what is in a zip file. A thousand entries take a tenth of that.
const LARGEST_DIRECTORY: u64 = 4 << 20;
/// Text shrinks to a half, XML to a twentieth. What shrinks to less than a hundredth is zeros; DEFLATE makes a thousandth.
const MOST_DENSE: u64 = 100;
/// Below this size nobody minds.
const HARMLESS: u64 = 1 << 20;
/// How much is unpacked between two looks at the bounds.
const CHUNK: u64 = 64 << 10;

/// Takes out of a zip file all that may hold seeds, or the key to them.
pub(super) fn unpack<R: Read + Seek>(
    mut source: R,
    asked: &mut Asked<'_>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Entry>, ImportError> {
    refuse_zip64(&mut source)?;
    let meter = Meter { allowance: Cell::new(LARGEST_DIRECTORY), ..Meter::default() };
    let mut archive = ZipArchive::new(Metered { source, meter: &meter }).map_err(|_| meter.why_no_directory())?;
    meter.allowance.set(u64::MAX);
    if archive.len() > MOST_ENTRIES {
        return Err(ImportError::TooManyEntries);
    }
    if archive.has_duplicate_names() {
        return Err(ImportError::DuplicateNames);
    }
    let chosen = choose(&archive, notes)?;
    let passwords = if chosen.iter().any(|candidate| candidate.encrypted) {
        spellings(asked.password()?.ok_or(ImportError::PasswordNeeded)?)
    } else {
        Vec::new()
    };
    let mut entries = Vec::with_capacity(chosen.len());
    for candidate in chosen {
        let bytes = candidate.open(&mut archive, &passwords, &meter)?;
        let Candidate { name, sort, encrypted, .. } = candidate;
        entries.push(Entry { name, sort, encrypted, bytes });
    }
    Ok(entries)
}

/// Refuses the form of zip files for more than 65,535 entries or 4 GiB: its record can make the zip crate reserve any
/// amount of memory, and no seed file needs it. It is announced 20 bytes before the end record.
fn refuse_zip64<R: Read + Seek>(source: &mut R) -> Result<(), ImportError> {
    // A comment of 64 KiB may stand behind both; twice that is more than the zip crate looks at.
    const TAIL: u64 = 128 << 10;
    let size = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(size.saturating_sub(TAIL)))?;
    // Of a file that is not encrypted this is plain text.
    let mut tail = Zeroizing::new(Vec::new());
    tail.reserve_exact(usize::try_from(TAIL.min(size)).unwrap_or_default());
    source.take(TAIL).read_to_end(&mut tail)?;
    let announced = tail.windows(24).any(|window| window.starts_with(b"PK\x06\x07") && window.ends_with(b"PK\x05\x06"));
    source.rewind()?;
    if announced { Err(ImportError::TooManyEntries) } else { Ok(()) }
}

/// An entry that is going to be taken.
struct Candidate {
    index: usize,
    name: Arc<str>,
    sort: Sort,
    size: u64,
    encrypted: bool,
}

/// Chooses the entries to take, by name and size. Those whose sizes are beyond a bound make the whole file refused.
fn choose<R: Read + Seek>(archive: &ZipArchive<R>, notes: &mut Vec<Note>) -> Result<Vec<Candidate>, ImportError> {
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| ImportError::ZipDamaged)?;
        let name = printable(entry.name_raw());
        if matches!(name.as_ref(), "xl/workbook.xml" | "META-INF/manifest.xml") {
            return Err(ImportError::Foreign(Foreign::Workbook));
        }
        if is_beside_the_point(&entry, &name) {
            continue;
        }
        let candidate = Candidate {
            index,
            sort: sort(&name, entry.size()),
            size: entry.size(),
            encrypted: entry.encrypted(),
            name,
        };
        if candidate.sort == Sort::Other { &mut others } else { &mut chosen }
            .push((candidate, entry.compressed_size()));
    }
    if chosen.iter().all(|(candidate, _)| candidate.sort == Sort::Key) {
        if others.len() == 1 {
            notes.extend(others.iter().map(|(other, _)| Note::TakenByContent(other.name.to_string())));
            chosen.append(&mut others);
        } else if chosen.len() != 1 || !others.is_empty() {
            return Err(ImportError::NoEntry);
        }
    }
    notes.extend(others.iter().map(|(other, _)| Note::Ignored(other.name.to_string())));
    let mut total = 0_u64;
    for (candidate, packed) in &chosen {
        total = total.saturating_add(candidate.size);
        if total > LARGEST_ENTRY {
            return Err(ImportError::EntryTooLarge(candidate.name.to_string()));
        }
        if is_dense(candidate.size, *packed) {
            return Err(ImportError::TooDense(candidate.name.to_string()));
        }
    }
    Ok(chosen.into_iter().map(|(candidate, _)| candidate).collect())
}

/// Folders, links, what macOS adds, and hidden files.
fn is_beside_the_point(entry: &ZipFileEntry<'_>, name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    entry.is_dir()
        || entry.is_symlink()
        || name.split(['/', '\\']).any(|part| part == "__MACOSX")
        || last.is_empty()
        || last.starts_with('.')
}

fn sort(name: &str, size: u64) -> Sort {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("txt") => Sort::Text,
        Some("csv" | "xml" | "pskc") => Sort::Seeds,
        // Raw, or hexadecimal digits with or without a line end.
        _ if matches!(size, 16 | 24 | 32..=34 | 48..=50 | 64..=66) => Sort::Key,
        _ => Sort::Other,
    }
}

fn is_dense(unpacked: u64, packed: u64) -> bool {
    unpacked > HARMLESS && unpacked / MOST_DENSE > packed
}

/// A name that can be shown: what it is in another encoding, does not matter here.
fn printable(name: &[u8]) -> Arc<str> {
    const LONGEST: usize = 200;
    let name: String = String::from_utf8_lossy(name)
        .chars()
        .take(LONGEST)
        .map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character })
        .collect();
    name.into()
}

/// What came of trying to open an entry.
enum Failure {
    /// Wrong password, or damaged: another spelling may help.
    Locked,
    /// Nothing helps.
    Final(ImportError),
}

impl Candidate {
    /// Unpacks the entry, with the first spelling of the password that opens it.
    fn open<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<Metered<'_, R>>,
        passwords: &[Zeroizing<Vec<u8>>],
        meter: &Meter,
    ) -> Result<Zeroizing<Vec<u8>>, ImportError> {
        // The zip crate ignores a password where there is no encryption, so that is decided here.
        let passwords: Vec<Option<&[u8]>> =
            if self.encrypted { passwords.iter().map(|bytes| Some(bytes.as_slice())).collect() } else { vec![None] };
        for password in passwords {
            match self.read(archive, password, meter) {
                Ok(bytes) => return Ok(bytes),
                Err(Failure::Locked) => {}
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        Err(if self.encrypted { ImportError::WrongPassword } else { ImportError::ZipDamaged })
    }

    fn read<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<Metered<'_, R>>,
        password: Option<&[u8]>,
        meter: &Meter,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let size = usize::try_from(self.size).map_err(|_| self.too_large())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| self.too_large())?;
        match self.read_into(&mut bytes, size, archive, password, meter) {
            Ok(()) => Ok(Zeroizing::new(bytes)),
            Err(failure) => {
                // Only what was read. `Zeroizing` would wipe all that was reserved, and so make it real memory.
                bytes.as_mut_slice().zeroize();
                Err(failure)
            }
        }
    }

    fn read_into<R: Read + Seek>(
        &self,
        bytes: &mut Vec<u8>,
        size: usize,
        archive: &mut ZipArchive<Metered<'_, R>>,
        password: Option<&[u8]>,
        meter: &Meter,
    ) -> Result<(), Failure> {
        let begun_at = meter.read.get();
        let options = ZipReadOptions::new().password(password);
        let mut entry =
            archive.by_index_with_options(self.index, options).map_err(|error| self.failure(&error, meter))?;
        // Never past the size that was reserved: growing would leave a copy behind.
        while bytes.len() < size {
            let chunk = CHUNK.min(self.size - length_of(bytes.len()));
            let read = entry.by_ref().take(chunk).read_to_end(bytes);
            match read.map_err(|error| self.failure(&ZipError::Io(error), meter))? {
                0 => return Err(Failure::Locked),
                _ if is_dense(length_of(bytes.len()), meter.read.get() - begun_at) => {
                    return Err(Failure::Final(ImportError::TooDense(self.name.to_string())));
                }
                _ => {}
            }
        }
        // The checksum is only compared at the end; and there must be no more than was declared.
        match entry.read(&mut [0]).map_err(|error| self.failure(&ZipError::Io(error), meter))? {
            0 => Ok(()),
            _ => Err(Failure::Locked),
        }
    }

    fn too_large(&self) -> Failure {
        Failure::Final(ImportError::EntryTooLarge(self.name.to_string()))
    }

    fn failure(&self, error: &ZipError, meter: &Meter) -> Failure {
        if let Some(error) = meter.failure.take() {
            return Failure::Final(ImportError::Io(error));
        }
        match error {
            ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
                Failure::Final(ImportError::ZipUnsupported(self.name.to_string()))
            }
            // With a wrong password a compressed entry looks damaged more often than not.
            _ => Failure::Locked,
        }
    }
}

/// How a password may have been turned into bytes by the program that made the file: as it was given, and in the
/// encodings of DOS and Windows.
fn spellings(password: &Zeroizing<Vec<u8>>) -> Vec<Zeroizing<Vec<u8>>> {
    let mut spellings = vec![password.clone()];
    if !password.is_ascii()
        && let Ok(text) = std::str::from_utf8(password)
    {
        let in_cp437 = |character: char| match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => Some(byte),
            _ => CP437.chars().position(|high| high == character).and_then(|place| u8::try_from(place + 128).ok()),
        };
        let cp437: Option<Vec<u8>> = text.chars().map(in_cp437).collect();
        let latin1: Option<Vec<u8>> = text.chars().map(|character| u8::try_from(character).ok()).collect();
        spellings.extend(cp437.into_iter().chain(latin1).map(Zeroizing::new));
    }
    spellings
}

/// The upper half of code page 437, the usual one of zip programs on DOS and Windows.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// What was read of the source, what may be, and what went wrong below the zip crate, which keeps none of it apart.
#[derive(Default)]
struct Meter {
    read: Cell<u64>,
    allowance: Cell<u64>,
    failure: RefCell<Option<io::Error>>,
}

impl Meter {
    fn why_no_directory(&self) -> ImportError {
        match self.failure.take() {
            Some(error) => ImportError::Io(error),
            None if self.read.get() > self.allowance.get() => ImportError::TooManyEntries,
            None => ImportError::ZipDamaged,
        }
    }
}

/// A source with a meter.
struct Metered<'m, R> {
    source: R,
    meter: &'m Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.read.get() > self.meter.allowance.get() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.source.read(buffer).map_err(|error| keep(error, self.meter))?;
        self.meter.read.set(self.meter.read.get() + u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<'_, R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        // A seek to before the start is a lie of the zip file; the source itself is in order.
        self.source.seek(position).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => error,
            _ => keep(error, self.meter),
        })
    }
}

/// Keeps an error of the source. One that only asks to try again is none.
fn keep(error: io::Error, meter: &Meter) -> io::Error {
    let kind = error.kind();
    if kind != io::ErrorKind::Interrupted {
        meter.failure.replace(Some(error));
    }
    kind.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_tried_as_dos_and_windows_would_have_written_it() {
        let spelled = |text: &str| {
            spellings(&Zeroizing::new(text.as_bytes().to_vec())).iter().map(|bytes| bytes.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(CP437.chars().count(), 128);
        assert_eq!(spelled("secret"), [b"secret".to_vec()]);
        assert_eq!(spelled("grün"), ["grün".as_bytes().to_vec(), b"gr\x81n".to_vec(), b"gr\xfcn".to_vec()]);
        assert_eq!(spelled("ключ"), ["ключ".as_bytes().to_vec()]);
    }

    #[test]
    fn entries_are_sorted_by_name_and_size() {
        for (name, size, expected) in [
            ("Tokens.CSV", 100, Sort::Seeds),
            ("a/b/tokens.pskc", 100, Sort::Seeds),
            ("readme.txt", 32, Sort::Text),
            ("transport.key", 32, Sort::Key),
            ("tokens.dat", 100, Sort::Other),
            ("tokens", 100, Sort::Other),
        ] {
            assert_eq!(sort(name, size), expected, "{name}");
        }
    }

    #[test]
    fn only_what_shrinks_as_no_text_does_is_dense() {
        assert!(!is_dense(HARMLESS, 1));
        assert!(!is_dense(200 << 20, 10 << 20));
        assert!(is_dense(200 << 20, 1 << 20));
    }
}
