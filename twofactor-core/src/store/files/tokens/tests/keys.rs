//! Secrets that HMAC hashes first: a secret longer than the hash's block and its digest are one key, and one code of it opens
//! one session. What was recorded before keys were told apart goes on counting (`before_keys/`, written by that version).

use super::*;
use crate::account::remembered::{LoginPlace, Recall};
use crate::store::administration::StateRepair as _;
use crate::store::registry;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha1, Algorithm::Sha256];

/// The secret `byte` of 100 bytes.
fn long(byte: u8) -> Secret {
    Secret::from_bytes(Zeroizing::new((0..100).map(|number: u8| number ^ byte).collect())).unwrap()
}

/// The key that HMAC makes of it, as a secret.
fn key(byte: u8, algorithm: Algorithm) -> Secret {
    Secret::from_bytes(otp::hashed_key(&long(byte), algorithm).unwrap()).unwrap()
}

fn with(kind: Kind, algorithm: Algorithm) -> Parameters {
    Parameters { algorithm, kind, ..Parameters::default() }
}

fn code_at(secret: &Secret, parameters: Parameters, offset: u64) -> String {
    let first = match parameters.kind {
        Kind::Totp(period) => otp::current_step(period, NOW).0,
        Kind::Hotp => 0,
    };
    otp::code_of(secret, parameters, Step(first + offset))
}

impl Fixture {
    fn enroll_as(&self, label: &str, secret: Secret, parameters: Parameters) {
        let label = Label::new(label).unwrap();
        let proposal = Proposal::with_secret(secret, label, parameters, "example.org", "alice", NOW).unwrap();
        self.store.enroll(&person("alice"), proposal.vouch(), None, Existing::Replace).unwrap();
    }

    /// The state folder as the version before had left it: alice with an app and a token, both of long secrets and used; bob,
    /// of whose tokens L-1 was deleted and L-4 taken back; L-3 and S-5 in the inventory.
    pub(super) fn before_keys() -> Self {
        let fixture = Self::empty();
        let users = fixture.directory.path().join("users");
        for (name, file, content) in [
            ("alice", "secret.toml", include_bytes!("before_keys/alice.secret.toml").as_slice()),
            ("alice", "state", include_bytes!("before_keys/alice.state")),
            ("bob", "state", include_bytes!("before_keys/bob.state")),
        ] {
            let folder = users.join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), content).unwrap();
            for (path, mode) in [(folder.clone(), 0o700), (folder.join(file), 0o600)] {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        registry::make_format_1(&fixture.registry(), include_str!("before_keys/registry.sql"));
        fs::set_permissions(fixture.registry(), fs::Permissions::from_mode(0o600)).unwrap();
        fixture
    }

    fn format(&self) -> i64 {
        let connection = rusqlite::Connection::open(self.registry()).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }
}

#[test]
fn a_code_of_a_long_secret_and_of_its_key_opens_one_session() {
    for algorithm in ALGORITHMS {
        for kind in [Kind::Totp(Period::THIRTY), Kind::Hotp] {
            let parameters = with(kind, algorithm);
            for [first, second] in [[long(1), key(1, algorithm)], [key(1, algorithm), long(1)]] {
                let again = || Secret::from_bytes(Zeroizing::new(second.expose().to_vec())).unwrap();
                let code = code_at(&first, parameters, 1);
                assert_eq!(code, code_at(&second, parameters, 1), "{algorithm}: they are one key");
                let fixture = Fixture::empty();
                fixture.enroll_as(
                    "app",
                    Secret::from_bytes(Zeroizing::new(first.expose().to_vec())).unwrap(),
                    parameters,
                );
                fixture.accepted("alice", &code, NOW);
                fixture.enroll_as("copy", again(), parameters);
                assert_eq!(fixture.refusal("alice", &code, NOW), Reason::Replayed, "{algorithm}, beside it");
                fixture.enroll_as("app", again(), parameters);
                assert_eq!(fixture.refusal("alice", &code, NOW), Reason::Replayed, "{algorithm}, in its place");
                fixture.store.reset(&user("alice"), Reset::Everything).unwrap();
                fixture.enroll_as("app", again(), parameters);
                assert_eq!(fixture.refusal("alice", &code, NOW), Reason::Replayed, "{algorithm}, after a reset");
                fixture.accepted("alice", &code_at(&first, parameters, 2), NOW);
            }
        }
    }
}

