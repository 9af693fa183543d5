//! Every way a phase can end.
//!
//! Each module may return what a module of its [`Nature`](super::modules::Nature) may; what follows from that is worked out as libpam does
//! (libpam/pam_dispatch.c: `_pam_dispatch_aux`): the impression so far, jumps within a stack, `done` and `die` that end a
//! substack and no more, `reset`. Ways that are the same from some line on are followed once, so the effort grows with
//! the number of lines and not with that of ways.

pub mod situation;
pub mod walk;

use super::control::Action;
use super::line::Line;
pub use situation::{Accepted, Assumed, Ending, Others, Ours, Primary, SoFar, Step, Tangled, Told};
use walk::Walk;
pub use walk::possible;

/// Every way in which `lines`, those of one phase, can end. `is_missing` says of a line whether its module is not there.
pub fn endings(lines: &[&Line], is_missing: &dyn Fn(&Line) -> bool) -> Result<Vec<Ending>, Tangled> {
    endings_assuming(lines, &|_, line| if is_missing(line) { Assumed::Missing } else { Assumed::Nothing })
}

/// The same under assumptions about lines, which are told by their place in the phase.
pub fn endings_assuming(lines: &[&Line], assumed: &dyn Fn(usize, &Line) -> Assumed) -> Result<Vec<Ending>, Tangled> {
    let walk = Walk {
        lines,
        steps: lines.iter().enumerate().map(|(at, line)| possible(line, assumed(at, line))).collect(),
        remembers: lines.iter().any(|line| line.actions.has(Action::Reset)),
    };
    walk.endings()
}

