//! Each layout of a distribution, in short, and each trap.

use std::fs;

use super::*;

const COMMON_AUTH: &str = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\t\t\tpam_deny.so\n\
                           auth\trequired\t\t\tpam_permit.so\nauth\toptional\t\t\tpam_cap.so\n";
const COMMON_ACCOUNT: &str = "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so\n\
                              account\trequisite\t\t\tpam_deny.so\naccount\trequired\t\t\tpam_permit.so\n";
const SYSTEM_AUTH: &str = "\
auth        required                                     pam_env.so
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        [default=1 ignore=ignore success=ok]         pam_localuser.so
auth        sufficient                                   pam_unix.so nullok
auth        [default=1 ignore=ignore success=ok]         pam_usertype.so isregular
auth        sufficient                                   pam_sss.so forward_pass
auth        required                                     pam_deny.so

account     required                                     pam_unix.so
account     sufficient                                   pam_localuser.so
account     sufficient                                   pam_usertype.so issystem
account     [default=bad success=ok user_unknown=ignore] pam_sss.so
account     required                                     pam_permit.so
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("common-auth", COMMON_AUTH),
        ("common-account", COMMON_ACCOUNT),
        ("system-auth", SYSTEM_AUTH),
        ("debian-sufficient", "auth sufficient pam_unix.so\nauth required pam_deny.so\n"),
        ("postlogin", "session optional pam_lastlog.so\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn try_enable(text: &str) -> Result<Option<Placed>, CannotPlace> {
    try_enable_for(Answers::Apart, text)
}

fn try_enable_for(answers: Answers, text: &str) -> Result<Option<Placed>, CannotPlace> {
    let folder = folder();
    let folders = [folder.path()];
    enabled(
        &Target {
            name: "service",
            file: &folder.path().join("service"),
            folders: &folders,
            answers,
            is_missing: |line| line.module.contains("gone"),
        },
        text,
    )
}

#[track_caller]
fn enable_in_one(text: &str) -> Placed {
    let placed = try_enable_for(Answers::InOne, text).unwrap().expect("something has to change");
    assert_eq!(
        try_enable_for(Answers::InOne, &placed.text).unwrap(),
        None,
        "what was placed is right:\n{}",
        placed.text
    );
    placed
}

#[track_caller]
fn enable(text: &str) -> String {
    let placed = try_enable(text).unwrap().expect("something has to change");
    assert_eq!(try_enable(&placed.text).unwrap(), None, "what was placed is right:\n{}", placed.text);
    assert_eq!(undone(&placed.text, text, &placed.text), text);
    let more = format!("{}session optional pam_new.so\n", placed.text);
    let there_before = format!("{text}session optional pam_new.so\n");
    if !placed.text.contains("pam_permit.so") || text.contains("pam_permit.so") {
        assert_eq!(undone(&more, text, &placed.text), there_before, "what somebody else added stays");
    }
    placed.text
}

#[test]
fn debian_gets_its_lines_around_the_includes() {
    let text = "# PAM for sshd\n\n# Standard Un*x authentication.\n@include common-auth\n\n# nologin\naccount    required     pam_nologin.so\n\n\
                # Standard Un*x authorization.\n@include common-account\n\nsession [success=ok] pam_selinux.so close\n";
    let wanted = "# PAM for sshd\n\n# Standard Un*x authentication.\n@include common-auth\nauth       required     pam_twofactor.so\n\n\
                  # nologin\naccount    requisite    pam_nologin.so\n\naccount    required     pam_twofactor.so\n\
                  # Standard Un*x authorization.\n@include common-account\n\nsession [success=ok] pam_selinux.so close\n";
    assert_eq!(enable(text), wanted);
}

