//! The names of services, and the folders in which libpam looks for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The folders of services: the sysadmin's come before those of packages. The last is the one in which SUSE has
/// libpam look.
pub const FOLDERS: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"];

/// The service for programs without one of their own.
pub const OTHER: &str = "other";

/// The endings of files that packages and editors leave beside a service.
pub(super) const LEFT_OVER: [&str; 10] = [
    ".dpkg-",
    ".ucf-",
    ".rpmnew",
    ".rpmsave",
    ".rpmorig",
    ".pacnew",
    ".pacsave",
    ".pam-new",
    ".pam-old",
    ".twofactor-new",
];

/// True when a file's name says that it is a copy, or hidden: no program asks for such a service.
pub fn is_copy(name: &str) -> bool {
    let ends = ["~", ".bak", ".old", ".orig", ".save"];
    name.starts_with('.')
        || ends.iter().any(|end| name.ends_with(end))
        || LEFT_OVER.iter().any(|part| name.contains(part))
}

/// A service is a file's name, never a path.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('/') && name != "." && name != ".."
}

/// The names of all services that files in `folders` describe, without copies that editors and packages left.
pub fn names(folders: &[&Path]) -> BTreeSet<String> {
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    files.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !is_copy(name)).collect()
}
