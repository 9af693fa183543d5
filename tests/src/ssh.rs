//! A real sshd in a private host, and real ssh clients.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::private_host::Host;
use crate::requirements;
use crate::said::said;
use crate::terminal::{Size, Terminal};

/// The PAM service of sshd: the password, then our module.
pub const STACK: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so
account required pam_unix.so
session required pam_permit.so
";

/// An sshd that listens on the loopback interface of its host.
#[derive(Debug)]
pub struct Sshd<'h> {
    host: &'h Host,
    process: Option<Child>,
}

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct Client<'c> {
    /// Who logs in.
    pub user: &'c str,
    /// What the client answers to a prompt for a password.
    pub password: &'c str,
    /// What it answers to a prompt for a code.
    pub code: &'c str,
    /// Further options, as after `-o`.
    pub options: &'c [&'c str],
}

/// What came of a client.
#[derive(Debug)]
pub struct Session {
    /// Exit status and output of the client.
    pub output: Output,
    /// The prompts it was shown, in order, without the `(user@host) ` that ssh puts before them.
    pub prompts: Vec<String>,
}

/// Branches of a shell's `case` that answer prompts for a password and a code.
const PASSWORD_AND_CODE: &str =
    "*assword*) printf '%s\\n' \"$ANSWER_PASSWORD\" ;;\n*code*) printf '%s\\n' \"$ANSWER_CODE\" ;;\n";

impl Session {
    /// True when the remote command ran and the client was shown nothing but its output: no prompt, no text.
    pub fn opened_in_silence(&self) -> bool {
        self.opened() && self.prompts.is_empty() && self.output.stderr.is_empty()
    }

    /// Whether the remote command ran.
    pub fn opened(&self) -> bool {
        self.output.status.success() && String::from_utf8_lossy(&self.output.stdout).trim_end() == MARK_SHOWN
    }
}

/// The remote command. Its output differs from its text, so an echo cannot be taken for it.
pub const MARK: &str = "echo session-$((40+2))-$(id -un | tr a-z A-Z | wc -c)";
const MARK_SHOWN: &str = "session-42-6";

impl Host {
    /// Starts sshd with further lines of configuration.
    pub fn sshd(&self, configuration: &str) -> Sshd<'_> {
        self.sshd_with(STACK, configuration)
    }

    /// Starts sshd as the distribution does: with `/etc/ssh/sshd_config` and the system's PAM service.
    pub fn sshd_of_the_system(&self) -> Sshd<'_> {
        self.succeed("ssh-keygen", ["-A"]);
        let program = requirements::program("sshd").expect("sshd was found before");
        let mut command = self.command(program);
        command.args(["-D", "-o", "UseDNS=no"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("sshd starts");
        let sshd = Sshd { host: self, process: Some(process) };
        sshd.wait_until_it_listens();
        sshd
    }

    /// Starts sshd with a PAM service of its own and further lines of configuration.
    pub fn sshd_with(&self, stack: &str, configuration: &str) -> Sshd<'_> {
        self.sshd_prepared(stack, configuration, |_| ())
    }

    /// The same, after `prepare` has given the program an environment of its own, such as another time.
    pub fn sshd_prepared(&self, stack: &str, configuration: &str, prepare: impl FnOnce(&mut Command)) -> Sshd<'_> {
        self.system_service("sshd", stack);
        let key = self.place("host_key");
        let key = key.to_str().unwrap();
        if !fs::exists(key).unwrap() {
            self.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
        }
        // sshd takes the first value of a keyword, so a test's lines come first.
        let file = self.place("sshd_config");
        let common = format!(
            "ListenAddress 127.0.0.1\nHostKey {key}\nUsePAM yes\nKbdInteractiveAuthentication yes\n\
             PasswordAuthentication no\nUseDNS no\nPrintMotd no\nPrintLastLog no\nPidFile none\n{}",
            patience()
        );
        fs::write(&file, format!("{configuration}\n{common}")).unwrap();
        self.start_sshd(&["-f", file.to_str().unwrap()], prepare)
    }

    /// Starts sshd with the configuration and PAM service that the host has.
    pub fn own_sshd(&self) -> Sshd<'_> {
        self.start_sshd(&["-o", "ListenAddress=127.0.0.1", "-o", "PidFile=none"], |_| ())
    }

    fn start_sshd(&self, arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Sshd<'_> {
        let program = requirements::program("sshd").expect("sshd was found before");
        let mut command = self.command(program);
        command.arg("-D").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        prepare(&mut command);
        let process = command.spawn().expect("sshd starts");
        let sshd = Sshd { host: self, process: Some(process) };
        sshd.wait_until_it_listens();
        sshd
    }
}

