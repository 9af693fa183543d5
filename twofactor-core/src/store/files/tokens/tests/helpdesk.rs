//! A helpdesk's acts beside the registry: what stands in the history, and what remains where the registry cannot be written.

use super::*;
use crate::account::invitation::InvitationCode;
use crate::account::notice::NoticedChange;
use crate::store::EnrollmentStore as _;
use crate::store::administration::{
    AccountOwnership as _, Belongs, HistoryPart, InvitationAdministration as _, PastChange, Repair, StateRepair as _,
};
use crate::store::helpdesk::{Act, Helpdesk as _, Helped, NotHelped};
use crate::store::self_service::OwnedToken;

/// Has SQLite refuse each change of a token. The history can be written.
const REFUSING: &str = "CREATE TRIGGER refusing BEFORE UPDATE ON tokens BEGIN SELECT RAISE(ABORT, 'refused'); END";
/// Has SQLite refuse each change of a token as it is committed.
const REFUSING_LATE: &str = "CREATE TABLE late (series INTEGER REFERENCES series (id) DEFERRABLE INITIALLY DEFERRED);
     CREATE TRIGGER refusing AFTER UPDATE ON tokens BEGIN INSERT INTO late VALUES (-1); END";

fn hanna() -> Person {
    Person { name: user("hanna"), uid: Uid(1005) }
}

fn another_alice() -> Person {
    Person { uid: Uid(4444), ..person("alice") }
}

impl Fixture {
    fn help(&self, whom: &Person, act: Act) -> Result<Result<Helped, NotHelped>, StoreError> {
        self.store.help(whom, act, &hanna())
    }

    fn resync(&self, codes: [String; 2]) -> Result<Result<Helped, NotHelped>, StoreError> {
        let token = OwnedToken { serial: serial(FOB), codes: codes.map(|digits| code(&digits)) };
        self.help(&person("alice"), Act::Resync(token))
    }

    fn told(&self, name: &str) -> Vec<NoticedChange> {
        self.state(name).notices.iter().map(|notice| notice.change).collect()
    }

    fn history(&self) -> Vec<PastChange> {
        self.store
            .history(&HistoryPart::default())
            .unwrap()
            .map_or_else(Vec::new, |mut history| history.next_portion().unwrap())
    }

    /// The lines of the history that are hanna's.
    fn acts(&self) -> Vec<String> {
        let of_hanna = self.history().into_iter().filter(|past| past.who == "hanna");
        let line = |past: PastChange| {
            let pairs = past.pairs.iter();
            pairs.fold(past.event.to_string(), |line, (key, value)| line + " " + key + "=" + value)
        };
        of_hanna.map(line).collect()
    }
}

#[test]
fn codes_that_were_judged_right_are_used_up_whatever_the_registry_does_then() {
    for refusing in [REFUSING, REFUSING_LATE] {
        let fixture = Fixture::new();
        fixture.assign(FOB, "alice");
        fixture.accepted("alice", &shown(1, -1, NOW), NOW);
        fixture.sql(refusing);
        let (first, second) = (shown(1, 0, NOW), shown(1, 1, NOW));
        let failed = fixture.resync([first.clone(), second.clone()]).unwrap_err();
        assert_eq!(failed.reason(), Reason::StoreCorrupt, "{failed}");
        assert_eq!(fixture.told("alice"), [NoticedChange::TokenResynced]);
        for heard in [&first, &second] {
            assert_eq!(fixture.refusal("alice", heard, NOW), Reason::Replayed);
        }
        assert_eq!(fixture.acts(), [format!("resynced serial={FOB} user=alice asked_by=1005 outcome=unknown")]);
        fixture.sql("DROP TRIGGER refusing");
        assert_eq!(fixture.resync([first, second]).unwrap().unwrap_err(), NotHelped::WrongCodes);
        assert!(matches!(fixture.resync([shown(1, 2, NOW), shown(1, 3, NOW)]), Ok(Ok(Helped::Resynced { .. }))));
    }
}

#[test]
fn a_token_that_is_not_assigned_leaves_the_account_as_it_was() {
    for refusing in [REFUSING, REFUSING_LATE] {
        let fixture = Fixture::new();
        fixture.sql(refusing);
        for (name, has_account) in [("alice", true), ("bob", false)] {
            if has_account {
                fixture.enroll(name, secret(3));
            } else {
                drop(fixture.store.locked_or_new(&user(name)).unwrap());
            }
            let before = fixture.state(name);
            assert!(fixture.help(&person(name), Act::Assign(serial(FOB))).is_err());
            assert_eq!(fixture.state(name), before, "{name} is told of nothing");
        }
        fixture.sql("DROP TRIGGER refusing");
        assert!(matches!(fixture.help(&person("bob"), Act::Assign(serial(FOB))), Ok(Ok(Helped::Assigned))));
        assert_eq!(fixture.told("bob"), [NoticedChange::TokenAssigned]);
        let twice = fixture.help(&person("bob"), Act::Assign(serial(FOB))).unwrap();
        assert_eq!(twice.unwrap_err(), NotHelped::Owned);
    }
}

