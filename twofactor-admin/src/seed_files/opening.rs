//! A file from its first bytes to rows that can be read: what it is, out of its zip file, surveyed.

use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::bounds::{LARGEST_FILE, MOST_NOTES, length_of};
use super::container::{self, Entry, EntryContent};
use super::document::Reading;
use super::error::ImportError;
use super::keyring::{Asked, Keyring};
use super::note::{Container, Content, Form, Note};
use super::options::Options;
use super::recognition::{self, Beginning, Foreign};
use super::seed_file::SeedFile;
use super::{ahead, characters, entries};

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
    // A self-extracting archive begins as a program does, the last part of a split one as anything, also as text.
    let unlikely = matches!(beginning, Beginning::Foreign(Foreign::Program)) || !characters::is_text(&start);
    let may_be = beginning == Beginning::Text || unlikely;
    if beginning != Beginning::Zip && may_be && container::ends_like_zip(&mut source)? {
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
