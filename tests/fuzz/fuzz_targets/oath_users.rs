//! Users files of pam_oath, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none oath_users`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::oath_users(bytes);
});