/// The uid of the account says for which person of a name an invitation was made.
#[test]
fn an_invitation_for_the_former_owner_of_a_name_admits_no_other_whatever_a_helpdesk_does() {
    let attempt = |store: &Files, code: &InvitationCode| {
        let (readings, source) = ([], Source::from_rhost(None));
        let attempt =
            Attempt { readings: &readings, source: &source, factors: Factors::ALL, previous: None, remember: None };
        store.check_invitation(&another_alice(), code, &attempt)
    };
    for refusing in [Some(REFUSING), Some(REFUSING_LATE), None] {
        let fixture = Fixture::new();
        let code = fixture.store.invite(&person("alice"), later(3600)).unwrap();
        if let Some(refusing) = refusing {
            fixture.sql(refusing);
        }
        let given = fixture.help(&another_alice(), Act::Assign(serial(FOB)));
        assert_eq!(given.is_ok(), refusing.is_none(), "{given:?}");
        for act in [Act::Unlock, Act::RevokeCode, Act::GiveCode(Duration::from_mins(1))] {
            let _ = fixture.help(&another_alice(), act);
        }
        let admitted = attempt(&fixture.store, &code);
        match refusing {
            Some(_) => assert!(matches!(admitted, Err(StoreError::UidChanged { .. })), "{admitted:?}"),
            // It is void, and the account the other person's.
            None => assert!(matches!(admitted, Ok(Err(Reason::InvitationWrong))), "{admitted:?}"),
        }
    }
    // Also where a process is killed while a token is given.
    let fixture = Fixture::new();
    let code = fixture.store.invite(&person("alice"), later(3600)).unwrap();
    let during = fixture.announced(&another_alice());
    assert_eq!((during.uid, during.invitation.is_some()), (Some(Uid(4444)), false));
    fixture.restate("alice", |_| during);
    assert!(matches!(attempt(&fixture.store, &code), Ok(Err(Reason::InvitationWrong))));
}

impl Fixture {
    /// The state that is on disk while alice is given a token.
    fn announced(&self, whom: &Person) -> State {
        let mut writer = self.store.writer().unwrap().unwrap();
        let edit = writer.edit(by(NOW)).unwrap();
        let token = edit.token(&serial(FOB)).unwrap().unwrap();
        edit.assign(&token, &whom.name).unwrap();
        let mut locks = Locks::new();
        locks.add_receiver(whom, self.account("alice"), None);
        locks.receives(&whom.name, &serial(FOB));
        locks.announced(&edit, NOW)
    }
}

#[test]
fn each_act_stands_in_the_history_with_its_author() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    let app = |offset| Act::Verify(Answer::parse(shown(3, offset, NOW).as_bytes()));
    let acts = [
        (app(0), "checked user=alice asked_by=1005 outcome=right"),
        (app(0), "checked user=alice asked_by=1005 outcome=replayed"),
        (Act::Unlock, "unlocked user=alice asked_by=1005 failures=0"),
        (Act::GiveCode(Duration::from_mins(1)), "code-given user=alice asked_by=1005 until=2027-01-15T08:01:00Z"),
        (Act::RevokeCode, "code-revoked user=alice asked_by=1005"),
        (Act::Assign(serial(FOB)), "assigned serial=1234567891234 user=alice asked_by=1005"),
        (Act::Reset, "reset user=alice asked_by=1005"),
    ];
    let mut expected = Vec::new();
    for (act, line) in acts {
        let name = act.name();
        assert!(matches!(fixture.help(&person("alice"), act), Ok(Ok(_))), "{name}");
        expected.push(line.to_owned());
        assert_eq!(fixture.acts(), expected);
    }
    assert!(matches!(fixture.resync([shown(1, 8, NOW), shown(1, 9, NOW)]), Ok(Ok(_))));
    expected.push("resynced serial=1234567891234 user=alice asked_by=1005 drift=9".to_owned());
    // A look, and what was not done.
    assert!(matches!(fixture.help(&person("alice"), Act::Status), Ok(Ok(_))));
    assert!(matches!(fixture.help(&person("alice"), Act::RevokeCode), Ok(Ok(Helped::CodeRevoked(false)))));
    for (whom, act) in [
        (person("alice"), Act::Assign(serial(FOB))),
        (person("alice"), Act::Reset),
        (person("bob"), Act::Unlock),
        (another_alice(), Act::Unlock),
    ] {
        let name = act.name();
        assert!(matches!(fixture.help(&whom, act), Ok(Err(_))), "{whom}: {name}");
    }
    assert_eq!(fixture.resync([shown(1, 8, NOW), shown(1, 9, NOW)]).unwrap().unwrap_err(), NotHelped::WrongCodes);
    // Codes that were read out and refused.
    let refused = "denied serial=1234567891234 user=alice asked_by=1005 reason=wrong-code problem=helpdesk, token resync: \
                   wrong-codes";
    expected.push(refused.to_owned());
    assert_eq!(fixture.acts(), expected);
    assert!(fixture.history().iter().all(|past| past.at == NOW));
}

