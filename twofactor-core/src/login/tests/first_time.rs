//! The first login under `enroll`, told without libpam.

use super::*;
use crate::account::lifecycle::{Change, Stage};
use crate::codes::otp::wrong_codes::{ANY_CODE, wrong_codes};
use crate::codes::secret::Secret;
use crate::codes::token::{Marks, Serial};
use crate::config::{InvitationRule, SelfRegistration};
use crate::store::administration::InvitationAdministration as _;
use crate::store::administration::{
    Author, LastCredential, NewToken, Origin, Sharing, TokenAdministration as _, TokenFilter, each_token,
};
use crate::store::{Pending, PendingFactor, Superseded};
use crate::text::qr::{Glyphs, Qr};

/// A host where bob sets up a second factor at login.
fn host() -> Host {
    Host::at_level(Level::Enroll)
}

/// The code of the secret that was shown last.
fn shows(offset: i64) -> Act {
    Act::Reads(Box::new(move |told| code_of(&secret_in(told), offset)))
}

/// A code that the secret that was shown last does not have, and the `skipped` ones before it.
fn misses(skipped: usize) -> Act {
    Act::Reads(Box::new(move |told| {
        wrong_codes(&[(&secret_in(told), Parameters::default())], NOW).nth(skipped).unwrap()
    }))
}

fn secret_in(told: &[String]) -> Secret {
    let line = told.iter().rev().find_map(|text| text.lines().find_map(|line| line.strip_prefix("Secret: ")));
    Secret::from_base32(line.expect("a secret was shown")).unwrap()
}

fn code_of(secret: &Secret, offset: i64) -> String {
    let here = otp::current_step(Period::THIRTY, NOW).0.checked_add_signed(offset).unwrap();
    otp::code_of(secret, Parameters::default(), otp::Step(here))
}

fn bob() -> Person {
    person("bob", 1002)
}

impl Outcome {
    fn pending(self) -> Pending {
        match self.verdict {
            Verdict::Pending(unfinished) => match *unfinished {
                Unfinished::Confirmed(pending) => pending,
                kept @ Unfinished::Kept { .. } => panic!("{kept:?}"),
            },
            other => panic!("{other:?} {:?}", self.lines),
        }
    }

    fn unfinished(self) -> Unfinished {
        match self.verdict {
            Verdict::Pending(unfinished) => *unfinished,
            other => panic!("{other:?} {:?}", self.lines),
        }
    }
}

#[test]
fn whoever_has_nothing_sees_a_secret_confirms_it_and_has_it_once_it_is_stored() {
    let host = host();
    let outcome = host.login("bob", vec![shows(0)]);
    assert_eq!(outcome.prompts, ["Code from the app: "]);
    let text = &outcome.told[0];
    assert!(text.starts_with('\n') && !text.contains('\x1b'), "as ssh clients show it");
    assert!(text.contains("otpauth://totp/"), "{text}");
    let secret = secret_in(&outcome.told);
    let pending = outcome.pending();
    assert!(
        matches!(host.store.enrollment_status(&bob()).unwrap(), EnrollmentStatus::New(_)),
        "nothing is stored in the auth phase"
    );
    let PendingFactor::App { recovery, .. } = &pending.factor else { panic!("{:?}", pending.factor) };
    assert_eq!(recovery.len(), 10);
    host.store.store_pending(pending).unwrap();
    assert_eq!(host.types("bob", &code_of(&secret, 0)).denial(), Reason::Replayed, "the confirmation is burned");
    assert!(host.types("bob", &code_of(&secret, 1)).is_accepted());
}

#[test]
fn whoever_is_enrolled_is_asked_as_ever() {
    let host = host();
    let outcome = host.types("alice", &host.code());
    assert!(outcome.is_accepted() && outcome.told.is_empty());
}

