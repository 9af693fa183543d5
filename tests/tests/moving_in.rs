//! Users of google-authenticator and pam_oath taken over by the real tool: their files are written by the other systems' own
//! programs and used once through their own modules, and after that the real module of ours judges.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use twofactor_tests::google_authenticator::{HOTP, TOTP, enroll, file as google_file};
use twofactor_tests::oathtool::{Authenticator, Kind, now};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::qr::write_png;
use twofactor_tests::requirements::programs_met;

/// A private host with the other systems' modules as services, when this suite can run.
fn host(test: impl FnOnce(&Host) + Send) {
    if programs_met(&["google-authenticator", "oathtool"]) {
        private_host(|host| {
            host.configure("[window]\nresync_at_login = false\n");
            host.service("ga", "auth required pam_google_authenticator.so\n");
            let file = oath_file(host);
            host.service("oath", &format!("auth required pam_oath.so usersfile={} window=5\n", file.display()));
            test(host);
        });
    }
}

fn oath_file(host: &Host) -> PathBuf {
    host.place("users.oath")
}

/// Makes a user with a file of google-authenticator, written by its own program. Gives the app and the scratch codes.
fn google(host: &Host, user: &str, options: &[&str]) -> (Authenticator, Vec<String>) {
    host.add_user(user);
    enroll(host, user, options)
}

fn code(host: &Host, user: &str, service: &str, typed: &str) -> ReturnCode {
    host.login(user).service(service).typing(typed).code()
}

/// At our own module.
fn ours(host: &Host, user: &str, typed: &str) -> ReturnCode {
    host.login(user).typing(typed).code()
}

/// A command that has ended.
struct Ended {
    status: i32,
    stdout: String,
    stderr: String,
}

