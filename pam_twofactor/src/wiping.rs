//! Memory that is given back holds nothing: what a login showed or judged must not stay in the process of an application.
//!
//! Secrets wipe themselves where our own types hold them. Here is what catches the rest: copies that a parser, a formatter or
//! the QR encoder made, and the part of the stack that our calls have used. What libpam and the
//! application keep is listed in docs/security/threat-model.md ("What stays in memory").
//!
//! Invariants: the allocator is this object's own, so nothing of the host is touched; a block is wiped before it is freed,
//! and one that grows is copied and wiped, never moved by `realloc`.

#![expect(unsafe_code, reason = "an allocator, and C functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;

/// The size of the stack below a call that is wiped after it. A login leaves secrets in the topmost 32 KiB at most, also when it
/// was compiled without optimization (`tests/libpam/memory.rs`). It uses more than this itself, so there is room.
const STACK: usize = 64 * 1024;

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

/// The system's allocator, which is given nothing back but zeros.
struct Wiping;

// SAFETY: every block comes from the system's allocator and goes back to it with its own layout. `realloc` is the provided
// one: it takes a new block, copies, and gives the old one back through `dealloc`.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block of ours of that size, which is not used any more.
        unsafe {
            libc::explicit_bzero(block.cast(), layout.size());
            System.dealloc(block, layout);
        }
    }
}

/// Runs an entry point, and wipes the stack that it has used.
pub(crate) fn wiping_behind<T>(entry: impl FnOnce() -> T) -> T {
    let result = out_of_line(entry);
    wipe_stack();
    result
}

/// Keeps the frames of `entry` below the caller's, where [`wipe_stack`] gets at them.
#[inline(never)]
fn out_of_line<T>(entry: impl FnOnce() -> T) -> T {
    entry()
}

/// Wipes the stack below the caller.
#[inline(never)]
fn wipe_stack() {
    let mut used = MaybeUninit::<[u8; STACK]>::uninit();
    // SAFETY: the array is ours, and its size is the one that is given.
    unsafe { libc::explicit_bzero(used.as_mut_ptr().cast(), STACK) };
    std::hint::black_box(&mut used);
}
