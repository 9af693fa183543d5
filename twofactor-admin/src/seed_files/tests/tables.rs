//! Tables as spreadsheets, vendors and people leave them: nothing of them comes in silently wrong.

use super::*;

/// Three secrets of 20 bytes, different ones, in base32.
fn secrets() -> [String; 3] {
    [7_u8, 91, 178].map(|seed| {
        let bytes: Vec<u8> =
            (0..20_u8).map(|index| seed.wrapping_mul(31).wrapping_add(index.wrapping_mul(97))).collect();
        data_encoding::BASE32.encode(&bytes)
    })
}

const SERIALS: [&str; 3] = ["0077000011", "0077000029", "0077000037"];

/// A table of three rows; `row` writes one from its serial number and secret.
fn rows(row: impl Fn(&str, &str) -> String) -> String {
    let secrets = secrets();
    SERIALS.iter().zip(&secrets).map(|(serial, secret)| row(serial, secret) + "\n").collect()
}

/// Checks that a file holds the three tokens, and gives it.
fn holds(text: impl AsRef<[u8]>) -> SeedFile {
    let file = opened(text);
    let read: Vec<_> = tokens(&file).into_iter().map(|offered| (offered.serial, offered.secret)).collect();
    let secrets = secrets();
    assert_eq!(read.len(), 3);
    for ((serial, secret), (expected, encoded)) in read.iter().zip(SERIALS.iter().zip(&secrets)) {
        assert_eq!(serial.as_str(), *expected);
        assert_eq!(data_encoding::BASE32.encode(secret.expose()), *encoded);
    }
    file
}

fn unexplained(file: &SeedFile) -> Vec<String> {
    file.unexplained().map(ToString::to_string).collect()
}

fn whys(text: impl AsRef<[u8]>) -> Vec<(usize, Option<usize>, Rejection)> {
    let file = opened(text);
    file.rows().filter_map(|row| Some((row.place.line, row.column, row.token.err()?))).collect()
}

#[test]
fn the_serial_number_is_found_beside_an_id_in_any_order() {
    holds("ID,Serial Number,Secret Key\n".to_owned() + &rows(|serial, secret| format!("1,{serial},{secret}")));
    holds("Secret,ID,S/N\n".to_owned() + &rows(|serial, secret| format!("{secret},1,{serial}")));
    let two = "Serial,Secret,Token Serial\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret},1"));
    let error = refused(two);
    assert_eq!(error.to_string(), "line 1: both \"Serial\" and \"Token Serial\" could be the serial number");
    assert!(error.hint().unwrap().contains("rename"));
}

#[test]
fn headers_in_other_languages_say_period_and_digits() {
    for header in [
        "Seriennummer;Geheimer Schlüssel;Hersteller;Modell;Intervall;Stellen",
        "Numéro de série;Clé secrète;Fabricant;Modèle;Intervalle;Chiffres",
        "Número de serie;Clave secreta;Fabricante;Modelo;Intervalo;Dígitos",
        "Numero di serie;Chiave segreta;Produttore;Modello;Intervallo;Cifre",
        "Serienummer;Geheime sleutel;Fabrikant;Model;Tijdsinterval;Cijfers",
        "シリアル番号;秘密鍵;メーカー;型番;間隔;桁数",
    ] {
        let text = format!("{header}\n{}", rows(|serial, secret| format!("{serial};{secret};Muster;M1;60;8")));
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let latin = text.chars().map(u8::try_from).collect::<Result<Vec<u8>, _>>();
        for bytes in [Some(text.clone().into_bytes()), Some(utf16), latin.ok()].into_iter().flatten() {
            let file = holds(bytes);
            let first = tokens(&file).remove(0);
            assert_eq!((period(&first), first.parameters.digits.count()), (60, 8), "{header}");
            assert_eq!(assumed(&file), ["type: TOTP", "hash: SHA1"], "{header}");
            assert!(unexplained(&file).is_empty(), "{header}: {:?}", unexplained(&file));
        }
    }
}

