//! ssh clients that are not OpenSSH's: what they make of the picture, and how the recovery codes arrive.

use std::process::Command;

use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::qr;
use twofactor_tests::requirements::programs_met;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{CODE, CONFIRM, ENROLL, Offer, STACK, WRITE_DOWN, configure, recovery_codes, write_down};

/// A client of alice's at a terminal, where somebody answers the question whether the host may be trusted.
fn start(client: &mut Command, question: &str) -> Terminal {
    let mut terminal = Terminal::start(client, Size::LARGE);
    terminal.expect(question);
    terminal.type_line("y");
    terminal.expect("assword: ");
    terminal.type_line(PASSWORD);
    terminal
}

/// A text without the bar that PuTTY draws before every line, and without the breaks it makes at the 80th column.
fn without_bars(text: &str) -> String {
    text.replace('\r', "").replace("\n> ", "").replace("\n| ", "\n")
}

fn plink(host: &Host) -> Terminal {
    start(host.command("plink").args(["-ssh", "alice@127.0.0.1"]), "(y/n")
}

#[test]
fn putty_shows_the_picture_behind_a_bar_and_the_recovery_codes() {
    if !programs_met(&["plink"]) {
        return;
    }
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let _sshd = host.sshd_with(STACK, "");
        let mut terminal = plink(host);
        let shown = terminal.expect(CONFIRM);
        assert!(shown.contains("\n| Secret: "), "the bar, of which the manual speaks: {shown}");
        let shown = without_bars(&shown);
        let offer = Offer::read(&shown);
        assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(offer.uri.as_str()), "{shown}");
        terminal.type_line(&offer.app.code(0));
        let question = terminal.expect(WRITE_DOWN);
        assert_eq!(recovery_codes(&without_bars(&question)).len(), 10, "{question}");
        terminal.type_line("");
        terminal.expect("Press Return to begin session.");
        terminal.type_line("");
        terminal.expect("$ ");
        host.assert_logged(&["enrolled user=alice service=sshd"]);

        // The key of the host is known by now.
        let mut terminal = Terminal::start(host.command("plink").args(["-ssh", "alice@127.0.0.1"]), Size::LARGE);
        terminal.expect("assword: ");
        terminal.type_line(PASSWORD);
        terminal.expect(CODE);
        terminal.type_line(&offer.app.code(1));
        terminal.expect("Press Return to begin session.");
        terminal.type_line("");
        terminal.expect("$ ");
    });
}

#[test]
fn dropbear_drops_what_is_not_ascii_and_draws_the_picture_for_the_word_ascii() {
    if !programs_met(&["dbclient"]) {
        return;
    }
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let _sshd = host.sshd_with(STACK, "");
        let mut terminal = start(host.command("dbclient").args(["-t", "alice@127.0.0.1"]), "(y/n)");
        let shown = terminal.expect(CONFIRM);
        assert!(!shown.contains('█') && shown.contains("No picture? Type: ascii"), "{shown}");
        terminal.type_line("ascii");
        let shown = terminal.expect(CONFIRM);
        let offer = Offer::read(&shown);
        assert_eq!(qr::from_ascii(&shown).as_deref(), Some(offer.uri.as_str()), "{shown}");
        terminal.type_line(&offer.app.code(0));
        assert_eq!(write_down(&mut terminal).len(), 10);
        terminal.expect("$ ");
        host.assert_logged(&["enrolled user=alice service=sshd"]);
    });
}
