//! Users of a fleet and their programs on a host, without root: the real command and the real module in processes of users, through the
//! broker, the link and a server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::Duration;

use nix::unistd::User;
use serde_json::Value;
use twofactor_core::host::trusted::Owner;
use twofactor_core::store::broker::{Broker, LINK};
use twofactor_tests::artifacts::{link, server};
use twofactor_tests::oneself::answering_for_the_secret;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements;
use twofactor_tests::security_key::public_line;

use super::clocks::off;
use super::login::{Linked, WEB1, join};
use super::program::{Machine, Serving, said};
use super::{Enrolled, Fleet, now};

/// A host that may ask about logins, and further what is named here.
fn may(name: &str, what: &str) -> String {
    format!("[[host]]\nname = \"{name}\"\nmay = [{what}]\n")
}

/// A fleet whose server runs and whose host is this private one, with alice enrolled in the fleet and known to the host.
struct Site {
    machine: Machine,
    serving: Serving,
    linked: Option<Linked>,
    alice: Enrolled,
}

impl Site {
    /// The private host may do this.
    fn new(host: &Host, what: &str) -> Option<Self> {
        Self::configured(host, what, "")
    }

    /// The same with more in the server's configuration.
    fn configured(host: &Host, what: &str, more: &str) -> Option<Self> {
        let machine = Machine::new()?;
        machine.make_keys();
        let hosts = [may(WEB1, what), may("desk", "\"login\", \"enroll\"")].concat();
        machine.configure(&format!("{more}{hosts}"));
        let serving = machine.serve();
        let at_the_desk = join(host, &machine, &machine.site.host("desk"));
        let alice = Enrolled::through(&Broker::link(Path::new(LINK), Owner::ROOT, Duration::from_secs(12)), "alice");
        drop(at_the_desk);
        let linked = Some(join(host, &machine, &machine.site.host(WEB1)));
        host.add_user("alice");
        Some(Self { machine, serving, linked, alice })
    }

    fn audit(&self, of: &str) -> String {
        self.machine
            .postgres
            .sql(&format!("select host, event, detail from twofactor.audit where {of} order by number"))
    }
}

fn own(host: &Host, user: &str, arguments: &[&str], lines: &str) -> Output {
    host.run_twofactor_of(user, arguments, lines)
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output, status: i32, words: &str) {
    assert_eq!(output.status.code(), Some(status), "{}", said(output));
    assert!(said(output).contains(words), "{}", said(output));
}

fn status(host: &Host, user: &str) -> Value {
    json(&own(host, user, &["--json", "self", "status"], ""))
}

fn opens(host: &Host, user: &str, code: &str) -> bool {
    host.login(user).typing(code).code() == ReturnCode::SUCCESS
}

fn uid_of(name: &str) -> u32 {
    User::from_name(name).unwrap().unwrap().uid.as_raw()
}

