//! What lies around the seeds and beside them: entries of zip files, keys, letters and checksums.

use super::*;

fn table() -> String {
    format!("serial,secret\n7700000000011,{BASE32}\n")
}

/// The notes about entries that were left alone.
fn ignored(file: &SeedFile) -> Vec<String> {
    notes(file).into_iter().filter(|note| note.contains(": ignored, ")).collect()
}

#[test]
fn letters_checksums_and_licences_beside_seeds_make_no_token_and_are_named() {
    let letter = "Anbei die Liste.\nMit freundlichen Gruessen\nMuster Informationssicherheit\n";
    let licence = "Permission is hereby granted, free of charge, to any person\nobtaining a copy, 0123456789abcdef01\n";
    let digest = "25f86d89c829840af7504c4e347d4ca4";
    let checksums = [format!("MD5 {digest}\n"), format!("{digest}  tokens.csv\n"), format!("{digest}\n")];
    for seeds in [table(), format!("7700000000011,{BASE32}\n"), format!("7700000000011 {HEX}\n")] {
        for beside in [letter, licence, &checksums[0], &checksums[1], &checksums[2], "", "see the web page"] {
            for names in [["tokens.csv", "README.txt"], ["a.dat", "b.csv"]] {
                for order in [[0, 1], [1, 0]] {
                    let entries = [(names[0], seeds.as_bytes()), (names[1], beside.as_bytes())];
                    let file = opened(zipped(&order.map(|place| entries[place])));
                    assert_eq!(tokens(&file).len(), 1, "{beside:?}");
                    assert_eq!(ignored(&file).len(), 1, "{beside:?}: {:?}", notes(&file));
                    assert!(ignored(&file)[0].starts_with(names[1]));
                }
            }
        }
    }
}

#[test]
fn one_bad_row_does_not_make_a_letter_of_a_list_of_tokens() {
    let mut rows: Vec<String> = (0..20).map(|number| format!("{number},{BASE32}")).collect();
    rows[7] = "8,incomplete".to_owned();
    let (list, other) = (rows.join("\n"), format!("100,{BASE32}\n"));
    let file = opened(zipped(&[("a.csv", list.as_bytes()), ("b.csv", other.as_bytes())]));
    assert_eq!(file.row_count(), 21);
    assert_eq!(file.rows().filter(|row| row.token.is_err()).count(), 1);
    // A header leaves no doubt, however few rows there are.
    let file =
        opened(zipped(&[("a.csv", format!("serial,secret\n1,{HEX}\n2,x\n").as_bytes()), ("b", other.as_bytes())]));
    assert_eq!(file.row_count(), 3);
}

#[test]
fn a_key_file_wins_over_what_lies_beside_and_several_keys_are_tried() {
    let digest = b"7c1a3c9204347cb38d04c0f62512737c\n";
    let zip = zipped(&[("tokens.xml", FIGURE_6.as_bytes()), ("tokens.md5", digest)]);
    let file = opened_with(&zip, &Options::default(), &mut Ring::key(KEY)).unwrap();
    assert_eq!(tokens(&file)[0].secret.expose(), BYTES);
    assert_eq!(ignored(&file), ["tokens.md5: ignored, it is no list of seeds"]);
    assert!(matches!(opened_with(&zip, &Options::default(), &mut Ring::default()), Err(ImportError::WrongKey)));
    // Without one the checksum is tried and is not the key; the key is.
    let zip = zipped(&[("tokens.md5", digest), ("tokens.pskcxml", FIGURE_6.as_bytes()), ("key", KEY)]);
    let file = opened(&zip);
    assert!(
        notes(&file).contains(
            &"key: taken as the key; it lay beside the seeds, so the seeds travelled in the clear".to_owned()
        )
    );
    assert!(ignored(&file)[0].starts_with("tokens.md5"));
}

#[test]
fn a_key_with_a_mark_or_in_utf16_is_a_key() {
    let digits = "12345678901234567890123456789012";
    let marked = format!("\u{feff}{digits}\r\n");
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for key in [marked.as_bytes(), &utf16, b"12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12"] {
        assert_eq!(tokens(&opened_with(FIGURE_6, &Options::default(), &mut Ring::key(key)).unwrap()).len(), 1);
        let zip = zipped(&[("tokens.xml", FIGURE_6.as_bytes()), ("key.txt", key)]);
        assert_eq!(tokens(&opened(zip)).len(), 1);
    }
}

