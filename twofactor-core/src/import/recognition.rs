//! What a file is, told by its content and never by its name: vendors rename zip files to pass mail filters.
//!
//! What is not read here is named before anything is asked for, with the command that unpacks or decrypts it.

use std::fmt;

/// A file that holds no list of seeds as it is, but in a wrapping that has to be taken off first; or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A zip file inside a zip file.
    Zip,
    /// A part of a zip file that was split.
    SplitZip,
    /// 7-Zip's own form.
    SevenZip,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz, or its predecessor's form.
    Xz,
    /// Zstandard.
    Zstd,
    /// lzip.
    Lzip,
    /// RAR, any version.
    Rar,
    /// tar, not compressed.
    Tar,
    /// A Windows cabinet.
    Cabinet,
    /// A program, perhaps a self-extracting archive that is no zip file.
    Program,
    /// `OpenPGP`, binary or in ASCII armour.
    Pgp,
    /// age, binary or in ASCII armour.
    Age,
    /// S/MIME: CMS as a mail.
    Smime,
    /// CMS (PKCS #7) in DER.
    CmsDer,
    /// CMS (PKCS #7) in PEM.
    CmsPem,
    /// A mail, with the seeds attached.
    Mail,
    /// A workbook of Excel or `LibreOffice`.
    Workbook,
    /// A letter of a word processor.
    Letter,
    /// A PDF document that really is one.
    Pdf,
    /// A web page, such as the login page that a download ended at.
    Html,
    /// A picture.
    Picture,
    /// RSA `SecurID` seeds.
    Sdtid,
    /// `OneSpan` (Vasco) Digipass export.
    Dpx,
    /// An authenticator app's export under a password.
    EncryptedApp,
    /// JSON that is no export of an authenticator app we know.
    Json,
    /// `otpauth-migration://` URIs, the QR codes of one app's export.
    Migration,
}

impl Foreign {
    /// How to get at the seeds. ` FILE ` stands for the file.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Zip => "unzip -p FILE | twofactor token import -",
            Self::SplitZip => "put its parts together first: zip -s 0 FILE --out WHOLE.zip",
            Self::SevenZip | Self::Program => "7z x -so FILE | twofactor token import -",
            Self::Gzip => "gzip -dc FILE | twofactor token import -",
            Self::Bzip2 => "bzip2 -dc FILE | twofactor token import -",
            Self::Xz => "xz -dc FILE | twofactor token import -",
            Self::Zstd => "zstd -dc FILE | twofactor token import -",
            Self::Lzip => "lzip -dc FILE | twofactor token import -",
            Self::Rar => "unrar p -inul FILE | twofactor token import -",
            Self::Tar => "tar -xOf FILE | twofactor token import -",
            Self::Cabinet => "cabextract -p FILE | twofactor token import -",
            Self::Pgp => "gpg -d FILE | twofactor token import -",
            Self::Age => "age -d FILE | twofactor token import -",
            Self::Smime => "openssl cms -decrypt -in FILE -inkey KEY.pem | twofactor token import -",
            Self::CmsDer => "openssl cms -decrypt -inform DER -in FILE -inkey KEY.pem | twofactor token import -",
            Self::CmsPem => "openssl cms -decrypt -inform PEM -in FILE -inkey KEY.pem | twofactor token import -",
            Self::Mail => "save the attachment and import that",
            Self::Workbook => "save the sheet as CSV, with the serial numbers formatted as text",
            Self::Letter => "save the table with the seeds as CSV",
            Self::Pdf | Self::Picture => "ask the vendor for the seeds as CSV or PSKC",
            Self::Html => "look at it with a browser: a download often ends at a login page",
            Self::Sdtid => "RSA SecurID codes are neither TOTP nor HOTP; such tokens cannot be used here",
            Self::Dpx => "ask OneSpan for the seeds as PSKC; of a DPX file only OneSpan's own software knows the form",
            Self::EncryptedApp => "export again from the app, without a password",
            Self::Json => "known are Aegis, 2FAS, andOTP, FreeOTP+, Bitwarden, Proton and Stratum",
            Self::Migration => "export from the app as otpauth URIs, or enroll its user anew: twofactor enroll USER",
        })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "a zip file",
            Self::SplitZip => "one part of a zip file that was split",
            Self::SevenZip => "a 7z archive",
            Self::Gzip => "compressed with gzip",
            Self::Bzip2 => "compressed with bzip2",
            Self::Xz => "compressed with xz",
            Self::Zstd => "compressed with zstd",
            Self::Lzip => "compressed with lzip",
            Self::Rar => "a RAR archive",
            Self::Tar => "a tar archive",
            Self::Cabinet => "a Windows cabinet",
            Self::Program => "a program, perhaps a self-extracting archive",
            Self::Pgp => "encrypted with OpenPGP",
            Self::Age => "encrypted with age",
            Self::Smime | Self::CmsDer | Self::CmsPem => "encrypted or signed with S/MIME",
            Self::Mail => "a mail",
            Self::Workbook => "a spreadsheet, not a CSV file",
            Self::Letter => "a document of a word processor",
            Self::Pdf => "a PDF document",
            Self::Html => "a web page",
            Self::Picture => "a picture",
            Self::Sdtid => "a file of RSA SecurID tokens (sdtid)",
            Self::Dpx => "a OneSpan Digipass export (DPX)",
            Self::EncryptedApp => "an authenticator app's export under a password",
            Self::Json => "JSON, and no export of an authenticator app known here",
            Self::Migration => "a list of otpauth-migration URIs",
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

