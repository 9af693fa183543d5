//! The entries of a zip file: seeds, the key to them, and files beside them.
//!
//! Invariants: every entry is seeds, a key, or named in a note with the reason why not. A README, a letter, a licence or a
//! list of checksums never makes a token beside a list. What has the form of a list is read or refused, and never ignored.

use std::sync::Arc;

use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::appearance::Appearance;
use super::bounds::{MOST_ROWS, length_of};
use super::characters::{self, hex_digits};
use super::container::{Entry, EntryContent};
use super::document::{Document, Reading};
use super::error::{ErrorKind, ImportError};
use super::keyring::{Asked, Beside};
use super::note::{Container, Note};
use super::options::Options;
use super::recognition;

/// An entry that is a text or as short as a key: its name, whether it was encrypted, its bytes.
type Text = (Arc<str>, bool, Zeroizing<Vec<u8>>);

/// An entry that was read as a document.
struct Attempt {
    /// Its place among the entries.
    place: usize,
    name: Arc<str>,
    encrypted: bool,
    notes: Vec<Note>,
    look: Appearance,
    outcome: Result<Document, ImportError>,
}

/// The certainty that an entry holds seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It does, or it should: then the error says what is wrong with it.
    Seeds,
    /// It has the form of a short list. It counts beside a list that it is like, or where there is none.
    Short,
    /// Some rows look like it. It counts when there is nothing better.
    Doubtful,
    /// It does not.
    Beside,
}

/// Reads all entries that hold rows. A file that is no zip file is the only entry of one.
pub(super) fn read(
    container: Container,
    entries: Vec<Entry>,
    options: &Options,
    asked: &mut Asked<'_>,
    notes: &mut Vec<Note>,
) -> Result<Vec<Document>, ImportError> {
    let mut beside = Vec::new();
    let texts = texts(entries, &mut beside)?;
    let digests: Vec<Arc<str>> = checksums(&texts);
    if texts.iter().any(|(_, _, bytes)| recognition::is_xml(bytes)) {
        asked.beside = keys(&texts);
    }
    let mut attempts = Vec::new();
    let alone = texts.len() == 1;
    for (name, encrypted, bytes) in texts {
        if !alone && digests.contains(&name) {
            beside.push(Note::Ignored(name.to_string(), "it holds checksums".to_owned()));
            continue;
        }
        let entry = (container == Container::Zip).then(|| name.clone());
        let look = if alone { Appearance::default() } else { Appearance::of(&name, &bytes) };
        let mut of_this = Vec::new();
        let outcome = Document::read(entry, bytes, options, asked, &mut of_this);
        attempts.push(Attempt { place: attempts.len(), name, encrypted, notes: of_this, look, outcome });
    }
    let documents = choose(container, attempts, asked, notes, &mut beside)?;
    notes.append(&mut beside);
    numbered(documents)
}

/// The entries that are texts, or as short as a key. What else lies there is noted.
fn texts(entries: Vec<Entry>, beside: &mut Vec<Note>) -> Result<Vec<Text>, ImportError> {
    let (mut texts, mut refusals) = (Vec::new(), Vec::new());
    for Entry { name, encrypted, content } in entries {
        match content {
            EntryContent::Bytes(bytes) => texts.push((name, encrypted, bytes)),
            EntryContent::Foreign(foreign) => {
                beside.push(Note::Ignored(name.to_string(), format!("it is {foreign}")));
                refusals.push(ImportError::Nested { entry: name.to_string(), foreign });
            }
            EntryContent::Binary => {
                beside.push(Note::Ignored(name.to_string(), "it is no text".to_owned()));
                refusals.push(ImportError::NotText);
            }
            EntryContent::Unread(error) => {
                beside.push(Note::Ignored(name.to_string(), "it is too large to be seeds".to_owned()));
                refusals.push(error);
            }
        }
    }
    // Without a text the first entry says why: an archive in an archive, say.
    if texts.is_empty() { Err(refusals.into_iter().next().unwrap_or(ImportError::NoEntry)) } else { Ok(texts) }
}

