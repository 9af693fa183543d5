//! File systems that are full or read-only: clear errors, and what is there stays as it is.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use nix::mount::{MsFlags, mount};
use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};

use crate::{assert_accepted, assert_denied, host};

const STATE: &str = "/var/lib/twofactor";

/// Puts the state on a file system of its own.
fn small_disk(megabytes: u32) {
    fs::create_dir(STATE).unwrap();
    let size = format!("size={megabytes}m,mode=0700");
    mount(Some("twofactor-tests"), STATE, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
    fs::set_permissions(STATE, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Fills it to the last block.
fn fill() {
    let mut ballast = File::create(format!("{STATE}/ballast")).unwrap();
    for size in [1 << 16, 1 << 12] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
}

/// How many tokens a sound registry has.
#[track_caller]
fn tokens(host: &Host) -> usize {
    assert_eq!(
        host.succeed("sqlite3", ["-readonly", &format!("{STATE}/registry.db"), "PRAGMA integrity_check"]),
        "ok\n"
    );
    // A line for the names of the columns.
    host.succeed("twofactor", ["token", "list", "--csv"]).lines().count() - 1
}

/// The tool fails with exit code 1, says `words`, and names a way out.
#[track_caller]
fn assert_fails(host: &Host, arguments: &[&str], words: &str) {
    let output = host.run_twofactor(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(words) && stderr.contains("hint"), "{arguments:?}: {}", said(&output));
}

/// Writes a seed file of so many tokens and gives the command that imports it.
fn import_of(host: &Host, count: u64) -> [String; 3] {
    let file = host.private_file(&format!("box-of-{count}.csv"), &seed_file(&Fob::box_of(1, count)));
    ["token", "import", file.to_str().unwrap()].map(str::to_owned)
}

#[test]
fn a_full_disk_keeps_nobody_out_and_changes_nothing() {
    host(|host| {
        small_disk(3);
        let (fob, other) = (Fob::button(1), Fob::button(2));
        host.user_with("alice", &fob);
        let too_much = import_of(host, 40_000);
        let too_much = too_much.each_ref().map(String::as_str);
        assert_fails(host, &too_much, "no space left on device");
        assert_eq!(tokens(host), 1);
        host.import(std::slice::from_ref(&other));

        assert!(!fs::exists(format!("{STATE}/registry.db-shm")).unwrap(), "the first login makes it");
        fill();
        for counter in 0..4 {
            assert_accepted(&host.login("alice").typing(fob.code_of(counter)));
            assert_denied(&host.login("alice").typing(fob.code_of(counter)));
        }
        assert_fails(host, &too_much, "no space left on device");
        assert_fails(host, &["token", "assign", &other.serial, "alice"], "no space left on device");
        assert_accepted(&host.login("alice").typing(fob.code_of(4)));

        fs::remove_file(format!("{STATE}/ballast")).unwrap();
        assert_eq!(tokens(host), 2);
        host.assign(&other, "alice");
        assert_accepted(&host.login("alice").typing(other.code_of(0)));
        assert_accepted(&host.login("alice").typing(fob.code_of(5)));
    });
}

#[test]
fn an_import_that_leaves_no_room_to_move_it_out_of_the_log_is_there_and_keeps_nobody_out() {
    host(|host| {
        small_disk(3);
        let (fob, other) = (Fob::button(1), Fob::button(2));
        host.user_with("alice", &fob);
        host.import(std::slice::from_ref(&other));
        let just_so = import_of(host, 20_000);
        host.sysadmin(&just_so.each_ref().map(String::as_str));
        assert!(fs::metadata(format!("{STATE}/registry.db-wal")).unwrap().len() > 1 << 20, "it is in the log");
        assert_eq!(tokens(host), 20_002);
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
        assert_denied(&host.login("alice").typing(fob.code_of(0)));
        assert_fails(host, &["token", "assign", &other.serial, "alice"], "no space left on device");

        let larger = Some("size=32m");
        mount(None::<&str>, STATE, None::<&str>, MsFlags::MS_REMOUNT, larger).unwrap();
        host.assign(&other, "alice");
        assert_accepted(&host.login("alice").typing(other.code_of(0)));
        assert_eq!(tokens(host), 20_002);
    });
}

#[test]
fn a_disk_that_can_only_be_read_lets_nobody_in_and_the_tool_says_why() {
    host(|host| {
        small_disk(8);
        let (fob, other) = (Fob::button(1), Fob::button(2));
        host.user_with("alice", &fob);
        host.import(std::slice::from_ref(&other));
        let file = host.private_file("more.csv", &seed_file(&Fob::box_of(1, 3)));
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
        let remount = |flags: MsFlags| {
            mount(None::<&str>, STATE, None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>).unwrap();
        };
        remount(MsFlags::MS_RDONLY);
        assert_eq!(host.login("alice").typing(fob.code_of(1)).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "ead-only", "hint="]);
        for arguments in [
            &["token", "import", file.to_str().unwrap()][..],
            &["token", "assign", &other.serial, "alice"],
            &["token", "unassign", &fob.serial, "--force"],
            &["token", "lost", &fob.serial],
        ] {
            assert_fails(host, arguments, "ead-only");
        }

        remount(MsFlags::empty());
        assert_accepted(&host.login("alice").typing(fob.code_of(1)));
        assert_denied(&host.login("alice").typing(fob.code_of(1)));
        host.assign(&other, "alice");
    });
}
