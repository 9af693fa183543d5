//! The modules that are compared, each set up as its own documentation does it.

use std::ffi::CStr;
use std::fmt;
use std::path::{Path, PathBuf};

use twofactor_tests::requirements;

/// A module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Contestant {
    /// Accepts everybody: what libpam itself costs.
    Permit,
    /// Ours.
    TwoFactor,
    /// google-authenticator-libpam.
    GoogleAuthenticator,
    /// oath-toolkit's.
    Oath,
}

impl Contestant {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 4] = [Self::Permit, Self::TwoFactor, Self::GoogleAuthenticator, Self::Oath];

    /// The module's name, which is also the name of the PAM service that holds it and nothing else.
    pub(crate) fn name(self) -> &'static CStr {
        match self {
            Self::Permit => c"pam_permit",
            Self::TwoFactor => c"pam_twofactor",
            Self::GoogleAuthenticator => c"pam_google_authenticator",
            Self::Oath => c"pam_oath",
        }
    }

    /// The module of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contestant| contestant.to_string() == name)
    }

    /// The Debian package it comes in; ours is built.
    pub(crate) fn package(self) -> Option<&'static str> {
        match self {
            Self::Permit => Some("libpam-modules"),
            Self::TwoFactor => None,
            Self::GoogleAuthenticator => Some("libpam-google-authenticator"),
            Self::Oath => Some("libpam-oath"),
        }
    }

    /// The one line of its PAM service, for a population in `folder`. `ours` is the module under test.
    pub(crate) fn service(self, folder: &Path, ours: &Path) -> String {
        let folder = folder.display();
        match self {
            Self::Permit => "auth required pam_permit.so\n".to_owned(),
            Self::TwoFactor => format!("auth required {} conf={folder}/twofactor.toml\n", ours.display()),
            Self::GoogleAuthenticator => {
                format!(
                    "auth required pam_google_authenticator.so secret={folder}/google-authenticator/${{USER}} user=root\n"
                )
            }
            // One step either side, like google-authenticator; ours tries two.
            Self::Oath => format!("auth required pam_oath.so usersfile={folder}/users.oath window=1 digits=6\n"),
        }
    }

    /// In how many rounds it takes part once: a module that rewrites a file of all users gets fewer logins.
    pub(crate) fn stride(self, users: usize) -> usize {
        match (self, users) {
            (Self::Oath, 100_000..) => 10,
            (Self::Oath, 10_000..) => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Contestant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.name().to_string_lossy())
    }
}

/// What this machine lacks for the comparison.
pub(crate) fn missing() -> Option<String> {
    let modules = ["pam_google_authenticator.so", "pam_oath.so"].map(|name| (name, "security"));
    let libraries = [("libnss_cache.so.2", "")];
    let absent_files = modules.into_iter().chain(libraries).filter(|(name, below)| library(below, name).is_none());
    let programs = ["7z", "google-authenticator", "oathtool", "sqlite3", "strace"];
    let absent_programs = programs.into_iter().filter(|name| requirements::program(name).is_none());
    let absent: Vec<&str> = absent_files.map(|(name, _)| name).chain(absent_programs).collect();
    if !nix::unistd::geteuid().is_root() {
        return Some("it needs root".to_owned());
    }
    (!absent.is_empty()).then(|| format!("{} missing; run tests/install-packages bench", absent.join(", ")))
}

/// The path of a shared library of the distribution.
fn library(below: &str, name: &str) -> Option<PathBuf> {
    let machine = std::env::consts::ARCH;
    let folders = [format!("/lib/{machine}-linux-gnu"), "/lib64".to_owned(), "/lib".to_owned()];
    folders.iter().map(|folder| Path::new(folder).join(below).join(name)).find(|path| path.exists())
}
