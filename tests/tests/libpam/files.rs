//! Files that cannot be trusted or understood: every one denies, none of them blocks, and the log says which and what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use twofactor_tests::pam::{Login, Outcome, ReturnCode};
use twofactor_tests::private_host::{Host, private_host};

const CONFIG: &str = "/etc/twofactor/twofactor.toml";

#[track_caller]
fn assert_config_refused(host: &Host, words: &[&str]) {
    let outcome = host.login("alice").answering(&[]);
    assert_eq!(outcome.code(), ReturnCode::SERVICE_ERR, "{words:?}");
    host.assert_logged(&[&["error user=alice", "reason=bad-config", CONFIG, "hint="], words].concat());
}

#[test]
fn a_mistake_in_the_configuration_is_named_by_place_and_nearest_key() {
    private_host(|host| {
        host.add_user("alice");
        for (text, words) in [
            ("[window]\ndrfit = \"60s\"\n", &["twofactor.toml:2:1", "unknown key drfit; did you mean drift?"][..]),
            ("[enrollment]\ndigits = \"6\"\n", &["twofactor.toml:2:10", "whole number"]),
            ("[prompt]\ntries = 4\n", &["twofactor.toml:2:9", "1 to 3"]),
            ("[paths\n", &["twofactor.toml:1:", "not TOML"]),
            ("[default]\nsecond_factor = \"of\"\n", &["twofactor.toml:2:17", "is none of required"]),
        ] {
            host.configure(text);
            assert_config_refused(host, words);
            assert_config_refused(host, &["twofactor config check"]);
        }
    });
}

#[test]
fn every_mistake_of_a_configuration_has_its_line() {
    private_host(|host| {
        host.add_user("alice");
        host.configure("[window]\ndrift = 60\n[prompt]\ntries = 0\n[throttel]\n");
        assert_eq!(host.login("alice").answering(&[]).code(), ReturnCode::SERVICE_ERR);
        for place in [":2:9", ":4:9", ":5:2"] {
            host.assert_logged(&["reason=bad-config", &format!("{CONFIG}{place}")]);
        }
    });
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    private_host(|host| {
        host.add_user("alice");
        host.configure("");
        for mode in [0o664, 0o646, 0o666] {
            fs::set_permissions(CONFIG, Permissions::from_mode(mode)).unwrap();
            assert_config_refused(host, &["chmod"]);
        }
        fs::set_permissions(CONFIG, Permissions::from_mode(0o644)).unwrap();
        host.succeed("chown", ["alice", CONFIG]);
        assert_config_refused(host, &["chown"]);
    });
}

#[test]
fn a_configuration_that_is_a_link_a_fifo_a_folder_or_huge_is_refused() {
    private_host(|host| {
        host.add_user("alice");
        host.configure("");
        fs::rename(CONFIG, "/etc/twofactor/elsewhere.toml").unwrap();
        symlink("elsewhere.toml", CONFIG).unwrap();
        assert_config_refused(host, &["is a symbolic link"]);

        fs::remove_file(CONFIG).unwrap();
        mkfifo(CONFIG, Mode::from_bits_truncate(0o600)).unwrap();
        assert_config_refused(host, &["is not a regular file"]);

        fs::remove_file(CONFIG).unwrap();
        fs::create_dir(CONFIG).unwrap();
        assert_config_refused(host, &["is not a regular file"]);

        fs::remove_dir(CONFIG).unwrap();
        host.configure(&"# twofactor\n".repeat(2 * 1024 * 1024 / 12));
        assert_config_refused(host, &["larger"]);
    });
}

#[test]
fn a_configuration_named_on_the_line_must_exist() {
    private_host(|host| {
        host.add_user("alice");
        host.service("elsewhere", "auth required pam_twofactor.so conf=/etc/twofactor/missing.toml\n");
        assert_eq!(host.login("alice").service("elsewhere").answering(&[]).code(), ReturnCode::SERVICE_ERR);
        host.assert_logged(&["reason=bad-config", "/etc/twofactor/missing.toml does not exist"]);
    });
}

