//! The thin layer over libpam: what pam-bindings lacks, and safe wrappers around what it has.
//!
//! Invariants: every item is copied before anything else happens (the application may replace it while a prompt is
//! on its way), typed answers are wiped when dropped, and text for syslog is an argument, never a format.

#![expect(unsafe_code, reason = "libpam is C")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pam::constants::{PamMessageStyle, PamResultCode};
use pam::conv::Conv;
use pam::items::{AuthTok, RHost, Service, Tty, User};
use pam::module::PamHandle;
use twofactor_core::codes::ssh_key::auth_info;
use twofactor_core::login::Reply;
use twofactor_core::login::Unfinished;
use twofactor_core::pam_service::first_factor::FirstFactor;
use zeroize::{Zeroize as _, Zeroizing};

/// The time for which libpam lets the application wait after a failure, before it varies it by a quarter: that of pam_unix.
const FAILURE_DELAY_MICROSECONDS: c_uint = 2_000_000;

/// `PAM_AUTHTOK` (security/_pam_types.h).
const PAM_AUTHTOK: c_int = 6;

/// The data carried from one phase to another. Names are global to a transaction, and a module can be replaced between
/// phases by a newer one that has another idea of the type: hence the version.
const CARRIED: &str = concat!("pam_twofactor ", env!("CARGO_PKG_VERSION"));

/// Under which name it is noted that a first factor failed.
const FIRST_FACTOR: &str = concat!("pam_twofactor ", env!("CARGO_PKG_VERSION"), " first factor");

/// The note that a first factor failed. Atomic, because libpam hands its data out as a shared reference.
struct Failed(AtomicBool);

/// Can be taken out once, through the shared reference that libpam's data are.
struct Carried(Mutex<Option<Unfinished>>);

/// The data that the account phase finds where the auth phase took part: the confirmed factor, if there is one.
pub(crate) struct Taken(pub(crate) Option<Unfinished>);

// The library pam-bindings links anyway: no further DT_NEEDED. Linux-PAM has had all of them since 1.1.
#[link(name = "pam")]
unsafe extern "C" {
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
    fn pam_fail_delay(pamh: *mut PamHandle, microseconds: c_uint) -> c_int;
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
    fn pam_get_authtok(pamh: *mut PamHandle, item: c_int, token: *mut *const c_char, prompt: *const c_char) -> c_int;
    fn pam_set_item(pamh: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
}

/// The handle of one call of the module. Nothing of it outlives the call.
pub(crate) struct Pam<'h>(RefCell<&'h mut PamHandle>);

impl<'h> Pam<'h> {
    /// Wraps the handle libpam called us with.
    pub(crate) fn new(pamh: &'h mut PamHandle) -> Self {
        Self(RefCell::new(pamh))
    }

    /// PAM_USER as it is, without asking for it.
    pub(crate) fn user(&self) -> Option<String> {
        let pamh = self.0.borrow();
        let user = pamh.get_item::<User<'_>>().ok().flatten()?;
        Some(lossy(&user))
    }

    /// PAM_USER; the application asks for it when it is not known yet.
    pub(crate) fn ask_user(&self) -> Option<String> {
        // A name that is not UTF-8 makes the bindings fail although libpam has it; no user database knows such a user.
        let asked = self.0.borrow_mut().get_user(None).ok();
        asked.or_else(|| self.user())
    }

    /// PAM_SERVICE.
    pub(crate) fn service(&self) -> Option<String> {
        let pamh = self.0.borrow();
        let service = pamh.get_item::<Service<'_>>().ok().flatten()?;
        Some(lossy(&service))
    }

    /// PAM_RHOST.
    pub(crate) fn rhost(&self) -> Option<String> {
        let pamh = self.0.borrow();
        let rhost = pamh.get_item::<RHost<'_>>().ok().flatten()?;
        Some(lossy(&rhost))
    }

    /// PAM_TTY.
    pub(crate) fn tty(&self) -> Option<String> {
        let pamh = self.0.borrow();
        let tty = pamh.get_item::<Tty<'_>>().ok().flatten()?;
        Some(lossy(&tty)).filter(|tty| !tty.is_empty())
    }

    /// SSH_AUTH_INFO_0 of PAM's environment: the methods that sshd has accepted before it came to us. The environment of the
    /// process is another one, which is never read. A text longer than sshd's would be is not copied: it names no key.
    pub(crate) fn ssh_auth_info(&self) -> Option<String> {
        let mut pamh = self.0.borrow_mut();
        // SAFETY: the handle is valid for this call, and the name is a C string.
        let value = unsafe { pam_getenv(&raw mut **pamh, c"SSH_AUTH_INFO_0".as_ptr()) };
        // SAFETY: libpam returns NULL or a C string of its own, which nothing changes before it is copied here.
        let text = unsafe { value.as_ref().map(|first| CStr::from_ptr(first)) }?;
        (text.count_bytes() <= auth_info::LONGEST).then(|| lossy(text))
    }

    /// Sends one message; `None` when the application fails or gives no answer.
    pub(crate) fn converse(&self, style: PamMessageStyle, message: &str) -> Option<Reply> {
        let pamh = self.0.borrow();
        let conversation = pamh.get_item::<Conv<'_>>().ok().flatten()?;
        let reply = conversation.send(style, message).ok().flatten()?;
        Some(Zeroizing::new(reply.as_bytes().to_vec()))
    }

