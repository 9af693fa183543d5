//! The text of a file as bytes of UTF-8, whatever Excel or Notepad made of it.
//!
//! A byte-order mark is dropped and UTF-16 is transcoded. Everything else stays as it is: serial numbers and secrets are
//! ASCII in every encoding a vendor uses, and the two fields that are not, maker and model, are read leniently.

use zeroize::Zeroizing;

/// A text that is not one: a UTF-16 surrogate without its partner, or binary data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotText;

/// The distance that is searched for bytes that no text has.
const LOOKED_AT: usize = 64 * 1024;

/// The bytes of a text file without byte-order mark, in UTF-8 or another superset of ASCII.
pub(super) fn text(mut bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NotText> {
    let text = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => {
            bytes.drain(..3);
            bytes
        }
        [0xff, 0xfe, rest @ ..] => transcoded(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => transcoded(rest, u16::from_be_bytes)?,
        // No mark, but every other byte of the first characters is zero.
        [one, 0, two, 0, ..] if *one != 0 && *two != 0 => transcoded(&bytes, u16::from_le_bytes)?,
        [0, one, 0, two, ..] if *one != 0 && *two != 0 => transcoded(&bytes, u16::from_be_bytes)?,
        _ => bytes,
    };
    let start = text.get(..LOOKED_AT).unwrap_or(&text);
    if start.iter().any(|byte| is_binary(*byte)) { Err(NotText) } else { Ok(text) }
}

/// True when the beginning of a file is that of a text. UTF-16 is told by its mark or its zeros; a character cut in two
/// at the end does not count.
pub(super) fn is_text(start: &[u8]) -> bool {
    let plain = |bytes: &[u8]| !bytes.iter().any(|byte| is_binary(*byte));
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
        let mut characters = char::decode_utf16(units).flatten();
        !characters.any(|character| u8::try_from(character).is_ok_and(is_binary))
    };
    match start {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [one, 0, two, 0, ..] if *one != 0 && *two != 0 => wide(start, u16::from_le_bytes),
        [0, one, 0, two, ..] if *one != 0 && *two != 0 => wide(start, u16::from_be_bytes),
        _ => plain(start),
    }
}

/// Control characters, apart from white space and the Ctrl-Z at the end of some DOS files.
fn is_binary(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x1a)
}

/// UTF-16 as UTF-8. Counted first and written then, so that the buffer never grows and leaves a copy behind.
fn transcoded(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<Vec<u8>>, NotText> {
    let characters = || char::decode_utf16(bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair)));
    let mut length = 0;
    for character in characters() {
        length += character.map_err(|_| NotText)?.len_utf8();
    }
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    for character in characters().flatten() {
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(text)
}

/// The text of an XML document, which must be UTF-8: what is not, is taken for Latin-1, whatever the document declares.
pub(super) fn utf8(text: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    if std::str::from_utf8(&text).is_ok() {
        return text;
    }
    let length = text.iter().map(|byte| char::from(*byte).len_utf8()).sum();
    let mut converted = Zeroizing::new(Vec::with_capacity(length));
    for byte in text.iter() {
        converted.extend_from_slice(char::from(*byte).encode_utf8(&mut [0; 4]).as_bytes());
    }
    converted
}

/// Replaces the spaces that only look like one by spaces, in place, so that every position stays: the no-break space of UTF-8
/// and of Latin-1, narrow, thin and figure spaces, zero-width spaces and marks. Says whether there were any.
pub(super) fn even_spaces(text: &mut [u8]) -> bool {
    if text.is_ascii() {
        return false;
    }
    let latin = std::str::from_utf8(text).is_err();
    let (mut at, mut found) = (0, false);
    while let Some(rest) = text.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest {
            [0xc2, 0xa0, ..] => 2,
            // U+2000 to U+200B, U+202F, U+205F, U+2060, U+3000 and U+FEFF.
            [0xe2, 0x80, 0x80..=0x8b | 0xaf, ..]
            | [0xe2, 0x81, 0x9f | 0xa0, ..]
            | [0xe3, 0x80, 0x80, ..]
            | [0xef, 0xbb, 0xbf, ..] => 3,
            [0xa0, ..] if latin => 1,
            [byte, ..] => {
                // The rest of a character of UTF-8 is no space of Latin-1.
                at += if latin { 1 } else { length_of(*byte) };
                continue;
            }
            [] => break,
        };
        rest.iter_mut().take(length).for_each(|byte| *byte = b' ');
        (at, found) = (at + length, true);
    }
    found
}

