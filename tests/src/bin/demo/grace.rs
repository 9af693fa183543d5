//! `make demo-grace`: until a day nobody has to have a second factor, and who has none is told; who has one is asked once an
//! hour.

use twofactor_tests::first_login::STACK;
use twofactor_tests::private_host::Host;
use twofactor_tests::ssh::Sshd;

use crate::USER;
use crate::transcript::{command, configure, know_the_host, look_around, run, say, show_log, ssh, ssh_with};

const POLICY: &str = "\
[[rule]]
second_factor = \"optional\"
until = 2099-01-31
remember = \"1h\"
";

pub(crate) fn demonstrate(host: &Host) {
    say("Until that day only who has a second factor is asked for it, and then not again for an hour:");
    configure(host, POLICY);
    let sshd = host.sshd_with(STACK, "");
    know_the_host(host);
    say("Alice has none. She gets in, and is told from when on she will not:");
    password_alone(&sshd);
    say("The sysadmin enrolls her. She is asked from now on:");
    command(&format!("twofactor enroll {USER}"));
    let alice = host.enroll(USER, &[]);
    look_around(ssh_with(&sshd, &alice.code()));
    say("From the same address she is not asked again for an hour:");
    password_alone(&sshd);
    run(host, &["explain", USER, "--service", "sshd", "--rhost", "127.0.0.1"]);
    show_log(host);
}

fn password_alone(sshd: &Sshd<'_>) {
    look_around(ssh(sshd, &["LogLevel=INFO"]));
}