#[test]
fn an_entry_that_is_asked_for_is_the_only_one_that_counts() {
    let (one, two) = (table(), format!("1,{BASE32}\n2,{BASE32}x\n"));
    let zip = zipped(&[("a/one.csv", one.as_bytes()), ("two.csv", two.as_bytes()), ("more.zip", b"PK\x03\x04")]);
    let choose = |name: &str| {
        let options = Options { entry: Some(name.to_owned()), ..Options::default() };
        opened_with(&zip, &options, &mut Ring::default())
    };
    assert_eq!(choose("a/one.csv").unwrap().row_count(), 1);
    assert_eq!(choose("two.csv").unwrap().row_count(), 2);
    assert!(matches!(choose("more.zip"), Err(ImportError::Nested { foreign: Foreign::Zip, .. })));
    let error = choose("three.csv").map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "the zip file has no entry \"three.csv\"; it has a/one.csv, two.csv, more.zip");
    let options = Options { entry: Some("a".to_owned()), ..Options::default() };
    assert!(matches!(opened_with(table(), &options, &mut Ring::default()), Err(ImportError::NotZip)));
}

#[test]
fn seeds_travelled_in_the_clear_is_said_exactly_when_they_did() {
    let said = |file: &SeedFile| notes(file).iter().any(|note| note.contains("travelled in the clear"));
    let plain = opened(zipped(&[("a.csv", table().as_bytes())]));
    assert!(said(&plain) && plain.is_in_the_clear());
    let mut ring = Ring::key(KEY);
    let sealed = opened_with(zipped(&[("a.xml", FIGURE_6.as_bytes())]), &Options::default(), &mut ring).unwrap();
    assert!(!said(&sealed) && !sealed.is_in_the_clear());
    // Whoever had the zip file had the key to the seeds.
    let with_key = opened(zipped(&[("a.xml", FIGURE_6.as_bytes()), ("a.key", KEY)]));
    assert!(said(&with_key), "{:?}", notes(&with_key));
    let other_key = zipped(&[("a.xml", FIGURE_6.as_bytes()), ("other.key", &[7; 16])]);
    let other_key = opened_with(other_key, &Options::default(), &mut Ring::key(KEY)).unwrap();
    assert!(!said(&other_key), "{:?}", notes(&other_key));
    let both = zipped(&[("a.xml", FIGURE_6.as_bytes()), ("b.csv", table().as_bytes())]);
    let both = notes(&opened_with(both, &Options::default(), &mut Ring::key(KEY)).unwrap());
    let told: Vec<_> = both.iter().filter(|note| note.contains("travelled in the clear")).collect();
    assert_eq!(told, ["b.csv is not encrypted: the seeds travelled in the clear"]);
    assert!(opened(plain_pskc(&package("11", ""))).is_in_the_clear());
    assert!(opened(table()).is_in_the_clear());
    assert!(!opened_with(FIGURE_6, &Options::default(), &mut Ring::key(KEY)).unwrap().is_in_the_clear());
}

#[test]
fn archives_beside_seeds_are_named_and_alone_come_with_their_command() {
    let inner = zipped(&[("a.csv", table().as_bytes())]);
    let beside = opened(zipped(&[("tokens.csv", table().as_bytes()), ("old.7z", b"7z\xbc\xaf\x27\x1c and so on")]));
    assert_eq!(ignored(&beside), ["old.7z: ignored, it is a 7z archive"]);
    for (content, hint) in [
        (inner.as_slice(), "7z x -so FILE 'in ner' | twofactor token import -"),
        (b"\x1f\x8b\x08 and so on", "7z x -so FILE 'in ner' | gzip -dc | twofactor token import -"),
        (b"-----BEGIN PGP MESSAGE-----", "7z x -so FILE 'in ner' | gpg -d | twofactor token import -"),
        (b"Rar!\x1a\x07\x01\0", "7z x -so FILE 'in ner' > INNER, then: unrar p -inul INNER | twofactor token import -"),
    ] {
        assert_eq!(refused(zipped(&[("in ner", content)])).hint().unwrap(), hint);
    }
}

#[test]
fn a_text_that_holds_the_digest_of_an_entry_makes_no_token_whatever_it_calls_it() {
    use sha1::Digest as _;
    let seeds = table();
    let digest = data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(seeds.as_bytes()));
    for text in [
        format!("tokens {digest}\n"),
        format!("20261126 {digest}\n"),
        format!("Pr\u{fc}fsumme;{digest}\n"),
        format!("{digest}\n"),
        format!("20261126,{}\n", digest.to_uppercase()),
    ] {
        let file = opened(zipped(&[("sum.txt", text.as_bytes()), ("tokens.csv", seeds.as_bytes())]));
        assert_eq!(file.row_count(), 1, "{text}");
        assert!(ignored(&file).iter().any(|note| note.contains("holds checksums")), "{text}: {:?}", ignored(&file));
    }
}

