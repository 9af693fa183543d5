//! Zip files: which entries are looked at, and what is in them.
//!
//! Invariants: nothing is written anywhere; an entry is whole and its checksum right before its content counts; sizes
//! are checked before anything is unpacked and again while it is, because a zip file may lie about them. The zip crate
//! knows no bounds of its own: all of them are here. What an entry holds is decided by its content, never by its name.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use zeroize::{Zeroize as _, Zeroizing};
use zip::read::{ZipFileEntry, ZipReadOptions};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::bounds::{LARGEST_ENTRY, MOST_ENTRIES, length_of};
use super::characters;
use super::error::ImportError;
use super::keyring::Asked;
use super::recognition::{self, Beginning, Foreign};

/// An entry that was looked at.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) encrypted: bool,
    pub(super) content: EntryContent,
}

/// The content of an entry.
pub(super) enum EntryContent {
    /// Text, or as few bytes as a key has.
    Bytes(Zeroizing<Vec<u8>>),
    /// A kind of file that holds no rows as it is.
    Foreign(Foreign),
    /// Neither text nor anything known: a picture, a program.
    Binary,
    /// Beyond a bound, and so not unpacked. It does not begin like text.
    Unread(ImportError),
}

/// The most that is read to learn what is in a zip file. A thousand entries take a tenth of that.
const LARGEST_DIRECTORY: u64 = 4 << 20;
/// Text shrinks to a half, XML to a twentieth. What shrinks to less than a hundredth is zeros; DEFLATE makes a thousandth.
const MOST_DENSE: u64 = 100;
/// Files below this size are harmless.
const HARMLESS: u64 = 1 << 20;
/// The bytes that are unpacked between two looks at the bounds.
const CHUNK: u64 = 64 << 10;
/// The size of the longest key file: 32 bytes as hexadecimal digits in UTF-16 with separators.
const LONGEST_KEY: usize = 256;

/// Takes out of a zip file all that may hold seeds, or the key to them; of an entry that was asked for, that one alone.
pub(super) fn unpack<R: Read + Seek>(
    mut source: R,
    wanted: Option<&str>,
    asked: &mut Asked<'_>,
) -> Result<Vec<Entry>, ImportError> {
    check_end(&mut source)?;
    let meter = Meter { allowance: Cell::new(LARGEST_DIRECTORY), ..Meter::default() };
    let mut archive = ZipArchive::new(Metered { source, meter: &meter }).map_err(|_| meter.why_no_directory())?;
    meter.allowance.set(u64::MAX);
    if archive.len() > MOST_ENTRIES {
        return Err(ImportError::TooManyEntries);
    }
    if archive.has_duplicate_names() {
        return Err(ImportError::DuplicateNames);
    }
    let candidates = candidates(&archive, wanted)?;
    // What no password helps against is said before one is asked for.
    if let Some(candidate) = candidates.iter().find(|candidate| !candidate.is_supported()) {
        return Err(ImportError::ZipMethod {
            entry: candidate.name.to_string(),
            method: method_name(candidate.method),
        });
    }
    let passwords = if candidates.iter().any(|candidate| candidate.encrypted) {
        spellings(asked.password()?.ok_or(ImportError::PasswordNeeded)?)
    } else {
        Vec::new()
    };
    let mut entries = Vec::with_capacity(candidates.len());
    let mut total = 0_u64;
    for candidate in candidates {
        let beyond = if total.saturating_add(candidate.size) > LARGEST_ENTRY {
            Some(ImportError::EntryTooLarge(candidate.name.to_string()))
        } else if is_dense(candidate.size, candidate.packed) {
            Some(ImportError::TooDense(candidate.name.to_string()))
        } else {
            None
        };
        let content = match beyond {
            None => candidate.open(&mut archive, &passwords, &meter)?,
            // A film beside the seeds does no harm; a list of seeds that is too large is refused.
            Some(error) if candidate.begins_like_text(&mut archive, &passwords) => return Err(error),
            Some(error) => EntryContent::Unread(error),
        };
        if let EntryContent::Bytes(bytes) = &content {
            total = total.saturating_add(length_of(bytes.len()));
        }
        let Candidate { name, encrypted, .. } = candidate;
        entries.push(Entry { name, encrypted, content });
    }
    Ok(entries)
}

