//! Logins with a security key that sshd has verified: at every level, of every user, with every key.

use super::*;
use crate::account::EnrolledKey;
use crate::account::factors::{Attestation, Factors};
use crate::account::throttle::Limits;
use crate::codes::ssh_key::auth_info::verified_keys;
use crate::codes::ssh_key::tests::{key, line};
use crate::codes::ssh_key::{KeyType, SshKey};
use crate::login::KeyObstacle;
use crate::store::administration::{
    AddedKey, InvitationAdministration as _, LastCredential, SshKeyAdministration as _, SshKeyError,
};
use data_encoding::BASE64;

/// Alice's key, bob's, and one of no user.
const ALICES: u8 = 1;
const BOBS: u8 = 2;
const UNKNOWN: u8 = 3;

fn enrolled(byte: u8) -> EnrolledKey {
    EnrolledKey { key: key(byte), label: Label::new("laptop").unwrap(), issued: NOW, attestation: Attestation::None }
}

fn with_keys(host: Host) -> Host {
    host.store.add_ssh_key(&person("alice", 1001), enrolled(ALICES)).unwrap();
    host.clock.set(NOW);
    host
}

fn host() -> Host {
    with_keys(Host::new())
}

fn request(user: &str, service: &str, auth_info: &str) -> Request {
    Request {
        user: user.to_owned(),
        service: service.to_owned(),
        rhost: Some("192.0.2.7".to_owned()),
        tty: None,
        auth_info: Some(auth_info.to_owned()),
        null_ok: NullOk::No,
        silent: false,
    }
}

fn logs_in(host: &Host, user: &str, auth_info: &str, acts: Vec<Act>) -> Outcome {
    host.run(&request(user, "sshd", auth_info), NOW, None, acts)
}

impl Outcome {
    fn is_recognized(&self) -> bool {
        matches!(self.verdict, Verdict::Recognized(_))
    }
}

fn accepted_line(byte: u8) -> String {
    format!("accepted user=alice service=sshd rhost=192.0.2.7 token=ssh-key:{}", key(byte).fingerprint())
}

#[test]
fn an_enrolled_key_is_asked_nothing_and_logged_by_its_fingerprint() {
    let host = host();
    let outcome = logs_in(&host, "alice", &line(&key(ALICES)), Vec::new());
    assert!(outcome.is_recognized(), "{:?}", outcome.verdict);
    assert!(outcome.prompts.is_empty() && outcome.told.is_empty());
    assert_eq!(outcome.lines, [accepted_line(ALICES)]);
}

#[test]
fn every_level_asks_as_ever_but_of_an_enrolled_key() {
    for level in [Level::Required, Level::Enroll, Level::Optional, Level::Off] {
        let host = with_keys(Host::at_level(level));
        host.store.add_ssh_key(&person("bob", 1002), enrolled(BOBS)).unwrap();
        for (user, shown, own) in [
            ("alice", ALICES, true),
            ("alice", BOBS, false),
            ("alice", UNKNOWN, false),
            ("bob", BOBS, true),
            ("bob", ALICES, false),
        ] {
            let acts = if level == Level::Off || own { Vec::new() } else { vec![types(ANY_CODE)] };
            let outcome = logs_in(&host, user, &line(&key(shown)), acts);
            match level {
                Level::Off => assert!(outcome.is_waived(), "{level:?} {user} {shown}"),
                _ if own => assert!(outcome.is_recognized(), "{level:?} {user} {shown}: {:?}", outcome.verdict),
                _ => assert_eq!(outcome.denial(), Reason::WrongCode, "{level:?} {user} {shown}"),
            }
        }
    }
}

#[test]
fn a_user_without_an_account_meets_the_level_whatever_key_is_shown() {
    let shown = line(&key(ALICES));
    assert_eq!(logs_in(&host(), "bob", &shown, vec![types(ANY_CODE)]).denial(), Reason::NotEnrolled);
    assert!(logs_in(&with_keys(Host::at_level(Level::Optional)), "bob", &shown, Vec::new()).is_waived());
    let enrolls = logs_in(&with_keys(Host::at_level(Level::Enroll)), "bob", &shown, vec![Act::HangsUp]);
    assert!(enrolls.prompts[0].contains("Code from the app"), "{:?}", enrolls.prompts);
    assert_eq!(logs_in(&host(), "ghost", &shown, vec![types(ANY_CODE)]).denial(), Reason::UnknownUser);
    assert_eq!(logs_in(&host(), "mallory", &shown, vec![types(ANY_CODE)]).denial(), Reason::StoreUnavailable);
}

