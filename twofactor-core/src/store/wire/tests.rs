//! What is sent is received, whole or not at all.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{Answered, Call, Channel, LARGEST_ANSWER, LARGEST_QUESTION, Message, WireError};
use crate::account::enrollment::Proposal;
use crate::account::factors::{Attestation, Factors};
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::lifecycle::Stage;
use crate::account::remembered::LoginPlace;
use crate::account::throttle::Source;
use crate::account::{Confirmation, EnrolledKey, LastAccepted, MOST_APPS, MOST_HELD, MOST_SSH_KEYS};
use crate::codes::answer::Answer;
use crate::codes::otp::{Code, Kind, Parameters, Progress, Step};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::ssh_key::tests::key as ssh_key;
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Serial};
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid, UserName};
use crate::log::reason::Reason;
use crate::store::administration::{AccountStatus, AppStatus, Newcomer, TokenView};
use crate::store::error::StoreError;
use crate::store::helpdesk::{Act, Credential, Helped, NotHelped, Request as HelpRequest, Verdict, Whom};
use crate::store::redemption::{Attempt, Factor, Redeemed, Redemption, Stripping};
use crate::store::self_service::OwnedToken;

mod self_service;

fn person() -> Person {
    Person { name: UserName::new("alice").unwrap(), uid: Uid(1000) }
}

/// The message at the other end.
fn received(message: &Message) -> Message {
    let framed = message.framed().unwrap();
    let (length, line) = framed.split_at(4);
    assert_eq!(Message::length(length.try_into().unwrap(), LARGEST_ANSWER).unwrap(), line.len());
    Message::read(line).unwrap()
}

fn line(message: &Message) -> String {
    String::from_utf8(message.framed().unwrap()[4..].to_vec()).unwrap()
}

prop_compose! {
    /// Those of one answer, as a login makes them.
    fn readings()(digits in "[0-9]{16}", lengths in proptest::sample::subsequence(vec![0_usize, 6, 7, 8, 16], 0..4)) -> Vec<Answer> {
        lengths.iter().map(|length| Answer::parse(&digits.as_bytes()[16 - length..])).collect()
    }
}

proptest! {
    #[test]
    fn an_attempt_arrives_as_it_was(
        readings in readings(),
        previous in proptest::option::of("[0-9]{6}"),
        rhost in proptest::option::of(".{0,70}"),
        (app, token, recovery) in any::<(bool, bool, bool)>(),
        service in ".{0,40}",
        seconds in proptest::option::of(any::<u64>()),
        address in any::<std::net::IpAddr>(),
    ) {
        let previous = previous.and_then(|digits| Code::new(Zeroizing::new(digits)));
        let source = Source::from_rhost(rhost.as_deref());
        let remember =
            seconds.map(|seconds| (LoginPlace { service: &service, address }, Duration::from_secs(seconds)));
        let factors = Factors { app, token, recovery, ..Factors::NONE };
        let attempt = Attempt { readings: &readings, previous: previous.as_ref(), source: &source, factors, remember };
        for verb in ["redeem", "strip"] {
            let sent = Message::attempting(verb, &person(), &attempt);
            let call = Call::read(&received(&sent)).unwrap();
            let (Call::Redeem(asked, guess) | Call::Strip(asked, guess)) = call else { panic!("another question") };
            prop_assert_eq!(line(&Message::attempting(verb, &asked, &guess.attempt())), line(&sent));
        }
    }

    #[test]
    fn bytes_of_any_kind_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::read(&bytes) {
            let _ = Call::read(&message);
        }
    }

    #[test]
    fn a_question_with_a_pair_less_or_twice_is_refused(place in 0_usize..8, twice in any::<bool>()) {
        let (readings, source) = ([Answer::parse(b"123456")], Source::from_rhost(Some("192.0.2.7")));
        let attempt = Attempt { readings: &readings, previous: None, source: &source, factors: Factors::ALL, remember: None };
        let sent = line(&Message::attempting("redeem", &person(), &attempt));
        let mut pairs: Vec<&str> = sent.split_inclusive(' ').collect();
        let place = place.min(pairs.len() - 1);
        let pair = pairs.remove(place);
        if twice {
            pairs.extend([pair, " ", pair]);
        }
        let damaged: String = pairs.concat();
        let readings = damaged.matches("reading=").count();
        let call = Message::read(damaged.as_bytes()).and_then(|message| Call::read(&message));
        // Answers may be none or many: they are one attempt.
        prop_assert!(call.is_err() || readings != 1 || place == 0, "{}", damaged);
    }
}

