//! Look-ups of users and groups that fail, in a stack in which every other module says yes: PAM_IGNORE would let in.

use std::fs;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::requirements::programs_met;

use crate::rules::use_groups_of;
use crate::{CODE, clueless, configure};

/// Administrators are asked, and nobody else.
const ADMINS: &str =
    "[[rule]]\ngroups = [\"admins\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"off\"\n";

/// A host with alice, an administrator with an app, and bob. Whoever is not refused by us is let in.
fn host_with_an_administrator(host: &Host) {
    host.user_with_app("alice");
    host.add_user("bob");
    let groups = fs::read_to_string("/etc/group").unwrap();
    fs::write("/etc/group", format!("{groups}admins:x:60000:alice\n")).unwrap();
    host.service("open", "auth required pam_twofactor.so\nauth required pam_permit.so\n");
    configure(host, ADMINS);
}

/// Lets the name service find users there and nowhere else.
fn use_users_of(sources: &str) {
    let before = fs::read_to_string("/etc/nsswitch.conf").unwrap();
    let others = before.lines().filter(|line| !line.starts_with("passwd:")).collect::<Vec<_>>().join("\n");
    fs::write("/etc/nsswitch.conf", format!("{others}\npasswd: {sources}\n")).unwrap();
}

/// Whether `user`, who answers nothing, is let in by an application that a shell prepares with `before`; then nothing was asked.
#[track_caller]
fn gets_in(host: &Host, user: &str, before: &str) -> bool {
    let outcome = clueless(host.login(user).service("open").after(before));
    let is_in = outcome.code() == ReturnCode::SUCCESS;
    assert!(!is_in || outcome.prompts().is_empty(), "{before}: {outcome:?}");
    is_in
}

#[test]
fn where_files_say_who_is_in_a_group_absence_is_certain() {
    private_host(|host| {
        host_with_an_administrator(host);
        // Debian makes no merge with a source whose library is missing: an error, and everybody is asked.
        let merging = fs::exists(format!("/lib/{}-linux-gnu/libnss_systemd.so.2", std::env::consts::ARCH)).unwrap();
        for sources in ["files", "files systemd", "files [SUCCESS=merge] systemd", "files [NOTFOUND=return] missing"] {
            use_users_of(sources);
            use_groups_of(sources.strip_suffix("missing").unwrap_or(sources));
            assert!(!gets_in(host, "alice", ":"), "{sources}");
            if sources.contains("merge") && !merging {
                assert!(!gets_in(host, "bob", ":"), "{sources}");
                continue;
            }
            assert!(gets_in(host, "bob", ":"), "{sources}: {:?}", host.module_log());
            assert!(
                gets_in(host, "nobody-here", ":"),
                "{sources}: no administrator, and for the other modules to refuse"
            );
        }
        // A shared configuration names groups that this host does not have, and locks nobody out.
        configure(host, &ADMINS.replace("admins", "wheel"));
        assert!(gets_in(host, "bob", ":"));
        fs::remove_file("/etc/nsswitch.conf").unwrap();
        assert!(gets_in(host, "bob", ":"), "glibc reads the files");
        assert!(!merging || host.module_log().iter().all(|line| !line.contains("error")), "{:?}", host.module_log());
    });
}

#[test]
fn where_a_source_is_missing_not_found_proves_nothing() {
    private_host(|host| {
        host_with_an_administrator(host);
        for sources in ["missing files", "files missing", "files missing systemd", "missing [UNAVAIL=continue] files"] {
            use_groups_of("files");
            use_users_of(sources);
            assert!(!gets_in(host, "nobody-here", ":"), "{sources}: who is that?");
            assert!(gets_in(host, "bob", ":"), "{sources}: his entry was found");
            use_users_of("files");
            use_groups_of(sources);
            for user in ["alice", "bob"] {
                assert!(!gets_in(host, user, ":"), "{sources}: {user}");
            }
            host.assert_logged(&["error user=bob", "reason=store-unavailable", "for group"]);
        }
        // By name, before the rule that depends on a look-up: decided alone.
        configure(host, &format!("[[rule]]\nusers = [\"bob\"]\nsecond_factor = \"off\"\n{ADMINS}"));
        assert!(gets_in(host, "bob", ":") && !gets_in(host, "alice", ":"));
    });
}

