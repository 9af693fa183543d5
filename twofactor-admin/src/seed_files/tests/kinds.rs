//! Vendors' own forms and the exports of authenticator apps, each by a sample made up in the form that the vendor or the
//! importers of other servers document.

use super::*;

/// A token's serial, and what it was taken for.
fn taken(offered: &Offered) -> String {
    let parameters = offered.parameters;
    let codes = match parameters.kind {
        Kind::Totp(period) => format!("TOTP {} {}", period.seconds(), parameters.digits.count()),
        Kind::Hotp => format!("HOTP {} {}", offered.counter.unwrap(), parameters.digits.count()),
    };
    assert_eq!(offered.secret.expose(), BYTES);
    format!("{} {codes} {}", offered.serial, parameters.algorithm)
}

/// The rows of a file, each as its token or the reason why not.
fn rows(file: &SeedFile) -> Vec<String> {
    file.rows().map(|row| row.token.map_or_else(|why| why.to_string(), |offered| taken(&offered))).collect()
}

const NEITHER: &str = "the token is neither TOTP nor HOTP; other kinds are not supported";

#[test]
fn safenet_xml_has_event_based_tokens() {
    let token = |serial: &str, seed: &str| {
        format!(
            "<Token serial=\"{serial}\"><CaseModel>5</CaseModel><Model>101</Model><ProductName>eToken PASS</ProductName>\
             <Applications><Application ConnectorID=\"{{a}}\"><Seed>{seed}</Seed><MovingFactor>7</MovingFactor>\
             </Application></Applications></Token>\n"
        )
    };
    let file =
        opened(format!("<?xml version=\"1.0\"?>\n<Tokens>\n{}{}</Tokens>\n", token("A1", HEX), token("A2", "12341")));
    assert_eq!(file.form().to_string(), "SafeNet (Aladdin) XML");
    assert_eq!(
        rows(&file),
        ["A1 HOTP 7 6 SHA1", "the secret is incomplete: so many characters do not make whole bytes"]
    );
    assert_eq!(file.rows().next().unwrap().token.unwrap().model.as_deref(), Some("eToken PASS"));
    assert_eq!(file.rows().map(|row| row.place.line).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn dualshield_xml_says_once_for_all_tokens_how_codes_are_made() {
    let document = |header: &str, tokens: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<data><header><manufacturerCode>DN</manufacturerCode><productCode>ST</productCode>\
             {header}</header>\n<tokens>\n{tokens}</tokens></data>"
        )
    };
    let many = (0..300)
        .map(|number| format!("<token><serial>{number}</serial><seed>{HEX}</seed></token>\n"))
        .collect::<Vec<_>>()
        .concat();
    let file = opened(document("<encode>HEX</encode><encrypt>NONE</encrypt>", &many));
    assert_eq!(file.row_count(), 300);
    assert_eq!(rows(&file)[299], "299 TOTP 30 6 SHA1");
    assert_eq!(file.assumptions().count(), 4);
    let header =
        "<synchronisation>60</synchronisation><encode>BASE32</encode><digits>8</digits><crypto>HmacSHA256</crypto>";
    let token = format!("<token><serial>40027524</serial><seed>{BASE32}</seed></token>");
    let file = opened(document(header, &token));
    assert_eq!((rows(&file), file.assumptions().count()), (vec!["40027524 TOTP 60 8 SHA256".to_owned()], 0));
    let sealed = opened(document("<encrypt>AES</encrypt>", &token));
    assert!(rows(&sealed)[0].contains("encrypted in the vendor's own way"));
}

#[test]
fn the_predecessor_of_dualshield_has_a_document_in_a_document() {
    let file = opened(format!(
        "<tokenList>\n<tokenInfo>\n<method>PocketID</method>\n<device><manufacturer>Deepnet Security</manufacturer>\
         <model>TB</model><serial>71358472</serial></device>\n<token><![CDATA[<data><deviceID>71358472</deviceID>\
         <type>EB</type><counter>3</counter><digits>6</digits><secret enc=\"HEX\">{HEX}</secret></data>]]></token>\n\
         </tokenInfo>\n</tokenList>"
    ));
    assert_eq!(rows(&file), ["71358472 HOTP 3 6 SHA1"]);
}

