//! The application side of libpam: one login as sshd does it, from `pam_start` to `pam_end`.
//!
//! Every login loads its module anew and connects to syslog anew, as in a process that exists for one login.

#![allow(unsafe_code, reason = "libpam is C")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::time::{Duration, Instant};

// libgcc linked into this program: a program that has libgcc_s.so.1 loaded already, as every Rust program has, would
// spare our module, and no other, the loading of it. sshd does not have it.
#[link(name = "gcc_eh", kind = "static", modifiers = "+whole-archive,-bundle")]
unsafe extern "C" {}

/// `struct pam_message` (`pam_conv(3)`).
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response` (`pam_conv(3)`).
#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

/// `struct pam_conv` (`pam_conv(3)`).
#[repr(C)]
struct Conversation {
    converse: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

/// `pam_handle_t`.
#[repr(C)]
struct Handle {
    _opaque: [u8; 0],
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        confdir: *const c_char,
        handle: *mut *mut Handle,
    ) -> c_int;
    fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
}

unsafe extern "C" {
    fn closelog();
}

// security/_pam_types.h
const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_RHOST: c_int = 4;
const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;

/// How a login ended, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    /// What libpam said; 0 is success.
    pub(crate) code: c_int,
    /// From before `pam_start` until after `pam_end`.
    pub(crate) took: Duration,
}

/// Logs `user` in through `service`, answering every prompt with `answer`.
pub(crate) fn login(confdir: &CStr, service: &CStr, user: &CStr, answer: &CStr) -> Login {
    let conversation = Conversation { converse, data: answer.as_ptr().cast_mut().cast() };
    let mut handle: *mut Handle = std::ptr::null_mut();
    let started = Instant::now();
    // SAFETY: all pointers are valid C strings; the conversation and its answer live until after pam_end.
    let code = unsafe {
        let pointer = &raw const conversation;
        let code = pam_start_confdir(service.as_ptr(), user.as_ptr(), pointer, confdir.as_ptr(), &raw mut handle);
        assert_eq!(code, PAM_SUCCESS, "pam_start");
        pam_set_item(handle, PAM_RHOST, c"192.0.2.7".as_ptr().cast());
        let code = pam_authenticate(handle, 0);
        pam_end(handle, code);
        code
    };
    let took = started.elapsed();
    // SAFETY: this program has one thread, and nothing else in it uses syslog.
    unsafe { closelog() };
    Login { code, took }
}

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
