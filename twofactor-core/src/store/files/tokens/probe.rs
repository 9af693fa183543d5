//! Which way of reading a secret, and which parameters, fit what a token shows. For seed files that do not say.

use std::fmt;

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE, HEXUPPER};
use zeroize::Zeroizing;

use crate::codes::otp::{self, Algorithm, Code, Digits, Kind, Parameters, Period, Progress, Reach};
use crate::codes::secret::Secret;
use crate::codes::token::Token;
use crate::host::clock::UnixTime;

/// How the text of a secret should have been read.
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

/// Parameters that give the codes a token shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// How its secret is to be read.
    pub encoding: Encoding,
    /// How its codes are made.
    pub parameters: Parameters,
    /// How far its clock is off, in steps; for HOTP the counter of the first code.
    pub steps: i64,
}

impl Fit {
    /// Where the token stands that has shown the two codes, both of which are burned.
    pub(super) fn progress(&self, now: UnixTime) -> Progress {
        let kind = self.parameters.kind;
        otp::step_at(self.steps + 1, kind, now)
            .map_or(Progress::default(), |second| Progress::default().anchored(second, kind, now))
    }
}

impl Encoding {
    const ALL: [Self; 5] = [Self::AsImported, Self::Hex, Self::Base32, Self::Base32Text, Self::HexText];

    /// The secret, had its text been read this way. `None` when the text cannot be read so.
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

/// The periods that vendors make.
const PERIODS: [u16; 8] = [30, 60, 10, 15, 20, 45, 90, 120];

/// All that fits, what is nearest to the token's own parameters first.
pub(super) fn fits(token: &Token, codes: [&Code; 2], now: UnixTime) -> Vec<Fit> {
    let mut fits = Vec::new();
    let Some(digits) = u8::try_from(codes[0].expose().len()).ok().and_then(|digits| Digits::new(digits).ok()) else {
        return fits;
    };
    let kinds: Vec<Kind> =
        PERIODS.iter().filter_map(|period| Period::new(*period).ok()).map(Kind::Totp).chain([Kind::Hotp]).collect();
    for encoding in Encoding::ALL {
        let Some(secret) = encoding.read_again(&token.secret) else { continue };
        for (algorithm, _) in Algorithm::ALL {
            for kind in &kinds {
                let parameters = Parameters { algorithm, digits, kind: *kind };
                let found = otp::resynchronize(&secret, parameters, codes, Progress::default(), Reach::Day, now);
                if let Some(second) = found {
                    fits.push(Fit { encoding, parameters, steps: otp::steps_to(second, *kind, now) - 1 });
                }
            }
        }
    }
    fits
}
