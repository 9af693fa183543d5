//! Base32 or hexadecimal: decided once for a file, from the characters of all its secrets.
//!
//! Invariants: a secret is decoded straight into a buffer of its final size that is wiped when dropped.

use zeroize::Zeroizing;

use super::options::Encoding;
use super::rejection::Rejection;

/// The possible encodings of a secret, by its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Possible {
    /// It has one of `0 1 8 9`.
    OnlyHex,
    /// It has one of `G` to `Z`.
    OnlyBase32,
    /// It has none of those.
    Either,
    /// It has both, or something else.
    Neither,
}

/// The lengths of the secrets of SHA-1, SHA-256 and SHA-512 tokens, in hexadecimal digits.
const HEX_LENGTHS: [usize; 3] = [40, 64, 128];
/// The same in base32 without padding.
const BASE32_LENGTHS: [usize; 3] = [32, 52, 103];
/// The shortest secret we accept takes this many characters of base32. What is shorter is no evidence: most likely it
/// is a word of a sentence.
const SHORTEST: usize = 16;
const BASE32_OF_128_BITS: usize = 26;

/// True when a field has the form of a secret, as far as that can be told without others: at least 16 letters and digits of one
/// of the two alphabets, one case, in groups of one length. A number alone is none, and neither are words.
pub(super) fn looks_like_secret(field: &[u8]) -> bool {
    may_be_secret(field) && field.iter().any(u8::is_ascii_digit)
}

/// The same for a field without any digit, which can also be a long word.
pub(super) fn may_be_secret(field: &[u8]) -> bool {
    let seen = Seen::of(field);
    let one_case = matches!(seen.classes & (UPPER | LOWER), UPPER | LOWER);
    // Most secrets are one group.
    let has_even_groups = || seen.length == field.len() || has_even_groups(field);
    let usual = seen.reading() != Possible::Neither && seen.length >= SHORTEST && one_case && has_even_groups();
    usual || written_out(field).is_some()
}

/// The hexadecimal digits of a secret as programmers write it: `0x3132…`, or its bytes with colons between them. There is no
/// other reading of either.
fn written_out(field: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let is_hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    let digits = match field {
        [b'0', b'x' | b'X', digits @ ..] if is_hex(digits) => Zeroizing::new(digits.to_vec()),
        _ if field.get(2) == Some(&b':') => {
            let mut pairs = field.split(|byte| *byte == b':');
            let mut digits = Zeroizing::new(Vec::with_capacity(field.len()));
            let even = pairs.all(|pair| {
                digits.extend_from_slice(pair);
                pair.len() == 2 && is_hex(pair)
            });
            even.then_some(digits)?
        }
        _ => return None,
    };
    (digits.len() >= SHORTEST).then_some(digits)
}

/// Groups of one length, of which the last may be shorter: the words of a sentence are none.
fn has_even_groups(field: &[u8]) -> bool {
    let mut groups = field.split(|byte| BETWEEN.contains(byte)).map(<[u8]>::len).filter(|length| *length > 0);
    let Some(first) = groups.next() else { return false };
    let mut last = first;
    groups.all(|length| {
        let even = last == first && length <= first;
        last = length;
        even
    })
}

/// True when a serial number has the form of a secret of at least 80 bits in hexadecimal digits, or of at least 80 bits in
/// base32: those are not printed on tokens.
pub(super) fn is_secret_for_serial(field: &[u8]) -> bool {
    if field.iter().any(|byte| BETWEEN.contains(byte)) || field.len() < SHORTEST {
        return false;
    }
    if written_out(field).is_some() {
        return true;
    }
    let (reading, length) = reading(field);
    let letters = field.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    match reading {
        Possible::OnlyBase32 => letters > 0 && letters < length || length >= 26,
        Possible::OnlyHex | Possible::Either => length >= 20 && letters > 0,
        Possible::Neither => false,
    }
}

/// The evidence of a file's secrets about their encoding. Lines, to be named in an error, count from 1.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that was seen or not")]
pub(super) struct Evidence {
    only_hex: Option<usize>,
    only_base32: Option<usize>,
    either: Option<usize>,
    not_as_long_as_hex: bool,
    not_as_long_as_base32: bool,
    short_hex: bool,
    /// A secret is written with `0x` before it, or with colons between its bytes.
    pub(super) written_out: bool,
    pub(super) lengths: Lengths,
}

