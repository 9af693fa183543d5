//! The state file of google-authenticator-libpam: the secret, options behind `" `, and scratch codes.
//!
//! Read as the module itself reads it (src/pam_google_authenticator.c): the first line is base32 with `0`, `1` and `8` for the
//! letters they look like; of an option the first line counts; scratch codes are lines of eight digits, up to the first line
//! that is neither one nor an option. Line ends may be CRLF.

use std::str;

use twofactor_core::account::MOST_RECOVERY_CODES;
use twofactor_core::codes::otp::{Digits, Kind, LARGEST_DRIFT, Period, Progress, Step, current_step};
use twofactor_core::codes::recovery::{MOVED_LENGTH, RecoveryCode};
use twofactor_core::codes::secret::Secret;
use twofactor_core::host::clock::UnixTime;
use zeroize::Zeroizing;

use super::arrival::{Arrival, Arrived, Refused, Remark, usual, weakness};

/// The largest file that is read, in bytes: the module's own limit.
pub const LARGEST: usize = 64 * 1024;

/// The steps that are accepted when WINDOW_SIZE says nothing.
const USUAL_WINDOW: u64 = 3;

/// The account in a state file, as it stands at `now`.
pub fn read(bytes: &[u8], now: UnixTime) -> Result<Arrival, Refused> {
    let text = str::from_utf8(bytes).map_err(|_| Refused::NotText)?;
    if text.contains('\0') {
        return Err(Refused::NotText);
    }
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let secret = Secret::from_base32(&as_typed(first.trim_end_matches('\r')))?;
    let options = Options(rest);
    let window = options.number("WINDOW_SIZE", 1..=100)?.unwrap_or(USUAL_WINDOW);
    let mut remarks: Vec<Remark> = weakness(&secret).into_iter().collect();
    let (kind, start) = match options.number("HOTP_COUNTER", 0..=u64::from(u32::MAX))? {
        // The next counter, as the module has it.
        Some(next @ 1..) => (Kind::Hotp, Progress { watermark: Some(Step(next - 1)), ..Progress::default() }),
        Some(0) | None if options.has("TOTP_AUTH") => {
            let (period, start) = options.time_based(window, now)?;
            remarks.extend(start.1.map(Remark::UsesUnknown));
            (Kind::Totp(period), start.0)
        }
        Some(_) | None => return Err(Refused::NoKind),
    };
    if window > USUAL_WINDOW {
        remarks.extend(u32::try_from(window).map(Remark::Window));
    }
    let recovery = scratch_codes(rest, &mut remarks);
    let token = Arrived { secret, parameters: usual(kind, Digits::SIX), start };
    Ok(Arrival { tokens: vec![token], recovery, remarks })
}

/// The secret with the letters that people mistake for digits.
fn as_typed(line: &str) -> Zeroizing<String> {
    let mut typed = Zeroizing::new(String::with_capacity(line.len()));
    typed.extend(line.chars().map(|letter| match letter {
        '0' => 'O',
        '1' => 'L',
        '8' => 'B',
        other => other,
    }));
    typed
}

/// The lines behind the secret.
struct Options<'t>(&'t str);