#[test]
fn a_registration_arrives_as_it_was() {
    let code = |digits: &str| Code::new(Zeroizing::new(digits.to_owned())).unwrap();
    let (serial, source) = (Serial::new("0000004711").unwrap(), Source::from_rhost(Some("192.0.2.7")));
    let until = UnixTime::from_seconds(1_800_000_000);
    let invitation = Invitation::of(&InvitationCode::generate().unwrap(), until).unwrap();
    for invitation in [None, Some(invitation)] {
        let codes = [&code("123456"), &code("654321")];
        let sent = Message::registering("register", &person(), &serial, codes, &source);
        let sent = sent.with_invitation(invitation.as_ref());
        let Call::Register(asked, token, read) = Call::read(&received(&sent)).unwrap() else { panic!("another") };
        assert_eq!((read, &asked), (invitation, &person()));
        let again = token.asking("register", &asked).with_invitation(read.as_ref());
        assert_eq!(line(&again), line(&sent));
    }
    for codes in ["", " code=123456", " code=123456 code=123457 code=123458"] {
        let text = format!(" version=1 ask=check-registration user=alice uid=1 serial=A source=\"\"{codes}");
        assert!(matches!(Call::read(&Message::read(text.as_bytes()).unwrap()), Err(WireError::Value("code"))));
    }
}

#[test]
fn what_sets_up_an_app_arrives_as_it_was() {
    let parameters = [Parameters::default(), Parameters { kind: Kind::Hotp, ..Parameters::default() }];
    let now = UnixTime::from_seconds(1_800_000_000);
    for parameters in parameters {
        let proposal = || Proposal::new(Label::app(), parameters, "example.org", "alice", now).unwrap();
        let proposed = proposal();
        let code = Code::new(Zeroizing::new("123456".to_owned())).unwrap();
        let sent = Message::confirming(&proposed, &code);
        let Call::Confirm(confirming) = Call::read(&received(&sent)).unwrap() else { panic!("another question") };
        assert_eq!(line(&confirming.asking()), line(&sent));

        let progress = Progress { watermark: Some(Step(60_000_000)), drift: -3, anchor: -2 };
        let app = proposed.confirmed_elsewhere(progress);
        let recovery: Vec<RecoveryCode> = (0..20).map(|_| RecoveryCode::generate().unwrap()).collect();
        let invitation = Invitation::of(&InvitationCode::generate().unwrap(), now).unwrap();
        for (recovery, invitation) in [(&recovery[..], Some(&invitation)), (&[], None)] {
            let sent = Message::storing_app(&person(), &app, recovery, invitation);
            let Call::StoreApp(asked, read) = Call::read(&received(&sent)).unwrap() else { panic!("another question") };
            assert_eq!(line(&read.asking(&asked)), line(&sent));
            assert_eq!(read.is_invited(), invitation.is_some());
        }
        let (typed, source) = (InvitationCode::generate().unwrap(), Source::from_rhost(Some("192.0.2.7")));
        let sent = Message::inviting(&person(), &typed, &source);
        let Call::CheckInvitation(asked, read) = Call::read(&received(&sent)).unwrap() else { panic!("another") };
        assert_eq!(line(&read.asking(&asked)), line(&sent));
    }
    let many = " version=1 ask=confirm code=123456 serial=app-1 label=app secret=JNQXG3JANFZSA5DIMUQGEZLTOQQHG33G \
                algorithm=SHA1 digits=6 period=30 issued=2026-01-15T08:00:00Z drift=99999 anchor=0";
    assert!(matches!(Call::read(&Message::read(many.as_bytes()).unwrap()), Err(WireError::Value("drift"))));
}

