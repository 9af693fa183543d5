//! What `service` writes, keeps and takes back, and what `service list` says of it.

use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use twofactor_tests::first_login::recovery_codes;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::random::Random;
use twofactor_tests::terminal::{Size, Terminal};

use crate::layout::{Person, files, login, on};

fn text(service: &str) -> String {
    fs::read_to_string(Path::new("/etc/pam.d").join(service)).unwrap()
}

#[test]
fn owner_and_mode_stay_and_the_log_says_who_changed_what() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        fs::set_permissions("/etc/pam.d/sudo", fs::Permissions::from_mode(0o640)).unwrap();
        host.succeed("chown", ["root:alice", "/etc/pam.d/sudo"]);
        let before = fs::metadata("/etc/pam.d/sudo").unwrap();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        let after = fs::metadata("/etc/pam.d/sudo").unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        host.succeed("twofactor", ["service", "disable", "sudo", "--yes"]);
        let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
        for event in ["service-enabled", "service-disabled"] {
            let line = format!("{event} service=sudo file=/etc/pam.d/sudo");
            assert!(log.iter().any(|logged| logged.contains(&line)), "{line} in {log:?}");
        }
        let kept = fs::metadata("/var/lib/twofactor/services").unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o700);
    });
}

#[test]
fn the_first_change_of_a_host_names_its_state() {
    on("debian-12", |host, _| {
        let marker = Path::new("/etc/twofactor/state.id");
        assert!(!marker.exists(), "nothing is kept yet");
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes", "--force"]);
        assert_eq!(fs::read(marker).unwrap(), fs::read("/var/lib/twofactor/state.id").unwrap());
    });
}

#[test]
fn a_person_is_shown_the_diff_and_asked() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shipped = files();
        for (answer, words) in [("n", "declined; nothing was changed"), ("y", "sudo asks for a second factor now")] {
            assert_eq!(files(), shipped);
            let mut terminal = Terminal::start(&host.twofactor(&["service", "enable", "sudo", "--only"]), Size::LARGE);
            let shown = terminal.expect("Change these files? [y/N] ");
            assert!(shown.contains("+auth       required   pam_twofactor.so"), "{shown}");
            terminal.type_line(answer);
            terminal.expect(words);
        }
        assert_ne!(files(), shipped);
    });
}

#[test]
fn whoever_enables_a_service_of_a_bare_host_is_enrolled_on_the_way() {
    on("debian-12", |host, _| {
        let shipped = files();
        let command = host.twofactor(&["service", "enable", "sudo", "--only"]);
        let mut terminal = Terminal::start(&command, Size::LARGE);
        terminal.expect("no administrator could log in with sudo");
        terminal.expect("Enroll alice now? [y/N] ");
        terminal.type_line("");
        terminal.expect("twofactor enroll alice");
        assert_eq!(terminal.wait().code(), Some(7));

        let mut terminal = Terminal::start(&command, Size::CONSOLE);
        terminal.expect("Enroll alice now? [y/N] ");
        terminal.type_line("y");
        let app = Authenticator::shown_in(&terminal.expect("Code from the app: "));
        assert_eq!(files(), shipped);
        terminal.type_line(&app.code(0));
        terminal.expect("alice is enrolled");
        // The changes to come would push them off the screen.
        terminal.expect("Write the recovery codes down, then press Enter: ");
        let screen = terminal.screen();
        assert!(recovery_codes(&screen).len() == 10 && screen.contains("Secret: "), "{screen}");
        terminal.type_line("");
        terminal.expect("Change these files? [y/N] ");
        terminal.type_line("y");
        terminal.expect("sudo asks for a second factor now");
        let code = app.code(1);
        let alice = Person { user: "alice", password: PASSWORD, code: &code };
        assert_eq!(login(host, "sudo", alice), ReturnCode::SUCCESS);
    });
}