#[test]
fn a_substack_stays_and_an_include_that_ends_the_phase_becomes_one() {
    let sshd = "#%PAM-1.0\nauth       substack     system-auth\nauth       include      postlogin\n\
                account    required     pam_nologin.so\naccount    include      system-auth\n";
    let wanted = "#%PAM-1.0\nauth       substack     system-auth\n\
                  auth       substack     /etc/pam.d/twofactor-first-factor\nauth       required     pam_twofactor.so\n\
                  auth       include      postlogin\naccount    requisite    pam_nologin.so\n\
                  account    required     pam_twofactor.so\naccount    include      system-auth\n";
    assert_eq!(enable(sshd), wanted);
    let sudo = "#%PAM-1.0\nauth       include      system-auth\naccount    include      system-auth\n";
    let wanted = "#%PAM-1.0\nauth       substack     system-auth\n\
                  auth       substack     /etc/pam.d/twofactor-first-factor\nauth       required     pam_twofactor.so\n\
                  account    required     pam_twofactor.so\naccount    include      system-auth\n";
    assert_eq!(enable(sudo), wanted);
}

#[test]
fn an_include_of_debian_that_ends_the_phase_becomes_a_substack_when_nothing_is_lost() {
    let text = "@include debian-sufficient\naccount required pam_unix.so\n";
    assert_eq!(
        enable(text),
        "auth substack debian-sufficient\nauth substack /etc/pam.d/twofactor-first-factor\nauth required pam_twofactor.so\naccount requisite pam_unix.so\naccount required pam_twofactor.so\n"
    );
    let lossy = try_enable("@include system-auth\n");
    assert!(
        matches!(lossy, Err(CannotPlace::NoPlace { phase: Phase::Auth, finding: Finding::Skipped { .. } })),
        "{lossy:?}"
    );
}

#[test]
fn sufficient_in_the_file_itself_jumps_over_the_refusal() {
    let text = "auth required pam_env.so\nauth sufficient pam_unix.so\nauth sufficient pam_sss.so use_first_pass\n\
                auth required pam_deny.so\naccount required pam_unix.so\n";
    let wanted = "auth required pam_env.so\nauth [success=2 new_authtok_reqd=2 default=ignore] pam_unix.so\n\
                  auth [success=1 new_authtok_reqd=1 default=ignore] pam_sss.so use_first_pass\nauth required pam_deny.so\n\
                  auth substack /etc/pam.d/twofactor-first-factor\nauth required pam_twofactor.so\naccount requisite pam_unix.so\naccount required pam_twofactor.so\n";
    assert_eq!(enable(text), wanted);
    let alone = enable("auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n");
    let ours = format!("{TELLER}auth required pam_twofactor.so\n");
    assert!(alone.contains(&format!("auth required pam_deny.so\nauth required pam_permit.so\n{ours}")), "{alone}");
    let nothing_behind = enable("auth sufficient pam_unix.so\naccount required pam_unix.so\n");
    assert!(nothing_behind.starts_with(&format!("auth required pam_unix.so\n{ours}")), "{nothing_behind}");
}

#[test]
fn a_first_factor_that_was_enough_jumps_over_the_one_that_is_asked_for_when_it_refuses() {
    let account = "account requisite pam_unix.so\n";
    for first in ["pam_fprintd.so", "pam_ldap.so", "pam_u2f.so cue", "pam_sss.so forward_pass"] {
        let text = format!("auth sufficient {first}\nauth required pam_unix.so try_first_pass\n{account}");
        // What our line is told of the first factor is another matter.
        let placed = enable(&text).replace("auth substack /etc/pam.d/twofactor-first-factor\n", "");
        let wanted = format!(
            "auth [success=1 new_authtok_reqd=1 default=ignore] {first}\nauth required pam_unix.so try_first_pass\n\
             auth required pam_permit.so\nauth required pam_twofactor.so\n{account}account required pam_twofactor.so\n"
        );
        assert_eq!(placed, wanted);
    }
    let two = "auth required pam_env.so\nauth sufficient pam_fprintd.so\nauth sufficient pam_u2f.so\n\
               auth requisite pam_unix.so\nauth optional pam_cap.so\n";
    let placed = enable(&format!("{two}{account}"));
    assert!(placed.contains("[success=2 new_authtok_reqd=2 default=ignore] pam_fprintd.so\n"), "{placed}");
    assert!(placed.contains("[success=1 new_authtok_reqd=1 default=ignore] pam_u2f.so\n"), "{placed}");
    // Nobody would have said yes where the last of them has nothing to say; what is in the way is named.
    let silent = try_enable(&format!("auth sufficient pam_unix.so\nauth required pam_ldap.so\n{account}"));
    assert!(
        matches!(&silent, Err(CannotPlace::NoPlace { finding: Finding::PrimaryOverruled { primary }, .. }) if primary.number > 0),
        "{silent:?}"
    );
}