fn serial(text: &str) -> Serial {
    Serial::new(text).unwrap()
}

#[test]
fn questions_of_the_helpdesk_arrive_as_they_were() {
    let code = |digits: &str| Code::new(Zeroizing::new(digits.to_owned())).unwrap();
    let acts = || {
        [
            None,
            Some(Act::Status),
            Some(Act::Verify(Answer::parse(b"123456"))),
            Some(Act::Verify(Answer::parse(b"1234567890123456"))),
            Some(Act::Unlock),
            Some(Act::GiveCode(Duration::from_hours(1))),
            Some(Act::RevokeCode),
            Some(Act::Reset),
            Some(Act::Assign(serial("0000004711"))),
            Some(Act::Resync(OwnedToken { serial: serial("A/1"), codes: [code("123456"), code("654321")] })),
        ]
    };
    for act in acts().into_iter().chain([None]) {
        let whom = match &act {
            Some(Act::Resync(token)) => Whom::OwnerOf(token.serial.clone()),
            _ => Whom::User(person()),
        };
        let sent = Message::asking_for_help(&HelpRequest { whom: whom.clone(), act });
        let Call::Help(read) = Call::read(&received(&sent)).unwrap() else { panic!("another question") };
        assert_eq!(read.whom, whom);
        assert_eq!(line(&Message::asking_for_help(&read)), line(&sent));
    }
    let leave = Message::asking_for_help(&HelpRequest { whom: Whom::OwnerOf(serial("A/1")), act: None });
    assert!(matches!(Call::read(&received(&leave)), Ok(Call::Help(HelpRequest { act: None, .. }))));
    for damaged in [
        "ask=help-may",
        "ask=help-may user=alice uid=1 owner_of=A",
        "ask=help-status owner_of=A",
        "ask=help-status user=alice",
        "ask=help-verify user=alice uid=1 code=12345",
        "ask=help-verify user=alice uid=1",
        "ask=help-code user=alice uid=1 seconds=0",
        "ask=help-code user=alice uid=1 seconds=2592001",
        "ask=help-code user=alice uid=1 seconds=-1",
        "ask=help-resync user=alice uid=1 code=123456 code=654321",
        "ask=help-resync owner_of=A code=123456",
        "ask=help-assign user=alice uid=1 serial=\"A B\"",
        "ask=help-reset user=alice uid=1 keep=yes",
        "ask=help-revoke user=alice uid=1",
    ] {
        let message = Message::read(format!(" version=1 {damaged}").as_bytes()).unwrap();
        assert!(Call::read(&message).is_err(), "{damaged}");
    }
}

/// An account with two of everything, and with as much as there can be left out.
fn account() -> AccountStatus {
    let at = UnixTime::from_seconds(1_800_000_000);
    let app = |label: &str, confirmation| AppStatus {
        serial: serial("app-1"),
        label: Label::new(label).unwrap(),
        parameters: Parameters::default(),
        issued: at,
        drift: -2,
        burned_until: (confirmation == Confirmation::Confirmed).then_some(at),
        last_accepted: (confirmation == Confirmation::Confirmed).then_some(at),
        confirmation,
    };
    let token = |text: &str, owner: Option<UserName>| TokenView {
        serial: serial(text),
        parameters: Parameters { kind: Kind::Hotp, ..Parameters::default() },
        assigned_at: owner.is_some().then_some(at),
        owner,
        issued: at,
        series: Some("fobs \"2026\"".to_owned()),
        vendor: None,
        model: Some("é".to_owned()),
        stage: Stage::Lost,
        drift: 1,
        last_accepted: Some(at),
        near_misses: 3,
        owner_uid: Some(Uid(1000)),
        problem: None,
    };
    AccountStatus {
        apps: vec![app("work phone", Confirmation::Confirmed), app("token", Confirmation::Pending)],
        tokens: vec![token("0000004711", Some(person().name)), token("A/1", None)],
        tokens_problem: None,
        ssh_keys: [Attestation::None, Attestation::Checked]
            .map(|attestation| EnrolledKey {
                key: ssh_key(7),
                label: Label::new("blue \"key\"").unwrap(),
                issued: at,
                attestation,
            })
            .to_vec(),
        recovery_left: 3,
        failures: 7,
        blocked_until: Some(at),
        own_failures: 1,
        own_blocked_until: None,
        last_accepted: Some(LastAccepted { at, source: Source::claimed(), factor: "work phone".to_owned() }),
        invited_until: None,
        temporary_until: Some(at),
        uid: Some(Uid(1000)),
    }
}

