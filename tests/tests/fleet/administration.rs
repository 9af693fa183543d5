//! `twofactor` on the machine of the central store: what a sysadmin does there counts at the next login on every host.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::security_key::public_line;

use super::login::{WEB1, join};
use super::program::{Backing, Machine, said};
use super::{Enrolled, now};

/// The machine of a fleet with the host [`WEB1`].
pub(crate) fn central_machine() -> Option<Machine> {
    let machine = Machine::with(&format!("[[host]]\nname = \"{WEB1}\"\n"))?;
    Some(machine)
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The phone of a user whom the sysadmin enrolls.
fn phone(enrolled: &Value) -> Authenticator {
    let secret = enrolled["secret"].as_str().unwrap().to_owned();
    Authenticator { secret, algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) }
}

/// A user whom the sysadmin enrolls on this machine.
pub(crate) fn enrolled<S: Backing>(machine: &Machine<S>, name: &str) -> Enrolled {
    let shown = json(&machine.tool(&["enroll", name, "--no-confirm", "--json"]));
    let person = Person { name: UserName::new(name).unwrap(), uid: Uid(1001) };
    let recovery = shown["recovery_codes"].as_array().unwrap().iter().map(|code| {
        let digits = code.as_str().unwrap().replace('-', "");
        RecoveryCode::new(digits.into()).unwrap()
    });
    let recovery = recovery.collect();
    Enrolled { person, app: phone(&shown), recovery }
}

fn code(phone: &Authenticator, steps: u64) -> String {
    phone.codes_from(now().seconds() + steps * 30, 1).remove(0)
}

#[test]
fn what_a_sysadmin_does_on_the_central_machine_counts_at_the_next_login_of_a_host() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central_machine() else { return };
        let _serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        counts_at_the_next_login(host, &machine);
        // The log has the logins on the hosts beside the changes.
        let log = machine.tool(&["log", "--user", "alicia", "--json-lines"]);
        let text = said(&log);
        let lines = || text.lines().filter(|line| line.starts_with('{'));
        let has = |parts: &[&str]| lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(has(&["\"accepted\"", "\"alice\"", WEB1, "\"app\""]), "{text}");
        assert!(has(&["\"denied\"", WEB1, "\"throttled\""]) && has(&["\"denied\"", "\"wrong-code\"", WEB1]), "{text}");
        assert!(has(&["\"account-renamed\"", "\"alicia\"", "\"root\""]), "{text}");
        assert_eq!(lines().filter(|line| line.contains("\"recovery-replaced\"")).count(), 1, "{text}");
        let who = "select string_agg(event, ' ' order by number) from twofactor.audit where who = 'root' and host = ''";
        assert_eq!(
            machine.postgres.sql(who),
            "enrolled unlocked code-given recovery-replaced unlocked account-renamed reset"
        );
    });
}

/// A deed of a sysadmin on the central machine counts at the next login of the private host, which is [`WEB1`].
pub(crate) fn counts_at_the_next_login<S: Backing>(host: &Host, machine: &Machine<S>) {
    let enroll = machine.tool(&["enroll", "alice", "--no-confirm", "--json"]);
    let alice = phone(&json(&enroll));
    assert!(said(&enroll).contains("this machine does not know alice"), "{}", said(&enroll));
    host.add_user("alice");
    assert_eq!(host.login("alice").typing(code(&alice, 0)).code(), ReturnCode::SUCCESS);
    let status = json(&machine.tool(&["status", "alice", "--json"]));
    assert!(status["last_accepted"].is_object() || status["last_accepted"].is_string(), "{status}");

    // Wrong codes, until they are refused unseen, and the way out.
    for wrong in alice.wrong_codes().take(7) {
        let _ = host.login("alice").typing(wrong).code();
    }
    assert_eq!(host.login("alice").typing(code(&alice, 1)).code(), ReturnCode::MAXTRIES);
    let unlocked = json(&machine.tool(&["unlock", "alice", "--json"]));
    assert_eq!(unlocked["failures"], 5, "{unlocked}");
    // Kept: a step may begin before it is typed again.
    let used = code(&alice, 1);
    assert_eq!(host.login("alice").typing(&used).code(), ReturnCode::SUCCESS);

    let given = json(&machine.tool(&["code", "alice", "--json"]));
    let given = given["code"].as_str().unwrap().to_owned();
    assert_eq!(host.login("alice").typing(&given).code(), ReturnCode::SUCCESS);
    assert_eq!(host.login("alice").typing(&given).code(), ReturnCode::AUTH_ERR);
    let recovery = json(&machine.tool(&["recovery", "alice", "--json"]));
    let recovery = recovery["recovery_codes"][0].as_str().unwrap().to_owned();
    assert_eq!(host.login("alice").typing(recovery).code(), ReturnCode::SUCCESS);

    json(&machine.tool(&["unlock", "alice", "--json"]));
    json(&machine.tool(&["rename", "alice", "alicia", "--yes", "--json"]));
    host.add_user("alicia");
    assert_eq!(host.login("alice").typing(code(&alice, 2)).code(), ReturnCode::AUTH_ERR);
    assert_eq!(host.login("alicia").typing(&used).code(), ReturnCode::AUTH_ERR, "used before");
    let reset = machine.tool(&["reset", "alicia", "--yes", "--json"]);
    assert!(reset.status.success(), "{}", said(&reset));
    assert_eq!(host.login("alicia").typing(code(&alice, 2)).code(), ReturnCode::AUTH_ERR);
    host.assert_logged(&["user=alicia", "reason=not-enrolled"]);
    assert!(!Path::new("/var/lib/twofactor/users").exists(), "no file of this machine was touched");
}

