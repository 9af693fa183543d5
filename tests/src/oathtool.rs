//! Codes from the real `oathtool`, an implementation that shares no line with ours.

use std::collections::HashSet;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::requirements::PATH;

/// Time or counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time, in periods of that many seconds.
    Time(u64),
    /// A counter.
    Counter,
}

/// What an authenticator app or a fob holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// The secret in base32.
    pub secret: String,
    /// `SHA1`, `SHA256` or `SHA512`; oathtool makes counter codes with SHA1 only.
    pub algorithm: String,
    /// Digits of a code.
    pub digits: u8,
    /// Time or counter.
    pub kind: Kind,
}

impl Authenticator {
    /// The app of the last otpauth URI in a text.
    pub fn shown_in(text: &str) -> Self {
        let start = text.rfind("otpauth://").unwrap_or_else(|| panic!("no URI was shown:\n{text}"));
        let uri = text.get(start..).and_then(|rest| rest.split_whitespace().next());
        Self::from_uri(uri.expect("it has an end"))
    }

    /// Reads an otpauth URI, as an app does when it scans a QR code.
    pub fn from_uri(uri: &str) -> Self {
        let rest = uri.strip_prefix("otpauth://").unwrap_or_else(|| panic!("not an otpauth URI: {uri}"));
        let (path, query) = rest.split_once('?').expect("an otpauth URI has parameters");
        let parameter = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let number = |name: &str| parameter(name).and_then(|text| text.parse::<u64>().ok());
        Self {
            secret: parameter("secret").expect("a secret"),
            algorithm: parameter("algorithm").unwrap_or_else(|| "SHA1".to_owned()),
            digits: number("digits").and_then(|digits| u8::try_from(digits).ok()).unwrap_or(6),
            kind: if path.starts_with("hotp/") { Kind::Counter } else { Kind::Time(number("period").unwrap_or(30)) },
        }
    }

    /// The code shown at `time`, in seconds since 1970.
    pub fn code_at(&self, time: u64) -> String {
        let Kind::Time(period) = self.kind else { panic!("a counter token shows no time") };
        let arguments = [
            format!("--totp={}", self.algorithm.to_lowercase()),
            format!("--digits={}", self.digits),
            format!("--time-step-size={period}s"),
            format!("--now=@{time}"),
        ];
        single(oathtool(&arguments, &self.secret))
    }

    /// The codes shown from `time` on, in seconds since 1970, one for each period.
    pub fn codes_from(&self, time: u64, count: u64) -> Vec<String> {
        let Kind::Time(period) = self.kind else { panic!("a counter token shows no time") };
        let arguments = [
            format!("--totp={}", self.algorithm.to_lowercase()),
            format!("--digits={}", self.digits),
            format!("--time-step-size={period}s"),
            format!("--now=@{time}"),
            format!("--window={}", count - 1),
        ];
        oathtool(&arguments, &self.secret)
    }

    /// The code shown `steps` periods from now.
    pub fn code(&self, steps: i64) -> String {
        let Kind::Time(period) = self.kind else { panic!("a counter token shows no time") };
        let offset = steps * i64::try_from(period).expect("a period is small");
        self.code_at(now().checked_add_signed(offset).expect("after 1970"))
    }

    /// The code of now and those that follow, by one look at the clock: between two looks a step may begin, and then they
    /// are not consecutive.
    pub fn codes(&self, count: u64) -> Vec<String> {
        self.codes_from(now(), count)
    }

    /// The code of now and the next one.
    pub fn two_codes(&self) -> [String; 2] {
        self.codes(2).try_into().expect("two codes were asked for")
    }

    /// The codes of the counters from `first` on.
    pub fn counter_codes(&self, first: u64, count: u64) -> Vec<String> {
        let arguments = [
            "--hotp".to_owned(),
            format!("--digits={}", self.digits),
            format!("--counter={first}"),
            format!("--window={}", count - 1),
        ];
        oathtool(&arguments, &self.secret)
    }

    /// The step that is so many periods from now, or the next one towards now, whose code no nearer step shows: a search
    /// finds the nearest first, and takes a code for another step's once in some thousand times.
    pub fn lone_step(&self, steps: i64) -> i64 {
        let Kind::Time(period) = self.kind else { panic!("a counter token shows no time") };
        // Two more either way: time goes on.
        let reach = steps.unsigned_abs() + 2;
        let codes = self.codes_from(now() - reach * period, 2 * reach + 1);
        let now = usize::try_from(reach).expect("a small number");
        let mut step = steps;
        loop {
            let at = now.checked_add_signed(isize::try_from(step).expect("a small number")).expect("within reach");
            if codes.iter().filter(|code| **code == codes[at]).count() == 1 {
                return step;
            }
            step -= step.signum();
        }
    }

    /// Codes that this token does not show for a while, one after the other.
    pub fn wrong_codes(&self) -> impl Iterator<Item = String> + use<> {
        wrong_codes(&[self])
    }

    /// What it shows within a day and an hour either way, or for the first counters.
    fn codes_in_reach(&self) -> Vec<String> {
        const A_DAY_AND_AN_HOUR: u64 = 25 * 60 * 60;
        const COUNTERS: u64 = 3000;
        match self.kind {
            Kind::Counter => self.counter_codes(0, COUNTERS),
            Kind::Time(period) => {
                let arguments = [
                    format!("--totp={}", self.algorithm.to_lowercase()),
                    format!("--digits={}", self.digits),
                    format!("--time-step-size={period}s"),
                    format!("--now=@{}", now() - A_DAY_AND_AN_HOUR),
                    format!("--window={}", 2 * A_DAY_AND_AN_HOUR / period),
                ];
                oathtool(&arguments, &self.secret)
            }
        }
    }

    /// Does `body` while one and the same time step lasts: begins again when a step ended meanwhile.
    pub fn within_one_step<T>(&self, mut body: impl FnMut() -> T) -> T {
        let Kind::Time(period) = self.kind else { panic!("a counter token shows no time") };
        loop {
            let before = now() / period;
            let result = body();
            if now() / period == before {
                return result;
            }
        }
    }
}

/// A code for users who have no second factor: there is none that could show it.
pub const ANY_CODE: &str = "123456";

/// Codes that none of these tokens shows for a while, one after the other, as long as those of the first.
///
/// Digits typed at random meet a step outside the window once in 175 times, are then asked for the next code, and the test
/// fails at a prompt that it has not scripted. No step within a day either way shows these, and no counter up to 3,000.
pub fn wrong_codes(authenticators: &[&Authenticator]) -> impl Iterator<Item = String> + use<> {
    /// Digits that no log or file of a test holds for another reason.
    const FIRST: u32 = 718_281;
    let right: HashSet<String> =
        authenticators.iter().flat_map(|authenticator| authenticator.codes_in_reach()).collect();
    let width = authenticators.first().map_or(6, |authenticator| usize::from(authenticator.digits));
    (FIRST..).map(move |number| format!("{number:0width$}")).filter(move |code| !right.contains(code))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

fn single(codes: Vec<String>) -> String {
    let [code] = <[String; 1]>::try_from(codes).expect("one code was asked for");
    code
}

/// Runs oathtool. The secrets are made for a test and worth nothing, so they may stand in its arguments.
fn oathtool(arguments: &[String], secret: &str) -> Vec<String> {
    let output = Command::new("oathtool").args(["--base32"]).args(arguments).arg(secret).env("PATH", PATH).output();
    let output = output.expect("oathtool runs");
    assert!(output.status.success(), "oathtool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("digits").lines().map(str::to_owned).collect()
}