#[test]
fn safeword_records_are_read_and_those_that_count_from_2000_rejected() {
    let file = opened(format!(
        "# ===== SafeWord Authenticator Records $Version: 100$ =====\ndn: sccAuthenticatorId=RAINER01\n\
         objectclass: sccCompatibleToken\nsccAuthenticatorId: RAINER01\nsccTokenType: eToken-PASS-ES\n\
         sccTokenData: sccKey={HEX};sccMode=E;sccPwLen=6;sccVer=6.20;\nsccSignature:MC0CFGxP\n\n\
         dn: sccAuthenticatorId=RAINER02\nobjectclass: sccCompatibleToken\nsccAuthenticatorId: RAINER02\n\
         sccTokenType: eToken-PASS-TS\nsccTokenData: sccKey={HEX};sccMode=T;sccPwLen=6;sccTick=30;\
         sccPrTime=2013/03/12 00:00:00\n\n"
    ));
    assert_eq!(
        rows(&file),
        ["RAINER01 HOTP 0 6 SHA1", "the token counts its steps from another time than 1970 (Time is not 0)"]
    );
    assert_eq!(file.rows().map(|row| row.place.line).collect::<Vec<_>>(), [2, 9]);
}

#[test]
fn the_log_of_yubicos_tool_is_read_in_both_formats() {
    let traditional = format!(
        "LOGGING START,11.12.26 18:55\nOATH-HOTP,11.12.26 18:55,1,ubhe00012345,,{HEX},,,0,0,0,8,16,0,0,0,0,0\n\
         OATH-HOTP,12/11/26, 6:55 PM,1,cccccccccccc,,{HEX},,,0,0,0,6,0,0,0,0,0,0\n\
         Yubico OTP,11.12.26 18:55,1,vvgutbiedkvi,ab86c04de6a3,d26a7c0f85fdda28bd816e406342b214,,,0,0,0,0,0,0,0,0,0,0\n"
    );
    assert_eq!(rows(&opened(traditional)), ["ubhe00012345 HOTP 16 8 SHA1", "cccccccccccc HOTP 0 6 SHA1", NEITHER]);
    let without = format!("OATH-HOTP,11.12.26 18:55,1,,,{HEX},,,0,0,0,6,0,0,0,0,0,0\n");
    assert_eq!(rows(&opened(without)), ["the serial number is missing"]);
    let yubico = format!(
        "508326,,0,{HEX},000000000000,2026-12-12T08:41:07,\n508327,cccccccccccc,83cebdfb7b93,a47c5bf9c152202f577be6721c0113af,,2026-12-12T08:43:17,\n"
    );
    let file = opened(yubico);
    assert_eq!(rows(&file), ["508326 HOTP 0 6 SHA1", NEITHER]);
    assert_eq!(file.form().to_string(), "the log of Yubico's programming tool");
}

#[test]
fn an_inventory_of_rcdevs_has_its_fields_in_base64() {
    let base64 = |text: &[u8]| data_encoding::BASE64.encode(text);
    let (key, totp, hotp) = (base64(BYTES), base64(b"TOTP"), base64(b"HOTP"));
    let (digits, step, state) = (base64(b"8"), base64(b"60"), base64(b"5"));
    let file = opened(format!(
        "# CSV import file for RCDevs WebADM\n\nType, Reference, Description, Data\n\
         \"OTP Token\", \"5292530833003\", \"RCDevs RC200-T6\", \"TokenKey={key},TokenType={totp},TokenState={state},OTPLength={digits},TOTPTimeStep={step}\"\n\
         \"OTP Token\", \"12\", \"RC100\", \"TokenKey={key},TokenType={hotp},TokenState={state}\"\n\
         \"OTP Token\", \"13\", \"\", \"TokenKey={key},TokenType={}\"\n",
        base64(b"OCRA")
    ));
    assert_eq!(rows(&file), ["5292530833003 TOTP 60 8 SHA1", "12 HOTP 5 6 SHA1", NEITHER]);
}

