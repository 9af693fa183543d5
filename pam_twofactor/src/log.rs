//! The story's log lines go to syslog (authpriv) through libpam, which names the module, the service and the phase.

use libc::c_int;
use twofactor_core::config::arguments::Verbosity;
use twofactor_core::log::record::{Audit, Event, Record};

use crate::libpam::Pam;

/// Writes records to syslog.
pub(crate) struct Log<'p, 'h> {
    pam: &'p Pam<'h>,
    verbosity: Verbosity,
}

impl<'p, 'h> Log<'p, 'h> {
    /// A log for one call of the module.
    pub(crate) fn new(pam: &'p Pam<'h>, verbosity: Verbosity) -> Self {
        Self { pam, verbosity }
    }
}

impl Audit for Log<'_, '_> {
    fn record(&mut self, record: &Record) {
        self.pam.syslog(priority(record.event()), &record.to_string());
    }

    fn debug(&mut self, message: &str) {
        if self.verbosity == Verbosity::Debug {
            self.pam.syslog(libc::LOG_DEBUG, message);
        }
    }
}

fn priority(event: Event) -> c_int {
    match event {
        Event::Denied => libc::LOG_NOTICE,
        Event::Error => libc::LOG_ERR,
        _ => libc::LOG_INFO,
    }
}
