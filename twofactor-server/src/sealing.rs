//! Records that open with the keys of the servers alone, and the file of these keys.

pub(crate) mod escrow;
pub(crate) mod key_file;
pub(crate) mod key_lock;
pub(crate) mod keys;
pub(crate) mod new_file;
pub(crate) mod sealed_columns;
pub(crate) mod seals;
