//! A message that cannot be sent, received or understood.

use std::io;

use thiserror::Error;

use crate::host::trusted::describe;

/// The other end and this one do not understand each other.
#[derive(Debug, Error)]
pub enum WireError {
    /// More bytes than a message may have.
    #[error("a message of {0} bytes is too large")]
    TooLarge(usize),
    /// Not a line of pairs.
    #[error("a message is not in the form of key=value pairs")]
    Form,
    /// A pair that must be there is missing, is there twice, or has a value that cannot be.
    #[error("\"{0}\" is missing in a message, or cannot be understood")]
    Value(&'static str),
    /// A pair that is not known.
    #[error("a message has a pair that is not known")]
    Key,
    /// The other end speaks another version.
    #[error("the other end speaks version {0}")]
    Version(String),
    /// Too many others are served.
    #[error("it serves too many programs at this moment")]
    Busy,
    /// It took too long.
    #[error("no answer in time")]
    Deadline,
    /// The stream ended within a message.
    #[error("the connection ended early")]
    Ended,
    /// The stream failed.
    #[error("{}", describe(.0))]
    Stream(io::Error),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The kernel's words for a time limit of a socket.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Deadline,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Self::Ended,
            _ => Self::Stream(error),
        }
    }
}
