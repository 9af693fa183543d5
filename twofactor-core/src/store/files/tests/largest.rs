//! The largest state that an account can come to: it fits, or its owner could not log in any more.

use super::*;
use crate::account::remembered::MOST_MEMORIES;
use crate::account::throttle::{LONGEST_SOURCE, MOST_SOURCES};
use crate::account::{MOST_APPS, MOST_HELD};
use crate::codes::otp::LARGEST_DRIFT;
use crate::store::files::slots::Slots;

fn digest(number: usize) -> Digest {
    Digest::of("test", &[&number.to_be_bytes()])
}

fn throttle() -> Throttle {
    let failures = Failures { count: 1_000_000, last: Some(NOW) };
    let source = |number: usize| Source::from_rhost(Some(&format!("{number:0LONGEST_SOURCE$}")));
    Throttle {
        user: failures,
        sources: (0..MOST_SOURCES).map(|number| SourceRecord { source: source(number), failures }).collect(),
        budget: failures,
        home: failures,
        last_source: Some(source(0)),
        last_wrong: Some((digest(0), NOW)),
    }
}

#[test]
fn the_largest_state_fits_whatever_the_hosts_of_a_fleet_say() {
    let step = Step(999_999_999_999_999_999);
    let usage = Usage {
        progress: Progress { watermark: Some(step), drift: -LARGEST_DRIFT, anchor: -LARGEST_DRIFT },
        last_accepted: Some(NOW),
        near_misses: 1_000_000,
        suspects: vec![step; 8],
    };
    let seed = |number| Seed::parse(&digest(number).to_string()).unwrap();
    let long = "s".repeat(16_000);
    let address = |number: usize| IpAddr::from([0xfff0 + u16::try_from(number).unwrap(); 8]);
    let mut memories = Memories::default();
    for number in 0..MOST_MEMORIES {
        let place = LoginPlace { service: &long, address: address(number) };
        memories.add(Memory::of(place, NOW, Duration::MAX, Opener::Seed(seed(0))));
    }
    let notice = |number| {
        let by = Uid(4_000_000_000 + u32::try_from(number).unwrap());
        Notice { at: NOW, by, change: NoticedChange::RecoveryReplaced }
    };
    let handout = Handout { salt: Salt::NONE, digest: digest(0), until: NOW, is_used: false };
    let state = State {
        usage: (0..2 * (MOST_APPS + MOST_HELD)).map(|number| (seed(number), usage.clone())).collect(),
        used_recovery: (0..2 * MOST_RECOVERY_CODES).map(digest).collect(),
        throttle: throttle(),
        stripping: throttle(),
        unprivileged: throttle(),
        helpdesk: throttle(),
        tokens_held: 16,
        tokens_before_gift: Some(16),
        has_credentials: true,
        last_accepted: Some(LastAccepted {
            at: NOW,
            source: Source::from_rhost(Some(&"h".repeat(LONGEST_SOURCE))),
            factor: "\u{7f}\u{1F511}".repeat(32),
        }),
        memories,
        invitation: Some(Invitation { salt: Salt::NONE, digest: digest(0), until: NOW }),
        handout: Some(handout),
        notices: (0..MOST_NOTICES).map(notice).collect(),
        uid: Some(Uid(4_000_000_000)),
    };
    let text = state_text::write(&state);
    let file = Slots::file(&text).unwrap_or_else(|| panic!("{} bytes", text.len()));
    assert!(file.len() <= LARGEST, "{} bytes are not read back", file.len());
    assert!(parse_state(&file, std::path::Path::new("state")).unwrap().1 == state, "it is read as another");
}
