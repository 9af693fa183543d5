//! The QR code, scanned as a phone scans it: every drawing holds exactly the URI that is printed beside it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use twofactor_tests::fob::Fob;
use twofactor_tests::oathtool::Authenticator;
use twofactor_tests::private_host::{Host, private_host, said};
use twofactor_tests::qr;
use twofactor_tests::terminal::{Size, Terminal};

use crate::{line, recovery_codes, stdout};

/// What `enroll --no-confirm` shows at a terminal, with `\n` for line ends.
fn at_a_terminal(host: &Host, size: Size, environment: &[(&str, &str)], options: &[&str]) -> String {
    let mut command = host.twofactor(&[&["enroll", "alice", "--no-confirm", "--replace"], options].concat());
    command.envs(environment.iter().copied());
    let mut terminal = Terminal::start(&command, size);
    assert!(terminal.wait().success(), "{}", terminal.shown());
    terminal.shown().replace('\r', "")
}

#[test]
fn a_colour_terminal_gets_colours_that_scan() {
    private_host(|host| {
        host.add_user("alice");
        for size in [Size::LARGE, Size::CONSOLE] {
            let shown = at_a_terminal(host, size, &[], &[]);
            assert!(shown.contains("\u{1b}["), "{shown}");
            assert_eq!(qr::from_colours(&shown).as_deref(), Some(line(&shown, "URI")), "{size:?}\n{shown}");
        }
    });
}

#[test]
fn a_terminal_without_colour_gets_half_blocks_that_scan() {
    private_host(|host| {
        host.add_user("alice");
        for (environment, options) in
            [(&[("NO_COLOR", "1")][..], &[][..]), (&[], &["--color", "never"]), (&[], &["--qr", "utf8"])]
        {
            for size in [Size::LARGE, Size::CONSOLE] {
                let shown = at_a_terminal(host, size, environment, options);
                assert!(!shown.contains('\u{1b}'), "{shown}");
                assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(line(&shown, "URI")), "{shown}");
            }
        }
    });
}

/// The first rows of the picture had scrolled away, or the secret when the recovery codes came.
#[test]
fn on_a_console_the_picture_and_the_secret_are_in_view_and_then_the_secret_and_the_recovery_codes() {
    private_host(|host| {
        host.add_user("alice");
        host.add_user("a-rather-long-name");
        let scans = [("1", qr::from_half_blocks as fn(&str) -> Option<String>), ("", qr::from_colours)];
        for (user, (no_color, scan)) in ["alice", "a-rather-long-name"].into_iter().zip(scans) {
            let mut command = host.twofactor(&["enroll", user]);
            let mut terminal = Terminal::start(command.env("NO_COLOR", no_color), Size::CONSOLE);
            let shown = terminal.expect("Code from the app: ").replace('\r', "");
            let (secret, screen) = (line(&shown, "Secret"), terminal.screen());
            assert_eq!(scan(&screen).as_deref(), Some(line(&shown, "URI")), "{screen}");
            assert_eq!(line(&screen, "Secret"), secret);
            terminal.type_line(&Authenticator::shown_in(&shown).code(0));
            let codes = recovery_codes(&terminal.expect("Keep them on paper"));
            assert!(codes.is_empty());
            assert!(terminal.wait().success());
            let codes = recovery_codes(&terminal.rest());
            terminal.expect(&codes[9]);
            let screen = terminal.screen();
            assert_eq!((line(&screen, "Secret"), recovery_codes(&screen)), (secret, codes), "{screen}");
        }
    });
}

#[test]
fn states_and_endings_have_colours_at_a_terminal_and_not_in_a_pipe_with_no_color_or_on_a_dumb_terminal() {
    private_host(|host| {
        host.add_user("alice");
        let fob = Fob::clock(1);
        host.import(std::slice::from_ref(&fob));
        let serial = fob.serial;
        host.succeed("twofactor", ["token", "assign", &serial, "alice"]);
        host.succeed("twofactor", ["token", "lost", &serial]);
        host.system_service("coloured", "auth required pam_twofactor.so\naccount required pam_permit.so\n");
        let reports = [
            (vec!["token", "list"], "\u{1b}[1;31mlost\u{1b}[0m"),
            (vec!["token", "show", &serial], "\u{1b}[1;31mlost\u{1b}[0m"),
            (vec!["explain", "alice", "--service", "coloured"], "\u{1b}[1;31mrefused\u{1b}[0m"),
            (vec!["doctor"], "\u{1b}[1;32mok\u{1b}[0m"),
            (vec!["status"], "(totp, \u{1b}[1;31mlost\u{1b}[0m)"),
            (vec!["status", "--missing"], "\u{1b}[1;31mrequired\u{1b}[0m"),
            (vec!["series", "list"], "\u{1b}[1;33m1\u{1b}[0m"),
            (vec!["service", "list"], "coloured  \u{1b}[1;33mrequired, coloured:1\u{1b}[0m"),
            (vec!["token", "lst"], "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m"),
        ];
        for (arguments, coloured) in reports {
            let shown = |name: &str, value: &str| {
                let mut command = host.twofactor(&arguments);
                let mut terminal = Terminal::start(command.env(name, value), Size::LARGE);
                terminal.wait();
                terminal.shown()
            };
            let in_colour = shown("NO_COLOR", "");
            assert!(in_colour.contains(coloured), "{arguments:?}: {in_colour}");
            let piped = said(&host.run_twofactor(&arguments));
            for plain in [shown("NO_COLOR", "1"), shown("TERM", "dumb"), piped] {
                assert!(!plain.contains('\u{1b}') && !plain.is_empty(), "{arguments:?}: {plain}");
            }
        }
    });
}

