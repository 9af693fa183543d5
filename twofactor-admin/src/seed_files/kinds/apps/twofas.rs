//! 2FAS: `services`, each with its parameters in `otp`. Old exports do not say the type; those with a period are TOTP.

use super::entry::{Entry, EntryKind, word};
use crate::seed_files::json::Json;
use crate::seed_files::options::KindName;

pub(super) fn entry(json: &Json) -> Entry {
    let otp = |name| json.at(&["otp", name]);
    let period = otp("period").and_then(Json::number);
    let counter = otp("counter").and_then(Json::number);
    let kind = match (otp("tokenType").and_then(Json::text), period, counter) {
        (Some(kind), ..) => EntryKind::named(kind),
        (None, Some(_), _) => EntryKind::Known(KindName::Totp),
        (None, None, Some(_)) => EntryKind::Known(KindName::Hotp),
        (None, None, None) => EntryKind::Unsaid,
    };
    let label = word(otp("account"));
    Entry {
        issuer: Some(word(otp("issuer"))).filter(|issuer| !issuer.is_empty()).unwrap_or_else(|| word(json.get("name"))),
        label: if label.is_empty() { word(otp("label")) } else { label },
        kind,
        algorithm: otp("algorithm").and_then(Json::text).map(str::to_owned),
        digits: otp("digits").and_then(Json::number),
        period,
        counter,
        ..Entry::from_base32(json.get("secret").and_then(Json::text))
    }
}
