//! Every command of `twofactor` on a host of a fleet: it acts on accounts of that host alone, asks the fleet, or says where to do it.
//!
//! Invariant: a command that comes to be, and has no row here, fails the story.

use std::fs;
use std::path::Path;

use twofactor_tests::artifacts::{debug, link, server};
use twofactor_tests::fob::Fob as HardwareToken;
use twofactor_tests::manual::all_commands;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::private_host;

use super::administration::{central_machine, enrolled};
use super::every_command::{RECIPIENT, Tried, prepare};
use super::login::{WEB1, join};

/// Commands about alice, who has an account in the fleet and none of this host alone.
fn are_sent_to_the_central_machine(tried: &Tried<'_>, serial: &str) {
    let assign = format!("token assign {serial} alice");
    for line in [
        "status alice",
        "verify alice 12345",
        "qr alice",
        "reset alice --yes",
        "recovery alice",
        "unlock alice",
        "invite alice",
        "code alice",
        "rename alice bob --yes",
        "export --user alice --plaintext",
        "enroll alice --no-confirm",
        &assign,
        "ssh-key add alice /root/key.pub",
        "ssh-key list alice",
        "ssh-key remove alice hers",
        "import otpauth /root/uri.txt --user alice",
        "import migration /root/migration.txt --user alice",
        "import aegis /root/aegis.json --user alice",
        "import twofas /root/2fas.json --user alice",
        "import google-authenticator /root/google --user alice",
    ] {
        let text = tried.is_refused(line);
        assert!(
            text.contains("this is a host of a fleet, and alice has no account of this host alone"),
            "{line}: {text}"
        );
    }
    for line in ["enroll alice --no-confirm", "status alice", "rename alice bob --yes"] {
        let hint =
            "do it on the central machine; \"twofactor enroll --local alice\" makes an account of this host alone";
        tried.ends(line, 7, &[hint]);
    }
    for line in ["host add web7.example.org", "host list", "host revoke web7.example.org"] {
        tried.ends(line, 9, &["no central store of a fleet", "run it on the machine whose twofactor.toml has [store]"]);
    }
}

/// These ask the servers, or say how a login through them ends.
fn ask_the_fleet(tried: &Tried<'_>) {
    tried.does("fleet status", &["twofactor-link runs.", &format!("This host is {WEB1}"), "answers"]);
    tried.ends(
        "fleet join otp1.example.org",
        7,
        &["this host is one of a fleet already", "with --again it joins anew"],
    );
    let explained =
        ["Enrolled:         in the fleet", "Right code:       accepted (PAM_SUCCESS)", "with a recovery code"];
    tried.does("explain alice --service here", &explained);
    tried.does("explain alice --service here --json", &["\"fleet\": true", "\"credentials\": []"]);
    tried.does("explain bob --service here", &["Enrolled:         no second factor", "refused: not enrolled"]);
    tried.does("status --missing", &["alice", "what its fleet knows"]);
    tried.does("status", &["Accounts of this host alone; those of the fleet are on its central machine."]);
    tried.does("status --csv", &["user,uid,"]);
}

/// Accounts and tokens of this host alone, and its files.
fn act_on_this_host(tried: &Tried<'_>, [first, second]: &[HardwareToken; 2]) {
    let one = first.serial.as_str();
    let line = |words: &str| words.replace("ONE", one).replace("TWO", &second.serial);
    let [a, b] = first.authenticator.two_codes();
    tried.all_do(&[
        ("state mark", &["Nothing is kept yet."]),
        ("enroll admin --local --no-confirm --qr none", &["admin is enrolled"]),
        ("state adopt --yes", &["is the state of this host already"]),
        ("state adopt-uids --yes", &["Each account of a user of this host belongs to the uid"]),
        ("migrate", &["No physical token is left to move."]),
        ("status admin", &["app, app-"]),
        ("explain admin --service here", &["app \"app\" (totp)"]),
        ("token import /root/tokens.csv --series acme", &["imported 2 tokens"]),
        ("import pam-u2f /root/u2f", &["Nothing was stored"]),
        ("token list", &[one]),
        ("series list", &["acme"]),
        ("series show acme", &["2 new"]),
        (&line("token assign ONE admin"), &["is assigned to admin"]),
        (&line("token show ONE"), &["admin"]),
        (&format!("token identify {a} {b}"), &[one]),
        (&format!("token probe {one} {a} {b}"), &["fits: TOTP"]),
        (&format!("token resync {one} {a} {b}"), &["is in step again"]),
        (&line("token disable ONE"), &["is disabled"]),
        (&line("token enable ONE"), &["is enabled"]),
        (&line("token lost ONE"), &["is lost"]),
        (&line("token unassign ONE"), &[one]),
        (&line("token revoke ONE --yes"), &["is revoked"]),
        (&line("token delete TWO --yes"), &[&second.serial]),
        ("series delete acme --yes", &["acme"]),
        ("unlock admin", &["admin had no wrong codes counted"]),
        (&format!("backup /root/host.age --recipient {RECIPIENT}"), &["1 account"]),
        ("reset admin --yes", &["admin is no longer enrolled"]),
        ("restore /root/host.age --identity /root/identity --merge", &["accounts of this host alone", "admin"]),
        ("reset admin --yes", &["admin is no longer enrolled"]),
        ("service list --all", &["here"]),
        ("config check", &["ok"]),
        ("config show", &["[default]"]),
        ("completions bash", &["complete"]),
        ("help token", &["Usage: twofactor token"]),
        ("version", &["twofactor "]),
    ]);
    fs::write("/var/log/auth.log", "").unwrap();
    tried.does("log", &["token", "imported"]);
    tried.ends(&line("token verify ONE 12345"), 7, &["is revoked", "use another token"]);
    tried.ends("import oath-users /root/users.oath", 8, &["there is no user \"henry\""]);
    tried.ends("service enable here-not", 3, &["there is no PAM service \"here-not\""]);
    tried.ends("doctor", 1, &["fleet ", "no-local-administrator"]);
    tried.refuses_root_as_a_user();
}

#[test]
fn every_command_of_a_host_acts_on_its_own_accounts_asks_the_fleet_or_says_where_to_do_it() {
    let _ = (server(), link(), debug());
    private_host(|host| {
        let Some(machine) = central_machine() else { return };
        let _serving = machine.serve();
        let _linked = join(host, &machine, &machine.site.host(WEB1));
        let (tried, samples) = (Tried::none(host, &all_commands()), HardwareToken::samples());
        prepare(host, &samples);
        host.system_service("here", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
        let alice = enrolled(&machine, "alice");
        for name in ["alice", "bob", "admin"] {
            host.add_user(name);
        }

        are_sent_to_the_central_machine(&tried, &samples[0].serial);
        ask_the_fleet(&tried);
        // A folder of records beside no folder of users would refuse the fleet's users, too.
        tried.does("service disable login --yes", &["Nothing to do."]);
        let code = alice.code(0);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        fs::remove_dir_all("/var/lib/twofactor").unwrap();
        act_on_this_host(&tried, &samples);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR, "no command gave it back");
        assert_eq!(host.login("alice").typing(alice.code(1)).code(), ReturnCode::SUCCESS);
        assert!(!Path::new("/var/lib/twofactor/users/alice").exists(), "no account of the fleet's user was made here");
        let of_root = "select string_agg(distinct event, ' ') from twofactor.audit where who = 'root' and host = ''";
        assert_eq!(machine.postgres.sql(of_root), "enrolled", "root of a host changes nothing in the fleet");
        tried.is_complete();
    });
}
