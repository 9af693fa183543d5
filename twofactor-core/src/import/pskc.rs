//! PSKC (RFC 6030): surveyed once, then read key by key.
//!
//! What always holds: a key that has a property we cannot keep (a PIN, a limit, a check digit, another epoch) is
//! refused with the reason and not imported without it; an encrypted value counts only when its MAC matches.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::error::{ImportError, PskcError};
use super::note::{Aspect, Assumption, Explanation, Note, Part};
use super::offer::{self, KeyRejection, Offered, Rejection, Stated};
use super::pskc_crypto::{Opener, base64};
use super::xml::{Child, Document, Element, Namespace, XmlError};
use super::{Asked, KindName, MOST_ROWS, Options, Place, characters};
use crate::otp::{LARGEST_DRIFT, LAST_COUNTER};
use crate::token::Serial;

/// What holds for all keys of a document.
pub(super) struct Pskc {
    opener: Option<Opener>,
    /// It says how its values are encrypted or authenticated, so a secret in the clear does not belong there.
    sealed: bool,
    /// Where the first package begins and the last one ends.
    pub(super) first: usize,
    pub(super) last: usize,
    /// How many keys there are.
    pub(super) rows: usize,
}

/// A key of a document.
pub(super) struct PskcRow {
    pub(super) line: usize,
    /// Where its package begins and ends.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) token: Result<Offered, Rejection>,
}

impl Pskc {
    /// Decides what holds for all keys, and opens what is encrypted.
    pub(super) fn survey(
        text: &str,
        options: &Options,
        place: impl Fn(usize) -> Place,
        asked: &mut Asked<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<Self, ImportError> {
        let refused = |error: XmlError| ImportError::Xml(place(error.line), error.problem);
        let (mut document, root) = Document::begin(text).map_err(refused)?;
        if root.name != "KeyContainer" || root.namespace == Namespace::Foreign {
            return Err(PskcError::NotPskc.into());
        }
        let mut survey = Survey::default();
        let mut pskc = Self { opener: None, sealed: false, first: text.len(), last: text.len(), rows: 0 };
        while let Some(child) = document.next().map_err(refused)? {
            if child.element.namespace == Namespace::Foreign {
                continue;
            }
            match child.element.name.as_str() {
                "EncryptionKey" if child.too_large && child.element.find("X509Data").is_none() => {
                    return Err(PskcError::Derivation.into());
                }
                "EncryptionKey" => survey.encryption_key = Some(child.element),
                "MACMethod" => survey.mac_method = Some(child.element),
                "Signature" => survey.notice(true, Note::SignatureUnchecked),
                "KeyPackage" => {
                    pskc.first = pskc.first.min(child.start);
                    pskc.last = child.end;
                    pskc.rows += if child.too_large { 1 } else { survey.see(child.element, options) };
                }
                _ => {}
            }
            if pskc.rows > MOST_ROWS {
                return Err(ImportError::TooManyRows);
            }
        }
        if pskc.rows == 0 {
            return Err(ImportError::NoRows);
        }
        notes.append(&mut survey.notes);
        pskc.sealed = survey.encryption_key.is_some() || survey.mac_method.is_some();
        if let Some(example) = &survey.encrypted {
            let (key, mac) = (survey.encryption_key.as_ref(), survey.mac_method.as_ref());
            let opener = Opener::new(key, mac, example, asked)?;
            if opens_none(text, &opener) {
                return Err(opener.wrong());
            }
            pskc.opener = Some(opener);
        }
        Ok(pskc)
    }

    /// How the document was understood; the entry is the caller's to name.
    pub(super) fn explanation(&self) -> Explanation {
        let parts = [
            ("DeviceInfo/SerialNo, else Key Id", "serial number"),
            ("Key Algorithm", "type"),
            ("AlgorithmParameters/Suite", "hash"),
            ("AlgorithmParameters/ResponseFormat Length", "digits"),
            ("Data/Secret", "secret"),
            ("Data/TimeInterval", "period"),
            ("Data/TimeDrift", "drift"),
            ("Data/Counter", "counter"),
            ("DeviceInfo/Manufacturer", "manufacturer"),
            ("DeviceInfo/Model", "model"),
        ];
        let part = |(name, taken_for): (&str, _)| Part { name: name.to_owned(), taken_for: Some(taken_for) };
        let layout = if self.opener.is_some() { "one KeyPackage a token, encrypted" } else { "one KeyPackage a token" };
        Explanation { entry: None, layout: layout.to_owned(), parts: parts.map(part).to_vec() }
    }

    /// The keys of the document that was surveyed, in order.
    pub(super) fn rows<'t>(&'t self, text: &'t str, options: &'t Options) -> impl Iterator<Item = PskcRow> + 't {
        let mut pending = VecDeque::new();
        let mut packages = packages(text);
        std::iter::from_fn(move || {
            while pending.is_empty() {
                let package = packages.next()?;
                pending.extend(self.keys(&package, options).into_iter().map(|token| PskcRow {
                    line: package.line,
                    start: package.start,
                    end: package.end,
                    token,
                }));
            }
            pending.pop_front()
        })
    }

    /// What the keys of a package offer; a package without key offers one reason.
    fn keys(&self, package: &Child, options: &Options) -> Vec<Result<Offered, Rejection>> {
        // What was cut off is missing, perhaps the key itself.
        if package.too_large {
            return vec![Err(Rejection::Key(KeyRejection::TooLarge))];
        }
        let device = package.element.child("DeviceInfo");
        let keys = package.element.children_named("Key");
        let key = |key| Key { element: key, device, pskc: self }.offered(options);
        let offers: Vec<_> = keys.map(key).collect();
        if offers.is_empty() { vec![Err(Rejection::Key(KeyRejection::NoKey))] } else { offers }
    }
}

