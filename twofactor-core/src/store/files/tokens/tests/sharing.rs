//! A secret that two users have is refused, wherever it comes in, unless the sysadmin has said so.

use super::*;
use crate::store::administration::SecretSharing as _;

fn sharer(fixture: &Fixture, name: &str, secret: &Secret) -> Option<Sharer> {
    fixture.store.sharer(&user(name), secret, Algorithm::Sha1).unwrap()
}

/// 100 bytes, and the key that HMAC-SHA-1 makes of them.
fn long_and_key() -> [Secret; 2] {
    let long = Secret::from_bytes(Zeroizing::new(vec![9; 100])).unwrap();
    let key = Secret::from_bytes(otp::hashed_key(&long, Algorithm::Sha1).unwrap()).unwrap();
    [long, key]
}

#[test]
fn an_app_or_token_with_the_secret_is_named_unless_it_is_the_users_own() {
    let fixture = Fixture::new();
    let [long, key] = long_and_key();
    fixture.enroll("alice", secret(7));
    fixture.enroll("dave", Secret::from_bytes(Zeroizing::new(vec![9; 100])).unwrap());
    fixture.assign(FOB, "alice");
    assert_eq!(sharer(&fixture, "bob", &secret(7)), Some(Sharer::App(user("alice"))));
    assert_eq!(sharer(&fixture, "alice", &secret(7)), None);
    assert_eq!(sharer(&fixture, "bob", &key), Some(Sharer::App(user("dave"))));
    assert_eq!(sharer(&fixture, "bob", &long), Some(Sharer::App(user("dave"))));
    let of_alice = Sharer::Token { serial: serial(FOB), owner: Some(user("alice")) };
    assert_eq!(sharer(&fixture, "bob", &secret(1)), Some(of_alice));
    assert_eq!(sharer(&fixture, "alice", &secret(1)), None);
    let of_nobody = Sharer::Token { serial: serial(SECOND_FOB), owner: None };
    assert_eq!(sharer(&fixture, "bob", &secret(2)), Some(of_nobody.clone()));
    // A revoked one has no secret any more, and is recognised.
    fixture.store.change(&[serial(SECOND_FOB)], Change::Revoke, LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(sharer(&fixture, "bob", &secret(2)), Some(of_nobody));
    assert_eq!(sharer(&fixture, "bob", &secret(3)), None);
    // What cannot be read is passed over, and said elsewhere.
    fs::write(fixture.directory.path().join("users/alice/secret.toml"), "garbage").unwrap();
    assert_eq!(sharer(&fixture, "bob", &secret(7)), None);
    assert_eq!(sharer(&fixture, "bob", &key), Some(Sharer::App(user("dave"))));
}

#[test]
fn a_vendors_token_with_the_secret_of_an_app_is_a_conflict_until_the_sysadmin_allows_it() {
    let fixture = Fixture::empty();
    let [long, key] = long_and_key();
    fixture.enroll("alice", secret(7));
    fixture.enroll("bob", long);
    let file = [("1", secret(7), totp()), ("2", key, totp()), ("3", secret(8), totp())];
    let expected = [Finding::Shared(user("alice")), Finding::Shared(user("bob")), Finding::New];
    assert_eq!(fixture.findings(&file), expected);
    let counts = fixture.import("box", &file).unwrap();
    assert_eq!((counts.added, counts.conflicts), (1, 2), "of a file whose good rows are wanted");
    assert!(fixture.store.token(&serial("1")).unwrap().is_none());

    let mut intake = fixture.store.import().unwrap();
    intake.share(Sharing::Allow);
    let (name, shared) = (serial("1"), secret(7));
    let row = || offered(&name, &shared, totp());
    intake.plan::<StoreError>(|judge| judge(&row()).map(|finding| assert_eq!(finding, expected[0]))).unwrap();
    let origin = Origin { series: "box", file: "box.csv", sha256: [7; 32] };
    assert_eq!(intake.write::<StoreError>(origin, 0, by(NOW), |take| take(&row())).unwrap().added, 1);
    assert_eq!(fixture.findings(&[("1", secret(7), totp())]), [Finding::Unchanged], "it is there");

    // It is alice's own, and nobody else's.
    let given = |owner: &str, sharing| fixture.store.assign(&[(serial("1"), person(owner))], sharing, by(NOW));
    let refused = given("bob", Sharing::Refuse).unwrap_err();
    assert!(matches!(&refused, TokenError::Shared(_, Sharer::App(alice)) if *alice == user("alice")), "{refused}");
    assert_eq!(fixture.view("1").stage, Stage::Inventory);
    given("alice", Sharing::Refuse).unwrap();
    fixture.store.unassign(&serial("1"), LastCredential::Take, by(NOW)).unwrap();
    given("bob", Sharing::Allow).unwrap();
}

#[test]
fn a_token_whose_secret_became_an_apps_is_given_to_nobody_else() {
    let fixture = Fixture::new();
    fixture.assign(FOB, "alice");
    // As `enroll --secret-file` does: her own token's.
    fixture.store.note_shared(&secret(1), Algorithm::Sha1, by(NOW)).unwrap();
    fixture.enroll("alice", secret(1));
    fixture.store.unassign(&serial(FOB), LastCredential::Take, by(NOW)).unwrap();
    let given = |owner: &str| fixture.store.assign(&[(serial(FOB), person(owner))], Sharing::Refuse, by(NOW));
    let refused = given("bob").unwrap_err();
    assert!(matches!(&refused, TokenError::Shared(_, Sharer::App(alice)) if *alice == user("alice")), "{refused}");
    given("alice").unwrap();
}

#[test]
fn of_two_tokens_with_one_key_a_second_user_gets_none() {
    // Taken in by a version that did not know that they are one.
    let fixture = Fixture::empty();
    let [long, key] = long_and_key();
    fixture.import("box", &[("1", long, totp())]).unwrap();
    let connection = rusqlite::Connection::open(fixture.registry()).unwrap();
    let twin = "INSERT INTO tokens (serial, seed, secret, type, algorithm, digits, period, status, first_use, drift, anchor, issued) \
                SELECT '2', ?1, ?2, type, algorithm, digits, period, status, first_use, drift, anchor, issued FROM tokens";
    let mark = Marks::of(&key, Algorithm::Sha1).secret();
    connection.execute(twin, rusqlite::params![mark, key.expose()]).unwrap();
    drop(connection);
    fixture.assign("1", "alice");
    let refused = fixture.store.assign(&[(serial("2"), person("bob"))], Sharing::Refuse, by(NOW)).unwrap_err();
    let expected = Sharer::Token { serial: serial("1"), owner: Some(user("alice")) };
    assert!(matches!(&refused, TokenError::Shared(_, sharer) if *sharer == expected), "{refused}");
    fixture.assign("2", "alice");
    let code = otp::code_of(&key, totp(), Step(here(NOW)));
    fixture.accepted("alice", &code, NOW);
    assert_eq!(fixture.refusal("alice", &code, NOW), Reason::Replayed, "one code, one session");
}