/// The lengths of a table's secrets, in characters that count.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Lengths {
    /// The first few lengths: how long, how often, and where first.
    seen: [(usize, usize, usize); 4],
}

impl Lengths {
    fn see(&mut self, length: usize, line: usize) {
        for (known, count, first) in &mut self.seen {
            if *count == 0 {
                (*known, *first) = (length, line);
            }
            if *known == length {
                *count += 1;
                return;
            }
        }
    }

    /// The lengths in bytes, each with the line that has it first; the most frequent first.
    pub(super) fn in_bytes(&self, encoding: Encoding) -> Vec<(usize, usize)> {
        let mut seen: Vec<_> = self.seen.iter().filter(|(_, count, _)| *count > 0).collect();
        seen.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        let bytes = |length: usize| match encoding {
            Encoding::Base32 => length * 5 / 8,
            Encoding::Hex => length / 2,
        };
        seen.into_iter().map(|(length, _, line)| (bytes(*length), *line)).collect()
    }
}

/// The verdict on the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The characters leave no choice.
    Certain(Encoding),
    /// Every secret could be either, and has the length that one of them gives.
    ByLength(Encoding),
    /// The lines of a hexadecimal secret and of one in base32.
    Mixed(usize, usize),
    /// The line of a secret that could be either.
    Ambiguous(usize),
    /// There is no secret that could be one. So that the rejections fit: what the short ones look like.
    Nothing(Encoding),
}

impl Evidence {
    /// Takes note of the secret of a line. Says how many characters of it count.
    pub(super) fn see(&mut self, field: &[u8], line: usize) -> usize {
        let (reading, length) = reading(field);
        if length < SHORTEST {
            self.short_hex |= reading == Possible::OnlyHex;
            return length;
        }
        match reading {
            Possible::OnlyHex => _ = self.only_hex.get_or_insert(line),
            Possible::OnlyBase32 => _ = self.only_base32.get_or_insert(line),
            Possible::Either => {
                self.either.get_or_insert(line);
                self.not_as_long_as_hex |= !HEX_LENGTHS.contains(&length);
                self.not_as_long_as_base32 |= !BASE32_LENGTHS.contains(&length);
            }
            Possible::Neither => {
                let Some(digits) = written_out(field) else { return length };
                self.written_out = true;
                return self.see(&digits, line);
            }
        }
        self.lengths.see(length, line);
        length
    }

    /// The verdict on all secrets together.
    pub(super) fn verdict(&self) -> Verdict {
        match (self.only_hex, self.only_base32, self.either) {
            (Some(hex), Some(base32), _) => Verdict::Mixed(hex, base32),
            (Some(_), None, _) => Verdict::Certain(Encoding::Hex),
            (None, Some(_), _) => Verdict::Certain(Encoding::Base32),
            (None, None, Some(_)) if !self.not_as_long_as_hex => Verdict::ByLength(Encoding::Hex),
            (None, None, Some(_)) if !self.not_as_long_as_base32 => Verdict::ByLength(Encoding::Base32),
            (None, None, Some(line)) => Verdict::Ambiguous(line),
            (None, None, None) if self.short_hex => Verdict::Nothing(Encoding::Hex),
            (None, None, None) => Verdict::Nothing(Encoding::Base32),
        }
    }
}

/// The possible encodings of a secret, and its length without the characters that do not count.
fn reading(field: &[u8]) -> (Possible, usize) {
    let seen = Seen::of(field);
    (seen.reading(), seen.length)
}

/// The characters of a field.
struct Seen {
    /// The classes of all of them.
    classes: u8,
    /// The number of them that count.
    length: usize,
}

impl Seen {
    fn of(field: &[u8]) -> Self {
        let (mut classes, mut length) = (0, 0);
        for byte in field {
            let class = CLASSES[usize::from(*byte)];
            classes |= class;
            length += usize::from(class & BLANK == 0);
        }
        Self { classes, length }
    }