/// The packages of a document that is known to be well-formed.
fn packages(text: &str) -> impl Iterator<Item = Child> {
    let mut document = Document::begin(text).ok().map(|(document, _)| document);
    std::iter::from_fn(move || document.as_mut()?.next().ok()?)
        .filter(|child| child.element.name == "KeyPackage" && child.element.namespace != Namespace::Foreign)
}

/// Whether the key is wrong, and not each value: none can be opened, and of at least one the MAC does not match.
fn opens_none(text: &str, opener: &Opener) -> bool {
    let mut mismatch = false;
    for package in packages(text) {
        let data = package.element.children_named("Key").flat_map(|key| key.children_named("Data"));
        for value in data.flat_map(Element::children) {
            match opener.open(value, SECRET) {
                Ok(_) => return false,
                Err(KeyRejection::MacMismatch(_)) => mismatch = true,
                Err(_) => {}
            }
        }
    }
    mismatch
}

/// What a look at every package found.
#[derive(Default)]
struct Survey {
    encryption_key: Option<Element>,
    mac_method: Option<Element>,
    /// One of the encrypted values.
    encrypted: Option<Element>,
    notes: Vec<Note>,
}

impl Survey {
    /// Takes note of a package. Says how many rows it makes.
    fn see(&mut self, package: Element, options: &Options) -> usize {
        let dated = |element: Option<&Element>| {
            element.is_some_and(|element| element.child("ExpiryDate").is_some() || element.child("StartDate").is_some())
        };
        self.notice(dated(package.child("DeviceInfo")), Note::DatesUnchecked);
        let mut keys = 0;
        for key in package.children_named("Key") {
            keys += 1;
            self.notice(dated(key.child("Policy")), Note::DatesUnchecked);
            let overruled = !options.is_silent() && Stated::in_the_clear(key).settle(options).overruled;
            self.notice(overruled, Note::Overruled);
            let timed = kind(key) == Some(KindName::Totp) && options.period.is_none();
            self.notice(
                timed && key.at(&["Data", "TimeInterval"]).is_none(),
                Note::Assumed(Assumption::usual(Aspect::Period, "30 s")),
            );
        }
        if self.encrypted.is_none() && package.find("EncryptedValue").is_some() {
            self.encrypted = package.into_found("EncryptedValue");
        }
        keys.max(1)
    }

