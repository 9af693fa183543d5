//! From the vendor's encrypted zip to a session.

use std::fs;
use std::process::{Command, Stdio};

use twofactor_tests::fob::{Fob, seed_file};
use twofactor_tests::moment::Moment;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{Host, PASSWORD, private_host, said};
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{assert_accepted, assert_denied, assert_last_logged, host};

/// What the vendor writes in a mail of its own.
const ZIP_PASSWORD: &str = "the vendor's password";

/// How a vendor packs.
const PACKERS: [(&str, &[&str]); 3] = [
    ("7z", &["a", "-tzip", "-mem=AES256", "-pthe vendor's password", "tokens.zip", "tokens.csv"]),
    ("7z", &["a", "-tzip", "-mem=AES128", "-mx0", "-pthe vendor's password", "tokens.zip", "tokens.csv"]),
    ("zip", &["-q", "-e", "-P", "the vendor's password", "tokens.zip", "tokens.csv"]),
];

/// Packs the file as the vendor does, and imports the zip with the vendor's password.
fn import_zip(host: &Host, (program, arguments): (&str, &[&str]), fobs: &[Fob]) {
    host.private_file("tokens.csv", &seed_file(fobs));
    host.private_file("password", ZIP_PASSWORD);
    let mut pack: Command = host.command(program);
    let packed = pack.args(arguments).current_dir("/root").stdin(Stdio::null()).output().unwrap();
    assert!(packed.status.success(), "{program}: {}", said(&packed));
    fs::remove_file("/root/tokens.csv").unwrap();
    host.sysadmin(&["token", "import", "/root/tokens.zip", "--password-file", "/root/password"]);
    fs::remove_file("/root/tokens.zip").unwrap();
}

#[test]
fn tokens_from_an_encrypted_zip_open_sessions_however_it_was_encrypted() {
    for packer in PACKERS {
        host(|host| {
            let [first, second] = Fob::samples();
            import_zip(host, packer, &[first.clone(), second.clone()]);
            host.user_with("carol", &Fob::button(1));
            for (user, fob) in [("alice", &first), ("bob", &second)] {
                host.add_user(user);
                assert_denied(&host.login(user).typing(fob.authenticator.code(0)));
                assert_last_logged(host, &["denied user=", "reason=not-enrolled"]);
                host.assign(fob, user);
                assert_accepted(&host.login(user).typing(fob.authenticator.code(0)));
                let accepted = format!("accepted user={user} service=test token={} drift=", fob.serial);
                assert_last_logged(host, &[&accepted]);
            }
            // Each opens its owner's sessions and nobody else's.
            assert_denied(&host.login("alice").typing(second.authenticator.code(1)));
            assert_last_logged(host, &["denied user=alice", "reason=wrong-code"]);
        });
    }
}

#[test]
fn a_token_opens_a_session_over_ssh_once_with_each_code() {
    host(|host| {
        let [fob, _] = Fob::samples();
        import_zip(host, PACKERS[0], std::slice::from_ref(&fob));
        host.add_user("alice");
        host.assign(&fob, "alice");
        let sshd = host.sshd("");
        let code = fob.authenticator.code(0);
        let client = Client { user: "alice", password: PASSWORD, code: &code, options: &[] };
        let session = sshd.client(&client);
        assert!(session.opened(), "{}", said(&session.output));
        assert_eq!(session.prompts, ["Password: ", "Verification code: "]);
        let serial = format!("token={} drift=", fob.serial);
        host.assert_logged(&["pam_twofactor(sshd:auth): accepted user=alice service=sshd rhost=127.0.0.1", &serial]);
        assert!(!sshd.client(&client).opened());
        host.assert_logged(&["denied user=alice service=sshd", "reason=replayed"]);
    });
}

