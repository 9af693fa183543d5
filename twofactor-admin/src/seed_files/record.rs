//! A record of a file that is neither a table nor PSKC: its fields, put together.

use std::ops::Range;

use twofactor_core::codes::otp::{Digits, Period};
use zeroize::Zeroizing;

use super::offer::{self, Offered, Stated};
use super::options::Options;
use super::rejection::{Parameter, Rejection};
use super::seed_encoding;
use super::unread::{self, Unread};
use super::xml::{Child, Element, XmlDocument};

/// A record of a file.
pub(super) struct Record {
    pub(super) line: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Its words about codes.
    pub(super) stated: Stated,
    pub(super) token: Result<Offered, Rejection>,
    /// The names of its parts that are not read.
    pub(super) unknown: Vec<String>,
}

/// The fields of a record, before they are put together.
pub(super) struct Fields<'f> {
    pub(super) serial: &'f [u8],
    pub(super) secret: Result<Zeroizing<Vec<u8>>, Rejection>,
    pub(super) stated: Result<Stated, Rejection>,
    pub(super) vendor: Option<String>,
    pub(super) model: Option<String>,
}

impl Fields<'_> {
    /// Those of a row that cannot be read.
    pub(super) fn unreadable(why: Rejection) -> Self {
        Self { serial: b"-", secret: Err(why), stated: Err(why), vendor: None, model: None }
    }

    /// The record at a place of the text.
    pub(super) fn record(self, line: usize, span: Range<usize>, options: &Options) -> Record {
        let stated = *self.stated.as_ref().unwrap_or(&Stated::default());
        let token = self.offered(options);
        Record { line, start: span.start, end: span.end, stated, token, unknown: Vec::new() }
    }

    /// The same, where parts beside the fields are not read: one whose name says how codes are made rejects the record,
    /// unless an option says it for all.
    pub(super) fn record_beside(
        mut self,
        unknown: Vec<String>,
        line: usize,
        span: Range<usize>,
        options: &Options,
    ) -> Record {
        let mut about = unknown.iter().filter_map(|name| unread::about_codes(name));
        if let Some(Unread { name, about }) = about.find(|unread| !unread::is_said(unread.about, options)) {
            self.stated = self.stated.and(Err(Rejection::NotRead(name, about)));
        }
        Record { unknown, ..self.record(line, span, options) }
    }

    fn offered(self, options: &Options) -> Result<Offered, Rejection> {
        if seed_encoding::is_secret_for_serial(self.serial) {
            return Err(Rejection::SerialIsSecret);
        }
        let serial = offer::serial(self.serial)?;
        let stated = self.stated?;
        let secret = offer::secret(self.secret?)?;
        let Self { vendor, model, .. } = self;
        Ok(Offered { vendor, model, ..Offered::new(serial, secret, stated.settle(options)) })
    }
}

/// The children of a document that is known to be well-formed; those of its `inside` elements as if they were the root's.
pub(super) fn children<'t>(text: &'t str, inside: &'static str) -> impl Iterator<Item = Child> + 't {
    let mut document = XmlDocument::begin(text).ok().map(|(document, _)| document.entering(inside));
    std::iter::from_fn(move || document.as_mut()?.next().ok()?)
}

/// The text of a child, when it has one.
pub(super) fn text_of<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    element.child(name).map(Element::text).filter(|text| !text.is_empty())
}

/// The names of the children and attributes of an element that are none of those known.
pub(super) fn unknown_parts(element: &Element, known: &[&str]) -> Vec<String> {
    let names = element.children().iter().map(|child| child.name.as_str()).chain(element.attribute_names());
    let is_known = |name: &&str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    names.filter(|name| !is_known(name)).map(str::to_owned).collect()
}

/// The length of a code, in digits of text.
pub(super) fn digits(text: &str) -> Result<Digits, Rejection> {
    number(text).ok_or(Rejection::Parameter(Parameter::Digits)).and_then(offer::digits)
}

/// The length of a step in seconds, as text.
pub(super) fn period(text: &str) -> Result<Period, Rejection> {
    number(text).ok_or(Rejection::Parameter(Parameter::Period)).and_then(offer::period)
}

/// A counter, as text.
pub(super) fn counter(text: &str) -> Result<u64, Rejection> {
    number(text).ok_or(Rejection::Counter).and_then(offer::counter)
}

/// A whole number in digits.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}
