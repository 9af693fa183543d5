//! The registry's history as entries of the log.

use twofactor_admin::logbook::{Entry, Wanted};
use twofactor_core::store::administration::History;

use crate::output::warning;

/// The entries of the history that are asked for, in order. A history that ends in an error ends there, and that is said.
pub(super) fn entries(mut history: Box<dyn History>, wanted: &Wanted) -> impl Iterator<Item = Entry> {
    let portions = std::iter::from_fn(move || match history.next_portion() {
        Ok(portion) if portion.is_empty() => None,
        Ok(portion) => Some(portion),
        Err(error) => {
            warning(&format!("the registry's history ends early: {error}"));
            None
        }
    });
    portions.flatten().map(Entry::remembered).filter(|entry| wanted.includes(entry))
}
