//! Whole files: every shape that vendors send, and every way in which one is refused.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::bounds::MOST_NOTES;
use super::*;
use twofactor_core::codes::otp::{Algorithm, Digits, Kind, Period};

mod apps;
mod kinds;
mod pskc;
mod tables;
mod wrappings;

/// A keyring that counts how often it is asked.
#[derive(Default)]
struct Ring {
    password: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    asked: usize,
}

impl Ring {
    fn password(password: &str) -> Self {
        Self { password: Some(password.into()), ..Self::default() }
    }

    fn key(key: &[u8]) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }
}

impl Keyring for Ring {
    fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        self.asked += 1;
        Ok(self.password.clone().map(Zeroizing::new))
    }

    fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
        self.asked += 1;
        Ok(self.key.clone().map(Zeroizing::new))
    }
}

fn opened_with(file: impl AsRef<[u8]>, options: &Options, ring: &mut Ring) -> Result<SeedFile, ImportError> {
    open(Cursor::new(file.as_ref()), options, ring)
}

fn opened(file: impl AsRef<[u8]>) -> SeedFile {
    opened_with(file, &Options::default(), &mut Ring::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(file: impl AsRef<[u8]>) -> ImportError {
    match opened_with(file, &Options::default(), &mut Ring::default()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// The tokens of a file whose rows are all good.
fn tokens(file: &SeedFile) -> Vec<Offered> {
    file.rows().map(|row| row.token.unwrap_or_else(|why| panic!("{}: {why}", row.place))).collect()
}

fn only(file: impl AsRef<[u8]>) -> Offered {
    let mut tokens = tokens(&opened(file));
    assert_eq!(tokens.len(), 1);
    tokens.remove(0)
}

fn rejection(file: impl AsRef<[u8]>) -> Rejection {
    opened(file).rows().find_map(|row| row.token.err()).expect("a row is rejected")
}

fn notes(file: &SeedFile) -> Vec<String> {
    file.notes().iter().map(ToString::to_string).collect()
}

/// The assumptions about a file, each as its property and the value that was taken.
fn assumed(file: &SeedFile) -> Vec<String> {
    file.assumptions().map(|assumption| format!("{}: {assumption}", assumption.what.word())).collect()
}

fn period(offered: &Offered) -> u16 {
    let Kind::Totp(period) = offered.parameters.kind else { panic!("not TOTP") };
    period.seconds()
}

/// 20 bytes: the ASCII digits of the RFCs.
const HEX: &str = "3132333435363738393031323334353637383930";
const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BYTES: &[u8] = b"12345678901234567890";

// The table of vendors' shapes.

#[test]
fn two_columns_are_totp_and_the_assumption_is_told() {
    let sample = "1234567891234,JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G\n1234567891235,OR3WC4TFEBSXMZLSEBRXEZLBORSWICQG\n";
    let file = opened(sample);
    let tokens = tokens(&file);
    assert_eq!(tokens[0].serial.as_str(), "1234567891234");
    assert_eq!(tokens[0].secret.expose(), b"Kasm is the best sof");
    assert_eq!((period(&tokens[0]), tokens[0].parameters.digits.count(), tokens[0].weak), (30, 6, false));
    assert_eq!(assumed(&file), ["type: TOTP", "hash: SHA1", "digits: 6 digits", "period: 30 s"]);
    assert_eq!(file.notes().iter().filter(|note| !note.is_doubt()).count(), 0);
    assert_eq!(file.form().to_string(), "delimited text, secrets in base32");
    assert_eq!(file.row_count(), 2);
    assert_eq!(file.sha256(), <[u8; 32]>::from(Sha256::digest(sample)));
}

#[test]
fn feitian_and_swivel_separate_with_spaces() {
    for secret in [HEX, BASE32] {
        let offered = only(format!("2600215704919   {secret}\r\n"));
        assert_eq!((offered.serial.as_str(), offered.secret.expose()), ("2600215704919", BYTES));
    }
}

#[test]
fn entra_token2_and_deepnet_have_a_header() {
    for header in [
        "upn,serial number,secret key,time interval,manufacturer,model",
        "UPN,Serial_Number,Secret-Key,timeinterval,Manufacturer,Model",
    ] {
        let offered = only(format!("{header}\r\nalice@example.org,1234567,{BASE32},60,Token2,c202\r\n"));
        assert_eq!((offered.serial.as_str(), period(&offered)), ("1234567", 60));
        assert_eq!((offered.vendor.as_deref(), offered.model.as_deref()), (Some("Token2"), Some("c202")));
    }
    let deepnet =
        only(format!("upn,serial number,secret key,timeinterval,manufacturer,model\n,12,{BASE32},30,Deepnet,"));
    assert_eq!((deepnet.serial.as_str(), deepnet.model), ("12", None));
    let without_upn = only(format!("serial number,secret key,interval,manufacturer,model\n12,{HEX},30,A,B"));
    assert_eq!(without_upn.secret.expose(), BYTES);
}

#[test]
fn oath_csv_says_more_column_by_column() {
    let file = opened(format!(
        "a1, {HEX}\na2,{HEX},hotp\na3,{HEX},totp,8\na4,{HEX},TOTP,6,60\na5,{HEX},hotp,6,42\na6,{HEX},totp,8,30,sha256\n"
    ));
    let tokens = tokens(&file);
    let shapes: Vec<_> = tokens.iter().map(|offered| (offered.parameters.kind, offered.counter)).collect();
    let totp = |seconds| Kind::Totp(Period::new(seconds).unwrap());
    assert_eq!(
        shapes,
        [
            (Kind::Hotp, Some(0)),
            (Kind::Hotp, Some(0)),
            (totp(30), None),
            (totp(60), None),
            (Kind::Hotp, Some(42)),
            (totp(30), None)
        ]
    );
    assert_eq!(tokens[2].parameters.digits.count(), 8);
    assert_eq!(tokens[5].parameters.algorithm, Algorithm::Sha256);
    let expected = [
        "type: HOTP where a row names no type, as OATH CSV has it; could be TOTP: --type totp",
        "hash: SHA1",
        "digits: 6 digits",
        "period: 30 s",
        "counter: from counter 0",
    ];
    assert_eq!(assumed(&file), expected);
}

#[test]
fn multiotp_puts_the_seed_fourth() {
    let row = |kind: &str, last: &str| format!("12345678;ACME, Inc.;{kind};{HEX};6;{last}\n");
    let offered = only(row("totp", "60"));
    assert_eq!(
        (offered.serial.as_str(), offered.vendor.as_deref(), period(&offered)),
        ("12345678", Some("ACME, Inc."), 60)
    );
    let header = "serial;manufacturer;algorithm;seed;digits;interval_or_event\n";
    let offered = only(format!("{header}{}", row("HOTP", "7")));
    assert_eq!((offered.parameters.kind, offered.counter), (Kind::Hotp, Some(7)));
    for file in [row("mOTP", "30"), format!("{header}{}", row("mOTP", "30"))] {
        assert_eq!(rejection(file), Rejection::Kind);
    }
}

#[test]
fn a_third_column_that_is_a_number_is_duos_counter() {
    let file = opened(format!("12345678,{HEX},9\n12345679,{HEX},\n"));
    let tokens = tokens(&file);
    assert_eq!((tokens[0].parameters.kind, tokens[0].counter), (Kind::Hotp, Some(9)));
    assert!(
        assumed(&file)[0].starts_with("type: HOTP, with its counter in the third column; could be TOTP"),
        "{:?}",
        assumed(&file)
    );
    let pingid = only(format!("serialNumber,secret\n12345678,{HEX}"));
    assert_eq!(pingid.serial.as_str(), "12345678");
}

// Text.

#[test]
fn what_excel_and_notepad_make_of_a_file_is_read() {
    let text = format!("serial,secret\r\n=\"0012\",\"{BASE32}\"\r\n,\r\n# by hand\r\n\"0013\" , {BASE32}====\r\n");
    let marked = format!("\u{feff}{text}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let cr = text.replace("\r\n", "\r");
    for file in [text.as_bytes(), marked.as_bytes(), &little, &big, cr.as_bytes()] {
        let rows: Vec<_> = opened(file).rows().map(|row| (row.place.line, row.token.unwrap().serial)).collect();
        let rows: Vec<_> = rows.iter().map(|(line, serial)| (*line, serial.as_str())).collect();
        assert_eq!(rows, [(2, "0012"), (5, "0013")]);
    }
}

#[test]
fn separators_quotes_and_the_groups_of_a_secret_do_not_matter() {
    let grouped = "gezd gnbv-gy3t qojq gezd gnbv gy3t qojq";
    for file in [
        format!("12;{grouped}"),
        format!("12\t{grouped}"),
        format!("12,\"{grouped}\""),
        format!("12    {BASE32}"),
        format!("12 \t {BASE32}  "),
        format!("sep=;\n12;{BASE32}"),
    ] {
        let offered = only(&file);
        assert_eq!((offered.serial.as_str(), offered.secret.expose()), ("12", BYTES), "{file}");
    }
}

// Encoding.

#[test]
fn hex_and_base32_in_one_file_are_refused_with_both_lines() {
    let error = refused(format!("1,{BASE32}\n2,{BASE32}\n3,{HEX}\n"));
    assert_eq!(
        error.to_string(),
        "line 3 has a hexadecimal secret and line 1 one in base32; a file holds one of the two"
    );
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let options = Options { encoding: Some(Encoding::Hex), ..Options::default() };
    let file = opened_with(format!("1,{BASE32}\n3,{HEX}\n"), &options, &mut Ring::default()).unwrap();
    let rows: Vec<_> = file.rows().map(|row| row.token.map(|_| ()).unwrap_err()).take(1).collect();
    assert_eq!(rows, [Rejection::NotHex]);
}

#[test]
fn a_file_whose_secrets_could_be_either_is_told_by_length_or_asked_about() {
    let file = opened(format!("1,{}\n", "ABCDEF23".repeat(4)));
    assert!(assumed(&file)[0].starts_with("encoding: base32; could be hexadecimal"), "{:?}", assumed(&file));
    let error = refused(format!("1,{}\n", "ABCDEF23".repeat(3)));
    assert!(matches!(error, ImportError::AmbiguousEncoding(Place { line: 1, .. })));
    assert!(error.hint().unwrap().contains("--encoding"));
}

// Damage.

#[test]
fn serials_that_a_spreadsheet_damaged_are_refused_or_warned_about() {
    assert_eq!(rejection(format!("1.23457E+12,{BASE32}")), Rejection::SerialRounded);
    let file = opened(format!("0012345,{BASE32}\n12346,{BASE32}\n"));
    assert!(notes(&file).contains(&"serial numbers have 5 to 7 digits: were leading zeros lost?".to_owned()));
}

#[test]
fn short_secrets_are_weak_or_refused() {
    let weak = only("12,GEZDGNBVGY3TQOJQ");
    assert_eq!((weak.secret.bits(), weak.weak), (80, true));
    assert_eq!(rejection("12,00"), Rejection::SecretLength(1));
    assert_eq!(rejection(format!("12,{}", "0a".repeat(129))), Rejection::SecretLength(129));
}

#[test]
fn a_bad_row_is_named_and_does_not_hurt_the_others() {
    let file = opened(format!(
        "12,{BASE32}\n13\n14,\n,{BASE32}\n\"15,{BASE32}\n1 6,{BASE32}\n17,{}0\n18,{BASE32}\n19,{BASE32}A,\n",
        &BASE32[1..]
    ));
    let rows: Vec<_> = file.rows().map(|row| (row.place.to_string(), row.token.err())).collect();
    let expected = [
        None,
        Some(Rejection::TooFewColumns),
        Some(Rejection::SecretMissing),
        Some(Rejection::SerialMissing),
        Some(Rejection::UnclosedQuote),
        Some(Rejection::SerialInvalid),
        Some(Rejection::NotBase32),
        None,
        Some(Rejection::SecretIncomplete),
    ];
    let places = (1..).map(|line| format!("line {line}"));
    assert_eq!(rows, places.zip(expected).collect::<Vec<_>>());
}

#[test]
fn parameters_out_of_range_are_refused_unless_an_option_replaces_them() {
    let file =
        format!("1,{HEX},totp,6,0\n2,{HEX},totp,9,30\n3,{HEX},totp,6,30,md5\n4,{HEX},ocra,6\n5,{HEX},hotp,6,x\n");
    let why: Vec<_> = opened(&file).rows().filter_map(|row| row.token.err()).collect();
    let parameter = Rejection::Parameter;
    assert_eq!(
        why,
        [
            parameter(Parameter::Period),
            parameter(Parameter::Digits),
            parameter(Parameter::Algorithm),
            Rejection::Kind,
            Rejection::Counter
        ]
    );
    let options = Options {
        kind: Some(KindName::Totp),
        algorithm: Some(Algorithm::Sha1),
        digits: Some(Digits::SIX),
        period: Some(Period::THIRTY),
        ..Options::default()
    };
    let file = opened_with(&file, &options, &mut Ring::default()).unwrap();
    assert_eq!(tokens(&file).len(), 5);
    assert!(notes(&file).iter().any(|note| note.contains("otherwise than an option")));
}

#[test]
fn what_holds_no_rows_is_refused() {
    for file in ["", "\n\n", "# nothing\n", "serial,secret\n", "\u{feff}", ",,,\n"] {
        assert!(matches!(refused(file), ImportError::NoRows), "{file:?}");
    }
    assert!(matches!(refused("just\nwords\n"), ImportError::NoColumns));
    assert!(matches!(refused("\x01\x02\x01\x01\0\0"), ImportError::NotText));
    assert!(matches!(refused(format!("upn,secret\na,{HEX}")), ImportError::Header { missing: "serial number", .. }));
}

#[test]
fn what_we_do_not_read_is_named_with_the_way_out() {
    let error = refused(b"7z\xbc\xaf\x27\x1c\0\x04");
    assert_eq!(error.to_string(), "this is a 7z archive");
    assert_eq!(error.hint().unwrap(), "7z x -so FILE | twofactor token import -");
    assert_eq!(refused("-----BEGIN PGP MESSAGE-----\n").hint().unwrap(), "gpg -d FILE | twofactor token import -");
    assert!(refused("age-encryption.org/v1\n").hint().unwrap().starts_with("age -d FILE"));
}

#[test]
fn nothing_that_stood_in_a_field_is_repeated() {
    // Columns swapped: secrets stand where serial numbers belong.
    let file = opened(format!("{BASE32} X,12\n{HEX}\",13\n\"{BASE32},14\n12,{BASE32}0\n13,0{BASE32}\n"));
    for row in file.rows() {
        let said = format!("{:?} {}", row.token, row.token.as_ref().unwrap_err());
        assert!(!said.contains("GEZD") && !said.contains("3132"), "{said}");
    }
    let offered = only(format!("12,{BASE32}"));
    assert!(!format!("{offered:?}").contains("GEZD") && !format!("{offered:?}").contains("49, 50"));
}

// Rows can be written to another file.

#[test]
fn a_row_and_what_stands_around_it_can_be_taken_out() {
    let table = format!("serial,secret\r\n12,{BASE32}\r\n13,bad\r\n");
    let file = opened(&table);
    let rejected = file.rows().find(|row| row.token.is_err()).unwrap();
    assert_eq!(file.raw(&rejected).unwrap().as_slice(), b"13,bad");
    assert_eq!(file.frame(&rejected).unwrap().before.as_slice(), b"serial,secret\r\n");
    assert_eq!(file.size_hint(), u64::try_from(table.len()).unwrap());
    assert_eq!(rejected.reached + 2, file.size_hint());
    let document = plain_pskc(&format!("{}{}", package("11", ""), package("", "")));
    let file = opened(&document);
    let rejected = file.rows().find(|row| row.token.is_err()).unwrap();
    let frame = file.frame(&rejected).unwrap();
    let alone = [&frame.before[..], &file.raw(&rejected).unwrap(), &frame.after].concat();
    assert_eq!(opened(alone).rows().map(|row| row.token.unwrap_err()).collect::<Vec<_>>(), [Rejection::SerialMissing]);
}

// PSKC.

/// A document around packages whose values are plain.
fn plain_pskc(packages: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n{packages}</KeyContainer>\n"
    )
}

/// A TOTP package; `extra` stands in `Key`.
fn package(serial: &str, extra: &str) -> String {
    format!(
        "<KeyPackage><DeviceInfo><Manufacturer>M</Manufacturer><SerialNo>{serial}</SerialNo></DeviceInfo>\
         <Key Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:totp\">{extra}\
         <Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret></Data></Key></KeyPackage>\n"
    )
}

/// A TOTP package with one more value in `Data`.
fn package_with(value: &str) -> String {
    package("11", "").replace("<Data>", &format!("<Data>{value}"))
}

/// RFC 6030, figure 6: AES-128-CBC under a pre-shared key.
const FIGURE_6: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0"
     xmlns="urn:ietf:params:xml:ns:keyprov:pskc"
     xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
     xmlns:xenc="http://www.w3.org/2001/04/xmlenc#">
     <EncryptionKey>
         <ds:KeyName>Pre-shared-key</ds:KeyName>
     </EncryptionKey>
     <MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1">
         <MACKey>
             <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
             <xenc:CipherData>
                 <xenc:CipherValue>
     ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX
                 </xenc:CipherValue>
             </xenc:CipherData>
         </MACKey>
     </MACMethod>
     <KeyPackage>
         <DeviceInfo>
             <Manufacturer>Manufacturer</Manufacturer>
             <SerialNo>987654321</SerialNo>
         </DeviceInfo>
         <CryptoModuleInfo>
             <Id>CM_ID_001</Id>
         </CryptoModuleInfo>
         <Key Id="12345678" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp">
             <Issuer>Issuer</Issuer>
             <AlgorithmParameters>
                 <ResponseFormat Length="8" Encoding="DECIMAL"/>
             </AlgorithmParameters>
             <Data>
                 <Secret>
                     <EncryptedValue>
                         <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
                         <xenc:CipherData>
                             <xenc:CipherValue>
     AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv
                             </xenc:CipherValue>
                         </xenc:CipherData>
                     </EncryptedValue>
                     <ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>
                 </Secret>
                 <Counter>
                     <PlainValue>0</PlainValue>
                 </Counter>
             </Data>
         </Key>
     </KeyPackage>
</KeyContainer>
"#;

/// RFC 6030, figure 7: a key derived from a password.
const FIGURE_7: &str = r##"<?xml version="1.0" encoding="UTF-8"?>
<pskc:KeyContainer
  xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"
  xmlns:xenc11="http://www.w3.org/2009/xmlenc11#"
  xmlns:pkcs5="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"
  xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Version="1.0">
    <pskc:EncryptionKey>
        <xenc11:DerivedKey>
            <xenc11:KeyDerivationMethod
              Algorithm="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2">
                <pkcs5:PBKDF2-params>
                    <Salt>
                        <Specified>Ej7/PEpyEpw=</Specified>
                    </Salt>
                    <IterationCount>1000</IterationCount>
                    <KeyLength>16</KeyLength>
                    <PRF/>
                </pkcs5:PBKDF2-params>
            </xenc11:KeyDerivationMethod>
            <xenc:ReferenceList>
                <xenc:DataReference URI="#ED"/>
            </xenc:ReferenceList>
            <xenc11:MasterKeyName>My Password 1</xenc11:MasterKeyName>
        </xenc11:DerivedKey>
    </pskc:EncryptionKey>
    <pskc:MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1">
        <pskc:MACKey>
            <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
            <xenc:CipherData>
                <xenc:CipherValue>
2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx
                </xenc:CipherValue>
            </xenc:CipherData>
        </pskc:MACKey>
    </pskc:MACMethod>
    <pskc:KeyPackage>
        <pskc:DeviceInfo>
            <pskc:Manufacturer>TokenVendorAcme</pskc:Manufacturer>
            <pskc:SerialNo>987654321</pskc:SerialNo>
        </pskc:DeviceInfo>
        <pskc:CryptoModuleInfo>
            <pskc:Id>CM_ID_001</pskc:Id>
        </pskc:CryptoModuleInfo>
        <pskc:Key Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp" Id="123456">
            <pskc:Issuer>Example-Issuer</pskc:Issuer>
            <pskc:AlgorithmParameters>
                <pskc:ResponseFormat Length="8" Encoding="DECIMAL"/>
            </pskc:AlgorithmParameters>
            <pskc:Data>
                <pskc:Secret>
                    <pskc:EncryptedValue Id="ED">
                        <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>
                        <xenc:CipherData>
                            <xenc:CipherValue>
oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZu6V+A4aEn032yCr4f
                            </xenc:CipherValue>
                        </xenc:CipherData>
                    </pskc:EncryptedValue>
                    <pskc:ValueMAC>LP6xMvjtypbfT9PdkJhBZ+D6O4w=</pskc:ValueMAC>
                </pskc:Secret>
            </pskc:Data>
        </pskc:Key>
    </pskc:KeyPackage>
</pskc:KeyContainer>
"##;

/// The key of figure 6.
const KEY: &[u8] = b"\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12";

#[test]
fn the_encrypted_figures_of_rfc_6030_give_their_keys() {
    let hex = b"12345678901234567890123456789012\n".as_slice();
    for (document, mut ring) in
        [(FIGURE_6, Ring::key(KEY)), (FIGURE_6, Ring::key(hex)), (FIGURE_7, Ring::password("qwerty"))]
    {
        let file = opened_with(document, &Options::default(), &mut ring).unwrap();
        let token = tokens(&file).remove(0);
        assert_eq!((token.serial.as_str(), token.secret.expose()), ("987654321", BYTES));
        assert_eq!((token.parameters.kind, token.parameters.digits.count()), (Kind::Hotp, 8));
        assert_eq!((token.counter, ring.asked), (Some(0), 1));
        assert_eq!(file.form().to_string(), "PSKC (RFC 6030)");
    }
}

#[test]
fn what_is_missing_or_wrong_to_open_pskc_is_told() {
    let error =
        |document: &str, mut ring: Ring| opened_with(document, &Options::default(), &mut ring).map(|_| ()).unwrap_err();
    assert!(matches!(error(FIGURE_6, Ring::default()), ImportError::KeyNeeded));
    assert!(matches!(error(FIGURE_7, Ring::default()), ImportError::PasswordNeeded));
    assert!(matches!(error(FIGURE_6, Ring::key(&[7; 16])), ImportError::WrongKey));
    assert!(matches!(error(FIGURE_6, Ring::key(&[7; 24])), ImportError::KeyLength(16)));
    for number in 0..50 {
        let wrong = error(FIGURE_7, Ring::password(&format!("wrong {number}")));
        assert!(matches!(wrong, ImportError::WrongPassword), "{wrong}");
        assert_eq!(wrong.kind(), ErrorKind::WrongKey);
    }
}

/// Figure 6 with a second package, whose value is changed by `change`.
fn two_packages(change: impl Fn(&str) -> String) -> SeedFile {
    let (head, rest) = FIGURE_6.split_once("<KeyPackage>").unwrap();
    let (package, end) = rest.split_once("</KeyPackage>").unwrap();
    let second = change(package);
    assert_ne!(second, package);
    let document = format!("{head}<KeyPackage>{package}</KeyPackage><KeyPackage>{second}</KeyPackage>{end}");
    opened_with(document, &Options::default(), &mut Ring::key(KEY)).unwrap()
}

#[test]
fn a_value_that_was_changed_or_stripped_of_its_mac_is_refused() {
    let second = |change: &dyn Fn(&str) -> String| {
        let rows: Vec<_> = two_packages(change).rows().map(|row| row.token.map(|_| ())).collect();
        assert_eq!(rows[0], Ok(()));
        rows[1].unwrap_err()
    };
    let flipped = second(&|package| package.replace("8jwZqIUqGv", "8jwZqIUqGu"));
    assert_eq!(flipped, Rejection::Key(KeyRejection::MacMismatch("the secret")));
    let flipped_mac = second(&|package| package.replace("Su+N", "Tu+N"));
    assert_eq!(flipped_mac, Rejection::Key(KeyRejection::MacMismatch("the secret")));
    let stripped = second(&|package| package.replace("<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", ""));
    assert_eq!(stripped, Rejection::Key(KeyRejection::MacMissing("the secret")));
    let cut = second(&|package| package.replace("Su+NvtQfmvfJzF6bmQiJqoLRExc=", ""));
    assert_eq!(cut, Rejection::Key(KeyRejection::MacMismatch("the secret")));
    let plain_beside =
        second(&|package| package.replace("<EncryptedValue>", "<PlainValue>MTIz</PlainValue><EncryptedValue>"));
    assert_eq!(plain_beside, Rejection::Key(KeyRejection::Twice("the secret")));
    let secret = "<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>";
    let in_the_clear = second(&|package| {
        let (before, rest) = package.split_once("<Secret>").unwrap();
        format!("{before}{secret}{}", rest.split_once("</Secret>").unwrap().1)
    });
    assert_eq!(in_the_clear, Rejection::Key(KeyRejection::InTheClear));
    let other_cipher = second(&|package| package.replace("aes128-cbc", "aes256-cbc"));
    assert_eq!(other_cipher, Rejection::Key(KeyRejection::Cipher("the secret")));
}

#[test]
fn a_document_stripped_of_all_its_macs_is_not_called_a_wrong_key() {
    let stripped = FIGURE_6.replace("<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", "");
    let file = opened_with(stripped, &Options::default(), &mut Ring::key(KEY)).unwrap();
    let rows: Vec<_> = file.rows().map(|row| row.token.map(|_| ()).unwrap_err()).collect();
    assert_eq!(rows, [Rejection::Key(KeyRejection::MacMissing("the secret"))]);
}

#[test]
fn a_document_of_before_the_rfc_has_one_key_for_both() {
    let (before, rest) = FIGURE_6.split_once("<MACKey>").unwrap();
    let (_, after) = rest.split_once("</MACKey>").unwrap();
    let document = format!("{before}{after}").replace("Su+NvtQfmvfJzF6bmQiJqoLRExc=", "N8Agsfe5A7WQFswmdvL/MHdd3y0=");
    let file = opened_with(document, &Options::default(), &mut Ring::key(KEY)).unwrap();
    assert_eq!(tokens(&file)[0].secret.expose(), BYTES);
}

#[test]
fn a_document_for_a_certificate_is_called_so() {
    // As in figure 8 of RFC 6030: no MAC, RSA, and a certificate that is longer than any other value.
    let head = format!(
        "<EncryptionKey><d:X509Data xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><d:X509Certificate>{}\
         </d:X509Certificate></d:X509Data></EncryptionKey>",
        "MIIB".repeat(1000)
    );
    let value =
        "<EncryptedValue><EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa_1_5\"/></EncryptedValue>";
    let package = package("11", "").replace("<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>", value);
    let error = refused(plain_pskc(&format!("{head}{package}")));
    assert!(matches!(error, ImportError::Pskc(PskcError::Certificate)), "{error}");
    assert!(error.hint().unwrap().contains("ask the vendor"));
}

#[test]
fn an_option_overrules_a_pskc_document_aloud() {
    let parameters = "<AlgorithmParameters><ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/></AlgorithmParameters>";
    let document = plain_pskc(&package("11", parameters));
    let options = Options { digits: Some(Digits::new(8).unwrap()), ..Options::default() };
    let file = opened_with(&document, &options, &mut Ring::default()).unwrap();
    assert_eq!(tokens(&file)[0].parameters.digits.count(), 8);
    assert!(notes(&file).iter().any(|note| note.contains("otherwise than an option")));
}

#[test]
fn a_document_that_nobody_can_verify_is_refused_before_anybody_is_asked() {
    let without = |from: &str, to: &str| {
        let (before, rest) = FIGURE_6.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{after}")
    };
    let mut ring = Ring::key(KEY);
    for (document, expected) in [
        (without("<MACMethod", "</MACMethod>"), PskcError::NoMac),
        (FIGURE_6.replace("#hmac-sha1", "#hmac-md5"), PskcError::MacAlgorithm),
        (FIGURE_6.replace("aes128-cbc", "aes128-gcm"), PskcError::Cipher),
        (
            FIGURE_6
                .replace("<ds:KeyName>Pre-shared-key</ds:KeyName>", "<ds:X509Data><ds:X509Certificate/></ds:X509Data>"),
            PskcError::Certificate,
        ),
        (FIGURE_7.replace(">1000<", ">1000001<"), PskcError::Iterations(1_000_001)),
        (FIGURE_7.replace(">1000<", ">5000000<"), PskcError::Iterations(5_000_000)),
        (FIGURE_7.replace(">1000<", ">0<"), PskcError::Derivation),
        (FIGURE_7.replace("#pbkdf2", "#scrypt"), PskcError::Derivation),
    ] {
        let error = opened_with(document, &Options::default(), &mut ring).map(|_| ()).unwrap_err();
        assert!(matches!(error, ImportError::Pskc(found) if found == expected), "{error}");
        assert_eq!((error.kind(), ring.asked), (ErrorKind::Invalid, 0));
    }
}

#[test]
fn numbers_come_as_text_as_base64_of_text_and_as_base64_of_bytes() {
    for interval in ["60", "NjA=", "AAAAAAAAADw=", "PA=="] {
        let value = format!("<TimeInterval><PlainValue>{interval}</PlainValue></TimeInterval>");
        assert_eq!(period(&only(plain_pskc(&package_with(&value)))), 60, "{interval}");
    }
    let drift = only(plain_pskc(&package_with("<TimeDrift><PlainValue>-2</PlainValue></TimeDrift>")));
    assert_eq!(drift.drift, Some(-2));
    let hotp = package_with("<Counter><PlainValue>AAAAAAAAACo=</PlainValue></Counter>").replace(":totp", ":hotp");
    assert_eq!(only(plain_pskc(&hotp)).counter, Some(42));
    let wrong = package_with("<TimeInterval><PlainValue>soon!</PlainValue></TimeInterval>");
    assert_eq!(rejection(plain_pskc(&wrong)), Rejection::Key(KeyRejection::Number("the time interval")));
}

#[test]
fn algorithms_and_suites_have_many_names() {
    let container = |uri: &str, suite: &str| {
        let parameters = format!("<AlgorithmParameters><Suite>{suite}</Suite></AlgorithmParameters>");
        only(plain_pskc(&package("11", &parameters).replace("urn:ietf:params:xml:ns:keyprov:pskc:totp", uri)))
    };
    for uri in ["urn:ietf:params:xml:ns:keyprov:pskc#totp", "http://www.ietf.org/keyprov/pskc#totp", "totp"] {
        assert!(matches!(container(uri, "").parameters.kind, Kind::Totp(_)), "{uri}");
    }
    for suite in ["HMAC-SHA256", "SHA-256", "sha256"] {
        assert_eq!(container("totp", suite).parameters.algorithm, Algorithm::Sha256, "{suite}");
    }
    assert_eq!(container("totp", "").parameters.algorithm, Algorithm::Sha1);
    let ocra = plain_pskc(&package("11", "")).replace("pskc:totp", "pskc:ocra-1");
    assert_eq!(rejection(ocra), Rejection::Kind);
}

#[test]
fn prefixes_do_not_matter_and_namespaces_do() {
    let document = plain_pskc(&package("11", ""));
    let prefixed = document.replace("xmlns=", "xmlns:p=").replace("</", "</p:").replace('<', "<p:");
    let prefixed = prefixed.replace("<p:/p:", "</p:").replace("<p:?", "<?");
    assert_eq!(only(prefixed).serial.as_str(), "11");
    assert_eq!(only(document.replace(" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\"", "")).serial.as_str(), "11");
    let foreign = document.replace("ns:keyprov:pskc\"", "ns:other\"");
    assert!(matches!(refused(foreign), ImportError::Pskc(PskcError::NotPskc)));
    assert!(matches!(refused("<other/>"), ImportError::Pskc(PskcError::NotPskc)));
}

#[test]
fn the_serial_is_the_devices_else_the_keys() {
    let both = package("11", "").replace("<Key ", "<Key Id=\"k1\" ");
    assert_eq!(only(plain_pskc(&both)).serial.as_str(), "11");
    assert_eq!(only(plain_pskc(&both.replace("<SerialNo>11</SerialNo>", ""))).serial.as_str(), "k1");
}

#[test]
fn keys_with_properties_we_cannot_keep_are_refused_with_the_reason() {
    let response = |attributes: &str| {
        package(
            "11",
            &format!("<AlgorithmParameters><ResponseFormat Length=\"6\" {attributes}/></AlgorithmParameters>"),
        )
    };
    let policy = |rule: &str| package("11", &format!("<Policy>{rule}</Policy>"));
    for (package, expected) in [
        (package_with("<Time><PlainValue>1</PlainValue></Time>"), KeyRejection::Epoch),
        (response("CheckDigits=\"true\""), KeyRejection::CheckDigits),
        (response("Encoding=\"HEXADECIMAL\""), KeyRejection::ResponseEncoding),
        (policy("<PINPolicy PINUsageMode=\"Append\"/>"), KeyRejection::Pin),
        (policy("<NumberOfTransactions>5</NumberOfTransactions>"), KeyRejection::Uses),
        (policy("<KeyUsage>Encrypt</KeyUsage>"), KeyRejection::Usage),
        (policy("<x:Rule xmlns:x=\"other\"/>"), KeyRejection::Policy),
        ("<KeyPackage><DeviceInfo/></KeyPackage>".to_owned(), KeyRejection::NoKey),
        (package_with("<Secret><PlainValue>MTIz</PlainValue></Secret>"), KeyRejection::Twice("the secret")),
        (package("11", "<!---->").replace("MTIz", "M?Iz"), KeyRejection::Base64("the secret")),
        (package("11", &"<Issuer/>".repeat(1000)), KeyRejection::TooLarge),
    ] {
        assert_eq!(rejection(plain_pskc(&package)), Rejection::Key(expected));
    }
    for package in [
        package_with("<Time><PlainValue>0</PlainValue></Time>"),
        response("CheckDigits=\"false\" Encoding=\"DECIMAL\""),
        policy("<PINPolicy PINUsageMode=\"Local\"/><KeyUsage>OTP</KeyUsage>"),
    ] {
        assert_eq!(only(plain_pskc(&package)).secret.expose(), BYTES);
    }
    let dated = opened(plain_pskc(&policy("<ExpiryDate>2022-09-01T00:00:00Z</ExpiryDate>")));
    assert!(notes(&dated).contains(&"keys have a start or expiry date; those are not enforced".to_owned()));
}

#[test]
fn a_document_type_is_refused_and_entities_are_not_expanded() {
    let bomb =
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<KeyContainer>&b;</KeyContainer>";
    let error = refused(bomb);
    assert_eq!(error.to_string(), "line 1: the XML has a DOCTYPE, which no seed file needs");
    assert!(matches!(refused(plain_pskc(&package("&x;", ""))), ImportError::Xml(Place { line: 3, .. }, _)));
    assert_eq!(only(plain_pskc(&package("1&amp;&#50;", ""))).serial.as_str(), "1&2");
}

#[test]
fn a_signed_document_is_read_and_the_signature_said_to_be_unchecked() {
    let certificate = "x".repeat(5000);
    let signed = plain_pskc(&format!("{}<Signature><V>{certificate}</V></Signature>", package("11", "")));
    assert!(notes(&opened(signed)).contains(&"the document is signed; the signature was not checked".to_owned()));
}

#[test]
fn pskc_may_come_in_utf16_and_latin1() {
    let document = plain_pskc(&package("11", "")).replace(">M<", ">Büro<");
    let utf16: Vec<u8> = format!("\u{feff}{document}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = document.chars().map(|character| u8::try_from(character).unwrap()).collect();
    for file in [document.into_bytes(), utf16, latin1] {
        assert_eq!(only(file).vendor.as_deref(), Some("Büro"));
    }
}

// Zip files; the real packers are asked in the end-to-end tests.

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        io::Write::write_all(&mut writer, content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn the_entries_with_seeds_are_taken_in_order_and_the_rest_is_ignored_aloud() {
    let csv = |serial: u32| format!("{serial},{BASE32}\n");
    let zip = zipped(&[
        ("a.csv", csv(1).as_bytes()),
        ("__MACOSX/._a.csv", b"\0\x05\x16\x07"),
        ("README.txt", b"Serial numbers are printed on the back.\nHave fun with them!\n"),
        (".hidden.csv", b"\0"),
        ("sub/B.TXT", csv(2).as_bytes()),
        ("logo.png", b"\x89PNG"),
    ]);
    let file = opened(&zip);
    let rows: Vec<_> = file.rows().map(|row| (row.place.to_string(), row.token.unwrap().serial)).collect();
    assert_eq!(
        rows.iter().map(|(place, _)| place.as_str()).collect::<Vec<_>>(),
        ["a.csv, line 1", "sub/B.TXT, line 1"]
    );
    let notes = notes(&file);
    for expected in [
        "a.csv is not encrypted: the seeds travelled in the clear",
        "README.txt: ignored, it is no list of seeds",
        "logo.png: ignored, it is no list of seeds",
    ] {
        assert!(notes.iter().any(|note| note == expected), "{expected}: {notes:?}");
    }
    assert!(file.form().to_string().starts_with("zip file, delimited text"));
    assert_eq!(file.sha256(), <[u8; 32]>::from(Sha256::digest(&zip)));
    assert_eq!(file.rows().last().unwrap().reached + 1, file.size_hint());
}

#[test]
fn the_names_of_entries_decide_nothing() {
    let row = |serial: u32| format!("{serial},{BASE32}\n");
    let (one, two) = (row(1), row(2));
    assert_eq!(tokens(&opened(zipped(&[("tokens.dat", one.as_bytes())]))).len(), 1);
    assert_eq!(tokens(&opened(zipped(&[("a.dat", one.as_bytes()), ("b", two.as_bytes())]))).len(), 2);
    assert!(matches!(refused(zipped(&[])), ImportError::NoEntry));
}

#[test]
fn a_key_that_lies_beside_a_pskc_document_opens_it() {
    for (name, key) in [("transport.key", KEY), ("key.txt", b"12345678901234567890123456789012\r\n")] {
        let mut ring = Ring::default();
        let zip = zipped(&[("tokens.xml", FIGURE_6.as_bytes()), (name, key)]);
        let file = opened_with(zip, &Options::default(), &mut ring).unwrap();
        assert_eq!(tokens(&file)[0].secret.expose(), BYTES);
        assert!(notes(&file).contains(&format!(
            "{name}: taken as the key; it lay beside the seeds, so the seeds travelled in the clear"
        )));
        // Whether a key was given, and nothing else.
        assert_eq!(ring.asked, 1);
    }
}

#[test]
fn archives_in_archives_and_workbooks_are_named() {
    let inner = zipped(&[("a.csv", b"1,2")]);
    let error = refused(zipped(&[("inner.csv", &inner)]));
    assert_eq!(error.to_string(), "inner.csv in the zip file is a zip file");
    assert_eq!(error.hint().unwrap(), "7z x -so FILE inner.csv | twofactor token import -");
    let workbook = zipped(&[("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>")]);
    assert!(matches!(refused(workbook), ImportError::Foreign(Foreign::Workbook)));
}

#[test]
fn a_file_that_cannot_be_read_is_an_io_error() {
    struct Broken(Cursor<Vec<u8>>, u64);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.position() >= self.1 { Err(io::ErrorKind::NotConnected.into()) } else { self.0.read(buffer) }
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
            self.0.seek(position)
        }
    }
    let long = format!("1,{BASE32}\n").repeat(1000);
    for (file, good) in [(long.clone().into_bytes(), 100), (zipped(&[("a.csv", long.as_bytes())]), 30)] {
        let error = open(Broken(Cursor::new(file), good), &Options::default(), &mut Ring::default());
        assert_eq!(error.map(|_| ()).unwrap_err().kind(), ErrorKind::Io);
    }
}

#[test]
fn notes_are_bounded_and_each_is_made_once() {
    let row = format!("1,{BASE32}\n");
    let names: Vec<_> = (0..100).map(|number| format!("{number}.csv")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), row.as_bytes())).collect();
    let file = opened(zipped(&entries));
    let notes = notes(&file);
    assert_eq!(notes.len(), MOST_NOTES + 1);
    assert_eq!(notes[0], "the file does not say the type: taken as TOTP");
    assert_eq!(notes[MOST_NOTES], "and 72 more notes like these");
}

#[test]
fn a_keyring_that_fails_is_told_from_a_file_that_does() {
    struct Broken;
    impl Keyring for Broken {
        fn password(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
            Err(io::ErrorKind::NotConnected.into())
        }
        fn key(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, io::Error> {
            Err(io::ErrorKind::NotFound.into())
        }
    }
    for document in [FIGURE_6, FIGURE_7] {
        let error = open(Cursor::new(document), &Options::default(), &mut Broken).unwrap_err();
        assert!(matches!(error, ImportError::Keyring(_)) && error.kind() == ErrorKind::Io);
    }
}

// Properties.

/// A row as a vendor could write it, and the text it makes.
#[derive(Debug, Clone)]
struct Written {
    serial: String,
    secret: Vec<u8>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_a_vendor_writes_is_read_back(
        rows in proptest::collection::vec(
            ("[0-9]{1,13}|[A-Z]{2}[0-9]{6}", proptest::collection::vec(any::<u8>(), 20)), 1..30),
        separator in prop_oneof![Just(","), Just(";"), Just("\t"), Just("  "), Just(" , ")],
        quoted in any::<bool>(),
        hex in any::<bool>(),
        lower in any::<bool>(),
        header in any::<bool>(),
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        last_line_ends in any::<bool>(),
        utf16 in any::<bool>(),
    ) {
        let rows: Vec<_> = rows.into_iter().map(|(serial, secret)| Written { serial, secret }).collect();
        let mut lines: Vec<String> = rows.iter().map(|Written { serial, secret }| {
            let encoded = if hex { data_encoding::HEXUPPER.encode(secret) } else { data_encoding::BASE32.encode(secret) };
            let encoded = if lower { encoded.to_lowercase() } else { encoded };
            let quote = if quoted { "\"" } else { "" };
            format!("{quote}{serial}{quote}{separator}{quote}{encoded}{quote}")
        }).collect();
        if header {
            lines.insert(0, format!("Serial{separator}Secret"));
        }
        let mut text = lines.join(line_end);
        if last_line_ends {
            text.push_str(line_end);
        }
        let bytes = if utf16 {
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else {
            text.into_bytes()
        };
        let options = Options { encoding: Some(if hex { Encoding::Hex } else { Encoding::Base32 }), ..Options::default() };
        let file = opened_with(bytes, &options, &mut Ring::default()).unwrap();
        let read = tokens(&file);
        prop_assert_eq!(read.len(), rows.len());
        for (read, written) in read.iter().zip(&rows) {
            prop_assert_eq!(read.serial.as_str(), &written.serial);
            prop_assert_eq!(read.secret.expose(), &written.secret[..]);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_tables_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let options = Options { format: Format::Delimited, ..Options::default() };
        if let Ok(file) = opened_with(bytes, &options, &mut Ring::password("x")) {
            file.rows().for_each(drop);
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_tables_panic(text in "([0-9a-zA-Z,;\"=#\t\r\n .+]|serial|secret){0,200}") {
        if let Ok(file) = opened_with(text, &Options::default(), &mut Ring::default()) {
            prop_assert_eq!(file.rows().count(), file.row_count());
            for row in file.rows() {
                prop_assert!(file.raw(&row).is_some() && row.reached <= file.size_hint());
            }
        }
    }

    #[test]
    fn no_change_to_a_pskc_document_makes_its_reader_panic_or_gives_another_secret(
        at in 0..FIGURE_6.len(),
        byte in any::<u8>(),
        removed in 0..3_usize,
        figure in any::<bool>(),
    ) {
        let (document, mut ring) =
            if figure { (FIGURE_6, Ring::key(KEY)) } else { (FIGURE_7, Ring::password("qwerty")) };
        let mut bytes = document.as_bytes().to_vec();
        let at = at.min(bytes.len() - removed);
        bytes.splice(at..at + removed, [byte]);
        if let Ok(file) = opened_with(bytes, &Options::default(), &mut ring) {
            for row in file.rows() {
                if let Ok(offered) = row.token {
                    prop_assert_eq!(offered.secret.expose(), BYTES);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_of_pskc_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let options = Options { format: Format::Pskc, ..Options::default() };
        if let Ok(file) = opened_with(bytes, &options, &mut Ring::password("x")) {
            file.rows().for_each(drop);
        }
    }

    #[test]
    fn no_change_to_a_zip_file_makes_its_reader_panic(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut zip = zipped(&[("a.csv", format!("1,{BASE32}\n").as_bytes()), ("b.xml", FIGURE_6.as_bytes())]);
        let at = at.index(zip.len());
        zip[at] = byte;
        if let Ok(file) = opened_with(zip, &Options::default(), &mut Ring::key(KEY)) {
            file.rows().for_each(drop);
        }
    }
}
