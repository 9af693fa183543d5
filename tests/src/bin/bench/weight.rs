//! The size of a module, the time to load it, and the memory of a process.

#![allow(unsafe_code, reason = "dlopen is C")]

use std::ffi::{CStr, CString, c_char};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use twofactor_core::pam_service::modules;
use twofactor_tests::private_host::Host;

use crate::statistics::Sample;

/// A module.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    /// Bytes of the file.
    pub(crate) size: u64,
    /// From `dlopen` to its return, as libpam calls it, with what the module depends on.
    pub(crate) loading: Sample,
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Its share: what others map as well counts in part.
    pub(crate) share: u64,
    /// All that is resident.
    pub(crate) resident: u64,
}

/// Our module and pam_unix.so, taking turns.
pub(crate) fn compared(host: &Host, loads: usize) -> (Weight, Weight) {
    let ours = host.place("bin/pam_twofactor.so");
    let unix = modules::folder().expect("libpam's modules").join("pam_unix.so");
    let mut weights = [ours, unix].map(|path| {
        let size = fs::metadata(&path).expect("the module").len();
        (path, Weight { size, loading: Sample::default() })
    });
    for _ in 0..loads {
        for (path, weight) in &mut weights {
            weight.loading.add(loading(path));
        }
    }
    let [(_, ours), (_, unix)] = weights;
    (ours, unix)
}

fn loading(path: &Path) -> Duration {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    let started = Instant::now();
    // SAFETY: a C string; the module's constructors do nothing but what they do in each login.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    let took = started.elapsed();
    assert!(!handle.is_null(), "{}", problem());
    // SAFETY: the handle is of this dlopen and is not used again.
    let closed = unsafe { libc::dlclose(handle) };
    assert_eq!(closed, 0, "dlclose");
    took
}

fn problem() -> String {
    // SAFETY: dlerror gives NULL or a C string, which is copied at once.
    let text: *const c_char = unsafe { libc::dlerror() };
    // SAFETY: as above.
    if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
}

impl Memory {
    /// That of the one process that runs this program in the host.
    pub(crate) fn of(host: &Host, program: &str) -> Self {
        let process = host.succeed("pgrep", ["--exact", program]);
        let text = crate::read(&format!("/proc/{}/smaps_rollup", process.trim()));
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
            line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
        };
        Self { share: value("Pss:"), resident: value("Rss:") }
    }
}
