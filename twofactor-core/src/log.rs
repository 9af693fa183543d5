//! What the log says: its lines, and the stable words for why a login is refused.

pub mod reason;
pub mod record;