#[test]
fn a_long_secret_has_another_key_with_each_hash_and_sha_512_takes_it_as_it_is() {
    let fixture = Fixture::empty();
    fixture.enroll_as("app", long(1), with(Kind::Hotp, Algorithm::Sha1));
    fixture.accepted("alice", &code_at(&long(1), with(Kind::Hotp, Algorithm::Sha1), 3), NOW);
    let other = with(Kind::Hotp, Algorithm::Sha256);
    fixture.enroll_as("app", key(1, Algorithm::Sha256), other);
    fixture.accepted("alice", &code_at(&long(1), other, 3), NOW);
    // Of the secret itself what was recorded goes on counting: a code too many is refused.
    let sha512 = with(Kind::Hotp, Algorithm::Sha512);
    fixture.enroll_as("app", long(1), sha512);
    assert_eq!(fixture.refusal("alice", &code_at(&long(1), sha512, 3), NOW), Reason::Replayed);
    fixture.accepted("alice", &code_at(&long(1), sha512, 4), NOW);
}

#[test]
fn what_was_used_before_keys_were_told_apart_stays_used() {
    let (app, token) = (totp(), with(Kind::Totp(Period::THIRTY), Algorithm::Sha256));
    let (of_app, of_token) = (code_at(&long(0), app, 0), code_at(&long(2), token, 0));
    let fixture = Fixture::before_keys();
    assert_eq!(fixture.refusal("alice", &of_app, NOW), Reason::Replayed);
    assert_eq!(fixture.format(), 1, "a login takes no step");
    assert_eq!(fixture.store.migrate(by(NOW)).unwrap().moved, [(user("alice"), 1)]);
    assert_eq!(fixture.refusal("alice", &of_token, NOW), Reason::Replayed);
    assert_eq!(fixture.view("L-2").last_accepted, Some(NOW));
    // The login that is remembered still spares a code.
    let place = LoginPlace { service: "sshd", address: "192.0.2.7".parse().unwrap() };
    let like = Recall { place, longest: Duration::from_hours(8) };
    assert!(fixture.store.remembers(&person("alice"), &like, Factors::ALL).unwrap().is_some());
    fixture.accepted("alice", &code_at(&long(0), app, 1), NOW);

    for replaced in [true, false] {
        let fixture = Fixture::before_keys();
        if !replaced {
            fixture.store.reset(&user("alice"), Reset::Everything).unwrap();
        }
        fixture.enroll_as("phone", key(0, Algorithm::Sha1), app);
        fixture.enroll_as("fob", key(2, Algorithm::Sha256), token);
        assert_eq!(fixture.refusal("alice", &of_app, NOW), Reason::Replayed, "replaced: {replaced}");
        assert_eq!(fixture.refusal("alice", &of_token, NOW), Reason::Replayed, "replaced: {replaced}");
        fixture.accepted("alice", &code_at(&long(2), token, 1), NOW);
    }
}

#[test]
fn a_key_that_was_enrolled_beside_its_long_secret_does_not_know_less_than_it() {
    // As the version before took them: two seeds, of which one was used.
    let fixture = Fixture::before_keys();
    let credentials = fs::read_to_string(fixture.directory.path().join("users/alice/secret.toml")).unwrap();
    let app = credentials[credentials.find("[[app]]").unwrap()..credentials.find("# end").unwrap()].to_owned();
    let (long_text, key_text) = (long(0).expose_base32(), key(0, Algorithm::Sha1).expose_base32());
    let twin = app.replace(long_text.as_str(), &key_text).replace("phone", "copy").replace("app-gwncux6s", "app-2");
    let both = credentials.replace("[[app]]", &format!("{twin}\n[[app]]"));
    fs::write(fixture.directory.path().join("users/alice/secret.toml"), both).unwrap();
    assert_eq!(fixture.refusal("alice", &code_at(&long(0), totp(), 0), NOW), Reason::Replayed);
    fixture.accepted("alice", &code_at(&long(0), totp(), 1), NOW);
}

