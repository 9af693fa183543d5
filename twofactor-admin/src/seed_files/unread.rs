//! Names by which files say how codes are made, in places where they are not read: what has one of them is not unimportant.

use super::note::Aspect;
use super::options::Options;

/// A name that says something about codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unread {
    /// In lower case, letters and digits alone.
    pub(super) name: &'static str,
    pub(super) about: Aspect,
}

const NAMES: [(Aspect, &[&str]); 6] = [
    (
        Aspect::Hash,
        &[
            "hash",
            "algorithm",
            "algo",
            "hashalgo",
            "hashalgorithm",
            "suite",
            "crypto",
            "hmac",
            "hashfunction",
            "digest",
        ],
    ),
    (
        Aspect::Digits,
        &[
            "digits",
            "digit",
            "length",
            "otplength",
            "otplen",
            "codelength",
            "tokenlength",
            "pwlen",
            "codedigits",
            "otpdigits",
            "numdigits",
            "numberofdigits",
            "responseformat",
        ],
    ),
    (
        Aspect::Period,
        &[
            "period",
            "interval",
            "timeinterval",
            "timestep",
            "step",
            "timer",
            "otpperiod",
            "timeperiod",
            "totptimestep",
            "stepsize",
            "refresh",
            "refreshtime",
            "synchronisation",
            "synchronization",
        ],
    ),
    (Aspect::Counter, &["counter", "movingfactor", "eventcounter", "initialcounter", "hotpcounter"]),
    (Aspect::Type, &["type", "kind", "otptype", "tokentype", "encoder", "mode", "otpmode"]),
    (Aspect::Encoding, &["secret", "seed", "plainvalue", "encryptedvalue", "secretkey", "encoding", "secretencoding"]),
];

/// The part of a code that a name speaks of, whatever its case and the signs in it.
pub(super) fn about_codes(name: &str) -> Option<Unread> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    NAMES.iter().find_map(|(about, names)| {
        let name = names.iter().find(|known| **known == plain)?;
        Some(Unread { name, about: *about })
    })
}

/// True when an option says it for all rows.
pub(super) fn is_said(about: Aspect, options: &Options) -> bool {
    match about {
        Aspect::Type => options.kind.is_some(),
        Aspect::Hash => options.algorithm.is_some(),
        Aspect::Digits => options.digits.is_some(),
        Aspect::Period => options.period.is_some(),
        Aspect::Counter | Aspect::Encoding => false,
    }
}
