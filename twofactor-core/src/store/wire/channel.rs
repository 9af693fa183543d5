//! One end of the stream that messages travel on, with one deadline for all that is sent and received.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use zeroize::Zeroizing;

use super::error::WireError;
use super::message::{LARGEST_ANSWER, LARGEST_QUESTION, Message};

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    deadline: Instant,
    /// The largest message that is received.
    largest: usize,
}

impl Channel {
    /// The end that receives questions, and gives up at `deadline`.
    pub fn answering(stream: UnixStream, deadline: Instant) -> Self {
        Self { stream, deadline, largest: LARGEST_QUESTION }
    }

    /// The end that receives answers, and gives up at `deadline`. It has made sure that root is at the other end.
    pub fn asking(stream: UnixStream, deadline: Instant) -> Self {
        Self { stream, deadline, largest: LARGEST_ANSWER }
    }

    /// Moves the deadline.
    pub fn until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Sends a message.
    pub fn send(&self, message: &Message) -> Result<(), WireError> {
        let framed = message.framed()?;
        let mut rest = framed.as_slice();
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            // Without the signal: the process is sshd's or a locker's, and its handlers are not ours.
            match send(self.stream.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                // Once more with what is left of the time.
                Err(Errno::EINTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Sends a message without waiting, as the last one: what does not fit at once is lost.
    pub fn leave_with(self, message: &Message) {
        if let Ok(framed) = message.framed() {
            let _ = send(self.stream.as_raw_fd(), &framed, MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT);
        }
    }

    /// True when the other end waits for no answer any more.
    pub fn is_abandoned(&self) -> bool {
        let mut next = [0];
        match recv(self.stream.as_raw_fd(), &mut next, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(waiting) => waiting == 0,
            Err(error) => !matches!(error, Errno::EAGAIN | Errno::EINTR),
        }
    }

    /// Receives a message; `None` when the other end has closed the stream between two of them.
    pub fn receive(&self) -> Result<Option<Message>, WireError> {
        let mut header = [0; 4];
        match self.fill(&mut header)? {
            0 => return Ok(None),
            4 => {}
            _ => return Err(WireError::Ended),
        }
        let mut line = Zeroizing::new(vec![0; Message::length(header, self.largest)?]);
        if self.fill(&mut line)? < line.len() {
            return Err(WireError::Ended);
        }
        Message::read(&line).map(Some)
    }

    /// Fills the buffer until it is full or the stream ends. Gives the number of bytes.
    fn fill(&self, buffer: &mut [u8]) -> Result<usize, WireError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            self.stream.set_read_timeout(Some(self.left()?))?;
            match recv(self.stream.as_raw_fd(), rest, MsgFlags::empty()) {
                Ok(0) => break,
                Ok(received) => filled += received,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(filled)
    }

    /// The time that is left. A limit of nothing would be none at all.
    fn left(&self) -> Result<Duration, WireError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(WireError::Deadline) } else { Ok(left) }
    }
}
