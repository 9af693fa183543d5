//! A copy of the keys for the day on which all servers are lost, encrypted with age for keepers. Nothing but this file knows age.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use age::{Encryptor, Recipient, x25519};

use crate::error::ServerError;
use crate::sealing::new_file::{create, wrong};

/// The keepers, and the file that they get.
pub struct Escrow {
    recipients: Vec<x25519::Recipient>,
    file: PathBuf,
}

impl Escrow {
    /// A new file for these recipients of age.
    pub fn new(recipients: &[String], file: &Path) -> Result<Self, ServerError> {
        let wrong = |text: &String| ServerError::BadRecipient(text.clone());
        let parsed = recipients.iter().map(|text| text.trim().parse().map_err(|_| wrong(text)));
        Ok(Self { recipients: parsed.collect::<Result<_, _>>()?, file: file.to_owned() })
    }

    /// Writes the copy. A file that is there stays.
    pub(crate) fn keep(&self, text: &str) -> Result<(), ServerError> {
        let failed = |error: io::Error| wrong(&self.file, error);
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(|error| failed(io::Error::other(error)))?;
        let mut sealed = Vec::new();
        let mut writer = encryptor.wrap_output(&mut sealed).map_err(failed)?;
        writer.write_all(text.as_bytes()).map_err(failed)?;
        writer.finish().map_err(failed)?;
        create(&self.file, &sealed, 0o600)
    }
}