#[test]
fn a_command_about_this_machine_is_not_handed_over() {
    let Some(machine) = central_machine() else { return };
    let shown = machine.tool(&["config", "check"]);
    assert!(shown.status.success(), "{}", said(&shown));
    let unknown = machine.tool(&["reset", "nobody-there", "--yes"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", said(&unknown));
}

#[test]
fn a_damaged_account_is_named_and_a_reset_is_the_way_out() {
    let Some(machine) = central_machine() else { return };
    let enrolled = json(&machine.tool(&["enroll", "alice", "--no-confirm", "--json"]));
    machine.postgres.sql("update twofactor.state set sealed = set_byte(sealed, 39, 255 - get_byte(sealed, 39))");
    let status = machine.tool(&["status", "alice"]);
    assert!(!status.status.success() && said(&status).contains("was changed or moved"), "{}", said(&status));
    json(&machine.tool(&["enroll", "bob", "--no-confirm", "--json"]));
    machine.postgres.sql("delete from twofactor.state where name = 'bob'");
    let check = said(&machine.run(&["check"]));
    assert!(
        check.contains("problem  the record of alice was changed") && check.contains("the state of bob is missing"),
        "{check}"
    );
    let reset = machine.tool(&["reset", "bob", "--yes"]);
    assert!(reset.status.success(), "{}", said(&reset));
    let reset = machine.tool(&["reset", "alice", "--yes"]);
    assert!(reset.status.success(), "{}", said(&reset));
    let check = said(&machine.run(&["check"]));
    assert!(check.contains("ok       every record opens: 2 accounts, 0 tokens"), "{check}");
    let again = json(&machine.tool(&["enroll", "alice", "--no-confirm", "--json"]));
    assert_ne!(again["secret"], enrolled["secret"]);
}

#[test]
fn on_a_host_of_a_fleet_only_enroll_local_makes_an_account_and_it_works_without_a_server() {
    private_host(|host| {
        let fleet = "[fleet]\nservers = [\"otp1.example.org\"]\nca = \"/etc/ca.pem\"\ncertificate = \"/etc/c.pem\"\nkey = \"/etc/k.pem\"\n";
        host.configure(fleet);
        host.add_user("admin");
        let tool = |arguments: &[&str]| host.command(&debug().tool).args(arguments).output().unwrap();
        // What was handed out or comes from elsewhere makes none either.
        let fob = Fob::clock(1);
        host.private_file("tokens.csv", &seed_file(std::slice::from_ref(&fob)));
        json(&tool(&["token", "import", "/root/tokens.csv", "--json"]));
        host.private_file("list.csv", &format!("{},admin\n", fob.serial));
        host.private_file("users.csv", "admin\n");
        host.private_file("key.pub", &public_line(1, "admin's"));
        host.private_file("uri.txt", "otpauth://totp/admin?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n");
        host.private_file("users.oath", "HOTP/T30 admin - 3132333435363738393031323334353637383930\n");
        for command in [
            &["enroll", "admin", "--no-confirm"][..],
            &["enroll", "--from", "/root/users.csv", "--qr-dir", "/root/codes"],
            &["invite", "admin"],
            &["token", "assign", &fob.serial, "admin"],
            &["token", "assign", "--from", "/root/list.csv"],
            &["ssh-key", "add", "admin", "/root/key.pub"],
            &["import", "otpauth", "/root/uri.txt", "--user", "admin"],
            &["import", "oath-users", "/root/users.oath"],
        ] {
            let refused = tool(command);
            assert!(!refused.status.success(), "{command:?}: {}", said(&refused));
            assert!(said(&refused).contains("has no account of this host alone"), "{command:?}: {}", said(&refused));
            assert!(!Path::new("/var/lib/twofactor/users/admin").exists(), "{command:?}");
        }
        let refused = tool(&["enroll", "admin", "--no-confirm"]);
        assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
        assert!(said(&refused).contains("twofactor enroll --local admin"), "{}", said(&refused));
        // A helpdesk without root neither.
        host.succeed("groupadd", ["helpdesk"]);
        host.add_user("hanna");
        host.succeed("gpasswd", ["--add", "hanna", "helpdesk"]);
        host.configure(&format!("{fleet}[[helpdesk]]\ngroup = \"helpdesk\"\n"));
        let broker = host.broker();
        for command in [&["code", "admin"][..], &["token", "assign", &fob.serial, "admin"]] {
            let refused = host.run_twofactor_of("hanna", command, "");
            assert!(!refused.status.success(), "{command:?}: {}", said(&refused));
            assert!(said(&refused).contains("only root can do this"), "{command:?}: {}", said(&refused));
            assert!(!Path::new("/var/lib/twofactor/users/admin").exists(), "{command:?}");
        }
        drop(broker);
        host.configure(fleet);
        let admin = phone(&json(&tool(&["enroll", "--local", "admin", "--no-confirm", "--json"])));
        assert_eq!(host.login("admin").typing(code(&admin, 0)).code(), ReturnCode::SUCCESS);
        // The account is there from now on, and is administered as any.
        json(&tool(&["enroll", "admin", "--no-confirm", "--replace", "--json"]));
    });
}
