//! `twofactor-link join`: this host becomes one of a fleet.
//!
//! Invariants: nothing secret is sent before the server is the one that the join code names, and the code never stands among the
//! arguments. The key is made here and stays here. The files are complete before the configuration names them.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use twofactor_core::config::fleet::ServerAddress;
use twofactor_core::store::wire::{HostCall, IssuedCertificate, Message, NewKey};
use twofactor_core::text::pairs;
use twofactor_net::certificate::Facts;
use twofactor_net::host_key::HostKey;
use twofactor_net::join_code::{Fingerprint, JoinCode};
use zeroize::Zeroizing;

use crate::addresses::Addresses;
use crate::connection::{Connection, in_words};
use crate::failure::{Exit, Failure};
use crate::own_files;
use crate::pinned::Pinned;
use crate::tls::{Files, builder};

/// The longest that one server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of times that the servers are asked whose answer is lost, and the pause before each.
const ROUNDS: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// The longest line that is read as a code.
const LONGEST: u64 = 1024;

/// The number of times that a terminal is asked.
const TRIES: usize = 3;

/// A host that was one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Refused,
    Joins,
}

/// Joins, and prints what was written as pairs: the name, the folder, until when the certificate is good.
pub(crate) fn run(servers: &[ServerAddress], config: &Path, again: Again) -> Result<String, Failure> {
    let files = beside(config);
    if files.key.exists() && again == Again::Refused {
        let hint = "twofactor fleet status; with --again it joins anew, and its present certificate ends";
        return Err(Failure::new(
            Exit::Refused,
            format!("this host has joined: {} is there", files.key.display()),
            hint,
        ));
    }
    let folder = own_files::folder(&files)?;
    let code = ask_for_code()?;
    let key =
        HostKey::generate().map_err(|error| Failure::new(Exit::Failed, error.to_string(), "is /dev/urandom there?"))?;
    let issued = from_one_of(servers, &code, &key)?;
    check(&issued, &code, &key)?;
    own_files::write(&folder, &files, &key.private, &issued)?;
    let mut line = String::new();
    pairs::write(&mut line, "name", &issued.name);
    pairs::write(&mut line, "folder", folder.path().display());
    if let Some(facts) = Facts::of(&CertificateDer::from(issued.certificate)) {
        pairs::write(&mut line, "serial", facts.serial);
        pairs::write(&mut line, "until", facts.until);
    }
    Ok(line)
}

/// The files of a host that joins: in the folder `fleet` beside its configuration.
pub(crate) fn beside(config: &Path) -> Files {
    let folder: PathBuf = config.parent().unwrap_or(Path::new("/etc/twofactor")).join("fleet");
    Files { ca: folder.join("ca.pem"), certificate: folder.join("host.pem"), key: folder.join("host.key") }
}

/// The code, from the terminal or from standard input.
fn ask_for_code() -> Result<JoinCode, Failure> {
    let hint = "twofactor host add NAME, on the central machine, shows one";
    let stdin = io::stdin();
    for turn in 1.. {
        if stdin.is_terminal() {
            let mut terminal = io::stderr();
            let _ = write!(terminal, "Join code: ").and_then(|()| terminal.flush());
        }
        let mut typed = Zeroizing::new(String::new());
        let read = stdin.lock().take(LONGEST).read_line(&mut typed);
        read.map_err(|error| Failure::new(Exit::Failed, format!("no join code can be read: {error}"), hint))?;
        match JoinCode::read(&typed) {
            Ok(code) => return Ok(code),
            Err(error) if stdin.is_terminal() && turn < TRIES && !typed.is_empty() => {
                let _ = writeln!(io::stderr(), "twofactor-link: {error}");
            }
            Err(error) => return Err(Failure::new(Exit::WrongCode, error.to_string(), hint)),
        }
    }
    Err(Failure::new(Exit::WrongCode, "no join code was typed", hint))
}

/// The certificate, from the first server that can be reached. Where an answer was lost, all are asked again: for the same key the code is
/// good once more.
fn from_one_of(servers: &[ServerAddress], code: &JoinCode, key: &HostKey) -> Result<IssuedCertificate, Failure> {
    let mut round = 1;
    loop {
        let Silence { problems, was_sent } = match asked_in_turn(servers, code, key)? {
            Ok(issued) => return Ok(issued),
            Err(silence) => silence,
        };
        if !was_sent {
            let hint =
                "the code is good still. Is twofactor-server running there, under this name, and are the clocks right?";
            return Err(Failure::new(Exit::Failed, format!("no server can be asked: {problems}"), hint));
        }
        if round == ROUNDS {
            let hint = "was it used? twofactor host list says so on the central machine; host add NAME --again shows another code";
            return Err(Failure::new(Exit::Failed, format!("no server has answered: {problems}"), hint));
        }
        round += 1;
        thread::sleep(PAUSE);
    }
}