#[test]
fn answers_to_the_helpdesk_arrive_as_they_were() {
    let at = UnixTime::from_seconds(1_800_000_000);
    let (label, disabled) = (Label::new("work phone").unwrap(), serial("A/1"));
    let right = Credential::Token { serial: serial("app-1"), label: label.clone(), drift: -1 };
    let verdicts = [
        Verdict::Right(right),
        Verdict::Right(Credential::Recovery),
        Verdict::Right(Credential::Temporary),
        Verdict::Replayed,
        Verdict::NotConfirmed,
        Verdict::Disabled { serial: disabled.clone(), stage: Stage::Lost },
        Verdict::TokenOutOfStep { serial: disabled, steps: -240 },
        Verdict::AppOutOfStep { label, steps: 120 },
        Verdict::Wrong,
    ];
    let nothing = AccountStatus {
        apps: Vec::new(),
        tokens: Vec::new(),
        ssh_keys: Vec::new(),
        last_accepted: None,
        temporary_until: None,
        uid: None,
        ..account()
    };
    let newcomer = Newcomer { uid: None, invited_until: at, failures: 2, blocked_until: None };
    let resynced = |kind, watermark| Helped::Resynced { owner: person().name, kind, drift: -3, watermark };
    let helped = [
        Helped::Enrolled(Box::new(account())),
        Helped::Enrolled(Box::new(nothing)),
        Helped::Invited(newcomer),
        Helped::Unlocked(7),
        Helped::CodeGiven { code: TemporaryCode::generate().unwrap(), until: at, blocked_until: Some(at) },
        Helped::CodeRevoked(true),
        Helped::CodeRevoked(false),
        Helped::Reset(vec![serial("A/1"), serial("A/2")]),
        Helped::Reset(Vec::new()),
        Helped::Assigned,
        resynced(Kind::Hotp, Some(Step(7))),
        resynced(Parameters::default().kind, None),
    ];
    let judged = verdicts.map(|verdict| Helped::Judged(verdict, Some(at)));
    for helped in helped.into_iter().chain(judged) {
        // As a program without root gets it.
        let sent = Message::answering_help(&Ok(helped)).without_details();
        let read = Answered::of(received(&sent)).unwrap().unwrap().helped().unwrap().unwrap();
        assert_eq!(line(&Message::answering_help(&Ok(read))), line(&sent));
    }
    for (why, word) in NotHelped::ALL {
        assert_eq!((why.word(), NotHelped::from_word(word)), (word, Some(why)));
        let sent = Message::answering_help(&Err(why)).without_details();
        assert_eq!(Answered::of(received(&sent)).unwrap().unwrap().helped().unwrap().unwrap_err(), why);
        assert_eq!(Answered::of(received(&sent)).unwrap().unwrap().leave().unwrap(), Err(why));
    }
    assert_eq!(Answered::of(received(&Message::done())).unwrap().unwrap().leave().unwrap(), Ok(()));
    // An act that was done is no leave, and a leave is no act.
    let done = Message::answering_help(&Ok(Helped::Assigned));
    assert!(Answered::of(received(&done)).unwrap().unwrap().leave().is_err());
    assert!(Answered::of(received(&Message::done())).unwrap().unwrap().helped().is_err());
}

