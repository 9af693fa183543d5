//! `make demo-invite`: whoever sets up a second factor needs an invitation, so that a stolen password is not enough.

use twofactor_tests::first_login::{CONFIRM, INVITATION, INVITED, Offer, STACK};
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::Sshd;

use crate::USER;
use crate::transcript::{
    answer, command, configure, know_the_host, look_around, refused, run, say, show, show_log, show_without_picture,
    ssh, typed, write_down,
};

pub(crate) fn demonstrate(host: &Host) {
    say("Whoever has no second factor sets one up when he logs in, with an invitation:");
    configure(host, INVITED);
    let sshd = host.sshd_with(STACK, "");
    know_the_host(host);
    without_invitation(&sshd);
    let code = invite(host);
    with_invitation(&sshd, &code);
    show_log(host);
    run(host, &["status"]);
}

fn without_invitation(sshd: &Sshd<'_>) {
    say("Somebody has stolen alice's password. That shows him nothing:");
    let mut session = ssh(sshd, &[]);
    answer(&mut session, INVITATION, "4QX7-9M2P", "a guess");
    refused(session);
}

/// The tool's JSON has the code in a field of its own.
fn invite(host: &Host) -> String {
    say("The sysadmin invites her, and hands her the code in person:");
    command(&format!("twofactor invite {USER}"));
    let code = host.json(&["invite", USER])["invitation"].as_str().expect("an invitation").to_owned();
    show(&format!("{code}\n"));
    code
}

fn with_invitation(sshd: &Sshd<'_>, code: &str) {
    say("Alice has both. The invitation is used up by it:");
    let mut session = ssh(sshd, &[]);
    answer(&mut session, INVITATION, code, code);
    let shown = session.expect(CONFIRM);
    show_without_picture(shown.trim_start());
    let code = Offer::read(&shown).app.code(0);
    typed(&format!("{code}, which oathtool computed from the secret"));
    session.type_line(&code);
    write_down(&mut session);
    look_around(session);
}
