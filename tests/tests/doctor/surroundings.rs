//! What only a booted host has: a time service, and SELinux. They are played here.

use std::fs;

use nix::mount::{MsFlags, mount};
use twofactor_core::pam_service::modules;
use twofactor_tests::moment::Moment;
use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::ByHand;
use crate::{STATE, doctor, finds, ids, make_well, synchronized};

#[test]
fn nobody_sets_the_clock() {
    let mend = |host: &Host| synchronized(host, "yes");
    finds(&["clock-not-synchronized"], |host: &Host| synchronized(host, "no"), ByHand(&mend));
}

#[test]
fn that_nobody_knows_whether_the_clock_is_set_is_said() {
    private_host(|host| {
        make_well(host);
        host.script("timedatectl", "#!/bin/sh\necho 'no bus here' >&2\nexit 1\n");
        let (report, code) = doctor(host);
        assert_eq!(code, 0, "{report:#}");
        let unchecked = report["unchecked"].as_array().unwrap();
        assert_eq!(unchecked.len(), 1, "{report:#}");
        assert!(unchecked[0]["because"].as_str().unwrap().contains("no bus here"), "{report:#}");
        let page = host.run_twofactor(&["doctor"]);
        assert!(String::from_utf8(page.stdout).unwrap().ends_with("\nNothing found, 1 not checked.\n"));
    });
}

#[test]
fn the_clock_is_of_long_ago() {
    if !twofactor_tests::requirements::stopped_clock_met() {
        return;
    }
    private_host(|host| {
        make_well(host);
        let output = host.run_twofactor_at(Moment(40_000_000), &["--json", "doctor"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ids(&report), ["clock-wrong"].into(), "{report:#}");
        assert_eq!(output.status.code(), Some(1));
    });
}

/// The part of the kernel's files that says that SELinux is enforced, a label on the state, and policy modules.
fn play_selinux(host: &Host, kind: &str, modules: &str) {
    if !fs::exists("/sys/fs/selinux/enforce").unwrap() {
        mount(Some("twofactor-tests"), "/sys/fs", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        fs::create_dir("/sys/fs/selinux").unwrap();
        fs::write("/sys/fs/selinux/enforce", "1").unwrap();
    }
    label(host, STATE, kind);
    label(host, modules::folder().unwrap().to_str().unwrap(), "lib_t");
    host.script("semodule", &format!("#!/bin/sh\nprintf '{modules}'\n"));
    host.script("restorecon", "#!/bin/sh\nexit 0\n");
}

/// Labels a file, or a folder with all that is in it.
fn label(host: &Host, path: &str, kind: &str) {
    let label = format!("system_u:object_r:{kind}:s0");
    let script = "\
import os, sys
root, label = sys.argv[1], sys.argv[2].encode() + bytes(1)
inside = [os.path.join(folder, name) for folder, folders, files in os.walk(root) for name in folders + files]
for path in [root] + inside:
    os.setxattr(path, 'security.selinux', label, follow_symlinks=False)
";
    host.succeed(twofactor_tests::requirements::PYTHON, ["-c", script, path, &label]);
}

#[test]
fn the_state_has_a_label_that_logins_may_not_write() {
    let mend = |host: &Host| label(host, STATE, "pam_twofactor_var_lib_t");
    finds(&["selinux-label"], |host: &Host| play_selinux(host, "var_lib_t", "pam_twofactor\\n"), ByHand(&mend));
}

#[test]
fn a_file_in_the_state_has_a_label_of_somewhere_else() {
    let file = || crate::of_alice("state");
    let make = move |host: &Host| {
        play_selinux(host, "pam_twofactor_var_lib_t", "pam_twofactor\\n");
        label(host, &file(), "user_home_t");
    };
    finds(&["selinux-label"], make, ByHand(&|host| label(host, &file(), "pam_twofactor_var_lib_t")));
}

#[test]
fn the_module_was_moved_from_a_home() {
    let file = || modules::folder().unwrap().join("pam_twofactor.so").to_str().unwrap().to_owned();
    let make = move |host: &Host| {
        play_selinux(host, "pam_twofactor_var_lib_t", "pam_twofactor\\n");
        label(host, &file(), "admin_home_t");
    };
    finds(&["selinux-label"], make, ByHand(&|host| label(host, &file(), "lib_t")));
}

#[test]
fn the_policy_module_is_missing() {
    let mend = |host: &Host| play_selinux(host, "var_auth_t", "pam_twofactor\\n");
    finds(&["selinux-no-module"], |host: &Host| play_selinux(host, "var_auth_t", "abrt\\n"), ByHand(&mend));
}
