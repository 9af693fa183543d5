//! A PAM application that runs many services, and says what libpam made of each of their texts.
//!
//! `pam-reader CONFDIR` reads the names of services from stdin, a line each. For each it starts a transaction in a process of
//! its own, because a text can crash libpam or keep it busy for ever, and calls `pam_authenticate`, `pam_acct_mgmt` and
//! `pam_open_session`. A line of JSON says how the process ended, what the calls returned, and what the stub module
//! (`pam_text_stub.c`) wrote to descriptor 9: which lines ran, and with which arguments.

#![allow(unsafe_code, reason = "the application side of libpam is C")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program fails loudly and reports on stdout"
)]

use std::ffi::{CString, c_int, c_void};
use std::fs::File;
use std::io::{BufRead as _, Read as _};
use std::os::fd::{FromRawFd as _, RawFd};

use serde_json::json;

use libpam::{
    Conversation, Handle, Message, PAM_CONV_ERR, PAM_SUCCESS, Response, pam_acct_mgmt, pam_authenticate, pam_end,
    pam_open_session, pam_start_confdir,
};

mod libpam;

/// Where the stub module writes what it is called with.
const REPORT: RawFd = 9;
/// Far more than anything takes that ends, in microseconds of the processor.
const PATIENCE: i64 = 200_000;

fn main() {
    let confdir = std::env::args().nth(1).and_then(|folder| CString::new(folder).ok()).expect("a folder");
    for name in std::io::stdin().lock().lines() {
        let name = CString::new(name.expect("names are text")).expect("a name");
        let mut pipe: [c_int; 2] = [0; 2];
        // SAFETY: the array has room for the two descriptors that pipe(2) writes.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0, "a pipe");
        // SAFETY: this process has one thread, so the child may do everything that the parent may.
        let child = unsafe { libc::fork() };
        if child == 0 {
            transaction(&confdir, &name, pipe);
        }
        assert!(child > 0, "a process");
        // SAFETY: both descriptors are of the pipe above; the first gets an owner, the second is not used again here.
        let mut report = unsafe {
            libc::close(pipe[1]);
            File::from_raw_fd(pipe[0])
        };
        let mut said = String::new();
        report.read_to_string(&mut said).expect("what the stub says is text");
        let mut status = 0;
        // SAFETY: `status` is a valid place for the child's status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child, "its end");
        let lines: Vec<&str> = said.lines().collect();
        println!("{}", json!({ "ended": libc::WIFEXITED(status), "lines": lines }));
    }
}

/// One transaction, which ends the process.
fn transaction(confdir: &CString, name: &CString, pipe: [c_int; 2]) -> ! {
    let limit = libc::timeval { tv_sec: 0, tv_usec: PATIENCE };
    let timer = libc::itimerval { it_interval: limit, it_value: limit };
    let conversation = Conversation { converse: refuse, data: std::ptr::null_mut() };
    let mut handle: *mut Handle = std::ptr::null_mut();
    // SAFETY: strings are terminated and, like the conversation, outlive the calls; the handle is only used when pam_start
    // returned success, and not after pam_end. The timer ends the process by its default action.
    unsafe {
        libc::dup2(pipe[1], REPORT);
        libc::close(pipe[0]);
        libc::close(pipe[1]);
        libc::setitimer(libc::ITIMER_VIRTUAL, &raw const timer, std::ptr::null_mut());
        let started = pam_start_confdir(
            name.as_ptr(),
            c"root".as_ptr(),
            &raw const conversation,
            confdir.as_ptr(),
            &raw mut handle,
        );
        say(&format!("start {started}"));
        if started == PAM_SUCCESS {
            say(&format!("authenticate {}", pam_authenticate(handle, 0)));
            say(&format!("account {}", pam_acct_mgmt(handle, 0)));
            say(&format!("session {}", pam_open_session(handle, 0)));
            pam_end(handle, PAM_SUCCESS);
        }
        libc::_exit(0)
    }
}

fn say(line: &str) {
    let line = format!("{line}\n");
    // SAFETY: the buffer is as long as it says. A write to a pipe this short is whole.
    unsafe { libc::write(REPORT, line.as_ptr().cast::<c_void>(), line.len()) };
}

extern "C" fn refuse(_: c_int, _: *mut *const Message, _: *mut *mut Response, _: *mut c_void) -> c_int {
    PAM_CONV_ERR
}
