//! Applications that systemd puts into a sandbox: what is shipped lets the module do its work there.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::requirements;

const DROP_IN: &str = include_str!("../../etc/systemd/system/polkit-agent-helper@.service.d/twofactor.conf");

/// What `ProtectSystem=strict` and `NoNewPrivileges=yes` make of a host, with one folder that can be written.
const WITH_THE_DROP_IN: &str = "exec unshare --mount sh -c '
mount --bind /var/lib/twofactor /var/lib/twofactor
for folder in / /etc /run /tmp /var /home /root; do mount -o remount,bind,ro $folder || exit; done
exec setpriv --no-new-privs \"$@\"' sh \"$@\"";

const WITHOUT: &str = "exec unshare --mount sh -c '
for folder in / /etc /run /tmp /var /home /root; do mount -o remount,bind,ro $folder || exit; done
exec setpriv --no-new-privs \"$@\"' sh \"$@\"";

/// The unit, as far as it matters here, in the shape of polkit 127.
const UNIT: &str = "\
[Service]
Type=oneshot
ExecStart=/bin/true --socket-activated
StandardInput=socket
StandardOutput=socket
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateNetwork=yes
ProtectClock=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX
SystemCallFilter=@system-service
";

#[test]
fn a_code_opens_a_session_in_the_sandbox_of_polkit_and_is_burned() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let code = alice.code();
        let login = |code: &str| host.login("alice").after(WITH_THE_DROP_IN).typing(code).code();
        assert_eq!(login(&code), ReturnCode::SUCCESS);
        assert_ne!(login(&code), ReturnCode::SUCCESS, "it was burned");
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
    });
}

#[test]
fn without_the_drop_in_nobody_gets_in_and_the_log_says_why() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        assert_ne!(host.login("alice").after(WITHOUT).typing(alice.code()).code(), ReturnCode::SUCCESS);
        host.assert_logged(&["error user=alice", "read-only file system"]);
    });
}

#[test]
fn the_drop_in_opens_the_state_folder_and_nothing_else() {
    let settings: Vec<&str> = DROP_IN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(settings, ["[Service]", "ReadWritePaths=-/var/lib/twofactor"]);
}

#[test]
fn systemd_understands_the_drop_in() {
    if !requirements::programs_met(&["systemd-analyze"]) {
        return;
    }
    private_host(|host| {
        let complaints = |drop_in: &str| verify(host, drop_in);
        assert_eq!(complaints(DROP_IN), Vec::<String>::new());
        let misspelt = DROP_IN.replace("ReadWritePaths", "ReadWritePath");
        assert!(!complaints(&misspelt).is_empty(), "a mistake would have been found");
    });
}

/// What systemd says about the drop-in.
fn verify(host: &Host, drop_in: &str) -> Vec<String> {
    let unit = "/etc/systemd/system/polkit-agent-helper@.service";
    fs::create_dir_all(format!("{unit}.d")).unwrap();
    fs::write(unit, UNIT).unwrap();
    fs::write(format!("{unit}.d/twofactor.conf"), drop_in).unwrap();
    let mut systemd = host.command("systemd-analyze");
    let output = systemd.args(["verify", "--man=no", "polkit-agent-helper@1.service"]).output().unwrap();
    let said = said(&output);
    said.lines().filter(|line| line.contains("twofactor.conf")).map(str::to_owned).collect()
}
