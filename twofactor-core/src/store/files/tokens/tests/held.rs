//! Tokens in their owners' own files, and the move of those that an older version has left in the registry.

use super::*;
use crate::store::administration::{Migration, StateRepair as _};
use crate::store::files::user_folder::SECRET;
use crate::store::{EnrollmentStatus, EnrollmentStore as _, Stripping};

impl Fixture {
    /// As an older version left it: the registry alone has the user's tokens, and the state names their number.
    fn leave_to_the_registry(&self, name: &str) {
        let mut held = 0;
        self.rewrite(name, |credentials| held = std::mem::take(&mut credentials.held).len());
        self.restate(name, |state| State { tokens_held: held, ..state });
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join("users").join(name).join(SECRET)).unwrap()
    }

    fn migrate(&self) -> Migration {
        self.store.migrate(by(NOW)).unwrap()
    }

    fn unmigrated(&self, name: &str, digits: &str) {
        let refused = self.login(name, digits, NOW).unwrap_err();
        assert_eq!(refused.reason(), Reason::StoreUnavailable, "{refused}");
        assert!(refused.hint().contains("twofactor migrate"), "{}", refused.hint());
    }
}

#[test]
fn a_file_without_tokens_is_as_older_versions_wrote_it() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    let before = fixture.file("alice");
    assert!(before.contains("\nversion = 1\n") && !before.contains("[[token]]"), "{before}");
    fixture.assign(FOB, "alice");
    let with = fixture.file("alice");
    assert!(with.contains("\nversion = 2\n") && with.contains("[[token]]\nserial = \"1234567891234\""), "{with}");
    fixture.store.unassign(&serial(FOB), LastCredential::Keep, by(NOW)).unwrap();
    assert_eq!(fixture.file("alice"), before);
    fixture.assign(FOB, "bob");
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    assert!(!fixture.directory.path().join("users/bob/secret.toml").exists(), "nothing is left in it");
}

#[test]
fn a_token_that_no_file_has_is_no_absence_and_is_moved_by_migrate() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    fixture.assign(SECOND_FOB, "bob");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    for name in ["alice", "bob"] {
        fixture.leave_to_the_registry(name);
    }
    fixture.unmigrated("alice", &shown(1, 1, NOW));
    fixture.unmigrated("bob", &shown(2, 0, NOW));
    fixture.accepted("alice", &shown(3, 0, NOW), NOW);
    assert!(matches!(fixture.store.presence(&user("bob")).unwrap(), Presence::Enrolled));
    assert!(matches!(fixture.store.enrollment_status(&person("bob")).unwrap(), EnrollmentStatus::Enrolled));
    let readings = [Answer::parse(shown(1, 1, NOW).as_bytes())];
    let source = Source::from_rhost(None);
    let attempt =
        Attempt { readings: &readings, source: &source, factors: Factors::ALL, previous: None, remember: None };
    assert!(fixture.store.strip(&person("alice"), &attempt).is_err(), "it may be a right code");
    assert_eq!(fixture.store.status(&user("bob")).unwrap().unwrap().tokens.len(), 1);

    let Migration { moved, problems } = fixture.migrate();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(moved, [(user("alice"), 1), (user("bob"), 1)]);
    assert_eq!(fixture.refusal("alice", &shown(1, 0, NOW), NOW), Reason::Replayed, "what was used stays used");
    assert!(matches!(fixture.store.strip(&person("alice"), &attempt).unwrap(), Stripping::Burned { .. }));
    fixture.accepted("bob", &shown(2, 0, NOW), NOW);
    assert!(fixture.migrate().moved.is_empty(), "and not a second time");
}

#[test]
fn a_migration_that_was_killed_keeps_nobody_out_whose_token_was_moved() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.restate("alice", |state| State { tokens_held: 1, ..state });
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let mut wrong = fixture.store.wrong_codes(&user("alice"), NOW);
    fixture.unmigrated("alice", &wrong.next().unwrap());
    assert_eq!(fixture.migrate().moved, [(user("alice"), 1)]);
    assert_eq!(fixture.state("alice").tokens_held, 0);
    assert_eq!(fixture.refusal("alice", &wrong.next().unwrap(), NOW), Reason::WrongCode);
}

#[test]
fn a_registry_that_has_lost_tokens_is_not_taken_for_one_that_never_had_them() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.assign(SECOND_FOB, "bob");
    for name in ["alice", "bob"] {
        fixture.leave_to_the_registry(name);
    }
    fixture.sql("DELETE FROM tokens WHERE owner = 'alice'; DELETE FROM history");
    let Migration { moved, problems } = fixture.migrate();
    assert_eq!(moved, [(user("bob"), 1)], "others do not wait for her");
    let is_lost =
        |error: &StoreError| matches!(FilesError::of(error), Some(FilesError::LostTokens { held: 1, known: 0, .. }));
    assert!(problems.len() == 1 && is_lost(&problems[0]), "{problems:?}");
    fixture.unmigrated("alice", &shown(1, 0, NOW));
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap(), "there is a way out");
    assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Absent(_)));
}