#[test]
fn the_label_of_selinux_stays() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let (file, name, given) = ("/etc/pam.d/sudo", "security.selinux", b"system_u:object_r:etc_t:s0");
        rustix::fs::setxattr(file, name, given, rustix::fs::XattrFlags::empty()).unwrap();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        let mut label = [0; 64];
        let length = rustix::fs::getxattr(file, name, &mut label).unwrap();
        assert_eq!(&label[..length], given);
    });
}

#[test]
fn lines_that_do_not_what_they_are_for_are_put_right_and_shown() {
    on("debian-12", |host, _| {
        let alice = host.enroll("alice", &["--counter"]);
        let wrong = "auth sufficient pam_twofactor.so nullok\n@include common-auth\n@include common-account\naccount optional pam_twofactor.so\n";
        fs::write("/etc/pam.d/sudo", wrong).unwrap();
        let code = alice.next_code();
        let alone = Person { user: "alice", password: "wrong", code: &code };
        assert_eq!(login(host, "sudo", alone), ReturnCode::SUCCESS, "the right code alone was enough");
        let problems = listed(host, "sudo")["problems"].to_string();
        assert!(problems.contains("cannot refuse"), "{problems}");

        let enabled = host.run_twofactor(&["service", "enable", "sudo", "--only", "--yes"]);
        assert!(said(&enabled).contains("-auth sufficient pam_twofactor.so nullok"), "{}", said(&enabled));
        assert!(said(&enabled).contains("cannot refuse"), "{}", said(&enabled));
        assert_eq!(
            text("sudo"),
            "@include common-auth\nauth required pam_twofactor.so nullok\naccount required pam_twofactor.so\n@include common-account\n"
        );
        let code = alice.next_code();
        assert_ne!(login(host, "sudo", Person { user: "alice", password: "wrong", code: &code }), ReturnCode::SUCCESS);
        // Without us there is nothing to go back to that names us.
        host.succeed("twofactor", ["service", "disable", "sudo", "--yes"]);
        assert_eq!(text("sudo"), "@include common-auth\n@include common-account\n");
    });
}

fn listed(host: &Host, service: &str) -> serde_json::Value {
    let list = host.json(&["service", "list", "--all"]);
    let found = list.as_array().unwrap().iter().find(|seen| seen["service"] == service);
    found.unwrap_or_else(|| panic!("{service} in {list}")).clone()
}

#[test]
fn what_somebody_changed_since_stays() {
    on("fedora-40-local", |host, _| {
        host.enroll("alice", &[]);
        let shipped = text("sudo");
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        let more = "session    optional     pam_umask.so\n";
        fs::write("/etc/pam.d/sudo", format!("{}{more}", text("sudo"))).unwrap();
        let disabled = host.run_twofactor(&["service", "disable", "sudo", "--yes"]);
        assert!(said(&disabled).contains("changed since"), "{}", said(&disabled));
        assert_eq!(text("sudo"), format!("{shipped}{more}"), "the substack is an include again");
    });
}

#[test]
fn a_service_of_a_package_gets_a_copy_that_goes_away_again() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        assert!(!files().contains_key("polkit-1"));
        host.succeed("twofactor", ["service", "enable", "polkit-1", "--yes"]);
        assert!(text("polkit-1").contains("pam_twofactor.so"));
        assert_eq!(listed(host, "polkit-1")["auth"]["file"], "/etc/pam.d/polkit-1");
        host.succeed("twofactor", ["service", "disable", "polkit-1", "--yes"]);
        assert!(!files().contains_key("polkit-1"));
    });
}

#[test]
fn a_removal_takes_everything_out_with_a_broken_configuration_and_twice() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shipped = files();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "su", "login", "--yes"]);
        host.configure("this is no TOML");
        fs::write("/etc/pam.d/by-hand", "auth required pam_twofactor.so\n").unwrap();
        let removal = host.run_twofactor(&["service", "disable", "--all", "--yes"]);
        assert_eq!(removal.status.code(), Some(7), "{}", said(&removal));
        assert!(said(&removal).contains("/etc/pam.d/by-hand still runs pam_twofactor.so"), "{}", said(&removal));
        assert!(said(&removal).contains("hint: run \"twofactor service disable by-hand\""), "{}", said(&removal));
        fs::remove_file("/etc/pam.d/by-hand").unwrap();
        assert_eq!(files(), shipped);
        let again = host.run_twofactor(&["service", "disable", "--all", "--yes"]);
        assert!(again.status.success() && again.stderr.len() < 400, "{}", said(&again));
        fs::remove_dir_all("/var/lib/twofactor").unwrap();
        assert!(host.run_twofactor(&["service", "disable", "--all", "--yes"]).status.success());
    });
}

