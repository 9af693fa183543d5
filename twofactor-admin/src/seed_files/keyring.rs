//! The password or key to an encrypted file, asked for when it is needed and once.

use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::ImportError;

/// The password or key to an encrypted file. Asked for only when needed, and each at most once.
pub trait Keyring {
    /// The password of the file, of the zip or of PSKC. `None`: there is none to be had.
    fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error>;
    /// The pre-shared AES key: 16, 24 or 32 bytes, raw or as hexadecimal digits. `None`: there is none to be had.
    fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error>;
}

/// Answers of a keyring, asked for once. Reading ends where one is missing.
pub(super) struct Asked<'k> {
    keyring: &'k mut dyn Keyring,
    password: Option<Zeroizing<Vec<u8>>>,
    key: Option<Zeroizing<Vec<u8>>>,
    /// The entries beside the seeds that have the size of a key.
    pub(super) beside: Vec<Beside>,
}

/// An entry of a zip file that may be a key.
pub(super) struct Beside {
    pub(super) name: Arc<str>,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) opened: bool,
}

/// A key to try, and which of those beside the seeds it is.
pub(super) struct KeyTry {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) beside: Option<usize>,
}

impl<'k> Asked<'k> {
    pub(super) fn new(keyring: &'k mut dyn Keyring) -> Self {
        Self { keyring, password: None, key: None, beside: Vec::new() }
    }

    pub(super) fn password(&mut self) -> Result<Option<&Zeroizing<Vec<u8>>>, ImportError> {
        if self.password.is_none() {
            self.password = self.keyring.password().map_err(ImportError::Keyring)?;
        }
        Ok(self.password.as_ref())
    }

    /// The keys to try: the one that was given, else all that lie beside the seeds.
    pub(super) fn keys(&mut self) -> Result<Vec<KeyTry>, ImportError> {
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

    /// True when an entry is a key that opened a document.
    pub(super) fn is_key(&self, name: &str) -> bool {
        self.beside.iter().any(|key| key.opened && &*key.name == name)
    }

    /// Takes note of the key that opened a document.
    pub(super) fn opened_by(&mut self, beside: Option<usize>) {
        if let Some(key) = beside.and_then(|place| self.beside.get_mut(place)) {
            key.opened = true;
        }
    }
}