#[test]
fn a_user_who_does_not_exist_sees_the_same_and_gets_nothing() {
    let host = host();
    let (unknown, bob) = (host.login("rob", vec![shows(0)]), host.login("bob", vec![shows(0)]));
    assert_eq!(unknown.denial(), Reason::UnknownUser);
    assert_eq!(unknown.prompts, bob.prompts);
    assert_eq!(without_secrets(&unknown.told, "rob"), without_secrets(&bob.told, "bob"));
    // What sshd puts in the place of every answer of somebody it does not let in.
    let dummy = || types("\x08\n\r\x7fINCO");
    let unknown = host.login("rob", vec![dummy(), dummy(), dummy()]);
    let bob = host.login("bob", vec![types("00000000"), types("letters"), misses(0)]);
    assert_eq!((unknown.denial(), bob.denial()), (Reason::UnknownUser, Reason::NotConfirmed));
    assert_eq!(unknown.prompts, bob.prompts);
    assert_eq!(without_secrets(&unknown.told, "rob"), without_secrets(&bob.told, "bob"));
}

/// Texts without what differs from login to login: the secret, as picture and as text, and the name.
fn without_secrets(told: &[String], name: &str) -> Vec<String> {
    let secret = secret_in(told).expose_base32();
    let picture = |line: &&str| line.chars().any(|letter| "█▀▄".contains(letter));
    let plain = |text: &String| {
        let text: Vec<&str> = text.lines().filter(|line| !picture(line) && !line.starts_with("Secret: ")).collect();
        text.join("\n").replace(secret.as_str(), "SECRET").replace(name, "NAME")
    };
    told.iter().map(plain).collect()
}

#[test]
fn every_login_shows_another_secret_and_hanging_up_leaves_nothing() {
    let host = host();
    let first = host.login("bob", vec![Act::HangsUp]);
    let second = host.login("bob", vec![Act::HangsUp]);
    assert_eq!(first.denial(), Reason::Conversation);
    assert_ne!(secret_in(&first.told).expose(), secret_in(&second.told).expose());
    assert!(matches!(host.store.enrollment_status(&bob()).unwrap(), EnrollmentStatus::New(_)));
}

#[test]
fn three_wrong_codes_end_it_and_are_no_guesses() {
    let host = host();
    for _ in 0..5 {
        let outcome = host.login("bob", vec![misses(0), types("letters"), misses(1)]);
        assert_eq!(outcome.denial(), Reason::NotConfirmed);
    }
    assert!(matches!(host.login("bob", vec![misses(0), shows(0)]).verdict, Verdict::Pending(_)));
}

#[test]
fn ascii_draws_the_same_secret_again() {
    let host = host();
    let outcome = host.login("bob", vec![types("ASCII"), shows(0)]);
    assert!(outcome.told[0].contains('█') && !outcome.told[1].contains('█') && outcome.told[1].contains("##"));
    assert_eq!(secret_in(&outcome.told[..1]).expose(), secret_in(&outcome.told).expose());
    let _ = outcome.pending();
}

#[test]
fn the_text_ends_with_the_qr_code_drawn_as_small_as_a_console_needs() {
    let host = host();
    let outcome = host.login("bob", vec![types("ascii"), shows(0)]);
    for (text, glyphs) in outcome.told.iter().zip([Glyphs::HalfBlocks, Glyphs::Ascii]) {
        let uri = text.lines().find(|line| line.starts_with("otpauth://")).unwrap();
        let drawn = Qr::encode_small(uri, glyphs).unwrap().draw(glyphs);
        assert!(text.ends_with(drawn.trim_end_matches('\n')), "the prompt stands in the next row: {text}");
    }
    let _ = outcome.pending();
}

#[test]
fn the_password_in_the_place_of_a_code_is_a_try_like_any_other() {
    let host = host();
    let acts = vec![types("hunter2"), types("hunter2"), types("hunter2")];
    let outcome = host.login_with("bob", "sshd", NullOk::No, Some("hunter2"), acts);
    assert_eq!(outcome.denial(), Reason::PasswordRepeated);
    let acts = vec![types("hunter2"), shows(0)];
    let _ = host.login_with("bob", "sshd", NullOk::No, Some("hunter2"), acts).pending();
}

#[test]
fn pictures_are_not_drawn_for_ever() {
    let host = host();
    let acts: Vec<Act> = (0..11).map(|_| types("ascii")).collect();
    let outcome = host.login("bob", acts);
    assert_eq!(outcome.denial(), Reason::NotConfirmed);
    assert_eq!(outcome.told.len(), 11);
}

