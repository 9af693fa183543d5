//! The table of return codes, one test a row. `pam_authenticate` returns the module's code as it is because the module
//! stands alone in its service; `PAM_IGNORE` is told by a jump that libpam takes for no other code.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use twofactor_tests::artifacts;
use twofactor_tests::first_login::Offer;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::{Answer, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::syslog::Line;

/// Succeeds when and only when the module returns `PAM_IGNORE`, and only for the phase it stands in.
fn ignoring_service(host: &Host, phase: &str, arguments: &str) {
    host.service(
        "ignoring",
        &format!(
            "{phase} [ignore=1 default=die] pam_twofactor.so {arguments}\n{phase} required pam_deny.so\n{phase} required pam_permit.so\n"
        ),
    );
}

/// Makes the folder of the store by enrolling somebody else.
fn somebody_is_enrolled(host: &Host) {
    host.user_with_fob("somebody");
}

#[track_caller]
fn assert_asked_once(outcome: &Outcome) {
    let asked: Vec<_> =
        outcome.messages.iter().map(|message| (message.style.as_str(), message.text.as_str())).collect();
    assert_eq!(asked, [("prompt_echo_off", "Verification code: ")]);
}

#[test]
fn an_accepted_code_is_success() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let outcome = host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        assert_eq!(outcome.code(), ReturnCode::SUCCESS);
        assert_asked_once(&outcome);
        let line = host.assert_logged(&["accepted"]);
        assert_eq!(
            line,
            "pam_twofactor(test:auth): accepted user=alice service=test rhost=192.0.2.7 token=app drift=0"
        );
    });
}

#[test]
fn a_wrong_code_is_auth_err() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let outcome = host.login("alice").rhost("192.0.2.7").typing(alice.wrong_code());
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        let line = host.assert_logged(&["denied"]);
        assert_eq!(line, "pam_twofactor(test:auth): denied user=alice service=test rhost=192.0.2.7 reason=wrong-code");
        assert_eq!(host.failures("alice"), 1);
    });
}

#[test]
fn a_replayed_code_is_auth_err_and_not_counted() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=replayed"]);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn somebody_without_a_second_factor_is_auth_err_where_one_is_required() {
    private_host(|host| {
        somebody_is_enrolled(host);
        host.add_user("alice");
        let outcome = host.login("alice").typing(ANY_CODE);
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        assert_asked_once(&outcome);
        host.assert_logged(&["denied user=alice", "reason=not-enrolled"]);
    });
}

#[test]
fn an_account_of_another_uid_is_auth_err_and_not_counted() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.give_name_to_another("alice", 4444);
        let outcome = host.login("alice").rhost("192.0.2.7").typing(alice.next_code());
        assert_eq!(outcome.code(), ReturnCode::AUTH_ERR);
        assert_asked_once(&outcome);
        host.assert_logged(&["denied user=alice service=test rhost=192.0.2.7 reason=uid-changed"]);
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn an_unconfirmed_secret_is_auth_err() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.succeed("twofactor", ["reset", "alice", "--keep-secret", "--yes"]);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::AUTH_ERR);
        host.assert_logged(&["denied user=alice", "reason=not-confirmed"]);
    });
}

#[test]
fn a_throttled_user_is_maxtries_even_with_the_right_code() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        for _ in 0..5 {
            assert_eq!(host.login("alice").typing(alice.wrong_code()).code(), ReturnCode::AUTH_ERR);
        }
        let code = alice.next_code();
        let outcome = host.login("alice").typing(&code);
        assert_eq!(outcome.code(), ReturnCode::MAXTRIES);
        assert_asked_once(&outcome);
        host.assert_logged(&["denied user=alice", "reason=throttled"]);

        host.succeed("twofactor", ["unlock", "alice"]);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "a throttled attempt burns nothing");
    });
}

