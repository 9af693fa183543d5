//! `make demo-ssh-key`: an ssh key in a security key opens a session with a touch and without a code, once it is enrolled.
//!
//! A key in software plays the security key (`tests/security-key`): it signs as if it had been touched.

use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::security_key::{Provider, SETTINGS, STACK, SecurityKey, authorize};
use twofactor_tests::ssh::{Client, Sshd};
use twofactor_tests::terminal::Terminal;
use twofactor_tests::twofactor::Enrollment;

use crate::USER;
use crate::transcript::{command, know_the_host, look_around, refused, run, say, show, show_log, typed};

pub(crate) fn demonstrate(host: &Host) {
    let provider = Provider::install(host);
    say("sshd demands a key, a touch where it is a security key, and then what PAM asks: a code, but no password:");
    command("cat /etc/ssh/sshd_config.d/00-twofactor.conf");
    print!("{SETTINGS}");
    command("cat /etc/pam.d/sshd");
    print!("{STACK}");
    let sshd = host.sshd_with(STACK, SETTINGS);
    know_the_host(host);
    let alice = host.enroll(USER, &[]);
    let (hers, other) = make(host, provider);
    asked(&sshd, provider, &hers, &alice);
    enroll(host, &hers);
    by_touch(&sshd, provider, &hers);
    stranger(&sshd, provider, &other, &alice);
    show_log(host);
}

/// Two keys, which sshd knows both.
fn make(host: &Host, provider: Provider<'_>) -> (SecurityKey, SecurityKey) {
    say("Alice has an app, and a security key. She makes an ssh key in it, and sshd knows it as one of hers:");
    command("ssh-keygen -t ed25519-sk -f .ssh/id_ed25519_sk");
    let hers = provider.key("ed25519-sk", "id_ed25519_sk");
    let other = provider.key("ed25519-sk", "another");
    authorize(host, USER, [hers.line(), other.line()]);
    command("cat .ssh/authorized_keys");
    println!("{}", hers.line());
    (hers, other)
}

/// Its kind proves nothing: a key in software looks the same to sshd.
fn asked(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey, alice: &Enrollment) {
    say("It is not enrolled with twofactor yet, so she is asked for a code all the same:");
    look_around(answering(ssh(sshd, provider, key), &alice.code()));
}

fn enroll(host: &Host, key: &SecurityKey) {
    say("The sysadmin enrolls it:");
    let public = key.public();
    run(host, &["ssh-key", "add", USER, public.to_str().expect("a name in ASCII")]);
    run(host, &["ssh-key", "list", USER]);
}

fn by_touch(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey) {
    say("From now on she touches it and is in:");
    look_around(ssh(sshd, provider, key));
}

/// A key of alice's `authorized_keys` that is not enrolled: perhaps a thief of her laptop has put it there.
fn stranger(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey, alice: &Enrollment) {
    say("Another key, which a thief has put into her authorized_keys, is asked for a code that he does not have:");
    refused(answering(ssh(sshd, provider, key), &alice.wrong_code()));
}

/// Types a code where one is asked for.
fn answering(mut session: Terminal, code: &str) -> Terminal {
    show(session.expect("code: ").trim_start());
    typed(code);
    session.type_line(code);
    session
}

/// The client at a terminal.
fn ssh(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey) -> Terminal {
    command(&format!("ssh {USER}@127.0.0.1"));
    let mut options = provider.options([key]);
    options.push("LogLevel=INFO".to_owned());
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    sshd.terminal(&Client { user: USER, password: PASSWORD, code: "", options: &options })
}
