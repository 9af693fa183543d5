//! PSKC (RFC 6030): surveyed once, then read key by key.
//!
//! Invariants: a key that has a property we cannot keep (a PIN, a limit, a check digit, another epoch) is
//! refused with the reason and not imported without it; an encrypted value counts only when its MAC matches.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::bounds::{MOST_NOTES, MOST_ROWS};
use super::error::{ImportError, PskcError};
use super::keyring::Asked;
use super::note::{Aspect, Assumption, Explanation, Note, Part, Unexplained};
use super::offer::{self, Offered, Stated};
use super::options::{KindName, Options};
use super::place::Place;
use super::pskc_crypto::{Opener, Sealing, base64};
use super::rejection::{KeyRejection, Rejection};
use super::xml::{Child, Element, Namespace, TOO_MANY, XmlDocument, XmlError};
use super::{characters, pskc_codes as codes, pskc_shape as shape, seed_encoding};
use twofactor_core::codes::otp::{LARGEST_DRIFT, Parameters};
use twofactor_core::codes::token::Serial;

/// The facts that hold for all keys of a document.
pub(super) struct Pskc {
    opener: Option<Opener>,
    /// It says how its values are encrypted or authenticated, so a secret in the clear does not belong there.
    sealed: bool,
    /// The beginning of the first package and the end of the last.
    pub(super) first: usize,
    pub(super) last: usize,
    /// The number of keys.
    pub(super) rows: usize,
}

/// A key of a document.
pub(super) struct PskcRow {
    pub(super) line: usize,
    /// The beginning and the end of its package.
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
        let refused = |error: XmlError| match error.problem {
            TOO_MANY => ImportError::TooManyElements,
            problem => ImportError::Xml(place(error.line), problem),
        };
        let (mut document, root) = XmlDocument::begin(text).map_err(refused)?;
        if !root.is("KeyContainer") {
            return Err(PskcError::NotPskc.into());
        }
        let mut survey = PackageSurvey::default();
        survey.unexplained(shape::unexplained_of_container(&root));
        let mut pskc = Self { opener: None, sealed: false, first: text.len(), last: text.len(), rows: 0 };
        while let Some(child) = document.next().map_err(refused)? {
            if child.element.is("EncryptionKey") {
                if child.too_large && child.element.find("X509Data").is_none() {
                    return Err(PskcError::Derivation.into());
                }
                let twice = survey.encryption_key.replace(child.element).is_some();
                survey.unexplained(twice.then(|| "EncryptionKey, twice".to_owned()));
            } else if child.element.is("MACMethod") {
                let twice = survey.mac_method.replace(child.element).is_some();
                survey.unexplained(twice.then(|| "MACMethod, twice".to_owned()));
            } else if child.element.is("Signature") {
                survey.notice(true, Note::SignatureUnchecked);
            } else if is_package(&child.element) {
                pskc.first = pskc.first.min(child.start);
                pskc.last = child.end;
                pskc.rows += if child.too_large { 1 } else { survey.see(child.element, options) };
            } else {
                survey.unexplained([characters::words(child.element.name.as_bytes())]);
            }
            if pskc.rows > MOST_ROWS {
                return Err(ImportError::TooManyRows);
            }
        }
        if pskc.rows == 0 {
            return Err(ImportError::NoRows);
        }
        pskc.sealed = survey.encryption_key.is_some() || survey.mac_method.is_some();
        if let Some(example) = &survey.encrypted {
            let sealing = Sealing::read(survey.encryption_key.as_ref(), survey.mac_method.as_ref(), example)?;
            pskc.opener = Some(sealing.opener(asked, |opener| !opens_none(text, opener))?);
        }
        let secret = packages(text).next().and_then(|package| pskc.first_secret(&package.element));
        let twice = survey.encoded_twice;
        survey.note(secret.as_ref().map(|bytes| bytes.len()), options, notes);
        if twice || secret.is_some_and(|bytes| seed_encoding::is_encoded_once_more(&bytes)) {
            notes.push(Note::Assumed(Assumption::encoded_twice("base64")));
        }
        Ok(pskc)
    }

    /// The explanation of the document; the entry is the caller's to name.
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

    /// The secret of the first key of a package.
    fn first_secret(&self, package: &Element) -> Option<Zeroizing<Vec<u8>>> {
        let secret = values(package.child("Key")?, "Secret").next()?;
        match (&self.opener, plain(secret)) {
            (_, Some(plain)) => base64(plain.text()),
            (Some(opener), None) => opener.open(secret, SECRET).ok(),
            (None, None) => None,
        }
    }

    /// True when its secrets are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.opener.is_some()
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

    /// The offers of a package's keys; a package without key offers one reason.
    fn keys(&self, package: &Child, options: &Options) -> Vec<Result<Offered, Rejection>> {
        // What was cut off is missing, perhaps the key itself.
        if package.too_large {
            return vec![Err(Rejection::Key(KeyRejection::TooLarge))];
        }
        let device = device(&package.element);
        let keys = package.element.children_named("Key");
        let package = &package.element;
        let key = |key| Key { element: key, package, device, pskc: self }.offered(options);
        let offers: Vec<_> = keys.map(key).collect();
        if offers.is_empty() { vec![Err(Rejection::Key(KeyRejection::NoKey))] } else { offers }
    }
}

