//! A fleet with an authority of its own: join codes, certificates, revocation, and the hosts that a server refuses.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use twofactor_core::store::wire::{HostCall, IssuedCertificate, NewKey, read_clock};
use twofactor_net::certificate::Facts;
use twofactor_net::host_key::HostKey;
use twofactor_net::join_code::{Fingerprint, JoinCode};
use zeroize::Zeroizing;

use super::administration::enrolled;
use super::embedded::Files;
use super::joining::{OTP1, WEB1, added};
use super::network::{Connection, HELLO, ask};
use super::program::{Backing, Machine, said};
use super::{Enrolled, Fleet, now, question};

/// A central machine with an authority of its own.
pub(super) fn central() -> Option<Machine> {
    Some(of_its_own(Machine::new()?))
}

/// The same, whose accounts are in files.
pub(super) fn in_files() -> Machine<Files> {
    of_its_own(Machine::on(Files::new()))
}

fn of_its_own<S: Backing>(machine: Machine<S>) -> Machine<S> {
    machine.make_keys();
    machine.configure_own(&[OTP1], "");
    machine
}

/// A host that has joined.
pub(super) struct Member {
    pub(super) issued: IssuedCertificate,
    pub(super) key: HostKey,
}

impl Member {
    pub(super) fn joined<S: Backing>(machine: &Machine<S>, name: &str) -> Self {
        Self::joined_as(machine, &[name])
    }

    /// As a host that is added with these arguments.
    pub(super) fn joined_as<S: Backing>(machine: &Machine<S>, arguments: &[&str]) -> Self {
        let code = JoinCode::read(&added(machine, arguments)).unwrap();
        Self::with(machine.address, &code).unwrap()
    }

    /// Asks for a certificate. An error is the server's.
    pub(super) fn with(address: SocketAddr, code: &JoinCode) -> Result<Self, String> {
        Self::with_key(address, code, HostKey::generate().unwrap())
    }

    pub(super) fn with_key(address: SocketAddr, code: &JoinCode, key: HostKey) -> Result<Self, String> {
        let answer = ask(&mut stranger(address), &join_question(code, &key)).unwrap();
        let issued = IssuedCertificate::read(answer).unwrap().map_err(|error| error.to_string())?;
        Ok(Self { issued, key })
    }

    pub(super) fn connect(&self, address: SocketAddr) -> Connection {
        connect(address, self.config(&self.issued.authority))
    }

    /// TLS of this host, which takes servers of this authority.
    fn config(&self, authority: &[u8]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.to_vec())).unwrap();
        let certificate = CertificateDer::from(self.issued.certificate.clone());
        let key = PrivatePkcs8KeyDer::from(self.key.private.to_vec());
        builder().with_root_certificates(roots).with_client_auth_cert(vec![certificate], key.into()).unwrap()
    }
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap()
}

fn connect(address: SocketAddr, config: ClientConfig) -> Connection {
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(OTP1).unwrap()).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(connection, stream)
}