#[test]
fn a_service_without_an_account_line_enrolls_nobody_and_says_what_to_add() {
    let host = host();
    let outcome = host.login_with("bob", "cron", NullOk::No, None, vec![types(ANY_CODE)]);
    assert_eq!(outcome.denial(), Reason::NoAccountLine);
    assert!(outcome.lines[0].contains("twofactor service enable cron"), "{:?}", outcome.lines);
    assert!(outcome.told.is_empty());
}

#[test]
fn a_service_that_asks_once_cannot_enroll() {
    let host = host();
    let outcome = host.login_with("bob", "xrdp-sesman", NullOk::No, None, vec![types(&format!("hunter2{ANY_CODE}"))]);
    assert_eq!(outcome.denial(), Reason::NotEnrolled);
}

#[test]
fn of_two_sessions_that_enroll_one_user_one_wins() {
    let host = host();
    let first = host.login("bob", vec![shows(0)]).pending();
    let second = host.login("bob", vec![shows(0)]).pending();
    host.store.store_pending(second).unwrap();
    assert!(matches!(host.store.store_pending(first), Err(Superseded::Enrolled)));
}

#[test]
fn with_an_invitation_required_the_right_password_alone_enrolls_nothing() {
    let mut host = host();
    host.config.enrollment.invitation = InvitationRule::Required;
    assert_eq!(host.login("bob", vec![types(" ")]).denial(), Reason::NoAnswer, "no guess");
    for typed in ["4QX7-9M2P", "whatever"] {
        assert_eq!(host.login("bob", vec![types(typed)]).denial(), Reason::InvitationWrong, "{typed}");
    }
    let until = NOW.after(Duration::from_hours(24));
    let code = host.store.invite(&bob(), until).unwrap().expose_grouped();
    assert_eq!(host.login("bob", vec![types("4QX7-9M2P")]).denial(), Reason::InvitationWrong);
    let first = host.login("bob", vec![types(&code.to_lowercase()), shows(0)]).pending();
    let second = host.login("bob", vec![types(&code), shows(0)]).pending();
    host.store.store_pending(first).unwrap();
    assert!(host.store.store_pending(second).is_err(), "an invitation enrolls once");
    let alice = person("alice", 1001);
    host.store.invite(&alice, until).unwrap();
    assert!(host.types("alice", &host.code()).is_accepted(), "who is enrolled needs none");
}

#[test]
fn an_invitation_expires_is_replaced_and_can_be_taken_back() {
    let mut host = host();
    host.config.enrollment.invitation = InvitationRule::Required;
    let until = NOW.after(Duration::from_hours(1));
    let old = host.store.invite(&bob(), until).unwrap().expose_grouped();
    let new = host.store.invite(&bob(), until).unwrap().expose_grouped();
    assert_eq!(host.login("bob", vec![types(&old)]).denial(), Reason::InvitationWrong);
    let late = host.login_from("bob", "sshd", Some("192.0.2.7"), until, vec![types(&new)]);
    assert_eq!(late.denial(), Reason::InvitationWrong);
    assert!(host.store.revoke_invitation(&bob().name).unwrap());
    assert_eq!(host.login("bob", vec![types(&new)]).denial(), Reason::InvitationWrong);
}

#[test]
fn guessing_invitations_is_slowed() {
    let mut host = host();
    host.config.enrollment.invitation = InvitationRule::Required;
    let guess = |host: &mut Host| {
        for letter in ["A", "B", "C", "D", "E"] {
            host.login("bob", vec![types(&letter.repeat(8))]);
        }
    };
    guess(&mut host);
    assert_eq!(host.login("bob", vec![types("FFFFFFFF")]).denial(), Reason::InvitationWrong);
    assert_eq!(
        host.store.unlock(&bob().name).unwrap(),
        None,
        "without an invitation there is none to guess, and nothing is kept"
    );

    host.store.invite(&bob(), NOW.after(Duration::from_hours(24))).unwrap();
    guess(&mut host);
    assert_eq!(host.login("bob", vec![types("FFFFFFFF")]).denial(), Reason::Throttled);
    assert_eq!(host.store.unlock(&bob().name).unwrap(), Some(5), "a newcomer can be unlocked, too");
    assert_eq!(host.login("bob", vec![types("FFFFFFFF")]).denial(), Reason::InvitationWrong);
    assert_eq!(host.store.unlock(&bob().name).unwrap(), Some(1));
    assert_eq!(host.store.unlock(&bob().name).unwrap(), None, "who is not enrolled and has tried nothing");
}