#[test]
fn phenixids_table_has_the_kind_first() {
    let file = opened(format!("HOTP;1;{HEX};42\nTOTP;2;SHA256;{HEX};0;60;8\nTOTP;3;SHA1;{HEX};1000;30;6\n"));
    assert_eq!(
        rows(&file),
        [
            "1 HOTP 42 6 SHA1",
            "2 TOTP 60 8 SHA256",
            "the token counts its steps from another time than 1970 (Time is not 0)"
        ]
    );
    assert_eq!(rows(&opened(format!("totp;2;SHA1;{BASE32};0;30;6\n"))), ["2 TOTP 30 6 SHA1"]);
}

#[test]
fn privacyideas_tables_with_owners_are_read_and_assigning_is_offered() {
    let file = opened(format!(
        "n/a, T1, {HEX}, totp, 6, 30\nalice@realm, T2, {HEX}, hotp, 8\nbob@example.org@realm, T3, {HEX}, totp, 6, None\n"
    ));
    assert_eq!(rows(&file), ["T1 TOTP 30 6 SHA1", "T2 HOTP 0 8 SHA1", "T3 TOTP 30 6 SHA1"]);
    assert!(notes(&file).iter().any(|note| note.ends_with("FILE | twofactor token assign --from -")));
    let versioned = format!("# version: 2\nalice, r, realm, T1, {HEX}, totp, 6, 60\n, , , T2, {HEX}, hotp, 6, 7\n");
    assert_eq!(rows(&opened(versioned)), ["T1 TOTP 60 6 SHA1", "T2 HOTP 7 6 SHA1"]);
    // The same in base32.
    let file = opened(format!("alice@realm, T2, {BASE32}, hotp, 6\n"));
    assert_eq!(rows(&file), ["T2 HOTP 0 6 SHA1"]);
}

#[test]
fn rsa_and_onespan_are_refused_in_a_sentence() {
    let sdtid = refused("<?xml version=\"1.0\"?><TKNBatch><TKNHeader><Version>0</Version></TKNHeader></TKNBatch>");
    assert_eq!(sdtid.to_string(), "this is a file of RSA SecurID tokens (sdtid)");
    assert!(sdtid.hint().unwrap().contains("neither TOTP nor HOTP"));
    let dpx = refused("DH FILE=\"made_up.dpx\" DATE=13AUG1999 VERSION=1.0 CREATED_BY=CSV2DPX\nDC HSH=00000000\n");
    assert_eq!(dpx.to_string(), "this is a OneSpan Digipass export (DPX)");
}

// Exports of authenticator apps. The same two entries in every one of them.

fn exported(app: &str, text: &str, from: SerialFrom) -> Vec<String> {
    assert!(matches!(refused(text), ImportError::SerialFrom), "{app}");
    let options = Options { serial_from: Some(from), ..Options::default() };
    let file = opened_with(text, &options, &mut Ring::default()).unwrap();
    assert_eq!(file.form().to_string(), app);
    rows(&file)
}

const URI: &str = "otpauth://totp/Deno:Mason?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Deno&digits=8&period=60";
const HOTP_URI: &str = "otpauth://hotp/Air%20Canada:Ben?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Air+Canada&algorithm=SHA256&counter=50";