/// A connection without a certificate, of a host that takes any server.
pub(super) fn stranger(address: SocketAddr) -> Connection {
    let verifier = Arc::new(anyone::Anyone);
    connect(address, builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn join_question(code: &JoinCode, key: &HostKey) -> Vec<u8> {
    let (number, secret) = (code.number, Zeroizing::new(code.secret.to_vec()));
    HostCall::Join { number, secret, key: new_key(key) }.message().line().unwrap().to_vec()
}

pub(super) fn new_key(key: &HostKey) -> NewKey {
    NewKey { public: key.request.public.clone(), signature: key.request.signature.clone() }
}

pub(super) fn refusal(joined: Result<Member, String>) -> String {
    joined.err().expect("a certificate was made")
}

/// Waits until it holds.
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// Asks until the certificate does not count any more.
fn until_refused(connection: &mut Connection, longest: Duration) {
    let began = Instant::now();
    while ask(connection, HELLO).unwrap().in_short() == "done" {
        assert!(began.elapsed() < longest, "it is heard");
        sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() < longest, "{:?}", began.elapsed());
}

#[test]
fn a_join_code_is_good_once_for_an_hour_and_for_few_tries() {
    let Some(machine) = central() else { return };
    join_codes(&machine);
}

#[test]
fn a_join_code_in_files_is_good_once_for_an_hour_and_for_few_tries() {
    join_codes(&in_files());
}

/// A join code is good once, for an hour and for few tries.
fn join_codes<S: Backing + Sync>(machine: &Machine<S>) {
    let _serving = machine.serve();
    let code = |name: &str| JoinCode::read(&added(machine, &[name])).unwrap();
    let lasts = || {
        machine.postgres.either(
            "select extract(epoch from until - clock_timestamp()) between 3500 and 3600 from twofactor.join_code",
            "select case when until - unixepoch() between 3500 and 3600 then 't' end from join_code",
        )
    };

    let used = code("web1");
    assert_eq!(lasts(), "t");
    assert_eq!(Member::with(machine.address, &used).unwrap().issued.name, "web1");
    assert_eq!(refusal(Member::with(machine.address, &used)), "the join code was used already");
    // A code of a host that is there is shown on demand alone; the certificate lasts until it is used.
    let again = machine.tool(&["host", "add", "web1"]);
    assert!(!again.status.success() && said(&again).contains("is a host of the fleet already"), "{}", said(&again));

    let old = code("web2");
    machine.postgres.either(
        "update twofactor.join_code set until = clock_timestamp() where host = 'web2'",
        "update join_code set until = unixepoch() where host = 'web2'",
    );
    assert_eq!(refusal(Member::with(machine.address, &old)), "the join code has expired");

    // Guesses at the rest of a code whose number is known: the fifth is the last, also for the right one.
    let guessed = code("web3");
    let guess = || JoinCode { secret: Zeroizing::new([7; 10]), number: guessed.number, authority: guessed.authority };
    for _ in 0..4 {
        assert_eq!(refusal(Member::with(machine.address, &guess())), "the join code is wrong");
    }
    assert_eq!(Member::with(machine.address, &code("web4")).unwrap().issued.name, "web4", "another one is good");
    assert_eq!(refusal(Member::with(machine.address, &guess())), "the join code is wrong");
    assert_eq!(refusal(Member::with(machine.address, &guessed)), "the join code is wrong");
    let wrong = || machine.postgres.either("select wrong from twofactor.authority", "select wrong from store");
    assert_eq!(wrong(), "6");

    // All of them together have a limit, too, for an hour.
    let late = code("web5");
    machine.postgres.either("update twofactor.authority set wrong = 300", "update store set wrong = 300");
    let unknown = JoinCode { secret: Zeroizing::new([7; 10]), number: late.number, authority: late.authority };
    for _ in 0..6 {
        let refused = refusal(Member::with(machine.address, &unknown));
        assert!(refused.starts_with("too many wrong join codes were tried in this hour"), "{refused}");
    }
    // They use up neither the tries of a code that is right nor those of the hour.
    assert_eq!(wrong(), "300");
    assert!(Member::with(machine.address, &late).is_ok());
    machine.postgres.either(
        "update twofactor.authority set wrong_since = clock_timestamp() - interval '61 minutes'",
        "update store set wrong_since = unixepoch() - 3660",
    );
    assert_eq!(refusal(Member::with(machine.address, &guess())), "the join code is wrong");
    assert_eq!(wrong(), "1");
}

#[test]
fn of_simultaneous_hosts_with_one_code_exactly_one_joins() {
    let Some(machine) = central() else { return };
    simultaneous_joins(&machine);
}

#[test]
fn of_simultaneous_hosts_with_one_code_exactly_one_joins_a_fleet_in_files() {
    simultaneous_joins(&in_files());
}

/// Of simultaneous hosts with one code exactly one joins.
fn simultaneous_joins<S: Backing + Sync>(machine: &Machine<S>) {
    let _serving = machine.serve();
    let code = JoinCode::read(&added(machine, &[WEB1])).unwrap();
    let joined = thread::scope(|scope| {
        let joining: Vec<_> = (0..4).map(|_| scope.spawn(|| Member::with(machine.address, &code).is_ok())).collect();
        joining.into_iter().map(|joining| joining.join().unwrap()).filter(|joined| *joined).count()
    });
    assert_eq!(joined, 1);
    let certificates =
        machine.postgres.either("select count(*) from twofactor.certificate", "select count(*) from certificate");
    assert_eq!(certificates, "1");
}

#[test]
fn a_certificate_bears_the_name_that_was_added_and_a_host_is_heard_under_it_alone() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    // An address is no name.
    let address = machine.tool(&["host", "add", "10.0.0.5"]);
    assert_eq!(address.status.code(), Some(2), "{}", said(&address));
    let code = JoinCode::read(&added(&machine, &["WEB1.example.org"])).unwrap();
    let key = HostKey::generate().unwrap();
    // A request that claims a name is no request.
    let mut claiming = join_question(&code, &key);
    claiming.extend_from_slice(b" name=db1.example.org");
    assert!(ask(&mut stranger(machine.address), &claiming).is_err());
    // Neither is one for a key that others have.
    let others = HostKey::generate().unwrap();
    let foreign = NewKey { public: others.request.public.clone(), signature: key.request.signature.clone() };
    let (number, secret) = (code.number, Zeroizing::new(code.secret.to_vec()));
    let line = HostCall::Join { number, secret, key: foreign }.message().line().unwrap();
    assert!(ask(&mut stranger(machine.address), &line).unwrap().in_short().starts_with("failed"));
    let web1 = Member::with(machine.address, &code).unwrap();
    assert_eq!(web1.issued.name, WEB1);
    let alice = Enrolled::at(&Fleet::beside(&machine.postgres, machine.site.place("seed.key")).host("web9"), "alice");
    let mut connection = web1.connect(machine.address);
    assert_eq!(ask(&mut connection, &question(&alice, &alice.code(0), 1)).unwrap().in_short(), "redeemed app");
    assert_eq!(machine.postgres.sql("select host from twofactor.audit where event = 'redeem'"), WEB1);
    // For 90 days, and from a day ago: the clocks of hosts differ.
    let facts = Facts::of(&CertificateDer::from(web1.issued.certificate.clone())).unwrap();
    let left = facts.until - now().seconds();
    assert!((89 * 86_400..=90 * 86_400).contains(&left) && facts.from < now().seconds() - 86_000, "{facts:?}");
    let clock = read_clock(ask(&mut connection, &HostCall::Clock.message().line().unwrap()).unwrap()).unwrap().unwrap();
    assert!(clock.abs_diff(now().seconds()) <= 2);
    until("it is noted when the host was heard", || {
        machine.postgres.sql("select seen > clock_timestamp() - interval '1 minute' from twofactor.host") == "t"
    });
}

#[test]
fn without_a_certificate_of_the_fleet_nothing_is_heard_but_a_host_that_joins() {
    let (Some(machine), Some(foreign)) = (central(), central()) else { return };
    let (_serving, _other) = (machine.serve(), foreign.serve());
    let web1 = Member::joined(&machine, WEB1);
    let fleet = Fleet::beside(&machine.postgres, machine.site.place("seed.key"));
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    let renew = HostCall::Renew(new_key(&web1.key)).message().line().unwrap();
    let clock = HostCall::Clock.message().line().unwrap();
    for line in [HELLO, &question(&alice, &alice.code(0), 1), &renew, &clock, b"", b"garbage", &[b' '; 2000]] {
        assert!(ask(&mut stranger(machine.address), line).is_err(), "{}", String::from_utf8_lossy(line));
    }
    // The first question is the last.
    let mut joining = stranger(machine.address);
    let code = JoinCode::read(&added(&machine, &["web2"])).unwrap();
    assert!(ask(&mut joining, &join_question(&code, &HostKey::generate().unwrap())).is_ok());
    assert!(ask(&mut joining, HELLO).is_err());
    // A certificate of another fleet, and one of this fleet's that the store does not know.
    let theirs = Member::joined(&foreign, WEB1);
    assert!(ask(&mut connect(machine.address, theirs.config(&web1.issued.authority)), HELLO).is_err());
    assert_eq!(ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short(), "done");
    machine.postgres.sql("delete from twofactor.certificate");
    machine.postgres.sql("update twofactor.authority set changes = changes + 1");
    until("an unknown certificate is not taken", || {
        ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short() == "failed store-unavailable"
    });
    assert_eq!(machine.postgres.sql("select count(*) from twofactor.audit where event = 'redeem'"), "0");
}

#[test]
fn a_host_that_was_revoked_is_heard_no_more_on_any_connection() {
    let Some(machine) = central() else { return };
    revocation(&machine);
}

#[test]
fn a_host_that_was_revoked_in_files_is_heard_no_more_on_any_connection() {
    revocation(&in_files());
}

/// A host that was revoked is heard no more on any connection.
fn revocation<S: Backing + Sync>(machine: &Machine<S>) {
    let _serving = machine.serve();
    let (web1, web2) = (Member::joined(machine, WEB1), Member::joined(machine, "web2"));
    let mut kept = web1.connect(machine.address);
    assert_eq!(ask(&mut kept, HELLO).unwrap().in_short(), "done");
    let alice = enrolled(machine, "alice");
    let right = question(&alice, &alice.code(0), 1);
    assert_eq!(ask(&mut kept, &right).unwrap().in_short(), "redeemed app");
    let code = JoinCode::read(&added(machine, &[WEB1, "--again"])).unwrap();
    let (new, wrong) = (question(&alice, &alice.code(1), 2), question(&alice, &alice.wrong(), 3));
    let lines: [&[u8]; 3] = [&right, &new, &wrong];
    refused_at_once(machine, &web1, lines, || {
        assert!(machine.tool(&["host", "revoke", "WEB1.example.org"]).status.success());
    });
    let judged = machine.postgres.either(
        "select count(*) from twofactor.audit where event = 'redeem'",
        "select count(*) from audit where event = 'redeem'",
    );
    assert_eq!(judged, "1");
    // A greeting asks about no account: the tables are looked at once a second.
    until_refused(&mut kept, Duration::from_millis(1500));
    assert!(ask(&mut kept, HELLO).is_err(), "and its connection ends");
    assert_eq!(ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short(), "failed store-unavailable");
    let renew = HostCall::Renew(new_key(&web1.key)).message().line().unwrap();
    assert_eq!(ask(&mut web1.connect(machine.address), &renew).unwrap().in_short(), "failed store-unavailable");
    assert_eq!(refusal(Member::with(machine.address, &code)), "the join code is wrong", "it went with the host");
    assert_eq!(ask(&mut web2.connect(machine.address), HELLO).unwrap().in_short(), "done");
    assert!(!machine.tool(&["host", "revoke", WEB1]).status.success(), "it was revoked already");
    // Added again, it joins anew; its old certificate stays without use.
    let new = Member::joined(machine, WEB1);
    until("the new one is heard", || ask(&mut new.connect(machine.address), HELLO).unwrap().in_short() == "done");
    assert_eq!(ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short(), "failed store-unavailable");
    // So it is where a host joins again that was not revoked: one name is one host.
    let newer = Member::with(machine.address, &JoinCode::read(&added(machine, &[WEB1, "--again"])).unwrap()).unwrap();
    until("the newer one is heard", || ask(&mut newer.connect(machine.address), HELLO).unwrap().in_short() == "done");
    assert_eq!(ask(&mut new.connect(machine.address), HELLO).unwrap().in_short(), "failed store-unavailable");
    // Nor does it count, in the moment before it is looked up, that another server has revoked one.
    refused_at_once(machine, &web2, lines, || {
        let both = |postgresql: &str, sqlite: &str| machine.postgres.either(postgresql, sqlite);
        both("delete from twofactor.certificate where host = 'web2'", "delete from certificate where host = 'web2'");
        both("update twofactor.authority set changes = changes + 1", "update store set changes = changes + 1");
    });
}

/// A host that a server knows as one that counts, a moment before: after the revocation no code is looked at, and no recorded answer given.
fn refused_at_once<S: Backing + Sync>(machine: &Machine<S>, host: &Member, lines: [&[u8]; 3], revoke: impl FnOnce()) {
    let mut all = [(); 4].map(|()| host.connect(machine.address));
    for connection in &mut all {
        assert_eq!(ask(connection, HELLO).unwrap().in_short(), "done");
    }
    let ([mut busy, others @ ..], is_revoked) = (all, AtomicBool::new(false));
    let answers = thread::scope(|scope| {
        // What the server knows of the host is never older than a second.
        scope.spawn(|| {
            while !is_revoked.load(Ordering::SeqCst) {
                let _ = ask(&mut busy, HELLO);
            }
        });
        let revoked = catch_unwind(AssertUnwindSafe(revoke));
        let asked = others.into_iter().zip(lines);
        let answers: Vec<_> =
            asked.map(|(mut other, line)| ask(&mut other, line).map(|it| it.in_short()).ok()).collect();
        is_revoked.store(true, Ordering::SeqCst);
        revoked.unwrap();
        answers
    });
    assert_eq!(answers, vec![Some("failed store-unavailable".to_owned()); 3]);
}

#[test]
fn a_silent_connection_of_a_host_that_was_revoked_ends_and_that_of_another_stays() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let (web1, web2) = (Member::joined(&machine, WEB1), Member::joined(&machine, "web2"));
    let (mut silent, mut other) = (web1.connect(machine.address), web2.connect(machine.address));
    for connection in [&mut silent, &mut other] {
        assert_eq!(ask(connection, HELLO).unwrap().in_short(), "done");
    }
    assert!(machine.tool(&["host", "revoke", WEB1]).status.success());
    let ended = silent.read(&mut [0]);
    let is_silent = ended.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    assert!(!is_silent && !matches!(ended, Ok(1..)), "{ended:?}");
    assert_eq!(ask(&mut other, HELLO).unwrap().in_short(), "done");
}

