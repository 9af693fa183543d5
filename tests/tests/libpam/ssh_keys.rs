//! A key that sshd has verified, as libpam hands it to the module: in PAM's environment, and nowhere else.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use twofactor_tests::pam::{Answer, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host};

// Made with ssh-keygen 9.2, which has told the fingerprint and signed the certificate.
const KEY: &str = concat!(
    "sk-ssh-ed25519@openssh.com ",
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=",
);
const CERTIFICATE: &str = concat!(
    "sk-ssh-ed25519-cert-v01@openssh.com ",
    "AAAAI3NrLXNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAINfljdurHpc3GTssUHPYmOatLirB5Jc3u6MIhElG6eN6",
    "AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDoAAAAAAAAAAAAAAAEAAAACaWQAAAAQAAAABWFsaWNl",
    "AAAAA2JvYgAAAABrChcoAAAAAGzp+ZIAAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2Vu",
    "dC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQt",
    "dXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCBSDUO7aeGZFOMjCRQhXtrqqEKrR0XFmbOgE5GmbJc7AAAAFMA",
    "AAALc3NoLWVkMjU1MTkAAABAvcaXV9JYclFsd1Q0iE9WvDgeFuqQIoD64HQK5ndtrDlSABjhL9MjDeIq1RIV8yjHdskhJ8pICnyX",
    "LUnR3SntCQ==",
);
const OTHER: &str = concat!(
    "sk-ecdsa-sha2-nistp256@openssh.com ",
    "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBAV3FoBPiCH1GiKoJReXJBvb7+eb",
    "XbrWcBOCIVEreu1ILMqK5w5QzregJbxIYULc3Q4nM53HzISA/JQSfjs46ZkAAAAIc3NoOndvcms=",
);
const PLAIN: &str = concat!("ssh-ed25519 ", "AAAAC3NzaC1lZDI1NTE5AAAAIFmLv9SlQgT5aNV/oeYExN3SfOxw1y/n6tLZgzfLM2ZW",);
const FINGERPRINT: &str = "SHA256:/p0CbeE3dk2SyW1OXXsThGc12ezDVD8eGw2/vtztDfk";
const OURS: &str = "auth required pam_twofactor.so\naccount required pam_permit.so\n";

fn enroll_key(host: &Host, user: &str) {
    let path = host.place("key.pub");
    fs::write(&path, format!("{KEY} laptop\n")).unwrap();
    host.succeed("twofactor", ["ssh-key", "add", user, path.to_str().unwrap()]);
}

/// A login of alice in which the application has set the variable to `text`.
fn logs_in(host: &Host, service: &str, text: &str, answers: &[&str]) -> Outcome {
    let answers: Vec<Answer> = answers.iter().map(|answer| Answer::from(*answer)).collect();
    let login = host.login("alice").of_the_system().service(service).rhost("192.0.2.7");
    login.calls(&format!("putenv:SSH_AUTH_INFO_0={text},authenticate")).answering(&answers)
}

/// The certificate as one of a host: its kind is behind the type, the nonce, the key's two fields and the serial number.
fn certificate_of_a_host() -> String {
    let (word, base64) = CERTIFICATE.split_once(' ').unwrap();
    let mut blob = BASE64.decode(base64.as_bytes()).unwrap();
    let mut at = 0;
    for _ in 0..4 {
        let length = u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
        at += 4 + usize::try_from(length).unwrap();
    }
    at += 8;
    assert_eq!(blob[at..at + 4], [0, 0, 0, 1], "of a user");
    blob[at + 3] = 2;
    format!("{word} {}", BASE64.encode(&blob))
}

fn alices_uid() -> u32 {
    nix::unistd::User::from_name("alice").unwrap().expect("alice is there").uid.as_raw()
}

#[test]
fn an_enrolled_key_or_a_certificate_about_it_is_asked_nothing_by_sshd() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        enroll_key(host, "alice");
        for service in ["sshd", "sudo"] {
            host.system_service(service, OURS);
        }
        for shown in [
            format!("publickey {KEY}\n"),
            format!("publickey {CERTIFICATE}\n"),
            format!("publickey {PLAIN}\npublickey {KEY}\n"),
        ] {
            let outcome = logs_in(host, "sshd", &shown, &[]);
            assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{outcome:?}");
            let line = format!("accepted user=alice service=sshd rhost=192.0.2.7 token=ssh-key:{FINGERPRINT}");
            assert!(host.module_log().last().unwrap().ends_with(&line), "{:?}", host.module_log());
        }
        let wrong = alice.wrong_code();
        for (service, shown) in [
            ("sshd", String::new()),
            ("sshd", format!("publickey {OTHER}\n")),
            ("sshd", format!("publickey {PLAIN}\n")),
            ("sshd", format!("hostbased {KEY}\n")),
            ("sshd", format!("publickey {}\n", certificate_of_a_host())),
            ("sudo", format!("publickey {KEY}\n")),
        ] {
            let outcome = logs_in(host, service, &shown, &[&wrong]);
            assert_eq!(outcome.code(), ReturnCode::AUTH_ERR, "{service} {shown}: {outcome:?}");
        }
        host.succeed("twofactor", ["ssh-key", "remove", "alice", FINGERPRINT]);
        let removed = logs_in(host, "sshd", &format!("publickey {KEY}\n"), &[&wrong]);
        assert_eq!(removed.code(), ReturnCode::AUTH_ERR, "{removed:?}");
    });
}

