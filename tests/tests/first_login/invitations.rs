//! Where setting up a second factor takes an invitation, a stolen password is not enough.

use twofactor_tests::moment::Moment;
use twofactor_tests::oathtool;
use twofactor_tests::private_host::{PASSWORD, private_host, said};
use twofactor_tests::requirements::stopped_clock_met;
use twofactor_tests::ssh::Client;

use crate::ssh::READS_THE_SECRET;
use crate::{CONFIRM, INVITATION, INVITED, Offer, STACK, assert_not_enrolled, client, configure, invite};

#[test]
fn the_right_password_alone_enrolls_nobody() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        for code in ["", "4QX7-9M2P", PASSWORD] {
            let session = sshd.client_answering(&Client { code, ..client("alice") }, READS_THE_SECRET);
            assert!(!session.opened());
            assert_eq!(session.prompts.len(), 2, "no secret was shown: {:?}", session.prompts);
            assert!(session.prompts[1].ends_with(INVITATION), "{:?}", session.prompts);
            assert!(!said(&session.output).contains("otpauth"));
        }
        host.assert_logged(&["denied user=alice", "reason=invitation-wrong", "twofactor invite alice"]);
        host.assert_logged(&["denied user=alice", "reason=password-repeated"]);
        assert_not_enrolled(host, "alice");
    });
}

#[test]
fn an_invitation_enrolls_once_and_only_with_the_password() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        host.add_user("bobby");
        let sshd = host.sshd_with(STACK, "");
        let (code, old) = (invite(host, "alice"), invite(host, "bobby"));
        let with = |user: &str, password: &str, code: &str| {
            sshd.client_answering(&Client { password, code, ..client(user) }, READS_THE_SECRET)
        };
        host.succeed("twofactor", ["invite", "bobby", "--revoke"]);
        assert!(!with("bobby", PASSWORD, &old).opened(), "it was taken back");
        assert!(!with("bobby", PASSWORD, &code).opened(), "it is not his");
        assert!(!with("alice", "wrong", &code).opened());
        assert_not_enrolled(host, "alice");

        let session = with("alice", PASSWORD, &code.to_lowercase().replace('-', " "));
        assert!(session.opened(), "{}", said(&session.output));
        host.assert_logged(&["enrolled user=alice"]);
        let app = Offer::read(&session.prompts[2]).app;
        sshd.opens(&Client { code: &app.code(1), ..client("alice") });

        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        assert!(!with("alice", PASSWORD, &code).opened(), "it was used");
        assert!(with("alice", PASSWORD, &invite(host, "alice")).opened());
    });
}

#[test]
fn an_invitation_that_has_expired_enrolls_nobody() {
    if !stopped_clock_met() {
        return;
    }
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let invited_ago = |seconds: u64| {
            let invited = host
                .run_twofactor_at(Moment(oathtool::now() - seconds), &["--json", "invite", "alice", "--valid", "1h"]);
            assert!(invited.status.success(), "{}", said(&invited));
            let invited: serde_json::Value = serde_json::from_slice(&invited.stdout).unwrap();
            invited["invitation"].as_str().expect("an invitation").to_owned()
        };
        let code = invited_ago(3601);
        let refused = sshd.client_answering(&Client { code: &code, ..client("alice") }, READS_THE_SECRET);
        assert!(!refused.opened());
        assert!(!refused.prompts.iter().any(|prompt| prompt.contains("Secret:")), "{:?}", refused.prompts);
        host.assert_logged(&["denied user=alice", "reason=invitation-wrong", "twofactor invite alice"]);
        assert_not_enrolled(host, "alice");
        let code = invited_ago(3000);
        let session = sshd.client_answering(&Client { code: &code, ..client("alice") }, READS_THE_SECRET);
        assert!(session.opened(), "{}", said(&session.output));
    });
}

#[test]
fn of_two_sessions_with_one_invitation_one_wins() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        let sshd = host.sshd_with(STACK, "");
        let code = invite(host, "alice");
        let mut terminals = [sshd.terminal(&client("alice")), sshd.terminal(&client("alice"))];
        let offers = terminals.each_mut().map(|terminal| {
            terminal.expect("Password: ");
            terminal.type_line(PASSWORD);
            terminal.expect(INVITATION);
            terminal.type_line(&code);
            Offer::read(&terminal.expect(CONFIRM))
        });
        let outcomes: Vec<usize> = terminals
            .iter_mut()
            .zip(&offers)
            .map(|(terminal, offer)| {
                terminal.type_line(&offer.app.code(0));
                terminal.expect_any(&["could not be set up", "is set up."]).0
            })
            .collect();
        assert_eq!(outcomes, [1, 0]);
    });
}

#[test]
fn guessing_invitations_is_slowed() {
    private_host(|host| {
        configure(host, INVITED);
        host.add_user("alice");
        crate::module_alone(host, "guessed", "");
        let code = invite(host, "alice");
        let state = std::fs::read_to_string("/var/lib/twofactor/users/alice/state").unwrap();
        assert!(state.contains("[invitation]") && !state.contains(&code), "hashed at rest");
        assert!(!state.contains(&code.replace('-', "")), "hashed at rest");
        for letter in ["A", "B", "C", "D", "E"] {
            let outcome = host.login("alice").service("guessed").typing(letter.repeat(8));
            assert_eq!(outcome.prompts(), [INVITATION]);
        }
        host.login("alice").service("guessed").typing(&code);
        host.assert_logged(&["denied user=alice", "reason=throttled"]);
        let status = host.run_twofactor(&["status", "alice"]);
        assert_eq!(status.status.code(), Some(3));
        let warned = String::from_utf8_lossy(&status.stderr).contains("twofactor unlock alice");
        assert!(warned, "a newcomer who has to wait is no mystery: {status:?}");
        host.succeed("twofactor", ["unlock", "alice"]);
        let outcome = crate::conversing(host.login("alice").service("guessed"), |prompt, shown| match prompt {
            INVITATION => code.clone(),
            _ => Offer::read(shown).app.code(0),
        });
        assert_eq!(outcome.prompts(), [INVITATION, CONFIRM]);
    });
}
