//! The kind of a file, told by its content and never by its name: vendors rename zip files to pass mail filters.
//!
//! What is not read here is named before anything is asked for, with the command that unpacks or decrypts it.

use std::fmt;

/// A file that holds no list of seeds as it is, but in a wrapping that has to be taken off first; or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A zip file inside a zip file.
    Zip,
    /// The last of several parts that 7-Zip, or split, cut a zip file into.
    LastPart,
    /// A part of a zip file that was split.
    SplitZip,
    /// A zip file without its end: cut off, or the first of its parts.
    HalfZip,
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
    /// LZ4.
    Lz4,
    /// The program `compress`.
    Compress,
    /// cpio, or the archive of `ar`.
    Cpio,
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
    /// A table in HTML, which some programs save under the name of a workbook.
    HtmlTable,
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
}

impl Foreign {
    /// The way to the seeds. ` FILE ` stands for the file.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Zip => "unzip -p FILE | twofactor token import -",
            Self::SplitZip => {
                "with all parts (.z01, .z02, .zip) in one folder: 7z x -so NAME.zip | twofactor token import -"
            }
            Self::LastPart => "put all its parts (.001, .002) together: cat NAME.zip.* > WHOLE.zip",
            Self::HalfZip => "get it again; of several parts (.001, .002): cat NAME.zip.* > WHOLE.zip",
            Self::SevenZip | Self::Program | Self::Cpio => "7z x -so FILE | twofactor token import -",
            Self::Gzip | Self::Compress => "gzip -dc FILE | twofactor token import -",
            Self::Bzip2 => "bzip2 -dc FILE | twofactor token import -",
            Self::Xz => "xz -dc FILE | twofactor token import -",
            Self::Zstd => "zstd -dc FILE | twofactor token import -",
            Self::Lzip => "lzip -dc FILE | twofactor token import -",
            Self::Lz4 => "lz4 -dc FILE | twofactor token import -",
            Self::Rar => "unrar p -inul FILE | twofactor token import -",
            Self::Tar => "tar -xOf FILE | twofactor token import -",
            Self::Cabinet => "cabextract -p FILE | twofactor token import -",
            Self::Pgp => "gpg -d FILE | twofactor token import -",
            Self::Age => "age -d FILE | twofactor token import -",
            Self::Smime => "openssl cms -decrypt -in FILE -inkey KEY.pem | twofactor token import -",
            Self::CmsDer => "openssl cms -decrypt -inform DER -in FILE -inkey KEY.pem | twofactor token import -",
            Self::CmsPem => "openssl cms -decrypt -inform PEM -in FILE -inkey KEY.pem | twofactor token import -",
            Self::Mail => "save the attachment and import that",
            Self::Workbook | Self::HtmlTable => "save the sheet as CSV, with the serial numbers formatted as text",
            Self::Letter => "save the table with the seeds as CSV",
            Self::Pdf | Self::Picture => "ask the vendor for the seeds as CSV or PSKC",
            Self::Html => "look at it with a browser: a download often ends at a login page",
            Self::Sdtid => "RSA SecurID codes are neither TOTP nor HOTP; such tokens cannot be used here",
            Self::Dpx => "ask OneSpan for the seeds as PSKC; of a DPX file only OneSpan's own software knows the form",
            Self::EncryptedApp => "export again from the app, without a password",
            Self::Json => "known are Aegis, 2FAS, andOTP, FreeOTP+, Bitwarden, Proton and Stratum",
        })
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zip => "a zip file",
            Self::SplitZip => "one part of a zip file that was split",
            Self::LastPart => "the last part of a zip file that was cut into several",
            Self::HalfZip => "a zip file without its end: cut off, or one of several parts",
            Self::SevenZip => "a 7z archive",
            Self::Gzip => "compressed with gzip",
            Self::Bzip2 => "compressed with bzip2",
            Self::Xz => "compressed with xz",
            Self::Zstd => "compressed with zstd",
            Self::Lzip => "compressed with lzip",
            Self::Lz4 => "compressed with lz4",
            Self::Compress => "compressed with compress",
            Self::Cpio => "a cpio or ar archive",
            Self::Rar => "a RAR archive",
            Self::Tar => "a tar archive",
            Self::Cabinet => "a Windows cabinet",
            Self::Program => "a program, perhaps a self-extracting archive",
            Self::Pgp => "encrypted or signed with OpenPGP",
            Self::Age => "encrypted with age",
            Self::Smime | Self::CmsDer | Self::CmsPem => "encrypted or signed with S/MIME",
            Self::Mail => "a mail",
            Self::Workbook => "a spreadsheet, not a CSV file",
            Self::Letter => "a document of a word processor",
            Self::Pdf => "a PDF document",
            Self::Html => "a web page",
            Self::HtmlTable => "a table in HTML, which a program saved as a spreadsheet",
            Self::Picture => "a picture",
            Self::Sdtid => "a file of RSA SecurID tokens (sdtid)",
            Self::Dpx => "a OneSpan Digipass export (DPX)",
            Self::EncryptedApp => "an authenticator app's export under a password",
            Self::Json => "JSON, and no export of an authenticator app known here",
        })
    }
}

