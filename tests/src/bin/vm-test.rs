//! `make vm-test`: a whole Debian boots in QEMU, the package is installed and the console login protected; after a reboot
//! the console asks for password and code.
//!
//! Kernel, systemd, getty and login are Debian's; what is typed goes through the serial console. The machine is emulated
//! (`-accel tcg`) and has no network. Nothing of the host changes: the disk is a file below `target/vm`.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use twofactor_tests::artifacts::{debian_package, workspace};
use twofactor_tests::debian::{Release, bootstrapped};
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{PASSWORD, PASSWORD_HASH, said};
use twofactor_tests::requirements::PATH;
use twofactor_tests::terminal::{Size, Terminal};

/// What a machine needs that a container does not.
const PACKAGES: [&str; 6] = ["dbus", "libpam-systemd", "linux-image-cloud-amd64", "login", "systemd-sysv", "udev"];

/// A boot takes a minute or two without hardware support.
const PATIENCE: Duration = Duration::from_mins(10);

fn main() {
    let started = Instant::now();
    let say = |words: &str| println!("{:>4} s  {words}", started.elapsed().as_secs());
    say("a Debian with a kernel, and the package");
    let root = bootstrapped(Release::Bookworm, &PACKAGES).unwrap_or_else(|reason| panic!("{reason}"));
    let disk = disk(&root, debian_package());

    say("first boot");
    let mut console = Terminal::start(&machine(&root, &disk), Size::LARGE).waiting_up_to(PATIENCE);
    console.expect("login: ");
    console.type_line("root");
    console.expect("Password: ");
    console.type_line(PASSWORD);
    console.expect("# ");
    say("logged in with the password alone; installing");
    run(&mut console, "dpkg --install /root/libpam-twofactor.deb");
    let shown = run(&mut console, "twofactor --json enroll root --counter --no-confirm | tr , '\\n'");
    let fob = fob(&shown);
    say("root is enrolled; the module goes into login");
    run(&mut console, "twofactor service enable login --yes");
    console.type_line("systemctl reboot");

    say("second boot");
    console.expect("login: ");
    let codes = fob.counter_codes(0, 1);
    let wrong = fob.wrong_codes().next().expect("wrong codes are many");
    for (code, expected) in [(&wrong, "Login incorrect"), (&codes[0], "# ")] {
        console.type_line("root");
        console.expect("Password: ");
        console.type_line(PASSWORD);
        console.expect("Verification code: ");
        console.type_line(code);
        console.expect(expected);
        say(if code == &wrong { "a wrong code is refused" } else { "password and code open a session" });
        if code == &wrong {
            console.expect("login: ");
        }
    }
    let log = run(&mut console, "journalctl --boot --no-pager --output=cat --grep='pam_twofactor.*:auth'");
    assert!(
        log.contains("denied user=root service=login") && log.contains("accepted user=root service=login"),
        "{log}"
    );
    console.type_line("systemctl poweroff");
    console.wait();
    fs::remove_dir_all(disk.parent().expect("a folder")).unwrap();
    say("done");
}

/// Runs a command at the prompt, which must succeed, and gives what was shown.
fn run(console: &mut Terminal, command: &str) -> String {
    console.type_line(&format!("{command}; echo ended-$?-here"));
    let (which, shown) = console.expect_any(&["ended-0-here", "ended-1-here", "ended-2-here", "ended-7-here"]);
    assert_eq!(which, 0, "{command}:\n{shown}");
    console.expect("# ");
    shown
}

/// The token of an enrollment, from the URI that the tool printed.
fn fob(shown: &str) -> Authenticator {
    let start = shown.find("otpauth://").unwrap_or_else(|| panic!("no URI: {shown}"));
    let uri = shown[start..].split('"').next().expect("a first part");
    Authenticator::from_uri(uri)
}

/// A disk with the system, root's password and the package.
fn disk(root: &Path, package: &Path) -> PathBuf {
    let folder = workspace().join("target/vm");
    let files = folder.join("root");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    succeed("cp", &["--archive", "--reflink=auto", text(root), text(&files)]);
    fs::copy(package, files.join("root/libpam-twofactor.deb")).unwrap();
    fs::write(files.join("etc/hostname"), "vm\n").unwrap();
    succeed("usermod", &["--root", text(&files), "--password", PASSWORD_HASH, "root"]);
    let disk = folder.join("disk");
    succeed("mke2fs", &["-q", "-t", "ext4", "-d", text(&files), text(&disk), "2G"]);
    fs::remove_dir_all(files).unwrap();
    disk
}

fn machine(root: &Path, disk: &Path) -> Command {
    let boot = |name: &str| {
        let files = fs::read_dir(root.join("boot")).unwrap().flatten().map(|entry| entry.path());
        let mut files =
            files.filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)));
        files.next().unwrap_or_else(|| panic!("no {name} in /boot"))
    };
    let mut machine = Command::new("qemu-system-x86_64");
    machine.args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024", "-nographic", "-nic", "none"]);
    machine.args(["-monitor", "none", "-serial", "stdio"]);
    machine.arg("-kernel").arg(boot("vmlinuz-")).arg("-initrd").arg(boot("initrd.img-"));
    machine.args(["-append", "root=/dev/vda rw console=ttyS0 quiet systemd.mask=systemd-networkd-wait-online.service"]);
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