#[test]
fn titles_above_and_totals_below_are_named_and_not_read() {
    let header = "UPN;Serial Number;Secret Key;Time Interval\n";
    let body = rows(|serial, secret| format!("u@example.com;{serial};{secret};60"));
    let file =
        holds(format!("Token list;Muster AG;;\nDate;2026-11-26;;\n\n{header}{body}\nTotal;3;;\nPrinted by hand;;;\n"));
    assert_eq!(period(&tokens(&file)[0]), 60);
    let notes = notes(&file);
    for expected in [
        "what stands above the table, to line 2, was not read",
        "what stands below the table, from line 9, was not read",
    ] {
        assert!(notes.iter().any(|note| note == expected), "{expected}: {notes:?}");
    }
    let explanation = file.explanations().next().unwrap();
    assert_eq!(explanation.layout, "semicolons between columns, header in line 4");
    let parts: Vec<_> = explanation.parts.iter().map(|part| (part.name.as_str(), part.taken_for)).collect();
    let expected = [
        ("UPN", Some("owner, not read")),
        ("Serial Number", Some("serial number")),
        ("Secret Key", Some("secret")),
        ("Time Interval", Some("period")),
    ];
    assert_eq!(parts, expected);
    for total in ["Summe;3", "Anzahl: 3", "合計;3", "Gesamt", "End of list"] {
        let file = holds(rows(|serial, secret| format!("{serial};{secret}")) + total + "\n");
        assert_eq!(file.row_count(), 3, "{total}");
    }
    // In the middle of the table it is a damaged row.
    let secrets = secrets();
    let middle = format!("{},{}\nTotal,1\n{},{}\n", SERIALS[0], secrets[0], SERIALS[1], secrets[1]);
    assert_eq!(whys(middle).len(), 1);
}

#[test]
fn a_first_row_of_words_is_a_header_and_never_a_token() {
    for words in ["Token;Initialisierungsschluessel", "Gerät;Wert", "TOKEN;INITIALISIERUNGSSCHLUESSEL"] {
        let text = format!("{words}\n{}", rows(|serial, secret| format!("{serial};{secret}")));
        let error = refused(text);
        assert!(matches!(&error, ImportError::UnknownHeader(place) if place.line == 1), "{words}: {error}");
        assert!(error.hint().unwrap().contains("serial number"), "{words}");
    }
    let again = "Serial;Secret\n".to_owned()
        + &rows(|serial, secret| format!("{serial};{secret}"))
        + "Serial;Initialisierung\n";
    assert_eq!(whys(again).len(), 1, "a header again is no token");
}

#[test]
fn what_looks_like_a_secret_is_no_serial_number_and_is_not_printed() {
    let swapped = secrets().map(|secret| format!("{secret},77000000000000000000\n")).concat();
    let error = refused(&swapped);
    assert!(matches!(error, ImportError::Misplaced { column: 1, .. }), "{error}");
    let file = opened("serial,secret\n".to_owned() + &swapped);
    let said = file.rows().map(|row| format!("{:?}", row.token)).collect::<Vec<_>>().concat();
    assert_eq!(said.matches("SerialIsSecret").count(), 3, "{said}");
    for secret in secrets() {
        assert!(!said.contains(&secret) && !format!("{error:?}").contains(&secret));
    }
    let other = rows(|serial, secret| format!("u@example.com,{serial},{secret}"));
    assert!(matches!(refused(other), ImportError::Misplaced { column: 3, .. }));
}

#[test]
fn a_third_column_of_30_or_60_is_a_period_and_another_number_a_counter() {
    let file = holds(rows(|serial, secret| format!("{serial},{secret},60")));
    assert!(tokens(&file).iter().all(|offered| period(offered) == 60 && offered.counter.is_none()));
    assert!(assumed(&file).iter().any(|said| said.starts_with("period: the third column; could be the counter")));
    let options = Options { kind: Some(KindName::Hotp), ..Options::default() };
    let text = rows(|serial, secret| format!("{serial},{secret},60"));
    let file = opened_with(text, &options, &mut Ring::default()).unwrap();
    assert!(tokens(&file).iter().all(|offered| offered.counter == Some(60)));
    let text = rows(|serial, secret| format!("{serial},{secret},60")).replacen(",60", ",61", 1);
    assert!(tokens(&opened(text)).iter().all(|offered| offered.parameters.kind == Kind::Hotp));
}