#[test]
fn a_zip_file_in_parts_and_one_without_its_end_are_told_from_a_damaged_one() {
    let zip = zipped(&[("tokens.csv", table().as_bytes()), ("README.txt", b"hello")]);
    let (first, last) = zip.split_at(zip.len() / 2);
    assert!(matches!(refused(first), ImportError::Foreign(Foreign::HalfZip)));
    assert!(matches!(refused(last), ImportError::Foreign(Foreign::LastPart)));
    let mut program = b"MZ\x90\0 and so on".to_vec();
    program.extend_from_slice(&zip);
    assert_eq!(opened(program).row_count(), 1, "a self-extracting one is whole");
}

#[test]
fn documents_of_office_programs_are_named_also_inside_a_zip_file() {
    for (parts, foreign) in [
        (&["[Content_Types].xml", "xl/workbook.xml"][..], Foreign::Workbook),
        (&["[Content_Types].xml", "word/document.xml"], Foreign::Letter),
    ] {
        let entries: Vec<(&str, &[u8])> = parts.iter().map(|name| (*name, &b"<a/>"[..])).collect();
        let document = zipped(&entries);
        assert!(matches!(refused(&document), ImportError::Foreign(found) if found == foreign));
        let nested = refused(zipped(&[("tokens.bin", &document)]));
        assert!(matches!(nested, ImportError::Nested { foreign: found, .. } if found == foreign), "{nested}");
    }
}

#[test]
fn sheets_in_other_forms_are_named_by_their_content() {
    let excel = "<?xml version=\"1.0\"?><?mso-application progid=\"Excel.Sheet\"?><Workbook \
                 xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"><Worksheet/></Workbook>";
    let flat = |kind: &str| {
        format!(
            "<office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
             office:mimetype=\"application/vnd.oasis.opendocument.{kind}\"/>"
        )
    };
    for (text, foreign) in [
        (excel.to_owned(), Foreign::Workbook),
        (flat("spreadsheet"), Foreign::Workbook),
        (flat("text"), Foreign::Letter),
        ("ID;PSYLK\nC;Y1;X1;K\"Serial\"\nE\n".to_owned(), Foreign::Workbook),
        ("TABLE\n0,1\n\"\"\nVECTORS\n0,2\n".to_owned(), Foreign::Workbook),
        (format!("<table><tr><td>7700</td><td>{HEX}</td></tr></table>"), Foreign::HtmlTable),
    ] {
        let error = refused(&text);
        assert!(matches!(error, ImportError::Foreign(found) if found == foreign), "{text}: {error}");
        assert!(error.hint().unwrap().contains("CSV"), "{text}");
        let nested = refused(zipped(&[("tokens.xls", text.as_bytes())]));
        assert!(matches!(nested, ImportError::Nested { foreign: found, .. } if found == foreign), "{text}: {nested}");
    }
    let ods = zipped(&[("content.xml", b"<office:document-content/>"), ("styles.xml", b"<a/>")]);
    assert!(matches!(refused(ods), ImportError::Foreign(Foreign::Workbook)));
    // A table may begin in the same way.
    let table = format!("ID;Passwort;Serial;Secret\n1;x;77;{HEX}\n");
    assert_eq!(tokens(&opened(table)).len(), 1);
}