#[test]
fn the_largest_account_is_told_to_the_helpdesk_and_how_the_host_keeps_it_is_not() {
    let mut full = account();
    let (app, token) = (full.apps.remove(0), || account().tokens.remove(0));
    // The longest that each of them can be, where each byte takes four on the wire.
    let (label, words) = (Label::new(&"\u{1f511}".repeat(64)).unwrap(), Some("\u{1f511}".repeat(64)));
    full.apps = (0..MOST_APPS).map(|_| AppStatus { label: label.clone(), ..account().apps.remove(0) }).collect();
    let series = Some("\u{1f511}".repeat(128));
    let owner = UserName::new(&"\u{e9}".repeat(127)).ok();
    let long = |token| TokenView {
        serial: serial(&"S".repeat(64)),
        series: series.clone(),
        vendor: words.clone(),
        model: words.clone(),
        owner: owner.clone(),
        ..token
    };
    full.tokens = (0..MOST_HELD).map(|_| long(token())).collect();
    full.ssh_keys = vec![EnrolledKey { label, ..full.ssh_keys.remove(0) }; MOST_SSH_KEYS];
    full.tokens_problem = Some(StoreError::Entropy(crate::codes::secret::SecretError::NoEntropy));
    full.tokens[0].problem = Some(StoreError::Entropy(crate::codes::secret::SecretError::NoEntropy));
    let sent = Message::answering_help(&Ok(Helped::Enrolled(Box::new(full)))).without_details();
    let Ok(Helped::Enrolled(read)) = Answered::of(received(&sent)).unwrap().unwrap().helped().unwrap() else {
        panic!("an account")
    };
    assert_eq!((read.apps.len(), read.tokens.len(), read.apps[0].drift), (MOST_APPS, MOST_HELD, app.drift));
    for problem in [&read.tokens_problem, &read.tokens[0].problem] {
        assert_eq!(problem.as_ref().unwrap().to_string(), "the broker cannot answer");
    }
    assert!(read.tokens[1].problem.is_none());
    assert_eq!((read.ssh_keys.len(), read.ssh_keys[99].label.as_str().chars().count()), (MOST_SSH_KEYS, 64));
}

/// All readings of a message are charged as one attempt.
#[test]
fn a_message_holds_the_guess_of_one_answer_and_not_a_thousand() {
    let source = Source::from_rhost(None);
    let call = |readings: &[&str]| {
        let readings: Vec<Answer> = readings.iter().map(|digits| Answer::parse(digits.as_bytes())).collect();
        let (previous, remember) = (None, None);
        let attempt = Attempt { readings: &readings, previous, source: &source, factors: Factors::ALL, remember };
        Call::read(&received(&Message::attempting("redeem", &person(), &attempt)))
    };
    assert!(call(&["456123", "3456123", "23456123", "2123456123", "8765432123456123"]).is_ok());
    let many: [&[_]; 4] = [&["456123", "654321"], &["456123", "456123"], &["456123", "1456124"], &["x"; 6]];
    for many in many {
        assert!(matches!(call(many), Err(WireError::Value("reading"))), "{many:?}");
    }
}