#[test]
fn nullok_waives_nobody_who_has_a_key_alone() {
    let host = Host::new();
    host.store.add_ssh_key(&person("bob", 1002), enrolled(BOBS)).unwrap();
    let asked = |shown: u8, acts| {
        let request = Request { null_ok: NullOk::Yes, ..request("bob", "sshd", &line(&key(shown))) };
        host.run(&request, NOW, None, acts)
    };
    assert!(asked(BOBS, Vec::new()).is_recognized());
    assert_eq!(asked(UNKNOWN, vec![types(ANY_CODE)]).denial(), Reason::WrongCode);
}

#[test]
fn other_text_than_a_line_of_the_key_is_asked() {
    let host = host();
    let certificate_word = "sk-ssh-ed25519-cert-v01@openssh.com";
    let base64 = key(ALICES).base64();
    let word = KeyType::Ed25519.word();
    for text in [
        String::new(),
        format!("hostbased {word} {base64}\n"),
        format!("publickey {certificate_word} {base64}\n"),
        format!("publickey {} {base64}\n", KeyType::Ecdsa.word()),
        format!("publickey ssh-ed25519 {base64}\n"),
        format!("publickey {word} {}\n", BASE64.encode(&BASE64.decode(base64.as_bytes()).unwrap()[..60])),
        format!("publickey {word} {base64} x\n"),
        format!("keyboard-interactive {word} {base64}\n"),
    ] {
        let outcome = logs_in(&host, "alice", &text, vec![types(ANY_CODE)]);
        assert_eq!(outcome.denial(), Reason::WrongCode, "{text}");
    }
    let no_variable = Request { auth_info: None, ..request("alice", "sshd", "") };
    assert_eq!(host.run(&no_variable, NOW, None, vec![types(ANY_CODE)]).denial(), Reason::WrongCode);
}

#[test]
fn each_byte_of_a_key_counts() {
    let host = host();
    let blob = BASE64.decode(key(ALICES).base64().as_bytes()).unwrap();
    let recognized = |blob: &[u8]| {
        let text = format!("publickey {} {}\n", KeyType::Ed25519.word(), BASE64.encode(blob));
        host.store.recognize(&person("alice", 1001), &verified_keys(&text), Factors::ALL).unwrap()
    };
    assert!(recognized(&blob).is_some());
    for at in 0..blob.len() {
        let mut other = blob.clone();
        other[at] ^= 1;
        assert!(recognized(&other).is_none(), "{at}");
    }
}

#[test]
fn of_several_keys_one_that_is_enrolled_is_enough() {
    let host = host();
    let (plain, own, other) = ("publickey ssh-ed25519 AAAA\n", line(&key(ALICES)), line(&key(UNKNOWN)));
    for text in [format!("{plain}{own}"), format!("{other}{own}"), format!("{own}{other}"), format!("password\n{own}")]
    {
        let outcome = logs_in(&host, "alice", &text, Vec::new());
        assert_eq!(outcome.lines, [accepted_line(ALICES)], "{text}");
    }
    let outcome = logs_in(&host, "alice", &format!("{plain}{other}"), vec![types(ANY_CODE)]);
    assert_eq!(outcome.denial(), Reason::WrongCode);
}

