//! Keys that users enroll for themselves, in logins through the real sshd.

use twofactor_tests::private_host::said;
use twofactor_tests::security_key::{authorize, private_host_with_keys};

use crate::login::Login;

#[test]
fn a_key_that_the_user_enrolls_spares_the_code_until_the_user_takes_it_away() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let key = provider.key("ed25519-sk", "hers");
        authorize(host, "alice", [key.line()]);
        let (sshd, _broker) = (login.sshd(""), host.broker());
        login.is_asked(&sshd, [&key]);
        let own = |arguments: &[&str], lines: &str| {
            let output = host.run_twofactor_of("alice", &[&["self", "ssh-key"], arguments].concat(), lines);
            assert!(output.status.success(), "{}", said(&output));
            said(&output)
        };
        let added = own(&["add", "-"], &format!("{}\n{}\n", key.line(), login.alice.recovery_codes[0]));
        assert!(added.contains(&key.fingerprint(host)), "{added}");
        login.is_in(&sshd, [&key]);
        own(&["remove", "hers"], &format!("{}\n", login.alice.recovery_codes[1]));
        login.is_asked(&sshd, [&key]);
    });
}