/// The silence of all servers.
struct Silence {
    /// The reason of each.
    problems: String,
    /// The code may have reached one of them.
    was_sent: bool,
}

/// The certificate from the first server that answers. A failure is the end of it.
fn asked_in_turn(
    servers: &[ServerAddress],
    code: &JoinCode,
    key: &HostKey,
) -> Result<Result<IssuedCertificate, Silence>, Failure> {
    let (mut problems, mut was_sent) = (Vec::new(), false);
    for server in servers {
        let pinned = Arc::new(Pinned::new(code.authority));
        match ask(server, &pinned, code, key) {
            // Too many hosts join: it has not looked at the code.
            Ok(answer) if answer.is_busy() => {
                was_sent = true;
                problems.push(format!("{server}: too many hosts join at this moment"));
            }
            Ok(answer) => {
                let answer = IssuedCertificate::read(answer);
                let issued = answer.map_err(|error| {
                    let hint = "twofactor --version on both machines";
                    Failure::new(Exit::Failed, format!("{server} does not answer as a server does: {error}"), hint)
                })?;
                return issued.map(Ok).map_err(|said| Failure::new(Exit::WrongCode, said.to_string(), said.hint()));
            }
            Err(_) if pinned.has_met_another() => {
                let problem = format!(
                    "{server} is not the server that the join code is from: its authority is another. Nothing was sent"
                );
                let hint = "is the name right? Else something answers in its place";
                return Err(Failure::new(Exit::Refused, problem, hint));
            }
            Err(Unanswered { error, is_sent }) => {
                was_sent |= is_sent;
                problems.push(format!("{server}: {}", in_words(&error)));
            }
        }
    }
    Ok(Err(Silence { problems: problems.join("; "), was_sent }))
}

/// A question without an answer.
struct Unanswered {
    error: io::Error,
    /// It may have reached the server.
    is_sent: bool,
}

fn ask(server: &ServerAddress, pinned: &Arc<Pinned>, code: &JoinCode, key: &HostKey) -> Result<Message, Unanswered> {
    let not_sent = |error| Unanswered { error, is_sent: false };
    let deadline = Instant::now() + PATIENCE;
    let config = builder().map_err(|error| not_sent(io::Error::other(error)))?.dangerous();
    let config = config.with_custom_certificate_verifier(Arc::<Pinned>::clone(pinned)).with_no_client_auth();
    let addresses = Addresses::new(server.clone());
    let mut connection = Connection::open(&addresses, &Arc::new(config), deadline).map_err(not_sent)?;
    let (number, secret) = (code.number, Zeroizing::new(code.secret.to_vec()));
    let question = HostCall::Join { number, secret, key: new_key(key) }.message().line();
    let question = question.map_err(|error| not_sent(io::Error::other(error)))?;
    let answer =
        connection.exchange(&question, deadline).and_then(|answer| Message::read(&answer).map_err(io::Error::other));
    answer.map_err(|error| Unanswered { error, is_sent: true })
}

/// The request for a certificate, as it is sent.
pub(crate) fn new_key(key: &HostKey) -> NewKey {
    NewKey { public: key.request.public.clone(), signature: key.request.signature.clone() }
}

/// Refuses a certificate that is for another key, or of another authority.
fn check(issued: &IssuedCertificate, code: &JoinCode, key: &HostKey) -> Result<(), Failure> {
    let authority = CertificateDer::from(issued.authority.clone());
    let is_of_code = Fingerprint::of(&authority) == code.authority;
    if is_of_code && belongs(issued, &key.private) {
        return Ok(());
    }
    let hint = "twofactor-server check, on the central machine";
    Err(Failure::new(Exit::Failed, "the server has sent a certificate that is not for this host", hint))
}

/// True where the certificate is for this key.
pub(crate) fn belongs(issued: &IssuedCertificate, private: &[u8]) -> bool {
    let Ok(key) = any_supported_type(&PrivatePkcs8KeyDer::from(private).into()) else { return false };
    CertifiedKey::new(vec![CertificateDer::from(issued.certificate.clone())], key).keys_match().is_ok()
}