#[test]
fn a_kept_secret_is_shown_in_the_account_phase_and_its_old_codes_stay_burned() {
    let host = host();
    let (alice, code) = (person("alice", 1001), host.code());
    assert!(host.types("alice", &code).is_accepted());
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    let authentication = host.login("alice", vec![]);
    assert!(authentication.told.is_empty(), "behind a wrong password anybody would see it");
    let (again, late) = (authentication.unfinished(), host.login("alice", vec![]).unfinished());
    let finished =
        host.finishes(Some(again), Quiet::No, vec![types(""), types("token"), types(&code), shows(1), types("")]);
    assert_eq!(finished.verdict, AccountVerdict::Stored, "{:?}", finished.lines);
    assert_eq!(code_of(&secret_in(&finished.told), 0), code, "the same secret");
    assert!(finished.told[1].contains("sysadmin"), "whoever has a secret registers no token: {:?}", finished.told);
    assert_eq!(finished.lines, ["enrolled user=alice service=sshd rhost=192.0.2.7 token=app"]);
    let late = host.finishes(Some(late), Quiet::No, vec![types("")]);
    assert_eq!(late.verdict, AccountVerdict::Refused(Reason::NotConfirmed), "somebody was quicker");
    assert!(late.told.iter().all(|text| !text.contains("Secret:")), "it is not shown again: {:?}", late.told);
    assert!(host.types("alice", &(host.secret_code)(2)).is_accepted());
    let recovery = host.recovery.clone();
    assert_eq!(host.types("alice", &recovery).denial(), Reason::WrongCode, "new recovery codes were shown");
}

#[test]
fn a_kept_secret_is_not_good_again_without_a_code_of_it() {
    let host = host();
    let alice = person("alice", 1001);
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    let wrong = vec![types(""), misses(0), misses(1), misses(2)];
    let late = vec![types(""), Act::HangsUp];
    let table =
        [(vec![Act::HangsUp], Reason::Conversation), (late, Reason::Conversation), (wrong, Reason::NotConfirmed)];
    for (acts, reason) in table {
        let is_early = acts.len() == 1;
        let unfinished = host.login("alice", vec![]).unfinished();
        let finished = host.finishes(Some(unfinished), Quiet::No, acts);
        assert_eq!(finished.verdict, AccountVerdict::Refused(reason));
        assert_eq!(finished.told.is_empty(), is_early, "who cannot answer is shown nothing");
        assert!(matches!(host.store.enrollment_status(&alice).unwrap(), EnrollmentStatus::Waiting));
    }
}

#[test]
fn where_invitations_are_required_a_kept_secret_takes_one_too() {
    let mut host = host();
    host.config.enrollment.invitation = InvitationRule::Required;
    let alice = person("alice", 1001);
    let invite = || host.store.invite(&alice, NOW.after(Duration::from_hours(1))).unwrap().expose_grouped();
    let early = invite();
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    assert_eq!(host.types("alice", &early).denial(), Reason::InvitationWrong, "reset takes invitations back");
    let invitation = invite();
    let unfinished = host.types("alice", &invitation).unfinished();
    let finished = host.finishes(Some(unfinished), Quiet::No, vec![types(""), shows(0), types("")]);
    assert_eq!(finished.verdict, AccountVerdict::Stored);
}

#[test]
fn a_kept_secret_that_is_reset_meanwhile_does_not_come_back() {
    let host = host();
    let alice = person("alice", 1001);
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    let unfinished = host.login("alice", vec![]).unfinished();
    host.store.reset(&alice.name, Reset::Everything).unwrap();
    let finished = host.finishes(Some(unfinished), Quiet::No, vec![types("")]);
    assert_eq!(finished.verdict, AccountVerdict::Refused(Reason::NotConfirmed));
    assert!(finished.told.iter().all(|text| !text.contains("Secret:")), "nor is it shown: {:?}", finished.told);
    assert!(matches!(host.store.enrollment_status(&alice).unwrap(), EnrollmentStatus::New(_)));
}