fn import(host: &Host, arguments: &[&str]) -> Ended {
    let output = host.run_twofactor(&[&["import"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { status: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

#[test]
fn of_an_app_the_next_code_opens_a_session_and_the_used_one_does_not() {
    host(|host| {
        let (app, scratch_codes) = google(host, "alice", TOTP);
        let used = app.code(0);
        assert_eq!(code(host, "alice", "ga", &used), ReturnCode::SUCCESS);
        let before = fs::read(google_file("alice")).unwrap();
        let ended = import(host, &["google-authenticator", "--user", "alice"]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert_eq!(ended.stdout, "alice: taken over with 1 app and 5 recovery codes\n");
        assert_eq!(fs::read(google_file("alice")).unwrap(), before, "the other system's file stays as it is");
        assert_eq!(ours(host, "alice", &used), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_eq!(ours(host, "alice", &app.code(1)), ReturnCode::SUCCESS);
        assert_eq!(ours(host, "alice", &scratch_codes[2]), ReturnCode::SUCCESS);
        host.assert_logged(&["accepted user=alice", "token=recovery"]);
        assert_eq!(ours(host, "alice", &scratch_codes[2]), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
    });
}

#[test]
fn of_a_counter_the_next_code_opens_a_session_and_the_used_one_does_not() {
    host(|host| {
        let (app, _) = google(host, "alice", HOTP);
        let codes = app.counter_codes(1, 3);
        assert_eq!(code(host, "alice", "ga", &codes[0]), ReturnCode::SUCCESS);
        assert_eq!(import(host, &["google-authenticator", "--all"]).status, 0);
        assert_eq!(ours(host, "alice", &codes[0]), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_eq!(ours(host, "alice", &codes[1]), ReturnCode::SUCCESS);
    });
}

#[test]
fn where_the_module_writes_down_no_used_codes_none_that_can_have_been_used_is_good() {
    host(|host| {
        let (app, _) =
            google(host, "alice", &["--time-based", "--allow-reuse", "--force", "--no-rate-limit", "--window-size=3"]);
        app.within_one_step(|| {
            let _ = host.run_twofactor(&["reset", "--yes", "alice"]);
            let ended = import(host, &["google-authenticator", "--user", "alice"]);
            assert!(ended.stdout.contains("which codes were used is not known"), "{}", ended.stdout);
            assert_eq!(ours(host, "alice", &app.code(1)), ReturnCode::AUTH_ERR);
            host.assert_logged(&["denied user=alice", "reason=replayed"]);
        });
        assert_eq!(ours(host, "alice", &app.code(2)), ReturnCode::SUCCESS);
    });
}

#[test]
fn whatever_options_the_program_was_given_the_next_code_opens_a_session_and_the_used_one_does_not() {
    const RATE: &[&str] = &["--rate-limit=5", "--rate-time=60"];
    const FREE: &[&str] = &["--no-rate-limit"];
    let clock = ["--time-based", "--disallow-reuse", "--force"];
    let counter = ["--counter-based", "--force"];
    host(|host| {
        let mut number = 0;
        for (kind, options, rate, scratch_codes) in [
            (&clock[..], &["--window-size=17", "--emergency-codes=10"][..], RATE, 10),
            (&clock[..], &["--minimal-window", "--emergency-codes=1"], FREE, 1),
            (&clock[..], &["--step-size=60", "--window-size=3", "--emergency-codes=0"], RATE, 0),
            (&clock[..], &["--window-size=3", "--label=vpn", "--issuer=Example", "--qr-mode=NONE"], FREE, 5),
            (&counter[..], &["--window-size=20", "--emergency-codes=10"], RATE, 10),
            (&counter[..], &["--minimal-window", "--emergency-codes=0"], FREE, 0),
        ] {
            number += 1;
            let user = format!("user{number}");
            let (app, _) = google(host, &user, &[kind, options, rate].concat());
            let app = match app.kind {
                Kind::Time(_) if options.contains(&"--step-size=60") => Authenticator { kind: Kind::Time(60), ..app },
                _ => app,
            };
            let [spent, next] = match app.kind {
                Kind::Time(_) => app.two_codes(),
                Kind::Counter => app.counter_codes(1, 2).try_into().unwrap(),
            };
            assert_eq!(code(host, &user, "ga", &spent), ReturnCode::SUCCESS, "{options:?}");
            let ended = import(host, &["google-authenticator", "--user", &user]);
            let codes = if scratch_codes == 1 {
                "1 recovery code".to_owned()
            } else {
                format!("{scratch_codes} recovery codes")
            };
            let words = format!("{user}: taken over with 1 app and {codes}");
            assert!(ended.stdout.starts_with(&words), "{options:?}: {}{}", ended.stdout, ended.stderr);
            assert_eq!(ours(host, &user, &spent), ReturnCode::AUTH_ERR, "{options:?}");
            host.assert_logged(&[&format!("denied user={user}"), "reason=replayed"]);
            assert_eq!(ours(host, &user, &next), ReturnCode::SUCCESS, "{options:?}");
        }
    });
}

#[test]
fn a_clock_that_the_module_has_learned_to_be_off_is_off_here_too() {
    host(|host| {
        let (app, _) = google(host, "alice", TOTP);
        let path = google_file("alice");
        let text = fs::read_to_string(&path).unwrap();
        // As the module writes it after three codes of a clock that is two hours ahead.
        let (first, rest) = text.split_once('\n').unwrap();
        fs::write(&path, format!("{first}\n\" TIME_SKEW 240\n{rest}")).unwrap();
        let used = app.code(240);
        assert_eq!(code(host, "alice", "ga", &used), ReturnCode::SUCCESS);
        assert_eq!(import(host, &["google-authenticator", "--user", "alice"]).status, 0);
        assert_eq!(ours(host, "alice", &used), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_eq!(ours(host, "alice", &app.code(241)), ReturnCode::SUCCESS);
    });
}

#[test]
fn users_of_pam_oath_come_along_with_the_codes_that_they_have_used() {
    host(|host| {
        let hex = ["3132333435363738393031323334353637383930", "00112233445566778899aabbccddeeff00112233"];
        let app = |hex: &str, kind| {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            let secret = data_encoding::BASE32_NOPAD.encode(&bytes);
            Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind }
        };
        let (clock, button) = (app(hex[0], Kind::Time(30)), app(hex[1], Kind::Counter));
        host.add_user("alice");
        host.add_user("bob");
        let text = format!("HOTP/T30/6 alice - {}\nHOTP/E/6\tbob\t-\t{}\nHOTP carol - nohex\n", hex[0], hex[1]);
        fs::write(oath_file(host), text).unwrap();
        fs::set_permissions(oath_file(host), fs::Permissions::from_mode(0o600)).unwrap();
        let unknown = import(host, &["oath-users", oath_file(host).to_str().unwrap(), "--user", "alicia"]);
        assert_eq!(unknown.status, 8, "line 3 may be alicia's: {}", unknown.stderr);
        let whole = written(host, "whole.oath", &format!("HOTP/T30/6 alice - {}\n", hex[0]));
        let unknown = import(host, &["oath-users", &whole, "--user", "alicia"]);
        assert_eq!(unknown.status, 3, "{}", unknown.stderr);
        assert!(unknown.stderr.contains("whole.oath has no line of alicia"), "{}", unknown.stderr);
        let (used, pressed) = (clock.code(0), button.counter_codes(0, 3));
        assert_eq!(code(host, "alice", "oath", &used), ReturnCode::SUCCESS);
        assert_eq!(code(host, "bob", "oath", &pressed[1]), ReturnCode::SUCCESS);
        let ended = import(host, &["oath-users", oath_file(host).to_str().unwrap()]);
        assert_eq!(ended.status, 8, "{}", ended.stderr);
        assert!(ended.stdout.contains("line 3: not taken over"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("nohex"), "{}", ended.stdout);
        for (user, used, next) in [("alice", &used, &clock.code(1)), ("bob", &pressed[1], &pressed[2])] {
            assert_eq!(ours(host, user, used), ReturnCode::AUTH_ERR, "{user}");
            host.assert_logged(&[&format!("denied user={user}"), "reason=replayed"]);
            assert_eq!(ours(host, user, next), ReturnCode::SUCCESS, "{user}");
        }
    });
}

#[test]
fn files_that_are_no_users_own_are_refused_by_name_and_keep_no_other_user_back() {
    host(|host| {
        google(host, "alice", TOTP);
        let line = fs::read_to_string("/etc/shadow").unwrap();
        for user in ["link", "fifo", "large", "zeros", "others", "open"] {
            host.add_user(user);
        }
        symlink("/etc/shadow", google_file("link")).unwrap();
        host.succeed("mkfifo", [google_file("fifo")]);
        fs::File::create(google_file("large")).unwrap().set_len(1 << 30).unwrap();
        fs::write(google_file("zeros"), [0; 100]).unwrap();
        fs::copy(google_file("alice"), google_file("others")).unwrap();
        fs::copy(google_file("alice"), google_file("open")).unwrap();
        for user in ["large", "zeros", "open"] {
            host.succeed("chown", [user, google_file(user).to_str().unwrap()]);
        }
        fs::set_permissions(google_file("open"), fs::Permissions::from_mode(0o666)).unwrap();
        let ended = import(host, &["google-authenticator", "--all"]);
        assert_eq!(ended.status, 8, "{}", ended.stderr);
        assert!(ended.stdout.contains("alice: taken over"), "{}", ended.stdout);
        for (user, why) in [
            ("link", "is a symbolic link"),
            ("fifo", "is not a regular file"),
            ("large", "is larger than"),
            ("zeros", "it is no text"),
            ("others", "permission denied"),
            ("open", "so others may write to it"),
        ] {
            let refused = ended.stdout.lines().find(|line| line.starts_with(&format!("{user}: not taken over")));
            assert!(refused.is_some_and(|line| line.contains(why)), "{user}: {}", ended.stdout);
        }
        assert!(ended.stderr.contains("6 of 7 users were not taken over"), "{}", ended.stderr);
        assert!(!ended.stdout.contains(line.lines().next().unwrap()), "nothing of a foreign file is shown");
    });
}

#[test]
fn a_file_that_is_named_is_read_as_its_owner_with_a_secret_as_people_type_it() {
    host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        let text = "jbsw y3dp ehpk 3pxp\r\n\" TOTP_AUTH\r\n\" DISALLOW_REUSE\r\n11111111\r\n87654321\r\n";
        let file = host.private_file("alice.ga", text);
        let of_alice = |options: &[&str]| {
            import(host, &[&["google-authenticator", file.to_str().unwrap(), "--user", "alice"], options].concat())
        };
        for other in [&["--all"][..], &["--from-pam"]] {
            assert_eq!(of_alice(other).status, 2, "the file is one user's");
        }
        let ended = of_alice(&[]);
        assert!(ended.stdout.starts_with("alice: taken over with 1 app and 1 recovery code\n"), "{}", ended.stdout);
        assert!(ended.stdout.contains("80 bit") && ended.stdout.contains("placeholder"), "{}", ended.stdout);
        assert_eq!(ours(host, "alice", "11111111"), ReturnCode::AUTH_ERR);
        assert_eq!(ours(host, "alice", "87654321"), ReturnCode::SUCCESS);
        assert_eq!(ours(host, "alice", &clock("JBSWY3DPEHPK3PXP").code(0)), ReturnCode::SUCCESS);
        // A file of alice's own is not taken for bob, and one that is not there is named.
        fs::copy(&file, google_file("alice")).unwrap();
        host.succeed("chown", ["alice", google_file("alice").to_str().unwrap()]);
        let others = import(host, &["google-authenticator", google_file("alice").to_str().unwrap(), "--user", "bob"]);
        assert_eq!(others.status, 8, "{}{}", others.stdout, others.stderr);
        let nowhere = import(host, &["google-authenticator", "/home/nowhere", "--user", "bob"]);
        assert_eq!(nowhere.status, 1, "{}{}", nowhere.stdout, nowhere.stderr);
        assert!(nowhere.stderr.contains("/home/nowhere"), "{}", nowhere.stderr);
    });
}

#[test]
fn enrolled_users_are_left_alone_unless_replace_says_otherwise() {
    host(|host| {
        let (app, _) = google(host, "alice", TOTP);
        let before = host.enroll("alice", &[]);
        assert!(import(host, &["google-authenticator", "--all"]).stdout.contains("alice: enrolled before"));
        let left = import(host, &["google-authenticator", "--all", "--dry-run"]);
        assert!(left.stdout.contains("alice: enrolled before"), "a rehearsal says it, too: {}", left.stdout);
        let dry = import(host, &["google-authenticator", "--all", "--replace", "--dry-run"]);
        assert!(dry.stdout.contains("alice: would be taken over"), "{}", dry.stdout);
        assert_eq!(ours(host, "alice", &before.code()), ReturnCode::SUCCESS, "a rehearsal changes nothing");
        assert_eq!(import(host, &["google-authenticator", "--all", "--replace"]).status, 0);
        assert_eq!(ours(host, "alice", &app.code(0)), ReturnCode::SUCCESS);
    });
}

#[test]
fn after_a_reset_no_scratch_code_comes_back() {
    host(|host| {
        let (app, scratch_codes) = google(host, "alice", TOTP);
        let all = ["google-authenticator", "--all"];
        assert_eq!(import(host, &all).status, 0);
        assert_eq!(ours(host, "alice", &scratch_codes[0]), ReturnCode::SUCCESS);
        let used = app.code(1);
        assert_eq!(ours(host, "alice", &used), ReturnCode::SUCCESS);
        assert!(host.run_twofactor(&["reset", "alice", "--yes"]).status.success());
        let refused = import(host, &all);
        assert_eq!(refused.status, 8, "{}", refused.stderr);
        assert!(refused.stdout.contains("before a reset"), "{}", refused.stdout);
        let again = import(host, &[&all[..], &["--replace"]].concat());
        assert_eq!(again.stdout, "alice: taken over with 1 app and 0 recovery codes\n", "{}", again.stderr);
        assert_eq!(ours(host, "alice", &used), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
    });
}

#[test]
fn the_files_are_found_where_the_lines_of_pam_say() {
    host(|host| {
        let (app, _) = google(host, "alice", TOTP);
        fs::create_dir("/etc/ga").unwrap();
        fs::copy(google_file("alice"), "/etc/ga/alice").unwrap();
        fs::remove_file(google_file("alice")).unwrap();
        host.succeed("chown", ["root:root", "/etc/ga/alice"]);
        let nowhere = import(host, &["google-authenticator", "--all", "--from-pam"]);
        assert_eq!(nowhere.status, 3, "{}", nowhere.stderr);
        host.system_service("vpn", "auth required pam_google_authenticator.so user=root secret=/etc/ga/${USER}\n");
        let ended = import(host, &["google-authenticator", "--all", "--from-pam"]);
        assert_eq!(ended.stdout, "alice: taken over with 1 app and 5 recovery codes\n", "{}", ended.stderr);
        assert_eq!(ours(host, "alice", &app.code(0)), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_file_that_lines_of_pam_name_for_different_owners_is_read_once_as_its_owner() {
    host(|host| {
        let (app, _) = google(host, "alice", TOTP);
        host.system_service(
            "a",
            "auth required pam_google_authenticator.so user=daemon secret=/home/${USER}/.google_authenticator\n",
        );
        host.system_service("b", "auth required pam_google_authenticator.so\n");
        host.system_service("c", "auth required pam_google_authenticator.so secret=${HOME}//.google_authenticator\n");
        let ended = import(host, &["google-authenticator", "--user", "alice", "--from-pam"]);
        assert_eq!(ended.stdout, "alice: taken over with 1 app and 5 recovery codes\n", "{}", ended.stderr);
        assert_eq!(ours(host, "alice", &app.code(0)), ReturnCode::SUCCESS);
    });
}

#[test]
fn five_hundred_accounts_are_taken_over_and_none_is_lost() {
    host(|host| {
        let folder = host.place("ga");
        fs::create_dir(&folder).unwrap();
        let mut passwd = fs::read_to_string("/etc/passwd").unwrap();
        for number in 0..500 {
            let secret = data_encoding::BASE32_NOPAD.encode(format!("secret of {number:06}").as_bytes());
            let text =
                format!("{secret}\n\" TOTP_AUTH\n\" DISALLOW_REUSE {}\n{}\n", now() / 30 - 7, 20_000_000 + number);
            let path = folder.join(format!("u{number}"));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let _ = writeln!(passwd, "u{number}:x:{0}:{0}::/nonexistent:/bin/sh", 20_000 + number);
        }
        fs::write("/etc/passwd", passwd).unwrap();
        let line =
            format!("auth required pam_google_authenticator.so user=root secret={}/${{USER}}\n", folder.display());
        host.system_service("vpn", &line);
        let ended = import(host, &["google-authenticator", "--all", "--from-pam"]);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("500 users: 500 taken over"), "{}", ended.stderr);
        assert_eq!(ended.stdout.lines().filter(|line| line.ends_with("with 1 app and 1 recovery code")).count(), 500);
        assert_eq!(host.run_twofactor(&["verify", "u499", "20000499"]).status.code(), Some(0));
    });
}

/// An app with a clock, whose secret is at hand.
fn clock(secret: &str) -> Authenticator {
    Authenticator { secret: secret.to_owned(), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }
}

fn written(host: &Host, name: &str, text: &str) -> String {
    let path = host.place(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The example of Google Authenticator's export.
const MIGRATION: &str =
    "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC";

#[test]
fn an_app_goes_on_from_its_export_and_no_code_that_it_has_shown_is_good() {
    host(|host| {
        host.add_user("alice");
        let secrets = [
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
            "OV3HO6DZPJQWEY3EMVTGO2DJNJVWY3LO",
        ];
        let uri = format!("otpauth://totp/Example:alice?secret={}&issuer=Example\n", secrets[0]);
        let aegis = format!(
            r#"{{"db":{{"entries":[{{"type":"totp","name":"web","info":{{"secret":"JBSWY3DPEHPK3PXPJBSWY3DPEH"}}}},
               {{"type":"totp","name":"alice","issuer":"Example","info":{{"secret":"{}"}}}}]}}}}"#,
            secrets[1]
        );
        let twofas = format!(
            r#"{{"services":[{{"name":"a","secret":"{}","otp":{{"account":"a","tokenType":"TOTP"}}}}]}}"#,
            secrets[2]
        );
        for (system, text, entry, secret) in [
            ("otpauth", uri.as_str(), &[][..], secrets[0]),
            ("migration", MIGRATION, &[][..], "JBSWY3DPEHPK3PXP"),
            ("aegis", aegis.as_str(), &["--entry", "alice"][..], secrets[1]),
            ("twofas", twofas.as_str(), &[][..], secrets[2]),
        ] {
            let app = clock(secret);
            let file = written(host, "export", text);
            app.within_one_step(|| {
                host.run_twofactor(&["reset", "alice", "--yes"]);
                let ended = import(host, &[&[system, &file, "--user", "alice", "--replace"], entry].concat());
                assert!(ended.stdout.contains("alice: taken over with 1 app"), "{}{}", ended.stdout, ended.stderr);
                assert_eq!(ours(host, "alice", &app.code(1)), ReturnCode::AUTH_ERR);
                host.assert_logged(&["denied user=alice", "reason=replayed"]);
            });
            assert_eq!(ours(host, "alice", &app.code(2)), ReturnCode::SUCCESS, "{system}");
        }
    });
}

#[test]
fn the_example_of_googles_export_goes_on_from_the_picture_of_its_qr_code() {
    host(|host| {
        host.add_user("alice");
        let picture = host.place("export.png");
        write_png(&picture, MIGRATION);
        let app = clock("JBSWY3DPEHPK3PXP");
        app.within_one_step(|| {
            host.run_twofactor(&["reset", "alice", "--yes"]);
            let ended = import(host, &["migration", picture.to_str().unwrap(), "--user", "alice", "--replace"]);
            assert!(ended.stdout.contains("alice: taken over with 1 app"), "{}{}", ended.stdout, ended.stderr);
            assert_eq!(ours(host, "alice", &app.code(1)), ReturnCode::AUTH_ERR);
            host.assert_logged(&["denied user=alice", "reason=replayed"]);
        });
        assert_eq!(ours(host, "alice", &app.code(2)), ReturnCode::SUCCESS);
    });
}

#[test]
fn of_an_export_with_several_entries_none_is_taken_that_was_not_named() {
    host(|host| {
        host.add_user("alice");
        let file = written(host, "export", &format!("{MIGRATION}\n{MIGRATION}\n"));
        let several = import(host, &["migration", &file, "--user", "alice"]);
        assert_eq!(several.status, 7, "{}", several.stderr);
        assert!(several.stderr.contains("2 \"Example: alice@google.com\""), "{}", several.stderr);
        let none = import(host, &["migration", &file, "--user", "alice", "--entry", "3"]);
        assert_eq!(none.status, 3, "{}", none.stderr);
        let one = import(host, &["migration", &file, "--user", "alice", "--entry", "2", "--dry-run"]);
        assert!(one.stdout.contains("would be taken over with 1 app"), "{}{}", one.stdout, one.stderr);
        let other = import(host, &["otpauth", &file, "--user", "alice"]);
        assert_eq!(other.status, 8, "{}", other.stderr);
        assert!(other.stderr.contains("otpauth-migration URIs"), "{}", other.stderr);
        let sealed = written(host, "sealed", r#"{"header":{"slots":[]},"db":"AAAA"}"#);
        let sealed = import(host, &["aegis", &sealed, "--user", "alice"]);
        assert!(sealed.stderr.contains("export again from the app, without a password"), "{}", sealed.stderr);
    });
}

#[test]
fn an_app_goes_on_from_the_picture_of_its_qr_code() {
    host(|host| {
        let picture = host.place("code.png");
        host.add_user("bob");
        let bob = host.enroll("bob", &["--qr-file", picture.to_str().unwrap()]);
        host.add_user("alice");
        let arguments = ["otpauth", picture.to_str().unwrap(), "--user", "alice"];
        let shared = import(host, &arguments);
        assert!(shared.stdout.contains("bob has this secret already"), "{}{}", shared.stdout, shared.stderr);
        let taken = import(host, &[&arguments[..], &["--force"]].concat());
        assert_eq!(taken.status, 0, "{}{}", taken.stdout, taken.stderr);
        assert_eq!(ours(host, "alice", &bob.authenticator.code(2)), ReturnCode::SUCCESS);
        let empty = written(host, "empty.png", "\u{89}PNG");
        assert_ne!(import(host, &["otpauth", &empty, "--user", "alice", "--replace"]).status, 0);
    });
}

#[test]
fn keys_of_pam_u2f_are_reported_and_nothing_is_stored() {
    host(|host| {
        host.add_user("alice");
        let u2f = format!("aGFuZGxl,04{}", "ab".repeat(64));
        let file = written(
            host,
            "u2f_keys",
            &format!("alice:{u2f}\nalice:*,AQIDBAUGBwg=,es256,+presence+pin:AQID,AQID,eddsa,+presence\nbob:nothing\n"),
        );
        let ended = import(host, &["pam-u2f", &file]);
        assert_eq!(ended.status, 8, "{}", ended.stderr);
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines[0], "alice: 1 key: u2f +presence; a later line of this user counts");
        assert_eq!(lines[1], "alice: 2 keys: es256 resident +presence +pin, eddsa +presence");
        assert!(lines[2].starts_with("line 3: key 1 is not"), "{lines:?}");
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3));
    });
}