#[test]
fn a_module_that_nobody_knows_is_no_way_around_us() {
    let own = "auth sufficient pam_oidc.so\nauth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n";
    let placed = enable(own);
    assert!(placed.starts_with("auth [success=2 new_authtok_reqd=2 default=ignore] pam_oidc.so\n"), "{placed}");
    for first in ["sufficient pam_yubico.so", "[success=done perm_denied=die default=ignore] pam_oslogin_login.so"] {
        let into_an_include = try_enable(&format!("auth {first}\n@include common-auth\n@include common-account\n"));
        let refused = matches!(&into_an_include, Err(CannotPlace::NoPlace { phase: Phase::Auth, finding: Finding::Skipped { by, .. } }) if by.number == 1);
        assert!(refused, "{into_an_include:?}");
    }
    let root = "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n";
    assert!(enable(root).starts_with("auth sufficient pam_rootok.so\n@include common-auth\nauth required"));
}

#[test]
fn who_has_another_second_factor_keeps_it() {
    for second in [
        "auth sufficient pam_google_authenticator.so nullok\n",
        "auth [success=done default=ignore] pam_oath.so usersfile=/etc/users.oath\n",
        "auth sufficient pam_u2f.so cue\n",
    ] {
        for first in [COMMON_AUTH, "auth requisite pam_unix.so\n"] {
            let placed = enable(&format!("{first}{second}{COMMON_ACCOUNT}"));
            let [before, after] = [second, "pam_twofactor.so"].map(|part| placed.find(part).unwrap());
            assert!(before < after && placed.starts_with(first), "as it was, and ours behind: {placed}");
        }
        let alternative = enable(&format!(
            "auth sufficient pam_unix.so\n{second}auth required pam_deny.so\naccount required pam_unix.so\n"
        ));
        assert!(!alternative.contains(second), "it was enough alone, and is no more: {alternative}");
    }
}

#[test]
fn our_line_stands_where_jumps_land_and_not_within_them() {
    let text = format!("{COMMON_AUTH}{COMMON_ACCOUNT}");
    let placed = enable(&text);
    let deny = placed.find("requisite").unwrap();
    assert!(placed.find("pam_twofactor.so").unwrap() > deny, "{placed}");
    let account = placed.find("account\t").unwrap();
    assert!(placed[account..].starts_with("account\trequired"), "before what an expired password ends: {placed}");
    let arch = "auth required pam_faillock.so preauth\n-auth [success=2 default=ignore] pam_systemd_home.so\n\
                auth [success=1 default=bad] pam_unix.so try_first_pass nullok\nauth [default=die] pam_faillock.so authfail\n\
                auth optional pam_permit.so\nauth required pam_env.so\nauth required pam_faillock.so authsucc\n\
                account required pam_unix.so\n";
    let placed = enable(arch);
    assert!(placed.contains("authfail\nauth required pam_twofactor.so\nauth optional pam_permit.so"), "{placed}");
}

#[test]
fn wrong_lines_of_ours_are_put_right_and_keep_their_arguments() {
    let text = "auth sufficient pam_twofactor.so conf=/etc/x.toml nullok\nauth required pam_unix.so\n\
                account required pam_unix.so\naccount optional pam_twofactor.so\n";
    let placed = try_enable(text).unwrap().unwrap();
    assert_eq!(
        placed.text,
        "auth required pam_unix.so\nauth required pam_twofactor.so conf=/etc/x.toml nullok\naccount requisite pam_unix.so\n\
         account required pam_twofactor.so\n"
    );
    assert_eq!(placed.without, "auth required pam_unix.so\naccount required pam_unix.so\n");
    assert!(
        placed.wrong.iter().any(|finding| matches!(finding, Finding::Overruled { phase: Phase::Auth, .. })),
        "{:?}",
        placed.wrong
    );
}