/// Whoever knew the password of a closed account would own its factor once it is opened again.
#[test]
fn a_closed_account_stores_nothing_and_shows_no_kept_secret() {
    let closed = [
        (Ok(Expired::Account), Reason::AccountExpired, "This account has expired"),
        (Ok(Expired::Password), Reason::AccountExpired, "This account has expired"),
        (Err(LookupError("permission denied".to_owned())), Reason::StoreUnavailable, "could not be set up"),
    ];
    for (why, reason, told) in closed {
        let mut host = host();
        host.config.enrollment.invitation = InvitationRule::Required;
        host.accounts.0 = Some(why);
        let invitation = host.store.invite(&bob(), NOW.after(Duration::from_hours(1))).unwrap().expose_grouped();
        let unfinished = host.login("bob", vec![types(&invitation), shows(0)]).unfinished();
        let finished = host.finishes(Some(unfinished), Quiet::No, vec![]);
        assert_eq!(finished.verdict, AccountVerdict::Refused(reason), "{:?}", finished.lines);
        assert!(finished.told.concat().contains(told), "{:?}", finished.told);
        let [line] = &finished.lines[..] else { panic!("{:?}", finished.lines) };
        assert!(line.contains(&format!("reason={reason}")) && line.contains("problem="), "{line}");
        assert!(matches!(host.store.enrollment_status(&bob()).unwrap(), EnrollmentStatus::New(_)));

        let alice = UserName::new("alice").unwrap();
        host.store.reset(&alice, Reset::Confirmations).unwrap();
        host.config.enrollment.invitation = InvitationRule::None;
        let unfinished = host.login("alice", vec![]).unfinished();
        let finished = host.finishes(Some(unfinished), Quiet::Silent, vec![]);
        assert_eq!(finished.verdict, AccountVerdict::Refused(reason));
        assert!(finished.told.is_empty() && finished.prompts.is_empty(), "its secret is not shown");

        host.config.enrollment.invitation = InvitationRule::Required;
        host.accounts.0 = None;
        let unfinished = host.login("bob", vec![types(&invitation), shows(0)]).unfinished();
        let finished = host.finishes(Some(unfinished), Quiet::No, vec![types("")]);
        assert_eq!(finished.verdict, AccountVerdict::Stored, "the invitation was not used up");
    }
}

#[test]
fn an_account_that_closes_while_a_kept_secret_is_shown_stores_nothing() {
    let mut host = host();
    let alice = person("alice", 1001);
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    let midnight = NOW.after(Duration::from_secs(5));
    host.accounts = Closed(Some(Ok(Expired::Account)), midnight);
    let (clock, code) = (host.clock.clone(), host.code());
    let confirms_after_midnight = Act::Reads(Box::new(move |_| {
        clock.set(midnight);
        code.clone()
    }));
    let unfinished = host.login("alice", vec![]).unfinished();
    let finished = host.finishes(Some(unfinished), Quiet::No, vec![types(""), confirms_after_midnight]);
    assert_eq!(finished.verdict, AccountVerdict::Refused(Reason::AccountExpired), "{:?}", finished.lines);
    assert!(matches!(host.store.enrollment_status(&alice).unwrap(), EnrollmentStatus::Waiting));
}

#[test]
fn a_closed_account_is_asked_as_any_other_and_the_enrolled_get_their_notices() {
    let mut host = host();
    host.accounts.0 = Some(Ok(Expired::Account));
    assert_eq!(host.login("bob", vec![shows(0)]).prompts, ["Code from the app: "], "a guesser learns nothing");
    assert!(host.types("alice", &host.code()).is_accepted(), "the other account lines refuse");
    assert_eq!(host.finishes(None, Quiet::No, vec![]).verdict, AccountVerdict::NothingToDo);
}

#[test]
fn what_the_policy_no_longer_allows_is_not_stored() {
    let changes: [fn(&mut Config); 2] = [
        |config| config.default_level = Level::Required,
        |config| config.enrollment.invitation = InvitationRule::Required,
    ];
    for change in changes {
        let mut host = host();
        let unfinished = host.login("bob", vec![shows(0)]).unfinished();
        change(&mut host.config);
        let finished = host.finishes(Some(unfinished), Quiet::No, vec![]);
        assert_eq!(finished.verdict, AccountVerdict::Refused(Reason::NotConfirmed), "{:?}", finished.lines);
        assert!(matches!(host.store.enrollment_status(&bob()).unwrap(), EnrollmentStatus::New(_)));
    }
}

