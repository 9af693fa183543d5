//! The settings of `twofactor.toml`, with their defaults.

use crate::account::throttle::Limits;
use crate::codes::otp::{Parameters, Window};
use crate::config::caller::Caller;
use crate::config::fleet::{CentralStore, HostRule, Membership, Port};
use crate::config::helpdesk::Helpdesk;
use crate::config::rule::{Level, Rule};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration, unless another is named.
pub const DEFAULT_PATH: &str = "/etc/twofactor/twofactor.toml";

/// The state, unless the configuration names another folder.
pub const DEFAULT_STATE: &str = "/var/lib/twofactor";

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[paths] state`.
    pub state: PathBuf,
    /// Names the state that belongs to this host: `state.id` beside the configuration, also where that is not there. `None`
    /// where the configuration is in no folder called `twofactor`: then any state is used.
    pub marker: Option<PathBuf>,
    /// `[enrollment]`.
    pub enrollment: EnrollmentDefaults,
    /// `[window]`.
    pub window: Window,
    /// `[window] resync`: how far off two consecutive codes of a physical token may be at login.
    pub resync: Duration,
    /// `[window] resync_at_login`.
    pub resync_at_login: ResyncAtLogin,
    /// `[throttle]`.
    pub throttle: Limits,
    /// `[prompt]`.
    pub prompt: Prompt,
    /// `[self_service]`.
    pub self_service: SelfService,
    /// `[default] second_factor`: for a login that no rule is about.
    pub default_level: Level,
    /// `[[rule]]`, in the order of the file. The first that matches decides.
    pub rules: Vec<Rule>,
    /// `[[caller]]`, in the order of the file. The first of an account that is about a user counts.
    pub callers: Vec<Caller>,
    /// `[[helpdesk]]`, in the order of the file. Each gives leave on its own.
    pub helpdesks: Vec<Helpdesk>,
    /// `[fleet]`; `None` on a host that asks no central store.
    pub membership: Option<Membership>,
    /// `[store]`; `None` where the accounts are in files.
    pub central_store: Option<CentralStore>,
    /// `[server]`; `None` where no server listens.
    pub port: Option<Port>,
    /// `[[host]]`, in the order of the file. The first that is about a host counts.
    pub hosts: Vec<HostRule>,
}

impl Config {
    /// True when a service account may ask the broker about logins of this service.
    pub fn has_caller_for(&self, service: &str) -> bool {
        self.callers.iter().any(|caller| caller.service == service)
    }
}

/// The settings of a new app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentDefaults {
    /// The issuer; the host's name when absent.
    pub issuer: Option<String>,
    /// Hash, digits and period.
    pub parameters: Parameters,
    /// Recovery codes made with a new account.
    pub recovery_codes: usize,
    /// The rule for invitations at login.
    pub invitation: InvitationRule,
    /// The rule for registering a physical token at login.
    pub self_registration: SelfRegistration,
}

/// The demand for an invitation code, beside the password, from users who enroll at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationRule {
    /// No.
    None,
    /// Yes: a stolen password alone enrolls nothing.
    Required,
}

/// The permission to register a physical token by serial at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfRegistration {
    /// Yes, with two consecutive codes.
    Allowed,
    /// No.
    Forbidden,
}

/// The question for the next code after a code outside the window at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResyncAtLogin {
    /// Yes: two consecutive codes show where the token stands.
    Yes,
    /// No: it is a wrong code.
    No,
}

/// The changes that users may make of their own second factor, through the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfService {
    /// A first factor.
    pub enroll: Permission,
    /// Another app, other recovery codes, none at all.
    pub change: Permission,
    /// A physical token.
    pub tokens: Permission,
    /// A security key of ssh, enrolled or taken away.
    pub ssh_key: Permission,
}

/// A permission that the configuration gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// It is given.
    Given,
    /// It is not.
    Refused,
}

/// The prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The prompt's words.
    pub code: String,
    /// Prompts in one PAM call, 1..=3.
    pub tries: u8,
    /// Services that ask once: password with the code appended.
    pub combined: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: PathBuf::from(DEFAULT_STATE),
            marker: marker_beside(Path::new(DEFAULT_PATH)),
            enrollment: EnrollmentDefaults {
                issuer: None,
                parameters: Parameters::default(),
                recovery_codes: 10,
                invitation: InvitationRule::None,
                self_registration: SelfRegistration::Allowed,
            },
            window: Window::default(),
            resync: Duration::from_hours(1),
            resync_at_login: ResyncAtLogin::Yes,
            throttle: Limits::default(),
            prompt: Prompt {
                code: "Verification code: ".to_owned(),
                tries: 1,
                combined: BTreeSet::from(["xrdp-sesman".to_owned()]),
            },
            self_service: SelfService {
                enroll: Permission::Given,
                change: Permission::Given,
                tokens: Permission::Given,
                ssh_key: Permission::Given,
            },
            default_level: Level::Required,
            rules: Vec::new(),
            callers: Vec::new(),
            helpdesks: Vec::new(),
            membership: None,
            central_store: None,
            port: None,
            hosts: Vec::new(),
        }
    }
}

/// The expectation of a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Absence means the defaults: no file was named.
    Perhaps,
    /// Absence is an error: this file was named.
    Certainly,
}

/// Name of the marker, and of its copy in the state.
pub(crate) const STATE_ID: &str = "state.id";

/// The marker of the configuration `file`: beside it, so that the configuration of a chroot or of another host has one of its
/// own. A configuration in a folder that is not called `twofactor` is of a trial, whose state may be made anew.
pub fn marker_beside(file: &Path) -> Option<PathBuf> {
    let is_ours = file.parent().and_then(Path::file_name).is_some_and(|name| name == OUR_FOLDER);
    is_ours.then(|| file.with_file_name(STATE_ID))
}

/// The folder of a host's configuration.
const OUR_FOLDER: &str = "twofactor";
