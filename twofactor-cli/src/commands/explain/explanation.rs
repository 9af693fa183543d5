//! The explanation of a login: everything that is printed, and how the service runs the module.

use std::path::{Path, PathBuf};

use twofactor_admin::checkup;
use twofactor_core::config::arguments::Arguments;
use twofactor_core::config::rule::{Demand, Level, Mismatch};
use twofactor_core::host::user::expiry::Expired;
use twofactor_core::login::{Claimant, Course, Forecast, LoginEnd, Services as _, SystemServices};
use twofactor_core::pam_service::{self, Line, OTHER, Phase, Service};
use twofactor_core::policy::{By, Candidates, Effect};
use twofactor_core::store::StoreError;

/// Everything there is to say about a login.
pub(crate) struct Explanation<'a> {
    /// Why the account is closed, where /etc/shadow says so.
    pub(crate) expired: Option<Expired>,
    pub(crate) claimant: Claimant<'a>,
    pub(crate) stack: Stack,
    pub(crate) arguments: Arguments,
    pub(crate) config: PathBuf,
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
    pub(crate) forecast: Forecast,
    /// With a right code, or after an enrollment; `None` where the service does not run the module.
    pub(crate) right: Option<LoginEnd>,
    /// With neither phone nor token at hand.
    pub(crate) without: Option<LoginEnd>,
}

impl Explanation<'_> {
    /// The login's course, when it has one: a PAM line that is wrong, or a store that cannot be read, ends it before.
    pub(crate) fn course(&self) -> Option<&Course> {
        self.course.as_ref().ok().filter(|_| self.arguments.problems.is_empty() && self.unasked.is_none())
    }

    /// Facts that a sysadmin should know without asking.
    pub(crate) fn warnings(&self, named: Option<&Path>) -> Vec<String> {
        let service = self.claimant.service;
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
            && self.claimant.identified.is_ok()
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