#[test]
fn a_service_by_name_is_switched_off_with_a_broken_configuration_too() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shipped = files();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "su", "--yes"]);
        host.configure("this is no TOML");
        let disabled = host.run_twofactor(&["service", "disable", "sudo", "su", "--yes"]);
        assert!(disabled.status.success(), "{}", said(&disabled));
        assert!(said(&disabled).contains("going on with the state folder /var/lib/twofactor"), "{}", said(&disabled));
        assert_eq!(files(), shipped);
    });
}

#[test]
fn lines_that_no_record_knows_are_named_with_the_command_that_takes_them_out_and_copies_are_not() {
    on("debian-12", |host, _| {
        let line = "auth required pam_twofactor.so\n";
        for name in
            ["odd", "odd.bak", "odd~", "odd.dpkg-old", "odd.dpkg-dist", "odd.rpmsave", "odd.rpmnew", "odd.pam-old"]
        {
            fs::write(Path::new("/etc/pam.d").join(name), line).unwrap();
        }
        fs::write("/etc/pam.d/even", format!("{line}auth required pam_unix.so\naccount required pam_unix.so\n"))
            .unwrap();
        fs::write("/usr/lib/pam.d/of-package", line).unwrap();
        let removal = host.run_twofactor(&["--quiet", "service", "disable", "--all", "--yes"]);
        let warnings = String::from_utf8(removal.stderr).unwrap();
        assert_eq!(
            warnings,
            "twofactor: warning: /etc/pam.d/even still runs pam_twofactor.so\n\
             twofactor: warning: /etc/pam.d/odd still runs pam_twofactor.so\n\
             twofactor: warning: /usr/lib/pam.d/of-package still runs pam_twofactor.so\n\
             twofactor: hint: run \"twofactor service disable even odd\"\n\
             twofactor: hint: take the lines out by hand: /usr/lib/pam.d/of-package\n\
             twofactor: error: not everything was taken out: pam_twofactor.so is still run by /etc/pam.d/even, \
             /etc/pam.d/odd, /usr/lib/pam.d/of-package\n"
        );
        host.succeed("twofactor", ["service", "disable", "even", "--yes"]);
        assert_eq!(text("even"), "auth required pam_unix.so\naccount required pam_unix.so\n");
    });
}

#[test]
fn the_way_back_names_every_service_and_where_the_copies_are() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shipped = text("su");
        let said = host.succeed("twofactor", ["service", "enable", "su", "login", "--yes"]);
        assert!(said.contains("As it was before: twofactor service disable su login\n"), "{said}");
        for service in ["su", "login"] {
            assert!(said.contains(&format!("Copy: /var/lib/twofactor/services/{service}/before\n")), "{said}");
        }
        assert_eq!(fs::read_to_string("/var/lib/twofactor/services/su/before").unwrap(), shipped);
    });
}

/// What happens in a folder, waited for: a test that looked again and again would take a processor from what it tests.
struct Changes(Inotify);

impl Changes {
    fn of(folder: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
        inotify.add_watch(folder, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVED_TO).unwrap();
        Self(inotify)
    }

    /// Until something happens, or `most` is over.
    fn wait(&self, most: Duration) {
        let most = PollTimeout::try_from(most).unwrap();
        let _ = poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], most).unwrap();
        // Whatever it was. An error says that it was nothing.
        let _ = self.0.read_events();
    }
}

