//! The encodings and parameters that fit two codes of a token, for seed files that leave them out.

use crate::codes::otp::{self, Algorithm, Code, Digits, Kind, Parameters, Period, Progress, Reach};
use crate::codes::token::Token;
use crate::host::clock::UnixTime;
use crate::store::administration::{Encoding, Fit};

/// The periods that vendors make.
const PERIODS: [u16; 8] = [30, 60, 10, 15, 20, 45, 90, 120];

/// All fits, the nearest to the token's own parameters first.
pub fn fits(token: &Token, codes: [&Code; 2], now: UnixTime) -> Vec<Fit> {
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
