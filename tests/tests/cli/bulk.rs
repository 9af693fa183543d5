//! Many users at once: `enroll --from FILE --qr-dir FOLDER`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::{private_host, said};

use crate::{recovery_codes, stderr, stdout};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn many_users_get_files_for_root_alone_and_a_repetition_leaves_them_as_they_are() {
    private_host(|host| {
        for name in ["alice", "bobby", "carol"] {
            host.add_user(name);
        }
        host.enroll("carol", &[]);
        let (list, folder) = (host.place("users.txt"), host.place("codes"));
        fs::write(&list, "# new in May\nalice\n\nno-such-user\nbobby # by post\ncarol\n").unwrap();
        let arguments = ["enroll", "--from", list.to_str().unwrap(), "--qr-dir", folder.to_str().unwrap()];
        let output = host.run_twofactor(&arguments);
        assert_eq!(output.status.code(), Some(1), "one failed: {}", said(&output));
        let lines = stdout(&output);
        let starts = [
            "alice: enrolled, ",
            "no-such-user: not enrolled: there is no user",
            "bobby: enrolled, ",
            "carol: enrolled before",
        ];
        assert_eq!(lines.lines().count(), starts.len(), "{lines}");
        for (line, start) in lines.lines().zip(starts) {
            assert!(line.starts_with(start), "{lines}");
        }
        assert!(stderr(&output).contains("4 users: 2 enrolled, 1 enrolled before, 1 failed"), "{}", stderr(&output));
        assert_eq!(mode(&folder), 0o700);
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["alice.png", "alice.recovery.txt", "bobby.png", "bobby.recovery.txt"]);
        for name in &names {
            assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
        }
        let codes = recovery_codes(&fs::read_to_string(folder.join("alice.recovery.txt")).unwrap());
        assert_eq!(codes.len(), 10);
        assert!(!said(&output).contains(&codes[0]), "no code is printed");
        assert_eq!(host.login("alice").rhost("192.0.2.7").typing(&codes[0]).code(), ReturnCode::SUCCESS);

        let before = fs::read("/var/lib/twofactor/users/alice/secret.toml").unwrap();
        let again = host.run_twofactor(&arguments);
        assert!(stderr(&again).contains("0 enrolled, 3 enrolled before, 1 failed"), "{}", said(&again));
        assert_eq!(fs::read("/var/lib/twofactor/users/alice/secret.toml").unwrap(), before);
        let logged = |text: &str| host.log().iter().any(|line| line.text.contains(text));
        assert!(logged("enrolled user=bobby") && !logged(&codes[1]));
    });
}

#[test]
fn a_file_that_exists_is_kept_and_its_user_is_not_enrolled() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("bobby");
        let folder = host.place("codes");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        // The second of her files: the first one goes away again.
        fs::write(folder.join("alice.recovery.txt"), "old").unwrap();
        let mut command =
            host.twofactor(&["enroll", "--from", "-", "--qr-dir", folder.to_str().unwrap(), "--qr-format", "svg"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"alice\nbobby\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(stdout(&output).contains("alice: not enrolled: ") && stdout(&output).contains("exists already"));
        assert_eq!(fs::read(folder.join("alice.recovery.txt")).unwrap(), b"old");
        assert!(!folder.join("alice.svg").exists() && folder.join("bobby.svg").exists());
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3));
    });
}

#[test]
fn a_folder_that_others_may_read_and_a_list_without_users_are_refused_before_anything_changes() {
    private_host(|host| {
        host.add_user("alice");
        let (list, folder) = (host.place("users.txt"), host.place("codes"));
        fs::write(&list, "alice\n").unwrap();
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let arguments = ["enroll", "--from", list.to_str().unwrap(), "--qr-dir", folder.to_str().unwrap()];
        let output = host.run_twofactor(&arguments);
        assert_eq!(output.status.code(), Some(4), "{}", said(&output));
        assert!(stderr(&output).contains("chmod 700"), "{}", stderr(&output));
        assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3));
        fs::write(&list, "# nobody yet\n").unwrap();
        assert_eq!(host.run_twofactor(&arguments).status.code(), Some(8));
        for option in [&["--replace"][..], &["--secret-file", "x"], &["--qr-file", "x.png"], &["alice"]] {
            assert_eq!(host.run_twofactor(&[&arguments[..], option].concat()).status.code(), Some(2), "{option:?}");
        }
        assert_eq!(host.run_twofactor(&["enroll", "--from", "x"]).status.code(), Some(2), "no folder");
    });
}
