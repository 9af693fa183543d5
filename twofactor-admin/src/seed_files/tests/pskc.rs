//! PSKC as writers get it wrong: what stands in a place or a form that is not read is never taken for absent.

use super::*;

/// In hexadecimal digits, with letters among them.
const SEED: &str = "6aa105d35a2270db7426338572ff739c99c06550";

fn values(extra: &str) -> String {
    plain_pskc(&package_with(extra))
}

fn with_secret(secret: &str) -> String {
    plain_pskc(&package("11", "")).replace("<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>", secret)
}

fn with_parameters(parameters: &str) -> String {
    plain_pskc(&package("11", &format!("<AlgorithmParameters>{parameters}</AlgorithmParameters>")))
}

fn why(document: &str) -> String {
    rejection(document).to_string()
}

fn unexplained(document: &str) -> Vec<String> {
    opened(document).unexplained().map(ToString::to_string).collect()
}

#[test]
fn a_secret_in_hexadecimal_or_base32_is_not_decoded_as_base64() {
    for (secret, encoding) in [
        (HEX.to_owned(), "hexadecimal"),
        (SEED.to_owned(), "hexadecimal"),
        (SEED.to_uppercase(), "hexadecimal"),
        (format!("{HEX}{HEX}"), "hexadecimal"),
        (BASE32.to_owned(), "base32"),
        (BASE32.to_lowercase(), "base32"),
    ] {
        let document = with_secret(&format!("<PlainValue>{secret}</PlainValue>"));
        assert_eq!(why(&document), format!("the secret is written in {encoding}; PSKC has base64"), "{secret}");
    }
    // All zeros but one: one case, and base64 all the same.
    assert_eq!(only(with_secret("<PlainValue>AAAAAAAAAAAAAAAAAAAAAAAAAAE=</PlainValue>")).secret.bits(), 160);
}

#[test]
fn a_secret_that_was_encoded_twice_is_told_wherever_it_stands() {
    let twice = data_encoding::BASE64.encode(HEX.as_bytes());
    let second = package("12", "").replace("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", &twice);
    let file = opened(plain_pskc(&format!("{}{second}", package("11", ""))));
    assert!(notes(&file).iter().any(|note| note.contains("encoded twice")), "{:?}", notes(&file));
    for text in [HEX, BASE32, "jbswy3dpehpk3pxpjbswy3dpehpk3pxp"] {
        let twice = with_secret(&format!("<PlainValue>{}</PlainValue>", data_encoding::BASE64.encode(text.as_bytes())));
        let file = opened(twice);
        assert!(notes(&file).iter().any(|note| note.contains("encoded twice")), "{text}: {:?}", notes(&file));
        assert!(tokens(&file).iter().all(|offered| offered.twice), "{text}");
    }
    // What a person types is none.
    for text in ["12345678901234567890", "Kasm is the best sof", "ABCDEFGHIJKLMNOPQRST"] {
        let once = with_secret(&format!("<PlainValue>{}</PlainValue>", data_encoding::BASE64.encode(text.as_bytes())));
        assert!(tokens(&opened(once)).iter().all(|offered| !offered.twice), "{text}");
    }
}

#[test]
fn a_secret_that_says_it_is_in_another_form_is_rejected() {
    let plain = "<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue>";
    let document = plain_pskc(&package("11", ""));
    for (from, to) in [
        ("<Secret>", "<Secret Encoding=\"hex\">"),
        ("<PlainValue>", "<PlainValue Format=\"raw\">"),
        (plain, "<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=<x/></PlainValue>"),
        ("<Secret>", "<Secret>MTIzNDU2Nzg5MDEyMzQ1Njc4OTE="),
    ] {
        assert_eq!(why(&document.replace(from, to)), "the secret is written in a form that is not read", "{to}");
    }
    assert_eq!(only(document.replace("<Secret>", "<Secret Encoding=\"Base64\">")).secret.expose(), BYTES);
}

#[test]
fn a_secret_in_the_place_of_a_name_is_not_printed() {
    for secret in [SEED, BASE32] {
        assert_eq!(rejection(plain_pskc(&package(secret, ""))), Rejection::SerialIsSecret);
        let model = plain_pskc(&package("11", "")).replace("<SerialNo>", &format!("<Model>{secret}</Model><SerialNo>"));
        assert_eq!(why(&model), "a secret seems to stand in the place of the model");
        let made_by = plain_pskc(&package("11", "")).replace(">M<", &format!(">{secret}<"));
        assert_eq!(why(&made_by), "a secret seems to stand in the place of the manufacturer");
        let model = "<Tokens><Token serial=\"S\"><Applications><Application><Seed>A</Seed></Application></Applications></Token></Tokens>";
        assert_eq!(rejection(model.replace("\"S\"", &format!("\"{secret}\""))), Rejection::SerialIsSecret);
    }
}

