//! Real sshd, real ssh clients, the password of the system and a code of ours.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail loudly")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use twofactor_core::pam_service::first_factor;
use twofactor_tests::debian::chosen;
use twofactor_tests::log_daemon::until;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::private_host::{Host, PASSWORD, private_host, said};
use twofactor_tests::requirements::{PYTHON, programs_met};
use twofactor_tests::ssh::{Client, Session, authorized_key};
use twofactor_tests::syslog::Line;
use twofactor_tests::terminal::{Size, Terminal};

fn client<'c>(user: &'c str, code: &'c str) -> Client<'c> {
    Client { user, password: PASSWORD, code, options: &["PreferredAuthentications=keyboard-interactive"] }
}

#[track_caller]
fn assert_opened(host: &Host, session: &Session) {
    let log: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
    assert!(session.opened(), "{}\nlog:\n{}", said(&session.output), log.join("\n"));
}

#[test]
fn password_then_code_opens_a_session() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        let session = sshd.client(&client("alice", &alice.code()));
        assert_opened(host, &session);
        assert_eq!(session.prompts, ["Password: ", "Verification code: "]);
        let line = host.assert_logged(&["accepted user=alice"]);
        assert!(
            line.starts_with("pam_twofactor(sshd:auth): accepted user=alice service=sshd rhost=127.0.0.1 token=app"),
            "{line}"
        );
    });
}

#[test]
fn password_then_code_opens_a_session_at_a_terminal() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        let mut terminal = sshd.terminal(&client("alice", ""));
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        terminal.expect("Verification code: ");
        let code = alice.code();
        terminal.type_line(&code);
        terminal.expect("$ ");
        terminal.type_line("echo session-$((40+2))");
        terminal.expect("session-42");
        terminal.type_line("exit");
        assert!(terminal.wait().success());
        let shown = terminal.shown();
        assert!(!shown.contains(&code) && !shown.contains(PASSWORD), "what was typed was not echoed: {shown}");
    });
}

#[test]
fn a_wrong_code_opens_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        let session = sshd.client(&client("alice", &alice.wrong_code()));
        assert!(!session.opened());
        assert_eq!(session.prompts, ["Password: ", "Verification code: "]);
        host.assert_logged(&["denied user=alice service=sshd rhost=127.0.0.1", "reason=wrong-code"]);
        assert_eq!(host.failures("alice"), 1);
    });
}

#[test]
fn a_right_code_behind_a_wrong_password_opens_nothing() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        let session = sshd.client(&Client { password: "wrong", ..client("alice", &alice.code()) });
        assert!(!session.opened());
        assert_eq!(session.prompts.len(), 2, "which of the two was wrong is not told");
    });
}

/// Each try of a connection is an authentication of its own, in a process of its own for keyboard-interactive.
#[test]
fn behind_a_substack_a_wrong_password_is_asked_for_again_and_no_code() {
    const STACK: &str = "auth substack story-auth\nauth substack /etc/pam.d/twofactor-first-factor\n\
                         auth required pam_twofactor.so\naccount required pam_unix.so\nsession required pam_permit.so\n";
    private_host(|host| {
        host.system_service("story-auth", "auth sufficient pam_unix.so nodelay\nauth required pam_deny.so\n");
        host.system_service(first_factor::NAME, first_factor::TEXT);
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(STACK, "PasswordAuthentication yes");
        let stranger = sshd.client(&Client { password: "wrong", ..client("alice", &alice.wrong_code()) });
        assert!(!stranger.opened());
        assert!(stranger.prompts.iter().all(|prompt| prompt.contains("assword")), "{:?}", stranger.prompts);
        host.assert_logged(&["denied user=alice service=sshd rhost=127.0.0.1 reason=first-factor-failed"]);
        assert_eq!(host.failures("alice"), 0);
        let options = ["PreferredAuthentications=keyboard-interactive", "NumberOfPasswordPrompts=3"];
        let mut terminal = sshd.terminal(&Client { options: &options, ..client("alice", "") });
        for password in ["wrong", PASSWORD] {
            terminal.expect("assword: ");
            terminal.type_line(password);
        }
        terminal.expect("Verification code: ");
        terminal.type_line(&alice.code());
        terminal.expect("$ ");
        assert_eq!(terminal.shown().matches("Verification code").count(), 1, "{}", terminal.shown());
        // The method "password" has the transaction of the whole connection, from which the processes of the other one come.
        let options = ["PreferredAuthentications=password,keyboard-interactive", "NumberOfPasswordPrompts=1"];
        let by_both = Client { options: &options, ..client("alice", "") };
        let mut terminal = sshd.terminal(&by_both);
        terminal.expect("assword: ");
        terminal.type_line("wrong");
        terminal.expect("assword: ");
        terminal.type_line(PASSWORD);
        terminal.expect("Verification code: ");
        terminal.type_line(&alice.authenticator.code(1));
        // Whatever the stack: sshd sets the credentials of the transaction in which "password" failed, and gives up.
        terminal.wait();
        until("both logins are in the log", || {
            let lines = host.module_log();
            lines
                .iter()
                .filter(|line| line.contains("accepted user=alice service=sshd rhost=127.0.0.1 token=app"))
                .count()
                == 2
        });
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn the_same_code_in_a_second_session_is_refused() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        let code = alice.code();
        assert_opened(host, &sshd.client(&client("alice", &code)));
        assert!(!sshd.client(&client("alice", &code)).opened());
        host.assert_logged(&["denied user=alice service=sshd", "reason=replayed"]);
    });
}

