//! The search for the step that shows a code, inside a window.

use super::code::Code;
use super::code::generator;
use super::parameters::{Kind, Parameters};
use super::progress::{Progress, Window};
use super::step::{Step, current_step};
use crate::codes::secret::Secret;
use crate::host::clock::UnixTime;

/// The result of the search for a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Right, and newer than anything accepted before.
    Fresh(Step),
    /// It was right once, but its step is at or below the watermark.
    Replayed(Step),
    /// No step within the window has this code.
    None,
}

/// Finds the newest step within `window` whose code is `code`.
///
/// For TOTP the window lies around the learned drift *and* around zero, so a corrected clock is not locked out. The
/// newest match wins: should two steps of one window share a code, accepting the older one would leave the same
/// digits acceptable a second time. Every step is tried whatever the outcome, so time tells nothing about it.
pub fn find(
    secret: &Secret,
    parameters: Parameters,
    code: &Code,
    progress: Progress,
    window: Window,
    now: UnixTime,
) -> Match {
    let generator = generator(secret, parameters);
    let newest = candidates(parameters.kind, progress, window, now)
        .filter(|step| generator.check(code.expose(), step.0).is_some())
        .last();
    match newest {
        None => Match::None,
        Some(step) if progress.watermark.is_some_and(|watermark| step <= watermark) => Match::Replayed(step),
        Some(step) => Match::Fresh(step),
    }
}

/// The moment from which a new code is in reach again, when steps beyond the window are burned: a code was accepted while
/// the clock was ahead, and the clock has been set back. `None` when that is not so.
pub fn burned_until(kind: Kind, progress: Progress, window: Window, now: UnixTime) -> Option<UnixTime> {
    let Kind::Totp(period) = kind else { return None };
    let watermark = progress.watermark?;
    let newest = candidates(kind, progress, window, now).last()?;
    let first_free = watermark.0.saturating_add(1).saturating_sub(window.steps(period));
    (watermark > newest).then(|| UnixTime::from_seconds(first_free.saturating_mul(u64::from(period.seconds()))))
}

/// True when a code of `step` would be accepted at `now`, were it not used.
pub(crate) fn is_within(step: Step, kind: Kind, progress: Progress, window: Window, now: UnixTime) -> bool {
    kind == Kind::Hotp || candidates(kind, progress, window, now).any(|candidate| candidate == step)
}

