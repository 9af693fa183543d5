//! libpam as an application calls it (`pam_conv(3)`, `security/_pam_types.h`), for the programs that are one.

#![allow(dead_code, reason = "each program uses a part")]
#![allow(unsafe_code, reason = "libpam is C")]

use std::ffi::{c_char, c_int, c_void};

pub(crate) mod frugal;

/// `struct pam_message` (`pam_conv(3)`).
#[repr(C)]
pub(crate) struct Message {
    pub(crate) style: c_int,
    pub(crate) text: *const c_char,
}

/// `struct pam_response` (`pam_conv(3)`).
#[repr(C)]
pub(crate) struct Response {
    pub(crate) text: *mut c_char,
    pub(crate) unused: c_int,
}

/// `struct pam_conv` (`pam_conv(3)`).
#[repr(C)]
pub(crate) struct Conversation {
    pub(crate) converse: extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    pub(crate) data: *mut c_void,
}

/// `pam_handle_t`.
#[repr(C)]
pub(crate) struct Handle {
    _opaque: [u8; 0],
}

#[link(name = "pam")]
unsafe extern "C" {
    pub(crate) fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        confdir: *const c_char,
        handle: *mut *mut Handle,
    ) -> c_int;
    pub(crate) fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    pub(crate) fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    pub(crate) fn pam_putenv(handle: *mut Handle, name_and_value: *const c_char) -> c_int;
    pub(crate) fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
    pub(crate) fn pam_setcred(handle: *mut Handle, flags: c_int) -> c_int;
    pub(crate) fn pam_acct_mgmt(handle: *mut Handle, flags: c_int) -> c_int;
    pub(crate) fn pam_open_session(handle: *mut Handle, flags: c_int) -> c_int;
    pub(crate) fn pam_close_session(handle: *mut Handle, flags: c_int) -> c_int;
    pub(crate) fn pam_chauthtok(handle: *mut Handle, flags: c_int) -> c_int;
}

// security/_pam_types.h
pub(crate) const PAM_SUCCESS: c_int = 0;
pub(crate) const PAM_BUF_ERR: c_int = 5;
pub(crate) const PAM_CONV_ERR: c_int = 19;
pub(crate) const PAM_SILENT: c_int = 0x8000;
pub(crate) const PAM_USER: c_int = 2;
pub(crate) const PAM_TTY: c_int = 3;
pub(crate) const PAM_RHOST: c_int = 4;
pub(crate) const PAM_FAIL_DELAY: c_int = 10;
pub(crate) const PAM_ESTABLISH_CRED: c_int = 2;
pub(crate) const PAM_PROMPT_ECHO_OFF: c_int = 1;
pub(crate) const PAM_PROMPT_ECHO_ON: c_int = 2;
pub(crate) const PAM_ERROR_MSG: c_int = 3;
pub(crate) const PAM_TEXT_INFO: c_int = 4;
