//! Tokens that come a second time, with other parameters: in another file, in a line below, or in another entry of a zip.

use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::private_host::{private_host, said};
use twofactor_tests::seeds::zip;

use crate::{assert_ends, assert_fails, file, fob, secret, seed_line, serial, stdout};

const HEADER: &str = "serial,secret,digits,interval\n";

#[test]
fn the_same_secret_with_other_parameters_is_a_conflict_that_says_what_differs() {
    private_host(|host| {
        let stated = file(host, "stated.csv", format!("{HEADER}{},{},6,30\n", serial(0), secret(0)));
        host.succeed("twofactor", ["token", "import", &stated]);
        let new = format!("{},{},8,60\n", serial(1), secret(1));
        let other = file(host, "other.csv", format!("{HEADER}{},{},8,60\n{new}", serial(0), secret(0)));
        let line =
            format!("line 2: token {} is there already, with TOTP of 30 s, 6 digits, not TOTP of 60 s, 8", serial(0));
        let hint = "hint: --type, --algorithm, --digits and --period say what is right";
        assert_fails(host, &["token", "import", &other], 7, &[&line, "1 conflict; nothing was imported", hint]);
        assert_fails(host, &["token", "import", &other, "--dry-run"], 7, &[&line]);
        assert_eq!(host.json(&["token", "list"]).as_array().unwrap().len(), 1, "nothing is written");
        // What the hint says, when the registry is right; then the other rows, when they shall come in all the same.
        let words = ["token", "import", &stated, "--digits", "6", "--period", "30"];
        assert!(host.succeed("twofactor", words).contains("Unchanged:  1"));
        let shown = host.succeed("twofactor", ["token", "import", &other, "--keep-going"]);
        assert!(shown.contains("New:        1") && shown.contains("Conflicts:  1"), "{shown}");
        assert_eq!(host.json(&["token", "show", &serial(0)])["digits"], 6);
        assert_eq!(host.json(&["token", "show", &serial(1)])["digits"], 8);
    });
}

#[test]
fn the_same_secret_with_other_parameters_in_one_file_is_a_conflict_in_any_order() {
    private_host(|host| {
        let row = |rest: &str| format!("{},{},{rest}\n", serial(0), secret_in_hex());
        let table = row("totp,6,30,sha1") + &row("totp,8,60,sha256");
        let path = file(host, "twice.csv", table);
        let line = "line 2: token 0000004711000 stands in the file before, with TOTP of 30 s, SHA1, 6 digits, not";
        assert_fails(host, &["token", "import", &path], 7, &[line, "nothing was imported", "hint: --type"]);

        let (bare, stated) = (seed_line(0), format!("{HEADER}{},{},8,60\n", serial(0), secret(0)));
        for [(first, one), (second, other)] in
            [[("a.csv", &bare), ("b.csv", &stated)], [("a.csv", &stated), ("b.csv", &bare)]]
        {
            let path = file(host, "two.zip", zip(&[(first, one.as_bytes()), (second, other.as_bytes())]));
            let line = "token 0000004711000 stands in the file before, with TOTP of ";
            assert_fails(host, &["token", "import", &path], 7, &["b.csv, line ", line, "nothing was imported"]);
        }
        assert_eq!(host.json(&["token", "list"]), serde_json::json!([]));
        let path = host.place("two.zip").to_str().unwrap().to_owned();
        let words = ["token", "import", &path, "--digits", "8", "--period", "60"];
        let shown = host.succeed("twofactor", words);
        assert!(shown.contains("imported 1 token") && shown.contains("Unchanged:  1"), "{shown}");
    });
}

fn secret_in_hex() -> String {
    data_encoding::HEXLOWER.encode(&data_encoding::BASE32.decode(secret(0).as_bytes()).unwrap())
}

#[test]
fn a_series_that_probe_corrected_is_unchanged_when_its_file_comes_again() {
    private_host(|host| {
        let slow = |number| Authenticator { kind: Kind::Time(60), algorithm: "SHA256".to_owned(), ..fob(number) };
        let path = file(host, "fobs.csv", seed_line(0) + &seed_line(1));
        host.succeed("twofactor", ["token", "import", &path]);
        let [first, second] = slow(0).two_codes();
        host.succeed("twofactor", ["token", "probe", &serial(0), &first, &second, "--fix"]);

        let again = host.run_twofactor(&["token", "import", &path]);
        assert_ends(&again, 0, &[]);
        let shown = stdout(&again);
        assert!(shown.contains("nothing new") && shown.contains("Unchanged:  2"), "{}", said(&again));
        let note =
            "2 tokens are there already with another type, hash, length or period than assumed here: they keep it";
        assert!(shown.contains(note), "{shown}");

        // A file that states the wrong ones contradicts the registry, and an option settles it.
        let wrong = file(host, "wrong.csv", format!("{HEADER}{},{},6,30\n", serial(0), secret(0)));
        assert_fails(host, &["token", "import", &wrong], 7, &["with TOTP of 60 s, SHA256, not TOTP of 30 s, SHA1"]);
        let words = ["token", "import", &wrong, "--period", "60", "--algorithm", "sha256"];
        assert!(host.succeed("twofactor", words).contains("Unchanged:  1"));
        assert_eq!(host.json(&["token", "show", &serial(0)])["period"], 60);
    });
}
