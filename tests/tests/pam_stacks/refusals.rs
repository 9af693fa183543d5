//! What `service` refuses, and that nothing is changed then.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use twofactor_core::pam_service::modules;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, said};

use crate::layout::{Person, files, login, on};

/// Runs the tool, which must end so and say so; nothing in `/etc/pam.d` may have changed.
#[track_caller]
fn refused(host: &Host, arguments: &[&str], code: i32, words: &str) -> Output {
    let before = files();
    let output = host.run_twofactor(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    assert!(said(&output).contains(words), "{words:?} in: {}", said(&output));
    assert_eq!(files(), before, "{arguments:?}");
    output
}

#[test]
fn a_dry_run_shows_the_diff_and_changes_nothing() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let shown = refused(
            host,
            &["service", "enable", "sudo", "--only", "--dry-run"],
            0,
            "+auth       required   pam_twofactor.so",
        );
        let diff = String::from_utf8(shown.stdout).unwrap();
        assert!(diff.starts_with("--- /etc/pam.d/sudo\n+++ /etc/pam.d/sudo\n@@"), "{diff}");
        assert!(!fs::exists("/var/lib/twofactor/services").unwrap());
        let json = host.json(&["service", "enable", "sudo", "--only", "--dry-run"]);
        assert_eq!(json["services"][0]["changed"], true);
        assert_eq!(json["services"][0]["diff"], diff);
    });
}

#[test]
fn without_a_terminal_and_without_yes_nothing_is_done() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        refused(host, &["service", "enable", "sudo", "--only"], 7, "--yes does it without asking");
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        refused(host, &["service", "disable", "sudo"], 7, "--yes does it without asking");
    });
}

#[test]
fn a_host_keeps_an_administrator_who_can_log_in() {
    on("debian-12", |host, _| {
        host.enroll("bobby", &[]);
        host.succeed("usermod", ["--password", "*", "root"]);
        let hint = "run \"twofactor enroll alice\"; --force does it all the same";
        let output = refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, hint);
        assert!(
            said(&output).contains("alice is not enrolled; root is barred (the password is locked)"),
            "{}",
            said(&output)
        );
        refused(
            host,
            &["service", "enable", "sudo", "--only", "--dry-run"],
            0,
            "warning: no administrator could log in with sudo",
        );
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes", "--force"]);
        host.succeed("twofactor", ["service", "disable", "sudo", "--yes"]);

        // An app that no code has confirmed opens nothing.
        host.enroll("alice", &[]);
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, hint);
        // Whoever is asked nothing, or sets one up at login, is not locked out.
        for level in ["optional", "enroll", "off"] {
            host.configure(&format!(
                "[[rule]]\nusers = [\"alice\"]\nservices = [\"sudo\"]\nsecond_factor = \"{level}\"\n"
            ));
            host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
            host.succeed("twofactor", ["service", "disable", "sudo", "--yes"]);
            refused(host, &["service", "enable", "login", "--yes"], 7, hint);
        }
        // A login through sshd is never local.
        host.configure("[[rule]]\nlocal = true\nsecond_factor = \"off\"\n");
        host.succeed("twofactor", ["service", "enable", "login", "--yes"]);
        refused(host, &["service", "enable", "sshd", "--yes"], 7, hint);
    });
}

#[test]
fn services_that_are_none_and_files_that_all_share_are_refused() {
    on("fedora-40-local", |host, _| {
        host.enroll("alice", &[]);
        refused(host, &["service", "enable", "nowhere", "--yes"], 3, "twofactor service list --all");
        refused(host, &["service", "disable", "nowhere", "--yes"], 3, "no PAM service \"nowhere\"");
        refused(host, &["service", "enable", "../passwd", "--yes"], 3, "no PAM service");
        refused(
            host,
            &["service", "enable", "sudo", "--only", "system-auth", "--yes"],
            7,
            "included by other services",
        );
        refused(host, &["service", "enable", "postlogin", "--yes"], 7, "authselect");
        refused(host, &["service", "enable"], 2, "SERVICE");
        refused(host, &["service", "disable", "sudo", "--all"], 2, "--all");
    });
}

