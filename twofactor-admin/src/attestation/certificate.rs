//! The certificate in an attestation, and the makers' certificates above it.

use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime as WebpkiTime};
use thiserror::Error;
use twofactor_core::host::clock::UnixTime;
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P384_SHA384, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::refusal::NotAttested;

/// The ways in which makers sign certificates.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512,
];

/// The certificates of makers that the sysadmin trusts.
#[derive(Debug, Default)]
pub struct Makers(Vec<CertificateDer<'static>>);

/// The reason for which a maker's certificate is not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum MakersError {
    /// The file holds none.
    #[error("there is no certificate in it (PEM or DER)")]
    None,
    /// It cannot stand above others.
    #[error("a certificate in it cannot be read: {0}")]
    Damaged(String),
}

impl Makers {
    /// Adds the certificates of a file: PEM, any number, or one in DER.
    pub fn add(&mut self, file: &[u8]) -> Result<(), MakersError> {
        let in_pem: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(file).collect();
        let found = match in_pem {
            Ok(found) if !found.is_empty() => found,
            _ if file.first() == Some(&0x30) => vec![CertificateDer::from(file.to_vec())],
            _ => return Err(MakersError::None),
        };
        for certificate in &found {
            anchor_from_trusted_cert(certificate).map_err(|error| MakersError::Damaged(error.to_string()))?;
        }
        self.0.extend(found);
        Ok(())
    }

    /// True without any.
    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The certificate in `der`, when it is below one of these and valid at `now`.
    pub(super) fn certificate<'d>(&self, der: &'d [u8], now: UnixTime) -> Result<Certificate<'d>, NotAttested> {
        let maker = |error: webpki::Error| NotAttested::Maker(error.to_string());
        let anchors: Vec<TrustAnchor<'_>> =
            self.0.iter().filter_map(|trusted| anchor_from_trusted_cert(trusted).ok()).collect();
        let now = WebpkiTime::since_unix_epoch(Duration::from_secs(now.seconds()));
        let leaf_in_der = CertificateDer::from(der);
        let leaf = EndEntityCert::try_from(&leaf_in_der).map_err(maker)?;
        // Such certificates name no usage; one that does is for something else.
        let usage = KeyUsage::required_if_present(&[]);
        leaf.verify_for_usage(ALGORITHMS, &anchors, &[], now, usage, None, None).map_err(maker)?;
        Ok(Certificate(der))
    }
}

/// A certificate of a maker's.
pub(super) struct Certificate<'d>(&'d [u8]);

/// The message that a security key signs: the words of its authenticator data, or those of U2F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// All of the authenticator data (WebAuthn §8.2).
    Packed,
    /// The parts of it that U2F knows, which has no models (§8.6).
    U2f,
}

impl Form {
    /// The ways of signing.
    fn algorithms(self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        const PACKED: &[&dyn SignatureVerificationAlgorithm] = &[ECDSA_P256_SHA256, ED25519];
        const U2F: &[&dyn SignatureVerificationAlgorithm] = &[ECDSA_P256_SHA256];
        match self {
            Self::Packed => PACKED,
            Self::U2f => U2F,
        }
    }
}

impl Certificate<'_> {
    /// True when its key has signed the message of this form.
    pub(super) fn has_signed(&self, form: Form, message: &[u8], signature: &[u8]) -> bool {
        let der = CertificateDer::from(self.0);
        EndEntityCert::try_from(&der).is_ok_and(|leaf| {
            form.algorithms().iter().any(|way| leaf.verify_signature(*way, message, signature).is_ok())
        })
    }
}
