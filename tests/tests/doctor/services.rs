//! Defects of PAM services.

use std::fs;

use twofactor_core::pam_service::first_factor::{NAME, TEXT};
use twofactor_tests::private_host::{Host, private_host, said};

use crate::Mended::{ByHand, ByItsCommands};
use crate::{SSHD, check, doctor, finds, make_well, service, set_mode};

const OURS: &str = "auth required pam_twofactor.so\n";
const ACCOUNT: &str = "account required pam_twofactor.so\n";

fn right(_: &Host) {
    service("sshd", SSHD);
}

/// sshd's service with one line in the place of another.
fn instead(line: &'static str, other: &'static str) -> impl Fn(&Host) + Send {
    move |_| {
        assert!(SSHD.contains(line));
        service("sshd", &SSHD.replacen(line, other, 1));
    }
}

#[test]
fn no_service_runs_the_module() {
    let make = instead(
        "auth required pam_twofactor.so\naccount requisite pam_nologin.so\naccount required pam_twofactor.so\n",
        "",
    );
    finds(&["no-service"], make, ByItsCommands);
}

#[test]
fn the_password_alone_is_enough() {
    let make = instead(
        "@include common-auth\nauth required pam_twofactor.so\n",
        "auth sufficient pam_unix.so\nauth required pam_twofactor.so\nauth required pam_deny.so\n",
    );
    finds(&["line-skipped"], make, ByItsCommands);
}

#[test]
fn another_second_factor_is_a_hole_only_without_a_first_factor() {
    private_host(|host| {
        let module = host.place("pam_google_authenticator.so");
        fs::write(&module, "").unwrap();
        make_well(host);
        let other = format!("auth sufficient {} nullok\n", module.display());
        let found = |text: &str| {
            service("login", text);
            said(&host.run_twofactor(&["doctor"]))
        };
        let ours = format!("auth required pam_twofactor.so\n{ACCOUNT}account required pam_unix.so\n");
        let behind = found(&format!("auth requisite pam_unix.so\n{other}{ours}"));
        assert!(!behind.contains("line-skipped"), "{behind}");
        let alone = found(&format!("{other}auth requisite pam_unix.so\n{ours}"));
        assert!(alone.contains("line-skipped") && alone.contains("/etc/pam.d/login:1"), "{alone}");
    });
}

#[test]
fn a_jump_leaves_our_line_out() {
    let make = instead(
        "@include common-auth\nauth required pam_twofactor.so\n",
        "auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_twofactor.so\n\
         auth required pam_permit.so\n",
    );
    finds(&["line-skipped"], make, ByHand(&right));
}

#[test]
fn our_line_is_optional() {
    finds(&["line-overruled"], instead(OURS, "auth optional pam_twofactor.so\n"), ByItsCommands);
}

#[test]
fn our_line_is_sufficient_behind_the_password() {
    finds(&["line-overruled"], instead(OURS, "auth sufficient pam_twofactor.so\n"), ByItsCommands);
}

#[test]
fn the_password_does_not_count() {
    finds(&["password-overruled"], instead("@include common-auth\n", "auth optional pam_unix.so\n"), ByHand(&right));
}

#[test]
fn only_the_account_line_is_there() {
    finds(&["no-auth-line"], instead(OURS, ""), ByItsCommands);
}

#[test]
fn the_account_line_is_missing_and_nobody_needs_it() {
    finds(&["no-account-line"], instead(ACCOUNT, ""), ByItsCommands);
}

#[test]
fn the_account_line_is_missing_where_users_enroll_at_login() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        instead(ACCOUNT, "")(host);
    };
    finds(&["enrollment-impossible"], make, ByItsCommands);
}

#[test]
fn the_account_line_is_never_reached() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        instead(ACCOUNT, "account sufficient pam_permit.so\naccount required pam_twofactor.so\n")(host);
    };
    finds(&["enrollment-impossible"], make, ByItsCommands);
}

#[test]
fn a_line_refuses_in_an_include_and_ours_stores_all_the_same() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        host.system_service("site-access", "account required pam_access.so\n");
        service("sshd", &SSHD.replace(ACCOUNT, &format!("account include site-access\n{ACCOUNT}")));
    };
    let put_right = |_: &Host| {
        let own = format!("account requisite pam_access.so\n{ACCOUNT}");
        service("sshd", &SSHD.replace(ACCOUNT, &own));
    };
    finds(&["stored-though-refused"], make, ByHand(&put_right));
}

