//! Files of pam_u2f, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none pam_u2f`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::pam_u2f(bytes);
});
