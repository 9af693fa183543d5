//! Every command of `twofactor` on the machine of the central store, in PostgreSQL and in files: what is about accounts acts there, what is
//! about this machine acts on its own files, and a refusal has its exit code and its way out.
//!
//! Invariant: a command that comes to be, and has no row here, fails the stories.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use twofactor_tests::artifacts::{debug, server};
use twofactor_tests::fob::{Fob as HardwareToken, seed_file};
use twofactor_tests::manual::all_commands;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::security_key::public_line;
use twofactor_tests::terminal::{Size, Terminal};

use super::administration::central_machine;
use super::embedded::Files;
use super::program::{Backing, Machine, said};

/// Texts that a command has to print.
type Words<'w> = &'w [&'w str];

/// The commands of the tool, and those that were tried on a private host.
pub(crate) struct Tried<'h> {
    host: &'h Host,
    commands: BTreeSet<Vec<String>>,
    seen: RefCell<BTreeSet<Vec<String>>>,
}

impl<'h> Tried<'h> {
    /// Nothing was tried yet of all commands that have no further ones below.
    pub(crate) fn none(host: &'h Host, commands: &BTreeMap<Vec<String>, String>) -> Self {
        let is_above = |one: &[String], other: &[String]| other.len() > one.len() && other.starts_with(one);
        let leaves = commands.keys().filter(|one| !commands.keys().any(|other| is_above(one, other)));
        Self { host, commands: leaves.cloned().collect(), seen: RefCell::default() }
    }

    /// Runs a line as root of this host, with an answer on standard input.
    fn answered(&self, line: &str, answer: &str) -> Output {
        let words: Vec<&str> = line.split(' ').collect();
        let path = |length: usize| words.iter().take(length).map(|&word| word.to_owned()).collect::<Vec<_>>();
        let command = (1..=words.len()).map(path).find(|path| self.commands.contains(path));
        self.seen.borrow_mut().extend(command);
        let mut command = self.host.command(&debug().tool);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // A command that asks nothing takes nothing.
        let _ = process.stdin.take().unwrap().write_all(answer.as_bytes());
        process.wait_with_output().unwrap()
    }

