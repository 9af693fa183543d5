//! Logins through the real libpam: drives `pam-login`, one scripted conversation after another.
//!
//! A script is exact: a prompt without an answer fails the test, and so does an answer nobody asked for. So does a single
//! byte on the application's stderr, because sshd's belongs to its operator and not to a module.

mod outcome;

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;

use crate::moment::Moment;
use crate::private_host::Host;
pub use crate::private_host::SERVICE;

pub use outcome::{Message, Outcome, ReturnCode};

/// Far longer than anything takes; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(90);

/// What the application's user does at a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Types these bytes.
    Bytes(Vec<u8>),
    /// Gives a response without any text (NULL).
    Null,
    /// Makes the conversation function fail.
    Fail,
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<&String> for Answer {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&[u8]> for Answer {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// What an application does with a text that it has no place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// Takes it and shows it to nobody.
    Dropped,
    /// Fails.
    Refused,
}

/// A login that has not begun.
#[derive(Debug, Clone)]
#[must_use]
pub struct Login<'h> {
    host: &'h Host,
    arguments: Vec<String>,
    uid: Option<u32>,
    before: String,
    moment: Option<Moment>,
}

/// A login that runs.
#[derive(Debug)]
pub struct Running {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    unread: Vec<u8>,
    outcome: Outcome,
}

/// What a running login came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// It waits for an answer.
    Prompt(Message),
    /// Its transaction ended.
    End,
}

impl Host {
    /// A login of `user` at that time.
    pub fn login_at(&self, moment: Moment, user: &str) -> Login<'_> {
        self.login(user).at(moment)
    }

    /// A login of `user` at [`SERVICE`].
    pub fn login(&self, user: &str) -> Login<'_> {
        self.nameless_login().with("--user", user)
    }

    /// A login at [`SERVICE`] by an application that does not know who it is yet.
    pub fn nameless_login(&self) -> Login<'_> {
        Login { host: self, arguments: Vec::new(), uid: None, before: ":".to_owned(), moment: None }
    }
}

impl Login<'_> {
    /// At another service of [`Host::service`].
    pub fn service(self, name: &str) -> Self {
        self.with("--service", name)
    }

    /// With the services of the system, as every application has them, and not those of [`Host::service`].
    pub fn of_the_system(self) -> Self {
        self.with("--confdir", "")
    }

    /// From a remote host.
    pub fn rhost(self, rhost: &str) -> Self {
        self.with("--rhost", rhost)
    }

    /// Instead of `pam_authenticate` alone: a list with commas of `authenticate`, `account`, `setcred` and others;
    /// `become:NAME` changes the user in between, and `putenv:NAME=VALUE` sets a variable of PAM's environment;
    /// `putenv-endless:` one that is too long to be copied.
    pub fn calls(self, calls: &str) -> Self {
        self.with("--calls", calls)
    }

    /// With `PAM_SILENT` in every call: the application wants no texts.
    pub fn silent(self) -> Self {
        self.with("--flags", "silent")
    }

    /// By an application that has no place for a text that asks nothing.
    pub fn texts(self, texts: Texts) -> Self {
        match texts {
            Texts::Dropped => self.with("--texts", "dropped"),
            Texts::Refused => self.with("--texts", "refused"),
        }
    }

    /// Keeping no copy of what is shown and typed, and writing its memory to this file once the transaction has ended.
    pub fn dumping(self, path: &Path) -> Self {
        self.with("--dump", &path.to_string_lossy())
    }

    /// So many transactions in one process.
    pub fn repeat(self, count: usize) -> Self {
        self.with("--repeat", &count.to_string())
    }

    /// In a process of this user.
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// At a time of the test's own.
    pub fn at(mut self, moment: Moment) -> Self {
        self.moment = Some(moment);
        self
    }

    /// In a process that a shell prepares with this command. What is to be run are its arguments.
    pub fn after(mut self, command: impl Into<String>) -> Self {
        self.before = command.into();
        self
    }

    /// Goes through all of it; `answer` is given the prompt and all that was shown so far.
    #[track_caller]
    pub fn conversing(self, mut answer: impl FnMut(&str, &str) -> String) -> Outcome {
        let mut running = self.start();
        while let Event::Prompt(prompt) = running.advance() {
            let shown = running.so_far().texts().join("\n");
            running.answer(&(&answer(&prompt.text, &shown)).into());
        }
        let outcome = running.outcome();
        running.finish();
        outcome
    }

    /// Starts the process; it waits at its first prompt.
    pub fn start(self) -> Running {
        let mut command = self.host.command("sh");
        command.args(["-c", &format!("{}; exec \"$@\"", self.before), "sh", "pam-login"]);
        if !self.arguments.iter().any(|argument| argument == "--confdir") {
            command.args(["--confdir", &self.host.confdir()]);
        }
        if !self.arguments.iter().any(|argument| argument == "--service") {
            command.args(["--service", SERVICE]);
        }
        command.args(&self.arguments);
        if let Some(moment) = self.moment {
            moment.govern(&mut command);
        }
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().unwrap();
        Running { process, stdin, stdout, unread: Vec::new(), outcome: Outcome::default() }
    }

    /// Gives these answers, all of them and no others.
    #[track_caller]
    pub fn answering(self, answers: &[Answer]) -> Outcome {
        let mut running = self.start();
        let outcome = running.transaction(answers);
        running.finish();
        outcome
    }

    /// Types this text at the only prompt.
    #[track_caller]
    pub fn typing(self, text: impl AsRef<str>) -> Outcome {
        self.answering(&[text.as_ref().into()])
    }

    fn with(mut self, option: &str, value: &str) -> Self {
        self.arguments.extend([option.to_owned(), value.to_owned()]);
        self
    }
}

