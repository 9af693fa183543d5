//! The last backup, and the file that it names.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{BACKUP, STATE, back_up, check, doctor, findings, finds, ids, make_well};

fn record() -> String {
    format!("{STATE}/backup.toml")
}

#[test]
fn twofactor_has_written_no_backup() {
    finds(&["never-backed-up"], |_| fs::remove_file(record()).unwrap(), ByHand(&back_up));
}

#[test]
fn a_host_without_accounts_and_tokens_has_nothing_to_back_up() {
    private_host(|host| {
        make_well(host);
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
        fs::remove_file(record()).unwrap();
        let (report, _) = doctor(host);
        assert!(!ids(&report).contains("never-backed-up"), "{report:#}");
        host.import(&[twofactor_tests::fob::Fob::clock(1)]);
        let (report, _) = doctor(host);
        assert!(ids(&report).contains("never-backed-up"), "a token in a drawer: {report:#}");
    });
}

#[test]
fn the_last_backup_is_more_than_a_week_ago() {
    let make = |host: &Host| {
        let long_ago = host.succeed("date", ["--utc", "-d", "9 days ago", "+at = \"%FT%TZ\""]);
        let text = fs::read_to_string(record()).unwrap();
        let line = |line: &str| if line.starts_with("at = ") { long_ago.trim().to_owned() } else { line.to_owned() };
        fs::write(record(), text.lines().map(line).collect::<Vec<_>>().join("\n")).unwrap();
    };
    finds(&["backup-old"], make, ByItsCommands);
}

#[test]
fn the_file_of_the_last_backup_is_not_there() {
    finds(&["backup-gone"], |_| fs::remove_file(BACKUP).unwrap(), ByItsCommands);
}

#[test]
fn the_file_of_the_last_backup_is_another_one() {
    let flipped = || {
        let mut content = fs::read(BACKUP).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(BACKUP, content).unwrap();
    };
    let cut = || {
        let content = fs::read(BACKUP).unwrap();
        fs::write(BACKUP, &content[..content.len() - 1]).unwrap();
    };
    let fifo = || {
        fs::remove_file(BACKUP).unwrap();
        nix::unistd::mkfifo(BACKUP, Mode::S_IRUSR).unwrap();
    };
    for make in [&flipped as &(dyn Fn() + Sync), &cut, &fifo] {
        finds(&["backup-damaged"], |_| make(), ByItsCommands);
    }
}

#[test]
fn the_file_of_the_last_backup_cannot_be_read() {
    let make = |_: &Host| {
        fs::remove_file(BACKUP).unwrap();
        symlink(BACKUP, BACKUP).unwrap();
    };
    finds(&["backup-unreadable"], make, ByItsCommands);
}

#[test]
fn a_record_that_cannot_be_understood_is_no_backup_that_is_well() {
    private_host(|host| {
        make_well(host);
        for text in ["version = 2\n", "x"] {
            fs::write(record(), text).unwrap();
            let (report, code) = doctor(host);
            assert_eq!((findings(&report).len(), code), (0, 0), "{report:#}");
            assert_eq!(report["unchecked"][0]["area"], "backup", "{report:#}");
            assert!(report["backup"].is_null());
        }
        back_up(host);
        check(host, &[], ByHand(&|_| ()));
    });
}

#[test]
fn the_page_and_the_json_say_when_it_was_and_who_can_open_it() {
    private_host(|host| {
        make_well(host);
        let (report, _) = doctor(host);
        let backup = &report["backup"];
        assert_eq!((&backup["file"], &backup["recipients"][0]), (&BACKUP.into(), &crate::KEY.into()), "{report:#}");
        assert_eq!((&backup["accounts"], &backup["tokens"]), (&1.into(), &0.into()), "{report:#}");
        let page = String::from_utf8(host.run_twofactor(&["doctor"]).stdout).unwrap();
        let line = format!("backup         ok           {}, 0 days old: {BACKUP}\n", backup["at"].as_str().unwrap());
        assert!(page.contains(&line), "{page}");
        // Where it was written does not depend on where root stood.
        host.succeed("sh", ["-c", &format!("cd /srv && twofactor backup here.age --recipient {}", crate::KEY)]);
        assert_eq!(doctor(host).0["backup"]["file"], "/srv/here.age");
    });
}
