//! A program that the module runs gets none of the application's open files.
//!
//! Invariants: only the child's own table of files is touched; between fork and exec nothing is allocated and no lock is taken.

#![expect(unsafe_code, reason = "what is done between fork and exec")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Has the program get its standard streams and no other file.
pub(crate) fn gets_no_files(command: &mut Command) {
    // SAFETY: the function only makes system calls, allocates nothing and takes no lock.
    unsafe { command.pre_exec(close_files_on_exec) };
}

/// Marks every open file of the application but the standard streams as closed on exec. The helper runs even where the
/// kernel refuses: it reads none of them.
#[expect(clippy::unnecessary_wraps, reason = "as pre_exec wants it")]
fn close_files_on_exec() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // glibc has the function since 2.34 only, the kernel the call since 5.9 and this flag since 5.11.
    // SAFETY: three numbers, and nothing of this process is touched but the flags of its files.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked != 0 {
        for file in 3..MOST_FILES {
            // SAFETY: a number; one that is no open file is an error without a consequence.
            unsafe { libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// So many are marked by an older kernel.
const MOST_FILES: libc::c_int = 65_536;
