//! Codes that are certainly wrong, for tests.
//!
//! Digits typed at random meet a step outside the window once in 175 times, are then asked for the next code, and the test
//! fails at a prompt that it has not scripted. Here no step in reach shows them: neither in the window, nor where two
//! consecutive codes are searched, nor an hour beyond that; of no token of the user.

use std::collections::HashSet;
use std::time::Duration;

use super::code::code_of;
use super::parameters::{Kind, Parameters};
use super::resynchronization::{RESYNC_COUNTERS, RESYNC_TIME};
use super::step::{Step, current_step};
use crate::codes::secret::Secret;
use crate::host::clock::UnixTime;

/// The margin beyond the search for two consecutive codes: tests move the clock by minutes.
const MARGIN: Duration = Duration::from_hours(1);
/// The counters that no test presses a button up to.
const COUNTERS: u64 = 2000 + RESYNC_COUNTERS;

/// The first that is tried: digits that no log or file of a test holds for another reason.
const FIRST: u32 = 718_281;

/// Codes that none of these tokens shows about `now`, one after the other, as long as those of the first.
pub(crate) fn wrong_codes(tokens: &[(&Secret, Parameters)], now: UnixTime) -> impl Iterator<Item = String> + use<> {
    let shown: HashSet<String> = tokens
        .iter()
        .flat_map(|(secret, parameters)| {
            let (first, last) = match parameters.kind {
                Kind::Totp(period) => {
                    let reach = (RESYNC_TIME + MARGIN).as_secs() / u64::from(period.seconds());
                    let here = current_step(period, now).0;
                    (here.saturating_sub(reach), here + reach)
                }
                Kind::Hotp => (0, COUNTERS),
            };
            (first..=last).map(|step| code_of(secret, *parameters, Step(step)))
        })
        .collect();
    let digits = tokens.first().map_or(Parameters::default().digits, |(_, parameters)| parameters.digits);
    let width = usize::from(digits.count());
    (FIRST..).map(move |number| format!("{number:0width$}")).filter(move |code| !shown.contains(code))
}

/// A code for users who have no token at all: there is none that could show it.
pub(crate) const ANY_CODE: &str = "123456";

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::codes::otp::{Algorithm, Code, Digits, Match, Period, Progress, Reach, Window, find, near_miss};

    #[test]
    fn a_wrong_code_is_right_nowhere_in_reach() {
        let now = UnixTime::from_seconds(1_800_000_000);
        let secrets: Vec<Secret> =
            (0..8_u8).map(|byte| Secret::from_bytes(Zeroizing::new(vec![byte; 20])).unwrap()).collect();
        let minute = Parameters {
            algorithm: Algorithm::Sha256,
            digits: Digits::new(6).unwrap(),
            kind: Kind::Totp(Period::new(60).unwrap()),
        };
        let button = Parameters { kind: Kind::Hotp, ..Parameters::default() };
        let parameters = [Parameters::default(), minute, button];
        let tokens: Vec<(&Secret, Parameters)> = secrets.iter().zip(parameters.into_iter().cycle()).collect();
        let (window, progress) = (Window::default().for_first_use(), Progress::default());
        let is_right = |digits: &str| {
            let code = Code::new(Zeroizing::new(digits.to_owned())).unwrap();
            tokens.iter().any(|(secret, parameters)| {
                find(secret, *parameters, &code, progress, window, now) != Match::None
                    || near_miss(secret, *parameters, &code, progress, Reach::Day, now).is_some()
            })
        };
        assert!(wrong_codes(&tokens, now).take(100).all(|code| !is_right(&code)));
        assert!(
            (0..100).any(|number| is_right(&format!("{number:06}"))),
            "among as many at random there are right ones"
        );
    }
}
