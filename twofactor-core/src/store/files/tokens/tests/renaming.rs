//! An account that goes to another name of the same person, with a token: what goes along, what is refused, and what a process
//! that is killed leaves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::account::invitation::Invitation;
use crate::codes::token::Seeds;
use crate::store::StoreError;
use crate::store::administration::{
    AccountOwnership as _, AccountRenaming as _, Belongs, HistoryPart, RenameError, Renamed, StateInspection as _,
};
use crate::store::files::user_folder::USERS;

impl Fixture {
    /// Renames as the command does: as the account is seen now.
    fn rename(&self, from: &str, to: &Person) -> Result<Renamed, RenameError> {
        let seen = self.store.belongs(&user(from)).unwrap();
        self.store.rename(&user(from), to, seen, by(NOW))
    }

    /// The lines about renames, as pairs.
    fn renames(&self) -> Vec<Vec<(String, String)>> {
        let mut history = self.store.history(&HistoryPart::default()).unwrap().unwrap();
        let lines = history.next_portion().unwrap();
        lines.into_iter().filter(|line| line.event == Event::AccountRenamed).map(|line| line.pairs).collect()
    }

    /// As a process leaves it that was killed after the registry had the new name, and before the folder had it.
    fn with_an_interrupted_rename() -> Self {
        let fixture = Self::new();
        fixture.assign(FOB, "alice");
        fixture.rename("alice", &alicia()).unwrap();
        let users = fixture.directory.path().join(USERS);
        fs::rename(users.join("alicia"), users.join("alice")).unwrap();
        assert_eq!(fixture.view(FOB).owner, Some(user("alicia")));
        fixture.accepted("alice", &shown(1, 0, NOW), NOW);
        fixture
    }
}

/// The new name of alice, whose uid has not changed.
fn alicia() -> Person {
    Person { name: user("alicia"), uid: person("alice").uid }
}

/// The same with another uid.
fn alicia_elsewhere() -> Person {
    person("alicia")
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn all_that_was_used_and_counted_goes_to_the_new_name_with_the_token_and_the_uid() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.enroll("alice", secret(9));
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    let wrong = fixture.store.wrong_codes(&user("alice"), NOW).next().unwrap();
    assert_eq!(fixture.refusal("alice", &wrong, NOW), Reason::WrongCode);
    let before = fixture.state("alice");
    assert_eq!(before.throttle.user.count, 1);
    let renamed = fixture.rename("alice", &alicia_elsewhere()).unwrap();
    assert_eq!(renamed, Renamed { apps: 1, tokens: vec![serial(FOB)] });
    assert_eq!(fixture.state("alicia"), State { uid: Some(alicia_elsewhere().uid), ..before });
    assert_eq!(fixture.refusal("alicia", &shown(1, 0, NOW), NOW), Reason::Replayed);
    fixture.accepted("alicia", &shown(1, 1, NOW), NOW);
    assert!(matches!(fixture.store.presence(&user("alice")).unwrap(), Presence::Absent(_)));
    assert_eq!(fixture.refusal("alice", &shown(1, 2, NOW), NOW), Reason::NotEnrolled);
    assert_eq!(fixture.view(FOB).owner, Some(user("alicia")));
    assert!(fixture.store.inspect().flaws.is_empty());
    let uid = |person: Person| person.uid.to_string();
    let (old, new) = (uid(person("alice")), uid(alicia_elsewhere()));
    let line = [("user", "alicia"), ("user_before", "alice"), ("uid_before", &*old), ("uid", &*new)];
    assert_eq!(fixture.renames(), [pairs(&line)]);
    let back = fixture.rename("alicia", &person("alice")).unwrap();
    assert_eq!(back, renamed, "and back again");
    assert_eq!(fixture.refusal("alice", &shown(1, 1, NOW), NOW), Reason::Replayed);
}

#[test]
fn an_account_that_is_only_invited_and_one_without_tokens_get_the_new_name_and_a_registry_with_the_line() {
    for with_app in [false, true] {
        let fixture = Fixture::empty();
        if with_app {
            fixture.enroll("alice", secret(9));
        } else {
            drop(fixture.store.locked_or_new(&user("alice")).unwrap());
        }
        let until = later(3600);
        let invitation = Invitation::of(&crate::account::invitation::InvitationCode::generate().unwrap(), until);
        let invitation = Some(invitation.unwrap());
        fixture.restate("alice", |state| State { invitation, uid: Some(person("alice").uid), ..state });
        fixture.rename("alice", &alicia_elsewhere()).unwrap();
        let state = fixture.state("alicia");
        assert_eq!((state.invitation.is_some(), state.uid), (true, Some(alicia_elsewhere().uid)));
        assert_eq!(fixture.renames().len(), 1);
    }
}

