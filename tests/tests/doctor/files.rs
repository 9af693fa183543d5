//! Defects of the state and the registry.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{chown, symlink};
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{STATE, check, doctor, finds, ids, make_well, of_alice, set_mode};

#[test]
fn others_may_read_a_state() {
    finds(&["unsafe-file"], |_| set_mode(of_alice("state"), 0o644), ByItsCommands);
}

#[test]
fn others_may_read_a_secret() {
    finds(&["unsafe-file"], |_| set_mode(of_alice("secret.toml"), 0o640), ByItsCommands);
}

#[test]
fn a_secret_belongs_to_somebody_else() {
    finds(&["unsafe-file"], |_| chown(of_alice("secret.toml"), Some(1000), None).unwrap(), ByItsCommands);
}

#[test]
fn others_may_enter_a_users_folder() {
    finds(&["unsafe-file"], |_| set_mode(of_alice(""), 0o755), ByItsCommands);
}

#[test]
fn others_may_enter_the_state_folder() {
    finds(&["unsafe-file"], |_| set_mode(STATE, 0o711), ByItsCommands);
}

#[test]
fn others_may_replace_the_state_folder() {
    finds(&["unsafe-file"], |_| set_mode("/var/lib", 0o777), ByItsCommands);
}

#[test]
fn a_state_is_a_symbolic_link() {
    let make = |_: &Host| {
        fs::rename(of_alice("state"), "/var/kept-state").unwrap();
        symlink("/var/kept-state", of_alice("state")).unwrap();
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

#[test]
fn a_state_has_two_names() {
    let make = |_: &Host| fs::hard_link(of_alice("state"), format!("{STATE}/copy")).unwrap();
    let mend = |_: &Host| fs::remove_file(format!("{STATE}/copy")).unwrap();
    finds(&["unsafe-file", "unknown-file"], make, ByHand(&mend));
}

#[test]
fn a_fifo_stands_in_the_place_of_a_state() {
    private_host(|host| {
        make_well(host);
        fs::rename(of_alice("state"), "/var/kept-state").unwrap();
        nix::unistd::mkfifo(of_alice("state").as_str(), Mode::S_IRUSR).unwrap();
        let mend = |host: &Host| {
            let (report, _) = doctor(host);
            crate::run_commands(host, &report);
            assert_eq!(ids(&doctor(host).0), ["lost-state"].into(), "the fifo is gone, the state not yet there");
            fs::rename("/var/kept-state", of_alice("state")).unwrap();
        };
        check(host, &["unsafe-file"], ByHand(&mend));
    });
}

/// What makes a user one who enrolls anew: alice again, so that an administrator is enrolled.
fn enroll_again(host: &Host) {
    let (report, _) = doctor(host);
    crate::run_commands(host, &report);
    host.enroll("alice", &[]);
}

#[test]
fn a_state_is_damaged() {
    finds(&["damaged-account"], |_| fs::write(of_alice("state"), "x").unwrap(), ByHand(&enroll_again));
}

#[test]
fn a_secret_is_cut_off() {
    let make = |_: &Host| {
        let text = fs::read_to_string(of_alice("secret.toml")).unwrap();
        fs::write(of_alice("secret.toml"), &text[..text.len() / 2]).unwrap();
    };
    finds(&["damaged-account"], make, ByHand(&enroll_again));
}

#[test]
fn a_state_is_lost() {
    finds(&["lost-state"], |_| fs::remove_file(of_alice("state")).unwrap(), ByHand(&enroll_again));
}

#[test]
fn credentials_are_lost_and_their_state_is_not() {
    finds(&["lost-state"], |_| fs::remove_file(of_alice("secret.toml")).unwrap(), ByHand(&enroll_again));
}

#[test]
fn an_account_is_emptied() {
    let make = |_: &Host| ["state", "secret.toml"].iter().for_each(|name| fs::remove_file(of_alice(name)).unwrap());
    finds(&["lost-state"], make, ByHand(&enroll_again));
}

#[test]
fn the_state_folder_is_missing() {
    let make = |_: &Host| fs::rename(STATE, "/var/kept-state").unwrap();
    let mend = |host: &Host| {
        let (report, _) = doctor(host);
        assert_eq!(report["unchecked"].as_array().unwrap().len(), 3, "what people have is not known: {report:#}");
        fs::rename("/var/kept-state", STATE).unwrap();
        let _ = host;
    };
    finds(&["foreign-state"], make, ByHand(&mend));
}

#[test]
fn the_folder_of_users_is_missing() {
    let make = |_: &Host| fs::rename(format!("{STATE}/users"), "/var/kept-users").unwrap();
    let mend = |host: &Host| {
        let (report, _) = doctor(host);
        crate::run_commands(host, &report);
        host.enroll("alice", &[]);
    };
    finds(&["no-state-folder"], make, ByHand(&mend));
}

#[test]
fn the_accounts_are_not_mounted() {
    let users = format!("{STATE}/users");
    let make =
        |_: &Host| mount(Some("tmpfs"), users.as_str(), Some("tmpfs"), MsFlags::empty(), Some("mode=0700")).unwrap();
    let mend = |host: &Host| drop(host.succeed("umount", [&users]));
    finds(&["foreign-state"], make, ByHand(&mend));
}

#[test]
fn the_folder_of_users_was_emptied() {
    let make = |_: &Host| {
        for name in ["alice", ".id"] {
            fs::rename(format!("{STATE}/users/{name}"), format!("/var/{name}")).unwrap();
        }
    };
    let mend = |host: &Host| {
        let (report, _) = doctor(host);
        crate::run_commands(host, &report);
        host.enroll("alice", &[]);
    };
    finds(&["foreign-state"], make, ByHand(&mend));
}

#[test]
fn accounts_without_an_identity_beside_them_are_named() {
    finds(&["unmarked-state"], |_| fs::remove_file(format!("{STATE}/users/.id")).unwrap(), ByItsCommands);
}

#[test]
fn a_command_was_interrupted() {
    finds(&["left-over"], |_| fs::write(of_alice("secret.toml.new"), "torn").unwrap(), ByItsCommands);
}

#[test]
fn somebody_made_a_copy() {
    let make = |_: &Host| {
        fs::copy(of_alice("state"), of_alice("state (copy)")).unwrap();
    };
    finds(&["unknown-file"], make, ByItsCommands);
}

#[test]
fn the_disk_is_nearly_full() {
    let make = |host: &Host| {
        // The state moves to a small file system.
        let keep = "/root/keep";
        host.succeed("cp", ["-a", STATE, keep]);
        mount(Some("small"), STATE, Some("tmpfs"), MsFlags::empty(), Some("size=1m,mode=0700")).unwrap();
        host.succeed("sh", ["-c", &format!("cp -a {keep}/. {STATE}/")]);
    };
    let mend = |host: &Host| drop(host.succeed("mount", ["-o", "remount,size=64m", STATE]));
    finds(&["disk-nearly-full"], make, ByHand(&mend));
}

#[test]
fn a_secret_is_larger_than_any() {
    private_host(|host| {
        make_well(host);
        let text = fs::read(of_alice("secret.toml")).unwrap();
        fs::write(of_alice("secret.toml"), vec![b'#'; 1_000_000]).unwrap();
        let mend = move |_: &Host| fs::write(of_alice("secret.toml"), &text).unwrap();
        check(host, &["unreadable-file"], ByHand(&mend));
    });
}

#[test]
fn the_registry_cannot_be_locked() {
    private_host(|host| {
        make_well(host);
        import(host);
        // SQLite's own lock on the whole database, which only a program that is not ours takes.
        let hold = "import sqlite3, sys\nbase = sqlite3.connect(sys.argv[1])\nbase.execute('PRAGMA locking_mode=EXCLUSIVE')\n\
                    base.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\nsys.stdin.read()";
        let mut python = host.command(twofactor_tests::requirements::PYTHON);
        let holder = python.args(["-c", hold, &format!("{STATE}/registry.db")]);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        let (report, _) = doctor(host);
        assert_eq!(ids(&report), ["registry-unavailable"].into(), "{report:#}");
        host.kill(holder);
        assert_eq!(doctor(host).1, 0);
    });
}

#[test]
fn the_file_system_is_read_only() {
    let make = |host: &Host| drop(host.succeed("mount", ["-o", "remount,ro", "/var"]));
    finds(&["read-only-file-system"], make, ByItsCommands);
}

/// A registry with a token of alice's.
fn import(host: &Host) {
    let file = host.place("tokens.csv");
    fs::write(&file, "serial,secret\n10000001,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n").unwrap();
    host.succeed("twofactor", ["token", "import", file.to_str().unwrap()]);
    host.succeed("twofactor", ["token", "assign", "10000001", "alice"]);
    fs::copy(format!("{STATE}/registry.db"), "/root/registry.db").unwrap();
}

fn restore_registry(_: &Host) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{STATE}/registry.db{end}"));
    }
    fs::copy("/root/registry.db", format!("{STATE}/registry.db")).unwrap();
    set_mode(format!("{STATE}/registry.db"), 0o600);
}