#[test]
fn codes_one_period_away_open_a_session() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        for steps in [-1, 1] {
            assert_opened(host, &sshd.client(&client("alice", &alice.authenticator.code(steps))));
        }
    });
}

#[test]
fn a_recovery_code_opens_a_session() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("");
        assert_opened(host, &sshd.client(&client("alice", &alice.recovery_codes[0])));
        host.assert_logged(&["accepted user=alice service=sshd", "token=recovery"]);
    });
}

#[test]
fn a_key_and_a_code_open_a_session_where_sshd_asks_for_both() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("AuthenticationMethods publickey,keyboard-interactive:pam\n");
        host.system_service(
            "sshd",
            "auth required pam_twofactor.so debug\naccount required pam_unix.so\nsession required pam_permit.so\n",
        );
        let key = authorized_key(host, "alice");
        let options = [key.as_str(), "PreferredAuthentications=publickey,keyboard-interactive"];
        let code = alice.code();
        let with_key = Client { options: &options, ..client("alice", &code) };
        let session = sshd.client(&with_key);
        assert_opened(host, &session);
        assert_eq!(session.prompts, ["Verification code: "]);
        host.assert_logged(&["sshd has accepted already: publickey"]);

        let code = alice.authenticator.code(1);
        assert!(!sshd.client(&client("alice", &code)).opened(), "a code without the key opens nothing");
        let key_alone = Client { options: &[&key, "PreferredAuthentications=publickey"], ..client("alice", &code) };
        assert!(!sshd.client(&key_alone).opened(), "a key without a code opens nothing");
    });
}

#[test]
fn a_client_with_password_authentication_is_refused_and_not_counted_and_the_log_says_what_to_change() {
    private_host(|host| {
        host.user_with_app("alice");
        let sshd = host.sshd("PasswordAuthentication yes\nKbdInteractiveAuthentication no\n");
        let options = ["PreferredAuthentications=password"];
        let session = sshd.client(&Client { options: &options, ..client("alice", "unused") });
        assert!(!session.opened());
        host.assert_logged(&[
            "denied user=alice service=sshd",
            "reason=password-repeated",
            "enable KbdInteractiveAuthentication",
        ]);
        assert_eq!(host.failures("alice"), 0);
    });
}