#[test]
fn a_configuration_named_on_the_line_is_used() {
    private_host(|host| {
        host.configure("");
        let alice = host.user_with_fob("alice");
        fs::write("/etc/twofactor/other.toml", "[prompt]\ncode = \"Other: \"\n").unwrap();
        host.service("elsewhere", "auth required pam_twofactor.so conf=/etc/twofactor/other.toml\n");
        let outcome = host.login("alice").service("elsewhere").typing(alice.next_code());
        assert_eq!((outcome.code(), outcome.messages[0].text.as_str()), (ReturnCode::SUCCESS, "Other: "));
    });
}

/// A way to spoil a file, with the log's reason and a word of its explanation.
struct Spoil {
    name: &'static str,
    apply: fn(&Path),
    reason: &'static str,
    word: &'static str,
}

const fn spoil(name: &'static str, reason: &'static str, word: &'static str, apply: fn(&Path)) -> Spoil {
    Spoil { name, apply, reason, word }
}

const SPOILS: [Spoil; 10] = [
    spoil("mode 0666", "unsafe-file", "chmod", |path| {
        fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
    }),
    spoil("mode 0640", "unsafe-file", "chmod", |path| {
        fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap();
    }),
    spoil("owner", "unsafe-file", "chown", |path| {
        std::os::unix::fs::chown(path, Some(65534), None).unwrap();
    }),
    spoil("symbolic link", "unsafe-file", "symbolic link", |path| {
        let elsewhere = path.with_extension("elsewhere");
        fs::rename(path, &elsewhere).unwrap();
        symlink(elsewhere, path).unwrap();
    }),
    spoil("broken link", "unsafe-file", "symbolic link", |path| {
        fs::remove_file(path).unwrap();
        symlink("/nowhere", path).unwrap();
    }),
    spoil("hard link", "unsafe-file", "hard links", |path| {
        fs::hard_link(path, path.with_extension("second")).unwrap();
    }),
    spoil("FIFO", "unsafe-file", "not a regular file", |path| {
        fs::remove_file(path).unwrap();
        mkfifo(path, Mode::from_bits_truncate(0o600)).unwrap();
    }),
    spoil("garbage", "store-corrupt", "damaged", |path| {
        fs::write(path, [0xde, 0xad, 0xbe, 0xef].repeat(64)).unwrap();
    }),
    spoil("truncated", "store-corrupt", "damaged", |path| {
        let content = fs::read(path).unwrap();
        fs::write(path, &content[..content.len() / 2]).unwrap();
    }),
    spoil("empty", "store-corrupt", "damaged", |path| fs::write(path, "").unwrap()),
];

#[test]
fn a_spoilt_secret_or_state_file_is_authinfo_unavail_and_named() {
    private_host(|host| {
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        let alice = host.user_with_fob("alice");
        assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS, "there is a state file");
        let folder = PathBuf::from("/var/lib/twofactor/users/alice");
        host.succeed("cp", ["--archive", folder.to_str().unwrap(), "/var/lib/twofactor/good"]);
        let code = alice.next_code();
        for name in ["secret.toml", "state"] {
            for Spoil { name: spoilt, apply, reason, word } in SPOILS {
                let path = folder.join(name);
                apply(&path);
                let services: [fn(Login<'_>) -> Login<'_>; 2] = [|login| login, |login| login.service("nullok")];
                for service in services {
                    let outcome = service(host.login("alice")).start_and_type(&code);
                    assert_eq!(outcome.code(), ReturnCode::AUTHINFO_UNAVAIL, "{name}: {spoilt}");
                    let path = path.to_str().unwrap();
                    let reason = format!("reason={reason}");
                    host.assert_logged(&["error user=alice", &reason, path, word, "hint="]);
                }
                fs::remove_dir_all(&folder).unwrap();
                host.succeed("cp", ["--archive", "/var/lib/twofactor/good", folder.to_str().unwrap()]);
            }
        }
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS, "the good files were good");
    });
}

/// Some of these fail before the prompt under `nullok`, some after it.
trait StartAndType {
    fn start_and_type(self, code: &str) -> Outcome;
}

impl StartAndType for Login<'_> {
    fn start_and_type(self, code: &str) -> Outcome {
        let mut running = self.start();
        while let twofactor_tests::pam::Event::Prompt(_) = running.advance() {
            running.answer(&code.into());
        }
        let outcome = running.outcome();
        running.finish();
        outcome
    }
}

