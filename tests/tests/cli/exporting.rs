//! A user's secrets on their way to another system: who may ask for them, what they say, and that our own import and oathtool
//! read them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use serde_json::{Value, json};
use twofactor_tests::fob::Fob;
use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool::{Authenticator, Kind, now};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements::stopped_clock_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::stderr;

/// Exports as a person at a terminal, who types this name. Standard output goes into the file `out`.
fn exported(host: &Host, options: &str, typed: &str) -> (i32, String, String) {
    let out = host.place("out");
    let mut shell = host.command("sh");
    shell.args(["-c", &format!("umask 0; exec twofactor export {options} >{}", out.display())]);
    let mut terminal = Terminal::start(&shell, Size::LARGE);
    terminal.expect("to go on: ");
    terminal.type_line(typed);
    let status = terminal.wait().code().unwrap();
    (status, fs::read_to_string(out).unwrap(), terminal.shown())
}

/// Alice with apps of all kinds and a token that have been used.
fn furnish(host: &Host) -> (Vec<Authenticator>, Fob) {
    let app = host.user_with_app("alice");
    let wide = host.enroll("alice", &["--label", "wide", "--digits", "8", "--period", "60", "--algorithm", "SHA256"]);
    let counter = host.enroll("alice", &["--label", "counter", "--counter", "--digits", "7"]);
    let fob = Fob::button(1);
    host.assign_more(&fob, "alice");
    for code in [counter.next_code(), counter.next_code(), fob.code_of(0)] {
        assert_eq!(host.login("alice").typing(code).code(), ReturnCode::SUCCESS);
    }
    let all = [app, wide, counter].map(|one| one.authenticator).into_iter();
    (all.chain([fob.authenticator.clone()]).collect(), fob)
}

fn same(one: &Authenticator, other: &Authenticator) -> bool {
    let codes = |app: &Authenticator| match app.kind {
        Kind::Time(_) => app.codes_from(1_800_000_000, 5),
        Kind::Counter => app.counter_codes(0, 5),
    };
    codes(one) == codes(other)
}

#[test]
fn it_is_refused_without_plaintext_without_a_person_and_without_the_name() {
    private_host(|host| {
        let (apps, _) = furnish(host);
        let refused = host.run_twofactor(&["export", "--user", "alice"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        for words in ["in plain text", "--plaintext", "twofactor backup"] {
            assert!(stderr(&refused).contains(words), "{words:?} is not in {}", stderr(&refused));
        }
        let mut script = host.twofactor(&["export", "--user", "alice", "--plaintext"]);
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut script = script.spawn().unwrap();
        let _ = script.stdin.take().unwrap().write_all(b"alice\n");
        let scripted = script.wait_with_output().unwrap();
        assert_eq!(scripted.status.code(), Some(7), "{}", said(&scripted));
        assert!(stderr(&scripted).contains("is no terminal, and a person has to confirm"), "{}", said(&scripted));
        assert_eq!(host.run_twofactor(&["export", "--user", "alice", "--plaintext", "--yes"]).status.code(), Some(2));
        for typed in ["", "y", "yes", "alic", "root"] {
            let (status, out, shown) = exported(host, "--user alice --plaintext", typed);
            assert_eq!((status, out.as_str()), (7, ""), "{typed:?}: {shown}");
            assert!(!shown.contains(&apps[0].secret) && shown.contains("declined"), "{shown}");
        }
        assert!(!host.log().iter().any(|line| line.text.contains("secret-exported")), "{:#?}", host.log());
        for (user, words) in [("nobody-here", "there is no user"), ("root", "root is not enrolled")] {
            let nothing = host.run_twofactor(&["export", "--user", user, "--plaintext"]);
            assert_eq!(nothing.status.code(), Some(3), "{}", said(&nothing));
            assert!(stderr(&nothing).contains(words), "{}", said(&nothing));
        }
        let mut stranger = host.twofactor(&["export", "--user", "alice", "--plaintext"]);
        std::os::unix::process::CommandExt::uid(&mut stranger, 65_534);
        assert_eq!(stranger.output().unwrap().status.code(), Some(4));
    });
}

#[test]
fn the_uris_are_those_of_the_apps_and_another_user_goes_on_with_them() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        let (apps, fob) = furnish(host);
        let (status, uris, shown) = exported(host, "--user alice --plaintext", "alice");
        assert_eq!(status, 0, "{shown}");
        for words in ["4 secrets, in plain text", "Not exported: 10 recovery codes"] {
            assert!(shown.contains(words), "{words:?} is not in {shown}");
        }
        let uris: Vec<&str> = uris.lines().collect();
        assert_eq!(uris.len(), apps.len());
        for (uri, app) in uris.iter().zip(&apps) {
            assert!(same(&Authenticator::from_uri(uri), app), "{uri}");
        }
        assert!(uris[1].contains("digits=8") && uris[1].contains("period=60") && uris[1].contains("algorithm=SHA256"));
        assert!(uris[2].contains("&digits=7&counter=2"), "{}", uris[2]);
        assert!(uris[3].contains(&fob.serial) && uris[3].ends_with("counter=1"), "{}", uris[3]);
        for token in ["app", "wide", "counter", &fob.serial] {
            let line = format!("secret-exported user=alice token={token} form=otpauth");
            assert!(host.log().iter().any(|logged| logged.text.contains(&line)), "{line}: {:#?}", host.log());
        }
        assert!(!host.log().iter().any(|logged| apps.iter().any(|app| logged.text.contains(&app.secret))));

        host.add_user("bob");
        let file = host.private_file("alice.txt", &format!("{}\n", uris.join("\n")));
        host.sysadmin(&["import", "otpauth", file.to_str().unwrap(), "--user", "bob", "--force"]);
        let verify = |code: &str| host.run_twofactor(&["verify", "bob", code]).status.code();
        // When no code counts as shown before the import any more.
        let later = Moment(now() + 180);
        for app in &apps[..2] {
            let verified = host.run_twofactor_at(later, &["verify", "bob", &later.code(app, 0)]);
            assert_eq!(verified.status.code(), Some(0), "what oathtool shows opens bob's logins: {}", said(&verified));
        }
        for (app, next) in [(&apps[2], 2), (&apps[3], 1)] {
            let codes = app.counter_codes(0, 4);
            assert_eq!(verify(&codes[next]), Some(0), "the counter goes on where it stood");
            assert_eq!(verify(&codes[next - 1]), Some(5), "and what was used is used");
        }
        let (_, again, _) = exported(host, "--user bob --plaintext", "bob");
        for (uri, app) in again.lines().zip(&apps) {
            assert!(same(&Authenticator::from_uri(uri), app), "{uri}");
        }
        assert!(again.lines().nth(2).unwrap().contains("&counter=2"), "{again}");
    });
}

