//! Texts fit a terminal of 80 columns, and no word is cut: of every command, its help, its results, its refusals and its
//! questions. What cannot be broken is one word that is longer than a line, such as a path or a URI; a table on a screen is cut
//! with `…`. The suites `cli`, `tokens` and `doctor` look at the errors and findings that they provoke in the same way.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails loudly")]

use std::fs;

use twofactor_tests::columns::Form::{Prose, Rows};
use twofactor_tests::fob::Fob;
use twofactor_tests::manual::all_commands;
use twofactor_tests::private_host::{Host, private_host};

/// A user name as long as Linux allows.
const LONG: &str = "a-user-with-a-name-of-32-letters";

#[test]
fn the_help_of_every_command_fits() {
    private_host(|host| {
        for command in all_commands().keys() {
            let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
            host.fits(&words, Prose);
        }
    });
}

/// A series with a name that is nearly as long as one may be.
const SERIES: &str = "a series with a name of sixty letters, which takes its room";

/// A label as long as one may be.
const LABEL: &str = "a label of a length that nobody would type, 64 characters long..";

/// Of the type with the longest name, made with ssh-keygen 9.2, which has told the fingerprint.
const KEY: &str = concat!(
    "sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBAV3FoBPiCH1GiKo",
    "JReXJBvb7+ebXbrWcBOCIVEreu1ILMqK5w5QzregJbxIYULc3Q4nM53HzISA/JQSfjs46ZkAAAAIc3NoOndvcms=\n"
);
const FINGERPRINT: &str = "SHA256:lNX9bF46FvpUQbTnpNKxvaS6jv4Y2Yuq5tSCNiYpq0A";

/// A host with something of everything.
fn furnish(host: &Host) {
    host.install_module();
    for user in ["alice", "bob", "carol", LONG] {
        host.user_with_app(user);
    }
    for label in ["telephone", "tablet", LABEL] {
        host.enroll(LONG, &["--label", label]);
    }
    let key = host.place("key.pub");
    fs::write(&key, KEY).unwrap();
    host.succeed("twofactor", ["ssh-key", "add", LONG, key.to_str().unwrap(), "--label", LABEL]);
    host.succeed("twofactor", ["reset", "carol", "--keep-secret", "--yes"]);
    host.add_user("dave");
    host.succeed("twofactor", ["invite", "dave", "--valid", "30days"]);
    host.add_user("erin");
    let fobs = Fob::box_of(1, 8);
    host.import(&fobs);
    for (fob, user) in fobs.iter().zip(["alice", LONG, LONG, "bob", "carol"]) {
        host.assign(fob, user);
    }
    for (verb, fob) in [("lost", &fobs[2]), ("disable", &fobs[3]), ("disable", &fobs[6])] {
        host.succeed("twofactor", ["token", verb, &fob.serial]);
    }
    host.succeed("twofactor", ["token", "revoke", &fobs[7].serial, "--yes"]);
    let odd = host.place("odd.csv");
    let serial = "SN-0815-".repeat(6);
    fs::write(&odd, format!("{serial},{}\n", "3132333435363738393031323334353637383930")).unwrap();
    host.succeed("twofactor", ["token", "import", odd.to_str().unwrap(), "--series", SERIES]);
    fs::write("/etc/pam.d/odd", "auth sufficient pam_permit.so\nauth required pam_twofactor.so nulok\n").unwrap();
    fs::write("/etc/pam.d/broken", "@include missing-file\n").unwrap();
    host.give_name_to_another("bob", 4711);
    host.configure(
        "[[rule]]\nusers = [\"alice\", \"erin\", \"dave\"]\nservices = [\"sshd\", \"sudo\", \"login\", \"su\"]\nnetworks = \
         [\"192.0.2.0/24\", \"2001:db8::/32\"]\nsecond_factor = \"required\"\nfactors = [\"token\"]\nuntil = 2099-01-31\n\
         [[rule]]\ngroups = [\"no-such-group\"]\nsecond_factor = \"off\"\n[default]\nsecond_factor = \"enroll\"\n",
    );
}

