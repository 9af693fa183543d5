//! `otpauth://totp/Issuer:Label?secret=…` (Google's key URI format). Unknown parameters are named.

use zeroize::Zeroizing;

use super::entry::{Entry, EntryKind};
use crate::seed_files::characters;
use crate::seed_files::rejection::{KeyRejection, Rejection};

const SCHEME: &str = "otpauth://";
/// The parts that are read, and those that say nothing about codes.
const PARAMETERS: [&str; 9] =
    ["secret", "issuer", "algorithm", "digits", "period", "counter", "image", "icon", "color"];

pub(super) fn is_it(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.get(..SCHEME.len()).is_some_and(|head| head.eq_ignore_ascii_case(SCHEME)))
}

/// The entry of a URI. `None`: it is no otpauth URI.
pub(super) fn entry(uri: &str) -> Option<Entry> {
    let uri = uri.trim();
    let rest = uri.get(..SCHEME.len()).filter(|head| head.eq_ignore_ascii_case(SCHEME)).and(uri.get(SCHEME.len()..))?;
    let (kind, rest) = rest.split_once('/')?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| decoded(value))
    };
    let secrets = query.split('&').filter(|pair| pair.get(..7).is_some_and(|key| key.eq_ignore_ascii_case("secret=")));
    // Two URIs that a lost line end made one.
    if secrets.count() > 1 || query.contains(SCHEME) {
        return Some(Entry::unreadable(Rejection::Twice));
    }
    let names = || query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name)).map(decoded);
    let known = |name: &str| PARAMETERS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    if PARAMETERS.into_iter().any(|known| names().filter(|name| name.eq_ignore_ascii_case(known)).nth(1).is_some()) {
        return Some(Entry::unreadable(Rejection::Key(KeyRejection::Twice("a parameter"))));
    }
    let is_read = |pair: &&str| pair.is_empty() || pair.split_once('=').is_some_and(|(name, _)| known(name).is_some());
    let unknown = query.split('&').filter(|pair| !is_read(pair)).map(|pair| {
        // The ampersand of HTML before a parameter.
        let name = decoded(pair.split_once('=').map_or(pair, |(name, _)| name));
        name.strip_prefix("amp;").unwrap_or(&name).to_owned()
    });
    let is_other = parameter("encoder").is_some_and(|encoder| encoder.eq_ignore_ascii_case("steam"));
    let path = decoded(path);
    let (prefix, label) = path.split_once(':').unwrap_or(("", &path));
    let issuer = parameter("issuer").filter(|issuer| !issuer.is_empty());
    let plain = |text: &str| characters::words(text.trim().as_bytes());
    let number = |name| parameter(name).map(|text| text.parse().unwrap_or(i64::MAX));
    Some(Entry {
        issuer: issuer.map_or_else(|| plain(prefix), |issuer| plain(&issuer)),
        label: plain(label),
        kind: if is_other { EntryKind::Other } else { EntryKind::named(kind) },
        algorithm: parameter("algorithm").map(|text| text.to_string()),
        digits: number("digits"),
        period: number("period"),
        counter: number("counter"),
        unknown: unknown.collect(),
        ..Entry::from_base32(parameter("secret").as_deref().map(String::as_str))
    })
}

/// A text without percent-encoding; `+` is a blank.
pub(super) fn decoded(text: &str) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = behind;
            }
        }
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed_files::KindName;

    #[test]
    fn uris_are_read_leniently() {
        let entry = entry("otpauth://hotp/Air%20Canada%3ABen%2Bx?secret=KUVJJOM753IHTNDSZVCNKL7GII&issuer=Air+Canada&algorithm=SHA256&digits=7&counter=50&x=y").unwrap();
        assert_eq!((entry.issuer.as_str(), entry.label.as_str()), ("Air Canada", "Ben+x"));
        assert_eq!((entry.kind, entry.digits, entry.counter), (EntryKind::Known(KindName::Hotp), Some(7), Some(50)));
        assert!(super::entry("otpauth://steam/a?secret=AAAA").unwrap().kind == EntryKind::Other);
        assert!(super::entry("https://example.org").is_none());
        assert!(super::entry("otpauth://totp/%zz%?secret=%").is_some());
    }
}
