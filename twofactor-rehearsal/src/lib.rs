//! This host's libpam as an application sees it: runs a service that a folder describes.
//!
//! For the command alone, which runs a change to a service with stubs in the place of modules before it makes it, in a process of
//! its own. libpam is loaded when it is needed, so the command needs none to start, and one that is too old to be told a folder is
//! an error with a name. Modules are asked nothing and answer nothing: whatever is no plain text is refused.

#![expect(unsafe_code, reason = "libpam is C")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

use thiserror::Error;

/// The library that modules are linked with.
const LIBRARY: &CStr = c"libpam.so.0";
/// A user who need not be there: stubs ask for none.
const USER: &CStr = c"rehearsal";
/// `PAM_SUCCESS` (security/_pam_types.h).
const PAM_SUCCESS: c_int = 0;
/// `PAM_CONV_ERR`.
const PAM_CONV_ERR: c_int = 19;
/// `PAM_TEXT_INFO`.
const PAM_TEXT_INFO: c_int = 4;

/// Why libpam cannot run a service here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// There is none.
    #[error("there is no libpam.so.0")]
    NoLibrary,
    /// It lacks a function: before 1.4 it reads no folder but its own.
    #[error("this libpam is older than 1.4: it has no {0}")]
    TooOld(&'static str),
}

/// The results of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The result of `pam_start_confdir`. When that is no success, nothing else was called.
    pub start: i32,
    /// The result of `pam_authenticate`.
    pub auth: i32,
    /// The result of `pam_acct_mgmt`.
    pub account: i32,
    /// The texts that modules showed, in their order.
    pub said: Vec<String>,
}

/// A transaction. Only libpam looks into it.
#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

/// `struct pam_message`.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_conv`.
#[repr(C)]
struct Conversation {
    converse: extern "C" fn(c_int, *mut *const Message, *mut *mut c_void, *mut c_void) -> c_int,
    data: *mut c_void,
}

type Start =
    unsafe extern "C" fn(*const c_char, *const c_char, *const Conversation, *const c_char, *mut *mut Handle) -> c_int;
/// `pam_authenticate`, `pam_acct_mgmt`, `pam_end`: a handle, and flags or a status.
type Call = unsafe extern "C" fn(*mut Handle, c_int) -> c_int;

/// The functions of the library, which is never unloaded.
#[derive(Debug, Clone, Copy)]
pub struct Libpam {
    start: Start,
    authenticate: Call,
    account: Call,
    end: Call,
}

impl Libpam {
    /// Loads it.
    pub fn load() -> Result<Self, Unavailable> {
        // SAFETY: the name is a C string. The library's constructors are those of every PAM application.
        let library = unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW) };
        let library = NonNull::new(library).ok_or(Unavailable::NoLibrary)?;
        let find = |name: &'static CStr| {
            // SAFETY: the library was loaded above and stays loaded, and the name is a C string.
            let symbol = unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) };
            NonNull::new(symbol).ok_or(Unavailable::TooOld(name.to_str().unwrap_or_default()))
        };
        let start = find(c"pam_start_confdir")?;
        let call = |name| {
            let symbol = find(name)?;
            // SAFETY: the three functions that are asked for have this type in security/pam_appl.h since there is Linux-PAM.
            Ok(unsafe { std::mem::transmute::<*mut c_void, Call>(symbol.as_ptr()) })
        };
        Ok(Self {
            // SAFETY: pam_start_confdir has this type in security/pam_appl.h since it is there.
            start: unsafe { std::mem::transmute::<*mut c_void, Start>(start.as_ptr()) },
            authenticate: call(c"pam_authenticate")?,
            account: call(c"pam_acct_mgmt")?,
            end: call(c"pam_end")?,
        })
    }

    /// Runs the auth and the account phase of a service that a file in `folder` describes.
    pub fn run(&self, service: &CStr, folder: &CStr) -> Done {
        let mut said: Vec<String> = Vec::new();
        let conversation = Conversation { converse: heard, data: (&raw mut said).cast() };
        let mut handle: *mut Handle = std::ptr::null_mut();
        // SAFETY: the strings and the conversation outlive the transaction, which ends below; libpam writes the handle.
        let start = unsafe {
            (self.start)(service.as_ptr(), USER.as_ptr(), &raw const conversation, folder.as_ptr(), &raw mut handle)
        };
        if start != PAM_SUCCESS {
            return Done { start, auth: start, account: start, said };
        }
        // SAFETY: the handle is that of a transaction that was started, and is not used once it has ended. `said` is written by
        // the conversation alone, during these calls.
        let (auth, account) = unsafe {
            let auth = (self.authenticate)(handle, 0);
            let account = (self.account)(handle, 0);
            (self.end)(handle, account);
            (auth, account)
        };
        Done { start, auth, account, said }
    }

    /// Runs the auth phase of a service and never ends the transaction, so that what it loads stays: each run after it would load
    /// its modules anew, which takes longer than running them.
    pub fn keep_modules(&self, service: &CStr, folder: &CStr) {
        let mut said: Vec<String> = Vec::new();
        let conversation = Conversation { converse: heard, data: (&raw mut said).cast() };
        let mut handle: *mut Handle = std::ptr::null_mut();
        // SAFETY: the strings and the conversation outlive the two calls, and libpam writes the handle; it is not used afterwards,
        // so `said` is not looked at again.
        unsafe {
            let start = (self.start)(
                service.as_ptr(),
                USER.as_ptr(),
                &raw const conversation,
                folder.as_ptr(),
                &raw mut handle,
            );
            if start == PAM_SUCCESS {
                (self.authenticate)(handle, 0);
            }
        }
    }
}

