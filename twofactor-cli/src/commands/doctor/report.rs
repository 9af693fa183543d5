//! The report of a checkup: the parts of the host, with findings and with what could not be looked at.

use std::fmt;

use twofactor_admin::checkup::{Finding, Severity};
use twofactor_core::store::administration::LastBackup;

/// Everything that was looked at.
pub(crate) struct Checkup {
    /// The repairs made before, in words.
    pub(crate) repairs: Vec<String>,
    pub(crate) areas: Vec<Area>,
    /// The last backup that this host wrote, where it is known.
    pub(crate) last_backup: Option<LastBackup>,
}

impl Checkup {
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.areas.iter().map(|area| area.count(severity)).sum()
    }
}

/// A part of the host.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) name: &'static str,
    /// The things that were looked at there, in a few words.
    pub(crate) looked_at: String,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unchecked: Vec<Unchecked>,
}

/// Something that could not be looked at.
#[derive(Debug)]
pub(crate) struct Unchecked {
    pub(crate) what: String,
    pub(crate) because: String,
}

impl Area {
    pub(crate) fn new(name: &'static str, looked_at: impl Into<String>) -> Self {
        Self { name, looked_at: looked_at.into(), findings: Vec::new(), unchecked: Vec::new() }
    }

    /// The same with `findings`, of which those that say the same are one.
    pub(crate) fn with(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.add(findings);
        self
    }

    pub(crate) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    pub(crate) fn could_not_check(&mut self, what: impl Into<String>, because: impl fmt::Display) {
        self.unchecked.push(Unchecked { what: what.into(), because: because.to_string() });
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.id.severity() == severity).count()
    }
}
