//! Delimited text of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none csv`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::seeds::fuzz::csv(bytes);
});