    fn reading(&self) -> Possible {
        let (cases, alphabets) = (self.classes & (UPPER | LOWER), self.classes & (HEX | BASE32 | OTHER));
        match alphabets {
            0 => Possible::Either,
            HEX => Possible::OnlyHex,
            // Upper and lower case in one secret is base64.
            BASE32 if cases != UPPER | LOWER => Possible::OnlyBase32,
            _ => Possible::Neither,
        }
    }
}

const HEX: u8 = 1;
const BASE32: u8 = 2;
const OTHER: u8 = 4;
const BLANK: u8 = 8;
const UPPER: u8 = 16;
const LOWER: u8 = 32;

/// The evidence of every byte about the encoding.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [OTHER; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'0' | b'1' | b'8' | b'9' => HEX,
            b'2'..=b'7' => 0,
            b'A'..=b'F' => UPPER,
            b'a'..=b'f' => LOWER,
            b'G'..=b'Z' => BASE32 | UPPER,
            b'g'..=b'z' => BASE32 | LOWER,
            b' ' | b'-' | b'=' | b'\t' => BLANK,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
}

/// True when the bytes of a secret are an encoded secret in their turn, so that it was probably encoded twice: hexadecimal
/// digits, 32 and more of any kind or 16 with a letter among them, or base32 of at least 128 bits. Digits alone are how test
/// secrets are typed.
pub(super) fn is_encoded_once_more(bytes: &[u8]) -> bool {
    // Most secrets have another byte at their beginning: a million of them are looked at.
    if !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return false;
    }
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    let is_hex = || bytes.iter().all(u8::is_ascii_hexdigit) && (bytes.len() >= 32 || (bytes.len() >= 16 && letters));
    let is_base32 = || {
        let seen = Seen::of(bytes);
        let one_case = seen.classes & (UPPER | LOWER) != UPPER | LOWER;
        seen.classes & (HEX | OTHER | BLANK) == 0 && one_case && letters && bytes.len() >= BASE32_OF_128_BITS
    };
    is_hex() || is_base32()
}

/// The encoding of a text that should be base64 and has only characters of one that is read: no base64 of a secret has
/// sixteen of them by chance. Padding of base64 is none of base32 but at lengths that no secret has.
pub(super) fn not_base64(text: &str) -> Option<Encoding> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let padded = plain.len();
    while plain.last() == Some(&b'=') {
        plain.pop();
    }
    if plain.len() < SHORTEST || (padded > plain.len() && padded % 8 != 0) || plain.contains(&b'-') {
        return None;
    }
    if padded == plain.len() && plain.iter().all(u8::is_ascii_hexdigit) {
        return Some(Encoding::Hex);
    }
    let seen = Seen::of(&plain);
    let one_case = seen.classes & (UPPER | LOWER) != UPPER | LOWER;
    (one_case && matches!(seen.reading(), Possible::OnlyBase32 | Possible::Either)).then_some(Encoding::Base32)
}

/// The encoding of most keys, by whether each is of hexadecimal digits alone: a damaged one, or one of another type, says nothing
/// about the others.
pub(super) fn of_most(are_hex: impl Iterator<Item = bool>) -> Encoding {
    let (hex, others) =
        are_hex.fold((0, 0), |(hex, others), is_hex| if is_hex { (hex + 1, others) } else { (hex, others + 1) });
    if hex > others { Encoding::Hex } else { Encoding::Base32 }
}

/// The bytes of a secret.
pub(super) fn decode(field: &[u8], encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    let (bits_each, values, refused) = match encoding {
        Encoding::Base32 => (5, &BASE32_VALUES, Rejection::NotBase32),
        Encoding::Hex => (4, &HEX_VALUES, Rejection::NotHex),
    };
    let characters = field.iter().filter(|byte| CLASSES[usize::from(**byte)] & BLANK == 0).count();
    let mut bytes = Zeroizing::new(Vec::with_capacity(characters * bits_each / 8));
    let (mut pending, mut bits, mut cases) = (0_u32, 0, 0);
    for byte in field {
        let value = values[usize::from(*byte)];
        if value >= IGNORED {
            if value == IGNORED {
                continue;
            }
            return match written_out(field) {
                Some(digits) if encoding == Encoding::Hex => decode(&digits, encoding),
                Some(_) => Err(Rejection::WrittenOut),
                None if is_base64(field) => Err(Rejection::SecretBase64),
                None => Err(refused),
            };
        }
        cases |= CLASSES[usize::from(*byte)];
        pending = (pending << bits_each) | u32::from(value);
        bits += bits_each;
        if bits >= 8 {
            bits -= 8;
            let [low, ..] = (pending >> bits).to_le_bytes();
            bytes.push(low);
        }
    }
    if encoding == Encoding::Base32 && cases & (UPPER | LOWER) == UPPER | LOWER {
        return Err(Rejection::SecretBase64);
    }
    // So many characters cannot stand for whole bytes: at least one is missing.
    if match encoding {
        Encoding::Base32 => matches!(characters % 8, 1 | 3 | 6),
        Encoding::Hex => characters % 2 == 1,
    } {
        return Err(Rejection::SecretIncomplete);
    }
    Ok(bytes)
}

