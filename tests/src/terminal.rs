//! A person at a terminal: types, reads, and waits for words.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};

/// Far longer than anything takes; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(30);

/// A terminal with a program in the foreground.
#[derive(Debug)]
pub struct Terminal {
    screen: std::fs::File,
    /// Held open, so that the terminal's settings can be looked at after the program ended.
    keyboard: OwnedFd,
    process: Child,
    seen: Vec<u8>,
    read_to: usize,
    deadline: Duration,
    size: Size,
}

/// Columns and lines.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub lines: u16,
}

impl Size {
    /// Room for everything.
    pub const LARGE: Self = Self { columns: 132, lines: 60 };

    /// A console, and the window of most programs as it opens.
    pub const CONSOLE: Self = Self { columns: 80, lines: 24 };
}

impl Terminal {
    /// Starts a program on a new terminal, which becomes its controlling one.
    pub fn start(command: &Command, size: Size) -> Self {
        let window = Winsize { ws_row: size.lines, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&window), None).expect("a terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let mut session = Command::new("setsid");
        // A terminal's programs react to Ctrl-C, also where the test runs in the background of a shell, which ignores it.
        session.args(["--ctty", "--wait", "env", "--default-signal"]);
        session.arg(command.get_program()).args(command.get_args()).env_clear();
        session.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
        let process = session.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid runs");
        Self {
            screen: pty.master.into(),
            keyboard: pty.slave,
            process,
            seen: Vec::new(),
            read_to: 0,
            deadline: DEADLINE,
            size,
        }
    }

    /// Waits longer than usual for everything: for programs that take minutes.
    #[must_use]
    pub fn waiting_up_to(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Waits for `words` behind everything waited for before, and gives what was shown up to and with them.
    #[track_caller]
    pub fn expect(&mut self, words: &str) -> String {
        self.expect_any(&[words]).1
    }

    /// Waits for the first of several texts, and gives its number beside what was shown.
    #[track_caller]
    pub fn expect_any(&mut self, texts: &[&str]) -> (usize, String) {
        let started = Instant::now();
        let longest = texts.iter().map(|words| words.len()).max().unwrap_or(0);
        // A picture in colors comes in thousands of pieces: each is searched once.
        let mut searched = self.read_to;
        loop {
            let place = |words: &str| {
                let new = &self.seen[searched..];
                Some(searched + new.windows(words.len()).position(|window| window == words.as_bytes())?)
            };
            let found = texts.iter().enumerate().filter_map(|(number, words)| Some((place(words)?, number)));
            if let Some((start, number)) = found.min() {
                let end = start + texts[number].len();
                let shown = String::from_utf8_lossy(&self.seen[self.read_to..end]).into_owned();
                self.read_to = end;
                return (number, shown);
            }
            searched = searched.max((self.seen.len() + 1).saturating_sub(longest));
            let over = started.elapsed() >= self.deadline || self.ended();
            if !self
                .read_some(DEADLINE.checked_sub(started.elapsed()).unwrap_or_default().min(Duration::from_millis(200)))
                && over
            {
                panic!("{texts:?} was never shown:\n{}", self.shown());
            }
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.type_keys(&format!("{line}\r"));
    }

    /// Presses keys; Ctrl-C is `\x03`.
    pub fn type_keys(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        while started.elapsed() < self.deadline {
            self.read_some(Duration::from_millis(50));
            if let Some(status) = self.process.try_wait().unwrap() {
                while self.read_some(Duration::ZERO) {}
                return status;
            }
        }
        panic!("the program goes on:\n{}", self.shown());
    }

    /// Presses Ctrl-C, and again after a while, until the program ends: one that was just about to read can miss it, as sudo
    /// does.
    #[track_caller]
    pub fn interrupt(&mut self) -> ExitStatus {
        let started = Instant::now();
        while started.elapsed() < self.deadline {
            self.type_keys("\x03");
            let pressed = Instant::now();
            while pressed.elapsed() < Duration::from_millis(300) {
                self.read_some(Duration::from_millis(20));
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status;
                }
            }
        }
        panic!("the program goes on:\n{}", self.shown());
    }

    /// What was shown behind everything waited for.
    pub fn rest(&self) -> String {
        String::from_utf8_lossy(&self.seen[self.read_to..]).into_owned()
    }

    /// Everything shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// The lines that are on the screen when all that was waited for has been shown; what was above has scrolled away.
    pub fn screen(&self) -> String {
        let shown = String::from_utf8_lossy(&self.seen[..self.read_to]).into_owned();
        let rows = rows(&shown, usize::from(self.size.columns));
        rows[rows.len().saturating_sub(usize::from(self.size.lines))..].join("\n")
    }

    /// Whether typed characters are shown.
    pub fn echoes(&self) -> bool {
        self.settings().local_flags.contains(LocalFlags::ECHO)
    }

    /// The terminal's settings.
    pub fn settings(&self) -> Termios {
        tcgetattr(&self.keyboard).expect("settings of a terminal")
    }

    fn ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Reads what is there, waiting for it at most `patience`. `false` when there was nothing.
    fn read_some(&mut self, patience: Duration) -> bool {
        let mut screen = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
        if poll(&mut screen, PollTimeout::try_from(patience).unwrap()).unwrap_or(0) == 0 {
            return false;
        }
        let mut buffer = [0; 8192];
        match self.screen.read(&mut buffer) {
            Ok(length) if length > 0 => {
                self.seen.extend_from_slice(&buffer[..length]);
                true
            }
            _ => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The rows of a text on a screen, which breaks what is longer. Sequences of escapes take no room and stay where they are.
fn rows(text: &str, columns: usize) -> Vec<String> {
    let (mut rows, mut column) = (vec![String::new()], 0);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let row = rows.last_mut().expect("there is always one");
        match character {
            '\r' => {}
            '\n' => {
                rows.push(String::new());
                column = 0;
            }
            '\u{1b}' => {
                row.push(character);
                for character in characters.by_ref() {
                    row.push(character);
                    if character.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
            _ if column == columns => {
                rows.push(character.to_string());
                column = 1;
            }
            _ => {
                row.push(character);
                column += 1;
            }
        }
    }
    rows
}
