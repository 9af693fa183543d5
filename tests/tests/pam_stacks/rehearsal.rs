//! Before `service enable` writes, the real libpam runs what it would write, with stubs in the place of the modules.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use twofactor_core::pam_service::modules;
use twofactor_tests::artifacts::debug;
use twofactor_tests::debian::{Release, fresh};
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, said};
use twofactor_tests::random::Random;
use twofactor_tests::requirements::programs_met;

use crate::layout::{Layout, Person, compiled_from, files, login, on};

/// The service that is changed.
const SERVICE: &str = "sudo";

/// Puts a `pam_debug.so` in its place that does not always do what it is told.
fn with_impostor(distribution: &str, behaviour: &str, test: impl FnOnce(&Host, &Layout) + Send) {
    let impostor = compiled_from(include_str!("impostor.c"));
    on(distribution, |host, layout| {
        host.enroll("alice", &["--counter"]);
        layout.put("pam_debug.so", &impostor);
        fs::write(host.place("stubs").join("pam_debug.so"), behaviour).unwrap();
        test(host, layout);
    });
}

fn enable(host: &Host) -> std::process::Output {
    host.run_twofactor(&["service", "enable", SERVICE, "--only", "--yes"])
}

#[track_caller]
fn assert_refused(host: &Host, because: &str) {
    let shipped = files();
    let enabled = enable(host);
    assert_eq!(enabled.status.code(), Some(7), "{}", said(&enabled));
    assert!(said(&enabled).contains(because), "{}", said(&enabled));
    assert!(said(&enabled).contains("nothing was written"), "{}", said(&enabled));
    assert_eq!(files(), shipped, "the file is the old one");
    assert_eq!(staged(), [""; 0], "the folder is gone");
    let forced = host.run_twofactor(&["service", "enable", SERVICE, "--only", "--yes", "--force"]);
    assert_eq!(forced.status.code(), Some(7), "--force does not help: {}", said(&forced));
    assert_eq!(files(), shipped);
}

/// What is left of folders in which something was run.
fn staged() -> Vec<String> {
    let names = ["/run", "/dev/shm", "/tmp"].into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("twofactor-") && name != "twofactor-tests").collect()
}

#[test]
fn a_libpam_in_which_a_refused_code_would_open_is_refused_by_the_line_and_nothing_is_written() {
    with_impostor("debian-12", "perm_denied accept\n", |host, _| {
        assert_refused(host, "libpam should end the auth phase without success, and returns success");
        let enabled = enable(host);
        let said = said(&enabled);
        assert!(said.contains(&format!("{SERVICE}: behind /etc/pam.d/")), "{said}");
        assert!(said.contains("the modules returned: pam_unix.so "), "{said}");
    });
}