#[test]
fn a_locale_without_utf_8_gets_number_signs_that_scan() {
    private_host(|host| {
        host.add_user("alice");
        for (environment, options) in [(&[("LANG", "C")][..], &[][..]), (&[], &["--qr", "ascii"])] {
            let shown = at_a_terminal(host, Size::LARGE, environment, options);
            assert!(shown.is_ascii(), "{shown}");
            assert_eq!(qr::from_ascii(&shown).as_deref(), Some(line(&shown, "URI")), "{shown}");
        }
    });
}

#[test]
fn a_pipe_gets_a_drawing_without_escape_sequences_that_scans() {
    private_host(|host| {
        host.add_user("alice");
        let drawn =
            |how: &str| stdout(&host.run_twofactor(&["enroll", "alice", "--no-confirm", "--replace", "--qr", how]));
        let shown = drawn("auto");
        assert!(!shown.contains('\u{1b}'));
        assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(line(&shown, "URI")));
        let shown = drawn("utf8");
        assert_eq!(qr::from_half_blocks(&shown).as_deref(), Some(line(&shown, "URI")));
        let shown = drawn("ascii");
        assert_eq!(qr::from_ascii(&shown).as_deref(), Some(line(&shown, "URI")));
        let shown = drawn("none");
        assert!(qr::from_half_blocks(&shown).is_none() && qr::from_ascii(&shown).is_none());
        assert!(line(&shown, "URI").starts_with("otpauth://totp/"));
    });
}

#[test]
fn a_narrow_terminal_gets_the_uri_and_an_explanation_instead() {
    private_host(|host| {
        host.add_user("alice");
        let shown = at_a_terminal(host, Size { columns: 34, lines: 24 }, &[], &[]);
        assert!(shown.contains("The terminal is too narrow for the QR code"), "{shown}");
        assert!(line(&shown, "URI").starts_with("otpauth://totp/"));
        assert!(qr::from_colours(&shown).is_none());
    });
}

#[test]
fn png_and_svg_files_scan_and_are_for_root_alone() {
    private_host(|host| {
        host.add_user("alice");
        for (name, scan) in [
            ("alice.png", (|path| qr::from_png(path)) as fn(&std::path::Path) -> Option<String>),
            ("alice.svg", |path| qr::from_svg(&fs::read_to_string(path).unwrap())),
        ] {
            let path = host.place(name);
            let path_text = path.to_str().unwrap();
            let output = host.run_twofactor(&["enroll", "alice", "--no-confirm", "--replace", "--qr-file", path_text]);
            assert!(output.status.success(), "{}", said(&output));
            assert_eq!(scan(&path).as_deref(), Some(line(&stdout(&output), "URI")), "{name}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            let again = host.run_twofactor(&["enroll", "alice", "--no-confirm", "--replace", "--qr-file", path_text]);
            assert_eq!(again.status.code(), Some(7), "an existing file is not overwritten");
        }
    });
}

#[test]
fn a_qr_file_in_a_folder_that_is_not_there_enrolls_nobody_and_the_folder_is_named() {
    private_host(|host| {
        host.add_user("alice");
        let folder = host.place("no such folder");
        let path = folder.join("alice.png");
        let arguments = ["enroll", "alice", "--no-confirm", "--qr-file", path.to_str().unwrap()];
        for json in [false, true] {
            let arguments = [if json { &["--json"][..] } else { &[] }, &arguments].concat();
            let output = host.run_twofactor(&arguments);
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            assert!(complaint.contains("cannot write") && complaint.contains(path.to_str().unwrap()), "{complaint}");
            assert!(complaint.contains(&format!("there is no folder {}", folder.display())), "{complaint}");
            assert!(complaint.contains(&format!("mkdir -p '{}'", folder.display())), "{complaint}");
            assert!(!complaint.contains("exist"), "nothing is there already: {complaint}");
            assert!(!stdout(&output).contains("otpauth://"), "no secret is shown: {}", said(&output));
            assert_eq!(host.run_twofactor(&["status", "alice"]).status.code(), Some(3), "nobody is enrolled");
            assert!(!folder.exists());
        }
        host.succeed("mkdir", ["-p", folder.to_str().unwrap()]);
        assert!(host.run_twofactor(&arguments).status.success());
        assert!(path.exists());
    });
}