/// Keeps texts. Who asks something gets no answer.
extern "C" fn heard(count: c_int, messages: *mut *const Message, _: *mut *mut c_void, data: *mut c_void) -> c_int {
    if count != 1 || messages.is_null() || data.is_null() {
        return PAM_CONV_ERR;
    }
    // SAFETY: libpam hands over as many pointers to messages as it says, one, and each message has a C string or NULL.
    let text = unsafe {
        match (*messages).as_ref() {
            Some(message) if message.style == PAM_TEXT_INFO && !message.text.is_null() => CStr::from_ptr(message.text),
            _ => return PAM_CONV_ERR,
        }
    };
    // SAFETY: `data` is the vector of `run`, which is there as long as the transaction and is not looked at meanwhile.
    let said = unsafe { &mut *data.cast::<Vec<String>>() };
    said.push(text.to_string_lossy().into_owned());
    PAM_SUCCESS
}

/// Has this process write nothing to syslog any more: libpam says of every line that it cannot run that it cannot, at each start.
pub fn silence_syslog() {
    // SAFETY: takes and returns a number. No priority has this bit, so nothing passes.
    unsafe { libc::setlogmask(1 << 8) };
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs;

    use super::*;

    fn run(files: &[(&str, &str)]) -> Done {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let path = CString::new(folder.path().to_str().unwrap()).unwrap();
        Libpam::load().unwrap().run(c"service", &path)
    }

    #[test]
    fn stubs_return_what_they_are_told_to_and_say_so() {
        let done = run(&[(
            "service",
            "auth [success=1 default=bad] pam_debug.so auth=success\nauth required pam_debug.so auth=auth_err\n\
             auth required pam_debug.so auth=perm_denied acct=success\naccount required pam_debug.so acct=acct_expired\n",
        )]);
        let said = ["auth=success", "auth=perm_denied", "acct=acct_expired"];
        assert_eq!(done, Done { start: 0, auth: 6, account: 13, said: said.map(str::to_owned).to_vec() });
    }

    #[test]
    fn modules_that_are_kept_stay_loaded() {
        // Of another name, which no other test loads and unloads.
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("service"), "auth required pam_permit.so\n").unwrap();
        let path = CString::new(folder.path().to_str().unwrap()).unwrap();
        let libpam = Libpam::load().unwrap();
        let loaded = || fs::read_to_string("/proc/self/maps").unwrap().contains("pam_permit.so");
        libpam.run(c"service", &path);
        assert!(!loaded(), "libpam unloads a module with its transaction");
        libpam.keep_modules(c"service", &path);
        libpam.run(c"service", &path);
        assert!(loaded());
    }

    #[test]
    fn a_service_that_nothing_describes_is_not_started() {
        let done = run(&[]);
        assert_ne!(done.start, 0);
        assert_eq!(done.said, [""; 0]);
    }
}