/// The jumps of `lines`: the line of each, and the line that runs next.
pub fn jumps(lines: &[&Line]) -> Vec<(usize, usize)> {
    let walk = Walk { lines, steps: Vec::new(), remembers: false };
    lines.iter().enumerate().flat_map(|(at, line)| walk.jumps_of(at, line)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::line::Phase;
    use super::*;
    use crate::pam_service::Service;

    const OURS: &str = "auth required pam_twofactor.so\n";

    fn ways(phase: Phase, text: &str, inner: &str) -> Vec<(SoFar, Primary, Ours)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let file = folder.path().join("service");
        let service = Service::from_text("service", &file, text, &[folder.path()]).unwrap();
        let endings = endings(&service.phase(phase), &|_| false).unwrap();
        let mut ways: Vec<_> = endings.iter().map(|ending| (ending.so_far, ending.primary, ending.ours)).collect();
        ways.sort_unstable();
        ways.dedup();
        ways
    }

    /// With which first factor and which answer of ours a login is a success.
    fn successes(text: &str, inner: &str) -> Vec<(Primary, Ours)> {
        let ways = ways(Phase::Auth, text, inner).into_iter();
        ways.filter(|way| way.0 == SoFar::Success).map(|way| (way.1, way.2)).collect()
    }

    #[test]
    fn behind_what_is_required_everything_counts() {
        let stack = format!("auth required pam_unix.so\n{OURS}");
        let passed = [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)];
        assert_eq!(successes(&stack, ""), passed);
        let may_ignore = format!("auth required pam_krb5.so minimum_uid=1000\n{OURS}");
        assert_eq!(successes(&may_ignore, ""), [&[(Primary::NotAsked, Ours::Passed)], &passed[..]].concat());
    }

    #[test]
    fn sufficient_ends_the_stack_only_where_nothing_has_failed() {
        let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        assert_eq!(successes(&format!("auth include inner\n{OURS}"), inner), [(Primary::Passed, Ours::NotRun)]);
        let before = format!("{OURS}auth include inner\n");
        assert_eq!(
            successes(&before, inner),
            [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)],
            "our refusal stays"
        );
    }

    #[test]
    fn in_a_substack_done_and_die_end_the_substack() {
        let stack = format!("auth substack inner\n{OURS}");
        let passed = [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)];
        assert_eq!(successes(&stack, "auth sufficient pam_unix.so\nauth required pam_deny.so\n"), passed);
        let ways = ways(Phase::Auth, &stack, "auth requisite pam_unix.so\nauth required pam_permit.so\n");
        let failures: Vec<_> = ways.iter().filter(|way| way.1 == Primary::Refused).collect();
        assert_eq!(failures.len(), 3, "ours runs behind a wrong password: {failures:?}");
        assert!(failures.iter().all(|way| way.0 == SoFar::Failure && way.2 != Ours::NotRun), "{failures:?}");
    }

    #[test]
    fn jumps_count_a_substack_as_one_and_stay_in_their_own() {
        let jump = format!("auth [success=1 default=ignore] pam_unix.so\nauth substack inner\n{OURS}");
        let inner = "auth required pam_a.so\nauth requisite pam_deny.so\n";
        assert_eq!(successes(&jump, inner), [(Primary::Passed, Ours::Passed)]);
        let within = format!("auth required pam_permit.so\nauth substack inner\n{OURS}");
        let inside = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n";
        assert_eq!(
            successes(&within, inside),
            [(Primary::Passed, Ours::Passed), (Primary::Passed, Ours::Ignored)],
            "it lands behind the substack"
        );
        assert_eq!(successes(&format!("auth [success=3 default=bad] pam_unix.so\n{OURS}"), ""), [], "too far");
    }

    #[test]
    fn our_line_is_told_of_a_failure_behind_one_alone() {
        let file = std::path::Path::new("/nonexistent/service");
        let folder = tempfile::tempdir().unwrap();
        let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        std::fs::write(folder.path().join("inner"), inner).unwrap();
        let teller = crate::pam_service::first_factor::FILE;
        let told = |lines: &str| {
            let text = format!("auth substack inner\n{lines}");
            let service = Service::planned("service", file, text, &[folder.path()]).unwrap();
            let endings = endings(&service.phase(Phase::Auth), &|_| false).unwrap();
            let mut told: Vec<_> = endings.iter().map(|one| (one.primary, one.told)).collect();
            told.sort_unstable();
            told.dedup();
            told
        };
        let right = told(&format!("auth substack {teller}\n{OURS}"));
        assert_eq!(right, [(Primary::Refused, Told::Told), (Primary::Passed, Told::Nothing)]);
        let above = told(&format!("{OURS}auth substack {teller}\n"));
        let ours_refused = (Primary::Passed, Told::Noted);
        assert_eq!(above, [(Primary::Refused, Told::Noted), (Primary::Passed, Told::Nothing), ours_refused]);
        let always = told(&format!("auth optional pam_twofactor.so first_factor=failed\n{OURS}"));
        assert_eq!(always, [(Primary::Refused, Told::Told), (Primary::Passed, Told::Told)]);
        let forgotten =
            told(&format!("auth substack {teller}\nauth optional pam_twofactor.so first_factor=unknown\n{OURS}"));
        assert_eq!(forgotten, [(Primary::Refused, Told::Nothing), (Primary::Passed, Told::Nothing)]);
    }

    #[test]
    fn a_jump_alone_is_no_success() {
        assert_eq!(
            successes("auth [success=1 default=die] pam_unix.so\nauth requisite pam_deny.so\n", ""),
            [],
            "there is no word that it is"
        );
    }

    #[test]
    fn reset_forgets_what_was_in_its_stack() {
        let stack = format!("{OURS}auth [success=reset default=ignore] pam_a.so\nauth sufficient pam_unix.so\n");
        assert!(successes(&stack, "").contains(&(Primary::Passed, Ours::Refused)));
        let inner = "auth [success=reset default=ignore] pam_a.so\nauth required pam_unix.so\n";
        let before = format!("{OURS}auth substack inner\n");
        assert!(!successes(&before, inner).iter().any(|way| way.1 == Ours::Refused), "only to where it began");
    }

    #[test]
    fn a_failure_that_is_said_to_be_ok_is_no_success() {
        let ways = ways(Phase::Auth, "auth [default=ok] pam_unix.so\nauth sufficient pam_permit.so\n", "");
        assert!(ways.contains(&(SoFar::Tolerated, Primary::Refused, Ours::NotRun)), "{ways:?}");
        assert!(!ways.contains(&(SoFar::Success, Primary::Refused, Ours::NotRun)), "{ways:?}");
    }

    #[test]
    fn an_expired_password_ends_an_account_phase_of_debian() {
        let stack = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
                     account required pam_permit.so\naccount required pam_twofactor.so\n";
        let ways = ways(Phase::Account, stack, "");
        assert!(ways.contains(&(SoFar::NewPassword, Primary::NotAsked, Ours::NotRun)), "{ways:?}");
        assert!(!ways.iter().any(|way| way.0 == SoFar::Success && way.2 == Ours::NotRun), "{ways:?}");
    }

    /// The first failure gives a phase its code (libpam/pam_dispatch.c). Where that is PAM_NEW_AUTHTOK_REQD, sshd, login and su have
    /// the password changed and go on.
    #[test]
    fn a_refusal_that_says_that_the_password_has_expired_outweighs_later_ones() {
        let ours = "account required pam_twofactor.so\n";
        for control in ["[success=ok default=bad]", "[default=bad success=ok user_unknown=ignore]"] {
            let ways = ways(Phase::Account, &format!("account {control} pam_sss.so\n{ours}"), "");
            assert!(ways.contains(&(SoFar::ExpiredPassword, Primary::NotAsked, Ours::Refused)), "{ways:?}");
            let before = self::ways(Phase::Account, &format!("{ours}account {control} pam_sss.so\n"), "");
            assert!(!before.iter().any(|way| way.0 != SoFar::Failure && way.2 == Ours::Refused), "{before:?}");
        }
        let dies = ways(Phase::Account, &format!("account [success=ok default=die] pam_unix.so\n{ours}"), "");
        assert!(dies.contains(&(SoFar::ExpiredPassword, Primary::NotAsked, Ours::NotRun)), "{dies:?}");
        let silent = ways(Phase::Account, &format!("account [success=ok default=die] pam_access.so\n{ours}"), "");
        assert!(!silent.iter().any(|way| way.0 == SoFar::ExpiredPassword), "it knows no passwords: {silent:?}");
    }

    #[test]
    fn a_module_that_is_missing_fails_unless_its_control_says_otherwise() {
        let file = std::path::Path::new("/nonexistent/service");
        let ways = |text: &str| {
            let service = Service::from_text("service", file, text, &[]).unwrap();
            let endings = endings(&service.phase(Phase::Auth), &|line| line.module == "pam_gone.so").unwrap();
            endings.iter().any(|ending| ending.so_far == SoFar::Success)
        };
        assert!(!ways("-auth required pam_gone.so\nauth required pam_permit.so\n"));
        assert!(ways("-auth optional pam_gone.so\nauth required pam_permit.so\n"));
        assert!(ways("auth [module_unknown=ignore default=bad] pam_gone.so\nauth required pam_permit.so\n"));
    }

    #[test]
    fn thousands_of_lines_are_followed_and_a_tangle_is_given_up() {
        let file = std::path::Path::new("/nonexistent/service");
        let long = "auth [success=2 auth_err=1 default=bad] pam_a.so\n".repeat(2000);
        let service = Service::from_text("service", file, &long, &[]).unwrap();
        assert!(endings(&service.phase(Phase::Auth), &|_| false).is_ok());
        let folder = tempfile::tempdir().unwrap();
        for level in 0..14 {
            let text =
                "auth [success=reset new_authtok_reqd=ok auth_err=ok default=bad ignore=ignore] pam_a.so\n".repeat(20);
            let text = format!("{text}auth substack s{}\n{text}", level + 1);
            std::fs::write(folder.path().join(format!("s{level}")), text).unwrap();
        }
        std::fs::write(folder.path().join("s14"), "auth required pam_unix.so\n").unwrap();
        let tangle = Service::read("s0", &[folder.path()]).unwrap();
        // Either answer is right; that there is one in bounded time is the point.
        drop(endings(&tangle.phase(Phase::Auth), &|_| false));
    }
}
