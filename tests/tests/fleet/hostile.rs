//! A hostile host, with a certificate of its own: it floods, guesses, invents invitations and asks for seeds, and other hosts go on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twofactor_core::account::factors::Factors;
use twofactor_core::account::invitation::{Invitation, InvitationCode};
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::secret::Secret;
use twofactor_core::config::Config;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{AccountAdministration as _, InvitationAdministration as _};
use twofactor_core::store::wire::{Call, HostCall, Message};
use twofactor_core::store::{Attempt, EnrollmentStore as _};
use twofactor_net::host_key::HostKey;
use twofactor_net::join_code::JoinCode;
use twofactor_server::Host;
use twofactor_tests::oathtool::{Authenticator, Kind};
use twofactor_tests::requirements;
use zeroize::Zeroizing;

use super::administration::enrolled;
use super::joining::added;
use super::members::{self, Member};
use super::network::{Connection, HELLO, Site, ask, assert_ended, receive, send};
use super::own_changes::letting;
use super::program::Machine;
use super::relay::Asking;
use super::tokens::{Fob, central, stock};
use super::{Enrolled, Fleet, is_accepted, now, question, redeem, refusal};

/// A login at another host takes no longer than this while a hostile host floods the server.
const SOON: Duration = Duration::from_secs(1);

/// Users of whom each logs in once at the host of this connection, within this time. Gives the longest that one has taken.
#[track_caller]
fn log_in(connection: &mut Connection, users: &[Enrolled], most: Duration) -> Duration {
    let logins = (1..).zip(users).map(|(number, user)| {
        let began = Instant::now();
        let answer = ask(connection, &question(user, &user.code(0), number)).unwrap().in_short();
        let lasted = began.elapsed();
        assert_eq!(answer, "redeemed app", "{} after {lasted:?}", user.person.name);
        assert!(lasted < most, "{}: {lasted:?}", user.person.name);
        lasted
    });
    logins.max().unwrap()
}

#[test]
fn a_host_that_floods_over_all_of_its_connections_delays_no_login_of_another() {
    const CONNECTIONS: usize = 256;
    /// A host may use half of a server's connections to the database.
    const AT_ONCE: usize = 8;
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org", "web2.example.org"]);
    let (address, desk) = (site.open(&fleet), fleet.host("desk"));
    let connect = |name: &str| {
        let mut connection = site.connect(address, Some(site.host(name)));
        ask(&mut connection, HELLO).unwrap();
        connection
    };
    let make = |count: usize, name: &str| -> Vec<Enrolled> {
        (0..count).map(|number| Enrolled::at(&desk, &format!("{name}{number}"))).collect()
    };
    let (guessed, held) = (make(64, "guessed"), make(32, "held"));
    let (first, others, more) = (make(4, "first"), make(20, "other"), make(4, "more"));
    let mut honest = connect("web2.example.org");
    // A machine that is busy with other things is slow before the flood, too.
    let soon = SOON.max(20 * log_in(&mut honest, &first, 10 * SOON));
    let mut hostile: Vec<Connection> = (0..CONNECTIONS).map(|_| connect("web1.example.org")).collect();
    let (stop, numbers) = (AtomicBool::new(false), AtomicU64::new(1 << 40));
    let wrong: Vec<String> = guessed.iter().map(Enrolled::wrong).collect();
    thread::scope(|scope| {
        for connections in hostile.chunks_mut(CONNECTIONS / 8) {
            let (stop, numbers, guessed, wrong) = (&stop, &numbers, &guessed, &wrong);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    for connection in &mut *connections {
                        let number = numbers.fetch_add(1, Ordering::SeqCst);
                        let user = usize::try_from(number).unwrap() % guessed.len();
                        send(connection, &question(&guessed[user], &wrong[user], number.into())).unwrap();
                    }
                    for connection in &mut *connections {
                        receive(connection).unwrap();
                    }
                }
            });
        }
        // Once it has begun.
        while numbers.load(Ordering::SeqCst) < (1 << 40) + 2 * CONNECTIONS as u64 {
            thread::sleep(Duration::from_millis(1));
        }
        let longest = log_in(&mut honest, &others, soon);
        println!("a login at another host takes {longest:?} at most during a flood, {soon:?} are allowed");
        stop.store(true, Ordering::SeqCst);
    });

    // The same where the database keeps each of its questions waiting.
    let holding = fleet.postgres.transaction("update twofactor.state set version = version where name like 'held%'");
    for (connection, user) in hostile.iter_mut().zip(&held) {
        let number = numbers.fetch_add(1, Ordering::SeqCst);
        send(connection, &question(user, &user.wrong(), number.into())).unwrap();
    }
    fleet.postgres.until_waiting(AT_ONCE);
    log_in(&mut honest, &more, soon.min(3 * SOON));
    holding.commit();
}

