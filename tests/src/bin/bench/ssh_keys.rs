//! A login by a security key of ssh beside one with a code, taking turns: the same users, the same service, the same accounts.
//!
//! The work of sshd and of the key comes before and is not measured.

use std::path::Path;

use twofactor_tests::private_host::Host;

use crate::population::{Population, User};
use crate::progress;
use crate::statistics::{Sample, ratio};
use crate::worker::{Proof, Worker};

/// The median of a login by key is at most this part of that of one with a code.
const OF_A_CODE: f64 = 1.0;

/// The measured times.
#[derive(Debug, Default)]
pub(crate) struct SshKeys {
    pub(crate) code: Sample,
    pub(crate) key: Sample,
}

impl SshKeys {
    /// Every user logs in once in each way without being measured, and once measured.
    pub(crate) fn measure(host: &Host, folder: &Path, users: usize) -> Self {
        progress("enrolling security keys of ssh");
        let population = Population::make(host, folder, users);
        population.enroll_ssh_keys();
        nix::unistd::sync();
        let mut worker = Worker::start(host, &population, 0, users);
        let (mut warm_up, mut measured) = (Self::default(), Self::default());
        for times in [&mut warm_up, &mut measured] {
            for user in 0..users {
                let mut proofs = [Proof::Code, Proof::Key];
                proofs.rotate_left(user % 2);
                for proof in proofs {
                    let sample = if proof == Proof::Code { &mut times.code } else { &mut times.key };
                    sample.add(worker.accepted_by_sshd(User(user), proof).login.took);
                }
            }
        }
        measured
    }

    /// The median of a login by key as a part of that of one with a code.
    pub(crate) fn ratio(&self) -> f64 {
        ratio(self.key.median(), self.code.median())
    }

    /// True when a login by key costs no more than one with a code.
    pub(crate) fn costs_no_more(&self) -> bool {
        self.ratio() <= OF_A_CODE
    }
}