/// The end of a zip file: where its table of contents is.
const END: &[u8] = b"PK\x05\x06";
/// The record 20 bytes before it in the form for many entries (zip64), and the place it points to.
const END64_LOCATOR: &[u8] = b"PK\x06\x07";
const END64: &[u8] = b"PK\x06\x06";
/// The size of that record without extensions.
const END64_SIZE: usize = 56;
/// The zip crate looks at no more than half of it: a comment of 64 KiB may stand behind the end.
const TAIL: u64 = 128 << 10;

/// The last bytes of a file, and where they begin. Of a file that is not encrypted they are plain text.
fn tail<R: Read + Seek>(source: &mut R) -> Result<(u64, Zeroizing<Vec<u8>>), io::Error> {
    let size = source.seek(SeekFrom::End(0))?;
    let start = size.saturating_sub(TAIL);
    source.seek(SeekFrom::Start(start))?;
    let mut tail = Zeroizing::new(Vec::new());
    tail.reserve_exact(usize::try_from(TAIL.min(size)).unwrap_or_default());
    source.take(TAIL).read_to_end(&mut tail)?;
    source.rewind()?;
    Ok((start, tail))
}

/// Tells if a file that begins as no zip file ends like one: a self-extracting archive, or the last part of several.
pub(super) fn ends_like_zip<R: Read + Seek>(source: &mut R) -> Result<bool, ImportError> {
    let (_, tail) = tail(source)?;
    // The end record with the length of the comment that follows it.
    let ends = |window: &[u8], behind: usize| {
        window.starts_with(END) && number(window, 20, 2).and_then(|length| usize::try_from(length).ok()) == Some(behind)
    };
    Ok(tail.windows(22).enumerate().any(|(place, window)| ends(window, tail.len() - place - 22)))
}

/// Refuses a zip file in parts, and the form for many entries (zip64) with more than our bound: by its counts the zip
/// crate reserves memory before it has read one entry.
fn check_end<R: Read + Seek>(source: &mut R) -> Result<(), ImportError> {
    let (start, tail) = tail(source)?;
    let mut magic = [0; 4];
    let begins = source.read_exact(&mut magic).is_ok() && &magic == b"PK\x03\x04";
    source.rewind()?;
    match tail.windows(22).rposition(|window| window.starts_with(END)) {
        Some(place) => {
            let end = tail.get(place..).unwrap_or_default();
            let disk = number(end, 4, 2).unwrap_or_default();
            let directory = number(end, 12, 4).unwrap_or_default() + number(end, 16, 4).unwrap_or_default();
            // Its table of contents would end behind it: what stands before this part is missing.
            let is_last = !begins && directory < 0xffff_ffff && directory > start + length_of(place);
            if !matches!(disk, 0 | 0xffff) {
                return Err(ImportError::Foreign(Foreign::SplitZip));
            }
            if is_last {
                return Err(ImportError::Foreign(Foreign::LastPart));
            }
        }
        None if begins => return Err(ImportError::Foreign(Foreign::HalfZip)),
        None => {}
    }
    for place in 0..tail.len() {
        let Some(locator) = tail.get(place..place + 24) else { break };
        if !locator.starts_with(END64_LOCATOR) || !locator.ends_with(END) {
            continue;
        }
        // The one record that the zip crate accepts is the one that ends where the locator begins.
        let record = place.checked_sub(END64_SIZE).and_then(|at| Some((at, tail.get(at..place)?)));
        let sound = record.is_some_and(|(at, record)| {
            let counts = [number(record, 24, 8), number(record, 32, 8)];
            record.starts_with(END64)
                && number(record, 4, 8) == Some(END64_SIZE as u64 - 12)
                && number(locator, 8, 8) == Some(start + length_of(at))
                && counts.iter().all(|count| count.is_some_and(|count| count <= MOST_ENTRIES as u64))
        });
        if !sound {
            return Err(ImportError::TooManyEntries);
        }
    }
    Ok(())
}

/// A number as zip files write it: its least significant byte first.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// An entry that is going to be looked at.
struct Candidate {
    index: usize,
    name: Arc<str>,
    size: u64,
    packed: u64,
    encrypted: bool,
    method: CompressionMethod,
}