/// The kind that the first bytes of a file tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// A zip file: a local header, or the end of an empty one.
    Zip,
    /// Something we do not read.
    Foreign(Foreign),
    /// Anything else: text, until it proves otherwise.
    Text,
}

/// The part of a file that [`recognise`] looks at. A tar archive says what it is at byte 257.
pub(super) const ENOUGH: usize = 1024;

/// Tells by its first bytes what a file is.
pub(super) fn recognise(start: &[u8]) -> Beginning {
    const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
    const FOREIGN: [(&[u8], Foreign); 29] = [
        (b"PK\x07\x08", Foreign::SplitZip),
        (b"7z\xbc\xaf\x27\x1c", Foreign::SevenZip),
        (b"\x1f\x8b", Foreign::Gzip),
        (b"BZh", Foreign::Bzip2),
        (b"\xfd7zXZ\x00", Foreign::Xz),
        // LZMA alone: its usual properties, and the low half of a dictionary size.
        (b"\x5d\x00\x00", Foreign::Xz),
        (b"\x28\xb5\x2f\xfd", Foreign::Zstd),
        (b"LZIP", Foreign::Lzip),
        (b"\x04\x22\x4d\x18", Foreign::Lz4),
        (b"\x1f\x9d", Foreign::Compress),
        (b"\xc7\x71", Foreign::Cpio),
        (b"!<arch>\n", Foreign::Cpio),
        (b"Rar!\x1a\x07", Foreign::Rar),
        (b"MSCF\0\0\0\0", Foreign::Cabinet),
        (b"MZ\x90\0", Foreign::Program),
        (b"\x7fELF", Foreign::Program),
        (b"-----BEGIN PGP", Foreign::Pgp),
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
        ("return-path:", Foreign::Mail),
        ("received:", Foreign::Mail),
        ("delivered-to:", Foreign::Mail),
        // The header line of a Digipass export, behind a mark of its encoding.
        ("dh file=", Foreign::Dpx),
    ];
    if ZIP.iter().any(|magic| start.starts_with(magic)) {
        return office(start).map_or(Beginning::Zip, Beginning::Foreign);
    }
    if let Some((_, foreign)) = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Beginning::Foreign(*foreign);
    }
    if is_cpio(start) {
        return Beginning::Foreign(Foreign::Cpio);
    }
    if is_openpgp(start) {
        return Beginning::Foreign(Foreign::Pgp);
    }
    if start.get(257..262) == Some(b"ustar") || is_old_tar(start) {
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
    if is_mail(text) {
        return Beginning::Foreign(Foreign::Mail);
    }
    if is_sylk(text) || is_dif(text) {
        return Beginning::Foreign(Foreign::Workbook);
    }
    if is_html_table(text) {
        return Beginning::Foreign(Foreign::HtmlTable);
    }
    TEXTS.iter().find(|(word, _)| begins(word)).map_or(Beginning::Text, |(_, foreign)| Beginning::Foreign(*foreign))
}

/// A document of an office program by the first entry of the zip file that it is: the kinds of its parts (OOXML), or its
/// own kind (OpenDocument).
fn office(start: &[u8]) -> Option<Foreign> {
    let name = start.get(30..)?;
    let has = |words: &[u8]| start.windows(words.len()).any(|window| window == words);
    if let Some(kind) = name.strip_prefix(b"mimetypeapplication/vnd.oasis.opendocument.") {
        return Some(if kind.starts_with(b"spreadsheet") { Foreign::Workbook } else { Foreign::Letter });
    }
    if !name.starts_with(b"[Content_Types].xml") {
        return None;
    }
    match () {
        () if has(b"xl/") => Some(Foreign::Workbook),
        () if has(b"word/") => Some(Foreign::Letter),
        () => None,
    }
}

/// True when a file begins with a header of a tar archive from before `ustar`: numbers in octal, and the sum of its bytes.
fn is_old_tar(start: &[u8]) -> bool {
    let Some(header) = start.get(..512) else { return false };
    let Some(field) = header.get(148..156) else { return false };
    let digits: Vec<u8> = field.iter().copied().filter(u8::is_ascii_digit).collect();
    let stated = std::str::from_utf8(&digits).ok().and_then(|digits| u32::from_str_radix(digits, 8).ok());
    let others = header.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let field = field.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    header.first().is_some_and(|byte| *byte != 0) && stated == Some(others - field + 8 * u32::from(b' '))
}

/// True when a file begins with a header of cpio in text: a number of digits that no row of a table has in one piece.
fn is_cpio(start: &[u8]) -> bool {
    let digits = |length: usize, is_digit: fn(&u8) -> bool| start.get(..length).is_some_and(|h| h.iter().all(is_digit));
    match start.get(..6) {
        Some(b"070701" | b"070702") => digits(110, u8::is_ascii_hexdigit),
        Some(b"070707") => digits(76, u8::is_ascii_digit),
        _ => false,
    }
}

