//! Base32 or hexadecimal: decided once for a file, from the characters of all its secrets.
//!
//! What always holds: a secret is decoded straight into a buffer of its final size that is wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

use super::offer::Rejection;

/// How secrets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 §6, any case, with or without padding.
    Base32,
    /// Hexadecimal digits, any case.
    Hex,
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Base32 => "base32",
            Self::Hex => "hexadecimal",
        })
    }
}

/// What a secret can be, by its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It has one of `0 1 8 9`.
    OnlyHex,
    /// It has one of `G` to `Z`.
    OnlyBase32,
    /// It has none of those.
    Either,
    /// It has both, or something else.
    Neither,
}

/// How long the secrets of SHA-1, SHA-256 and SHA-512 tokens are in hexadecimal digits.
const HEX_LENGTHS: [usize; 3] = [40, 64, 128];
/// The same in base32 without padding.
const BASE32_LENGTHS: [usize; 3] = [32, 52, 103];
/// The shortest secret we accept takes this many characters of base32. What is shorter is no evidence: most likely it
/// is a word of a sentence.
const SHORTEST: usize = 16;

/// What the secrets of a file say about their encoding. Lines, to be named in an error, count from 1.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    only_hex: Option<usize>,
    only_base32: Option<usize>,
    either: Option<usize>,
    not_as_long_as_hex: bool,
    not_as_long_as_base32: bool,
    short_hex: bool,
}

/// What the evidence comes to.
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
    /// Takes note of the secret of a line. Says whether it could be one.
    pub(super) fn see(&mut self, field: &[u8], line: usize) -> bool {
        let (reading, length) = reading(field);
        if length < SHORTEST {
            self.short_hex |= reading == Reading::OnlyHex;
            return false;
        }
        match reading {
            Reading::OnlyHex => _ = self.only_hex.get_or_insert(line),
            Reading::OnlyBase32 => _ = self.only_base32.get_or_insert(line),
            Reading::Either => {
                self.either.get_or_insert(line);
                self.not_as_long_as_hex |= !HEX_LENGTHS.contains(&length);
                self.not_as_long_as_base32 |= !BASE32_LENGTHS.contains(&length);
            }
            Reading::Neither => return false,
        }
        true
    }

    /// What all secrets together come to.
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

/// What a secret can be, and its length without the characters that do not count.
fn reading(field: &[u8]) -> (Reading, usize) {
    const HEX: u8 = 1;
    const BASE32: u8 = 2;
    const OTHER: u8 = 4;
    let (mut seen, mut length) = (0, 0);
    for byte in field {
        seen |= match byte {
            b'0' | b'1' | b'8' | b'9' => HEX,
            b'2'..=b'7' | b'A'..=b'F' | b'a'..=b'f' => 0,
            b'G'..=b'Z' | b'g'..=b'z' => BASE32,
            byte if is_ignored(*byte) => continue,
            _ => OTHER,
        };
        length += 1;
    }
    let reading = match seen {
        0 => Reading::Either,
        HEX => Reading::OnlyHex,
        BASE32 => Reading::OnlyBase32,
        _ => Reading::Neither,
    };
    (reading, length)
}

fn is_ignored(byte: u8) -> bool {
    BETWEEN.contains(&byte)
}

/// The bytes of a secret.
pub(super) fn decode(field: &[u8], encoding: Encoding) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    let (bits_each, values, refused) = match encoding {
        Encoding::Base32 => (5, &BASE32_VALUES, Rejection::NotBase32),
        Encoding::Hex => (4, &HEX_VALUES, Rejection::NotHex),
    };
    let values = || field.iter().map(|byte| values[usize::from(*byte)]).filter(|value| *value != IGNORED);
    let characters = values().count();
    // So many characters cannot stand for whole bytes: at least one is missing.
    if match encoding {
        Encoding::Base32 => matches!(characters % 8, 1 | 3 | 6),
        Encoding::Hex => characters % 2 == 1,
    } {
        return Err(Rejection::SecretIncomplete);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(characters * bits_each / 8));
    let (mut pending, mut bits) = (0_u32, 0);
    for value in values() {
        if value == NO_VALUE {
            return Err(refused);
        }
        pending = (pending << bits_each) | u32::from(value);
        bits += bits_each;
        if bits >= 8 {
            bits -= 8;
            let [low, ..] = (pending >> bits).to_le_bytes();
            bytes.push(low);
        }
    }
    Ok(bytes)
}

/// What every byte stands for. Looked up rather than compared: no branch predictor foresees a random secret, and a file has
/// millions of characters.
type Values = [u8; 256];

static BASE32_VALUES: Values = values(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
static HEX_VALUES: Values = values(b"0123456789ABCDEF");

/// Does not count.
const IGNORED: u8 = 0xfe;
/// Is none of the alphabet's characters.
const NO_VALUE: u8 = 0xff;

/// What stands between the groups of a secret, and padding.
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
    fn what_is_missing_or_wrong_is_told_apart() {
        assert_eq!(decode(b"GEZDGNBVG", Encoding::Base32).unwrap_err(), Rejection::SecretIncomplete);
        assert_eq!(decode(b"313", Encoding::Hex).unwrap_err(), Rejection::SecretIncomplete);
        assert_eq!(decode(b"GEZDGNB0", Encoding::Base32).unwrap_err(), Rejection::NotBase32);
        assert_eq!(decode(b"3G", Encoding::Hex).unwrap_err(), Rejection::NotHex);
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