#[test]
fn a_link_is_not_followed() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        fs::rename("/etc/pam.d/sudo", "/etc/sudo.pam").unwrap();
        symlink("/etc/sudo.pam", "/etc/pam.d/sudo").unwrap();
        refused(
            host,
            &["service", "enable", "sudo", "--only", "--yes"],
            7,
            "cp --remove-destination /etc/sudo.pam /etc/pam.d/sudo",
        );
        assert!(fs::symlink_metadata("/etc/pam.d/sudo").unwrap().is_symlink());
        // What somebody left at the name of the temporary file is no way out of the folder either.
        symlink("/etc/passwd", "/etc/pam.d/login.twofactor-new").unwrap();
        let passwd = fs::read("/etc/passwd").unwrap();
        host.succeed("twofactor", ["service", "enable", "login", "--yes"]);
        assert_eq!(fs::read("/etc/passwd").unwrap(), passwd);
        assert!(fs::symlink_metadata("/etc/pam.d/login.twofactor-new").is_err());
    });
}

#[test]
fn a_file_that_others_may_change_or_that_is_another_service_too_is_refused() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        for mode in ["0666", "0664"] {
            host.succeed("chmod", [mode, "/etc/pam.d/sudo"]);
            refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, "chmod go-w /etc/pam.d/sudo");
        }
        host.succeed("chmod", ["0644", "/etc/pam.d/sudo"]);
        host.succeed("chown", ["bobby", "/etc/pam.d/sudo"]);
        refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, "may be changed by others than root");
        host.succeed("chown", ["root", "/etc/pam.d/sudo"]);
        fs::hard_link("/etc/pam.d/sudo", "/etc/pam.d/backup-tool").unwrap();
        let words = "cp -p /etc/pam.d/sudo /etc/pam.d/sudo.own && mv /etc/pam.d/sudo.own /etc/pam.d/sudo";
        refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, words);
        host.succeed("sh", ["-c", words]);
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
    });
}

#[test]
fn a_module_that_libpam_would_not_find_is_not_put_in() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        fs::remove_file(modules::folder().unwrap().join(modules::OURS)).unwrap();
        refused(host, &["service", "enable", "sudo", "--only", "--yes", "--force"], 7, "security/pam_twofactor.so");
    });
}

#[test]
fn only_root_may() {
    on("debian-12", |host, _| {
        let tool = host.place("bin/twofactor");
        for arguments in [&["list"][..], &["enable", "sudo", "--only", "--yes"], &["disable", "--all", "--yes"]] {
            let mut command = host.command("setpriv");
            command.args(["--reuid", "bobby", "--clear-groups"]).arg(&tool).arg("service").args(arguments);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", said(&output));
        }
    });
}

#[test]
fn layouts_without_a_safe_place_are_refused_with_the_line_in_the_way() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let account = "account required pam_unix.so\n";
        for (text, words) in [
            ("auth required pam_permit.so\n", "asks for a password"),
            ("auth required pam_env.so\nauth sufficient pam_unix.so\nauth optional pam_mail.so\n", "/etc/pam.d/odd:2"),
            ("auth [success=1 default=ignore] pam_unix.so\nauth required pam_deny.so\n", "never succeeds"),
            ("auth [success=3 default=die] pam_unix.so\nauth required pam_env.so\n", "never succeeds"),
        ] {
            host.system_service("odd", &format!("{text}{account}"));
            refused(host, &["service", "enable", "odd", "--yes"], 7, words);
        }
    });
}