#[test]
fn used_up_tries_are_maxtries() {
    private_host(|host| {
        host.configure("[prompt]\ntries = 2\n");
        let alice = host.user_with_fob("alice");
        let wrong = [alice.wrong_code(), alice.wrong_code()];
        let outcome = host.login("alice").answering(&[(&wrong[0]).into(), (&wrong[1]).into()]);
        assert_eq!(outcome.code(), ReturnCode::MAXTRIES);
        assert_eq!(host.failures("alice"), 2);

        let outcome = host.login("alice").answering(&[(&alice.wrong_code()).into(), (&alice.next_code()).into()]);
        assert_eq!(outcome.code(), ReturnCode::SUCCESS, "the second try may be right");
    });
}

#[test]
fn an_unknown_user_is_user_unknown_after_the_same_prompt() {
    private_host(|host| {
        somebody_is_enrolled(host);
        let outcome = host.login("nobody-here").typing(ANY_CODE);
        assert_eq!(outcome.code(), ReturnCode::USER_UNKNOWN);
        assert_asked_once(&outcome);
        host.assert_logged(&["denied user=nobody-here", "reason=unknown-user"]);
    });
}

#[test]
fn policy_off_is_ignore_and_asks_nothing() {
    private_host(|host| {
        host.configure("[default]\nsecond_factor = \"off\"\n");
        host.user_with_fob("alice");
        ignoring_service(host, "auth", "");
        let outcome = host.login("alice").service("ignoring").answering(&[]);
        assert_eq!(outcome.code(), ReturnCode::SUCCESS, "libpam saw PAM_IGNORE");
        assert_eq!(outcome.messages, []);
        host.assert_logged(&["skipped user=alice", "policy=off"]);
        let alone = host.login("alice").answering(&[]);
        assert_eq!(alone.code(), ReturnCode::PERM_DENIED, "a service with nothing but us lets nobody in unasked");
    });
}

#[test]
fn optional_is_ignore_for_somebody_who_is_not_enrolled_and_a_prompt_for_everybody_else() {
    private_host(|host| {
        host.configure("[default]\nsecond_factor = \"optional\"\n");
        let bob = host.user_with_fob("bob");
        host.add_user("alice");
        ignoring_service(host, "auth", "");
        assert_eq!(host.login("alice").service("ignoring").answering(&[]).code(), ReturnCode::SUCCESS);
        host.assert_logged(&["skipped user=alice", "policy=optional-not-enrolled"]);
        assert_eq!(host.login("bob").typing(bob.wrong_code()).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("bob").typing(bob.next_code()).code(), ReturnCode::SUCCESS);
        let unknown = host.login("nobody-here").typing(ANY_CODE);
        assert_eq!(unknown.code(), ReturnCode::USER_UNKNOWN, "who is unknown is not provably without an account");
    });
}

#[test]
fn nullok_makes_required_optional_on_its_line() {
    private_host(|host| {
        let bob = host.user_with_fob("bob");
        host.add_user("alice");
        ignoring_service(host, "auth", "nullok");
        assert_eq!(host.login("alice").service("ignoring").answering(&[]).code(), ReturnCode::SUCCESS);
        assert_eq!(host.login("alice").typing(ANY_CODE).code(), ReturnCode::AUTH_ERR, "other lines are not affected");
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        assert_eq!(host.login("bob").service("nullok").typing(bob.wrong_code()).code(), ReturnCode::AUTH_ERR);
        assert_eq!(host.login("bob").service("nullok").typing(bob.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_store_that_is_not_there_is_authinfo_unavail() {
    private_host(|host| {
        host.add_user("alice");
        host.user_with_app("bob");
        std::fs::rename("/var/lib/twofactor", "/var/lib/elsewhere").unwrap();
        for made in [&[][..], &["/var/lib/twofactor"], &["/var/lib/twofactor/users"]] {
            for folder in made {
                host.succeed("install", ["-d", "-m", "0700", folder]);
            }
            let outcome = host.login("alice").typing(ANY_CODE);
            assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL);
            assert_asked_once(&outcome);
            host.service("nullok", "auth required pam_twofactor.so nullok\n");
            let outcome = host.login("bob").service("nullok").answering(&[]);
            assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL, "a state that is not mounted is no empty one");
        }
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "twofactor state adopt"]);
    });
}

#[test]
fn accounts_that_are_not_mounted_are_no_empty_folder_of_users() {
    private_host(|host| {
        host.add_user("alice");
        host.user_with_app("bob");
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        host.succeed("mount", ["-t", "tmpfs", "-o", "mode=700", "tmpfs", "/var/lib/twofactor/users"]);
        for (user, service) in [("alice", "nullok"), ("bob", "nullok")] {
            let outcome = host.login(user).service(service).answering(&[]);
            assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL, "{user}");
        }
        host.assert_logged(&["error user=bob", "reason=store-unavailable", "users is empty", "twofactor state adopt"]);
        std::fs::write("/etc/twofactor/twofactor.toml", "[default]\nsecond_factor = \"enroll\"\n").unwrap();
        assert_eq!(host.login("bob").answering(&[]).code(), ReturnCode::AUTHINFO_UNAVAIL, "nor is a new app set up");
        let anew = host.command("twofactor").args(["enroll", "bob", "--no-confirm"]).output().unwrap();
        assert!(!anew.status.success(), "{}", String::from_utf8_lossy(&anew.stdout));
        host.succeed("umount", ["/var/lib/twofactor/users"]);
        std::fs::write("/etc/twofactor/twofactor.toml", "").unwrap();
    });
}

