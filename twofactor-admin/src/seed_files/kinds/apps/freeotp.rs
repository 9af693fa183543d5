//! FreeOTP+: `tokens`, with the secret as signed bytes and the counter of the last code.

use zeroize::Zeroizing;

use super::entry::{Entry, EntryKind, hash, unknown, whole, word};
use crate::seed_files::json::Json;
use crate::seed_files::rejection::Rejection;

pub(super) fn entry(json: &Json) -> Entry {
    let issuer = word(json.get("issuerExt"));
    Entry {
        issuer: if issuer.is_empty() { word(json.get("issuerInt")) } else { issuer },
        encoded: None,
        label: word(json.get("label")),
        secret: json.get("secret").and_then(Json::elements).map(|bytes| {
            let mut secret = Zeroizing::new(Vec::with_capacity(bytes.len()));
            for (_, byte) in bytes {
                let byte = byte.number().and_then(|number| i8::try_from(number).ok());
                secret.push(byte.ok_or(Rejection::NotHex)?.cast_unsigned());
            }
            Ok(secret)
        }),
        kind: EntryKind::of(json.get("type")),
        algorithm: hash(json.get("algo")),
        digits: whole(json.get("digits")),
        period: whole(json.get("period")),
        // The next code has the counter behind it.
        counter: whole(json.get("counter")).map(|counter| counter.saturating_add(1)),
        unreadable: None,
        unknown: unknown(
            Some(json),
            &[
                "algo",
                "counter",
                "digits",
                "image",
                "imageAlt",
                "issuerExt",
                "issuerInt",
                "issuerAlt",
                "label",
                "labelAlt",
                "period",
                "secret",
                "type",
                "color",
                "lock",
            ],
        ),
    }
}