#[test]
fn no_act_is_done_where_the_history_cannot_be_written() {
    let fixture = Fixture::new();
    fixture.enroll("alice", secret(3));
    fixture.assign(FOB, "alice");
    let before = fs::read(fixture.directory.path().join("users/alice/state")).unwrap();
    let acts = || {
        [
            Act::Verify(Answer::parse(shown(3, 0, NOW).as_bytes())),
            Act::Unlock,
            Act::GiveCode(Duration::from_mins(1)),
            Act::RevokeCode,
            Act::Reset,
            Act::Assign(serial(SECOND_FOB)),
            Act::Resync(OwnedToken { serial: serial(FOB), codes: [0, 1].map(|at| code(&shown(1, at, NOW))) }),
        ]
    };
    let all_fail = |fixture: &Fixture, reason: Reason| {
        for act in acts() {
            let name = act.name();
            let failed = fixture.help(&person("alice"), act).unwrap_err();
            assert_eq!(failed.reason(), reason, "{name}: {failed}");
            assert!(!failed.hint().is_empty());
        }
        assert_eq!(fs::read(fixture.directory.path().join("users/alice/state")).unwrap(), before, "nothing was done");
    };
    fixture.sql("CREATE TRIGGER refusing BEFORE INSERT ON history BEGIN SELECT RAISE(ABORT, 'refused'); END");
    all_fail(&fixture, Reason::StoreCorrupt);
    fixture.sql("DROP TRIGGER refusing");
    // Held by another process: the waits of one act together have an end.
    let held = fixture.store.state_folder().unwrap().unwrap().lock(Duration::ZERO).unwrap();
    let impatient = |store: Files| Files { patience: Duration::from_millis(20), ..store }.changing_in_time();
    let fixture = Fixture { store: impatient(fixture.store), ..fixture };
    all_fail(&fixture, Reason::LockTimeout);
    drop(held);
    fs::write(fixture.registry(), "this is no registry").unwrap();
    all_fail(&fixture, Reason::StoreCorrupt);
    assert_eq!(fixture.store.belongs(&user("alice")).unwrap(), Belongs::To(person("alice").uid));
}

#[test]
fn a_host_without_tokens_gets_a_history_by_root_and_by_no_act() {
    let fixture = Fixture::empty();
    fixture.enroll("alice", secret(3));
    assert!(fixture.store.history(&HistoryPart::default()).unwrap().is_none());
    assert!(matches!(fixture.help(&person("alice"), Act::Status), Ok(Ok(_))));
    assert!(!fixture.registry().exists(), "a look writes nothing");
    let refused = fixture.help(&person("alice"), Act::Unlock).unwrap_err();
    assert!(refused.reason() == Reason::StoreUnavailable && !fixture.registry().exists(), "{refused}");
    let made = fixture.store.make_registry().unwrap();
    assert_eq!(made, Some(Repair::RegistryMade(fixture.registry())));
    assert_eq!(fixture.store.make_registry().unwrap(), None, "once");
    assert!(matches!(fixture.help(&person("alice"), Act::Unlock), Ok(Ok(_))));
    assert_eq!(fixture.acts(), ["unlocked user=alice asked_by=1005 failures=0"]);
    assert_eq!(fixture.store.token_count().unwrap(), 0);
    assert_eq!(fs::metadata(fixture.registry()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fixture.import("box", &[(FOB, secret(1), totp())]).unwrap().added, 1);
}

#[test]
fn the_history_of_an_older_registry_goes_on() {
    let fixture = Fixture::before_keys();
    let before = fixture.history();
    assert!(matches!(fixture.help(&Person { name: user("bob"), ..hanna() }, Act::Unlock), Ok(Err(_))));
    let whom = Person { name: user("alice"), uid: fixture.state("alice").uid.unwrap_or(Uid(1001)) };
    let done = fixture.help(&whom, Act::Unlock);
    assert!(matches!(done, Ok(Ok(_))), "{done:?}");
    let after = fixture.history();
    assert_eq!(after[..before.len()], before, "what was there stays");
    assert_eq!(fixture.acts(), ["unlocked user=alice asked_by=1005 failures=0"]);
}
