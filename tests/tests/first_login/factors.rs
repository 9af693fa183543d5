//! The whole decision by what somebody answers: at every level, for everybody, with an app, a physical token, a recovery code
//! and a wrong code, and for every kind of them that may count.

use std::fs;

use twofactor_tests::first_login::{FIRST, SECOND, SERIAL};
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::wrong_codes;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::twofactor::Enrollment;

use crate::{CODE, CONFIRM, Offer, configure, conversing, module_alone};

/// Who logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    HasEverything,
    HasNothing,
    DoesNotExist,
    HasASecretToConfirm,
    HasDamagedFiles,
}

impl Who {
    const ALL: [Self; 5] =
        [Self::HasEverything, Self::HasNothing, Self::DoesNotExist, Self::HasASecretToConfirm, Self::HasDamagedFiles];

    fn name(self) -> &'static str {
        match self {
            Self::HasEverything => "alice",
            Self::HasNothing => "bobby",
            Self::DoesNotExist => "nobody-here",
            Self::HasASecretToConfirm => "carol",
            Self::HasDamagedFiles => "david",
        }
    }
}

/// What somebody takes the answers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    App,
    Token,
    RecoveryCodes,
    Nowhere,
}

impl From {
    const ALL: [Self; 4] = [Self::App, Self::Token, Self::RecoveryCodes, Self::Nowhere];

    /// Whether codes from there count where only those of `factors` do.
    fn counts(self, factors: &[&str]) -> bool {
        let word = match self {
            Self::App => "app",
            Self::Token => "token",
            Self::RecoveryCodes => "recovery",
            Self::Nowhere => return false,
        };
        factors.contains(&word)
    }
}

const LEVELS: [&str; 4] = ["required", "enroll", "optional", "off"];

const FACTORS: [&[&str]; 4] = [&["app", "token", "recovery"], &["app"], &["token"], &["recovery"]];

/// Prompts, return code, and what the last line of the log holds.
type Expected = (Vec<&'static str>, ReturnCode, &'static str);

/// A module that stands alone gives its own code, but for PAM_IGNORE, which is this one.
const IGNORE: ReturnCode = ReturnCode::PERM_DENIED;

fn expected(level: &str, factors: &[&str], who: Who, from: From) -> Expected {
    let code = |result, word| (vec![CODE], result, word);
    match (level, who) {
        ("off", _) => (vec![], IGNORE, "policy=off"),
        ("enroll", Who::HasDamagedFiles) if can_be_set_up(factors) => {
            (vec![], ReturnCode::AUTHINFO_UNAVAIL, "reason=store-corrupt")
        }
        // It is shown in the account phase, once the password is known to be right.
        ("enroll", Who::HasASecretToConfirm) if factors.contains(&"app") => {
            (vec![], ReturnCode::SUCCESS, "policy=asked-in-account-phase")
        }
        ("enroll", Who::HasNothing | Who::DoesNotExist) if can_be_set_up(factors) => offered(factors, who, from),
        ("optional", Who::HasNothing) => (vec![], IGNORE, "policy=optional-not-enrolled"),
        (_, Who::HasDamagedFiles) => code(ReturnCode::AUTHINFO_UNAVAIL, "reason=store-corrupt"),
        (_, Who::DoesNotExist) => code(ReturnCode::USER_UNKNOWN, "reason=unknown-user"),
        (_, Who::HasNothing) => code(ReturnCode::AUTH_ERR, "reason=not-enrolled"),
        (_, Who::HasASecretToConfirm) if from == From::App => code(ReturnCode::AUTH_ERR, "reason=not-confirmed"),
        (_, Who::HasEverything | Who::HasASecretToConfirm) if from == From::Nowhere => {
            code(ReturnCode::AUTH_ERR, "reason=wrong-code")
        }
        (_, Who::HasASecretToConfirm) if from == From::Token => code(ReturnCode::AUTH_ERR, "reason=wrong-code"),
        _ if from.counts(factors) => code(ReturnCode::SUCCESS, "accepted"),
        _ => code(ReturnCode::AUTH_ERR, "reason=factor-not-allowed"),
    }
}

/// Whether somebody can set up at login what will count the next time.
fn can_be_set_up(factors: &[&str]) -> bool {
    factors.contains(&"app") || factors.contains(&"token")
}

/// What becomes of somebody who is shown a secret, or asked for a token. Nothing is stored here.
fn offered(factors: &[&str], who: Who, from: From) -> Expected {
    let done = match who {
        Who::DoesNotExist => (ReturnCode::USER_UNKNOWN, "reason=unknown-user"),
        _ => (ReturnCode::SUCCESS, "confirmed"),
    };
    let refused = (ReturnCode::AUTH_ERR, "reason=not-confirmed");
    let (prompts, (result, word)) = match from {
        // Whoever registers a token has the one that was found.
        _ if !factors.contains(&"app") => (vec![SERIAL, FIRST, SECOND], done),
        From::App => (vec![CONFIRM], done),
        From::Token if factors.contains(&"token") => (vec![CONFIRM, SERIAL, FIRST, SECOND], done),
        // The word is no code and no try.
        From::Token => (vec![CONFIRM; 4], refused),
        From::RecoveryCodes | From::Nowhere => (vec![CONFIRM; 3], refused),
    };
    (prompts, result, word)
}