#[test]
fn a_file_is_new_and_for_its_owner_alone_and_json_says_all_that_is_known() {
    private_host(|host| {
        let (apps, fob) = furnish(host);
        host.sysadmin(&["token", "disable", &fob.serial]);
        host.sysadmin(&["code", "alice"]);
        let path = "/root/alice.json";
        let options = format!("--user alice --plaintext --format json --output {path}");
        let (status, out, shown) = exported(host, &options, "alice");
        assert_eq!((status, out.as_str()), (0, "4 secrets of alice, in plain text, in /root/alice.json.\n"), "{shown}");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let written: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let secrets = written["secrets"].as_array().unwrap();
        for (secret, app) in secrets.iter().zip(&apps) {
            assert_eq!(secret["secret"], app.secret);
            assert!(same(&Authenticator::from_uri(secret["uri"].as_str().unwrap()), app));
        }
        let fields = |name: &str| secrets.iter().map(|secret| secret[name].clone()).collect::<Vec<_>>();
        assert_eq!(fields("counter"), [json!(null), json!(null), json!(2), json!(1)]);
        assert_eq!(fields("state"), ["in-use", "in-use", "in-use", "disabled"]);
        assert_eq!((&secrets[3]["serial"], &secrets[3]["kind"]), (&json!(fob.serial), &json!("token")));
        let line = "token=wide form=json file=/root/alice.json";
        assert!(host.log().iter().any(|logged| logged.text.contains(line)), "{:#?}", host.log());

        let before = fs::read(path).unwrap();
        symlink("/root/elsewhere", "/root/link").unwrap();
        let lines = host.log().len();
        for there in [path, "/root/link"] {
            let output = host.run_twofactor(&["export", "--user", "alice", "--plaintext", "--output", there]);
            assert_eq!(output.status.code(), Some(7), "{}", said(&output));
            assert!(stderr(&output).contains("exists already"), "before the question: {}", said(&output));
        }
        assert_eq!(host.log().len(), lines, "the log says nothing of secrets that went nowhere");
        assert_eq!(fs::read(path).unwrap(), before);
        assert!(!fs::exists("/root/elsewhere").unwrap());

        // URIs could not say that a token opens no login here.
        let (status, uris, shown) = exported(host, "--user alice --plaintext", "alice");
        assert_eq!((status, uris.lines().count()), (0, 3), "{shown}");
        assert!(shown.contains(&format!("left out, because they open no login: {} (disabled)", fob.serial)), "{shown}");
    });
}

#[test]
fn no_secret_is_shown_that_the_log_does_not_take() {
    private_host(|host| {
        let _ = furnish(host);
        fs::remove_file("/dev/log").unwrap();
        let (status, out, shown) = exported(host, "--user alice --plaintext", "alice");
        assert_eq!((status, out.as_str()), (7, ""), "{shown}");
        assert!(shown.contains("syslog does not take the line about it"), "{shown}");
    });
}
