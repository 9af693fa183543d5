//! Setting up an app at a terminal: real login, su and sudo.

use std::process::Command;

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, PASSWORD, private_host, said};
use twofactor_tests::qr;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{CODE, CONFIRM, ENROLL, Offer, STACK, WRITE_DOWN, assert_not_enrolled, configure, offered, write_down};

/// A program started by the user `name` at a terminal.
fn as_user(host: &Host, name: &str, program: &[&str]) -> Command {
    let mut command = host.command("setpriv");
    command.args(["--reuid", name, "--regid", name, "--init-groups"]).args(program);
    command
}

/// Sets up what is shown, writes the recovery codes down, and gives the offer when `words` are shown.
#[track_caller]
fn set_up(terminal: &mut Terminal, words: &str) -> Offer {
    terminal.expect("assword");
    terminal.expect(": ");
    terminal.type_line(PASSWORD);
    let shown = terminal.expect(CONFIRM);
    let offer = Offer::read(&shown);
    let screen = terminal.screen();
    assert_eq!(qr::from_half_blocks(&screen).as_deref(), Some(offer.uri.as_str()), "{screen}");
    terminal.type_line(&offer.app.code(0));
    assert_eq!(write_down(terminal).len(), 10);
    terminal.expect(words);
    offer
}

#[track_caller]
fn log_in(terminal: &mut Terminal, offer: &Offer, words: &str) {
    terminal.expect("assword");
    terminal.expect(": ");
    terminal.type_line(PASSWORD);
    terminal.expect(CODE);
    terminal.type_line(&offer.app.code(1));
    terminal.expect(words);
}

#[test]
fn login_sets_up_an_app_and_opens_a_session() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("login", STACK);
        host.add_user("alice");
        let login = || Terminal::start(host.command("login").arg("alice"), Size::CONSOLE);
        let offer = set_up(&mut login(), "$ ");
        host.assert_logged(&["pam_twofactor(login:account): enrolled user=alice service=login", "token=app"]);
        log_in(&mut login(), &offer, "$ ");
    });
}

#[test]
fn su_sets_up_an_app_of_the_other_user() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("su", STACK);
        host.add_user("alice");
        host.add_user("bobby");
        let su = as_user(host, "bobby", &["su", "alice", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let offer = set_up(&mut Terminal::start(&su, Size::LARGE), "session-42-ALICE");
        host.assert_logged(&["pam_twofactor(su:account): enrolled user=alice service=su"]);
        log_in(&mut Terminal::start(&su, Size::LARGE), &offer, "session-42-ALICE");
    });
}

#[test]
fn su_registers_no_fob_and_says_where_to() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("su", STACK);
        host.add_user("alice");
        host.import(&[Fob::clock(1)]);
        let mut terminal = Terminal::start(&as_user(host, "alice", &["su", "alice", "-c", "true"]), Size::LARGE);
        let offer = offered(&mut terminal);
        assert!(!terminal.shown().contains("Type: token"), "{}", terminal.shown());
        terminal.type_line("token");
        assert!(terminal.expect(CONFIRM).contains("twofactor token assign"));
        host.assert_logged(&[
            "denied user=alice service=su",
            "factor-not-allowed",
            "twofactor token assign SERIAL alice",
        ]);
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        assert!(terminal.wait().success());
        // Root's own su can be stopped by root alone.
        host.sysadmin(&["reset", "alice", "--yes"]);
        let mut terminal = Terminal::start(host.command("su").args(["alice", "-c", "true"]), Size::LARGE);
        let _ = offered(&mut terminal);
        assert!(terminal.shown().contains("Type: token"), "{}", terminal.shown());

        let rule = "[[rule]]\nsecond_factor = \"enroll\"\nfactors = [\"token\"]\n";
        configure(host, rule);
        let mut terminal = Terminal::start(&as_user(host, "alice", &["su", "alice", "-c", "true"]), Size::LARGE);
        terminal.expect("assword: ");
        terminal.type_line(PASSWORD);
        assert!(terminal.expect(CODE).contains("twofactor token assign"));
        terminal.type_line(ANY_CODE);
        assert!(!terminal.wait().success());
        host.assert_logged(&["denied user=alice service=su", "not-enrolled", "twofactor token assign SERIAL alice"]);
        let explained = host.run_twofactor(&["explain", "alice", "--service", "su"]);
        assert!(said(&explained).contains("it registers no tokens"), "{}", said(&explained));
    });
}

#[test]
fn sudo_sets_up_an_app_of_the_caller() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("sudo", STACK);
        host.add_user("alice");
        std::fs::write("/etc/sudoers", "Defaults passwd_tries=1\nalice ALL=(ALL) ALL\n").unwrap();
        let sudo = as_user(host, "alice", &["sudo", "-k", "sh", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let offer = set_up(&mut Terminal::start(&sudo, Size::LARGE), "session-42-ROOT");
        // sudo asks modules for silence (PAM_SILENT), which is about texts and not about questions.
        assert_eq!(host.json(&["status", "alice"])["recovery_codes"], 10);
        host.assert_logged(&["pam_twofactor(sudo:account): enrolled user=alice service=sudo"]);
        log_in(&mut Terminal::start(&sudo, Size::LARGE), &offer, "session-42-ROOT");
    });
}

#[test]
fn whoever_presses_control_d_at_the_recovery_codes_is_in_all_the_same() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("su", STACK);
        host.add_user("alice");
        host.add_user("bobby");
        let su = as_user(host, "bobby", &["su", "alice", "-c", "echo session-$((40+2))-$(id -un | tr a-z A-Z)"]);
        let mut terminal = Terminal::start(&su, Size::LARGE);
        let offer = offered(&mut terminal);
        terminal.type_line(&offer.app.code(0));
        terminal.expect(WRITE_DOWN);
        terminal.type_keys("\x04");
        terminal.expect("session-42-ALICE");
        log_in(&mut Terminal::start(&su, Size::LARGE), &offer, "session-42-ALICE");
    });
}

#[test]
fn whoever_presses_control_c_or_d_below_the_picture_has_set_up_nothing() {
    private_host(|host| {
        configure(host, ENROLL);
        host.system_service("su", STACK);
        host.add_user("alice");
        host.add_user("bobby");
        let su = as_user(host, "bobby", &["su", "alice", "-c", "true"]);
        for keys in ["\x03", "\x04"] {
            let mut terminal = Terminal::start(&su, Size::LARGE);
            terminal.expect("assword: ");
            terminal.type_line(PASSWORD);
            terminal.expect(CONFIRM);
            terminal.type_keys(keys);
            assert!(!terminal.wait().success());
            assert_not_enrolled(host, "alice");
        }
    });
}
