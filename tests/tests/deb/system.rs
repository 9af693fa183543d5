//! What the tests do with a Debian system, and what they look at.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use twofactor_tests::debian::PACKAGE;
use twofactor_tests::private_host::{Host, PASSWORD, PASSWORD_HASH, said};
use twofactor_tests::ssh::{Client, Session, Sshd};
use twofactor_tests::terminal::{Size, Terminal};
use twofactor_tests::twofactor::Enrollment;

/// Where the package puts the module; the same folder as `/lib/…`, where libpam looks.
pub(crate) fn module() -> String {
    let machine = std::env::consts::ARCH;
    format!("/usr/lib/{machine}-linux-gnu/security/pam_twofactor.so")
}

/// One of dpkg's programs, which must not ask anything.
pub(crate) fn packaging(host: &Host, program: &str, arguments: &[&str]) -> Command {
    let mut command = host.command(program);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// Runs one of dpkg's programs, whatever comes of it.
pub(crate) fn attempt(host: &Host, program: &str, arguments: &[&str]) -> Output {
    packaging(host, program, arguments).output().unwrap()
}

/// The same when it must succeed; gives what it wrote.
#[track_caller]
pub(crate) fn done(host: &Host, program: &str, arguments: &[&str]) -> String {
    let output = attempt(host, program, arguments);
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), said(&output));
    said(&output)
}

/// Installs the package under test.
#[track_caller]
pub(crate) fn install(host: &Host) {
    done(host, "dpkg", &["--install", PACKAGE]);
}

/// The package under test, changed: `edit` gets the folder that `dpkg-deb --raw-extract` makes of it. Nothing is compiled
/// again.
pub(crate) fn repacked(host: &Host, name: &str, edit: impl FnOnce(&Path)) -> String {
    let folder = format!("/root/{name}");
    done(host, "dpkg-deb", &["--raw-extract", PACKAGE, &folder]);
    edit(Path::new(&folder));
    let package = format!("/root/{name}.deb");
    // Not compressed, which would take longer than installing it.
    done(host, "dpkg-deb", &["-Znone", "--root-owner-group", "--build", &folder, &package]);
    fs::remove_dir_all(folder).unwrap();
    package
}

/// The same program in a higher version.
pub(crate) fn newer(host: &Host) -> String {
    repacked(host, "newer", |folder| {
        let control = folder.join("DEBIAN/control");
        let text = fs::read_to_string(&control).unwrap();
        let version = text.lines().find(|line| line.starts_with("Version: ")).unwrap().to_owned();
        fs::write(control, text.replace(&version, "Version: 99.0-1")).unwrap();
    })
}

/// Every file below some folders with its content.
pub(crate) fn contents(folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting: Vec<_> = folders.iter().map(|folder| Path::new(folder).to_owned()).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => waiting.push(entry.path()),
                kind if kind.is_file() => {
                    files.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap());
                }
                _ => {}
            }
        }
    }
    files
}

/// The files and folders whose content differs.
#[track_caller]
pub(crate) fn assert_same(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) {
    let names = before.keys().chain(after.keys());
    let changed: Vec<_> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    assert!(changed.is_empty(), "changed: {changed:?}");
}

/// The lines of PAM that name the module.
pub(crate) fn lines_naming_the_module() -> Vec<String> {
    let files = contents(&["/etc/pam.d"]);
    let lines = files.iter().flat_map(|(name, content)| {
        let text = String::from_utf8_lossy(content).into_owned();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.into_iter().map(move |line| format!("{name}: {line}"))
    });
    lines.filter(|line| line.contains("pam_twofactor.so") && !line.contains(": #")).collect()
}

/// PAM names the module only where it is.
#[track_caller]
pub(crate) fn assert_pam_names_nothing_missing() {
    let lines = lines_naming_the_module();
    assert!(lines.is_empty() || Path::new(&module()).exists(), "the module is gone, but PAM names it: {lines:?}");
    let half_written = contents(&["/etc/pam.d"]).into_iter().filter(|(name, content)| {
        name.contains("/common-") && !name.ends_with(".pam-new") && !content.ends_with(b"\n")
    });
    assert_eq!(half_written.count(), 0, "a file of PAM was cut off");
}

/// Gives root the password of everybody else.
pub(crate) fn password_for_root(host: &Host) {
    host.succeed("usermod", ["--password", PASSWORD_HASH, "root"]);
}

/// Whether root gets a shell from `login` with the password and, where it is asked for, a code.
pub(crate) fn root_logs_in(host: &Host, fob: Option<&Enrollment>) -> bool {
    let mut terminal = Terminal::start(host.command("login").arg("root"), Size::LARGE);
    terminal.expect("Password: ");
    terminal.type_line(PASSWORD);
    let (mut which, _) = terminal.expect_any(&["# ", "incorrect", "Verification code: "]);
    if which == 2 {
        terminal.type_line(&fob.expect("root has a token when a code is asked for").next_code());
        which = terminal.expect_any(&["# ", "incorrect"]).0;
    }
    if which == 0 {
        terminal.type_line("exit");
        terminal.wait();
    }
    which == 0
}

/// A login of alice over ssh, by whatever method the server offers.
pub(crate) fn ssh(sshd: &Sshd<'_>, code: &str) -> Session {
    sshd.client(&Client { user: "alice", password: PASSWORD, code, options: &[] })
}

/// Puts the module into a service, as a sysadmin does.
pub(crate) fn switch_on(host: &Host, service: &str) {
    host.succeed("twofactor", ["service", "enable", service, "--yes"]);
}
