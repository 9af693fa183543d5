//! 2FAS: `services`, each with its parameters in `otp`. Old exports do not say the type; those with a period are TOTP.

use super::entry::{Entry, EntryKind, hash, present, unknown, whole, word};
use crate::seed_files::json::Json;
use crate::seed_files::options::KindName;

pub(super) fn entry(json: &Json) -> Entry {
    let otp = |name| json.at(&["otp", name]);
    let period = whole(otp("period"));
    let counter = whole(otp("counter"));
    let kind = match (present(otp("tokenType")), period, counter) {
        (Some(kind), ..) => EntryKind::of(Some(kind)),
        (None, Some(_), _) => EntryKind::Known(KindName::Totp),
        (None, None, Some(_)) => EntryKind::Known(KindName::Hotp),
        (None, None, None) => EntryKind::Unsaid,
    };
    let label = word(otp("account"));
    Entry {
        issuer: Some(word(otp("issuer"))).filter(|issuer| !issuer.is_empty()).unwrap_or_else(|| word(json.get("name"))),
        label: if label.is_empty() { word(otp("label")) } else { label },
        kind,
        algorithm: hash(otp("algorithm")),
        digits: whole(otp("digits")),
        period,
        counter,
        unknown: [
            unknown(
                Some(json),
                &["name", "secret", "otp", "order", "icon", "badge", "groupId", "updatedAt", "serviceTypeID", "type"],
            ),
            unknown(
                json.get("otp"),
                &[
                    "account",
                    "label",
                    "issuer",
                    "digits",
                    "period",
                    "algorithm",
                    "counter",
                    "tokenType",
                    "link",
                    "source",
                ],
            ),
        ]
        .concat(),
        ..Entry::from_base32(json.get("secret").and_then(Json::text))
    }
}
