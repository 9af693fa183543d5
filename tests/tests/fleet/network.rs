//! The server behind its port: which hosts it listens to, and what it does with what is no question of ours.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::net::TcpListener;
use twofactor_core::config::fleet::SiteFiles;
use twofactor_core::store::wire::{LARGEST_ANSWER, Message};
use twofactor_server::{Admission, Host, Hosts, serve, tls_of_site};
use twofactor_tests::authority::{Authority, Certified, ExtendedKeyUsagePurpose};

use super::{Enrolled, Fleet, question};

/// An authority with the server's certificate, and a list of hosts.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    authority: Authority,
    hosts: Arc<Listed>,
}

/// Hosts that may ask.
#[derive(Default)]
struct Listed(Mutex<Vec<String>>);

impl Hosts for Listed {
    fn find(&self, name: &str) -> Option<Host> {
        let is_listed = self.0.lock().unwrap().iter().any(|listed| listed == name);
        is_listed.then(|| Host::named(name))
    }
}

impl Site {
    pub(crate) fn new(hosts: &[&str]) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("site"));
        authority.server("otp1.example.org").write_into(folder.path(), "server");
        authority.write_into(folder.path());
        let listed = hosts.iter().map(ToString::to_string).collect();
        Self { folder, authority, hosts: Arc::new(Listed(Mutex::new(listed))) }
    }

    pub(crate) fn place(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Opens the port of a server.
    pub(crate) fn open(&self, fleet: &Fleet) -> SocketAddr {
        let (certificate, key, client_ca) = (self.place("server.pem"), self.place("server.key"), self.place("ca.pem"));
        let acceptor = tls_of_site(&SiteFiles { certificate, key, client_ca }).unwrap();
        let listener = fleet.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        fleet.runtime.spawn(serve(
            listener,
            acceptor,
            Arc::clone(&fleet.servers[0]),
            Admission::Site(Arc::<Listed>::clone(&self.hosts)),
        ));
        address
    }

    /// A certificate for a server of these names, good for so many days.
    pub(crate) fn certify(&self, names: &[&str], days: i64) -> Certified {
        self.authority.certify(names, days, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The certificate of a host.
    pub(crate) fn host(&self, name: &str) -> Certified {
        self.authority.host(name)
    }

    /// A host's connection; an error where the server does not take it.
    pub(crate) fn connect(
        &self,
        address: SocketAddr,
        certificate: Option<Certified>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        self.connect_over(TcpStream::connect(address).unwrap(), certificate)
    }

    /// The same; `None` where no server listens.
    pub(crate) fn try_connect(&self, address: SocketAddr, certificate: Certified) -> Option<Connection> {
        Some(self.connect_over(TcpStream::connect(address).ok()?, Some(certificate)))
    }

    fn connect_over(&self, stream: TcpStream, certificate: Option<Certified>) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate {
            Some(Certified { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config.with_client_auth_cert(vec![CertificateDer::from(certificate)], key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("otp1.example.org").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        StreamOwned::new(connection, stream)
    }
}

pub(crate) type Connection = StreamOwned<ClientConnection, TcpStream>;

/// Asks one question. An error where the connection ends.
pub(crate) fn ask(connection: &mut Connection, line: &[u8]) -> std::io::Result<Message> {
    send(connection, line)?;
    receive(connection)
}

/// Sends a question, without waiting for its answer.
pub(crate) fn send(connection: &mut Connection, line: &[u8]) -> std::io::Result<()> {
    connection.write_all(&u32::try_from(line.len()).unwrap().to_be_bytes())?;
    connection.write_all(line)?;
    connection.flush()
}

/// The answer to a question that was sent.
pub(crate) fn receive(connection: &mut Connection) -> std::io::Result<Message> {
    let mut header = [0; 4];
    connection.read_exact(&mut header)?;
    let mut answer = vec![0; Message::length(header, LARGEST_ANSWER).unwrap()];
    connection.read_exact(&mut answer)?;
    Ok(Message::read(&answer).unwrap())
}

pub(crate) const HELLO: &[u8] = b" version=1 ask=hello";

#[test]
fn a_listed_host_is_answered_and_its_certificate_says_who_it_is() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org"]);
    let address = site.open(&fleet);
    let alice = Enrolled::at(&fleet.host("web9"), "alice");
    let mut web1 = site.connect(address, Some(site.host("web1.example.org")));
    assert_eq!(ask(&mut web1, HELLO).unwrap().in_short(), "done");
    let code = alice.code(0);
    assert_eq!(ask(&mut web1, &question(&alice, &code, 1)).unwrap().in_short(), "redeemed app");
    assert_eq!(fleet.postgres.sql("select host from twofactor.audit where event = 'redeem'"), "web1.example.org");
    // Taken off the list, it is asked no more on the connection that it has.
    site.hosts.0.lock().unwrap().clear();
    assert!(ask(&mut web1, &question(&alice, &alice.code(1), 2)).is_err());
    let again = ask(&mut site.connect(address, Some(site.host("web1.example.org"))), HELLO);
    assert!(again.is_err());
}

#[test]
fn without_a_good_certificate_of_our_authority_no_question_is_heard() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let names = ["web1.example.org", "web2.example.org", "*.example.org"];
    let site = Site::new(&names);
    let address = site.open(&fleet);
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let foreign = Authority::new("site");
    let refused = [
        ("no certificate", None),
        ("another authority", Some(foreign.certify(&names[..1], 1, client.clone()))),
        ("expired", Some(site.authority.certify(&names[..1], -1, client.clone()))),
        ("of a server", Some(site.authority.certify(&names[..1], 1, ExtendedKeyUsagePurpose::ServerAuth))),
        ("two names", Some(site.authority.certify(&names[..2], 1, client.clone()))),
        ("any name", Some(site.authority.certify(&names[2..], 1, client.clone()))),
        ("no name", Some(site.authority.certify(&[], 1, client.clone()))),
        ("not listed", Some(site.host("web3.example.org"))),
    ];
    for (what, certificate) in refused {
        assert!(ask(&mut site.connect(address, certificate), HELLO).is_err(), "{what}");
    }
    assert!(ask(&mut site.connect(address, Some(site.host(names[0]))), HELLO).is_ok());
}

/// The server has ended the connection and said nothing, at once: it would wait five seconds for the rest of a question, and ten minutes for
/// another one.
#[track_caller]
pub(super) fn assert_ended(connection: &mut Connection, began: Instant, what: &str) {
    let mut rest = Vec::new();
    assert!(!matches!(connection.read_to_end(&mut rest), Ok(1..)), "{what}");
    assert!(began.elapsed() < Duration::from_secs(4), "{what}: {:?}", began.elapsed());
}

#[test]
fn what_is_too_large_too_slow_or_no_question_ends_the_connection_alone() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org"]);
    let address = site.open(&fleet);
    let connect = || site.connect(address, Some(site.host("web1.example.org")));
    let mut kept = connect();
    ask(&mut kept, HELLO).unwrap();
    let ten_mebibytes = 10 * 1024 * 1024_u32;
    for (what, bytes) in [
        ("10 MiB", [&ten_mebibytes.to_be_bytes()[..], &[b' '; 4096]].concat()),
        ("garbage", [&8_u32.to_be_bytes()[..], b"garbage!"].concat()),
        ("no TLS at all", Vec::new()),
    ] {
        let (mut hostile, began) = (connect(), Instant::now());
        let _ = hostile.write_all(&bytes);
        if bytes.is_empty() {
            let mut plain = TcpStream::connect(address).unwrap();
            plain.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let mut said = Vec::new();
            let _ = plain.read_to_end(&mut said);
            continue;
        }
        assert_ended(&mut hostile, began, what);
    }
    // Half a question is waited for, and not for long.
    let (mut half, began) = (connect(), Instant::now());
    ask(&mut half, HELLO).unwrap();
    half.write_all(&[0, 0]).unwrap();
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(ask(&mut kept, HELLO).unwrap().in_short(), "done");
}

#[test]
fn a_question_of_a_newer_program_is_refused_and_the_connection_stays() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org"]);
    let address = site.open(&fleet);
    let mut web1 = site.connect(address, Some(site.host("web1.example.org")));
    for line in [&b" version=1 ask=tomorrow"[..], b" version=1 ask=hello limited=yes", b" version=1 ask=clock zone=utc"]
    {
        let answer = ask(&mut web1, line).expect("an answer");
        assert_eq!(answer.in_short(), "failed store-unavailable", "{}", String::from_utf8_lossy(line));
    }
    assert_eq!(ask(&mut web1, HELLO).unwrap().in_short(), "done");
}

#[test]
fn strangers_of_one_address_and_one_host_take_no_place_of_others() {
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org", "web2.example.org"]);
    let address = site.open(&fleet);
    let connect = |name: &str| site.connect(address, Some(site.host(name)));
    let mut kept = connect("web2.example.org");
    ask(&mut kept, HELLO).unwrap();
    let heard = || {
        let mut connection = connect("web1.example.org");
        ask(&mut connection, HELLO).is_ok().then_some(connection)
    };
    let of_one: Vec<Connection> = (0..260).filter_map(|_| heard()).collect();
    assert_eq!(of_one.len(), 256);
    drop(of_one);
    let strangers: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(ask(&mut kept, HELLO).unwrap().in_short(), "done");
    // A host at another address comes in, one at theirs does not.
    let stream = fleet.runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    let mut elsewhere = site.connect_over(stream, Some(site.host("web2.example.org")));
    assert_eq!(ask(&mut elsewhere, HELLO).unwrap().in_short(), "done");
    assert!(ask(&mut connect("web2.example.org"), HELLO).is_err());
    drop(strangers);
}

#[test]
fn a_rush_of_logins_at_one_host_waits_for_its_turn_and_none_of_it_is_refused() {
    // A link asks no more of them at once; a server judges a quarter as many.
    const USERS: usize = 32;
    let Some(fleet) = Fleet::with_servers(1) else { return };
    let site = Site::new(&["web1.example.org"]);
    let (address, desk) = (site.open(&fleet), fleet.host("desk"));
    let users: Vec<Enrolled> = (0..USERS).map(|number| Enrolled::at(&desk, &format!("user{number}"))).collect();
    let mut connections: Vec<Connection> = users
        .iter()
        .map(|_| {
            let mut connection = site.connect(address, Some(site.host("web1.example.org")));
            ask(&mut connection, HELLO).unwrap();
            connection
        })
        .collect();
    let all_ask = std::sync::Barrier::new(USERS);
    let accepted = std::thread::scope(|scope| {
        let asking: Vec<_> = (1..)
            .zip(users.iter().zip(&mut connections))
            .map(|(number, (user, connection))| {
                let (all_ask, line) = (&all_ask, question(user, &user.code(0), number));
                scope.spawn(move || {
                    all_ask.wait();
                    ask(connection, &line).unwrap().in_short()
                })
            })
            .collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).filter(|answer| answer == "redeemed app").count()
    });
    assert_eq!(accepted, USERS);
}