#[test]
fn a_name_with_an_account_is_not_taken_and_one_without_is_not_given() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.assign(SECOND_FOB, "bob");
    let to_bob = fixture.rename("alice", &person("bob"));
    assert!(matches!(to_bob, Err(RenameError::Occupied(name)) if name == user("bob")));
    fixture.enroll("dave", secret(9));
    let to_dave = fixture.rename("alice", &person("dave"));
    assert!(matches!(to_dave, Err(RenameError::Occupied(name)) if name == user("dave")), "he has an app alone");
    let of_carol = fixture.rename("carol", &person("alice"));
    assert!(matches!(of_carol, Err(RenameError::NoAccount(name)) if name == user("carol")));
    let to_oneself = fixture.rename("alice", &person("alice"));
    assert!(matches!(to_oneself, Err(RenameError::Occupied(_))), "{to_oneself:?}");
    let other = Belongs::To(Uid(4711));
    let changed = fixture.store.rename(&user("alice"), &alicia(), other, by(NOW));
    assert!(matches!(changed, Err(RenameError::Overtaken(_))), "{changed:?}");
    // A user whose account is lost has a token still.
    fs::remove_dir_all(fixture.directory.path().join(USERS).join("bob")).unwrap();
    let to_the_lost = fixture.rename("alice", &person("bob"));
    assert!(matches!(to_the_lost, Err(RenameError::Occupied(_))), "{to_the_lost:?}");
    assert_eq!((fixture.view(FOB).owner, fixture.renames()), (Some(user("alice")), Vec::new()));
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
}

#[test]
fn tokens_that_are_not_migrated_are_not_renamed() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.rewrite("alice", |credentials| credentials.held.clear());
    fixture.restate("alice", |state| State { tokens_held: 1, ..state });
    let refused = fixture.rename("alice", &alicia());
    assert!(matches!(&refused, Err(RenameError::Store(error)) if error.hint().contains("migrate")), "{refused:?}");
    assert_eq!(fixture.view(FOB).owner, Some(user("alice")));
}

#[test]
fn what_counted_under_the_new_name_before_is_learned_and_not_forgotten() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.assign(SECOND_FOB, "alicia");
    fixture.accepted("alicia", &shown(2, 0, NOW), NOW);
    fixture.store.unassign(&serial(SECOND_FOB), LastCredential::Take, by(NOW)).unwrap();
    // It has a folder, and no credential.
    assert_eq!(fixture.refusal("alicia", &shown(2, 1, NOW), NOW), Reason::NotEnrolled);
    fixture.accepted("alice", &shown(1, 0, NOW), NOW);
    fixture.rename("alice", &alicia_elsewhere()).unwrap();
    assert_eq!(fixture.refusal("alicia", &shown(1, 0, NOW), NOW), Reason::Replayed);
    fixture.sql("UPDATE tokens SET watermark = NULL WHERE owner IS NULL");
    fixture.assign(SECOND_FOB, "alicia");
    assert_eq!(fixture.refusal("alicia", &shown(2, 0, NOW), NOW), Reason::Replayed);
    let users = fs::read_dir(fixture.directory.path().join(USERS)).unwrap();
    let names: Vec<_> = users.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".id").collect();
    assert_eq!(names, ["alicia"]);
}

#[test]
fn an_interrupted_rename_is_completed_by_the_command_again_and_written_down_once() {
    let fixture = Fixture::with_an_interrupted_rename();
    fixture.rename("alice", &alicia()).unwrap();
    let login = |digits: String| {
        let readings = [Answer::parse(digits.as_bytes())];
        let source = Source::from_rhost(None);
        let attempt =
            Attempt { readings: &readings, source: &source, factors: Factors::ALL, previous: None, remember: None };
        fixture.store.redeem(&alicia(), &attempt).unwrap()
    };
    let replayed = login(shown(1, 0, NOW));
    assert!(matches!(replayed, Redemption::Refused { reason: Reason::Replayed, .. }), "{replayed:?}");
    assert!(matches!(login(shown(1, 1, NOW)), Redemption::Redeemed(_)));
    assert!(fixture.store.inspect().flaws.is_empty());
    fixture.rename("alice", &alicia()).unwrap();
    assert_eq!(fixture.renames().len(), 1, "and a third time finds it done");
}