#[test]
fn what_only_needs_an_account_line_gets_no_more() {
    let text = "auth required pam_unix.so\nauth required pam_twofactor.so\naccount required pam_unix.so\n";
    let placed = try_enable(text).unwrap().unwrap();
    assert_eq!(
        placed.text,
        format!("{}account required pam_twofactor.so\n", text.replace("account required", "account requisite"))
    );
}

#[test]
fn a_missing_newline_and_continued_lines_stay() {
    let text = "auth required \\\n  pam_unix.so\naccount required pam_unix.so";
    let wanted = "auth required \\\n  pam_unix.so\nauth required pam_twofactor.so\naccount requisite pam_unix.so\n\
                  account required pam_twofactor.so\n";
    assert_eq!(try_enable(text).unwrap().unwrap().text, wanted);
}

#[test]
fn a_letter_that_only_looks_like_a_blank_is_refused_with_its_line() {
    let lines = ["auth required pam_unix.so", "account required pam_unix.so", "# why", "session required pam_a.so x"];
    for (at, letter) in (0..lines.len()).map(|at| (at, '\r')).chain([(0, '\u{a0}'), (1, '\u{feff}'), (3, '\u{b}')]) {
        let mut text = lines.map(|line| format!("{line}\n"));
        text[at] = format!("{}{letter}\n", lines[at]);
        let refused = try_enable(&text.concat());
        assert!(
            matches!(&refused, Err(CannotPlace::Letter(found)) if (found.number, found.letter) == (at + 1, letter)),
            "{text:?}: {refused:?}"
        );
    }
    assert!(try_enable("# caf\u{e9}\u{a0}!\nauth required pam_unix.so\naccount required pam_unix.so\n").is_ok());
}

#[test]
fn a_locker_without_account_lines_gets_the_auth_line_alone() {
    assert_eq!(enable_in_one("auth required pam_unix.so\n").text.lines().count(), 2);
    let with_account = enable_in_one("auth required pam_unix.so\naccount required pam_unix.so\n");
    assert_eq!(with_account.text.lines().count(), 4, "{}", with_account.text);
}

#[test]
fn what_cannot_be_done_safely_is_refused_with_the_line() {
    assert!(matches!(try_enable("account required pam_unix.so\n"), Err(CannotPlace::NoPrimary(_))));
    assert!(matches!(try_enable("auth required pam_permit.so\n"), Err(CannotPlace::NoPrimary(_))));
    assert!(matches!(try_enable("auth required pam_unix.so\n"), Err(CannotPlace::NoAccountLines(_))));
    let open = try_enable(
        "auth required pam_env.so\nauth sufficient pam_unix.so\nauth optional pam_a.so\naccount required pam_unix.so\n",
    );
    assert!(matches!(open, Err(CannotPlace::Unsound(Finding::PrimaryOverruled { .. }))), "{open:?}");
    let folder = folder();
    let folders = [folder.path()];
    let shared = Target {
        name: "common-auth",
        file: &folder.path().join("common-auth"),
        folders: &folders,
        answers: Answers::Apart,
        is_missing: |_| false,
    };
    assert!(matches!(enabled(&shared, COMMON_AUTH), Err(CannotPlace::Shared(_))));
}

#[test]
fn a_file_that_somebody_changed_since_loses_our_lines_and_what_was_changed_for_them() {
    let before = "auth include system-auth\naccount include system-auth\n";
    let after = enable(before);
    let since = after.replace("account include", "account required pam_access.so\naccount include");
    assert_eq!(
        undone(&since, before, &after),
        "auth include system-auth\naccount required pam_access.so\naccount include system-auth\n"
    );
}