/// The packages of a document that is known to be well-formed.
fn packages(text: &str) -> impl Iterator<Item = Child> {
    let mut document = XmlDocument::begin(text).ok().map(|(document, _)| document);
    std::iter::from_fn(move || document.as_mut()?.next().ok()?).filter(|child| is_package(&child.element))
}

/// A key with its device: `KeyPackage`, and `Device` in the drafts of PSKC from before the RFC.
fn is_package(element: &Element) -> bool {
    element.is("KeyPackage") || element.is("Device")
}

/// The device of a package: `DeviceInfo`, and `DeviceId` in drafts.
fn device(package: &Element) -> Option<&Element> {
    package.child("DeviceInfo").or_else(|| package.child("DeviceId"))
}

/// True when the key is wrong, and not each value: none can be opened, and of at least one the MAC does not match.
fn opens_none(text: &str, opener: &Opener) -> bool {
    let mut mismatch = false;
    for package in packages(text) {
        let data = package.element.children_named("Key").flat_map(|key| key.children_named("Data"));
        for value in data.flat_map(|data| std::iter::once(data).chain(data.children())) {
            if value.child("EncryptedValue").is_none() {
                continue;
            }
            match opener.open(value, SECRET) {
                Ok(_) => return false,
                Err(KeyRejection::MacMismatch(_)) => mismatch = true,
                Err(_) => {}
            }
        }
    }
    mismatch
}

/// The result of a look at every package.
#[derive(Default)]
struct PackageSurvey {
    encryption_key: Option<Element>,
    mac_method: Option<Element>,
    /// One of the encrypted values.
    encrypted: Option<Element>,
    /// A secret is hexadecimal text once more.
    encoded_twice: bool,
    unsaid: UnsaidByKeys,
    notes: Vec<Note>,
}

impl PackageSurvey {
    /// Takes note of a package. Says how many rows it makes.
    fn see(&mut self, package: Element, options: &Options) -> usize {
        let dated = |element: Option<&Element>| {
            element.is_some_and(|element| element.child("ExpiryDate").is_some() || element.child("StartDate").is_some())
        };
        self.notice(dated(device(&package)), Note::DatesUnchecked);
        self.notice(package.is("Device"), Note::Draft);
        self.unexplained(shape::unexplained_of_package(&package));
        let mut keys = 0;
        for key in package.children_named("Key") {
            keys += 1;
            self.notice(dated(key.child("Policy")), Note::DatesUnchecked);
            self.notice(is_of_privacyidea(key) && has_drift(key), Note::DriftInSeconds);
            let stated = Stated::in_the_clear(key);
            self.notice(!options.is_silent() && stated.settle(options).overruled, Note::Overruled);
            self.unsaid.see(stated, key, options);
            self.unexplained(shape::unexplained_of_key(key));
            self.unexplained(of_the_other_kind(key, options));
            let plain = values(key, "Secret").filter_map(plain).filter_map(|plain| base64(plain.text()));
            self.encoded_twice |= plain.into_iter().any(|bytes| seed_encoding::is_encoded_once_more(&bytes));
        }
        if self.encrypted.is_none() && package.find("EncryptedValue").is_some() {
            self.encrypted = package.into_found("EncryptedValue");
        }
        keys.max(1)
    }

    /// Takes note of parts that are not read.
    fn unexplained(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names.into_iter().take(MOST_NOTES) {
            self.notice(self.notes.len() < MOST_NOTES, Note::Unexplained(Unexplained::Element(name)));
        }
    }

