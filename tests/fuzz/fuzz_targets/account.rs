//! A user's two files of any content: `cargo fuzz run --fuzz-dir tests/fuzz -s none account`.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("twofactor-fuzz-{}", std::process::id()));
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder).expect("a folder");
    folder
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    twofactor_tests::fuzzing::account(&FOLDER, bytes);
});
