//! The states in which a process that is killed leaves the registry and an owner's file, and backups of one of the two.

use super::*;
use crate::store::administration::{Defect, Difference, Repair, StateInspection as _, StateRepair as _};

impl Fixture {
    fn differences(&self) -> Vec<Difference> {
        let difference = |defect| match defect {
            Defect::Differs(found) => {
                assert_eq!((found.user, found.serial), (user("alice"), serial(FOB)));
                found.difference
            }
            other => panic!("{other:?}"),
        };
        self.store.inspect().flaws.into_iter().map(difference).collect()
    }

    fn repaired(&self) -> Vec<Repair> {
        let repairs = self.store.repair(by(NOW));
        assert!(repairs.problems.is_empty(), "{repairs:?}");
        assert_eq!(self.store.repair(by(NOW)).done, [], "and there is no more to do");
        repairs.done
    }

    /// As a process leaves it that was killed after the registry had the owner, and before the file was replaced.
    fn with_an_interrupted_gift() -> Self {
        let fixture = Self::new();
        fixture.assign(FOB, "alice");
        fixture.rewrite("alice", |credentials| credentials.held.clear());
        fixture.restate("alice", |state| State { tokens_before_gift: Some(0), ..state });
        assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::NotEnrolled);
        assert_eq!(fixture.differences(), [Difference::NotInFile]);
        fixture
    }

    /// As a process leaves it that was killed after the file had lost the token, and before the registry freed it.
    fn with_an_interrupted_taking() -> Self {
        let fixture = Self::new();
        fixture.assign(FOB, "alice");
        fixture.accepted("alice", &shown(1, 0, NOW), NOW);
        fixture.rewrite("alice", |credentials| credentials.held.clear());
        assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::NotEnrolled, "it holds already");
        assert_eq!(fixture.differences(), [Difference::NotInFile]);
        fixture
    }

    /// The token is free, and what alice used is used for the next owner.
    fn is_taken_with_its_use(&self) {
        assert_eq!(self.differences(), []);
        assert_eq!(self.view(FOB).owner, None);
        self.assign(FOB, "bob");
        assert_eq!(self.refusal("bob", &shown(1, 0, NOW), NOW), Reason::Replayed);
        self.accepted("bob", &shown(1, 1, NOW), NOW);
    }
}

#[test]
fn an_interrupted_assignment_is_completed_by_a_repair() {
    let fixture = Fixture::with_an_interrupted_gift();
    assert_eq!(fixture.repaired(), [Repair::TokenGiven(user("alice"), serial(FOB))]);
    assert_eq!(fixture.differences(), []);
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn an_interrupted_assignment_is_completed_by_the_command_again() {
    let fixture = Fixture::with_an_interrupted_gift();
    fixture.assign(FOB, "alice");
    assert_eq!(fixture.differences(), []);
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let again = fixture.store.assign(&[(serial(FOB), person("alice"))], Sharing::Refuse, by(NOW));
    assert!(matches!(again, Err(TokenError::Owned(..))), "{again:?}");
}

#[test]
fn an_assignment_whose_end_was_not_written_down_is_one() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.restate("alice", |state| State { tokens_before_gift: Some(0), ..state });
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    assert_eq!(fixture.repaired(), []);
    assert_eq!(fixture.state("alice").tokens_before_gift, None);
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
}

#[test]
fn an_interrupted_taking_is_completed_by_a_repair() {
    let fixture = Fixture::with_an_interrupted_taking();
    assert_eq!(fixture.repaired(), [Repair::TokenTaken(user("alice"), serial(FOB))]);
    fixture.is_taken_with_its_use();
}

#[test]
fn an_interrupted_taking_is_completed_by_the_command_again() {
    let fixture = Fixture::with_an_interrupted_taking();
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    fixture.is_taken_with_its_use();
}

#[test]
fn a_token_that_the_registry_has_freed_leaves_the_file_and_its_use_goes_into_the_registry() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    // As after a backup of the registry was restored that is older than the assignment.
    fixture.sql("UPDATE tokens SET owner = NULL, assigned_at = NULL, first_use = 0");
    assert_eq!(fixture.differences(), [Difference::NotRegistered]);
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
    assert_eq!(fixture.repaired(), [Repair::TokenTaken(user("alice"), serial(FOB))]);
    assert_eq!(fixture.refusal("alice", &shown(1, 2, NOW), NOW), Reason::NotEnrolled);
    fixture.assign(FOB, "bob");
    assert_eq!(fixture.refusal("bob", &shown(1, 1, NOW), NOW), Reason::Replayed);
    fixture.accepted("bob", &shown(1, 2, NOW), NOW);
}

