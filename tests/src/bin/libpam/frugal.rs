//! A conversation that keeps no copy of what passes through it, and the memory of this process as a file: whatever is found
//! there, others have left.

use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;

/// The longest answer.
const LONGEST: usize = 4096;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The conversation function has to fail.
pub(crate) struct Failure;

/// Reports a message with its text in hexadecimal, a few bytes at a time.
pub(crate) fn report(style: &str, text: *const c_char) {
    // SAFETY: a message is a C string.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    write(b"{\"event\":\"message\",\"style\":\"");
    write(style.as_bytes());
    write(b"\",\"hex\":\"");
    for byte in text {
        let mut digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
        write(&digits);
        wipe(&mut digits);
    }
    write(b"\"}\n");
}

/// Reads an answer into memory that libpam may free. NULL is no answer at all.
pub(crate) fn answer() -> Result<*mut c_char, Failure> {
    let mut word = [0; 8];
    let mut length = 0;
    let last = loop {
        match read().ok_or(Failure)? {
            letter @ (b' ' | b'\n') => break letter,
            letter => {
                word[length] = letter;
                length += 1;
            }
        }
    };
    match (&word[..length], last) {
        (b"null", _) => Ok(std::ptr::null_mut()),
        (b"answer", b' ') => {
            // SAFETY: calloc gives zeroed room for the longest answer, or NULL.
            let memory: *mut u8 = unsafe { libc::calloc(LONGEST + 1, 1) }.cast();
            assert!(!memory.is_null(), "out of memory");
            let mut place = 0;
            while let Some(high) = read().filter(|byte| *byte != b'\n') {
                let low = read().ok_or(Failure)?;
                assert!(place < LONGEST, "a short answer");
                // SAFETY: within that room, and a zero is left behind it.
                unsafe { *memory.add(place) = digit(high) << 4 | digit(low) };
                place += 1;
            }
            Ok(memory.cast())
        }
        _ => Err(Failure),
    }
}

/// Writes all of this process's memory that can be written to a file, as it is.
pub(crate) fn dump(path: &Path) {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    let file = File::create(path).expect("a file for the memory");
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (range, rights) = (words.next().expect("a range"), words.next().expect("rights"));
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').expect("a range");
        let address = |text| usize::from_str_radix(text, 16).expect("an address");
        let (mut start, end) = (address(start), address(end));
        while start < end {
            // SAFETY: the kernel reads the memory, and says so where it cannot.
            let written = unsafe {
                libc::write(file.as_raw_fd(), std::ptr::with_exposed_provenance::<c_void>(start), end - start)
            };
            match usize::try_from(written) {
                Ok(written) if written > 0 => start += written,
                _ => break,
            }
        }
    }
}

fn digit(letter: u8) -> u8 {
    u8::try_from(char::from(letter).to_digit(16).expect("a hex digit")).expect("it fits")
}

fn read() -> Option<u8> {
    let mut byte = [0];
    // SAFETY: there is room for the one byte.
    (unsafe { libc::read(0, byte.as_mut_ptr().cast(), 1) } == 1).then_some(byte[0])
}

fn write(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the bytes are there.
        let written = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        rest = &rest[usize::try_from(written).expect("the test reads our reports")..];
    }
}

fn wipe(bytes: &mut [u8]) {
    // SAFETY: the bytes are there.
    unsafe { libc::explicit_bzero(bytes.as_mut_ptr().cast(), bytes.len()) };
}
