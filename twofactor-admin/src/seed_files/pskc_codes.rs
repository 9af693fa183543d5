//! A PSKC key's words about its codes: the hash and the number of digits, in all spellings that writers use.
//!
//! Invariant: an element or attribute that is there and not understood is never taken for one that is absent. It is a
//! reason to reject the key, or it is named in the report.

use super::offer;
use super::rejection::{KeyRejection, Parameter, Rejection};
use super::xml::Element;
use twofactor_core::codes::otp::{Algorithm, Digits};

/// The attributes of `Suite` that name the hash: privacyIDEA writes the first.
pub(super) const HASH_ATTRIBUTES: [&str; 4] = ["hashalgo", "hash", "algorithm", "hashalgorithm"];
/// The attributes of `ResponseFormat`, of the RFC and of its drafts.
pub(super) const RESPONSE_ATTRIBUTES: [&str; 5] = ["length", "encoding", "format", "checkdigit", "checkdigits"];
/// `AlgorithmParameters`, and `Usage` in drafts.
pub(super) fn parameters(key: &Element) -> Option<&Element> {
    key.child("AlgorithmParameters").or_else(|| key.child("Usage"))
}

/// The hash: the text of `Suite`, or one of its attributes. Two that differ, or attributes none of which is known, are a
/// reason to reject the key.
pub(super) fn algorithm(parameters: Option<&Element>) -> Result<Option<Algorithm>, Rejection> {
    let Some(suite) = parameters.and_then(|element| element.child("Suite")) else { return Ok(None) };
    let attributes = HASH_ATTRIBUTES.into_iter().filter_map(|name| suite.attribute(name));
    let mut names = std::iter::once(suite.text()).chain(attributes).filter(|name| !name.is_empty());
    let Some(first) = names.next() else {
        let silent = suite.children().is_empty() && suite.attribute_names().all(|name| is_any(name, &HASH_ATTRIBUTES));
        return if silent { Ok(None) } else { Err(Rejection::Parameter(Parameter::Algorithm)) };
    };
    let first = offer::algorithm(first)?;
    for other in names {
        if offer::algorithm(other)? != first {
            return Err(Rejection::Parameter(Parameter::Algorithm));
        }
    }
    Ok(Some(first))
}

/// The length of a code.
pub(super) fn digits(parameters: Option<&Element>) -> Result<Option<Digits>, Rejection> {
    let response = parameters.and_then(|element| element.child("ResponseFormat"));
    let length = response.and_then(|element| element.attribute("Length")).filter(|length| !length.is_empty());
    length.map(|length| offer::digits(length.parse().unwrap_or(u64::MAX))).transpose()
}

/// Codes are decimal digits, and nothing but the code.
pub(super) fn check(parameters: Option<&Element>) -> Result<(), Rejection> {
    let Some(response) = parameters.and_then(|element| element.child("ResponseFormat")) else { return Ok(()) };
    let check = response.attribute("CheckDigits").or_else(|| response.attribute("CheckDigit"));
    if check.is_some_and(|value| !matches!(value, "false" | "0" | "")) {
        return Err(Rejection::Key(KeyRejection::CheckDigits));
    }
    let encoding = response.attribute("Encoding").or_else(|| response.attribute("Format"));
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("DECIMAL")) {
        return Err(Rejection::Key(KeyRejection::ResponseEncoding));
    }
    Ok(())
}

fn is_any(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}