#[test]
fn everything_that_reports_fits() {
    private_host(|host| {
        furnish(host);
        let log = [
            "twofactor[5]: enrolled user=alice token=app by=carol",
            "sshd[6]: pam_twofactor(sshd:auth): denied user=a-user-with-a-name-of-32-letters service=sshd \
             rhost=2001:db8:85a3:8d3:1319:8a2e:370:7348 reason=factor-not-allowed problem=\"a sentence that is long enough to \
             be broken on a screen of eighty columns, whatever stands before it\"",
            "su: pam_twofactor(su:auth): skipped user=bob service=su tty=pts/1 policy=off",
        ];
        let lines = log.map(|line| format!("2026-11-05T10:00:00Z testhost {line}\n"));
        fs::write("/var/log/auth.log", lines.concat()).unwrap();
        let serial = "SN-0815-".repeat(6);
        let table = host.fits(&["status"], Rows);
        assert!(table.contains("bob (another uid)  "), "what matters most is not cut: {table}");
        let keys = host.fits(&["ssh-key", "list", LONG], Prose);
        let issued = host.json(&["ssh-key", "list", LONG])[0]["issued"].as_str().unwrap().to_owned();
        for whole in [LABEL, FINGERPRINT, &issued] {
            assert!(keys.contains(whole), "{whole}: {keys}");
        }
        all_fit(
            host,
            &[
                (&["status", "alice"], Prose),
                (&["status", "bob"], Prose),
                (&["status", "carol"], Prose),
                (&["status", "dave"], Prose),
                (&["status", LONG], Prose),
                (&["status", "--missing"], Rows),
                (&["token", "list"], Rows),
                (&["token", "list", "--user", "erin"], Rows),
                (&["token", "list", "--state", "lost"], Rows),
                (&["token", "show", "T0000001"], Prose),
                (&["token", "show", "T0000004"], Prose),
                (&["token", "show", &serial], Prose),
                (&["series", "list"], Rows),
                (&["series", "show", "fobs"], Prose),
                (&["series", "show", SERIES], Prose),
                (&["service", "list"], Rows),
                (&["service", "list", "--all"], Rows),
                (&["service", "enable", "sshd", "sudo", "--dry-run"], Prose),
                (&["service", "enable", "odd", "--dry-run"], Prose),
                (&["service", "disable", "sshd", "--dry-run"], Prose),
                (&["log"], Rows),
                (&["log", "--denied"], Rows),
                (&["log", "--user", "erin"], Rows),
                (&["doctor"], Prose),
                (&["explain", "alice", "--service", "sshd", "--rhost", "192.0.2.7"], Prose),
                (&["explain", "bob", "--service", "odd"], Prose),
                (&["explain", LONG, "--service", "sudo", "--rhost", &"h".repeat(200)], Prose),
                (&["explain", "erin", "--service", "broken"], Prose),
                (&["explain", "nobody-here", "--service", "login"], Prose),
                (&["config", "check"], Prose),
                (&["config", "show"], Rows),
                (&["state", "mark"], Prose),
                (&["state", "adopt"], Prose),
                (&["state", "adopt-uids", "--dry-run"], Rows),
                (&["qr", "carol", "--qr", "none"], Prose),
                (&["version"], Prose),
            ],
        );
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of what people type wrong")]
fn what_is_typed_wrong_is_answered_in_lines_that_fit() {
    private_host(|host| {
        furnish(host);
        let long = format!("/root/{}/twofactor.toml", "a-folder-with-a-long-name/".repeat(4));
        let serial = "X".repeat(64);
        let typed = [
            &[][..],
            &["sttus"],
            &["import", "tokens.zip"],
            &["--jsn", "status"],
            &["--color", "sometimes", "status"],
            &["--config", &long, "status"],
            &["--config", &long, "config", "check"],
            &["enroll"],
            &["enroll", "nobody-here"],
            &["enroll", LONG],
            &["enroll", "alice", "--label", "a:b"],
            &["enroll", "alice", "--digits", "9", "--period", "5"],
            &["enroll", "alice", "--algorithm", "MD5"],
            &["enroll", "alice", "--counter", "--period", "60"],
            &["enroll", "alice", "--replace", "--from", "users.txt"],
            &["enroll", "erin", "--secret-file", &long],
            &["enroll", "erin", "--qr-file", "code.gif"],
            &["enroll", "erin", "--force"],
            &["enroll", "--from", "users.txt"],
            &["enroll", "--from", &long, "--qr-dir", "codes"],
            &["status", "nobody-here"],
            &["status", "erin"],
            &["status", "alice", "--missing"],
            &["verify", "alice"],
            &["verify", "alice", "12"],
            &["verify", "carol", "1234567"],
            &["verify", "erin", "1234567"],
            &["qr", "alice"],
            &["qr", "alice", "--label", "watch"],
            &["qr", "erin"],
            &["reset", "alice"],
            &["reset", "erin", "--yes"],
            &["recovery", "alice", "--count", "99"],
            &["recovery", "erin"],
            &["recovery", "bob"],
            &["unlock", "nobody-here"],
            &["unlock", "erin"],
            &["invite", "alice"],
            &["invite", "erin", "--valid", "5s"],
            &["invite", "erin", "--valid", "1h", "--revoke"],
            &["invite", "nobody-here", "--revoke"],
            &["token"],
            &["token", "lst"],
            &["token", "import", &long],
            &["token", "import", "-", "--password-file", "-"],
            &["token", "show", &serial],
            &["token", "show", "a b"],
            &["token", "list", "--series", "none-of-that-name"],
            &["token", "list", "--state", "stolen"],
            &["token", "list", "--user", "nobody-here"],
            &["token", "assign", "T0000001", "bob"],
            &["token", "assign", "T0000006", "nobody-here"],
            &["token", "assign", "T0000003", "erin"],
            &["token", "assign", "T0000008", "erin"],
            &["token", "assign", "T0000006"],
            &["token", "assign", "--from", &long],
            &["token", "unassign", "T0000006"],
            &["token", "enable", "T0000008"],
            &["token", "lost", &serial],
            &["token", "revoke", "T0000001"],
            &["token", "delete", "T0000001"],
            &["token", "resync", "T0000001"],
            &["token", "resync", "T0000001", "1234567"],
            &["token", "resync", "T0000008", "1234567", "2345678"],
            &["token", "verify", "T0000001", "12"],
            &["token", "verify", "T0000003", "1234567"],
            &["token", "identify", "0000000", "0000001"],
            &["token", "probe", "T0000001", "0000000", "0000001"],
            &["series"],
            &["series", "show", "none-of-that-name"],
            &["series", "delete", "fobs"],
            &["series", "delete", "none-of-that-name", "--yes"],
            &["service"],
            &["service", "enable"],
            &["service", "enable", "no-such-service"],
            &["service", "enable", "sshd"],
            &["service", "enable", "../etc/passwd"],
            &["service", "enable", "broken"],
            &["service", "disable", "no-such-service"],
            &["service", "disable", "--all", "sshd"],
            &["explain", "alice"],
            &["explain", "alice", "--service", "no-such-service"],
            &["log", "--event", "exploded"],
            &["log", "--since", "tomorrow"],
            &["log", "-n", "0"],
            &["log", "--user", "nobody-here"],
            &["doctor", "--fixx"],
            &["config"],
            &["config", "shwo"],
            &["completions", "tcsh"],
            &["state"],
            &["state", "adopt-uids", "nobody-here"],
            &["state", "adopt-uids"],
            &["help", "no-such-command"],
        ];
        all_fit(host, &typed.map(|arguments| (arguments, Prose)));
        host.configure("[window]\ndrfit = \"60s\"\n[prompt]\ntries = 9\n[[rule]]\nsecond_factr = \"off\"\n");
        for arguments in
            [&["status"][..], &["config", "check"], &["doctor"], &["explain", "alice", "--service", "sshd"]]
        {
            host.fits(arguments, Prose);
        }
    });
}

#[test]
fn questions_and_what_follows_them_fit() {
    private_host(|host| {
        furnish(host);
        let question = "[y/N]";
        host.talks(&["enroll", "erin"], &[("Code from the app: ", "1"), ("Code from the app: ", "\x03")]);
        host.talks(&["enroll", "erin", "--qr", "none", "--secret-file", "-"], &[("Secret in base32: ", "0")]);
        host.talks(&["reset", LONG], &[(question, "n")]);
        host.talks(&["reset", LONG, "--keep-secret"], &[(question, "y")]);
        host.talks(&["qr", "carol"], &[]);
        host.talks(&["recovery", LONG], &[]);
        host.talks(&["recovery", LONG, "--count", "0"], &[]);
        host.talks(&["unlock", LONG], &[]);
        host.talks(&["invite", "erin"], &[]);
        host.talks(&["invite", "erin", "--revoke"], &[]);
        host.talks(&["verify", "alice"], &[("Code: ", "1234567")]);
        host.talks(&["series", "delete", SERIES], &[(question, "n")]);
        host.talks(&["series", "delete", SERIES], &[(question, "y")]);
        host.talks(&["token", "revoke", "T0000001", "T0000002", "T0000003"], &[(question, "y"), (question, "y")]);
        host.talks(&["token", "unassign", "T0000005"], &[(question, "y")]);
        host.talks(&["token", "assign", "T0000006", LONG], &[]);
        host.talks(&["token", "resync", "T0000006"], &[("ode", "1234567"), ("ode", "2345678")]);
        host.talks(&["token", "probe", "T0000006"], &[("ode", "1234567"), ("ode", "2345678")]);
        host.talks(&["token", "identify"], &[("ode", "1234567"), ("ode", "2345678")]);
        host.talks(&["token", "delete", "T0000006"], &[(question, "n")]);
        host.talks(&["service", "enable", "sudo"], &[(question, "n")]);
        host.talks(&["service", "enable", "sshd", "--force"], &[(question, "y")]);
        host.talks(&["service", "disable", "sshd"], &[(question, "y")]);
        host.talks(&["state", "adopt-uids"], &[(question, "y")]);
        fs::remove_file("/etc/twofactor/state.id").unwrap();
        host.talks(&["state", "adopt"], &[(question, "y")]);
        host.talks(&["enroll", "erin", "--no-confirm", "--qr", "none"], &[]);
        host.talks(&["token", "import", "/dev/null"], &[]);
    });
}

/// Runs all, and says at the end which did not fit.
#[track_caller]
fn all_fit(host: &Host, all: &[(&[&str], twofactor_tests::columns::Form)]) {
    let fails = |(arguments, form): &&(&[&str], _)| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| host.fits(arguments, *form))).is_err()
    };
    let failed: Vec<_> = all.iter().filter(fails).map(|(arguments, _)| arguments).collect();
    assert!(failed.is_empty(), "{failed:?}");
}
