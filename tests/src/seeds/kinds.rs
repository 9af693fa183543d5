//! A file of each kind of seed file that the manual lists, with given tokens: for the suite that reads the manual's table,
//! and for `make torture`, which damages them.

use data_encoding::{BASE32, BASE64, HEXLOWER};

/// A token: its serial, and its secret.
pub type Token = (String, Vec<u8>);

/// The kinds, by their names in the manual and in reports.
pub const KINDS: [&str; 18] = [
    "tables",
    "PSKC (RFC 6030)",
    "SafeNet (Aladdin) XML",
    "Deepnet XML",
    "SafeWord authenticator records",
    "the log of Yubico's programming tool",
    "RCDevs inventory",
    "PhenixID table",
    "privacyIDEA table with owners",
    "otpauth URIs",
    "otpauth-migration URIs",
    "Aegis export",
    "2FAS export",
    "andOTP export",
    "FreeOTP+ export",
    "Bitwarden export",
    "Proton Authenticator export",
    "Stratum export",
];

/// A file of a kind, and how each secret is written in it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The text of the file.
    pub text: String,
    /// The secrets as they stand in the text.
    pub spelled: Vec<String>,
}

/// A file of a kind with these tokens. `None`: no such kind is known here. Apps have the serial as the label.
#[expect(clippy::too_many_lines, reason = "one arm a kind")]
pub fn sample(kind: &str, tokens: &[Token]) -> Option<Sample> {
    let hex = |secret: &[u8]| HEXLOWER.encode(secret);
    let base32 = |secret: &[u8]| BASE32.encode(secret);
    let base64 = |secret: &[u8]| BASE64.encode(secret);
    let signed = |secret: &[u8]| secret.iter().map(|byte| byte.cast_signed().to_string()).collect::<Vec<_>>().join(",");
    let sample = |before: &str,
                  spell: &dyn Fn(&[u8]) -> String,
                  row: &dyn Fn(&str, &str) -> String,
                  between: &str,
                  after: &str| {
        let spelled: Vec<String> = tokens.iter().map(|(_, secret)| spell(secret)).collect();
        let rows: Vec<String> = tokens.iter().zip(&spelled).map(|((serial, _), secret)| row(serial, secret)).collect();
        Sample { text: format!("{before}{}{after}", rows.join(between)), spelled }
    };
    Some(match kind {
        "tables" => sample("serial,secret\n", &base32, &|serial, secret| format!("{serial},{secret}\n"), "", ""),
        "PSKC (RFC 6030)" => sample(
            "<?xml version=\"1.0\"?>\n<KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n",
            &base64,
            &|serial, secret| {
                format!(
                    "<KeyPackage><DeviceInfo><Manufacturer>ACME</Manufacturer><SerialNo>{serial}</SerialNo></DeviceInfo>\
                     <Key Id=\"k{serial}\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:totp\"><AlgorithmParameters>\
                     <ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/></AlgorithmParameters><Data><Secret>\
                     <PlainValue>{secret}</PlainValue></Secret><Time><PlainValue>0</PlainValue></Time>\
                     <TimeInterval><PlainValue>30</PlainValue></TimeInterval></Data></Key></KeyPackage>\n"
                )
            },
            "",
            "</KeyContainer>\n",
        ),
        "SafeNet (Aladdin) XML" => sample(
            "<?xml version=\"1.0\"?>\n<Tokens>\n",
            &hex,
            &|serial, secret| {
                format!(
                    "<Token serial=\"{serial}\"><CaseModel>5</CaseModel><ProductName>eToken PASS</ProductName><Applications>\
                     <Application ConnectorID=\"a\"><Seed>{secret}</Seed><MovingFactor>0</MovingFactor></Application>\
                     </Applications></Token>\n"
                )
            },
            "",
            "</Tokens>\n",
        ),
        "Deepnet XML" => sample(
            "<?xml version=\"1.0\"?>\n<data><header><manufacturerCode>DN</manufacturerCode><encode>HEX</encode>\n\
             <digits>6</digits><synchronisation>30</synchronisation><crypto>HmacSHA1</crypto></header>\n<tokens>\n",
            &hex,
            &|serial, secret| format!("<token><serial>{serial}</serial><seed>{secret}</seed></token>\n"),
            "",
            "</tokens></data>\n",
        ),
        "SafeWord authenticator records" => sample(
            "# ===== SafeWord Authenticator Records $Version: 100$ =====\n",
            &hex,
            &|serial, secret| {
                format!(
                    "dn: sccAuthenticatorId={serial}\nobjectclass: sccCompatibleToken\nsccAuthenticatorId: {serial}\n\
                     sccTokenType: eToken-PASS-ES\nsccTokenData: sccKey={secret};sccMode=E;sccPwLen=6;sccVer=6.20;\n\
                     sccSignature:AAAA\n\n"
                )
            },
            "",
            "",
        ),
        "the log of Yubico's programming tool" => sample(
            "LOGGING START,11.12.26 18:55\n",
            &hex,
            &|serial, secret| format!("OATH-HOTP,11.12.26 18:55,1,{serial},,{secret},,,0,0,0,6,0,0,0,0,0,0\n"),
            "",
            "",
        ),
        "RCDevs inventory" => sample(
            "# CSV import file for RCDevs WebADM\n\nType, Reference, Description, Data\n",
            &base64,
            &|serial, secret| {
                format!(
                    "\"OTP Token\", \"{serial}\", \"RC200-T6\", \"TokenKey={secret},TokenType=VE9UUA==,TokenState=MA==,\
                     OTPLength=Ng==,TOTPTimeStep=MzA=\"\n"
                )
            },
            "",
            "",
        ),
        "PhenixID table" => sample("", &hex, &|serial, secret| format!("TOTP;{serial};SHA1;{secret};0;30;6\n"), "", ""),
        "privacyIDEA table with owners" => {
            sample("", &hex, &|serial, secret| format!("alice@realm, {serial}, {secret}, totp, 6, 30\n"), "", "")
        }
        "otpauth URIs" => sample(
            "",
            &base32,
            &|serial, secret| format!("otpauth://totp/ACME:{serial}?secret={secret}&issuer=ACME\n"),
            "",
            "",
        ),
        "otpauth-migration URIs" => migration(tokens),
        "Aegis export" => sample(
            "{\"version\":1,\"header\":{\"slots\":null,\"params\":null},\"db\":{\"version\":2,\"entries\":[\n",
            &base32,
            &|serial, secret| {
                format!(
                    "{{\"type\":\"totp\",\"name\":\"{serial}\",\"issuer\":\"ACME\",\"info\":{{\"secret\":\"{secret}\",\"algo\":\"SHA1\",\
                     \"digits\":6,\"period\":30}}}}"
                )
            },
            ",\n",
            "]}}\n",
        ),
        "2FAS export" => sample(
            "{\"services\":[\n",
            &base32,
            &|serial, secret| {
                format!(
                    "{{\"name\":\"ACME\",\"secret\":\"{secret}\",\"otp\":{{\"account\":\"{serial}\",\"issuer\":\"ACME\",\"digits\":6,\
                     \"period\":30,\"algorithm\":\"SHA1\",\"tokenType\":\"TOTP\"}}}}"
                )
            },
            ",\n",
            "],\"schemaVersion\":4}\n",
        ),
        "andOTP export" => sample(
            "[\n",
            &base32,
            &|serial, secret| {
                format!(
                    "{{\"secret\":\"{secret}\",\"issuer\":\"ACME\",\"label\":\"{serial}\",\"digits\":6,\"type\":\"TOTP\",\
                     \"algorithm\":\"SHA1\",\"period\":30}}"
                )
            },
            ",\n",
            "]\n",
        ),
        "FreeOTP+ export" => sample(
            "{\"tokenOrder\":[],\"tokens\":[\n",
            &signed,
            &|serial, secret| {
                format!(
                    "{{\"algo\":\"SHA1\",\"counter\":0,\"digits\":6,\"issuerExt\":\"ACME\",\"label\":\"{serial}\",\"period\":30,\
                     \"secret\":[{secret}],\"type\":\"TOTP\"}}"
                )
            },
            ",\n",
            "]}\n",
        ),
        "Bitwarden export" => sample(
            "{\"encrypted\":false,\"items\":[\n",
            &base32,
            &|serial, secret| {
                format!("{{\"name\":\"ACME\",\"login\":{{\"username\":\"{serial}\",\"totp\":\"{secret}\"}}}}")
            },
            ",\n",
            "]}\n",
        ),
        "Proton Authenticator export" => sample(
            "{\"version\":1,\"entries\":[\n",
            &base32,
            &|serial, secret| {
                format!(
                    "{{\"id\":\"{serial}\",\"content\":{{\"uri\":\"otpauth://totp/ACME:{serial}?secret={secret}&issuer=ACME\",\
                     \"entry_type\":\"Totp\",\"name\":\"{serial}\"}},\"note\":null}}"
                )
            },
            ",\n",
            "]}\n",
        ),
        "Stratum export" => sample(
            "{\"Authenticators\":[\n",
            &base32,
            &|serial, secret| {
                format!(
                    "{{\"Type\":2,\"Issuer\":\"ACME\",\"Username\":\"{serial}\",\"Secret\":\"{secret}\",\"Pin\":null,\"Algorithm\":0,\
                     \"Digits\":6,\"Period\":30,\"Counter\":0}}"
                )
            },
            ",\n",
            "],\"Categories\":[]}\n",
        ),
        _ => return None,
    })
}

/// The URI in the QR code that Google Authenticator shows: a message of protocol buffers in base64.
fn migration(tokens: &[Token]) -> Sample {
    let field = |number: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 128).expect("short fields");
        [&[number << 3 | 2, length], bytes].concat()
    };
    let entries = tokens.iter().flat_map(|(serial, secret)| {
        let entry = [
            field(1, secret),
            field(2, serial.as_bytes()),
            field(3, b"ACME"),
            // SHA1, six digits, TOTP.
            vec![4 << 3, 1, 5 << 3, 1, 6 << 3, 2],
        ];
        field(1, &entry.concat())
    });
    let message: Vec<u8> = entries.chain([2 << 3, 1, 3 << 3, 1, 4 << 3, 0]).collect();
    let data = BASE64.encode(&message).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    Sample { text: format!("otpauth-migration://offline?data={data}\n"), spelled: vec![data] }
}