impl<'t> Options<'t> {
    /// The words behind the name of an option.
    fn value(&self, name: &str) -> Option<&'t str> {
        self.0.split(['\r', '\n']).find_map(|line| {
            let value = line.strip_prefix("\" ")?.strip_prefix(name)?;
            (value.is_empty() || value.starts_with([' ', '\t'])).then(|| value.trim_matches([' ', '\t']))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The number of an option, of which the module reads the first word.
    fn number(&self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Refused> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let word = value.split([' ', '\t']).next().unwrap_or_default();
        let number = word.parse::<u64>().ok().filter(|number| range.contains(number));
        number.map(Some).ok_or(Refused::Option(name))
    }

    /// The period, how far the codes were used, and the time until which all are burned because that is not known.
    fn time_based(&self, window: u64, now: UnixTime) -> Result<(Period, (Progress, Option<UnixTime>)), Refused> {
        let seconds = self.number("STEP_SIZE", 1..=60)?.unwrap_or(30);
        let period = u16::try_from(seconds).ok().and_then(|seconds| Period::new(seconds).ok());
        let period = period.ok_or(Refused::Period(seconds))?;
        let drift = match self.value("TIME_SKEW") {
            None => 0,
            Some(value) => value.parse::<i32>().map_err(|_| Refused::Option("TIME_SKEW"))?,
        };
        if drift.unsigned_abs() > LARGEST_DRIFT.unsigned_abs() {
            return Err(Refused::Drift);
        }
        // The furthest step that the module would have accepted by now.
        let last = current_step(period, now).0.saturating_add_signed(i64::from(drift)).saturating_add(window / 2);
        let used = |watermark| Progress { watermark, drift, anchor: drift };
        if let Some(steps) = self.value("DISALLOW_REUSE") {
            let steps = steps.split([' ', '\t']).filter(|word| !word.is_empty());
            let steps: Option<Vec<u64>> = steps.map(|word| word.parse().ok()).collect();
            // A later one cannot have been used: it would lock the user out.
            let steps = steps.ok_or(Refused::Option("DISALLOW_REUSE"))?.into_iter().filter(|step| *step <= last);
            return Ok((period, (used(steps.max().map(Step)), None)));
        }
        // The first good code is shown when the clock of the token has passed that step.
        let behind = i64::try_from(last + 1).unwrap_or(i64::MAX).saturating_sub(i64::from(drift));
        let until = u64::try_from(behind).unwrap_or(0).saturating_mul(seconds);
        Ok((period, (used(Some(Step(last))), Some(UnixTime::from_seconds(until)))))
    }
}

/// The codes on paper, without those that are no secret.
fn scratch_codes(lines: &str, remarks: &mut Vec<Remark>) -> Vec<RecoveryCode> {
    let mut codes: Vec<Zeroizing<String>> = Vec::new();
    for line in lines.split(['\r', '\n']).filter(|line| !line.is_empty() && !line.starts_with('"')) {
        let digits = line.trim_start();
        if digits.len() != MOVED_LENGTH || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            break;
        }
        codes.push(Zeroizing::new(digits.to_owned()));
    }
    let all = codes.len();
    let is_repeated = |code: &Zeroizing<String>| codes.iter().filter(|other| *other == code).count() > 1;
    let is_one_digit = |code: &Zeroizing<String>| code.bytes().all(|byte| code.as_bytes().first() == Some(&byte));
    let keep: Vec<bool> = codes.iter().map(|code| !is_repeated(code) && !is_one_digit(code)).collect();
    let mut kept: Vec<_> = codes.into_iter().zip(keep).filter_map(|(code, keep)| keep.then_some(code)).collect();
    if kept.len() < all {
        remarks.push(Remark::Placeholders(all - kept.len()));
    }
    if kept.len() > MOST_RECOVERY_CODES {
        remarks.push(Remark::TooManyCodes(kept.len() - MOST_RECOVERY_CODES));
        kept.truncate(MOST_RECOVERY_CODES);
    }
    kept.iter().filter_map(|digits| RecoveryCode::moved(digits)).collect()
}

#[cfg(test)]
mod tests {
    use twofactor_core::codes::otp::Algorithm;
    use twofactor_core::codes::secret::SecretError;

    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_015);
    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEH";

    fn account(options: &str) -> Arrival {
        read(format!("{SECRET}\n{options}").as_bytes(), NOW).unwrap()
    }

    fn refused(options: &str) -> Refused {
        read(format!("{SECRET}\n{options}").as_bytes(), NOW).unwrap_err()
    }

    #[test]
    fn a_file_as_the_tool_writes_it_is_taken_in() {
        let arrival = account(
            "\" RATE_LIMIT 3 30 1799999990\n\" WINDOW_SIZE 17\n\" DISALLOW_REUSE 59999998 60000000\n\" TIME_SKEW 2\n\
             \" TOTP_AUTH\n12345678\n87654321\n",
        );
        let token = &arrival.tokens[0];
        assert_eq!(token.parameters.algorithm, Algorithm::Sha1);
        assert_eq!(token.parameters.kind, Kind::Totp(Period::THIRTY));
        assert_eq!(token.start, Progress { watermark: Some(Step(60_000_000)), drift: 2, anchor: 2 });
        let codes: Vec<_> = arrival.recovery.iter().map(RecoveryCode::expose).collect();
        assert_eq!(codes, ["12345678", "87654321"]);
        assert_eq!(arrival.remarks, [Remark::Window(17)]);
    }

