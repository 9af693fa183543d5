//! The stream of a backup, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none backup`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::backup(bytes);
});
