//! The application side of libpam: one login as sshd does it, from `pam_start` to `pam_end`.
//!
//! Every login loads its module anew and connects to syslog anew, as in a process that exists for one login.

#![allow(unsafe_code, reason = "libpam is C")]

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::time::{Duration, Instant};

use crate::libpam::{
    Conversation, Handle, Message, PAM_BUF_ERR, PAM_FAIL_DELAY, PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_RHOST,
    PAM_SUCCESS, Response, pam_authenticate, pam_end, pam_putenv, pam_set_item, pam_start_confdir,
};

// libgcc linked into this program: a program that has libgcc_s.so.1 loaded already, as every Rust program has, would
// spare our module, and no other, the loading of it. sshd does not have it.
#[link(name = "gcc_eh", kind = "static", modifiers = "+whole-archive,-bundle")]
unsafe extern "C" {}

unsafe extern "C" {
    fn closelog();
}

/// How a login ended, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    /// The return code of libpam; 0 is success.
    pub(crate) code: c_int,
    /// From before `pam_start` until after `pam_end`.
    pub(crate) took: Duration,
}

/// Logs `user` in through `service`, answering every prompt with `answer`.
pub(crate) fn login(confdir: &CStr, service: &CStr, user: &CStr, answer: &CStr) -> Login {
    login_with(confdir, service, user, answer, None)
}

/// The same with a variable of PAM (`NAME=VALUE`), set before the login as sshd sets it.
pub(crate) fn login_with(confdir: &CStr, service: &CStr, user: &CStr, answer: &CStr, variable: Option<&CStr>) -> Login {
    let conversation = Conversation { converse, data: answer.as_ptr().cast_mut().cast() };
    let mut handle: *mut Handle = std::ptr::null_mut();
    let started = Instant::now();
    // SAFETY: all pointers are valid C strings; the conversation and its answer live until after pam_end.
    let code = unsafe {
        let pointer = &raw const conversation;
        let code = pam_start_confdir(service.as_ptr(), user.as_ptr(), pointer, confdir.as_ptr(), &raw mut handle);
        assert_eq!(code, PAM_SUCCESS, "pam_start");
        pam_set_item(handle, PAM_RHOST, c"192.0.2.7".as_ptr().cast());
        // What a refusal takes is measured, and not how long libpam waits after it.
        let at_once: extern "C" fn(c_int, c_uint, *mut c_void) = no_delay;
        pam_set_item(handle, PAM_FAIL_DELAY, at_once as *const c_void);
        if let Some(variable) = variable {
            assert_eq!(pam_putenv(handle, variable.as_ptr()), PAM_SUCCESS, "pam_putenv");
        }
        let code = pam_authenticate(handle, 0);
        pam_end(handle, code);
        code
    };
    let took = started.elapsed();
    // SAFETY: this program has one thread, and nothing else in it uses syslog.
    unsafe { closelog() };
    Login { code, took }
}

extern "C" fn no_delay(_code: c_int, _microseconds: c_uint, _data: *mut c_void) {}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    answer: *mut c_void,
) -> c_int {
    let Ok(length) = usize::try_from(count) else {
        return PAM_BUF_ERR;
    };
    // SAFETY: calloc gives zeroed room for `length` responses, or NULL. libpam or the module frees it.
    let array: *mut Response = unsafe { libc::calloc(length, size_of::<Response>()) }.cast();
    if array.is_null() {
        return PAM_BUF_ERR;
    }
    for index in 0..length {
        // SAFETY: Linux-PAM passes an array of `length` pointers to messages (pam_conv(3)), and `login` a C string.
        unsafe {
            if matches!((**messages.add(index)).style, PAM_PROMPT_ECHO_OFF | PAM_PROMPT_ECHO_ON) {
                (*array.add(index)).text = libc::strdup(answer.cast());
            }
        }
    }
    // SAFETY: libpam passes a valid place for the array and takes it over on success.
    unsafe { *responses = array };
    PAM_SUCCESS
}
