//! The statements of a certificate about the security keys that sign with it (WebAuthn §8.2.1; RFC 5280 §4).

use twofactor_net::der::Elements;

use super::refusal::NotAttested;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 6;
const BOOLEAN: u8 = 1;
const OCTETS: u8 = 4;

/// 2.5.4.11: a unit of an organization.
const UNIT: [u8; 3] = [0x55, 4, 11];
/// 2.5.29.19: basicConstraints, which tell authorities from others.
const CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
/// 1.3.6.1.4.1.45724.1.1.4: the model.
const MODEL: [u8; 11] = [43, 6, 1, 4, 1, 130, 229, 28, 1, 1, 4];

/// The unit that makers have to name.
const OF_SECURITY_KEYS: &[u8] = b"Authenticator Attestation";

/// The statements, as far as they matter here.
#[derive(Debug, Default)]
pub(super) struct Statements<'d> {
    units: Vec<&'d [u8]>,
    /// The values of its extensions.
    constraints: Vec<&'d [u8]>,
    models: Vec<&'d [u8]>,
}

impl<'d> Statements<'d> {
    /// Reads a certificate of version 3: another one has no extensions.
    pub(super) fn read(der: &'d [u8]) -> Option<Self> {
        let mut signed = Elements::of(der).inside(SEQUENCE)?.inside(SEQUENCE)?;
        let version = signed.if_next(0xa0)?;
        if version != [2, 1, 2] {
            return None;
        }
        let mut statements = Self::default();
        // Serial number, algorithm, issuer, and from when and until when it is valid.
        for _ in 0..4 {
            signed.next()?;
        }
        let mut names = signed.inside(SEQUENCE)?;
        while !names.are_over() {
            let mut set = names.inside(SET)?;
            while !set.are_over() {
                let mut attribute = set.inside(SEQUENCE)?;
                let (kind, value) = (attribute.if_next(OID)?, attribute.next()?);
                if kind == UNIT {
                    statements.units.push(value.content);
                }
            }
        }
        let _key = signed.next()?;
        for element in signed.by_ref() {
            if element.tag != 0xa3 {
                continue;
            }
            let mut extensions = Elements::of(element.content).inside(SEQUENCE)?;
            while !extensions.are_over() {
                let mut extension = extensions.inside(SEQUENCE)?;
                let kind = extension.if_next(OID)?;
                let _critical = extension.if_next(BOOLEAN);
                let value = extension.if_next(OCTETS)?;
                match kind {
                    _ if kind == CONSTRAINTS => statements.constraints.push(value),
                    _ if kind == MODEL => statements.models.push(value),
                    _ => {}
                }
            }
        }
        signed.are_over().then_some(statements)
    }

    /// True when the certificate says that it is an authority's.
    pub(super) fn are_of_authority(&self) -> bool {
        let is_true = |value: &&[u8]| {
            let inside = Elements::of(value).inside(SEQUENCE);
            inside.is_some_and(|mut inside| inside.if_next(BOOLEAN) == Some(&[0xff]))
        };
        self.constraints.iter().any(is_true)
    }

    /// Makes sure that the certificate is one of security keys, and of this model where it names one.
    pub(super) fn are_of_security_key(&self, model: &[u8; 16]) -> Result<(), NotAttested> {
        if self.units.is_empty() || self.units.iter().any(|unit| *unit != OF_SECURITY_KEYS) {
            return Err(NotAttested::NotOfSecurityKeys);
        }
        // The default of the element inside is false, and DER leaves a default out.
        if self.constraints != [[SEQUENCE, 0]] {
            return Err(NotAttested::PerhapsAuthority);
        }
        let is_it = |value: &&[u8]| value.strip_prefix(&[OCTETS, 16]) == Some(model);
        if self.models.iter().all(is_it) { Ok(()) } else { Err(NotAttested::AnotherModel) }
    }
}
