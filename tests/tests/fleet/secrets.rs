//! Secrets of every kind go through a store, and none stands in PostgreSQL: in its files, its log, a dump, or the statements that its
//! processes show.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::time::Duration;

use twofactor_core::account::enrollment;
use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Source;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::secret::Secret;
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::{AccountAdministration as _, InvitationAdministration as _};
use twofactor_core::store::self_service::{Change, Request};
use twofactor_core::store::wire::Message;
use twofactor_core::store::{Attempt, EnrollmentStore as _};
use twofactor_tests::postgres::Postgres;

use super::network::ask;
use super::own_changes::letting;
use super::program::Machine;
use super::relay::Asking;
use super::tokens::central;
use super::{Enrolled, Fleet, contains, is_accepted, now, question, redeem, refusal};

/// The content of all files of a cluster, its log, a dump and the statements that its processes ran last, by their places.
pub(crate) fn everything(postgres: &Postgres) -> BTreeMap<String, Vec<u8>> {
    let statements = postgres.sql("select string_agg(query, chr(10)) from pg_stat_activity");
    let (log, dump) = (postgres.log().into_bytes(), postgres.dump());
    let mut places = BTreeMap::from([
        ("log".to_owned(), log),
        ("dump".to_owned(), dump),
        ("pg_stat_activity".to_owned(), statements.into_bytes()),
    ]);
    let mut folders = vec![postgres.home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => {
                    places.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    places
}

/// Secrets with their names.
type Secrets = Vec<(String, Vec<u8>)>;

/// A seed in all forms in which it is written somewhere.
fn seed(base32: &str) -> Secrets {
    let seed = data_encoding::BASE32_NOPAD.decode(base32.as_bytes()).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&seed).into_bytes();
    [("seed", seed), ("seed in base32", base32.to_owned().into_bytes()), ("seed in hexadecimal", hex)]
        .map(|(what, bytes)| (what.to_owned(), bytes))
        .into()
}

/// True where `word` stands with neither a letter nor a digit nor a point before or behind it.
fn stands_alone(content: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
    content.windows(word.len()).enumerate().filter(|(_, found)| *found == word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| content.get(at));
        !is_part(before) && !is_part(content.get(at + word.len()))
    })
}

/// None of the secrets stands in one of these places, which are about `name`.
#[track_caller]
fn stand_nowhere(secrets: &Secrets, places: &BTreeMap<String, Vec<u8>>, name: &str) {
    for (place, content) in places {
        let is_ours = contains(content, name.as_bytes());
        for (what, secret) in secrets {
            // Six digits stand anywhere by chance: in files of the system that no account is in, in sealed bytes and in times.
            let stands =
                if secret.len() < 8 { is_ours && stands_alone(content, secret) } else { contains(content, secret) };
            assert!(!stands, "{what} stands in {place}");
        }
    }
}

fn person(name: &str) -> Person {
    Person { name: UserName::new(name).unwrap(), uid: Uid(1001) }
}

#[test]
fn no_secret_stands_in_the_cluster_in_its_log_in_a_dump_or_in_the_statements_of_its_processes() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let web1 = Asking::of(letting("web1"), &fleet.servers, &fleet.runtime);
    let (store, central) = (web1.store(), central(&fleet));
    let alice = Enrolled::at(&web1, "alice");
    let (code, wrong, typed) = (alice.code(0), alice.wrong(), alice.recovery[1].expose().to_owned());
    assert!(is_accepted(redeem(&store, &alice.person, &code)));
    assert_eq!(refusal(redeem(&store, &alice.person, &wrong)), Reason::WrongCode);
    assert!(is_accepted(redeem(&store, &alice.person, &typed)));
    let temporary = central.give_code(&alice.person, now().after(Duration::from_hours(1))).unwrap().unwrap();
    // Not used up, so that its digest is kept.
    let unused: String = temporary.expose_grouped().chars().filter(char::is_ascii_digit).collect();

    // Users change their own: with a code of theirs, and with an invitation.
    let proof = alice.code(1);
    let request = Request { proof: Some(Answer::parse(proof.as_bytes())), invitation: None, change: Change::Recovery };
    let new_recovery = store.change_own(&alice.person, &request).unwrap().unwrap();
    let bob = person("bob");
    let invitation = central.invite(&bob, now().after(Duration::from_hours(1))).unwrap();
    let source = Source::from_rhost(Some("192.0.2.7"));
    let attempt = Attempt { readings: &[], previous: None, source: &source, factors: Factors::ALL, remember: None };
    let invited = store.check_invitation(&bob, &invitation, &attempt).unwrap().unwrap();

    let mut secrets = seed(&alice.app.secret);
    let all = [("code", &code), ("wrong code", &wrong), ("recovery code", &typed), ("temporary code", &unused)];
    secrets.extend(all.map(|(what, text)| (what.to_owned(), text.clone().into_bytes())));
    for code in &alice.recovery {
        secrets.push(("recovery code".to_owned(), code.expose().as_bytes().to_vec()));
    }
    for code in &new_recovery {
        secrets.push(("new recovery code".to_owned(), code.expose().as_bytes().to_vec()));
    }
    secrets.push(("code of a change".to_owned(), proof.into_bytes()));
    for (what, grouped) in [("temporary code", temporary.expose_grouped()), ("invitation", invitation.expose_grouped())]
    {
        secrets.push((what.to_owned(), grouped.as_bytes().to_vec()));
        secrets.push((what.to_owned(), grouped.replace('-', "").into_bytes()));
    }
    // Digests and salts. A record that is not sealed has these words.
    secrets.push(("digest of an invitation".to_owned(), invited.digest.to_string().into_bytes()));
    secrets.push(("salt of an invitation".to_owned(), invited.salt.to_string().into_bytes()));
    for part in ["recovery = [", "[invitation]", "[temporary_code]", "digest = \""] {
        secrets.push((format!("{part:?}, as in an open record,"), part.as_bytes().to_vec()));
    }

    fleet.postgres.sql("checkpoint");
    assert!(fleet.postgres.log().contains("twofactor.audit"), "the log has the statements");
    let places = fleet.everything();
    assert!(places.len() > 100, "the cluster was read: {}", places.len());
    let alice_stands = places.values().filter(|content| contains(content, b"alice")).count();
    assert!(alice_stands >= 3, "what is no secret is found: {alice_stands}");
    assert!(contains(&places["pg_stat_activity"], b"twofactor.state"), "idle processes show their last statement");
    stand_nowhere(&secrets, &places, "alice");
    // It was none that is void by now.
    assert!(is_accepted(redeem(&store, &alice.person, &unused)));
}

