//! Setting up an app through real sshd: what the client shows, and what is good afterwards.

use twofactor_tests::private_host::{PASSWORD, private_host, said};
use twofactor_tests::qr;
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::Size;

use crate::{
    CODE, CONFIRM, ENROLL, Offer, STACK, WRITE_DOWN, assert_not_enrolled, client, configure, offered, offered_again,
    recovery_codes, write_down,
};

/// A branch of the client's answers: what an app shows that was set up with the secret in the prompt.
pub(crate) const READS_THE_SECRET: &str = "\
*'Code from the app: ') oathtool --totp --base32 \"$(printf '%s\\n' \"$1\" | sed -n 's/^Secret: //p')\" ;;
*assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;
*ode*) printf '%s\\n' \"$ANSWER_CODE\" ;;
";

#[test]
fn at_a_terminal_the_picture_is_the_uri_and_a_code_of_it_opens_the_session() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        let shown = terminal.expect(CONFIRM);
        let offer = Offer::read(&shown);
        assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(offer.uri.as_str()), "{shown}");
        assert!(offer.uri.contains("/testhost:alice@testhost?"), "{}", offer.uri);
        assert!(!shown.contains('\u{1b}') && !shown.contains("\\033"), "no escape sequences: {shown}");
        let code = offer.app.code(0);
        terminal.type_line(&code);
        let question = terminal.expect(WRITE_DOWN);
        let recovery = recovery_codes(&question);
        assert_eq!(recovery.len(), 10, "{question}");
        assert!(!shown.contains(&recovery[0]), "not before they are stored");
        terminal.type_line("");
        let after = terminal.expect("$ ");
        assert_eq!(recovery_codes(&after), [] as [&str; 0], "they were shown twice, the second time in the shell");
        terminal.type_line("echo session-$((40+2))");
        terminal.expect("session-42");
        let line = host.assert_logged(&["enrolled"]);
        let expected = "pam_twofactor(sshd:account): enrolled user=alice service=sshd rhost=127.0.0.1 token=app";
        assert_eq!(line, expected);

        let with = |code: &str| sshd.client(&Client { code, ..client("alice") });
        assert!(!with(&code).opened(), "the confirmation is burned");
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        let next = with(&offer.app.code(1));
        assert!(next.opened(), "{}", said(&next.output));
        assert_eq!(next.prompts, ["Password: ", CODE]);
        assert!(recovery_codes(&said(&next.output)).is_empty(), "shown once");
        assert!(with(&recovery[0]).opened());
        assert!(!with(&recovery[0]).opened());
        for line in host.log() {
            for secret in [PASSWORD, &code, &offer.app.secret, &recovery[0]] {
                assert!(!line.text.contains(secret), "{secret} stands in the log: {line:?}");
            }
        }
    });
}

#[test]
fn in_a_window_of_24_lines_the_whole_picture_is_there_when_the_code_is_asked_for() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal_of(&client("alice"), Size::CONSOLE);
        let offer = offered(&mut terminal);
        let screen = terminal.screen();
        assert_eq!(qr::from_half_blocks(&screen).as_deref(), Some(offer.uri.as_str()), "{screen}");
        terminal.type_line(&offer.app.wrong_codes().next().unwrap());
        terminal.expect(CONFIRM);
        terminal.type_line(&offer.app.code(0));
        terminal.expect(WRITE_DOWN);
        assert_eq!(recovery_codes(&terminal.screen()).len(), 10, "{}", terminal.screen());
    });
}

#[test]
fn without_a_terminal_everything_is_in_the_prompts() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client_answering(&client("alice"), READS_THE_SECRET);
        assert!(session.opened(), "{}", said(&session.output));
        let [password, offer, recovery] = &session.prompts[..] else { panic!("{:?}", session.prompts) };
        assert_eq!(password, "Password: ");
        assert_eq!(qr::from_half_blocks(offer), Some(Offer::read(offer).uri));
        assert_eq!(recovery_codes(recovery).len(), 10, "{recovery}");
        host.assert_logged(&["enrolled user=alice"]);
        let code = Offer::read(offer).app.code(1);
        sshd.opens(&Client { code: &code, ..client("alice") });
    });
}

#[test]
fn a_client_whose_locale_has_no_blocks_gets_a_picture_for_the_word_ascii() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal_in(&client("alice"), "C");
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        let garbled = terminal.expect(CONFIRM);
        assert!(garbled.contains("No picture? Type: ascii"), "{garbled}");
        assert_eq!(qr::from_half_blocks(&garbled), None, "as ssh shows it: {garbled}");
        terminal.type_line("ascii");
        let redrawn = terminal.expect(CONFIRM);
        let offer = Offer::read(&redrawn);
        assert_eq!(offer, Offer::read(&garbled), "the same secret");
        assert_eq!(qr::from_ascii(&redrawn).as_deref(), Some(offer.uri.as_str()), "{redrawn}");
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
        host.assert_logged(&["enrolled user=alice"]);
    });
}

