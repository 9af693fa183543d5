//! From a fresh Debian to a protected sshd and back: install, log in, upgrade, log in, remove, log in, purge.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

use twofactor_tests::debian::{SHIPPED, debian};
use twofactor_tests::first_login::{CONFIRM, ENROLL, Offer, WRITE_DOWN, client, recovery_codes};
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::qr;
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::{Size, Terminal};

use crate::system::{
    assert_pam_names_nothing_missing, assert_same, contents, done, install, module, newer, ssh, switch_on,
};

/// Everything on the system's own disk.
fn everything(host: &Host) -> BTreeSet<String> {
    let found = host.succeed("find", ["/", "-xdev", "-not", "-path", "/root/*", "-printf", "%p\\n"]);
    found.lines().map(str::to_owned).collect()
}

/// What dpkg and apt write whenever any package is installed or removed.
fn of_dpkg(path: &str) -> bool {
    ["/var/lib/dpkg/", "/var/log/", "/var/cache/", "/var/lib/apt/"].iter().any(|folder| path.starts_with(folder))
}

#[test]
fn from_a_fresh_debian_to_a_protected_sshd_and_back() {
    debian(|host| {
        host.add_user("alice");
        let files = everything(host);
        let mut settings = contents(&["/etc"]);

        let started = Instant::now();
        done(host, "apt-get", &["install", "--yes", SHIPPED]);
        println!("apt-get install took {:.2?}", started.elapsed());
        assert!(ssh(&host.own_sshd(), "").opened(), "installing switches nothing on");

        // The second of the two commands in the README. The first administrator is enrolled on the way.
        host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
        let mut terminal = Terminal::start(&host.twofactor(&["service", "enable", "sshd"]), Size::LARGE);
        terminal.expect("Enroll alice now? [y/N] ");
        terminal.type_line("y");
        let app = Authenticator::shown_in(&terminal.expect("Code from the app: "));
        terminal.type_line(&app.code(0));
        terminal.expect("Write the recovery codes down, then press Enter: ");
        terminal.type_line("");
        terminal.expect("Change these files? [y/N] ");
        terminal.type_line("y");
        assert!(terminal.wait().success(), "{}", terminal.shown());
        {
            let sshd = host.own_sshd();
            let session = ssh(&sshd, &app.code(1));
            assert!(session.opened(), "{}", said(&session.output));
            // From here on time does not matter.
            let alice = host.enroll("alice", &["--counter", "--replace"]);
            let session = ssh(&sshd, &alice.wrong_code());
            assert!(!session.opened(), "a wrong code");
            let session = ssh(&sshd, &alice.next_code());
            assert!(session.opened(), "{}", said(&session.output));
            assert_eq!(session.prompts, ["Password: ", "Verification code: "]);

            // The same sshd goes on running while the module is replaced.
            let before = fs::metadata(module()).unwrap().ino();
            done(host, "dpkg", &["--install", &newer(host)]);
            assert_ne!(fs::metadata(module()).unwrap().ino(), before, "the module is another file, by rename");
            assert!(host.succeed("dpkg-query", ["-W", "libpam-twofactor"]).contains("99.0-1"));
            assert!(!ssh(&sshd, &alice.wrong_code()).opened(), "a wrong code after the upgrade");
            let session = ssh(&sshd, &alice.next_code());
            assert!(session.opened(), "after the upgrade: {}", said(&session.output));
            assert_eq!(session.prompts, ["Password: ", "Verification code: "]);

            done(host, "apt-get", &["remove", "--yes", "libpam-twofactor"]);
            assert_pam_names_nothing_missing();
            let session = ssh(&sshd, "");
            assert!(session.opened(), "the sshd that was running: {}", said(&session.output));
            assert_eq!(session.prompts, ["Password: "]);
        }
        assert!(ssh(&host.own_sshd(), "").opened(), "a new sshd");
        assert!(Path::new("/var/lib/twofactor/users/alice/secret.toml").exists(), "removing keeps the secrets");
        assert!(Path::new("/etc/twofactor/twofactor.toml").exists(), "removing keeps the configuration");

        host.succeed("gpasswd", ["--delete", "alice", "sudo"]);
        done(host, "dpkg", &["--purge", "libpam-twofactor"]);
        let left: Vec<_> =
            everything(host).into_iter().filter(|path| !files.contains(path) && !of_dpkg(path)).collect();
        assert_eq!(left, Vec::<String>::new(), "left behind");
        let mut now = contents(&["/etc"]);
        // useradd and its kin keep the last version of what they change.
        now.retain(|path, _| !path.ends_with('-'));
        settings.retain(|path, _| !path.ends_with('-'));
        assert_same(&settings, &now);
    });
}

