//! The elements and attributes of a PSKC key that are read, or known to say nothing about codes; all others are found here.
//!
//! Invariants: every part of a key that is not read is named in the report. One whose name says how codes are made rejects
//! the key, unless an option says it for all rows.

use super::characters;
use super::options::Options;
use super::rejection::{KeyRejection, Rejection};
use super::unread::{self, Unread};
use super::xml::Element;

/// An element that is known.
struct Shape {
    name: &'static str,
    attributes: &'static [&'static str],
    inside: Inside,
    /// It may stand there more than once.
    repeats: bool,
}

/// The parts of an element.
#[derive(Clone, Copy)]
enum Inside {
    /// Text and no element.
    Text,
    /// These elements and no text.
    Elements(&'static [Shape]),
    /// Another place looks into it.
    Elsewhere,
    /// Elements that none has to know, each of which is named.
    Extensions,
}

const fn text(name: &'static str) -> Shape {
    Shape { name, attributes: &[], inside: Inside::Text, repeats: false }
}

const fn elements(name: &'static str, inside: &'static [Shape]) -> Shape {
    Shape { name, attributes: &[], inside: Inside::Elements(inside), repeats: false }
}

const fn elsewhere(name: &'static str) -> Shape {
    Shape { name, attributes: &[], inside: Inside::Elsewhere, repeats: true }
}

const EXTENSIONS: Shape =
    Shape { name: "Extensions", attributes: &["Definition"], inside: Inside::Extensions, repeats: true };

/// The values of `Data` and of its children; `Value` in drafts.
static VALUE: [Shape; 4] =
    [elsewhere("PlainValue"), elsewhere("Value"), elsewhere("EncryptedValue"), elsewhere("ValueMAC")];

const fn value(name: &'static str) -> Shape {
    // Their attributes and their text are looked at where the value is read.
    Shape { name, attributes: &["Id", "Encoding", "Format"], inside: Inside::Elements(&VALUE), repeats: false }
}

static DATA: [Shape; 9] = [
    value("Secret"),
    value("Counter"),
    value("Time"),
    value("TimeInterval"),
    value("TimeDrift"),
    elsewhere("PlainValue"),
    elsewhere("Value"),
    elsewhere("EncryptedValue"),
    elsewhere("ValueMAC"),
];

static PARAMETERS: [Shape; 4] = [
    Shape { name: "Suite", attributes: &super::pskc_codes::HASH_ATTRIBUTES, inside: Inside::Text, repeats: false },
    elsewhere("ChallengeFormat"),
    Shape {
        name: "ResponseFormat",
        attributes: &super::pskc_codes::RESPONSE_ATTRIBUTES,
        inside: Inside::Elements(&[]),
        repeats: false,
    },
    EXTENSIONS,
];

static KEY: Shape = Shape {
    name: "Key",
    attributes: &["Id", "KeyId", "Algorithm", "KeyAlgorithm"],
    inside: Inside::Elements(&[
        text("Issuer"),
        Shape { repeats: true, ..text("FriendlyName") },
        text("UserId"),
        text("KeyReference"),
        elements("AlgorithmParameters", &PARAMETERS),
        // Drafts say there what a key is for.
        Shape {
            attributes: &["OTP", "CR", "Encrypt", "Integrity", "Verify", "Unlock", "Decrypt", "KeyWrap", "Unwrap"],
            ..elements("Usage", &PARAMETERS)
        },
        Shape { name: "Data", attributes: &["Name"], inside: Inside::Elements(&DATA), repeats: true },
        elsewhere("Policy"),
        EXTENSIONS,
    ]),
    repeats: true,
};

static DEVICE: [Shape; 9] = [
    text("Manufacturer"),
    text("SerialNo"),
    text("Model"),
    text("IssueNo"),
    text("DeviceBinding"),
    text("StartDate"),
    text("ExpiryDate"),
    text("UserId"),
    EXTENSIONS,
];

static PACKAGE: Shape = Shape {
    name: "KeyPackage",
    attributes: &["Id"],
    inside: Inside::Elements(&[
        elements("DeviceInfo", &DEVICE),
        elements("DeviceId", &DEVICE),
        elements("CryptoModuleInfo", &[text("Id"), EXTENSIONS]),
        elsewhere("Key"),
        EXTENSIONS,
    ]),
    repeats: true,
};

static CONTAINER: Shape =
    Shape { name: "KeyContainer", attributes: &["Version", "Id"], inside: Inside::Elements(&[]), repeats: false };

/// A part that is not known, or stands there once more than it is read.
struct Finding<'e> {
    /// The element that holds it.
    parent: &'e str,
    name: &'e str,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Element,
    Attribute,
    /// Text where only elements are read.
    Text,
    Twice,
    AttributeTwice,
    /// An element of `Extensions`, which a reader need not know.
    Extension,
}

