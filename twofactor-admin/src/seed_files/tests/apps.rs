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