#[test]
fn a_number_that_the_history_explains_is_no_loss() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    // As an older version left it that was killed after the registry, and one that was killed before it.
    for before in [None, Some(0)] {
        fixture.restate("alice", |state| State { tokens_held: 1, tokens_before_gift: before, ..state });
        if before.is_some() {
            fixture.sql("DELETE FROM history");
        }
        assert_eq!(fixture.migrate().moved, [(user("alice"), 0)]);
        assert!(matches!(fixture.store.presence(&user("alice")), Ok(Presence::Absent(_))));
    }
}

#[test]
fn a_change_of_a_token_moves_the_owners_other_ones() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.leave_to_the_registry("alice");
    fixture.assign(SECOND_FOB, "alice");
    for byte in [1, 2] {
        fixture.accepted("alice", &shown(byte, 0, NOW), NOW);
    }
    fixture.leave_to_the_registry("alice");
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::WrongCode);
    fixture.accepted("alice", &shown(2, 1, NOW), NOW);
}

#[test]
fn a_reset_leaves_tokens_and_brings_them_back_from_the_registry_when_the_file_is_gone() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap());
    assert_eq!(fixture.refusal("alice", &shown(3, 0, NOW), NOW), Reason::WrongCode, "the app is forgotten");
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
    fs::remove_file(fixture.directory.path().join("users/alice/secret.toml")).unwrap();
    assert!(fixture.login("alice", &shown(1, 2, NOW), NOW).is_err());
    assert!(fixture.store.reset(&user("alice"), Reset::Everything).unwrap());
    assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::Replayed);
    fixture.accepted("alice", &shown(1, 2, NOW), NOW);
}

#[test]
fn tokens_of_many_owners_are_given_and_taken_together_or_not_at_all() {
    let fixture = Fixture::empty();
    let names: Vec<String> = (b'a'..=b't').map(|letter| char::from(letter).to_string()).collect();
    let bytes = 1_u8..;
    let rows: Vec<(&str, Secret, Parameters)> =
        names.iter().zip(bytes.clone()).map(|(name, byte)| (name.as_str(), secret(byte), totp())).collect();
    fixture.import("box", &rows).unwrap();
    let pairs: Vec<(Serial, Person)> = names.iter().map(|name| (serial(name), person(name))).collect();
    // One of their files cannot be written.
    fixture.enroll("m", secret(99));
    let obstacle = fixture.directory.path().join("users/m/secret.toml.new/inside");
    fs::create_dir_all(&obstacle).unwrap();
    let states = || -> Vec<Vec<u8>> {
        let state = |name: &String| fs::read(fixture.directory.path().join("users").join(name).join("state"));
        names.iter().filter_map(|name| state(name).ok()).collect()
    };
    fixture.store.assign(&pairs, Sharing::Refuse, by(NOW)).unwrap_err();
    for (name, byte) in names.iter().zip(bytes.clone()) {
        assert_eq!(fixture.view(name).owner, None, "{name}");
        let reason = if name == "m" { Reason::WrongCode } else { Reason::NotEnrolled };
        assert_eq!(fixture.refusal(name, &shown(byte, 0, NOW), NOW), reason, "{name}");
    }
    assert!(states().len() > 1);
    fs::remove_dir_all(obstacle.parent().unwrap()).unwrap();
    fixture.store.assign(&pairs, Sharing::Refuse, by(NOW)).unwrap();
    for (name, byte) in names.iter().zip(bytes.clone()) {
        fixture.accepted(name, &shown(byte, 0, NOW), NOW);
        assert_eq!(fixture.state(name).tokens_before_gift, None);
    }
    let serials: Vec<Serial> = names.iter().map(|name| serial(name)).collect();
    fs::create_dir_all(&obstacle).unwrap();
    fixture.store.change(&serials, Change::Disable, LastCredential::Keep, by(NOW)).unwrap_err();
    for (name, byte) in names.iter().zip(bytes.clone()) {
        assert_eq!(fixture.view(name).stage, Stage::Active, "{name}");
        fixture.accepted(name, &shown(byte, 1, NOW), NOW);
    }
    fs::remove_dir_all(obstacle.parent().unwrap()).unwrap();
    fixture.store.delete_series("box", LastCredential::Take, by(NOW)).unwrap();
    for (name, byte) in names.iter().zip(bytes) {
        let reason = if name == "m" { Reason::WrongCode } else { Reason::NotEnrolled };
        assert_eq!(fixture.refusal(name, &shown(byte, 2, NOW), NOW), reason, "{name}");
    }
}
