//! A connection to the broker, once it is certain that root is at the other end.

use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, getsockopt, socket};

use super::error::BrokerError;
use crate::host::trusted::{Folder, Owner, Protection};
use crate::store::wire::{Channel, WireError};

/// The pause between two attempts while the broker's queue is full.
const PAUSE: Duration = Duration::from_millis(20);

/// Connects before `deadline`.
pub(super) fn connect(path: &Path, owner: Owner, deadline: Instant) -> Result<Channel, BrokerError> {
    let absent = || BrokerError::Absent(path.to_owned());
    let wire = |error: WireError| BrokerError::Wire { socket: path.to_owned(), error };
    let in_words = |error: Errno| wire(WireError::from(std::io::Error::from(error)));
    let folder = path.parent().unwrap_or(path);
    Folder::open(folder, owner, Protection::FromWriting).map_err(BrokerError::Folder)?.ok_or_else(absent)?;

    let address = UnixAddr::new(path).map_err(in_words)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(in_words)?;
    // Never blocking: where the queue of a stopped broker is full, connect(2) waits without any limit.
    loop {
        match nix::sys::socket::connect(socket.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => return Err(absent()),
            Err(Errno::EAGAIN) if Instant::now() < deadline => sleep(PAUSE),
            Err(Errno::EAGAIN) => return Err(wire(WireError::Deadline)),
            Err(Errno::EINTR) => {}
            Err(error) => return Err(in_words(error)),
        }
    }
    let uid = getsockopt(&socket, PeerCredentials).map_err(in_words)?.uid();
    if uid != owner.0 {
        return Err(BrokerError::Stranger { socket: path.to_owned(), uid });
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false).map_err(|error| wire(error.into()))?;
    Ok(Channel::asking(stream, deadline))
}