/// The number of bytes of a character of UTF-8 that begins with this one.
fn length_of(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// Text that people wrote, such as the name of a maker: UTF-8, else taken for Latin-1, without control characters.
pub(super) fn words(bytes: &[u8]) -> String {
    let lenient = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
    let text = std::str::from_utf8(bytes).map_or_else(|_| lenient(bytes), str::to_owned);
    text.chars().filter(|character| !character.is_control()).take(LONGEST_WORDS).collect()
}

/// Enough for any maker and model.
const LONGEST_WORDS: usize = 64;

/// A file that holds nothing but hexadecimal digits, in any encoding and with the separators that people use, as those
/// digits.
pub(super) fn hex_digits(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const LONGEST: usize = 256;
    if bytes.len() > LONGEST {
        return None;
    }
    let text = text(Zeroizing::new(bytes.to_vec())).ok()?;
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"0x").unwrap_or(text);
    let mut digits = Zeroizing::new(Vec::with_capacity(text.len()));
    digits.extend(text.iter().filter(|byte| !matches!(byte, b' ' | b':' | b'-')));
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)).then_some(digits)
}

/// Text that [`utf8`] has made UTF-8.
pub(super) fn as_str(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, NotText> {
        text(Zeroizing::new(bytes.to_vec())).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_are_dropped_and_utf16_is_transcoded() {
        let expected = "1234,JBSWY3DP,Büro 🔑\r\n";
        let marked = format!("\u{feff}{expected}");
        assert_eq!(read(expected.as_bytes()).unwrap(), expected);
        assert_eq!(read(marked.as_bytes()).unwrap(), expected);
        assert_eq!(read(&utf16(&marked, u16::to_le_bytes)).unwrap(), expected);
        assert_eq!(read(&utf16(&marked, u16::to_be_bytes)).unwrap(), expected);
        assert_eq!(read(&utf16(expected, u16::to_le_bytes)).unwrap(), expected);
        assert_eq!(read(&utf16(expected, u16::to_be_bytes)).unwrap(), expected);
    }

    #[test]
    fn spaces_of_every_kind_become_spaces_and_nothing_moves() {
        for (text, expected) in
            [("77\u{a0},AB\u{202f}CD", &b"77  ,AB   CD"[..]), ("\u{200b}77\u{feff},\u{3000}é", b"   77   ,   \xc3\xa9")]
        {
            let mut bytes = text.as_bytes().to_vec();
            assert!(even_spaces(&mut bytes), "{text:?}");
            assert_eq!(bytes, expected);
        }
        let mut latin = b"77\xa0,M\xfcller".to_vec();
        assert!(even_spaces(&mut latin));
        assert_eq!(latin, b"77 ,M\xfcller");
        for plain in ["7700,ABCD", "7700,à", "号,番"] {
            let mut bytes = plain.as_bytes().to_vec();
            assert!(!even_spaces(&mut bytes));
            assert_eq!(bytes, plain.as_bytes());
        }
    }

    #[test]
    fn binary_data_is_no_text() {
        assert_eq!(read(b"\x7fELF\x02\x01\x01\x00"), Err(NotText));
        assert_eq!(
            read(&utf16("\u{feff}a", u16::to_le_bytes).into_iter().chain([0, 0xd8]).collect::<Vec<_>>()),
            Err(NotText)
        );
    }

    #[test]
    fn names_are_read_leniently_and_cannot_steer_a_terminal() {
        assert_eq!(words("Büro".as_bytes()), "Büro");
        assert_eq!(words(b"B\xfcro"), "Büro");
        assert_eq!(words(b"a\x1b[31mb"), "a[31mb");
        assert_eq!(words(&[b'x'; 200]).len(), 64);
    }
}