#[test]
fn parameters_that_stand_there_twice_reject_the_key() {
    for (parameters, what) in [
        ("<Suite>HMAC-SHA1</Suite><Suite>HMAC-SHA256</Suite>", "the hash (Suite)"),
        ("<Suite>HMAC-SHA1</Suite><Suite>HMAC-SHA1</Suite>", "the hash (Suite)"),
        ("<ResponseFormat Length=\"6\"/><ResponseFormat Length=\"8\"/>", "the length of codes (ResponseFormat)"),
        ("<ResponseFormat Length=\"6\" length=\"8\"/>", "an attribute"),
        ("</AlgorithmParameters><AlgorithmParameters><Suite>HMAC-SHA256</Suite>", "AlgorithmParameters"),
    ] {
        assert_eq!(why(&with_parameters(parameters)), format!("{what} stands there more than once"), "{parameters}");
    }
    let document = plain_pskc(&package("11", ""));
    let two = document.replace("</DeviceInfo>", "</DeviceInfo><DeviceInfo><SerialNo>12</SerialNo></DeviceInfo>");
    assert_eq!(why(&two), "the serial number stands there more than once");
    let two = document.replace("<Key ", "<Key KeyAlgorithm=\"hotp\" ");
    assert_eq!(why(&two), "the type (Algorithm) stands there more than once");
}

#[test]
fn a_value_of_the_other_kind_is_named_unless_it_says_nothing() {
    let value = |name: &str, number: &str| format!("<Data><{name}><PlainValue>{number}</PlainValue></{name}>");
    let totp = plain_pskc(&package("11", ""));
    let hotp = totp.replace("algorithm:totp", "algorithm:hotp").replace(":totp", ":hotp");
    assert_ne!(totp, hotp, "the package says its type");
    for (document, name, kind) in [(&totp, "Counter", "TOTP"), (&hotp, "TimeInterval", "HOTP")] {
        let named = unexplained(&document.replace("<Data>", &value(name, "60")));
        assert!(named.contains(&format!("element \"{name} of a {kind} key\"")), "{named:?}");
        for nothing in ["0", "", "None"] {
            let named = unexplained(&document.replace("<Data>", &value(name, nothing)));
            assert!(!named.iter().any(|part| part.contains(name)), "{nothing}: {named:?}");
        }
    }
}

#[test]
fn what_says_how_codes_are_made_in_a_place_or_form_that_is_not_read_rejects_the_key() {
    let misplaced = |name: &str| format!("\"{name}\" says how codes are made, in a place or form that is not read");
    for (parameters, what) in [
        ("<ResponseFormat><Length>8</Length></ResponseFormat>", "length"),
        ("<ResponseFormat>8</ResponseFormat>", "responseformat"),
        ("<ResponseFormat Digits=\"8\"/>", "digits"),
        ("<Suite>HMAC-SHA1<Hash>SHA256</Hash></Suite>", "hash"),
        ("<TimeInterval><PlainValue>60</PlainValue></TimeInterval>", "timeinterval"),
        ("<TimeStep>60</TimeStep>", "timestep"),
        ("<x:Hash xmlns:x=\"other\">SHA256</x:Hash>", "hash"),
    ] {
        assert_eq!(why(&with_parameters(parameters)), misplaced(what), "{parameters}");
    }
    for (from, to, what) in [
        ("<Key ", "<Key Digits=\"8\" ", "digits"),
        ("<Key ", "<Key Type=\"hotp\" ", "type"),
        ("<KeyPackage>", "<KeyPackage Period=\"60\">", "period"),
        ("<KeyPackage>", "<KeyPackage><Digits>8</Digits>", "digits"),
        ("<Data>", "<Suite>SHA256</Suite><Data>", "suite"),
        ("<Data>", "<TimeStep>60</TimeStep><Data>", "timestep"),
        ("<Data>", "<Counter>60</Counter><Data>", "counter"),
        ("<Data>", "<Data><Interval>60</Interval>", "interval"),
        ("<Data>", "<Data Name=\"INTERVAL\"><Value>60</Value></Data><Data>", "interval"),
        ("<Data>", "<Data TimeInterval=\"60\">", "timeinterval"),
    ] {
        let document = plain_pskc(&package("11", "")).replace(from, to);
        assert_eq!(why(&document), misplaced(what), "{to}");
    }
    // An option says it for all.
    let options = Options { period: Some(Period::new(60).unwrap()), ..Options::default() };
    let document = with_parameters("<TimeStep>60</TimeStep>");
    let file = opened_with(&document, &options, &mut Ring::default()).unwrap();
    assert_eq!(period(&tokens(&file)[0]), 60);
    assert_eq!(unexplained(&document), ["element \"TimeStep\""]);
}