    /// Takes a note, once.
    fn notice(&mut self, found: bool, note: Note) {
        if found && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// All notes about the document. `length`: that of the first secret, in bytes.
    fn note(mut self, length: Option<usize>, options: &Options, notes: &mut Vec<Note>) {
        self.unsaid.note(length, options, notes);
        notes.append(&mut self.notes);
    }
}

/// The properties that at least one key does not state.
#[derive(Default)]
struct UnsaidByKeys(Vec<Aspect>);

impl UnsaidByKeys {
    fn see(&mut self, stated: Stated, key: &Element, options: &Options) {
        let parameters = codes::parameters(key);
        let kind = options.kind.or(stated.kind);
        let timed = kind == Some(KindName::Totp) && options.period.is_none();
        for (unsaid, what) in [
            (options.algorithm.is_none() && matches!(codes::algorithm(parameters), Ok(None)), Aspect::Hash),
            (options.digits.is_none() && matches!(codes::digits(parameters), Ok(None)), Aspect::Digits),
            (timed && !has_value(key, "TimeInterval"), Aspect::Period),
            (kind == Some(KindName::Hotp) && !has_value(key, "Counter"), Aspect::Counter),
        ] {
            if unsaid && !self.0.contains(&what) {
                self.0.push(what);
            }
        }
    }

    fn note(&self, length: Option<usize>, options: &Options, notes: &mut Vec<Note>) {
        let Parameters { algorithm, digits, .. } = Stated::default().settle(options).parameters;
        let other_hash = match length {
            Some(32) => Some("SHA256, as the secrets have 32 bytes: --algorithm SHA256"),
            Some(64) => Some("SHA512, as the secrets have 64 bytes: --algorithm SHA512"),
            _ => None,
        };
        notes.extend(self.0.iter().map(|what| {
            Note::Assumed(match (what, other_hash) {
                (Aspect::Hash, Some(other)) => Assumption::doubtful(*what, algorithm.to_string(), other),
                (Aspect::Hash, None) => Assumption::usual(*what, algorithm.to_string()),
                (Aspect::Digits, _) => Assumption::usual(*what, format!("{} digits", digits.count())),
                (Aspect::Period, _) => Assumption::usual(*what, "30 s"),
                _ => Assumption::usual(*what, "from counter 0"),
            })
        }));
    }
}

/// True when a value of a key is there and not empty.
fn has_value(key: &Element, name: &str) -> bool {
    values(key, name).any(|value| match plain(value) {
        Some(plain) => !is_absent(plain.text()),
        None => !value.children().is_empty() || !is_absent(value.text()),
    })
}

/// The values of a name in `Data`. In drafts the name is an attribute of `Data`, and the value stands in it.
fn values<'e>(key: &'e Element, name: &'e str) -> impl Iterator<Item = &'e Element> {
    key.children_named("Data").flat_map(move |data| {
        let named =
            data.attribute("Name").is_some_and(|attribute| attribute.replace('_', "").eq_ignore_ascii_case(name));
        let inside = data.children().iter().filter(move |value| value.is(name));
        named.then_some(data).into_iter().chain(inside)
    })
}

/// A value that says how codes of the other kind are made: a counter of a clock, an interval of a counter. Empty ones, zeros
/// and encrypted ones say nothing. privacyIDEA writes there which step of a clock was used last.
fn of_the_other_kind(key: &Element, options: &Options) -> Option<String> {
    let name = match options.kind.or(kind(key))? {
        KindName::Totp if is_of_privacyidea(key) => return None,
        KindName::Totp => "Counter",
        KindName::Hotp => "TimeInterval",
    };
    let says = |value: &Element| plain(value).is_some_and(|plain| !is_absent(plain.text()) && plain.text() != "0");
    let word = if name == "Counter" { "TOTP" } else { "HOTP" };
    values(key, name).any(says).then(|| format!("{name} of a {word} key"))
}

/// A value that is not encrypted; drafts have another name for it.
fn plain(data: &Element) -> Option<&Element> {
    data.child("PlainValue").or_else(|| data.child("Value"))
}

/// A value that is there and says nothing: empty, or what a program writes for nothing.
fn is_absent(text: &str) -> bool {
    text.is_empty() || text == "None"
}

/// privacyIDEA writes the drift of a clock in seconds where the RFC has steps.
fn is_of_privacyidea(key: &Element) -> bool {
    key.child("Issuer").is_some_and(|issuer| issuer.text().eq_ignore_ascii_case("privacyIDEA"))
}

fn has_drift(key: &Element) -> bool {
    values(key, "TimeDrift").any(|drift| plain(drift).is_some_and(|plain| !matches!(plain.text(), "" | "None" | "0")))
}

const SECRET: &str = "the secret";
/// The shortest word that is taken for a secret, in characters of base32: 128 bits.
const SHORTEST_SECRET: usize = 26;

impl Stated {
    /// A key's words about codes without being opened. Its row will tell its defects.
    fn in_the_clear(key: &Element) -> Self {
        let parameters = codes::parameters(key);
        let interval = values(key, "TimeInterval").find_map(|value| plain_number(plain(value)?.text()));
        Self {
            kind: kind(key),
            algorithm: codes::algorithm(parameters).ok().flatten(),
            digits: codes::digits(parameters).ok().flatten(),
            period: interval.and_then(|seconds| offer::period(u64::try_from(seconds).ok()?).ok()),
            counter: None,
            usual_kind: None,
        }
    }
}

/// A key with the device it belongs to and what holds for the document.
#[derive(Clone, Copy)]
struct Key<'e> {
    element: &'e Element,
    package: &'e Element,
    device: Option<&'e Element>,
    pskc: &'e Pskc,
}

