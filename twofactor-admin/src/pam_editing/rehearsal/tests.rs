//! Runs as libpam would end them by our own reading, and what is made of others.

use super::*;
use crate::pam_editing::placing::Answers;
use twofactor_core::pam_service::modules::OURS;

const BEFORE: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
                      account required pam_unix.so\n";
const AFTER: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
                     auth required pam_twofactor.so\naccount requisite pam_unix.so\naccount required pam_twofactor.so\n";

fn rehearsal(before: &str, after: &str) -> Rehearsal {
    let file = Path::new("/nonexistent/s");
    let target = Target { name: "s", file, folders: &[], answers: Answers::Apart, is_missing: |_| false };
    Rehearsal::new(&target, before.as_bytes(), after.as_bytes()).unwrap()
}

/// What a libpam that is as we read it does.
fn obedient(rehearsal: &Rehearsal) -> Vec<Observed> {
    let code = |so_far: SoFar| match so_far {
        SoFar::Success => 0,
        SoFar::NewPassword | SoFar::ExpiredPassword => 12,
        SoFar::Nothing | SoFar::Tolerated | SoFar::Failure => 7,
    };
    let run = |run: usize| {
        let mut said = Vec::new();
        let mut phase = |phase, combination: &Combination, word: &str| {
            let both = rehearsal.both(phase).unwrap();
            let ours = ours(run);
            let version = if ours.is_none() { &both.before } else { &both.after };
            let course = version.course(combination, ours.unwrap_or(Code::SUCCESS));
            let ran = course.ran.iter().filter(|(at, _)| version.lines[*at].kind == Kind::Module);
            said.extend(ran.map(|(_, code)| format!("{word}={}", code.name())));
            code(course.so_far)
        };
        let auth = phase(Phase::Auth, rehearsal.combination(Phase::Auth, run).unwrap(), "auth");
        let account = phase(Phase::Account, rehearsal.combination(Phase::Account, run).unwrap(), "acct");
        Observed { start: 0, auth, account, said }
    };
    (0..rehearsal.runs()).map(run).collect()
}

#[test]
fn a_libpam_that_does_what_is_expected_is_content_with_a_sound_change() {
    let rehearsal = rehearsal(BEFORE, AFTER);
    assert_eq!(rehearsal.runs() % RUNS, 0);
    assert!(rehearsal.runs() >= 4 * 100, "{}", rehearsal.runs());
    let observed = obedient(&rehearsal);
    assert_eq!(rehearsal.judge(&observed), Ok(()));
}

#[test]
fn the_files_of_a_run_say_what_each_module_returns() {
    let rehearsal = rehearsal(BEFORE, AFTER);
    let text = |run: usize| {
        let mut files = rehearsal.files(run, Path::new("/f"), Path::new("/s"));
        let Some((_, Staged::Text(text))) = files.pop().filter(|_| files.is_empty()) else { panic!("one text") };
        String::from_utf8(text).unwrap()
    };
    let number = rehearsal.auth.iter().position(|one| one.likelihood == Likelihood::Possible).unwrap();
    let code = |at: usize| stubbed(rehearsal.auth[number].codes[at].name());
    let account = |run: usize| stubbed(rehearsal.combination(Phase::Account, run).unwrap().codes[0].name());
    let base = number * RUNS;
    let auth =
        format!("auth [success=1 default=ignore] {}\nauth requisite {}\nauth required {}\n", code(0), code(1), code(2));
    assert_eq!(text(base), format!("{auth}account required {}\n", account(base)));
    for (at, ours) in ["success", "ignore", "perm_denied"].into_iter().enumerate() {
        let ours = stubbed(ours);
        let run = base + 1 + at;
        let expected =
            format!("{auth}auth required {ours}\naccount requisite {}\naccount required {ours}\n", account(run));
        assert_eq!(text(run), expected);
    }
}

#[test]
fn files_in_which_nothing_changes_are_shared_by_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("other", "auth required pam_deny.so\nsession required pam_deny.so\n");
    write("inner", "auth required pam_unix.so\n");
    write("session", "session required pam_limits.so\n");
    let before = "auth substack inner\naccount required pam_unix.so\nsession include session\n";
    let after =
        "auth substack inner\nauth required pam_twofactor.so\naccount required pam_unix.so\nsession include session\n";
    let file = folder.path().join("s");
    let folders = [folder.path()];
    let target = Target { name: "s", file: &file, folders: &folders, answers: Answers::Apart, is_missing: |_| false };
    let rehearsal = Rehearsal::new(&target, before.as_bytes(), after.as_bytes()).unwrap();
    let shared: Vec<String> = rehearsal.shared(Path::new("/s")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(shared, ["before-2", "before-3", "after-2", "after-3"]);
    let files = rehearsal.files(1, Path::new("/f"), Path::new("/s"));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["service", "included-1", "other"]);
    assert_eq!(files[2].1, Staged::Link("/s/after-3".into()));
    let Staged::Text(text) = &files[0].1 else { panic!("a text") };
    let text = String::from_utf8_lossy(text);
    assert!(text.contains("substack /f/included-1\n") && text.ends_with("session include /s/after-2\n"), "{text}");
}