#[test]
fn strangers_that_connect_and_say_nothing_are_cut_off_soon() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let address = Site::new(&[]).open(&fleet);
    let strangers: Vec<TcpStream> = (0..32)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            if number % 2 == 1 {
                // The beginning of a greeting in TLS.
                stream.write_all(&[22, 3, 1]).unwrap();
            }
            stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
            stream
        })
        .collect();
    for mut stream in strangers {
        let said = stream.read(&mut [0; 16]);
        let is_silent = said.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!is_silent, "a connection that says nothing stays");
    }
}

#[test]
fn guesses_at_many_hosts_add_up_against_one_user() {
    let Some(fleet) = Fleet::with_servers(2) else { return };
    let alice = Enrolled::at(&fleet.host("desk"), "alice");
    // One at each of them, so that none of them has a reason of its own.
    for (number, wrong) in alice.app.wrong_codes().take(5).enumerate() {
        let host = fleet.host(&format!("web{number}"));
        assert_eq!(refusal(redeem(&host.store(), &alice.person, &wrong)), Reason::WrongCode, "web{number}");
    }
    let (sixth, code) = (fleet.host("web6"), alice.code(0));
    assert_eq!(refusal(redeem(&sixth.store(), &alice.person, &code)), Reason::Throttled);
    // Slowed, and never locked.
    assert!(central(&fleet).unlock(&alice.person.name).unwrap().is_some());
    assert!(is_accepted(redeem(&sixth.store(), &alice.person, &code)));
}

#[test]
fn attempts_of_one_user_wait_for_each_other_in_the_server_and_one_of_them_at_the_database() {
    const AT_ONCE: u128 = 8;
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let desk = fleet.host("desk");
    let (alice, bob) = (Enrolled::at(&desk, "alice"), Enrolled::at(&desk, "bob"));
    let code = alice.code(0);
    let holding = fleet.postgres.transaction("update twofactor.state set version = version where name = 'alice'");
    thread::scope(|scope| {
        let (fleet, alice, code) = (&fleet, &alice, &code);
        let asked: Vec<_> = (1..=AT_ONCE)
            .map(|number| scope.spawn(move || fleet.answer("web1", &question(alice, code, number)).in_short()))
            .collect();
        fleet.postgres.until_waiting(1);
        // Those that come after them go all the way meanwhile. Without a queue the others were at the database by now, too.
        for (number, recovery) in (100..).zip(&bob.recovery) {
            let answer = fleet.answer("web1", &question(&bob, recovery.expose(), number)).in_short();
            assert!(answer.starts_with("redeemed"), "{answer}");
        }
        let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        assert_eq!(fleet.postgres.sql(waiting), "1", "of {AT_ONCE}");
        holding.commit();
        let mut answers: Vec<String> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
        answers.sort();
        assert_eq!(answers.remove(0), "redeemed app", "{answers:?}");
        assert!(answers.iter().all(|answer| answer == "refused replayed"), "{answers:?}");
    });
}

fn person(name: &str) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(1001) }
}

/// A question with its number, as it goes over the wire.
fn numbered(line: &str, number: u128) -> Vec<u8> {
    Message::read(line.as_bytes()).unwrap().numbered(number).line().unwrap().to_vec()
}