#[test]
fn exports_of_apps_become_tokens_with_the_serial_that_is_asked_for() {
    let bytes: Vec<String> = BYTES.iter().map(ToString::to_string).collect();
    let bytes = bytes.join(",");
    for (app, text) in [
        ("otpauth URIs", format!("{URI}\n\n{HOTP_URI}\notpauth://steam/Boeing:Sophia?secret={BASE32}\n")),
        (
            "Aegis export",
            format!(
                r#"{{"version":1,"header":{{"slots":null,"params":null}},"db":{{"version":2,"entries":[
                {{"type":"totp","name":"Mason","issuer":"Deno","info":{{"secret":"{BASE32}","algo":"SHA1","digits":8,"period":60}}}},
                {{"type":"hotp","name":"Ben","issuer":"Air Canada","info":{{"secret":"{BASE32}","algo":"SHA256","digits":6,"counter":50}}}},
                {{"type":"steam","name":"Sophia","issuer":"Boeing","info":{{"secret":"{BASE32}","algo":"SHA1","digits":5,"period":30}}}}]}}}}"#
            ),
        ),
        (
            "2FAS export",
            format!(
                r#"{{"services":[{{"name":"Deno","secret":"{BASE32}","otp":{{"account":"Mason","issuer":"Deno","digits":8,"period":60,"algorithm":"SHA1","tokenType":"TOTP"}}}},
                {{"name":"Air Canada","secret":"{BASE32}","otp":{{"account":"Ben","issuer":"Air Canada","digits":6,"algorithm":"SHA256","counter":50,"tokenType":"HOTP"}}}},
                {{"name":"Boeing","secret":"{BASE32}","otp":{{"account":"Sophia","digits":5,"tokenType":"STEAM"}}}}],"schemaVersion":4}}"#
            ),
        ),
        (
            "andOTP export",
            format!(
                r#"[{{"secret":"{BASE32}","issuer":"Deno","label":"Mason","digits":8,"type":"TOTP","algorithm":"SHA1","period":60}},
                {{"secret":"{BASE32}","issuer":"Air Canada","label":"Ben","digits":6,"type":"HOTP","algorithm":"SHA256","counter":50}},
                {{"secret":"{BASE32}","issuer":"Boeing","label":"Sophia","digits":5,"type":"STEAM","algorithm":"SHA1"}}]"#
            ),
        ),
        (
            "FreeOTP+ export",
            format!(
                r#"{{"tokenOrder":[],"tokens":[{{"algo":"SHA1","counter":0,"digits":8,"issuerExt":"Deno","label":"Mason","period":60,"secret":[{bytes}],"type":"TOTP"}},
                {{"algo":"SHA256","counter":49,"digits":6,"issuerExt":"Air Canada","label":"Ben","period":30,"secret":[{bytes}],"type":"HOTP"}},
                {{"algo":"SHA1","counter":0,"digits":6,"issuerExt":"Boeing","label":"Sophia","period":30,"secret":[{bytes}],"type":"STEAM"}}]}}"#
            ),
        ),
        (
            "Bitwarden export",
            format!(
                r#"{{"encrypted":false,"items":[{{"name":"no code","login":{{"totp":null}}}},{{"name":"x","login":{{"username":null,"totp":"{URI}"}}}},
                {{"name":"y","login":{{"totp":"{HOTP_URI}"}}}},{{"name":"Boeing","login":{{"username":"Sophia","totp":"steam://{BASE32}"}}}}]}}"#
            ),
        ),
        (
            "Proton Authenticator export",
            format!(
                r#"{{"version":1,"entries":[{{"id":"a","content":{{"uri":"{URI}","entry_type":"Totp","name":"Mason"}},"note":null}},
                {{"id":"b","content":{{"uri":"{HOTP_URI}","name":"Ben"}}}},{{"id":"c","content":{{"uri":"steam://{BASE32}","entry_type":"Steam","name":"Sophia"}}}}]}}"#
            ),
        ),
        (
            "Stratum export",
            format!(
                r#"{{"Authenticators":[{{"Type":2,"Issuer":"Deno","Username":"Mason","Secret":"{BASE32}","Pin":null,"Algorithm":0,"Digits":8,"Period":60,"Counter":0}},
                {{"Type":1,"Issuer":"Air Canada","Username":"Ben","Secret":"{BASE32}","Algorithm":1,"Digits":6,"Period":30,"Counter":50}},
                {{"Type":4,"Issuer":"Boeing","Username":"Sophia","Secret":"{BASE32}","Algorithm":0,"Digits":5,"Period":30,"Counter":0}}],"Categories":[]}}"#
            ),
        ),
    ] {
        for (from, serials) in [
            (SerialFrom::Issuer, ["Deno", "Air-Canada"]),
            (SerialFrom::Label, ["Mason", "Ben"]),
            (SerialFrom::Number, ["1", "2"]),
        ] {
            let expected = [format!("{} TOTP 60 8 SHA1", serials[0]), format!("{} HOTP 50 6 SHA256", serials[1])];
            let rows = exported(app, &text, from);
            assert_eq!(rows[..2], expected, "{app}");
            assert!(rows[2] == NEITHER || rows[2].contains("serial number is missing"), "{app}: {}", rows[2]);
        }
    }
}

