//! The client of a broker, beside a broker of the test's own.

use std::os::unix::net::UnixListener;
use std::thread;

use super::*;
use crate::account::EnrolledKey;
use crate::account::factors::Attestation;
use crate::codes::ssh_key::tests::key;
use crate::codes::token::Label;
use crate::host::clock::UnixTime;
use crate::host::trusted;
use crate::host::user::person;
use crate::store::wire::{Call, Channel};

/// A key with the longest label, so that few of them have room in an answer.
fn view(number: u8) -> SshKeyView {
    let (label, issued) = (Label::new(&"\u{1f511}".repeat(64)).unwrap(), UnixTime::from_seconds(1_800_000_000));
    SshKeyView::of(&EnrolledKey { key: key(number), label, issued, attestation: Attestation::None })
}

#[test]
fn of_keys_that_change_while_they_are_listed_none_is_missing_that_stays() {
    let folder = trusted::private_directory();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let mut keys: Vec<SshKeyView> = (1..=50).map(view).collect();
    let broker = thread::spawn(move || {
        let mut asked = 0;
        // The first two answers each end in a key that is taken away before the next question.
        for stream in listener.incoming() {
            let channel = Channel::answering(stream.unwrap(), Instant::now() + PATIENCE);
            let question = channel.receive().unwrap().unwrap();
            let Call::OwnSshKeys(_, after) = Call::read(&question).unwrap() else { panic!("another question") };
            let answer = Message::answering_own_ssh_keys(&keys, after.as_ref());
            channel.send(&answer).unwrap();
            asked += 1;
            let (some, more) = Answered::of(answer).unwrap().unwrap().own_ssh_keys().unwrap();
            if more == More::No {
                break;
            }
            if asked <= 2 {
                let last = some.last().unwrap();
                keys.retain(|key| key.fingerprint != last.fingerprint);
            }
        }
        (asked, keys)
    });
    let client = Broker::new(&path, Owner(nix::unistd::geteuid().as_raw()), PATIENCE);
    let listed = client.own_ssh_keys(&person("alice", 1001)).unwrap();
    let (asked, stayed) = broker.join().unwrap();
    assert!(asked > 5, "it has begun anew: {asked}");
    assert!(stayed.iter().all(|key| listed.contains(key)) && stayed.len() == 48);
    let again = |key: &SshKeyView| listed.iter().filter(|other| *other == key).count() > 1;
    assert!(!listed.iter().any(again), "each once");
}
