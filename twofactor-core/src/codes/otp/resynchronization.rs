//! Codes far outside the window: tokens whose clock is off, or whose button was pressed often.
//!
//! Invariants: one code proves nothing here, two consecutive ones do (RFC 4226 §7.4), and steps that were ever
//! accepted are not searched.

use std::time::Duration;

use super::code::{Code, generator};
use super::parameters::{Kind, Parameters, Period};
use super::progress::offset;
use super::progress::{Progress, Window};
use super::search::candidates;
use super::step::{Step, current_step};
use crate::codes::secret::Secret;
use crate::host::clock::UnixTime;

/// The distance from now within which two consecutive codes are searched for a sysadmin, and for a token without an owner.
pub const RESYNC_TIME: Duration = Duration::from_hours(24);
/// The distance from now within which a login searches two consecutive codes of an app: phones set their clocks by themselves.
pub const APP_RESYNC_TIME: Duration = Duration::from_mins(10);
/// The distance beyond the next counter within which two consecutive codes are searched, for HOTP.
pub const RESYNC_COUNTERS: u64 = 1000;

/// The distance from now within which two consecutive codes are searched, for TOTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// [`RESYNC_TIME`].
    Day,
    /// This long.
    Now(Duration),
    /// This long, also from where the token's clock is known to stand.
    NowOrDrift(Duration),
}

/// The distance within which a login or a sysadmin looks for the codes of apps and of physical tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaches {
    /// Of apps.
    pub app: Reach,
    /// Of physical tokens.
    pub token: Reach,
}

impl Reaches {
    /// Whatever a sysadmin could resynchronize.
    pub const DAY: Self = Self { app: Reach::Day, token: Reach::Day };

    /// At a login, where `token` is `[window] resync`.
    pub fn at_login(token: Duration) -> Self {
        Self { app: Reach::Now(APP_RESYNC_TIME), token: Reach::NowOrDrift(token) }
    }
}

impl Reach {
    /// Either side of which offsets from now a step may be, and how many steps.
    fn steps(self, period: Period, drift: i32) -> ([i64; 2], i64) {
        let (centres, time) = match self {
            Self::Day => ([0, 0], RESYNC_TIME),
            Self::Now(time) => ([0, 0], time),
            Self::NowOrDrift(time) => ([0, i64::from(drift)], time),
        };
        (centres, i64::try_from(time.as_secs() / u64::from(period.seconds())).unwrap_or(i64::MAX))
    }
}

/// The step that `code` belongs to, when it is right but outside every window: a token whose clock is off, or whose button
/// was pressed often. The nearest, should there be several.
///
/// One code proves nothing here: among all within a day, one in two hundred guesses meets some step.
pub fn near_miss(
    secret: &Secret,
    parameters: Parameters,
    code: &Code,
    progress: Progress,
    reach: Reach,
    now: UnixTime,
) -> Option<Step> {
    let generator = generator(secret, parameters);
    let right = |step: &Step| generator.check(code.expose(), step.0).is_some();
    fresh_steps(parameters.kind, progress, reach, now)
        .filter(right)
        .min_by_key(|step| distance(*step, parameters.kind, progress, now).abs())
}

/// Finds where a token stands from two consecutive codes (RFC 4226 §7.4). Gives the step of the second.
///
/// By chance two codes fit somewhere within a day once in 170 million tries; steps that were ever accepted are not searched.
pub fn resynchronize(
    secret: &Secret,
    parameters: Parameters,
    codes: [&Code; 2],
    progress: Progress,
    reach: Reach,
    now: UnixTime,
) -> Option<Step> {
    let generator = generator(secret, parameters);
    let right = |code: &Code, step: u64| generator.check(code.expose(), step).is_some();
    let [first, second] = codes;
    let fits = |step: &Step| right(first, step.0) && step.0.checked_add(1).is_some_and(|next| right(second, next));
    let found = fresh_steps(parameters.kind, progress, reach, now).filter(fits);
    let nearest = found.min_by_key(|step| distance(*step, parameters.kind, progress, now).abs())?;
    Some(Step(nearest.0.checked_add(1)?))
}

/// Returns the distance, in steps, of these two consecutive codes from now, used or not.
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

/// The distance either side of its counter within which an HOTP token is recognized.
const RECOGNIZED_COUNTERS: u8 = 100;

/// The step that is so far from the host's clock; the counter of that number.
pub(crate) fn step_at(steps: i64, kind: Kind, now: UnixTime) -> Option<Step> {
    let base = match kind {
        Kind::Totp(period) => current_step(period, now).0,
        Kind::Hotp => 0,
    };
    base.checked_add_signed(steps).map(Step)
}

/// The distance of `step` from the host's clock; a counter's from zero.
pub fn steps_to(step: Step, kind: Kind, now: UnixTime) -> i64 {
    match kind {
        Kind::Totp(_) => offset(step, kind, now),
        Kind::Hotp => i64::try_from(step.0).unwrap_or(i64::MAX),
    }
}

/// The steps that two consecutive codes may belong to, none of which was ever accepted.
fn fresh_steps(kind: Kind, progress: Progress, reach: Reach, now: UnixTime) -> impl Iterator<Item = Step> {
    let next = progress.watermark.map_or(0, |watermark| watermark.0.saturating_add(1));
    let ranges = match kind {
        Kind::Totp(period) => {
            let here = current_step(period, now).0;
            let (centres, steps) = reach.steps(period, progress.drift);
            centres.map(|centre| {
                let first = here.saturating_add_signed(centre.saturating_sub(steps)).max(next);
                (first, here.saturating_add_signed(centre.saturating_add(steps)))
            })
        }
        Kind::Hotp => [(next, next.saturating_add(RESYNC_COUNTERS)); 2],
    };
    let [(first, last), (other_first, other_last)] = ranges;
    let within = move |step: &u64| (first..=last).contains(step) || (other_first..=other_last).contains(step);
    (first.min(other_first)..=last.max(other_last)).filter(within).map(Step)
}

/// The distance of `step` from the step that the token is expected at; ahead is positive.
pub(crate) fn distance(step: Step, kind: Kind, progress: Progress, now: UnixTime) -> i64 {
    match kind {
        Kind::Totp(_) => offset(step, kind, now) - i64::from(progress.drift),
        Kind::Hotp => {
            let next = progress.watermark.map_or(0, |watermark| watermark.0.saturating_add(1));
            i64::try_from(step.0.saturating_sub(next)).unwrap_or(i64::MAX)
        }
    }
}
