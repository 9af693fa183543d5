//! Security keys of ssh that their owner enrolls and takes away.

use super::*;
use crate::account::factors::FactorKind;
use crate::account::throttle::Count;
use crate::codes::ssh_key::tests::key;
use crate::store::administration::SshKeyAdministration as _;
use crate::store::self_service::{
    Change, Changed, FirstFactor, KeyNotChanged, NotChanged, Request, SelfService as _, Terms,
};

impl Fixture {
    fn change(&self, change: Change, typed: &str) -> Result<Result<Changed, NotChanged>, StoreError> {
        self.change_where(change, typed, &[Factors::ALL])
    }

    /// The same where one of these sets of factors counts at each login.
    fn change_where(
        &self,
        change: Change,
        typed: &str,
        accepted: &[Factors],
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let request = Request { proof: Some(Answer::parse(typed.as_bytes())), invitation: None, change };
        let (factors, first, parameters) = (Factors::ALL, FirstFactor::Invited, self.parameters);
        let (accepted, source) = (accepted.to_vec(), Source::claimed());
        let terms = Terms { factors, accepted, first, parameters, recovery_codes: 10, source };
        self.store.change_own(&self.alice, request, &terms).made
    }

    fn add(&self, number: u8, typed: &str) -> Result<Changed, NotChanged> {
        self.change(Change::AddSshKey { key: key(number), label: Label::key() }, typed).unwrap()
    }

    fn remove(&self, number: u8, typed: &str) -> Result<Changed, NotChanged> {
        self.change(Change::RemoveSshKey(key(number).fingerprint()), typed).unwrap()
    }

    fn temporary(&self) -> String {
        let until = later(3600);
        self.store.give_code(&self.alice, until).unwrap().unwrap().expose().to_owned()
    }
}

fn refused(outcome: Result<Changed, NotChanged>) -> NotChanged {
    outcome.unwrap_err()
}

#[test]
fn a_key_is_enrolled_as_not_attested_and_told_and_a_refusal_uses_no_code() {
    let fixture = Fixture::new();
    let code = fixture.code(0, NOW);
    assert_eq!(refused(fixture.remove(1, &code)), NotChanged::SshKey(KeyNotChanged::NoKey));
    let added = fixture.add(1, &code).unwrap().ssh_key.unwrap();
    assert_eq!((&added.fingerprint, added.attestation), (&key(1).fingerprint(), Attestation::None));
    assert_eq!(fixture.store.own_ssh_keys(&fixture.alice).unwrap(), [added]);
    assert_eq!(refused(fixture.add(2, &code)), NotChanged::Proof(Reason::Replayed));
    let next = fixture.code(1, NOW);
    assert_eq!(refused(fixture.add(1, &next)), NotChanged::SshKey(KeyNotChanged::AlreadyEnrolled));
    fixture.remove(1, &next).unwrap();
    assert_eq!(fixture.store.own_ssh_keys(&fixture.alice).unwrap(), []);
    let told: Vec<&str> = fixture.state().notices.iter().map(|notice| notice.change.word()).collect();
    assert_eq!(told, ["ssh-key-added", "ssh-key-removed"]);
}

#[test]
fn without_a_code_no_key_is_added_or_removed() {
    let fixture = Fixture::new();
    fixture.add(1, &fixture.code(0, NOW)).unwrap();
    let (before, keys) = (fixture.state(), fixture.store.own_ssh_keys(&fixture.alice).unwrap());
    let (factors, first, parameters) = (Factors::ALL, FirstFactor::Invited, fixture.parameters);
    let (accepted, source) = (vec![Factors::ALL], Source::claimed());
    let terms = Terms { factors, accepted, first, parameters, recovery_codes: 10, source };
    let add = Change::AddSshKey { key: key(2), label: Label::key() };
    for change in [add, Change::RemoveSshKey(key(1).fingerprint())] {
        let request = Request { proof: None, invitation: None, change };
        assert_eq!(
            refused(fixture.store.change_own(&fixture.alice, request, &terms).made.unwrap()),
            NotChanged::NeedsProof
        );
    }
    assert_eq!((fixture.state(), fixture.store.own_ssh_keys(&fixture.alice).unwrap()), (before, keys));
}

#[test]
fn a_wrong_code_is_counted_and_the_most_keys_are_not_exceeded() {
    let fixture = Fixture::new();
    assert_eq!(refused(fixture.add(1, &fixture.wrong())), NotChanged::Proof(Reason::WrongCode));
    assert_eq!(fixture.state().throttle_of(Count::Logins).user.count, 1);
    for number in 1..=u8::try_from(MOST_SSH_KEYS).unwrap() {
        let (label, attestation) = (Label::key(), Attestation::None);
        let one = EnrolledKey { key: key(number), label, issued: NOW, attestation };
        fixture.store.add_ssh_key(&fixture.alice, one).unwrap();
    }
    let code = fixture.code(0, NOW);
    assert_eq!(refused(fixture.add(200, &code)), NotChanged::SshKey(KeyNotChanged::TooMany));
    assert!(fixture.accepts(&code, NOW), "it was not used");
}