#[test]
fn a_statement_with_secrets_that_fails_tells_none_of_them_to_a_log_or_to_the_host() {
    const WEB1: &str = "web1.example.org";
    let Some(postgres) = Fleet::<Postgres>::postgres_is_there()
        .then(|| Postgres::start(&["log_parameter_max_length_on_error=-1", "log_error_verbosity=verbose"]))
    else {
        return;
    };
    let machine = Machine::on(postgres);
    machine.make_keys();
    machine.configure(&format!("[[host]]\nname = \"{WEB1}\"\nmay = [\"login\", \"enroll\"]\n"));
    let mut serving = machine.serve();
    let alice = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("desk"), "alice");
    let mut web1 = machine.site.connect(machine.address, Some(machine.site.host(WEB1)));
    let app = Secret::generate(20).unwrap().expose_base32().to_string();
    let newcomers = enrollment::recovery_codes(1).unwrap().remove(0);
    let enrolling = format!(
        " version=1 ask=store-app user=bob uid=1001 serial=app-1 label=app secret={app} algorithm=SHA1 digits=6 period=30 \
         issued=2026-01-01T00:00:00Z drift=0 anchor=0 recovery_code={}",
        newcomers.expose()
    );
    let enrolling = Message::read(enrolling.as_bytes()).unwrap().numbered(1).line().unwrap();
    let recovery = alice.recovery[0].expose().to_owned();
    let mut secrets = [seed(&app), seed(&alice.app.secret)].concat();
    secrets.push(("recovery code".to_owned(), recovery.clone().into_bytes()));
    secrets.push(("recovery code of a newcomer".to_owned(), newcomers.expose().as_bytes().to_vec()));
    let mut answers = Vec::new();
    let failures = [
        // A value that a constraint forbids, and a column of another type: the statement fails as it runs, and as it is read.
        ("alter table twofactor.state add constraint never check (version < 0) not valid", "violates check constraint"),
        (
            "alter table twofactor.state drop constraint never; alter table twofactor.audit alter column detail type int using 0",
            "is of type integer",
        ),
    ];
    for (number, (damage, complaint)) in (10..).zip(failures) {
        machine.postgres.sql(damage);
        let code = alice.code(0);
        for line in [&enrolling, &question(&alice, &code, number), &question(&alice, &recovery, number + 100)] {
            let answer = ask(&mut web1, line).unwrap();
            assert!(answer.in_short().starts_with("failed"), "{damage}: {}", answer.in_short());
            answers.extend_from_slice(&answer.line().unwrap());
        }
        secrets.push(("code".to_owned(), code.into_bytes()));
        assert!(machine.postgres.log().matches(complaint).count() >= 3, "{damage}: {}", machine.postgres.log());
    }
    assert!(machine.postgres.log().contains("bob"), "PostgreSQL says what it was asked");
    machine.postgres.sql("checkpoint");
    let mut places = everything(&machine.postgres);
    assert!(serving.end().success());
    let mut journal = String::new();
    serving.0.stderr.take().unwrap().read_to_string(&mut journal).unwrap();
    places.insert("the server's log".to_owned(), format!("alice {journal}").into_bytes());
    places.insert("the answers".to_owned(), [b"alice ", answers.as_slice()].concat());
    stand_nowhere(&secrets, &places, "alice");
}
