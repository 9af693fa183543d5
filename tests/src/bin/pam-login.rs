//! A PAM application for tests: sshd's part of a login, with every answer scripted from outside.
//!
//! `pam-login --confdir DIR --service NAME [--user NAME] [--rhost HOST] [--tty TTY] [--calls authenticate,account,setcred]
//! [--repeat N] [--flags silent] [--texts shown|dropped|refused] [--dump FILE]`
//!
//! With an empty DIR services are those of the system, as for any application.
//!
//! Among the calls, `become:NAME` sets PAM_USER, as an application may that changes its mind, and `putenv:NAME=VALUE` a
//! variable of PAM's environment, as sshd does. `putenv-endless:NAME=VALUE` puts 64 MiB behind the value, and leaves the process no
//! room for a copy of that.
//!
//! Every event is one line of JSON on stdout: a prompt, a return code, a delay that a module asked for, the end of a
//! transaction. A prompt that wants an answer reads one line from stdin: `answer HEX`, `null` (no answer at all) or `fail`
//! (the conversation function fails; so does the end of stdin). It never sleeps: delays are reported instead.
//!
//! With `--dump` it keeps no copy of texts and answers, reports texts in hexadecimal, and after `pam_end` writes its memory
//! to the file.
//!
//! Some applications have no place for a text that is no question: `--texts dropped` takes it and shows it to nobody,
//! `--texts refused` makes the conversation function fail.

#![allow(unsafe_code, reason = "the application side of libpam is C")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program fails loudly and reports on stdout"
)]

use std::ffi::{CString, OsString, c_char, c_int, c_uint, c_void};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;

use nix::sys::resource::{Resource, setrlimit};
use serde_json::{Value, json};

use libpam::{
    Conversation, Handle, Message, PAM_BUF_ERR, PAM_CONV_ERR, PAM_ERROR_MSG, PAM_ESTABLISH_CRED, PAM_FAIL_DELAY,
    PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_RHOST, PAM_SILENT, PAM_SUCCESS, PAM_TEXT_INFO, PAM_TTY, PAM_USER,
    Response, frugal, pam_acct_mgmt, pam_authenticate, pam_chauthtok, pam_close_session, pam_end, pam_open_session,
    pam_putenv, pam_set_item, pam_setcred, pam_start_confdir,
};

mod libpam;

/// The command line.
struct Script {
    confdir: CString,
    service: CString,
    user: Option<CString>,
    rhost: Option<CString>,
    tty: Option<CString>,
    calls: Vec<String>,
    repeat: u32,
    flags: c_int,
    texts: Texts,
    dump: Option<OsString>,
}

/// What becomes of a text that asks nothing (`PAM_TEXT_INFO`, `PAM_ERROR_MSG`).
#[derive(Clone, Copy)]
enum Texts {
    Shown,
    /// Shown, and no copy is kept.
    Forgotten,
    Dropped,
    Refused,
}

fn main() {
    let script = Script::from_arguments();
    let before = open_descriptors();
    for _ in 0..script.repeat {
        let status = transaction(&script);
        if let Some(path) = &script.dump {
            frugal::dump(path.as_ref());
        }
        report(&json!({
            "event": "end",
            "status": status,
            "descriptors_before": before,
            "descriptors": open_descriptors(),
            "resident_kb": resident_kb(),
        }));
    }
}

impl Script {
    fn from_arguments() -> Self {
        let mut confdir = None;
        let mut service = None;
        let mut script = Self {
            confdir: c"/etc/pam.d".to_owned(),
            service: c"other".to_owned(),
            user: None,
            rhost: None,
            tty: None,
            calls: vec!["authenticate".to_owned()],
            repeat: 1,
            flags: 0,
            texts: Texts::Shown,
            dump: None,
        };
        let mut arguments = std::env::args_os().skip(1);
        while let Some(option) = arguments.next() {
            let value = arguments.next().unwrap_or_else(|| panic!("{} takes a value", option.display()));
            match option.to_str() {
                Some("--confdir") => confdir = Some(c_string(value)),
                Some("--service") => service = Some(c_string(value)),
                Some("--user") => script.user = Some(c_string(value)),
                Some("--rhost") => script.rhost = Some(c_string(value)),
                Some("--tty") => script.tty = Some(c_string(value)),
                Some("--calls") => script.calls = text(value).split(',').map(str::to_owned).collect(),
                Some("--repeat") => script.repeat = text(value).parse().expect("--repeat takes a number"),
                Some("--flags") => {
                    assert_eq!(text(value), "silent", "--flags takes: silent");
                    script.flags = PAM_SILENT;
                }
                Some("--dump") => script.dump = Some(value),
                Some("--texts") => {
                    script.texts = match text(value).as_str() {
                        "shown" => Texts::Shown,
                        "dropped" => Texts::Dropped,
                        "refused" => Texts::Refused,
                        other => panic!("--texts takes shown, dropped or refused, not {other}"),
                    };
                }
                _ => panic!("unknown option {}", option.display()),
            }
        }
        Self { confdir: confdir.expect("--confdir"), service: service.expect("--service"), ..script }
    }
}