#[test]
fn a_registry_of_the_format_before_keeps_what_was_used_and_learns_the_keys() {
    let fixture = Fixture::before_keys();
    let twins = || [("K-3", key(3, Algorithm::Sha1), totp()), ("K-2", key(2, Algorithm::Sha256), totp())];
    let expected = ["L-3", "L-2"].map(|name| Finding::OtherSerial(serial(name)));
    assert_eq!(fixture.findings(&twins()), expected, "a dry run, which takes no step");
    assert_eq!(fixture.format(), 1);
    assert!(fixture.store.clear_obstructions().is_empty());
    fixture.assign("L-4", "bob");
    assert_eq!(fixture.format(), 3, "an edit takes all steps");
    assert_eq!(fixture.findings(&twins()), expected);
    assert_eq!(fixture.refusal("bob", &code_at(&long(4), hotp(), 7), NOW), Reason::Replayed, "taken back");
    fixture.accepted("bob", &code_at(&long(4), hotp(), 8), NOW);
    // L-1 was deleted. Nobody knows its key any more, but it is known itself.
    fixture.import("again", &[("L-1", long(1), hotp())]).unwrap();
    fixture.assign("L-1", "carol");
    assert_eq!(fixture.refusal("carol", &code_at(&long(1), hotp(), 5), NOW), Reason::Replayed, "deleted");
    fixture.accepted("carol", &code_at(&long(1), hotp(), 6), NOW);
}

#[test]
fn a_key_is_one_token_however_it_is_written_down() {
    let fixture = Fixture::empty();
    fixture.import("box", &[("L-1", long(1), hotp()), ("K-2", key(2, Algorithm::Sha1), hotp())]).unwrap();
    let again = [("K-1", key(1, Algorithm::Sha1), hotp()), ("L-2", long(2), hotp())];
    let expected = ["L-1", "K-2"].map(|name| Finding::OtherSerial(serial(name)));
    assert_eq!(fixture.findings(&again), expected);
    let in_one_file = [("L-8", long(8), hotp()), ("K-8", key(8, Algorithm::Sha1), hotp())];
    assert_eq!(fixture.findings(&in_one_file), [Finding::New, Finding::SecretTwice]);
    let in_one_file = [("K-8", key(8, Algorithm::Sha1), hotp()), ("L-8", long(8), hotp())];
    assert_eq!(fixture.findings(&in_one_file), [Finding::New, Finding::SecretTwice]);
    // Also once it is revoked, and its secret wiped.
    fixture.store.change(&[serial("L-1")], Change::Revoke, LastCredential::Take, by(NOW)).unwrap();
    assert_eq!(fixture.findings(&again), expected);
    // Deleted and imported by its key, it goes on where it stood.
    fixture.import("more", &[("L-3", long(3), hotp())]).unwrap();
    fixture.assign("L-3", "alice");
    fixture.accepted("alice", &code_at(&long(3), hotp(), 4), NOW);
    fixture.store.delete_tokens(&[serial("L-3")], LastCredential::Take, by(NOW)).unwrap();
    fixture.import("again", &[("K-3", key(3, Algorithm::Sha1), hotp())]).unwrap();
    fixture.assign("K-3", "bob");
    assert_eq!(fixture.refusal("bob", &code_at(&long(3), hotp(), 4), NOW), Reason::Replayed);
    fixture.accepted("bob", &code_at(&long(3), hotp(), 5), NOW);
}
