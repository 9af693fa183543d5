//! The explanation of a login: everything that is printed, and how the service runs the module.

use std::path::{Path, PathBuf};

use twofactor_admin::checkup;
use twofactor_core::config::arguments::Arguments;
use twofactor_core::config::rule::{Demand, Level, Mismatch};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::Person;
use twofactor_core::host::user::expiry::Expired;
use twofactor_core::log::reason::{Reason, ReturnCode};
use twofactor_core::login::{self, Course, Services as _, SystemServices, Unidentified};
use twofactor_core::pam_service::{self, Line, OTHER, Phase, Service};
use twofactor_core::policy::{By, Candidates, Effect};
use twofactor_core::store::StoreError;

/// Everything there is to say about a login.
pub(crate) struct Explanation {
    /// Why the account is closed, where /etc/shadow says so.
    pub(crate) expired: Option<Expired>,
    pub(crate) typed: String,
    pub(crate) service: String,
    pub(crate) rhost: Option<String>,
    pub(crate) stack: Stack,
    pub(crate) arguments: Arguments,
    pub(crate) config: PathBuf,
    pub(crate) identified: Result<Person, Unidentified>,
    pub(crate) passed: Vec<(usize, Mismatch)>,
    pub(crate) by: By,
    /// As the rule has it.
    pub(crate) demand: Demand,
    /// As it is now, on this line.
    pub(crate) level: Level,
    pub(crate) course: Result<Course, StoreError>,
    pub(crate) prompts: Vec<String>,
    /// Why nothing is asked, whatever the rules say.
    pub(crate) unasked: Option<String>,
    /// Why the program cannot do with the line.
    pub(crate) of_program: Option<(checkup::Id, String)>,
    pub(crate) tries: u8,
    pub(crate) credentials: Vec<Credential>,
    /// Why the account is another person's.
    pub(crate) another: Option<StoreError>,
    pub(crate) delayed_until: Option<UnixTime>,
    /// With a right code, or having set up a second factor.
    pub(crate) right: Ending,
    /// With neither phone nor token at hand.
    pub(crate) without: Ending,
}

impl Explanation {
    /// The login's course, when it has one: a PAM line that is wrong, or a store that cannot be read, ends it before.
    pub(crate) fn course(&self) -> Option<&Course> {
        self.course.as_ref().ok().filter(|_| self.arguments.problems.is_empty() && self.unasked.is_none())
    }

    /// Facts that a sysadmin should know without asking.
    pub(crate) fn warnings(&self, named: Option<&Path>) -> Vec<String> {
        let service = &self.service;
        let mut warnings = Vec::new();
        match &self.stack.auth {
            Err(problem) => warnings.push(format!("cannot tell whether {service} runs the module: {problem}")),
            Ok(_) if !self.stack.is_described => {
                warnings.push(format!("there is no PAM service \"{service}\": PAM would use \"{OTHER}\""));
            }
            Ok(lines) if lines.is_empty() => warnings.push(format!(
                "the auth lines of {service} do not run pam_twofactor: no code is asked, whatever the rules say"
            )),
            Ok(lines) => {
                if lines.len() > 1 {
                    warnings.push(format!("{service} runs pam_twofactor {} times; this is the first", lines.len()));
                }
                if named.is_some_and(|named| named != self.arguments.conf) {
                    warnings.push(format!("{service} reads {}", self.arguments.conf.display()));
                }
            }
        }
        if let Some((_, what)) = &self.of_program {
            warnings.push(what.clone());
        }
        warnings.extend(self.arguments.problems.iter().map(|problem| format!("the PAM line: {problem}")));
        if let By::Doubt(Candidates { why, effect: Effect::Stricter, .. }) = &self.by
            && self.identified.is_ok()
        {
            warnings.push(format!("it is not certain which rule matches, so the strictest holds: {why}"));
        }
        warnings
    }
}

/// A service's lines that run the module.
pub(crate) struct Stack {
    /// Its auth lines that do, or the reason for which they are not known.
    pub(crate) auth: Result<Vec<Line>, String>,
    /// The account line that does so whenever the phase succeeds; otherwise the reason.
    pub(crate) account: Result<(), String>,
    /// As libpam reads it, when that can be told.
    pub(crate) service: Option<Service>,
    /// True when a file describes it; otherwise PAM uses `other`.
    pub(crate) is_described: bool,
}

impl Stack {
    pub(crate) fn of(service: &str) -> Self {
        let read = Service::read(service, &pam_service::FOLDERS.map(Path::new));
        let ours = |line: &&Line| line.phase == Phase::Auth && line.is_ours();
        let auth = match &read {
            Ok(service) => Ok(service.lines.iter().filter(ours).cloned().collect()),
            Err(error) => Err(error.to_string()),
        };
        let described = pam_service::find(service, &pam_service::FOLDERS.map(Path::new));
        Self {
            auth,
            service: read.ok(),
            account: SystemServices.account_line(service),
            is_described: !matches!(described, Ok(None)),
        }
    }

    /// The first line that runs the module.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.auth.as_ref().ok()?.first()
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.line().into_iter().flat_map(|line| &line.arguments).map(String::as_str)
    }
}

/// Something that the user has.
pub(crate) struct Credential {
    pub(crate) kind: Kind,
    /// Its name.
    pub(crate) name: String,
    /// Why it does not count for this login.
    pub(crate) obstacle: Option<Reason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    App,
    Token,
    Recovery,
}

/// The end of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    Ignore,
    /// The service does not run the module.
    NotRun,
    Refused(Reason, ReturnCode),
}

impl Ending {
    pub(crate) fn refused(reason: Reason) -> Self {
        Self::Refused(reason, reason.return_code())
    }

    /// The end after the last of several tries, all of which ended so.
    pub(crate) fn after(self, tries: u8) -> Self {
        match self {
            Self::Refused(reason, _) if tries > 1 && login::may_try_again(reason) => {
                Self::Refused(reason, ReturnCode::MaxTries)
            }
            other => other,
        }
    }
}
