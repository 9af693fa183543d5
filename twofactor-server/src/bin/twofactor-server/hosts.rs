//! The hosts that the configuration lists, as it stands now: a change counts within a second, also on a connection that a host has.
//!
//! Invariants: a configuration that cannot be read changes nothing, and it is said once. A thread of its own reads it, so that no question
//! waits for a disk.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use twofactor_core::config::fleet::HostRule;
use twofactor_core::config::{Config, Expected};
use twofactor_core::host::trusted::Owner;
use twofactor_server::{Host, Hosts};

/// The pause between two looks at the configuration.
const PAUSE: Duration = Duration::from_millis(500);

/// `[[host]]` of a configuration.
pub(crate) struct ListedHosts {
    rules: RwLock<Arc<[HostRule]>>,
}

impl ListedHosts {
    /// The list of `config`, which was read from `path` and is read from there again and again.
    pub(crate) fn watched(path: &Path, config: &Config) -> std::io::Result<Arc<Self>> {
        let path = path.to_owned();
        Self::reading(&config.hosts, PAUSE, move || {
            let read = Config::load(&path, Expected::Certainly, Owner::ROOT);
            read.map(|config| config.hosts).map_err(|error| format!("{}\n  {}", error.lines().join("\n"), error.hint()))
        })
    }

    /// The list of these entries until `read` has read others.
    fn reading(
        rules: &[HostRule],
        pause: Duration,
        read: impl Fn() -> Result<Vec<HostRule>, String> + Send + 'static,
    ) -> std::io::Result<Arc<Self>> {
        let this = Arc::new(Self { rules: RwLock::new(rules.into()) });
        let hosts = Arc::downgrade(&this);
        thread::Builder::new().name("hosts".to_owned()).spawn(move || watch(&hosts, pause, read))?;
        Ok(this)
    }

    fn rules(&self) -> Arc<[HostRule]> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Hosts for ListedHosts {
    fn find(&self, name: &str) -> Option<Host> {
        Host::listed(&self.rules(), name)
    }
}

/// Reads the entries until nothing asks for them any more.
fn watch(hosts: &Weak<ListedHosts>, pause: Duration, read: impl Fn() -> Result<Vec<HostRule>, String>) {
    let mut is_broken = false;
    loop {
        thread::sleep(pause);
        let read = read();
        let Some(hosts) = hosts.upgrade() else { return };
        match read {
            Ok(rules) => {
                is_broken = false;
                if *hosts.rules() != *rules {
                    *hosts.rules.write().unwrap_or_else(PoisonError::into_inner) = rules.into();
                }
            }
            Err(problem) if !is_broken => {
                is_broken = true;
                eprintln!("twofactor-server: {problem}\n  the hosts stay as they are");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{channel, sync_channel};
    use std::time::Instant;

    use twofactor_core::config::fleet::{ENROLLMENTS_PER_HOUR, WRONG_CODES_PER_HOUR};

    use super::*;

    fn rule(name: &str) -> HostRule {
        let (wrong_codes_per_hour, enrollments_per_hour) = (WRONG_CODES_PER_HOUR, ENROLLMENTS_PER_HOUR);
        let (line, may_enroll, may_self, groups, name) = (1, true, false, None, name.to_owned());
        HostRule { line, name, may_enroll, may_self, groups, wrong_codes_per_hour, enrollments_per_hour }
    }

    #[test]
    fn a_host_is_found_while_the_configuration_cannot_be_read_and_by_the_new_one_after_that() {
        // A disk that does not answer: each reading begins, and ends when it is let.
        let (starting, begins) = sync_channel::<()>(0);
        let (disk, reading) = channel::<Result<Vec<HostRule>, String>>();
        let reading = Mutex::new(reading);
        let hosts = ListedHosts::reading(&[rule("web*")], Duration::ZERO, move || {
            starting.send(()).map_err(|error| error.to_string())?;
            reading.lock().unwrap().recv().map_err(|error| error.to_string())?
        });
        let hosts = hosts.unwrap();
        begins.recv().unwrap();
        assert!(hosts.find("web1").is_some() && hosts.find("db1").is_none());
        disk.send(Err("it is no configuration".to_owned())).unwrap();
        begins.recv().unwrap();
        assert!(hosts.find("web1").is_some());
        disk.send(Ok(vec![rule("db1")])).unwrap();
        begins.recv().unwrap();
        assert!(hosts.find("web1").is_none() && hosts.find("db1").is_some());
        drop((hosts, disk));
        let until = Instant::now() + Duration::from_secs(30);
        while begins.recv_timeout(Duration::from_secs(30)).is_ok() {
            assert!(Instant::now() < until, "the thread goes on");
        }
    }
}
