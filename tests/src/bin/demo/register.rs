//! `make demo-register`: the user takes a fob out of the box and makes it hers at her first login: its serial and two codes.

use twofactor_tests::first_login::{CONFIRM, ENROLL, FIRST, SECOND, SERIAL, STACK};
use twofactor_tests::fob::Fob;
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::Sshd;

use crate::transcript::{answer, configure, know_the_host, look_around, run, say, show_log, ssh, ssh_with};

pub(crate) fn demonstrate(host: &Host) {
    say("A box of fobs was imported, and nobody has one. Whoever has no second factor sets one up when he logs in:");
    let [fob, other] = Fob::samples();
    host.import(&[fob.clone(), other]);
    run(host, &["token", "list"]);
    configure(host, ENROLL);
    // It alone opens the registry; a login asks it.
    let _broker = host.broker();
    let sshd = host.sshd_with(STACK, "");
    know_the_host(host);
    first_login(&sshd, &fob);
    say("From now on she is asked for a code. The two that she has shown are burned, so she waits for the next one:");
    look_around(ssh_with(&sshd, &fob.authenticator.code(2)));
    show_log(host);
    run(host, &["token", "list"]);
}

fn first_login(sshd: &Sshd<'_>, fob: &Fob) {
    say("Alice took one of them out of the box. What it shows, oathtool computes here, also what it will show next:");
    let mut session = ssh(sshd, &["LogLevel=INFO"]);
    answer(&mut session, CONFIRM, "token", "token");
    answer(&mut session, SERIAL, &fob.serial, "what is printed on its back");
    let [first, second] = fob.authenticator.two_codes();
    answer(&mut session, FIRST, &first, &first);
    answer(&mut session, SECOND, &second, &second);
    look_around(session);
}
