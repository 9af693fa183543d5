//! What a file is, told by its content and never by its name: vendors rename zip files to pass mail filters.

use std::fmt;

/// A file that holds no list of seeds, or holds one in a wrapping that somebody has to take off first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A zip file inside a zip file.
    Zip,
    /// 7-Zip's own form.
    SevenZip,
    /// gzip.
    Gzip,
    /// RAR, any version.
    Rar,
    /// `OpenPGP`, binary or in ASCII armour.
    Pgp,
    /// age, binary or in ASCII armour.
    Age,
    /// A workbook of Excel or `LibreOffice`.
    Workbook,
    /// A PDF document that really is one.
    Pdf,
    /// A web page, such as the login page that a download ended at.
    Html,
    /// `otpauth://` URIs.
    Otpauth,
}

impl Foreign {
    /// How to get at the seeds.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Zip => "unpack it and import what is inside",
            Self::SevenZip => "7z x -so FILE | twofactor token import -",
            Self::Gzip => "gzip -dc FILE | twofactor token import -",
            Self::Rar => "unrar p -inul FILE | twofactor token import -",
            Self::Pgp => "gpg -d FILE | twofactor token import -",
            Self::Age => "age -d FILE | twofactor token import -",
            Self::Workbook => "save the sheet as CSV, with the serial numbers formatted as text",
            Self::Pdf => return None,
            Self::Html => "look at it with a browser: a download often ends at a login page",
            Self::Otpauth => "otpauth URIs belong to one account each; they are no seed file",
        })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "a zip file",
            Self::SevenZip => "a 7z archive",
            Self::Gzip => "compressed with gzip",
            Self::Rar => "a RAR archive",
            Self::Pgp => "encrypted with OpenPGP",
            Self::Age => "encrypted with age",
            Self::Workbook => "a spreadsheet, not a CSV file",
            Self::Pdf => "a PDF document",
            Self::Html => "a web page",
            Self::Otpauth => "a list of otpauth URIs",
        })
    }
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A zip file: a local header, or the end of an empty one.
    Zip,
    /// Something we do not read.
    Foreign(Foreign),
    /// Anything else: text, until it proves otherwise.
    Text,
}

/// How much of a file [`recognise`] looks at.
pub(super) const ENOUGH: usize = 64;

/// Tells by its first bytes what a file is.
pub(super) fn recognise(start: &[u8]) -> Beginning {
    const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
    const FOREIGN: [(&[u8], Foreign); 12] = [
        (b"7z\xbc\xaf\x27\x1c", Foreign::SevenZip),
        (b"\x1f\x8b", Foreign::Gzip),
        (b"Rar!\x1a\x07", Foreign::Rar),
        (b"-----BEGIN PGP", Foreign::Pgp),
        // A public-key or symmetric-key encrypted session key packet, old and new format (RFC 9580 §4.2, §5.1, §5.3).
        (b"\x85\x01", Foreign::Pgp),
        (b"\x85\x02", Foreign::Pgp),
        (b"\x84", Foreign::Pgp),
        (b"\x8c", Foreign::Pgp),
        (b"\xc1", Foreign::Pgp),
        (b"age-encryption.org/", Foreign::Age),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign::Workbook),
        (b"%PDF-", Foreign::Pdf),
    ];
    const TEXTS: [(&str, Foreign); 5] = [
        ("-----begin age", Foreign::Age),
        ("<!doctype html", Foreign::Html),
        ("<html", Foreign::Html),
        ("otpauth://", Foreign::Otpauth),
        ("otpauth-migration://", Foreign::Otpauth),
    ];
    if ZIP.iter().any(|magic| start.starts_with(magic)) {
        return Beginning::Zip;
    }
    if let Some((_, foreign)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Beginning::Foreign(*foreign);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    TEXTS.iter().find(|(word, _)| begins(word)).map_or(Beginning::Text, |(_, foreign)| Beginning::Foreign(*foreign))
}

/// Whether a text is XML.
pub(super) fn is_xml(text: &[u8]) -> bool {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_depends_on_its_content() {
        for (start, beginning) in [
            (&b"PK\x03\x04rest"[..], Beginning::Zip),
            (b"PK\x05\x06", Beginning::Zip),
            (b"7z\xbc\xaf\x27\x1c", Beginning::Foreign(Foreign::SevenZip)),
            (b"\x1f\x8b\x08", Beginning::Foreign(Foreign::Gzip)),
            (b"Rar!\x1a\x07\x01", Beginning::Foreign(Foreign::Rar)),
            (b"-----BEGIN PGP MESSAGE-----", Beginning::Foreign(Foreign::Pgp)),
            (b"age-encryption.org/v1", Beginning::Foreign(Foreign::Age)),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Beginning::Foreign(Foreign::Age)),
            (b"%PDF-1.7", Beginning::Foreign(Foreign::Pdf)),
            (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", Beginning::Foreign(Foreign::Html)),
            (b"otpauth://totp/a?secret=AAAA", Beginning::Foreign(Foreign::Otpauth)),
            (b"1234,JBSWY3DP", Beginning::Text),
            (b"", Beginning::Text),
        ] {
            assert_eq!(recognise(start), beginning, "{:?}", String::from_utf8_lossy(start));
        }
    }

    #[test]
    fn what_we_do_not_read_comes_with_a_way_to_get_at_the_seeds() {
        for foreign in [Foreign::SevenZip, Foreign::Gzip, Foreign::Rar, Foreign::Pgp, Foreign::Age] {
            assert!(foreign.hint().unwrap().ends_with("FILE | twofactor token import -"), "{foreign}");
        }
        assert!(Foreign::Workbook.hint().unwrap().contains("CSV"));
    }
}
