//! Work beside the questions: looking at a store, keeping house in it, sealing it anew.

pub(crate) mod checking;
pub(crate) mod housekeeping;
pub(crate) mod inspecting;
pub(crate) mod resealing;
