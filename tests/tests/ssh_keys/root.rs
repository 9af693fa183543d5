//! Keys of root: sshd's `PermitRootLogin` decides whether a login of root may go on to PAM at all.

use std::fs;

use twofactor_tests::private_host::said;
use twofactor_tests::security_key::private_host_with_keys;

use crate::login::Login;

/// Debian's default ends such a login where PAM has just accepted it.
#[test]
fn a_key_of_root_opens_nothing_unless_root_may_answer_prompts_and_who_enrolls_it_reads_that() {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let key = provider.key("ed25519-sk", "roots");
        let keys = host.place("roots-keys");
        fs::write(&keys, key.line() + "\n").unwrap();
        let drop_in = "/etc/ssh/sshd_config.d/10-root.conf";
        let settings = [("prohibit-password", false), ("forced-commands-only", false), ("no", false), ("yes", true)];
        for (number, (setting, opens)) in settings.into_iter().enumerate() {
            fs::write(drop_in, format!("PermitRootLogin {setting}\n")).unwrap();
            if number > 0 {
                host.succeed("twofactor", ["ssh-key", "remove", "root", &key.fingerprint(host), "--force"]);
            }
            let added = host.run_twofactor(&["ssh-key", "add", "root", key.public().to_str().unwrap()]);
            assert!(added.status.success(), "it is a warning and no refusal: {}", said(&added));
            let warning = format!("over ssh this key opens nothing: sshd has PermitRootLogin {setting}");
            assert_eq!(said(&added).contains(&warning), !opens, "{setting}: {}", said(&added));

            let more = format!("PermitRootLogin {setting}\nStrictModes no\nAuthorizedKeysFile {}\n", keys.display());
            let session = login.session_of("root", &login.sshd(&more), [&key]);
            let shown = String::from_utf8_lossy(&session.output.stdout).into_owned();
            assert_eq!(shown == "session-42-5\n", opens, "{setting}: {}", said(&session.output));
            assert!(session.prompts.is_empty(), "{setting}: {:?}", session.prompts);
            // PAM accepts the key, and sshd does not heed it.
            host.assert_logged(&["accepted user=root service=sshd", "token=ssh-key:SHA256:"]);
        }
        // The number makes a root, and not the name.
        host.succeed("useradd", ["--non-unique", "--uid", "0", "--no-create-home", "toor"]);
        fs::write(drop_in, "PermitRootLogin no\n").unwrap();
        let toors = provider.key("ed25519-sk", "toors");
        let added = host.run_twofactor(&["ssh-key", "add", "toor", toors.public().to_str().unwrap()]);
        assert!(added.status.success(), "{}", said(&added));
        let warning = "over ssh this key opens nothing: sshd has PermitRootLogin no, and ends a login of toor";
        assert!(said(&added).contains(warning), "{}", said(&added));
        // sshd keeps alice out before it looks at a key: that is another matter.
        let alices = provider.key("ed25519-sk", "alices");
        fs::write(drop_in, "PermitRootLogin no\nDenyUsers alice\n").unwrap();
        let added = host.run_twofactor(&["ssh-key", "add", "alice", alices.public().to_str().unwrap()]);
        assert!(added.status.success() && !said(&added).contains("warning"), "{}", said(&added));
    });
}