impl Sshd<'_> {
    /// Logs in with answers given by pattern (`SSH_ASKPASS`) and runs [`MARK`].
    pub fn client(&self, client: &Client<'_>) -> Session {
        self.client_answering(client, PASSWORD_AND_CODE)
    }

    /// [`Sshd::client`] with variables of its own.
    pub fn client_with(&self, client: &Client<'_>, variables: &[(&str, &str)]) -> Session {
        self.client_run(client, PASSWORD_AND_CODE, variables)
    }

    /// Runs a command through ssh, which must succeed. What the client said and the module logged is shown where it does not.
    #[track_caller]
    pub fn opens(&self, client: &Client<'_>) {
        let session = self.client(client);
        assert!(
            session.opened(),
            "{}\n{:?}\nlog:\n{}",
            said(&session.output),
            session.prompts,
            self.host.module_log().join("\n")
        );
    }

    /// [`Sshd::client`] with branches of a shell's `case` on the prompt, each of which prints an answer.
    pub fn client_answering(&self, client: &Client<'_>, branches: &str) -> Session {
        self.client_run(client, branches, &[])
    }

    fn client_run(&self, client: &Client<'_>, branches: &str, variables: &[(&str, &str)]) -> Session {
        let prompts = self.host.place("prompts");
        let _ = fs::remove_file(&prompts);
        let mut command = self.command(client);
        let asked = self.host.script(
            "askpass",
            // A notice that a key wants to be touched is no prompt.
            &format!(
                "#!/bin/sh\n[ \"$SSH_ASKPASS_PROMPT\" != none ] || exit 0\nprintf '%s\\0' \"$1\" >> {}\n\
                 case \"$1\" in\n{branches}esac\n",
                prompts.display()
            ),
        );
        command.arg(MARK).env("SSH_ASKPASS", asked).env("SSH_ASKPASS_REQUIRE", "force");
        command.env("ANSWER_PASSWORD", client.password).env("ANSWER_CODE", client.code);
        command.envs(variables.iter().copied());
        let output = command.stdin(Stdio::null()).output().expect("ssh runs");
        let asked = fs::read_to_string(&prompts).unwrap_or_default();
        let prompts = asked.split_terminator('\0').map(|prompt| bare(prompt).to_owned()).collect();
        Session { output, prompts }
    }

    /// Starts an interactive client on a terminal.
    pub fn terminal(&self, client: &Client<'_>) -> Terminal {
        self.terminal_in(client, "C.UTF-8")
    }

    /// The same in another locale.
    pub fn terminal_in(&self, client: &Client<'_>, locale: &str) -> Terminal {
        Terminal::start(&self.interactive(client, locale), Size::LARGE)
    }

    /// The same in a window of another size.
    pub fn terminal_of(&self, client: &Client<'_>, size: Size) -> Terminal {
        Terminal::start(&self.interactive(client, "C.UTF-8"), size)
    }

    fn interactive(&self, client: &Client<'_>, locale: &str) -> Command {
        let mut command = self.command(client);
        command.env("LANG", locale).arg("-tt").arg("exec /bin/sh");
        command
    }

    /// Waits until no login is under way and no session is open: what a client that hung up has started is over.
    #[track_caller]
    pub fn wait_until_everybody_left(&self) {
        let started = Instant::now();
        while daemons() > 1 {
            assert!(started.elapsed() < Duration::from_secs(30), "somebody is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn command(&self, client: &Client<'_>) -> Command {
        let mut command = self.host.command("ssh");
        // ssh takes the first value of an option, so a test's come first.
        for option in client.options {
            command.args(["-o", option]);
        }
        command.args(["-F", "none", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]);
        command.args(["-o", "LogLevel=ERROR", "-o", "NumberOfPasswordPrompts=1"]);
        // The keys of the default would take most of what these suites compute: a tenth of a second for each connection.
        command.args(["-o", "KexAlgorithms=curve25519-sha256"]);
        command.arg(format!("{}@127.0.0.1", client.user));
        command
    }

    fn wait_until_it_listens(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", 22)).is_err() {
            let log: Vec<String> = self.host.log().into_iter().map(|line| line.text).collect();
            assert!(started.elapsed() < Duration::from_secs(30), "sshd does not listen:\n{}", log.join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sshd<'_> {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.host.kill(process);
        }
    }
}

/// OpenSSH 9.8 and later turn the address of failed logins away for a while, and all tests come from one address. Before,
/// the keyword is an error.
fn patience() -> &'static str {
    if fs::exists("/usr/lib/openssh/sshd-session").unwrap() { "PerSourcePenalties no\n" } else { "" }
}

/// The processes of sshd in this host: the one that listens, and those of every connection.
fn daemons() -> usize {
    let processes = fs::read_dir("/proc").expect("a private /proc").flatten();
    let names = processes.filter_map(|process| fs::read_to_string(process.path().join("comm")).ok());
    // OpenSSH 9.8 and later run a session as `sshd-session` and its login as `sshd-auth`.
    names.filter(|name| name.starts_with("sshd")).count()
}

/// A prompt without what the client put before it.
fn bare(prompt: &str) -> &str {
    match prompt.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
        Some((_, words)) => words,
        None => prompt,
    }
}

/// A user's key pair that sshd accepts; gives the option for the client.
pub fn authorized_key(host: &Host, user: &str) -> String {
    let key: PathBuf = host.place(&format!("key_{user}"));
    host.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()]);
    let folder = format!("/home/{user}/.ssh");
    fs::create_dir(&folder).unwrap();
    fs::copy(key.with_extension("pub"), format!("{folder}/authorized_keys")).unwrap();
    host.succeed("chown", ["-R", user, &folder]);
    format!("IdentityFile={}", key.display())
}