#[test]
fn an_expired_password_outweighs_the_refusal_of_our_line() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        let bad = format!("account [success=ok default=bad] pam_unix.so\n{ACCOUNT}");
        service("sshd", &SSHD.replace(ACCOUNT, &bad));
    };
    finds(&["account-line-late"], make, ByHand(&right));
}

#[test]
fn an_expired_password_ends_the_account_phase_before_our_line() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        let late = SSHD
            .replace(ACCOUNT, "")
            .replace("@include common-account\n", "@include common-account\naccount required pam_twofactor.so\n");
        service("sshd", &late);
    };
    finds(&["account-line-late"], make, ByHand(&right));
}

#[test]
fn the_module_is_not_there() {
    let make = instead(OURS, "auth required /lib/security/nowhere/pam_twofactor.so\n");
    finds(&["module-missing"], make, ByHand(&right));
}

#[test]
fn the_modules_file_cannot_be_loaded() {
    let file = || twofactor_core::pam_service::modules::folder().unwrap().join("pam_twofactor.so");
    let right = |host: &Host| {
        fs::copy(host.place("bin/pam_twofactor.so"), file()).unwrap();
    };
    finds(&["module-damaged"], |_| fs::write(file(), "not an ELF file").unwrap(), ByHand(&right));
    let cut = |_: &Host| {
        let whole = fs::read(file()).unwrap();
        fs::write(file(), &whole[..whole.len() - 1]).unwrap();
    };
    finds(&["module-damaged"], cut, ByHand(&right));
    let another = |_: &Host| {
        let other = file().with_file_name("../libpam_misc.so.0");
        fs::copy(other, file()).unwrap();
    };
    finds(&["module-damaged"], another, ByHand(&right));
}

#[test]
fn a_code_is_asked_for_twice() {
    finds(
        &["asked-twice"],
        instead(OURS, "auth required pam_twofactor.so\nauth required pam_twofactor.so\n"),
        ByItsCommands,
    );
}

#[test]
fn a_code_is_asked_for_by_a_shared_file_too() {
    private_host(|host| {
        make_well(host);
        let common = |name: &str| fs::read_to_string(format!("/etc/pam.d/{name}")).unwrap();
        // As pam-auth-update does it after "service enable sshd".
        service("common-auth", &format!("{}{OURS}", common("common-auth")));
        service("common-account", &format!("{ACCOUNT}{}", common("common-account")));
        let listed = host.json(&["service", "list"]);
        let sshd = listed.as_array().unwrap().iter().find(|one| one["service"] == "sshd").unwrap();
        assert!(sshd["problems"].to_string().contains("both ask for a code in one login"), "{sshd:#}");
        check(host, &["asked-twice"], ByItsCommands);
    });
}

#[test]
fn copies_of_a_service_are_no_services() {
    private_host(|host| {
        make_well(host);
        for copy in ["sshd.save", "sshd.pacnew", "sshd.pacsave", "sshd.twofactor-new", "sshd.ucf-old"] {
            service(copy, "auth sufficient pam_unix.so\nauth required pam_twofactor.so\n");
        }
        let (report, code) = doctor(host);
        assert_eq!((crate::findings(&report).len(), code), (0, 0), "{report:#}");
    });
}

#[test]
fn another_name_of_the_same_program_is_not_guarded() {
    let with_ours = |name: &str| {
        let text = fs::read_to_string(format!("/etc/pam.d/{name}")).unwrap();
        let with = format!("@include common-auth\n{OURS}{ACCOUNT}");
        let text = text.replace("@include common-auth\n", &with);
        assert!(text.contains(OURS), "{text}");
        service(name, &text);
    };
    finds(&["sibling-unguarded"], move |_| with_ours("sudo"), ByItsCommands);
    // su-l includes su.
    private_host(|host| {
        make_well(host);
        with_ours("su");
        let (report, code) = doctor(host);
        assert!(!crate::ids(&report).contains("sibling-unguarded"), "{report:#}");
        assert_eq!(code, 0, "{report:#}");
    });
}

#[test]
fn others_may_write_a_service() {
    finds(&["unsafe-file"], |_| set_mode("/etc/pam.d/common-auth", 0o666), ByItsCommands);
}