#[test]
fn a_row_without_a_type_is_hotp_where_another_names_one() {
    let [first, second, third] = secrets();
    let text = format!("1,{first}\n2,{second},hotp\n3,{third},totp,6,60\n");
    let file = opened(&text);
    let kinds: Vec<_> = tokens(&file).into_iter().map(|offered| offered.parameters.kind).collect();
    assert_eq!(kinds, [Kind::Hotp, Kind::Hotp, Kind::Totp(Period::new(60).unwrap())]);
    assert!(assumed(&file)[0].starts_with("type: HOTP where a row names no type, as OATH CSV has it; could be TOTP"));
    // However far down the first type stands.
    let far = (10..60).map(|number| format!("{number},{first}\n")).collect::<Vec<_>>().concat()
        + &format!("99,{second},hotp\n");
    assert!(tokens(&opened(far)).iter().all(|offered| offered.parameters.kind == Kind::Hotp));
    let headed = format!("serial,secret,type\n1,{first},\n2,{second},\n");
    assert!(tokens(&opened(headed)).iter().all(|offered| offered.parameters.kind == Kind::Hotp));
    let timed = format!("serial,secret,type,period\n1,{first},,60\n");
    assert_eq!(period(&only(timed)), 60, "a row with a period is no HOTP token");
}

#[test]
fn columns_that_are_not_understood_are_named_at_any_width() {
    let file =
        holds("Serial,Secret,Colour,,Size\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret},red,x,L")));
    assert_eq!(unexplained(&file), ["column \"Colour\"", "column \"Size\"", "column 4"]);
    let wide = rows(|serial, secret| format!("{serial},{secret},totp,6,30,sha1,extra,{}", "x,".repeat(20)));
    assert_eq!(unexplained(&holds(wide)).len(), 21);
    assert_eq!(whys(format!("1,{},{}x\n", secrets()[0], "x,".repeat(70)))[0].2, Rejection::TooManyColumns);
}

#[test]
fn secrets_as_long_as_another_hash_makes_them_are_pointed_out() {
    for (length, hash) in [(32, "SHA256"), (64, "SHA512")] {
        let secret = data_encoding::HEXLOWER.encode(&vec![0x9c; length]);
        let file = opened(format!("11,{secret}\n"));
        assert!(
            assumed(&file).iter().any(|said| said.contains(&format!("--algorithm {hash}"))),
            "{:?}",
            assumed(&file)
        );
        assert_eq!(tokens(&file)[0].parameters.algorithm, Algorithm::Sha1, "it is not taken for it");
    }
    let twice = data_encoding::BASE32.encode(b"6aa105d35a2270db7426338572ff739c99c06550");
    assert!(assumed(&opened(format!("11,{twice}\n"))).iter().any(|said| said.contains("encoded twice")));
}

#[test]
fn what_a_spreadsheet_did_to_serial_numbers_is_undone_or_refused() {
    for (before, after) in
        [("=\"", "\""), ("\"=\"\"", "\"\"\""), ("'", ""), ("\"'", "\""), ("=T(\"", "\")"), ("\"\"\"", "\"\"\"")]
    {
        for separator in [",", ";", "\t"] {
            let file = holds(rows(|serial, secret| format!("{before}{serial}{after}{separator}{secret}")));
            assert!(notes(&file).iter().any(|note| note.contains("were dropped")) || before == "\"\"\"", "{before}");
        }
    }
    let spaced = rows(|serial, secret| format!("\u{a0}{serial}\u{a0},{}\u{a0}{}", &secret[..16], &secret[16..]));
    assert!(notes(&holds(&spaced)).contains(&"no-break spaces and the like were taken for spaces".to_owned()));
    let latin: Vec<u8> = spaced.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    holds(latin);
    for (serial, why) in [
        ("7700000000011.0", Rejection::SerialDecimal),
        ("\"7,700,000,000,011\"", Rejection::SerialDecimal),
        ("7.7E+12", Rejection::SerialRounded),
        ("=A1", Rejection::SerialFormula),
        ("#N/A", Rejection::SerialFormula),
        ("########", Rejection::SerialFormula),
    ] {
        assert_eq!(whys(format!("{serial},{}\n", secrets()[0])), [(1, Some(1), why)], "{serial}");
    }
}