/// sshd sends what the account phase tells as a banner, which such a client keeps to itself. A question it shows.
#[test]
fn a_client_that_is_told_to_be_quiet_shows_the_recovery_codes() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let options = &["PreferredAuthentications=keyboard-interactive", "LogLevel=QUIET"];
        let mut terminal = sshd.terminal(&Client { options, ..client("alice") });
        let offer = offered(&mut terminal);
        terminal.type_line(&offer.app.code(0));
        assert_eq!(write_down(&mut terminal).len(), 10);
        terminal.expect("$ ");
        host.assert_logged(&["enrolled user=alice"]);
    });
}

#[test]
fn a_wrong_code_may_be_corrected_and_three_end_it() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered(&mut terminal);
        let mut wrong = offer.app.wrong_codes();
        for left in ["Two tries left.", "One try left."] {
            terminal.type_line(&wrong.next().unwrap());
            assert!(terminal.expect(CONFIRM).contains(left));
        }
        terminal.type_line(&wrong.next().unwrap());
        assert!(!terminal.wait().success());
        host.assert_logged(&["denied user=alice", "reason=not-confirmed"]);
        assert_not_enrolled(host, "alice");

        let mut terminal = sshd.terminal(&client("alice"));
        let another = offered(&mut terminal);
        assert_ne!(another.app.secret, offer.app.secret);
        terminal.type_line(&another.app.wrong_codes().next().unwrap());
        terminal.expect(CONFIRM);
        terminal.type_line(&another.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
    });
}

#[test]
fn a_client_that_can_only_send_a_password_is_refused_at_once_and_the_log_says_what_to_change() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "PasswordAuthentication yes\nKbdInteractiveAuthentication no\n");
        let options = &["PreferredAuthentications=password"];
        let session = sshd.client(&Client { options, ..client("alice") });
        assert!(!session.opened());
        assert!(said(&session.output).contains("Permission denied"), "{}", said(&session.output));
        let hint = "enable KbdInteractiveAuthentication";
        host.assert_logged(&["denied user=alice service=sshd", "reason=password-repeated", hint]);
        assert_not_enrolled(host, "alice");
    });
}

#[test]
fn a_secret_that_was_kept_is_shown_again_behind_the_right_password_and_never_behind_a_wrong_one() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        let sshd = host.sshd_with(STACK, "");
        let session = sshd.client_answering(&Client { password: "wrong", ..client("alice") }, READS_THE_SECRET);
        assert!(!session.opened());
        assert!(!String::from_utf8_lossy(&session.output.stderr).contains("Secret:"), "whoever asked would have it");
        let mut terminal = sshd.terminal(&client("alice"));
        assert_eq!(offered_again(&mut terminal).app.secret, alice.authenticator.secret);
        drop(terminal);
        let mut terminal = sshd.terminal(&client("alice"));
        let offer = offered_again(&mut terminal);
        assert_eq!(offer.app.secret, alice.authenticator.secret);
        terminal.type_line(&offer.app.code(0));
        write_down(&mut terminal);
        terminal.expect("$ ");
        host.assert_logged(&["(sshd:account)", "enrolled user=alice"]);
        sshd.opens(&Client { code: &alice.authenticator.code(1), ..client("alice") });
    });
}

#[test]
fn whoever_was_reset_sets_up_afresh_where_that_is_possible_and_is_refused_where_it_is_not() {
    private_host(|host| {
        configure(host, ENROLL);
        let alice = host.user_with_app("alice");
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        let sshd = host.sshd_with(STACK, "");
        host.configure("[default]\nsecond_factor = \"required\"\n");
        let code = alice.authenticator.code(1);
        let refused = sshd.client(&Client { code: &code, ..client("alice") });
        assert!(!refused.opened());
        host.assert_logged(&["denied user=alice", "reason=not-enrolled"]);
        host.configure(ENROLL);
        let app = crate::enrolled_over_ssh(&sshd, "alice");
        assert_ne!(app.secret, alice.authenticator.secret);
        sshd.opens(&Client { code: &app.code(1), ..client("alice") });
    });
}

#[test]
fn a_code_just_outside_the_window_is_made_good_by_the_next_one() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(STACK, "");
        let mut terminal = sshd.terminal(&client("alice"));
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        terminal.expect(CODE);
        // Within ten minutes, also when steps begin meanwhile.
        let far = alice.authenticator.lone_step(-18);
        let (first, second) = (alice.authenticator.code(far), alice.authenticator.code(far + 1));
        terminal.type_line(&first);
        terminal.expect("Next verification code: ");
        terminal.type_line(&second);
        terminal.expect("$ ");
        host.assert_logged(&["denied user=alice", "reason=wrong-code"]);
        host.assert_logged(&["resynced user=alice", "token=app"]);
        host.assert_logged(&["accepted user=alice"]);
        assert_eq!(host.failures("alice"), 0);
        let next = alice.authenticator.code(far + 2);
        assert!(sshd.client(&Client { code: &next, ..client("alice") }).opened(), "the drift is learned");

        // The second of the two may not be just any code that would be near.
        let bobby = host.user_with_app("bobby");
        let app = &bobby.authenticator;
        let far = format!("*'Next verification code: ') echo {} ;;\n{}", app.code(-10), READS_THE_SECRET);
        let code = app.code(app.lone_step(-18));
        let session = sshd.client_answering(&Client { code: &code, ..client("bobby") }, &far);
        assert!(!session.opened());
        assert_eq!(session.prompts, ["Password: ", CODE, "Next verification code: "]);
    });
}
