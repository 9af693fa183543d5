//! The users file of pam_oath (`/etc/users.oath`): a line a token, with type, user, PIN, key and how far it was used.
//!
//! Read as liboath reads it (usersfile.c): fields between blanks and tabs, a line with `#` is a type that it does not know and
//! skips. Several lines of one user are several tokens. With the last code in the line, the counter is that code's; without
//! it, the next one's.

use std::collections::BTreeMap;
use std::str;
use std::time::Duration;

use twofactor_core::codes::otp::{
    self, Code, Digits, Kind, LAST_COUNTER, Match, Parameters, Period, Progress, Step, Window,
};
use twofactor_core::codes::secret::Secret;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use zeroize::Zeroizing;

use super::arrival::{Arrival, Arrived, Refused, Remark, usual, weakness};

/// The steps either side of now among which the last code of a clock is looked for: pam_oath is given a window of 5 to 30.
const FURTHEST: u64 = 40;

/// A file, read.
#[derive(Debug)]
pub struct OathUsers {
    /// The users, each with the first line that names it.
    pub users: BTreeMap<UserName, (usize, Arrival)>,
    /// Lines that cannot be taken in, from 1.
    pub rejected: Vec<(usize, Refused)>,
}

/// The users in a file, with their codes as used at `now`.
pub fn read(bytes: &[u8], now: UnixTime) -> OathUsers {
    let mut read = OathUsers { users: BTreeMap::new(), rejected: Vec::new() };
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        match token(line, now) {
            Ok(None) => {}
            Ok(Some(Row { user, token, remarks })) => {
                let (_, arrival) = read.users.entry(user).or_insert_with(|| (number, Arrival::default()));
                arrival.tokens.push(token);
                arrival.remarks.extend(remarks);
            }
            Err(refused) => read.rejected.push((number, refused)),
        }
    }
    read
}

/// A line with a token.
struct Row {
    user: UserName,
    token: Arrived,
    remarks: Vec<Remark>,
}

/// `None` for a line without anything, and for a comment.
fn token(line: &[u8], now: UnixTime) -> Result<Option<Row>, Refused> {
    let line = str::from_utf8(line).map_err(|_| Refused::NotText)?;
    if line.contains('\0') {
        return Err(Refused::NotText);
    }
    let fields: Vec<&str> = line.split([' ', '\t', '\r']).filter(|field| !field.is_empty()).collect();
    let (word, called, pin, key, behind) = match fields.as_slice() {
        [] => return Ok(None),
        [first, ..] if first.starts_with('#') => return Ok(None),
        [word, called, pin, key, behind @ ..] if behind.len() <= 5 => (word, called, pin, key, behind),
        _ => return Err(Refused::Fields),
    };
    let parameters = parameters(word)?;
    let user = UserName::new(called).map_err(|_| Refused::Name)?;
    let secret = secret(key)?;
    let start = progress(&secret, parameters, behind, now)?;
    let remarks = weakness(&secret).into_iter().chain((*pin != "-").then_some(Remark::Pin)).collect();
    Ok(Some(Row { user, token: Arrived { secret, parameters, start }, remarks }))
}

/// `HOTP`, `HOTP/E`, `HOTP/E/8`, `HOTP/T30`, `HOTP/T60/8`.
fn parameters(word: &str) -> Result<Parameters, Refused> {
    let mut parts = word.split('/');
    if parts.next() != Some("HOTP") {
        return Err(Refused::Type);
    }
    let kind = match parts.next() {
        None | Some("E") => Kind::Hotp,
        Some(step) => {
            let seconds = step.strip_prefix('T').and_then(|seconds| seconds.parse().ok());
            Kind::Totp(seconds.and_then(|seconds| Period::new(seconds).ok()).ok_or(Refused::Type)?)
        }
    };
    let digits = match parts.next() {
        None => Digits::SIX,
        Some(digits) => digits.parse().ok().and_then(|digits| Digits::new(digits).ok()).ok_or(Refused::Type)?,
    };
    parts.next().is_none().then(|| usual(kind, digits)).ok_or(Refused::Type)
}

fn secret(key: &str) -> Result<Secret, Refused> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(key.as_bytes()).map_err(|_| Refused::Key)?;
    Secret::from_bytes(Zeroizing::new(bytes)).map_err(|_| Refused::Key)
}

