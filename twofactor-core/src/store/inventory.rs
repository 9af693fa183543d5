//! Physical tokens as every store keeps them: the rules of import, assignment and change, and their views. Where the rows stand is the
//! store's affair: SQLite on a host, PostgreSQL in a fleet.
//!
//! Invariant: nothing here reads or writes. What is known of tokens and owners are arguments.

mod app_secrets;
mod changing;
mod holding;
mod import;
mod loaded;
mod mending;
mod probe;
mod registering;
mod stored;
mod view;

pub use app_secrets::AppSecrets;
pub use changing::{TokenChange, assign, delete, delete_all, put, resynchronize, unassign, use_by_state, use_of};
pub(in crate::store) use holding::{AccountAfter, Content, TooManyHeld};
pub use holding::{Direction, Gift};
pub use import::{ImportPlan, Judged, Known, beginning, import_in_words};
pub use loaded::{AccountWrite, CredentialsWrite, HistoryLine, LoadedTokens, TokenWrites};
pub use mending::{Mended, mended, mending_in_words, series_deletion_in_words};
pub use probe::fits;
pub use registering::register;
pub use stored::{Filter, Listed, Ownership, Stored, Twin, Undecoded};
pub use view::view_of_held;
