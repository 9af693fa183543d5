//! What a list shows, in the forms people and scripts read, and how little memory it takes.

use std::fs;

use serde_json::Value;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assert_ends, assert_fails, file, import_fobs, secret, seed_line, serial, stderr, stdout};

fn serials(host: &Host, options: &[&str]) -> Vec<u64> {
    let list = host.json(&[&["token", "list"], options].concat());
    let serials = list.as_array().unwrap().iter().map(|token| token["serial"].as_str().unwrap().to_owned());
    serials.map(|serial| serial.parse::<u64>().unwrap() - 4_711_000).collect()
}

/// Five fobs: one assigned, one lost, one revoked; and one of another series.
fn some_of_each(host: &Host) {
    host.add_user("alice");
    import_fobs(host, 5);
    host.succeed("twofactor", ["token", "assign", &serial(1), "alice"]);
    host.succeed("twofactor", ["token", "lost", &serial(2)]);
    host.succeed("twofactor", ["token", "revoke", &serial(3), "--yes"]);
    host.succeed("twofactor", ["token", "import", &file(host, "other.csv", seed_line(31))]);
}

#[test]
fn a_list_is_narrowed_by_series_state_user_and_serial() {
    private_host(|host| {
        some_of_each(host);
        assert_eq!(serials(host, &[]), [0, 1, 2, 3, 4, 31]);
        assert_eq!(serials(host, &["--series", "other"]), [31]);
        assert_eq!(serials(host, &["--state", "inventory"]), [0, 4, 31]);
        assert_eq!(serials(host, &["--state", "assigned"]), [1]);
        assert_eq!(serials(host, &["--state", "lost"]), [2]);
        assert_eq!(serials(host, &["--state", "revoked"]), [3]);
        assert_eq!(serials(host, &["--user", "alice"]), [1]);
        assert_eq!(serials(host, &["--serial", "*31"]), [31]);
        assert_eq!(serials(host, &["--series", "fobs", "--state", "inventory", "--serial", "*4"]), [4]);
        assert!(serials(host, &["--user", "root"]).is_empty());
        assert_fails(host, &["token", "list", "--series", "none"], 3, &["there is no series none"]);
        assert_fails(host, &["token", "list", "--user", "nobody-here"], 3, &["there is no user"]);
        assert_fails(host, &["token", "list", "--state", "gone"], 2, &["inventory, assigned, active"]);
        assert_fails(host, &["token", "list", "--csv", "--json"], 2, &["cannot be used with"]);
        host.succeed("userdel", ["alice"]);
        assert_eq!(serials(host, &["--user", "alice"]), [1], "she is gone, her token is not");
    });
}

#[test]
fn a_table_has_a_line_for_each_and_its_sum_on_standard_error() {
    private_host(|host| {
        let empty = host.run_twofactor(&["token", "list"]);
        assert_eq!((stdout(&empty).as_str(), stderr(&empty).as_str()), ("", "no tokens\n"));
        some_of_each(host);
        let list = host.run_twofactor(&["token", "list"]);
        let table = stdout(&list);
        assert_eq!(table.lines().count(), 7, "{table}");
        assert!(table.starts_with("SERIAL "), "{table}");
        let row = table.lines().nth(2).unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(row, ["0000004711001", "assigned", "alice", "fobs", "totp", "never"]);
        assert_eq!(stderr(&list), "6 tokens: 3 inventory, 1 assigned, 1 lost, 1 revoked\n");
        assert_eq!(stderr(&host.run_twofactor(&["--quiet", "token", "list"])), "");
    });
}

#[test]
fn a_table_fits_a_console_and_a_script_gets_whole_values() {
    private_host(|host| {
        let serial = format!("SERIAL-{}", "X".repeat(33));
        let path = file(host, "a-rather-long-name-of-a-series.csv", format!("{serial},{}\n", secret(0)));
        host.succeed("twofactor", ["token", "import", &path]);
        let mut terminal = Terminal::start(&host.twofactor(&["token", "list"]), Size { columns: 80, lines: 24 });
        assert!(terminal.wait().success());
        let shown = terminal.shown();
        assert!(shown.lines().all(|line| line.trim_end().chars().count() <= 80), "{shown}");
        assert!(shown.contains("XXX…") && shown.contains("a-rather-l…"), "{shown}");
        let piped = host.succeed("twofactor", ["token", "list"]);
        assert!(piped.contains(&serial) && piped.contains("a-rather-long-name-of-a-series"), "{piped}");
    });
}