#[test]
fn secrets_of_different_lengths_are_noted_and_a_row_that_was_cut_off_is_refused() {
    let text = rows(|serial, secret| format!("{serial},{secret}"));
    let cut = text.trim_end().trim_end_matches(|_| false);
    for missing in 1..=45_usize.min(cut.len() - 1) {
        let text = &cut[..cut.len() - missing];
        if text.ends_with('\n') || text.lines().count() < 3 {
            continue;
        }
        let file = opened(text);
        assert!(file.rows().any(|row| row.token.is_err()), "{missing} characters are missing");
    }
    let short = text.replace(&secrets()[1], &secrets()[1][..24]);
    let said = notes(&opened(short));
    assert!(
        said.contains(&"secrets have different lengths: most have 20 bytes, that of line 2 has 15".to_owned()),
        "{said:?}"
    );
    let headed = "serial,secret,digits,period\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret},8"));
    assert!(whys(headed).iter().all(|(_, _, why)| *why == Rejection::ShortRow));
}

#[test]
fn a_rejected_row_names_its_column_the_first_thing_wrong_and_what_to_do() {
    let secret = secrets()[0].clone();
    for (row, column, why) in [
        (format!("11,{secret},60s,6"), 3, "the period is not a whole number"),
        (format!("11,{secret},60,six"), 4, "the number of digits is not a whole number"),
        ("11,aqEF01oicNt0JjOFcv9znJnAZVA=,60,6".to_owned(), 2, "the secret is written in base64"),
        (format!("11,{}0,60,6", &secret[..26]), 2, "the secret is not base32"),
        (format!("11,{},60,6", &secret[..27]), 2, "the secret is incomplete"),
        (format!("1 1,{secret},60,6"), 1, "the serial number is not 1 to 64"),
    ] {
        let found = whys(format!("serial,secret,period,digits\n12,{secret},60,6\n{row}\n"));
        let [(line, place, rejection)] = found[..] else { panic!("{row}: {found:?}") };
        assert_eq!((line, place), (3, Some(column)), "{row}");
        assert!(rejection.to_string().starts_with(why), "{row}: {rejection}");
        assert!(!rejection.hint().is_empty());
    }
}

#[test]
fn a_table_with_owners_before_the_serial_numbers_is_read_as_the_janitor_writes_it() {
    let hex = secrets()
        .map(|secret| data_encoding::HEXLOWER.encode(&data_encoding::BASE32.decode(secret.as_bytes()).unwrap()));
    let text = format!("n/a, {}, {}, totp, 6, 30\nn/a, {}, {}, hotp, 6\n", SERIALS[0], hex[0], SERIALS[1], hex[1]);
    let read = tokens(&opened(text));
    assert_eq!((read[0].serial.as_str(), read[1].parameters.kind), (SERIALS[0], Kind::Hotp));
    let centrify = "User Principle Name,Token Identifier,Secret Key (HEX),Account Name,Issuer,Algorithm,OTP Digits,OTP Type,Period,Counter\n";
    let text = format!("{centrify}u@example.com,{},{},a,i,SHA1,6,TOTP,60,0\n", SERIALS[0], hex[0]);
    let file = opened(text);
    assert_eq!((tokens(&file)[0].serial.as_str(), period(&tokens(&file)[0])), (SERIALS[0], 60));
    assert!(assumed(&file).is_empty() && unexplained(&file).is_empty(), "{:?}", file.notes());
}

#[test]
fn a_heading_says_what_30_or_60_is_and_nothing_else_is_guessed() {
    for (name, words) in [("period", &["TOTP"][..]), ("counter", &["HOTP where a row has a counter"])] {
        let file = opened(format!("serial,secret,{name}\n") + &rows(|serial, secret| format!("{serial},{secret},60")));
        let said = assumed(&file);
        assert!(words.iter().all(|word| said.iter().any(|assumed| assumed.contains(word))), "{said:?}");
        assert!(!said.iter().any(|assumed| assumed.contains("the third column")), "{said:?}");
    }
}

#[test]
fn rows_that_end_before_the_type_are_hotp_where_the_header_names_one() {
    let text = rows(|serial, secret| format!("{serial},{secret}"));
    let file = opened("serial,secret,type,digits\n".to_owned() + &text);
    assert!(tokens(&file).iter().all(|token| token.parameters.kind == Kind::Hotp));
    assert!(assumed(&file).iter().any(|said| said.contains("HOTP where a row names no type")), "{:?}", assumed(&file));
}