#[test]
fn an_invitation_that_expires_meanwhile_enrolls_nobody() {
    let mut host = host();
    host.config.enrollment.invitation = InvitationRule::Required;
    let until = NOW.after(Duration::from_mins(1));
    let code = host.store.invite(&bob(), until).unwrap().expose_grouped();
    let pending = host.login("bob", vec![types(&code), shows(0)]).pending();
    host.clock.set(until);
    assert!(matches!(host.store.store_pending(pending), Err(Superseded::InvitationSpent)));
    assert!(matches!(host.store.enrollment_status(&bob()).unwrap(), EnrollmentStatus::New(_)));
}

/// Cockpit drops the texts behind the last question, and sshd repeats them in the shell: recovery codes that were told
/// there reached nobody, or the screen twice.
#[test]
fn recovery_codes_are_shown_in_a_question_that_is_asked_once_they_are_stored() {
    let host = host();
    let unfinished = host.login("bob", vec![shows(0)]).unfinished();
    let (folder, owner) = (host.directory.path().to_owned(), Owner(nix::unistd::geteuid().as_raw()));
    let looks_into_the_store = Act::Reads(Box::new(move |_| {
        let store = Files::new(&folder, owner, Duration::from_millis(10), NOW).with_registry();
        assert_eq!(store.recovery_left(&bob()).unwrap(), Some(10), "a kill at the question loses nothing");
        String::new()
    }));
    let finished = host.finishes(Some(unfinished), Quiet::No, vec![looks_into_the_store]);
    assert_eq!(finished.verdict, AccountVerdict::Stored);
    assert!(finished.told.is_empty(), "{:?}", finished.told);
    let [question] = &finished.prompts[..] else { panic!("{:?}", finished.prompts) };
    assert!(question.starts_with('\n') && question.ends_with("Write these down, then press Enter: "), "{question}");
    assert!(question.len() <= 512, "what PAM_MAX_MSG_SIZE promises: {}", question.len());
    let code = question.split_whitespace().find(|word| word.len() == 19).expect("a recovery code");
    assert!(host.types("bob", code).is_accepted());
}

#[test]
fn the_answer_to_the_recovery_codes_decides_nothing_and_neither_does_hanging_up() {
    for act in [types(""), types("the password"), types(ANY_CODE), Act::HangsUp] {
        let host = host();
        let hangs_up = matches!(act, Act::HangsUp);
        let unfinished = host.login("bob", vec![shows(0)]).unfinished();
        let finished = host.finishes(Some(unfinished), Quiet::No, vec![act]);
        assert_eq!(finished.verdict, AccountVerdict::Stored);
        assert_eq!(host.store.recovery_left(&bob()).unwrap(), Some(10));
        assert_eq!(host.store.unlock(&bob().name).unwrap(), Some(0), "it was no guess");
        assert_eq!(finished.lines[0], "enrolled user=bob service=sshd rhost=192.0.2.7 token=app");
        assert_eq!(finished.lines.len(), if hangs_up { 2 } else { 1 }, "{:?}", finished.lines);
        assert!(!hangs_up || finished.lines[1].contains("twofactor recovery bob"), "{:?}", finished.lines);
    }
}

#[test]
fn an_application_that_wants_no_texts_gets_none_but_what_belongs_to_a_question() {
    let host = host();
    let request = Request {
        user: "bob".to_owned(),
        service: "sudo".to_owned(),
        rhost: None,
        tty: Some("pts/0".to_owned()),
        auth_info: None,
        null_ok: NullOk::No,
        silent: true,
    };
    let outcome = host.run(&request, NOW, None, vec![shows(0)]);
    let unfinished = outcome.unfinished();
    let finished = host.finishes(Some(unfinished), Quiet::Silent, vec![types("")]);
    assert_eq!(finished.verdict, AccountVerdict::Stored);
    assert!(finished.told.is_empty());
    assert!(finished.prompts[0].contains("recovery codes"), "{:?}", finished.prompts);
    assert_eq!(host.store.recovery_left(&bob()).unwrap(), Some(10));
}