/// The entries to look at. Names only count where one was asked for, and for what operating systems add.
fn candidates<R: Read + Seek>(archive: &ZipArchive<R>, wanted: Option<&str>) -> Result<Vec<Candidate>, ImportError> {
    let (mut candidates, mut there) = (Vec::new(), Vec::new());
    // OpenDocument without its manifest.
    let has = |name: &str| archive.file_names().any(|other| other.is_ok_and(|other| other == name));
    if has("content.xml") && ["mimetype", "styles.xml", "meta.xml", "settings.xml"].into_iter().any(has) {
        return Err(ImportError::Foreign(Foreign::Workbook));
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|_| ImportError::ZipDamaged)?;
        let name = printable(entry.name_raw());
        match name.as_ref() {
            "xl/workbook.xml" | "xl/workbook.bin" | "META-INF/manifest.xml" => {
                return Err(ImportError::Foreign(Foreign::Workbook));
            }
            "Index/Document.iwa" | "Index.zip" => return Err(ImportError::Foreign(Foreign::Workbook)),
            "word/document.xml" => return Err(ImportError::Foreign(Foreign::Letter)),
            _ => {}
        }
        if is_beside_the_point(&entry, &name) && wanted != Some(&*name) {
            continue;
        }
        there.push(name.clone());
        if wanted.is_none_or(|wanted| wanted == &*name) {
            candidates.push(Candidate {
                index,
                size: entry.size(),
                packed: entry.compressed_size(),
                encrypted: entry.encrypted(),
                method: entry.compression(),
                name,
            });
        }
    }
    match wanted {
        _ if !candidates.is_empty() => Ok(candidates),
        Some(wanted) => Err(ImportError::NoSuchEntry { wanted: wanted.to_owned(), there: listed(&there) }),
        None => Err(ImportError::NoEntry),
    }
}

/// So many names of entries are said.
const MOST_NAMES: usize = 5;