/// How much of a file [`recognise`] looks at. A tar archive says what it is at byte 257.
pub(super) const ENOUGH: usize = 1024;

/// Tells by its first bytes what a file is.
pub(super) fn recognise(start: &[u8]) -> Beginning {
    const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
    const FOREIGN: [(&[u8], Foreign); 30] = [
        (b"PK\x07\x08", Foreign::SplitZip),
        (b"7z\xbc\xaf\x27\x1c", Foreign::SevenZip),
        (b"\x1f\x8b", Foreign::Gzip),
        (b"BZh", Foreign::Bzip2),
        (b"\xfd7zXZ\x00", Foreign::Xz),
        // LZMA alone: its usual properties, and the low half of a dictionary size.
        (b"\x5d\x00\x00", Foreign::Xz),
        (b"\x28\xb5\x2f\xfd", Foreign::Zstd),
        (b"LZIP", Foreign::Lzip),
        (b"Rar!\x1a\x07", Foreign::Rar),
        (b"MSCF\0\0\0\0", Foreign::Cabinet),
        (b"MZ\x90\0", Foreign::Program),
        (b"\x7fELF", Foreign::Program),
        (b"-----BEGIN PGP", Foreign::Pgp),
        // A public-key or symmetric-key encrypted session key packet, old and new format (RFC 9580 §4.2, §5.1, §5.3).
        (b"\x85\x01", Foreign::Pgp),
        (b"\x85\x02", Foreign::Pgp),
        (b"\x84", Foreign::Pgp),
        (b"\x8c", Foreign::Pgp),
        (b"\xc1", Foreign::Pgp),
        (b"age-encryption.org/", Foreign::Age),
        (b"-----BEGIN PKCS7", Foreign::CmsPem),
        (b"-----BEGIN CMS", Foreign::CmsPem),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign::Workbook),
        (b"{\\rtf", Foreign::Letter),
        (b"%PDF-", Foreign::Pdf),
        (b"\x89PNG\r\n", Foreign::Picture),
        (b"\xff\xd8\xff", Foreign::Picture),
        (b"GIF8", Foreign::Picture),
        // Encrypted backups of authenticator apps.
        (b"AUTHENTICATORPRO", Foreign::EncryptedApp),
        (b"AuthenticatorPro", Foreign::EncryptedApp),
        // The header line of a Digipass export.
        (b"DH FILE=", Foreign::Dpx),
    ];
    const TEXTS: [(&str, Foreign); 7] = [
        ("-----begin age", Foreign::Age),
        ("<!doctype html", Foreign::Html),
        ("<html", Foreign::Html),
        ("otpauth-migration://", Foreign::Migration),
        ("return-path:", Foreign::Mail),
        ("received:", Foreign::Mail),
        ("delivered-to:", Foreign::Mail),
    ];
    if ZIP.iter().any(|magic| start.starts_with(magic)) {
        return Beginning::Zip;
    }
    if let Some((_, foreign)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Beginning::Foreign(*foreign);
    }
    if start.get(257..262) == Some(b"ustar") {
        return Beginning::Foreign(Foreign::Tar);
    }
    if is_cms(start) {
        return Beginning::Foreign(Foreign::CmsDer);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    if ["mime-version:", "content-type:"].into_iter().any(begins) {
        let enveloped = text.windows(10).any(|window| window.eq_ignore_ascii_case(b"pkcs7-mime"));
        return Beginning::Foreign(if enveloped { Foreign::Smime } else { Foreign::Mail });
    }
    TEXTS.iter().find(|(word, _)| begins(word)).map_or(Beginning::Text, |(_, foreign)| Beginning::Foreign(*foreign))
}

