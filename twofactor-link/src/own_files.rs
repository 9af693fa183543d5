//! The files of this host written: key, certificate, authority.
//!
//! Invariant: key and certificate change together, in one rename of the key's file, which has both. The certificate's own file is a copy
//! for people.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use twofactor_core::host::trusted::{Flush, Folder, Owner, Protection};
use twofactor_core::store::wire::IssuedCertificate;
use twofactor_net::pem::{of_certificate, of_private_key};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::tls::{Files, folder_of};

/// The folder of the key, made where it is not there. Nothing is written that cannot be: a join code would be lost.
pub(crate) fn folder(files: &Files) -> Result<Folder, Failure> {
    let path = folder_of(&files.key);
    if !path.exists() {
        // The one above it has the configuration, which all may read.
        let made = DirBuilder::new().recursive(true).mode(0o755).create(folder_of(path));
        made.and_then(|()| DirBuilder::new().mode(0o700).create(path)).map_err(|error| cannot(path, &error))?;
    }
    let folder = Folder::open(path, Owner::ROOT, Protection::FromReading).map_err(|error| cannot(path, &error))?;
    let folder = folder.ok_or_else(|| cannot(path, &"it is gone"))?;
    let probed = folder.prepare(name_of(&files.key), b"", Flush::Now).map(drop);
    probed.map_err(|error| cannot(path, &error))?;
    Ok(folder)
}

/// Writes what a server has issued for the key whose private half is `private`.
pub(crate) fn write(folder: &Folder, files: &Files, private: &[u8], issued: &IssuedCertificate) -> Result<(), Failure> {
    let certificate = of_certificate(&issued.certificate);
    let key = of_private_key(private);
    let mut both = Zeroizing::new(String::with_capacity(key.len() + certificate.len()));
    both.push_str(&key);
    both.push_str(&certificate);
    // The authority first: without it the key is of no use.
    put(folder, &files.ca, of_certificate(&issued.authority).as_bytes())?;
    put(folder, &files.key, both.as_bytes())?;
    put(folder, &files.certificate, certificate.as_bytes())
}

fn put(folder: &Folder, file: &Path, content: &[u8]) -> Result<(), Failure> {
    if folder_of(file) != folder.path() {
        let hint = "name files of one folder in [fleet] of twofactor.toml(5)";
        return Err(Failure::new(
            Exit::BadConfiguration,
            format!("{} is in another folder than the key", file.display()),
            hint,
        ));
    }
    folder.replace(name_of(file), content).map_err(|error| cannot(file, &error))
}

fn name_of(file: &Path) -> &str {
    file.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn cannot(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{}: {error}", path.display()),
        "does root run it, and is there room on the disk?",
    )
}