#[test]
fn each_answer_is_read_as_it_was_given() {
    let factor = Factor::Token { label: "work \"phone\"".to_owned(), drift: -2 };
    let problem = Some(StoreError::Entropy(crate::codes::secret::SecretError::NoEntropy));
    let outcome = Ok(Redemption::Redeemed(Redeemed { factor: factor.clone(), reading: 1, problem }));
    let answered = |message: &Message| Answered::of(received(message)).unwrap();
    let redeemed = answered(&Message::answering_redeem(&outcome)).unwrap();
    assert!(redeemed.redemption(1).is_err(), "a reading that was not sent");
    let Redemption::Redeemed(redeemed) = redeemed.redemption(2).unwrap() else { panic!("it was right") };
    assert_eq!((redeemed.factor(), redeemed.reading()), (&factor, 1));
    assert_eq!(redeemed.problem().map(StoreError::reason), Some(Reason::StoreUnavailable));

    for reason in Reason::ALL {
        let hint = Some("twofactor token enable 'A 1'".to_owned());
        let message = Message::answering_redeem(&Ok(Redemption::Refused { reason, hint: hint.clone() }));
        let Redemption::Refused { reason: read, hint: with } = answered(&message).unwrap().redemption(1).unwrap()
        else {
            panic!("it was refused")
        };
        assert_eq!((read, with), (reason, hint));
        // A program of a user learns the reason alone.
        let bare = answered(&message.without_details()).unwrap().redemption(1).unwrap();
        let Redemption::Refused { reason: told, hint: None } = bare else { panic!("{bare:?}") };
        // And not even that of a right code that opens nothing.
        let harmless = [Reason::WrongCode, Reason::Replayed, Reason::Throttled, Reason::NotEnrolled].contains(&reason);
        assert_eq!(told, if harmless { reason } else { Reason::WrongCode });
    }

    let burned = |factor: &Factor| Stripping::Burned { reading: 0, factor: factor.clone() };
    for factor in [Factor::Temporary, Factor::Recovery { left: 3 }] {
        let message = Message::answering_strip(&Ok(burned(&factor)));
        assert_eq!(answered(&message).unwrap().stripping(1).unwrap(), burned(&factor));
    }
    let message = Message::answering_strip(&Ok(burned(&factor)));
    // What answers one question answers no other.
    assert!(answered(&message).unwrap().redemption(1).is_err());
    assert!(answered(&message).unwrap().presence().is_err());

    let error = StoreError::UidChanged { user: person().name, recorded: Uid(1), now: Uid(2) };
    let words = (error.to_string(), error.hint(), error.reason());
    let message = Message::answering_strip(&Err(error));
    let read = answered(&message).unwrap_err();
    assert_eq!((read.to_string(), read.hint(), read.reason()), words);
    let bare = answered(&message.without_details()).unwrap_err();
    assert_eq!(bare.reason(), Reason::UidChanged);
    assert!(!bare.to_string().contains("alice") && !bare.hint().contains("alice"), "{bare}");
}

#[test]
fn a_message_is_large_enough_or_refused_before_it_is_sent_or_taken() {
    let long = "é".repeat(LARGEST_ANSWER / 4);
    let refusal = Message::refusing(Reason::StoreCorrupt, &long, "");
    assert!(matches!(refusal.framed(), Err(WireError::TooLarge(_))));
    let soon = || Instant::now() + Duration::from_mins(1);
    for (length, largest, channel) in [
        (u32::MAX, LARGEST_QUESTION, Channel::answering as fn(_, _) -> _),
        (u32::try_from(LARGEST_QUESTION).unwrap() + 1, LARGEST_QUESTION, Channel::answering),
        (u32::try_from(LARGEST_ANSWER).unwrap() + 1, LARGEST_ANSWER, Channel::asking),
    ] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(&length.to_be_bytes()).unwrap();
        let refused = channel(ours, soon()).receive();
        assert!(matches!(refused, Err(WireError::TooLarge(found)) if found > largest), "{length}: {refused:?}");
    }
    // No question is as large as an answer may be.
    let question = Message::asking("help-status").with("user", &"u".repeat(LARGEST_QUESTION / 4));
    assert!(matches!(question.framed(), Err(WireError::TooLarge(_))));
}

#[test]
fn a_byte_now_and_then_does_not_move_the_deadline() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let began = Instant::now();
    let channel = Channel::answering(ours, began + Duration::from_millis(300));
    let sender = std::thread::spawn(move || {
        let framed = Message::asking_about("presence", &person().name).framed().unwrap();
        for byte in framed.iter() {
            std::thread::sleep(Duration::from_millis(50));
            if theirs.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    assert!(matches!(channel.receive(), Err(WireError::Deadline)));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(channel);
    sender.join().unwrap();
}

#[test]
fn a_stream_that_ends_is_the_end_between_messages_and_an_error_within_one() {
    let soon = || Instant::now() + Duration::from_mins(1);
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert!(Channel::answering(ours, soon()).receive().unwrap().is_none());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(&[0, 0, 0, 9, b' ']).unwrap();
    drop(theirs);
    let channel = Channel::answering(ours, soon());
    assert!(matches!(channel.receive(), Err(WireError::Ended)));
    // Sending to it is an error too, and no signal.
    assert!(matches!(channel.send(&Message::not_remembered()), Err(WireError::Ended)));
}