#[test]
fn where_password_and_code_come_in_one_answer_our_line_takes_the_code_off_before_the_password_is_asked_for() {
    let cups = "# CUPS\n@include common-auth\n@include common-account\n";
    let wanted = "auth       required     pam_twofactor.so\n# CUPS\n@include common-auth\n\
                  account    required     pam_twofactor.so\n@include common-account\n";
    assert_eq!(enable_in_one(cups).text, wanted);
    let dovecot = "#%PAM-1.0\nauth required pam_nologin.so\nauth include system-auth\naccount include system-auth\n";
    let wanted = "#%PAM-1.0\nauth required pam_nologin.so\nauth required pam_twofactor.so\nauth include system-auth\n\
                  account required pam_twofactor.so\naccount include system-auth\n";
    assert_eq!(
        enable_in_one(dovecot).text,
        wanted,
        "an include that ends the phase is no way around what stands above it"
    );
    let own = "auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_unix.so\n";
    assert!(enable_in_one(own).text.starts_with("auth required pam_twofactor.so\nauth sufficient pam_unix.so\n"));
    let jump = format!(
        "auth [success=1 default=ignore] pam_succeed_if.so uid = 0\nauth optional pam_mail.so\n{COMMON_AUTH}{COMMON_ACCOUNT}"
    );
    let placed = enable_in_one(&jump).text;
    assert!(placed.contains("pam_twofactor.so\nauth\t[success=1"), "{placed}");
}

#[test]
fn a_line_below_the_password_moves_above_it_when_the_code_comes_behind_the_password() {
    let below = "auth required pam_unix.so\nauth required pam_twofactor.so debug\naccount required pam_twofactor.so\n\
                 account required pam_unix.so\n";
    let placed = enable_in_one(below);
    assert!(
        placed.text.starts_with("auth required pam_twofactor.so debug\nauth required pam_unix.so\n"),
        "{}",
        placed.text
    );
    assert!(matches!(placed.wrong[..], [Finding::TooLate { .. }]), "{:?}", placed.wrong);
    assert_eq!(try_enable(below).unwrap(), None, "for a code that is asked for apart it is right");
}

#[test]
fn no_jump_may_lead_to_our_line_past_what_was_asked_for() {
    let account = "account required pam_unix.so\n";
    for (number, auth) in [
        (1, "auth [success=1 default=ignore] pam_succeed_if.so user ingroup staff\nauth required pam_unix.so\n"),
        (1, "auth [success=ignore default=2] pam_localuser.so\nauth required pam_unix.so\nauth required pam_unix.so\n"),
        (1, "auth [auth_err=1 default=ignore] pam_listfile.so x\nauth requisite pam_unix.so\n"),
    ] {
        let refused = try_enable(&format!("{auth}{account}"));
        let Err(CannotPlace::NoPlace { finding: Finding::Opens { by }, .. }) = &refused else {
            panic!("{auth}: {refused:?}")
        };
        assert_eq!(by.number, number, "{auth}");
    }
    // It led past the password to a login before, and does so still.
    let exempt = "auth [success=done default=ignore] pam_succeed_if.so user ingroup staff\nauth required pam_unix.so\n";
    enable(&format!("{exempt}{account}"));
}

#[test]
fn a_module_that_is_not_there_is_refused_with_its_line_unless_that_is_meant() {
    let rest = "auth required pam_unix.so\naccount required pam_unix.so\n";
    let refused = try_enable(&format!("auth sufficient pam_gone.so\n{rest}"));
    assert!(matches!(&refused, Err(CannotPlace::ModuleMissing(place)) if place.number == 1), "{refused:?}");
    enable(&format!("-auth optional pam_gone.so\n{rest}"));
    enable(&format!("session required pam_gone.so\n{rest}"));
    // As `required`, which it would have to become, the missing one would refuse everybody.
    let last =
        try_enable("auth sufficient pam_unix.so\n-auth sufficient pam_sss_gone.so\naccount required pam_unix.so\n");
    assert!(!matches!(last, Ok(Some(_))), "{last:?}");
}

