//! Memory that is given back holds nothing: what a login showed or judged must not stay in the process of an application.
//!
//! Secrets wipe themselves where our own types hold them. Here is what catches the rest: copies that a parser, a formatter or
//! the QR encoder made, pages that SQLite read, and the part of the stack that our calls have used. What libpam and the
//! application keep is listed in docs/security/threat-model.md ("What stays in memory").
//!
//! Invariants: the allocators are this object's own, so nothing of the host is touched; a block is wiped before it is freed,
//! and one that grows is copied and wiped, never moved by `realloc`.

#![expect(unsafe_code, reason = "an allocator, and C functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::Once;

use rusqlite::ffi::{SQLITE_CONFIG_MALLOC, SQLITE_OK, sqlite3_config, sqlite3_mem_methods};

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
    give_sqlite_memory_of_ours();
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

/// Has the SQLite of this object take memory that is wiped when it is freed. Once, before SQLite is used.
fn give_sqlite_memory_of_ours() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let methods = sqlite3_mem_methods {
            xMalloc: Some(allocate),
            xFree: Some(free),
            xRealloc: Some(reallocate),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(begin),
            xShutdown: Some(end),
            pAppData: std::ptr::null_mut(),
        };
        // SAFETY: SQLite copies the structure, and is not in use yet (sqlite3_config(3)). Should it be, it refuses and goes on
        // with the memory it has.
        let _ = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) };
    });
}

unsafe extern "C" fn allocate(length: c_int) -> *mut c_void {
    // SAFETY: malloc takes any size; SQLite asks for none below one.
    usize::try_from(length).map_or(std::ptr::null_mut(), |length| unsafe { libc::malloc(length) })
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: SQLite gives back a block that `allocate` or `reallocate` has given, or NULL, which has the size 0.
    unsafe {
        let length = libc::malloc_usable_size(block);
        if length > 0 {
            libc::explicit_bzero(block, length);
        }
        libc::free(block);
    }
}

unsafe extern "C" fn reallocate(block: *mut c_void, length: c_int) -> *mut c_void {
    // SAFETY: as above; both blocks are as long as what is copied, and different ones.
    unsafe {
        let larger = allocate(length);
        if !larger.is_null() {
            let copied = libc::malloc_usable_size(block).min(libc::malloc_usable_size(larger));
            std::ptr::copy_nonoverlapping(block.cast::<u8>(), larger.cast::<u8>(), copied);
            free(block);
        }
        larger
    }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    // SAFETY: SQLite asks about a block that it has.
    c_int::try_from(unsafe { libc::malloc_usable_size(block) }).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(length: c_int) -> c_int {
    length.saturating_add(7) & !7
}

unsafe extern "C" fn begin(_: *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn end(_: *mut c_void) {}
