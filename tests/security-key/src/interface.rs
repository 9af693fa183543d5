//! `sk-api.h` of OpenSSH, of which the version below has been the newest since 9.1: that of Debian 12's 9.2 and 13's 10.0.

use std::ffi::{c_char, c_int};

/// `SSH_SK_VERSION_MAJOR`.
pub(crate) const VERSION: u32 = 0x000a_0000;

/// `SSH_SK_USER_PRESENCE_REQD`.
pub(crate) const TOUCH_REQUIRED: u8 = 0x01;
/// `SSH_SK_USER_VERIFICATION_REQD`.
pub(crate) const VERIFICATION_REQUIRED: u8 = 0x04;

/// `SSH_SK_ERR_GENERAL`.
pub(crate) const FAILED: c_int = -1;
/// `SSH_SK_ERR_UNSUPPORTED`.
pub(crate) const NOT_SUPPORTED: c_int = -2;

/// Bytes that OpenSSH frees.
#[repr(C)]
pub(crate) struct Bytes {
    start: *mut u8,
    length: usize,
}

/// `struct sk_enroll_response`.
#[repr(C)]
pub struct Enrolled {
    pub(crate) flags: u8,
    pub(crate) public_key: Bytes,
    pub(crate) handle: Bytes,
    pub(crate) signature: Bytes,
    pub(crate) certificate: Bytes,
    pub(crate) authenticator_data: Bytes,
}

/// `struct sk_sign_response`.
#[repr(C)]
pub struct Signed {
    pub(crate) flags: u8,
    pub(crate) counter: u32,
    pub(crate) r: Bytes,
    pub(crate) s: Bytes,
}

/// `struct sk_option`: name, value, and whether it must be understood.
#[repr(C)]
pub struct KeyOption {
    _name: *mut c_char,
    _value: *mut c_char,
    _required: u8,
}

/// `struct sk_resident_key`, of which there are none.
#[repr(C)]
pub struct ResidentKey {
    _opaque: [u8; 0],
}

/// # Safety
///
/// `start` is valid for `length` bytes.
pub(crate) unsafe fn bytes<'b>(start: *const u8, length: usize) -> &'b [u8] {
    // SAFETY: the caller says so; a pointer to nothing is valid for no bytes.
    if length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(start, length) } }
}

/// A copy that OpenSSH frees.
pub(crate) fn given(content: &[u8]) -> Bytes {
    if content.is_empty() {
        return Bytes { start: std::ptr::null_mut(), length: 0 };
    }
    // SAFETY: memory for so many bytes, which are written there.
    let start = unsafe {
        let start = libc::malloc(content.len()).cast::<u8>();
        assert!(!start.is_null(), "memory");
        std::ptr::copy_nonoverlapping(content.as_ptr(), start, content.len());
        start
    };
    Bytes { start, length: content.len() }
}

/// An answer that OpenSSH frees.
pub(crate) fn in_new_memory<T>(answer: T) -> *mut T {
    // SAFETY: malloc aligns for every C type, and these are C types.
    unsafe {
        let place = libc::malloc(size_of::<T>()).cast::<T>();
        assert!(!place.is_null(), "memory");
        place.write(answer);
        place
    }
}
