//! The file that ssh-keygen writes: fields of a length and as many bytes.

use minicbor::Decoder;
use twofactor_core::codes::ssh_key::Fields;

use super::refusal::{LARGEST, NotAttested};

/// The parts of the file.
pub(super) struct Attestation<'f> {
    /// The maker's certificate, in DER.
    pub(super) certificate: &'f [u8],
    /// The signature by that certificate's key.
    pub(super) signature: &'f [u8],
    /// The words of the security key about the key that it has made (WebAuthn §6.1).
    pub(super) authenticator_data: &'f [u8],
}

impl<'f> Attestation<'f> {
    pub(super) fn read(file: &'f [u8]) -> Result<Self, NotAttested> {
        if file.len() > LARGEST {
            return Err(NotAttested::Form);
        }
        let mut fields = Fields::of(file);
        match fields.string() {
            Some(b"ssh-sk-attest-v01") => {}
            Some(b"ssh-sk-attest-v00") => return Err(NotAttested::OldForm),
            _ => return Err(NotAttested::Form),
        }
        let mut field = || fields.string().ok_or(NotAttested::Form);
        let (certificate, signature, in_cbor) = (field()?, field()?, field()?);
        if certificate.is_empty() {
            return Err(NotAttested::NoCertificate);
        }
        let mut decoder = Decoder::new(in_cbor);
        let authenticator_data = decoder.bytes().map_err(|_| NotAttested::Form)?;
        if decoder.position() != in_cbor.len() {
            return Err(NotAttested::Form);
        }
        Ok(Self { certificate, signature, authenticator_data })
    }
}
