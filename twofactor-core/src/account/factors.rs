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
    /// The same, of which a maker of security keys has attested that it was made in hardware.
    AttestedSshKey,
}

impl FactorKind {
    /// All kinds, with their names in the file.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::App, "app"),
        (Self::Token, "token"),
        (Self::Recovery, "recovery"),
        (Self::SshKey, "ssh-key"),
        (Self::AttestedSshKey, "attested-ssh-key"),
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// The attestation of a security key, as it was when the key was enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// A maker that the sysadmin trusts has attested that the key was made in hardware.
    Checked,
    /// There was none.
    None,
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
    /// Security keys of ssh, attested or not.
    pub ssh_key: bool,
    /// Attested ones.
    pub attested_ssh_key: bool,
}

impl Factors {
    /// Whatever the user has.
    pub const ALL: Self = Self { app: true, token: true, recovery: true, ssh_key: true, attested_ssh_key: true };
    /// None of them.
    pub const NONE: Self = Self { app: false, token: false, recovery: false, ssh_key: false, attested_ssh_key: false };

    /// These, and `kind`.
    #[must_use]
    pub fn and(self, kind: FactorKind) -> Self {
        match kind {
            FactorKind::App => Self { app: true, ..self },
            FactorKind::Token => Self { token: true, ..self },
            FactorKind::Recovery => Self { recovery: true, ..self },
            FactorKind::SshKey => Self { ssh_key: true, attested_ssh_key: true, ..self },
            FactorKind::AttestedSshKey => Self { attested_ssh_key: true, ..self },
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
            attested_ssh_key: self.attested_ssh_key && other.attested_ssh_key,
        }
    }

    /// Those of them that have codes.
    #[must_use]
    pub fn with_codes(self) -> Self {
        Self { ssh_key: false, attested_ssh_key: false, ..self }
    }

    /// True when `kind` is accepted.
    pub fn include(self, kind: FactorKind) -> bool {
        match kind {
            FactorKind::App => self.app,
            FactorKind::Token => self.token,
            FactorKind::Recovery => self.recovery,
            FactorKind::SshKey => self.ssh_key,
            FactorKind::AttestedSshKey => self.attested_ssh_key,
        }
    }

    /// True when a security key of ssh with this attestation is accepted.
    pub fn accept_ssh_key(self, attestation: Attestation) -> bool {
        match attestation {
            Attestation::Checked => self.include_ssh_keys(),
            Attestation::None => self.ssh_key,
        }
    }

    /// True when security keys of ssh are accepted, be it attested ones alone.
    pub fn include_ssh_keys(self) -> bool {
        self.ssh_key || self.attested_ssh_key
    }

    /// Their names, in the order of the manual.
    pub fn names(self) -> Vec<&'static str> {
        let is_implied = |kind| kind == FactorKind::AttestedSshKey && self.ssh_key;
        let named = |kind: FactorKind| self.include(kind) && !is_implied(kind);
        FactorKind::ALL.into_iter().filter(|(kind, _)| named(*kind)).map(|(_, name)| name).collect()
    }
}