/// Names of entries in a sentence.
fn listed(names: &[Arc<str>]) -> String {
    let first: Vec<&str> = names.iter().take(MOST_NAMES).map(AsRef::as_ref).collect();
    let more = if names.len() > MOST_NAMES { " and others" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// The common name of a way of packing.
fn method_name(method: CompressionMethod) -> String {
    // The numbers of PKWARE's APPNOTE, 4.4.5; the crate keeps them to itself but in the words of `Debug`.
    let shown = format!("{method:?}");
    let number = shown.trim_start_matches(|character: char| !character.is_ascii_digit());
    match number.trim_end_matches(')') {
        "98" => "PPMd".to_owned(),
        "1" => "Shrink".to_owned(),
        "2" | "3" | "4" | "5" => "Reduce".to_owned(),
        "6" => "Implode".to_owned(),
        "97" => "WavPack".to_owned(),
        "96" => "JPEG".to_owned(),
        "" => shown,
        number => format!("method {number}"),
    }
}

/// Folders, links, and what macOS adds. Other hidden files are looked at: a list may be among them.
fn is_beside_the_point(entry: &ZipFileEntry<'_>, name: &str) -> bool {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    entry.is_dir()
        || entry.is_symlink()
        || name.split(['/', '\\']).any(|part| part == "__MACOSX")
        || last.is_empty()
        || last.starts_with("._")
        || last == ".DS_Store"
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

/// The failures of opening an entry.
enum Failure {
    /// Wrong password, or damaged: another spelling may help.
    Locked,
    /// Nothing helps.
    Final(ImportError),
}

impl Candidate {
    fn is_supported(&self) -> bool {
        const READ: [CompressionMethod; 7] = [
            CompressionMethod::Stored,
            CompressionMethod::Deflated,
            CompressionMethod::Deflate64,
            CompressionMethod::Bzip2,
            CompressionMethod::Lzma,
            CompressionMethod::Xz,
            CompressionMethod::Zstd,
        ];
        READ.contains(&self.method)
    }

    /// The passwords to try. The zip crate ignores one where there is no encryption, so that is decided here.
    fn tries<'p>(&self, passwords: &'p [Zeroizing<Vec<u8>>]) -> Vec<Option<&'p [u8]>> {
        if self.encrypted { passwords.iter().map(|bytes| Some(bytes.as_slice())).collect() } else { vec![None] }
    }

    /// Unpacks the entry, with the first spelling of the password that opens it.
    fn open<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<Metered<'_, R>>,
        passwords: &[Zeroizing<Vec<u8>>],
        meter: &Meter,
    ) -> Result<EntryContent, ImportError> {
        for password in self.tries(passwords) {
            match self.read(archive, password, meter) {
                Ok(content) => return Ok(content),
                Err(Failure::Locked) => {}
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        Err(if self.encrypted { ImportError::WrongPassword } else { ImportError::ZipDamaged })
    }

    /// True when the first bytes of an entry that is not going to be unpacked are those of a text.
    fn begins_like_text<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<Metered<'_, R>>,
        passwords: &[Zeroizing<Vec<u8>>],
    ) -> bool {
        self.tries(passwords).into_iter().any(|password| {
            let options = ZipReadOptions::new().password(password);
            let Ok(entry) = archive.by_index_with_options(self.index, options) else { return false };
            let mut start = Zeroizing::new(Vec::with_capacity(recognition::ENOUGH));
            let read = entry.take(length_of(recognition::ENOUGH)).read_to_end(&mut start);
            read.is_ok() && !start.is_empty() && is_text(&start)
        })
    }

    fn read<R: Read + Seek>(
        &self,
        archive: &mut ZipArchive<Metered<'_, R>>,
        password: Option<&[u8]>,
        meter: &Meter,
    ) -> Result<EntryContent, Failure> {
        let size = usize::try_from(self.size).map_err(|_| self.too_large())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| self.too_large())?;
        match self.read_into(&mut bytes, size, archive, password, meter) {
            Ok(None) => Ok(EntryContent::Bytes(Zeroizing::new(bytes))),
            Ok(Some(other)) => {
                bytes.as_mut_slice().zeroize();
                Ok(other)
            }
            Err(failure) => {
                // Only what was read. `Zeroizing` would wipe all that was reserved, and so make it real memory.
                bytes.as_mut_slice().zeroize();
                Err(failure)
            }
        }
    }

    /// Reads the entry to its end, where its checksum is. `Some`: it is no text, and was not kept.
    fn read_into<R: Read + Seek>(
        &self,
        bytes: &mut Vec<u8>,
        size: usize,
        archive: &mut ZipArchive<Metered<'_, R>>,
        password: Option<&[u8]>,
        meter: &Meter,
    ) -> Result<Option<EntryContent>, Failure> {
        let begun_at = meter.read.get();
        let options = ZipReadOptions::new().password(password);
        let mut entry =
            archive.by_index_with_options(self.index, options).map_err(|error| self.failure(&error, meter))?;
        let (mut unpacked, mut other) = (0_usize, None);
        // Never past the size that was reserved: growing would leave a copy behind.
        while unpacked < size {
            let chunk = CHUNK.min(length_of(size - unpacked));
            let read = entry.by_ref().take(chunk).read_to_end(bytes);
            let read = read.map_err(|error| self.failure(&ZipError::Io(error), meter))?;
            unpacked += read;
            if read == 0 {
                return Err(Failure::Locked);
            }
            if is_dense(length_of(unpacked), meter.read.get() - begun_at) {
                return Err(Failure::Final(ImportError::TooDense(self.name.to_string())));
            }
            if other.is_none() && unpacked == read && size > LONGEST_KEY {
                other = match recognition::recognise(bytes) {
                    Beginning::Zip => Some(EntryContent::Foreign(Foreign::Zip)),
                    Beginning::Foreign(foreign) => Some(EntryContent::Foreign(foreign)),
                    Beginning::Text => (!is_text(bytes)).then_some(EntryContent::Binary),
                };
            }
            if other.is_some() {
                bytes.as_mut_slice().zeroize();
                bytes.clear();
            }
        }
        // The checksum is only compared at the end; and there must be no more than was declared.
        match entry.read(&mut [0]).map_err(|error| self.failure(&ZipError::Io(error), meter))? {
            0 => Ok(other),
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

/// True when bytes from the beginning of an entry are text. A chunk may end in the middle of a character.
fn is_text(start: &[u8]) -> bool {
    let whole = if start.len().is_multiple_of(2) { start } else { start.get(..start.len() - 1).unwrap_or_default() };
    characters::is_text(whole)
}

/// The ways in which a password may have become bytes in the program that made the file: as it was given, and in the
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

/// The bytes read of the source, their bound, and the error below the zip crate, which keeps none of it apart.
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
    fn only_what_shrinks_as_no_text_does_is_dense() {
        assert!(!is_dense(HARMLESS, 1));
        assert!(!is_dense(200 << 20, 10 << 20));
        assert!(is_dense(200 << 20, 1 << 20));
    }
}
