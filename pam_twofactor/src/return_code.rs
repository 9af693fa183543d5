//! The one table from verdicts to return codes for libpam (DESIGN §3). Its rows for refusals are
//! [`Reason::return_code`], which `twofactor explain` reads too.
//!
//! Invariants: PAM_SUCCESS needs a [`Verdict::Accepted`], which only a store can make after a durable commit, a
//! [`Verdict::Recognized`], which only a store can make, or a [`Verdict::Pending`] that the account phase will store or
//! refuse; the auth phase's PAM_IGNORE needs a [`Verdict::Waived`], which only the policy can make, or a line with
//! `first_factor=`, which only notes.

use pam::constants::PamResultCode;
use twofactor_core::log::reason::{Reason, ReturnCode};
use twofactor_core::login::{AccountVerdict, Verdict};

/// The phases session and password, and account without work: harmless where a service lists the module.
pub(crate) const NO_WORK: PamResultCode = PamResultCode::PAM_IGNORE;

/// The module has no credentials to set, and says so with success: in a stack of its own IGNORE would be a failure.
pub(crate) const CREDENTIALS: PamResultCode = PamResultCode::PAM_SUCCESS;

/// A second factor is set up, and the account phase finishes that, without which the user is not let in.
pub(crate) const TO_BE_FINISHED: PamResultCode = PamResultCode::PAM_SUCCESS;

/// The code for how a login ended.
pub(crate) fn of_verdict(verdict: Verdict) -> PamResultCode {
    match verdict {
        Verdict::Accepted(_redeemed) => PamResultCode::PAM_SUCCESS,
        Verdict::Recognized(_key) => PamResultCode::PAM_SUCCESS,
        Verdict::Waived(_waived) => PamResultCode::PAM_IGNORE,
        // It is not kept: callers that mean to keep it ask for TO_BE_FINISHED.
        Verdict::Pending(_dropped) => of_reason(Reason::StoreUnavailable),
        Verdict::TriesUsedUp(_) => PamResultCode::PAM_MAXTRIES,
        Verdict::Denied(reason) => of_reason(reason),
    }
}

/// The code for how the account phase ended.
pub(crate) fn of_account(verdict: AccountVerdict) -> PamResultCode {
    match verdict {
        AccountVerdict::NothingToDo => NO_WORK,
        AccountVerdict::Stored => PamResultCode::PAM_SUCCESS,
        AccountVerdict::Refused(reason) => of_reason(reason),
    }
}

/// The code for a refusal. None of them is success or IGNORE.
pub(crate) fn of_reason(reason: Reason) -> PamResultCode {
    match reason.return_code() {
        ReturnCode::AuthErr => PamResultCode::PAM_AUTH_ERR,
        ReturnCode::MaxTries => PamResultCode::PAM_MAXTRIES,
        ReturnCode::AcctExpired => PamResultCode::PAM_ACCT_EXPIRED,
        ReturnCode::UserUnknown => PamResultCode::PAM_USER_UNKNOWN,
        ReturnCode::AuthinfoUnavail => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        ReturnCode::ServiceErr => PamResultCode::PAM_SERVICE_ERR,
        ReturnCode::ConvErr => PamResultCode::PAM_CONV_ERR,
        ReturnCode::Abort => PamResultCode::PAM_ABORT,
    }
}

/// True when a code keeps the user out.
pub(crate) fn denies(code: &PamResultCode) -> bool {
    !matches!(code, PamResultCode::PAM_SUCCESS | PamResultCode::PAM_IGNORE)
}
