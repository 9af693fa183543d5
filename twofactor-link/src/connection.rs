//! A connection to a server, with one deadline for each thing that is done on it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, StreamOwned};
use twofactor_core::host::trusted::describe;
use twofactor_core::store::wire::{LARGEST_ANSWER, Message};
use zeroize::Zeroizing;

use crate::addresses::Addresses;

/// A connection that was opened.
pub(crate) struct Connection {
    stream: StreamOwned<ClientConnection, Timed>,
    /// The settings with which it was opened: the certificate.
    tls: Arc<ClientConfig>,
}

impl Connection {
    /// Connects to the first address of a server at which it is. Each has its share of the time, and the look-up of the name half of it.
    pub(crate) fn open(addresses: &Addresses, tls: &Arc<ClientConfig>, deadline: Instant) -> io::Result<Self> {
        let found = addresses.find(Instant::now() + left(deadline)? / 2)?;
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (turn, address) in (0..).zip(&found) {
            let others = u32::try_from(found.len()).unwrap_or(u32::MAX) - turn;
            let Ok(left) = left(deadline) else { break };
            match Self::at(*address, &addresses.server().name, tls, Instant::now() + left / others) {
                Ok(connection) => {
                    addresses.prefer(*address);
                    return Ok(connection);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Connects, and makes sure of the server before anything is sent to it.
    fn at(address: SocketAddr, name: &str, tls: &Arc<ClientConfig>, deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
        // Else an answer waits for an acknowledgement: 44 ms each.
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        let mut connection =
            Self { stream: StreamOwned::new(client, Timed { stream, deadline }), tls: Arc::clone(tls) };
        while connection.stream.conn.is_handshaking() {
            connection.stream.conn.complete_io(&mut connection.stream.sock)?;
        }
        Ok(connection)
    }

    /// True where it was opened with these settings.
    pub(crate) fn is_with(&self, tls: &Arc<ClientConfig>) -> bool {
        Arc::ptr_eq(&self.tls, tls)
    }

    /// Sends a question and receives its answer.
    pub(crate) fn exchange(&mut self, question: &[u8], deadline: Instant) -> io::Result<Zeroizing<Vec<u8>>> {
        self.stream.sock.deadline = deadline;
        let length = u32::try_from(question.len()).map_err(io::Error::other)?;
        let mut framed = Zeroizing::new(Vec::with_capacity(4 + question.len()));
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(question);
        self.stream.write_all(&framed)?;
        self.stream.flush()?;
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let mut answer = Zeroizing::new(vec![0; Message::length(header, LARGEST_ANSWER).map_err(io::Error::other)?]);
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// A socket with one deadline for all that is done on it: a server that sends a byte now and then is late, too, also in the middle of a
/// record or of the handshake, which TLS reads in parts.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl io::Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(bytes)
    }
}

impl io::Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The reason for which a server was not asked, in words for a sysadmin.
pub(crate) fn in_words(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)) => {
            "the certificate of this host has ended".to_owned()
        }
        Some(rustls::Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError)) => {
            "the certificate of this host is not of the server's authority".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is not of this host's authority".to_owned()
        }
        Some(error) => error.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "it has closed the connection".to_owned(),
        None => describe(error),
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn a_server_that_sends_a_byte_now_and_then_is_late() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut slow, _) = listener.accept().unwrap();
        let sending = thread::spawn(move || {
            while slow.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let began = Instant::now();
        let mut timed = Timed { stream, deadline: began + Duration::from_millis(300) };
        let error = timed.read_exact(&mut [0; 1000]).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        drop(timed);
        sending.join().unwrap();
    }
}
