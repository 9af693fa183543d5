//! Our codes and oathtool's are the same, for any secret, time, hash, length and period.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::time::Duration;

use twofactor_core::codes::otp::{self, Algorithm, Code, Digits, Match, Parameters, Period, Progress, Step, Window};
use twofactor_core::codes::secret::Secret;
use twofactor_core::host::clock::UnixTime;
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::random::Random;
use twofactor_tests::requirements;
use zeroize::Zeroizing;

const EXACT: Window = Window { drift: Duration::ZERO, look_ahead: 0, least_steps: 0 };

fn found(secret: &Secret, parameters: Parameters, code: &str, progress: Progress, now: u64) -> Match {
    let code = Code::new(Zeroizing::new(code.to_owned())).expect("a code");
    otp::find(secret, parameters, &code, progress, EXACT, UnixTime::from_seconds(now))
}

#[test]
fn a_thousand_random_codes_are_those_of_oathtool() {
    if !requirements::programs_met(&["oathtool"]) {
        return;
    }
    let seed = Random::seed();
    println!("TWOFACTOR_TESTS_SEED={seed}");
    let mut random = Random::new(seed);
    for case in 0..1000 {
        let length = 10 + usize::try_from(random.below(55)).unwrap();
        let secret = Secret::from_bytes(Zeroizing::new(random.bytes(length))).unwrap();
        let digits = *random.choose(&[6, 7, 8]);
        let timed = random.below(3) > 0;
        // oathtool knows counter codes with SHA1 only.
        let algorithm = if timed {
            *random.choose(&[Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512])
        } else {
            Algorithm::Sha1
        };
        let period = 10 + u16::try_from(random.below(291)).unwrap();
        let kind = if timed { otp::Kind::Totp(Period::new(period).unwrap()) } else { otp::Kind::Hotp };
        let parameters = Parameters { algorithm, digits: Digits::new(digits).unwrap(), kind };
        let authenticator = Authenticator {
            secret: secret.expose_base32().to_string(),
            algorithm: algorithm.to_string(),
            digits,
            kind: if timed { Kind::Time(u64::from(period)) } else { Kind::Counter },
        };
        // Times up to the year 2500, counters of up to 40 bits.
        let (code, step, progress, now) = if timed {
            let now = random.below(16_725_225_600);
            (authenticator.code_at(now), now / u64::from(period), Progress::default(), now)
        } else {
            let counter = random.below(1 << 40);
            let progress = Progress { watermark: counter.checked_sub(1).map(Step), ..Progress::default() };
            (authenticator.counter_codes(counter, 1).remove(0), counter, progress, 0)
        };
        let about = format!("seed {seed}, case {case}: {authenticator:?} at {step}");
        assert_eq!(code.len(), usize::from(digits), "{about}");
        assert_eq!(found(&secret, parameters, &code, progress, now), Match::Fresh(Step(step)), "{about}");
        let burned = Progress { watermark: Some(Step(step)), ..Progress::default() };
        assert_ne!(found(&secret, parameters, &code, burned, now), Match::Fresh(Step(step)), "{about}");
        let other = if code.starts_with('9') { code.replacen('9', "8", 1) } else { format!("9{}", &code[1..]) };
        assert_eq!(found(&secret, parameters, &other, progress, now), Match::None, "{about}");
    }
}
