//! Setting up a second factor where it cannot be written down: not enrolled, and both the user and the log are told. With room
//! again the same user sets one up.

use std::fs;
use std::path::Path;

use twofactor_tests::private_host::{Host, private_host};
use twofactor_tests::ssh::Client;
use twofactor_tests::terminal::Terminal;

use crate::fobs::{codes, imported, register};
use crate::{ENROLL, STACK, assert_not_enrolled, client, configure, enrolled_over_ssh, offered, recovery_codes};

const REFUSED: &str = "Your second factor could not be set up. Log in again.";

/// A state folder on a disk of its own, with a newcomer.
fn small_disk(host: &Host) {
    host.succeed("mkdir", ["/var/lib/twofactor"]);
    host.succeed("mount", ["-t", "tmpfs", "-o", "size=1m,mode=0700", "small", "/var/lib/twofactor"]);
    configure(host, ENROLL);
    host.add_user("alice");
}

/// Files of one page each that leave room for no more than a few pages.
struct Full {
    pages: u32,
}

impl Full {
    fn but_for(room: u32) -> Self {
        let pages = (0..1000).take_while(|number| fs::write(Self::page(*number), [0; 4096]).is_ok()).count();
        let pages = u32::try_from(pages).unwrap();
        for number in pages.checked_sub(room).expect("an empty disk is enough")..=pages {
            let _ = fs::remove_file(Self::page(number));
        }
        Self { pages: pages - room }
    }

    fn no_longer(self) {
        (0..self.pages).for_each(|number| fs::remove_file(Self::page(number)).unwrap());
    }

    fn page(number: u32) -> String {
        format!("/var/lib/twofactor/page{number}")
    }
}

/// The client's login was refused, and its user has read why.
#[track_caller]
fn assert_refused(host: &Host, mut terminal: Terminal) {
    terminal.expect(REFUSED);
    assert!(!terminal.wait().success());
    assert!(recovery_codes(&terminal.shown()).is_empty(), "{}", terminal.shown());
    host.assert_logged(&["error user=alice", "reason=store-unavailable", "the disk is full"]);
    assert_not_enrolled(host, "alice");
}

#[test]
fn on_a_full_disk_nobody_is_enrolled_and_with_room_again_it_works() {
    private_host(|host| {
        small_disk(host);
        let sshd = host.sshd_with(STACK, "");
        let full = Full::but_for(0);
        let mut terminal = sshd.terminal(&client("alice"));
        let lost = offered(&mut terminal);
        terminal.type_line(&lost.app.code(0));
        assert_refused(host, terminal);

        full.no_longer();
        let app = enrolled_over_ssh(&sshd, "alice");
        assert_ne!(app.secret, lost.app.secret);
        sshd.opens(&Client { code: &app.code(1), ..client("alice") });
        assert!(!sshd.client(&Client { code: &lost.app.code(1), ..client("alice") }).opened());
    });
}

#[test]
fn room_for_the_state_and_none_for_the_secret_is_no_enrollment_either() {
    private_host(|host| {
        small_disk(host);
        let sshd = host.sshd_with(STACK, "");
        // One page more of room every time, until it is enough.
        for room in 0.. {
            let full = Full::but_for(room);
            let mut terminal = sshd.terminal(&client("alice"));
            let offer = offered(&mut terminal);
            terminal.type_line(&offer.app.code(0));
            if terminal.expect_any(&["could not be set up", "is set up."]).0 == 1 {
                sshd.opens(&Client { code: &offer.app.code(1), ..client("alice") });
                break;
            }
            assert!(!terminal.wait().success());
            full.no_longer();
            assert_not_enrolled(host, "alice");
        }
        assert!(Path::new("/var/lib/twofactor/users/alice/secret.toml").exists());
    });
}

#[test]
fn on_a_full_disk_nobody_registers_a_fob_and_with_room_again_it_works() {
    private_host(|host| {
        let _broker = host.broker();
        small_disk(host);
        let fob = imported(host);
        let sshd = host.sshd_with(STACK, "");
        // One page more of room every time, until it is enough.
        let mut room = 0;
        let codes = loop {
            let full = Full::but_for(room);
            let codes = codes(&fob);
            let (opened, shown) = register(&sshd, "alice", &fob.serial, &codes);
            if opened {
                break codes;
            }
            assert!(shown.contains(REFUSED), "{shown}");
            full.no_longer();
            host.assert_logged(&["error user=alice", "reason=store-unavailable", "the disk is full"]);
            assert_not_enrolled(host, "alice");
            let shown = host.json(&["token", "show", &fob.serial]);
            assert_eq!((&shown["state"], shown["user"].is_null()), (&"inventory".into(), true), "{shown}");
            room += 1;
        };
        assert!(room > 1, "there was no room for the attempt, and then none for the registry: {room}");
        host.assert_logged(&["registered user=alice", &format!("token={}", fob.serial)]);
        assert!(!sshd.client(&Client { code: &codes[1], ..client("alice") }).opened(), "it is burned");
        sshd.opens(&Client { code: &fob.authenticator.code(2), ..client("alice") });
    });
}
