//! Random numbers that the standard library wants, asked for before it does.
//!
//! The hash maps of a thread have random keys, which the first of them gets from the kernel, and it panics where there are
//! none. Some of the maps are those of other crates (zip, the order of a JSON object), so it is tried here, once, for all of
//! them: a command then ends with an error before it did anything.

use std::hash::RandomState;
use std::panic;

use twofactor_core::codes::secret::SecretError;

/// Gets the keys of this thread's hash maps. Whatever builds a map later on the same thread asks the kernel no more.
pub(crate) fn keys_for_hash_maps() -> Result<(), SecretError> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let keys = panic::catch_unwind(RandomState::new);
    panic::set_hook(hook);
    keys.map(drop).map_err(|_| SecretError::NoEntropy)
}