impl Running {
    /// Goes through one transaction with exactly these answers.
    #[track_caller]
    pub fn transaction(&mut self, answers: &[Answer]) -> Outcome {
        let mut answers = answers.iter();
        while let Event::Prompt(message) = self.advance() {
            let answer = answers.next().unwrap_or_else(|| panic!("nobody scripted an answer to {message:?}"));
            self.answer(answer);
        }
        assert_eq!(answers.len(), 0, "answers nobody asked for; {:?}", self.outcome);
        std::mem::take(&mut self.outcome)
    }

    /// Waits for a question, which the login must come to.
    #[track_caller]
    pub fn expect_prompt(&mut self) -> Message {
        match self.advance() {
            Event::Prompt(message) => message,
            Event::End => panic!("nothing was asked: {:?}", self.outcome),
        }
    }

    /// Types this at the last prompt and waits for the end.
    #[track_caller]
    pub fn ending_with(mut self, text: impl AsRef<str>) -> Outcome {
        self.answer(&text.as_ref().into());
        let end = self.advance();
        assert_eq!(end, Event::End, "{:?}", self.outcome);
        let outcome = self.outcome();
        self.finish();
        outcome
    }

    /// Waits until the login asks or ends.
    #[track_caller]
    pub fn advance(&mut self) -> Event {
        loop {
            let Some(event) = self.next_event() else {
                panic!("the application ended in a transaction: {}\n{:?}", self.obituary(), self.outcome);
            };
            if let Some(event) = self.note(&event) {
                return event;
            }
        }
    }

    /// Answers the prompt at hand.
    pub fn answer(&mut self, answer: &Answer) {
        let line = match answer {
            Answer::Bytes(bytes) => {
                let hex =
                    |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
                let hex: String = bytes.iter().flat_map(hex).collect();
                format!("answer {hex}\n")
            }
            Answer::Null => "null\n".to_owned(),
            Answer::Fail => "fail\n".to_owned(),
        };
        self.stdin.as_mut().expect("the script goes on").write_all(line.as_bytes()).expect("the application reads");
    }

    /// The application's process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the transaction came to until now.
    pub fn so_far(&self) -> &Outcome {
        &self.outcome
    }

    /// The outcome of the transaction that just ended.
    pub fn outcome(&mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
    }

    /// Kills the process at whatever it is doing. Gives what it reported before it died.
    pub fn kill(mut self) -> Outcome {
        let _ = self.process.kill();
        self.last_words()
    }

    /// What the process reports until it ends in whatever way. Nobody answers any more.
    pub fn last_words(mut self) -> Outcome {
        drop(self.stdin.take());
        while let Some(event) = self.next_event() {
            let _ = self.note(&event);
        }
        let _ = self.process.wait();
        std::mem::take(&mut self.outcome)
    }

    /// Waits for the end of the process, which must not have written to its stderr.
    #[track_caller]
    pub fn finish(mut self) {
        drop(self.stdin.take());
        if let Some(event) = self.next_event() {
            panic!("the application goes on: {event}");
        }
        let obituary = self.obituary();
        assert_eq!(obituary, "exit status: 0", "the end of the application, and what it wrote to stderr");
    }

    fn note(&mut self, event: &Value) -> Option<Event> {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| event[name].as_u64().unwrap_or_default();
        match event["event"].as_str() {
            Some("message") => {
                let shown = event["hex"].as_str().map_or_else(|| text("text"), from_hex);
                let message = Message { style: text("style"), text: shown };
                self.outcome.messages.push(message.clone());
                message.style.starts_with("prompt").then_some(Event::Prompt(message))
            }
            Some("result") => {
                let code = ReturnCode(event["code"].as_i64().unwrap());
                self.outcome.results.push((text("call"), code));
                None
            }
            Some("delay") => {
                self.outcome.delays.push(number("microseconds"));
                None
            }
            Some("end") => {
                self.outcome.descriptors = (number("descriptors_before"), number("descriptors"));
                self.outcome.resident_kb = number("resident_kb");
                Some(Event::End)
            }
            _ => panic!("not an event: {event}"),
        }
    }

    /// The next line of the application; `None` when there are no more. Only complete lines count.
    #[track_caller]
    fn next_event(&mut self) -> Option<Value> {
        let started = Instant::now();
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap_or_else(|_| {
                    panic!("somebody else wrote to the application's stdout: {}", String::from_utf8_lossy(&line))
                }));
            }
            let left = DEADLINE.checked_sub(started.elapsed()).unwrap_or_default();
            let timeout = PollTimeout::try_from(left).unwrap();
            let ready = poll(&mut [PollFd::new(self.stdout.as_fd(), PollFlags::POLLIN)], timeout).unwrap_or(1);
            if ready == 0 {
                let _ = self.process.kill();
                panic!("the application hangs; {:?}", self.outcome);
            }
            let mut buffer = [0; 4096];
            match self.stdout.read(&mut buffer).unwrap() {
                0 => return None,
                length => self.unread.extend_from_slice(&buffer[..length]),
            }
        }
    }

    fn obituary(&mut self) -> String {
        let status = self.process.wait().unwrap();
        let mut stderr = String::new();
        self.process.stderr.as_mut().unwrap().read_to_string(&mut stderr).unwrap();
        format!("{status}{}{stderr}", if stderr.is_empty() { "" } else { "\n" })
    }
}

fn from_hex(hex: &str) -> String {
    let digits: Vec<u8> = hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
