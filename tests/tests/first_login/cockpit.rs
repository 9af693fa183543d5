//! Cockpit, whose page shows one question after another and drops a text behind the last one.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use twofactor_tests::debian::chosen;
use twofactor_tests::private_host::{Host, PASSWORD, private_host};
use twofactor_tests::requirements::programs_met;

use crate::{CODE, CONFIRM, ENROLL, Offer, STACK, WRITE_DOWN, configure, recovery_codes};

/// Where Debian and Fedora have the server.
const SERVER: &str = "/usr/lib/cockpit/cockpit-ws";

/// What the page gets.
#[derive(Debug)]
struct Reply {
    status: u16,
    /// The number of the conversation.
    conversation: String,
    /// What it shows: the text, and the question.
    shown: String,
}

/// A page in a browser that logs in.
struct Page<'h> {
    host: &'h Host,
    cookie: String,
}

impl Page<'_> {
    /// Types name and password.
    fn log_in(&mut self, user: &str, password: &str) -> Reply {
        let authorization = format!("Basic {}", self.base64("-w0", &format!("{user}:{password}")));
        self.send(&authorization)
    }

    /// Answers the question of a reply.
    #[track_caller]
    fn answer(&mut self, reply: &Reply, answer: &str) -> Reply {
        assert_eq!(reply.status, 401, "{reply:?}");
        let authorization = format!("X-Conversation {} {}", reply.conversation, self.base64("-w0", answer));
        self.send(&authorization)
    }

    fn send(&mut self, authorization: &str) -> Reply {
        let mut connection = TcpStream::connect(("127.0.0.1", 9090)).unwrap();
        connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let cookie = &self.cookie;
        let request = format!(
            "GET /cockpit/login HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nConnection: close\r\nX-Superuser: none\r\n{cookie}\
             Authorization: {authorization}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
        while !is_whole(&response) {
            let length = connection.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "{}", String::from_utf8_lossy(&response));
            response.extend_from_slice(&buffer[..length]);
        }
        let response = String::from_utf8_lossy(&response).into_owned();
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {response}"));
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
                .map(|(_, value)| value.to_owned())
        };
        if let Some(cookie) = header("Set-Cookie") {
            self.cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let asked = header("WWW-Authenticate").unwrap_or_default();
        let words: Vec<&str> = asked.split(' ').collect();
        let (conversation, question) = match words[..] {
            ["X-Conversation", id, question] => (id.to_owned(), self.base64("-d", question)),
            _ => (String::new(), String::new()),
        };
        let start = body.find('{').unwrap_or(body.len());
        let end = body.rfind('}').map_or(start, |end| end + 1);
        let body: serde_json::Value = serde_json::from_str(&body[start..end]).unwrap_or_default();
        let message = body["message"].as_str().unwrap_or_default();
        Reply { status, conversation, shown: format!("{message}\n{question}") }
    }

    fn base64(&self, option: &str, text: &str) -> String {
        let mut command = self.host.command("base64");
        let mut process = command.arg(option).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
    }
}

/// Whether a response has its whole body: of a known length, or in chunks, of which the last is empty.
fn is_whole(response: &[u8]) -> bool {
    let response = String::from_utf8_lossy(response).to_ascii_lowercase();
    let Some((head, body)) = response.split_once("\r\n\r\n") else { return false };
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => length.parse().is_ok_and(|length: usize| body.len() >= length),
        None => body.ends_with("0\r\n\r\n"),
    }
}

/// The server, until the end of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On this host's Cockpit alone: that of Debian 13 has systemd start its sessions.
#[test]
fn cockpit_shows_the_secret_and_then_the_recovery_codes_before_it_lets_in() {
    if chosen().is_some() || !programs_met(&[SERVER, "cockpit-bridge"]) {
        return;
    }
    private_host(|host| {
        configure(host, ENROLL);
        host.add_user("alice");
        host.system_service("cockpit", STACK);
        let mut command = host.command(SERVER);
        command.args(["--no-tls", "--address", "127.0.0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _server = Server(command.spawn().unwrap());
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", 9090)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "cockpit does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut page = Page { host, cookie: String::new() };
        let offered = page.log_in("alice", PASSWORD);
        assert!(offered.shown.ends_with(CONFIRM), "{offered:?}");
        assert!(
            !offered.shown.contains('▄') && offered.shown.contains("???"),
            "no picture, as the manual says: {offered:?}"
        );
        let offer = Offer::read(&offered.shown);
        let codes = page.answer(&offered, &offer.app.code(0));
        assert!(codes.shown.ends_with(WRITE_DOWN), "{codes:?}");
        assert_eq!(recovery_codes(&codes.shown).len(), 10, "{codes:?}");
        let opened = page.answer(&codes, "");
        assert_eq!(opened.status, 200, "{opened:?}");
        host.assert_logged(&["enrolled user=alice service=cockpit"]);

        let mut page = Page { host, cookie: String::new() };
        let asked = page.log_in("alice", PASSWORD);
        assert!(asked.shown.ends_with(CODE), "{asked:?}");
        assert_eq!(page.answer(&asked, &offer.app.code(1)).status, 200);
    });
}
