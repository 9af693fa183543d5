//! The attestation of a security key of ssh: its maker's word that the key was made in hardware, and never leaves it.
//!
//! `ssh-keygen -O challenge=FILE -O write-attestation=FILE` writes it down when it makes the key (openssh, PROTOCOL.u2f). A key
//! made in software can have all but the signature of a maker. What is checked: the signature is over the challenge and over this very key,
//! by a certificate below one of the makers' that the sysadmin trusts. The challenge is the sysadmin's, or an old attestation
//! would do for a key of today.

mod authenticator_data;
mod certificate;
mod file;
mod refusal;
#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::host::clock::UnixTime;

pub use certificate::{Makers, MakersError};
pub use refusal::{LARGEST, NotAttested, SHORTEST_CHALLENGE};

use authenticator_data::Made;
use file::Attestation;

/// Makes sure that `key` was made, for `challenge`, in a security key of one of `makers`.
pub fn check(
    attestation: &[u8],
    challenge: &[u8],
    key: &SshKey,
    makers: &Makers,
    now: UnixTime,
) -> Result<(), NotAttested> {
    if challenge.len() < SHORTEST_CHALLENGE {
        return Err(NotAttested::ShortChallenge);
    }
    let attestation = Attestation::read(attestation)?;
    let made = Made::read(attestation.authenticator_data).ok_or(NotAttested::Form)?;
    if !made.is(key) {
        return Err(NotAttested::AnotherKey);
    }
    if !made.was_touched() {
        return Err(NotAttested::NotTouched);
    }
    let certificate = makers.certificate(attestation.certificate, now)?;
    if !certificate.is_for(made.model) {
        return Err(NotAttested::AnotherModel);
    }
    let challenge = Sha256::digest(challenge);
    let of_fido2 = [attestation.authenticator_data, &challenge].concat();
    let is_signed = certificate.has_signed(&of_fido2, attestation.signature)
        || made.as_of_u2f(&challenge).is_some_and(|of_u2f| certificate.has_signed(&of_u2f, attestation.signature));
    if is_signed { Ok(()) } else { Err(NotAttested::Signature) }
}
