//! The last backup: its age, and whether its file is still the one that was written.
//!
//! The host has no key that opens the file, so its size and digest stand for its content.

use std::path::Path;
use std::time::Duration;

use super::catalogue::Id;
use super::finding::Finding;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::shell::{path, value};
use twofactor_core::store::administration::LastBackup;

/// A backup is old when it is older: one of a weekly timer never is.
pub const OLD: Duration = Duration::from_hours(8 * 24);

const DAY: u64 = 24 * 60 * 60;

/// The file that the last backup names, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFile {
    /// The one that was written.
    Intact,
    /// Not there: removed, or moved away.
    Gone,
    /// Another one, or damaged.
    Different,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// A host with accounts or tokens that wrote no backup.
pub fn of_none() -> Finding {
    let advice = "twofactor-backup(8) has a timer that writes one every night; where another program backs up the state, \
                  nothing is missing";
    Finding::by_hand(Id::NeverBackedUp, "twofactor has written no backup of this host", advice)
}

/// Problems with the last backup at `now`.
pub fn of_last(backup: &LastBackup, file: &BackupFile, now: UnixTime) -> Vec<Finding> {
    let LastBackup { at, file: name, .. } = backup;
    let mut found = Vec::new();
    let age = now.since(*at).unwrap_or_default();
    if age > OLD {
        let what = format!("the last backup is {} old: {name}, of {at}", days(age));
        found.push(Finding::run(Id::BackupOld, what, again(backup)));
    }
    match file {
        BackupFile::Intact => {}
        BackupFile::Gone => {
            let what = format!("the last backup, of {at}, is not in its place: {name}");
            let advice = "where it was moved to a safe place, nothing is missing; else write another one";
            found.push(Finding::consider(Id::BackupGone, what, advice, again(backup)));
        }
        BackupFile::Different => {
            let what =
                format!("{name} is not what the last backup, of {at}, has written: it was changed or is damaged");
            found.push(Finding::run(Id::BackupDamaged, what, beside(backup)));
        }
        BackupFile::Unreadable(because) => {
            let what = format!("the last backup, of {at}, cannot be read: {name}: {because}");
            found.push(Finding::run(Id::BackupUnreadable, what, beside(backup)));
        }
    }
    found
}

/// `1 day`, `27 days`.
pub fn days(age: Duration) -> String {
    match age.as_secs() / DAY {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// The commands that put aside what stands in its place, which may be no file, and write the same backup anew.
fn beside(backup: &LastBackup) -> String {
    let aside = format!("{}.damaged", backup.file);
    format!("mv {} {} && {}", path(Path::new(&backup.file)), path(Path::new(&aside)), again(backup))
}

/// The command that writes the same backup anew.
fn again(backup: &LastBackup) -> String {
    let opener = match &backup.recipients[..] {
        [] => "--passphrase".to_owned(),
        keys => keys.iter().map(|key| format!("--recipient {}", value(key))).collect::<Vec<_>>().join(" "),
    };
    format!("twofactor backup {opener} --force {}", path(Path::new(&backup.file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn backup(days: u64) -> LastBackup {
        LastBackup {
            at: UnixTime::from_seconds(NOW.seconds() - days * DAY),
            file: "/srv/codes of alice.age".to_owned(),
            size: 1,
            sha256: String::new(),
            recipients: vec!["age1one".to_owned(), "age1two".to_owned()],
            accounts: 1,
            tokens: 0,
        }
    }

    fn found(backup: &LastBackup, file: &BackupFile) -> Vec<(Id, String)> {
        let findings = of_last(backup, file, NOW).into_iter();
        findings.map(|finding| (finding.id, finding.mend.command().unwrap().to_owned())).collect()
    }

    #[test]
    fn one_of_a_weekly_timer_is_never_old_and_an_older_one_says_how_to_write_it_anew() {
        for days in [0, 1, 7, 8] {
            assert_eq!(found(&backup(days), &BackupFile::Intact), [], "{days}");
        }
        let command = "twofactor backup --recipient age1one --recipient age1two --force '/srv/codes of alice.age'";
        assert_eq!(found(&backup(9), &BackupFile::Intact), [(Id::BackupOld, command.to_owned())]);
        let by_passphrase = LastBackup { recipients: Vec::new(), ..backup(27) };
        let findings = of_last(&by_passphrase, &BackupFile::Intact, NOW);
        let [finding] = &findings[..] else { panic!("one") };
        assert!(finding.what.contains("27 days old"), "{}", finding.what);
        let command = "twofactor backup --passphrase --force '/srv/codes of alice.age'";
        assert_eq!(finding.mend.command(), Some(command));
    }

    #[test]
    fn a_file_that_is_not_the_one_that_was_written_is_named_whatever_its_age() {
        let unreadable = BackupFile::Unreadable("input/output error".to_owned());
        for (file, id) in [
            (BackupFile::Gone, Id::BackupGone),
            (BackupFile::Different, Id::BackupDamaged),
            (unreadable, Id::BackupUnreadable),
        ] {
            assert_eq!(found(&backup(0), &file)[0].0, id);
            assert_eq!(found(&backup(30), &file).len(), 2, "old as well");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_backup_old() {
        let ahead = LastBackup { at: NOW.after(OLD * 2), ..backup(0) };
        assert_eq!(found(&ahead, &BackupFile::Intact), []);
    }
}
