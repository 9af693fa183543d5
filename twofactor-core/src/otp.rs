//! One-time codes: HOTP (RFC 4226) and TOTP (RFC 6238), matched by step.
//!
//! A match is a [`Step`], never a yes: the caller must record the step, or the code could be used twice
//! (RFC 6238 §5.2). Steps at or below the watermark are reported as [`Match::Replayed`] and never as fresh.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock::UnixTime;
use crate::secret::Secret;

/// The hash below HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-1: what RFC 4226 defines and most apps and fobs use.
    Sha1,
    /// HMAC-SHA-256 (RFC 6238 §1.2).
    Sha256,
    /// HMAC-SHA-512 (RFC 6238 §1.2).
    Sha512,
}

impl Algorithm {
    /// All of them, with the names users see.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Sha1, "SHA1"), (Self::Sha256, "SHA256"), (Self::Sha512, "SHA512")];

    /// The name users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }

    /// The recommended length of a new secret in bytes: that of the hash's output (RFC 4226 §4 R6, RFC 6238 §5.1).
    pub fn secret_length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A parameter is outside what we accept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// Not one of [`Algorithm::ALL`].
    #[error("the algorithm is one of SHA1, SHA256, SHA512")]
    Algorithm,
    /// Not 6, 7 or 8.
    #[error("a code has 6, 7 or 8 digits")]
    Digits,
    /// Not within 10..=300 seconds.
    #[error("the period is 10 to 300 seconds")]
    Period,
}

impl FromStr for Algorithm {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        Self::ALL
            .into_iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(algorithm, _)| algorithm)
            .ok_or(ParameterError::Algorithm)
    }
}

/// The length of a code: 6, 7 or 8 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digits(u8);

impl Digits {
    /// What we accept.
    pub const RANGE: RangeInclusive<u8> = 6..=8;
    /// What nearly every app and fob shows.
    pub const SIX: Self = Self(6);

    /// Checks the range.
    pub fn new(digits: u8) -> Result<Self, ParameterError> {
        if Self::RANGE.contains(&digits) { Ok(Self(digits)) } else { Err(ParameterError::Digits) }
    }

    /// The number of digits.
    pub fn count(self) -> u8 {
        self.0
    }
}

/// The length of a time step in seconds, 10..=300 (RFC 6238 §4.1, the parameter X).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period(u16);

impl Period {
    /// What we accept, in seconds.
    pub const RANGE: RangeInclusive<u16> = 10..=300;
    /// RFC 6238's default.
    pub const THIRTY: Self = Self(30);

    /// Checks the range.
    pub fn new(seconds: u16) -> Result<Self, ParameterError> {
        if Self::RANGE.contains(&seconds) { Ok(Self(seconds)) } else { Err(ParameterError::Period) }
    }

    /// The period in seconds.
    pub fn seconds(self) -> u16 {
        self.0
    }
}

/// What moves a token from one code to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time, in steps of this period (RFC 6238).
    Totp(Period),
    /// A counter that advances with every code (RFC 4226).
    Hotp,
}

impl Kind {
    /// `totp` or `hotp`, as files, URIs and JSON say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Hotp => "hotp",
        }
    }
}

/// Everything but the secret that two sides must agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The hash below HMAC.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// Time or counter.
    pub kind: Kind,
}

impl Default for Parameters {
    /// What every authenticator app understands: SHA1, six digits, thirty seconds.
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: Digits::SIX, kind: Kind::Totp(Period::THIRTY) }
    }
}

/// The last counter that is ever used: no button is pressed that often, and it leaves room above it.
pub const LAST_COUNTER: u64 = 1 << 53;
/// The furthest that a token's clock may be off, in steps: what two consecutive codes can show for the shortest period.
pub const LARGEST_DRIFT: i32 = 24 * 3600 / 10;

/// A time step (TOTP) or a counter value (HOTP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(pub u64);

