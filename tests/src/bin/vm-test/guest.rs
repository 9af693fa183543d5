//! A virtual machine: its disk, QEMU, and the console on which root types.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use twofactor_tests::artifacts::{pam_login, workspace};
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{PASSWORD, PASSWORD_HASH, said};
use twofactor_tests::requirements::PATH;
use twofactor_tests::terminal::{Size, Terminal};

/// A boot takes a minute or two without hardware support.
const PATIENCE: Duration = Duration::from_mins(10);

/// The network card of a machine. The wire between two machines is a Unix socket.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Card<'p> {
    /// None.
    Without,
    /// One end of the wire, which is there first.
    First(&'p Path),
    /// The other end.
    Second(&'p Path),
}

impl Card<'_> {
    fn arguments(self) -> Vec<String> {
        let wire = |ends: &str, address: u8, path: &Path| {
            let device = format!("virtio-net-pci,netdev=wire,mac=52:54:00:00:00:0{address}");
            let wire = format!("stream,id=wire,{ends},addr.type=unix,addr.path={}", path.display());
            ["-netdev".to_owned(), wire, "-device".to_owned(), device].to_vec()
        };
        match self {
            Self::Without => ["-nic", "none"].map(str::to_owned).to_vec(),
            Self::First(path) => wire("server=on", 1, path),
            Self::Second(path) => wire("server=off", 2, path),
        }
    }
}

/// A running machine.
pub(crate) struct Guest {
    console: Terminal,
    machine: Command,
}

impl Guest {
    /// Boots the machine from its disk. `stays_off` are units of the system that have no part in it.
    pub(crate) fn boot(root: &Path, disk: &Path, card: Card<'_>, stays_off: &[&str]) -> Self {
        let machine = machine(root, disk, card, stays_off);
        Self { console: Terminal::start(&machine, Size::LARGE).waiting_up_to(PATIENCE), machine }
    }

    /// Logs root in, with a code when one is asked for.
    pub(crate) fn log_in(&mut self, code: Option<&str>, expected: &str) {
        self.log_in_as("root", code, expected);
    }

    /// The same of a user.
    pub(crate) fn log_in_as(&mut self, user: &str, code: Option<&str>, expected: &str) {
        self.console.expect("login: ");
        self.console.type_line(user);
        self.console.expect("Password: ");
        self.console.type_line(PASSWORD);
        if let Some(code) = code {
            self.console.expect("Verification code: ");
            self.console.type_line(code);
        }
        self.console.expect(expected);
    }

    /// Ends the session at the console.
    pub(crate) fn log_out(&mut self) {
        self.console.type_line("exit");
    }

    /// Types a command that asks for something, and the answer; it must succeed.
    #[track_caller]
    pub(crate) fn run_answering(&mut self, command: &str, question: &str, answer: &str) -> String {
        self.console.type_line(&format!("{command}; echo ended-$?-\"here\""));
        self.console.expect(question);
        self.console.type_line(answer);
        let (ended, shown) = self.ended();
        assert!(ended, "{command}:\n{shown}");
        shown
    }

    /// Reboots: QEMU ends, and is started again.
    pub(crate) fn reboot(&mut self) {
        self.console.type_line("systemctl reboot");
        self.console.wait();
        self.console = Terminal::start(&self.machine, Size::LARGE).waiting_up_to(PATIENCE);
    }

    /// Switches the machine off and waits for the end of QEMU.
    pub(crate) fn power_off(&mut self) {
        self.console.type_line("systemctl poweroff");
        self.console.wait();
    }

    /// Runs a command at the prompt, which must succeed, and gives what was shown.
    #[track_caller]
    pub(crate) fn run(&mut self, command: &str) -> String {
        let (ended, shown) = self.attempt(command);
        assert!(ended, "{command}:\n{shown}");
        shown
    }

    /// Runs a command at the prompt. True when it succeeded, and what was shown.
    pub(crate) fn attempt(&mut self, command: &str) -> (bool, String) {
        // The echo of the typed line has quotes there.
        self.console.type_line(&format!("{command}; echo ended-$?-\"here\""));
        self.ended()
    }