#[test]
fn headers_of_portuguese_swedish_polish_and_chinese_vendors_are_read() {
    for header in [
        "Número de série;Chave secreta;Intervalo de tempo",
        "Serienummer;Hemlig nyckel;Tidsintervall",
        "Numer seryjny;Tajny klucz;Interwał",
        "序列号;种子密钥;时间间隔",
        "S/N;Seed;Step size (s)",
    ] {
        let file = opened(format!("{header}\n") + &rows(|serial, secret| format!("{serial};{secret};60")));
        assert!(tokens(&file).iter().all(|token| period(token) == 60), "{header}");
        assert!(unexplained(&file).is_empty(), "{header}: {:?}", unexplained(&file));
    }
}

#[test]
fn secrets_that_decode_to_hexadecimal_digits_were_encoded_twice() {
    let hex = "0123456789abcdef0123456789abcdef01234567";
    for digits in [&hex[..20], &hex[..30], hex] {
        let text = format!("11,{}\n", data_encoding::BASE32_NOPAD.encode(digits.as_bytes()));
        assert!(assumed(&opened(text)).iter().any(|said| said.contains("encoded twice")), "{digits}");
        let pskc = plain_pskc(&package("11", ""))
            .replace(&data_encoding::BASE64.encode(BYTES), &data_encoding::BASE64.encode(digits.as_bytes()));
        assert!(assumed(&opened(pskc)).iter().any(|said| said.contains("encoded twice")), "{digits}");
    }
    // Digits alone are how test secrets are typed.
    let typed = data_encoding::BASE32.encode(b"12345678901234567890");
    assert!(!assumed(&opened(format!("11,{typed}\n"))).iter().any(|said| said.contains("encoded twice")));
}

#[test]
fn rows_that_a_second_thread_reads_ahead_are_the_same_in_the_same_order() {
    let rows: Vec<String> = (0..5_000).map(|number| format!("{number},{BASE32}\n")).collect();
    let file = opened(rows.concat().replacen("4711,", "4711 x,", 1));
    let seen = |row: &Row| (row.place.line, row.token.as_ref().map(|offered| offered.serial.clone()).ok());
    let mut ahead = Vec::new();
    file.each_row::<()>(|row| {
        ahead.push(seen(row));
        Ok(())
    })
    .unwrap();
    assert_eq!(ahead, file.rows().map(|row| seen(&row)).collect::<Vec<_>>());
    assert_eq!(ahead.iter().filter(|(_, serial)| serial.is_none()).count(), 1);
    // Up to the first that somebody has enough of.
    let mut taken = 0;
    let stopped = file.each_row(|_| {
        taken += 1;
        if taken == 1_000 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((stopped, taken), (Err("enough"), 1_000));
}

#[test]
fn a_last_row_that_ends_in_an_empty_field_was_cut_off() {
    let [first, second, third] = secrets();
    for (head, whole, cut) in [
        ("", ",totp,6,60", ",totp,6,"),
        ("", ",totp,6,60,sha256", ",totp,6,60,"),
        ("serial,secret,digits,period\n", ",8,60", ",8,"),
    ] {
        let text = format!("{head}11,{first}{whole}\n12,{second}{whole}\n13,{third}{cut}");
        assert_eq!(whys(&text).len(), 1, "{text}");
        assert_eq!(whys(&text)[0].2, Rejection::CutOff, "{text}");
        assert!(whys(text + "\n").iter().all(|(_, _, why)| *why != Rejection::CutOff));
    }
}

#[test]
fn what_a_program_wrote_for_no_number_or_a_date_is_no_serial_number() {
    let secret = &secrets()[0];
    for serial in [
        "nan",
        "NULL",
        "None",
        "n/a",
        "8.8E-12",
        "12-Mar",
        "Mar-12",
        "1-Jan-26",
        "`0088",
        "0088'",
        "(0088)",
        "\"0088`\"",
    ] {
        assert_eq!(whys(format!("serial,secret\n{serial},{secret}\n")).len(), 1, "{serial}");
    }
}

#[test]
fn a_mark_before_a_header_or_a_serial_number_hides_no_row() {
    let text = "# Serial,Secret,Digits\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret},8"));
    let file = holds(text);
    assert!(tokens(&file).iter().all(|offered| offered.parameters.digits.count() == 8 && period(offered) == 30));
    let marked = rows(|serial, secret| format!("#{serial},{secret}"));
    assert_eq!(whys(&marked).len(), 3);
    let one = rows(|serial, secret| format!("{serial},{secret}")) + &format!("#1001,{}\n", secrets()[0]);
    assert_eq!(whys(one).len(), 1);
    // A remark is none of the rows.
    assert_eq!(
        holds("# by hand, 2026\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret}"))).row_count(),
        3
    );
    for number in [6, 8] {
        let said = assumed(&opened(rows(|serial, secret| format!("{serial},{secret},{number}"))));
        assert!(said.iter().any(|said| said.contains("digits")), "{said:?}");
        assert!(said[0].contains("the length of a code"), "{said:?}");
    }
}