#[test]
fn others_may_read_the_registry() {
    let make = |host: &Host| {
        import(host);
        set_mode(format!("{STATE}/registry.db"), 0o644);
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

#[test]
fn others_may_write_the_registrys_log() {
    let make = |host: &Host| {
        import(host);
        fs::write(format!("{STATE}/registry.db-wal"), "").unwrap();
        set_mode(format!("{STATE}/registry.db-wal"), 0o666);
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

#[test]
fn the_registry_is_something_else() {
    let make = |host: &Host| {
        import(host);
        fs::write(format!("{STATE}/registry.db"), "not a database at all, but long enough to look like one").unwrap();
    };
    finds(&["registry-damaged"], make, ByHand(&restore_registry));
}

#[test]
fn a_page_of_the_registry_is_damaged() {
    let make = |host: &Host| {
        import(host);
        let path = format!("{STATE}/registry.db");
        let ask = |query: &str| host.succeed("sqlite3", [path.as_str(), query]).trim().parse::<usize>().unwrap();
        let (page, size) =
            (ask("SELECT rootpage FROM sqlite_master WHERE name = 'tokens_serial'"), ask("PRAGMA page_size"));
        let mut content = fs::read(&path).unwrap();
        // The serials of the index stand at the end of its page.
        content[page * size - 8..page * size].fill(b'9');
        fs::write(&path, content).unwrap();
        sqlite_says_so(&path);
    };
    finds(&["registry-damaged"], make, ByHand(&restore_registry));
}

/// Asks the distribution's own sqlite3.
fn sqlite_says_so(path: &str) {
    let output = Command::new("sqlite3").args([path, "PRAGMA integrity_check"]).output().unwrap();
    assert_ne!(String::from_utf8_lossy(&output.stdout).trim(), "ok");
}

#[test]
fn a_fifo_stands_in_the_place_of_the_registrys_journal() {
    private_host(|host| {
        make_well(host);
        import(host);
        nix::unistd::mkfifo(format!("{STATE}/registry.db-journal").as_str(), Mode::S_IRUSR).unwrap();
        let mend = |host: &Host| {
            let (report, _) = doctor(host);
            crate::run_commands(host, &report);
            let (report, code) = doctor(host);
            assert_eq!((ids(&report), code), (["set-aside"].into(), 0), "it is out of the way");
            crate::run_commands(host, &report);
        };
        check(host, &["registry-obstructed"], ByHand(&mend));
    });
}

#[test]
fn the_registry_is_of_a_newer_version() {
    let make = |host: &Host| {
        import(host);
        let path = format!("{STATE}/registry.db");
        host.succeed("sqlite3", [path.as_str(), "PRAGMA user_version = 99"]);
    };
    finds(&["registry-newer"], make, ByHand(&restore_registry));
}

#[test]
fn the_registry_has_lost_a_token() {
    let make = |host: &Host| {
        import(host);
        let path = format!("{STATE}/registry.db");
        host.succeed("sqlite3", [path.as_str(), "DELETE FROM tokens"]);
    };
    finds(&["unknown-token"], make, ByHand(&restore_registry));
}

#[test]
fn the_registry_has_lost_a_token_that_was_not_moved() {
    let make = |host: &Host| {
        import(host);
        host.leave_tokens_to_the_registry("alice");
        let path = format!("{STATE}/registry.db");
        host.succeed("sqlite3", [path.as_str(), "DELETE FROM tokens; DELETE FROM history"]);
    };
    finds(
        &["lost-tokens"],
        make,
        ByHand(&|host| {
            restore_registry(host);
            host.sysadmin(&["migrate"]);
        }),
    );
}

#[test]
fn a_token_of_an_older_version_was_not_moved() {
    let make = |host: &Host| {
        import(host);
        host.leave_tokens_to_the_registry("alice");
    };
    finds(&["not-migrated"], make, ByItsCommands);
}

#[test]
fn the_registry_and_a_file_say_different_things_of_a_token() {
    for change in
        ["UPDATE tokens SET owner = NULL", "UPDATE tokens SET status = 'disabled'", "UPDATE tokens SET digits = 8"]
    {
        let make = |host: &Host| {
            import(host);
            host.succeed("sqlite3", [format!("{STATE}/registry.db").as_str(), change]);
        };
        finds(&["token-differs"], make, ByItsCommands);
    }
}

#[test]
fn the_registry_is_gone_but_its_log_is_there() {
    let make = |host: &Host| {
        import(host);
        fs::rename(format!("{STATE}/registry.db"), format!("{STATE}/registry.db-wal")).unwrap();
    };
    finds(&["registry-damaged"], make, ByHand(&restore_registry));
}