/// Whether bytes begin as CMS in DER or BER does: a sequence, and in it an object identifier of PKCS #7 (RFC 5652 §3).
fn is_cms(start: &[u8]) -> bool {
    const PKCS7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
    let head = start.get(..24).unwrap_or(start);
    matches!(head, [0x30, 0x80..=0x84, ..]) && head.windows(PKCS7.len()).any(|window| window == PKCS7)
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
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (start, beginning) in [
            (&b"PK\x03\x04rest"[..], Beginning::Zip),
            (b"PK\x05\x06", Beginning::Zip),
            (b"PK\x07\x08PK\x03\x04", Beginning::Foreign(Foreign::SplitZip)),
            (b"7z\xbc\xaf\x27\x1c", Beginning::Foreign(Foreign::SevenZip)),
            (b"\x1f\x8b\x08", Beginning::Foreign(Foreign::Gzip)),
            (b"BZh91AY", Beginning::Foreign(Foreign::Bzip2)),
            (b"\xfd7zXZ\x00\x00", Beginning::Foreign(Foreign::Xz)),
            (b"\x28\xb5\x2f\xfd\x04", Beginning::Foreign(Foreign::Zstd)),
            (b"Rar!\x1a\x07\x01", Beginning::Foreign(Foreign::Rar)),
            (&tar, Beginning::Foreign(Foreign::Tar)),
            (b"-----BEGIN PGP MESSAGE-----", Beginning::Foreign(Foreign::Pgp)),
            (b"age-encryption.org/v1", Beginning::Foreign(Foreign::Age)),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Beginning::Foreign(Foreign::Age)),
            (b"-----BEGIN PKCS7-----", Beginning::Foreign(Foreign::CmsPem)),
            (b"0\x82\x02\x01\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", Beginning::Foreign(Foreign::CmsDer)),
            (
                b"MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data",
                Beginning::Foreign(Foreign::Smime),
            ),
            (b"%PDF-1.7", Beginning::Foreign(Foreign::Pdf)),
            (b"\xef\xbb\xbf\n <!DOCTYPE HTML>", Beginning::Foreign(Foreign::Html)),
            (b"otpauth-migration://offline?data=", Beginning::Foreign(Foreign::Migration)),
            (b"otpauth://totp/a?secret=AAAA", Beginning::Text),
            (b"1234,JBSWY3DP", Beginning::Text),
            (b"MZ1234,JBSWY3DP", Beginning::Text),
            (b"", Beginning::Text),
        ] {
            assert_eq!(recognise(start), beginning, "{:?}", String::from_utf8_lossy(start));
        }
    }

    #[test]
    fn what_we_do_not_read_comes_with_a_way_to_get_at_the_seeds() {
        for foreign in [
            Foreign::SevenZip,
            Foreign::Gzip,
            Foreign::Bzip2,
            Foreign::Xz,
            Foreign::Zstd,
            Foreign::Rar,
            Foreign::Tar,
            Foreign::Pgp,
            Foreign::Age,
            Foreign::Smime,
        ] {
            let hint = foreign.hint().unwrap();
            assert!(hint.contains(" FILE ") && hint.ends_with(" | twofactor token import -"), "{foreign}");
        }
        assert!(Foreign::Workbook.hint().unwrap().contains("CSV"));
    }
}
