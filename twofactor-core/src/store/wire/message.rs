//! One message: pairs in their order, and the line that they are on the wire.

use std::fmt;
use std::str::FromStr;

use zeroize::{Zeroize as _, Zeroizing};

use super::error::WireError;
use crate::codes::otp::Code;
use crate::text::pairs::{self, Pairs};

/// The version that this program speaks.
const VERSION: &str = "1";

/// The largest question, in bytes, without its length.
pub const LARGEST_QUESTION: usize = 16 * 1024;

/// The largest answer: an account with as many apps, tokens and ssh keys as one can have, and the longest names.
pub const LARGEST_ANSWER: usize = 512 * 1024;

/// The key that says the kind of a question, behind the version.
pub(super) const ASK: &str = "ask";

/// Keys with their values. A key may stand there more than once.
pub struct Message(Pairs);

impl Message {
    /// A message that begins with the version and a word for its kind.
    pub(super) fn new(kind: &'static str, word: &str) -> Self {
        Self(Vec::new()).with("version", VERSION).with(kind, word)
    }

    /// The message with one more pair.
    #[must_use]
    pub(super) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.0.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same with a number or a word that is no secret.
    #[must_use]
    pub(super) fn with_plain(self, key: &'static str, value: impl fmt::Display) -> Self {
        self.with(key, &value.to_string())
    }

    /// The same with a pair that may be absent.
    #[must_use]
    pub(super) fn with_some(self, key: &'static str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(key, value.as_ref()),
            None => self,
        }
    }

    /// The message with the pairs whose keys are kept.
    pub(super) fn keeping(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| keep(key)).cloned().collect())
    }

    /// The message in parts: what stands before the first of these keys, and a part from each of them to the next.
    pub(super) fn parts(&self, heads: &[&str]) -> Vec<Self> {
        let mut parts = vec![Self(Vec::new())];
        for (key, value) in &self.0 {
            if heads.contains(&key.as_str()) {
                parts.push(Self(Vec::new()));
            }
            if let Some(part) = parts.last_mut() {
                part.0.push((key.clone(), value.clone()));
            }
        }
        parts
    }

    /// Refuses keys other than these, those of each question, and the first two, which say version and kind.
    pub(super) fn must_have_only(&self, keys: &[&str], common: &[&str]) -> Result<(), WireError> {
        let is_known = |key: &str| keys.contains(&key) || common.contains(&key);
        let others = self.0.iter().skip(2).find(|(key, _)| !is_known(key));
        others.map_or(Ok(()), |_| Err(WireError::Key))
    }

    /// The value of a key that stands there once.
    pub(super) fn get(&self, key: &'static str) -> Result<&str, WireError> {
        self.find(key)?.ok_or(WireError::Value(key))
    }

    /// The value of a key that stands there once or not at all.
    pub(super) fn find(&self, key: &'static str) -> Result<Option<&str>, WireError> {
        let mut values = self.all(key);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(WireError::Value(key)),
        }
    }

    /// All values of a key, in their order.
    pub(super) fn all(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(other, _)| other == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key that stands there once, as what it stands for.
    pub(super) fn parsed<T: FromStr>(&self, key: &'static str) -> Result<T, WireError> {
        self.get(key)?.parse().map_err(|_| WireError::Value(key))
    }

    /// The same of a key that may be absent.
    pub(super) fn parsed_if_there<T: FromStr>(&self, key: &'static str) -> Result<Option<T>, WireError> {
        self.find(key)?.map(|value| value.parse().map_err(|_| WireError::Value(key))).transpose()
    }

    /// Two codes of a token, one after the other.
    pub(super) fn two_codes(&self) -> Result<[Code; 2], WireError> {
        let codes = self.all("code").map(|digits| Code::new(Zeroizing::new(digits.to_owned())));
        let codes: Option<Vec<Code>> = codes.collect();
        codes.and_then(|codes| codes.try_into().ok()).ok_or(WireError::Value("code"))
    }

    /// The message with its length, as it goes over the wire.
    pub fn framed(&self) -> Result<Zeroizing<Vec<u8>>, WireError> {
        let is_question = self.0.get(1).is_some_and(|(key, _)| key == ASK);
        let largest = if is_question { LARGEST_QUESTION } else { LARGEST_ANSWER };
        // A byte takes four at most.
        let most = |(key, value): &(String, String)| key.len() + 4 * value.len() + 4;
        // Room for the whole line, so that growing never leaves a copy of a code behind.
        let mut line = Zeroizing::new(String::with_capacity(self.0.iter().map(most).sum::<usize>().min(largest)));
        for pair @ (key, value) in &self.0 {
            if line.len() + most(pair) > largest {
                return Err(WireError::TooLarge(line.len() + value.len()));
            }
            pairs::write_whole(&mut line, key, value);
        }
        let length = u32::try_from(line.len()).map_err(|_| WireError::TooLarge(line.len()))?;
        let mut framed = Zeroizing::new(Vec::with_capacity(4 + line.len()));
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(line.as_bytes());
        Ok(framed)
    }

    /// The message without its length, for a stream of another program's.
    pub fn line(&self) -> Result<Zeroizing<Vec<u8>>, WireError> {
        let framed = self.framed()?;
        Ok(Zeroizing::new(framed.get(4..).unwrap_or_default().to_vec()))
    }

    /// The number of bytes that follow a length, `largest` at most.
    pub fn length(header: [u8; 4], largest: usize) -> Result<usize, WireError> {
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length <= largest { Ok(length) } else { Err(WireError::TooLarge(length)) }
    }

    /// Reads what came over the wire, without its length. Refuses another version.
    pub fn read(line: &[u8]) -> Result<Self, WireError> {
        let line = std::str::from_utf8(line).map_err(|_| WireError::Form)?;
        let message = Self(pairs::read_whole(line).ok_or(WireError::Form)?);
        match message.0.first() {
            Some((key, version)) if key == "version" && version == VERSION => Ok(message),
            Some((key, version)) if key == "version" => Err(WireError::Version(version.clone())),
            _ => Err(WireError::Value("version")),
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

/// Keys alone: values may be codes.
impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}