    fn ended(&mut self) -> (bool, String) {
        let (_, shown) = self.console.expect_any(&["-here\r"]);
        self.console.expect("# ");
        let ended = shown.rsplit_once("ended-").is_some_and(|(_, status)| status == "0-here\r");
        (ended, shown)
    }

    /// True when PAM in a program of the user `as_user` lets `user` in with this answer.
    pub(crate) fn opens(&mut self, as_user: &str, user: &str, answer: &str) -> bool {
        self.attempt(&format!("ask {as_user} {user} {answer}")).0
    }
}

/// The token of an enrollment, from the URI that the tool printed.
pub(crate) fn token_in(shown: &str) -> Authenticator {
    let start = shown.find("otpauth://").unwrap_or_else(|| panic!("no URI: {shown}"));
    let uri = shown[start..].split('"').next().expect("a first part");
    Authenticator::from_uri(uri)
}

/// Asks in a program of another user, as a screen locker does: `ask AS_USER USER [ANSWER]`. It fails when PAM refuses.
const ASK: &str = r#"#!/bin/sh
as_user=$1 user=$2; shift 2
for answer; do printf 'answer %s\n' "$(printf %s "$answer" | od -An -v -tx1 | tr -d ' \n')"; done |
    setpriv --reuid="$as_user" --regid="$as_user" --clear-groups pam-login --confdir '' --service locker --user "$user" |
    tee /run/asked
grep -q '"status":0' /run/asked
"#;

/// The files of the machines.
pub(crate) fn folder() -> PathBuf {
    workspace().join("target/vm")
}

/// A disk with the system, a name, root's password, packages in root's home, a user for each of `users` and what [`Guest::opens`]
/// needs.
pub(crate) fn disk(root: &Path, name: &str, packages: &[PathBuf], users: &[&str], files: &[(&str, &str)]) -> PathBuf {
    let folder = folder().join(name);
    let content = folder.join("root");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    succeed("cp", &["--archive", "--reflink=auto", text(root), text(&content)]);
    for package in packages {
        fs::copy(package, content.join("root").join(package.file_name().expect("a file"))).unwrap();
    }
    fs::write(content.join("etc/hostname"), format!("{name}\n")).unwrap();
    succeed("usermod", &["--root", text(&content), "--password", PASSWORD_HASH, "root"]);
    for user in users {
        succeed("useradd", &["--root", text(&content), "--user-group", "--create-home", user]);
        succeed("usermod", &["--root", text(&content), "--password", PASSWORD_HASH, "--shell", "/bin/bash", user]);
    }
    fs::copy(pam_login(), content.join("usr/local/bin/pam-login")).unwrap();
    for (path, text) in [("usr/local/bin/ask", ASK)].iter().chain(files) {
        let path = content.join(path);
        fs::write(&path, text).unwrap();
        let mode = if path.starts_with(content.join("usr/local/bin")) { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let disk = folder.join("disk");
    succeed("mke2fs", &["-q", "-t", "ext4", "-d", text(&content), text(&disk), "2G"]);
    fs::remove_dir_all(content).unwrap();
    disk
}

fn machine(root: &Path, disk: &Path, card: Card<'_>, stays_off: &[&str]) -> Command {
    let boot = |name: &str| {
        let files = fs::read_dir(root.join("boot")).unwrap().flatten().map(|entry| entry.path());
        let mut files =
            files.filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)));
        files.next().unwrap_or_else(|| panic!("no {name} in /boot"))
    };
    let mut machine = Command::new("qemu-system-x86_64");
    machine.args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nographic"]);
    machine.args(card.arguments());
    machine.args(["-monitor", "none", "-serial", "stdio", "-no-reboot"]);
    machine.arg("-kernel").arg(boot("vmlinuz-")).arg("-initrd").arg(boot("initrd.img-"));
    let masked = ["systemd-networkd-wait-online.service"].iter().chain(stays_off);
    let masked: Vec<String> = masked.map(|unit| format!("systemd.mask={unit}")).collect();
    machine.arg("-append").arg(format!("root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 {}", masked.join(" ")));
    machine.arg("-drive").arg(format!("file={},if=virtio,format=raw,cache=unsafe", disk.display()));
    machine.env("PATH", PATH);
    machine
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn succeed(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).env("PATH", PATH).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), said(&output));
}