/// True when a file that is no text begins with a packet of OpenPGP (RFC 9580 §5): a session key, a signature, data that is
/// compressed or literal.
fn is_openpgp(start: &[u8]) -> bool {
    let packet = match start {
        [tag, ..] if b"\x84\x85\x88\x89\x8c\xac\xad\xc1\xc3\xcb".contains(tag) => true,
        [0xa3, algorithm, ..] => (1..=3).contains(algorithm),
        [0x90 | 0xc4, length, version, ..] => (*length, *version) == (13, 3),
        _ => false,
    };
    packet && !super::characters::is_text(start)
}

/// True when a text begins as a mail does: with the fields of one, at least two.
fn is_mail(text: &[u8]) -> bool {
    const FIELDS: [&str; 8] = ["from", "to", "cc", "date", "subject", "message-id", "reply-to", "x-mailer"];
    let lines = text.split(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let fields = lines.filter_map(|line| {
        let (name, _) = std::str::from_utf8(line).ok()?.split_once(':')?;
        FIELDS.into_iter().find(|field| name.eq_ignore_ascii_case(field))
    });
    let fields: Vec<&str> = fields.collect();
    fields.contains(&"from") && (fields.contains(&"subject") || fields.contains(&"to"))
}

/// True when a text begins as a sheet in SYLK does: its first record names the program, the second is one of the format's. A
/// table may begin with `ID;P`, too.
fn is_sylk(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    let is_record = |line: &[u8]| matches!(line, [b'A'..=b'Z', b';', ..] | [b'N', b'N' | b'U' | b'E', b';', ..]);
    lines.next().is_some_and(|line| line.starts_with(b"ID;P")) && lines.next().is_some_and(is_record)
}

/// True when a text begins as a sheet in the data interchange format does.
fn is_dif(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.next() == Some(b"TABLE") && lines.next() == Some(b"0,1")
}

/// True when a text is a table in HTML: it begins with one, or a program for spreadsheets wrote the page.
fn is_html_table(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    let has = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    let begins = |word: &[u8]| text.starts_with(word);
    begins(b"<table")
        || ((begins(b"<html") || begins(b"<!doctype html") || begins(b"<meta") || begins(b"<style"))
            && (has(b"office:excel") || (!begins(b"<!doctype") && has(b"<table"))))
}

/// The program of an XML document that holds a sheet or a letter, by its root and the names in it.
pub(super) fn office_xml(root: &str, text: &str) -> Option<Foreign> {
    let start = text.get(..4 * ENOUGH).unwrap_or(text);
    let has = |word: &str| start.contains(word);
    match root {
        "workbook" | "worksheet" | "sst" if has("schemas-microsoft-com:office") || has("spreadsheetml") => {
            Some(Foreign::Workbook)
        }
        "document" | "document-content" if has("opendocument") => {
            Some(if has("opendocument.text") || has("<office:text") { Foreign::Letter } else { Foreign::Workbook })
        }
        "worddocument" | "package" if has("office/word") => Some(Foreign::Letter),
        _ => None,
    }
}

/// True when bytes begin as CMS in DER or BER does: a sequence, and in it an object identifier of PKCS #7 (RFC 5652 §3).
fn is_cms(start: &[u8]) -> bool {
    const PKCS7: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07";
    let head = start.get(..24).unwrap_or(start);
    matches!(head, [0x30, 0x80..=0x84, ..]) && head.windows(PKCS7.len()).any(|window| window == PKCS7)
}

/// True when a text is XML.
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
            (b"otpauth-migration://offline?data=", Beginning::Text),
            (b"otpauth://totp/a?secret=AAAA", Beginning::Text),
            (b"1234,JBSWY3DP", Beginning::Text),
            (b"From: a@example.org\nSubject: tokens\n\nhello", Beginning::Foreign(Foreign::Mail)),
            (b"From: ACME\n\n1234,JBSWY3DP", Beginning::Text),
            (b"ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K\"Serial\"\r\n", Beginning::Foreign(Foreign::Workbook)),
            (b"ID;Passwort\n1234;JBSWY3DP", Beginning::Text),
            (b"\xef\xbb\xbfTABLE\r\n0,1\r\n\"EXCEL\"", Beginning::Foreign(Foreign::Workbook)),
            (b"TABLE\n1234,JBSWY3DP", Beginning::Text),
            (b"<table><tr><td>1234</td></tr></table>", Beginning::Foreign(Foreign::HtmlTable)),
            (b"<html><head></head><body><table border=1>", Beginning::Foreign(Foreign::HtmlTable)),
            (b"<html xmlns:x=\"urn:schemas-microsoft-com:office:excel\">", Beginning::Foreign(Foreign::HtmlTable)),
            (b"<!DOCTYPE html><html><table>", Beginning::Foreign(Foreign::Html)),
            (b"\xef\xbb\xbfDH FILE=\"a.dpx\"", Beginning::Foreign(Foreign::Dpx)),
            (b"\x04\x22\x4d\x18\x64", Beginning::Foreign(Foreign::Lz4)),
            (&[&b"070701"[..], &[b'0'; 104]].concat(), Beginning::Foreign(Foreign::Cpio)),
            (b"070707,JBSWY3DPEHPK3PXP", Beginning::Text),
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
