//! Public keys and sshd's text about them, of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none ssh_keys`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::ssh_keys(bytes);
});
