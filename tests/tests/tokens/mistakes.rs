//! Every kind of error, rejected row and note that `token import` knows, each made to happen by a file through the command,
//! on a terminal of 80 columns. What is checked is the same of all: a sentence that names a place where there is one, a way
//! out, no word cut in two, and the file's name no more than once.
//!
//! A new kind does not compile here, or has no example, until it gets one.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;

use twofactor_admin::seed_files::{
    self, Encoding, Foreign, Format, ImportError, KeyRejection, KindName, Note, Options, PskcError, Rejection,
    SerialFrom,
};
use twofactor_core::codes::otp::Period;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::seeds::kinds::sample;
use twofactor_tests::seeds::{Given, zip};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{file, secret, stderr, stdout};

/// Names the kinds of a type, all of them: a match that leaves one out does not compile.
macro_rules! kinds {
    ($name:ident, $all:ident, $type:ident: $($kind:ident)*) => {
        fn $name(value: &$type) -> &'static str {
            match value {
                $($type::$kind { .. } => concat!(stringify!($type), "::", stringify!($kind)),)*
            }
        }
        const $all: &[&str] = &[$(concat!(stringify!($type), "::", stringify!($kind))),*];
    };
}

kinds!(of_error, ERRORS, ImportError: Io Keyring PasswordNeeded KeyNeeded WrongPassword WrongKey KeyLength FileTooLarge
    EntryTooLarge TooDense TooManyEntries TooManyRows Foreign Nested ZipDamaged ZipMethod ZipUnsupported DuplicateNames NoEntry
    NoSuchEntry NotZip SerialFrom NoRows NotText NoColumns Header TwoColumns UnknownHeader Misplaced MixedEncodings
    AmbiguousEncoding TooManyElements Xml Json Pskc OneOfSeveral);
kinds!(of_pskc, PSKC_ERRORS, PskcError: NotPskc Certificate NoMac MacAlgorithm MacKey Cipher Derivation Iterations);
kinds!(of_foreign, FOREIGN, Foreign: Zip SplitZip LastPart HalfZip SevenZip Gzip Bzip2 Xz Zstd Lzip Lz4 Compress Cpio Rar Tar Cabinet
    Program Pgp Age Smime CmsDer CmsPem Mail Workbook Letter Pdf Html HtmlTable Picture Sdtid Dpx EncryptedApp Json);
kinds!(of_rejection, REJECTIONS, Rejection: TooFewColumns FieldTooLong UnclosedQuote TooManyColumns ShortRow CutOff Words
    TextBehindQuote SerialMissing SerialInvalid SerialRounded SerialDecimal SerialFormula SerialIsSecret SecretMissing NotBase32
    NotHex WrittenOut SecretBase64 SecretIncomplete SecretLength Sealed Kind OtherKind Twice NoUri Migration Parameter NotANumber Counter
    NotRead Key);
kinds!(of_key, KEY_REJECTIONS, KeyRejection: NoKey Reference Epoch CheckDigits ResponseEncoding Pin Uses Usage Policy Number
    Base64 Cipher MacMissing InTheClear MacMismatch Padding TooLarge Twice Encoded Form SecretIn);
kinds!(of_note, NOTES, Note: Assumed Unexplained SerialLengths Above Below Unquoted WrittenOut Spaces SecretLengths Overruled InTheClear
    Ignored More KeyBeside KeyInTheClear SignatureUnchecked DatesUnchecked Owners Draft DriftInSeconds);

/// Kinds that no file makes: the reason, or the test of the core that makes them.
const NOT_BY_A_FILE: [&str; 6] = [
    // A disk that fails, and a keyring that does: `a_file_that_cannot_be_read_is_an_io_error`, `a_keyring_that_fails_…`.
    "ImportError::Io",
    "ImportError::Keyring",
    // Encryption that the zip crate refuses when the entry is opened, after the method was found good.
    "ImportError::ZipUnsupported",
    // The right MAC over a wrong padding needs the key.
    "KeyRejection::Padding",
    // Ten megabytes each, and a debug build: `five_million_elements_are_too_many`, and the same bound for rows.
    "ImportError::TooManyRows",
    "ImportError::TooManyElements",
];

