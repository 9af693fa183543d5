//! State files of google-authenticator, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none google_authenticator`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::google_authenticator(bytes);
});
