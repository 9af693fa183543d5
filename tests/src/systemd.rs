//! Unit files, as `systemd-analyze` reads them. `make vm-test` runs them.

use std::fs;
use std::path::Path;

use crate::private_host::{Host, said};

/// Units by the names of their files.
pub type Units<'u> = &'u [(&'u str, &'u str)];

/// Puts the units where systemd looks for them, and runs `systemd-analyze`. Gives the lines about them, and how it ended unless well.
pub fn analyzed(host: &Host, units: Units<'_>, arguments: &[&str]) -> Vec<String> {
    for (name, text) in units {
        fs::write(Path::new("/etc/systemd/system").join(name), text).unwrap();
    }
    let output = host.command("systemd-analyze").args(arguments).output().unwrap();
    let is_about = |line: &&str| units.iter().any(|(name, _)| line.contains(name));
    let mut lines: Vec<String> = said(&output).lines().filter(is_about).map(str::to_owned).collect();
    if !output.status.success() {
        lines.push(output.status.to_string());
    }
    lines
}

/// True when the sandbox of a service is rated at most `most`, which is systemd's figure times ten.
pub fn is_at_most(host: &Host, units: Units<'_>, service: &str, most: u32) -> bool {
    let threshold = format!("--threshold={most}");
    let security = ["security", "--no-pager", "--offline=true", &threshold, service];
    !analyzed(host, units, &security).iter().any(|line| line.starts_with("exit"))
}