/// A file, and the options that it is imported with.
#[derive(Default)]
struct Example {
    content: Vec<u8>,
    options: Options,
    given: Given,
    arguments: Vec<String>,
}

impl Example {
    fn new(content: impl AsRef<[u8]>) -> Self {
        Self { content: content.as_ref().to_vec(), ..Self::default() }
    }

    fn with(mut self, arguments: &[&str], change: impl Fn(&mut Options)) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        change(&mut self.options);
        self
    }

    fn password(mut self, password: &str) -> Self {
        self.given.password = Some(password.into());
        self
    }

    fn key(mut self, key: &[u8]) -> Self {
        self.given.key = Some(key.to_vec());
        self
    }
}

fn row(number: u64) -> String {
    format!("77000000000{number}1,{}\n", secret(number))
}

fn two_rows() -> String {
    row(0) + &row(1)
}

fn corpus(name: &str) -> Vec<u8> {
    fs::read(workspace().join("tests/fuzz/corpus").join(name)).unwrap()
}

fn figure(number: u8) -> String {
    String::from_utf8(corpus(&format!("pskc/rfc6030-figure-{number}"))).unwrap()
}

const KEY: &[u8] = b"12345678901234567890123456789012";
const PLAIN: &str = "<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>";

/// A plain PSKC document of one token, with this inside its `Key` before its `Data` and this in `Data`.
fn pskc(inside: &str, data: &str) -> String {
    let tokens = [("7700000000011".to_owned(), b"12345678901234567890".to_vec())];
    let document = sample("PSKC (RFC 6030)", &tokens).unwrap().text;
    document.replace("<Data>", &format!("{inside}<Data>{data}"))
}

/// A text without what stands between two marks.
fn without(text: &str, from: &str, to: &str) -> String {
    let (before, rest) = text.split_once(from).unwrap();
    format!("{before}{}", rest.split_once(to).unwrap().1)
}

/// A zip file with some bytes of its table of contents replaced.
fn patched(entries: &[(&str, &[u8])], place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = zip(entries);
    let directory = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    file[directory + place..directory + place + bytes.len()].copy_from_slice(bytes);
    file
}

/// Two figures of the RFC in one document, the second one changed.
fn two_keys(change: impl Fn(&str) -> String) -> Example {
    let document = figure(6);
    let start = document.find("<KeyPackage>").unwrap();
    let end = document.find("</KeyPackage>").unwrap() + "</KeyPackage>".len();
    let package = &document[start..end];
    let second = change(&package.replace("987654321", "987654322"));
    Example::new(document.replace(package, &format!("{package}\n{second}"))).key(KEY)
}

