//! What packages, editors and this product leave beside the file of a service. libpam would run such a file under its whole
//! name, but nothing logs in with it.

/// How the names of copies end.
const ENDS: [&str; 12] = [
    "~",
    ".bak",
    ".old",
    ".orig",
    ".save",
    ".rpmnew",
    ".rpmsave",
    ".rpmorig",
    ".pacnew",
    ".pacsave",
    ".pacorig",
    ".twofactor-new",
];
/// What dpkg and ucf put behind a name, with a word of their own behind it.
const MARKS: [&str; 2] = [".dpkg-", ".ucf-"];

/// Whether a file of this name in a folder of services is a copy of one, or none at all.
pub fn is_copy(name: &str) -> bool {
    name.starts_with('.')
        || ENDS.iter().any(|end| name.ends_with(end))
        || MARKS.iter().any(|mark| name.rsplit_once(mark).is_some_and(|(_, word)| !word.contains('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_from_services() {
        for copy in
            ["sshd~", ".sshd.swp", "sshd.pacnew", "sshd.save", "sshd.twofactor-new", "su.dpkg-old", "su.ucf-dist"]
        {
            assert!(is_copy(copy), "{copy}");
        }
        for service in ["sshd", "su-l", "polkit-1", "cups.old-name", "org.example.save.me"] {
            assert!(!is_copy(service), "{service}");
        }
    }
}
