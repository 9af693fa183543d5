//! The picture of a login: what a terminal shows while a user logs in over ssh, and an attacker after her.
//!
//! Everything in it was shown by the real ssh, sshd and module in a private host, and nothing is edited. What is typed at a
//! hidden prompt is not shown, so a note stands there; codes, dates and addresses appear nowhere.

use std::fs;
use std::io::Write as _;

use crate::private_host::{Host, PASSWORD};
use crate::svg::Picture;
use crate::terminal::{Size, Terminal};

/// A line of the terminal, in parts.
type Row = Vec<Part>;

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Text that a program wrote.
    Shown(String),
    /// Keys that were typed, as the terminal echoed them.
    Typed(String),
    /// Keys that were typed and not echoed, in words.
    Note(&'static str),
}

/// The prompt of the user's own machine.
const LAPTOP: &str = "laptop:~$ ";
/// That of the host.
const SERVER: &str = "alice@server:~$ ";

/// Logs in on a fresh private host, and draws what the terminal showed.
pub fn of_a_login(host: &Host) -> String {
    draw(&record(host))
}

fn record(host: &Host) -> Vec<Row> {
    let alice = host.user_with_app("alice");
    fs::write("/home/alice/.profile", format!("PS1='{SERVER}'\n")).unwrap();
    let mut hosts = fs::File::options().append(true).open("/etc/hosts").unwrap();
    hosts.write_all(b"\n127.0.0.1 server\n").unwrap();
    let _sshd = host.sshd("");
    let key = fs::read_to_string(host.place("host_key.pub")).unwrap();
    fs::write("/etc/ssh/ssh_known_hosts", format!("server {key}")).unwrap();
    fs::write("/etc/ssh/ssh_config", "NumberOfPasswordPrompts 1\n").unwrap();
    let mut shell = host.command("sh");
    shell.env("PS1", LAPTOP);
    let mut session = Session { terminal: Terminal::start(&shell, Size::CONSOLE), rows: vec![Row::new()] };
    let code = alice.code();
    session.log_in("her password", &code, "the code of her app");
    session.shows(SERVER);
    session.types("exit");
    session.log_in("the password, stolen", &code, "the same code, seen over her shoulder");
    session.shows(LAPTOP);
    session.rows
}

/// A terminal, and what it has shown.
struct Session {
    terminal: Terminal,
    rows: Vec<Row>,
}

impl Session {
    fn log_in(&mut self, password: &'static str, code: &str, note: &'static str) {
        self.shows(LAPTOP);
        self.types("ssh alice@server");
        self.shows("Password: ");
        self.types_unseen(PASSWORD, password);
        self.shows("Verification code: ");
        self.types_unseen(code, note);
    }

    /// Waits until the terminal shows `words`.
    fn shows(&mut self, words: &str) {
        let text = self.terminal.expect(words);
        self.add(&text, Part::Shown);
    }

    /// Types a line that the terminal echoes.
    fn types(&mut self, line: &str) {
        self.terminal.type_line(line);
        let text = self.terminal.expect(line);
        self.add(&text, Part::Typed);
    }

    /// Types a line that the terminal does not echo.
    fn types_unseen(&mut self, line: &str, note: &'static str) {
        self.terminal.type_line(line);
        self.rows.last_mut().expect("there is a prompt").push(Part::Note(note));
    }

    fn add(&mut self, text: &str, part: fn(String) -> Part) {
        for (number, line) in text.replace('\r', "").split('\n').enumerate() {
            if number > 0 {
                self.rows.push(Row::new());
            }
            if !line.is_empty() {
                self.rows.last_mut().expect("there is always one").push(part(line.to_owned()));
            }
        }
    }
}

const STYLE: &str = "\
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace }
.ground { fill: #1d2330 } .shown { fill: #d7dce5 } .typed { fill: #ffffff; font-weight: bold }
.note { fill: #9aa7bd; font-style: italic } .red { fill: #e5645b } .yellow { fill: #e2b93d } .green { fill: #6bbf59 }
";

fn draw(rows: &[Row]) -> String {
    const LINE: usize = 21;
    const TOP: usize = 52;
    let mut picture = Picture::default();
    for (x, class) in [(20, "red"), (38, "yellow"), (56, "green")] {
        picture.dot(class, x, 18);
    }
    for (row, y) in rows.iter().zip((TOP..).step_by(LINE)) {
        let parts = row.iter().map(|part| match part {
            Part::Shown(text) => ("shown", text.as_str()),
            Part::Typed(text) => ("typed", text.as_str()),
            Part::Note(text) => ("note", *text),
        });
        picture.line(20, y, parts);
    }
    let title = "A login over ssh with password and code, and a second one with the same code, which is refused";
    picture.finish(680, TOP + LINE * rows.len(), title, STYLE)
}