#[test]
fn a_list_with_bad_rows_beside_a_good_one_is_never_ignored() {
    let good = format!("7700000000011,{HEX}\n7700000000012,{}\n", HEX.replace('3', "4"));
    let other = |serial: &str| format!("{serial},{}\n", HEX.replace('3', "5"));
    let rows = other("7700000000013") + &other("7700000000014").replace('5', "6");
    for (name, text) in [
        ("box2.csv", rows.clone() + &other("8.8E+12")),
        ("box2", rows.clone() + &other("8.8E+12")),
        ("box2.csv", format!("Identifier of it;Clave\n{}", rows.replace(',', ";"))),
        ("box2.txt", format!("Gerät,Initialisierung\n{rows}")),
        ("box2.csv", format!("Serial,Token Serial,Secret\n{}", rows.replace(',', ",1,"))),
        ("box2.csv", rows.lines().map(|row| row.split_once(',').map(|(a, b)| format!("{b},{a}\n")).unwrap()).collect()),
        ("box2.csv", rows.replace(',', ",X")),
    ] {
        for order in [[0, 1], [1, 0]] {
            let entries = [("box1.csv", good.as_bytes()), (name, text.as_bytes())];
            let zip = zipped(&order.map(|place| entries[place]));
            match opened_with(&zip, &Options::default(), &mut Ring::default()) {
                Ok(file) => {
                    let bad: Vec<_> = file.rows().filter(|row| row.token.is_err()).collect();
                    assert!(!bad.is_empty() && bad[0].place.to_string().starts_with(name), "{text}");
                }
                Err(error) => {
                    assert!(error.to_string().contains(name), "{text}: {error}");
                    assert!(error.hint().unwrap().contains("--entry"), "{text}: {:?}", error.hint());
                }
            }
        }
    }
    // A number of an order is no way out.
    for name in ["tokens.csv", "tokens.txt"] {
        let damaged = good.replace('\n', "X\n");
        let file = opened(zipped(&[("order.txt", b"PO-20260017 ABCDEFGHIJKLMNOPQ234\n"), (name, damaged.as_bytes())]));
        assert!(file.rows().all(|row| row.token.is_err()), "{name}");
    }
}

#[test]
fn a_text_with_few_lines_that_could_be_rows_makes_no_token_beside_a_list() {
    let base32 = "JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G";
    let md5 = "25f86d89c829840af7504c4e347d4ca4";
    for seeds in [
        format!("7700000000011,{HEX}\n7700000000012,{HEX}\n"),
        format!("serial,secret\n7700000000011,{HEX}\n"),
        format!("7700000000011 {HEX}\n7700000000012 {HEX}\n7700000000013 {HEX}\n"),
    ] {
        for (name, text) in [
            ("lic.txt", "LIC-20260001 ABCDEFGHIJKLMNOP2345\n".to_owned()),
            ("example.txt", format!("Example of a row:\n1234567891234,{base32}\n")),
            ("readme.txt", format!("The columns are:\nserial,secret\n1234567891234,{base32}\n")),
            ("sum.txt", format!("TOKENS2026 {md5}\norder2026-17 {md5}{md5}\n")),
            ("lic.txt", format!("Licence 1\nkey 1 {HEX}\nkey 2 {base32}\nBest regards, the vendor\nof it all\n")),
            ("manifest.json", "{\"items\": [{\"name\": \"tokens.csv\"}]}".to_owned()),
            ("manifest.json", "{\"tokens\": [1, 2]}".to_owned()),
        ] {
            for order in [[0, 1], [1, 0]] {
                let entries = [("tokens.csv", seeds.as_bytes()), (name, text.as_bytes())];
                let file = opened(zipped(&order.map(|place| entries[place])));
                assert!(tokens(&file).iter().all(|offered| offered.serial.as_str().starts_with("77")), "{text}");
                assert_eq!(ignored(&file).len(), 1, "{text}");
                assert!(ignored(&file)[0].starts_with(name), "{text}");
            }
        }
    }
    // Two short lists of one shape are both lists.
    let [one, two] = ["11", "12"].map(|serial| format!("{serial} {BASE32}\n"));
    assert_eq!(tokens(&opened(zipped(&[("a", one.as_bytes()), ("b", two.as_bytes())]))).len(), 2);
}

#[test]
fn a_short_list_with_other_columns_and_a_hidden_one_are_read_beside_a_list() {
    let list = |from: u8| {
        (from..from + 2).map(|place| format!("77000000000{place:02},{HEX}{place:02}\n")).collect::<Vec<_>>().concat()
    };
    let wider: Vec<String> =
        list(3).lines().map(|line| format!("{}\ttotp\t8\t60\n", line.replace(',', "\t"))).collect();
    let wider = wider.concat();
    for (name, other) in
        [("other", wider.as_str()), (".hidden.csv", &list(3)), ("list.tsv", &list(3).replace(',', "\t"))]
    {
        let file = opened(zipped(&[("a.csv", list(1).as_bytes()), (name, other.as_bytes())]));
        assert_eq!(tokens(&file).len(), 4, "{name}");
    }
    // Files that macOS adds are passed over without a word.
    let file =
        opened(zipped(&[("a.csv", list(1).as_bytes()), ("._a.csv", b"x"), (".DS_Store", b"x"), ("__MACOSX/a", b"x")]));
    assert!(tokens(&file).len() == 2 && ignored(&file).is_empty());
}
