//! Problems with settings in force, before it is said where they are written and how they are changed there.

use super::settings::{Methods, Settings};
use crate::checkup::catalogue::Id;
use twofactor_core::pam_service::programs;

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    /// Its kind.
    pub(super) id: Id,
    /// The settings, as part of a sentence.
    pub(super) what: String,
    /// The setting that is better.
    pub(super) better: String,
    /// The keywords of which one has decided.
    pub(super) by: &'static [&'static str],
}

/// The questions of PAM's service of sshd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompts {
    /// None for a code: the service does not run the module.
    NoCode,
    /// For the code, and for nothing else.
    CodeAlone,
    /// For a password, too, or that is not known.
    More,
}

/// A key, and then PAM's prompts.
const KEY_FIRST: &str = "AuthenticationMethods publickey,keyboard-interactive";
/// A touch of security keys.
const TOUCH: &str = "PubkeyAuthOptions touch-required";
/// A PIN or a finger as well.
const TOUCH_AND_PIN: &str = "PubkeyAuthOptions touch-required verify-required";

const METHODS: &str = "authenticationmethods";

const SERVICE: &str = "pamservicename";
/// The service in which security keys count.
const USUAL_SERVICE: &str = "PAMServiceName sshd";

impl Judged {
    fn new(id: Id, by: &'static [&'static str], what: impl Into<String>, better: impl Into<String>) -> Self {
        Self { id, what: what.into(), better: better.into(), by }
    }

    /// All problems with what a login is asked.
    pub(super) fn all_of(settings: &Settings, prompts: Prompts) -> Vec<Self> {
        let lacking = settings.lacking();
        if lacking.contains(&"UsePAM no") {
            return vec![Self::new(Id::SshdWithoutPam, &["usepam"], "sshd has UsePAM no", "UsePAM yes")];
        }
        if prompts == Prompts::NoCode {
            let what =
                format!("sshd has PAMServiceName {}, and that service does not run the module", settings.pam_service());
            return vec![Self::new(Id::SshdOtherService, &[SERVICE], what, USUAL_SERVICE)];
        }
        let mut found = Vec::new();
        if !lacking.is_empty() {
            let (by, what) = (&["kbdinteractiveauthentication"], "sshd has KbdInteractiveAuthentication no");
            found.push(Self::new(Id::SshdNoPrompts, by, what, "KbdInteractiveAuthentication yes"));
        }
        let methods = Methods::parse(settings.value(METHODS));
        found.extend(methods.as_ref().and_then(|methods| Self::of_methods(methods, settings)));
        let alone = settings.without_code();
        if !alone.is_empty() && !found.iter().any(|judged| judged.id == Id::SshdNeverAsks) {
            let by = &[METHODS, "pubkeyauthentication", "hostbasedauthentication", "gssapiauthentication"];
            let what = format!("{} alone opens a session", alone.join(" or "));
            found.push(Self::new(Id::SshdKeyAlone, by, what, KEY_FIRST));
        }
        let opens_by_code = methods.as_ref().is_none_or(|methods| !methods.prompts_alone().is_empty());
        if prompts == Prompts::CodeAlone && opens_by_code && lacking.is_empty() {
            let what = "keyboard-interactive alone opens a session, and PAM asks for nothing but the code";
            found.push(Self::new(Id::SshdCodeAlone, &[METHODS, "kbdinteractiveauthentication"], what, KEY_FIRST));
        }
        if settings.says("passwordauthentication", "yes") && methods.is_none_or(|methods| methods.offer_password()) {
            let (by, what) = (&["passwordauthentication", METHODS], "sshd has PasswordAuthentication yes");
            found.push(Self::new(Id::SshdPasswordMethod, by, what, "PasswordAuthentication no"));
        }
        if settings.says("permitemptypasswords", "yes") {
            let (by, what) = (&["permitemptypasswords"], "sshd has PermitEmptyPasswords yes");
            found.push(Self::new(Id::SshdEmptyPasswords, by, what, "PermitEmptyPasswords no"));
        }
        found
    }

    fn of_methods(methods: &Methods, settings: &Settings) -> Option<Self> {
        let what = format!("sshd has AuthenticationMethods {}", settings.value(METHODS));
        if methods.shut_out() {
            Some(Self::new(Id::SshdNeverPasses, &[METHODS], what, methods.with_prompts()))
        } else if !methods.ask() && settings.lacking().is_empty() {
            Some(Self::new(Id::SshdNeverAsks, &[METHODS], what, "AuthenticationMethods keyboard-interactive"))
        } else if methods.strand() && settings.says("passwordauthentication", "yes") {
            let by = &[METHODS, "passwordauthentication"];
            Some(Self::new(Id::SshdListNeverPasses, by, what, methods.with_prompts()))
        } else {
            None
        }
    }

    /// Security keys that may sign without a touch.
    pub(super) fn untouched(settings: &Settings) -> Option<Self> {
        // An sshd before 8.2 knows no such setting.
        let value = Some(settings.value("pubkeyauthoptions")).filter(|value| !value.is_empty()).unwrap_or("none");
        let what = format!("sshd has PubkeyAuthOptions {value}");
        let better = if settings.demands_verification() { TOUCH_AND_PIN } else { TOUCH };
        (!settings.demands_touch()).then(|| Self::new(Id::SshKeyUntouched, &["pubkeyauthoptions"], what, better))
    }

    /// Security keys that PAM does not hear of. Without PAM nothing is asked after any method, which is another problem.
    pub(super) fn idle(settings: &Settings) -> Option<Self> {
        let service = settings.pam_service();
        if settings.says("usepam", "yes") && !programs::is_sshd(&service) {
            let what = format!("sshd has PAMServiceName {service}");
            return Some(Self::new(Id::SshKeyIdle, &[SERVICE], what, USUAL_SERVICE));
        }
        let is_idle = settings.says("usepam", "yes") && !settings.ask_pam_after_key();
        let what = || format!("sshd has AuthenticationMethods {}", settings.value(METHODS));
        is_idle.then(|| Self::new(Id::SshKeyIdle, &[METHODS], what(), KEY_FIRST))
    }
}