#[test]
fn others_may_write_the_module() {
    let make = |host: &Host| {
        let copy = host.place("pam_twofactor.so");
        fs::copy(host.place("bin/pam_twofactor.so"), &copy).unwrap();
        set_mode(&copy, 0o666);
        let line = format!("auth required {}\n", copy.display());
        service("sshd", &SSHD.replace(OURS, &line));
    };
    finds(&["unsafe-file"], make, ByItsCommands);
}

#[test]
fn a_line_has_an_argument_that_means_nothing() {
    finds(&["bad-argument"], instead(OURS, "auth required pam_twofactor.so use_first_pass\n"), ByHand(&right));
}

#[test]
fn a_password_line_runs_the_module() {
    let common = || fs::read_to_string("/etc/pam.d/common-password").unwrap();
    let line = "password [success=ok default=die] pam_twofactor.so\n";
    let make = |_: &Host| service("common-password", &format!("{line}{}", common()));
    finds(&["password-line"], make, ByHand(&|_| service("common-password", &common().replacen(line, "", 1))));
}

#[test]
fn nullok_was_left_there() {
    finds(&["nullok"], instead(OURS, "auth required pam_twofactor.so nullok\n"), ByHand(&right));
}

#[test]
fn debug_was_left_there() {
    finds(&["debug-left-on"], instead(OURS, "auth required pam_twofactor.so debug\n"), ByHand(&right));
}

#[test]
fn whoever_is_asked_nothing_is_refused() {
    let make = |host: &Host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        // The stack for a key and a code, without its last line.
        instead("@include common-auth\n", "")(host);
    };
    finds(&["only-ignores", "sshd-code-alone"], make, ByHand(&right));
}

#[test]
fn somebody_is_asked_nothing_at_all() {
    let make = instead("@include common-auth\n", "auth sufficient pam_succeed_if.so uid = 0\n@include common-auth\n");
    finds(&["asks-nothing"], make, ByHand(&right));
}

#[test]
fn nobody_can_log_in() {
    finds(&["never-succeeds"], instead("@include common-auth\n", "auth required pam_deny.so\n"), ByHand(&right));
}

#[test]
fn a_control_is_misspelt() {
    finds(&["broken-line"], instead("auth required", "auth requried"), ByHand(&right));
}

#[test]
fn an_include_leads_nowhere() {
    finds(&["service-unreadable"], instead("@include common-auth", "@include common-auht"), ByHand(&right));
}

#[test]
fn an_include_of_libpam_leads_nowhere() {
    finds(&["broken-line"], instead("@include common-auth", "auth include nowhere"), ByHand(&right));
}

#[test]
fn a_service_is_read_in_two_ways() {
    let make = instead("@include common-auth\n", "auth required pam_unix.so \\\n\n@include common-auth\n");
    finds(&["service-ambiguous"], make, ByHand(&right));
}

#[test]
fn a_service_includes_itself() {
    finds(&["service-unreadable"], instead("@include common-auth", "@include sshd"), ByHand(&right));
}

#[test]
fn polkit_runs_pam_in_a_sandbox() {
    let make = |host: &Host| {
        // systemd's part of a package that this distribution does not have yet.
        fs::create_dir_all("/etc/systemd/system").unwrap();
        fs::write("/etc/systemd/system/polkit-agent-helper@.service", "[Service]\nProtectSystem=strict\n").unwrap();
        service("polkit-1", SSHD);
        // systemd does not run here.
        host.script(
            "systemctl",
            "#!/bin/sh\n[ \"$*\" = 'enable --now twofactord.socket' ] || exit\n\
                                  twofactord --listen </dev/null >/dev/null 2>&1 &\n\
                                  until [ -S /run/twofactord/socket ]; do sleep 0.1; done\n",
        );
    };
    finds(&["polkit-sandbox"], make, ByItsCommands);
}

#[test]
fn the_unit_of_the_broker_cannot_write_the_state() {
    let make = |host: &Host| {
        fs::create_dir_all("/etc/systemd/system").unwrap();
        fs::write("/etc/systemd/system/twofactord.service", "[Service]\nProtectSystem=strict\n").unwrap();
        host.succeed("cp", ["-a", "/var/lib/twofactor", "/srv/twofactor"]);
        host.configure("[paths]\nstate = \"/srv/twofactor\"\n");
        // The command's last step asks systemd, which does not run here.
        host.script("systemctl", "#!/bin/sh\n[ \"$*\" = daemon-reload ]\n");
    };
    finds(&["broker-sandbox"], make, ByItsCommands);
}

