//! The names of this machine, which its certificate bears.

use std::fs;

use twofactor_core::config::fleet::{Port, is_host_name};

/// The names that `[server]` lists; else the one that the kernel knows, and the full name beside it in /etc/hosts.
pub(crate) fn names(port: &Port) -> Vec<String> {
    if !port.names.is_empty() {
        return port.names.clone();
    }
    let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let names = full_name(&own, &hosts).into_iter().chain([own]).map(|name| name.to_ascii_lowercase());
    names.filter(|name| is_host_name(name)).collect()
}

/// The first name with a dot on a line of `hosts` that has `own`, too.
fn full_name(own: &str, hosts: &str) -> Option<String> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut named =
        lines.map(|line| line.split_whitespace().skip(1)).filter(|names| names.clone().any(|name| name == own));
    let full = named.find_map(|mut names| names.find(|name| name.contains('.')))?;
    (full != own).then(|| full.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_name_stands_beside_the_short_one() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\totp1.example.org otp1 # otp1.example.com otp1\n";
        assert_eq!(full_name("otp1", hosts).as_deref(), Some("otp1.example.org"));
        assert_eq!(full_name("otp1.example.org", hosts), None);
        assert_eq!(full_name("otp2", hosts), None);
    }
}
