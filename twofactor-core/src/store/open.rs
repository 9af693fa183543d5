//! The store that a configuration names.

use super::files::{Files, PATIENCE};
use super::rules::VerificationRules;
use crate::config::Config;
use crate::host::clock::Clock;
use crate::host::trusted::Owner;

/// Opens nothing yet: what the store keeps is opened by each of its verbs.
pub fn open(config: &Config, clock: impl Clock + 'static) -> Files {
    let files = Files::new(&config.state, Owner::ROOT, PATIENCE, clock).marked_by(config.marker.as_deref());
    files.judging_by(VerificationRules::of(config))
}
