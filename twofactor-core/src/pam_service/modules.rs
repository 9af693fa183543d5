//! What is known about modules by their names, and where they lie.

use std::path::{Path, PathBuf};

use super::{Line, Phase};

/// This product's module.
pub const OURS: &str = "pam_twofactor.so";

/// Modules that ask for a first factor: a password, a finger, a card, a key.
const PRIMARY: [&str; 21] = [
    "pam_unix.so",
    "pam_unix2.so",
    "pam_sss.so",
    "pam_sss_gss.so",
    "pam_ldap.so",
    "pam_winbind.so",
    "pam_krb5.so",
    "pam_krb5afs.so",
    "pam_systemd_home.so",
    "pam_fprintd.so",
    "pam_u2f.so",
    "pam_pkcs11.so",
    "pam_p11.so",
    "pam_radius_auth.so",
    "pam_tacplus.so",
    "pam_userdb.so",
    "pam_lsass.so",
    "pam_centrifydc.so",
    "pam_ssh_agent_auth.so",
    "pam_himmelblau.so",
    "pam_kanidm.so",
];

/// Where distributions keep modules, besides a folder for each architecture below `/usr/lib`. libpam has one folder compiled
/// in: that in which its own modules lie.
const FOLDERS: [&str; 4] = ["/usr/lib64/security", "/lib64/security", "/usr/lib/security", "/lib/security"];

/// Comes with libpam itself.
pub const OF_LIBPAM: &str = "pam_permit.so";

/// What a module does in a stack, as far as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nature {
    /// It is this product's.
    Ours,
    /// It asks for a first factor.
    Primary,
    /// It refuses whatever comes.
    Deny,
    /// It accepts whatever comes.
    Permit,
    /// Nobody knows.
    Other,
}

impl Nature {
    /// Of the module of a line, by its file's name.
    pub fn of(module: &str) -> Self {
        match Path::new(module).file_name().and_then(|name| name.to_str()).unwrap_or_default() {
            OURS => Self::Ours,
            "pam_deny.so" => Self::Deny,
            OF_LIBPAM => Self::Permit,
            name if PRIMARY.contains(&name) => Self::Primary,
            _ => Self::Other,
        }
    }
}

/// Whether the module of an auth line says yes or no to everybody: it never has nothing to say.
pub(super) fn always_decides(line: &Line) -> bool {
    let ignores = || line.arguments.iter().any(|argument| argument.starts_with("ignore"));
    line.phase == Phase::Auth && (line.runs("pam_unix.so") || (line.runs("pam_sss.so") && !ignores()))
}

/// The folder in which this host's libpam looks for modules.
pub fn folder() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = architectures
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.contains("-linux-")))
        .map(|entry| entry.path().join("security"))
        .collect();
    folders.sort();
    folders.extend(FOLDERS.map(PathBuf::from));
    folders.into_iter().find(|folder| folder.join(OF_LIBPAM).exists())
}

/// Whether the module of a line is not where libpam looks for it. Where that is nobody knows, nothing is missing.
pub fn is_missing(line: &Line) -> bool {
    let module = line.module.replace("$ISA", ".");
    match folder() {
        _ if Path::new(&module).is_absolute() => !Path::new(&module).exists(),
        Some(folder) => !folder.join(module).exists(),
        None => false,
    }
}
