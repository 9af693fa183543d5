//! The variable that names the key is sshd's word. What users write into it does not count.

use std::fs;

use twofactor_tests::private_host::Host;
use twofactor_tests::security_key::{Provider, SETTINGS, SecurityKey, authorize, private_host_with_keys};

use crate::login::{Login, SHARED};

/// Alice has enrolled `hers`, and logs in with `other`, which sshd knows as well.
fn with_two_keys(body: impl FnOnce(&Host, &Login<'_>, Provider<'_>, [SecurityKey; 2]) + Send) {
    private_host_with_keys(|host, provider| {
        let login = Login::of_alice(host, provider);
        let keys = ["hers", "other"].map(|name| provider.key("ed25519-sk", name));
        authorize(host, "alice", keys.iter().map(SecurityKey::line));
        login.enroll("alice", &keys[0]);
        body(host, &login, provider, keys);
    });
}

/// The word of an sshd that has verified this key.
fn word_for(key: &SecurityKey) -> String {
    let line = key.line();
    let mut words = line.split(' ');
    format!("publickey {} {}", words.next().unwrap(), words.next().unwrap())
}

#[test]
fn a_client_that_sends_the_variable_is_asked() {
    with_two_keys(|_, login, provider, [hers, other]| {
        let sshd = login.sshd("AcceptEnv *\n");
        let mut options = provider.options([&other]);
        options.push(format!("SetEnv=SSH_AUTH_INFO_0=\"{}\"", word_for(&hers)));
        login.is_asked_with(&sshd, &options.iter().map(String::as_str).collect::<Vec<_>>());
        login.is_in(&sshd, [&hers]);
    });
}

#[test]
fn an_environment_of_authorized_keys_is_no_word_of_sshd() {
    with_two_keys(|host, login, _, [hers, other]| {
        let sshd = login.sshd("PermitUserEnvironment yes\n");
        let environment = format!("environment=\"SSH_AUTH_INFO_0={}\" {}", word_for(&hers), other.line());
        authorize(host, "alice", [environment]);
        fs::write("/home/alice/.ssh/environment", format!("SSH_AUTH_INFO_0={}\n", word_for(&hers))).unwrap();
        login.is_asked(&sshd, [&other]);
    });
}

/// The files that hold for everybody are root's, and set variables of the session.
#[test]
fn environment_files_of_the_host_are_without_effect() {
    with_two_keys(|host, login, _, [hers, other]| {
        fs::write("/etc/environment", format!("SSH_AUTH_INFO_0=\"{}\"\n", word_for(&hers))).unwrap();
        fs::write("/etc/default/locale", format!("SSH_AUTH_INFO_0=\"{}\"\n", word_for(&hers))).unwrap();
        let stack =
            format!("auth required pam_env.so envfile=/etc/default/locale\n{SHARED}session required pam_env.so\n");
        let sshd = host.sshd_with(&stack, SETTINGS);
        login.is_asked(&sshd, [&other]);
        login.is_in(&sshd, [&hers]);
    });
}

/// A key that would count is asked for a code, too.
#[test]
fn where_users_set_variables_of_pam_no_key_counts() {
    with_two_keys(|host, login, _, [hers, other]| {
        fs::write("/home/alice/.pam_environment", format!("SSH_AUTH_INFO_0=\"{}\"\n", word_for(&hers))).unwrap();
        host.succeed("chown", ["alice", "/home/alice/.pam_environment"]);
        {
            let stack = format!("auth required pam_env.so user_readenv=1\n{SHARED}");
            let sshd = host.sshd_with(&stack, SETTINGS);
            login.is_asked(&sshd, [&other]);
            login.is_asked(&sshd, [&hers]);
            host.assert_logged(&["reason=bad-config", "user_readenv"]);
        }
        // As Debian's sshd has it: in the session phase, after every question.
        let sshd = host.sshd_with(&format!("{SHARED}session optional pam_env.so user_readenv=1\n"), SETTINGS);
        login.is_asked(&sshd, [&other]);
        login.is_in(&sshd, [&hers]);
    });
}

/// A second authentication of the same transaction would find what stands in the file.
#[test]
fn where_others_write_a_file_that_pam_env_reads_no_key_counts() {
    const FILE: &str = "/etc/shared-environment";
    with_two_keys(|host, login, _, [hers, other]| {
        fs::write(FILE, format!("SSH_AUTH_INFO_0=\"{}\"\n", word_for(&hers))).unwrap();
        host.succeed("chown", ["bin", FILE]);
        let sshd = host.sshd_with(&format!("auth required pam_env.so envfile={FILE}\n{SHARED}"), SETTINGS);
        login.is_asked(&sshd, [&other]);
        login.is_asked(&sshd, [&hers]);
        let problem = format!("{FILE} belongs to user 2, not to user 0");
        host.assert_logged(&["reason=bad-config", &problem, "make that file root's alone"]);
        host.succeed("chown", ["root", FILE]);
        login.is_asked(&sshd, [&other]);
        login.is_in(&sshd, [&hers]);
    });
}

/// Each version of pam_env leaves the user's file alone unless a line says otherwise.
#[test]
fn without_the_argument_pam_env_reads_no_file_of_the_user() {
    with_two_keys(|host, login, _, [hers, _]| {
        fs::write("/home/alice/.pam_environment", "OF_THE_USER=yes\n").unwrap();
        host.succeed("chown", ["alice", "/home/alice/.pam_environment"]);
        let read = |argument: &str| {
            let stack =
                format!("auth required pam_env.so {argument}\n{SHARED}session required pam_env.so {argument}\n");
            let sshd = host.sshd_with(&stack, SETTINGS);
            let options = login.provider.options([&hers]);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let mut terminal = sshd.terminal(&twofactor_tests::ssh::Client {
                user: "alice",
                password: "",
                code: "",
                options: &options,
            });
            if argument.contains('1') {
                terminal.expect("code: ");
                terminal.type_line(&login.alice.code());
            }
            terminal.expect("$ ");
            terminal.type_line("echo \"<$OF_THE_USER>\"; exit");
            terminal.wait();
            terminal.rest().contains("<yes>")
        };
        assert!(!read(""));
        assert!(!read("user_readenv=0"));
        assert!(read("user_readenv=1"), "the test sees what it looks for");
    });
}