#[test]
fn a_kernel_without_memory_for_a_poll_is_no_panic() {
    if !programs_met(&["strace"]) {
        return;
    }
    on("debian-12", |host, _| {
        host.enroll("alice", &["--counter"]);
        let mut strace = host.command("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "signal=none", "-e", "inject=poll:error=ENOMEM", "twofactor"]);
        let shown = strace.args(["service", "enable", SERVICE, "--only", "--dry-run"]).output().unwrap();
        assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
        assert!(said(&shown).contains("pam_twofactor.so"), "{}", said(&shown));
    });
}

#[test]
fn a_libpam_that_leaves_lines_out_is_refused_by_the_line() {
    with_impostor("fedora-40-local", "ignore accept\n", |host, _| {
        assert_refused(host, "libpam ");
        let enabled = enable(host);
        assert!(said(&enabled).contains("/etc/pam.d/"), "{}", said(&enabled));
    });
}

#[test]
fn a_libpam_that_crashes_is_refused() {
    with_impostor("debian-12", "perm_denied crash\n", |host, _| {
        assert_refused(host, "libpam crashes (SIGABRT) when it runs what would be written");
    });
}

/// It takes as long as the tool is patient with a run.
#[test]
fn a_libpam_that_does_not_come_to_an_end_is_refused() {
    with_impostor("debian-12", "perm_denied hang\n", |host, _| {
        let shipped = files();
        let enabled = enable(host);
        assert_eq!(enabled.status.code(), Some(7), "{}", said(&enabled));
        assert!(said(&enabled).contains("libpam does not come to an end"), "{}", said(&enabled));
        assert_eq!(files(), shipped, "the file is the old one");
        assert_eq!(staged(), [""; 0], "the folder is gone");
    });
}

#[test]
fn without_stubs_it_is_said_that_nothing_was_tried_and_the_proof_decides() {
    on("debian-12", |host, layout| {
        let alice = host.enroll("alice", &["--counter"]);
        layout.remove("pam_debug.so");
        let dry = host.run_twofactor(&["--json", "service", "enable", SERVICE, "--only", "--dry-run"]);
        let report: Value = serde_json::from_slice(&dry.stdout).unwrap();
        assert_eq!(report["services"][0]["rehearsed"], Value::Null, "{report}");
        let enabled = enable(host);
        assert!(enabled.status.success(), "{}", said(&enabled));
        let warning = "what would be written was worked out and not tried in libpam: pam_debug.so, which stands for the \
                       modules, is not there or does not do what it is told";
        assert!(said(&enabled).contains(warning), "{}", said(&enabled));
        assert!(!said(&enabled).contains("times before"), "{}", said(&enabled));
        let code = alice.next_code();
        assert_eq!(login(host, SERVICE, Person::with_code("alice", &code)), ReturnCode::SUCCESS);
    });
}

#[test]
fn no_module_of_the_host_is_loaded_nothing_is_logged_and_nothing_is_left() {
    let mark = compiled_from(include_str!("mark.c"));
    on("debian-12", |host, layout| {
        host.enroll("alice", &["--counter"]);
        let marks = host.place("marks");
        fs::create_dir(&marks).unwrap();
        fs::set_permissions(&marks, fs::Permissions::from_mode(0o1777)).unwrap();
        for module in ["pam_unix.so", "pam_deny.so", "pam_limits.so", "pam_faillock.so"] {
            layout.put(module, &mark);
        }
        let path = Path::new("/etc/pam.d/marked");
        let text = "# auth required pam_faillock.so\nauth required pam_unix.so try_first_pass \\\n  nullok\n\
                    atuh required pam_deny.so\naccount required pam_faillock.so\nsession required pam_limits.so conf=[/a b]\n";
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        let lines = host.log().len();
        for service in [SERVICE, "sshd", "login"] {
            let dry = host.run_twofactor(&["--json", "service", "enable", service, "--only", "--dry-run"]);
            let report: Value = serde_json::from_slice(&dry.stdout).unwrap();
            assert!(report["services"][0]["rehearsed"].as_u64().is_some_and(|runs| runs >= 400), "{}", said(&dry));
        }
        let marked = host.run_twofactor(&["service", "enable", "marked", "--only", "--dry-run"]);
        assert!(!marks.join("loaded").exists(), "{}", said(&marked));
        assert_eq!(staged(), [""; 0]);
        assert_eq!(host.log().len(), lines, "{:?}", host.log());
        // The mark is one.
        host.login("alice").of_the_system().service(SERVICE).answering(&[]);
        assert!(marks.join("loaded").exists());
    });
}

/// A tenth of a second on a machine that does nothing else; the bound is for one under load.
#[test]
fn it_does_not_take_long_for_sshd() {
    on("debian-12", |host, _| {
        host.enroll("alice", &["--counter"]);
        let quickest = (0..3).map(|_| {
            let begin = Instant::now();
            let dry = host.run_twofactor(&["--json", "service", "enable", "sshd", "--only", "--dry-run"]);
            let report: Value = serde_json::from_slice(&dry.stdout).unwrap();
            assert!(report["services"][0]["rehearsed"].is_u64(), "{}", said(&dry));
            begin.elapsed()
        });
        let quickest = quickest.min().unwrap();
        println!("sshd of Debian 12, dry run with rehearsal: {quickest:?}");
        assert!(quickest.as_secs() < 10, "{quickest:?}");
    });
}

/// Linux-PAM 1.7 reads texts and looks for files with other code than 1.5 does.
#[test]
fn the_libpam_of_debian_13_agrees_with_its_own_services() {
    let [tool, module] = [&debug().tool, &debug().module].map(|path| fs::read(path).unwrap());
    fresh(Release::Trixie, |host| {
        let path = Path::new("/root/twofactor");
        fs::write(path, &tool).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(modules::folder().unwrap().join("pam_twofactor.so"), &module).unwrap();
        let arguments = ["--json", "service", "enable", "sshd", "sudo", "login", "su", "--dry-run", "--force"];
        let report: Value = serde_json::from_str(&host.succeed("/root/twofactor", arguments)).unwrap();
        let services = report["services"].as_array().unwrap();
        assert!(services.len() >= 4, "{report}");
        for service in services {
            assert!(service["rehearsed"].as_u64().is_some_and(|runs| runs >= 400), "{service}");
        }
    });
}

/// Texts by chance, with everything a control can say: where they are given our lines, libpam has nothing against them.
#[test]
fn libpam_agrees_on_texts_by_chance() {
    const ENOUGH: usize = 40;
    const MOST: usize = 600;
    on("debian-12", |host, _| {
        host.enroll("alice", &["--counter"]);
        let seed = Random::seed();
        let mut random = Random::new(seed);
        let mut rehearsed = 0;
        for number in 0..MOST {
            let text = text(&mut random);
            fs::write("/etc/pam.d/chance-inner", &text.1).unwrap();
            fs::write("/etc/pam.d/chance", &text.0).unwrap();
            let dry = host.run_twofactor(&["--json", "service", "enable", "chance", "--only", "--dry-run", "--force"]);
            let told = said(&dry);
            assert!(!told.contains("libpam"), "seed {seed}, text {number}: {told}\n{}\ninner\n{}", text.0, text.1);
            rehearsed += usize::from(dry.status.success());
            if rehearsed == ENOUGH {
                return;
            }
        }
        panic!("seed {seed}: only {rehearsed} of {MOST} texts are given our lines");
    });
}

fn text(random: &mut Random) -> (String, String) {
    let lines = |random: &mut Random, phase: &str, most: u64| {
        let modules = ["pam_unix.so", "pam_permit.so", "pam_deny.so", "pam_env.so", "pam_access.so", "pam_faillock.so"];
        let controls = [
            "required",
            "required",
            "requisite",
            "sufficient",
            "optional",
            "[success=1 default=ignore]",
            "[success=ok new_authtok_reqd=ok ignore=ok default=bad]",
            "[success=done new_authtok_reqd=done default=die]",
            "[success=ok acct_expired=reset default=bad ignore=ignore]",
            "[default=1 ignore=ignore success=ok]",
            "[auth_err=die perm_denied=bad default=ok]",
        ];
        let mut text = String::new();
        for _ in 0..=random.below(most) {
            let between = *random.choose(&[" ", "\t", " \\\n  "]);
            let _ = writeln!(text, "{phase} {}{between}{}", random.choose(&controls), random.choose(&modules));
        }
        text
    };
    let inner = lines(random, "auth", 2) + "session optional pam_limits.so\n" + &lines(random, "account", 2);
    let mut text = lines(random, "auth", 2);
    match random.below(3) {
        0 => text = format!("{text}auth {} chance-inner\n", random.choose(&["include", "substack"])),
        1 => text += "@include chance-inner\n",
        _ => {}
    }
    text += "auth required pam_unix.so\n";
    text += &lines(random, "account", 3);
    (text, inner)
}
