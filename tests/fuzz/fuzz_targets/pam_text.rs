//! A PAM service of any content, read by us and by this host's libpam, which logs to its syslog:
//! `cargo fuzz run --fuzz-dir tests/fuzz -s none pam_text`.

#![no_main]

use std::sync::{LazyLock, Mutex};

use twofactor_tests::pam_text::Libpam;

static LIBPAM: LazyLock<Mutex<Libpam>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("twofactor-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = std::fs::read(twofactor_tests::artifacts::pam_reader()).expect("the program");
    Mutex::new(Libpam::start(&program, &folder))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Debian's libpam looks for what has no path in /etc/pam.d, which is not ours to write to.
    let text = bytes.to_ascii_lowercase();
    if ["include", "substack"].iter().any(|word| text.windows(word.len()).any(|window| window == word.as_bytes())) {
        return;
    }
    let disagreement = LIBPAM.lock().expect("it goes on").disagreement(bytes);
    assert_eq!(disagreement, None);
});
