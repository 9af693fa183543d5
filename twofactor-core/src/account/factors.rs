//! Kinds of second factors, and sets of them.

/// A kind of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorKind {
    /// An authenticator app.
    App,
    /// A physical token.
    Token,
    /// A recovery code.
    Recovery,
    /// An ssh key that is a security key. No code: sshd has verified it.
    SshKey,
}

impl FactorKind {
    /// All kinds, with their names in the file.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::App, "app"), (Self::Token, "token"), (Self::Recovery, "recovery"), (Self::SshKey, "ssh-key")];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// The kinds of credentials that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set, one of them a kind")]
pub struct Factors {
    /// Authenticator apps.
    pub app: bool,
    /// Physical tokens.
    pub token: bool,
    /// Recovery codes.
    pub recovery: bool,
    /// Security keys of ssh.
    pub ssh_key: bool,
}

impl Factors {
    /// Whatever the user has.
    pub const ALL: Self = Self { app: true, token: true, recovery: true, ssh_key: true };
    /// None of them.
    pub const NONE: Self = Self { app: false, token: false, recovery: false, ssh_key: false };

    /// These, and `kind`.
    #[must_use]
    pub fn and(self, kind: FactorKind) -> Self {
        match kind {
            FactorKind::App => Self { app: true, ..self },
            FactorKind::Token => Self { token: true, ..self },
            FactorKind::Recovery => Self { recovery: true, ..self },
            FactorKind::SshKey => Self { ssh_key: true, ..self },
        }
    }

    /// The kinds that both accept.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self {
            app: self.app && other.app,
            token: self.token && other.token,
            recovery: self.recovery && other.recovery,
            ssh_key: self.ssh_key && other.ssh_key,
        }
    }

    /// Those of them that have codes.
    #[must_use]
    pub fn with_codes(self) -> Self {
        Self { ssh_key: false, ..self }
    }

    /// True when `kind` is accepted.
    pub fn include(self, kind: FactorKind) -> bool {
        match kind {
            FactorKind::App => self.app,
            FactorKind::Token => self.token,
            FactorKind::Recovery => self.recovery,
            FactorKind::SshKey => self.ssh_key,
        }
    }

    /// Their names, in the order of the manual.
    pub fn names(self) -> Vec<&'static str> {
        FactorKind::ALL.into_iter().filter(|(kind, _)| self.include(*kind)).map(|(_, name)| name).collect()
    }
}