/// True when all characters are those of base64 and some are of neither of the two encodings that are read: a sign, or both
/// cases with letters that are no hexadecimal digits.
fn is_base64(field: &[u8]) -> bool {
    let alphabet =
        field.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    let seen = field.iter().fold(0, |seen, byte| seen | CLASSES[usize::from(*byte)]);
    let signed = field.iter().any(|byte| matches!(byte, b'+' | b'/' | b'_'));
    let both_cases = seen & (UPPER | LOWER) == UPPER | LOWER && seen & BASE32 != 0;
    alphabet && field.len() >= SHORTEST && (signed || both_cases)
}

/// The class of every byte. Looked up rather than compared: no branch predictor foresees a random secret, and a file has
/// millions of characters.
type Values = [u8; 256];

static BASE32_VALUES: Values = values(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
static HEX_VALUES: Values = values(b"0123456789ABCDEF");

/// Does not count.
const IGNORED: u8 = 0xfe;
/// Is none of the alphabet's characters.
const NO_VALUE: u8 = 0xff;

/// The characters between the groups of a secret, and padding.
const BETWEEN: &[u8] = b" -=\t";

/// The values of the characters of `alphabet`, in any case.
const fn values(alphabet: &[u8]) -> Values {
    let mut values = [NO_VALUE; 256];
    let mut place = 0;
    while place < BETWEEN.len() {
        values[BETWEEN[place] as usize] = IGNORED;
        place += 1;
    }
    let mut value = 0_u8;
    while (value as usize) < alphabet.len() {
        let character = alphabet[value as usize];
        values[character as usize] = value;
        values[character.to_ascii_lowercase() as usize] = value;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(secrets: &[&str]) -> Verdict {
        let mut evidence = Evidence::default();
        for (index, secret) in secrets.iter().enumerate() {
            evidence.see(secret.as_bytes(), index + 1);
        }
        evidence.verdict()
    }

    #[test]
    fn one_telling_character_decides_for_the_whole_file() {
        let either = "ABCDEF2345672345";
        assert_eq!(verdict(&[either, "ABCDEF2345672340"]), Verdict::Certain(Encoding::Hex));
        assert_eq!(verdict(&[either, "abcdef234567234z"]), Verdict::Certain(Encoding::Base32));
        assert_eq!(verdict(&["ABCDEF234567234Z", either, "ABCDEF2345672340"]), Verdict::Mixed(3, 1));
        assert_eq!(verdict(&[either]), Verdict::Ambiguous(1));
        assert_eq!(verdict(&[]), Verdict::Nothing(Encoding::Base32));
    }

    #[test]
    fn secrets_that_could_be_either_are_told_by_their_length() {
        for (length, encoding) in [40, 64, 128]
            .map(|length| (length, Encoding::Hex))
            .into_iter()
            .chain([32, 52, 103].map(|length| (length, Encoding::Base32)))
        {
            let secret = "A".repeat(length);
            assert_eq!(verdict(&[&secret]), Verdict::ByLength(encoding), "{length}");
        }
        assert_eq!(verdict(&[&"A".repeat(40), &"A".repeat(32)]), Verdict::Ambiguous(1));
    }

    #[test]
    fn words_and_misprints_are_no_evidence() {
        // A zero in the place of an O.
        assert_eq!(verdict(&["GEZDGNBVGY3TQ0JQ", "README"]), Verdict::Nothing(Encoding::Base32));
        assert_eq!(verdict(&["00"]), Verdict::Nothing(Encoding::Hex));
    }

    #[test]
    fn a_secret_is_read_as_people_type_it() {
        let expected = b"12345678901234567890";
        for text in [
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
            "GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ====",
        ] {
            assert_eq!(decode(text.as_bytes(), Encoding::Base32).unwrap().as_slice(), expected);
        }
        let hex = "31 32 33 34 35 36 37 38 39 30 31 32 33 34 35 36 37 38 39 30";
        assert_eq!(decode(hex.as_bytes(), Encoding::Hex).unwrap().as_slice(), expected);
    }

    #[test]
    fn hexadecimal_digits_are_read_as_programmers_write_them() {
        let colons = "31:32:33:34:35:36:37:38:39:30:31:32:33:34:35:36:37:38:39:30";
        for text in ["0x3132333435363738393031323334353637383930", "0X3132333435363738393031323334353637383930", colons]
        {
            assert_eq!(decode(text.as_bytes(), Encoding::Hex).unwrap().as_slice(), b"12345678901234567890");
            assert_eq!(decode(text.as_bytes(), Encoding::Base32).unwrap_err(), Rejection::WrittenOut);
            let mut evidence = Evidence::default();
            evidence.see(text.as_bytes(), 1);
            assert_eq!((evidence.verdict(), evidence.written_out), (Verdict::Certain(Encoding::Hex), true));
            assert!(looks_like_secret(text.as_bytes()) && is_secret_for_serial(text.as_bytes()));
        }
        for text in ["0x31323334353637383930313233343536373839G0", "31:32:33:34:35:36:37:38:39:3", "00:11:22:33:44:55"]
        {
            assert!(written_out(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_apart() {
        assert_eq!(decode(b"GEZDGNBVG", Encoding::Base32).unwrap_err(), Rejection::SecretIncomplete);
        assert_eq!(decode(b"313", Encoding::Hex).unwrap_err(), Rejection::SecretIncomplete);
        // The wrong character is the first thing to know, however many there are.
        assert_eq!(decode(b"GEZDGNBV0", Encoding::Base32).unwrap_err(), Rejection::NotBase32);
        assert_eq!(decode(b"3G1", Encoding::Hex).unwrap_err(), Rejection::NotHex);
        for base64 in
            [&b"aqEF01oicNt0JjOFcv9znJnAZVA="[..], b"hrNVgPRmtiBEvF+JIPSTjCvBEeY=", b"gezdGNBVgy3tqojqgezdGNBVgy3tqojq"]
        {
            assert_eq!(decode(base64, Encoding::Base32).unwrap_err(), Rejection::SecretBase64);
        }
        assert_eq!(decode(b"GEZDGNB0", Encoding::Base32).unwrap_err(), Rejection::NotBase32);
        assert_eq!(decode(b"3G", Encoding::Hex).unwrap_err(), Rejection::NotHex);
    }

    #[test]
    fn secrets_are_told_from_words_and_from_serial_numbers() {
        for secret in
            ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezd gnbv gy3t qojq", "6aa105d35a2270db7426338572ff739c99c06550"]
        {
            assert!(looks_like_secret(secret.as_bytes()), "{secret}");
        }
        for words in
            ["Initialisierungsschluessel2", "secret key base32 encoded", "77000000000000000000", "Serial Number"]
        {
            assert!(!looks_like_secret(words.as_bytes()), "{words}");
        }
        for secret in ["NKQQLU22EJYNW5BGGOCXF73TTSM4AZKQ", "6aa105d35a2270db7426338572ff739c"] {
            assert!(is_secret_for_serial(secret.as_bytes()), "{secret}");
        }
        for serial in
            ["7700000000011", "77000000000000000000", "GALT11420104", "00A1B2C3D4E5F6A7", "TOTP0001A2B3C4D5E6"]
        {
            assert!(!is_secret_for_serial(serial.as_bytes()), "{serial}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            let base32 = data_encoding::BASE32.encode(&bytes);
            let hex = data_encoding::HEXLOWER.encode(&bytes);
            prop_assert_eq!(&*decode(base32.as_bytes(), Encoding::Base32).unwrap(), &bytes);
            prop_assert_eq!(&*decode(hex.as_bytes(), Encoding::Hex).unwrap(), &bytes);
        }
    }
}
