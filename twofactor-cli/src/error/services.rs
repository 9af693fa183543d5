//! Why a PAM service was not changed: sentences, exit codes and ways out.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use twofactor_admin::checkup::some_of;
use twofactor_admin::pam_editing::placing::{CannotPlace, CannotReplace};
use twofactor_admin::pam_editing::rehearsal::Disagreement;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::{FileError, describe};
use twofactor_core::pam_service::findings::{Finding, Place};
use twofactor_core::pam_service::letters::Letter;
use twofactor_core::pam_service::modules::OURS;
use twofactor_core::pam_service::{Phase, ServiceError};
use twofactor_core::store::StoreError;
use twofactor_core::text::document::toml_string;

use super::status::{ExitStatus, of_store};

/// Why a PAM service was not changed. Nothing was, unless it says so.
#[derive(Debug, Error)]
pub(crate) enum ServiceFailure {
    #[error("there is no PAM service \"{0}\"")]
    NoService(String),
    #[error("{service}: {error}")]
    NoPlace { service: String, file: PathBuf, error: Box<CannotPlace> },
    #[error("{service}: {error}, so it is not replaced")]
    NotReplaced { service: String, error: Box<CannotReplace> },
    #[error("{} would refuse {}, who {} not enrolled", services.join(", "), some_of(users.iter().map(String::as_str)), if users.len() == 1 { "is" } else { "are" })]
    Lacking { services: Vec<String>, users: Vec<String> },
    #[error("{} is a symbolic link to {}", file.display(), target.display())]
    Link { file: PathBuf, target: PathBuf },
    #[error("{} may be changed by others than root (mode {mode:04o}, owner {uid})", file.display())]
    Open { file: PathBuf, mode: u32, uid: u32 },
    #[error("{} has {names} names: another service may be the same file", file.display())]
    HardLink { file: PathBuf, names: u64 },
    #[error("pam_twofactor.so is not where libpam looks for modules")]
    NoModule(Option<PathBuf>),
    #[error("no administrator could log in with {service}: {}", none_left(administrators, barred))]
    NobodyLeft {
        service: String,
        /// Those who lack a second factor and nothing else.
        administrators: Vec<String>,
        /// Those who are barred all the same, and the reason: `by PermitRootLogin no`.
        barred: Vec<(String, String)>,
    },
    #[error("cannot tell who administrators are: {0}")]
    People(String),
    #[error("{service} runs pam_twofactor through another file: {place}")]
    Through { service: String, place: Place },
    #[error("{service}: without pam_twofactor, {error}")]
    Needed { service: String, file: PathBuf, error: Box<CannotPlace> },
    #[error("not everything was taken out: pam_twofactor.so is still run by {}", .0.join(", "))]
    StillRuns(Vec<String>),
    #[error("cannot {doing} {}: {}", path.display(), describe(error))]
    File { path: PathBuf, doing: &'static str, error: io::Error },
    #[error("{} has changed meanwhile", .0.display())]
    Changed(PathBuf),
    #[error(transparent)]
    State(#[from] StoreError),
    #[error(transparent)]
    Unreadable(#[from] ServiceError),
    #[error("{service}: {disagreement}; the modules returned: {}", disagreement.results())]
    Rehearsal { service: String, file: PathBuf, disagreement: Box<Disagreement> },
    #[error("{service}: libpam {how} when it runs what would be written, with stubs in the place of the modules")]
    RehearsalDied { service: String, file: PathBuf, how: String },
    #[error("sshd does not accept its configuration: {0}; everything was put back")]
    SshdRefuses(String),
    #[error("cannot ask sshd for its settings: {0}")]
    SshdSilent(String),
    #[error("sshd would not read the settings it needs: {} does not include {}", config.display(), folder.display())]
    SshdIncludes { config: PathBuf, folder: PathBuf },
    #[error("an earlier line of sshd's configuration says otherwise: {}; everything was put back", .0.join(", "))]
    SshdInsists(Vec<String>),
    #[error("--security-keys is about sshd, which is not among the services")]
    KeysWithoutSshd,
    #[error("{} is not ours and would be overwritten", .0.display())]
    SshdFile(PathBuf),
    #[error("no code can be asked for in {}", .0.join(", "))]
    Hopeless(Vec<String>),
    #[error("cannot list {} under combined in {}: {because}", services.join(", "), file.display())]
    Combined { file: PathBuf, services: Vec<String>, because: String },
    #[error(
        "sshd's AuthenticationMethods {value} ({place}) refuses every login that is asked for a code: the method password \
         answers the prompt for it with the password"
    )]
    SshdMethods {
        value: String,
        /// The line.
        place: String,
        /// The line that lets the login in instead.
        instead: String,
    },
}

impl ServiceFailure {
    /// The exit code.
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::NoService(_) => ExitStatus::NotThere,
            Self::KeysWithoutSshd => ExitStatus::Usage,
            Self::State(error) => of_store(error),
            Self::File { .. } | Self::Unreadable(_) => ExitStatus::Failed,
            Self::NoPlace { .. }
            | Self::NotReplaced { .. }
            | Self::Lacking { .. }
            | Self::Link { .. }
            | Self::Open { .. }
            | Self::HardLink { .. }
            | Self::NoModule(_)
            | Self::NobodyLeft { .. }
            | Self::People(_)
            | Self::Through { .. }
            | Self::Needed { .. }
            | Self::StillRuns(_)
            | Self::Changed(_)
            | Self::Rehearsal { .. }
            | Self::RehearsalDied { .. }
            | Self::SshdRefuses(_)
            | Self::SshdSilent(_)
            | Self::SshdIncludes { .. }
            | Self::SshdInsists(_)
            | Self::SshdFile(_)
            | Self::Hopeless(_)
            | Self::Combined { .. }
            | Self::SshdMethods { .. } => ExitStatus::Refused,
        }
    }

    /// True when this host's libpam did otherwise than expected.
    pub(crate) fn is_of_libpam(&self) -> bool {
        matches!(self, Self::Rehearsal { .. } | Self::RehearsalDied { .. })
    }

    /// The way out.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoService(_) => "\"twofactor service list --all\" shows those of this host".to_owned(),
            Self::NoPlace { file, error, .. } => place_by_hand(file, error),
            Self::NotReplaced { .. } => {
                "take its users over with \"twofactor import\", and the line out by hand; without --replace it stays"
                    .to_owned()
            }
            Self::Lacking { users, .. } => {
                let first = users.iter().find(|name| *name != "root").or(users.first());
                format!(
                    "run \"twofactor enroll {}\", or write a rule that lets them in; --force replaces the line all the same",
                    quoted(first.map_or("USER", String::as_str))
                )
            }
            Self::Link { file, target } => {
                let (file, target) = (quoted(&file.display().to_string()), quoted(&target.display().to_string()));
                format!("to give the service a file of its own: cp --remove-destination {target} {file}")
            }
            Self::Open { file, .. } => {
                let file = quoted(&file.display().to_string());
                format!("check what it says, then: chown root {file} && chmod go-w {file}")
            }
            Self::HardLink { file, .. } => {
                let (file, copy) = (file.display().to_string(), format!("{}.own", file.display()));
                let (file, copy) = (quoted(&file), quoted(&copy));
                format!("to give the service a file of its own: cp -p {file} {copy} && mv {copy} {file}")
            }
            Self::NoModule(Some(folder)) => format!("install it as {}", folder.join("pam_twofactor.so").display()),
            Self::NoModule(None) => "is libpam installed? no folder of modules was found".to_owned(),
            Self::NobodyLeft { administrators, .. } => match administrators.first() {
                Some(name) => format!("run \"twofactor enroll {}\"; --force does it all the same", quoted(name)),
                None => "let one of them in first; --force does it all the same".to_owned(),
            },
            Self::People(_) => "try: getent passwd; --force does it all the same".to_owned(),
            Self::Through { place, .. } if place.file.to_string_lossy().contains("/common-") => {
                "pam-auth-update --disable twofactor takes it out of all services".to_owned()
            }
            Self::Through { place, .. } => format!("take the line out there: {}", place.file.display()),
            Self::Needed { file, .. } => format!("change {} by hand; see pam_twofactor(8)", file.display()),
            Self::Changed(_) => "try again".to_owned(),
            Self::Rehearsal { file, .. } | Self::RehearsalDied { file, .. } => format!(
                "nothing was written; please report this; to go on, put the lines into {} by hand, and try them",
                file.display()
            ),
            Self::SshdSilent(_) => "try: sshd -T".to_owned(),
            Self::SshdRefuses(_) => "try: sshd -t".to_owned(),
            Self::SshdIncludes { config, folder } => {
                format!("put this line at the top of {}: Include {}/*.conf", config.display(), folder.display())
            }
            Self::SshdInsists(settings) => {
                let keyword = settings.first().and_then(|setting| setting.split(' ').next()).unwrap_or_default();
                format!("the first value counts; see: grep -rni {} /etc/ssh", keyword.to_ascii_lowercase())
            }
            Self::KeysWithoutSshd => "name it too: twofactor service enable sshd --security-keys".to_owned(),
            Self::SshdFile(path) => format!("move it away, or put its lines into another file: {}", path.display()),
            Self::Hopeless(_) => "leave them out; --force does it all the same".to_owned(),
            Self::Combined { file, services, .. } => {
                let names = services.iter().map(|service| toml_string(service)).collect::<Vec<_>>().join(", ");
                format!("add {names} to the list combined of [prompt] in {}, then try again", file.display())
            }
            Self::SshdMethods { place, instead, .. } => {
                format!("write \"{instead}\" at {place}, and reload sshd; --force does it all the same")
            }
            Self::State(error) => error.hint(),
            // What is to be done was said with each file.
            Self::StillRuns(_) | Self::File { .. } | Self::Unreadable(_) => return None,
        })
    }
}

