//! All of a vendor's file or nothing, and what is there stays as it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use data_encoding::BASE32;
use twofactor_tests::artifacts::workspace;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements;
use twofactor_tests::seeds::kinds::sample;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{
    assert_ends, assert_fails, assert_journal, file, fob, secret, seed_line, serial, stderr, stdout, with_input,
};

/// Packs `content` as a vendor does, with the password "tr0ub4dor".
fn zip(host: &Host, content: &str) -> Option<String> {
    if !requirements::programs_met(&["zip"]) {
        return None;
    }
    let source = file(host, "seeds.csv", content);
    let target = host.place("tokens.zip").to_str().unwrap().to_owned();
    let mut zip = Command::new("zip");
    let output = zip.args(["-q", "-j", "-P", "tr0ub4dor", &target, &source]).env("PATH", requirements::PATH).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
    fs::remove_file(source).unwrap();
    Some(target)
}

#[test]
fn of_a_file_that_is_none_nothing_is_said_but_that() {
    private_host(|host| {
        for command in [&["token", "import", "/etc/passwd"][..], &["token", "import", "--dry-run", "/etc/passwd"]] {
            let output = host.run_twofactor(command);
            assert_eq!(output.status.code(), Some(8), "{}", said(&output));
            assert!(!stdout(&output).contains("remove it"), "{}", said(&output));
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(errors.contains("is this a seed file? --format"), "{errors}");
            assert_eq!(errors.lines().count(), 4, "a row, how many more, the error, the hint: {errors}");
        }
        let path = file(host, "kasm.csv", seed_line(0));
        host.succeed("chmod", ["644", path.as_str()]);
        let shown = host.succeed("twofactor", ["token", "import", "--dry-run", path.as_str()]);
        assert!(shown.contains(&format!("others can read it: chmod 600 {path}")), "{shown}");
    });
}

#[test]
fn a_vendors_file_comes_in_as_a_series_with_its_assumptions_said() {
    private_host(|host| {
        let path = file(host, "kasm.csv", seed_line(0) + &seed_line(1));
        let shown = host.succeed("twofactor", ["token", "import", path.as_str()]);
        for words in [
            "imported 2 tokens",
            "kasm (new)",
            "Assumed:    TOTP, SHA1, 6 digits, 30 s; the file does not say",
            "not encrypted",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains(&secret(0)), "{shown}");
        assert!(shown.lines().take(8).all(|line| line.chars().count() <= 80), "{shown}");
        assert_eq!(host.json(&["token", "show", &serial(0)])["series"], "kasm");
        assert_journal(host, &["imported series=kasm new=2"]);
        let series = host.json(&["series", "show", "kasm"]);
        assert_eq!(series["tokens"], 2);
        assert_eq!(series["imports"][0]["new"], 2);
        assert_eq!(series["imports"][0]["sha256"].as_str().unwrap().len(), 64);
        assert!(series["imports"][0]["by"].is_string() && series["imports"][0]["at"].is_string(), "{series}");
    });
}

#[test]
fn a_token_with_the_secret_of_an_app_is_refused_by_the_users_name_and_forced_it_is_noted() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        let shared = file(host, "secret", secret(0));
        host.enroll("alice", &["--secret-file", &shared]);
        let path = file(host, "kasm.csv", seed_line(0) + &seed_line(1));
        let words = format!("an app of alice has the secret of token {}", serial(0));
        assert_fails(host, &["token", "import", &path], 7, &[&words, "1 conflict; nothing was imported", "--force"]);
        assert_fails(host, &["token", "import", &path, "--dry-run"], 7, &[&words]);
        assert_eq!(host.json(&["token", "list"]), serde_json::json!([]));
        let shown = host.succeed("twofactor", ["token", "import", &path, "--force"]);
        assert!(shown.contains("imported 2 tokens") && shown.contains(&words), "{shown}");
        assert!(!shown.contains(&secret(0)), "{shown}");

        let words = [&format!("token {} has the same secret as an app of alice", serial(0)), "--force"];
        assert_fails(host, &["token", "assign", &serial(0), "bob"], 7, &words);
        let list = file(host, "owners.csv", format!("{},bob\n{},bob\n", serial(1), serial(0)));
        assert_fails(host, &["token", "assign", "--from", &list], 7, &["owners.csv:2: ", words[0]]);
        assert_eq!(host.json(&["token", "show", &serial(1)])["state"], "inventory", "all or none");
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        host.succeed("twofactor", ["token", "unassign", &serial(0)]);
        host.succeed("twofactor", ["token", "assign", "--from", &list, "--force"]);
    });
}