#[test]
fn credentials_that_were_lost_do_not_make_an_account_one_that_is_not_enrolled() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        std::fs::remove_file("/var/lib/twofactor/users/alice/secret.toml").unwrap();
        let outcome = host.login("alice").service("nullok").answering(&[]);
        assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=store-corrupt", "secret.toml", "twofactor reset alice"]);
        assert_eq!(host.login("alice").typing(alice.code()).code(), ReturnCode::AUTHINFO_UNAVAIL);
        let status = host.command("twofactor").args(["status", "alice"]).output().unwrap();
        assert!(
            !status.status.success() && String::from_utf8_lossy(&status.stderr).contains("secret.toml"),
            "{status:?}"
        );
        let again = host.enroll("alice", &["--replace"]);
        assert_eq!(host.login("alice").typing(again.wrong_code()).code(), ReturnCode::AUTH_ERR, "a new secret");
        std::fs::remove_file("/var/lib/twofactor/users/alice/secret.toml").unwrap();
        host.succeed("twofactor", ["reset", "alice", "--yes"]);
    });
}

#[test]
fn a_right_code_that_cannot_be_recorded_is_authinfo_unavail_and_stays_good() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        host.succeed("mount", ["--bind", "/var/lib/twofactor", "/var/lib/twofactor"]);
        host.succeed("mount", ["-o", "remount,bind,ro", "/var/lib/twofactor"]);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=store-unavailable", "read-only"]);
        host.succeed("umount", ["/var/lib/twofactor"]);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_full_disk_locks_nobody_out_and_enrolls_nobody() {
    private_host(|host| {
        host.succeed("mkdir", ["/var/lib/twofactor"]);
        host.succeed("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0700", "small", "/var/lib/twofactor"]);
        let alice = host.user_with_fob("alice");
        host.add_user("bobby");
        // Fails when the disk is full, which is the point.
        let filler = host.command("dd").args(["if=/dev/zero", "of=/var/lib/twofactor/filler", "bs=4k"]).output();
        assert!(!filler.unwrap().status.success());
        let code = alice.next_code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "the state is overwritten in place");
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTH_ERR, "and the code is burned");
        let refused = host.run_twofactor(&["enroll", "bobby", "--no-confirm"]);
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("no space left") && said.contains("the disk is full"), "{said}");
        assert_eq!(host.run_twofactor(&["status", "bobby"]).status.code(), Some(3), "bobby is not enrolled");
        host.succeed("rm", ["/var/lib/twofactor/filler"]);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_lock_that_is_never_released_is_authinfo_unavail() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        // A user's lock is that of the user's folder.
        let mut flock = host.command("flock");
        flock.args(["/var/lib/twofactor/users/alice", "sh", "-c", "echo held; exec cat"]);
        let mut holder = flock.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        let refused = host.login("alice").typing(&code);
        assert_eq!(refused.code(), ReturnCode::AUTHINFO_UNAVAIL);
        assert!(refused.texts().join("").contains("Another login of this account has not ended"), "{refused:?}");
        let words = ["error user=alice", "reason=lock-timeout", "users/alice was locked", "by process ", "ps -o"];
        host.assert_logged(&words);
        host.kill(holder);
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_caller_without_the_rights_of_root_is_authinfo_unavail() {
    private_host(|host| {
        host.user_with_fob("alice");
        let outcome = host.login("alice").uid(65534).answering(&[]);
        assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL);
        host.assert_logged(&["error user=alice", "reason=not-root", "hint="]);
    });
}

