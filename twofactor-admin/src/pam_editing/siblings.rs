//! Services that one program, or one desktop, chooses between: who protects one usually means them all.

/// Each service with its siblings: who gets in by one gets in by another.
pub const FAMILIES: [&[&str]; 4] = [
    &["sudo", "sudo-i"],
    &["su", "su-l"],
    &["gdm-password", "gdm-fingerprint", "gdm-smartcard"],
    &["kde", "kde-fingerprint", "kde-smartcard"],
];

/// The siblings of a service.
pub fn of(service: &str) -> impl Iterator<Item = &'static str> {
    let family = FAMILIES.into_iter().find(|family| family.contains(&service)).unwrap_or_default();
    family.iter().copied().filter(move |name| *name != service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_and_a_login_by_sudo_are_two() {
        assert_eq!(of("sudo").collect::<Vec<_>>(), ["sudo-i"]);
        assert_eq!(of("sudo-i").collect::<Vec<_>>(), ["sudo"]);
        assert_eq!(of("sshd").count(), 0);
    }
}