#[test]
fn a_token_whose_secret_was_enrolled_as_an_app_is_given_to_nobody_else_without_force() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        host.succeed("twofactor", ["token", "import", &file(host, "kasm.csv", seed_line(0))]);
        host.succeed("twofactor", ["token", "assign", &serial(0), "alice"]);
        host.enroll("alice", &["--secret-file", &file(host, "secret", secret(0))]);
        host.succeed("twofactor", ["token", "unassign", &serial(0)]);
        let words = [&format!("token {} has the same secret as an app of alice", serial(0)), "--force"];
        assert_fails(host, &["token", "assign", &serial(0), "bob"], 7, &words);
        host.succeed("twofactor", ["token", "assign", &serial(0), "bob", "--force"]);
    });
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    private_host(|host| {
        let path = file(host, "kasm.csv", seed_line(0));
        let rehearsed = host.succeed("twofactor", ["token", "import", &path, "--dry-run"]);
        assert!(rehearsed.starts_with("dry run: nothing was changed\n"), "{rehearsed}");
        assert!(!fs::exists("/var/lib/twofactor").unwrap());
        assert_eq!(host.json(&["token", "list"]), serde_json::json!([]));
        let imported = host.succeed("twofactor", ["token", "import", &path]);
        let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
        let note = format!("Note:       {path} is not encrypted: remove it\n");
        assert_eq!(body(&rehearsed) + &note, body(&imported), "and what to do now");
    });
}

#[test]
fn a_file_is_explained_without_its_secrets_and_without_a_change() {
    private_host(|host| {
        let path = file(host, "kasm.csv", seed_line(0) + &seed_line(1));
        let shown = host.succeed("twofactor", ["token", "import", path.as_str(), "--explain"]);
        for words in [
            "how the file is understood; nothing was changed",
            "column 1  serial number",
            "column 2  secret",
            "Assumed:    TOTP, SHA1, 6 digits, 30 s; the file does not say",
            "Row 1:      line 1: token 0000004711000, secret ******** (20 bytes), TOTP, SHA1, 6 digits, 30 s",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains(&secret(0)), "{shown}");
        assert!(!fs::exists("/var/lib/twofactor").unwrap());
        let report = host.json(&["token", "import", &path, "--explain"]);
        assert_eq!(report["documents"][0]["columns"][1]["taken_for"], "secret");
        assert_eq!(report["assumptions"][0], serde_json::json!({ "what": "type", "taken": "TOTP", "could_be": null }));
        assert!(!report.to_string().contains(&secret(0)), "{report}");
    });
}

#[test]
fn a_strict_import_refuses_what_had_to_be_assumed_and_takes_what_is_said() {
    private_host(|host| {
        let path = file(host, "kasm.csv", seed_line(0));
        let words =
            ["the type is not stated", "the period is not stated", "--strict imports nothing", "hint: say what"];
        assert_fails(host, &["token", "import", &path, "--strict"], 7, &words);
        assert_fails(host, &["token", "import", &path, "--strict", "--dry-run"], 7, &words);
        assert_fails(host, &["token", "import", &path, "--strict", "--explain"], 7, &words);
        let said = ["--type", "totp", "--algorithm", "SHA1", "--digits", "6", "--period", "30"];
        let report = host.json(&[&["token", "import", &path, "--strict"], &said[..]].concat());
        assert_eq!((&report["new"], &report["assumptions"]), (&1.into(), &serde_json::json!([])));
    });
}