#[test]
fn the_module_in_the_files_that_all_services_share_is_as_well() {
    private_host(|host| {
        make_well(host);
        service("sshd", &SSHD.replace(OURS, "").replace(ACCOUNT, ""));
        // As pam-auth-update does it, at the end of the one and at the beginning of the other.
        let common = |name: &str| fs::read_to_string(format!("/etc/pam.d/{name}")).unwrap();
        service("common-auth", &format!("{}{OURS}", common("common-auth")));
        service("common-account", &format!("{ACCOUNT}{}", common("common-account")));
        let (report, code) = doctor(host);
        assert_eq!((crate::findings(&report).len(), code), (0, 0), "{report:#}");
    });
}

#[test]
fn what_common_auth_has_is_said_once_for_all_services() {
    private_host(|host| {
        make_well(host);
        let common = fs::read_to_string("/etc/pam.d/common-auth").unwrap();
        service("common-auth", &format!("{common}auth optional pam_twofactor.so\n"));
        service("sshd", &SSHD.replace(OURS, ""));
        let (report, _) = doctor(host);
        let found: Vec<_> = crate::findings(&report).iter().filter(|one| one["id"] == "line-overruled").collect();
        assert_eq!(found.len(), 1, "{report:#}");
        let what = found[0]["what"].as_str().unwrap();
        // Which other services there are depends on the machine.
        assert!(
            what.contains("chsh, ") && what.contains("login, ") && what.contains(" more: /etc/pam.d/common-auth:"),
            "{what}"
        );
        assert!(!what.contains("common-auth,"), "a part is no service: {what}");
        assert!(found[0]["command"].is_null(), "a file that others share is put right by hand: {report:#}");
    });
}

/// sshd's service behind a substack, with what tells our line of a wrong password.
fn told(lines: &str) -> impl Fn(&Host) + Send + '_ {
    move |_| {
        service("inner", "auth sufficient pam_unix.so\nauth required pam_deny.so\n");
        service(NAME, TEXT);
        let lines = format!("auth substack inner\n{lines}");
        service("sshd", &SSHD.replacen("@include common-auth\nauth required pam_twofactor.so\n", &lines, 1));
    }
}

const TELLER: &str = "auth substack /etc/pam.d/twofactor-first-factor\n";

#[test]
fn our_line_is_told_of_failures_where_it_should_be_and_nothing_is_found() {
    private_host(|host| {
        make_well(host);
        told(&format!("{TELLER}{OURS}"))(host);
        let (report, code) = doctor(host);
        assert_eq!((report["findings"].as_array().unwrap().len(), code), (0, 0), "{report:#}");
    });
}

#[test]
fn our_line_is_told_of_failures_where_nothing_has_failed() {
    let make = told("auth optional pam_twofactor.so first_factor=failed\nauth required pam_twofactor.so\n");
    finds(&["first-factor-unused", "told-wrongly"], make, ByItsCommands);
}

#[test]
fn our_line_stands_above_what_should_tell_it_of_failures() {
    let lines = format!("{OURS}{TELLER}");
    finds(&["never-told"], told(&lines), ByItsCommands);
}

#[test]
fn the_file_that_tells_our_line_of_failures_was_changed() {
    private_host(|host| {
        make_well(host);
        told(&format!("{TELLER}{OURS}"))(host);
        service(NAME, &format!("# mine\n{TEXT}"));
        check(host, &["first-factor-file"], ByItsCommands);
        // Without its condition, it tells of a failure that never was.
        service(NAME, "auth optional pam_twofactor.so first_factor=failed\n");
        check(host, &["first-factor-file", "told-wrongly"], ByItsCommands);
    });
}

#[test]
fn the_file_that_tells_our_line_of_failures_is_missing() {
    private_host(|host| {
        make_well(host);
        told(&format!("{TELLER}{OURS}"))(host);
        fs::remove_file(format!("/etc/pam.d/{NAME}")).unwrap();
        check(host, &["broken-line"], ByItsCommands);
    });
}

#[test]
fn no_service_includes_the_file_that_tells_our_line_of_failures() {
    finds(&["first-factor-unused"], |_| service(NAME, TEXT), ByItsCommands);
}