#[test]
fn no_secret_is_kept_or_shown_as_a_model() {
    let text = "Serial,Seed,Model\n".to_owned() + &rows(|serial, secret| format!("{serial},{secret},{secret}"));
    assert!(tokens(&holds(text)).iter().all(|offered| offered.model.is_none()));
    assert!(
        whys("serial,secret\n6aa105d35a2270db7426,7700000000011\n")
            .iter()
            .all(|(_, _, why)| *why == Rejection::SerialIsSecret)
    );
}

#[test]
fn headings_are_read_in_the_forms_that_are_written() {
    for header in [
        "Nº de serie;Clave",
        "N.º de série;Chave",
        "Seriennummer / Serial Number;Geheimnis / Secret",
        "ｼﾘｱﾙ番号;ｼｰｸﾚｯﾄ",
    ] {
        holds(format!("{header}\n") + &rows(|serial, secret| format!("{serial};{secret}")));
    }
    for (digits, interval, hash) in [
        ("Codelänge", "Intervall in Sekunden", "HMAC hash"),
        ("Code length", "Tijdinterval", "Hash"),
        ("Digits", "Durée", "hash"),
    ] {
        let text = format!("Serial,Secret,{digits},{interval},{hash}\n")
            + &rows(|serial, secret| format!("{serial},{secret},8,60,sha256"));
        let file = holds(text);
        let first = tokens(&file).remove(0);
        assert_eq!((first.parameters.digits.count(), period(&first)), (8, 60), "{digits} {interval}");
        assert_eq!(first.parameters.algorithm, Algorithm::Sha256, "{hash}");
    }
}

#[test]
fn one_damaged_row_does_not_change_how_the_others_are_read() {
    let hex = secrets()
        .map(|secret| data_encoding::HEXLOWER.encode(&data_encoding::BASE32.decode(secret.as_bytes()).unwrap()));
    let janitor =
        format!("a@b, 11, {}, totp, 6, 30\nc@b, 12, geheimes!, pw\nd@b, 13, {}, totp, 6, 30\n", hex[0], hex[1]);
    assert_eq!(whys(janitor).len(), 1);
    let phenix = format!("HOTP;11;{};0\nHOTP;12;geheimes!;0\nTOTP;13;SHA1;{};0;30;6\n", hex[0], hex[1]);
    assert_eq!(whys(phenix).len(), 1);
    for digits in ["6.0", "007"] {
        let text = format!("11,{},totp,{digits},30\n12,{},totp,6,30\n", hex[0], hex[1]);
        let found = whys(&text);
        assert!(found.len() <= 1, "{found:?}");
    }
}

/// The three secrets in hexadecimal digits.
fn in_hex(secret: &str) -> String {
    data_encoding::HEXLOWER.encode(&data_encoding::BASE32.decode(secret.as_bytes()).unwrap())
}

/// The same with a colon between two bytes.
fn with_colons(secret: &str) -> String {
    let digits = in_hex(secret).to_uppercase().into_bytes();
    digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(":")
}