    #[track_caller]
    pub(crate) fn ends(&self, line: &str, status: i32, words: Words<'_>) -> String {
        let output = self.answered(line, "");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(status), "twofactor {line}: {text}");
        for word in words {
            assert!(text.contains(word), "twofactor {line}: {word}: {text}");
        }
        text
    }

    /// Root has no second factor of its own to change.
    pub(crate) fn refuses_root_as_a_user(&self) {
        for line in [
            "self status",
            "self enroll",
            "self replace",
            "self recovery",
            "self reset",
            "self token 1",
            "self ssh-key add /root/key.pub",
            "self ssh-key list",
            "self ssh-key remove hers",
        ] {
            self.ends(line, 4, &["root changes users with the commands for each user"]);
        }
    }

    /// A refusal, with the words of the command itself or of a list's line.
    #[track_caller]
    pub(crate) fn is_refused(&self, line: &str) -> String {
        let output = self.answered(line, "");
        assert!(!output.status.success(), "twofactor {line}: {}", said(&output));
        said(&output)
    }

    #[track_caller]
    pub(crate) fn does(&self, line: &str, words: Words<'_>) -> String {
        self.ends(line, 0, words)
    }

    /// Each row is a line and what it prints.
    #[track_caller]
    pub(crate) fn all_do(&self, rows: &[(&str, Words<'_>)]) {
        for (line, words) in rows {
            self.does(line, words);
        }
    }

    /// Each row is a line, its exit code, and what it prints: the refusal and the way out.
    #[track_caller]
    pub(crate) fn all_end(&self, rows: &[(&str, i32, Words<'_>)]) {
        for (line, status, words) in rows {
            self.ends(line, *status, words);
        }
    }

    /// A command that a person at a terminal has to confirm by a line.
    pub(crate) fn is_confirmed(&self, line: &str, typed: &str) -> String {
        // It refuses a pipe, and counts as tried.
        self.ends(line, 7, &["is no terminal"]);
        let mut command = self.host.command(&debug().tool);
        command.args(line.split(' '));
        let mut terminal = Terminal::start(&command, Size::LARGE);
        terminal.expect("to go on: ");
        terminal.type_line(typed);
        let status = terminal.wait();
        assert!(status.success(), "{line}: {}", terminal.shown());
        terminal.shown()
    }

    /// Fails where a command was not tried.
    pub(crate) fn is_complete(&self) {
        let seen = self.seen.borrow();
        let left: Vec<String> = self.commands.difference(&seen).map(|command| command.join(" ")).collect();
        assert!(left.is_empty(), "these commands have no row in this story: {left:#?}");
    }
}

/// Files of other systems and vendors in root's home.
pub(crate) fn prepare(host: &Host, tokens: &[HardwareToken; 2]) {
    host.private_file("tokens.csv", &seed_file(tokens));
    host.private_file("pairs.csv", &format!("{},dora\n", tokens[1].serial));
    host.private_file("users.txt", "erin\nfrank\n");
    host.private_file("key.pub", &public_line(1, "hers"));
    host.private_file("uri.txt", "otpauth://totp/Acme:gina?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme\n");
    host.private_file("users.oath", "HOTP/T30 henry - 3132333435363738393031323334353637383931\n");
    host.private_file("google", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n\" TOTP_AUTH\n12345678\n");
    let migration =
        "otpauth-migration://offline?data=CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC";
    host.private_file("migration.txt", migration);
    host.private_file(
        "aegis.json",
        r#"{"db":{"entries":[{"type":"totp","name":"a","info":{"secret":"MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"}}]}}"#,
    );
    host.private_file(
        "2fas.json",
        r#"{"services":[{"name":"a","secret":"OV3HO6DZPJQWEY3EMVTGO2DJNJVWY3LO","otp":{"tokenType":"TOTP"}}]}"#,
    );
    host.private_file("u2f", "alice:aaaa,bbbb,es256,+presence\n");
    host.private_file("identity", &format!("{IDENTITY}\n"));
}

/// A recipient of backups, and its identity.
pub(crate) const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

/// Accounts of users whom this machine knows, as alice, or does not know.
fn accounts(tried: &Tried<'_>) {
    tried.all_do(&[
        ("status", &["No user is enrolled."]),
        ("enroll alice --no-confirm --qr none", &["alice is enrolled with token \"app\""]),
        ("enroll bob --no-confirm --qr none", &["this machine does not know bob: the name counts on all hosts"]),
        ("enroll --from /root/users.txt --qr-dir /root/codes", &["2 users: 2 enrolled, 0 enrolled before, 0 failed"]),
        ("enroll alice --replace --no-confirm --qr none", &["alice is enrolled"]),
        ("status", &["4 users: 4 enrolled", "frank  app (totp)"]),
        ("status bob", &["User:            bob", "Recovery codes:  10 left"]),
        // root has none, and alice has one in the central store.
        ("status --missing", &["root", "enroll", "nothing", "administrator"]),
        ("status --csv", &["user,uid,uid_now,tokens,", "\nalice,,", "\nfrank,,"]),
        ("status --missing --csv", &["root,0,enroll,,nothing,"]),
    ]);
    let missing = tried.does("status --missing", &[]);
    assert!(!missing.contains("alice"), "{missing}");
    tried.all_end(&[
        ("verify alice 12345", 5, &["that is no code (wrong-code)"]),
        ("verify nemo 12345", 3, &["nemo is not enrolled", "twofactor enroll nemo"]),
        ("status nemo", 3, &["nemo is not enrolled", "twofactor enroll nemo"]),
        ("qr bob", 7, &["bob's app \"app\" is in use", "twofactor enroll --label=app --replace bob"]),
    ]);
    tried.all_do(&[
        ("reset bob --keep-secret --yes", &["bob's app opens no login until a code confirms it"]),
        ("qr bob --qr none", &["A secret for bob", "otpauth://totp/"]),
        ("reset bob --yes", &["bob is no longer enrolled"]),
        ("recovery alice", &["The old recovery codes are void."]),
        ("unlock alice", &["alice had no wrong codes counted"]),
        ("invite carol", &["carol can enroll at login, once, until"]),
        ("invite carol --revoke", &["carol's invitation"]),
        ("code alice", &["alice can log in, once, until"]),
    ]);
    let renamed = tried.does("rename alice alicia --yes", &["alice's account is alicia's now", "Undo: \"twofactor"]);
    assert!(!renamed.contains("usermod"), "hosts have names of their own: {renamed}");
    tried.does("rename alicia alice --yes", &["alicia's account is alice's now"]);
    let exported = tried.is_confirmed("export --user alice --plaintext", "alice");
    assert!(exported.contains("otpauth://totp/"), "{exported}");
}

/// Physical tokens, whose codes are typed.
fn tokens(tried: &Tried<'_>, [first, second]: &[HardwareToken; 2]) {
    let (one, two) = (first.serial.as_str(), second.serial.as_str());
    let line = |words: &str| words.replace("ONE", one).replace("TWO", two);
    tried.does("token import /root/tokens.csv --series acme", &["imported 2 tokens", "acme (new)"]);
    tried.does("token list", &[one, two, "2 tokens: 2 inventory"]);
    tried.does(&line("token assign ONE alice"), &["is assigned to alice."]);
    tried.does("token assign --from /root/pairs.csv", &["Assigned 1 token.", "does not know dora"]);
    tried.does(&line("token show TWO"), &["State:           assigned", "dora"]);
    let right = tried.answered(&line("token verify ONE"), &format!("{}\n", first.authenticator.code(0)));
    assert!(said(&right).contains(&line("right for alice's token ONE")), "{}", said(&right));
    tried.does(&format!("verify alice {}", first.authenticator.code(0)), &["would be accepted (token"]);
    let [a, b] = first.authenticator.two_codes();
    tried.does(&format!("token identify {a} {b}"), &[&line("token ONE of alice")]);
    tried.does(&format!("token probe {one} {a} {b}"), &["fits: TOTP, SHA1, 6 digits, 30 s"]);
    tried.does(&format!("token resync {one} {a} {b}"), &["is in step again"]);
    tried.ends(&format!("token verify {one} {a}"), 5, &["it was used already (replayed)"]);
    tried.does(&line("token show ONE"), &["Last accepted:"]);
    for (words, said) in [
        ("token disable ONE", "is disabled"),
        ("token enable ONE", "is enabled"),
        ("token lost ONE", "is lost"),
        ("token revoke ONE --yes", "is revoked"),
    ] {
        tried.does(&line(words), &[said]);
    }
    tried.ends(&line("token unassign TWO"), 7, &["is the last credential of dora", "--force takes it all the same"]);
    tried.does(&line("token unassign TWO --force"), &[two]);
    tried.does("series list", &["acme    2"]);
    tried.does("series show acme", &["Revoked:   1", "2 new, 0 unchanged"]);
    tried.does(&line("token delete TWO --yes"), &[two]);
    tried.does("series delete acme --yes", &["acme"]);
    // Revoked is for good, also of a series that is gone.
    tried.does("token list", &[&line("ONE   revoked"), "1 token: 1 revoked"]);
}

/// Users of other systems, who come into the central store; and what no host of a fleet would look at.
fn imports(tried: &Tried<'_>) {
    let taken = |name: &str| format!("{name}: taken over with 1 app");
    for (line, name) in [
        ("import otpauth /root/uri.txt --user gina", "gina"),
        ("import oath-users /root/users.oath", "henry"),
        ("import google-authenticator /root/google --user ivy", "ivy"),
        ("import migration /root/migration.txt --user jack", "jack"),
        ("import aegis /root/aegis.json --user kim", "kim"),
        ("import twofas /root/2fas.json --user liam", "liam"),
    ] {
        let text = tried.does(line, &[&taken(name)]);
        assert_eq!(text.matches("this machine does not know").count(), 1, "{line}: {text}");
        tried.does(&format!("status {name}"), &["app, app-", "Uid:             not known"]);
    }
    tried.ends("import google-authenticator --user nemo", 3, &["knows no home folder of nemo", "FILE --user nemo"]);
    tried.does("import pam-u2f /root/u2f", &["Nothing was stored"]);
    let counts_nowhere: Words<'_> = &["ssh keys count at no host of a fleet", "twofactor enroll USER"];
    tried.ends("ssh-key add alice /root/key.pub", 7, counts_nowhere);
    tried.does("ssh-key list alice", &["alice has no ssh keys."]);
    tried.ends("ssh-key remove alice hers", 3, &["alice has no ssh key \"hers\""]);
}

/// The hosts of the fleet, and the completion of names.
fn fleet(tried: &Tried<'_>) {
    tried.all_do(&[
        ("host add web7.example.org", &["web7.example.org can join, once, until"]),
        ("host list", &["web7.example.org", "may join"]),
        ("host revoke web7.example.org", &["may ask nothing more"]),
        // It stands in no help.
        ("complete -- status hen", &["henry\n"]),
    ]);
    tried.ends("fleet status", 9, &["this host is none of a fleet", "twofactor fleet join SERVER"]);
    let joins = tried.answered("fleet join otp1.example.org", "AAAA\n");
    let text = said(&joins);
    assert_eq!(joins.status.code(), Some(5), "{text}");
    assert!(
        text.contains("a join code has 48 letters and digits") && text.contains("twofactor host add NAME"),
        "{text}"
    );
}

/// Each word that the commands before have left in the log, or in the lines of syslog that it reads on this machine.
fn log(tried: &Tried<'_>, syslog: &str) {
    let log = tried.does("log", &[]) + syslog;
    for event in [
        "enrolled",
        "reset",
        "secret-shown",
        "recovery-replaced",
        "unlocked",
        "invited",
        "code-given",
        "account-renamed",
        "secret-exported",
        "imported",
        "assigned",
        "resynced",
        "disabled",
        "enabled",
        "lost",
        "revoked",
        "unassigned",
        "host-added",
        "host-revoked",
    ] {
        assert!(log.contains(event), "{event}: {log}");
    }
    assert!(!log.contains("4294967295"), "a user of a fleet has no uid: {log}");
}

/// Commands about this machine, whose own logins ask no central store.
fn this_machine(tried: &Tried<'_>) {
    let (host, apart) = (tried.host, "do not ask the central store: it is none of the hosts");
    assert!(!Path::new("/var/lib/twofactor").exists(), "no file of this machine was touched");
    host.system_service("here", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
    tried.does("explain alice --service here", &["Enrolled:         no second factor", apart]);
    tried.all_do(&[
        ("service list --all", &["here"]),
        ("service disable login --yes", &["Nothing to do."]),
        ("state adopt --yes", &["/var/lib/twofactor is the state of this host"]),
        ("state mark", &["names the state of this host"]),
        ("state adopt-uids --yes", &["belongs to the uid that the user has now"]),
        ("migrate", &["No physical token is left to move."]),
        ("config check", &["/etc/twofactor/twofactor.toml: ok"]),
        ("config show", &["second_factor = \"enroll\""]),
        ("completions bash", &["complete"]),
        ("help token", &["Usage: twofactor token"]),
        ("version", &["twofactor "]),
    ]);
    tried.all_end(&[
        ("service enable here-not", 3, &["there is no PAM service \"here-not\""]),
        ("doctor", 1, &["state          ok           /var/lib/twofactor: 0 accounts"]),
    ]);
    tried.refuses_root_as_a_user();

    // An account of this machine alone is no one's in the fleet, and the way to it is said.
    host.add_user("admin");
    tried.does("enroll admin --local --no-confirm --qr none", &["admin is enrolled"]);
    tried.does("explain admin --service here", &["app \"app\" (totp)"]);
    for line in ["status admin", "reset admin --yes", "unlock admin", "verify admin 12345"] {
        tried.ends(
            line,
            7,
            &["has an account of this machine alone", "--config FILE, of a configuration without [store]"],
        );
    }
    fs::write("/etc/twofactor/local.toml", "").unwrap();
    tried.does("--config /etc/twofactor/local.toml reset admin --yes", &["admin is no longer enrolled."]);
}

fn every_command<S: Backing>(host: &Host, machine: &Machine<S>, whole: impl FnOnce(&Tried<'_>)) {
    // Where it stands by itself, and no option names it.
    host.configure(&fs::read_to_string(machine.config()).unwrap());
    let (tried, samples) = (Tried::none(host, &all_commands()), HardwareToken::samples());
    prepare(host, &samples);
    host.add_user("alice");
    accounts(&tried);
    tokens(&tried, &samples);
    imports(&tried);
    fleet(&tried);
    whole(&tried);
    this_machine(&tried);
    let after = tried.does("status", &["henry"]);
    assert!(!after.contains("admin"), "{after}");
    tried.is_complete();
}

#[test]
fn every_command_acts_on_postgresql_on_this_machine_or_is_refused_with_the_way_out() {
    let _ = (server(), debug());
    private_host(|host| {
        let Some(machine) = central_machine() else { return };
        every_command(host, &machine, |tried| {
            // All of it is in the database.
            log(tried, "");
            let refusal: Words<'_> = &["the central store of a fleet does not write backups", "pg_dump"];
            tried.ends(&format!("backup /root/new.age --recipient {RECIPIENT}"), 1, refusal);
            assert!(!Path::new("/root/new.age").exists());
            // A backup of a host without accounts.
            fs::write("/root/other.toml", "[paths]\nstate = \"/root/other\"\n").unwrap();
            tried.does(&format!("--config /root/other.toml backup /root/other.age --recipient {RECIPIENT}"), &[]);
            let restore = "restore /root/other.age --identity /root/identity --merge";
            tried.ends(restore, 1, &["the central store of a fleet does not read backups", "pg_restore"]);
        });
    });
}

#[test]
fn every_command_acts_on_a_store_in_files_on_this_machine_or_is_refused_with_the_way_out() {
    let _ = (server(), debug());
    private_host(|host| {
        let machine = Machine::on(Files::new());
        machine.make_keys();
        machine.configure("[[host]]\nname = \"web1.example.org\"\n");
        every_command(host, &machine, |tried| {
            let lines: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
            log(tried, &lines.join("\n"));
            tried.does(&format!("backup /root/fleet.age --recipient {RECIPIENT}"), &["accounts", "in /root/fleet.age"]);
            tried.does("reset henry --yes", &["henry is no longer enrolled"]);
            let restore = "restore /root/fleet.age --identity /root/identity";
            tried.ends(restore, 7, &["this host has accounts or physical tokens already", "--merge brings back"]);
            tried.does(&format!("{restore} --merge"), &["are back", "left as they are"]);
        });
    });
}
