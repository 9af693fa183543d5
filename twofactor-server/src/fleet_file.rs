//! The folder of a store in files, and the SQLite file in it: hosts, answers of the last half minute, audit.

mod file;
mod host_table;
mod place;
mod records;

pub(crate) use file::FleetFile;
pub(crate) use place::{Place, unusable};
pub(crate) use records::{Known, Note};