#[test]
fn bad_arguments_are_service_err_and_all_of_them_are_named() {
    private_host(|host| {
        host.user_with_fob("alice");
        host.service("mistyped", "auth required pam_twofactor.so nulok debug forward_pass conf=twofactor.toml\n");
        assert_eq!(host.login("alice").service("mistyped").answering(&[]).code(), ReturnCode::SERVICE_ERR);
        for argument in ["nulok", "forward_pass", "conf="] {
            host.assert_logged(&["error user=alice service=mistyped", "reason=bad-argument", argument, "hint="]);
        }
    });
}

#[test]
fn a_bad_configuration_is_service_err() {
    private_host(|host| {
        host.user_with_fob("alice");
        host.configure("[window]\ndrfit = \"60s\"\n");
        assert_eq!(host.login("alice").answering(&[]).code(), ReturnCode::SERVICE_ERR);
        host.assert_logged(&["error user=alice", "reason=bad-config"]);
    });
}

#[test]
fn a_failed_conversation_is_conv_err_and_not_counted() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        for hung_up in [Answer::Fail, Answer::Null] {
            assert_eq!(host.login("alice").answering(&[hung_up]).code(), ReturnCode::CONV_ERR);
        }
        host.assert_logged(&["user=alice", "reason=conversation"]);
        assert_eq!(host.failures("alice"), 0);
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_panic_is_abort_with_a_line_in_the_log_and_none_on_stderr() {
    if !twofactor_tests::requirements::met() {
        return;
    }
    let module = std::fs::read(artifacts::panicking_module()).unwrap();
    private_host(|host| {
        host.user_with_fob("alice");
        let path = host.place("panicking.so");
        std::fs::write(&path, module).unwrap();
        host.service("panicking", &format!("auth required {} panic\n", path.display()));
        let outcome = host.login("alice").service("panicking").answering(&[]);
        assert_eq!(outcome.code(), ReturnCode::ABORT);
        let told = |line: &Line| line.text.contains("error user=alice") && line.text.contains("reason=panic");
        assert!(host.log().iter().any(told), "{:?}", host.log());
    });
}

#[test]
fn a_module_for_the_panic_test_is_never_the_one_that_ships() {
    if !twofactor_tests::requirements::met() {
        return;
    }
    let panics = |module: &std::path::Path| {
        let output = Command::new("grep").args(["--count", "--text", "panic on purpose"]).arg(module).output().unwrap();
        output.status.success()
    };
    assert!(panics(&artifacts::panicking_module()));
    assert!(!panics(&artifacts::release().module));
}

#[test]
fn setcred_succeeds_where_the_module_stands_alone() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let outcome = host.login("alice").calls("authenticate,account,setcred").typing(alice.next_code());
        for call in ["authenticate", "account", "setcred"] {
            assert_eq!(outcome.code_of(call), ReturnCode::SUCCESS, "{call}");
        }
    });
}