#[test]
fn encrypted_exports_and_other_json_are_named() {
    for text in [
        r#"{"version":1,"header":{"slots":[],"params":{}},"db":"RANDOM"}"#,
        r#"{"services":[],"servicesEncrypted":"a:b:c"}"#,
        r#"{"encrypted":true,"passwordProtected":true,"data":"x"}"#,
        r#"{"version":1,"kdfParams":{},"encryptedData":"x","encryptionNonce":"y"}"#,
        "AUTHENTICATORPRO and so on",
    ] {
        assert!(matches!(refused(text), ImportError::Foreign(Foreign::EncryptedApp)), "{text}");
    }
    assert!(matches!(refused("{\"a\":\n1,\n"), ImportError::Json(Place { line: 3, .. })));
    for text in [r#"{"a":1}"#, "[]", "[1,2]"] {
        assert!(matches!(refused(text), ImportError::Foreign(Foreign::Json)), "{text}");
    }
    let error = refused(r#"{"a":1}"#);
    assert!(error.hint().unwrap().contains("Aegis"));
}

#[test]
fn rows_of_an_export_can_be_taken_out_and_read_again() {
    let text = format!(
        "{{\"tokens\":[\n{{\"type\":\"HOTP\",\"label\":\"a\",\"secret\":[1]}},\n{{\"type\":\"TOTP\",\"label\":\"b\",\"secret\":[{}]}}]}}",
        BYTES.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    );
    let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
    let file = opened_with(&text, &options, &mut Ring::default()).unwrap();
    let rows: Vec<_> = file.rows().collect();
    assert!(rows[0].token.is_err() && rows[1].token.is_ok());
    let frame = file.frame(&rows[0]).unwrap();
    assert_eq!(frame.between, ",");
    let (first, second) = (file.raw(&rows[0]).unwrap(), file.raw(&rows[1]).unwrap());
    let taken_out = [&frame.before[..], &first, b"\n", &second, &frame.after[..]].concat();
    assert_eq!(opened_with(taken_out, &options, &mut Ring::default()).unwrap().row_count(), 2);
}

// PSKC as other programs and other times write it.

#[test]
fn privacyideas_export_is_read_in_its_lower_case() {
    let document = format!(
        "<keycontainer version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\">\n<keypackage><deviceinfo>\
         <manufacturer>M</manufacturer><serialno>TOTP1</serialno></deviceinfo><key \
         algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:totp\" id=\"TOTP1\"><issuer>privacyIDEA</issuer>\
         <algorithmparameters><responseformat encoding=\"DECIMAL\" length=\"8\"></responseformat>\
         <suite hashalgo=\"sha256\"></suite></algorithmparameters><data><secret><plainvalue>{}</plainvalue></secret>\
         <time><plainvalue>0</plainvalue></time><timeinterval><plainvalue>60</plainvalue></timeinterval>\
         <counter><plainvalue>5</plainvalue></counter><timedrift><plainvalue>-95.5</plainvalue></timedrift></data></key>\
         </keypackage>\n</keycontainer>",
        data_encoding::BASE64.encode(BYTES)
    );
    let file = opened(&document);
    assert_eq!(rows(&file), ["TOTP1 TOTP 60 8 SHA256"]);
    assert_eq!(file.rows().next().unwrap().token.unwrap().drift, None);
    assert!(notes(&file).iter().any(|note| note.contains("in seconds")));
    assert_eq!(file.assumptions().count() + file.unexplained().count(), 0);
}

fn parameters(inside: &str) -> String {
    plain_pskc(&package("11", &format!("<AlgorithmParameters>{inside}</AlgorithmParameters>")))
}

#[test]
fn a_suite_that_is_there_and_not_understood_is_never_absent() {
    const DIGITS: &str = "<ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/>";
    for (suite, expected) in [
        ("<Suite>HMAC-SHA256</Suite>", "SHA256"),
        ("<Suite hashalgo=\"sha256\"/>", "SHA256"),
        ("<Suite HashAlgo=\"SHA-512\"></Suite>", "SHA512"),
        ("<Suite Algorithm=\"HMAC-SHA512\"/>", "SHA512"),
        ("<Suite hashalgo=\"sha256\">SHA256</Suite>", "SHA256"),
        ("<Suite/>", "SHA1"),
        ("<Suite hashalgo=\"\"/>", "SHA1"),
    ] {
        let file = opened(parameters(&format!("{suite}{DIGITS}")));
        assert_eq!(tokens(&file)[0].parameters.algorithm.to_string(), expected, "{suite}");
        let assumed = file.assumptions().any(|assumption| assumption.what == Aspect::Hash);
        assert_eq!(assumed, expected == "SHA1", "{suite}");
    }
    for suite in [
        "<Suite method=\"x\"/>",
        "<Suite hashalgo=\"sha256\">SHA1</Suite>",
        "<Suite>MD5</Suite>",
        "<Suite><x/></Suite>",
    ] {
        let why = rejection(parameters(&format!("{suite}{DIGITS}")));
        assert_eq!(why, Rejection::Parameter(Parameter::Algorithm), "{suite}");
    }
    let file = opened(parameters(
        "<Suite colour=\"red\">SHA1</Suite><ResponseFormat Length=\"6\" Encoding=\"DECIMAL\" Grouping=\"3\"/><Truncation>3</Truncation>",
    ));
    let unexplained: Vec<_> = file.unexplained().map(ToString::to_string).collect();
    assert_eq!(
        unexplained,
        ["element \"Suite colour\"", "element \"ResponseFormat Grouping\"", "element \"Truncation\""]
    );
}

#[test]
fn what_a_key_leaves_out_is_assumed_aloud() {
    let file = opened(plain_pskc(&package("11", "")));
    let assumed: Vec<_> = file.assumptions().map(|assumption| assumption.what.word()).collect();
    assert!(assumed.contains(&"hash") && assumed.contains(&"digits"), "{assumed:?}");
    // A secret as long as SHA-256's output could be one of SHA-256.
    let long = plain_pskc(&package("11", ""))
        .replace(&data_encoding::BASE64.encode(BYTES), &data_encoding::BASE64.encode(&[7; 32]));
    let file = opened(long);
    let hash = file.assumptions().find(|assumption| assumption.what == Aspect::Hash).unwrap();
    assert!(hash.could_be.as_deref().unwrap().starts_with("SHA256"), "{hash}");
}

#[test]
fn an_empty_counter_is_no_counter() {
    for empty in ["<Counter><PlainValue></PlainValue></Counter>", "<Counter><PlainValue/></Counter>", "<Counter/>", ""]
    {
        let document =
            plain_pskc(&package("11", "")).replace(":totp", ":hotp").replace("</Secret>", &format!("</Secret>{empty}"));
        let file = opened(document);
        assert_eq!(tokens(&file)[0].counter, Some(0), "{empty}");
        assert!(file.assumptions().any(|assumption| assumption.what == Aspect::Counter), "{empty}");
    }
}

#[test]
fn drafts_of_pskc_from_before_the_rfc_are_read() {
    let secret = data_encoding::BASE64.encode(BYTES);
    for document in [
        format!(
            "<KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\"><Device><DeviceInfo>\
             <SerialNo>9</SerialNo></DeviceInfo><Key KeyId=\"9\" KeyAlgorithm=\"urn:ietf:params:xml:ns:keyprov:pskc#hotp\">\
             <Usage><ResponseFormat Length=\"8\" Encoding=\"DECIMAL\"/></Usage><Data><Secret><PlainValue>{secret}</PlainValue>\
             </Secret></Data></Key></Device></KeyContainer>"
        ),
        format!(
            "<KeyContainer Version=\"1.0\" xmlns=\"urn:ietf:params:xml:ns:keyprov:container:1.0\"><Device><DeviceId>\
             <Manufacturer>M</Manufacturer><SerialNo>9</SerialNo></DeviceId><Key KeyAlgorithm=\"HOTP\" KeyId=\"k\"><Usage OTP=\"true\">\
             <ResponseFormat format=\"DECIMAL\" length=\"8\"/></Usage><Data Name=\"SECRET\"><PlainValue>{secret}</PlainValue></Data>\
             <Data Name=\"COUNTER\"><PlainValue>AAAAAAAAAAA=</PlainValue></Data></Key></Device></KeyContainer>"
        ),
    ] {
        let file = opened(document);
        assert_eq!(rows(&file), ["9 HOTP 0 8 SHA1"]);
        assert!(notes(&file).contains(&"the document is a draft of PSKC from before RFC 6030".to_owned()));
    }
}

#[test]
fn five_million_elements_are_too_many() {
    let document = format!(
        "<KeyContainer xmlns='urn:ietf:params:xml:ns:keyprov:pskc'><a>{}</a></KeyContainer>",
        "<b/>".repeat(5_000_000)
    );
    let error = refused(document);
    assert!(matches!(error, ImportError::TooManyElements));
    assert_eq!(error.to_string(), "the XML has more than 2500000 elements, which take two seconds to read");
    assert_eq!(error.hint().as_deref(), Some("split the file"));
}

#[test]
fn two_tokens_that_became_one_are_rejected_and_never_mixed() {
    let seed = |serial: &str| format!("<serial>{serial}</serial><seed>{HEX}</seed>");
    for text in [
        format!(
            "<Tokens><Token serial=\"A\"><Applications><Application><Seed>{HEX}</Seed><Seed>{HEX}</Seed></Application></Applications></Token></Tokens>"
        ),
        format!("<data><tokens><token>{}{}</token></tokens></data>", seed("1"), seed("2")),
        format!("dn: sccAuthenticatorId=A\nsccAuthenticatorId: B\nsccTokenData: sccKey={HEX};sccMode=E;sccPwLen=6;\n"),
        format!(
            "dn: sccAuthenticatorId=A\nsccAuthenticatorId: A\nsccTokenData: sccKey={HEX};sccMode=E;\nsccTokenData: sccKey={HEX};sccMode=E;\n"
        ),
        format!(
            "Type,Reference,Description,Data\nOTP Token,A,,\"TokenKey={0},TokenKey={0}\"\n",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="
        ),
    ] {
        assert_eq!(rejection(&text), Rejection::Twice, "{text}");
    }
    let named_twice = format!("sccAuthenticatorId: A\nsccAuthenticatorId: B\nsccTokenData: sccKey={HEX};sccMode=E;\n");
    assert_eq!(rejection(named_twice), Rejection::Twice);
    let options = Options { serial_from: Some(SerialFrom::Label), ..Options::default() };
    let joined = format!("otpauth://totp/a?secret={BASE32}otpauth://totp/b?secret={BASE32}\n");
    let file = opened_with(joined, &options, &mut Ring::default()).unwrap();
    assert_eq!(file.rows().next().unwrap().token.unwrap_err(), Rejection::Twice);
    let twice = format!("[{{\"secret\":\"{BASE32}\",\"label\":\"a\",\"secret\":\"{BASE32}\",\"type\":\"TOTP\"}}]");
    assert!(opened_with(twice, &options, &mut Ring::default()).is_err());
    let serials = plain_pskc(&package("11", "")).replace("</SerialNo>", "</SerialNo><SerialNo>12</SerialNo>");
    assert_eq!(rejection(serials), Rejection::Key(KeyRejection::Twice("the serial number")));
}
