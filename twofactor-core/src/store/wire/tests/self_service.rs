//! Questions of users about themselves, and the answers.

use super::*;
use crate::codes::ssh_key::KeyType;
use crate::store::administration::SshKeyView;
use crate::store::self_service::{
    Change, Changed, KeyNotChanged, NewApp, NotChanged, Offer, OwnAccount, OwnApp, OwnToken, Permitted, Request,
};

#[test]
fn users_questions_about_themselves_and_their_answers_arrive_as_they_were() {
    let code = |digits: &str| Code::new(Zeroizing::new(digits.to_owned())).unwrap();
    let new = || NewApp {
        label: Label::new("work phone").unwrap(),
        secret: Secret::generate(20).unwrap(),
        code: code("654321"),
    };
    let key = ssh_key(7);
    let (added, removed) = (Change::AddSshKey { key: key.clone(), label: Label::key() }, key.fingerprint());
    let keys = [added, Change::RemoveSshKey(removed)];
    let others = [Change::Enroll(new()), Change::Replace(new()), Change::Reset, Change::Recovery];
    for change in others.into_iter().chain(keys) {
        let proof = (!matches!(change, Change::Enroll(_))).then(|| Answer::parse(b"1234567890123456"));
        let invitation = matches!(change, Change::Enroll(_)).then(|| InvitationCode::generate().unwrap());
        let sent = Message::requesting(&person(), &Request { proof, invitation, change });
        let Call::ChangeOwn(asked, read) = Call::read(&received(&sent)).unwrap() else { panic!("another question") };
        assert_eq!(line(&Message::requesting(&asked, &read)), line(&sent));
    }
    let at = UnixTime::from_seconds(1_800_000_000);
    let app = |confirmation| OwnApp {
        label: Label::new("work phone").unwrap(),
        serial: Serial::new("app-1").unwrap(),
        issued: at,
        confirmation,
        last_accepted: (confirmation == Confirmation::Confirmed).then_some(at),
    };
    let token = |serial, last_accepted| OwnToken {
        serial: Serial::new(serial).unwrap(),
        state: "lost".to_owned(),
        last_accepted,
    };
    let account = OwnAccount {
        apps: vec![app(Confirmation::Confirmed), app(Confirmation::Pending)],
        tokens: vec![token("0000004711", Some(at)), token("A/1", None)],
        ssh_keys: 100,
        recovery_left: 3,
        temporary_until: Some(at),
        own_failures: 7,
        own_blocked_until: Some(at),
        last_accepted: Some(LastAccepted { at, source: Source::claimed(), factor: "work phone".to_owned() }),
        ..OwnAccount::default()
    };
    let offer = Offer {
        issuer: Some("Exämple & Co".to_owned()),
        parameters: Parameters::default(),
        enroll: Permitted::WithInvitation,
        change: Permitted::Yes,
        tokens: Permitted::No,
        ssh_keys: Permitted::Yes,
    };
    for account in [account, OwnAccount::default()] {
        let message = received(&Message::answering_own_account(&account, &offer));
        assert_eq!(Answered::of(message).unwrap().unwrap().own_account().unwrap(), (account, offer.clone()));
    }
    let recovery = vec![RecoveryCode::generate().unwrap()];
    let digits = recovery[0].expose().to_owned();
    let changed = |outcome: Result<Changed, NotChanged>| {
        // As a program of a user gets it.
        let message = Message::answering_change(&outcome).without_details();
        Answered::of(received(&message)).unwrap().unwrap().changed().unwrap()
    };
    assert_eq!(changed(Ok(Changed { recovery, ssh_key: None })).unwrap()[0].expose(), digits);
    let last = NotChanged::SshKey(KeyNotChanged::LastCredential);
    for why in [NotChanged::SwitchedOff, NotChanged::Enrolled, NotChanged::Proof(Reason::Throttled), last] {
        assert_eq!(changed(Err(why)).unwrap_err(), why);
    }
    let told = changed(Err(NotChanged::Proof(Reason::TokenDisabled))).unwrap_err();
    assert_eq!(told, NotChanged::Proof(Reason::WrongCode), "a right code that opens nothing is called wrong");
}

#[test]
fn an_ssh_key_that_a_user_changes_is_told_and_damaged_questions_about_keys_are_refused() {
    let answered = |outcome: Result<Changed, NotChanged>| {
        let message = received(&Message::answering_change(&outcome).without_details());
        Answered::of(message).unwrap().unwrap().changed_ssh_key()
    };
    let key = own_key(1);
    let changed = |ssh_key| Ok(Changed { recovery: Vec::new(), ssh_key });
    assert_eq!(answered(changed(Some(key.clone()))).unwrap().unwrap(), key);
    assert!(answered(changed(None)).is_err(), "it was something else");
    let why = NotChanged::SshKey(KeyNotChanged::AlreadyEnrolled);
    assert_eq!(answered(Err(why)).unwrap().unwrap_err(), why);

    let (whole, short) = (key.fingerprint.to_string(), &key.fingerprint.as_str()[..47]);
    for (damaged, is_read) in [
        ("ask=self-ssh-keys user=alice uid=1".to_owned(), true),
        (format!("ask=self-ssh-keys user=alice uid=1 after={whole}"), false),
        ("ask=self-ssh-keys user=alice".to_owned(), false),
        (format!("ask=self-ssh-key-remove user=alice uid=1 fingerprint={whole} proof=123456"), true),
        (format!("ask=self-ssh-key-remove user=alice uid=1 fingerprint={whole} proof=12345"), false),
        (format!("ask=self-ssh-key-remove user=alice uid=1 fingerprint={short} proof=123456"), false),
        ("ask=self-ssh-key-remove user=alice uid=1 fingerprint=work proof=123456".to_owned(), false),
        ("ask=self-ssh-key-add user=alice uid=1 ssh_key=ssh-ed25519 key=AAAA label=x proof=123456".to_owned(), false),
        // No program says that a key is attested.
        (format!("ask=self-ssh-key-remove user=alice uid=1 fingerprint={whole} proof=123456 attested=yes"), false),
    ] {
        let message = Message::read(format!(" version=1 {damaged}").as_bytes()).unwrap();
        assert_eq!(Call::read(&message).is_ok(), is_read, "{damaged}");
    }
}

/// A key with a label that takes as much room as one can.
fn own_key(number: u8) -> SshKeyView {
    let label = Label::new(&"\u{1f511}".repeat(64)).unwrap();
    assert_eq!(label.as_str().len(), 256);
    let (issued, attestation) = (UnixTime::from_seconds(1_800_000_000), Attestation::Checked);
    let view = SshKeyView::of(&EnrolledKey { key: ssh_key(number), label, issued, attestation });
    SshKeyView { kind: KeyType::Ecdsa, ..view }
}

#[test]
fn as_many_ssh_keys_as_a_user_can_have_are_told_in_one_answer() {
    let most = u8::try_from(MOST_SSH_KEYS).unwrap();
    let keys: Vec<SshKeyView> = (1..=most).map(own_key).collect();
    let told = |keys: &[SshKeyView]| {
        let message = received(&Message::answering_own_ssh_keys(keys).without_details());
        Answered::of(message).unwrap().unwrap().own_ssh_keys().unwrap()
    };
    assert!(told(&keys) == keys);
    assert_eq!(told(&[]), []);
}
