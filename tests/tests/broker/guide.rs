//! The page of the guide, `docs/guide/help-yourself.md`, followed to the letter by alice at a terminal: its commands, the answers that
//! it says, and the texts that it shows.

use std::fs;
use std::process::Command;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::documents::{self, Parts};
use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::security_key::public_line;
use twofactor_tests::terminal::{Size, Terminal};

use crate::oneself::refused;
use crate::uid_of;

/// A terminal as wide as the page's texts, with room for a QR code.
const TERMINAL: Size = Size { columns: 80, lines: 60 };
const PROOF: &str = "Code, or a recovery code: ";

/// Alice, with the codes that she has seen.
struct Alice<'h> {
    host: &'h Host,
    /// The app of the secret that was shown last.
    app: Option<Authenticator>,
    /// The recovery codes that were shown last and are not used.
    paper: Vec<String>,
}

impl Alice<'_> {
    /// A shell of hers that runs a line.
    fn shell(&self, line: &str) -> Command {
        let mut shell = self.host.command("setpriv");
        shell.args(["--reuid=alice", "--regid=alice", "--init-groups", "env", "HOME=/home/alice", "sh", "-ec", line]);
        shell
    }

    /// Types a line of the page, reads what the page shows below it, and answers each question with what the page says there.
    #[track_caller]
    fn follow(&mut self, command: &str, shown: &[String]) {
        let mut terminal = Terminal::start(&self.shell(command), TERMINAL);
        for line in shown {
            match Line::of(line) {
                Line::Text(text) => {
                    terminal.expect(text);
                }
                Line::Answer(question, answer) => {
                    terminal.expect(question);
                    self.learn(&terminal.shown());
                    let code = self.answer(question, answer);
                    terminal.type_line(&code);
                }
                Line::OfThisRun => {}
            }
        }
        let status = terminal.wait();
        assert!(status.success(), "{command}: {}", terminal.shown());
        self.learn(&terminal.shown());
    }

    /// Remembers a secret and recovery codes that are on the screen.
    fn learn(&mut self, screen: &str) {
        if screen.contains("otpauth://") {
            self.app = Some(Authenticator::shown_in(screen));
        }
        let is_recovery =
            |word: &&str| word.len() == 19 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let paper: Vec<String> = screen.split_whitespace().filter(is_recovery).map(str::to_owned).collect();
        if !paper.is_empty() {
            self.paper = paper;
        }
    }

    fn answer(&mut self, question: &str, answer: &str) -> String {
        assert!(answer.contains("code"), "{question}: {answer}");
        match question {
            PROOF => self.paper.pop().expect("a recovery code"),
            _ => self.app.as_ref().expect("a secret was shown").code(0),
        }
    }
}

/// A line below a command.
enum Line<'l> {
    /// Shown as it stands here, or as it begins where the rest is of the run that is on the page.
    Text(&'l str),
    /// A question, and in brackets the answer.
    Answer(&'l str, &'l str),
    /// All of it is of the run that is on the page.
    OfThisRun,
}

impl<'l> Line<'l> {
    fn of(line: &'l str) -> Self {
        const BEGINNINGS: [&str; 3] = ["Secret: ", "URI: otpauth://totp/testhost:alice@testhost?secret=", "SHA256:"];
        if let Some(beginning) = BEGINNINGS.into_iter().find(|beginning| line.starts_with(beginning)) {
            return Self::Text(beginning);
        }
        match line.split_once('[') {
            Some((question, answer)) if question.ends_with(": ") => {
                Self::Answer(question, answer.trim_end_matches(']'))
            }
            Some(_) => Self::OfThisRun,
            None if line.trim_start().starts_with(|first: char| first.is_ascii_digit()) => Self::OfThisRun,
            None if line.is_empty() => Self::OfThisRun,
            None => Self::Text(line),
        }
    }
}

/// The commands of a block that are typed at `$`, each with the lines below it.
fn typed_by_alice(block: &[String]) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in block {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line.clone()),
            (None, None) => {}
        }
    }
    commands
}

fn page() -> Parts {
    Parts::of(&documents::read(&workspace().join("docs/guide/help-yourself.md")))
}

/// The block of the page that has this line.
fn block<'p>(page: &'p Parts, words: &str) -> &'p [String] {
    let mut blocks = page.blocks.iter().map(|(_, lines)| lines.as_slice());
    blocks.find(|lines| lines.iter().any(|line| line.contains(words))).unwrap_or_else(|| panic!("no block has {words}"))
}

/// The configuration on whose host the page was written, by its own words.
fn configured_as_the_page_says(host: &Host, page: &Parts) {
    let line = page.spans().find(|span| span.starts_with("second_factor = ")).expect("it says for which host it is");
    host.configure(&format!("[default]\n{line}\n"));
}