/// What people have in their pockets. No right code is typed twice.
struct Pockets {
    alice: Enrollment,
    button: Fob,
    pressed: u64,
    torn_off: [usize; 2],
    carol: Enrollment,
    found: Fob,
    /// The code that `found` shows next, once it was asked for the present one.
    next_of_found: String,
    /// Shown by none of all that.
    wrong: String,
}

impl Pockets {
    fn fill(host: &Host) -> Self {
        let (button, found) = (Fob::button(1), Fob::clock(2));
        let alice = host.user_with_fob("alice");
        host.assign_more(&button, "alice");
        host.import(std::slice::from_ref(&found));
        host.add_user("bobby");
        let carol = host.user_with_app("carol");
        host.succeed("twofactor", ["reset", "carol", "--keep-secret", "--yes"]);
        host.user_with_app("david");
        fs::write("/var/lib/twofactor/users/david/secret.toml", "version = 1\n").unwrap();
        let all = [&alice.authenticator, &button.authenticator, &carol.authenticator, &found.authenticator];
        let wrong = wrong_codes(&all).next().unwrap();
        Self { alice, button, pressed: 0, torn_off: [0; 2], carol, found, next_of_found: String::new(), wrong }
    }

    /// What `who` types at a prompt below what was `shown`.
    fn answer(&mut self, who: Who, from: From, prompt: &str, shown: &str) -> String {
        match (prompt, from) {
            (SERIAL, _) => self.found.serial.clone(),
            (FIRST, _) => {
                let [first, second] = self.found.authenticator.two_codes();
                self.next_of_found = second;
                first
            }
            (SECOND, _) => self.next_of_found.clone(),
            (CONFIRM, From::App) => Offer::read(shown).app.code(0),
            (CONFIRM, From::Token) if !shown.contains("Physical tokens are registered by the sysadmin.") => {
                "token".to_owned()
            }
            (CONFIRM, From::Nowhere) => Offer::read(shown).app.wrong_codes().next().unwrap(),
            (_, From::Nowhere) => self.wrong.clone(),
            (_, From::App) if who == Who::HasEverything => self.alice.next_code(),
            (_, From::App) => self.carol.code(),
            (_, From::Token) => {
                self.pressed += 1;
                self.button.code_of(self.pressed - 1)
            }
            (_, From::RecoveryCodes) => {
                let (sheet, torn_off) = match who {
                    Who::HasASecretToConfirm => (&self.carol, &mut self.torn_off[1]),
                    _ => (&self.alice, &mut self.torn_off[0]),
                };
                let code = sheet.recovery_codes[*torn_off].clone();
                // Nobody else has any.
                *torn_off += usize::from(matches!(who, Who::HasEverything | Who::HasASecretToConfirm));
                code
            }
        }
    }
}

#[test]
fn every_level_for_everybody_with_every_factor_that_may_count() {
    private_host(|host| {
        let _broker = host.broker();
        let common = "[enrollment]\nrecovery_codes = 20\n[throttle]\nfree_attempts = 100\n\
                      [window]\nresync_at_login = false\ncounter_look_ahead = 100\n";
        configure(host, common);
        let mut pockets = Pockets::fill(host);
        module_alone(host, "alone", "");
        let mut rows = 0;
        for (level, factors) in LEVELS.iter().flat_map(|level| FACTORS.iter().map(move |factors| (*level, *factors))) {
            let rule = format!("[[rule]]\nsecond_factor = \"{level}\"\nfactors = {factors:?}\n");
            host.configure(&format!("{common}{rule}"));
            for (who, from) in Who::ALL.iter().flat_map(|who| From::ALL.iter().map(move |from| (*who, *from))) {
                let before = host.module_log().len();
                let login = host.login(who.name()).service("alone");
                let outcome = conversing(login, |prompt, shown| pockets.answer(who, from, prompt, shown));
                let row = format!("{level}, {factors:?}, {who:?}, {from:?}");
                let (prompts, result, word) = expected(level, factors, who, from);
                assert_eq!(
                    (outcome.prompts(), outcome.code()),
                    (prompts, result),
                    "{row}: {:?}",
                    host.module_log().last()
                );
                let log = host.module_log().split_off(before);
                assert!(log.last().is_none_or(|line| line.contains(word)), "{row}: {word} is not in {log:?}");
                assert_eq!(log.is_empty(), word.is_empty(), "{row}: {log:?}");
                rows += 1;
            }
        }
        assert_eq!(rows, 320);
        // None of it was stored: there was no account phase.
        assert_eq!(host.run_twofactor(&["status", "bobby"]).status.code(), Some(3));
    });
}