/// `pam_start` … `pam_end`. Gives the code of the last call.
fn transaction(script: &Script) -> c_int {
    let mut texts = if script.dump.is_some() { Texts::Forgotten } else { script.texts };
    let conversation = Conversation { converse, data: (&raw mut texts).cast() };
    let mut handle: *mut Handle = std::ptr::null_mut();
    let user = script.user.as_ref().map_or(std::ptr::null(), |user| user.as_ptr());
    // SAFETY: all pointers are valid C strings or NULL where allowed; the conversation and what
    // it points to live until after pam_end.
    let started = unsafe {
        pam_start_confdir(
            script.service.as_ptr(),
            user,
            &raw const conversation,
            if script.confdir.is_empty() { std::ptr::null() } else { script.confdir.as_ptr() },
            &raw mut handle,
        )
    };
    if started != PAM_SUCCESS {
        report(&json!({ "event": "result", "call": "start", "code": started }));
        return started;
    }
    for (item, value) in [(PAM_TTY, &script.tty), (PAM_RHOST, &script.rhost)] {
        if let Some(value) = value {
            // SAFETY: the handle is started; libpam copies the C string.
            let set = unsafe { pam_set_item(handle, item, value.as_ptr().cast()) };
            assert_eq!(set, PAM_SUCCESS, "pam_set_item({item})");
        }
    }
    let recorder: extern "C" fn(c_int, c_uint, *mut c_void) = record_delay;
    // SAFETY: PAM_FAIL_DELAY takes a function pointer of this signature (pam_fail_delay(3)), passed as a data pointer.
    let set = unsafe { pam_set_item(handle, PAM_FAIL_DELAY, recorder as *const c_void) };
    assert_eq!(set, PAM_SUCCESS, "pam_set_item(PAM_FAIL_DELAY)");

    let mut status = PAM_SUCCESS;
    for call in &script.calls {
        if let Some(name) = call.strip_prefix("become:") {
            let name = CString::new(name).expect("arguments have no NUL");
            // SAFETY: the handle is started; libpam copies the C string.
            let set = unsafe { pam_set_item(handle, PAM_USER, name.as_ptr().cast()) };
            assert_eq!(set, PAM_SUCCESS, "pam_set_item(PAM_USER)");
            continue;
        }
        if let Some(variable) = call.strip_prefix("putenv:") {
            put_into_environment(handle, variable.to_owned());
            continue;
        }
        if let Some(variable) = call.strip_prefix("putenv-endless:") {
            put_into_environment(handle, format!("{variable}\n{}", "x".repeat(ENDLESS)));
            leave_room_for(ENDLESS / 4);
            continue;
        }
        // SAFETY: the handle is started and not ended.
        status = unsafe {
            match call.as_str() {
                "authenticate" => pam_authenticate(handle, script.flags),
                "account" => pam_acct_mgmt(handle, script.flags),
                "setcred" => pam_setcred(handle, PAM_ESTABLISH_CRED | script.flags),
                "open_session" => pam_open_session(handle, script.flags),
                "close_session" => pam_close_session(handle, script.flags),
                "chauthtok" => pam_chauthtok(handle, script.flags),
                other => panic!("unknown call {other}"),
            }
        };
        report(&json!({ "event": "result", "call": call, "code": status }));
    }
    // SAFETY: the handle is started and is not used again.
    let ended = unsafe { pam_end(handle, status) };
    assert_eq!(ended, PAM_SUCCESS, "pam_end");
    status
}