/// The instruction where no place was found.
fn place_by_hand(file: &Path, error: &CannotPlace) -> String {
    match error {
        CannotPlace::Shared(name) if name.starts_with("common-") => {
            "all services at once: pam-auth-update --enable twofactor; one: twofactor service enable sshd".to_owned()
        }
        CannotPlace::Shared(_) => {
            "all services at once is a matter of authselect; one: twofactor service enable sshd".to_owned()
        }
        CannotPlace::Fallback => {
            "name the services that are meant; \"twofactor service list --all\" shows those of this host".to_owned()
        }
        CannotPlace::NoAccountLines(_) => format!("write its account lines into {}, then try again", file.display()),
        CannotPlace::Unsound(finding) | CannotPlace::Elsewhere(finding) => by_hand(finding, "fix"),
        CannotPlace::NoPlace { finding, .. } => by_hand(finding, "change"),
        CannotPlace::Letter(Letter { file, letter: '\r', .. }) => {
            format!("end its lines as other files do: sed -i 's/\\r//g' {}", quoted(&file.display().to_string()))
        }
        CannotPlace::ModuleMissing(place) => {
            format!("install the module, take {place} out, or write \"-\" before its first word where that is meant")
        }
        CannotPlace::Letter(letter) => {
            format!("write {}:{} anew, with plain blanks", letter.file.display(), letter.number)
        }
        CannotPlace::ModuleDamaged { line, .. } => {
            format!("install the package of the module again, or take {line} out, then try again")
        }
        CannotPlace::Misnamed(place) => format!("write {OURS} for the module at {place}, or take the line out"),
        CannotPlace::Service(
            ServiceError::ReadDifferently { path, number }
            | ServiceError::Unfinished { path, number }
            | ServiceError::Endless { path, number }
            | ServiceError::Fatal { path, number, .. },
        ) => format!("correct {}:{number}, then try again", path.display()),
        CannotPlace::Service(ServiceError::Unreadable { path, .. }) => {
            format!("restore {}, or correct the line that includes it; then try again", path.display())
        }
        CannotPlace::Service(ServiceError::TooDeep(path) | ServiceError::TooLong(path)) => {
            format!("have {} include less, then try again", path.display())
        }
        CannotPlace::Service(_) | CannotPlace::NoPrimary(_) => {
            format!("put \"auth required pam_twofactor.so\" into {} by hand; see pam_twofactor(8)", file.display())
        }
    }
}