    /// Takes a note, once.
    fn notice(&mut self, found: bool, note: Note) {
        if found && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

const SECRET: &str = "the secret";

impl Stated {
    /// What a key says about codes without being opened. What is wrong about it, its row will say.
    fn in_the_clear(key: &Element) -> Self {
        let parameters = key.child("AlgorithmParameters");
        let suite = parameters.and_then(|element| element.child("Suite")).map(Element::text);
        let length = parameters.and_then(|element| element.child("ResponseFormat")?.attribute("Length")?.parse().ok());
        let interval = key.at(&["Data", "TimeInterval", "PlainValue"]).and_then(|element| plain_number(element.text()));
        Self {
            kind: kind(key),
            algorithm: suite.and_then(|suite| offer::algorithm(suite).ok()),
            digits: length.and_then(|digits| offer::digits(digits).ok()),
            period: interval.and_then(|seconds| offer::period(u64::try_from(seconds).ok()?).ok()),
            counter: None,
        }
    }
}

/// A key with the device it belongs to and what holds for the document.
#[derive(Clone, Copy)]
struct Key<'e> {
    element: &'e Element,
    device: Option<&'e Element>,
    pskc: &'e Pskc,
}

impl<'e> Key<'e> {
    fn offered(self, options: &Options) -> Result<Offered, Rejection> {
        let serial = self.serial()?;
        let stated_kind = kind(self.element);
        let Some(kind) = options.kind.or(stated_kind) else { return Err(Rejection::Kind) };
        self.check_policy()?;
        let parameters = self.element.child("AlgorithmParameters");
        let suite = parameters.and_then(|element| element.child("Suite")).map(Element::text).unwrap_or_default();
        let response = parameters.and_then(|element| element.child("ResponseFormat"));
        check_response(response)?;
        let digits = response.and_then(|element| element.attribute("Length"));
        let mut stated = Stated { kind: stated_kind, ..Stated::default() };
        if !suite.is_empty() && options.algorithm.is_none() {
            stated.algorithm = Some(offer::algorithm(suite)?);
        }
        if let Some(digits) = digits.filter(|_| options.digits.is_none()) {
            stated.digits = Some(offer::digits(digits.parse().unwrap_or(u64::MAX))?);
        }
        let mut drift = None;
        match kind {
            KindName::Totp => {
                if self.number("Time", "the time")?.is_some_and(|time| time != 0) {
                    return Err(Rejection::Key(KeyRejection::Epoch));
                }
                let interval = self.number("TimeInterval", "the time interval")?;
                if let Some(seconds) = interval.filter(|_| options.period.is_none()) {
                    stated.period = Some(offer::period(u64::try_from(seconds).unwrap_or(u64::MAX))?);
                }
                let steps = self.number("TimeDrift", "the time drift")?;
                let wrong = Rejection::Key(KeyRejection::Number("the time drift"));
                // Further off than two consecutive codes could show, it is none of a clock.
                let bounded = |steps: &i32| steps.abs() <= LARGEST_DRIFT;
                let steps = steps.map(|steps| i32::try_from(steps).ok().filter(bounded).ok_or(wrong));
                drift = steps.transpose()?;
            }
            KindName::Hotp => {
                let counter = self.number("Counter", "the counter")?;
                let bounded = |counter: &u64| *counter <= LAST_COUNTER;
                let counter =
                    counter.map(|counter| u64::try_from(counter).ok().filter(bounded).ok_or(Rejection::Counter));
                stated.counter = counter.transpose()?;
            }
        }
        let secret = self.secret()?;
        let named = |name| {
            let text = self.device?.child(name)?.text();
            (!text.is_empty()).then(|| characters::words(text.as_bytes()))
        };
        let offered = Offered::new(serial, secret, stated.settle(options));
        Ok(Offered { drift, vendor: named("Manufacturer"), model: named("Model"), ..offered })
    }

    /// `SerialNo` of the device, else the key's own `Id`.
    fn serial(self) -> Result<Serial, Rejection> {
        let printed = self.device.and_then(|device| device.child("SerialNo")).map(Element::text);
        let serial = printed.filter(|serial| !serial.is_empty()).or_else(|| self.element.attribute("Id"));
        offer::serial(serial.unwrap_or_default().as_bytes())
    }

    /// RFC 6030 §5: whoever does not support a rule must not use the key.
    fn check_policy(self) -> Result<(), Rejection> {
        for rule in self.element.children_named("Policy").flat_map(Element::children) {
            let refusal = match rule.name.as_str() {
                _ if rule.namespace == Namespace::Foreign => KeyRejection::Policy,
                // Dates are noted for the whole file: nothing here reads a clock.
                "StartDate" | "ExpiryDate" => continue,
                // A PIN that only unlocks the device is no concern of ours.
                "PINPolicy" => match rule.attribute("PINUsageMode") {
                    Some("Local") => continue,
                    _ => KeyRejection::Pin,
                },
                "KeyUsage" if rule.text() == "OTP" => continue,
                "KeyUsage" => {
                    let others =
                        self.element.children_named("Policy").flat_map(|policy| policy.children_named("KeyUsage"));
                    if others.into_iter().any(|usage| usage.text() == "OTP") {
                        continue;
                    }
                    KeyRejection::Usage
                }
                "NumberOfTransactions" => KeyRejection::Uses,
                _ => KeyRejection::Policy,
            };
            return Err(Rejection::Key(refusal));
        }
        Ok(())
    }

