//! The `/dev/log` of a private host: every line that anything in it writes to syslog.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Listens, and remembers all lines.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    lines: Arc<Mutex<Vec<Line>>>,
    marks_seen: Receiver<u64>,
    next_mark: AtomicU64,
    reader: Option<JoinHandle<()>>,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Facility times eight plus severity (RFC 3164 §4.1.1).
    pub priority: u8,
    /// Program, message; without the time.
    pub text: String,
}

impl Line {
    /// The facility authpriv.
    pub const AUTHPRIV: u8 = 10;

    /// The facility.
    pub fn facility(&self) -> u8 {
        self.priority / 8
    }

    fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_end_matches(['\0', '\n']);
        let (priority, text) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap_or(("0", text));
        // glibc writes "Mmm dd hh:mm:ss " in front.
        let text = text.get(16..).filter(|_| text.as_bytes().get(6) == Some(&b' ')).unwrap_or(text);
        Self { priority: priority.parse().unwrap_or(0), text: text.to_owned() }
    }
}

const MARK: &str = "twofactor-tests mark ";

impl Syslog {
    /// Listens at `path`, which must not exist.
    pub fn listen(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (seen, marks_seen) = channel();
        let reader = std::thread::Builder::new().name("syslog".to_owned()).spawn({
            let lines = Arc::clone(&lines);
            move || read(&socket, &lines, &seen)
        })?;
        Ok(Self { path: path.to_owned(), lines, marks_seen, next_mark: AtomicU64::new(1), reader: Some(reader) })
    }

    /// Every line written before this call.
    pub fn lines(&self) -> Vec<Line> {
        // Datagrams arrive in order: once the mark is there, so is everything that was sent before it.
        let mark = self.next_mark.fetch_add(1, Ordering::Relaxed);
        self.send_mark(mark).expect("the reader holds the socket open");
        while self.marks_seen.recv().expect("the reader lives as long as this value") != mark {}
        self.lines.lock().expect("no one panics with the lines in hand").clone()
    }

    fn send_mark(&self, mark: u64) -> io::Result<()> {
        UnixDatagram::unbound()?.send_to(format!("{MARK}{mark}").as_bytes(), &self.path).map(drop)
    }
}

fn read(socket: &UnixDatagram, lines: &Mutex<Vec<Line>>, seen: &Sender<u64>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = socket.recv(&mut buffer) {
        let raw = buffer.get(..length).unwrap_or_default();
        let mark =
            std::str::from_utf8(raw).ok().and_then(|text| text.strip_prefix(MARK)).and_then(|mark| mark.parse().ok());
        match mark {
            Some(0) => return,
            Some(mark) if seen.send(mark).is_err() => return,
            Some(_) => {}
            None => lines.lock().expect("no one panics with the lines in hand").push(Line::parse(raw)),
        }
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        if self.send_mark(0).is_ok()
            && let Some(reader) = self.reader.take()
        {
            let _ = reader.join();
        }
    }
}
