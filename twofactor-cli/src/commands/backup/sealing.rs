//! Files of age: a backup is sealed, and opened again. Nothing but this file knows age.
//!
//! Invariants: the memory of a passphrase is bounded, whatever a file asks for. A file that is not what was written is an
//! error at the first piece of it that is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::iter;
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::StreamReader;
use age::{DecryptError, Decryptor, Encryptor, Identity, IdentityFile, Recipient, scrypt, x25519};

use crate::args::backup::{Backup, Restore};
use crate::error::{BackupFailure, Failure, is_damage};
use crate::terminal;

/// The work of a passphrase, as a power of two: 128 MiB of memory, which OWASP recommends.
const WORK: u8 = 17;

/// The most that a file may ask for: 256 MiB, as the program `age` does.
const MOST_WORK: u8 = 18;

/// The longest header that is read, in bytes: that of some hundred recipients. The time to read one grows with its square.
const LONGEST_HEADER: u64 = 32 * 1024;

/// The beginning of a header's last line.
const LAST_LINE: &[u8] = b"\n---";

/// Makes the encryption that the arguments ask for.
pub(super) fn encryption(arguments: &Backup) -> Result<Encryptor, Failure> {
    let recipients: Vec<Box<dyn Recipient>> = if arguments.passphrase {
        let passphrase = new_passphrase(&arguments.file)?;
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(WORK);
        vec![Box::new(recipient)]
    } else {
        let parse = |text: &String| match text.parse::<x25519::Recipient>() {
            Ok(recipient) => Ok(Box::new(recipient) as Box<dyn Recipient>),
            Err(_) => Err(BackupFailure::BadRecipient(text.clone())),
        };
        arguments.recipient.iter().map(parse).collect::<Result<_, _>>()?
    };
    let sealed = Encryptor::with_recipients(recipients.iter().map(|recipient| &**recipient));
    Ok(sealed.map_err(|_| BackupFailure::NoRecipient)?)
}

/// The secret that opens a file.
pub(crate) enum Opener {
    /// Identities out of files.
    Identities(Vec<Box<dyn Identity>>),
    /// A passphrase.
    Passphrase(SecretString),
}

impl Opener {
    /// Reads the identities, or asks for the passphrase.
    pub(crate) fn of(arguments: &Restore) -> Result<Self, Failure> {
        if arguments.passphrase {
            return Ok(Self::Passphrase(ask(&format!("Passphrase of {}: ", shown(&arguments.file)))?));
        }
        let mut identities: Vec<Box<dyn Identity>> = Vec::new();
        for path in &arguments.identity {
            let unreadable = |error| Failure::InputFile { path: path.clone(), error };
            let file = BufReader::new(File::open(path).map_err(unreadable)?);
            let read = IdentityFile::from_buffer(file).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => BackupFailure::BadIdentity(path.clone()).into(),
                _ => unreadable(error),
            })?;
            let found = read.into_identities().map_err(|_| BackupFailure::BadIdentity(path.clone()))?;
            if found.is_empty() {
                return Err(BackupFailure::BadIdentity(path.clone()).into());
            }
            identities.extend(found.into_iter().map(|identity| identity as Box<dyn Identity>));
        }
        Ok(Self::Identities(identities))
    }
}

/// Opens a file.
pub(crate) fn open(path: &Path, opener: &Opener) -> Result<impl BufRead + use<>, Failure> {
    let unreadable = |error| Failure::InputFile { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut beginning = Vec::new();
    file.by_ref().take(LONGEST_HEADER).read_to_end(&mut beginning).map_err(unreadable)?;
    if !beginning.windows(LAST_LINE.len()).any(|bytes| bytes == LAST_LINE) {
        return Err(BackupFailure::NotAge(path.to_owned()).into());
    }
    let file = BufReader::new(Cursor::new(beginning).chain(file));
    let decryptor = Decryptor::new_buffered(file).map_err(|error| why(error, path))?;
    let plain: StreamReader<BufReader<Chain<Cursor<Vec<u8>>, File>>> = match opener {
        Opener::Identities(_) if decryptor.is_scrypt() => {
            return Err(BackupFailure::NeedsPassphrase(path.to_owned()).into());
        }
        Opener::Identities(identities) => decryptor.decrypt(identities.iter().map(|identity| &**identity)),
        Opener::Passphrase(_) if !decryptor.is_scrypt() => {
            return Err(BackupFailure::NeedsIdentity(path.to_owned()).into());
        }
        Opener::Passphrase(passphrase) => {
            let mut identity = scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(iter::once(&identity as &dyn Identity))
        }
    }
    .map_err(|error| why(error, path))?;
    Ok(BufReader::with_capacity(64 * 1024, Box::new(plain) as Box<dyn Read>))
}

/// The reason for which a file is not opened, in our words.
fn why(error: DecryptError, path: &Path) -> Failure {
    let path = || path.to_owned();
    match error {
        DecryptError::NoMatchingKeys => BackupFailure::NoMatchingKey(path()).into(),
        DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
            BackupFailure::WrongPassphrase(path()).into()
        }
        DecryptError::ExcessiveWork { .. } => BackupFailure::TooMuchWork(path()).into(),
        DecryptError::Io(error) if !is_damage(&error) => Failure::InputFile { path: path(), error },
        _ => BackupFailure::NotAge(path()).into(),
    }
}

fn new_passphrase(file: &Path) -> Result<SecretString, Failure> {
    let passphrase = ask(&format!("New passphrase of {}: ", shown(file)))?;
    if terminal::is_interactive() {
        let again = ask("The same again: ")?;
        if !is_same(&passphrase, &again) {
            return Err(BackupFailure::PassphrasesDiffer.into());
        }
    }
    Ok(passphrase)
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    use age::secrecy::ExposeSecret as _;
    one.expose_secret() == other.expose_secret()
}

fn ask(question: &str) -> Result<SecretString, Failure> {
    let answer = terminal::ask_hidden(question)?;
    let text = std::str::from_utf8(&answer).map_err(|_| BackupFailure::NoPassphrase)?;
    let text = text.trim_end_matches('\r');
    if text.is_empty() {
        return Err(BackupFailure::NoPassphrase.into());
    }
    Ok(SecretString::from(text.to_owned()))
}

fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}
