//! A text of a service as libpam is to run it, and what is known of its lines.

use twofactor_core::pam_service::Line;
use twofactor_core::pam_service::control::Code;

/// The results of our line in the runs of one combination.
pub(super) const OURS_RETURNS: [Code; 3] = [Code::SUCCESS, Code::IGNORE, Code::PERM_DENIED];

/// The lines of a phase, and which of the earlier version each is.
#[derive(Debug)]
pub(super) struct Version<'l> {
    pub(super) lines: Vec<&'l Line>,
    pub(super) slots: Vec<Option<usize>>,
}

impl<'l> Version<'l> {
    /// The earlier one.
    pub(super) fn first(lines: Vec<&'l Line>) -> Self {
        let slots = (0..lines.len()).map(Some).collect();
        Self { lines, slots }
    }

    pub(super) fn slot(&self, at: usize) -> Option<usize> {
        self.slots.get(at).copied().flatten()
    }

    pub(super) fn is_ours(&self, at: usize) -> bool {
        self.lines.get(at).is_some_and(|line| line.is_ours())
    }

    /// The line that is one of the earlier version.
    pub(super) fn line_of(&self, slot: usize) -> Option<&'l Line> {
        let at = self.slots.iter().position(|other| *other == Some(slot))?;
        self.lines.get(at).copied()
    }

    /// The result of a line that was put in beside ours: one that notes something, or a `pam_permit.so`.
    pub(super) fn added(&self, at: usize) -> Code {
        let notes = self.lines.get(at).is_some_and(|line| line.notes().is_some());
        if notes { Code::IGNORE } else { Code::SUCCESS }
    }
}