#[test]
fn a_first_login_over_ssh_sets_up_an_app_and_its_codes_open_sessions_once() {
    debian(|host| {
        host.add_user("alice");
        install(host);
        host.configure(ENROLL);
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes", "--force"]);
        let sshd = host.own_sshd();
        let mut terminal = sshd.terminal(&client("alice"));
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        let shown = terminal.expect(CONFIRM);
        let offer = Offer::read(&shown);
        assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(offer.uri.as_str()), "{shown}");
        let code = offer.app.code(0);
        terminal.type_line(&code);
        let recovery = recovery_codes(&terminal.expect(WRITE_DOWN));
        assert_eq!(recovery.len(), 10);
        terminal.type_line("");
        terminal.expect("$ ");
        drop(terminal);
        sshd.wait_until_everybody_left();

        assert!(!ssh(&sshd, &code).opened(), "the confirmation is used");
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        let next = ssh(&sshd, &offer.app.code(1));
        assert!(next.opened(), "{}", said(&next.output));
        assert_eq!(next.prompts, ["Password: ", "Verification code: "]);
        assert!(ssh(&sshd, &recovery[0]).opened(), "a recovery code");
        assert!(!ssh(&sshd, &recovery[0]).opened(), "the same again");
        let wrong = sshd.client(&Client { password: "wrong", code: &recovery[1], ..client("alice") });
        assert!(!wrong.opened(), "a wrong password");
        assert!(ssh(&sshd, &recovery[1]).opened(), "which used no code up");
    });
}

#[test]
fn a_changed_configuration_survives_an_upgrade_and_a_removal() {
    debian(|host| {
        install(host);
        let text = "[default]\nsecond_factor = \"optional\"\n";
        host.configure(text);
        done(host, "dpkg", &["--install", &newer(host)]);
        done(host, "dpkg", &["--remove", "libpam-twofactor"]);
        assert_eq!(fs::read_to_string("/etc/twofactor/twofactor.toml").unwrap(), text);
    });
}

#[test]
fn a_broken_configuration_does_not_keep_the_module_in_pam() {
    debian(|host| {
        install(host);
        let before = contents(&["/etc/pam.d", "/etc/ssh"]);
        host.enroll("root", &[]);
        switch_on(host, "sshd");
        switch_on(host, "su");
        host.configure("second_factor = nonsense\n");
        done(host, "dpkg", &["--remove", "libpam-twofactor"]);
        assert_same(&before, &contents(&["/etc/pam.d", "/etc/ssh"]));
    });
}

#[test]
fn an_upgrade_moves_the_tokens_of_an_older_version_and_is_done_also_where_that_fails() {
    debian(|host| {
        install(host);
        let fobs = [Fob::button(1), Fob::button(2)];
        host.user_with("alice", &fobs[0]);
        host.user_with("bob", &fobs[1]);
        host.leave_tokens_to_the_registry("alice");
        done(host, "dpkg", &["--install", &newer(host)]);
        assert_eq!(host.json(&["migrate"]), serde_json::json!([]), "it was done by the package");
        host.succeed("twofactor", ["verify", "alice", &fobs[0].code_of(0)]);
        host.leave_tokens_to_the_registry("bob");
        for file in ["registry.db", "registry.db-wal", "registry.db-shm"] {
            let _ = fs::remove_file(format!("/var/lib/twofactor/{file}"));
        }
        let told = done(host, "dpkg", &["--install", &newer(host)]);
        assert!(told.contains("bob holds 1 physical tokens") && told.contains("run twofactor migrate"), "{told}");
        assert!(host.succeed("dpkg-query", ["-W", "-f", "${Status}", "libpam-twofactor"]).contains("ok installed"));
    });
}
