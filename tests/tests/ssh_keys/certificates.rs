//! Certificates: of one, the key inside counts.

use std::fs;

use twofactor_tests::private_host::Host;
use twofactor_tests::security_key::{SecurityKey, authorize, private_host_with_keys};

use crate::login::Login;

/// A certification authority of ssh that sshd trusts; gives the line of sshd's configuration.
fn authority(host: &Host) -> String {
    let file = host.place("authority");
    host.succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file.to_str().unwrap()]);
    format!("TrustedUserCAKeys {}.pub\n", file.display())
}

/// A certificate for alice, beside the key, where ssh finds it.
fn certify(host: &Host, key: &SecurityKey, more: &[&str]) {
    let (authority, public) = (host.place("authority"), key.public());
    let words = ["-q", "-s", authority.to_str().unwrap(), "-I", "laptop", "-n", "alice", "-V", "+1h"];
    host.succeed("ssh-keygen", words.into_iter().chain(more.iter().copied()).chain([public.to_str().unwrap()]));
    assert!(fs::exists(key.file.with_file_name(format!("{}-cert.pub", name(key)))).unwrap());
}

fn name(key: &SecurityKey) -> &str {
    key.file.file_name().and_then(|name| name.to_str()).unwrap()
}

#[test]
fn of_a_certificate_the_key_inside_counts() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let sshd = login.sshd(&authority(host));
        // No line of hers: it is the certificate that sshd accepts.
        authorize(host, "alice", [""; 0]);
        for kind in ["ed25519-sk", "ecdsa-sk"] {
            let (hers, other) =
                (provider.key(kind, &format!("hers-{kind}")), provider.key(kind, &format!("other-{kind}")));
            for key in [&hers, &other] {
                certify(host, key, &[]);
            }
            login.is_asked(&sshd, [&hers]);
            login.enroll("alice", &hers);
            login.is_in(&sshd, [&hers]);
            login.is_asked(&sshd, [&other]);
        }
    });
}

/// The authority may allow a signature without touch; sshd's setting is the stronger word.
#[test]
fn a_certificate_that_needs_no_touch_is_refused_by_sshd_itself() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let authority = authority(host);
        authorize(host, "alice", [""; 0]);
        let key = provider.key_with("ed25519-sk", "hers", &["-O", "no-touch-required"], &[]);
        certify(host, &key, &["-O", "no-touch-required"]);
        login.enroll("alice", &key);
        {
            let sshd = login.sshd(&authority);
            let session = login.session(&sshd, [&key]);
            assert!(!session.opened() && session.prompts.is_empty(), "{session:?}");
        }
        // Without it the touch cannot be seen, so it is doctor that has to find this.
        let sshd = login.sshd(&format!("{authority}PubkeyAuthOptions none\n"));
        login.is_in(&sshd, [&key]);
    });
}