#[test]
fn an_invitation_is_judged_by_the_server_and_neither_an_invented_one_nor_that_of_another_enrolls() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let rules = "[default]\nsecond_factor = \"enroll\"\n[enrollment]\ninvitation = \"required\"\n";
    let server = fleet.server_with(&Config::parse(rules).unwrap(), &fleet.postgres.connection());
    let web1 = Asking::of(letting("web1"), std::slice::from_ref(&server), &fleet.runtime);
    let (store, central, soon) = (web1.store(), central(&fleet), now().after(Duration::from_hours(1)));
    let fob = Fob::random("A1");
    stock(&central, "acme", std::slice::from_ref(&fob));
    let carols = central.invite(&person("carol"), soon).unwrap();
    let source = Source::from_rhost(Some("192.0.2.7"));
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    let of_carol = store.check_invitation(&person("carol"), &carols, &attempt).unwrap().unwrap();
    assert!(store.check_invitation(&person("bob"), &carols, &attempt).unwrap().is_err());
    let invented = InvitationCode::generate().unwrap();
    let invention = Invitation::of(&invented, soon).unwrap();
    let again = |of: &Invitation| Invitation { salt: of.salt, digest: of.digest, until: of.until };

    // bob has no invitation. The host says that he has.
    let mut number = 0;
    let mut ask = |line: &str| {
        number += 1;
        let answered = fleet.runtime.block_on(server.answer(&letting("web1"), &numbered(line, number)));
        answered.unwrap().in_short()
    };
    let [first, second] = fob.authenticator().two_codes();
    let register = |of: &str| {
        format!(" version=1 ask=register user=bob uid=1001 serial=A1 code={first} code={second} source=192.0.2.7{of}")
    };
    let spent = |of: &Invitation| format!(" salt={} digest={} until={}", of.salt, of.digest, of.until);
    let secret = Secret::generate(20).unwrap().expose_base32().to_string();
    let app = Authenticator { secret: secret.clone(), algorithm: "SHA1".to_owned(), digits: 6, kind: Kind::Time(30) };
    let enroll = |user: &str, more: &str| {
        let code = app.code(0);
        format!(" version=1 ask=self-enroll user={user} uid=1001 label=app secret={secret} code={code}{more}")
    };
    let typed = |code: &InvitationCode| format!(" invitation={}", code.expose_grouped().replace('-', ""));
    for (what, invitation, of) in [
        ("none", None, None),
        ("invented", Some(&invention), Some(&invented)),
        ("carol's", Some(&of_carol), Some(&carols)),
    ] {
        let stored = Enrolled::with_invitation(&store, "bob", invitation.map(again));
        assert!(stored.is_err(), "store-app with {what}");
        let registered = ask(&register(&invitation.map(spent).unwrap_or_default()));
        assert_ne!(registered, "done", "register with {what}");
        let enrolled = ask(&enroll("bob", &of.map(typed).unwrap_or_default()));
        assert!(!enrolled.starts_with("changed"), "self-enroll with {what}: {enrolled}");
        let there = fleet.postgres.sql("select count(*) from twofactor.credentials");
        assert_eq!(there, "0", "with {what}");
    }
    assert_eq!(fleet.postgres.sql("select count(*) from twofactor.tokens where name is not null"), "0");
    // carol comes with hers, and bob with one of his own.
    assert!(ask(&enroll("carol", &typed(&carols))).starts_with("changed"));
    let his = central.invite(&person("bob"), soon).unwrap();
    let his = store.check_invitation(&person("bob"), &his, &attempt).unwrap().unwrap();
    assert_eq!(ask(&register(&spent(&his))), "done");
    assert_eq!(fleet.postgres.sql("select name from twofactor.tokens"), "bob");
}

/// The questions of the wire, so that one that is added is asked here, too.
fn place(call: &Call) -> usize {
    match call {
        Call::Presence(_) => 0,
        Call::CodeLengths(_) => 1,
        Call::Remembers(..) => 2,
        Call::RecoveryLeft(_) => 3,
        Call::Redeem(..) => 4,
        Call::Strip(..) => 5,
        Call::Pretend(_) => 6,
        Call::EnrollmentStatus(_) => 7,
        Call::CheckRegistration(..) => 8,
        Call::Register(..) => 9,
        Call::Confirm(_) => 10,
        Call::CheckInvitation(..) => 11,
        Call::StoreApp(..) => 12,
        Call::Hello => 13,
        Call::OwnAccount(_) => 14,
        Call::OwnSshKeys(_) => 15,
        Call::ChangeOwn(..) => 16,
        Call::Help(_) => 17,
    }
}

const PLACES: usize = 18;