#[test]
fn a_line_that_libpam_runs_or_leaves_out_against_expectation_is_named() {
    let rehearsal = rehearsal(BEFORE, AFTER);
    let mut observed = obedient(&rehearsal);
    let run = observed.iter().position(|one| one.said.starts_with(&["auth=success".to_owned()])).unwrap();
    observed[run].said.remove(0);
    let said = rehearsal.judge(&observed).unwrap_err();
    assert!(said.to_string().contains("libpam does not run /nonexistent/s:"), "{said}");
    let mut observed = obedient(&rehearsal);
    observed[run].said.push("auth=success".to_owned());
    let said = rehearsal.judge(&observed).unwrap_err();
    assert!(said.place().is_some() && said.to_string().contains("as expected at /nonexistent/s:"), "{said}");
    assert!(said.results().contains("pam_unix.so success"), "{}", said.results());
}

#[test]
fn another_end_than_expected_is_told_with_the_line_that_ran_last() {
    let rehearsal = rehearsal(BEFORE, AFTER);
    for run in (0..rehearsal.runs()).step_by(41) {
        let mut observed = obedient(&rehearsal);
        let code = observed[run].auth;
        observed[run].auth = if code == 0 { 7 } else { 0 };
        let said = rehearsal.judge(&observed).unwrap_err();
        assert!(said.to_string().contains("libpam should end the auth phase"), "{said}");
        assert!(said.place().is_some(), "{said}");
    }
    let mut observed = obedient(&rehearsal);
    observed[3].start = 26;
    let said = rehearsal.judge(&observed).unwrap_err();
    assert_eq!(said.to_string(), "libpam gives the service up (abort)");
}

/// What the proof would have let pass, libpam's own results do not.
#[test]
fn a_change_that_opens_closes_or_overrules_is_found_by_what_libpam_returned() {
    let fault = |after: &str| {
        let rehearsal = rehearsal(BEFORE, after);
        rehearsal.judge(&obedient(&rehearsal)).map_err(|said| said.fault)
    };
    let with = |auth: &str, account: &str| {
        let (before, rest) = BEFORE.split_once("account").unwrap();
        format!("{before}{auth}{account}account{rest}")
    };
    let good = "account required pam_twofactor.so\n";
    assert_eq!(fault(&with("auth required pam_twofactor.so\n", good)), Ok(()));
    assert_eq!(fault(&with("auth optional pam_twofactor.so\n", good)), Err(Fault::Overruled));
    assert_eq!(fault(&with("auth [default=die] pam_twofactor.so\n", good)), Err(Fault::Closes));
    assert_eq!(
        fault(&with("auth required pam_twofactor.so\n", "account sufficient pam_twofactor.so\n")),
        Err(Fault::Overruled)
    );
    let jumping =
        "auth [success=1 default=die] pam_succeed_if.so\nauth required pam_unix.so\naccount required pam_unix.so\n";
    let landing = jumping.replacen("account", "auth required pam_twofactor.so\naccount", 1);
    let rehearsal = rehearsal(jumping, &landing);
    assert_eq!(rehearsal.judge(&obedient(&rehearsal)).map_err(|said| said.fault), Err(Fault::Opens));
}

#[test]
fn lines_that_are_gone_cannot_be_compared() {
    let file = Path::new("/nonexistent/s");
    let target = Target { name: "s", file, folders: &[], answers: Answers::Apart, is_missing: |_| false };
    let gone = AFTER.replace("auth requisite pam_deny.so\n", "");
    let refused = Rehearsal::new(&target, BEFORE.as_bytes(), gone.as_bytes());
    assert!(matches!(refused, Err(Unplayable::Different)), "{refused:?}");
    let long = format!("auth [success=ok{}default=die] pam_a.so\naccount required pam_a.so\n", " ".repeat(960));
    let refused = Rehearsal::new(&target, long.as_bytes(), format!("{long}auth required {OURS}\n").as_bytes());
    assert!(matches!(refused, Err(Unplayable::Stubbed)), "{refused:?}");
}

/// Behind a substack our line is told of a failed first factor. That is run too, and only behind a failure.
#[test]
fn the_lines_that_tell_of_a_failure_run_behind_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
    std::fs::write(folder.path().join("inner"), inner).unwrap();
    let account = "account required pam_unix.so\n";
    let before = format!("auth include inner\n{account}");
    let teller = twofactor_core::pam_service::first_factor::FILE;
    let ours = "auth required pam_twofactor.so\n";
    let after =
        |teller: &str| format!("auth substack inner\n{teller}{ours}account required pam_twofactor.so\n{account}");
    let file = folder.path().join("s");
    let folders = [folder.path()];
    let target = Target { name: "s", file: &file, folders: &folders, answers: Answers::Apart, is_missing: |_| false };
    let played = |teller: &str| Rehearsal::new(&target, before.as_bytes(), after(teller).as_bytes()).unwrap();
    let told = played(&format!("auth substack {teller}\n"));
    let ran = told.auth.iter().map(|one| told.both(Phase::Auth).unwrap().after.course(one, Code::SUCCESS));
    let (told_of, ended): (Vec<_>, Vec<_>) = ran.partition(|course| course.told == Told::Told);
    assert!(told_of.iter().all(|course| course.so_far != SoFar::Success), "{told_of:?}");
    assert!(ended.iter().any(|course| course.so_far == SoFar::Success), "{ended:?}");
    assert_eq!(told.judge(&obedient(&told)), Ok(()));
    // Told without a condition, it would refuse everybody.
    let always = played("auth optional pam_twofactor.so first_factor=failed\n");
    let fault = always.judge(&obedient(&always)).unwrap_err().to_string();
    assert!(fault.contains("no longer succeed"), "{fault}");
}