#[test]
fn alice_follows_the_page_that_helps_users_help_themselves() {
    let page = page();
    private_host(|host| {
        configured_as_the_page_says(host, &page);
        let lines = "auth required pam_twofactor.so\nauth required pam_permit.so\n\
                     account required pam_twofactor.so\naccount required pam_permit.so\n";
        host.service("lenient", lines);
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        host.add_user("alice");
        fs::create_dir_all("/home/alice/.ssh").unwrap();
        fs::write("/home/alice/.ssh/id_ed25519_sk.pub", public_line(1, "alice@laptop")).unwrap();
        let _broker = host.broker();
        let mut alice = Alice { host, app: None, paper: Vec::new() };
        let mut followed = Vec::new();
        for (_, block) in &page.blocks {
            for (command, shown) in typed_by_alice(block) {
                alice.follow(&command, &shown);
                followed.push(command);
            }
            // It stands in the sentence above.
            if block.first().is_some_and(|line| line.starts_with("Code from the new app: ")) {
                let old = alice.app.clone().unwrap();
                alice.follow("twofactor self replace", block);
                assert!(page.spans().any(|span| span == "twofactor self replace"));
                assert_ne!(host.login("alice").typing(old.code(1)).code(), ReturnCode::SUCCESS, "the old phone is out");
            }
        }
        let expected = [
            "twofactor self status",
            "twofactor self enroll",
            "twofactor self recovery",
            "twofactor self ssh-key add ~/.ssh/id_ed25519_sk.pub",
            "twofactor self ssh-key remove alice@laptop",
        ];
        assert_eq!(followed, expected);

        // Told at the next login that shows texts, in the words of the page but for the day and the uid.
        let next = alice.paper.pop().unwrap();
        let told = host.login("alice").service("lenient").calls("authenticate,account").typing(&next);
        let (told, uid) = (told.texts().join("\n"), uid_of("alice"));
        let words = block(&page, "Your second factor was changed on");
        for line in words {
            let (_, rest) = line.split_once(" by yourself ").unwrap();
            let rest = rest.replace("uid 1001", &format!("uid {uid}"));
            assert!(told.lines().any(|line| line.ends_with(&rest)), "{rest} in {told}");
        }
        for line in block(&page, "journalctl -t twofactord").iter().filter(|line| line.starts_with("pam_twofactor(")) {
            host.assert_logged(&[&line.replace("asked_by=1001", &format!("asked_by={uid}"))]);
        }

        // The rows of the table.
        let rows: Vec<&str> = page.spans().filter(|span| span.starts_with("twofactor self ")).collect();
        assert!(rows.contains(&"twofactor self token SERIAL") && rows.contains(&"twofactor self reset"), "{rows:?}");
        let mut terminal = Terminal::start(&alice.shell(&format!("twofactor self token {}", fob.serial)), TERMINAL);
        let [first, second] = fob.authenticator.two_codes();
        terminal.expect("Code the token shows now: ");
        terminal.type_line(&first);
        terminal.expect("Wait for the next code: ");
        terminal.type_line(&second);
        terminal.expect(PROOF);
        terminal.type_line(&alice.paper.pop().unwrap());
        assert!(terminal.wait().success(), "{}", terminal.shown());
        assert_eq!(host.login("alice").typing(fob.authenticator.code(2)).code(), ReturnCode::SUCCESS);
        let status = host.run_twofactor_of("alice", &["--json", "self", "status"], "");
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        assert!(status["tokens"][0]["last_accepted"].is_string(), "{status}");
        assert!(status["apps"][0]["last_accepted"].is_null(), "only recovery codes and the token were used: {status}");

        let mut terminal = Terminal::start(&alice.shell("twofactor self reset"), TERMINAL);
        terminal.expect("[y/N] ");
        terminal.type_line("y");
        terminal.expect(PROOF);
        terminal.type_line(&alice.paper.pop().unwrap());
        assert!(terminal.wait().success(), "{}", terminal.shown());
    });
}

#[test]
fn what_the_page_switches_off_is_refused_in_the_words_of_its_table() {
    let page = page();
    let off = block(&page, "[self_service]").join("\n");
    let row = page.prose.iter().find(|row| row.ends_with("| `[self_service]` |")).expect("a row about it");
    let words = row.trim_start_matches("| ").split(" |").next().unwrap();
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        fs::write("/run/key.pub", public_line(1, "alice@laptop")).unwrap();
        let _broker = host.broker();
        host.configure(&format!("{off}\n[default]\nsecond_factor = \"enroll\"\n"));
        for (user, command) in [
            ("bob", &["enroll"][..]),
            ("alice", &["replace"]),
            ("alice", &["recovery"]),
            ("alice", &["reset", "--yes"]),
            ("alice", &["ssh-key", "add", "/run/key.pub"]),
        ] {
            refused(&host.run_twofactor_of(user, &[&["self"], command].concat(), ""), 4, words);
        }
        let token = host.run_twofactor_of("bob", &["self", "token", "T0000001"], "");
        refused(&token, 4, "the configuration of this host does not let you register a token");
        assert_eq!(host.login("alice").typing(alice.code()).code(), ReturnCode::SUCCESS);
    });
}
