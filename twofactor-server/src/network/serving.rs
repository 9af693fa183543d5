//! The network: hosts that connect, each with its certificate, and their questions one after the other.
//!
//! Invariants: without a certificate of our authority nothing is heard, but for the question of a host that joins. The name in the
//! certificate is the host's, whatever it says of itself. Every connection has its limits: in number (`places`), in size and in time,
//! with one deadline around all of an answer. Whether a host may ask is looked up at each question.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::StoreError;
use twofactor_core::store::wire::{
    CERTIFICATE_NOT_TAKEN, HostCall, LARGEST_QUESTION, Message, WireError, answering_clock,
};
use twofactor_net::certificate::digest;
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use crate::answers::answering::Server;
use crate::error::ServerError;
use crate::hosts::fleet_hosts::FleetHosts;
use crate::hosts::host::Host;
use crate::network::places::{Guest, Places};
use crate::times::Times;

/// The time in which a host must have shown its certificate, a whole question must arrive, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest that a connection may be silent between two questions, and the pause between two looks whether its host may still ask.
const IDLE: Duration = Duration::from_mins(10);
const LOOK: Duration = Duration::from_secs(5);

/// The number of times that a host is looked at for one question. A host has no more certificates at a time, so it renews no more often in a
/// row.
const LOOKS: usize = 16;

/// Most hosts that join at once, and the largest question of one: a key, its signature and a join code.
const JOINING: usize = 8;
const LARGEST_JOIN: usize = 1024;

/// The pause after a connection could not be accepted: the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The hosts that may ask, by the name in their certificate.
pub trait Hosts: Send + Sync + 'static {
    /// The host of this name, as of now; `None` when it may ask nothing. It waits for nothing: each question asks it.
    fn find(&self, name: &str) -> Option<Host>;
}

/// The way in which a server knows hosts.
#[derive(Clone)]
pub enum Admission {
    /// A site signs their certificates: those that are listed may ask.
    Site(Arc<dyn Hosts>),
    /// The fleet's own authority does: those that have joined may ask, and the list says more about some.
    Fleet(Arc<FleetHosts>, Arc<dyn Hosts>),
}

/// Serves the hosts that connect, for ever.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, server: Arc<Server>, admission: Admission) {
    let (places, joining) = (Arc::new(Places::default()), Arc::new(Semaphore::new(JOINING)));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Without a place it is closed at once, and the host asks another server.
        let Some(stranger) = places.stranger(peer.ip()) else { continue };
        let (tls, server, admission) = (tls.clone(), Arc::clone(&server), admission.clone());
        let (places, joining) = (Arc::clone(&places), Arc::clone(&joining));
        tokio::spawn(async move {
            let Some(mut stream) = connected(stream, tls).await else { return };
            match (Caller::of(&stream), &admission) {
                (Shown::Host(caller), _) => {
                    if !may_stay(&mut stream, &caller, &admission).await {
                        return;
                    }
                    let Some(guest) = places.guest(&caller.name) else { return };
                    drop(stranger);
                    converse(&mut stream, (&caller, &guest), &server, &admission).await;
                }
                (Shown::Nothing, Admission::Fleet(hosts, _)) => join(&mut stream, hosts, &joining).await,
                _ => {}
            }
        });
    }
}

/// The connection of a host, once TLS is agreed on.
async fn connected(stream: TcpStream, tls: TlsAcceptor) -> Option<TlsStream<TcpStream>> {
    // Else an answer waits for an acknowledgement: 44 ms each.
    stream.set_nodelay(true).ok()?;
    timeout(PATIENCE, tls.accept(stream)).await.ok()?.ok()
}

/// Answers the one question of a host without a certificate: it may join, and nothing else.
async fn join(stream: &mut TlsStream<TcpStream>, hosts: &FleetHosts, joining: &Semaphore) {
    let Ok(Some(line)) = timeout(PATIENCE, question(stream, LARGEST_JOIN)).await else { return };
    let Ok(Some(HostCall::Join { number, secret, key })) = Message::read(&line).and_then(|line| HostCall::read(&line))
    else {
        return;
    };
    let answer = match joining.try_acquire() {
        Err(_) => Message::busy(),
        Ok(_place) => {
            let Ok(answer) = timeout(PATIENCE, hosts.join(number, &secret, key)).await else { return };
            answer
        }
    };
    let _ = send(stream, &answer).await;
    let _ = timeout(PATIENCE, stream.shutdown()).await;
}