/// The documents that hold seeds. The others are noted, unless there is nothing else: then the first of them says why.
fn choose(
    container: Container,
    attempts: Vec<Attempt>,
    asked: &Asked<'_>,
    notes: &mut Vec<Note>,
    beside: &mut Vec<Note>,
) -> Result<Vec<Document>, ImportError> {
    let alone = attempts.len() == 1;
    let (mut seeds, mut short, mut doubtful, mut others) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for attempt in attempts {
        match standing(&attempt, alone) {
            _ if is_final(&attempt.outcome) => return attempt.outcome.map(|document| vec![document]),
            Standing::Seeds => seeds.push(attempt),
            Standing::Short => short.push(attempt),
            Standing::Doubtful => doubtful.push(attempt),
            Standing::Beside => others.push(attempt),
        }
    }
    // Of short lists alone, the one that most speaks for decides what a list is here.
    if seeds.is_empty() {
        let best = (0..short.len()).rev().max_by_key(|index| short.get(*index).map(|attempt| attempt.look.weight()));
        seeds.extend(best.map(|best| short.remove(best)));
    }
    let looks: Vec<Appearance> = seeds.iter().map(|attempt| attempt.look.clone()).collect();
    let is_like = |attempt: &mut Attempt| looks.iter().any(|look| attempt.look.is_like(look));
    seeds.extend(short.extract_if(.., is_like));
    others.append(&mut short);
    if seeds.is_empty() {
        seeds = doubtful;
    } else {
        others.append(&mut doubtful);
    }
    if seeds.is_empty() {
        let first = others.into_iter().find(|attempt| !asked.is_key(&attempt.name)).ok_or(ImportError::NoRows)?;
        notes.extend(first.notes);
        return Ok(vec![first.outcome?]);
    }
    seeds.sort_by_key(|attempt| attempt.place);
    others.sort_by_key(|attempt| attempt.place);
    for Attempt { name, encrypted, outcome, look, .. } in others {
        beside.push(match () {
            () if !asked.is_key(&name) => Note::Ignored(name.to_string(), reason(&outcome, &look)),
            () if encrypted => Note::KeyBeside(name.to_string()),
            () => Note::KeyInTheClear(name.to_string()),
        });
    }
    let (mut documents, mut in_the_clear) = (Vec::new(), Vec::new());
    for Attempt { name, encrypted, notes: mut of_this, outcome, .. } in seeds {
        let document = match outcome {
            Ok(document) => document,
            Err(error) if alone => return Err(error),
            Err(error) => return Err(ImportError::OneOfSeveral { entry: name.to_string(), error: Box::new(error) }),
        };
        notes.append(&mut of_this);
        if container == Container::Zip && !encrypted && document.is_in_the_clear() {
            in_the_clear.push(Note::InTheClear(name.to_string()));
        }
        documents.push(Document { encrypted, ..document });
    }
    notes.append(&mut in_the_clear);
    Ok(documents)
}

/// Why an entry counts for nothing beside others that hold seeds.
fn reason(outcome: &Result<Document, ImportError>, look: &Appearance) -> String {
    match outcome {
        Err(ImportError::Foreign(foreign) | ImportError::Nested { foreign, .. }) => format!("it is {foreign}"),
        Err(ImportError::NotText) => "it is no text".to_owned(),
        _ if look.is_list() => "its few rows have another form than the list".to_owned(),
        Ok(_) if look.rows > 0 => "most of its lines are no rows".to_owned(),
        _ => "it is no list of seeds".to_owned(),
    }
}

