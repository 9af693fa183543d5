//! Lines of the log, and the stable words for refusals.

pub mod reason;
pub mod record;