#[test]
fn where_no_recovery_codes_are_made_nothing_is_asked_about_them() {
    let mut host = host();
    host.config.enrollment.recovery_codes = 0;
    let unfinished = host.login("bob", vec![shows(0)]).unfinished();
    let finished = host.finishes(Some(unfinished), Quiet::No, vec![]);
    assert_eq!(finished.verdict, AccountVerdict::Stored);
    assert_eq!(finished.told, ["\nYour second factor is set up. From now on you are asked for a code.\n"]);
}

const FOB: &str = "1234567891234";

fn with_a_fob(host: &Host) -> Secret {
    let secret = Secret::from_bytes(Zeroizing::new(vec![7; 20])).unwrap();
    let serial = Serial::new(FOB).unwrap();
    let token = || NewToken {
        serial: &serial,
        secret: &secret,
        marks: Marks::of(&secret, Parameters::default().algorithm),
        parameters: Parameters::default(),
        stated: otp::StatedParameters::default(),
        counter: None,
        drift: None,
        vendor: None,
        model: None,
    };
    let mut import = host.store.import().unwrap();
    import.plan::<StoreError>(|judge| judge(&token()).map(drop)).unwrap();
    let origin = Origin { series: "box", file: "box.csv", sha256: [0; 32] };
    import.write::<StoreError>(origin, 0, Author { who: "root", at: NOW }, |take| take(&token())).unwrap();
    secret
}

fn registers(secret: &Secret, first: i64, second: i64) -> Vec<Act> {
    vec![types("token"), types(FOB), types(&code_of(secret, first)), types(&code_of(secret, second))]
}

#[test]
fn a_fob_is_registered_by_serial_and_two_consecutive_codes() {
    let host = host();
    let secret = with_a_fob(&host);
    let pending = host.login("bob", registers(&secret, -5, -4)).pending();
    host.store.store_pending(pending).unwrap();
    let mut owners = Vec::new();
    each_token::<StoreError>(
        &host.store,
        &TokenFilter { stage: Some(Stage::Assigned), ..TokenFilter::default() },
        |view| {
            owners.push((view.owner, view.drift));
            Ok(())
        },
    )
    .unwrap();
    assert_eq!(owners, [(Some(bob().name), -4)]);
    assert_eq!(host.types("bob", &code_of(&secret, -4)).denial(), Reason::Replayed, "both codes are burned");
    assert!(host.types("bob", &code_of(&secret, -3)).is_accepted());
}

#[test]
fn whatever_keeps_a_fob_from_being_registered_looks_the_same_and_counts() {
    let host = host();
    let secret = with_a_fob(&host);
    let other = vec![types("token"), types("999"), types(&code_of(&secret, 0)), types(&code_of(&secret, 1))];
    let attempts = [(registers(&secret, 0, 2), "123"), (registers(&secret, 0, 0), "123"), (other, "typed")];
    for (acts, known) in attempts {
        let outcome = host.login("bob", acts);
        assert_eq!(outcome.denial(), Reason::WrongCode);
        assert_eq!(outcome.prompts.len(), 4);
        assert!(outcome.lines[0].contains(known), "{:?}", outcome.lines);
        assert!(!outcome.lines[0].contains("999"), "what is no serial may be anything: {:?}", outcome.lines);
    }
    let alice = person("alice", 1001);
    host.store.assign(&[(Serial::new(FOB).unwrap(), alice)], Sharing::Refuse, Author { who: "root", at: NOW }).unwrap();
    assert_eq!(host.login("bob", registers(&secret, 0, 1)).denial(), Reason::WrongCode, "it is alice's");
    assert_eq!(host.login("bob", registers(&secret, 1, 2)).denial(), Reason::WrongCode);
    assert_eq!(host.login("bob", registers(&secret, 2, 3)).denial(), Reason::Throttled);
}

#[test]
fn of_two_who_register_one_fob_one_gets_it() {
    let host = host();
    let secret = with_a_fob(&host);
    let first = host.login("bob", registers(&secret, 0, 1)).pending();
    let alice = person("alice", 1001);
    host.store.assign(&[(Serial::new(FOB).unwrap(), alice)], Sharing::Refuse, Author { who: "root", at: NOW }).unwrap();
    assert!(matches!(host.store.store_pending(first), Err(Superseded::TokenTaken)));
}

