//! Random bytes straight from the kernel: no state, no generator of our own.

use thiserror::Error;

/// The kernel gave no random bytes.
#[derive(Debug, Error)]
#[error("the kernel gave no random bytes")]
pub struct NoEntropy;

/// Fills `buffer` with random bytes.
pub fn fill(buffer: &mut [u8]) -> Result<(), NoEntropy> {
    getrandom::fill(buffer).map_err(|_| NoEntropy)
}