impl Finding<'_> {
    fn words(&self) -> String {
        let words = match self.what {
            What::Element => self.name.to_owned(),
            What::Attribute | What::Extension => format!("{} {}", self.parent, self.name),
            What::Text => format!("{} text", self.parent),
            What::Twice => format!("{}, twice", self.name),
            What::AttributeTwice => format!("{} {}, twice", self.parent, self.name),
        };
        characters::words(words.as_bytes())
    }

    /// Why the key is rejected for it.
    fn rejection(&self, options: &Options) -> Option<Rejection> {
        let twice = |name| Some(Rejection::Key(KeyRejection::Twice(name)));
        let said = match self.what {
            What::Extension => return None,
            What::AttributeTwice => return twice("an attribute"),
            What::Twice => {
                return match self.name.to_ascii_lowercase().as_str() {
                    "suite" => twice("the hash (Suite)"),
                    "responseformat" => twice("the length of codes (ResponseFormat)"),
                    "algorithmparameters" | "usage" => twice("AlgorithmParameters"),
                    _ => None,
                };
            }
            // That of a value is looked at where the value is read.
            What::Text if !self.parent.eq_ignore_ascii_case("ResponseFormat") => return None,
            What::Text => self.parent,
            What::Element | What::Attribute => self.name,
        };
        let Unread { name, about } = unread::about_codes(said)?;
        (!unread::is_said(about, options)).then_some(Rejection::NotRead(name, about))
    }

    fn is_serial(&self) -> bool {
        let name: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
        name.to_ascii_lowercase().contains("serial") || self.parent.eq_ignore_ascii_case("SerialNo")
    }
}

/// Visits what is not known of an element.
fn visit<'e>(element: &'e Element, shape: &Shape, seen: &mut impl FnMut(Finding<'e>)) {
    if matches!(shape.inside, Inside::Elsewhere) {
        return;
    }
    let parent = element.name.as_str();
    let mut find = |name, what| seen(Finding { parent, name, what });
    for (index, name) in element.attribute_names().enumerate() {
        if element.attribute_names().take(index).any(|other| other.eq_ignore_ascii_case(name)) {
            find(name, What::AttributeTwice);
        } else if !shape.attributes.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            find(name, What::Attribute);
        }
    }
    let known = match shape.inside {
        Inside::Elsewhere | Inside::Text => &[][..],
        Inside::Extensions => {
            element.children().iter().for_each(|child| find(&child.name, What::Extension));
            return;
        }
        Inside::Elements(known) => {
            if !element.text().is_empty() {
                find(parent, What::Text);
            }
            known
        }
    };
    for (index, child) in element.children().iter().enumerate() {
        let Some(known) = known.iter().find(|known| child.is(known.name)) else {
            seen(Finding { parent, name: &child.name, what: What::Element });
            continue;
        };
        let before = element.children().get(..index).unwrap_or_default();
        if !known.repeats && before.iter().any(|other| other.is(known.name)) {
            seen(Finding { parent, name: &child.name, what: What::Twice });
        }
        visit(child, known, seen);
    }
}

/// The attributes of a container that are not known.
pub(super) fn unexplained_of_container(root: &Element) -> Vec<String> {
    let mut names = Vec::new();
    visit(root, &CONTAINER, &mut |finding| names.push(finding.words()));
    names
}

/// The parts of a package that are not known, besides its keys.
pub(super) fn unexplained_of_package(package: &Element) -> Vec<String> {
    let mut names = Vec::new();
    visit(package, &PACKAGE, &mut |finding| names.push(finding.words()));
    names
}

/// The parts of a key that are not known.
pub(super) fn unexplained_of_key(key: &Element) -> Vec<String> {
    let mut names = Vec::new();
    visit(key, &KEY, &mut |finding| names.push(finding.words()));
    names.extend(unknown_data(key).map(|name| characters::words(format!("Data {name}").as_bytes())));
    names
}

/// Rejects a key of which a part that is not read says how codes are made.
pub(super) fn check(package: &Element, key: &Element, options: &Options) -> Result<(), Rejection> {
    let mut why = None;
    let mut judge = |finding: Finding<'_>| {
        if why.is_none() {
            why = finding.rejection(options);
        }
    };
    visit(package, &PACKAGE, &mut judge);
    visit(key, &KEY, &mut judge);
    let twice = |what| Rejection::Key(KeyRejection::Twice(what));
    if key.child("AlgorithmParameters").is_some() && key.child("Usage").is_some() {
        why = why.or(Some(twice("AlgorithmParameters")));
    }
    if key.attribute("Algorithm").is_some() && key.attribute("KeyAlgorithm").is_some() {
        why = why.or(Some(twice("the type (Algorithm)")));
    }
    let unknown = || {
        let Unread { name, about } = unknown_data(key).find_map(unread::about_codes)?;
        (!unread::is_said(about, options)).then_some(Rejection::NotRead(name, about))
    };
    why.or_else(unknown).map_or(Ok(()), Err)
}

/// True when a part that is not read may be the serial number.
pub(super) fn has_unread_serial(package: &Element, key: &Element) -> bool {
    let mut found = false;
    let mut judge = |finding: Finding<'_>| found |= finding.is_serial();
    visit(package, &PACKAGE, &mut judge);
    visit(key, &KEY, &mut judge);
    found
}

/// The names that drafts give `Data`, where they are none that is read.
fn unknown_data(key: &Element) -> impl Iterator<Item = &str> {
    let names = key.children_named("Data").filter_map(|data| data.attribute("Name"));
    let known = |name: &str| {
        let plain = name.replace('_', "");
        ["secret", "counter", "time", "timeinterval", "timedrift"]
            .into_iter()
            .any(|known| plain.eq_ignore_ascii_case(known))
    };
    names.filter(move |name| !known(name))
}