/// A client with the password as its argument, as scripts have it: `plink -pw` or `sshpass -p`.
fn client_with_a_password(host: &Host, program: &str) -> Command {
    let key = host.place("host_key.pub");
    let fingerprint = host.succeed("ssh-keygen", ["-l", "-f", key.to_str().unwrap()]);
    let fingerprint = fingerprint.split(' ').nth(1).expect("a fingerprint").to_owned();
    let mut command = host.command(program);
    match program {
        "plink" => command.args(["-ssh", "-batch", "-pw", PASSWORD, "-hostkey", &fingerprint]),
        _ => command.args([
            "-p",
            PASSWORD,
            "ssh",
            "-F",
            "none",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "StrictHostKeyChecking=no",
        ]),
    };
    command.args(["alice@127.0.0.1", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A stack that says what the policy decided, before anything is asked.
const DEBUG_STACK: &str = "\
auth required pam_unix.so nodelay
auth required pam_twofactor.so debug
account required pam_unix.so
session required pam_permit.so
";

/// The module's lines about a login, without those of `debug`.
fn outcomes(host: &Host) -> Vec<String> {
    host.module_log().into_iter().filter(|line| line.contains("user=")).collect()
}

/// sshd kills the process that runs PAM (SIGTERM), so the module cannot log it.
#[test]
fn a_client_that_disconnects_at_the_code_prompt_leaves_a_line_of_sshd_alone_and_is_not_counted() {
    if !programs_met(&["plink"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(DEBUG_STACK, "");
        let output = client_with_a_password(host, "plink").output().unwrap();
        assert!(!output.status.success(), "{}", said(&output));
        sshd.wait_until_everybody_left();
        assert_eq!(outcomes(host), Vec::<String>::new());
        host.assert_logged(&["policy: "]);
        let of_sshd = |line: Line| line.text.contains("Connection closed by authenticating user alice 127.0.0.1");
        assert!(host.log().into_iter().any(of_sshd), "{:?}", host.log());
        assert_eq!(host.failures("alice"), 0);
        assert_opened(host, &sshd.client(&client("alice", &alice.code())));
    });
}

/// It types the password where it reads "assword", and waits at the prompt for the code; ssh does not notice that the server
/// has gone while it waits for an answer.
#[test]
fn sshpass_waits_at_the_code_prompt_until_sshd_ends_the_login_and_the_module_cannot_log_it() {
    if !programs_met(&["sshpass"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd_with(DEBUG_STACK, "LoginGraceTime 2\n");
        let waiting = Terminal::start(&client_with_a_password(host, "sshpass"), Size::LARGE);
        let started = Instant::now();
        while !host.module_log().iter().any(|line| line.contains("policy: ")) {
            assert!(started.elapsed() < Duration::from_secs(30), "the module was not reached: {:?}", host.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        sshd.wait_until_everybody_left();
        assert_eq!(outcomes(host), Vec::<String>::new());
        drop(waiting);
        assert_eq!(host.failures("alice"), 0);
        assert_opened(host, &sshd.client(&client("alice", &alice.code())));
    });
}

#[test]
fn plink_and_sshpass_with_the_password_method_are_password_repeated() {
    if !programs_met(&["plink", "sshpass"]) {
        return;
    }
    private_host(|host| {
        host.user_with_app("alice");
        let _sshd = host.sshd("PasswordAuthentication yes\nKbdInteractiveAuthentication no\n");
        for (number, program) in ["plink", "sshpass"].into_iter().enumerate() {
            let output = client_with_a_password(host, program).output().unwrap();
            assert!(!output.status.success(), "{program}: {}", said(&output));
            let lines = host.module_log();
            assert_eq!(lines.len(), number + 1, "{program}: {lines:?}");
            assert!(lines[number].contains("denied user=alice") && lines[number].contains("reason=password-repeated"));
        }
        assert_eq!(host.failures("alice"), 0);
    });
}

/// These ask nothing by themselves: they go through the connection that one login with a code has opened.
#[test]
fn one_login_with_a_code_serves_scp_sftp_and_rsync_through_its_connection() {
    // The chosen system has no rsync.
    let with_rsync = chosen().is_none();
    if with_rsync && !programs_met(&["rsync"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("Subsystem sftp internal-sftp\n");
        let control = format!("ControlPath={}", host.place("control").display());
        let options =
            ["PreferredAuthentications=keyboard-interactive", "ControlMaster=auto", "ControlPersist=60", &control];
        let session =
            sshd.client(&Client { user: "alice", password: PASSWORD, code: &alice.code(), options: &options });
        assert_opened(host, &session);
        let file = host.place("letter");
        std::fs::write(&file, "a letter\n").unwrap();
        let file = file.to_str().unwrap();
        host.succeed("scp", ["-F", "none", "-o", &control, file, "alice@127.0.0.1:by-scp"]);
        let batch = host.place("batch");
        std::fs::write(&batch, format!("put {file} by-sftp\n")).unwrap();
        host.succeed("sftp", ["-F", "none", "-o", &control, "-b", batch.to_str().unwrap(), "alice@127.0.0.1"]);
        let mut names = vec!["by-scp", "by-sftp"];
        if with_rsync {
            let ssh = format!("ssh -F none -o {control}");
            host.succeed("rsync", ["-e", &ssh, file, "alice@127.0.0.1:by-rsync"]);
            names.push("by-rsync");
        }
        for name in names {
            assert_eq!(std::fs::read_to_string(format!("/home/alice/{name}")).unwrap(), "a letter\n");
        }
        assert_eq!(outcomes(host).len(), 1, "{:?}", outcomes(host));
        let mut without = host.command("scp");
        without.args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=no",
            file,
            "alice@127.0.0.1:no",
        ]);
        assert!(!without.output().unwrap().status.success(), "without the connection there is a question");
    });
}

/// The lines of the guide: `~/.ssh/config` with the connection, and `ANSIBLE_SSH_ARGS=""`.
#[test]
fn ansible_works_through_the_connection_of_one_login_with_a_code_and_asks_nothing() {
    // The chosen system has no ansible.
    if chosen().is_some() || !programs_met(&["ansible"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("Subsystem sftp internal-sftp\n");
        let ansible = || {
            let mut ansible = host.command("ansible");
            ansible.args(["all", "-i", "127.0.0.1,", "-u", "alice", "-m", "ping"]);
            ansible.env("ANSIBLE_SSH_ARGS", "").env("ANSIBLE_HOST_KEY_CHECKING", "False").stdin(Stdio::null());
            ansible.output().unwrap()
        };
        std::fs::create_dir("/root/.ssh").unwrap();
        let control = format!("ControlPath={}", host.place("control").display());
        std::fs::write("/root/.ssh/config", format!("Host *\n    ControlMaster auto\n    {control}\n")).unwrap();
        assert!(!ansible().status.success(), "without the connection there is a question");
        let options =
            ["PreferredAuthentications=keyboard-interactive", "ControlMaster=auto", "ControlPersist=60", &control];
        let session =
            sshd.client(&Client { user: "alice", password: PASSWORD, code: &alice.code(), options: &options });
        assert_opened(host, &session);
        let pinged = ansible();
        assert!(pinged.status.success() && said(&pinged).contains("pong"), "{}", said(&pinged));
        let accepted = outcomes(host).into_iter().filter(|line| line.contains("accepted")).count();
        assert_eq!(accepted, 1, "{:?}", outcomes(host));
    });
}

/// Through libssh2, which answers every prompt with the password.
#[test]
fn curl_with_a_password_is_password_repeated_over_sftp() {
    if chosen().is_some() || !programs_met(&["curl"]) {
        return;
    }
    private_host(|host| {
        host.user_with_app("alice");
        let _sshd = host.sshd("Subsystem sftp internal-sftp\n");
        let user = format!("alice:{PASSWORD}");
        let output = host.command("curl").args(["--insecure", "--user", &user, "sftp://127.0.0.1/"]).output().unwrap();
        assert!(!output.status.success(), "{}", said(&output));
        host.assert_logged(&["denied user=alice service=sshd", "reason=password-repeated"]);
        assert_eq!(host.failures("alice"), 0);
    });
}

/// git runs ssh, which asks as ever.
#[test]
fn git_over_ssh_asks_for_password_and_code() {
    if chosen().is_some() || !programs_met(&["git"]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _sshd = host.sshd("");
        host.succeed(
            "setpriv",
            ["--reuid=alice", "--clear-groups", "git", "init", "--quiet", "--bare", "/home/alice/r.git"],
        );
        let asked = host.script(
            "askpass",
            "#!/bin/sh\ncase \"$1\" in\n*assword*) echo \"$ANSWER_PASSWORD\" ;;\n*code*) echo \"$ANSWER_CODE\" ;;\nesac\n",
        );
        let list = |code: &str| {
            let mut git = host.command("git");
            git.args(["ls-remote", "ssh://alice@127.0.0.1/home/alice/r.git"]).stdin(Stdio::null());
            git.env(
                "GIT_SSH_COMMAND",
                "ssh -o StrictHostKeyChecking=no -o PreferredAuthentications=keyboard-interactive",
            );
            git.env("SSH_ASKPASS", &asked).env("SSH_ASKPASS_REQUIRE", "force");
            git.env("ANSWER_PASSWORD", PASSWORD).env("ANSWER_CODE", code).output().unwrap()
        };
        let refused = list(&alice.wrong_code());
        assert!(!refused.status.success(), "{}", said(&refused));
        let listed = list(&alice.code());
        assert!(listed.status.success(), "{}", said(&listed));
    });
}

/// Logs in with `connect(password=…)`, or answers each question by itself.
const PARAMIKO: &str = "\
import paramiko, sys
password, code = sys.argv[1], sys.argv[2]
transport = paramiko.Transport(('127.0.0.1', 22))
transport.start_client()
answers = {'Password: ': password, 'Verification code: ': code}
if code:
    transport.auth_interactive('alice', lambda title, text, asked: [answers[prompt.split(') ')[-1]] for prompt, echo in asked])
else:
    transport.auth_password('alice', password)
channel = transport.open_session()
channel.exec_command('echo session-$((40+2))')
print(channel.makefile().read().decode())
";

#[test]
fn paramiko_works_where_it_answers_each_question_and_not_with_a_password_alone() {
    if chosen().is_some() || !programs_met(&[PYTHON]) {
        return;
    }
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let _sshd = host.sshd("");
        let run = |code: &str| host.command(PYTHON).args(["-c", PARAMIKO, PASSWORD, code]).output().unwrap();
        let refused = run("");
        assert!(!refused.status.success(), "{}", said(&refused));
        host.assert_logged(&["denied user=alice service=sshd", "reason=password-repeated"]);
        let opened = run(&alice.code());
        assert!(opened.status.success() && said(&opened).contains("session-42"), "{}", said(&opened));
    });
}