    #[test]
    fn where_no_used_codes_are_written_down_all_are_burned_that_can_have_been_used() {
        let arrival = account("\" TOTP_AUTH\n");
        assert_eq!(arrival.tokens[0].start.watermark, Some(Step(60_000_001)));
        assert_eq!(arrival.remarks, [Remark::UsesUnknown(UnixTime::from_seconds(1_800_000_060))]);
        let skewed = account("\" TIME_SKEW -4\n\" WINDOW_SIZE 1\n\" STEP_SIZE 60\n\" TOTP_AUTH\n");
        assert_eq!(skewed.tokens[0].start.watermark, Some(Step(29_999_996)));
        assert_eq!(skewed.remarks, [Remark::UsesUnknown(UnixTime::from_seconds(1_800_000_060))]);
        assert_eq!(account("\" TOTP_AUTH\n\" DISALLOW_REUSE\n").tokens[0].start.watermark, None, "it has used none");
    }

    #[test]
    fn a_step_that_is_yet_to_come_is_not_used() {
        let arrival = account("\" TOTP_AUTH\n\" DISALLOW_REUSE 59999999 60000002 18446744073709551615\n");
        assert_eq!(arrival.tokens[0].start.watermark, Some(Step(59_999_999)));
    }

    #[test]
    fn a_counter_is_the_next_one() {
        let arrival = account("\" HOTP_COUNTER 7\n\" TOTP_AUTH\n");
        assert_eq!(arrival.tokens[0].parameters.kind, Kind::Hotp);
        assert_eq!(arrival.tokens[0].start.watermark, Some(Step(6)));
    }

    #[test]
    fn the_secret_is_read_as_people_type_it() {
        for first in ["jbsw y3dp-ehpk 3pxp jbsw y3dp eh\r", "JB5WY3DPEHPK3PXP", "JBSWY3DPEHPK3PXP", "0BSWY3DPEHPK3PX1"]
        {
            assert!(read(format!("{first}\n\" TOTP_AUTH\r\n").as_bytes(), NOW).is_ok(), "{first}");
        }
        let weak = read(b"JBSWY3DPEHPK3PXP\n\" TOTP_AUTH\n\" DISALLOW_REUSE\n", NOW).unwrap();
        assert_eq!(weak.remarks, [Remark::Weak(80)]);
        assert_eq!(read(b"root:x:0:0\n", NOW).unwrap_err(), Refused::Secret(SecretError::NotBase32));
        assert_eq!(read(b"", NOW).unwrap_err(), Refused::Secret(SecretError::Length(0)));
        assert_eq!(read(b"JBSWY3DPEHPK3PXP\n\0", NOW).unwrap_err(), Refused::NotText);
    }

    #[test]
    fn placeholders_are_no_codes_and_the_first_other_line_ends_them() {
        let equal = account("\" TOTP_AUTH\n\" DISALLOW_REUSE\n11111111\n11111111\n23456789\n");
        assert_eq!(equal.recovery.len(), 1);
        assert_eq!(equal.remarks, [Remark::Placeholders(2)]);
        let ended = account("12345678\n\" TOTP_AUTH\n\" DISALLOW_REUSE\n23456789\n 34567891\n# no code\n45678912\n");
        assert_eq!(ended.recovery.len(), 3);
        let many: Vec<String> = (0..25).map(|number| (20_000_000 + number).to_string()).collect();
        let many = account(&format!("\" TOTP_AUTH\n\" DISALLOW_REUSE\n{}\n", many.join("\n")));
        assert_eq!((many.recovery.len(), &many.remarks[..]), (20, &[Remark::TooManyCodes(5)][..]));
    }

    #[test]
    fn the_modules_own_refusals_are_refused() {
        for (options, refusal) in [
            ("", Refused::NoKind),
            ("\" HOTP_COUNTER 0\n", Refused::NoKind),
            ("\" HOTP_COUNTER x\n", Refused::Option("HOTP_COUNTER")),
            ("\" TOTP_AUTH\n\" STEP_SIZE 0\n", Refused::Option("STEP_SIZE")),
            ("\" TOTP_AUTH\n\" STEP_SIZE 61\n", Refused::Option("STEP_SIZE")),
            ("\" TOTP_AUTH\n\" STEP_SIZE 9\n", Refused::Period(9)),
            ("\" TOTP_AUTH\n\" WINDOW_SIZE 101\n", Refused::Option("WINDOW_SIZE")),
            ("\" TOTP_AUTH\n\" DISALLOW_REUSE 1 x\n", Refused::Option("DISALLOW_REUSE")),
            ("\" TOTP_AUTH\n\" TIME_SKEW -\n", Refused::Option("TIME_SKEW")),
            ("\" TOTP_AUTH\n\" TIME_SKEW 9000\n", Refused::Drift),
            ("\" TOTP_AUTH\n\" TIME_SKEW -2147483648\n", Refused::Drift),
        ] {
            assert_eq!(refused(options), refusal, "{options}");
        }
    }
}