    /// PAM_AUTHTOK, when an earlier module asked for it.
    pub(crate) fn authtok(&self) -> Option<Reply> {
        let pamh = self.0.borrow();
        let token = pamh.get_item::<AuthTok<'_>>().ok().flatten()?;
        Some(Zeroizing::new(token.as_bytes().to_vec()))
    }

    /// PAM_AUTHTOK; the application asks for it with `prompt` when no module did before.
    pub(crate) fn ask_authtok(&self, prompt: &str) -> Option<Reply> {
        let prompt = CString::new(prompt).ok()?;
        let mut token: *const c_char = std::ptr::null();
        let mut pamh = self.0.borrow_mut();
        // SAFETY: the handle is valid for this call; libpam writes a pointer to the item it keeps, or leaves NULL.
        let result = unsafe { pam_get_authtok(&raw mut **pamh, PAM_AUTHTOK, &raw mut token, prompt.as_ptr()) };
        if result != PamResultCode::PAM_SUCCESS as c_int {
            return None;
        }
        // SAFETY: on success the pointer is NULL or a C string that libpam keeps until the item is set again.
        let token = unsafe { token.as_ref().map(|first| CStr::from_ptr(first)) }?;
        Some(Zeroizing::new(token.to_bytes().to_vec()))
    }

    /// Sets PAM_AUTHTOK for the modules below.
    pub(crate) fn set_authtok(&self, password: &[u8]) -> Option<()> {
        let password = CString::new(password).ok()?;
        let mut pamh = self.0.borrow_mut();
        // SAFETY: the handle is valid for this call; libpam copies the C string before it returns.
        let result = unsafe { pam_set_item(&raw mut **pamh, PAM_AUTHTOK, password.as_ptr().cast()) };
        password.into_bytes().zeroize();
        (result == PamResultCode::PAM_SUCCESS as c_int).then_some(())
    }

    /// Keeps what the authentication has left to do until the account phase of the same transaction.
    pub(crate) fn carry(&self, unfinished: Option<Unfinished>) -> Option<()> {
        let carried = Carried(Mutex::new(unfinished));
        self.0.borrow_mut().set_data(CARRIED, Box::new(carried)).ok()
    }

    /// The data kept by the authentication. `None`: we took no part in it. It can be taken once.
    pub(crate) fn carried(&self) -> Option<Taken> {
        let pamh = self.0.borrow();
        // SAFETY: only `carry` stores under this name, which no other version of this module uses, and always this type;
        // libpam keeps the value until the transaction ends.
        let carried = unsafe { pamh.get_data::<Carried>(CARRIED) }.ok()?;
        Some(Taken(carried.0.lock().unwrap_or_else(PoisonError::into_inner).take()))
    }

    /// Notes for our line below what has become of the first factor. `None` where libpam keeps nothing.
    pub(crate) fn note(&self, first_factor: FirstFactor) -> Option<()> {
        let has_failed = first_factor == FirstFactor::Failed;
        if self.noted(|noted| noted.swap(has_failed, Ordering::Relaxed)).is_some() {
            return Some(());
        }
        match first_factor {
            FirstFactor::Unknown => Some(()),
            FirstFactor::Failed => {
                let failed = Failed(AtomicBool::new(true));
                self.0.borrow_mut().set_data(FIRST_FACTOR, Box::new(failed)).ok()
            }
        }
    }

    /// Takes the note of a failed first factor: the next authentication of this handle begins without one.
    pub(crate) fn first_factor_has_failed(&self) -> bool {
        self.noted(|noted| noted.swap(false, Ordering::Relaxed)).unwrap_or_default()
    }

    fn noted(&self, change: impl FnOnce(&AtomicBool) -> bool) -> Option<bool> {
        let pamh = self.0.borrow();
        // SAFETY: only `note` stores under this name, which no other version of this module uses, and always this type; libpam
        // keeps the value until the transaction ends.
        let failed = unsafe { pamh.get_data::<Failed>(FIRST_FACTOR) }.ok()?;
        Some(change(&failed.0))
    }

    /// Writes a line to syslog (authpriv). libpam puts `pam_twofactor(service:phase): ` before it.
    pub(crate) fn syslog(&self, priority: c_int, line: &str) {
        // Records escape NUL; should one get here all the same, a line cut short is better than none.
        let line = line.split('\0').next().unwrap_or_default();
        let Ok(line) = CString::new(line) else { return };
        let pamh = self.0.borrow();
        // SAFETY: the handle is valid for this call; the format takes exactly the one C string that follows.
        unsafe { pam_syslog(&raw const **pamh, priority, c"%s".as_ptr(), line.as_ptr()) };
    }

    /// Asks libpam to let the application wait should the whole authentication fail.
    pub(crate) fn delay_failure(&self) {
        let mut pamh = self.0.borrow_mut();
        // SAFETY: the handle is valid for this call. A failure to set the delay changes no verdict.
        let _ = unsafe { pam_fail_delay(&raw mut **pamh, FAILURE_DELAY_MICROSECONDS) };
    }
}

fn lossy(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}