/// The steps to try, oldest first. Those at or below the watermark are included, to tell a replay from a guess.
pub(super) fn candidates(kind: Kind, progress: Progress, window: Window, now: UnixTime) -> impl Iterator<Item = Step> {
    let (first, last, centres, reach) = match kind {
        Kind::Totp(period) => {
            let plain = current_step(period, now).0;
            let drifted = plain.saturating_add_signed(i64::from(progress.drift));
            let reach = window.steps(period);
            let first = plain.min(drifted).saturating_sub(reach);
            let last = plain.max(drifted).saturating_add(reach);
            (first, last, [plain, drifted], reach)
        }
        Kind::Hotp => {
            let next = progress.watermark.map_or(0, |watermark| watermark.0.saturating_add(1));
            let reach = u64::from(window.look_ahead);
            let first = next.saturating_sub(reach + 1);
            (first, next.saturating_add(reach), [next, next], reach + 1)
        }
    };
    (first..=last).filter(move |step| centres.iter().any(|centre| centre.abs_diff(*step) <= reach)).map(Step)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::code::code_of;
    use super::super::parameters::{Algorithm, Digits, Period};
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    fn secret(bytes: &[u8]) -> Secret {
        Secret::from_bytes(Zeroizing::new(bytes.to_vec())).unwrap()
    }

    fn code(text: &str) -> Code {
        Code::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn parameters(algorithm: Algorithm, digits: u8, kind: Kind) -> Parameters {
        Parameters { algorithm, digits: Digits::new(digits).unwrap(), kind }
    }

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    #[test]
    fn rfc_4226_appendix_d() {
        let secret = secret(b"12345678901234567890");
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, expected) in (0..).zip(expected) {
            let made = code_of(&secret, parameters(Algorithm::Sha1, 6, Kind::Hotp), Step(counter));
            assert_eq!(made, expected, "counter {counter}");
        }
    }

    #[test]
    fn rfc_6238_appendix_b() {
        let keys = [
            (Algorithm::Sha1, secret(b"12345678901234567890")),
            (Algorithm::Sha256, secret(b"12345678901234567890123456789012")),
            (Algorithm::Sha512, secret(b"1234567890123456789012345678901234567890123456789012345678901234")),
        ];
        let table = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (time, expected) in table {
            let step = current_step(Period::THIRTY, UnixTime::from_seconds(time));
            for ((algorithm, key), expected) in keys.iter().zip(expected) {
                let parameters = parameters(*algorithm, 8, Kind::Totp(Period::THIRTY));
                assert_eq!(code_of(key, parameters, step), expected, "{algorithm} at {time}");
            }
        }
    }

    #[test]
    fn a_code_of_two_steps_away_matches_and_of_three_does_not() {
        let secret = secret(b"12345678901234567890");
        let parameters = Parameters::default();
        let here = current_step(Period::THIRTY, NOW).0;
        for offset in -4_i64..=4 {
            let step = Step(here.checked_add_signed(offset).unwrap());
            let typed = code(&code_of(&secret, parameters, step));
            let found = find(&secret, parameters, &typed, Progress::default(), Window::default(), NOW);
            let expected = if offset.abs() <= 2 { Match::Fresh(step) } else { Match::None };
            assert_eq!(found, expected, "offset {offset}");
        }
    }

    #[test]
    fn the_window_lies_around_the_learned_drift_and_around_zero() {
        let secret = secret(b"12345678901234567890");
        let parameters = Parameters::default();
        let here = current_step(Period::THIRTY, NOW).0;
        let progress = Progress { watermark: None, drift: 8, anchor: 0 };
        let matched: Vec<i64> = (-13..=13)
            .filter(|offset| {
                let typed = code(&code_of(&secret, parameters, Step(here.checked_add_signed(*offset).unwrap())));
                find(&secret, parameters, &typed, progress, Window::default(), NOW) != Match::None
            })
            .collect();
        assert_eq!(matched, [-2, -1, 0, 1, 2, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_newer_accepted_code_burns_the_older_ones() {
        let secret = secret(b"12345678901234567890");
        let parameters = Parameters::default();
        let here = current_step(Period::THIRTY, NOW).0;
        let progress = Progress { watermark: Some(Step(here)), ..Progress::default() };
        let older = code(&code_of(&secret, parameters, Step(here - 1)));
        assert_eq!(
            find(&secret, parameters, &older, progress, Window::default(), NOW),
            Match::Replayed(Step(here - 1))
        );
    }

    #[test]
    fn hotp_looks_ahead_of_the_counter_and_knows_its_past() {
        let secret = secret(b"12345678901234567890");
        let parameters = parameters(Algorithm::Sha1, 6, Kind::Hotp);
        let progress = Progress { watermark: Some(Step(20)), ..Progress::default() };
        for counter in 0..40 {
            let typed = code(&code_of(&secret, parameters, Step(counter)));
            let expected = match counter {
                10..=20 => Match::Replayed(Step(counter)),
                21..=31 => Match::Fresh(Step(counter)),
                _ => Match::None,
            };
            assert_eq!(find(&secret, parameters, &typed, progress, Window::default(), NOW), expected, "{counter}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_burns_codes_until_a_time_that_is_told() {
        let kind = Kind::Totp(Period::THIRTY);
        let here = current_step(Period::THIRTY, NOW);
        let ahead = |steps: u64| Progress { watermark: Some(Step(here.0 + steps)), ..Progress::default() };
        assert_eq!(burned_until(kind, ahead(1), Window::default(), NOW), None);
        let until = burned_until(kind, ahead(2880), Window::default(), NOW).unwrap();
        assert_eq!(until, NOW.after(Duration::from_secs(30 * (2880 + 1 - 2))));
        assert_eq!(burned_until(Kind::Hotp, ahead(9), Window::default(), NOW), None);
    }

    #[test]
    fn drift_is_learned_one_step_at_a_time_and_never_past_the_cap() {
        let kind = Kind::Totp(Period::THIRTY);
        let mut progress = Progress::default();
        let mut now = NOW;
        for login in 1..=200_i64 {
            now = now.after(Duration::from_mins(5));
            let oldest =
                Step(current_step(Period::THIRTY, now).0.checked_add_signed(i64::from(progress.drift)).unwrap() - 2);
            progress = progress.advanced(oldest, kind, now);
            assert_eq!(i64::from(progress.drift), -login.min(10));
        }
    }

    #[test]
    fn parameters_outside_the_range_are_refused() {
        assert!(Digits::new(5).is_err() && Digits::new(9).is_err());
        assert!(Period::new(9).is_err() && Period::new(301).is_err());
        assert!("MD5".parse::<Algorithm>().is_err());
        assert_eq!("sha256".parse::<Algorithm>(), Ok(Algorithm::Sha256));
    }

    #[test]
    fn a_long_period_rounds_the_window_down_to_whole_steps() {
        let window = Window { look_ahead: 0, ..Window::default() };
        assert_eq!(window.steps(Period::new(60).unwrap()), 1);
        assert_eq!(window.steps(Period::new(61).unwrap()), 0);
        assert_eq!(Window { drift: Duration::from_hours(1), ..Window::default() }.steps(Period::THIRTY), 10);
    }

    proptest! {
        #[test]
        fn no_code_is_ever_accepted_twice(
            key in proptest::collection::vec(any::<u8>(), 10..64),
            logins in proptest::collection::vec((0_u64..90, -3_i64..=3), 1..60),
        ) {
            let secret = secret(&key);
            let parameters = Parameters::default();
            let mut progress = Progress::default();
            let mut now = NOW;
            let mut accepted: Vec<Step> = Vec::new();
            for (wait, offset) in logins {
                now = now.after(Duration::from_secs(wait));
                let step = Step(current_step(Period::THIRTY, now).0.checked_add_signed(offset).unwrap());
                let typed = code(&code_of(&secret, parameters, step));
                for _ in 0..2 {
                    if let Match::Fresh(step) = find(&secret, parameters, &typed, progress, Window::default(), now) {
                        prop_assert!(accepted.iter().all(|earlier| *earlier < step));
                        accepted.push(step);
                        progress = progress.advanced(step, parameters.kind, now);
                    }
                }
            }
        }
    }
}