#[test]
fn a_key_counts_where_a_rule_lists_it_and_for_all_rules_that_may_match() {
    for (factors, counts) in [("\"ssh-key\"", true), ("\"app\", \"ssh-key\"", true), ("\"app\", \"token\"", false)] {
        let rule = format!("[[rule]]\nsecond_factor = \"required\"\nfactors = [{factors}]\n");
        let host = with_keys(Host::with_rules(&rule));
        let acts = if counts { Vec::new() } else { vec![types(ANY_CODE)] };
        assert_eq!(logs_in(&host, "alice", &line(&key(ALICES)), acts).is_recognized(), counts, "{factors}");
    }
    // Attested keys count as keys, and where a rule demands that they are attested, no others do.
    for (factors, plain, attested) in [
        ("\"ssh-key\"", true, true),
        ("\"attested-ssh-key\"", false, true),
        ("\"app\", \"attested-ssh-key\"", false, true),
        ("\"app\"", false, false),
    ] {
        for (attestation, counts) in [(Attestation::None, plain), (Attestation::Checked, attested)] {
            let rule = format!("[[rule]]\nsecond_factor = \"required\"\nfactors = [{factors}]\n");
            let host = Host::with_rules(&rule);
            let enrolled = EnrolledKey { attestation, ..enrolled(BOBS) };
            host.store.add_ssh_key(&person("bob", 1002), enrolled).unwrap();
            let acts = if counts { Vec::new() } else { vec![types(ANY_CODE)] };
            let outcome = logs_in(&host, "bob", &line(&key(BOBS)), acts);
            assert_eq!(outcome.is_recognized(), counts, "{factors}, {attestation:?}");
        }
    }
    // The groups of bob cannot be looked up, so the first rule may match him.
    let rules = "[[rule]]\ngroups = [\"ops\"]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n\
                 [[rule]]\nusers = [\"bob\"]\nsecond_factor = \"required\"\n";
    let host = Host::with_rules(rules);
    host.store.add_ssh_key(&person("bob", 1002), enrolled(BOBS)).unwrap();
    let outcome = logs_in(&host, "bob", &line(&key(BOBS)), vec![types(ANY_CODE)]);
    assert_eq!(outcome.denial(), Reason::WrongCode);
}

#[test]
fn a_key_that_is_attested_later_counts_as_attested_from_then_on_under_its_own_label() {
    let host = Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"attested-ssh-key\"]\n");
    let bob = person("bob", 1002);
    let comes = |attestation, label: &str| {
        let key = EnrolledKey { attestation, label: Label::new(label).unwrap(), ..enrolled(BOBS) };
        host.store.add_ssh_key(&bob, key)
    };
    assert_eq!(comes(Attestation::None, "laptop").unwrap(), AddedKey::New { voided: None });
    assert_eq!(logs_in(&host, "bob", &line(&key(BOBS)), vec![types(ANY_CODE)]).denial(), Reason::WrongCode);
    let attested = EnrolledKey { attestation: Attestation::Checked, ..enrolled(BOBS) };
    assert_eq!(comes(Attestation::Checked, "another").unwrap(), AddedKey::Attested(attested.clone()));
    assert!(logs_in(&host, "bob", &line(&key(BOBS)), Vec::new()).is_recognized());
    // Once more, and without the maker's word, it stays as it is.
    for attestation in [Attestation::Checked, Attestation::None] {
        assert!(matches!(comes(attestation, "laptop"), Err(SshKeyError::AlreadyEnrolled(..))), "{attestation:?}");
    }
    let keys = host.store.status(&bob.name).unwrap().unwrap().ssh_keys;
    assert_eq!(keys, [attested]);
    // The word is about one user's key.
    let alices = EnrolledKey { attestation: Attestation::None, ..enrolled(BOBS) };
    assert_eq!(host.store.add_ssh_key(&person("alice", 1001), alices).unwrap(), AddedKey::New { voided: None });
    assert_eq!(logs_in(&host, "alice", &line(&key(BOBS)), vec![types(ANY_CODE)]).denial(), Reason::WrongCode);
}

#[test]
fn a_key_voids_an_invitation_and_says_so_of_an_open_one() {
    let host = Host::new();
    let add = |name: &str, uid: u32| host.store.add_ssh_key(&person(name, uid), enrolled(BOBS)).unwrap();
    let until = NOW.after(Duration::from_hours(1));
    let _ = host.store.invite(&person("bob", 1002), until).unwrap();
    assert_eq!(add("bob", 1002), AddedKey::New { voided: Some(until) });
    let _ = host.store.invite(&person("carol", 1003), NOW).unwrap();
    assert_eq!(add("carol", 1003), AddedKey::New { voided: None }, "it was over");
}

