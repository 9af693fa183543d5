//! A host that is well, and what doctor leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use twofactor_tests::private_host::{Host, private_host, said};

use crate::{STATE, doctor, findings, ids, make_well};

#[test]
fn nothing_is_found_on_a_host_that_is_well() {
    private_host(|host| {
        make_well(host);
        let (report, code) = doctor(host);
        assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
        assert_eq!(report["unchecked"].as_array().unwrap().len(), 0, "{report:#}");
        let output = host.run_twofactor(&["doctor"]);
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.ends_with("\nNothing found.\n"), "{page}");
        assert!(page.contains("services       ok           sshd\n"), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        let quiet = host.run_twofactor(&["--quiet", "doctor"]);
        assert_eq!(String::from_utf8(quiet.stdout).unwrap(), "");
    });
}

#[test]
fn where_the_tool_has_put_the_module_into_the_distributions_own_file_only_a_key_is_worth_a_note() {
    private_host(|host| {
        let stock = fs::read_to_string("/etc/pam.d/sshd").unwrap();
        make_well(host);
        crate::service("sshd", &stock);
        fs::remove_file("/etc/ssh/sshd_config.d/00-twofactor.conf").unwrap();
        host.succeed("twofactor", ["service", "enable", "sshd", "--yes"]);
        let (report, code) = doctor(host);
        let found: Vec<&str> = ids(&report).into_iter().collect();
        // Debian's sshd offers password authentication as well.
        assert!(found.iter().all(|id| ["sshd-key-alone", "sshd-password-method"].contains(id)), "{report:#}");
        assert_eq!(code, 0, "{report:#}");
    });
}

/// Every entry below a folder: inode, mode, owner, size and when it was changed.
fn everything(folder: &Path, all: &mut BTreeMap<PathBuf, (u64, u32, u32, u64, i64, i64)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        if about.is_dir() {
            everything(&path, all);
        }
        let about = (about.ino(), about.mode(), about.uid(), about.size(), about.mtime(), about.mtime_nsec());
        all.insert(path, about);
    }
}

#[test]
fn nothing_is_changed() {
    private_host(|host| {
        make_well(host);
        import(host);
        let seen = || {
            let mut all = BTreeMap::new();
            for folder in [STATE, "/etc"] {
                everything(Path::new(folder), &mut all);
            }
            // SQLite's own, for readers as well as writers, and empty.
            all.retain(|path, _| !path.ends_with("registry.db-wal") && !path.ends_with("registry.db-shm"));
            all
        };
        let before = seen();
        for _ in 0..2 {
            assert_eq!(doctor(host).1, 0);
        }
        let after = seen();
        let others = |path: &&PathBuf| before.get(*path) != after.get(*path);
        let changed: Vec<&PathBuf> = before.keys().chain(after.keys()).filter(others).collect();
        assert_eq!(changed, Vec::<&PathBuf>::new());
    });
}

/// Tokens in the registry, one of which is alice's.
fn import(host: &Host) {
    let file = host.place("tokens.csv");
    fs::write(&file, "serial,secret\n10000001,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n").unwrap();
    host.succeed("twofactor", ["token", "import", file.to_str().unwrap()]);
    host.succeed("twofactor", ["token", "assign", "10000001", "alice"]);
}

#[test]
fn it_does_not_wait_for_whoever_holds_a_lock() {
    private_host(|host| {
        make_well(host);
        let mut flock = host.command("flock");
        let folder = format!("{STATE}/users/alice");
        let mut holder = flock.args([folder.as_str(), "sh", "-c", "echo held; exec cat"]);
        holder = holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut line).unwrap();
        assert_eq!(line, "held\n");
        assert_eq!(doctor(host).1, 0);
        host.kill(holder);
    });
}

#[test]
fn it_needs_root() {
    private_host(|host| {
        make_well(host);
        let mut command = host.command("setpriv");
        let output = command.args(["--reuid=65534", "--clear-groups", "twofactor", "doctor"]).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(output.stdout.is_empty());
    });
}

#[test]
fn whoever_was_reset_is_no_account_and_folders_that_cannot_be_read_are_not_counted() {
    private_host(|host| {
        make_well(host);
        host.user_with_app("bob");
        let state = || {
            let (report, _) = doctor(host);
            let areas = report["areas"].as_array().unwrap();
            areas.iter().find(|area| area["area"] == "state").unwrap()["looked_at"].as_str().unwrap().to_owned()
        };
        assert_eq!(state(), "/var/lib/twofactor: 2 accounts");
        host.succeed("twofactor", ["reset", "bob", "--yes"]);
        assert_eq!(state(), "/var/lib/twofactor: 1 account");
        crate::set_mode("/var/lib/twofactor/users", 0o777);
        assert_eq!(state(), "/var/lib/twofactor");
    });
}

#[test]
fn what_is_found_fits_the_screen_and_is_in_colour_only_there() {
    private_host(|host| {
        make_well(host);
        crate::set_mode(crate::of_alice("state"), 0o644);
        let plain = host.run_twofactor(&["doctor"]);
        let page = String::from_utf8(plain.stdout).unwrap();
        assert_eq!(plain.status.code(), Some(1));
        assert!(page.contains("\nproblem: /var/lib/twofactor/users/alice/state has mode 0644"), "{page}");
        assert!(page.contains("   fix:  chmod go-rwx /var/lib/twofactor/users/alice/state\n"), "{page}");
        assert!(page.ends_with("\n1 problem, 1 not checked.\n"), "what alice has is not known: {page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
        assert!(!page.contains('\u{1b}'));
        let errors = String::from_utf8(plain.stderr).unwrap();
        assert_eq!(errors, "", "the report has said it");
        let colour = host.run_twofactor(&["--color=always", "doctor"]);
        assert!(String::from_utf8(colour.stdout).unwrap().contains("\u{1b}[1;31mproblem\u{1b}[0m: "));
    });
}