#[test]
fn numbers_in_a_form_that_is_not_read_reject_the_key() {
    for interval in [
        "<TimeInterval Value=\"60\"/>",
        "<TimeInterval>60</TimeInterval>",
        "<TimeInterval><PlainValue Value=\"60\"/></TimeInterval>",
        "<TimeInterval><PlainValue><x>60</x></PlainValue></TimeInterval>",
        "<TimeInterval>60<PlainValue/></TimeInterval>",
        "<TimeInterval><PlainValue>60s</PlainValue></TimeInterval>",
        "<TimeInterval><PlainValue>0x3C</PlainValue></TimeInterval>",
    ] {
        assert_eq!(
            rejection(values(interval)),
            Rejection::Key(KeyRejection::Number("the time interval")),
            "{interval}"
        );
    }
    for counter in ["0x10", "dead", "7.0", "1e3", "deadbeef", "NjBz"] {
        let document = values(&format!("<Counter><PlainValue>{counter}</PlainValue></Counter>"));
        let expected = Rejection::Key(KeyRejection::Number("the counter"));
        assert_eq!(rejection(document.replace(":totp", ":hotp")), expected, "{counter}");
    }
    for (counter, number) in [("MTIz", 123), ("AAAAAAAAACo=", 42), ("AAAAKg==", 42), ("", 0)] {
        let document = values(&format!("<Counter><PlainValue>{counter}</PlainValue></Counter>"));
        assert_eq!(only(document.replace(":totp", ":hotp")).counter, Some(number), "{counter}");
    }
}

#[test]
fn a_serial_number_in_another_place_is_not_replaced_by_the_keys_id() {
    let document = plain_pskc(&package("11", "")).replace("<Key ", "<Key Id=\"K1\" ");
    for (from, to) in [
        ("<SerialNo>11</SerialNo>", "<Serial>11</Serial>"),
        ("<SerialNo>11</SerialNo>", "<SerialNo Value=\"11\"/>"),
        ("<SerialNo>11</SerialNo>", "<SerialNo><Value>11</Value></SerialNo>"),
        ("<DeviceInfo><Manufacturer>M</Manufacturer><SerialNo>11</SerialNo>", "<DeviceInfo SerialNo=\"11\">"),
        ("<SerialNo>11</SerialNo></DeviceInfo>", "</DeviceInfo><SerialNo>11</SerialNo>"),
    ] {
        let changed = document.replace(from, to);
        assert_ne!(changed, document, "{from}");
        assert_eq!(why(&changed), "the serial number is written in a form that is not read", "{to}");
    }
}

#[test]
fn every_element_and_attribute_that_is_not_known_is_named() {
    let document = plain_pskc(&package("11", ""));
    for (from, to, name) in [
        ("<Key ", "<Key Colour=\"8\" ", "Key Colour"),
        ("<Data>", "<KeyProfileId>p</KeyProfileId><Data>", "KeyProfileId"),
        ("<Data>", "<Novelty/><Data>", "Novelty"),
        ("<Data>", "<Extensions><Digits>8</Digits></Extensions><Data>", "Extensions Digits"),
        ("<DeviceInfo>", "<Extensions><v:a xmlns:v=\"v\"/></Extensions><DeviceInfo>", "Extensions a"),
        ("<DeviceInfo>", "<DeviceInfo x=\"1\">", "DeviceInfo x"),
        ("<Manufacturer>", "<Strange/><Manufacturer>", "Strange"),
        ("<KeyPackage>", "<Batch>7</Batch><KeyPackage>", "Batch"),
        ("Version=\"1.0\"", "Version=\"1.0\" Digest=\"1\"", "KeyContainer Digest"),
        ("<Secret>", "<Challenge/><Secret>", "Challenge"),
        ("<Data>", "Stray text<Data>", "Key text"),
        ("<DeviceInfo>", "<DeviceInfo><Manufacturer>N</Manufacturer>", "Manufacturer, twice"),
    ] {
        let changed = document.replace(from, to);
        assert_eq!(unexplained(&changed), [format!("element \"{name}\"")], "{to}");
    }
    for known in [
        "<Issuer>i</Issuer><FriendlyName>f</FriendlyName><UserId>u</UserId><Extensions/>",
        "<Policy><StartDate>2006-05-01T00:00:00Z</StartDate></Policy>",
    ] {
        assert!(unexplained(&plain_pskc(&package("11", known))).is_empty(), "{known}");
    }
    let schema = document.replace("Version=", "xmlns:xsi=\"x\" xsi:schemaLocation=\"a b\" Version=");
    assert!(unexplained(&schema).is_empty());
}
