//! The name alice was given to another person, who knows a password of his own and not the app.

use super::*;
use crate::config::InvitationRule;
use crate::store::administration::InvitationAdministration as _;

const NEWCOMER: Uid = Uid(4444);

const REFUSED: &str = "reason=uid-changed problem=\"the account belongs to uid 1001, and alice is uid 4444 now\" \
                       hint=\"the same person: twofactor state adopt-uids alice; another person: twofactor reset alice\"";

impl Host {
    /// The same host after `userdel alice; useradd -u 4444 alice`.
    fn with_another_alice(mut self) -> Self {
        self.people.alice = NEWCOMER;
        self
    }
}

#[test]
fn the_former_persons_app_opens_nothing_and_the_prompt_is_the_same() {
    for level in [Level::Required, Level::Enroll, Level::Optional] {
        let host = Host::at_level(level).with_another_alice();
        for answer in [host.code(), host.wrong("alice"), host.recovery.clone()] {
            let outcome = host.types("alice", &answer);
            assert_eq!(outcome.denial(), Reason::UidChanged, "{level}");
            assert_eq!(outcome.prompts, ["Verification code: "], "{level}");
            assert!(outcome.told.is_empty(), "{level}: {:?}", outcome.told);
            let line = format!("denied user=alice service=sshd rhost=192.0.2.7 {REFUSED}");
            assert_eq!(outcome.lines, [line], "{level}");
        }
        assert_eq!(host.store.unlock(&UserName::new("alice").unwrap()).unwrap(), Some(0), "no guess was counted");
    }
}

#[test]
fn nullok_does_not_take_the_former_persons_account_for_none() {
    let host = Host::new().with_another_alice();
    let outcome = host.login_with("alice", "sshd", NullOk::Yes, None, vec![types(&host.code())]);
    assert_eq!(outcome.denial(), Reason::UidChanged);
}

#[test]
fn who_is_asked_several_times_is_asked_as_often_as_others() {
    let host = Host::with_tries(3).with_another_alice();
    let outcome = host.login("alice", vec![types(&host.code()), types(&host.code()), types("letters")]);
    assert!(matches!(outcome.verdict, Verdict::TriesUsedUp(Reason::UidChanged)), "{:?}", outcome.verdict);
}

#[test]
fn a_login_of_the_former_person_that_is_remembered_spares_the_newcomer_nothing() {
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n");
    assert!(host.types("alice", &host.code()).is_accepted());
    assert!(host.login("alice", vec![]).is_waived());
    let host = host.with_another_alice();
    assert_eq!(host.types("alice", &(host.secret_code)(1)).denial(), Reason::UidChanged);
}

#[test]
fn what_was_waived_before_is_waived_still() {
    let host = Host::at_level(Level::Off).with_another_alice();
    assert!(host.login("alice", vec![]).is_waived());
}

#[test]
fn password_and_code_in_one_answer_are_refused_too_and_nothing_is_stripped_where_none_is_needed() {
    let host = Host::new().with_another_alice();
    let answer = format!("hunter2{}", host.code());
    let outcome = host.login_with("alice", "xrdp-sesman", NullOk::No, None, vec![types(&answer)]);
    assert_eq!(outcome.denial(), Reason::UidChanged);

    let waiving = Host::at_level(Level::Off).with_another_alice();
    let outcome = waiving.login_with("alice", "xrdp-sesman", NullOk::No, None, vec![types(&answer)]);
    assert_eq!((outcome.is_waived(), outcome.password.as_deref()), (true, None), "handed on as it is");
    assert!(outcome.lines[0].starts_with("error user=alice") && outcome.lines[0].ends_with(REFUSED));
    let code = waiving.code();
    let former = Host { people: People { alice: Uid(1001) }, config: Config::default(), ..waiving };
    assert!(former.types("alice", &code).is_accepted(), "the code was not burned");
}

#[test]
fn an_account_without_a_uid_learns_it_at_the_next_accepted_login() {
    let host = Host::new();
    host.store.forget_uid(&UserName::new("alice").unwrap());
    assert!(host.types("alice", &host.code()).is_accepted());
    let host = host.with_another_alice();
    assert_eq!(host.types("alice", &(host.secret_code)(1)).denial(), Reason::UidChanged);
}

#[test]
fn an_invitation_of_the_former_person_admits_nobody_and_a_new_one_does() {
    let mut host = Host::at_level(Level::Enroll);
    host.config.enrollment.invitation = InvitationRule::Required;
    let former = person("alice", 1001);
    host.store.reset(&former.name, Reset::Everything).unwrap();
    let until = NOW.after(Duration::from_hours(1));
    let old = host.store.invite(&former, until).unwrap().expose_grouped();
    let mut host = host.with_another_alice();
    let outcome = host.types("alice", &old);
    assert_eq!(
        (outcome.denial(), outcome.prompts.as_slice()),
        (Reason::UidChanged, &["Invitation code: ".to_owned()][..])
    );
    assert_eq!(host.store.unlock(&former.name).unwrap(), None, "no guess was counted");

    let new = host.store.invite(&person("alice", 4444), until).unwrap().expose_grouped();
    let hangs_up = host.login("alice", vec![types(&new), Act::HangsUp]);
    assert_eq!(hangs_up.denial(), Reason::Conversation, "a secret was shown: {:?}", hangs_up.lines);
    host.people.alice = Uid(1001);
    assert_eq!(host.types("alice", &new).denial(), Reason::UidChanged, "it is the newcomer's");
}

#[test]
fn a_newcomer_enrolls_where_the_former_person_left_an_invitation_that_nobody_asks_for() {
    let host = Host::at_level(Level::Enroll);
    let former = person("alice", 1001);
    host.store.reset(&former.name, Reset::Everything).unwrap();
    let _ = host.store.invite(&former, NOW.after(Duration::from_hours(1))).unwrap();
    let host = host.with_another_alice();
    assert_eq!(host.login("alice", vec![Act::HangsUp]).prompts, ["Code from the app: "]);
}

#[test]
fn whoever_gets_the_name_between_the_phases_gets_nothing_stored() {
    let host = Host::at_level(Level::Enroll);
    let alice = person("alice", 1001);
    host.store.reset(&alice.name, Reset::Confirmations).unwrap();
    let outcome = host.login("alice", vec![]);
    let Verdict::Pending(unfinished) = outcome.verdict else { panic!("{:?}", outcome.verdict) };
    let host = host.with_another_alice();
    let finished = host.finishes(Some(*unfinished), Quiet::No, vec![]);
    assert_eq!(finished.verdict, AccountVerdict::Refused(Reason::Conversation));
    assert!(finished.told.is_empty());
}

#[test]
fn few_recovery_codes_of_the_former_person_are_no_notice() {
    let host = Host::at_level(Level::Off).with_another_alice();
    let request = Request {
        user: "alice".to_owned(),
        service: "sshd".to_owned(),
        rhost: None,
        tty: None,
        auth_info: None,
        null_ok: NullOk::No,
        silent: false,
    };
    let told = |host: &Host| {
        host.tells(NOW, None, vec![], |world, script, lines| {
            finish(&request, world, &host.accounts, None, script, lines)
        })
        .told
    };
    assert_eq!(told(&host), [""; 0]);
    let former = Host { people: People { alice: Uid(1001) }, ..host };
    assert_eq!(told(&former), ["You have one recovery code left. Make new ones: twofactor self recovery"]);
}
