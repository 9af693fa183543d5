//! The socket on this host: root's programs ask here, in the words in which they ask the broker.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use twofactor_core::store::wire::{Channel, HostCall, Message, answering_link};

use crate::asking::Servers;
use crate::journal::complain;

/// The time in which a question must arrive, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most questions at once.
const MOST: usize = 256;

/// The pause after a connection could not be accepted: the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// At its end the link waits so long for answers, and looks so often whether one is missing.
const LONGEST: Duration = Duration::from_secs(12);
const TURN: Duration = Duration::from_millis(10);

/// The socket that systemd has opened.
pub(crate) fn inherited() -> Result<UnixListener, String> {
    let inherited = ListenFd::from_env().take_unix_listener(0).map_err(|error| error.to_string())?;
    inherited.ok_or_else(|| "systemd has passed no socket; without systemd, use --listen".to_owned())
}

/// Makes the socket, for root alone, in a folder of its own that is made too. One whose link is gone is replaced.
pub(crate) fn made_at(path: &Path) -> Result<UnixListener, String> {
    let in_words = |error: io::Error| format!("cannot listen at {}: {error}", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        fs::DirBuilder::new().mode(0o700).create(folder).map_err(in_words)?;
    }
    if UnixStream::connect(path).is_ok() {
        return Err(format!("a link listens at {} already", path.display()));
    }
    if path.exists() {
        fs::remove_file(path).map_err(in_words)?;
    }
    let listener = UnixListener::bind(path).map_err(in_words)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(in_words)?;
    Ok(listener)
}

/// Serves the programs that connect, until the service manager ends this one. Those that wait for an answer get it, and those that have
/// not been taken yet wait at the socket for the next link.
pub(crate) fn serve(listener: &UnixListener, servers: &Arc<Servers>) -> Result<(), String> {
    let in_words = |error: nix::Error| error.to_string();
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    // Blocked before there are threads, so that none of them is ended.
    let ends = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    ends.thread_block().map_err(in_words)?;
    let ended = SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC).map_err(in_words)?;
    let asking = Arc::new(AtomicUsize::new(0));
    loop {
        let mut waiting =
            [PollFd::new(ended.as_fd(), PollFlags::POLLIN), PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waiting, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(in_words(error)),
        }
        if waiting[0].any() == Some(true) {
            break;
        }
        match listener.accept() {
            Ok((stream, _)) => take(stream, servers, &asking),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => thread::sleep(PAUSE),
        }
    }
    let until = Instant::now() + LONGEST;
    while asking.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        thread::sleep(TURN);
    }
    Ok(())
}

fn take(stream: UnixStream, servers: &Arc<Servers>, asking: &Arc<AtomicUsize>) {
    let Some(place) = Place::among(asking) else {
        Channel::answering(stream, Instant::now()).leave_with(&Message::busy());
        return;
    };
    let servers = Arc::clone(servers);
    let started = thread::Builder::new().spawn(move || {
        let _place = place;
        answer(stream, &servers);
    });
    if let Err(error) = started {
        complain(&format!("cannot start a thread: {error}"));
    }
}

/// A program that asks, counted until it is gone.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn among(asking: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(asking));
        (asking.fetch_add(1, Ordering::SeqCst) < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Hands on the question of a program. It asks the next one over another connection, and none keeps a place in the meantime.
fn answer(stream: UnixStream, servers: &Servers) {
    let mut channel = Channel::answering(stream, Instant::now() + PATIENCE);
    let Ok(Some(question)) = channel.receive() else { return };
    // A code is not burned for a program that is gone.
    if channel.is_abandoned() {
        return;
    }
    let answer = match HostCall::read(&question) {
        Ok(Some(HostCall::Link)) => Ok(answering_link(&servers.state())),
        _ => servers.ask(question),
    };
    let Ok(answer) = answer else { return };
    channel.until(Instant::now() + PATIENCE);
    let _ = channel.send(&answer);
}
