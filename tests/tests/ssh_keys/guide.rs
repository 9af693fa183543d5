//! The page of the guide, `docs/guide/security-keys.md`, followed to the letter.

use std::fs;
use std::process::Command;

use twofactor_tests::artifacts::workspace;
use twofactor_tests::documents;
use twofactor_tests::private_host::{Host, PASSWORD, said};
use twofactor_tests::security_key::{Provider, SecurityKey, private_host_with_keys};
use twofactor_tests::ssh::{Client, Session, Sshd};

/// The lines that the page has people type, with their prompts: `$` of the user, `#` of root.
fn typed() -> Vec<String> {
    let page = documents::read(&workspace().join("docs/guide/security-keys.md"));
    let blocks = documents::Parts::of(&page).blocks;
    let lines = blocks.into_iter().flat_map(|(_, block)| block);
    lines.filter(|line| line.starts_with("# ") || line.starts_with("$ ")).collect()
}

/// A shell of root, or of alice at her own machine, which is this host. Her security key answers for itself, and she takes no
/// passphrase.
fn shell(host: &Host, provider: Provider<'_>, line: &str) -> Command {
    let (who, line) = line.split_at(2);
    let mut shell = match who {
        "# " => host.command("sh"),
        _ => {
            let mut shell = host.command("setpriv");
            shell.args(["--reuid=alice", "--regid=alice", "--init-groups", "env", "HOME=/home/alice", "sh"]);
            shell
        }
    };
    let askpass = host.script("no-passphrase", "#!/bin/sh\necho\n");
    shell.args(["-ec", line]).env("SSH_SK_PROVIDER", provider.path());
    shell.env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force");
    shell
}

/// Alice's client, with no code.
fn login(sshd: &Sshd<'_>, provider: Provider<'_>, key: &SecurityKey) -> Session {
    let options = provider.options([key]);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    sshd.client(&Client { user: "alice", password: PASSWORD, code: "abc", options: &options })
}

#[test]
fn the_page_leads_to_a_login_by_touch_alone() {
    let lines = typed();
    private_host_with_keys(|host, provider| {
        host.install_module();
        host.user_with_app("alice");
        host.succeed("usermod", ["--append", "--groups", "sudo", "alice"]);
        host.succeed("ssh-keygen", ["-A"]);
        host.script("systemctl", "#!/bin/sh\necho \"$@\" >>/run/systemctl\n");
        host.script("timedatectl", "#!/bin/sh\necho NTPSynchronized=yes\n");
        fs::create_dir("/home/alice/.ssh").unwrap();
        host.succeed("chown", ["alice:", "/home/alice/.ssh"]);
        fs::write("/etc/ssh/ssh_known_hosts", "").unwrap();

        let key = SecurityKey { file: "/home/alice/.ssh/id_ed25519_sk".into() };
        let mut steps = Vec::new();
        // She has an app already, and at a terminal root would be asked.
        for line in lines.iter().filter(|line| !line.contains("twofactor enroll")) {
            let mut line = if line.contains("service enable") { format!("{line} --yes") } else { line.clone() };
            if line.contains("sed -i") {
                // sshd has read its settings: behind the key PAM asks for the password, and for no code.
                let session = login(&host.sshd_of_the_system(), provider, &key);
                assert!(session.opened(), "{}", said(&session.output));
                assert_eq!(session.prompts, ["Password: "]);
                steps.push("key and password");
            }
            if let Some((command, _)) = line.split_once("SHA256:") {
                let session = login(&host.sshd_of_the_system(), provider, &key);
                assert!(session.opened() && session.prompts.is_empty(), "{}", said(&session.output));
                host.assert_logged(&["accepted user=alice service=sshd", "token=ssh-key:SHA256:"]);
                line = format!("{command}{}", key.fingerprint(host));
                steps.push("key alone");
            }
            let output = shell(host, provider, &line).output().unwrap();
            // doctor looks at the whole host, of which this page is not.
            let whole = line.contains("twofactor doctor");
            assert!(output.status.success() || whole, "{line}: {}", said(&output));
            assert!(!whole || !said(&output).contains("[ssh-key-"), "{line}: {}", said(&output));
        }
        assert_eq!(steps, ["key and password", "key alone"]);
        assert_eq!(fs::read_to_string("/run/systemctl").unwrap(), "reload ssh\n");
        let removed = login(&host.sshd_of_the_system(), provider, &key);
        assert!(!removed.opened());
        assert_eq!(removed.prompts, ["Verification code: "]);
    });
}