/// Whether a certificate counts, so that one that does not takes no place of its host. The fleet's own are told so, once.
async fn may_stay(stream: &mut TlsStream<TcpStream>, caller: &Caller, admission: &Admission) -> bool {
    match admission {
        Admission::Site(hosts) => hosts.find(&caller.name).is_some(),
        Admission::Fleet(hosts, _) => {
            // Where that cannot be looked up, each question is refused.
            let Ok(Ok(None)) = timeout(PATIENCE, hosts.find(&caller.certificate)).await else { return true };
            if let Ok(Some(_)) = timeout(PATIENCE, question(stream, LARGEST_QUESTION)).await {
                let _ = send(stream, &not_taken()).await;
            }
            false
        }
    }
}

/// Answers the questions of a host until it goes.
async fn converse(
    stream: &mut TlsStream<TcpStream>,
    (caller, guest): (&Caller, &Guest),
    server: &Server,
    admission: &Admission,
) {
    while let Some(question) = next_question(stream, caller, admission).await {
        let times = Times::from_now();
        let answered = timeout_at(times.answer().into(), async {
            let Ok(_turn) = timeout_at(times.turn().into(), guest.turn()).await else {
                return Some((Message::busy(), Next::Stays));
            };
            answer((&question, times), caller, server, admission).await
        });
        let late = |_| Some((Message::failing(&ServerError::Late(Times::longest()).into()), Next::Stays));
        let Some((answer, next)) = answered.await.unwrap_or_else(late) else { return };
        if send(stream, &answer).await.is_none() || next == Next::Goes {
            return;
        }
    }
}

/// The course of a connection behind an answer.
#[derive(PartialEq, Eq)]
enum Next {
    Stays,
    Goes,
}

/// The answer to a question of a host; `None` where it gets none.
async fn answer(
    (question, times): (&[u8], Times),
    caller: &Caller,
    server: &Server,
    admission: &Admission,
) -> Option<(Message, Next)> {
    let host = match found(caller, admission).await? {
        Ok(host) => host,
        Err(refused) => return Some(refused),
    };
    let message = match Message::read(question) {
        Ok(message) => message,
        Err(error @ WireError::Version(_)) => return Some((not_understood(&error), Next::Stays)),
        // No program of ours sends it, whatever its version.
        Err(_) => return None,
    };
    let call = match HostCall::read(&message) {
        Ok(call) => call,
        Err(error) => return Some((not_understood(&error), Next::Stays)),
    };
    let answer = match call {
        None => return Some(judged(((question, &message), times), host, caller, server, admission).await),
        Some(HostCall::Clock) => answering_clock(SystemClock.now().ok()?.seconds()),
        Some(HostCall::Renew(key)) => match admission {
            Admission::Fleet(hosts, _) => hosts.renew(&host.name, &caller.certificate, key).await,
            Admission::Site(_) => {
                let hint = "renew it as your site does";
                Message::refusing(Reason::NotRoot, "the server's own authority signs no certificates", hint)
            }
        },
        Some(HostCall::Join { .. } | HostCall::Link) => return None,
    };
    Some((answer, Next::Stays))
}

/// The answer to a question about an account. Where a host was added, renewed or revoked since the look at this one, the account was not
/// looked at: both are looked at again, also where another host renews its certificate over and over.
async fn judged(
    (question, times): ((&[u8], &Message), Times),
    mut host: Host,
    caller: &Caller,
    server: &Server,
    admission: &Admission,
) -> (Message, Next) {
    for _ in 0..LOOKS {
        match server.judged(&host, question, times).await {
            Ok(Ok(answer)) => return (answer, Next::Stays),
            Ok(Err(ServerError::HostsChanged)) => {}
            Ok(Err(error)) => return (Message::failing(&StoreError::from(error)), Next::Stays),
            Err(error) => return (not_understood(&error), Next::Stays),
        }
        if let Admission::Fleet(hosts, _) = admission {
            hosts.doubt();
        }
        match found(caller, admission).await {
            Some(Ok(again)) => host = again,
            Some(Err(refused)) => return refused,
            None => return (not_taken(), Next::Goes),
        }
    }
    (Message::failing(&StoreError::from(ServerError::HostsChanged)), Next::Stays)
}

