//! Vendors' own forms and exports of apps, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::seeds::fuzz::records(bytes);
});