#[test]
fn a_module_that_nobody_knows_lets_nobody_in_with_its_password_alone() {
    on("debian-12", |host, layout| {
        let alice = host.enroll("alice", &["--counter"]);
        host.enroll("bobby", &["--counter"]);
        for module in ["pam_oslogin_login.so", "pam_yubico.so"] {
            layout.stub(host, module, &format!("auth password {PASSWORD}\n"));
        }
        let shipped = fs::read_to_string("/etc/pam.d/sudo").unwrap();
        let first = "[success=done perm_denied=die default=ignore] pam_oslogin_login.so";
        fs::write("/etc/pam.d/sudo", format!("auth {first}\n{shipped}")).unwrap();
        refused(host, &["service", "enable", "sudo", "--only", "--yes"], 7, "lets the first factor alone be enough");

        // By hand it is said, and where there is a place it is found.
        fs::write("/etc/pam.d/sudo", format!("auth {first}\nauth required pam_twofactor.so\n{shipped}")).unwrap();
        let listed = host.json(&["service", "list"]);
        let sudo = listed.as_array().unwrap().iter().find(|one| one["service"] == "sudo").unwrap();
        assert!(sudo["problems"].to_string().contains("lets the first factor alone be enough"), "{sudo}");
        let doctor = host.run_twofactor(&["doctor"]);
        assert_eq!(doctor.status.code(), Some(1));
        assert!(said(&doctor).contains("/etc/pam.d/sudo:1"), "{}", said(&doctor));

        let own = "auth sufficient pam_yubico.so\nauth sufficient pam_unix.so try_first_pass\nauth required pam_deny.so\n\
                   account required pam_unix.so\n";
        fs::write("/etc/pam.d/sudo", own).unwrap();
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
        assert_ne!(login(host, "sudo", Person::with_code("bobby", "")), ReturnCode::SUCCESS, "the password alone");
        assert_eq!(login(host, "sudo", Person::with_code("alice", &alice.next_code())), ReturnCode::SUCCESS);
    });
}

/// Takes a file system away, also while the child of another test, not yet another program, has a file of it open.
fn detach(folder: &str) {
    umount2(folder, MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn a_disk_that_is_full_or_read_only_leaves_everything_as_it_was() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        let folder = "/etc/pam.d";
        mount(Some(folder), folder, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, folder, None::<&str>, read_only, None::<&str>).unwrap();
        refused(
            host,
            &["service", "enable", "sudo", "--only", "login", "--yes"],
            1,
            "cannot write /etc/pam.d/sudo: read-only file system",
        );
        detach(folder);
        assert!(!fs::exists("/var/lib/twofactor/services/sudo").unwrap());
        // The record is there before the file: what a crash between the two leaves harms nobody.
        fs::create_dir("/var/lib/twofactor/services/sudo").unwrap();
        for name in ["before", "after"] {
            fs::write(format!("/var/lib/twofactor/services/sudo/{name}"), name).unwrap();
        }
        host.succeed("chmod", ["--recursive", "go=", "/var/lib/twofactor/services/sudo"]);
        refused(host, &["service", "disable", "--all", "--yes"], 0, "Nothing to do");
        assert!(!fs::exists("/var/lib/twofactor/services/sudo").unwrap());

        let services = "/var/lib/twofactor/services";
        mount(Some("none"), services, Some("tmpfs"), MsFlags::empty(), Some("size=4k,mode=0700")).unwrap();
        refused(host, &["service", "enable", "sudo", "--only", "--yes"], 1, "no space left on device");
        detach(services);
        host.succeed("twofactor", ["service", "enable", "sudo", "--only", "--yes"]);
    });
}

#[test]
fn a_module_that_is_there_and_cannot_be_loaded_is_refused_by_its_line() {
    on("debian-12", |host, layout| {
        host.enroll("alice", &[]);
        let module = modules::folder().unwrap().join("pam_frob.so");
        let refuse = |words: &str| {
            for text in ["auth required pam_frob.so\nauth required pam_unix.so\n", "auth sufficient pam_frob.so\n"] {
                host.system_service("odd", &format!("{text}account required pam_unix.so\n"));
                let refusal = refused(host, &["service", "enable", "odd", "--yes"], 7, "/etc/pam.d/odd:1 (auth ");
                assert!(said(&refusal).contains("that libpam cannot load: "), "{}", said(&refusal));
                assert!(said(&refusal).contains(words), "{words:?}: {}", said(&refusal));
            }
        };
        fs::write(&module, "").unwrap();
        refuse("it is no shared object (ELF)");
        fs::write(&module, "a text").unwrap();
        refuse("it is no shared object (ELF)");
        fs::copy(module.with_file_name("../libpam_misc.so.0"), &module).unwrap();
        refuse("it has no function of a PAM module");
        fs::remove_file(&module).unwrap();
        fs::create_dir(&module).unwrap();
        refuse("is a directory");
        fs::remove_dir(&module).unwrap();
        layout.stub(host, "pam_frob.so", "auth ignore\naccount ignore\n");
        host.system_service(
            "odd",
            "auth optional pam_frob.so\nauth required pam_unix.so\naccount required pam_unix.so\n",
        );
        host.succeed("twofactor", ["service", "enable", "odd", "--yes"]);
    });
}