#[test]
fn unknown_and_unenrolled_users_see_what_everybody_sees() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        host.add_user("bob");
        let sshd = host.sshd("");
        let seen = |user: &str, code: &str| {
            let session = sshd.client(&client(user, code));
            assert!(!session.opened());
            let words = String::from_utf8_lossy(&session.output.stderr).replace(user, "USER");
            (session.prompts, session.output.status.code(), words)
        };
        let expected = seen("alice", &alice.wrong_code());
        assert_eq!(expected.0, ["Password: ", "Verification code: "]);
        for user in ["bob", "nobody-here", "root"] {
            assert_eq!(seen(user, ANY_CODE), expected, "{user}");
        }
        host.assert_logged(&["denied user=bob service=sshd", "reason=not-enrolled"]);
        host.assert_logged(&["denied user=nobody-here service=sshd", "reason=unknown-user"]);
    });
}

#[test]
fn no_password_or_code_reaches_the_log_of_sshd() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let sshd = host.sshd("LogLevel DEBUG3\n");
        let (right, wrong) = (alice.code(), alice.wrong_code());
        assert_opened(host, &sshd.client(&client("alice", &right)));
        assert!(!sshd.client(&client("alice", &wrong)).opened());
        for line in host.log() {
            for secret in [PASSWORD, &right, &wrong, &alice.authenticator.secret] {
                assert!(!line.text.contains(secret), "{secret} stands in the log: {line:?}");
            }
        }
    });
}