/// The codes that are used: `used` are the fields behind the key.
fn progress(secret: &Secret, parameters: Parameters, used: &[&str], now: UnixTime) -> Result<Progress, Refused> {
    let counter = used.first().map_or(Ok(0), |counter| counter.parse::<u64>());
    let counter = counter.ok().filter(|counter| *counter <= LAST_COUNTER).ok_or(Refused::Option("a counter"))?;
    let last = used.get(1).filter(|code| **code != "-");
    let watermark = match (parameters.kind, last) {
        (Kind::Hotp, Some(_)) => Some(Step(counter)),
        (Kind::Hotp, None) => counter.checked_sub(1).map(Step),
        (Kind::Totp(_), None) => None,
        (Kind::Totp(period), Some(code)) => {
            let shown = otp::current_step(period, now);
            let code = Code::new(Zeroizing::new((*code).to_owned())).ok_or(Refused::Option("the last code"))?;
            let window = Window { drift: Duration::ZERO, look_ahead: 0, least_steps: FURTHEST };
            match otp::find(secret, parameters, &code, Progress::default(), window, now) {
                // Another code can have been used before it: pam_oath keeps the last one alone.
                Match::Fresh(step) | Match::Replayed(step) => Some(step.max(shown)),
                Match::None => Some(shown),
            }
        }
    };
    Ok(Progress { watermark, ..Progress::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The key of RFC 4226 and 6238, appendix D and B.
    const KEY: &str = "3132333435363738393031323334353637383930";
    const NOW: UnixTime = UnixTime::from_seconds(1_111_111_111);

    fn one(line: &str) -> Arrived {
        let mut read = read(line.as_bytes(), NOW);
        assert!(read.rejected.is_empty(), "{line}: {:?}", read.rejected);
        let (_, mut arrival) = read.users.pop_first().expect("a user").1;
        arrival.tokens.remove(0)
    }

    #[test]
    fn every_type_of_pam_oath_is_taken() {
        for (word, kind, digits) in [
            ("HOTP", Kind::Hotp, 6),
            ("HOTP/E", Kind::Hotp, 6),
            ("HOTP/E/7", Kind::Hotp, 7),
            ("HOTP/E/8", Kind::Hotp, 8),
            ("HOTP/T30", Kind::Totp(Period::THIRTY), 6),
            ("HOTP/T30/8", Kind::Totp(Period::THIRTY), 8),
            ("HOTP/T60/7", Kind::Totp(Period::new(60).unwrap()), 7),
        ] {
            let token = one(&format!("{word}\talice -  {KEY}\r"));
            assert_eq!((token.parameters.kind, token.parameters.digits.count()), (kind, digits), "{word}");
            assert_eq!(token.start, Progress::default(), "{word}");
        }
    }

    #[test]
    fn the_counter_is_that_of_the_last_code_where_there_is_one() {
        let watermark = |used: &str| one(&format!("HOTP alice - {KEY} {used}")).start.watermark;
        assert_eq!(watermark(""), None);
        assert_eq!(watermark("0"), None);
        assert_eq!(watermark("5"), Some(Step(4)));
        assert_eq!(watermark("5 254676 2026-11-28T03:00:00L"), Some(Step(5)));
        assert_eq!(watermark("0 755224 2026-11-28T03:00:00L"), Some(Step(0)));
    }

    #[test]
    fn the_last_code_of_a_clock_is_found_by_its_digits() {
        let watermark =
            |used: &str| one(&format!("HOTP/T30/8 alice - {KEY} {used} 2005-03-18T02:58:29L")).start.watermark;
        // RFC 6238, appendix B: the codes at 1111111109 and 1111111111, and one of 1970.
        assert_eq!(watermark("0 14050471"), Some(Step(37_037_037)));
        // A code of another clock, ahead of this one.
        let ahead = token(
            format!("HOTP/T30/8 alice - {KEY} 0 14050471 2005-03-18T02:58:29L").as_bytes(),
            UnixTime::from_seconds(1_111_111_051),
        );
        assert_eq!(ahead.unwrap().unwrap().token.start.watermark, Some(Step(37_037_037)));
    }

    #[test]
    fn of_a_clock_that_was_used_no_code_is_good_that_it_can_have_shown() {
        let watermark =
            |used: &str| one(&format!("HOTP/T30/8 alice - {KEY} {used} 2005-03-18T02:58:29L")).start.watermark;
        // RFC 6238, appendix B: the code of the step before, and one of 1970.
        assert_eq!(watermark("0 07081804"), Some(Step(37_037_037)));
        assert_eq!(watermark("0 94287082"), Some(Step(37_037_037)));
    }

    #[test]
    fn lines_that_cannot_be_taken_are_named_and_hide_no_other() {
        let text = format!(
            "# HOTP comment - {KEY}\n\nHOTP/T30 alice - {KEY}\nHOTP bob - 1234aasdf\nHOTP carol -\nHOTP/X dave - {KEY}\n\
             HOTP/T5 erin - {KEY}\nHOTP ../x - {KEY}\nHOTP alice 1234 {KEY} 3\nHOTP f - {KEY} 18446744073709551615\nHOTP g - {} \nHOTP \u{0}h - {KEY}\n",
            "00".repeat(9)
        );
        let read = read(text.as_bytes(), NOW);
        let rejected = [
            (4, Refused::Key),
            (5, Refused::Fields),
            (6, Refused::Type),
            (7, Refused::Type),
            (8, Refused::Name),
            (10, Refused::Option("a counter")),
            (11, Refused::Key),
            (12, Refused::NotText),
        ];
        assert_eq!(read.rejected, rejected);
        let (line, alice) = &read.users[&UserName::new("alice").unwrap()];
        assert_eq!((*line, alice.tokens.len(), &alice.remarks[..]), (3, 2, &[Remark::Pin][..]));
        assert_eq!(read.users.len(), 1);
    }
}
