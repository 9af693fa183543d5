//! `make demo-enroll`: the first login of somebody who has no second factor sets one up, and the next one asks for it.

use twofactor_tests::first_login::{CONFIRM, ENROLL, Offer, STACK};
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::Sshd;

use crate::transcript::{
    command, configure, know_the_host, look_around, run, say, show, show_log_of_module, ssh, ssh_with, typed,
    write_down,
};

pub(crate) fn demonstrate(host: &Host) {
    switch_on(host);
    let sshd = host.sshd_with(STACK, "");
    know_the_host(host);
    let authenticator = first_login(&sshd);
    next_login(&sshd, &authenticator);
    show_log_of_module(host);
    run(host, &["status"]);
}

fn switch_on(host: &Host) {
    say("A private host with an sshd of its own. Whoever has no second factor sets one up when he logs in:");
    configure(host, ENROLL);
    command("cat /etc/pam.d/sshd");
    print!("{STACK}");
}

fn first_login(sshd: &Sshd<'_>) -> Authenticator {
    say("Alice logs in as ever. Behind her password stands a secret of her own, for her phone to scan:");
    let mut session = ssh(sshd, &[]);
    let shown = session.expect(CONFIRM);
    show(shown.trim_start());
    let authenticator = Offer::read(&shown).app;
    let code = authenticator.code(0);
    typed(&format!("{code}, which oathtool computed from the secret"));
    session.type_line(&code);
    write_down(&mut session);
    look_around(session);
    authenticator
}

fn next_login(sshd: &Sshd<'_>, authenticator: &Authenticator) {
    say("From now on she is asked for a code. The one that confirmed the app is burned, so she takes the next one:");
    look_around(ssh_with(sshd, &authenticator.code(1)));
}
