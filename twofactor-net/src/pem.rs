//! Certificates and keys in PEM files.

use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

/// A file that cannot be used.
#[derive(Debug, Error)]
#[error("{file}: {problem}")]
pub struct PemError {
    /// The file.
    pub file: String,
    /// The problem with it.
    pub problem: String,
}

impl PemError {
    /// The problem of a file.
    pub fn new(file: &Path, problem: &dyn fmt::Display) -> Self {
        Self { file: file.display().to_string(), problem: problem.to_string() }
    }
}

/// The certificates in a file, of which there is one at least.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = fs::read(path).map_err(|error| PemError::new(path, &error))?;
    read_certificates(&text).map_err(|problem| PemError::new(path, &problem))
}

/// The certificates in a text, of which there is one at least. An error is a sentence.
pub fn read_certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let read = read.map_err(|error| error.to_string())?;
    if read.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(read) }
}

/// The private key in a file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = Zeroizing::new(fs::read(path).map_err(|error| PemError::new(path, &error))?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| PemError::new(path, &error))
}

/// A certificate as the text of a file.
pub fn of_certificate(der: &[u8]) -> String {
    written("CERTIFICATE", der).to_string()
}

/// A private key in PKCS #8 as the text of a file.
pub fn of_private_key(der: &[u8]) -> Zeroizing<String> {
    written("PRIVATE KEY", der)
}

fn written(label: &str, der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64.encode(der));
    // Room for all of it, so that no copy of a key is left behind.
    let mut text = Zeroizing::new(String::with_capacity(base64.len() * 2 + 128));
    let _ = writeln!(text, "-----BEGIN {label}-----");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(64));
        let _ = writeln!(text, "{line}");
        rest = others;
    }
    let _ = writeln!(text, "-----END {label}-----");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for length in [1, 47, 48, 49, 500] {
            let der = vec![7; length];
            let text = of_certificate(&der);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            assert_eq!(read_certificates(text.as_bytes()).unwrap()[0].as_ref(), der);
        }
        let key = of_private_key(&[1, 2, 3]);
        assert_eq!(PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap().secret_der(), [1, 2, 3]);
        assert!(read_certificates(b"nothing").is_err());
    }
}
