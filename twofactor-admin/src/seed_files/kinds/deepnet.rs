//! Deepnet's own XML. `DualShield` has `data` with a `header` for all tokens and `tokens/token` with `serial` and `seed`; its
//! predecessor has `tokenList/tokenInfo`, in which another document with `secret` and `digits` stands as text.

use crate::seed_files::characters;
use crate::seed_files::offer::{self, Stated};
use crate::seed_files::options::{Encoding, KindName, Options};
use crate::seed_files::record::{self, Fields, Record, children, text_of};
use crate::seed_files::rejection::Rejection;
use crate::seed_files::seed_encoding::decode;
use crate::seed_files::xml::{Element, XmlDocument};

/// Its elements and their meanings.
pub(super) const PARTS: [(&str, &str); 6] = [
    ("token/serial", "serial number"),
    ("token/seed", "secret"),
    ("header/crypto", "hash"),
    ("header/digits", "digits"),
    ("header/synchronisation", "period"),
    ("counter", "counter"),
];

/// The parts of a header and a token of `DualShield` that are read, or say nothing about codes.
const DUALSHIELD: [&str; 12] = [
    "manufacturerCode",
    "productCode",
    "serial",
    "seed",
    "encode",
    "encrypt",
    "crypto",
    "digits",
    "synchronisation",
    "interval",
    "timeInterval",
    "counter",
];
/// The same of the document in a document.
const PREDECESSOR: [&str; 7] = ["deviceID", "type", "counter", "digits", "secret", "crypto", "interval"];

/// The tokens of a document that is known to be well-formed.
pub(super) fn records<'t>(text: &'t str, options: &'t Options) -> impl Iterator<Item = Record> + 't {
    let mut header: Option<Element> = None;
    children(text, "tokens").filter_map(move |child| {
        let (line, span) = (child.line, child.start..child.end);
        if child.element.is("header") {
            header = Some(child.element);
            return None;
        }
        if child.element.is("token") {
            let both = [Some(&child.element), header.as_ref()];
            let unknown =
                both.into_iter().flatten().flat_map(|part| record::unknown_parts(part, &DUALSHIELD)).collect();
            return Some(
                of_dualshield(&child.element, header.as_ref(), options).record_beside(unknown, line, span, options),
            );
        }
        child.element.is("tokenInfo").then(|| of_predecessor(&child.element, line, span, options))
    })
}

fn of_dualshield<'e>(token: &'e Element, header: Option<&Element>, options: &Options) -> Fields<'e> {
    if ["serial", "seed"].into_iter().any(|name| token.children_named(name).nth(1).is_some()) {
        return Fields::unreadable(Rejection::Twice);
    }
    let said = |name: &str| text_of(token, name).or_else(|| header.and_then(|header| text_of(header, name)));
    let encoding = match (options.encoding, said("encode")) {
        (Some(encoding), _) => Ok(encoding),
        (None, Some(word)) if word.eq_ignore_ascii_case("BASE32") => Ok(Encoding::Base32),
        (None, Some(word)) if word.eq_ignore_ascii_case("HEX") => Ok(Encoding::Hex),
        (None, None) => Ok(Encoding::Hex),
        (None, Some(_)) => Err(Rejection::NotHex),
    };
    let sealed = said("encrypt").is_some_and(|word| !word.eq_ignore_ascii_case("NONE"));
    let seed = token.child("seed").map(Element::text).filter(|seed| !seed.is_empty());
    let secret = match seed {
        _ if sealed => Err(Rejection::Sealed),
        None => Err(Rejection::SecretMissing),
        Some(seed) => encoding.and_then(|encoding| decode(seed.as_bytes(), encoding)),
    };
    let stated = || {
        let period = said("synchronisation").or_else(|| said("interval")).or_else(|| said("timeInterval"));
        let counter = said("counter");
        let kind = match (period, counter) {
            (Some(_), _) => Some(KindName::Totp),
            (None, Some(_)) => Some(KindName::Hotp),
            (None, None) => None,
        };
        read_codes(kind, said("crypto"), said("digits"), period, counter)
    };
    Fields {
        serial: token.child("serial").map(Element::text).unwrap_or_default().as_bytes(),
        secret,
        stated: stated(),
        vendor: Some("Deepnet".to_owned()),
        model: said("productCode").map(|code| characters::words(code.as_bytes())),
    }
}

fn of_predecessor(info: &Element, line: usize, span: std::ops::Range<usize>, options: &Options) -> Record {
    let inner = info.child("token").map(Element::text).unwrap_or_default();
    let parts = XmlDocument::begin(inner).ok().map(|(mut document, _)| {
        std::iter::from_fn(move || document.next().ok().flatten()).map(|child| child.element).collect::<Vec<_>>()
    });
    let parts = parts.unwrap_or_default();
    let several = |name: &str| parts.iter().filter(|part| part.is(name)).nth(1).is_some();
    let twice = ["token", "device"].into_iter().any(|name| info.children_named(name).nth(1).is_some())
        || ["deviceID", "secret"].into_iter().any(several)
        || info.child("device").is_some_and(|device| device.children_named("serial").nth(1).is_some());
    if twice {
        return Fields::unreadable(Rejection::Twice).record(line, span, options);
    }
    let part = |name: &str| parts.iter().find(|part| part.is(name));
    let text = |name: &str| part(name).map(Element::text).filter(|text| !text.is_empty());
    let secret = part("secret").ok_or(Rejection::SecretMissing).and_then(|secret| {
        let base32 = secret.attribute("enc").is_some_and(|word| word.eq_ignore_ascii_case("BASE32"));
        let said = if base32 { Encoding::Base32 } else { Encoding::Hex };
        decode(secret.text().as_bytes(), options.encoding.unwrap_or(said))
    });
    let kind = match text("type") {
        Some("TB") => Some(KindName::Totp),
        Some("EB") => Some(KindName::Hotp),
        _ => None,
    };
    let device = info.child("device");
    let serial = device.and_then(|device| text_of(device, "serial")).or_else(|| text("deviceID"));
    let counter = text("counter").filter(|_| kind == Some(KindName::Hotp));
    let fields = Fields {
        serial: serial.unwrap_or_default().as_bytes(),
        secret,
        stated: read_codes(kind, text("crypto"), text("digits"), text("interval"), counter),
        vendor: Some("Deepnet".to_owned()),
        model: device.and_then(|device| text_of(device, "model")).map(|model| characters::words(model.as_bytes())),
    };
    let is_known = |name: &str| PREDECESSOR.iter().any(|known| known.eq_ignore_ascii_case(name));
    let unknown = parts.iter().map(|part| part.name.clone()).filter(|name| !is_known(name)).collect();
    fields.record_beside(unknown, line, span, options)
}

fn read_codes(
    kind: Option<KindName>,
    hash: Option<&str>,
    digits: Option<&str>,
    period: Option<&str>,
    counter: Option<&str>,
) -> Result<Stated, Rejection> {
    Ok(Stated {
        usual_kind: None,
        kind,
        algorithm: hash.map(offer::algorithm).transpose()?,
        digits: digits.map(record::digits).transpose()?,
        period: period.map(record::period).transpose()?,
        counter: counter.map(record::counter).transpose()?,
    })
}