#[test]
fn a_token_opens_a_session_with_su_and_with_sudo() {
    host(|host| {
        let stack = "auth required pam_unix.so nodelay\nauth required pam_twofactor.so\n\
                     account required pam_unix.so\nsession required pam_permit.so\n";
        host.system_service("su", stack);
        host.system_service("sudo", stack);
        fs::write("/etc/sudoers", "Defaults passwd_tries=1\nalice ALL=(ALL) ALL\n").unwrap();
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        let commands = [
            ("su", ["su", "alice", "-c", "echo session-$((40+2))"].as_slice()),
            ("sudo", ["sudo", "-k", "sh", "-c", "echo session-$((40+2))"].as_slice()),
        ];
        for (counter, (service, command)) in (0..).zip(commands) {
            let mut as_alice = host.command("setpriv");
            as_alice.args(["--reuid", "alice", "--regid", "alice", "--init-groups"]).args(command);
            let mut terminal = Terminal::start(&as_alice, Size::LARGE);
            terminal.expect("assword");
            terminal.expect(": ");
            terminal.type_line(PASSWORD);
            terminal.expect("Verification code: ");
            terminal.type_line(&fob.code_of(counter));
            terminal.expect("session-42");
            assert!(terminal.wait().success());
            host.assert_logged(&[&format!("({service}:auth): accepted user=alice"), &format!("token={}", fob.serial)]);
        }
    });
}

#[test]
fn several_tokens_and_an_app_open_sessions_beside_each_other_whatever_the_order() {
    host(|host| {
        let now = Moment::SOME;
        let app = host.user_with_fob("alice");
        let (clocks, buttons) = (Fob::box_of(1, 2), [Fob::button(1), Fob::button(2)]);
        host.import(&clocks);
        host.import(&buttons);
        for fob in clocks.iter().chain(&buttons) {
            host.assign(fob, "alice");
        }
        let mut typed = Vec::new();
        for round in 0..3_u32 {
            for fob in &clocks {
                typed.push((fob.serial.clone(), now.code(&fob.authenticator, i64::from(round))));
            }
            typed.push(("app".to_owned(), app.next_code()));
            for fob in &buttons {
                typed.push((fob.serial.clone(), fob.code_of(round.into())));
            }
        }
        for (what, code) in &typed {
            assert_accepted(&host.login_at(now, "alice").typing(code));
            let token = if what == "app" { "token=".to_owned() } else { format!("token={what} drift=") };
            assert_last_logged(host, &["accepted user=alice", &token]);
        }
        for (_, code) in &typed {
            assert_denied(&host.login_at(now, "alice").typing(code));
            assert_last_logged(host, &["denied user=alice", "reason=replayed"]);
        }
        assert_eq!(host.failures("alice"), 0);
    });
}

#[test]
fn a_recovery_code_stands_in_for_a_token_left_at_home() {
    host(|host| {
        let app = host.user_with_fob("alice");
        let fob = Fob::button(1);
        host.import(std::slice::from_ref(&fob));
        host.assign(&fob, "alice");
        assert_accepted(&host.login("alice").typing(&app.recovery_codes[0]));
        assert_denied(&host.login("alice").typing(&app.recovery_codes[0]));
        assert_accepted(&host.login("alice").typing(fob.code_of(0)));
    });
}

#[test]
fn a_code_of_eight_digits_may_follow_the_password() {
    private_host(|host| {
        host.configure("[prompt]\ncombined = [\"combined\"]\n");
        host.service("combined", "auth required pam_twofactor.so\nauth required pam_unix.so use_first_pass nodelay\n");
        let mut fob = Fob::button(1);
        fob.authenticator.digits = 8;
        host.add_user("alice");
        let file = host.private_file("eight.csv", &seed_file(std::slice::from_ref(&fob)));
        host.sysadmin(&["token", "import", file.to_str().unwrap(), "--type", "hotp", "--digits", "8"]);
        host.assign(&fob, "alice");
        let typed = format!("{PASSWORD}{}", fob.code_of(0));
        assert_eq!(host.login("alice").service("combined").typing(&typed).code(), ReturnCode::SUCCESS);
        assert_denied(&host.login("alice").service("combined").typing(&typed));
    });
}
