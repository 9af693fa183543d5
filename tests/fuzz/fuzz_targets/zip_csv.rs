//! Zip files of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none zip_csv`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::seeds::fuzz::zip_csv(bytes);
});