#[test]
fn no_answer_to_a_host_has_a_seed_not_even_one_that_is_kept_for_its_owner() {
    let Some(machine) = Machine::with("") else { return };
    let alice = enrolled(&machine, "alice");
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let host = Host { enrollments_per_hour: 1000, ..letting("web1") };
    let new = Secret::generate(20).unwrap().expose_base32().to_string();
    let token = format!(
        "serial=app-9 label=app secret={new} algorithm=SHA1 digits=6 period=30 issued=2026-01-01T00:00:00Z drift=0 anchor=0"
    );
    let attempt = "source=192.0.2.7 factors=app,token,recovery";
    let hers = "user=alice uid=1001";
    let (mut asked, mut number, mut answers) = ([false; PLACES], 0_u128, Vec::new());
    let mut ask_all = || {
        let (right, wrong) = (alice.code(0), alice.wrong());
        let next = alice.code(1);
        let lines = [
            "presence user=alice".to_owned(),
            "code-lengths user=alice".to_owned(),
            format!("remembers {hers} factors=app service=sshd address=192.0.2.7 seconds=3600"),
            format!("recovery-left {hers}"),
            format!("enrollment-status {hers}"),
            format!("self-status {hers}"),
            format!("self-ssh-keys {hers}"),
            format!("redeem {hers} reading={wrong} {attempt}"),
            format!("redeem {hers} reading={right} {attempt}"),
            format!("strip {hers} reading={next} {attempt}"),
            format!("pretend reading={wrong} {attempt}"),
            format!("check-registration {hers} serial=A1 code={right} code={next} source=192.0.2.7"),
            format!("register {hers} serial=A1 code={right} code={next} source=192.0.2.7"),
            format!("confirm {token} code={right}"),
            format!("check-invitation {hers} invitation=ABCDEFGH source=192.0.2.7"),
            "hello".to_owned(),
            format!("self-recovery {hers} proof={wrong}"),
            format!("self-reset {hers} proof={wrong}"),
            format!("self-replace {hers} label=app secret={new} code={right} proof={wrong}"),
            format!("self-enroll {hers} label=app secret={new} code={right}"),
            format!("self-token {hers} serial=A1 code={right} code={next} proof={wrong}"),
            format!("self-ssh-key-remove {hers} fingerprint=SHA256:{} proof={wrong}", "A".repeat(43)),
            format!("help-status {hers}"),
            format!("help-verify {hers} code={right}"),
            format!("help-code {hers} seconds=3600"),
            format!("help-assign {hers} serial=A1"),
            // A newcomer's app in the place of the one that is kept.
            format!("store-app {hers} {token} recovery_code=1234567890123456"),
        ];
        for line in lines {
            number += 1;
            let line = numbered(&format!(" version=1 ask={line}"), number);
            let message = Message::read(&line).unwrap();
            let call =
                Call::read(&message).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)));
            asked[place(&call)] = true;
            let answer = fleet.runtime.block_on(fleet.servers[0].answer(&host, &line)).unwrap();
            answers.push(answer.line().unwrap().to_vec());
        }
    };
    // While it is hers, and where it waits for her to set it up again.
    ask_all();
    let reset = machine.tool(&["reset", "alice", "--keep-secret", "--yes"]);
    assert!(reset.status.success(), "{}", super::program::said(&reset));
    ask_all();
    assert!(asked.iter().all(|asked| *asked), "{asked:?}");
    let seed = data_encoding::BASE32_NOPAD.decode(alice.app.secret.as_bytes()).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&seed);
    let forms = [
        seed.clone(),
        alice.app.secret.clone().into_bytes(),
        alice.app.secret.to_lowercase().into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        data_encoding::BASE64_NOPAD.encode(&seed).into_bytes(),
    ];
    for answer in &answers {
        for form in &forms {
            assert!(!super::contains(answer, form), "{}", String::from_utf8_lossy(answer));
        }
    }
}

#[test]
fn a_client_that_speaks_no_newer_tls_than_1_2_is_not_heard() {
    if !requirements::programs_met(&["openssl"]) {
        return;
    }
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org"]);
    let address = site.open(&fleet);
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = site.host("web1.example.org").write_into(folder.path(), "web1");
    let speak = |version: &str| {
        let mut command = Command::new("openssl");
        command.arg("s_client").arg("-connect").arg(address.to_string()).arg(version);
        command.arg("-cert").arg(&certificate).arg("-key").arg(&key).arg("-CAfile").arg(site.place("ca.pem"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let newer = speak("-tls1_3");
    assert!(newer.contains("Cipher is TLS_") && newer.contains("Verify return code: 0"), "{newer}");
    let older = speak("-tls1_2");
    assert!(older.contains("Cipher is (NONE)"), "{older}");
    assert!(older.contains("protocol version"), "{older}");
}

#[test]
fn strangers_who_try_to_join_and_a_host_that_renews_over_and_over_write_few_lines() {
    const TRIES: usize = 24;
    let Some(machine) = members::central() else { return };
    let mut serving = machine.serve();
    let web1 = Member::joined(&machine, "web1");
    let began = Instant::now();
    let code = JoinCode::read(&added(&machine, &["web2"])).unwrap();
    let guess = || JoinCode { secret: Zeroizing::new([7; 10]), number: code.number, authority: code.authority };
    let mut connection = web1.connect(machine.address);
    for _ in 0..TRIES {
        assert!(members::refusal(Member::with(machine.address, &guess())).contains("wrong"));
        let line = HostCall::Renew(members::new_key(&HostKey::generate().unwrap())).message().line().unwrap();
        ask(&mut connection, &line).unwrap();
    }
    // More than a question of one that joins may have.
    let (mut stranger, before) = (members::stranger(machine.address), Instant::now());
    let _ = stranger.write_all(&[&1025_u32.to_be_bytes()[..], b" version=1"].concat());
    assert_ended(&mut stranger, before, "a large question without a certificate");
    // One of each in ten seconds.
    let most = usize::try_from(began.elapsed().as_secs() / 10).unwrap() + 1;
    assert!(most < TRIES / 2, "too slow to tell");
    assert!(serving.end().success());
    let mut log = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    for (words, most) in [("web1 has joined", 1), ("a host may not join", most), ("web1 has renewed", most)] {
        let lines = log.lines().filter(|line| line.contains(words)).count();
        assert!((1..=most).contains(&lines), "{words}: {lines} of {most}: {log}");
    }
}
