//! The types of token administration.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE, HEXUPPER};
use zeroize::Zeroizing;

use crate::account::lifecycle::Stage;
use crate::codes::otp::{self, Kind, Parameters, Progress};
use crate::codes::secret::Secret;
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::{Uid, UserName};
use crate::store::error::StoreError;

/// The view of a token without its secret, with its use by the owner.
#[derive(Debug)]
pub struct TokenView {
    /// Its serial.
    pub serial: Serial,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// Its owner.
    pub owner: Option<UserName>,
    /// The time of its assignment.
    pub assigned_at: Option<UnixTime>,
    /// The time of its import.
    pub issued: UnixTime,
    /// The series it came with; `None` once that was forgotten.
    pub series: Option<String>,
    /// Its vendor.
    pub vendor: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its stage of life.
    pub stage: Stage,
    /// Its learned drift in steps.
    pub drift: i32,
    /// The time of its last accepted code, from its present owner's state.
    pub last_accepted: Option<UnixTime>,
    /// The number of its codes outside the window since then.
    pub near_misses: u32,
    /// The uid recorded in the owner's account.
    pub owner_uid: Option<Uid>,
    /// The error that hides its owner's state. No login with it is possible before that is repaired.
    pub problem: Option<StoreError>,
}

/// The conditions that a listed token meets, all of them.
#[derive(Debug, Default, Clone)]
pub struct TokenFilter {
    /// Of this series.
    pub series: Option<String>,
    /// At this stage.
    pub stage: Option<Stage>,
    /// Owned by this user.
    pub owner: Option<UserName>,
    /// With a serial that matches this pattern (`*`, `?`, `[…]`).
    pub serial: Option<String>,
}

/// A token that shows the two codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// Its serial.
    pub serial: Serial,
    /// Its owner.
    pub owner: Option<UserName>,
    /// The offset of its clock in steps; for HOTP the distance from the expected counter.
    pub steps: i64,
}

/// The encoding in which a secret's text should have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it was.
    AsImported,
    /// As hexadecimal: it was taken for base32.
    Hex,
    /// As base32: it was taken for hexadecimal.
    Base32,
    /// As the characters of the base32 text themselves.
    Base32Text,
    /// As the characters of the hexadecimal text themselves.
    HexText,
}

impl Encoding {
    pub(in crate::store) const ALL: [Self; 5] =
        [Self::AsImported, Self::Hex, Self::Base32, Self::Base32Text, Self::HexText];

    /// The secret, had its text been read in this encoding; `None` when the text cannot be.
    pub fn read_again(self, secret: &Secret) -> Option<Secret> {
        let base32 = Zeroizing::new(BASE32_NOPAD.encode(secret.expose()));
        let hex = Zeroizing::new(HEXUPPER.encode(secret.expose()));
        let bytes = match self {
            Self::AsImported => secret.expose().to_vec(),
            Self::Hex => HEXLOWER_PERMISSIVE.decode(base32.as_bytes()).ok()?,
            Self::Base32 => BASE32_NOPAD.decode(hex.as_bytes()).ok()?,
            Self::Base32Text => base32.as_bytes().to_vec(),
            Self::HexText => hex.as_bytes().to_vec(),
        };
        Secret::from_bytes(Zeroizing::new(bytes)).ok()
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::AsImported => "as imported",
            Self::Hex => "hex",
            Self::Base32 => "base32",
            Self::Base32Text => "the base32 text itself",
            Self::HexText => "the hex text itself",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.in_words())
    }
}

/// Parameters that give the codes a token shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The encoding of its secret.
    pub encoding: Encoding,
    /// The parameters of its codes.
    pub parameters: Parameters,
    /// The offset of its clock in steps; for HOTP the counter of the first code.
    pub steps: i64,
}

impl Fit {
    /// The progress of a token that has shown the two codes, with both burned.
    pub(in crate::store) fn progress(&self, now: UnixTime) -> Progress {
        let kind = self.parameters.kind;
        otp::step_at(self.steps + 1, kind, now)
            .map_or(Progress::default(), |second| Progress::default().anchored(second, kind, now))
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parameters { algorithm, digits, kind } = self.parameters;
        write!(
            formatter,
            "encoding={} type={} algorithm={algorithm} digits={}",
            self.encoding,
            kind.name(),
            digits.count()
        )?;
        match kind {
            Kind::Totp(period) => write!(formatter, " period={}", period.seconds()),
            Kind::Hotp => Ok(()),
        }
    }
}
