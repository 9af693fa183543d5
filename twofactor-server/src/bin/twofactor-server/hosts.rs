//! The hosts that the configuration lists, as it stands now: a change counts for the next question of a host, also on a connection
//! that it has.
//!
//! Invariant: a configuration that cannot be read changes nothing, and it is said once.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use twofactor_core::config::fleet::HostRule;
use twofactor_core::config::{Config, Expected};
use twofactor_core::host::trusted::Owner;
use twofactor_server::{Host, Hosts};

/// For so long the list is not read again.
const FRESH: Duration = Duration::from_secs(1);

/// `[[host]]` of a configuration.
pub(crate) struct ListedHosts {
    config: PathBuf,
    listed: Mutex<Listed>,
}

struct Listed {
    rules: Vec<HostRule>,
    read: Instant,
    is_broken: bool,
}

impl ListedHosts {
    /// The list of `config`, which was read from `path`.
    pub(crate) fn new(path: &Path, config: &Config) -> Self {
        let listed = Listed { rules: config.hosts.clone(), read: Instant::now(), is_broken: false };
        Self { config: path.to_owned(), listed: Mutex::new(listed) }
    }
}

impl Hosts for ListedHosts {
    fn find(&self, name: &str) -> Option<Host> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.read.elapsed() > FRESH {
            listed.renew(&self.config);
        }
        let rule = listed.rules.iter().find(|rule| rule.is_about(name))?;
        let HostRule { may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour, .. } = rule.clone();
        let (name, as_of) = (name.to_owned(), None);
        Some(Host { name, may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour, as_of })
    }
}

impl Listed {
    fn renew(&mut self, config: &Path) {
        self.read = Instant::now();
        match Config::load(config, Expected::Certainly, Owner::ROOT) {
            Ok(config) => (self.rules, self.is_broken) = (config.hosts, false),
            Err(error) if !self.is_broken => {
                self.is_broken = true;
                eprintln!(
                    "twofactor-server: {}\n  the hosts stay as they are; {}",
                    error.lines().join("\n"),
                    error.hint()
                );
            }
            Err(_) => {}
        }
    }
}
