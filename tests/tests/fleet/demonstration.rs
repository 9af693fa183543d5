//! `make demo-fleet`, in debug: ssh on three hosts with one account, enrolled at the login prompt of the first; a server and the
//! database gone; a reset on the central machine, after which no host lets the user in. Each of its steps fails loudly.

use std::process::{Command, Stdio};

use twofactor_tests::artifacts::program;
use twofactor_tests::requirements;

#[test]
fn a_user_who_enrolls_at_one_host_logs_in_at_others_and_a_reset_ends_it_on_all() {
    if !requirements::met() || super::Fleet::postgres().is_none() {
        return;
    }
    let output = Command::new(program("demo")).arg("fleet").stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let denied = text.matches("Permission denied").count();
    assert_eq!(denied, 5, "a used code, no network, no database, and after the reset at two hosts: {text}");
    let sessions = text.matches("$ id -un; hostname; exit").count();
    assert_eq!(sessions, 5, "web1, web2, web3 without a server and after the cut, the administrator: {text}");
    let log = text.split_once("# twofactor log --user alice").unwrap_or_default().1;
    let rows: Vec<Vec<&str>> = log.lines().map(|line| line.split_whitespace().skip(1).collect()).collect();
    for row in [
        &["enrolled", "alice", "host", "web1"][..],
        &["accepted", "alice", "app,", "host", "web2"],
        &["denied", "alice", "replayed,", "host", "web3"],
        &["reset", "alice", "by", "root"],
    ] {
        assert!(rows.iter().any(|words| words == row), "{row:?}: {text}");
    }
}
