//! dpkg killed half-way, at every command of its scripts: root still logs in, and dpkg finishes when it is asked again.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use twofactor_tests::debian::{PACKAGE, debian};
use twofactor_tests::private_host::Host;
use twofactor_tests::twofactor::Enrollment;

use crate::system::{
    assert_pam_names_nothing_missing, attempt, done, install, lines_naming_the_module, module, newer,
    password_for_root, repacked, root_logs_in, switch_on,
};

/// More commands than a script has.
const COMMANDS: usize = 40;

/// Where a script finds the number of the command before which it dies, together with dpkg. Without the file it lives.
const DEATH: &str = "/root/dies-before";

/// The package with a script that can be told when to die. It is the same script, run by bash, whose DEBUG trap is called
/// before each command outside of functions.
fn mortal(host: &Host, script: &str) -> String {
    repacked(host, "mortal", |folder| {
        let path = folder.join("DEBIAN").join(script);
        let text = fs::read_to_string(&path).unwrap();
        let rest = text.strip_prefix("#!/bin/sh\n").expect("a script of the shell");
        let trap = format!(
            "#!/bin/bash\ndeath=$(cat {DEATH} 2>/dev/null || echo 0)\ncommand=0\n\
             trap 'if ((++command == death)); then kill -KILL $PPID $$; fi' DEBUG\n"
        );
        fs::write(&path, format!("{trap}{rest}")).unwrap();
    })
}

/// Runs dpkg until it lives to the end, each time dying one command later. Looks at the system after each death, and gives
/// how often it died.
fn die_at_every_command(
    dpkg: impl Fn() -> std::process::Output,
    afterwards: impl Fn(usize),
    again: impl Fn(),
) -> usize {
    for command in 1..COMMANDS {
        fs::write(DEATH, command.to_string()).unwrap();
        let output = dpkg();
        fs::remove_file(DEATH).unwrap();
        if output.status.success() {
            return command - 1;
        }
        assert_eq!(output.status.signal(), Some(9), "dpkg ended by itself: {output:?}");
        afterwards(command);
        again();
    }
    panic!("the script goes on for ever");
}

#[track_caller]
fn assert_root_logs_in(host: &Host, fob: Option<&Enrollment>, when: &str) {
    assert_pam_names_nothing_missing();
    assert!(root_logs_in(host, fob), "root is locked out {when}");
}

#[test]
fn killed_anywhere_in_postinst_root_logs_in_and_dpkg_finishes() {
    debian(|host| {
        password_for_root(host);
        let package = mortal(host, "postinst");
        let deaths = die_at_every_command(
            || attempt(host, "dpkg", &["--install", &package]),
            |command| assert_root_logs_in(host, None, &format!("before command {command} of postinst")),
            || {
                done(host, "dpkg", &["--configure", "-a"]);
                assert!(host.succeed("dpkg-query", ["-W", "-f=${Status}", "libpam-twofactor"]).ends_with(" installed"));
                done(host, "dpkg", &["--purge", "libpam-twofactor"]);
            },
        );
        assert!(deaths >= 3, "the script was killed {deaths} times");
    });
}

/// Removes the package again and again, killed one command later each time, with the module in `login` by `switch_on`.
fn killed_anywhere_in_prerm(switch_on: fn(&Host)) {
    debian(|host| {
        password_for_root(host);
        let package = mortal(host, "prerm");
        done(host, "dpkg", &["--install", &package]);
        let root = host.enroll("root", &["--counter"]);
        switch_on(host);
        assert_root_logs_in(host, Some(&root), "with the module switched on");
        let deaths = die_at_every_command(
            || attempt(host, "dpkg", &["--remove", "libpam-twofactor"]),
            |command| assert_root_logs_in(host, Some(&root), &format!("before command {command} of prerm")),
            || {
                done(host, "dpkg", &["--configure", "-a"]);
                switch_on(host);
            },
        );
        assert!(deaths >= 5, "the script was killed {deaths} times");
        assert!(!Path::new(&module()).exists(), "it was removed in the end");
        assert_eq!(lines_naming_the_module(), Vec::<String>::new());
        assert_root_logs_in(host, None, "when all is over");
    });
}

#[test]
fn killed_anywhere_in_prerm_with_the_profile_on_root_logs_in_and_dpkg_finishes() {
    killed_anywhere_in_prerm(|host| {
        done(host, "pam-auth-update", &["--enable", "twofactor"]);
    });
}

#[test]
fn killed_anywhere_in_prerm_with_one_service_on_root_logs_in_and_dpkg_finishes() {
    killed_anywhere_in_prerm(|host| switch_on(host, "login"));
}

#[test]
fn killed_between_the_files_that_pam_auth_update_writes_root_logs_in() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let root = host.enroll("root", &["--counter"]);
        // It writes five files of PAM and five of its own, each by rename.
        for rename in 1..=10 {
            done(host, "pam-auth-update", &["--enable", "twofactor"]);
            let inject = format!("inject=rename:signal=KILL:when={rename}");
            let removal = ["-f", "-o", "/root/trace", "-e", "trace=rename", "-e", &inject, "pam-auth-update"];
            attempt(host, "strace", &[&removal[..], &["--package", "--remove", "twofactor"]].concat());
            let trace = fs::read_to_string("/root/trace").unwrap();
            assert!(trace.contains("killed by SIGKILL"), "there is no rename {rename}: {trace}");
            assert_root_logs_in(host, Some(&root), &format!("after {rename} renames"));
            done(host, "dpkg", &["--remove", "libpam-twofactor"]);
            assert_root_logs_in(host, None, &format!("when it was removed after {rename} renames"));
            done(host, "dpkg", &["--install", PACKAGE]);
        }
    });
}

#[test]
fn killed_while_an_upgrade_replaces_the_module_root_logs_in_and_dpkg_finishes() {
    debian(|host| {
        password_for_root(host);
        install(host);
        let root = host.enroll("root", &["--counter"]);
        done(host, "pam-auth-update", &["--enable", "twofactor"]);
        let newer = newer(host);
        let upgrade = |inject: &str| {
            let strace = ["-o", "/root/trace", "-e", "trace=rename", "-e", inject, "dpkg", "--install", &newer];
            attempt(host, "strace", &strace);
            fs::read_to_string("/root/trace").unwrap()
        };
        // Which of dpkg's renames are those of the module and the command, and what surrounds them.
        let renames = upgrade("trace=rename");
        let renames: Vec<_> = renames.lines().filter(|line| line.starts_with("rename(")).collect();
        let ours = |line: &str| line.contains("pam_twofactor.so") || line.contains("/usr/sbin/twofactor");
        let first = 1 + renames.iter().position(|line| ours(line)).expect("the files are renamed");
        let last = 1 + renames.iter().rposition(|line| ours(line)).expect("the files are renamed");
        for rename in [first, first + 1, last + 1, renames.len()] {
            done(host, "dpkg", &["--install", PACKAGE]);
            let trace = upgrade(&format!("inject=rename:signal=KILL:when={rename}"));
            assert!(trace.contains("killed by SIGKILL"), "there is no rename {rename}: {trace}");
            assert_root_logs_in(host, Some(&root), &format!("after {rename} renames of an upgrade"));
            done(host, "dpkg", &["--install", &newer]);
            done(host, "dpkg", &["--configure", "-a"]);
            assert_root_logs_in(host, Some(&root), "when the upgrade was repeated");
        }
    });
}