/// What Debian's `/etc/pam.d/sshd` has below its auth part.
const BELOW: &str = "account required pam_unix.so\nsession required pam_permit.so\n";

const DROP_IN: &str = include_str!("../../etc/ssh/sshd_config.d/twofactor.conf");

#[test]
fn the_shipped_examples_ask_for_the_password_and_then_for_the_code() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let stack = format!("{}{BELOW}", include_str!("../../etc/pam.d/sshd.example"));
        let sshd = host.sshd_with(&stack, DROP_IN);
        let session = sshd.client(&client("alice", &alice.code()));
        assert_opened(host, &session);
        assert_eq!(session.prompts, ["Password: ", "Verification code: "]);
        let wrong = sshd.client(&Client { password: "wrong", ..client("alice", &alice.wrong_code()) });
        assert!(!wrong.opened());
        assert_eq!(wrong.prompts, ["Password: "], "Debian's common-auth ends there, so nobody can use up attempts");
    });
}

#[test]
fn the_shipped_example_for_key_and_code_asks_for_the_code_alone() {
    private_host(|host| {
        let alice = host.user_with_app("alice");
        let key = authorized_key(host, "alice");
        let stack = format!("{}{BELOW}", include_str!("../../etc/pam.d/sshd-key-and-code.example"));
        let plain = "AuthenticationMethods keyboard-interactive\n";
        let key_and_code =
            DROP_IN.replace(plain, "").replace("#AuthenticationMethods publickey", "AuthenticationMethods publickey");
        assert_ne!(key_and_code, DROP_IN);
        let sshd = host.sshd_with(&stack, &key_and_code);
        let options = [key.as_str(), "PreferredAuthentications=publickey,keyboard-interactive"];
        let code = alice.code();
        let session = sshd.client(&Client { user: "alice", password: "unused", code: &code, options: &options });
        assert_opened(host, &session);
        assert_eq!(session.prompts, ["Verification code: "]);
    });
}
