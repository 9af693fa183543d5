//! Defects of the configuration and of rules.

use std::fs;

use twofactor_tests::private_host::{Host, private_host};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{SSHD, check, doctor, finds, ids, make_well, service, set_mode};

const FILE: &str = "/etc/twofactor/twofactor.toml";

fn without(_: &Host) {
    fs::remove_file(FILE).unwrap();
}

#[test]
fn the_configuration_has_mistakes() {
    private_host(|host| {
        make_well(host);
        host.configure("[promt]\ntries = 1\n[throttle]\nfree_attempts = -1\n");
        let mend = |host: &Host| {
            let (report, _) = doctor(host);
            assert_eq!(crate::findings(&report).len(), 2, "one for every mistake: {report:#}");
            let unchecked: Vec<&str> =
                report["unchecked"].as_array().unwrap().iter().filter_map(|one| one["area"].as_str()).collect();
            assert_eq!(unchecked, ["configuration", "state", "accounts"], "{report:#}");
            without(host);
        };
        check(host, &["config-invalid"], ByHand(&mend));
    });
}

#[test]
fn what_mends_several_mistakes_is_said_once() {
    private_host(|host| {
        make_well(host);
        host.configure("[promt]\ntries = 1\n[throttle]\nfree_attempts = -1\n");
        let page = String::from_utf8(host.run_twofactor(&["doctor"]).stdout).unwrap();
        assert_eq!(page.matches("[config-invalid]").count(), 2, "{page}");
        assert_eq!((page.matches("why: ").count(), page.matches("fix:  ").count()), (1, 1), "{page}");
    });
}

#[test]
fn a_rule_names_a_service_that_pam_does_not_know() {
    let make = |host: &Host| host.configure("[[rule]]\nservices = [\"ssh\"]\nsecond_factor = \"off\"\n");
    let mend = |host: &Host| {
        let (report, _) = doctor(host);
        let what = crate::findings(&report)[0]["what"].as_str().unwrap().to_owned();
        assert!(what.ends_with(":1 names the service \"ssh\", which PAM does not know; sshd?"), "{what}");
        without(host);
    };
    finds(&["rule-without-service"], make, ByHand(&mend));
}

#[test]
fn everything_else_is_looked_at_with_a_broken_configuration_too() {
    private_host(|host| {
        make_well(host);
        host.configure("nonsense");
        set_mode(crate::of_alice("state"), 0o644);
        service("sshd", &SSHD.replace("auth required pam_twofactor", "auth optional pam_twofactor"));
        assert_eq!(ids(&doctor(host).0), ["config-invalid", "unsafe-file", "line-overruled"].into());
    });
}

#[test]
fn others_may_write_the_configuration() {
    let make = |host: &Host| {
        host.configure("");
        set_mode(FILE, 0o666);
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

#[test]
fn others_may_replace_the_configuration() {
    let make = |host: &Host| {
        host.configure("");
        set_mode("/etc/twofactor", 0o777);
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

fn with_conf(_: &Host) {
    service("sshd", &SSHD.replace("pam_twofactor.so\n", "pam_twofactor.so conf=/etc/other.toml\n"));
}

fn right(_: &Host) {
    service("sshd", SSHD);
}

#[test]
fn a_line_reads_another_configuration() {
    let make = |host: &Host| {
        fs::write("/etc/other.toml", "").unwrap();
        with_conf(host);
    };
    finds(&["other-config"], make, ByHand(&right));
}

#[test]
fn a_line_names_a_configuration_that_is_not_there() {
    finds(&["config-missing"], with_conf, ByHand(&right));
}

#[test]
fn a_rule_is_about_a_service_that_does_not_run_the_module() {
    let make = |host: &Host| host.configure("[[rule]]\nservices = [\"sudo\"]\nsecond_factor = \"required\"\n");
    finds(&["rule-without-service"], make, ByHand(&without));
}

#[test]
fn a_rule_is_about_nobody() {
    let make = |host: &Host| host.configure("[[rule]]\nusers = [\"alcie\"]\nsecond_factor = \"off\"\n");
    finds(&["rule-names-nobody"], make, ByHand(&without));
}

#[test]
fn a_caller_is_about_nobody() {
    let caller = "[[caller]]\nuser = \"daemon\"\nservice = \"sshd\"\ngroups = [\"no-such-group\"]\n";
    finds(&["caller-idle"], |host: &Host| host.configure(caller), ByHand(&without));
}

#[test]
fn a_helpdesk_is_a_group_that_is_not_there() {
    let helpdesk = "[[helpdesk]]\ngroup = \"no-such-group\"\n";
    finds(&["helpdesk-idle", "no-registry"], |host: &Host| host.configure(helpdesk), ByHand(&without));
}

#[test]
fn a_helpdesk_protects_a_group_that_is_not_there() {
    let helpdesk = "[[helpdesk]]\ngroup = \"daemon\"\nprotected = [\"sudo\", \"personell\"]\n";
    finds(&["helpdesk-unprotected", "no-registry"], |host: &Host| host.configure(helpdesk), ByHand(&without));
}

#[test]
fn a_helpdesk_is_on_a_host_that_cannot_tell_who_is_in_no_group() {
    let make = |host: &Host| {
        host.configure("[[helpdesk]]\ngroup = \"daemon\"\n");
        let sources = fs::read_to_string("/etc/nsswitch.conf").unwrap();
        fs::write("/etc/nsswitch.conf", sources.replace("\ngroup:", "\ninitgroups: files sss\ngroup:")).unwrap();
    };
    finds(&["helpdesk-in-doubt", "no-registry"], make, ByHand(&without));
}

/// Root may be asked, and everybody else need not be.
const ADMINS: &str = "[[rule]]\ngroups = [\"root\"]\nsecond_factor = \"required\"\n";

#[test]
fn a_rule_about_groups_of_a_server_holds_for_everybody() {
    let make = |host: &Host| {
        host.configure(&format!("{ADMINS}[default]\nsecond_factor = \"off\"\n"));
        let sources = fs::read_to_string("/etc/nsswitch.conf").unwrap();
        fs::write("/etc/nsswitch.conf", sources.replace("group:", "initgroups: files sss\ngroup:")).unwrap();
    };
    finds(&["rule-in-doubt"], make, ByHand(&without));
}

#[test]
fn the_way_in_of_last_resort_stands_behind_a_rule_about_groups() {
    let make = |host: &Host| {
        let backup = "[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"off\"\n";
        host.configure(&format!("{ADMINS}{backup}"));
    };
    finds(&["rule-order"], make, ByHand(&without));
}

#[test]
fn a_grace_is_over() {
    let make = |host: &Host| host.configure("[[rule]]\nsecond_factor = \"optional\"\nuntil = 2020-01-31\n");
    finds(&["grace-over"], make, ByHand(&without));
}

#[test]
fn a_grace_ends_before_everybody_is_enrolled() {
    let make = |host: &Host| {
        host.add_user("bob");
        let soon = host.succeed("date", ["--utc", "--date=+5 days", "+%Y-%m-%d"]);
        host.configure(&format!("[[rule]]\nsecond_factor = \"enroll\"\nuntil = {}\n", soon.trim()));
    };
    finds(&["grace-ending"], make, ByItsCommands);
}