#[test]
fn the_key_that_alone_opens_sessions_is_kept() {
    let fixture = Fixture::new();
    let [recovery, other] = [(); 2].map(|()| RecoveryCode::generate().unwrap());
    let (typed, typed_other) = (recovery.expose().to_owned(), other.expose().to_owned());
    fixture.enroll("app", &[recovery, other]);
    fixture.add(1, &fixture.code(0, NOW)).unwrap();
    // An app that waits for a code opens nothing.
    fixture.store.reset(&fixture.alice.name, Reset::Confirmations).unwrap();
    assert!(fixture.accepts(&typed_other, NOW));
    let last = NotChanged::SshKey(KeyNotChanged::LastCredential);
    assert_eq!(refused(fixture.remove(1, &typed)), last, "the recovery code would be used up");
    let temporary = fixture.temporary();
    fixture.add(2, &temporary).unwrap();
    fixture.remove(1, &fixture.temporary()).unwrap();
    // Beside a recovery code that is left, the last key may go.
    fixture.remove(2, &fixture.temporary()).unwrap();
    fixture.add(3, &fixture.temporary()).unwrap();
    assert!(fixture.accepts(&typed, NOW));
    let temporary = fixture.temporary();
    assert_eq!(refused(fixture.remove(3, &temporary)), last);
    assert!(fixture.accepts(&temporary, NOW), "it was not used");
}

#[test]
fn a_key_that_alone_opens_some_login_is_kept_by_what_counts_there() {
    let [keys, attested, app] =
        [FactorKind::SshKey, FactorKind::AttestedSshKey, FactorKind::App].map(|kind| Factors::NONE.and(kind));
    let fixture = Fixture::new();
    for (number, attestation) in [(1, Attestation::Checked), (2, Attestation::None)] {
        let one = EnrolledKey { key: key(number), label: Label::key(), issued: NOW, attestation };
        fixture.store.add_ssh_key(&fixture.alice, one).unwrap();
    }
    let code = fixture.code(0, NOW);
    let last = NotChanged::SshKey(KeyNotChanged::LastCredential);
    let remove = |number: u8, typed: &str, accepted: &[Factors]| {
        let change = Change::RemoveSshKey(key(number).fingerprint());
        fixture.change_where(change, typed, accepted).unwrap()
    };
    // The app and the other key do not count where a maker's word is asked for.
    assert_eq!(refused(remove(1, &code, &[attested])), last);
    assert_eq!(refused(remove(1, &code, &[Factors::ALL, attested])), last);
    // Where no key counts, none is missed.
    remove(2, &code, &[attested, app]).unwrap();
    let next = fixture.code(1, NOW);
    assert_eq!(refused(remove(1, &next, &[app, keys])), last);
    assert!(fixture.accepts(&next, NOW), "it was not used");
    remove(1, &fixture.temporary(), &[app, Factors::ALL]).unwrap();
}

#[test]
fn the_last_code_that_came_along_from_another_system_takes_no_last_key() {
    let fixture = Fixture::new();
    let codes = ["20000001", "20000002"].map(|digits| RecoveryCode::moved(digits).unwrap());
    assert_eq!(fixture.store.move_in(&fixture.alice, Vec::new(), &codes, Existing::Replace).unwrap(), 2);
    fixture.add(1, "20000001").unwrap();
    let last = NotChanged::SshKey(KeyNotChanged::LastCredential);
    assert_eq!(refused(fixture.remove(1, "2000-0002")), last);
    assert!(fixture.accepts("20000002", NOW), "it was not used");
}

#[test]
fn an_account_of_another_person_tells_and_changes_nothing() {
    let fixture = Fixture::new();
    fixture.add(1, &fixture.code(0, NOW)).unwrap();
    let before = fixture.state();
    let fixture = Fixture { alice: person("alice", 4444), ..fixture };
    for number in [1, 2] {
        let code = fixture.code(1, NOW);
        let add = Change::AddSshKey { key: key(number), label: Label::key() };
        for change in [add, Change::RemoveSshKey(key(number).fingerprint())] {
            assert!(matches!(fixture.change(change, &code), Err(StoreError::UidChanged { .. })));
        }
    }
    assert!(fixture.store.own_ssh_keys(&fixture.alice).is_err());
    assert_eq!(fixture.state(), before);
}