#[test]
fn a_fob_that_is_lost_or_taken_back_is_remembered_no_longer() {
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\nfactors = [\"token\"]\n");
    let secret = with_a_fob(&host);
    let (serial, by) = (Serial::new(FOB).unwrap(), Author { who: "root", at: NOW });
    host.store.assign(&[(serial.clone(), bob())], Sharing::Refuse, by).unwrap();
    let one = std::slice::from_ref(&serial);
    assert!(host.types("bob", &code_of(&secret, 0)).is_accepted());
    assert!(host.login("bob", vec![]).is_waived());
    host.store.change(one, Change::ReportLost, LastCredential::Keep, by).unwrap();
    assert_eq!(host.types("bob", &host.wrong("bob")).denial(), Reason::WrongCode);
    host.store.change(one, Change::Enable, LastCredential::Keep, by).unwrap();
    assert!(host.login("bob", vec![]).is_waived(), "it was found");
    host.store.unassign(&serial, LastCredential::Take, by).unwrap();
    assert_eq!(host.types("bob", ANY_CODE).denial(), Reason::NotEnrolled);
}

#[test]
fn fobs_are_registered_only_where_that_is_allowed() {
    let mut host = host();
    host.config.enrollment.self_registration = SelfRegistration::Forbidden;
    with_a_fob(&host);
    let outcome = host.login("bob", vec![types("token"), shows(0)]);
    assert!(!outcome.told[0].contains("token") && outcome.told[1].contains("sysadmin"), "{:?}", outcome.told);
    let _ = outcome.pending();
}

#[test]
fn nobody_sets_up_what_would_not_count() {
    let rules = |factors: &str| format!("[[rule]]\nsecond_factor = \"enroll\"\nfactors = [{factors}]\n");
    let host = Host::with_rules(&rules("\"recovery\""));
    assert_eq!(host.types("bob", ANY_CODE).denial(), Reason::NotEnrolled, "an app would be refused the next time");
    let host = Host::with_rules(&rules("\"token\""));
    let secret = with_a_fob(&host);
    let outcome = host.login("bob", registers(&secret, 0, 1).into_iter().skip(1).collect());
    assert_eq!(outcome.prompts, REGISTRATION_PROMPTS, "a token alone");
    assert!(!outcome.told.iter().any(|text| text.contains("Secret: ")), "{:?}", outcome.told);
    let finished = host.finishes(Some(outcome.unfinished()), Quiet::No, vec![]);
    assert_eq!(finished.verdict, AccountVerdict::Stored);
    assert!(host.types("bob", &code_of(&secret, 2)).is_accepted());
    let host = Host::with_rules(&rules("\"app\""));
    let outcome = host.login("bob", vec![types("token"), shows(0)]);
    assert!(!outcome.told[0].contains("token") && outcome.told[1].contains("sysadmin"));
    let _ = outcome.pending();
}

#[test]
fn a_process_that_its_user_can_stop_registers_no_fob_and_says_where_to() {
    let mut host = host();
    host.process = Process::ItsUsers;
    let secret = with_a_fob(&host);
    let outcome = host.login("bob", vec![types("token"), shows(0)]);
    assert!(!outcome.told[0].contains("token"), "it is not offered: {:?}", outcome.told);
    assert!(outcome.told[1].contains("twofactor token assign"), "{:?}", outcome.told);
    for word in ["denied user=bob", "factor-not-allowed", "could stop it", "twofactor token assign SERIAL bob"] {
        assert!(outcome.lines[0].contains(word), "{word}: {:?}", outcome.lines);
    }
    assert!(matches!(outcome.pending().factor, PendingFactor::App { .. }), "an app is set up as ever");

    let rules = "[[rule]]\nsecond_factor = \"enroll\"\nfactors = [\"token\"]\n";
    let mut host = Host::with_rules(rules);
    host.process = Process::ItsUsers;
    let _fob = with_a_fob(&host);
    let outcome = host.types("bob", &code_of(&secret, 0));
    assert_eq!((outcome.denial(), outcome.told.len()), (Reason::NotEnrolled, 1));
    assert!(outcome.told[0].contains("twofactor token assign"), "{:?}", outcome.told);
    assert!(outcome.lines[0].contains("twofactor token assign SERIAL bob"), "{:?}", outcome.lines);
    let stranger = host.types("stranger", ANY_CODE);
    assert_eq!((stranger.denial(), &stranger.told), (Reason::UnknownUser, &outcome.told), "strangers see the same");
}