extern "C" fn record_delay(status: c_int, microseconds: c_uint, _data: *mut c_void) {
    report(&json!({ "event": "delay", "status": status, "microseconds": microseconds }));
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    // SAFETY: `data` is what `transaction` has put into the conversation, and lives as long.
    let texts = unsafe { *data.cast::<Texts>() };
    let length = usize::try_from(count).expect("libpam sends one message or more");
    // SAFETY: calloc gives zeroed room for `length` responses, or NULL. libpam or the module frees it.
    let array: *mut Response = unsafe { libc::calloc(length, size_of::<Response>()) }.cast();
    if array.is_null() {
        return PAM_BUF_ERR;
    }
    for index in 0..length {
        // SAFETY: Linux-PAM passes an array of `length` pointers to messages (pam_conv(3)).
        let message = unsafe { &**messages.add(index) };
        let Ok(answer) = one_message(message, texts) else {
            // SAFETY: the array is ours until we return success.
            unsafe {
                for earlier in 0..index {
                    libc::free((*array.add(earlier)).text.cast());
                }
                libc::free(array.cast());
            }
            return PAM_CONV_ERR;
        };
        // SAFETY: within the array of `length` responses.
        unsafe { (*array.add(index)).text = answer };
    }
    // SAFETY: libpam passes a valid place for the array and takes it over on success.
    unsafe { *responses = array };
    PAM_SUCCESS
}

/// The conversation function has to fail.
struct Failure;

/// Reports a message and reads its answer, as memory that libpam may free.
fn one_message(message: &Message, texts: Texts) -> Result<*mut c_char, Failure> {
    let style = match message.style {
        PAM_PROMPT_ECHO_OFF => "prompt_echo_off",
        PAM_PROMPT_ECHO_ON => "prompt_echo_on",
        PAM_ERROR_MSG => "error_msg",
        PAM_TEXT_INFO => "text_info",
        _ => return Err(Failure),
    };
    if matches!(message.style, PAM_ERROR_MSG | PAM_TEXT_INFO) {
        match texts {
            Texts::Shown | Texts::Forgotten => {}
            Texts::Dropped => return Ok(std::ptr::null_mut()),
            Texts::Refused => return Err(Failure),
        }
    }
    if matches!(texts, Texts::Forgotten) {
        frugal::report(style, message.text);
        return match message.style {
            PAM_ERROR_MSG | PAM_TEXT_INFO => Ok(std::ptr::null_mut()),
            _ => frugal::answer().map_err(|frugal::Failure| Failure),
        };
    }
    // SAFETY: a message is a C string.
    let text = unsafe { std::ffi::CStr::from_ptr(message.text) };
    report(&json!({ "event": "message", "style": style, "text": text.to_string_lossy() }));
    if matches!(message.style, PAM_ERROR_MSG | PAM_TEXT_INFO) {
        return Ok(std::ptr::null_mut());
    }
    let mut line = String::new();
    let length = io::stdin().read_line(&mut line).map_err(|_| Failure)?;
    match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
        _ if length == 0 => Err(Failure),
        ("fail", _) => Err(Failure),
        ("null", _) => Ok(std::ptr::null_mut()),
        ("answer", hex) => Ok(allocated(&from_hex(hex))),
        _ => panic!("not an answer: {line}"),
    }
}

/// A C string from malloc. What stands behind a NUL byte is not seen by anyone.
fn allocated(bytes: &[u8]) -> *mut c_char {
    // SAFETY: the room is large enough for the bytes and the NUL that calloc has put behind them.
    unsafe {
        let memory: *mut u8 = libc::calloc(bytes.len() + 1, 1).cast();
        assert!(!memory.is_null(), "out of memory");
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory, bytes.len());
        memory.cast()
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|digit| u8::try_from(digit.to_digit(16).expect("hex")).expect("a hex digit fits")).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

fn report(event: &Value) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{event}").and_then(|()| stdout.flush()).expect("the test reads our reports");
}

fn open_descriptors() -> usize {
    // The folder itself is open while it is read.
    std::fs::read_dir("/proc/self/fd").expect("/proc").count() - 1
}

/// The length of a variable that is endless, in bytes.
const ENDLESS: usize = 64 << 20;

fn put_into_environment(handle: *mut Handle, variable: String) {
    let variable = CString::new(variable).expect("arguments have no NUL");
    // SAFETY: the handle is started; libpam copies the C string.
    let put = unsafe { pam_putenv(handle, variable.as_ptr()) };
    assert_eq!(put, PAM_SUCCESS, "pam_putenv");
}

/// From now on the process gets so many bytes more, and no others.
fn leave_room_for(bytes: usize) {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number of pages");
    let limit = pages * 4096 + bytes as u64;
    setrlimit(Resource::RLIMIT_AS, limit, limit).expect("a limit");
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

fn c_string(value: OsString) -> CString {
    CString::new(value.into_vec()).expect("arguments have no NUL")
}

fn text(value: OsString) -> String {
    value.into_string().expect("this option takes text")
}