fn recovery_codes(result: &Value) -> Vec<String> {
    result["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn on_a_host_that_may_a_user_changes_the_second_factor_of_the_fleet() {
    let _ = (server(), link());
    private_host(|host| {
        let Some(site) = Site::new(host, "\"login\", \"self\"") else { return };
        let (alice, _broker) = (&site.alice, host.broker());
        let seen = status(host, "alice");
        assert_eq!((&seen["apps"][0]["label"], &seen["recovery_codes"]), (&"app".into(), &3.into()), "{seen}");
        assert_eq!((&seen["may_change"], &seen["may_enroll"]), (&"yes".into(), &"no".into()), "{seen}");

        // Wrong codes go on a count of their own, and change nothing.
        for wrong in alice.app.wrong_codes().take(5) {
            let wrong = format!("{wrong}\n");
            refused(&own(host, "alice", &["self", "recovery"], &wrong), 5, "the code is not right");
        }
        let code = alice.code(0);
        let right = format!("{code}\n");
        refused(&own(host, "alice", &["self", "recovery"], &right), 5, "too many wrong codes");
        let seen = status(host, "alice");
        assert_eq!((&seen["failures"], &seen["own_failures"]), (&0.into(), &5.into()), "{seen}");
        assert!(opens(host, "alice", alice.recovery[0].expose()), "logins are not delayed");
        assert!(site.machine.tool(&["unlock", "alice"]).status.success());

        let codes = recovery_codes(&json(&own(host, "alice", &["--json", "self", "recovery"], &right)));
        assert_eq!(codes.len(), 10);
        assert!(!opens(host, "alice", &code), "the code is used");
        assert!(!opens(host, "alice", alice.recovery[1].expose()), "the old ones are void");
        assert!(opens(host, "alice", &codes[0]));
        let uid = format!("asked_by={}", uid_of("alice"));
        host.assert_logged(&["pam_twofactor(broker:auth): recovery-replaced user=alice", &uid, "by=alice"]);
        assert_eq!(
            site.audit("event = 'self-recovery' and detail = 'changed'"),
            format!("{WEB1}|self-recovery|changed")
        );

        // A key of ssh would count at no login, and that is said before a code is typed.
        let (key, line) = (host.place("id_ed25519_sk.pub"), public_line(1, "alice"));
        fs::write(&key, line).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let key = key.to_str().unwrap();
        let add = own(host, "alice", &["self", "ssh-key", "add", key], "");
        refused(&add, 7, "ssh keys count at no host of a fleet, so none is enrolled");
        let central = site.machine.tool(&["ssh-key", "add", "alice", key]);
        refused(&central, 7, "ssh keys count at no host of a fleet, so none is enrolled");
        assert_eq!(status(host, "alice")["may_change_ssh_keys"], "no");
        assert!(!said(&own(host, "alice", &["self", "status"], "")).contains("ssh-key"));

        // Another phone.
        let replace = host.twofactor_of("alice", &["--json", "self", "replace", "--qr", "none"]);
        let (phone, output) =
            answering_for_the_secret(replace, "", |phone| format!("{}\n{}\n", phone.code(0), codes[1]));
        let codes = recovery_codes(&json(&output));
        assert!(!opens(host, "alice", &alice.code(1)), "the old phone is out");
        assert!(opens(host, "alice", &phone.code(1)));

        let reset = own(host, "alice", &["self", "reset", "--yes"], &format!("{}\n", codes[0]));
        assert!(reset.status.success(), "{}", said(&reset));
        assert!(status(host, "alice")["apps"].as_array().unwrap().is_empty());
        assert!(!opens(host, "alice", &codes[1]));
        let log = said(&site.machine.tool(&["log", "--user", "alice"]));
        for words in ["recovery-replaced", "enrolled", "reset", WEB1] {
            assert!(log.contains(words), "{words}: {log}");
        }
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists(), "no account is made here");
    });
}

#[test]
fn where_a_host_may_not_no_code_that_is_typed_there_changes_a_second_factor() {
    let _ = (server(), link());
    private_host(|host| {
        let Some(site) = Site::new(host, "\"login\"") else { return };
        let (alice, _broker) = (&site.alice, host.broker());
        let code = format!("{}\n", alice.code(0));
        for arguments in [&["self", "status"][..], &["self", "recovery"], &["self", "ssh-key", "list"]] {
            let output = own(host, "alice", arguments, &code);
            refused(&output, 1, "your second factor is that of a fleet, and cannot be seen or changed on this host");
        }
        assert_eq!(site.audit("event like 'self%'"), "");
        assert!(opens(host, "alice", code.trim()), "no code was used up");
    });
}

#[test]
fn a_hostile_host_changes_nothing_with_a_code_that_was_typed_on_it() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let alice = Enrolled::at(&fleet.host("desk"), "alice");
    let line = |ask: &str, more: &str| {
        format!(" version=1 ask={ask} user=alice uid=1001{more} attempt={}", "0".repeat(32)).into_bytes()
    };
    let (code, secret) = (alice.code(0), &alice.app.secret);
    let app = format!(" label=app secret={secret} code={code}");
    for (ask, more) in [
        ("self-status", String::new()),
        ("self-ssh-keys", String::new()),
        ("self-recovery", format!(" proof={code}")),
        ("self-reset", format!(" proof={code}")),
        ("self-replace", format!("{app} proof={code}")),
        ("self-enroll", app.clone()),
    ] {
        let answer = fleet.answer("web1", &line(ask, &more));
        assert_eq!(answer.in_short(), "failed not-root", "{ask}");
    }
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.audit where event like 'self%'"), "0");
    assert!(super::is_accepted(super::redeem(&fleet.host("web2").store(), &alice.person, &code)), "it was not burned");
}

