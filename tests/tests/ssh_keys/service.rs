//! An sshd whose PAM service has another name: a key counts in the service `sshd` alone, and `doctor` judges the service that sshd
//! names.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;

use serde_json::json;
use twofactor_tests::private_host::{Host, PASSWORD};
use twofactor_tests::security_key::{SETTINGS, SecurityKey, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session};

use crate::login::{Login, SHARED};

const OTHER: &str = "sshd-intern";

/// True where sshd takes the name from its configuration: OpenSSH 9.8 and later, whose sessions are a program of their own.
fn has_setting() -> bool {
    fs::exists("/usr/lib/openssh/sshd-session").unwrap()
}

/// OpenSSH 9.8 and later have the name from `PAMServiceName`, earlier ones from the name by which sshd was started.
#[test]
fn a_key_counts_in_the_service_sshd_alone_whichever_program_has_verified_it() {
    private_host_with_keys(|host, provider| {
        let (login, key) = Login::of_alice_with_key(host, provider);
        host.system_service(OTHER, SHARED);
        {
            let other_name = host.place("bin").join(OTHER);
            symlink("/usr/sbin/sshd", &other_name).unwrap();
            let setting =
                if has_setting() { format!("PAMServiceName {OTHER}\n{SETTINGS}") } else { SETTINGS.to_owned() };
            let sshd = host.sshd_prepared(SHARED, &setting, |command| {
                if !has_setting() {
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

/// sshd's own settings on this host; and a service without the module.
const WELL: &str = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n";
const WITHOUT_MODULE: &str = "\
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
";

/// The findings of `doctor` that depend on the service of sshd, with what it says of them.
fn found(host: &Host) -> Vec<(String, String)> {
    let output = host.run_twofactor(&["--json", "doctor"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let of_sshd = findings.filter(|finding| finding["id"].as_str().unwrap().starts_with("ssh"));
    let mut found: Vec<_> = of_sshd.map(|finding| (word(&finding["id"]), word(&finding["what"]))).collect();
    found.sort();
    found
}

/// Alice logs in with this key at the sshd of the system's settings, without a right code.
fn session(login: &Login<'_>, key: &SecurityKey) -> Session {
    let options = login.provider.options([key]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let sshd = login.host.own_sshd();
    sshd.client(&Client { user: "alice", password: PASSWORD, code: "abc", options: &options })
}

/// With an sshd that has no such setting there is nothing to judge.
#[test]
fn doctor_judges_the_service_that_sshd_names_for_every_login_and_in_a_match() {
    private_host_with_keys(|host, provider| {
        if !has_setting() {
            return;
        }
        let (login, key) = Login::of_alice_with_key(host, provider);
        host.succeed("ssh-keygen", ["-A"]);
        host.system_service("sshd", SHARED);
        let drop_in = "/etc/ssh/sshd_config.d/00-service.conf";
        let name = format!("PAMServiceName {OTHER}\n");
        for (place, named) in [
            ("", format!("sshd has PAMServiceName {OTHER}")),
            (
                "Match User alice\n",
                format!("for the logins of {drop_in}:6 (Match User alice), sshd has PAMServiceName {OTHER}"),
            ),
        ] {
            let configure = |line: &str| fs::write(drop_in, format!("{WELL}{SETTINGS}{place}{line}")).unwrap();
            configure(&name);
            host.system_service(OTHER, WITHOUT_MODULE);
            let [(idle, what), (other, why)] = &found(host)[..] else { panic!("{:?}", found(host)) };
            assert_eq!((idle.as_str(), other.as_str()), ("ssh-key-idle", "sshd-other-service"));
            assert_eq!((what, why), (&named, &format!("{named}, and that service does not run the module")));
            // So it is: any key is enough.
            let before = host.module_log().len();
            assert!(session(&login, &key).opened_in_silence());
            assert_eq!(host.module_log().len(), before);

            host.system_service(OTHER, SHARED);
            assert_eq!(found(host), [("ssh-key-idle".to_owned(), named)]);
            assert_eq!(session(&login, &key).prompts, ["Verification code: "]);

            configure("PAMServiceName sshd\n");
            assert_eq!(found(host), []);
            assert!(session(&login, &key).opened_in_silence());
        }
        host.assert_logged(&[&format!("denied user=alice service={OTHER} rhost=127.0.0.1 reason=")]);
        host.assert_logged(&["accepted user=alice service=sshd rhost=127.0.0.1 token=ssh-key:SHA256:"]);
    });
}
