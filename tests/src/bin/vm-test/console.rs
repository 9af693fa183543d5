//! The console of a machine of its own: password and code, after a reboot too.

use std::path::{Path, PathBuf};

use crate::guest::{self, Card, Guest};
use crate::{backup, broker};

/// All trials of one machine.
pub(crate) fn trials(root: &Path, package: &Path, say: &impl Fn(&str)) {
    let packages = [PathBuf::from(package)];
    let disk = guest::disk(root, "vm", &packages, &broker::USERS, &broker::files());

    say("first boot");
    let mut guest = Guest::boot(root, &disk, Card::Without, &["postgresql.service"]);
    guest.log_in(None, "# ");
    say("logged in with the password alone; installing");
    guest.run("dpkg --install /root/libpam-twofactor_*.deb");
    let shown = guest.run("twofactor --json enroll root --counter --no-confirm | tr , '\\n'");
    let fob = guest::token_in(&shown);
    say("root is enrolled; the module goes into login");
    guest.run("twofactor service enable login --yes");
    guest.reboot();

    say("second boot");
    let wrong = fob.wrong_codes().next().expect("wrong codes are many");
    guest.log_in(Some(&wrong), "Login incorrect");
    say("a wrong code is refused");
    guest.log_in(Some(&fob.counter_codes(0, 1)[0]), "# ");
    say("password and code open a session");
    let log = guest.run("journalctl --boot --no-pager --output=cat --grep='pam_twofactor.*:auth'");
    assert!(
        log.contains("denied user=root service=login") && log.contains("accepted user=root service=login"),
        "{log}"
    );
    broker::trials(&mut guest, say);
    backup::trials(&mut guest, say);
    guest.power_off();
}