    fn secret(self) -> Result<crate::secret::Secret, Rejection> {
        let Some(data) = self.data("Secret", SECRET)? else {
            let elsewhere = self.element.child("KeyReference").is_some();
            return Err(if elsewhere { Rejection::Key(KeyRejection::Reference) } else { Rejection::SecretMissing });
        };
        let bytes = match data.child("PlainValue") {
            Some(_) if self.pskc.sealed => return Err(Rejection::Key(KeyRejection::InTheClear)),
            Some(plain) => base64(plain.text()).ok_or(Rejection::Key(KeyRejection::Base64(SECRET)))?,
            None => self.opened(data, SECRET)?,
        };
        offer::secret(bytes)
    }

    /// A value of `Data` that is a number. Vendors write it as text, as base64 of text, and as base64 of its bytes.
    fn number(self, element: &str, name: &'static str) -> Result<Option<i64>, Rejection> {
        let Some(data) = self.data(element, name)? else { return Ok(None) };
        let wrong = Rejection::Key(KeyRejection::Number(name));
        let number = match data.child("PlainValue").map(Element::text) {
            Some(text) => plain_number(text),
            None => number_of(&self.opened(data, name)?),
        };
        number.map(Some).ok_or(wrong)
    }

    /// The one element of a name in `Data`.
    fn data(self, element: &str, name: &'static str) -> Result<Option<&'e Element>, Rejection> {
        let mut found = None;
        for data in self.element.children() {
            if data.name != "Data" || data.namespace == Namespace::Foreign {
                continue;
            }
            for value in data.children() {
                let ours = value.name == element && value.namespace != Namespace::Foreign;
                let values = value.children().iter().filter(|child| child.name.ends_with("Value")).count();
                if ours && (values > 1 || found.replace(value).is_some()) {
                    return Err(Rejection::Key(KeyRejection::Twice(name)));
                }
            }
        }
        Ok(found)
    }

    fn opened(self, data: &Element, name: &'static str) -> Result<Zeroizing<Vec<u8>>, Rejection> {
        if data.child("EncryptedValue").is_none() {
            return Err(if name == SECRET {
                Rejection::SecretMissing
            } else {
                Rejection::Key(KeyRejection::Number(name))
            });
        }
        let opener = self.pskc.opener.as_ref().ok_or(Rejection::Key(KeyRejection::Cipher(name)))?;
        opener.open(data, name).map_err(Rejection::Key)
    }
}

/// The kind of a key by the end of its algorithm's URI: `urn:ietf:params:xml:ns:keyprov:pskc:totp`,
/// `http://www.ietf.org/keyprov/pskc#hotp`, or the bare word.
fn kind(key: &Element) -> Option<KindName> {
    let uri = key.attribute("Algorithm").or_else(|| key.attribute("KeyAlgorithm"))?;
    match uri.rsplit([':', '#', '/']).next()?.to_ascii_lowercase().as_str() {
        "totp" => Some(KindName::Totp),
        "hotp" => Some(KindName::Hotp),
        _ => None,
    }
}

/// Codes are decimal digits, and nothing but the code.
fn check_response(response: Option<&Element>) -> Result<(), Rejection> {
    let Some(response) = response else { return Ok(()) };
    let check = response.attribute("CheckDigits").or_else(|| response.attribute("CheckDigit"));
    if check.is_some_and(|value| !matches!(value, "false" | "0")) {
        return Err(Rejection::Key(KeyRejection::CheckDigits));
    }
    if response.attribute("Encoding").is_some_and(|encoding| !encoding.eq_ignore_ascii_case("DECIMAL")) {
        return Err(Rejection::Key(KeyRejection::ResponseEncoding));
    }
    Ok(())
}

/// A number as text, else as base64 of one.
fn plain_number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| number_of(&base64(text)?))
}

/// A number as text, else as bytes, the most significant first.
fn number_of(bytes: &[u8]) -> Option<i64> {
    if let Some(number) = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()) {
        return Some(number);
    }
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number).ok()
}