/// Files that are refused as a whole.
fn refused() -> Vec<Example> {
    let seeds = two_rows();
    let entry = ("seeds.csv", seeds.as_bytes());
    let apart = |change: &dyn Fn(&str) -> String| Example::new(change(&figure(6))).key(KEY);
    let many: Vec<(String, &[u8])> = (0..1001).map(|number| (format!("{number}.csv"), &b"a"[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let halves = zip(&[entry, ("README.txt", b"hello")]);
    let (first, last) = halves.split_at(halves.len() / 2);
    let unsupported = corpus("zip_csv/aes128");
    let mut examples = vec![
        Example::new(corpus("zip_csv/aes128")),
        Example::new(figure(6)),
        Example::new(corpus("zip_csv/aes128")).password("wrong"),
        Example::new(figure(6)).key(b"23456789012345678901234567890123"),
        Example::new(figure(6)).key(b"123456789012345678901234"),
        Example::new(vec![b'a'; (64 << 20) + 1]),
        Example::new(patched(&[entry], 24, &(300_u32 << 20).to_le_bytes())),
        Example::new(patched(&[entry], 24, &(200_u32 << 20).to_le_bytes())),
        Example::new(zip(&many)),
        Example::new(zip(&[("inner.zip", &zip(&[entry]))])),
        Example::new(patched(&[entry], 16, &[0; 4])),
        Example::new(patched(&[entry], 10, &98_u16.to_le_bytes())),
        Example::new(zip(&[entry, entry])),
        Example::new(zip(&[])),
        Example::new(zip(&[entry])).with(&["--entry", "none.csv"], |options| options.entry = Some("none.csv".to_owned())),
        Example::new(&seeds).with(&["--entry", "none.csv"], |options| options.entry = Some("none.csv".to_owned())),
        Example::new(sample("andOTP export", &[("a".to_owned(), vec![7; 20])]).unwrap().text),
        Example::new("# a comment\n\n"),
        Example::new(b"\x01\x02\x03 and more"),
        Example::new("7700000000011\n7700000000029\n"),
        Example::new(format!("serial,interval\n{seeds}")),
        Example::new(format!("serial,token serial,secret\n1,{seeds}")),
        Example::new(format!("Gizmo,Whatsit\n{seeds}")),
        Example::new(format!("{},7700000000011\n{},7700000000029\n", secret(0), secret(1))),
        Example::new(format!("{seeds}7700000000037,{}\n", "01".repeat(20))),
        Example::new(format!("7700000000011,{}\n", "23".repeat(9))),
        Example::new("<KeyContainer xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\"><KeyPackage>"),
        Example::new("{\"db\":{\"entries\":[\n{\"type\":"),
        Example::new("<order><id>4711</id></order>"),
        Example::new(pskc("", "").replace("<KeyPackage>", "<EncryptionKey><X509Data><X509Certificate>MIIB</X509Certificate></X509Data></EncryptionKey><KeyPackage>").replace(PLAIN, "<EncryptedValue><EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa_1_5\"/></EncryptedValue>")),
        apart(&|document| without(document, "<MACMethod", "</MACMethod>")),
        apart(&|document| document.replace("#hmac-sha1", "#hmac-md5")),
        apart(&|document| document.replace("aes128-cbc", "aes128-gcm")),
        apart(&|document| without(document, "<xenc:CipherValue>\n     ESIz", "wSX\n                 </xenc:CipherValue>")),
        Example::new(figure(7).replace(">1000<", ">1000001<")),
        Example::new(figure(7).replace("#pbkdf2", "#scrypt")),
        Example::new(unsupported).password("secret").with(&["--entry", "x"], |options| options.entry = Some("x".to_owned())),
        Example::new(first),
        Example::new(last),
        Example::new(zip(&[("seeds.7z", b"7z\xbc\xaf\x27\x1c\0\x04")])),
    ];
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let office = |part| zip(&[("[Content_Types].xml", b"<a/>"), (part, b"<a/>")]);
    for content in [
        &b"7z\xbc\xaf\x27\x1c\0\x04"[..],
        b"\x1f\x8b\x08\0",
        b"BZh91AY",
        b"\xfd7zXZ\0\0",
        b"\x28\xb5\x2f\xfd\x04",
        b"LZIP\x01",
        b"\x04\x22\x4d\x18\x64",
        b"\x1f\x9d\x90",
        b"!<arch>\nseeds",
        b"Rar!\x1a\x07\x01",
        &tar,
        b"MSCF\0\0\0\0",
        b"\x7fELF\x02\x01",
        b"-----BEGIN PGP MESSAGE-----\n\nabc",
        b"age-encryption.org/v1\n",
        b"MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nabc",
        b"0\x82\x02\x01\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03\0",
        b"-----BEGIN PKCS7-----\nabc",
        b"From: a@example.org\nSubject: seeds\n\nhello",
        &office("xl/workbook.xml"),
        &office("word/document.xml"),
        b"%PDF-1.7\n",
        b"<!DOCTYPE html><html></html>",
        b"<table><tr><td>7700</td></tr></table>",
        b"PK\x07\x08PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"<TKNBatch><TKNHeader/></TKNBatch>",
        b"DH FILE=\"a.dpx\"\n",
        b"AUTHENTICATORPRO",
        b"{\"a\":1}",
    ] {
        examples.push(Example::new(content));
    }
    examples
}

/// Files of which a row is rejected.
fn rejected() -> Vec<Example> {
    let good = two_rows();
    let headed = |names: &str, row: &str| Example::new(format!("serial,secret,{names}\n{row}\n"));
    let one = |field: &str| Example::new(format!("{good}{field}\n"));
    let (seed, zeros) = (secret(2), "A".repeat(4));
    let label = |example: Example| {
        example.with(&["--serial-from", "label"], |options| options.serial_from = Some(SerialFrom::Label))
    };
    let mut examples = vec![
        one("7700000000037,"),
        one("7700000000037"),
        one(&format!("7700000000037,{}", "A".repeat(1100))),
        one(&format!("\"7700000000037,{seed}")),
        one(&format!("7700000000037,{seed}{}", ",1".repeat(70))),
        headed("period,digits", &format!("7700000000037,{seed},30")),
        Example::new(format!("{good}7700000000037,{}", &seed[..8])),
        one("Serial,Secret"),
        one(&format!("\"7700000000037\"x,{seed}")),
        one(&format!(",{seed}")),
        one(&format!("7700 000,{seed}")),
        one(&format!("7.70E+12,{seed}")),
        one(&format!("7700000000037.0,{seed}")),
        one(&format!("#N/A,{seed}")),
        headed("digits", &format!("{},{seed},6", secret(3))),
        one(&format!("7700000000037,{seed}!")),
        Example::new(format!("7700000000011,{}\n7700000000029,{}\n", "01".repeat(20), "z1".repeat(20))),
        one(&format!("7700000000037,0x{}", "ab".repeat(20))),
        one("7700000000037,aqEF01oicNt0JjOFcv9znJnAZVA="),
        one(&format!("7700000000037,{seed}B")),
        one(&format!("7700000000037,{zeros}")),
        Example::new(
            "<data><header><encrypt>AES</encrypt></header><tokens><token><serial>1</serial><seed>3132333435363738393031323334353637383930</seed></token></tokens></data>",
        ),
        headed("type", &format!("7700000000037,{seed},ocra")),
        Example::new(
            format!(
                "OATH-OCRA\n{}",
                String::from_utf8(corpus("records/yubico_traditional")).unwrap().replace("OATH-HOTP", "Yubico OTP")
            )
            .trim_start_matches("OATH-OCRA\n"),
        ),
        label(Example::new(format!("otpauth://totp/a?secret={seed}\nhttps://example.org/\n"))),
        label(Example::new(format!("otpauth://totp/a?secret={seed}otpauth://totp/b?secret={seed}\n"))),
        label(Example::new("otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8S\n")),
        headed("digits", &format!("7700000000037,{seed},12")),
        headed("period", &format!("7700000000037,{seed},30s")),
        headed("counter", &format!("7700000000037,{seed},many")),
        Example::new(pskc("", "").replace("<Key Id", "<Nothing Id").replace("</Key>", "</Nothing>")),
        Example::new(without(&pskc("<KeyReference>elsewhere</KeyReference>", ""), "<Secret>", "</Secret>")),
        Example::new(pskc("", "").replace("<PlainValue>0<", "<PlainValue>1<")),
        Example::new(pskc("", "").replace("Encoding=\"DECIMAL\"", "Encoding=\"DECIMAL\" CheckDigits=\"true\"")),
        Example::new(pskc("", "").replace("DECIMAL", "HEXADECIMAL")),
        Example::new(pskc("<Policy><PINPolicy PINUsageMode=\"Append\"/></Policy>", "")),
        Example::new(pskc("<Policy><NumberOfTransactions>5</NumberOfTransactions></Policy>", "")),
        Example::new(pskc("<Policy><KeyUsage>Encrypt</KeyUsage></Policy>", "")),
        Example::new(pskc("<Policy><x:Rule xmlns:x=\"other\"/></Policy>", "")),
        Example::new(pskc("", "").replace("<PlainValue>30<", "<PlainValue>half a minute<")),
        Example::new(pskc("", "").replace("MTIz", "M?Iz")),
        Example::new(pskc(&"<Issuer/>".repeat(1000), "")),
        Example::new(pskc("", "<Secret><PlainValue>MTIz</PlainValue></Secret>")),
        Example::new(pskc("<TimeStep>60</TimeStep>", "")),
        Example::new(pskc("", "").replace(PLAIN, "<PlainValue>3132333435363738393031323334353637383930</PlainValue>")),
        Example::new(pskc("", "").replace("<Secret>", "<Secret Encoding=\"hex\">")),
        Example::new(pskc("", "").replace("</DeviceInfo>", &format!("<Model>{seed}</Model></DeviceInfo>"))),
        two_keys(|package| package.replace("aes128-cbc", "aes256-cbc")),
        two_keys(|package| package.replace("<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", "")),
        two_keys(|package| package.replace("Su+N", "Tu+N")),
        two_keys(|package| {
            let rest = without(package, "<Secret>", "</Secret>");
            rest.replace("<Data>", &format!("<Data><Secret>{PLAIN}</Secret>"))
        }),
    ];
    // What an option would do is said to be wrong all the same where a row says otherwise.
    examples.push(
        one("7700000000037,").with(&["--encoding", "base32"], |options| options.encoding = Some(Encoding::Base32)),
    );
    examples
}

/// Files that come in, with something to say.
fn noted() -> Vec<Example> {
    let good = two_rows();
    let seeds = ("seeds.csv", good.as_bytes());
    let many: Vec<(String, &[u8])> = (0..40).map(|number| (format!("{number}.txt"), &b"hello"[..])).collect();
    let mut entries: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    entries.push(seeds);
    let figure = figure(6);
    let owned = format!("n/a, T1, {}, totp, 6, 30\nalice@realm, T2, {}, hotp, 6\n", secret(0), secret(1));
    vec![
        Example::new(&good),
        Example::new(format!("serial,secret,Colour\n77,{},red\n", secret(0))),
        Example::new(format!("77,{}\n{}", secret(2), row(1))),
        Example::new(format!("Order 4711\n\nserial,secret\n{good}Total,2\n")),
        Example::new(good.replace("77000", "'77000")),
        Example::new(good.replace(',', ",\u{a0}")),
        Example::new(format!("7700000000011,0x{}\n", "3c".repeat(20))),
        Example::new(format!("{good}7700000000037,{}\n", &secret(2)[..24])),
        Example::new(format!("serial,secret,period\n7700000000011,{},60\n", secret(0)))
            .with(&["--period", "30"], |options| options.period = Some(Period::new(30).unwrap())),
        Example::new(format!("serial,secret,type\n7700000000011,{},totp\n", secret(0)))
            .with(&["--type", "hotp"], |options| options.kind = Some(KindName::Hotp)),
        Example::new(zip(&[seeds, ("README.txt", b"The password comes by mail.\n")])),
        Example::new(zip(&entries)),
        Example::new(zip(&[("seeds.xml", figure.as_bytes()), ("key.bin", KEY)])),
        Example::new(corpus("zip_csv/key-encrypted")).password("secret"),
        Example::new(pskc("", "").replace("</KeyContainer>", "<Signature/></KeyContainer>")),
        Example::new(pskc("<Policy><ExpiryDate>2022-09-01T00:00:00Z</ExpiryDate></Policy>", "")),
        Example::new(owned.as_bytes()),
        Example::new(zip(&[("a list.csv", owned.as_bytes())])),
        Example::new(zip(&[("one.csv", good.as_bytes()), ("two.csv", format!("Gizmo,Whatsit\n{good}").as_bytes())])),
        Example::new(corpus("pskc/draft")),
        Example::new(pskc("<Issuer>privacyIDEA</Issuer>", "<TimeDrift><PlainValue>30</PlainValue></TimeDrift>")),
        Example::new(&good).with(&["--format", "csv"], |options| options.format = Format::Delimited),
    ]
}

/// What the core finds in a file: the kinds of its errors, rejections and notes.
fn found(example: &Example) -> Vec<&'static str> {
    let file = match seed_files::open(Cursor::new(&example.content), &example.options, &mut example.given.clone()) {
        Ok(file) => file,
        Err(error) => {
            let inner = match &error {
                ImportError::Pskc(error) => Some(of_pskc(error)),
                ImportError::OneOfSeveral { error, .. } => Some(of_error(error)),
                ImportError::Foreign(foreign) | ImportError::Nested { foreign, .. } => Some(of_foreign(foreign)),
                _ => None,
            };
            return [Some(of_error(&error)), inner].into_iter().flatten().collect();
        }
    };
    let mut kinds: Vec<&'static str> = file.notes().iter().map(of_note).collect();
    for why in file.rows().filter_map(|row| row.token.err()) {
        kinds.push(of_rejection(&why));
        if let Rejection::Key(why) = &why {
            kinds.push(of_key(why));
        }
    }
    kinds
}

/// Checks what the command says about a file.
fn check(host: &Host, number: usize, example: &Example, kinds: &[&str]) {
    let name = format!("its-{number}.dat");
    let path = file(host, &name, &example.content);
    let mut arguments =
        vec!["--quiet".to_owned(), "token".to_owned(), "import".to_owned(), "--dry-run".to_owned(), path.clone()];
    arguments.extend(example.arguments.iter().cloned());
    if let Some(password) = &example.given.password {
        arguments.extend(["--password-file".to_owned(), file(host, "password", password)]);
    }
    if let Some(key) = &example.given.key {
        arguments.extend(["--key-file".to_owned(), file(host, "key", key)]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let piped = host.run_twofactor(&arguments);
    let story = format!(
        "{kinds:?}, {}: {}",
        String::from_utf8_lossy(&example.content[..example.content.len().min(200)]),
        said(&piped)
    );
    let (out, errors) = (stdout(&piped), stderr(&piped));
    let is_error = kinds.iter().any(|kind| kind.starts_with("ImportError"));
    let is_rejected = kinds.iter().any(|kind| kind.starts_with("Rejection"));
    assert_eq!(piped.status.code() == Some(0), !is_error && !is_rejected, "{story}");
    if is_error || is_rejected {
        assert_eq!(errors.matches("hint: ").count(), 1, "one way out: {story}");
    }
    for line in errors.lines() {
        let sentence =
            line.trim_start_matches("twofactor: ").trim_start_matches("error: ").trim_start_matches("hint: ");
        assert!(!sentence.ends_with('.') && !sentence.is_empty(), "{story}");
        if !line.contains("hint: ") {
            assert!(line.matches(&name).count() <= 1, "the name is said again: {story}");
        }
    }
    if is_rejected {
        assert!(errors.contains("line "), "a row has a place: {story}");
    }
    for line in out.lines().filter(|line| line.starts_with("Note:")) {
        assert!(line.matches(&name).count() <= 1, "the name is said again: {story}");
    }
    if kinds.contains(&"ImportError::PasswordNeeded") {
        // On a terminal it would be asked for.
        return;
    }
    let mut terminal = Terminal::start(&host.twofactor(&arguments), Size { columns: 80, lines: 200 });
    terminal.wait();
    let shown = terminal.shown();
    for line in shown.lines() {
        assert!(line.trim_end().chars().count() <= 80, "{line}: {story}");
    }
    for word in (out + &errors).split_whitespace().filter(|word| word.chars().count() < 60) {
        assert!(shown.split_whitespace().any(|other| other == word), "{word} is cut in two: {shown}");
    }
}

#[test]
fn every_kind_of_error_and_note_is_said_in_a_sentence_with_a_place_and_a_way_out_at_80_columns() {
    private_host(|host| {
        let mut seen: BTreeSet<&str> = NOT_BY_A_FILE.into_iter().collect();
        let examples = refused().into_iter().chain(rejected()).chain(noted());
        for (number, example) in examples.enumerate() {
            let kinds = found(&example);
            check(host, number, &example, &kinds);
            seen.extend(kinds);
        }
        let all = [ERRORS, PSKC_ERRORS, FOREIGN, REJECTIONS, KEY_REJECTIONS, NOTES].concat();
        let without: Vec<_> = all.into_iter().filter(|kind| !seen.contains(kind)).collect();
        assert!(without.is_empty(), "no example makes these happen: {without:?}");
    });
}
