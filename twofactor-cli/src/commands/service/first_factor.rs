//! The file that tells our line of a failed first factor (`pam_service::first_factor`): written before the first service that
//! includes it, removed behind the last.
//!
//! Invariant: no service includes it while it is not there, because libpam would refuse every login. Both are decided with the
//! records locked.

use std::path::PathBuf;

use twofactor_admin::pam_editing::placing;
use twofactor_core::pam_service::first_factor::{FILE, NAME, TEXT};

use crate::error::ServiceFailure;
use crate::output;

use super::change::{self, Change};
use super::leftovers::files_of_services;
use super::plan::Text;

/// The change that puts the file there with its text.
pub(super) fn needed() -> Result<Option<Change>, ServiceFailure> {
    let file = PathBuf::from(FILE);
    let before = change::read(&file)?;
    change::must_be_roots_alone(&file)?;
    let is_right = before.as_deref() == Some(TEXT.as_bytes());
    Ok((!is_right).then(|| Change { file, before, after: Some(TEXT.into()) }))
}

/// Its removal, where no service includes it once `changes` are made. One that cannot be read stays, and is named.
pub(super) fn unneeded(changes: &[&Change]) -> Option<Change> {
    let file = PathBuf::from(FILE);
    let before = match change::read(&file) {
        Ok(content) => content?,
        Err(failure) => {
            output::warning(&failure.to_string());
            return None;
        }
    };
    let tells = |content: &[u8]| placing::tells(&Text::of(content).text);
    let is_included = files_of_services().into_iter().filter(|(name, _)| name != NAME).any(|(_, file)| {
        match changes.iter().find(|change| change.file == file) {
            Some(change) => change.after.as_deref().is_some_and(tells),
            None => std::fs::read(&file).is_ok_and(|content| tells(&content)),
        }
    });
    (!is_included).then_some(Change { file, before: Some(before), after: None })
}
