//! Physical tokens of a user whose name was given to another person.

use super::*;
use crate::store::EnrollmentStore as _;
use crate::store::administration::AccountOwnership as _;
use crate::store::administration::Belongs;

fn another_alice() -> Person {
    Person { uid: Uid(4444), ..person("alice") }
}

impl Fixture {
    fn login_of(&self, person: &Person, digits: &str) -> Result<Redemption, StoreError> {
        let readings = [Answer::parse(digits.as_bytes())];
        let source = Source::from_rhost(None);
        let attempt =
            Attempt { readings: &readings, source: &source, factors: Factors::ALL, previous: None, remember: None };
        self.store.redeem(person, &attempt)
    }

    fn belongs(&self) -> Belongs {
        self.store.belongs(&user("alice")).unwrap()
    }
}

#[test]
fn a_token_is_its_owners_and_not_the_names() {
    let fixture = Fixture::new();
    assert_eq!(fixture.belongs(), Belongs::ToNobody);
    fixture.assign(FOB, "alice");
    assert_eq!(fixture.belongs(), Belongs::To(person("alice").uid), "known before the first login");
    let refused = fixture.login_of(&another_alice(), &shown(1, 0, NOW));
    assert!(matches!(refused, Err(StoreError::UidChanged { .. })), "{refused:?}");
    assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Enrolled));
    assert!(matches!(
        fixture.store.enrollment_status(&another_alice()).unwrap(),
        crate::store::EnrollmentStatus::Enrolled
    ));
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn nobody_is_given_a_token_beside_those_of_another_person() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let refused = fixture.store.assign(&[(serial(SECOND_FOB), another_alice())], Sharing::Refuse, by(NOW));
    assert!(matches!(refused, Err(TokenError::Store(StoreError::UidChanged { .. }))), "{refused:?}");
    assert_eq!(fixture.view(SECOND_FOB).owner, None);
    let refused = fixture.login_of(&another_alice(), &shown(2, 0, NOW));
    assert!(matches!(refused, Err(StoreError::UidChanged { .. })), "{refused:?}");

    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(fixture.belongs(), Belongs::ToNobody, "nothing is left that could open a login");
    fixture.store.assign(&[(serial(SECOND_FOB), another_alice())], Sharing::Refuse, by(NOW)).unwrap();
    assert_eq!(fixture.belongs(), Belongs::To(Uid(4444)));
    assert!(matches!(fixture.login_of(&another_alice(), &shown(2, 0, NOW)), Ok(Redemption::Redeemed(_))));
}

#[test]
fn a_reset_does_not_give_the_tokens_that_stay_to_the_next_person() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.enroll("alice", secret(3));
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap());
    assert_eq!(fixture.belongs(), Belongs::To(person("alice").uid));
    let refused = fixture.login_of(&another_alice(), &shown(1, 0, NOW));
    assert!(matches!(refused, Err(StoreError::UidChanged { .. })), "{refused:?}");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn tokens_that_the_registry_has_lost_are_still_their_owners() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    let gone = fixture.directory.path().join("elsewhere");
    fs::rename(fixture.registry(), &gone).unwrap();
    for beside in ["registry.db-wal", "registry.db-shm"] {
        let _ = fs::remove_file(fixture.directory.path().join(beside));
    }
    let proposal = Proposal::with_secret(secret(3), Label::app(), totp(), "example.org", "alice", NOW).unwrap();
    let refused = fixture.store.enroll(&another_alice(), proposal.vouch(), None, Existing::Keep);
    assert!(refused.is_err(), "the registry may come back, and the token with it");
    fs::rename(gone, fixture.registry()).unwrap();
    assert_eq!(fixture.belongs(), Belongs::To(person("alice").uid));
}
