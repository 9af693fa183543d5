//! An account: a user's apps, recovery codes, physical tokens and ssh keys, and how far they have been used.
//!
//! What an answer is to all of that is in `judging`.
//!
//! [`Credentials`] change on enrollment only and [`Held`] tokens when they are assigned; [`State`] changes with every
//! login. They are stored apart, so that configuration management and backups of the one do not fight with the other.

pub use credentials::{App, Confirmation, Credentials, EnrolledKey, FirstUse, Held};
pub use disqualified::Disqualified;
pub use judging::{Judgement, NearMiss, Proof, REPEATED, Rules, Uses, Wallet};
pub use limits::{MOST_APPS, MOST_HELD, MOST_RECOVERY_CODES, MOST_SSH_KEYS};
pub use restored::{RecoveryCodes, Revival};
pub use state::{LastAccepted, State, Usage};

mod credentials;
mod disqualified;
pub mod enrollment;
pub mod factors;
pub mod invitation;
mod judging;
pub mod lifecycle;
mod limits;
pub mod notice;
pub mod quota;
pub mod remembered;
mod restored;
mod state;
pub mod throttle;