/// True when an error is about the whole file and not about what one entry is: a missing password, a document of seeds that
/// cannot be opened, a list that is beyond a bound.
fn is_final(outcome: &Result<Document, ImportError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(ImportError::Pskc(error)) => *error != super::error::PskcError::NotPskc,
        Err(ImportError::Xml(..)) => true,
        Err(error) => error.kind() != ErrorKind::Invalid,
    }
}

fn standing(attempt: &Attempt, alone: bool) -> Standing {
    let form = match &attempt.look {
        _ if alone => return Standing::Seeds,
        look if look.is_certain() => Standing::Seeds,
        look if look.is_list() => Standing::Short,
        _ => Standing::Doubtful,
    };
    match &attempt.outcome {
        Ok(Document { reading: Reading::Delimited(_), .. }) => form,
        Ok(_) => Standing::Seeds,
        // The export of an app, or a list of another program's.
        Err(ImportError::SerialFrom) => {
            if attempt.look.names_secrets {
                Standing::Seeds
            } else {
                Standing::Beside
            }
        }
        Err(ImportError::Foreign(_) | ImportError::Nested { .. } | ImportError::Pskc(_)) => Standing::Beside,
        Err(_) if form == Standing::Doubtful => Standing::Beside,
        Err(_) => form,
    }
}

/// Tells documents how many bytes stand before them.
fn numbered(mut documents: Vec<Document>) -> Result<Vec<Document>, ImportError> {
    let (mut before, mut rows) = (0, 0);
    for document in &mut documents {
        document.before = before;
        before += length_of(document.text.len());
        rows += document.rows();
    }
    if rows > MOST_ROWS { Err(ImportError::TooManyRows) } else { Ok(documents) }
}

/// The entries that have the size of an AES key: 16, 24 or 32 bytes as they are, or as hexadecimal digits.
fn keys(texts: &[Text]) -> Vec<Beside> {
    let is_key = |bytes: &[u8]| {
        let digits = hex_digits(bytes);
        matches!(bytes.len(), 16 | 24 | 32) || matches!(digits.map(|digits| digits.len()), Some(32 | 48 | 64))
    };
    let keys = texts.iter().filter(|(_, _, bytes)| is_key(bytes));
    keys.map(|(name, _, bytes)| Beside { name: name.clone(), bytes: bytes.clone(), opened: false }).collect()
}

/// The names of the entries that list checksums: each line a digest, and beside it only words for digests and names of
/// files.
fn checksums(texts: &[Text]) -> Vec<Arc<str>> {
    let names: Vec<&str> = texts.iter().map(|(name, ..)| name.rsplit(['/', '\\']).next().unwrap_or(name)).collect();
    let digests = digests(texts);
    let lists = texts.iter().filter(|(_, _, bytes)| is_checksums(bytes, &names) || holds_digest(bytes, &digests));
    lists.map(|(name, ..)| name.clone()).collect()
}

/// The digests of all entries, in hexadecimal digits.
fn digests(texts: &[Text]) -> Vec<String> {
    let hex = |digest: &[u8]| data_encoding::HEXLOWER.encode(digest);
    let of = |bytes: &[u8]| [hex(&Sha1::digest(bytes)), hex(&Sha256::digest(bytes)), hex(&Sha512::digest(bytes))];
    // Only where there is something that can be a list of them: this reads all entries once more.
    let asked = texts.len() > 1 && texts.iter().any(|(_, _, bytes)| words(bytes).any(is_digest));
    if asked { texts.iter().flat_map(|(_, _, bytes)| of(bytes)).collect() } else { Vec::new() }
}

/// True when one of the words of a text is the digest of an entry: what no secret is.
fn holds_digest(bytes: &[u8], digests: &[String]) -> bool {
    words(bytes).any(|word| digests.iter().any(|digest| digest.as_bytes().eq_ignore_ascii_case(word)))
}

/// The words of a text that is short enough to be a list of checksums.
fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let short = if bytes.len() <= LONGEST_CHECKSUMS { bytes } else { &[] };
    short.split(|byte| !byte.is_ascii_alphanumeric())
}

