//! Texts of PAM services, read by us and by this host's libpam.
//!
//! libpam says what it read by what it runs: every module of a text is a stub that reports its phase and its arguments.
//! Shared by the suite `pam_stacks` and the fuzz target `pam_text`.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;
use twofactor_core::pam_service::flow::{self, Assumed, Ending, SoFar};
use twofactor_core::pam_service::{Line, Phase, Reading, Service, ServiceError};

/// The source of the stub, for a host without a compiler.
pub const STUB_SOURCE: &str = include_str!("pam_text/stub.c");

/// Stands for the stub module in a text.
pub const STUB: &str = "STUB";

/// A libpam, that of the host the test runs in, as an application that runs whatever it is given.
#[derive(Debug)]
pub struct Libpam {
    process: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    folder: PathBuf,
    reading: Reading,
}

impl Libpam {
    /// Starts it; `program` is the content of [`crate::artifacts::pam_reader`], because a private host does not see every folder.
    /// Services are described in `folder`, which also gets the stub.
    pub fn start(program: &[u8], folder: &Path) -> Self {
        let stub = Self::compiled_stub(folder);
        Self::start_with(program, &stub, folder)
    }

    /// The stub, compiled in `folder`.
    fn compiled_stub(folder: &Path) -> Vec<u8> {
        let (source, stub) = (folder.join("stub.c"), Self::stub_in(folder));
        fs::write(&source, STUB_SOURCE).unwrap();
        let mut compiler = Command::new("gcc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&stub).arg(&source);
        assert!(compiler.status().expect("gcc runs").success(), "the stub compiles");
        fs::read(stub).unwrap()
    }

    /// Starts it with a stub that was compiled elsewhere.
    pub fn start_with(program: &[u8], stub: &[u8], folder: &Path) -> Self {
        fs::write(Self::stub_in(folder), stub).unwrap();
        let reader = folder.join("pam-reader");
        fs::write(&reader, program).unwrap();
        fs::set_permissions(&reader, Permissions::from_mode(0o700)).unwrap();
        let mut process =
            Command::new(&reader).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut libpam = Self { process, stdin, stdout, folder: folder.to_owned(), reading: Reading::Old };
        libpam
            .describe("other", b"auth required STUB other\naccount required STUB other\nsession required STUB other\n");
        libpam.describe("inner", b"auth required STUB inner\naccount sufficient STUB inner\nsession required STUB\n");
        let swallowed = libpam.run("probe", b"auth required STUB \\\n# a comment\nauth required STUB\n");
        if swallowed.iter().filter(|line| line.starts_with("auth")).count() > 2 {
            libpam.reading = Reading::New;
        }
        libpam
    }

    /// How it puts lines together.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    fn stub_in(folder: &Path) -> PathBuf {
        folder.join("stub.so")
    }

    /// Writes a service's text, with the stub in the place of its name. Gives what was written.
    fn describe(&self, name: &str, text: &[u8]) -> Vec<u8> {
        let stub = Self::stub_in(&self.folder).display().to_string();
        let mut written = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.windows(STUB.len()).position(|window| window == STUB.as_bytes()) {
            written.extend_from_slice(&rest[..at]);
            written.extend_from_slice(stub.as_bytes());
            rest = &rest[at + STUB.len()..];
        }
        written.extend_from_slice(rest);
        fs::write(self.folder.join(name), &written).unwrap();
        written
    }

    /// What libpam did; without a word for the calls that it never came back from.
    fn run(&mut self, name: &str, text: &[u8]) -> Vec<String> {
        self.describe(name, text);
        writeln!(self.stdin, "{name}").unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let report: Value = serde_json::from_str(&line).unwrap();
        let lines = report["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        // Which failure it is, is not ours to say.
        lines
            .map(|line| match line.split_once(' ') {
                Some((call @ ("authenticate" | "account" | "session"), code))
                    if code.parse().is_ok_and(|code: i32| code != 0) =>
                {
                    format!("{call} refused")
                }
                _ => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
            })
            .collect()
    }

    /// What libpam did and we say that it does, where that is not the same.
    pub fn disagreement(&mut self, text: &[u8]) -> Option<String> {
        let theirs = self.run("text", text);
        let written = fs::read(self.folder.join("text")).unwrap();
        let ours = self.as_we_say(&written)?;
        (ours != theirs)
            .then(|| format!("{}\nlibpam: {theirs:#?}\nwe: {ours:#?}", String::from_utf8_lossy(text).escape_debug()))
    }

    /// `None` where we say nothing: what we give up libpam may well run.
    fn as_we_say(&self, text: &[u8]) -> Option<Vec<String>> {
        let file = self.folder.join("text");
        let folders = [self.folder.as_path()];
        let service = match Service::from_text_by(self.reading, "text", &file, text, &folders) {
            Ok(service) => service,
            Err(ServiceError::Unfinished { .. }) => return Some(vec!["start 26".to_owned()]),
            // It crashes, or hangs, or gives the service up.
            Err(_) => return None,
        };
        let stub = Self::stub_in(&self.folder).display().to_string();
        let mut said = vec!["start 0".to_owned()];
        for (phase, call) in [(Phase::Auth, "authenticate"), (Phase::Account, "account"), (Phase::Session, "session")] {
            let lines = service.phase(phase);
            let assumed = |_: usize, line: &Line| {
                if line.module == stub { Assumed::Passes } else { Assumed::Missing }
            };
            let endings = flow::endings_assuming(&lines, &assumed).ok()?;
            let [Ending { so_far, path, .. }] = endings.as_slice() else { return None };
            for line in
                path.iter().map(|step| lines[step.line]).filter(|line| line.runs("stub.so") && line.module == stub)
            {
                let arguments = line.arguments.iter().map(|argument| format!(" ={argument}"));
                said.push(format!("{}{}", phase.word(), arguments.collect::<String>()));
            }
            said.push(format!("{call} {}", if *so_far == SoFar::Success { "0" } else { "refused" }));
        }
        Some(said)
    }
}

/// A word of the stub's: an argument in hexadecimal, or plain. What is no UTF-8 we replace, so it is replaced here.
fn word(word: &str) -> String {
    let Some(hex) = word.strip_prefix('=') else { return word.to_owned() };
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
    format!("={}", String::from_utf8_lossy(&bytes))
}

impl Drop for Libpam {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
