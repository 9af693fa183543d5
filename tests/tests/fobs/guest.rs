//! Tokens in somebody else's process: what a login leaves behind, and what it gives away.

use twofactor_tests::fob::Fob;
use twofactor_tests::footprint::Footprint;
use twofactor_tests::oathtool::ANY_CODE;
use twofactor_tests::pam::ReturnCode;
use twofactor_tests::private_host::PASSWORD;

use crate::{assert_accepted, assert_denied, host};

#[test]
fn two_thousand_logins_with_a_token_in_one_process_leave_descriptors_and_memory_flat() {
    const LOGINS: usize = 2_000;
    const WARM: usize = 400;
    host(|host| {
        let fob = Fob::button(1);
        host.user_with("alice", &fob);
        host.import(&Fob::box_of(1, 500));
        let mut logins = host.login("alice").repeat(LOGINS).start();
        let mut footprint = Footprint::default();
        for code in fob.authenticator.counter_codes(0, LOGINS as u64) {
            let outcome = logins.transaction(&[(&code).into()]);
            assert_accepted(&outcome);
            footprint.note(&outcome);
        }
        logins.finish();
        footprint.assert_flat_since(WARM);
    });
}

/// A secret as somebody may write it.
fn spellings(base32: &str) -> Vec<String> {
    let digits = base32.bytes().map(|letter| match letter {
        b'A'..=b'Z' => letter - b'A',
        _ => letter - b'2' + 26,
    });
    let bits: Vec<u8> = digits.flat_map(|digit| (0..5).rev().map(move |bit| digit >> bit & 1)).collect();
    let bytes: Vec<u8> = bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    let hex: String = bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]))
        .collect();
    vec![base32.to_owned(), base32.to_lowercase(), hex.to_uppercase(), format!("{bytes:?}"), hex]
}

#[test]
fn no_secret_or_code_of_a_token_reaches_any_log_or_output() {
    host(|host| {
        host.configure("[window]\nresync_at_login = false\n[throttle]\nfree_attempts = 100\n");
        host.service("debug", "auth required pam_unix.so nodelay\nauth required pam_twofactor.so debug\n");
        let (fob, clock) = (Fob::button(1), Fob::clock(1));
        host.user_with("alice", &fob);
        host.assign_more(&clock, "alice");
        let codes = fob.authenticator.counter_codes(0, 16);
        let log_in = |code: &str| host.login("alice").service("debug").answering(&[PASSWORD.into(), code.into()]);
        assert_accepted(&log_in(&codes[0]));
        assert_denied(&log_in(&codes[0]));
        assert_denied(&log_in(&codes[15]));
        host.sysadmin(&["token", "lost", &fob.serial]);
        assert_denied(&log_in(&codes[1]));
        host.sysadmin(&["token", "enable", &fob.serial]);
        host.sysadmin(&["token", "resync", &fob.serial, &codes[5], &codes[6]]);

        let (serial, file) = (fob.serial.as_str(), format!("/root/{}.csv", fob.serial));
        let commands: [&[&str]; 12] = [
            &["token", "show", serial],
            &["--json", "token", "show", serial],
            &["token", "list"],
            &["token", "list", "--csv"],
            &["--json", "token", "list"],
            &["series", "list"],
            &["status", "alice"],
            &["--json", "status", "alice"],
            &["token", "import", &file],
            &["--json", "token", "import", &file, "--dry-run"],
            &["token", "verify", serial, "12345678"],
            &["token", "resync", serial, ANY_CODE, ANY_CODE],
        ];
        let mut said = String::new();
        for arguments in commands {
            let output = host.run_twofactor(arguments);
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        host.sysadmin(&["token", "unassign", serial]);
        // A damaged registry is a file full of secrets.
        let path = "/var/lib/twofactor/registry.db";
        let mut content = std::fs::read(path).unwrap();
        let text = content.windows(4).position(|window| window == b"SHA1").expect("the name of a hash");
        content[text..text + 4].copy_from_slice(b"SHA9");
        std::fs::write(path, content).unwrap();
        assert_ne!(log_in(ANY_CODE).code(), ReturnCode::SUCCESS);
        for arguments in [&["token", "list"][..], &["token", "show", serial]] {
            let output = host.run_twofactor(arguments);
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }

        assert!(host.log().iter().any(|line| line.text.contains("resync")), "what the sysadmin did is logged");
        let secrets = [&fob, &clock].into_iter().flat_map(|fob| spellings(&fob.authenticator.secret));
        for secret in secrets.chain(codes) {
            host.assert_untold([&secret]);
            assert!(!said.contains(&secret), "{secret} was shown:\n{said}");
        }
    });
}