#[test]
fn the_environment_of_the_process_and_that_of_a_program_without_root_name_no_key() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        enroll_key(host, "alice");
        host.system_service("sshd", OURS);
        let wrong = alice.wrong_code();
        let login = host.login("alice").of_the_system().service("sshd");
        let exported = login.after(format!("export SSH_AUTH_INFO_0='publickey {KEY}'")).answering(&[(&wrong).into()]);
        assert_eq!(exported.code(), ReturnCode::AUTH_ERR, "{exported:?}");

        // What a local user makes of libpam by himself is refused, with a broker and without.
        let own = host.login("alice").of_the_system().service("sshd").uid(alices_uid());
        let own = own.calls(&format!("putenv:SSH_AUTH_INFO_0=publickey {KEY}\n,authenticate")).answering(&[]);
        assert_ne!(own.code(), ReturnCode::SUCCESS, "{own:?}");
    });
}

#[test]
fn where_pam_env_lets_users_set_the_variable_a_code_is_asked_and_the_log_names_the_line() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        enroll_key(host, "alice");
        let shown = format!("publickey {KEY}\n");
        host.system_service("sshd", &format!("auth required pam_env.so user_readenv=1\n{OURS}"));
        let asked = logs_in(host, "sshd", &shown, &[&alice.code()]);
        assert_eq!(asked.code(), ReturnCode::SUCCESS, "{asked:?}");
        host.assert_logged(&[
            "error user=alice service=sshd",
            "reason=bad-config",
            "/etc/pam.d/sshd:1",
            "user_readenv",
        ]);
        host.assert_logged(&["accepted user=alice service=sshd", "token=app"]);
        // A line of the session, as Debian's sshd has one, comes after every question.
        host.system_service("sshd", &format!("{OURS}session required pam_env.so user_readenv=1\n"));
        assert_eq!(logs_in(host, "sshd", &shown, &[]).code(), ReturnCode::SUCCESS);
    });
}

/// Without a path pam_env reads two files of /etc, and with libeconf those of a folder beside each.
#[test]
fn where_others_own_a_file_that_pam_env_reads_without_a_path_a_code_is_asked() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        enroll_key(host, "alice");
        host.system_service("sshd", &format!("auth required pam_env.so\n{OURS}"));
        let shown = format!("publickey {KEY}\n");
        for file in [
            "/etc/security/pam_env.conf",
            "/etc/security/pam_env.conf.d/50-site.conf",
            "/etc/environment",
            "/etc/environment.d/50-site.conf",
        ] {
            fs::create_dir_all(Path::new(file).parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
            assert_eq!(logs_in(host, "sshd", &shown, &[]).code(), ReturnCode::SUCCESS, "{file}");
            host.succeed("chown", ["bin", file]);
            let asked = logs_in(host, "sshd", &shown, &[&alice.next_code()]);
            assert_eq!(asked.code(), ReturnCode::SUCCESS, "{file}: {asked:?}");
            host.assert_logged(&["reason=bad-config", &format!("{file} belongs to user 2, not to user 0")]);
            assert!(host.module_log().last().unwrap().contains("token=app"), "{:?}", host.module_log());
            host.succeed("chown", ["root", file]);
        }
        assert_eq!(logs_in(host, "sshd", &shown, &[]).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn a_variable_without_an_end_names_no_key_and_is_not_copied() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        enroll_key(host, "alice");
        host.system_service("sshd", OURS);
        let login = || host.login("alice").of_the_system().service("sshd").rhost("192.0.2.7");
        let set = |call: &str| format!("{call}:SSH_AUTH_INFO_0=publickey {KEY},authenticate");
        let endless = login().calls(&set("putenv-endless")).answering(&[(&alice.next_code()).into()]);
        assert_eq!(endless.code(), ReturnCode::SUCCESS, "{endless:?}");
        assert!(host.module_log().last().unwrap().contains("token=app"), "{:?}", host.module_log());
        assert_eq!(login().calls(&set("putenv")).answering(&[]).code(), ReturnCode::SUCCESS);
        // A line behind the key that is a few bytes too long, and one that is not.
        for (length, asked) in [(64 * 1024, true), (60 * 1024, false)] {
            let shown = format!("publickey {KEY}\n{}", "x".repeat(length));
            let answers = if asked { vec![alice.next_code()] } else { Vec::new() };
            let outcome = logs_in(host, "sshd", &shown, &answers.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(outcome.code(), ReturnCode::SUCCESS, "{length}: {outcome:?}");
        }
    });
}

