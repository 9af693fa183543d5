//! The network: TLS 1.3 with the certificate of each host, and its questions one after the other.
//!
//! Invariants: without a certificate of our authority nothing is read. The name in the certificate is the host's, whatever it says of
//! itself. Every connection has its limits: in number, for each host, in size and in time. There are no tickets, so whatever a
//! host may is looked up on a connection whose certificate was checked.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use twofactor_core::store::wire::{LARGEST_QUESTION, Message};
use webpki::EndEntityCert;
use zeroize::Zeroizing;

use crate::answering::{Host, Server};
use crate::error::ServerError;

/// The time in which a host must have shown its certificate, a whole question must arrive, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest that a connection may be silent between two questions.
const IDLE: Duration = Duration::from_mins(10);

/// Most connections of hosts, and most of one host.
const CONNECTIONS: usize = 8192;
const OF_ONE_HOST: usize = 64;

/// Most connections that have not shown a certificate yet. They take no place of those that have.
const STRANGERS: usize = 512;

/// The pause after a connection could not be accepted: the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The files of TLS, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain of this server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that sign the certificates of hosts.
    pub client_ca: PathBuf,
}

/// The hosts that may ask, by the name in their certificate.
pub trait Hosts: Send + Sync + 'static {
    /// The host of this name, as of now; `None` when it may ask nothing.
    fn find(&self, name: &str) -> Option<Host>;
}

/// TLS as a server speaks it.
pub fn tls(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.client_ca)? {
        roots.add(certificate).map_err(|error| wrong(&files.client_ca, &error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| wrong(&files.client_ca, &error))?;
    let key = Zeroizing::new(fs::read(&files.key).map_err(|error| wrong(&files.key, &error))?);
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&files.key, &error))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&files.certificate, &error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&files.certificate)?, key);
    let mut config = config.map_err(|error| wrong(&files.certificate, &error))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let pem = fs::read(path).map_err(|error| wrong(path, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| wrong(path, &error))?;
    if read.is_empty() { Err(wrong(path, &"there is no certificate in it")) } else { Ok(read) }
}

fn wrong(file: &Path, problem: &dyn std::fmt::Display) -> ServerError {
    ServerError::TlsFile { file: file.display().to_string(), problem: problem.to_string() }
}

/// Serves the hosts that connect, for ever.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, server: Arc<Server>, hosts: Arc<dyn Hosts>) {
    let (strangers, guests) = (Arc::new(Semaphore::new(STRANGERS)), Arc::new(Guests::default()));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        // Without a place it is closed at once, and the host asks another server.
        let Ok(stranger) = Arc::clone(&strangers).try_acquire_owned() else { continue };
        let (tls, server) = (tls.clone(), Arc::clone(&server));
        let (hosts, guests) = (Arc::clone(&hosts), Arc::clone(&guests));
        tokio::spawn(async move {
            let Some((stream, guest)) = welcome(stream, tls, &guests, stranger).await else { return };
            converse(stream, &guest, &server, &*hosts).await;
        });
    }
}

/// Makes sure by its certificate which host has connected, and gives it a place.
async fn welcome(
    stream: TcpStream,
    tls: TlsAcceptor,
    guests: &Arc<Guests>,
    _stranger: OwnedSemaphorePermit,
) -> Option<(TlsStream<TcpStream>, Guest)> {
    // Else an answer waits for an acknowledgement: 44 ms each.
    stream.set_nodelay(true).ok()?;
    let stream = timeout(PATIENCE, tls.accept(stream)).await.ok()?.ok()?;
    let guest = guests.admit(&name_of(&stream)?)?;
    Some((stream, guest))
}

/// Answers the questions of a host until it goes.
async fn converse(mut stream: TlsStream<TcpStream>, guest: &Guest, server: &Server, hosts: &dyn Hosts) {
    while let Ok(Some(question)) = timeout(IDLE, question(&mut stream)).await {
        // Looked up anew: what a host may ends while it is connected.
        let Some(host) = hosts.find(&guest.name) else { return };
        let Ok(answer) = server.answer(&host, &question).await else { return };
        let Ok(framed) = answer.framed() else { return };
        let sent = timeout(PATIENCE, async {
            stream.write_all(&framed).await?;
            stream.flush().await
        });
        if !matches!(sent.await, Ok(Ok(()))) {
            return;
        }
    }
}

/// A question; `None` when the host has gone, or sends what no program of ours sends.
async fn question(stream: &mut TlsStream<TcpStream>) -> Option<Zeroizing<Vec<u8>>> {
    // The first byte may take long. What follows it may not.
    let first = stream.read_u8().await.ok()?;
    timeout(PATIENCE, async {
        let mut rest = [0; 3];
        stream.read_exact(&mut rest).await.ok()?;
        let [second, third, fourth] = rest;
        let length = Message::length([first, second, third, fourth], LARGEST_QUESTION).ok()?;
        let mut line = Zeroizing::new(vec![0; length]);
        stream.read_exact(&mut line).await.ok()?;
        Some(line)
    })
    .await
    .ok()?
}

/// The one DNS name of the host's certificate. One with several, or with none, is of no host.
fn name_of(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, connection) = stream.get_ref();
    let certificate = connection.peer_certificates()?.first()?;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let mut names = certificate.valid_dns_names();
    let name = names.next()?.to_ascii_lowercase();
    let is_plain = name.len() <= 253 && !name.contains('*');
    (names.next().is_none() && is_plain).then_some(name)
}

/// The number of connections of each host.
#[derive(Default)]
struct Guests(Mutex<HashMap<String, usize>>);

/// A connection of a host, counted until it ends.
struct Guest {
    guests: Arc<Guests>,
    name: String,
}

impl Guests {
    fn admit(self: &Arc<Self>, name: &str) -> Option<Guest> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let count = counts.entry(name.to_owned()).or_default();
        if *count >= OF_ONE_HOST || all >= CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(self), name: name.to_owned() })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
    }
}