#[test]
fn a_code_opens_nothing_where_keys_alone_count() {
    let host = with_keys(Host::with_rules("[[rule]]\nsecond_factor = \"required\"\nfactors = [\"ssh-key\"]\n"));
    assert_eq!(host.types("alice", &host.code()).denial(), Reason::FactorNotAllowed);
}

#[test]
fn only_sshd_is_believed_and_only_as_roots_own_process() {
    let shown = line(&key(ALICES));
    for service in ["sudo", "login", "su", "cockpit", "sshd2", "SSHD", "sshd ", "cron"] {
        let outcome = host().run(&request("alice", service, &shown), NOW, None, vec![types(ANY_CODE)]);
        assert_eq!(outcome.denial(), Reason::WrongCode, "{service}");
    }
    for process in [Process::ItsUsers, Process::Unprivileged] {
        let host = Host { process, ..host() };
        let outcome = logs_in(&host, "alice", &shown, vec![types(ANY_CODE)]);
        assert_eq!(outcome.denial(), Reason::WrongCode, "{process:?}");
    }
}

/// Each problem with the variable, and its hint.
fn problems() -> [(EnvironmentProblem, &'static str); 4] {
    let of_users = EnvironmentProblem::OfUsers { file: "/etc/pam.d/sshd".into(), number: 3 };
    let problem = "/etc/environment has mode 0666, so others may write to it".to_owned();
    let of_others = EnvironmentProblem::OfOthers { file: "/etc/pam.d/sshd".into(), number: 3, problem };
    let unreadable = EnvironmentProblem::Unreadable("cannot read /etc/pam.d/common-auth: permission denied".to_owned());
    let unclear = EnvironmentProblem::Unclear("/etc/pam.d/sshd:7 is read differently".to_owned());
    [
        (of_users, "take user_readenv out"),
        (of_others, "make that file root's alone"),
        (unreadable, "let sshd read that file: look at its owner, its mode and SELinux"),
        (unclear, "correct that file"),
    ]
}

fn distrusted() -> EnvironmentProblem {
    let [(problem, _), ..] = problems();
    problem
}

#[test]
fn where_others_can_set_the_variable_or_that_is_not_known_a_code_is_asked_and_the_log_says_why_and_the_way_out() {
    for (problem, hint) in problems() {
        let words = problem.to_string();
        let host = Host { services: WellSetUp { environment: Err(problem) }, ..host() };
        let outcome = logs_in(&host, "alice", &line(&key(ALICES)), vec![types(&host.code())]);
        assert!(outcome.is_accepted());
        assert_eq!(outcome.prompts, ["Verification code: "]);
        let [error, accepted] = outcome.lines.as_slice() else { panic!("{:?}", outcome.lines) };
        assert!(error.starts_with("error user=alice service=sshd rhost=192.0.2.7 reason=bad-config"), "{error}");
        assert!(error.contains(&format!("problem=\"{words}\"")), "{error}");
        let hint = format!("hint=\"the ssh key does not count, and a code is asked for: {hint}");
        assert!(error.contains(&hint), "{error}");
        assert_eq!(accepted, "accepted user=alice service=sshd rhost=192.0.2.7 token=app drift=0");
        // No file is read for a login that shows no enrolled key.
        let other = logs_in(&host, "alice", &line(&key(UNKNOWN)), vec![types(ANY_CODE)]);
        assert_eq!(other.lines, ["denied user=alice service=sshd rhost=192.0.2.7 reason=wrong-code"]);
    }
}

#[test]
fn as_many_codes_are_asked_as_ever_where_the_variable_does_not_count() {
    let mut host = Host { services: WellSetUp { environment: Err(distrusted()) }, ..host() };
    host.config.prompt.tries = 3;
    let acts = (0..3).map(|_| types(ANY_CODE)).collect();
    let outcome = logs_in(&host, "alice", &line(&key(ALICES)), acts);
    assert!(matches!(outcome.verdict, Verdict::TriesUsedUp(_)), "{:?}", outcome.verdict);
}

#[test]
fn wrong_codes_of_others_keep_no_owner_of_a_key_out_and_a_key_forgives_none() {
    let mut host = host();
    let limits = Limits { free_attempts: 1, ..Limits::default() };
    host.store = host.store.judging_by(VerificationRules { limits, ..VerificationRules::of(&Config::default()) });
    for code in host.wrong_codes("alice").take(3) {
        let _ = host.types("alice", &code);
    }
    assert_eq!(host.types("alice", &host.code()).denial(), Reason::Throttled);
    assert!(logs_in(&host, "alice", &line(&key(ALICES)), Vec::new()).is_recognized());
    assert_eq!(host.types("alice", &host.code()).denial(), Reason::Throttled, "the key has guessed nothing right");
}

#[test]
fn a_login_with_a_key_writes_nothing_and_is_not_remembered() {
    let rule = "[[rule]]\nsecond_factor = \"required\"\nremember = \"1h\"\n";
    let host = with_keys(Host::with_rules(rule));
    let state = host.directory.path().join("users/alice/state");
    let before = std::fs::read(&state).unwrap();
    assert!(logs_in(&host, "alice", &line(&key(ALICES)), Vec::new()).is_recognized());
    assert_eq!(std::fs::read(&state).unwrap(), before);
    assert_eq!(host.types("alice", ANY_CODE).denial(), Reason::WrongCode, "another login from there is asked");
    // A remembered code spares a login with an unknown key the code, as any other; an enrolled key is named all the same.
    assert!(host.types("alice", &host.code()).is_accepted());
    assert!(logs_in(&host, "alice", &line(&key(UNKNOWN)), Vec::new()).is_waived());
    assert_eq!(logs_in(&host, "alice", &line(&key(ALICES)), Vec::new()).lines, [accepted_line(ALICES)]);
}

#[test]
fn a_removed_key_is_asked_at_the_next_login() {
    let host = host();
    let alice = UserName::new("alice").unwrap();
    host.store.remove_ssh_key(&alice, key(ALICES).fingerprint().as_str(), LastCredential::Keep).unwrap();
    let outcome = logs_in(&host, "alice", &line(&key(ALICES)), vec![types(&host.code())]);
    assert!(outcome.is_accepted());
}

#[test]
fn a_reset_takes_the_keys_and_kept_secrets_leave_them() {
    let (alice, shown) = (UserName::new("alice").unwrap(), line(&key(ALICES)));
    let host = with_keys(Host::at_level(Level::Enroll));
    assert!(host.store.reset(&alice, Reset::Confirmations).unwrap());
    assert!(logs_in(&host, "alice", &shown, Vec::new()).is_recognized());
    // The kept secret is shown to nobody who could log in with a password and the secret alone.
    assert_eq!(host.types("alice", ANY_CODE).denial(), Reason::WrongCode);
    assert!(host.store.reset(&alice, Reset::Everything).unwrap());
    let outcome = logs_in(&host, "alice", &shown, vec![Act::HangsUp]);
    assert!(outcome.prompts[0].contains("Code from the app"), "{:?}", outcome.prompts);
}

#[test]
fn a_key_of_another_person_under_the_same_name_counts_for_nobody() {
    let mut host = host();
    host.people.alice = Uid(4321);
    let outcome = logs_in(&host, "alice", &line(&key(ALICES)), vec![types(&host.code())]);
    assert_eq!(outcome.denial(), Reason::UidChanged);
}

/// Older versions wrote no uid. Whose keys these are is known once a code has opened a session.
#[test]
fn the_keys_of_an_account_that_names_no_uid_count_from_the_first_code_on() {
    let (host, shown) = (host(), line(&key(ALICES)));
    host.store.forget_uid(&UserName::new("alice").unwrap());
    assert!(logs_in(&host, "alice", &shown, vec![types(&host.code())]).is_accepted());
    assert!(logs_in(&host, "alice", &shown, Vec::new()).is_recognized());
}

#[test]
fn a_broken_account_is_asked_and_refused() {
    for damage in ["type = \"sk-ssh-ed25519@openssh.com\"", "label = \"laptop\""] {
        let host = host();
        let path = host.directory.path().join("users/alice/secret.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(damage, "type = \"ssh-ed25519\"")).unwrap();
        let outcome = logs_in(&host, "alice", &line(&key(ALICES)), vec![types(&host.code())]);
        assert_eq!(outcome.denial(), Reason::StoreCorrupt, "{damage}");
    }
}