#[test]
fn reports_and_refusals_fit_80_columns_and_break_no_word() {
    private_host(|host| {
        let header = "Serial Number,Secret Key,Colour,Time Interval\n";
        let good = file(host, "good.csv", format!("{header}{},{},red,60\n", serial(0), secret(0)));
        let bad = file(host, "bad.csv", format!("{header}{},{},red,60s\n{},x\n", serial(0), secret(0), serial(1)));
        let unknown = file(host, "unknown.csv", format!("Token;Wert\n{};{}\n", serial(0), secret(0)));
        let refused = [&bad, &unknown];
        for (path, option) in [
            (&good, "--explain"),
            (&good, "--dry-run"),
            (&good, "--strict"),
            (&bad, "--dry-run"),
            (&unknown, "--dry-run"),
        ] {
            let command = ["--quiet", "token", "import", path, option];
            let mut terminal = Terminal::start(&host.twofactor(&command), Size { columns: 80, lines: 60 });
            let code = terminal.wait().code();
            let shown = terminal.shown();
            assert_eq!(code == Some(0), !refused.contains(&path) && option != "--strict", "{shown}");
            let said: Vec<&str> = shown.lines().filter(|line| !line.contains('\u{1b}')).collect();
            assert!(said.iter().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
            let piped = host.run_twofactor(&command);
            let whole = stdout(&piped) + &String::from_utf8_lossy(&piped.stderr);
            for word in whole.split_whitespace() {
                assert!(shown.split_whitespace().any(|other| other == word), "{word}: {shown}");
            }
            assert_eq!(shown.matches("unknown.csv").count(), usize::from(path == &unknown), "{shown}");
        }
    });
}

#[test]
fn importing_again_changes_nothing() {
    private_host(|host| {
        let path = file(host, "kasm.csv", seed_line(0));
        host.succeed("twofactor", ["token", "import", &path]);
        let again = host.json(&["token", "import", &path]);
        assert_eq!((&again["new"], &again["unchanged"], &again["imported"]), (&0.into(), &1.into(), &false.into()));
        let shown = host.succeed("twofactor", ["token", "import", &path]);
        assert!(shown.starts_with("nothing new\n"), "{shown}");
        assert_eq!(host.json(&["series", "list"]).as_array().unwrap().len(), 1);
    });
}

#[test]
fn files_of_one_name_make_series_of_their_own_unless_one_is_named() {
    private_host(|host| {
        for number in 0..2 {
            let path = file(host, "kasm.csv", seed_line(number));
            host.succeed("twofactor", ["token", "import", &path]);
        }
        let path = file(host, "more.csv", seed_line(2));
        let joined = host.succeed("twofactor", ["token", "import", &path, "--series", "kasm"]);
        assert!(joined.contains("kasm (there already)"), "{joined}");
        let series = host.json(&["series", "list"]);
        let found: Vec<_> =
            series.as_array().unwrap().iter().map(|series| (&series["series"], &series["tokens"])).collect();
        assert_eq!(found, [(&"kasm".into(), &2.into()), (&"kasm-2".into(), &1.into())]);
        assert_fails(host, &["token", "import", &path, "--series", "a\nb"], 2, &[]);
    });
}

#[test]
fn conflicts_refuse_the_whole_file_and_are_named_by_their_lines() {
    private_host(|host| {
        host.succeed("twofactor", ["token", "import", &file(host, "kasm.csv", seed_line(0))]);
        let other = format!("{}{},{}\n{},{}\n", seed_line(1), serial(0), secret(9), serial(2), secret(0));
        let path = file(host, "other.csv", other);
        let words = [
            "line 2: token 0000004711000 is there already, with another secret",
            "line 3: the secret of token 0000004711002 is there already, as token 0000004711000",
            "error: 2 conflicts; nothing was imported",
            "hint: --keep-going",
        ];
        assert_fails(host, &["token", "import", &path], 7, &words);
        assert_fails(host, &["token", "import", &path, "--dry-run"], 7, &words);
        assert_eq!(host.json(&["token", "list"]).as_array().unwrap().len(), 1, "all or nothing");
        let refused = host.run_twofactor(&["--json", "token", "import", &path]);
        let report: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
        assert_eq!((&report["conflicts"], &report["imported"]), (&2.into(), &false.into()));
        assert_eq!(report["problems"][0]["place"], "line 2");
        for text in [stdout(&refused), stderr(&refused)] {
            assert!(!text.contains(&secret(0)) && !text.contains(&secret(9)), "{text}");
        }
    });
}

#[test]
fn the_good_rows_come_in_with_keep_going_and_the_others_can_be_mended() {
    private_host(|host| {
        let header = "serial number,secret key,manufacturer\n";
        let row = |number: u64| format!("{},{},Feitian\n", serial(number), secret(number));
        let bad = format!("{},NOT-A-SEED!,Feitian\n", serial(1));
        let path = file(host, "seeds.csv", format!("{header}{}{bad}{}", row(0), row(2)));
        let words = ["line 3, column 2: the secret is ", "1 rejected row; nothing was imported", "--keep-going"];
        assert_fails(host, &["token", "import", &path], 8, &words);
        assert_fails(host, &["token", "import", &path, "--rejects", "/root/rejects"], 2, &["--keep-going"]);

        let rejects = "/root/rejects.csv";
        let options = ["token", "import", &path, "--keep-going", "--rejects", rejects];
        let report = host.json(&[&options[..], &["--dry-run"]].concat());
        assert_eq!((&report["new"], &report["rejected"]), (&2.into(), &1.into()));
        assert!(!fs::exists(rejects).unwrap(), "a dry run writes nothing");
        let report = host.json(&options);
        assert_eq!((&report["new"], &report["rejected"]), (&2.into(), &1.into()));
        assert_eq!(fs::read_to_string(rejects).unwrap(), format!("{header}{bad}"), "in the file's own form");
        assert_eq!(fs::metadata(rejects).unwrap().permissions().mode() & 0o777, 0o600);
        assert_fails(host, &options, 7, &["/root/rejects.csv exists already"]);
        assert_eq!(host.json(&["token", "show", &serial(0)])["vendor"], "Feitian");

        fs::write(rejects, format!("{header}{}", row(1))).unwrap();
        assert_eq!(host.json(&["token", "import", rejects])["new"], 1);
    });
}

#[test]
fn a_file_without_one_good_row_is_refused_with_keep_going_too() {
    private_host(|host| {
        let bad = |number| match number {
            0 => format!(",{}\n", secret(number)),
            _ => format!("{}\u{ad}{},{}\n", serial(number), number, secret(number)),
        };
        let many = file(host, "many.csv", (0..30).map(bad).collect::<String>());
        assert_fails(host, &["token", "import", &many, "--keep-going"], 8, &["30 rejected rows"]);
        let output = host.run_twofactor(&["token", "import", &many]);
        assert_ends(&output, 8, &["and 10 more", "30 rejected rows; nothing was imported"]);
        assert_eq!(stderr(&output).matches("twofactor: line ").count(), 20);
    });
}

#[test]
fn nothing_is_left_of_the_rejects_when_nothing_was_refused_or_imported() {
    private_host(|host| {
        let path = file(host, "seeds.csv", seed_line(0));
        host.succeed("twofactor", ["token", "import", &path, "--keep-going", "--rejects", "/root/none"]);
        assert!(!fs::exists("/root/none").unwrap());
        let path = file(host, "bad.csv", format!("{},{}\n", serial(0), secret(9)));
        assert_fails(host, &["token", "import", &path, "--keep-going", "--rejects", "/root/none"], 7, &["1 conflict"]);
        assert!(!fs::exists("/root/none").unwrap());
    });
}

#[test]
fn a_zip_file_asks_for_its_password_three_times_at_most() {
    private_host(|host| {
        let Some(zip) = zip(host, &seed_line(0)) else { return };
        let mut terminal =
            Terminal::start(&host.twofactor(&["token", "import", &zip]), Size { columns: 80, lines: 24 });
        terminal.expect("Password of ");
        terminal.type_line("wrong");
        terminal.expect("That password does not open it.");
        terminal.expect("Password of ");
        terminal.type_line("tr0ub4dor");
        assert_eq!(terminal.wait().code(), Some(0), "{}", terminal.shown());
        assert!(terminal.shown().contains("imported 1 token"), "{}", terminal.shown());
        assert!(!terminal.shown().contains("tr0ub4dor"), "{}", terminal.shown());

        let mut terminal = Terminal::start(&host.twofactor(&["token", "import", &zip]), Size::LARGE);
        for _ in 0..3 {
            terminal.expect("Password of ");
            terminal.type_line("wrong");
        }
        assert_eq!(terminal.wait().code(), Some(6), "{}", terminal.shown());
        assert!(terminal.rest().contains("wrong password, or the file is damaged"), "{}", terminal.shown());

        let mut terminal = Terminal::start(&host.twofactor(&["token", "import", &zip]), Size::LARGE);
        terminal.expect("Password of ");
        terminal.type_keys("\u{3}");
        assert!(!terminal.wait().success(), "{}", terminal.shown());
        assert!(terminal.echoes());
    });
}

#[test]
fn a_script_gives_the_password_in_a_file_on_a_descriptor_or_on_standard_input() {
    private_host(|host| {
        let Some(zip) = zip(host, &seed_line(0)) else { return };
        assert_fails(host, &["token", "import", &zip], 6, &["no password was given", "--password-file"]);
        let right = file(host, "right", "tr0ub4dor\n");
        let wrong = file(host, "wrong", "password\n");
        assert_fails(host, &["token", "import", &zip, "--password-file", &wrong], 6, &["wrong password"]);
        assert_fails(host, &["token", "import", &zip, "--password-file", "/nowhere"], 1, &["/nowhere"]);
        fs::set_permissions(&right, Permissions::from_mode(0o644)).unwrap();
        let words = ["can be read by others", "chmod go-rwx"];
        assert_fails(host, &["token", "import", &zip, "--password-file", &right], 4, &words);
        fs::set_permissions(&right, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(host.json(&["token", "import", &zip, "--password-file", &right])["new"], 1);

        for options in [&["--password-file", "-"][..], &[]] {
            let arguments = [&["token", "import", &zip], options].concat();
            assert_ends(&with_input(host, &arguments, "tr0ub4dor\r\n"), 0, &[]);
        }
        let script = format!("twofactor token import {zip} --password-fd 3 3<{right}");
        assert!(host.succeed("sh", ["-c", &script]).contains("nothing new"));
        assert_fails(host, &["token", "import", "-", "--password-file", "-"], 2, &["--password-fd"]);
    });
}

#[test]
fn a_file_may_come_through_a_pipe() {
    private_host(|host| {
        let output = with_input(host, &["token", "import", "-"], seed_line(0));
        assert_ends(&output, 0, &[]);
        assert!(stdout(&output).contains("import-20"), "a series named after the day: {}", said(&output));
        assert!(!stdout(&output).contains("not encrypted"), "{}", said(&output));
        let script =
            format!("printf '{}' | cat >/run/x; twofactor token import <(cat /run/x)", seed_line(1).trim_end());
        host.succeed("bash", ["-c", &script]);
        assert_eq!(host.json(&["token", "list"]).as_array().unwrap().len(), 2);
    });
}

#[test]
fn options_say_what_the_file_does_not() {
    private_host(|host| {
        let path = file(host, "seeds.csv", seed_line(0));
        let options = ["--algorithm", "SHA256", "--digits", "8", "--period", "60"];
        host.succeed("twofactor", [&["token", "import", &path], &options[..]].concat());
        let token = host.json(&["token", "show", &serial(0)]);
        let said = (&token["type"], &token["algorithm"], &token["digits"], &token["period"]);
        assert_eq!(said, (&"totp".into(), &"SHA256".into(), &8.into(), &60.into()));
        let path = file(host, "counters.csv", seed_line(1));
        host.succeed("twofactor", ["token", "import", &path, "--type", "hotp"]);
        assert_eq!(host.json(&["token", "show", &serial(1)])["type"], "hotp");
        let path = file(host, "hex.csv", format!("{},{}\n", serial(2), "24".repeat(20)));
        host.succeed("twofactor", ["token", "import", &path, "--encoding", "hex", "--format", "csv"]);
        assert_fails(host, &["token", "import", &path, "--format", "pskc"], 8, &[]);
        for bad in ["--digits=9", "--period=5", "--encoding=rot13", "--format=xls", "--type=ocra", "--algorithm=MD5"] {
            assert_fails(host, &["token", "import", &path, bad], 2, &[]);
        }
    });
}

#[test]
fn what_is_no_seed_file_is_refused_with_the_way_out() {
    private_host(|host| {
        assert_fails(host, &["token", "import", "/nowhere.csv"], 1, &["cannot read /nowhere.csv"]);
        assert_fails(host, &["token", "import", "/root"], 1, &["/root", "directory"]);
        assert_fails(host, &["token", "import", &file(host, "empty", "")], 8, &["no rows"]);
        let archive = file(host, "x.7z", b"7z\xbc\xaf\x27\x1c\0\x04");
        assert_fails(
            host,
            &["token", "import", &archive],
            8,
            &["7z archive", &format!("{archive} | twofactor token import -")],
        );
        let rounded = file(host, "excel.csv", format!("1.23457E+12,{}\n", secret(0)));
        assert_fails(host, &["token", "import", &rounded], 8, &["rounded"]);
        let weak = file(host, "weak.csv", format!("{},{}\n", serial(0), &secret(0)[..16]));
        let shown = host.succeed("twofactor", ["token", "import", &weak]);
        assert!(shown.contains("1 secret has fewer than 128 bits"), "{shown}");
    });
}

#[test]
fn a_revoked_serial_stays_refused() {
    private_host(|host| {
        let path = file(host, "seeds.csv", seed_line(0));
        host.succeed("twofactor", ["token", "import", &path]);
        host.succeed("twofactor", ["token", "revoke", &serial(0), "--yes"]);
        assert_fails(host, &["token", "import", &path], 7, &["token 0000004711000 was revoked"]);
    });
}

#[test]
fn used_codes_of_a_deleted_token_stay_used_when_it_comes_back() {
    private_host(|host| {
        let path = file(host, "seeds.csv", seed_line(0));
        host.succeed("twofactor", ["token", "import", &path]);
        let (fob, serial) = (fob(0), serial(0));
        let [now, next] = fob.two_codes();
        host.succeed("twofactor", ["token", "resync", &serial, &now, &next]);
        host.succeed("twofactor", ["token", "delete", &serial, "--yes"]);
        host.succeed("twofactor", ["token", "import", &path]);
        assert_fails(host, &["token", "verify", &serial, &next], 5, &["replayed"]);
    });
}

#[test]
fn rejected_entries_of_an_export_are_written_as_an_export() {
    private_host(|host| {
        let entry = |kind: &str, number| {
            format!(
                "{{\"type\":\"{kind}\",\"name\":\"{}\",\"issuer\":\"ACME\",\"info\":{{\"secret\":\"{}\",\"algo\":\"SHA1\",\
                 \"digits\":6,\"period\":30}}}}",
                serial(number),
                secret(number)
            )
        };
        let entries = [entry("steam", 0), entry("totp", 1), entry("motp", 2), entry("yandex", 3)];
        let text = format!("{{\"version\":1,\"db\":{{\"version\":2,\"entries\":[\n{}\n]}}}}\n", entries.join(",\n"));
        let path = file(host, "aegis.json", &text);
        let rejects = "/root/rejects.json";
        let options = ["--serial-from", "label", "--keep-going", "--rejects", rejects];
        let report = host.json(&[&["token", "import", &path], &options[..]].concat());
        assert_eq!((&report["new"], &report["rejected"]), (&1.into(), &3.into()));
        let written: serde_json::Value = serde_json::from_slice(&fs::read(rejects).unwrap()).unwrap();
        let labels: Vec<_> = written["db"]["entries"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
        assert_eq!(labels, [&serial(0), &serial(2), &serial(3)]);
        let mended = fs::read_to_string(rejects).unwrap().replace("motp", "totp");
        let path = file(host, "mended.json", mended);
        let report = host.json(&["token", "import", &path, "--serial-from", "label", "--keep-going"]);
        assert_eq!((&report["new"], &report["rejected"]), (&1.into(), &2.into()));
    });
}

#[test]
fn the_qr_codes_of_an_app_come_in_as_tokens() {
    private_host(|host| {
        let tokens = [0, 1].map(|number| (serial(number), BASE32.decode(secret(number).as_bytes()).unwrap()));
        let text = sample("otpauth-migration URIs", &tokens).unwrap().text;
        let path = file(host, "codes.txt", &text);
        assert_fails(host, &["token", "import", &path], 8, &["no serial numbers", "--serial-from"]);
        assert_eq!(host.json(&["token", "import", &path, "--serial-from", "label"])["new"], 2);
        assert_eq!(host.json(&["token", "show", &serial(1)])["type"], "totp");
        let again = file(host, "again.csv", seed_line(0) + &seed_line(1));
        assert_eq!(host.json(&["token", "import", &again])["unchanged"], 2, "they are the same tokens");
    });
}

#[test]
fn the_command_that_assigns_the_owners_can_be_run_as_it_is_printed() {
    private_host(|host| {
        if !requirements::programs_met(&["zip", "7z"]) {
            return;
        }
        host.add_user("alice");
        let rows = |number: u64| format!("alice@realm, {}, {}, totp, 6, 30\n", serial(number), secret(number));
        let plain = file(host, "its export.csv", rows(0));
        let inner = file(host, "a list.csv", rows(1));
        let zip = host.place("owners.zip").to_str().unwrap().to_owned();
        host.succeed("zip", ["-q", "-j", &zip, &inner]);
        for path in [plain, zip] {
            let report = host.json(&["token", "import", &path]);
            let notes = report["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap());
            let note = notes.into_iter().find(|note| note.contains("awk")).unwrap();
            assert!(!note.contains("FILE"), "{note}");
            host.succeed("sh", ["-c", note.split_once(": ").unwrap().1]);
        }
        assert_eq!(host.json(&["token", "list", "--user", "alice"]).as_array().unwrap().len(), 2);
    });
}

#[test]
fn seeds_in_a_plain_file_are_said_to_have_travelled_in_the_clear_when_others_can_read_it() {
    private_host(|host| {
        let tokens = [(serial(0), BASE32.decode(secret(0).as_bytes()).unwrap())];
        let text = |kind: &str| sample(kind, &tokens).unwrap().text;
        let sealed = fs::read(workspace().join("tests/fuzz/corpus/pskc/rfc6030-figure-6")).unwrap();
        let key = file(host, "a.key", "12345678901234567890123456789012");
        let zip = twofactor_tests::seeds::zip(&[("a.csv", text("tables").as_bytes())]);
        let letter = twofactor_tests::seeds::zip(&[("letter.txt", b"Dear customer, the seeds come later.\n")]);
        let always = [0o600, 0o640, 0o644];
        for (name, content, told) in [
            ("a.csv", text("tables").into_bytes(), &always[1..]),
            ("a.xml", text("PSKC (RFC 6030)").into_bytes(), &always[1..]),
            ("a.json", text("Aegis export").into_bytes(), &always[1..]),
            ("sealed.xml", sealed, &[]),
            ("a.zip", zip, &always[..]),
            ("letter.zip", letter, &[]),
            ("none.csv", b"Dear customer, the seeds come later.\n".to_vec(), &[]),
        ] {
            let path = file(host, name, content);
            for mode in always {
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                for dry_run in [&["--dry-run"][..], &[]] {
                    let options = ["token", "import", &path, "--serial-from", "label", "--key-file", &key];
                    let output = host.run_twofactor(&[&options[..], dry_run].concat());
                    let shown = stdout(&output).contains("the seeds travelled in the clear");
                    assert_eq!(shown, told.contains(&mode), "{name}, {mode:o}: {}", said(&output));
                }
            }
        }
        let output = with_input(host, &["token", "import", "-"], seed_line(3));
        assert!(!stdout(&output).contains("travelled"), "how it came is not known: {}", said(&output));
    });
}

#[test]
fn a_secret_that_was_encoded_twice_is_told_wherever_in_the_file_it_stands() {
    private_host(|host| {
        let rows: String = (0..20).map(seed_line).collect();
        let twice = BASE32.encode(b"3132333435363738393a313233343536373839aa");
        let path = file(host, "fobs.csv", format!("{rows}7700000000011,{twice}\n"));
        let words = "1 secret could be encoded twice, as they decode to hexadecimal digits";
        for option in ["--dry-run", "--explain"] {
            let shown = host.succeed("twofactor", ["token", "import", &path, option]);
            assert!(shown.contains(words), "{shown}");
        }
        let stated = ["--type", "totp", "--algorithm", "sha1", "--digits", "6", "--period", "30", "--strict"];
        for option in ["--dry-run", "--explain"] {
            let command = [&["token", "import", &path, option][..], &stated].concat();
            assert_fails(host, &command, 7, &["the encoding is not stated; --strict imports nothing then"]);
        }
        assert_fails(host, &[&["token", "import", &path][..], &stated].concat(), 7, &["the encoding is not stated"]);
        assert_eq!(host.json(&["token", "list"]), serde_json::json!([]));
        assert!(host.succeed("twofactor", ["token", "import", &path]).contains(words));
    });
}

#[test]
fn the_hint_at_a_part_of_an_archive_is_the_command_that_puts_it_together() {
    if !requirements::programs_met(&["zip", "7z"]) {
        return;
    }
    private_host(|host| {
        file(host, "seeds.csv", (0..6000).map(|number| seed_line(number * 48_271 % 1_000_003)).collect::<String>());
        let folder = host.place("seeds.csv").parent().unwrap().to_str().unwrap().to_owned();
        let run = |script: &str| host.succeed("sh", ["-c", &format!("cd '{folder}' && {{ {script}; }} 2>&1")]);
        run("zip -q -0 -s 64k split.zip seeds.csv; 7z a -v20k 'a list.zip' seeds.csv; 7z a -v5k seven.7z seeds.csv");
        for part in [
            "split.z01",
            "split.zip",
            "a list.zip.001",
            "a list.zip.002",
            "a list.zip.003",
            "seven.7z.001",
            "seven.7z.002",
        ] {
            let path = host.place(part).to_str().unwrap().to_owned();
            run("rm -f WHOLE.zip; chmod 600 *");
            let refused = host.run_twofactor(&["token", "import", "--dry-run", &path]);
            assert_eq!(refused.status.code(), Some(8), "{part}: {}", said(&refused));
            let errors = stderr(&refused);
            let hint = errors.lines().find_map(|line| Some(line.split_once("hint: ")?.1)).unwrap();
            assert!(!hint.starts_with("compare"), "{part}: {errors}");
            let command = ["with all parts in one folder: ", "put its parts together: "]
                .into_iter()
                .find_map(|start| hint.strip_prefix(start))
                .unwrap_or(hint);
            let dry = command.replace("twofactor token import -", "twofactor token import --dry-run -");
            let shown = if command.starts_with("7z") {
                run(&dry)
            } else {
                run(&format!("{command} && chmod 600 WHOLE.zip && twofactor token import --dry-run WHOLE.zip"))
            };
            assert!(shown.contains("New:        6000"), "{part}: {command}: {shown}");
        }
    });
}
