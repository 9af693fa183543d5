//! The socket: inherited from systemd or made here, and a thread for each connection.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};
use twofactor_core::store::wire::{Channel, Message};

use crate::caller::Caller;
use crate::places::Places;
use crate::{journal, serving};

/// The pause after a connection could not be accepted: the process is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket that systemd has opened.
pub(crate) fn inherited() -> Result<UnixListener, String> {
    let inherited = ListenFd::from_env().take_unix_listener(0).map_err(|error| error.to_string())?;
    inherited.ok_or_else(|| "systemd has passed no socket; without systemd, use --listen".to_owned())
}

/// Makes the socket, in a folder of its own that is made too. One whose broker is gone is replaced.
pub(crate) fn made_at(path: &Path) -> Result<UnixListener, String> {
    let in_words = |doing: &str, error: &io::Error| format!("cannot {doing} {}: {error}", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        let made = fs::DirBuilder::new().mode(0o700).create(folder);
        // Whatever the umask is: each user passes through it.
        let made = made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)));
        made.map_err(|error| in_words("make the folder of", &error))?;
    }
    match UnixStream::connect(path) {
        Ok(_) => return Err(format!("a broker listens at {} already", path.display())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| in_words("replace", &error))?;
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(|error| in_words("listen at", &error))?;
    // Each user may ask; what is answered depends on who it is.
    fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(|error| in_words("open", &error))?;
    Ok(listener)
}

/// Serves connections, and returns when there was none for as long as `idle`.
pub(crate) fn run(listener: &UnixListener, config: &Path, idle: Option<Duration>) -> Result<(), String> {
    if let Some(idle) = idle {
        let longest = TimeVal::seconds(i64::try_from(idle.as_secs()).unwrap_or(i64::MAX));
        setsockopt(listener, sockopt::ReceiveTimeout, &longest).map_err(|errno| errno.to_string())?;
    }
    listener.set_nonblocking(false).map_err(|error| error.to_string())?;
    let (places, config) = (Arc::new(Places::default()), Arc::<Path>::from(config));
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                // Before anything is spent on it: a user who connects again and again takes no place of others.
                let Ok(caller) = Caller::of(&stream) else { continue };
                let Ok(place) = places.take(caller.guest(), &stream) else {
                    Channel::answering(stream, Instant::now()).leave_with(&Message::busy());
                    continue;
                };
                let config = Arc::clone(&config);
                let started = thread::Builder::new().spawn(move || serving::serve(stream, caller, place, &config));
                if let Err(error) = started {
                    journal::complain(&format!("cannot start a thread: {error}"));
                }
            }
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EAGAIN) if places.are_free() => return Ok(()),
                Some(Errno::EAGAIN | Errno::EINTR | Errno::ECONNABORTED) => {}
                _ => {
                    journal::complain(&format!("cannot accept a connection: {error}"));
                    thread::sleep(PAUSE);
                }
            },
        }
    }
}
