//! The kinds of files that are neither tables nor PSKC, by their names.

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SafeNet (Aladdin) XML: `Tokens`.
    Aladdin,
    /// Deepnet's own XML, of DualShield and its predecessor.
    Deepnet,
    /// SafeWord authenticator records (`*.dat`).
    SafeWord,
    /// The log of Yubico's programming tool.
    Yubico,
    /// RCDevs' inventory.
    Rcdevs,
    /// PhenixID's table with the kind first.
    PhenixId,
    /// privacyIDEA's tables with the owner first.
    PrivacyIdea,
    /// The export of an authenticator app.
    App(App),
}

impl Kind {
    /// Its name in a report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Aladdin => "SafeNet (Aladdin) XML",
            Self::Deepnet => "Deepnet XML",
            Self::SafeWord => "SafeWord authenticator records",
            Self::Yubico => "the log of Yubico's programming tool",
            Self::Rcdevs => "RCDevs inventory",
            Self::PhenixId => "PhenixID table",
            Self::PrivacyIdea => "privacyIDEA table with owners",
            Self::App(app) => app.name(),
        }
    }
}

/// An app whose plain export is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// `otpauth://` URIs, one a line: Ente, and the text exports of Aegis, Stratum and others.
    Uris,
    /// `otpauth-migration://` URIs: the QR codes of Google Authenticator.
    Migration,
    /// Aegis.
    Aegis,
    /// 2FAS.
    TwoFas,
    /// andOTP.
    AndOtp,
    /// FreeOTP+.
    FreeOtp,
    /// Bitwarden and Bitwarden Authenticator.
    Bitwarden,
    /// Proton Authenticator.
    Proton,
    /// Stratum (Authenticator Pro).
    Stratum,
}

impl App {
    /// Its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uris => "otpauth URIs",
            Self::Migration => "otpauth-migration URIs",
            Self::Aegis => "Aegis export",
            Self::TwoFas => "2FAS export",
            Self::AndOtp => "andOTP export",
            Self::FreeOtp => "FreeOTP+ export",
            Self::Bitwarden => "Bitwarden export",
            Self::Proton => "Proton Authenticator export",
            Self::Stratum => "Stratum export",
        }
    }
}