#[test]
fn who_is_refused_above_our_account_line_does_not_reach_it() {
    let auth = "auth required pam_unix.so\n";
    let (account, ours) =
        ("account required pam_access.so\naccount required pam_unix.so\n", "auth required pam_twofactor.so\n");
    let ending = account.replace("required", "requisite");
    assert_eq!(enable(&format!("{auth}{account}")), format!("{auth}{ours}{ending}account required pam_twofactor.so\n"));
    for (goes_on, ends) in [
        ("[success=ok default=bad]", "[success=ok default=die]"),
        (
            "[success=ok new_authtok_reqd=ok ignore=ignore default=bad]",
            "[success=ok new_authtok_reqd=ok ignore=ignore default=die]",
        ),
        ("[default=bad  success=ok user_unknown=ignore]", "[default=die  success=ok user_unknown=ignore]"),
        ("REQUIRED", "requisite"),
    ] {
        let own = format!("account {goes_on} pam_access.so # who\naccount requisite pam_unix.so\n");
        let placed = enable(&format!("{auth}{own}"));
        let wanted = own.replace(goes_on, ends);
        assert_eq!(placed, format!("{auth}{ours}{wanted}account required pam_twofactor.so\n"));
    }
    // A refusal that a later line forgets was none before; it keeps no other from ending the phase.
    let some = "account [success=reset default=bad] pam_access.so\naccount required pam_time.so\n";
    let placed = enable(&format!("{auth}account required pam_shells.so\n{some}"));
    assert!(placed.contains("required pam_shells.so") && placed.contains("requisite pam_time.so"), "{placed}");
    let forgets = format!("{auth}{account}account [success=reset default=bad] pam_a.so\naccount required pam_b.so\n");
    assert!(!matches!(try_enable(&forgets), Ok(Some(placed)) if placed.text.contains("requisite")));
}

#[test]
fn no_refusal_of_the_account_phase_leads_to_where_only_our_line_says_yes() {
    let auth = "auth required pam_unix.so\n";
    for account in [
        "account [default=1 ignore=ignore success=ok] pam_unix.so\naccount optional pam_odd.so\n",
        "account [success=ok default=ignore] pam_access.so\n",
    ] {
        let refused = try_enable(&format!("{auth}{account}"));
        let opens =
            matches!(&refused, Err(CannotPlace::NoPlace { phase: Phase::Account, finding: Finding::Opens { .. } }));
        assert!(opens, "{account}: {refused:?}");
    }
    // Nothing leads on behind a refusal, or another line says yes there.
    enable(&format!("{auth}account required pam_unix.so\n"));
    enable(&format!("{auth}account [success=ok default=ignore] pam_access.so\naccount required pam_permit.so\n"));
}

#[test]
fn our_account_line_stands_above_what_dies_of_an_expired_password() {
    let auth = "auth required pam_unix.so\n";
    let dies = "account [success=ok default=die] pam_unix.so\n";
    let placed = enable(&format!("{auth}{dies}"));
    assert!(placed.ends_with(&format!("account required pam_twofactor.so\n{dies}")), "{placed}");
    let goes_on = "account [success=ok new_authtok_reqd=ok default=die] pam_unix.so\n";
    let placed = enable(&format!("{auth}{goes_on}"));
    assert!(placed.ends_with(&format!("{goes_on}account required pam_twofactor.so\n")), "{placed}");
}

/// The first refusal is what the application is told: it would have the password changed and go on, whatever ours says then.
#[test]
fn our_account_line_stands_above_what_refuses_an_expired_password_and_goes_on() {
    let auth = "auth required pam_unix.so\n";
    for refuses in ["[success=ok default=bad]", "[default=bad success=ok user_unknown=ignore]"] {
        let line = format!("account {refuses} pam_sss.so\naccount required pam_access.so\n");
        let placed = enable(&format!("{auth}{line}"));
        assert!(placed.ends_with(&format!("account required pam_twofactor.so\n{line}")), "{placed}");
    }
    let of_no_password = "account [success=ok default=bad] pam_access.so\n";
    let placed = enable(&format!("{auth}{of_no_password}"));
    let ending = of_no_password.replace("bad", "die");
    assert!(placed.ends_with(&format!("{ending}account required pam_twofactor.so\n")), "{placed}");
}