/// libpam refuses everybody there: it is no service without the module.
#[test]
fn a_line_of_ours_that_libpam_cannot_load_is_a_problem_of_its_own_and_is_refused_by_its_line() {
    on("debian-12", |host, _| {
        let wrong_code = host.enroll("alice", &[]).wrong_code();
        for (line, words) in [
            ("auth required pam_twofactor.so\r", "carriage return"),
            ("auth required pam_twofactor.so\u{a0}", "no-break space"),
            ("auth required pam_twofactor", "names no module that is there"),
            ("auth required PAM_twofactor.so", "names no module that is there"),
            ("auth required /opt/pam_twofactor.so", "names no module that is there"),
            ("auth\u{a0}required pam_twofactor.so", "no-break space"),
            ("auth required\u{a0}pam_twofactor.so", "no-break space"),
            ("\u{feff}auth required pam_twofactor.so", "U+FEFF"),
        ] {
            let text = format!("auth required pam_unix.so\n{line}\naccount required pam_unix.so\n");
            fs::write("/etc/pam.d/odd", &text).unwrap();
            let alice = Person::with_code("alice", &wrong_code);
            assert_ne!(login(host, "odd", alice), ReturnCode::SUCCESS, "the password alone opens nothing: {line:?}");
            let refusal = refused(host, &["service", "enable", "odd", "--yes"], 7, "/etc/pam.d/odd:2 ");
            assert!(said(&refusal).contains(words), "{words:?}: {}", said(&refusal));
            let listed = host.json(&["service", "list"]);
            let odd = listed.as_array().unwrap().iter().find(|one| one["service"] == "odd").unwrap();
            let problems = odd["problems"].to_string();
            assert!(
                problems.contains("/etc/pam.d/odd:2") && !problems.contains("no auth line"),
                "{line:?}: {problems}"
            );
            let doctor = host.run_twofactor(&["--json", "doctor"]);
            let report: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
            let about: Vec<_> = report["findings"].as_array().unwrap().iter().collect();
            let about = |id: &str| about.iter().any(|one| one["id"] == id && one["what"].to_string().contains("odd"));
            assert!(about("module-missing") || about("broken-line"), "{line:?}: {report}");
            assert!(!about("no-auth-line"), "{line:?}: {report}");
        }
    });
}

#[test]
fn a_way_that_would_open_a_missing_module_and_a_carriage_return_are_refused_by_their_lines() {
    on("debian-12", |host, _| {
        host.enroll("alice", &[]);
        for (number, text) in [
            (
                1,
                "auth [success=1 default=ignore] pam_succeed_if.so uid >= 0\nauth required pam_unix.so\naccount required pam_unix.so\n",
            ),
            (1, "auth sufficient pam_nowhere.so\nauth required pam_unix.so\naccount required pam_unix.so\n"),
            (2, "auth required pam_unix.so\naccount required pam_unix.so\r\n"),
            (3, "auth required pam_unix.so\naccount required pam_unix.so\n# why\r\n"),
            (1, "auth required pam_unix.so\u{a0}\naccount required pam_unix.so\n"),
        ] {
            fs::write("/etc/pam.d/odd", text).unwrap();
            let enabled = host.run_twofactor(&["service", "enable", "odd", "--yes"]);
            assert_eq!(enabled.status.code(), Some(7), "{}", said(&enabled));
            assert!(said(&enabled).contains(&format!("/etc/pam.d/odd:{number} ")), "{}", said(&enabled));
            assert_eq!(fs::read_to_string("/etc/pam.d/odd").unwrap(), text);
        }
    });
}
