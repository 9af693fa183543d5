//! The code with which a host joins a fleet: typed by a sysadmin on the host, as the central machine has shown it.
//!
//! Invariants: 80 random bits that the server keeps as a keyed digest alone, and 128 bits of the digest of its authority's
//! certificate, by which the host knows the server before it sends anything. Twelve bits tell a typing error from a wrong code, so no
//! error is sent to a server. It is good once.

use std::fmt;

use data_encoding::{Encoding, Specification};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use crate::certificate;

/// The numbers of codes, which are no secret, are below this.
pub const NUMBERS: u32 = 1 << 20;

/// The bits for a typing error.
const CHECK: u32 = 12;

const SECRET: usize = 10;
const FINGERPRINT: usize = 16;

/// The letters of a group.
const GROUP: usize = 4;

/// No code of ours, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Mistyped {
    /// Letters are missing, or there are too many.
    #[error("a join code has 48 letters and digits, in 12 groups of 4; this one has {0}")]
    Length(usize),
    /// Another letter than those that are used.
    #[error("\"{0}\" is in no join code")]
    Letter(char),
    /// All of them are possible, and together they are no code.
    #[error("the join code has a typing error")]
    Check,
}

/// The beginning of the digest of an authority's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; FINGERPRINT]);

impl Fingerprint {
    /// The fingerprint of an authority.
    pub fn of(authority: &CertificateDer<'_>) -> Self {
        let mut bytes = [0; FINGERPRINT];
        bytes.iter_mut().zip(certificate::digest(authority)).for_each(|(byte, digit)| *byte = digit);
        Self(bytes)
    }
}

/// A join code.
pub struct JoinCode {
    /// Its number, below [`NUMBERS`]: the server finds the code by it.
    pub number: u32,
    /// The random bits.
    pub secret: Zeroizing<[u8; SECRET]>,
    /// The authority of the fleet.
    pub authority: Fingerprint,
}

impl JoinCode {
    /// A new code for the fleet of this authority. `None` where the kernel gives no random bytes.
    pub fn new(authority: Fingerprint) -> Option<Self> {
        let (mut number, mut secret) = ([0; 4], Zeroizing::new([0; SECRET]));
        getrandom::fill(&mut number).and_then(|()| getrandom::fill(secret.as_mut_slice())).ok()?;
        Some(Self { number: u32::from_be_bytes(number) % NUMBERS, secret, authority })
    }

    /// Reads what was typed. Hyphens and spaces do not count, small letters are large ones, and letters that look like a digit are it.
    pub fn read(typed: &str) -> Result<Self, Mistyped> {
        let letters = typed.chars().filter(|letter| !is_gap(*letter));
        let wrong = letters.clone().find(|letter| !letter.is_ascii_alphanumeric() || matches!(letter, 'u' | 'U'));
        if let Some(wrong) = wrong {
            return Err(Mistyped::Letter(wrong));
        }
        let count = letters.clone().count();
        let length = 4 + SECRET + FINGERPRINT;
        if count != length * 8 / 5 {
            return Err(Mistyped::Length(count));
        }
        let letters: Zeroizing<String> = Zeroizing::new(letters.collect());
        let encoding = crockford().ok_or(Mistyped::Check)?;
        let bytes = Zeroizing::new(encoding.decode(letters.as_bytes()).map_err(|_| Mistyped::Check)?);
        let (head, rest) = bytes.split_first_chunk().ok_or(Mistyped::Check)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(Mistyped::Check)?;
        let authority = Fingerprint(rest.try_into().map_err(|_| Mistyped::Check)?);
        let head = u32::from_be_bytes(*head);
        let code = Self { number: head >> CHECK, secret: Zeroizing::new(*secret), authority };
        if code.check() == head & ((1 << CHECK) - 1) { Ok(code) } else { Err(Mistyped::Check) }
    }

    /// The code as it is shown and read aloud.
    pub fn shown(&self) -> Zeroizing<String> {
        let head = self.number << CHECK | self.check();
        let bytes = Zeroizing::new([&head.to_be_bytes()[..], self.secret.as_slice(), &self.authority.0].concat());
        let mut letters = Zeroizing::new(crockford().map(|encoding| encoding.encode(&bytes)).unwrap_or_default());
        let mut shown = Zeroizing::new(String::with_capacity(letters.len() * 2));
        for (place, letter) in letters.chars().enumerate() {
            if place > 0 && place % GROUP == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        letters.zeroize();
        shown
    }

    fn check(&self) -> u32 {
        let mut digest = Sha256::new();
        digest.update(b"twofactor join code");
        digest.update(self.number.to_be_bytes());
        digest.update(self.secret.as_slice());
        digest.update(self.authority.0);
        let digest = digest.finalize();
        digest.iter().take(4).fold(0, |bits, byte| bits << 8 | u32::from(*byte)) >> (32 - CHECK)
    }
}

/// Without the random bits.
impl fmt::Debug for JoinCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinCode").field("number", &self.number).finish_non_exhaustive()
    }
}

fn is_gap(letter: char) -> bool {
    letter == '-' || letter.is_whitespace()
}

/// Crockford's base 32: no I, L, O and U.
fn crockford() -> Option<Encoding> {
    let mut form = Specification::new();
    form.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    form.translate.from.push_str("abcdefghjkmnpqrstvwxyzOoIiLl");
    form.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ001111");
    form.encoding().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> JoinCode {
        JoinCode::new(Fingerprint::of(&CertificateDer::from(vec![7; 300]))).unwrap()
    }

    #[test]
    fn a_code_is_read_as_it_is_typed() {
        for _ in 0..50 {
            let code = code();
            let shown = code.shown();
            assert!(shown.len() == 59 && shown.split('-').all(|group| group.len() == 4), "{}", *shown);
            let sloppy = shown.to_lowercase().replace('-', " ").replace('1', "l").replace('0', "o");
            for typed in [shown.as_str(), &sloppy, &shown.replace('-', ""), &format!(" {}\n", *shown)] {
                let read = JoinCode::read(typed).unwrap();
                assert_eq!((read.number, &read.secret, read.authority), (code.number, &code.secret, code.authority));
            }
            assert!(!format!("{code:?}").contains(&shown[..4]));
        }
    }

    #[test]
    fn a_typing_error_is_found() {
        let shown = code().shown();
        assert_eq!(JoinCode::read(&shown[..57]).err(), Some(Mistyped::Length(46)));
        assert_eq!(JoinCode::read("").err(), Some(Mistyped::Length(0)));
        assert_eq!(JoinCode::read(&shown.replacen('-', "U", 1)).err(), Some(Mistyped::Letter('U')));
        assert_eq!(JoinCode::read(&shown.replacen('-', "é", 1)).err(), Some(Mistyped::Letter('é')));
        let (mut errors, mut found) = (0, 0);
        for (place, old) in shown.char_indices().filter(|(_, letter)| *letter != '-') {
            for new in "05AZ".chars().filter(|new| *new != old) {
                let typed = format!("{}{new}{}", &shown[..place], &shown[place + 1..]);
                errors += 1;
                found += usize::from(JoinCode::read(&typed).is_err());
            }
        }
        // One in 4,096 is not.
        assert!(found + 5 > errors, "{found} of {errors}");
    }
}
