//! `enroll`: nothing is stored before a code confirms it, and that code is burned.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::terminal::{Size, Terminal};

use crate::{app_of, line, recovery_codes, stderr, stdout};

const PROMPT: &str = "Code from the app: ";

/// Starts `enroll` with pipes and reads what it shows up to the URI.
fn offered(host: &Host, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>, Authenticator) {
    let mut command = host.twofactor(&[&["enroll"], arguments].concat());
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(process.stdout.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("\nURI: ") {
        assert_ne!(reader.read_line(&mut shown).unwrap(), 0, "no URI: {shown}");
    }
    (process, reader, app_of(&shown))
}

/// Gives the codes; gives the exit status and the rest of both streams.
fn finished(
    mut process: Child,
    mut reader: BufReader<std::process::ChildStdout>,
    codes: &[String],
) -> (Option<i32>, String, String) {
    let mut stdin = process.stdin.take().unwrap();
    for code in codes {
        // It may have had enough.
        let _ = writeln!(stdin, "{code}");
    }
    drop(stdin);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    let output = process.wait_with_output().unwrap();
    (output.status.code(), rest, stderr(&output))
}

/// What ends a prompt.
type End<'e> = &'e dyn Fn(&mut Terminal);

#[track_caller]
fn assert_no_trace(host: &Host, user: &str) {
    assert_eq!(host.run_twofactor(&["status", user]).status.code(), Some(3), "{user} is not enrolled");
    let secret = Path::new("/var/lib/twofactor/users").join(user).join("secret.toml");
    assert!(!secret.exists() && !secret.with_extension("toml.new").exists());
}

#[test]
fn an_empty_line_is_no_try() {
    private_host(|host| {
        host.add_user("alice");
        let (process, reader, app) = offered(host, &["alice"]);
        let codes = ["", "", "", "", &app.code(0)].map(str::to_owned);
        let (status, rest, errors) = finished(process, reader, &codes);
        assert_eq!(status, Some(0), "{rest}{errors}");
        assert_eq!(errors.matches("A code has 6 digits.").count(), 4, "{errors}");
        assert!(!errors.contains("left"), "{errors}");
    });
}

/// Debian's setting is `prohibit-password`.
#[test]
fn who_enrolls_root_reads_that_sshd_lets_root_answer_no_prompt() {
    private_host(|host| {
        host.add_user("alice");
        let drop_in = "/etc/ssh/sshd_config.d/10-root.conf";
        let said_of = |user: &str, label: &str| {
            let enrolled = host.run_twofactor(&["enroll", user, "--label", label, "--no-confirm"]);
            assert!(enrolled.status.success(), "it is a note and no refusal: {}", said(&enrolled));
            stderr(&enrolled)
        };
        for (setting, expected) in [
            ("PermitRootLogin prohibit-password", "sshd has PermitRootLogin prohibit-password"),
            ("PermitRootLogin no", "sshd has PermitRootLogin no"),
            ("PermitRootLogin yes", ""),
            // From everywhere but there.
            ("PermitRootLogin no\nMatch Address 198.51.100.0/24\nPermitRootLogin yes", "sshd has PermitRootLogin no"),
        ] {
            fs::write(drop_in, setting).unwrap();
            let label = setting.len().to_string();
            let words = said_of("root", &label);
            assert_eq!(
                words.contains("Over ssh root is asked for no code"),
                !expected.is_empty(),
                "{setting}: {words}"
            );
            assert!(words.contains(expected), "{setting}: {words}");
            assert!(!said_of("alice", &label).contains("sshd"), "{setting} is about root");
        }
        assert!(!said_of("root", "quiet").is_empty());
        let quiet = host.run_twofactor(&["--quiet", "enroll", "root", "--label", "another", "--no-confirm"]);
        assert_eq!(stderr(&quiet), "", "{}", said(&quiet));
    });
}

#[test]
fn a_code_is_typed_where_dev_has_no_stdin() {
    private_host(|host| {
        host.add_user("alice");
        // The folder is this host's own.
        let _ = fs::remove_file("/dev/stdin");
        let mut terminal = Terminal::start(&host.twofactor(&["enroll", "alice"]), Size::LARGE);
        let shown = terminal.expect(PROMPT);
        terminal.type_line(&app_of(&shown).code(0));
        terminal.expect("alice is enrolled");
    });
}

#[test]
fn a_code_through_a_pipe_confirms_and_is_burned() {
    private_host(|host| {
        host.add_user("alice");
        let (process, reader, app) = offered(host, &["alice"]);
        let code = app.code(0);
        let (status, rest, _) = finished(process, reader, std::slice::from_ref(&code));
        assert_eq!(status, Some(0));
        assert_eq!(recovery_codes(&rest).len(), 10, "{rest}");
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_eq!(host.login("alice").typing(app.code(1)).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&recovery_codes(&rest)[9]).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_code_at_a_terminal_confirms_and_is_not_echoed() {
    private_host(|host| {
        host.add_user("alice");
        let mut terminal = Terminal::start(&host.twofactor(&["enroll", "alice"]), Size::LARGE);
        let shown = terminal.expect(PROMPT);
        assert!(!terminal.echoes(), "a code is not shown while it is typed");
        let code = app_of(&shown).code(0);
        terminal.type_line(&code);
        assert!(terminal.wait().success());
        assert!(terminal.echoes());
        assert!(!terminal.shown().contains(&code));
        assert_eq!(recovery_codes(&terminal.shown()).len(), 10);
        assert_eq!(host.json(&["status", "alice"])["tokens"][0]["state"], "active");
    });
}

#[test]
fn three_wrong_codes_end_it_without_a_trace_and_without_telling_the_right_one() {
    private_host(|host| {
        host.add_user("alice");
        let (process, reader, app) = offered(host, &["alice"]);
        let right: Vec<String> = (-3..=3).map(|steps| app.code(steps)).collect();
        let wrong: Vec<String> = app.wrong_codes().take(3).collect();
        let (status, rest, errors) = finished(process, reader, &wrong);
        assert_eq!(status, Some(5), "{errors}");
        assert!(errors.contains("2 tries left") && errors.contains("One try left"), "{errors}");
        assert!(
            right.iter().all(|code| !rest.contains(code) && !errors.contains(code)),
            "the expected code is never printed"
        );
        assert_no_trace(host, "alice");
    });
}

#[test]
fn the_third_code_may_be_right() {
    private_host(|host| {
        host.add_user("alice");
        let (process, reader, app) = offered(host, &["alice"]);
        let mut codes: Vec<String> = app.wrong_codes().take(2).collect();
        codes.push(app.code(0));
        let (status, _, errors) = finished(process, reader, &codes);
        assert_eq!(status, Some(0), "{errors}");
    });
}

#[test]
fn the_end_of_the_input_at_the_prompt_leaves_no_trace() {
    private_host(|host| {
        host.add_user("alice");
        let (process, reader, _) = offered(host, &["alice"]);
        let (status, _, errors) = finished(process, reader, &[]);
        assert_eq!(status, Some(5));
        assert!(errors.contains("nothing was changed"), "{errors}");
        assert_no_trace(host, "alice");
    });
}

#[test]
fn control_c_and_other_ends_leave_no_trace_and_a_terminal_that_echoes() {
    private_host(|host| {
        host.add_user("alice");
        let stop = |signal: &str| {
            let find = "for process in /proc/[0-9]*; do [ \"$(cat $process/comm)\" = twofactor ] && echo ${process#/proc/}; done";
            host.succeed("sh", ["-c", &format!("kill -{signal} $({find})")]);
        };
        let ends: [(&str, End<'_>); 4] = [
            ("Ctrl-C", &|terminal| terminal.type_keys("\x03")),
            ("SIGTERM", &|_| stop("TERM")),
            ("SIGHUP", &|_| stop("HUP")),
            ("Ctrl-D", &|terminal| terminal.type_keys("\x04")),
        ];
        for (name, end) in ends {
            let file = host.place("alice.png");
            let mut command = host.twofactor(&["enroll", "alice", "--qr-file"]);
            let mut terminal = Terminal::start(command.arg(&file), Size::LARGE);
            terminal.expect(PROMPT);
            assert!(!terminal.echoes());
            // The one that is shown last is the one that failed.
            println!("{name}");
            end(&mut terminal);
            assert!(!terminal.wait().success(), "{name}");
            assert!(terminal.echoes(), "{name}");
            assert_no_trace(host, "alice");
            // A signal gives no time to tidy up; whatever else ends a prompt does.
            if name.starts_with("Ctrl") {
                assert!(!file.exists(), "{name}: the drawing of a secret that came to nothing is gone");
            }
            let _ = fs::remove_file(&file);
        }
    });
}

#[test]
fn a_secret_in_memory_stays_out_of_core_dumps() {
    private_host(|host| {
        host.add_user("alice");
        let mut terminal = Terminal::start(&host.twofactor(&["enroll", "alice"]), Size::LARGE);
        terminal.expect(PROMPT);
        let find = "for process in /proc/[0-9]*; do [ \"$(cat $process/comm)\" = twofactor ] && cat $process/limits; done; true";
        let limits = host.succeed("sh", ["-c", find]);
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("the process was found");
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    });
}

#[test]
fn an_existing_secret_is_kept_unless_it_is_replaced_and_is_good_until_the_new_one_is_confirmed() {
    private_host(|host| {
        let old = host.user_with_app("alice");
        let refused = host.run_twofactor(&["enroll", "alice"]);
        assert_eq!(refused.status.code(), Some(7));
        assert!(stderr(&refused).contains("--replace"), "{}", said(&refused));
        assert_eq!(stdout(&refused), "", "no secret is shown that could not be enrolled");

        let (process, reader, new) = offered(host, &["alice", "--replace"]);
        assert_ne!(new.secret, old.authenticator.secret);
        assert_eq!(
            host.login("alice").typing(old.authenticator.code(-1)).code(),
            ReturnCode::SUCCESS,
            "while it is offered"
        );
        let wrong: Vec<String> = new.wrong_codes().take(3).collect();
        assert_eq!(finished(process, reader, &wrong).0, Some(5));
        assert_eq!(
            host.login("alice").typing(old.code()).code(),
            ReturnCode::SUCCESS,
            "the old secret is as good as before"
        );

        let (process, reader, new) = offered(host, &["alice", "--replace"]);
        assert_eq!(finished(process, reader, &[new.code(0)]).0, Some(0));
        assert_eq!(host.login("alice").typing(old.authenticator.code(1)).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("alice").typing(new.code(1)).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&old.recovery_codes[0]).code(), ReturnCode::AUTH_ERR);
    });
}

#[test]
fn a_user_may_have_several_apps() {
    private_host(|host| {
        let phone = host.user_with_app("alice");
        let tablet = host.enroll("alice", &["--label", "tablet"]);
        assert_eq!(tablet.recovery_codes, Vec::<String>::new(), "the recovery codes on paper stay good");
        for (app, label) in [(&phone, "token=app"), (&tablet, "token=tablet")] {
            assert_eq!(host.login("alice").typing(app.code()).code(), ReturnCode::SUCCESS);
            host.assert_logged(&["accepted user=alice", label]);
        }
    });
}

#[test]
fn a_secret_that_exists_comes_from_a_file_or_from_standard_input() {
    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        let path = host.place("secret");
        fs::write(&path, "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let alice = host.enroll("alice", &["--secret-file", path.to_str().unwrap()]);
        assert_eq!(alice.authenticator.secret, SECRET);
        assert_eq!(host.login("alice").typing(alice.code()).code(), ReturnCode::SUCCESS);

        let mut command = host.twofactor(&["enroll", "bob", "--secret-file", "-", "--qr", "none", "--force"]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let app = Authenticator { secret: SECRET.to_owned(), ..alice.authenticator.clone() };
        // The secret is the first line, the code the second.
        process.stdin.take().unwrap().write_all(format!("{SECRET}\n{}\n", app.code(0)).as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(app_of(&stdout(&output)), app);

        fs::write(&path, "not base32: 0189").unwrap();
        let refused = host.run_twofactor(&["enroll", "bob", "--label", "two", "--secret-file", path.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(8));
        assert!(!stderr(&refused).contains("0189"), "what was wrong is not repeated");
    });
}

#[test]
fn a_secret_that_another_user_or_a_token_has_is_refused_by_name() {
    // 80 bytes, and their SHA-1: one key of HMAC.
    const LONG: &str = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSAIJCEMSCKJRHFAUSUKZMFUXC6MBRGIZTINJWG44DSOR3HQ6T4P2AIFBEGRCFIZDUQSKKJNGE2TSP";
    const DIGEST: &str = "HGO3ZH3SDZCKTEVA332C3GM3GKXUJGW4";
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bob");
        let secret = |secret: &str| host.private_file("secret", &format!("{secret}\n")).to_str().unwrap().to_owned();
        host.enroll("alice", &["--secret-file", &secret(LONG)]);
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let token = format!("token {} has this secret", fob.serial);
        for (given, words) in [
            (LONG, "an app of alice has this secret"),
            (DIGEST, "an app of alice has this secret"),
            (&fob.authenticator.secret, token.as_str()),
        ] {
            let path = secret(given);
            let enroll = ["enroll", "bob", "--no-confirm", "--secret-file", &path];
            let refused = host.run_twofactor(&enroll);
            assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
            let errors = stderr(&refused);
            assert!(errors.contains(words) && errors.contains("--force"), "{errors}");
            assert!(!said(&refused).contains(given), "{}", said(&refused));
            assert_eq!(host.run_twofactor(&["status", "bob"]).status.code(), Some(3), "nothing was stored");
            let label = ["--label", words.split(' ').nth(1).unwrap(), "--replace", "--force", "--json"];
            let forced = host.run_twofactor(&[&enroll[..], &label].concat());
            assert!(forced.status.success(), "{}", said(&forced));
            assert!(stderr(&forced).contains(words), "it is said all the same: {}", stderr(&forced));
            host.sysadmin(&["reset", "bob", "--yes"]);
        }
        // The user's own are nobody else's.
        host.enroll("alice", &["--label", "copy", "--secret-file", &secret(DIGEST)]);
        host.assign(&fob, "alice");
        host.enroll("alice", &["--label", "fob", "--secret-file", &secret(&fob.authenticator.secret)]);
        assert_eq!(
            host.run_twofactor(&["enroll", "bob", "--force"]).status.code(),
            Some(2),
            "there is nothing to force"
        );
    });
}

#[test]
fn the_uri_says_who_and_what() {
    private_host(|host| {
        host.configure("[enrollment]\nissuer = \"Example & Söhne\"\nalgorithm = \"SHA256\"\ndigits = 8\nperiod = 60\nrecovery_codes = 3\n");
        host.add_user("alice");
        let (process, reader, app) = offered(host, &["alice"]);
        let (_, rest, _) = finished(process, reader, &[app.code(0)]);
        assert_eq!(recovery_codes(&rest).len(), 3);
        let uri = host.enroll("alice", &["--label", "fob", "--counter", "--issuer", "web1"]).uri;
        assert!(uri.starts_with("otpauth://hotp/web1:alice@testhost?secret="), "{uri}");
        assert!(uri.ends_with("&issuer=web1&algorithm=SHA256&digits=8&counter=0"), "{uri}");
        let shown = stdout(&host.run_twofactor(&["enroll", "alice", "--label", "third", "--no-confirm"]));
        let uri = line(&shown, "URI");
        assert!(uri.starts_with("otpauth://totp/Example%20%26%20S%C3%B6hne:alice@testhost?secret="), "{uri}");
        assert!(uri.ends_with("&issuer=Example%20%26%20S%C3%B6hne&algorithm=SHA256&digits=8&period=60"), "{uri}");
    });
}