impl<'e> Key<'e> {
    fn offered(self, options: &Options) -> Result<Offered, Rejection> {
        let serial = self.serial()?;
        let stated_kind = kind(self.element);
        let Some(kind) = options.kind.or(stated_kind) else { return Err(Rejection::Kind) };
        self.check_policy()?;
        let parameters = codes::parameters(self.element);
        codes::check(parameters)?;
        shape::check(self.package, self.element, options)?;
        let mut stated = Stated { kind: stated_kind, ..Stated::default() };
        if options.algorithm.is_none() {
            stated.algorithm = codes::algorithm(parameters)?;
        }
        if options.digits.is_none() {
            stated.digits = codes::digits(parameters)?;
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
                let drifts = !is_of_privacyidea(self.element);
                let steps = if drifts { self.number("TimeDrift", "the time drift")? } else { None };
                let wrong = Rejection::Key(KeyRejection::Number("the time drift"));
                // Further off than two consecutive codes could show, it is none of a clock.
                let bounded = |steps: &i32| steps.abs() <= LARGEST_DRIFT;
                let steps = steps.map(|steps| i32::try_from(steps).ok().filter(bounded).ok_or(wrong));
                drift = steps.transpose()?;
            }
            KindName::Hotp => {
                let counter = self.number("Counter", "the counter")?;
                // A negative one is beyond the last, too.
                stated.counter =
                    counter.map(|counter| offer::counter(u64::try_from(counter).unwrap_or(u64::MAX))).transpose()?;
            }
        }
        let secret = self.secret()?;
        let vendor = self.named("Manufacturer", "the manufacturer")?;
        let model = self.named("Model", "the model")?;
        let offered = Offered::new(serial, secret, stated.settle(options));
        Ok(Offered { drift, vendor, model, ..offered })
    }

    /// A word about the device, which lists print.
    fn named(self, name: &str, what: &'static str) -> Result<Option<String>, Rejection> {
        let text = self.device.and_then(|device| device.child(name)).map(Element::text).unwrap_or_default();
        if text.len() >= SHORTEST_SECRET && seed_encoding::is_secret_for_serial(text.as_bytes()) {
            return Err(Rejection::Key(KeyRejection::SecretIn(what)));
        }
        Ok((!text.is_empty()).then(|| characters::words(text.as_bytes())))
    }

    /// `SerialNo` of the device, else the key's own `Id`.
    fn serial(self) -> Result<Serial, Rejection> {
        let devices = self.package.children().iter().filter(|child| child.is("DeviceInfo") || child.is("DeviceId"));
        if devices.flat_map(|device| device.children_named("SerialNo")).nth(1).is_some() {
            return Err(Rejection::Key(KeyRejection::Twice("the serial number")));
        }
        let printed = self.device.and_then(|device| device.child("SerialNo")).map(Element::text);
        let printed = printed.filter(|serial| !serial.is_empty());
        if printed.is_none() && shape::has_unread_serial(self.package, self.element) {
            return Err(Rejection::Key(KeyRejection::Form("the serial number")));
        }
        if printed.is_some_and(|printed| seed_encoding::is_secret_for_serial(printed.as_bytes())) {
            return Err(Rejection::SerialIsSecret);
        }
        // Identifiers of keys may be 32 hexadecimal digits.
        let serial = printed.or_else(|| self.element.attribute("Id")).or_else(|| self.element.attribute("KeyId"));
        offer::serial(serial.unwrap_or_default().as_bytes())
    }

    /// RFC 6030 §5: a program that does not support a rule must not use the key.
    fn check_policy(self) -> Result<(), Rejection> {
        for rule in self.element.children_named("Policy").flat_map(Element::children) {
            let refusal = match rule.name.to_ascii_lowercase().as_str() {
                _ if rule.namespace == Namespace::Foreign => KeyRejection::Policy,
                // Dates are noted for the whole file: nothing here reads a clock.
                "startdate" | "expirydate" => continue,
                // A PIN that only unlocks the device is no concern of ours.
                "pinpolicy" => match rule.attribute("PINUsageMode") {
                    Some("Local") => continue,
                    _ => KeyRejection::Pin,
                },
                "keyusage" if rule.text() == "OTP" => continue,
                "keyusage" => {
                    let others =
                        self.element.children_named("Policy").flat_map(|policy| policy.children_named("KeyUsage"));
                    if others.into_iter().any(|usage| usage.text() == "OTP") {
                        continue;
                    }
                    KeyRejection::Usage
                }
                "numberoftransactions" => KeyRejection::Uses,
                _ => KeyRejection::Policy,
            };
            return Err(Rejection::Key(refusal));
        }
        Ok(())
    }

    fn secret(self) -> Result<twofactor_core::codes::secret::Secret, Rejection> {
        let Some(data) = self.data("Secret", SECRET)? else {
            let elsewhere = self.element.child("KeyReference").is_some();
            return Err(if elsewhere { Rejection::Key(KeyRejection::Reference) } else { Rejection::SecretMissing });
        };
        if !is_as_read(data, &says_base64) || !data.text().is_empty() {
            return Err(Rejection::Key(KeyRejection::Form(SECRET)));
        }
        if plain(data).is_some_and(|plain| !is_as_read(plain, &says_base64) || !plain.children().is_empty()) {
            return Err(Rejection::Key(KeyRejection::Form(SECRET)));
        }
        let encoded = |plain: &Element| seed_encoding::not_base64(plain.text());
        if let Some(encoding) = plain(data).filter(|_| !self.pskc.sealed).and_then(encoded) {
            return Err(Rejection::Key(KeyRejection::Encoded(encoding)));
        }
        let bytes = match plain(data) {
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
        let strange = |value: &Element| !is_as_read(value, &|_, _| false);
        let beside = |plain: &Element| strange(plain) || !plain.children().is_empty() || !data.text().is_empty();
        if strange(data) || plain(data).is_some_and(beside) {
            return Err(wrong);
        }
        let number = match plain(data).map(Element::text) {
            Some(text) if is_absent(text) => return Ok(None),
            Some(text) => plain_number(text),
            None if data.children().is_empty() && is_absent(data.text()) => return Ok(None),
            None => number_of(&self.opened(data, name)?),
        };
        number.map(Some).ok_or(wrong)
    }

    /// The one value of a name in `Data`.
    fn data(self, element: &'e str, name: &'static str) -> Result<Option<&'e Element>, Rejection> {
        let mut found = None;
        for value in values(self.element, element) {
            let plain_or_encrypted = |child: &&Element| {
                ["PlainValue", "Value", "EncryptedValue"]
                    .into_iter()
                    .any(|known| child.name.eq_ignore_ascii_case(known))
            };
            let count = value.children().iter().filter(plain_or_encrypted).count();
            if count > 1 || found.replace(value).is_some() {
                return Err(Rejection::Key(KeyRejection::Twice(name)));
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
    offer::kind(uri.rsplit([':', '#', '/']).next()?)
}

/// A number as text, else as base64 of one. Base64 of bytes ends with padding: `dead` and `0x10` are none.
fn plain_number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let bytes = base64(text)?;
        let number = number_of(&bytes)?;
        (text.ends_with('=') || bytes.iter().all(u8::is_ascii_digit)).then_some(number)
    })
}

/// True when a value has no attribute but its name, and those that `says` allows with what they say.
fn is_as_read(value: &Element, says: &dyn Fn(&str, &str) -> bool) -> bool {
    value.attribute_names().all(|name| {
        name.eq_ignore_ascii_case("Name")
            || name.eq_ignore_ascii_case("Id")
            || value.attribute(name).is_some_and(|said| says(name, said))
    })
}

/// True when an attribute says that a secret is in base64.
fn says_base64(name: &str, value: &str) -> bool {
    ["Encoding", "Format"].into_iter().any(|known| known.eq_ignore_ascii_case(name))
        && value.eq_ignore_ascii_case("base64")
}

/// A number as text, else as bytes, the most significant first.
fn number_of(bytes: &[u8]) -> Option<i64> {
    if let Some(number) = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()) {
        return Some(number);
    }
    // Three and more characters that can be printed are text that is no number: `7.0`, `0x10`.
    let is_text = bytes.len() > 2 && bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || bytes.len() > 8 || is_text {
        return None;
    }
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number).ok()
}