/// True when a word is as long as a digest of [`digests`], and made of the same digits.
fn is_digest(word: &[u8]) -> bool {
    matches!(word.len(), 40 | 64 | 128) && word.iter().all(u8::is_ascii_hexdigit)
}

/// More than any list of the checksums of one zip file.
const LONGEST_CHECKSUMS: usize = 64 << 10;

fn is_checksums(bytes: &Zeroizing<Vec<u8>>, names: &[&str]) -> bool {
    if bytes.len() > LONGEST_CHECKSUMS {
        return false;
    }
    let Ok(text) = characters::text(bytes.clone()) else { return false };
    let Ok(text) = std::str::from_utf8(&text) else { return false };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| is_checksum(line, names))
}

fn is_checksum(line: &str, names: &[&str]) -> bool {
    const WORDS: [&str; 12] = [
        "md5",
        "md5sum",
        "sha1",
        "sha1sum",
        "sha224",
        "sha256",
        "sha256sum",
        "sha384",
        "sha512",
        "sha512sum",
        "checksum",
        "crc32",
    ];
    let (mut digests, mut words) = (0, 0);
    let separators = [' ', '\t', '*', '=', '(', ')', ',', ';', '"'];
    for part in line.split(separators).map(|part| part.trim_end_matches(':')).filter(|part| !part.is_empty()) {
        let digest =
            matches!(part.len(), 32 | 40 | 56 | 64 | 96 | 128) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        // A serial number has digits; a word beside a digest has none, in any language.
        let is_word = part.chars().any(char::is_alphabetic) && !part.bytes().any(|byte| byte.is_ascii_digit());
        let plain = part.to_ascii_lowercase().replace('-', "");
        let file = part.rsplit(['/', '\\']).next().unwrap_or(part);
        if digest {
            digests += 1;
        } else if is_word || WORDS.contains(&plain.as_str()) || names.contains(&file) || has_file_ending(file) {
            words += 1;
        } else {
            return false;
        }
    }
    digests == 1 && words > 0
}

/// True when a word is the name of a file, by an ending that seed files and their wrappings have.
fn has_file_ending(word: &str) -> bool {
    const ENDINGS: [&str; 10] = ["csv", "txt", "xml", "zip", "pskc", "pskcxml", "dat", "pdf", "7z", "gpg"];
    let ending = word.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_be_written_in_any_way_people_use() {
        let digits = b"000102030405060708090a0b0c0d0e0f";
        let text = std::str::from_utf8(digits).unwrap();
        let utf16: Vec<u8> = format!("\u{feff}{text}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let spaced = "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f";
        for file in [text.as_bytes(), format!("\u{feff}{text}\n").as_bytes(), &utf16, spaced.as_bytes()] {
            assert_eq!(hex_digits(file).unwrap().as_slice(), digits);
        }
        assert!(hex_digits(b"not a key").is_none() && hex_digits(b"").is_none());
    }

    #[test]
    fn checksums_are_told_from_tokens() {
        let md5 = "25f86d89c829840af7504c4e347d4ca4";
        let sha1 = "3132333435363738393031323334353637383930";
        for line in [
            format!("MD5 {md5}"),
            format!("{md5}  tokens.csv"),
            format!("{md5} *tokens.dat"),
            format!("SHA1 (tokens.csv) = {sha1}"),
            format!("tokens.csv: {sha1}"),
            format!("sha-1: {sha1}"),
        ] {
            assert!(is_checksum(&line, &["tokens.csv", "tokens.dat"]), "{line}");
        }
        for line in [
            format!("2600215704919 {sha1}"),
            format!("2600215704919,{sha1},totp,6,30,sha1"),
            sha1.to_owned(),
            "MD5".to_owned(),
        ] {
            assert!(!is_checksum(&line, &["tokens.csv"]), "{line}");
        }
    }
}
