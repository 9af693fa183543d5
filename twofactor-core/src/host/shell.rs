//! Names quoted for a shell, for commands that are pasted.

use std::path::Path;

/// `name` as the last argument of a command: in quotes where a shell would read something else, and behind `--` where the
/// command would read an option.
pub fn quoted(name: &str) -> String {
    if name.starts_with('-') { format!("-- {}", value(name)) } else { value(name) }
}

/// A path as an argument.
pub fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// `name` as what stands behind `--option=`.
pub fn value(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+' | b'/');
    if !name.is_empty() && name.bytes().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_in_quotes() {
        assert_eq!(quoted("alice"), "alice");
        assert_eq!(quoted("DOMAIN\\alice"), "'DOMAIN\\alice'");
        assert_eq!(quoted("o'neill"), r"'o'\''neill'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("-o'neill"), r"-- '-o'\''neill'");
        assert_eq!(format!("--label={}", value("-my phone")), "--label='-my phone'");
    }
}
