//! Words that people type: `help` and `version` in any place, and commands that do not exist.

use twofactor_tests::private_host::private_host;

use crate::{stderr, stdout};

#[test]
fn help_and_version_are_commands_too_and_mistakes_go_to_standard_error() {
    private_host(|host| {
        for (typed, meant) in [
            (&["help"][..], &["--help"][..]),
            (&["help", "token", "list"], &["token", "list", "--help"]),
            (&["token", "help"], &["token", "--help"]),
            (&["doctor", "help"], &["doctor", "--help"]),
            (&["version"], &["--version"]),
        ] {
            let (typed, meant) = (host.run_twofactor(typed), host.run_twofactor(meant));
            assert_eq!(typed.status.code(), Some(0), "{}", stderr(&typed));
            assert_eq!((stdout(&typed), stderr(&typed).as_str()), (stdout(&meant), ""));
        }
        let output = host.run_twofactor(&["import", "tokens.zip"]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
        assert!(stderr(&output).contains("tip: did you mean \"twofactor token import\"?"), "{}", stderr(&output));
        let output = host.run_twofactor(&["rest", "alice"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(!stderr(&output).contains("tip") && !stderr(&output).contains("reset"), "{}", stderr(&output));
    });
}

#[test]
fn a_user_named_help_who_does_not_exist_was_a_wish_for_help() {
    private_host(|host| {
        for command in ["status", "enroll", "reset", "unlock"] {
            let output = host.run_twofactor(&[command, "help"]);
            assert_eq!(output.status.code(), Some(3), "{command}");
            assert!(stderr(&output).contains("hint: \"twofactor help COMMAND\" prints"), "{}", stderr(&output));
        }
        host.add_user("help");
        assert_eq!(host.json(&["enroll", "help", "--no-confirm"])["user"], "help");
    });
}