/// The host of a certificate, looked up anew at each question: what a host may ends while it is connected. An error is the answer to
/// one that may ask nothing; `None`: it gets none.
async fn found(caller: &Caller, admission: &Admission) -> Option<Result<Host, (Message, Next)>> {
    Some(match admission {
        Admission::Site(hosts) => Ok(hosts.find(&caller.name)?),
        Admission::Fleet(hosts, listed) => match hosts.find(&caller.certificate).await {
            // By the name in its certificate, whatever the database says.
            Ok(Some((standing, as_of))) if standing.host == caller.name => {
                let host = Host::of_fleet(listed.find(&standing.host), &standing.host, &standing.groups);
                Ok(Host { as_of: Some(as_of), ..host })
            }
            Ok(_) => Err((not_taken(), Next::Goes)),
            Err(error) => Err((Message::failing(&StoreError::from(error)), Next::Stays)),
        },
    })
}

/// The refusal of a question that a newer program asks. Its connection stays, and another server may know it.
fn not_understood(error: &WireError) -> Message {
    let problem = format!("the server does not understand the question: {error}");
    Message::refusing(Reason::StoreUnavailable, &problem, "is the server as new as the programs of this host?")
}

/// The refusal of a certificate that counts no more.
fn not_taken() -> Message {
    let hint = "twofactor host add NAME --again, on the central machine, lets it join once more";
    Message::refusing(Reason::StoreUnavailable, CERTIFICATE_NOT_TAKEN, hint)
}

async fn send(stream: &mut TlsStream<TcpStream>, answer: &Message) -> Option<()> {
    let framed = answer.framed().ok()?;
    let sent = timeout(PATIENCE, async {
        stream.write_all(&framed).await?;
        stream.flush().await
    });
    sent.await.ok()?.ok()
}

/// The next question of a host; `None` when it has gone, is silent for too long, or may ask nothing any more: connections of a host that
/// was revoked keep no place from the one that joins under its name.
async fn next_question(
    stream: &mut TlsStream<TcpStream>,
    caller: &Caller,
    admission: &Admission,
) -> Option<Zeroizing<Vec<u8>>> {
    let until = Instant::now() + IDLE;
    while Instant::now() < until {
        // Of a single byte no part is lost where the time is over.
        if let Ok(first) = timeout(LOOK, stream.read_u8()).await {
            return rest_of_question(stream, first.ok()?, LARGEST_QUESTION).await;
        }
        if let Admission::Fleet(hosts, _) = admission
            && let Ok(Ok(false)) = timeout(LOOK, hosts.counts(&caller.certificate)).await
        {
            return None;
        }
    }
    None
}

/// A question; `None` when the host has gone, or sends what no program of ours sends.
async fn question(stream: &mut TlsStream<TcpStream>, largest: usize) -> Option<Zeroizing<Vec<u8>>> {
    // The first byte may take long. What follows it may not.
    let first = stream.read_u8().await.ok()?;
    rest_of_question(stream, first, largest).await
}

async fn rest_of_question(stream: &mut TlsStream<TcpStream>, first: u8, largest: usize) -> Option<Zeroizing<Vec<u8>>> {
    timeout(PATIENCE, async {
        let mut rest = [0; 3];
        stream.read_exact(&mut rest).await.ok()?;
        let [second, third, fourth] = rest;
        let length = Message::length([first, second, third, fourth], largest).ok()?;
        let mut line = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut line).await.ok()?;
        Some(line)
    })
    .await
    .ok()?
}

/// A host, by the certificate that it has shown.
struct Caller {
    /// The one DNS name in it.
    name: String,
    /// Its digest.
    certificate: [u8; 32],
}

/// What a connection has shown.
enum Shown {
    /// A certificate of a host.
    Host(Caller),
    /// None.
    Nothing,
    /// One that is no host's.
    Another,
}

impl Caller {
    /// A certificate with several names, or with none, is of no host.
    fn of(stream: &TlsStream<TcpStream>) -> Shown {
        let (_, connection) = stream.get_ref();
        let Some(shown) = connection.peer_certificates().and_then(<[_]>::first) else { return Shown::Nothing };
        let name = EndEntityCert::try_from(shown).ok().and_then(|certificate| {
            let mut names = certificate.valid_dns_names();
            let name = names.next()?.to_ascii_lowercase();
            let is_plain = name.len() <= 253 && !name.contains('*');
            (names.next().is_none() && is_plain).then_some(name)
        });
        name.map_or(Shown::Another, |name| Shown::Host(Self { name, certificate: digest(shown) }))
    }
}
