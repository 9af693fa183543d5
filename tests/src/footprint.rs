//! What many logins leave behind in the process that makes them, and what they and the tool have written anywhere.

use crate::pam::Outcome;
use crate::private_host::Host;
use crate::syslog::Line;

/// Descriptors and memory of one process after each of its logins.
#[derive(Debug, Default)]
pub struct Footprint {
    after: Vec<(u64, u64)>,
}

impl Footprint {
    /// Notes how the process stands after a login.
    pub fn note(&mut self, outcome: &Outcome) {
        self.after.push((outcome.descriptors.1, outcome.resident_kb));
    }

    /// The process has as many descriptors after every login as after the first one.
    #[track_caller]
    pub fn assert_descriptors_flat(&self) {
        let descriptors: Vec<u64> = self.after.iter().map(|(descriptors, _)| *descriptors).collect();
        assert!(descriptors.iter().all(|count| *count == descriptors[0]), "{descriptors:?}");
    }

    /// Neither descriptors nor memory have grown since the process had made `warm` logins.
    #[track_caller]
    pub fn assert_flat_since(&self, warm: usize) {
        let last = self.after.len() - 1;
        let ((warm_open, warm_kb), (open, kb)) = (self.after[warm], self.after[last]);
        assert_eq!(warm_open, open, "descriptors");
        // Over a thousand logins one leaked pointer would be 8 kB; an allocator's noise is less than a few pages.
        assert!(kb <= warm_kb + 256, "resident memory grew from {warm_kb} kB to {kb} kB");
    }
}

impl Host {
    /// No line of the log holds any of `secrets`.
    #[track_caller]
    pub fn assert_untold(&self, secrets: impl IntoIterator<Item = impl AsRef<str>>) {
        let log = self.log();
        for secret in secrets {
            let secret = secret.as_ref();
            let told: Vec<&Line> = log.iter().filter(|line| line.text.contains(secret)).collect();
            assert!(told.is_empty(), "{secret} stands in the log: {told:?}");
        }
    }
}