#[test]
fn optional_and_nullok_in_doubt_ask_everybody() {
    private_host(|host| {
        host_with_an_administrator(host);
        host.service("open", "auth required pam_twofactor.so nullok\nauth required pam_permit.so\n");
        host.add_user("carol");
        host.succeed("usermod", ["-aG", "admins", "carol"]);
        for level in ["required", "optional"] {
            configure(host, &ADMINS.replace("required", level));
            use_groups_of("files");
            assert!(gets_in(host, "bob", ":") && gets_in(host, "carol", ":"), "nullok, and neither is enrolled");
            use_groups_of("missing files");
            let outcome = clueless(host.login("bob").service("open"));
            assert_eq!((outcome.prompts(), outcome.code()), (vec![CODE], ReturnCode::AUTH_ERR), "{level}");
        }
        configure(host, &ADMINS.replace("required", "off"));
        assert!(gets_in(host, "bob", ":"), "every candidate is off");
    });
}

#[test]
fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    private_host(|host| {
        host_with_an_administrator(host);
        use_users_of("files systemd");
        use_groups_of("files systemd");
        for file in ["/etc/group", "/etc/passwd"] {
            let aside = format!("{file}.aside");
            fs::rename(file, &aside).unwrap();
            for broken in ["nothing", "folder"] {
                if broken == "folder" {
                    fs::create_dir(file).unwrap();
                }
                for user in ["alice", "bob", "nobody-here"] {
                    // nobody-here has no groups to look up.
                    let certain = file == "/etc/group" && user == "nobody-here";
                    assert_eq!(gets_in(host, user, ":"), certain, "{file}: {broken}, {user}");
                }
                let _ = fs::remove_dir(file);
            }
            fs::rename(aside, file).unwrap();
        }
        assert!(gets_in(host, "bob", ":"), "and all is as before");
    });
}

/// Lets the system calls of the application that concern `files` fail with `error`, one after the other: each time another one,
/// until there are no more. `files` is what strace is told: `-P PATH`, or nothing for every file. Calls `run` with what prepares
/// the application.
fn with_each_call_failing(calls: &str, files: &str, error: &str, mut run: impl FnMut(&str)) -> usize {
    for number in 1_usize.. {
        let strace = format!(
            "strace -f -q -o /run/trace {files} -e trace={calls} -e inject={calls}:error={error}:when={number}"
        );
        run(&format!("set -- {strace} \"$@\""));
        if !fs::read_to_string("/run/trace").unwrap().contains("(INJECTED)") {
            return number - 1;
        }
    }
    0
}

#[test]
fn whichever_call_of_a_look_up_fails_who_is_to_be_asked_is_not_let_in() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host_with_an_administrator(host);
        use_users_of("files systemd");
        use_groups_of("files systemd");
        let databases = "-P /etc/passwd -P /etc/group -P /etc/nsswitch.conf";
        let calls = "openat,read,newfstatat,fstat,lseek,mmap,close";
        let mut failed = 0;
        for error in ["EIO", "EACCES", "EMFILE", "ENOMEM", "EINTR"] {
            failed += with_each_call_failing(calls, databases, error, |before| {
                assert!(!gets_in(host, "alice", before), "{error}: {before}");
            });
        }
        assert!(failed > 30, "{failed} calls failed");
    });
}

#[test]
fn whichever_file_of_the_whole_login_cannot_be_opened_who_is_to_be_asked_is_not_let_in() {
    if !programs_met(&["strace"]) {
        return;
    }
    private_host(|host| {
        host_with_an_administrator(host);
        use_users_of("files systemd");
        use_groups_of("files systemd");
        let failed = with_each_call_failing("openat,connect", "", "EMFILE", |before| {
            // The application itself may not get as far as a login.
            let outcome = host.login("alice").service("open").after(before).start().last_words();
            assert_ne!(
                outcome.results.first().map(|(_, code)| *code),
                Some(ReturnCode::SUCCESS),
                "{before}: {outcome:?}"
            );
        });
        assert!(failed > 30, "{failed} calls failed");
    });
}
