//! A vendor's seed file, its password and its key, from wherever they are.
//!
//! Invariants: a file with a password or a key that others can read is refused. What comes from a pipe stays in
//! memory and is wiped.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use twofactor_admin::seed_files::{self, Encoding, Format, ImportError, LARGEST_FILE, Options, SeedFile};
use twofactor_core::host::trusted::FileError;
use twofactor_core::store::StoreError;
use zeroize::Zeroizing;

use crate::args::tokens::{FileFormat, Import, KindName, SeedEncoding, SerialFrom};
use crate::commands::list_file::spool;
use crate::error::{Failure, quoted};
use crate::output;
use crate::terminal::{self, Unanswered};

/// The number of tries for the password.
const TRIES: usize = 3;

/// The knowledge of a file before its rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// It came through a pipe, or only its owner can read it.
    Private,
    /// Others can read it.
    Readable,
}

/// Opens the seed file of an import. Asks for its password where that has to be.
pub(super) fn open(arguments: &Import) -> Result<(SeedFile, Privacy), Failure> {
    let path = arguments.file.as_path();
    let unreadable = |error| Failure::InputFile { path: path.to_owned(), error };
    let mut keyring = Keyring::new(arguments)?;
    if path == Path::new("-") {
        let source = Cursor::new(spool(io::stdin(), LARGEST_FILE).map_err(unreadable)?);
        return Ok((keyring.open(source, arguments)?, Privacy::Private));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    if !metadata.is_file() {
        let source = Cursor::new(spool(file, LARGEST_FILE).map_err(unreadable)?);
        return Ok((keyring.open(source, arguments)?, Privacy::Private));
    }
    let privacy = if metadata.mode() & 0o077 != 0 { Privacy::Readable } else { Privacy::Private };
    let mut tries = 1;
    loop {
        match keyring.open(&file, arguments) {
            Err(Failure::SeedFile { error: ImportError::WrongPassword, .. })
                if keyring.password == Source::Person && terminal::is_interactive() && tries < TRIES =>
            {
                tries += 1;
                output::progress("That password does not open it.");
            }
            opened => return Ok((opened?, privacy)),
        }
    }
}

/// The source of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// The first line of a file.
    File(PathBuf),
    /// The first line of what is open already.
    Descriptor(u32),
    /// The person at the terminal, or a script's standard input.
    Person,
    /// The seed file has standard input to itself.
    Nowhere,
}

struct Keyring<'a> {
    seeds: &'a Path,
    password: Source,
    key: Option<&'a Path>,
    /// Why the last question had no answer.
    failure: Option<Failure>,
}

impl<'a> Keyring<'a> {
    fn new(arguments: &'a Import) -> Result<Self, Failure> {
        let stdin = Path::new("-");
        let seeds = arguments.file.as_path();
        let password = match (&arguments.password_file, arguments.password_fd) {
            (Some(path), _) if path == stdin && seeds == stdin => return Err(Failure::StdinTwice),
            (Some(path), _) if path == stdin => Source::Person,
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(descriptor)) => Source::Descriptor(descriptor),
            (None, None) if seeds == stdin => Source::Nowhere,
            (None, None) => Source::Person,
        };
        Ok(Self { seeds, password, key: arguments.key_file.as_deref(), failure: None })
    }

    fn open(&mut self, source: impl Read + io::Seek + Send, arguments: &Import) -> Result<SeedFile, Failure> {
        let opened = seed_files::open(source, &options(arguments), self);
        opened.map_err(|error| match self.failure.take() {
            Some(failure) => failure,
            None => Failure::SeedFile { path: self.seeds.to_owned(), error },
        })
    }

    fn ask(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        match &self.password {
            Source::File(path) => first_line(private(path)?, path).map(Some),
            Source::Descriptor(number) => {
                let path = PathBuf::from(format!("/proc/self/fd/{number}"));
                let file = File::open(&path).map_err(|error| Failure::InputFile { path: path.clone(), error })?;
                first_line(file, &path).map(Some)
            }
            Source::Person => {
                let question = format!("Password of {}: ", self.seeds.display().to_string().escape_debug());
                match terminal::ask_hidden(&question) {
                    Err(Unanswered::EndOfInput) => Ok(None),
                    Ok(typed) if !terminal::is_interactive() => Ok(Some(without_line_end(&typed))),
                    answer => Ok(Some(answer?)),
                }
            }
            Source::Nowhere => Ok(None),
        }
    }

    fn answer(&mut self, answer: Result<Option<Zeroizing<Vec<u8>>>, Failure>) -> Option<Zeroizing<Vec<u8>>> {
        answer.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            None
        })
    }
}

impl seed_files::Keyring for Keyring<'_> {
    fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        let answer = self.ask();
        Ok(self.answer(answer))
    }

    fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        let Some(path) = self.key else { return Ok(None) };
        let key = private(path).and_then(|file| read(file, path)).map(Some);
        Ok(self.answer(key))
    }
}

/// Opens a file that holds a password or a key. Others must not be able to read it; a pipe has no other reader.
fn private(path: &Path) -> Result<File, Failure> {
    let unreadable = |error| Failure::InputFile { path: path.to_owned(), error };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        let remedy = format!("chmod go-rwx {}", quoted(&path.to_string_lossy()));
        let problem = "can be read by others".to_owned();
        return Err(StoreError::from(FileError::Unsafe { path: path.to_owned(), problem, remedy }).into());
    }
    Ok(file)
}

/// Passwords and keys are not longer, in bytes.
const LONGEST_SECRET: usize = 4096;

fn read(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::InputFile { path: path.to_owned(), error };
    let mut content = Zeroizing::new(Vec::with_capacity(2 * LONGEST_SECRET));
    file.take(LONGEST_SECRET as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() > LONGEST_SECRET {
        return Err(failed(io::Error::other("it is too long for a password or a key")));
    }
    Ok(content)
}

fn first_line(file: File, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(without_line_end(&read(file, path)?))
}

/// The first line, whichever system it was written on.
fn without_line_end(content: &[u8]) -> Zeroizing<Vec<u8>> {
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Zeroizing::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// The typed options, as the reader of seed files takes them.
fn options(arguments: &Import) -> Options {
    Options {
        format: match arguments.format {
            FileFormat::Auto => Format::Auto,
            FileFormat::Csv => Format::Delimited,
            FileFormat::Pskc => Format::Pskc,
        },
        entry: arguments.entry.clone(),
        serial_from: arguments.serial_from.map(|field| match field {
            SerialFrom::Issuer => seed_files::SerialFrom::Issuer,
            SerialFrom::Label => seed_files::SerialFrom::Label,
            SerialFrom::Number => seed_files::SerialFrom::Number,
        }),
        encoding: match arguments.encoding {
            SeedEncoding::Auto => None,
            SeedEncoding::Base32 => Some(Encoding::Base32),
            SeedEncoding::Hex => Some(Encoding::Hex),
        },
        kind: arguments.kind.map(|kind| match kind {
            KindName::Totp => seed_files::KindName::Totp,
            KindName::Hotp => seed_files::KindName::Hotp,
        }),
        algorithm: arguments.algorithm,
        digits: arguments.digits,
        period: arguments.period,
    }
}