#[test]
fn a_rename_that_was_killed_before_it_dropped_what_counted_under_the_new_name_is_completed() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    fixture.rename("alice", &alicia()).unwrap();
    // After the two folders were exchanged.
    drop(fixture.store.locked_or_new(&user("alice")).unwrap());
    let again = fixture.rename("alice", &alicia()).unwrap();
    assert_eq!(again.tokens, [serial(FOB)]);
    assert!(!fixture.directory.path().join(USERS).join("alice").exists());
    // Another person who has the name by now keeps an account, and codes that are used.
    fixture.enroll("alice", secret(9));
    assert!(matches!(fixture.rename("alice", &alicia()), Err(RenameError::Occupied(_))));
    fixture.store.reset(&user("alice"), Reset::Everything).unwrap();
    fixture.restate("alice", |mut state| {
        state.burn(Seeds::of(&secret(9), totp()), Progress { watermark: Some(Step(9)), ..Progress::default() });
        state
    });
    assert!(matches!(fixture.rename("alice", &alicia()), Err(RenameError::Occupied(_))));
    assert_eq!(fixture.state("alice").usage.len(), 1);
}

#[test]
fn an_interrupted_rename_is_taken_back_by_the_opposite_one() {
    let fixture = Fixture::with_an_interrupted_rename();
    fixture.rename("alicia", &person("alice")).unwrap();
    assert_eq!(fixture.view(FOB).owner, Some(user("alice")));
    assert!(fixture.store.inspect().flaws.is_empty());
    fixture.accepted("alice", &shown(1, 1, NOW), NOW);
    assert!(
        matches!(fixture.rename("alicia", &person("alice")), Ok(Renamed { tokens, .. }) if tokens == [serial(FOB)])
    );
    assert!(matches!(fixture.rename("carol", &person("alice")), Err(RenameError::NoAccount(_))));
}

#[test]
fn of_opposite_renames_and_logins_at_once_none_waits_for_ever_and_no_code_counts_twice() {
    const ROUNDS: u64 = 40;
    let fixture = Fixture::empty();
    fixture.import("box", &[(FOB, secret(1), hotp())]).unwrap();
    fixture.assign(FOB, "alice");
    let uses: Vec<AtomicUsize> = (0..ROUNDS).map(|_| AtomicUsize::new(0)).collect();
    let is_over = AtomicBool::new(false);
    // Each name has a uid of its own, which the account takes with the name: never does a login find another person's.
    let login = |name: &str| {
        for (step, uses) in (0..).zip(&uses) {
            let digits = otp::code_of(&secret(1), hotp(), Step(step));
            match fixture.login(name, &digits, NOW) {
                Ok(Redemption::Redeemed(_)) => drop(uses.fetch_add(1, Ordering::Relaxed)),
                Ok(_) => {}
                Err(error @ StoreError::UidChanged { .. }) => panic!("{name}: {error}"),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let rename = |from: &str, to: &str| {
        while !is_over.load(Ordering::Relaxed) {
            match fixture.rename(from, &person(to)) {
                Ok(_) | Err(RenameError::NoAccount(_) | RenameError::Overtaken(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    thread::scope(|scope| {
        let renames = [("alice", "alicia"), ("alicia", "alice")];
        for (from, to) in renames {
            scope.spawn(move || rename(from, to));
        }
        let logins = ["alice", "alicia", "alice", "alicia"].map(|name| scope.spawn(move || login(name)));
        let ended = logins.map(thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        for ended in ended {
            ended.unwrap();
        }
    });
    let uses: Vec<usize> = uses.iter().map(|uses| uses.load(Ordering::Relaxed)).collect();
    assert!(uses.iter().all(|uses| *uses <= 1) && uses.contains(&1), "{uses:?}");
    let enrolled =
        ["alice", "alicia"].map(|name| matches!(fixture.store.presence(&user(name)).unwrap(), Presence::Enrolled));
    assert_ne!(enrolled[0], enrolled[1]);
    assert!(fixture.store.inspect().flaws.is_empty());
}
