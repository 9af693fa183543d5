//! A name is not a person: what is kept under a name opens nothing for another uid.

use super::*;
use crate::store::Superseded;
use crate::store::administration::{AccountOwnership as _, InvitationAdministration as _};
use crate::store::administration::{Adoption, Belongs};

const ANOTHER: Uid = Uid(4444);

impl Files {
    /// Makes the user's state one that names no uid, as older versions wrote them.
    pub(crate) fn forget_uid(&self, user: &UserName) {
        let account = self.locked(user).unwrap().unwrap();
        let state = account.state().unwrap();
        account.write_state(&State { uid: None, ..state }).unwrap();
    }

    fn state_of(&self, user: &UserName) -> State {
        self.unlocked(user).unwrap().unwrap().state().unwrap()
    }
}

impl Fixture {
    /// The same store, seen by the person who has the name alice now.
    fn of_another(mut self) -> Self {
        self.alice.uid = ANOTHER;
        self
    }

    pub(super) fn state(&self) -> State {
        self.store.state_of(&self.alice.name)
    }
}

fn uid_changed<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(error @ StoreError::UidChanged { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_right_code_of_the_former_person_is_refused_and_neither_burned_nor_counted() {
    let fixture = Fixture::new().of_another();
    let before = fixture.state();
    for typed in [fixture.code(0, NOW), fixture.wrong(), "letters".to_owned()] {
        let words = uid_changed(fixture.redeem(&typed, NOW));
        assert_eq!(words, "the account belongs to uid 1001, and alice is uid 4444 now");
    }
    assert_eq!(fixture.state(), before, "nothing was judged");
    let alice = Fixture { alice: person("alice", 1001), ..fixture };
    assert!(alice.accepts(&alice.code(0, NOW), NOW), "the code is still the owner's");
}

#[test]
fn a_refusal_takes_the_work_of_a_wrong_code() {
    let fixture = Fixture::new().of_another();
    let before = fs::read(fixture.path(STATE)).unwrap();
    uid_changed(fixture.redeem(&fixture.code(0, NOW), NOW));
    assert_ne!(fs::read(fixture.path(STATE)).unwrap(), before, "a slot was overwritten and flushed");
}

#[test]
fn a_state_without_a_uid_takes_it_from_the_next_accepted_login_and_from_nothing_else() {
    let fixture = Fixture::new().of_another();
    fixture.store.forget_uid(&fixture.alice.name);
    assert_eq!(fixture.refusal(&fixture.wrong(), NOW), Reason::WrongCode);
    assert_eq!(fixture.state().uid, None);
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    assert_eq!(fixture.state().uid, Some(ANOTHER));
    let former = Fixture { alice: person("alice", 1001), ..fixture };
    uid_changed(former.redeem(&former.code(1, NOW), NOW));
}

#[test]
fn a_state_of_an_older_version_is_read_and_damage_to_the_uid_is_damage() {
    let state = State { uid: Some(ANOTHER), ..State::default() };
    let text = state_text::write(&state);
    assert_eq!(state_text::read(&text).unwrap(), state);
    assert_eq!(state_text::read(&text.replace("uid = 4444\n", "")).unwrap().uid, None);
    for damage in ["uid = -1\n", "uid = 4294967296\n", "uid = \"4444\"\n", "uid = 4444\nuid = 4444\n"] {
        assert!(state_text::read(&text.replace("uid = 4444\n", damage)).is_err(), "{damage}");
    }
}

#[test]
fn a_sysadmin_enrolls_nobody_over_the_account_of_another_person() {
    let fixture = Fixture::new().of_another();
    let another = || {
        let secret = Secret::from_bytes(Zeroizing::new(b"another secret of 20".to_vec())).unwrap();
        let proposal =
            Proposal::with_secret(secret, Label::app(), fixture.parameters, "example.org", "alice", NOW).unwrap();
        proposal.vouch()
    };
    for existing in [Existing::Keep, Existing::Replace] {
        let refused = fixture.store.enroll(&fixture.alice, another(), None, existing);
        assert!(matches!(refused, Err(EnrollError::Store(StoreError::UidChanged { .. }))), "{refused:?}");
    }
    let invited = fixture.store.invite(&fixture.alice, NOW.after(Duration::from_hours(1)));
    assert!(matches!(invited, Err(Superseded::Store(StoreError::UidChanged { .. }))), "{invited:?}");
    assert_eq!(fixture.state().invitation, None);

    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    assert_eq!(fixture.store.belongs(&fixture.alice.name).unwrap(), Belongs::ToNobody);
    fixture.store.enroll(&fixture.alice, another(), None, Existing::Keep).unwrap();
    assert_eq!(fixture.store.belongs(&fixture.alice.name).unwrap(), Belongs::To(ANOTHER));
}

#[test]
fn what_is_shown_of_an_account_is_shown_to_its_owner_only() {
    let fixture = Fixture::new();
    fixture.store.replace_recovery(&fixture.alice.name, &enrollment::recovery_codes(2).unwrap()).unwrap();
    assert_eq!(fixture.store.recovery_left(&fixture.alice).unwrap(), Some(2));
    let fixture = fixture.of_another();
    assert_eq!(fixture.store.recovery_left(&fixture.alice).unwrap(), None);
    assert!(matches!(fixture.store.presence(&fixture.alice.name).unwrap(), Presence::Enrolled), "never absent");
}

#[test]
fn adopting_keeps_all_that_is_known_of_the_account() {
    let fixture = Fixture::new();
    assert!(fixture.accepts(&fixture.code(0, NOW), NOW));
    let fixture = fixture.of_another();
    let before = fixture.state();
    let seen = fixture.store.belongs(&fixture.alice.name).unwrap();
    assert_eq!(seen, Belongs::To(Uid(1001)));
    assert_eq!(fixture.store.adopt_uid(&fixture.alice, seen).unwrap(), Adoption::Done);
    assert_eq!(fixture.state(), State { uid: Some(ANOTHER), ..before });
    assert_eq!(fixture.refusal(&fixture.code(0, NOW), NOW), Reason::Replayed, "used codes stay used");
    assert!(fixture.accepts(&fixture.code(1, NOW), NOW));
}

#[test]
fn what_has_changed_since_it_was_looked_at_is_not_adopted() {
    let fixture = Fixture::new().of_another();
    for seen in [Belongs::ToUnknown, Belongs::ToNobody, Belongs::To(Uid(7))] {
        assert_eq!(fixture.store.adopt_uid(&fixture.alice, seen).unwrap(), Adoption::Overtaken, "{seen:?}");
    }
    fixture.store.reset(&fixture.alice.name, Reset::Everything).unwrap();
    assert_eq!(fixture.store.adopt_uid(&fixture.alice, Belongs::To(Uid(1001))).unwrap(), Adoption::Overtaken);
    let nobody = person("carol", 1003);
    assert_eq!(fixture.store.adopt_uid(&nobody, Belongs::ToUnknown).unwrap(), Adoption::Overtaken);
}

#[test]
fn of_logins_beside_adoptions_none_is_lost_and_no_code_is_good_twice() {
    let fixture = Fixture::new();
    fixture.clock.set(NOW);
    let codes: Vec<String> = (-2..=2).map(|offset| fixture.code(offset, NOW)).collect();
    let (owner, other) = (fixture.alice.clone(), Person { uid: ANOTHER, ..fixture.alice.clone() });
    let (store, source) = (&fixture.store, Source::from_rhost(None));
    let login = |person: &Person, code: &str| {
        let attempt = Attempt {
            factors: Factors::ALL,
            previous: None,
            remember: None,
            readings: &[Answer::parse(code.as_bytes())],
            source: &source,
        };
        match store.redeem(person, &attempt) {
            Ok(Redemption::Redeemed(_)) => Some(true),
            Ok(_) => Some(false),
            Err(StoreError::UidChanged { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    };
    std::thread::scope(|scope| {
        let adopting = scope.spawn(|| {
            for person in [&other, &owner].into_iter().cycle().take(40) {
                let seen = store.belongs(&person.name).unwrap();
                assert_eq!(store.adopt_uid(person, seen).unwrap(), Adoption::Done, "nobody else adopts");
            }
        });
        let (owner, other, codes, login) = (&owner, &other, &codes, &login);
        let logins: Vec<_> = [owner, other]
            .map(|person| {
                scope.spawn(move || {
                    let tries = codes.iter().cycle().take(40);
                    tries.filter(|code| login(person, code) == Some(true)).cloned().collect::<Vec<_>>()
                })
            })
            .into();
        let mut accepted: Vec<String> = logins.into_iter().flat_map(|login| login.join().unwrap()).collect();
        adopting.join().unwrap();
        // Whoever comes first with the newest code; but each code at most once.
        let all = accepted.len();
        accepted.sort();
        accepted.dedup();
        assert_eq!(accepted.len(), all, "a code opened two sessions");
    });
    assert_eq!(fixture.state().uid, Some(owner.uid), "the last adoption is the owner's");
    for code in &codes {
        let was_new = login(&owner, code);
        assert_eq!(login(&owner, code), Some(false), "used at last: {was_new:?}");
    }
    assert_eq!(login(&other, &codes[0]), None);
}

/// Without the lock, an account may go to another person between two readings.
#[test]
fn the_owner_of_an_account_is_known_before_its_keys_are_looked_at() {
    use crate::account::EnrolledKey;
    use crate::account::factors::Attestation;
    use crate::codes::ssh_key::tests::key;
    use crate::store::administration::SshKeyAdministration as _;
    let fixture = Fixture::new();
    let one = EnrolledKey { key: key(1), label: Label::key(), issued: NOW, attestation: Attestation::None };
    fixture.store.add_ssh_key(&fixture.alice, one).unwrap();
    let recognized = |fixture: &Fixture| fixture.store.recognize(&fixture.alice, &[key(1)], Factors::ALL);
    assert!(recognized(&fixture).unwrap().is_some());
    // Where keys were read, this would be an error.
    fs::write(fixture.path("secret.toml"), "damaged").unwrap();
    assert!(recognized(&fixture).is_err());
    let fixture = fixture.of_another();
    assert!(recognized(&fixture).unwrap().is_none(), "the keys of the former person were not read");
}