#[test]
fn a_service_that_takes_password_and_code_in_one_answer_asks_for_both() {
    let mut host = host();
    host.config.prompt.combined = ["sshd".to_owned()].into();
    let answer = format!("hunter2{}", host.code());
    let outcome = logs_in(&host, "alice", &line(&key(ALICES)), vec![types(&answer)]);
    assert!(outcome.is_accepted());
    assert_eq!(outcome.password.as_deref(), Some("hunter2"));
}

#[test]
fn a_hundred_keys_are_told_apart() {
    let host = Host::new();
    let alice = person("alice", 1001);
    let keys: Vec<SshKey> = (0..100).map(key).collect();
    for byte in 0..100 {
        host.store.add_ssh_key(&alice, enrolled(byte)).unwrap();
    }
    assert!(host.store.add_ssh_key(&alice, enrolled(100)).is_err(), "one too many");
    for (byte, key) in (0..100).zip(&keys) {
        assert_eq!(logs_in(&host, "alice", &line(key), Vec::new()).lines, [accepted_line(byte)]);
    }
    assert_eq!(logs_in(&host, "alice", &line(&key(100)), vec![types(ANY_CODE)]).denial(), Reason::WrongCode);
}

#[test]
fn the_forecast_says_what_an_enrolled_key_spares() {
    let forecast_of = |host: &Host, user: &str, service: &str| {
        let world = host.world();
        let claimant = Claimant::identify(&host.people, user, service, Some("192.0.2.7"));
        let ruling = judge(&world, NullOk::No, &claimant);
        let course = Course::of(ruling.decision, ruling.factors, ruling.remember, &claimant, &world);
        forecast(&course, ruling.factors, &claimant, &world, &host.store).with_key
    };
    assert_eq!(forecast_of(&host(), "alice", "sshd"), Some(Ok(())));
    assert_eq!(forecast_of(&host(), "alice", "sudo"), Some(Err(KeyObstacle::NotSshd)));
    assert_eq!(forecast_of(&host(), "bob", "sshd"), None, "bob has none");
    assert_eq!(forecast_of(&with_keys(Host::at_level(Level::Off)), "alice", "sshd"), None, "no code is asked either");
    let rule = "[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\"]\n";
    assert_eq!(forecast_of(&with_keys(Host::with_rules(rule)), "alice", "sshd"), Some(Err(KeyObstacle::NotAllowed)));
    // Where attested keys alone count, one that is not spares nothing; of two, the other does.
    let rule = "[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\", \"attested-ssh-key\"]\n";
    let host_with_rule = with_keys(Host::with_rules(rule));
    assert_eq!(forecast_of(&host_with_rule, "alice", "sshd"), Some(Err(KeyObstacle::NotAttested)));
    let attested = EnrolledKey { attestation: Attestation::Checked, ..enrolled(UNKNOWN) };
    host_with_rule.store.add_ssh_key(&person("alice", 1001), attested).unwrap();
    assert_eq!(forecast_of(&host_with_rule, "alice", "sshd"), Some(Ok(())));
    let with_problem = Host { services: WellSetUp { environment: Err(distrusted()) }, ..host() };
    assert_eq!(forecast_of(&with_problem, "alice", "sshd"), Some(Err(KeyObstacle::Environment(distrusted()))));
}

#[test]
fn a_user_with_a_key_alone_is_refused_where_no_key_is_seen() {
    let mut host = Host::new();
    host.store.add_ssh_key(&person("bob", 1002), enrolled(BOBS)).unwrap();
    for level in [Level::Required, Level::Optional, Level::Enroll] {
        host.config.default_level = level;
        let outcome = host.login_with("bob", "sudo", NullOk::No, None, vec![types(ANY_CODE)]);
        assert_eq!(outcome.denial(), Reason::WrongCode, "{level:?}");
    }
}
