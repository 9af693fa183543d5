//! An sshd whose PAM service has another name: a key counts in the service `sshd` alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;

use serde_json::json;
use twofactor_tests::security_key::{SETTINGS, private_host_with_keys};

use crate::login::{Login, SHARED};

const OTHER: &str = "sshd-intern";

/// OpenSSH 9.8 and later have the name from `PAMServiceName`, earlier ones from the name by which sshd was started.
#[test]
fn a_key_counts_in_the_service_sshd_alone_whichever_program_has_verified_it() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        host.system_service(OTHER, SHARED);
        {
            let has_setting = fs::exists("/usr/lib/openssh/sshd-session").unwrap();
            let other_name = host.place("bin").join(OTHER);
            symlink("/usr/sbin/sshd", &other_name).unwrap();
            let setting = if has_setting { format!("PAMServiceName {OTHER}\n{SETTINGS}") } else { SETTINGS.to_owned() };
            let sshd = host.sshd_prepared(SHARED, &setting, |command| {
                if !has_setting {
                    command.arg0(&other_name);
                }
            });
            login.is_asked(&sshd, [&key]);
            host.assert_logged(&[&format!("denied user=alice service={OTHER} rhost=127.0.0.1 reason=")]);
        }
        login.is_in(&login.sshd(""), [&key]);
        for (service, explained) in [
            (OTHER, json!({ "asked": true, "because": "ssh keys count in the PAM service sshd alone" })),
            ("sshd", json!({ "asked": false, "because": null })),
        ] {
            assert_eq!(host.json(&["explain", "alice", "--service", service])["ssh_key"], explained, "{service}");
        }
    });
}