#[test]
fn an_account_that_has_expired_is_acct_expired_where_a_second_factor_would_be_stored() {
    private_host(|host| {
        host.configure("[default]\nsecond_factor = \"enroll\"\n");
        somebody_is_enrolled(host);
        host.add_user("alice");
        let alone = "auth required pam_twofactor.so\naccount required pam_twofactor.so\n";
        host.service("alone", alone);
        host.system_service("alone", alone);
        host.succeed("chage", ["-E", "1", "alice"]);
        let login = host.login("alice").service("alone").calls("authenticate,account");
        let outcome = login.conversing(|_, shown| Offer::read(shown).app.code(0));
        assert_eq!(outcome.code_of("authenticate"), ReturnCode::SUCCESS);
        assert_eq!(outcome.code_of("account"), ReturnCode::ACCT_EXPIRED);
        host.assert_logged(&["denied user=alice", "reason=account-expired"]);
        assert!(!host.run_twofactor(&["status", "alice"]).status.success());
    });
}

#[test]
fn phases_without_work_are_ignore() {
    private_host(|host| {
        host.user_with_fob("alice");
        for (phase, calls) in [
            ("account", &["account"][..]),
            ("session", &["open_session", "close_session"]),
            ("password", &["chauthtok"]),
        ] {
            ignoring_service(host, phase, "");
            for call in calls {
                let outcome = host.login("alice").service("ignoring").calls(call).answering(&[]);
                assert_eq!(outcome.code_of(call), ReturnCode::SUCCESS, "libpam saw PAM_IGNORE in {call}");
            }
        }
    });
}

#[test]
fn a_password_line_says_once_in_each_change_that_it_does_nothing() {
    private_host(|host| {
        ignoring_service(host, "password", "");
        let change = || host.login("alice").service("ignoring").calls("chauthtok").answering(&[]);
        assert_eq!(change().code_of("chauthtok"), ReturnCode::SUCCESS, "libpam saw PAM_IGNORE");
        let lines = host.module_log();
        let [line] = &lines[..] else { panic!("one line, not two: {lines:?}") };
        let expected = "pam_twofactor(ignoring:chauthtok): error user=alice service=ignoring problem=\"a password line of \
                        pam_twofactor does nothing: ";
        assert!(line.starts_with(expected) && line.contains("hint=\"take the line out"), "{line}");
        // Where the control makes a failure of that, the line is the only sign of it.
        host.service("refusing", "password [success=ok default=die] pam_twofactor.so\n");
        let refused = host.login("alice").service("refusing").calls("chauthtok").answering(&[]);
        assert_ne!(refused.code_of("chauthtok"), ReturnCode::SUCCESS);
        host.assert_logged(&["error user=alice service=refusing", "does nothing"]);
    });
}

#[test]
fn every_failure_asks_for_the_same_delay_and_success_for_none() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        host.add_user("bob");
        let delay = |user: &str, code: &str| {
            let outcome = host.login(user).typing(code);
            outcome.delays.iter().sum::<u64>()
        };
        for (user, code) in
            [("alice", alice.wrong_code()), ("bob", ANY_CODE.to_owned()), ("nobody-here", ANY_CODE.to_owned())]
        {
            // libpam varies what it was asked for, two seconds, by a quarter either way or more.
            let asked = delay(user, &code);
            assert!((1_000_000..=3_000_000).contains(&asked), "{user}: {asked} microseconds");
        }
        assert_eq!(delay("alice", &alice.next_code()), 0);
        let hung_up = host.login("alice").answering(&[Answer::Fail]);
        assert_eq!(hung_up.delays.iter().sum::<u64>(), 0, "who presses Ctrl-C guesses nothing");
    });
}

#[test]
fn the_prompt_tells_nothing_about_the_user() {
    private_host(|host| {
        host.configure("[throttle]\nfree_attempts = 0\n");
        let enrolled = host.user_with_fob("enrolled");
        let throttled = host.user_with_fob("throttled");
        host.add_user("unenrolled");
        assert_eq!(host.login("throttled").typing(throttled.wrong_code()).code(), ReturnCode::AUTH_ERR);
        let seen = |user: &str, code: &str| host.login(user).typing(code).messages;
        let expected = seen("enrolled", &enrolled.next_code());
        for user in ["enrolled", "throttled", "unenrolled", "nobody-here", "..", "a/b", ""] {
            assert_eq!(seen(user, &enrolled.wrong_code()), expected, "{user:?}");
        }
    });
}
