//! Entries of apps and records of vendors that say something about codes under a name or in a form that is not read.

use super::*;

fn labelled(text: &str, options: Options) -> SeedFile {
    let options = Options { serial_from: Some(SerialFrom::Label), ..options };
    opened_with(text, &options, &mut Ring::default()).unwrap()
}

fn why(text: &str) -> String {
    let file = labelled(text, Options::default());
    let row = file.rows().next().unwrap();
    row.token.map_or_else(|why| why.to_string(), |_| format!("taken: {text}"))
}

fn not_read(name: &str) -> String {
    format!("\"{name}\" says how codes are made, in a place or form that is not read")
}

fn and_otp(members: &str) -> String {
    format!(r#"[{{"secret":"{BASE32}","label":"a",{members}}}]"#)
}

fn uri(parameters: &str) -> String {
    format!("otpauth://totp/a?secret={BASE32}{parameters}\n")
}

#[test]
fn members_that_say_how_codes_are_made_under_other_names_reject_the_entry() {
    for (members, name) in [
        (r#""kind":"HOTP","timer":"60""#, "kind"),
        (r#""type":"TOTP","timer":"60""#, "timer"),
        (r#""type":"TOTP","interval":60"#, "interval"),
        (r#""type":"TOTP","otpLength":8"#, "otplength"),
        (r#""type":"TOTP","hash":"SHA256""#, "hash"),
        (r#""type":"TOTP","Digits":8"#, "digits"),
    ] {
        assert_eq!(why(&and_otp(members)), not_read(name), "{members}");
    }
    let options = Options { period: Some(Period::new(60).unwrap()), ..Options::default() };
    let file = labelled(&and_otp(r#""type":"TOTP","digits":6,"algorithm":"SHA1","timer":60,"colour":1"#), options);
    assert_eq!(period(&tokens(&file)[0]), 60);
    let unexplained: Vec<_> = file.unexplained().map(ToString::to_string).collect();
    assert_eq!(unexplained, ["member \"timer\"", "member \"colour\""]);
}

#[test]
fn members_of_a_form_that_is_not_read_are_not_absent() {
    let aegis = |info: &str| {
        format!(r#"{{"db":{{"entries":[{{"type":"totp","name":"a","info":{{"secret":"{BASE32}",{info}}}}}]}}}}"#)
    };
    let hash = Rejection::Parameter(Parameter::Algorithm).to_string();
    let digits = Rejection::Parameter(Parameter::Digits).to_string();
    let period = Rejection::Parameter(Parameter::Period).to_string();
    for (text, expected) in [
        (and_otp(r#""type":"TOTP","digits":8.0"#), &digits),
        (and_otp(r#""type":"TOTP","digits":[8]"#), &digits),
        (and_otp(r#""type":"TOTP","period":"60s""#), &period),
        (and_otp(r#""type":"TOTP","algorithm":256"#), &hash),
        (aegis(r#""algo":256"#), &hash),
        (aegis(r#""digits":true"#), &digits),
        (and_otp(r#""type":"HOTP","counter":"7.0""#), &Rejection::Counter.to_string()),
    ] {
        assert_eq!(&why(&text), expected, "{text}");
    }
    let stratum = format!(
        r#"{{"Authenticators":[{{"Type":2,"Username":"a","Secret":"{BASE32}","Algorithm":"SHA256","Digits":6,"Period":30}}]}}"#
    );
    let file = labelled(&stratum, Options::default());
    assert_eq!(tokens(&file)[0].parameters.algorithm, Algorithm::Sha256);
    assert_eq!(why(&stratum.replace("\"SHA256\"", "[1]")), hash);
    let free = r#"{"tokens":[{"type":"HOTP","label":"a","counter":"x","secret":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]}]}"#;
    assert_eq!(why(free), Rejection::Counter.to_string());
    let two_fas =
        format!(r#"{{"services":[{{"name":"a","secret":"{BASE32}","otp":{{"account":"a","tokenType":1}}}}]}}"#);
    assert_eq!(why(&two_fas), Rejection::OtherKind.to_string());
}

#[test]
fn parameters_of_uris_are_read_once_or_named() {
    assert_eq!(why(&uri("&amp;digits=8&amp;period=60")), not_read("digits"));
    assert_eq!(why(&uri("&timestep=60")), not_read("timestep"));
    assert_eq!(why(&uri("&hash=SHA256")), not_read("hash"));
    assert_eq!(why(&uri("&digits=6&digits=8")), "a parameter stands there more than once");
    assert_eq!(why(&uri("&encoder=steam&digits=6")), Rejection::OtherKind.to_string());
    assert_eq!(why(&uri("&digits")), not_read("digits"));
    let file = labelled(&uri("&issuer=I&image=x&colour=1"), Options::default());
    let unexplained: Vec<_> = file.unexplained().map(ToString::to_string).collect();
    assert_eq!(unexplained, ["member \"colour\""]);
}

#[test]
fn parts_of_vendors_records_that_are_not_read_are_named_or_reject_them() {
    let base64 = |text: &[u8]| data_encoding::BASE64.encode(text);
    let aladdin = |part: &str| {
        format!(
            "<Tokens><Token serial=\"A\"><Applications><Application><Seed>{HEX}</Seed>{part}</Application>\
             </Applications></Token></Tokens>"
        )
    };
    let deepnet = |part: &str| {
        format!(
            "<data><header>{part}</header><tokens><token><serial>1</serial><seed>{HEX}</seed></token></tokens></data>"
        )
    };
    let rcdevs = format!(
        "Type, Reference, Description, Data\n\"OTP Token\", \"12\", \"R\", \"TokenKey={},TokenType={},HashAlgo={}\"\n",
        base64(BYTES),
        base64(b"TOTP"),
        base64(b"SHA256")
    );
    for (text, name) in [
        (aladdin("<OTPLength>8</OTPLength>"), "otplength"),
        (aladdin("<Type>TIME</Type>"), "type"),
        (deepnet("<otplen>8</otplen>"), "otplen"),
        (deepnet("<timestep>60</timestep>"), "timestep"),
        (rcdevs, "hashalgo"),
    ] {
        assert_eq!(why(&text), not_read(name), "{text}");
    }
    let file = opened(format!("n/a, T1, {HEX}, totp, 6, 30, sha256\n"));
    let unexplained: Vec<_> = file.unexplained().map(ToString::to_string).collect();
    assert_eq!(unexplained, ["column 7"]);
}

#[test]
fn columns_lines_and_fields_that_are_not_read_are_named_in_every_kind() {
    let unexplained = |text: &str| {
        let file = labelled(text, Options::default());
        assert!(tokens(&file).len() == 1, "{text}");
        file.unexplained().map(ToString::to_string).collect::<Vec<_>>()
    };
    let safeword = |line: &str, data: &str| {
        format!(
            "dn: sccAuthenticatorId=A\nsccAuthenticatorId: A\n{line}sccTokenData: sccKey={HEX};sccMode=E;sccPwLen=6;{data}\n"
        )
    };
    assert!(unexplained(&safeword("sccTokenType: a\nobjectclass: b\nsccSignature: c\n", "sccVer=6.20;")).is_empty());
    assert_eq!(unexplained(&safeword("sccOffset: 7\n", "")), ["member \"sccoffset\""]);
    assert_eq!(unexplained(&safeword("", "sccSync=7;flag")), ["member \"sccSync\"", "member \"flag\""]);
    assert_eq!(why(&safeword("", "mode=T;")), not_read("mode"));

    assert!(unexplained(&format!("HOTP;1;{HEX};0;\n")).is_empty());
    assert_eq!(unexplained(&format!("HOTP;1;{HEX};0;8\n")), ["member \"column 5\""]);
    assert_eq!(unexplained(&format!("TOTP;1;SHA1;{HEX};0;30;6;;x\n")), ["member \"column 9\""]);

    let yubico = format!("508326,,0,{HEX},000000000000,2026-12-12T08:41:07,");
    assert!(unexplained(&yubico).is_empty());
    assert_eq!(unexplained(&format!("{yubico}8\n")), ["member \"column 7\""]);
    let traditional = format!("OATH-HOTP,11.12.26 18:55,1,ub1,,{HEX},,,0,0,0,8,16,0,0,0,0,0");
    assert!(unexplained(&traditional).is_empty());
}

#[test]
fn fields_of_a_migration_that_are_not_read_are_named() {
    // An entry of 16 bytes of secret, a name and TOTP; `more` stands behind.
    let uri = |inside: &[u8], behind: &[u8]| {
        let mut entry = vec![0x0a, 16];
        entry.extend_from_slice(&BYTES[..16]);
        entry.extend_from_slice(b"\x12\x01a\x30\x02");
        entry.extend_from_slice(inside);
        let mut message = vec![0x0a, u8::try_from(entry.len()).unwrap()];
        message.extend_from_slice(&entry);
        message.extend_from_slice(behind);
        format!("otpauth-migration://offline?data={}\n", data_encoding::BASE64URL.encode(&message))
    };
    let unexplained = |uri: &str| {
        let file = labelled(uri, Options::default());
        assert!(tokens(&file).len() == 1);
        file.unexplained().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(unexplained(&uri(b"", b"\x10\x02\x18\x01\x20\x00\x28\x07")).is_empty());
    assert_eq!(unexplained(&uri(b"\x40\x3c", b"")), ["member \"field 8\""]);
    assert_eq!(unexplained(&uri(b"", b"\x32\x01x")), ["member \"field 6 of the message\""]);
}

#[test]
fn an_option_settles_a_member_of_another_form() {
    let with = |text: &str, options: Options| tokens(&labelled(text, options)).remove(0).parameters;
    let digits = Some(Digits::new(8).unwrap());
    let parameters = with(&and_otp(r#""digits":"eight""#), Options { digits, ..Options::default() });
    assert_eq!(parameters.digits.count(), 8);
    let period = Some(Period::new(60).unwrap());
    let parameters = with(&and_otp(r#""period":"60s""#), Options { period, ..Options::default() });
    assert_eq!(parameters.kind, Kind::Totp(Period::new(60).unwrap()));
    let algorithm = Some(Algorithm::Sha256);
    let parameters = with(&and_otp(r#""algorithm":256"#), Options { algorithm, ..Options::default() });
    assert_eq!(parameters.algorithm, Algorithm::Sha256);
    let kind = Some(KindName::Totp);
    let parameters = with(&and_otp(r#""type":1,"counter":"x""#), Options { kind, ..Options::default() });
    assert_eq!(parameters.kind, Kind::Totp(Period::THIRTY));
    // What an option says nothing about stays refused, and so does a kind that it cannot make another.
    assert_eq!(why(&and_otp(r#""type":1"#)), Rejection::Kind.to_string());
    let file = labelled(&and_otp(r#""type":"STEAM""#), Options { kind, ..Options::default() });
    assert_eq!(file.rows().next().unwrap().token.unwrap_err(), Rejection::OtherKind);
}

#[test]
fn the_option_for_the_encoding_holds_for_every_kind_whose_hint_names_it() {
    let read = |text: &str, encoding| {
        let file = labelled(text, Options { encoding: Some(encoding), ..Options::default() });
        tokens(&file).remove(0).secret.expose().to_vec()
    };
    let serial = "<serial>1</serial>";
    for text in [
        format!(
            "<Tokens><Token serial=\"A\"><Applications><Application><Seed>{BASE32}</Seed></Application></Applications></Token></Tokens>"
        ),
        format!("<data><tokens><token>{serial}<seed>{BASE32}</seed></token></tokens></data>"),
        format!("sccAuthenticatorId: A\nsccTokenData: sccKey={BASE32};sccMode=E;\n"),
        format!("508326,,0,{BASE32},000000000000,2026-12-12T08:41:07,\n"),
    ] {
        assert_eq!(read(&text, Encoding::Base32), BYTES, "{text}");
        let file = labelled(&text, Options::default());
        let why = file.rows().next().unwrap().token.unwrap_err();
        assert!(why.hint().contains("--encoding base32"), "{text}: {why}");
    }
    assert_eq!(read(&and_otp("\"type\":\"TOTP\"").replace(BASE32, HEX), Encoding::Hex), BYTES);
    assert_eq!(read(&uri("").replace(BASE32, HEX), Encoding::Hex), BYTES);
}