#[test]
fn it_is_told_where_a_wrong_password_no_longer_ends_the_login() {
    let account = "account required pam_unix.so\n";
    let told = |auth: &str| {
        let placed = try_enable(&format!("{auth}{account}")).unwrap().unwrap();
        placed.goes_on_behind.map(|place| place.text)
    };
    assert_eq!(told("@include common-auth\n"), None);
    assert_eq!(told("auth required pam_unix.so\n"), None, "it did not before");
    assert_eq!(told("@include debian-sufficient\n"), None, "our line is told, and refuses");
    let folder = folder();
    let folders = [folder.path()];
    let file = folder.path().join("service");
    let read = |text: &str| Service::planned("service", &file, text, &folders).unwrap();
    let before = read(&format!("@include debian-sufficient\n{account}"));
    let untold = read(&format!("auth substack debian-sufficient\nauth required pam_twofactor.so\n{account}"));
    let place = proof::goes_on_behind(&before, &untold).unwrap();
    assert_eq!(place.text, "auth sufficient pam_unix.so");
}

const TELLER: &str = "auth substack /etc/pam.d/twofactor-first-factor\n";

#[test]
fn our_line_is_told_of_a_failed_first_factor_where_a_failure_does_not_end_the_phase() {
    let account = "account required pam_unix.so\n";
    let hardened = "auth required pam_faillock.so preauth\nauth [success=1 default=ignore] pam_unix.so\n\
                    auth [default=die] pam_faillock.so authfail\nauth sufficient pam_faillock.so authsucc\n\
                    auth requisite pam_deny.so\n";
    for (auth, is_told) in [
        ("@include common-auth\n", false),
        ("@include debian-sufficient\n", true),
        ("auth include system-auth\n", true),
        ("auth substack system-auth\nauth include postlogin\n", true),
        // A substack that is the service's own to choose, and a line that became part of a jump.
        ("auth substack common-auth\n", true),
        ("auth sufficient pam_unix.so\nauth required pam_deny.so\n", true),
        ("auth sufficient pam_unix.so\nauth requisite pam_deny.so\n", false),
        // The sysadmin's choice: a code is asked for in any case.
        ("auth required pam_unix.so\n", false),
        ("auth requisite pam_unix.so\n", false),
    ] {
        let placed = enable(&format!("{auth}{account}"));
        assert_eq!(placed.contains(TELLER), is_told, "{auth}became\n{placed}");
        assert_eq!(tells(&placed), is_told);
    }
    let folder = folder();
    fs::write(folder.path().join("hardened"), hardened).unwrap();
    let folders = [folder.path()];
    let file = folder.path().join("s");
    let target = Target { name: "s", file: &file, folders: &folders, answers: Answers::Apart, is_missing: |_| false };
    let placed = enabled(&target, &format!("@include hardened\n{account}")).unwrap().unwrap();
    let auth = format!("auth substack hardened\n{TELLER}auth required pam_twofactor.so\n");
    assert!(placed.text.starts_with(&auth), "{}", placed.text);
    assert_eq!(placed.goes_on_behind, None);
    assert_eq!(enabled(&target, &placed.text).unwrap(), None, "a second time there is nothing to do");
    assert_eq!(undone(&placed.text, &placed.without, &placed.text), placed.without);
    let edited = format!("{}session required pam_a.so\n", placed.text);
    let back = undone(&edited, &placed.without, &placed.text);
    assert_eq!(back, format!("{}session required pam_a.so\n", placed.without));
}

#[test]
fn lines_that_tell_wrongly_are_put_right() {
    let account = "account required pam_unix.so\n";
    let right = format!("auth substack system-auth\n{TELLER}auth required pam_twofactor.so\n");
    let failed = "auth optional pam_twofactor.so first_factor=failed\n";
    for wrong in [
        format!("auth substack system-auth\nauth required pam_twofactor.so\n{TELLER}"),
        format!("auth substack system-auth\n{failed}auth required pam_twofactor.so\n"),
        format!("auth substack system-auth\n{TELLER}{failed}auth required pam_twofactor.so\n"),
    ] {
        let text = format!("{wrong}{account}");
        let placed = try_enable(&text).unwrap().unwrap_or_else(|| panic!("something is wrong with\n{text}"));
        assert!(placed.text.starts_with(&right), "{text}became\n{}", placed.text);
    }
}