/// The obstacle of each administrator: no second factor, or a setting that bars the login.
fn none_left(administrators: &[String], barred: &[(String, String)]) -> String {
    let not_enrolled = match administrators {
        [] => None,
        [name] => Some(format!("{name} is not enrolled")),
        names => Some(format!("{} are not enrolled", names.join(", "))),
    };
    let barred = barred.iter().map(|(name, because)| format!("{name} is barred {because}"));
    let all: Vec<String> = not_enrolled.into_iter().chain(barred).collect();
    if all.is_empty() { "there is none".to_owned() } else { all.join("; ") }
}

/// The instruction for a line that the tool does not change itself.
fn by_hand(finding: &Finding, verb: &str) -> String {
    let place = match finding {
        Finding::Opens { by } | Finding::Closes { by } => {
            return format!("have {by} end where it refuses, or jump to a line of its own; see pam_twofactor(8)");
        }
        Finding::Skipped { by, .. } | Finding::Unasked { by } | Finding::SkippedWhenExpired { by } => by,
        Finding::Overruled { ours, .. }
        | Finding::OnlyIgnores { ours }
        | Finding::Missing { ours }
        | Finding::TooLate { ours, .. } => ours,
        Finding::PrimaryOverruled { primary } => primary,
        Finding::Broken { line, .. } | Finding::UnknownControl(line) | Finding::Misnamed { line } => line,
        Finding::ToldWrongly { teller } | Finding::NeverTold { teller } => {
            return format!("take {teller} out by hand, or put it where only a failure leads");
        }
        Finding::AskedTwice { first, again } => return format!("take {first} or {again} out by hand"),
        Finding::NoLine(phase) | Finding::NeverSucceeds(phase) | Finding::Tangled(phase) => {
            return match phase {
                Phase::Auth => "every login has to end in success behind the password and pam_twofactor".to_owned(),
                Phase::Account | Phase::Session | Phase::Password => {
                    "put \"account required pam_twofactor.so\" before the first account line by hand".to_owned()
                }
            };
        }
    };
    format!("{verb} {place} by hand, so that a right password goes on to the line behind it")
}

impl From<FileError> for ServiceFailure {
    fn from(error: FileError) -> Self {
        Self::State(error.into())
    }
}