/// libpam of this host runs the service, and the next version may run another.
#[test]
fn where_the_service_is_not_clear_a_code_is_asked_and_the_log_names_the_line_and_the_way_out() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        enroll_key(host, "alice");
        let unclear = "session required pam_permit.so \\\n# why\nsession required pam_permit.so\n";
        host.system_service("sshd", &format!("{OURS}{unclear}"));
        let asked = logs_in(host, "sshd", &format!("publickey {KEY}\n"), &[&alice.code()]);
        assert_eq!(asked.code(), ReturnCode::SUCCESS, "{asked:?}");
        host.assert_logged(&[
            "error user=alice service=sshd",
            "reason=bad-config",
            "/etc/pam.d/sshd:3",
            "the ssh key does not count, and a code is asked for: correct that file; see twofactor doctor",
        ]);
        host.assert_logged(&["accepted user=alice service=sshd", "token=app"]);
    });
}

/// Every file of alice's account, with its content.
fn account() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir("/var/lib/twofactor/users/alice").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn what_an_application_calls_behind_a_login_by_key_asks_nothing_and_changes_nothing() {
    private_host(|host| {
        host.user_with_app("alice");
        enroll_key(host, "alice");
        host.system_service(
            "sshd",
            "auth required pam_twofactor.so\naccount required pam_twofactor.so\naccount required pam_permit.so\n\
             session required pam_twofactor.so\nsession required pam_permit.so\n",
        );
        let before = account();
        let calls = "authenticate,setcred,account,setcred,open_session,setcred,account,close_session,setcred";
        let login = || host.login("alice").of_the_system().service("sshd").rhost("192.0.2.7");
        let outcome = login().calls(&format!("putenv:SSH_AUTH_INFO_0=publickey {KEY}\n,{calls}")).answering(&[]);
        let done: Vec<&str> = outcome.results.iter().map(|(call, _)| call.as_str()).collect();
        assert_eq!(done.join(","), calls);
        assert!(outcome.results.iter().all(|(_, code)| *code == ReturnCode::SUCCESS), "{outcome:?}");
        assert!(outcome.messages.is_empty(), "{outcome:?}");
        assert_eq!(account(), before);
        let [line] = &host.module_log()[..] else { panic!("{:#?}", host.module_log()) };
        assert!(line.contains("accepted user=alice service=sshd rhost=192.0.2.7 token=ssh-key:SHA256:"), "{line}");
    });
}

/// As sudo does after a wrong password. The key is the user's to whom sshd has shown it, and no other's.
#[test]
fn each_authentication_of_a_transaction_is_judged_by_its_own_user_and_by_what_is_enrolled_then() {
    private_host(|host| {
        host.user_with_app("alice");
        let bob = host.user_with_app("bob");
        enroll_key(host, "alice");
        host.system_service("sshd", OURS);
        let login = host.login("alice").of_the_system().service("sshd").rhost("192.0.2.7");
        let calls = "authenticate,authenticate,become:bob,authenticate,become:alice,authenticate";
        let login = login.calls(&format!("putenv:SSH_AUTH_INFO_0=publickey {KEY}\n,{calls}"));
        let mut running = login.start();
        running.expect_prompt();
        host.succeed("twofactor", ["ssh-key", "remove", "alice", FINGERPRINT]);
        running.answer(&(&bob.wrong_code()).into());
        running.expect_prompt();
        let outcome = running.ending_with("abc");
        let codes: Vec<ReturnCode> = outcome.results.iter().map(|(_, code)| *code).collect();
        assert_eq!(
            codes,
            [ReturnCode::SUCCESS, ReturnCode::SUCCESS, ReturnCode::AUTH_ERR, ReturnCode::AUTH_ERR],
            "{outcome:?}"
        );
        host.assert_logged(&["denied user=bob service=sshd", "reason=wrong-code"]);
    });
}