#[test]
fn a_program_without_root_is_judged_by_the_fleet_and_a_code_is_good_once_there() {
    let _ = (server(), link());
    private_host(|host| {
        // Before the host is one of the fleet: after it, root makes such an account by --local alone.
        let admin = host.user_with_app("admin");
        let Some(mut site) = Site::new(host, "\"login\"") else { return };
        let (alice, _broker) = (&site.alice, host.broker());
        host.add_user("mallory");
        let locker = |by: &str, user: &str| host.login(user).uid(uid_of(by));
        for wrong in alice.app.wrong_codes().take(5) {
            assert_eq!(locker("alice", "alice").typing(&wrong).code(), ReturnCode::AUTH_ERR);
        }
        let code = alice.code(0);
        assert_eq!(locker("alice", "alice").typing(&code).code(), ReturnCode::MAXTRIES);
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "reason=throttled"]);
        assert!(opens(host, "alice", &code), "a program that guesses delays no login");
        assert!(site.machine.tool(&["unlock", "alice"]).status.success());

        let code = alice.code(1);
        assert_eq!(locker("alice", "alice").typing(&code).code(), ReturnCode::SUCCESS);
        host.assert_logged(&["pam_twofactor(broker:auth): accepted user=alice", "token=app"]);
        assert_eq!(locker("alice", "alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["pam_twofactor(broker:auth): denied user=alice", "reason=replayed"]);
        assert!(!opens(host, "alice", &code), "it is burned for logins, too");
        assert_eq!(locker("mallory", "alice").typing(alice.wrong()).code(), ReturnCode::AUTHINFO_UNAVAIL);

        // The account of this host comes first, and needs no server.
        assert!(site.audit("name = 'admin'").is_empty());
        assert_eq!(locker("admin", "admin").typing(admin.code()).code(), ReturnCode::SUCCESS);
        // Also where the policy asks first whether the user has an account: the fleet has none, and a code would be waived.
        let text = fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap();
        host.configure(&format!("{text}[default]\nsecond_factor = \"optional\"\n"));
        assert_eq!(locker("admin", "admin").typing(admin.wrong_code()).code(), ReturnCode::AUTH_ERR);
        host.configure(&text);
        drop(site.serving.0.kill());
        let _ = site.serving.0.wait();
        let recovery = alice.recovery[0].expose();
        assert_eq!(locker("alice", "alice").typing(recovery).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["broker:auth", "user=alice", "no server of the fleet answers: otp1.example.org"]);
        assert_eq!(locker("admin", "admin").typing(&admin.recovery_codes[0]).code(), ReturnCode::SUCCESS);
        drop(site.linked.take());
        assert_eq!(locker("alice", "alice").typing(recovery).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["broker:auth", "user=alice", "no link to the servers of the fleet listens"]);
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists(), "no account is made here");
        let _ = fs::metadata(LINK);
    });
}

#[test]
fn a_first_app_takes_an_invitation_of_the_central_machine_that_is_the_users_own_unused_and_not_too_old() {
    if !requirements::stopped_clock_met() {
        return;
    }
    let _ = (server(), link());
    private_host(|host| {
        let Some(machine) = Machine::new() else { return };
        machine.make_keys();
        let rule = may(WEB1, "\"login\", \"enroll\", \"self\"");
        machine.configure(&format!("[enrollment]\ninvitation = \"required\"\n{rule}"));
        let _serving = machine.serve();
        let (_linked, _broker) = (join(host, &machine, &machine.site.host(WEB1)), host.broker());
        for user in ["bob", "carol"] {
            host.add_user(user);
        }
        let invited = |mut command: Command| json(&command.output().unwrap());
        let invite = |user: &str| invited(machine.tool_command(&["invite", user, "--json"]));
        let code = |invited: &Value| invited["invitation"].as_str().unwrap().to_owned();
        let enroll = |user: &str, typed: &str| {
            let command = host.twofactor_of(user, &["--json", "self", "enroll", "--qr", "none"]);
            answering_for_the_secret(command, &format!("{typed}\n"), |phone| format!("{}\n", phone.code(0)))
        };
        let not_enrolled = |user: &str, typed: &str| {
            let (phone, output) = enroll(user, typed);
            assert_eq!(output.status.code(), Some(5), "{}", said(&output));
            assert!(!opens(host, user, &phone.code(1)));
        };

        assert_eq!(status(host, "bob")["may_enroll"], "invitation");
        refused(&own(host, "bob", &["self", "enroll"], "\n"), 5, "takes an invitation code");
        // By a clock that is behind, within what a server takes: it is good for some seconds.
        let short = invited(off(machine.tool_command(&["invite", "bob", "--valid", "1m", "--json"]), "-55"));
        let until = now().seconds() + 5;
        let carols = code(&invite("carol"));
        not_enrolled("bob", &carols);
        while now().seconds() <= until {
            sleep(Duration::from_millis(100));
        }
        not_enrolled("bob", &code(&short));

        let bobs = code(&invite("bob"));
        let (phone, output) = enroll("bob", &bobs);
        assert_eq!(recovery_codes(&json(&output)).len(), 10);
        assert!(opens(host, "bob", &phone.code(1)));
        let reset = machine.tool(&["reset", "bob", "--yes"]);
        assert!(reset.status.success(), "{}", said(&reset));
        not_enrolled("bob", &bobs);
        let (_, output) = enroll("carol", &carols);
        assert!(output.status.success(), "carol's was not used by bob: {}", said(&output));
        let made = machine
            .postgres
            .sql("select name, detail from twofactor.audit where event = 'self-enroll' order by number");
        assert_eq!(made.matches("changed").count(), 2, "{made}");
    });
}