#[test]
fn killed_at_any_moment_every_file_is_the_old_one_or_the_new_one_and_goes_back() {
    on("debian-12", |host, layout| {
        host.enroll("alice", &[]);
        let shipped = files();
        let arguments = ["service", "enable", "sudo", "--only", "login", "su", "--yes"];
        let enabled_and_disabled = || {
            let started = Instant::now();
            host.succeed("twofactor", arguments);
            let (took, enabled) = (started.elapsed(), files());
            host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
            (took, enabled)
        };
        let (mut whole, enabled) = enabled_and_disabled();
        let seed = Random::seed();
        let mut random = Random::new(seed);
        let mut in_between = 0;
        let changes = Changes::of(Path::new("/etc/pam.d"));
        for round in 0..60 {
            // Trying it in libpam takes most of the time and writes nothing here; without the stub there is no trial.
            if round == 10 {
                layout.remove("pam_debug.so");
                whole = enabled_and_disabled().0;
            }
            let mut process = host.twofactor(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // At a moment by chance, or as soon as the first file is another.
            match round % 2 {
                0 => std::thread::sleep(Duration::from_nanos(random.below(u64::try_from(whole.as_nanos()).unwrap()))),
                _ => {
                    while fs::read("/etc/pam.d/sudo").ok().as_ref() == shipped.get("sudo")
                        && process.try_wait().unwrap().is_none()
                    {
                        changes.wait(Duration::from_millis(10));
                    }
                }
            }
            process.kill().unwrap();
            process.wait().unwrap();
            let mut found = files();
            found.retain(|name, _| !name.ends_with(".twofactor-new"));
            for (name, content) in &found {
                assert!(
                    Some(content) == shipped.get(name) || Some(content) == enabled.get(name),
                    "seed {seed}: {name}"
                );
            }
            in_between += usize::from(found != shipped && found != enabled);
            host.succeed("twofactor", ["service", "disable", "--all", "--yes"]);
            let mut found = files();
            found.retain(|name, _| !name.ends_with(".twofactor-new"));
            assert_eq!(found, shipped, "seed {seed}");
        }
        // How often it was met between two files is chance; the next run takes what was left over away.
        eprintln!("killed between two files {in_between} times of 60");
        host.succeed("twofactor", arguments);
        assert_eq!(files(), enabled);
    });
}

#[test]
fn the_list_says_where_and_through_what() {
    on("fedora-40-local", |host, _| {
        host.enroll("alice", &[]);
        host.succeed("twofactor", ["service", "enable", "su", "--yes"]);
        let list = host.json(&["service", "list"]);
        let names: Vec<&str> = list.as_array().unwrap().iter().map(|seen| seen["service"].as_str().unwrap()).collect();
        assert_eq!(names, ["gdm-password", "login", "polkit-1", "sshd", "su", "su-l", "sudo", "sudo-i"]);
        for service in ["su", "su-l"] {
            let seen = listed(host, service);
            assert_eq!(
                (&seen["auth"]["file"], &seen["auth"]["control"]),
                (&"/etc/pam.d/su".into(), &"required".into()),
                "{seen}"
            );
            assert_eq!(seen["problems"], serde_json::json!([]), "{seen}");
        }
        assert_eq!(listed(host, "sudo")["enabled"], false);
        let through = host.run_twofactor(&["service", "disable", "su-l", "--yes"]);
        assert_eq!(through.status.code(), Some(7), "{}", said(&through));
        assert!(said(&through).contains("through another file: /etc/pam.d/su:"), "{}", said(&through));
        let shown = host.succeed("twofactor", ["service", "list"]);
        assert!(
            shown.lines().any(|line| line.contains("su-l") && line.contains("required, su:10  required, su:12")),
            "{shown}"
        );
    });
}

#[test]
fn bytes_that_are_no_utf_8_stay() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let before = [&b"# caf\xe9\n"[..], &fs::read("/etc/pam.d/sudo").unwrap()].concat();
        fs::write("/etc/pam.d/sudo", &before).unwrap();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        assert!(fs::read("/etc/pam.d/sudo").unwrap().starts_with(b"# caf\xe9\n"));
        host.succeed("twofactor", ["service", "disable", "sudo", "--yes"]);
        assert_eq!(fs::read("/etc/pam.d/sudo").unwrap(), before);
    });
}