#[test]
fn no_session_is_resumed_and_while_the_database_is_away_no_certificate_counts() {
    let Some(machine) = central() else { return };
    let _serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    let config = web1.config(&web1.issued.authority);
    for _ in 0..3 {
        let mut connection = connect(machine.address, config.clone());
        assert_eq!(ask(&mut connection, HELLO).unwrap().in_short(), "done");
        assert_eq!(connection.conn.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
    let mut kept = web1.connect(machine.address);
    assert!(ask(&mut kept, HELLO).is_ok());
    // HELLO asks no table by itself: what fails is the look at the certificates.
    machine.postgres.signal_all(nix::sys::signal::Signal::SIGSTOP);
    until_refused(&mut kept, Duration::from_secs(7));
    machine.postgres.signal_all(nix::sys::signal::Signal::SIGCONT);
    until("it is heard again", || ask(&mut web1.connect(machine.address), HELLO).unwrap().in_short() == "done");
}

#[test]
fn servers_share_the_authority_and_neither_its_key_nor_a_code_is_readable_in_the_database() {
    let Some(machine) = central() else { return };
    let serving = machine.serve();
    let web1 = Member::joined(&machine, WEB1);
    let unused = added(&machine, &["web2"]);
    drop(serving);
    // Another server, with the keys of the first.
    let second = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = Machine { address: second, ..machine };
    other.configure_own(&[OTP1], "");
    let _second = other.serve();
    assert_eq!(ask(&mut web1.connect(second), HELLO).unwrap().in_short(), "done");
    let code = JoinCode::read(&unused).unwrap();
    let web2 = Member::with(second, &code).unwrap();
    assert_eq!(web2.issued.authority, web1.issued.authority);
    assert_eq!(Fingerprint::of(&CertificateDer::from(web1.issued.authority.clone())), code.authority);

    let mut told: Vec<Vec<u8>> = vec![code.secret.to_vec(), unused.replace('-', "").into_bytes(), unused.into_bytes()];
    // The beginning of every key in PKCS #8.
    told.push(b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01".to_vec());
    assert!(web1.key.private.windows(17).any(|part| part == told[3]), "as this one begins");
    told.extend(told.clone().iter().map(|bytes| data_encoding::HEXLOWER.encode(bytes).into_bytes()));
    other.postgres.sql("checkpoint");
    let mut texts = vec![other.postgres.log().into_bytes(), other.postgres.dump()];
    let mut folders = vec![other.postgres.home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => texts.push(fs::read(entry.path()).unwrap_or_default()),
                _ => {}
            }
        }
    }
    assert!(texts.len() > 100);
    for (place, secret) in told.iter().enumerate() {
        assert!(texts.iter().all(|text| !text.windows(secret.len()).any(|part| part == secret)), "{place}");
    }
    let lines: HashSet<String> =
        texts[1].split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect();
    assert!(lines.iter().any(|line| line.contains(WEB1)), "the dump was read");
}

/// A host that looks at no server's certificate.
mod anyone {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Anyone;

    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }
}
