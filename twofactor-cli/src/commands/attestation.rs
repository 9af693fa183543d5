//! The attestation of a key that is enrolled: its files, and the makers that the sysadmin trusts.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use twofactor_admin::attestation::{self, LARGEST, Makers, MakersError};
use twofactor_core::account::factors::Attestation;
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::host::clock::UnixTime;

use crate::args::ssh_keys::AddSshKey;
use crate::error::Failure;

/// Makes sure that the attestation, where one is named, is about this key.
pub(super) fn check(arguments: &AddSshKey, key: &SshKey, now: UnixTime) -> Result<Attestation, Failure> {
    let (Some(path), Some(challenge)) = (&arguments.attestation, &arguments.challenge) else {
        return Ok(Attestation::None);
    };
    let (attested, challenge) = (read(path)?, read(challenge)?);
    let makers = makers(&arguments.makers)?;
    attestation::check(&attested, &challenge, key, &makers, now)
        .map_err(|error| Failure::KeyFile { path: path.clone(), error: error.into() })?;
    Ok(Attestation::Checked)
}

/// The certificates in a folder.
fn makers(folder: &Path) -> Result<Makers, Failure> {
    let failed = |error| Failure::InputFile { path: folder.to_owned(), error };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>().map_err(failed)?;
    files.sort();
    let mut makers = Makers::default();
    for path in files {
        makers.add(&read(&path)?).map_err(|error| Failure::KeyFile { path, error: error.into() })?;
    }
    if makers.are_none() {
        return Err(Failure::KeyFile { path: folder.to_owned(), error: MakersError::None.into() });
    }
    Ok(makers)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::InputFile { path: path.to_owned(), error };
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut content)).map_err(failed)?;
    if content.len() > LARGEST { Err(failed(io::Error::other("it is too long"))) } else { Ok(content) }
}