/// Six to eight ASCII digits that somebody typed. Debug does not show them.
pub struct Code(Zeroizing<String>);

impl Code {
    /// Takes exactly 6, 7 or 8 ASCII digits; anything else is not a code.
    pub fn new(digits: Zeroizing<String>) -> Option<Self> {
        let length_fits = u8::try_from(digits.len()).is_ok_and(|length| Digits::RANGE.contains(&length));
        (length_fits && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(Self(digits))
    }

    /// The digits, for comparing and hashing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Code({} digits)", self.0.len())
    }
}

/// How far from the expected step a code may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Time accepted either side of now for TOTP; rounded down to whole steps, at most [`Window::MOST_STEPS`].
    pub drift: Duration,
    /// Counters tried beyond the next one for HOTP (RFC 4226 §7.4, the parameter s).
    pub look_ahead: u8,
    /// Steps either side that are accepted in any case; 0 but for a token's first login.
    pub least_steps: u64,
}

impl Window {
    /// The widest window we accept, in steps either side.
    pub const MOST_STEPS: u64 = 10;
    /// The window of a token's first login, in steps either side.
    pub const FIRST_USE_STEPS: u64 = 20;

    /// The window of a physical token's first login after its assignment: it may have lain in a drawer for years.
    #[must_use]
    pub fn for_first_use(self) -> Self {
        Self { least_steps: Self::FIRST_USE_STEPS, ..self }
    }

    fn steps(self, period: Period) -> u64 {
        (self.drift.as_secs() / u64::from(period.seconds())).min(Self::MOST_STEPS).max(self.least_steps)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { drift: Duration::from_mins(1), look_ahead: 10, least_steps: 0 }
    }
}

/// How far a token has come: the part of it that changes with every login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// The newest step ever accepted. Nothing at or below it is accepted again.
    pub watermark: Option<Step>,
    /// How many steps the token's clock is ahead (+) or behind (−), as learned from accepted codes.
    pub drift: i32,
    /// The drift that somebody established at once: two consecutive codes, or a first login. Learning from single codes
    /// stays within [`Progress::MOST_DRIFT`] of it.
    pub anchor: i32,
}

impl Progress {
    /// Unattended learning never leads further than 10 steps away from the anchor.
    pub const MOST_DRIFT: i32 = 10;

    /// The progress after `step` was accepted at `now`: the watermark rises and the drift moves by at most one step.
    #[must_use]
    pub fn advanced(self, step: Step, kind: Kind, now: UnixTime) -> Self {
        let towards = (offset(step, kind, now) - i64::from(self.drift)).signum();
        let learned = self.drift.saturating_add(i32::try_from(towards).unwrap_or(0));
        let (least, most) =
            (self.anchor.saturating_sub(Self::MOST_DRIFT), self.anchor.saturating_add(Self::MOST_DRIFT));
        let drift = match kind {
            Kind::Hotp => 0,
            Kind::Totp(_) => learned.clamp(least, most),
        };
        Self { watermark: Some(self.raised(step)), drift, anchor: self.anchor }
    }

    /// The progress after `step` has established at `now` where the token's clock stands.
    #[must_use]
    pub fn anchored(self, step: Step, kind: Kind, now: UnixTime) -> Self {
        let drift = i32::try_from(offset(step, kind, now)).unwrap_or(0);
        Self { watermark: Some(self.raised(step)), drift, anchor: drift }
    }

    /// The progress of a token whose record was lost: every code is burned that can have been accepted until now. Where
    /// a counter stood nobody knows, so all its codes are burned: such a token is of no use any more.
    #[must_use]
    pub fn burned_blindly(self, kind: Kind, now: UnixTime) -> Self {
        match kind {
            Kind::Hotp => Self { watermark: Some(self.raised(Step(LAST_COUNTER))), ..self },
            Kind::Totp(period) => {
                // As far ahead as a first login can be, and learning can lead from there, and the window reaches then.
                let learned = i64::from(self.drift.max(0)) + i64::from(Self::MOST_DRIFT);
                let window = Window::FIRST_USE_STEPS + Window::MOST_STEPS;
                let reach = window.saturating_add_signed(learned);
                let last = Step(current_step(period, now).0.saturating_add(reach));
                Self { watermark: Some(self.raised(last)), ..self }
            }
        }
    }

