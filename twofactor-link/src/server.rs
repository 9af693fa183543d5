//! One server: a connection that is kept, and the pause after a failure in which it is not asked.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use twofactor_core::config::fleet::ServerAddress;
use twofactor_core::store::wire::{LARGEST_ANSWER, Message};
use zeroize::Zeroizing;

/// For so long a server is not asked after it has failed. Else each of 200 calls of sudo would wait for it.
const PAUSE: Duration = Duration::from_secs(15);

/// Most connections that are kept for the next question.
const KEPT: usize = 8;

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// A server, as this host knows it.
pub(crate) struct Server {
    address: ServerAddress,
    tls: Arc<ClientConfig>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Connection>,
    /// Until then it is not asked, for this reason.
    paused: Option<(Instant, String)>,
}

impl Server {
    pub(crate) fn new(address: ServerAddress, tls: Arc<ClientConfig>) -> Self {
        Self { address, tls, state: Mutex::default() }
    }

    /// The reason for which it is not asked at the moment.
    pub(crate) fn paused(&self) -> Option<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.paused.as_ref().is_some_and(|(until, _)| Instant::now() >= *until) {
            state.paused = None;
        }
        state.paused.as_ref().map(|(_, why)| why.clone())
    }

    /// Asks, and gives the answer as it came. A connection that was kept may have ended meanwhile: then it is asked once more on a
    /// new one, under the same number.
    pub(crate) fn ask(&self, question: &[u8], deadline: Instant) -> Result<Zeroizing<Vec<u8>>, String> {
        let kept = self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.pop();
        if let Some(mut connection) = kept
            && let Ok(answer) = exchange(&mut connection, question, deadline)
        {
            self.keep(connection);
            return Ok(answer);
        }
        let asked = self.connect(deadline).and_then(|mut connection| {
            let answer = exchange(&mut connection, question, deadline)?;
            self.keep(connection);
            Ok(answer)
        });
        asked.map_err(|error| {
            let why = format!("{}: {error}", self.address);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.kept.clear();
            state.paused = Some((Instant::now() + PAUSE, why.clone()));
            why
        })
    }

    fn keep(&self, connection: Connection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused = None;
        if state.kept.len() < KEPT {
            state.kept.push(connection);
        }
    }

    fn connect(&self, deadline: Instant) -> io::Result<Connection> {
        let ServerAddress { name, port } = &self.address;
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (name.as_str(), *port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(stream) => {
                    // Else an answer waits for an acknowledgement: 44 ms each.
                    stream.set_nodelay(true)?;
                    let name = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
                    let tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
                    return Ok(StreamOwned::new(tls, stream));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

/// Sends a question and receives its answer.
fn exchange(connection: &mut Connection, question: &[u8], deadline: Instant) -> io::Result<Zeroizing<Vec<u8>>> {
    wait_until(connection, deadline)?;
    let length = u32::try_from(question.len()).map_err(io::Error::other)?;
    let mut framed = Zeroizing::new(Vec::with_capacity(4 + question.len()));
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(question);
    connection.write_all(&framed)?;
    connection.flush()?;
    let mut header = [0; 4];
    read_exact(connection, &mut header, deadline)?;
    let mut answer = Zeroizing::new(vec![0; Message::length(header, LARGEST_ANSWER).map_err(io::Error::other)?]);
    read_exact(connection, &mut answer, deadline)?;
    Ok(answer)
}

/// As `read_exact`, with one deadline for all of it: a server that sends a byte now and then is late, too.
fn read_exact(connection: &mut Connection, mut rest: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        wait_until(connection, deadline)?;
        let read = connection.read(rest)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        rest = rest.get_mut(read..).unwrap_or_default();
    }
    Ok(())
}

fn wait_until(connection: &Connection, deadline: Instant) -> io::Result<()> {
    let left = left(deadline)?;
    connection.sock.set_read_timeout(Some(left))?;
    connection.sock.set_write_timeout(Some(left))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
