//! A security key in software, as ssh and ssh-keygen load one (`SecurityKeyProvider`, `ssh-keygen -w`).
//!
//! It has no memory of its own: the handle of a key is the key. A program's environment is the person in front of it:
//!
//! * `SECURITY_KEY_FLAGS`: the flags of every signature, some of `touched` and `verified`; what ssh asks for does not count. It
//!   is empty for a signature without touch. Without the variable the person does as ssh asks.
//! * `SECURITY_KEY_COUNTER`: the file of the counter. Without it every signature is the first.
//! * `SECURITY_KEY_ATTESTATION`: a folder with `key.p8` (PKCS #8, P-256) and `certificate.der` of a vendor, which sign new keys. The
//!   file `model` there has the 16 bytes of the model; without it they are zero, as those of no model.
//! * `SECURITY_KEY_U2F`: new keys are signed as U2F does it, and not FIDO2.
//!
//! It keeps no resident keys, and asks for no PIN.

#![allow(unsafe_code, reason = "the interface is C")]
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, reason = "tests fail loudly")]
// `sk-api.h` names the functions.
#![allow(missing_docs, unreachable_pub, reason = "OpenSSH calls these, no crate does")]

mod interface;
mod key;

use std::ffi::{CStr, c_char, c_int};
use std::path::{Path, PathBuf};

use interface::{
    Enrolled, FAILED, KeyOption, NOT_SUPPORTED, ResidentKey, Signed, TOUCH_REQUIRED, VERIFICATION_REQUIRED, VERSION,
    bytes, given, in_new_memory,
};
use key::{Algorithm, Key};

/// The flag of a touch (user presence) in what a key signs.
const TOUCHED: u8 = 0x01;
/// That of a PIN or a finger (user verification).
const VERIFIED: u8 = 0x04;

#[unsafe(no_mangle)]
pub extern "C" fn sk_api_version() -> u32 {
    VERSION
}

/// # Safety
///
/// The pointers are OpenSSH's, for as long as the call takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_enroll(
    algorithm: u32,
    challenge: *const u8,
    challenge_length: usize,
    application: *const c_char,
    flags: u8,
    _pin: *const c_char,
    _options: *mut *mut KeyOption,
    enrolled: *mut *mut Enrolled,
) -> c_int {
    let Some(algorithm) = Algorithm::of(algorithm) else { return NOT_SUPPORTED };
    // SAFETY: OpenSSH gives a text and so many bytes.
    let (application, challenge) =
        unsafe { (CStr::from_ptr(application).to_bytes(), bytes(challenge, challenge_length)) };
    let key = Key::generate(algorithm);
    let attestation = std::env::var_os("SECURITY_KEY_ATTESTATION").map(|folder| {
        let folder = Path::new(&folder);
        let model =
            std::fs::read(folder.join("model")).ok().and_then(|model| model.try_into().ok()).unwrap_or_default();
        let authenticator_data = key.authenticator_data(application, by_a_person(flags), &model);
        let message = match std::env::var_os("SECURITY_KEY_U2F") {
            Some(_) => key.in_u2f(application, challenge),
            None => Key::packed(&authenticator_data, challenge),
        };
        let signature = key::attest(&folder.join("key.p8"), &message);
        let certificate = std::fs::read(folder.join("certificate.der")).expect("the vendor's certificate");
        (signature, certificate, key::in_cbor(&authenticator_data))
    });
    let (signature, certificate, authenticator_data) = attestation.unwrap_or_default();
    let [public_key, handle] = [key.public(), key.handle()].map(given);
    let [signature, certificate, authenticator_data] =
        [signature, certificate, authenticator_data].map(|part| given(&part));
    let answer = Enrolled { flags, public_key, handle, signature, certificate, authenticator_data };
    // SAFETY: where OpenSSH wants the answer.
    unsafe { *enrolled = in_new_memory(answer) };
    0
}

/// # Safety
///
/// The pointers are OpenSSH's, for as long as the call takes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sign(
    algorithm: u32,
    message: *const u8,
    message_length: usize,
    application: *const c_char,
    handle: *const u8,
    handle_length: usize,
    flags: u8,
    _pin: *const c_char,
    _options: *mut *mut KeyOption,
    signed: *mut *mut Signed,
) -> c_int {
    let Some(algorithm) = Algorithm::of(algorithm) else { return NOT_SUPPORTED };
    // SAFETY: OpenSSH gives a text and so many bytes.
    let (application, message, handle) = unsafe {
        (CStr::from_ptr(application).to_bytes(), bytes(message, message_length), bytes(handle, handle_length))
    };
    let Some(key) = Key::of_handle(algorithm, handle) else { return FAILED };
    let (flags, counter) = (by_a_person(flags), next_count());
    let [r, s] = key.sign(application, flags, counter, message);
    let answer = Signed { flags, counter, r: given(&r), s: given(&s) };
    // SAFETY: where OpenSSH wants the answer.
    unsafe { *signed = in_new_memory(answer) };
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn sk_load_resident_keys(
    _pin: *const c_char,
    _options: *mut *mut KeyOption,
    _keys: *mut *mut *mut ResidentKey,
    _count: *mut usize,
) -> c_int {
    NOT_SUPPORTED
}

/// The flags of a signature, with what the person in front of the key did.
fn by_a_person(asked: u8) -> u8 {
    let Ok(words) = std::env::var("SECURITY_KEY_FLAGS") else {
        let touched = if asked & TOUCH_REQUIRED == 0 { 0 } else { TOUCHED };
        let verified = if asked & VERIFICATION_REQUIRED == 0 { 0 } else { VERIFIED };
        return touched | verified;
    };
    let flag = |word: &str| match word {
        "touched" => TOUCHED,
        "verified" => VERIFIED,
        _ => panic!("SECURITY_KEY_FLAGS says {word}"),
    };
    words.split_whitespace().map(flag).fold(0, |all, flag| all | flag)
}

/// The number of the next signature.
fn next_count() -> u32 {
    let Some(file) = std::env::var_os("SECURITY_KEY_COUNTER").map(PathBuf::from) else { return 1 };
    let before = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let next = before + 1;
    std::fs::write(&file, format!("{next}\n")).expect("the counter's file");
    next
}