#[test]
fn secrets_that_programmers_write_are_read_by_a_rule_that_is_told() {
    let told = "0x before secrets, or colons between their bytes, were dropped: hexadecimal";
    for (start, separator) in [("", ","), ("Serial;Secret\n", ";"), ("", " "), ("", "|")] {
        for written in [|secret: &str| format!("0x{}", in_hex(secret)), with_colons] {
            let text = start.to_owned() + &rows(|serial, secret| format!("{serial}{separator}{}", written(secret)));
            let file = holds(&text);
            assert!(notes(&file).iter().any(|note| note == told), "{text}: {:?}", notes(&file));
        }
    }
    // Among secrets in base32 one is refused for what it is, and the first column never takes one.
    let mixed = rows(|serial, secret| format!("{serial},{secret}")) + &format!("77,0x{}\n", in_hex(&secrets()[0]));
    assert!(matches!(refused(&mixed), ImportError::MixedEncodings { .. }));
    assert!(matches!(
        refused(rows(|serial, secret| format!("{},{serial}", with_colons(secret)))),
        ImportError::Misplaced { .. }
    ));
}

#[test]
fn bars_and_colons_separate_columns_where_no_other_sign_does() {
    for separator in ["|", ":"] {
        let row = |serial: &str, secret: &str| [serial, secret].join(separator);
        holds(rows(row));
        let headed = ["Serial Number", "Secret"].join(separator) + "\n";
        let headed = if separator == ":" { headed.replace(' ', "") } else { headed };
        let file = holds(headed + &rows(row));
        let layout = file.explanations().next().unwrap().layout;
        assert!(layout.starts_with(if separator == "|" { "vertical bars" } else { "colons" }), "{layout}");
    }
    // A bar in a table of semicolons is part of a name.
    let text = "Serial;Secret;Model\n".to_owned() + &rows(|serial, secret| format!("{serial};{secret};a|b|c|d"));
    assert_eq!(tokens(&holds(text))[0].model.as_deref(), Some("a|b|c|d"));
    // So is a comma in a remark.
    let remark = rows(|serial, secret| format!("{serial};{secret};red, round, with a ring, new"));
    assert_eq!(holds("Serial;Secret;Colour\n".to_owned() + &remark).row_count(), 3);
}

#[test]
fn columns_that_several_spaces_align_may_have_one_space_in_their_headings_and_fields() {
    let file = holds(
        "Serial Number    Secret Key                        Time Interval\n".to_owned()
            + &rows(|serial, secret| format!("{serial}       {secret}  60")),
    );
    assert_eq!(period(&tokens(&file)[0]), 60);
    assert_eq!(file.explanations().next().unwrap().layout, "several spaces between columns, header in line 1");
    holds(rows(|serial, secret| {
        let groups: Vec<&str> = [0, 8, 16, 24].map(|start| &secret[start..start + 8]).to_vec();
        format!("{serial}\t  {}", groups.join(" "))
    }));
    // One row with a single space is no reason to lose it.
    let uneven = rows(|serial, secret| format!("{serial}   {secret}")) + &format!("0077000045 {}\n", secrets()[0]);
    assert_eq!(opened(uneven).rows().filter(|row| row.token.is_ok()).count(), 4);
}

#[test]
fn a_table_below_a_letter_is_found() {
    let letter = (1..=60)
        .map(|line| format!("Dear customer, this is line {line}, of many, indeed; yes\n"))
        .collect::<Vec<_>>()
        .concat();
    for separator in [";", "   ", "\t"] {
        let text = format!(
            "{letter}Serial{separator}Secret\n{}",
            rows(|serial, secret| format!("{serial}{separator}{secret}"))
        );
        let file = holds(&text);
        assert!(
            notes(&file).iter().any(|note| note == "what stands above the table, to line 60, was not read"),
            "{text}"
        );
    }
}

#[test]
fn a_line_break_in_quotes_is_refused_for_what_it_is() {
    let text = rows(|serial, secret| format!("{serial},{secret},\"a remark\nof two lines\""));
    let found = whys(text);
    assert_eq!(found[0].2, Rejection::UnclosedQuote);
    assert!(found[0].2.hint().contains("take the line break out"));
}

#[test]
fn a_kind_that_the_heading_of_the_secret_names_is_that_of_the_rows() {
    let table = |heading: &str| format!("Serial,{heading}\n") + &rows(|serial, secret| format!("{serial},{secret}"));
    let file = holds(table("HOTP Secret"));
    assert!(tokens(&file).iter().all(|offered| offered.parameters.kind == Kind::Hotp));
    assert!(assumed(&file)[0].starts_with("type: HOTP"), "{:?}", assumed(&file));
    assert_eq!(period(&tokens(&holds(table("TOTP Secret")))[0]), 30);
}