#[test]
fn json_is_one_array_or_an_object_a_line_and_csv_has_a_header() {
    private_host(|host| {
        assert_eq!(stdout(&host.run_twofactor(&["--json", "token", "list"])), "[]\n");
        assert_eq!(host.succeed("twofactor", ["token", "list", "--csv"]).lines().count(), 1);
        some_of_each(host);
        let array = host.json(&["token", "list"]);
        let lines = host.succeed("twofactor", ["token", "list", "--json-lines"]);
        let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(array, Value::from(objects));
        let names = ["serial", "state", "user", "series", "type", "algorithm", "digits", "period", "drift", "issued"];
        for name in names.into_iter().chain(["assigned_at", "last_accepted"]) {
            assert!(array[1].as_object().unwrap().contains_key(name), "{name}: {array}");
        }
        assert!(array[1].get("secret").is_none());
        let csv = host.succeed("twofactor", ["token", "list", "--csv"]);
        assert!(csv.starts_with("serial,state,user,series,type,"), "{csv}");
        assert!(csv.contains("\n0000004711001,assigned,alice,fobs,totp,SHA1,6,30,0,0,2"), "{csv}");
        assert_fails(host, &["token", "list", "--csv", "--json-lines"], 2, &[]);
        for number in 0..5 {
            assert!(![&csv, &lines].iter().any(|text| text.contains(&secret(number))));
        }
    });
}

#[test]
fn fields_of_a_file_cannot_break_a_line_or_move_a_cursor() {
    private_host(|host| {
        let row = format!("serial,secret,manufacturer,model\n{},{},\"A, \"\"B\"\"\",\u{9b}2Jx\n", serial(0), secret(0));
        host.succeed("twofactor", ["token", "import", &file(host, "odd.csv", row)]);
        let csv = host.succeed("twofactor", ["token", "list", "--csv"]);
        assert_eq!(csv.lines().count(), 2, "{csv}");
        for arguments in [&["token", "list"][..], &["token", "show", "0000004711000"], &["series", "show", "odd"]] {
            let output = host.run_twofactor(arguments);
            assert!(output.status.success() && !stdout(&output).contains('\u{9b}'), "{}", said(&output));
        }
    });
}

#[test]
fn a_reader_that_goes_away_ends_a_list_and_is_no_error() {
    private_host(|host| {
        let rows: String = (0..20_000).map(seed_line).collect();
        host.succeed("twofactor", ["token", "import", &file(host, "many.csv", rows)]);
        for form in ["", "--csv", "--json", "--json-lines"] {
            let script = format!("set -o pipefail; twofactor token list {form} | head -1");
            let output = host.command("bash").args(["-c", &script]).output().unwrap();
            assert_ends(&output, 0, &[]);
            assert_eq!(stderr(&output), "", "{form}");
        }
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = host.twofactor(&["token", "list"]).stdout(full).output().unwrap();
        assert_ends(&output, 1, &["cannot write the result"]);
    });
}

#[test]
fn a_long_list_takes_no_more_memory_than_a_short_one() {
    private_host(|host| {
        let rows: String = (0..50_000).map(seed_line).collect();
        host.succeed("twofactor", ["token", "import", &file(host, "many.csv", rows)]);
        // Addresses, and not resident memory: a limit is what the kernel can enforce. Libraries and stack are most of it.
        for form in ["--csv", "--json"] {
            let script = format!("ulimit -v 65536; twofactor token list {form} | wc -l");
            let lines: usize = host.succeed("bash", ["-c", &script]).trim().parse().unwrap();
            assert!(lines > 50_000, "{form}: {lines}");
        }
    });
}
