//! The harness of the end-to-end suites: real programs in a private Linux host, driven by a test.
//!
//! What always holds: nothing on the real host changes and nothing survives a test, whether it passes, fails or is killed
//! ([`private_host`]). A suite that cannot run says why and skips; under `TWOFACTOR_TESTS_MUST_RUN=1` it fails
//! ([`requirements`]). Waiting is always for an event with a deadline, never for time to pass.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test harness fails loudly"
)]

pub mod artifacts;
pub mod authority;
pub mod broker;
pub mod checkout;
pub mod columns;
pub mod debian;
pub mod documents;
pub mod first_login;
pub mod flow_picture;
pub mod fob;
pub mod footprint;
pub mod fuzzing;
pub mod google_authenticator;
pub mod guessing;
pub mod log_daemon;
pub mod login_picture;
pub mod machines;
pub mod manual;
pub mod moment;
pub mod oathtool;
pub mod oneself;
pub mod pam;
pub mod pam_text;
pub mod postgres;
pub mod private_host;
pub mod qr;
pub mod random;
pub mod requirements;
pub mod said;
pub mod security_key;
pub mod seeds;
pub mod ssh;
pub mod store_stories;
pub mod svg;
pub mod syslog;
pub mod systemd;
pub mod terminal;
pub mod twofactor;
