//! Somebody who asks sshd who exists: a user who does not is shown what a newcomer is shown, word for word, but for names and
//! secrets, whatever is answered that a stranger can answer.

use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::ssh::{Client, Sshd};

use crate::{CONFIRM, ENROLL, INVITATION, INVITED, STACK, assert_not_enrolled, client, configure};

/// A user who exists and one who does not. Their names are of one length, so that the pictures are of one size.
const NEWCOMER: &str = "alice";
const STRANGER: &str = "carol";

/// A code that is wrong for every secret that is shown here, all of which have six digits.
const EIGHT_DIGITS: &str = "00000000";

/// What is typed at each question of one login, the password first.
type Answers<'a> = &'a [(&'a str, &'a str)];

/// A text in which names and secrets are replaced by what they are.
fn normalised(text: &str, user: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.replace('\r', "").replace(user, "USER").lines() {
        let drawn = line.chars().count() > 20 && line.chars().all(|glyph| matches!(glyph, '█' | '▀' | '▄' | '#' | ' '));
        let line = if drawn {
            format!("a line of a picture, {} wide", line.chars().count())
        } else if let Some((before, secret)) = line.split_once("Secret: ") {
            format!("{before}Secret: {}", secret.replace(|letter: char| letter.is_ascii_alphanumeric(), "x"))
        } else if let Some((before, rest)) = line.split_once("?secret=") {
            let (secret, parameters) = rest.split_once('&').unwrap_or((rest, ""));
            format!("{before}?secret={}&{parameters}", "x".repeat(secret.len()))
        } else {
            line.to_owned()
        };
        lines.push(line);
    }
    lines.join("\n")
}

/// All that a client's terminal shows of a login that is refused.
#[track_caller]
fn at_a_terminal(sshd: &Sshd<'_>, user: &str, answers: Answers<'_>) -> String {
    let mut terminal = sshd.terminal(&client(user));
    for (question, answer) in answers {
        terminal.expect(question);
        terminal.type_line(answer);
    }
    assert!(!terminal.wait().success(), "{}", terminal.shown());
    normalised(&terminal.shown(), user)
}

/// Every prompt, and all that a client without a terminal writes, of a login that is refused.
#[track_caller]
fn without_a_terminal(sshd: &Sshd<'_>, user: &str, password: &str, code: &str) -> String {
    let branches = "*assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;\n*) printf '%s\\n' \"$ANSWER_CODE\" ;;\n";
    let session = sshd.client_answering(&Client { password, code, ..client(user) }, branches);
    assert!(!session.opened(), "{session:?}");
    let written = String::from_utf8_lossy(&session.output.stderr).into_owned();
    normalised(&format!("{}\n{written}", session.prompts.join("\n")), user)
}

#[track_caller]
fn assert_the_same(host: &Host, sshd: &Sshd<'_>, conversations: &[Answers<'_>]) {
    for answers in conversations {
        let [newcomer, stranger] = [NEWCOMER, STRANGER].map(|user| at_a_terminal(sshd, user, answers));
        assert!(newcomer.lines().count() > answers.len(), "{newcomer}");
        assert_eq!(newcomer, stranger, "{answers:?}");
    }
    assert_not_enrolled(host, NEWCOMER);
}

#[test]
fn a_user_who_does_not_exist_is_shown_every_word_that_a_newcomer_is_shown() {
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user(NEWCOMER);
        let sshd = host.sshd_with(STACK, "");
        let guesses = [(CONFIRM, EIGHT_DIGITS), (CONFIRM, "no code"), (CONFIRM, "11111111")];
        let [wrong, right] = ["wrong", PASSWORD].map(|password| [&[("assword: ", password)][..], &guesses].concat());
        assert_the_same(host, &sshd, &[&wrong, &right]);
        for password in ["wrong", PASSWORD] {
            for code in [EIGHT_DIGITS, "", password] {
                let seen = [NEWCOMER, STRANGER].map(|user| without_a_terminal(&sshd, user, password, code));
                assert!(seen[0].contains("?secret=xxxx"), "{}", seen[0]);
                assert_eq!(seen[0], seen[1], "{password:?}, {code:?}");
            }
        }
        host.assert_logged(&["denied user=carol", "reason=unknown-user"]);
        assert_not_enrolled(host, NEWCOMER);
    });
}

#[test]
fn neither_does_the_question_for_an_invitation_tell_who_exists() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user(NEWCOMER);
        let sshd = host.sshd_with(STACK, "");
        let invitations = ["4QX7-9M2P", "no invitation"];
        for password in ["wrong", PASSWORD] {
            for invitation in invitations {
                assert_the_same(host, &sshd, &[&[("assword: ", password), (INVITATION, invitation)]]);
            }
        }
        host.assert_logged(&["denied user=alice", "reason=invitation-wrong"]);
        host.assert_logged(&["denied user=carol", "reason=unknown-user"]);
    });
}

#[test]
fn where_a_code_is_required_nobody_can_tell_the_three_apart() {
    private_host(|host| {
        configure(host, "[default]\nsecond_factor = \"required\"\n");
        host.add_user(NEWCOMER);
        let david = host.user_with_app("david");
        let sshd = host.sshd_with(STACK, "");
        for password in ["wrong", PASSWORD] {
            for code in [&david.wrong_code(), password] {
                let [david, newcomer, stranger] =
                    ["david", NEWCOMER, STRANGER].map(|user| without_a_terminal(&sshd, user, password, code));
                assert_eq!((&david, &newcomer), (&newcomer, &stranger), "{password:?}, {code:?}");
            }
        }
    });
}
