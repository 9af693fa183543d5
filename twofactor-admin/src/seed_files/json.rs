//! The little of JSON that exports of authenticator apps need: a tree whose texts are wiped.
//!
//! Invariants: no nesting, number of values or text beyond what an export has; nothing is taken for a value that is not
//! well-formed. Commas are not asked for, so that rows taken out of an array can be read again.

use std::ops::Range;

use zeroize::Zeroizing;

use super::xml::line_ends;

/// Deeper than any export.
const DEEPEST: usize = 24;
/// More than the values of 20,000 entries.
const MOST_VALUES: usize = 1_000_000;
/// The longest text, in bytes: exports of password managers have notes.
const LONGEST_TEXT: usize = 64 << 10;

/// A value.
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it was written.
    Number(String),
    Text(Zeroizing<String>),
    /// With the place of each element.
    Array(Vec<(Range<usize>, Json)>),
    Object(Vec<(String, Json)>),
}

/// A text that is no JSON, or beyond a bound. Where it is wrong, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotJson(pub(super) usize);

impl Json {
    /// Reads a document.
    pub(super) fn parse(text: &str) -> Result<Self, NotJson> {
        let mut reader = Reader { text, at: 0, values: 0 };
        let value = reader.value(0)?;
        reader.blanks();
        if reader.at == text.len() { Ok(value) } else { Err(NotJson(reader.at)) }
    }

    /// A member of an object, by its name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The value at the end of a path.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// A text, or nothing where it is empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A whole number, written as one or as a text.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The elements of an array.
    pub(super) fn elements(&self) -> Option<&[(Range<usize>, Self)]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self) -> Result<T, NotJson> {
        Err(NotJson(self.at))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// White space, and commas between elements.
    fn between(&mut self) {
        self.blanks();
        while self.peek() == Some(b',') {
            self.at += 1;
            self.blanks();
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.values += 1;
        if depth > DEEPEST || self.values > MOST_VALUES {
            return self.wrong();
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Json::Number(self.number())),
            _ if self.takes("null") => Ok(Json::Null),
            _ if self.takes("true") => Ok(Json::Bool(true)),
            _ if self.takes("false") => Ok(Json::Bool(false)),
            _ => self.wrong(),
        }
    }

    fn number(&mut self) -> String {
        let length =
            self.rest().bytes().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
        let length = length.count();
        let number = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length;
        number
    }

    fn array(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.between();
            if self.takes("]") {
                return Ok(Json::Array(elements));
            }
            let start = self.at;
            let value = self.value(depth + 1)?;
            elements.push((start..self.at, value));
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, NotJson> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.between();
            if self.takes("}") {
                return Ok(Json::Object(members));
            }
            if self.peek() != Some(b'"') {
                return self.wrong();
            }
            let key = self.string()?.to_string();
            self.blanks();
            if !self.takes(":") {
                return self.wrong();
            }
            // Programs disagree about the one of two that counts.
            if members.iter().any(|(other, _)| *other == key) {
                return self.wrong();
            }
            members.push((key, self.value(depth + 1)?));
        }
    }

    fn string(&mut self) -> Result<Zeroizing<String>, NotJson> {
        self.at += 1;
        let rest = self.rest().as_bytes();
        let mut end = 0;
        loop {
            match rest.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(byte) if *byte >= 0x20 && end <= LONGEST_TEXT => end += 1,
                _ => return self.wrong(),
            }
        }
        // What was escaped is never longer than its escape, so the buffer does not grow and leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(end));
        let Some(raw) = self.rest().get(..end) else { return self.wrong() };
        if unescape(raw, &mut text).is_none() {
            return self.wrong();
        }
        self.at += end + 1;
        Ok(text)
    }
}

/// Appends a text without its escapes. `None`: one of them is none.
fn unescape(raw: &str, text: &mut String) -> Option<()> {
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next()? {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' | 'f' => text.push(' '),
            'u' => {
                let unit = |characters: &mut std::str::Chars<'_>| {
                    let digits: String = characters.by_ref().take(4).collect();
                    (digits.len() == 4).then(|| u16::from_str_radix(&digits, 16).ok())?
                };
                let first = unit(&mut characters)?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first) {
                    if characters.next() != Some('\\') || characters.next() != Some('u') {
                        return None;
                    }
                    units.push(unit(&mut characters)?);
                }
                text.push(char::decode_utf16(units).next()?.ok()?);
            }
            other @ ('"' | '\\' | '/') => text.push(other),
            _ => return None,
        }
    }
    Some(())
}

/// The line in which a text is no JSON any more. `None`: it is JSON.
pub(super) fn wrong_line(text: &str) -> Option<usize> {
    let NotJson(at) = Json::parse(text).err()?;
    Some(1 + line_ends(text.as_bytes().get(..at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documents_are_read_with_the_places_of_elements() {
        let text = r#" {"a": [1, "x\u00fc\n\ud83d\ude00", {"b": null}], "c": -5, "d": true} "#;
        let json = Json::parse(text).unwrap();
        let elements = json.get("a").unwrap().elements().unwrap();
        assert_eq!(&text[elements[2].0.clone()], r#"{"b": null}"#);
        assert_eq!(elements[1].1.text(), Some("xü\n😀"));
        assert_eq!((json.at(&["c"]).unwrap().number(), elements[0].1.number()), (Some(-5), Some(1)));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1",
            "{\"a\"}",
            "{\"a\":}",
            "\"\\x\"",
            "\"a",
            "nul",
            "{} x",
            "{\"a\":1,\"a\":1}",
            "\"\\ud800\"",
            "{1:2}",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert!(Json::parse(&"[".repeat(1000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\":,\\\\a-f0-9 unlt\u{fc}-]{0,60}") {
            let _ = Json::parse(&text);
        }
    }
}
