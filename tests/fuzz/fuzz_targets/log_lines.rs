//! Log files of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none log_lines`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::log_lines(bytes);
});