    /// Of two records of one seed the one that knows more.
    #[must_use]
    pub fn latest(self, other: Self) -> Self {
        if other.watermark > self.watermark { other } else { self }
    }

    fn raised(self, step: Step) -> Step {
        self.watermark.map_or(step, |watermark| watermark.max(step))
    }
}

/// How many steps ahead of the host's clock `step` is. A counter has no clock.
fn offset(step: Step, kind: Kind, now: UnixTime) -> i64 {
    match kind {
        Kind::Hotp => 0,
        Kind::Totp(period) => i64::try_from(i128::from(step.0) - i128::from(current_step(period, now).0)).unwrap_or(0),
    }
}

/// What a code turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Right, and newer than anything accepted before.
    Fresh(Step),
    /// It was right once, but its step is at or below the watermark.
    Replayed(Step),
    /// No step within the window has this code.
    None,
}

/// The time step at `now` (RFC 6238 §4.2, T with T0 = 0).
pub fn current_step(period: Period, now: UnixTime) -> Step {
    Step(now.seconds() / u64::from(period.seconds()))
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

/// The steps to try, oldest first. Those at or below the watermark are included, to tell a replay from a guess.
fn candidates(kind: Kind, progress: Progress, window: Window, now: UnixTime) -> impl Iterator<Item = Step> {
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

/// How far from now two consecutive codes are searched, for TOTP.
pub const RESYNC_TIME: Duration = Duration::from_hours(24);
/// How far beyond the next counter two consecutive codes are searched, for HOTP.
pub const RESYNC_COUNTERS: u64 = 1000;

/// The step that `code` belongs to, when it is right but outside every window: a token whose clock is off, or whose button
/// was pressed often. The nearest, should there be several.
///
/// One code proves nothing here: among all that are searched, one in two hundred guesses meets some step.
pub fn near_miss(
    secret: &Secret,
    parameters: Parameters,
    code: &Code,
    progress: Progress,
    now: UnixTime,
) -> Option<Step> {
    let generator = generator(secret, parameters);
    let right = |step: &Step| generator.check(code.expose(), step.0).is_some();
    fresh_steps(parameters.kind, progress, now)
        .filter(right)
        .min_by_key(|step| distance(*step, parameters.kind, progress, now).abs())
}

/// Finds where a token stands from two consecutive codes (RFC 4226 §7.4). Gives the step of the second.
///
/// By chance two codes fit somewhere once in 170 million tries; steps that were ever accepted are not searched.
pub fn resynchronize(
    secret: &Secret,
    parameters: Parameters,
    codes: [&Code; 2],
    progress: Progress,
    now: UnixTime,
) -> Option<Step> {
    let generator = generator(secret, parameters);
    let right = |code: &Code, step: u64| generator.check(code.expose(), step).is_some();
    let [first, second] = codes;
    let fits = |step: &Step| right(first, step.0) && step.0.checked_add(1).is_some_and(|next| right(second, next));
    let found = fresh_steps(parameters.kind, progress, now).filter(fits);
    let nearest = found.min_by_key(|step| distance(*step, parameters.kind, progress, now).abs())?;
    Some(Step(nearest.0.checked_add(1)?))
}

/// Whether a token shows these two consecutive codes about now, used or not: how far off, in steps.
pub fn recognize(
    secret: &Secret,
    parameters: Parameters,
    codes: [&Code; 2],
    progress: Progress,
    now: UnixTime,
) -> Option<i64> {
    let generator = generator(secret, parameters);
    let right = |code: &Code, step: Step| generator.check(code.expose(), step.0).is_some();
    let [first, second] = codes;
    let window = Window { look_ahead: RECOGNIZED_COUNTERS, ..Window::default().for_first_use() };
    let found = candidates(parameters.kind, progress, window, now)
        .filter(|step| right(first, *step) && right(second, Step(step.0.saturating_add(1))));
    found.last().map(|step| distance(step, parameters.kind, Progress { drift: 0, ..progress }, now))
}

/// How far either side of its counter an HOTP token is recognized.
const RECOGNIZED_COUNTERS: u8 = 100;

/// The step that is so far from the host's clock; the counter of that number.
pub(crate) fn step_at(steps: i64, kind: Kind, now: UnixTime) -> Option<Step> {
    let base = match kind {
        Kind::Totp(period) => current_step(period, now).0,
        Kind::Hotp => 0,
    };
    base.checked_add_signed(steps).map(Step)
}

/// How far `step` is from the host's clock; a counter from zero.
pub fn steps_to(step: Step, kind: Kind, now: UnixTime) -> i64 {
    match kind {
        Kind::Totp(_) => offset(step, kind, now),
        Kind::Hotp => i64::try_from(step.0).unwrap_or(i64::MAX),
    }
}

/// The steps that two consecutive codes may belong to, none of which was ever accepted.
fn fresh_steps(kind: Kind, progress: Progress, now: UnixTime) -> impl Iterator<Item = Step> {
    let next = progress.watermark.map_or(0, |watermark| watermark.0.saturating_add(1));
    let (first, last) = match kind {
        Kind::Totp(period) => {
            let here = current_step(period, now).0;
            let reach = RESYNC_TIME.as_secs() / u64::from(period.seconds());
            (here.saturating_sub(reach).max(next), here.saturating_add(reach))
        }
        Kind::Hotp => (next, next.saturating_add(RESYNC_COUNTERS)),
    };
    (first..=last).map(Step)
}

/// How far `step` is from where the token is expected; ahead is positive.
pub(crate) fn distance(step: Step, kind: Kind, progress: Progress, now: UnixTime) -> i64 {
    match kind {
        Kind::Totp(_) => offset(step, kind, now) - i64::from(progress.drift),
        Kind::Hotp => {
            let next = progress.watermark.map_or(0, |watermark| watermark.0.saturating_add(1));
            i64::try_from(step.0.saturating_sub(next)).unwrap_or(i64::MAX)
        }
    }
}

/// The code of `step`, for tests and for showing the next code of a token we made ourselves.
#[cfg(test)]
pub(crate) fn code_of(secret: &Secret, parameters: Parameters, step: Step) -> String {
    generator(secret, parameters).generate(step.0).to_string()
}

/// totp-rs with a step duration of one second, so that its "time" is our step, for TOTP and HOTP alike.
///
/// Our own types hold only what RFC 4226 allows, so the unchecked constructor cannot see anything it would panic on;
/// the checked one would refuse the 80-bit secrets that older apps were given.
fn generator(secret: &Secret, parameters: Parameters) -> totp_rs::Totp {
    let algorithm = match parameters.algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
        Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
    };
    totp_rs::Builder::new()
        .with_algorithm(algorithm)
        .with_digits(parameters.digits.count())
        .with_skew(0)
        .with_step_duration(1)
        .with_secret(secret.expose())
        .build_noncompliant()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(bytes: &[u8]) -> Secret {
        Secret::from_bytes(Zeroizing::new(bytes.to_vec())).unwrap()
    }

    fn code(text: &str) -> Code {
        Code::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn parameters(algorithm: Algorithm, digits: u8, kind: Kind) -> Parameters {
        Parameters { algorithm, digits: Digits::new(digits).unwrap(), kind }
    }

    const NOW: UnixTime = UnixTime::from_seconds_const(1_800_000_000);

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