#[test]
fn a_state_file_that_was_cut_off_anywhere_never_makes_a_used_code_good() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
        let path = "/var/lib/twofactor/users/alice/state";
        let whole = fs::read(path).unwrap();
        let mut logins = host.login("alice").repeat(whole.len()).start();
        for length in 0..whole.len() {
            fs::write(path, &whole[..length]).unwrap();
            let outcome = logins.transaction(&[(&code).into()]);
            let shown = String::from_utf8_lossy(&whole[..length]).into_owned();
            assert_ne!(
                outcome.code(),
                ReturnCode::SUCCESS,
                "the used code is accepted with this left of the state:\n{shown}"
            );
        }
        logins.finish();
    });
}

#[test]
fn credentials_that_lost_their_state_open_nothing_because_what_was_burned_is_lost_with_it() {
    private_host(|host| {
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        let alice = host.user_with_fob("alice");
        let used = alice.next_code();
        assert_eq!(host.login("alice").typing(&used).code(), ReturnCode::SUCCESS);
        fs::remove_file("/var/lib/twofactor/users/alice/state").unwrap();
        for code in [used, alice.next_code(), alice.recovery_codes[0].clone()] {
            assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL);
            let optional = host.login("alice").service("nullok").start_and_type(&code);
            assert_eq!(optional.code(), ReturnCode::AUTHINFO_UNAVAIL);
        }
        host.assert_logged(&["error user=alice", "/var/lib/twofactor/users/alice/state", "hint="]);
    });
}

#[test]
fn a_folder_of_the_store_that_others_can_write_or_that_is_a_link_is_refused() {
    private_host(|host| {
        host.service("nullok", "auth required pam_twofactor.so nullok\n");
        let alice = host.user_with_fob("alice");
        let code = alice.next_code();
        for folder in ["/var/lib/twofactor", "/var/lib/twofactor/users", "/var/lib/twofactor/users/alice"] {
            fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
            assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::AUTHINFO_UNAVAIL, "{folder}");
            assert_eq!(
                host.login("alice").service("nullok").start_and_type(&code).code(),
                ReturnCode::AUTHINFO_UNAVAIL
            );
            host.assert_logged(&["error user=alice", "reason=unsafe-file", folder, "chmod"]);
            fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();

            let elsewhere = format!("{folder}.elsewhere");
            fs::rename(folder, &elsewhere).unwrap();
            for target in [elsewhere.as_str(), "/nowhere"] {
                symlink(target, folder).unwrap();
                assert_eq!(
                    host.login("alice").typing(&code).code(),
                    ReturnCode::AUTHINFO_UNAVAIL,
                    "{folder} -> {target}"
                );
                let optional = host.login("alice").service("nullok").start_and_type(&code);
                assert_eq!(optional.code(), ReturnCode::AUTHINFO_UNAVAIL, "a link is never \"not enrolled\"");
                fs::remove_file(folder).unwrap();
            }
            fs::rename(&elsewhere, folder).unwrap();
        }
        assert_eq!(host.login("alice").typing(&code).code(), ReturnCode::SUCCESS);
    });
}

#[test]
fn what_a_crash_left_behind_blocks_nobody() {
    private_host(|host| {
        let alice = host.user_with_fob("alice");
        let folder = Path::new("/var/lib/twofactor/users/alice");
        let passwd = fs::read("/etc/passwd").unwrap();
        let left_overs: [fn(&Path); 3] = [
            |path| fs::write(path, "half a sta").unwrap(),
            |path| symlink("/etc/passwd", path).unwrap(),
            |path| fs::create_dir(path).unwrap(),
        ];
        for leave in left_overs {
            for name in ["state.new", "secret.toml.new"] {
                leave(&folder.join(name));
            }
            assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
            // These replace the files as a whole, by way of the names that are taken.
            host.succeed("twofactor", ["unlock", "alice"]);
            host.succeed("twofactor", ["recovery", "alice"]);
            assert!(!folder.join("state.new").exists() && !folder.join("secret.toml.new").exists());
            assert_eq!(host.login("alice").typing(alice.next_code()).code(), ReturnCode::SUCCESS);
        }
        assert_eq!(fs::read("/etc/passwd").unwrap(), passwd, "a link in the place of a temporary file is not followed");
    });
}
