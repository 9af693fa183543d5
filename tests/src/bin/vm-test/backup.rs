//! The timer of the examples under systemd, as the guide's page "Backup" sets it up: the sandbox lets the command do its work.

use crate::guest::Guest;

/// A key of age.
const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

/// Sets the timer up and runs its service, without a key first.
pub(crate) fn trials(guest: &mut Guest, say: &impl Fn(&str)) {
    guest.run("cp /usr/share/doc/libpam-twofactor/examples/systemd/system/twofactor-backup.* /etc/systemd/system/");
    guest.run("systemctl daemon-reload && ! systemctl start twofactor-backup.service");
    let refused = guest.run("journalctl --boot --no-pager --output=cat --unit=twofactor-backup.service");
    assert!(refused.contains("is no recipient of age"), "{refused}");
    guest.run(&format!("sed -i 's/RECIPIENT=$/&{KEY}/' /etc/systemd/system/twofactor-backup.service"));
    guest.run("systemctl daemon-reload && systemctl start twofactor-backup.service");
    let written = guest.run("ls /var/lib/twofactor-backup && head -c 21 /var/lib/twofactor-backup/twofactor-*.age");
    assert!(written.contains("age-encryption.org/v1"), "{written}");
    let log = guest.run("journalctl --boot --no-pager --output=cat SYSLOG_IDENTIFIER=twofactor --grep=^backed-up");
    assert!(log.contains("file=/var/lib/twofactor-backup/twofactor-"), "{log}");
    guest.run("systemctl enable --now twofactor-backup.timer && systemctl is-active twofactor-backup.timer");
    say("the timer of the examples is on, and its service writes a backup in its sandbox");
}
