//! Messages to the broker of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::wire(bytes);
});
