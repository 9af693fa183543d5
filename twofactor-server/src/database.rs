//! The tables in PostgreSQL: accounts, answers, the audit, and their schema.

pub(crate) mod audit;
mod circuit;
pub(crate) mod enrollments;
pub(crate) mod in_use;
pub(crate) mod key_table;
mod looks;
pub(crate) mod names;
pub(crate) mod part_of_log;
pub(crate) mod renaming;
pub(crate) mod schema;
pub(crate) mod sealed_row;
pub(crate) mod showings;
mod statements;
pub(crate) mod tables;
