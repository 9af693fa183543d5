//! The attestation of a security key of ssh: its maker's word that the key was made in hardware, and never leaves it.
//!
//! `ssh-keygen -O challenge=FILE -O write-attestation=FILE` writes it down when it makes the key (openssh, PROTOCOL.u2f). A key
//! made in software can have all but the signature of a maker. What is checked: the signature is over the challenge and over this very key,
//! by a certificate below one of the makers' that the sysadmin trusts, and one that WebAuthn lets security keys sign with. The
//! challenge is the sysadmin's, or an old attestation would do for a key of today.

mod authenticator_data;
mod certificate;
mod file;
mod refusal;
mod statements;
#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};
use twofactor_core::codes::ssh_key::SshKey;
use twofactor_core::host::clock::UnixTime;

pub use certificate::{Makers, MakersError};
pub use refusal::{LARGEST, NotAttested, SHORTEST_CHALLENGE};

use authenticator_data::Made;
use certificate::Form;
use file::Attestation;
use statements::Statements;

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
    let statements = Statements::read(attestation.certificate).ok_or(NotAttested::Certificate)?;
    if statements.are_of_authority() {
        return Err(NotAttested::PerhapsAuthority);
    }
    let certificate = makers.certificate(attestation.certificate, now)?;
    let challenge = Sha256::digest(challenge);
    let has_signed = |form, message: &[u8]| certificate.has_signed(form, message, attestation.signature);
    if has_signed(Form::Packed, &[attestation.authenticator_data, &challenge].concat()) {
        return statements.are_of_security_key(made.model);
    }
    match made.as_of_u2f(&challenge) {
        // The certificates of U2F name no unit and no model, and their message has none.
        Some(of_u2f) if has_signed(Form::U2f, &of_u2f) => Ok(()),
        _ => Err(NotAttested::Signature),
    }
}