#[test]
fn a_token_that_the_registry_has_given_to_another_user_or_revoked_leaves_the_file() {
    for change in ["owner = 'bob'", "status = 'revoked', secret = NULL, owner = NULL"] {
        let fixture = Fixture::new();
        fixture.assign(FOB, "alice");
        fixture.enroll("bob", secret(3));
        fixture.sql(&format!("UPDATE tokens SET {change} WHERE serial = '{FOB}'"));
        let repaired = fixture.store.repair(by(NOW)).done;
        assert!(repaired.contains(&Repair::TokenTaken(user("alice"), serial(FOB))), "{change}: {repaired:?}");
        assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::NotEnrolled, "{change}");
    }
}

#[test]
fn of_two_statuses_the_stricter_holds() {
    for (file, registry) in [
        (TokenStatus::Good, TokenStatus::Disabled),
        (TokenStatus::Disabled, TokenStatus::Good),
        (TokenStatus::Lost, TokenStatus::Disabled),
    ] {
        let fixture = Fixture::new();
        fixture.assign(FOB, "alice");
        fixture.rewrite("alice", |credentials| credentials.held[0].status = file);
        fixture.sql(&format!("UPDATE tokens SET status = '{}' WHERE serial = '{FOB}'", registry.word()));
        assert_eq!(fixture.differences(), [Difference::Status { file, registry }]);
        let stricter = if file == TokenStatus::Lost { file } else { TokenStatus::Disabled };
        assert_eq!(fixture.repaired(), [Repair::TokenStatus(user("alice"), serial(FOB), stricter)]);
        assert_eq!(fixture.differences(), []);
        assert_eq!(fixture.view(FOB).stage, stricter.stage(Owned::Unused));
        assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::TokenDisabled);
    }
}

#[test]
fn an_interrupted_enabling_is_completed() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.rewrite("alice", |credentials| credentials.held[0].status = TokenStatus::Disabled);
    fixture.restate("alice", |state| State { tokens_before_gift: Some(1), ..state });
    assert_eq!(fixture.repaired(), [Repair::TokenStatus(user("alice"), serial(FOB), TokenStatus::Good)]);
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn a_token_that_the_registry_does_not_know_is_named_and_stays() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.sql(&format!("DELETE FROM tokens WHERE serial = '{FOB}'"));
    assert_eq!(fixture.differences(), [Difference::Unknown]);
    assert_eq!(fixture.repaired(), []);
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    // Nor does another change of her tokens take it away.
    fixture.assign(SECOND_FOB, "alice");
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
    fixture.accepted("alice", &shown(2, 1, NOW), NOW);
}

#[test]
fn a_correction_that_was_interrupted_is_completed() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.sql(&format!("UPDATE tokens SET digits = 8 WHERE serial = '{FOB}'"));
    assert_eq!(fixture.differences(), [Difference::Codes]);
    assert_eq!(fixture.repaired(), [Repair::TokenCodes(user("alice"), serial(FOB))]);
    let eight = Parameters { digits: Digits::new(8).unwrap(), ..totp() };
    fixture.accepted("alice", &otp::code_of(&secret(1), eight, Step(here(NOW))), NOW);
}

#[test]
fn an_owner_whose_folder_is_gone_is_named() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fs::remove_dir_all(fixture.directory.path().join("users/alice")).unwrap();
    assert_eq!(fixture.differences(), [Difference::NotInFile]);
    // A folder that was made anew knows nothing of the codes that were used.
    drop(fixture.store.locked_or_new(&user("alice")).unwrap());
    assert_eq!(fixture.repaired(), [Repair::TokenTaken(user("alice"), serial(FOB))]);
    fixture.assign(FOB, "bob");
    assert_eq!(fixture.refusal("bob", &shown(1, 0, NOW), NOW), Reason::Replayed, "it may have been used");
}
