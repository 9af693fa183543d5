//! Problems with the PAM services that run the module, on a host with these rules.

use std::path::Path;

use super::catalogue::Id;
use super::finding::{Finding, Mend, some_of};
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::arguments::{Arguments, Verbosity};
use twofactor_core::config::rule::{Demand, Level};
use twofactor_core::config::{Config, DEFAULT_STATE};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::shell::quoted;
use twofactor_core::pam_service::control;
use twofactor_core::pam_service::findings::{self, Place};
use twofactor_core::pam_service::modules::{Nature, OURS, names_ours_wrongly};
use twofactor_core::pam_service::programs::{self, ProgramObstacle};
use twofactor_core::pam_service::{Flaw, Kind, Line, Phase, Service, ServiceError, first_factor};

/// Services that people know, also when nothing of them can be read.
pub const KNOWN: [&str; 14] = [
    "sshd",
    "login",
    "su",
    "su-l",
    "sudo",
    "sudo-i",
    "gdm-password",
    "lightdm",
    "sddm",
    "polkit-1",
    "xrdp-sesman",
    "cockpit",
    "remote",
    "vlock",
];

/// True when any line of the service runs the module, or is meant to.
pub fn runs_ours(service: &Service) -> bool {
    service.lines.iter().any(|line| is_login(line) && (line.runs(OURS) || names_ours_wrongly(line)))
}

/// True when the service asks for a first factor before or beside us.
pub fn asks_first_factor(service: &Service) -> bool {
    service.phase(Phase::Auth).iter().any(|line| Nature::of(line) == Nature::Primary)
}

/// True when a user can log in who is asked for our code and certainly for nothing else.
pub fn asks_for_code_alone(service: &Service) -> bool {
    let lines = service.phase(Phase::Auth);
    // The lines of a substack are among them, too.
    let may_ask =
        |line: &&Line| line.kind != Kind::Substack && matches!(Nature::of(line), Nature::Primary | Nature::Unknown);
    lines.iter().any(|line| line.is_ours()) && !lines.iter().any(may_ask) && lets_in(service)
}

/// True when a user could log in with the service, were all modules there. Where no user gets in, the questions asked do
/// not matter.
pub fn lets_in(service: &Service) -> bool {
    let never = |finding: &findings::Finding| matches!(finding, findings::Finding::NeverSucceeds(_));
    !findings::of(service, &|_| false).iter().any(never)
}

/// The lines of the service that run the module, with what their arguments mean.
pub fn our_lines(service: &Service) -> impl Iterator<Item = (&Line, Arguments)> {
    let ours = service.lines.iter().filter(|line| is_login(line) && line.is_ours());
    ours.map(|line| (line, Arguments::parse(line.arguments.iter().map(String::as_str))))
}

fn is_login(line: &Line) -> bool {
    matches!(line.phase, Phase::Auth | Phase::Account)
}

/// Password lines that run the module, each once however many services include it.
pub fn of_password_lines(services: &[Service]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let lines = services.iter().flat_map(|service| service.phase(Phase::Password));
    for place in lines.filter(|line| line.runs(OURS)).map(Place::of) {
        let what = format!("{place} ({}) runs pam_twofactor when a password is changed", place.text);
        let finding = Finding::by_hand(Id::PasswordLine, what, format!("take {place} out"));
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

/// Problems with the file that tells our line of a failed first factor, of all `services` that can be read. Where it is not
/// there the lines that include it are broken.
pub fn of_first_factor_file(content: Option<&[u8]>, services: &[Service]) -> Vec<Finding> {
    let Some(content) = content else { return Vec::new() };
    let included = |service: &&Service| {
        service.name != first_factor::NAME && service.files.iter().any(|file| file == Path::new(first_factor::FILE))
    };
    let names: Vec<&str> = services.iter().filter(included).map(|service| service.name.as_str()).collect();
    let file = first_factor::FILE;
    if names.is_empty() {
        let what = format!("no service includes {file} any more");
        return vec![Finding::run(Id::FirstFactorUnused, what, format!("rm {file}"))];
    }
    if content == first_factor::TEXT.as_bytes() {
        return Vec::new();
    }
    let what = format!("{}: {file} was changed", some_of(names.iter().copied()));
    vec![Finding::run(Id::FirstFactorFile, what, enabling(&names))]
}

/// Why the program of a service cannot do with our auth line, where it is known for that.
pub fn of_program(service: &Service, config: &Config) -> Option<(Id, String)> {
    let is_combined = config.prompt.combined.contains(&service.name);
    let ours = service.phase(Phase::Auth).into_iter().find(|line| line.is_ours())?;
    let program = programs::of(&service.name);
    let obstacle = program.and_then(|program| program.obstacle().map(|obstacle| (program, obstacle)));
    let (id, program) = match obstacle {
        // With a line that all services share, it was not put there for this one; the program does not run it.
        Some((_, ProgramObstacle::AsksNobody | ProgramObstacle::NeverAuthenticates)) if ours.file != service.file => {
            return None;
        }
        Some((program, ProgramObstacle::AsksNobody)) => (Id::ProgramAsksNobody, program),
        Some((program, ProgramObstacle::NeverAuthenticates)) => (Id::ProgramNeverAuthenticates, program),
        Some((program, ProgramObstacle::NotRoot)) if !config.has_caller_for(&service.name) => {
            (Id::ProgramNotRoot, program)
        }
        Some((program, ProgramObstacle::RepeatsPassword | ProgramObstacle::NeedsBroker)) if !is_combined => {
            (Id::ProgramRepeatsPassword, program)
        }
        Some((program, ProgramObstacle::NotRoot)) if !is_combined && program.repeats_password() => {
            (Id::ProgramRepeatsPassword, program)
        }
        Some((_, ProgramObstacle::RepeatsPassword | ProgramObstacle::NeedsBroker | ProgramObstacle::NotRoot))
        | None => {
            let late = findings::too_late(service).filter(|_| is_combined)?;
            return Some((Id::CombinedLineLate, late.to_string()));
        }
    };
    let (_, obstacle) = obstacle?;
    Some((id, format!("{}: {}", Place::of(ours), obstacle.about(program))))
}

/// The broker that programs of `services` need, each of which runs the module. `problem` is what keeps it from being asked.
pub fn of_broker(services: &[Service], config: &Config, problem: Option<&str>) -> Option<Finding> {
    // To one that needs a [[caller]] first, the broker would say nothing.
    let is_refused = |service: &Service| matches!(of_program(service, config), Some((Id::ProgramNotRoot, _)));
    let needing = services.iter().filter(|service| programs::needs_broker(&service.name) && !is_refused(service));
    let names: Vec<&str> = needing.map(|service| service.name.as_str()).collect();
    let problem = problem.filter(|_| !names.is_empty())?;
    let what = format!("{}: {problem}", some_of(names.into_iter()));
    Some(Finding::run(Id::BrokerAbsent, what, "systemctl enable --now twofactord.socket"))
}

/// Services that cannot be followed, not by libpam either, for the same reason.
pub fn of_unreadable(names: &[&str], error: &ServiceError) -> Finding {
    let what = match names {
        [name] => format!("the PAM service {name:?}: {error}"),
        names => format!("the PAM services {}: {error}", some_of(names.iter().copied())),
    };
    let (id, advice) = match error {
        ServiceError::ReadDifferently { path, number } => {
            let advice = format!("end the line at {}:{number}, or write it without a backslash", path.display());
            (Id::ServiceAmbiguous, advice)
        }
        ServiceError::Letter(letter) => (
            Id::ServiceUnreadable,
            format!("write {}:{} anew, with plain blanks", letter.file.display(), letter.number),
        ),
        _ => {
            let advice = "fix what it includes, or restore it from its package; keep a root shell open meanwhile";
            (Id::ServiceUnreadable, advice.to_owned())
        }
    };
    Finding::by_hand(id, what, advice)
}

/// Problems with `services`, all of which run the module. What is wrong with a file that several of them include is
/// said once. `is_missing` says of a line whether its module is not there.
pub fn of_services(
    services: &[Service],
    config: &Config,
    is_missing: &dyn Fn(&Line) -> bool,
    now: UnixTime,
) -> Vec<Finding> {
    let mut all: Vec<(Finding, Vec<&str>)> = Vec::new();
    for service in services {
        let policy = Policy { config, service: &service.name, now };
        for finding in of_service(service, &policy, is_missing) {
            match all.iter_mut().find(|(known, _)| (known.id, &known.what) == (finding.id, &finding.what)) {
                Some((_, names)) if names.contains(&service.name.as_str()) => {}
                Some((_, names)) => names.push(&service.name),
                None => all.push((finding, vec![&service.name])),
            }
        }
    }
    let named = |(finding, names): (Finding, Vec<&str>)| {
        let what = format!("{}: {}", some_of(names.iter().copied()), finding.what);
        let mend = match finding.mend {
            Mend::Consider { advice, command } if command.starts_with(ENABLE) => {
                Mend::Consider { advice, command: enabling(&names) }
            }
            Mend::Run(command) if command.starts_with(ENABLE) => Mend::Run(enabling(&names)),
            other => other,
        };
        Finding { what, mend, ..finding }
    };
    all.into_iter().map(named).collect()
}

/// The rules as far as they are about a service.
struct Policy<'a> {
    config: &'a Config,
    service: &'a str,
    now: UnixTime,
}

impl Policy<'_> {
    /// True when some login of the service may be asked what `applies` says. Who logs in and from where is not known.
    fn may(&self, applies: impl Fn(&Demand) -> bool) -> bool {
        let about = |services: &Option<Vec<String>>| {
            services.as_ref().is_none_or(|services| services.iter().any(|name| name == self.service))
        };
        let rules = self.config.rules.iter().filter(|rule| about(&rule.conditions.services)).map(|rule| rule.demand);
        rules.chain([Demand::at(self.config.default_level)]).any(|demand| applies(&demand))
    }

    fn may_enroll(&self) -> bool {
        self.may(|demand| demand.level_at(self.now) == Level::Enroll)
    }

    fn may_waive(&self) -> bool {
        self.may(|demand| {
            matches!(demand.level_at(self.now), Level::Optional | Level::Off) || !demand.remember.is_zero()
        })
    }
}

fn of_service(service: &Service, policy: &Policy<'_>, is_missing: &dyn Fn(&Line) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, arguments) in our_lines(service) {
        let place = Place::of(line);
        let edit = |words: &str| format!("{words} at {place}");
        for problem in &arguments.problems {
            let advice = edit("correct the arguments");
            found.push(Finding::by_hand(Id::BadArgument, format!("{place} has {problem:?}"), advice));
        }
        if arguments.null_ok == NullOk::Yes {
            found.push(Finding::by_hand(Id::NullOk, format!("{place} has nullok"), edit("take nullok out")));
        }
        if arguments.verbosity == Verbosity::Debug {
            found.push(Finding::by_hand(Id::DebugLeftOn, format!("{place} has debug"), edit("take debug out")));
        }
    }
    let waives = policy.may_waive() || found.iter().any(|finding| finding.id == Id::NullOk);
    let mut account = None;
    for finding in findings::of(service, is_missing) {
        use findings::Finding as Seen;
        let what = finding.to_string();
        let enable = |id: Id, by: &Place| mended_by_enabling(id, &what, service, Some(by));
        match &finding {
            Seen::NoLine(Phase::Account)
            | Seen::Skipped { phase: Phase::Account, .. }
            | Seen::Overruled { phase: Phase::Account, .. } => account = account.or(Some(what)),
            // What several services share may be included by some that ask for nothing.
            Seen::NoLine(_) if our_lines(service).any(|(line, _)| line.file != service.file) => {}
            Seen::NoLine(_) => found.push(mended_by_enabling(Id::NoAuthLine, &what, service, None)),
            Seen::Skipped { by, .. } => found.push(enable(Id::LineSkipped, by)),
            Seen::Overruled { ours, by, .. } => found.push(enable(Id::LineOverruled, by.as_ref().unwrap_or(ours))),
            Seen::PrimaryOverruled { primary } => found.push(enable(Id::PasswordOverruled, primary)),
            Seen::SkippedWhenExpired { by } if policy.may_enroll() && account.is_none() => {
                let advice = format!("put the account line of pam_twofactor before {by}");
                found.push(Finding::by_hand(Id::AccountLineLate, what, advice));
            }
            Seen::Unasked { by } if !by.text.ends_with(ROOT_IS_ASKED_NOTHING) => {
                let advice = format!("see whether {by} is meant; else take it out");
                found.push(Finding::by_hand(Id::AsksNothing, what, advice));
            }
            Seen::OnlyIgnores { ours } if waives => {
                let advice = format!("add \"auth required pam_permit.so\" behind {ours}");
                found.push(Finding::by_hand(Id::OnlyIgnores, what, advice));
            }
            Seen::ToldWrongly { teller } => found.push(enable(Id::ToldWrongly, teller)),
            Seen::NeverTold { teller } => found.push(enable(Id::NeverTold, teller)),
            Seen::AskedTwice { first, again } => found.push(of_second_line(&what, service, first, again)),
            Seen::Missing { ours } if !found.iter().any(|finding| finding.id == Id::ModuleMissing) => {
                let advice = format!("install the package of pam_twofactor, or correct {ours}");
                found.push(Finding::by_hand(Id::ModuleMissing, what, advice));
            }
            Seen::Misnamed { line } => {
                let advice = format!("write {OURS} for the module at {line}, and nothing behind it but its arguments");
                found.push(Finding::by_hand(Id::ModuleMissing, what, advice));
            }
            Seen::NeverSucceeds(_) => {
                let advice = format!("put it right: {}", service.file.display());
                found.push(Finding::by_hand(Id::NeverSucceeds, what, advice));
            }
            Seen::Broken { flaw: Flaw::Include(file), .. } if file == first_factor::FILE => {
                found.push(mended_by_enabling(Id::BrokenLine, &what, service, None));
            }
            Seen::Broken { line, .. } | Seen::UnknownControl(line) => {
                let advice = format!("correct {line}");
                found.push(Finding::by_hand(Id::BrokenLine, what, advice));
            }
            Seen::SkippedWhenExpired { .. }
            | Seen::Unasked { .. }
            | Seen::OnlyIgnores { .. }
            | Seen::Missing { .. }
            | Seen::TooLate { .. }
            | Seen::Opens { .. }
            | Seen::Closes { .. }
            | Seen::Tangled(_) => {}
        }
    }
    if let Some((id, what)) = of_program(service, policy.config) {
        found.push(match id {
            Id::ProgramRepeatsPassword | Id::CombinedLineLate => mended_by_enabling(id, &what, service, None),
            _ => taken_out(id, &what, service),
        });
    }
    if policy.may_enroll() && account.is_none() {
        found.extend(findings::unheard_refusals(service).iter().map(|place| of_unheard_refusal(service, place)));
    }
    // A line that always fails is why a phase never succeeds.
    if found.iter().any(|finding| finding.id == Id::BrokenLine) {
        found.retain(|finding| finding.id != Id::NeverSucceeds);
    }
    if let Some(what) = account {
        let id = if policy.may_enroll() { Id::EnrollmentImpossible } else { Id::NoAccountLine };
        found.push(mended_by_enabling(id, &what, service, None));
    }
    found
}

/// A line that refuses too late, or goes on after that.
fn of_unheard_refusal(service: &Service, place: &Place) -> Finding {
    let lines = service.phase(Phase::Account);
    let at = |place: &Place| lines.iter().position(|line| Place::of(line) == *place);
    let ours = lines.iter().position(|line| line.is_ours());
    let written = at(place).and_then(|at| lines.get(at)).map(|line| line.control.clone());
    let ends = written.as_deref().and_then(control::ending);
    let what = format!("a user whom {place} ({}) refuses sets up a second factor all the same", place.text);
    let advice = if at(place) > ours {
        // An expired password must not end the phase before ours.
        let goes_on = |ends: String| match control::Control::parse(&ends).action(control::Code::NEW_AUTHTOK_REQD) {
            control::Action::Bad | control::Action::Die => {
                format!("{} new_authtok_reqd=ok]", ends.trim_end_matches(']').trim_end())
            }
            _ => ends,
        };
        let ends = ends.map_or_else(|| "requisite".to_owned(), goes_on);
        format!("put {place} above the account line of pam_twofactor, with \"{ends}\"")
    } else if place.file == service.file {
        match (&written, ends) {
            (Some(written), Some(ends)) => format!("write \"{ends}\" in the place of \"{written}\" at {place}"),
            _ => format!("have {place} end the account phase when it refuses (\"die\")"),
        }
    } else {
        let (shared, file) = (place.file.display(), service.file.display());
        let ends = ends.as_deref().unwrap_or("requisite");
        format!("write {shared}:{} into {file}, above its include and with \"{ends}\"", place.number)
    };
    Finding::by_hand(Id::StoredThoughRefused, what, advice)
}

/// Lines of a service, which runs the module, that refuse a user only when a second factor of theirs may be stored already.
pub fn of_unheard_refusals(service: &Service, config: &Config, now: UnixTime) -> Vec<Finding> {
    let policy = Policy { config, service: &service.name, now };
    let unheard = if policy.may_enroll() { findings::unheard_refusals(service) } else { Vec::new() };
    unheard.iter().map(|place| of_unheard_refusal(service, place)).collect()
}

/// Root runs `su` without being asked.
const ROOT_IS_ASKED_NOTHING: &str = "pam_rootok.so";

/// Phases that cannot be followed to every end.
pub fn not_followed(service: &Service, is_missing: &dyn Fn(&Line) -> bool) -> Vec<String> {
    let tangled = |finding: &findings::Finding| matches!(finding, findings::Finding::Tangled(_));
    findings::of(service, is_missing).iter().filter(|finding| tangled(finding)).map(ToString::to_string).collect()
}

const ENABLE: &str = "twofactor service enable";

fn enabling(services: &[&str]) -> String {
    let names = services.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" ");
    format!("{ENABLE} {names}")
}

/// `by` is the line to look at, for a repair by hand. A file that other services share is not changed for
/// the sake of one.
fn mended_by_enabling(id: Id, what: &str, service: &Service, by: Option<&Place>) -> Finding {
    let shared = our_lines(service).find(|(line, _)| line.file != service.file);
    let mend = match (shared, by) {
        (Some((line, _)), None) => Mend::Do(format!("put it right by hand, beside {}", Place::of(line))),
        (Some(_), Some(by)) => Mend::Do(format!("put {by} right by hand, for all services that include it")),
        (None, None) => Mend::Run(enabling(&[&service.name])),
        (None, Some(by)) => {
            let advice = format!("put {by} right by hand, or run");
            Mend::Consider { advice, command: enabling(&[&service.name]) }
        }
    };
    Finding { id, what: what.to_owned(), mend }
}

/// Our line has to go, from the service or from what it includes.
fn taken_out(id: Id, what: &str, service: &Service) -> Finding {
    match our_lines(service).find(|(line, _)| line.phase == Phase::Auth && line.file != service.file) {
        Some((line, _)) => {
            let (shared, file) = (line.file.display(), service.file.display());
            Finding::by_hand(id, what, format!("write lines into {file} that do not include {shared}"))
        }
        None => Finding::run(id, what, format!("twofactor service disable {}", quoted(&service.name))),
    }
}

/// One of the two lines has to go. Of two in the service's own file `enable` leaves one; where the other is in a file that
/// services share, `disable` takes out the own one.
fn of_second_line(what: &str, service: &Service, first: &Place, again: &Place) -> Finding {
    let own = [first, again].iter().filter(|place| place.file == service.file).count();
    match own {
        2 => Finding::run(Id::AskedTwice, what, enabling(&[&service.name])),
        1 => {
            let advice = "one of the two lines has to go; to keep that of the file that services share";
            let command = format!("twofactor service disable {}", quoted(&service.name));
            Finding::consider(Id::AskedTwice, what, advice, command)
        }
        _ => Finding::by_hand(Id::AskedTwice, what, format!("take {first} or {again} out")),
    }
}

/// The service of polkit's agents, whose PAM phase systemd runs in a sandbox.
pub const POLKIT: &str = "polkit-1";

/// True when a unit's drop-ins, whose texts these are, let it write the folder `state`.
fn lets_write(drop_ins: &[String], state: &Path) -> bool {
    let opened = |text: &String| {
        text.lines()
            .filter_map(|line| line.trim().strip_prefix("ReadWritePaths="))
            .any(|paths| paths.split_whitespace().any(|path| state.starts_with(path.trim_start_matches(['-', '+']))))
    };
    drop_ins.iter().any(opened)
}

/// Problems with polkit's sandbox, in which the module asks the broker. `drop_ins` are the texts of the unit's drop-ins, which may
/// let it write the folder `state` instead. `problem` is what keeps the broker from being asked.
pub fn of_polkit_sandbox(unit: &str, drop_ins: &[String], state: &Path, problem: Option<&str>) -> Option<Finding> {
    let problem = problem.filter(|_| !lets_write(drop_ins, state))?;
    let what = format!("{unit} cannot write {}, and {problem}", state.display());
    Some(Finding::run(Id::PolkitSandbox, what, "systemctl enable --now twofactord.socket"))
}

/// Problems with the broker's sandbox, which lets it write the usual state and no other. The arguments are those of
/// [`of_polkit_sandbox`].
pub fn of_broker_sandbox(unit: &str, drop_ins: &[String], state: &Path) -> Option<Finding> {
    if state.starts_with(DEFAULT_STATE) || lets_write(drop_ins, state) {
        return None;
    }
    let what = format!("{unit} has no drop-in with ReadWritePaths={}", state.display());
    let (folder, state) = (format!("/etc/systemd/system/{unit}.d"), state.display());
    let command = format!(
        "mkdir -p {folder} && printf '[Service]\\nReadWritePaths=%s\\n' {} > {folder}/state.conf && systemctl daemon-reload",
        quoted(&state.to_string())
    );
    Some(Finding::run(Id::BrokerSandbox, what, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTH: &str = "auth required pam_unix.so\nauth required pam_twofactor.so\n";
    const ACCOUNT: &str = "account required pam_twofactor.so\naccount required pam_unix.so\n";
    const ENROLL: &str = "[default]\nsecond_factor = \"enroll\"\n";
    const OPTIONAL: &str = "[default]\nsecond_factor = \"optional\"\n";

    fn found(config: &str, texts: &[(&str, &str)]) -> Vec<Finding> {
        let read =
            |(name, text): &(&str, &str)| Service::from_text(name, Path::new("/nonexistent/file"), text, &[]).unwrap();
        let services: Vec<Service> = texts.iter().map(read).collect();
        let now = UnixTime::from_rfc3339("2027-01-20T00:00:00Z").unwrap();
        of_services(&services, &Config::parse(config).unwrap(), &|_| false, now)
    }

    fn ids(config: &str, text: &str) -> Vec<Id> {
        found(config, &[("sshd", text)]).into_iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_stack_that_asks_for_the_code_and_for_nothing_else_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("code"), "auth required pam_twofactor.so\n").unwrap();
        std::fs::write(folder.path().join("password"), "auth required pam_unix.so\n").unwrap();
        let alone = |text: &str| {
            asks_for_code_alone(
                &Service::from_text("sshd", &folder.path().join("sshd"), text, &[folder.path()]).unwrap(),
            )
        };
        for text in [
            "auth required pam_twofactor.so\nauth required pam_permit.so\naccount required pam_unix.so\n",
            "auth requisite pam_nologin.so\nauth substack code\n",
        ] {
            assert!(alone(text), "{text}");
        }
        for text in [
            "auth required pam_unix.so\nauth required pam_twofactor.so\n",
            "auth substack password\nauth required pam_twofactor.so\n",
            "auth required pam_of_another.so\nauth required pam_twofactor.so\n",
            "auth required pam_permit.so\naccount required pam_twofactor.so\n",
            "auth required pam_deny.so\nauth required pam_twofactor.so\n",
        ] {
            assert!(!alone(text), "{text}");
        }
    }

    #[test]
    fn a_service_as_it_should_be_has_no_findings() {
        for config in ["", ENROLL, OPTIONAL] {
            assert_eq!(ids(config, &format!("{AUTH}{ACCOUNT}")), [], "{config}");
        }
        let su = format!("auth sufficient pam_rootok.so\n{AUTH}{ACCOUNT}");
        assert_eq!(ids("", &su), [], "root is asked nothing");
    }

    #[test]
    fn what_is_missing_in_the_account_phase_matters_where_enrollment_is_the_rule() {
        let behind = format!("{AUTH}account sufficient pam_localuser.so\n{ACCOUNT}");
        for text in [AUTH, &format!("{AUTH}account required pam_permit.so\n"), &behind] {
            assert_eq!(ids("", text), [Id::NoAccountLine], "{text}");
            assert_eq!(ids(ENROLL, text), [Id::EnrollmentImpossible], "{text}");
        }
        let elsewhere = "[[rule]]\nservices = [\"login\"]\nsecond_factor = \"enroll\"\n";
        assert_eq!(ids(elsewhere, AUTH), [Id::NoAccountLine]);
        let late = format!("{AUTH}account [new_authtok_reqd=done success=ok default=bad] pam_unix.so\n{ACCOUNT}");
        assert_eq!((ids(ENROLL, &late), ids("", &late)), (vec![Id::AccountLineLate], vec![]));
    }

    #[test]
    fn lines_that_refuse_whom_ours_has_enrolled_matter_where_enrollment_is_the_rule() {
        let above = format!("{AUTH}account required pam_access.so\n{ACCOUNT}");
        assert_eq!((ids(ENROLL, &above), ids("", &above)), (vec![Id::StoredThoughRefused], vec![]));
        let advice = found(ENROLL, &[("sshd", &above)])[0].mend.clone();
        assert!(format!("{advice:?}").contains("requisite"), "{advice:?}");
        assert_eq!(ids(ENROLL, &above.replace("required pam_access", "requisite pam_access")), []);
        let bracket = "[success=ok new_authtok_reqd=ok ignore=ignore default=bad]";
        let above = above.replace("required pam_access", &format!("{bracket} pam_access"));
        let advice = found(ENROLL, &[("sshd", &above)])[0].mend.clone();
        let ends = bracket.replace("bad", "die");
        let words = format!("write \"{ends}\" in the place of \"{bracket}\" at /nonexistent/file:3");
        assert_eq!(advice.advice(), Some(words.as_str()));
        assert_eq!(ids(ENROLL, &above.replace(bracket, &ends)), []);
        let sss = format!("{AUTH}{ACCOUNT}account [default=bad success=ok user_unknown=ignore] pam_sss.so\n");
        let advice = found(ENROLL, &[("sshd", &sss)])[0].mend.clone();
        let ends = "[default=die success=ok user_unknown=ignore new_authtok_reqd=ok]";
        assert!(advice.advice().is_some_and(|advice| advice.ends_with(&format!("with \"{ends}\""))), "{advice:?}");
        assert_eq!(ids(ENROLL, &format!("{AUTH}account {ends} pam_sss.so\n{ACCOUNT}")), []);
        let below = format!("{AUTH}{ACCOUNT}account required pam_access.so\n");
        assert_eq!(ids(ENROLL, &below), [Id::StoredThoughRefused]);
    }

    #[test]
    fn stacks_that_do_not_protect_are_found() {
        let auth = |lines: &str| ids("", &format!("{lines}{ACCOUNT}"));
        let skipped = "auth sufficient pam_unix.so\nauth required pam_twofactor.so\nauth required pam_deny.so\n";
        assert_eq!(auth(skipped), [Id::LineSkipped]);
        assert_eq!(auth("auth required pam_unix.so\nauth optional pam_twofactor.so\n"), [Id::LineOverruled]);
        let ignored = "auth [success=ok default=ignore] pam_unix.so\nauth required pam_twofactor.so\n";
        assert_eq!(auth(ignored), [Id::PasswordOverruled]);
        assert_eq!(auth("auth required pam_unix.so\n"), [Id::NoAuthLine]);
        assert_eq!(auth("auth required pam_deny.so\nauth required pam_twofactor.so\n"), [Id::NeverSucceeds]);
        assert_eq!(auth(&format!("auth requierd pam_env.so\n{AUTH}")), [Id::BrokenLine]);
        assert_eq!(auth(&format!("auth sufficient pam_succeed_if.so uid = 0\n{AUTH}")), [Id::AsksNothing]);
    }

    #[test]
    fn a_line_too_many_is_found_and_goes() {
        let twice = format!("{AUTH}auth required pam_twofactor.so\n{ACCOUNT}");
        let found = found("", &[("sshd", &twice)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].id, found[0].mend.command()), (Id::AskedTwice, Some("twofactor service enable sshd")));
    }

    #[test]
    fn a_stack_of_ours_alone_matters_where_somebody_is_not_asked() {
        let alone = format!("auth required pam_twofactor.so\n{ACCOUNT}");
        assert_eq!((ids("", &alone), ids(OPTIONAL, &alone)), (vec![], vec![Id::OnlyIgnores]));
    }

    #[test]
    fn a_line_in_the_password_phase_is_found_once() {
        let text = "password [success=ok default=die] pam_twofactor.so\npassword required pam_unix.so\n";
        let read = |name: &str| Service::from_text(name, Path::new("/nonexistent/file"), text, &[]).unwrap();
        let found = of_password_lines(&[read("passwd"), read("chpasswd")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].id, found[0].mend.advice()), (Id::PasswordLine, Some("take /nonexistent/file:1 out")));
    }

    #[test]
    fn a_program_that_cannot_ask_for_a_code_is_found_with_its_reason() {
        let of = |config: &str, service: &str, text: &str| {
            let found = found(config, &[(service, text)]);
            found.into_iter().map(|finding| (finding.id, finding.what, finding.mend)).collect::<Vec<_>>()
        };
        let below = format!("{AUTH}{ACCOUNT}");
        let above = format!("auth required pam_twofactor.so\nauth required pam_unix.so\n{ACCOUNT}");
        for service in ["radiusd", "nginx", "postgresql"] {
            let found = of("", service, &below);
            assert!(
                matches!(&found[..], [(Id::ProgramNotRoot, what, Mend::Run(_))] if what.contains("does not run as root"))
            );
        }
        let caller = "[[caller]]\nuser = \"postgres\"\nservice = \"postgresql\"\ngroups = [\"dba\"]\n";
        assert!(matches!(of(caller, "postgresql", &above)[..], [(Id::ProgramRepeatsPassword, _, Mend::Run(_))]));
        assert!(matches!(of(caller, "nginx", &above)[..], [(Id::ProgramNotRoot, _, Mend::Run(_))]));
        let both = format!("{caller}[prompt]\ncombined = [\"postgresql\"]\n");
        assert_eq!(of(&both, "postgresql", &above), []);
        let combined = "[prompt]\ncombined = [\"dovecot\"]\n";
        assert!(matches!(of("", "dovecot", &above)[..], [(Id::ProgramRepeatsPassword, _, Mend::Run(_))]));
        assert!(matches!(of(combined, "dovecot", &below)[..], [(Id::CombinedLineLate, _, Mend::Run(_))]));
        assert_eq!(of(combined, "dovecot", &above), []);
        assert!(matches!(of("", "swaylock", &above)[..], [(Id::ProgramRepeatsPassword, _, Mend::Run(_))]));
        assert_eq!(of("[prompt]\ncombined = [\"swaylock\"]\n", "swaylock", &above), []);
        let own = "[prompt]\ncombined = [\"mine\"]\n";
        assert!(matches!(of(own, "mine", &below)[..], [(Id::CombinedLineLate, _, Mend::Run(_))]));
        assert!(matches!(of("", "cron", &below)[..], [(Id::ProgramAsksNobody, _, Mend::Run(_))]));
    }

    #[test]
    fn arguments_are_found() {
        let with = |arguments: &str| {
            ids("", &format!("auth required pam_unix.so\nauth required pam_twofactor.so {arguments}\n{ACCOUNT}"))
        };
        assert_eq!(with("nullok"), [Id::NullOk]);
        assert_eq!(with("debug"), [Id::DebugLeftOn]);
        assert_eq!(with("use_first_pass"), [Id::BadArgument]);
    }

    #[test]
    fn what_several_services_share_is_said_once() {
        let auth = "auth sufficient pam_unix.so\nauth required pam_twofactor.so\nauth required pam_deny.so\n";
        let text = format!("{auth}{ACCOUNT}");
        let found = found("", &[("sshd", &text), ("login", &text)]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].mend.command(), Some("twofactor service enable sshd login"));
        assert!(found[0].what.starts_with("sshd, login: /nonexistent/file:1 ("), "{}", found[0].what);
    }

    #[test]
    fn the_sandboxes_of_polkit_and_the_broker_have_to_let_the_state_through() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let state = Path::new("/var/lib/twofactor");
        let of_polkit = |drop_ins: &[&str], problem: Option<&str>| {
            of_polkit_sandbox("polkit-agent-helper@.service", &texts(drop_ins), state, problem)
                .map(|finding| finding.id)
        };
        let absent = Some("no broker listens");
        assert_eq!((of_polkit(&[], absent), of_polkit(&[], None)), (Some(Id::PolkitSandbox), None));
        assert_eq!(of_polkit(&["[Service]\nReadWritePaths=-/var/lib/twofactor\n"], absent), None);
        let of_broker = |drop_ins: &[&str], state: &str| {
            of_broker_sandbox("twofactord.service", &texts(drop_ins), Path::new(state)).map(|finding| finding.id)
        };
        assert_eq!(of_broker(&[], "/var/lib/twofactor"), None);
        assert_eq!(of_broker(&[], "/srv/state"), Some(Id::BrokerSandbox));
        assert_eq!(of_broker(&["[Service]\nReadWritePaths=/var/lib/other\n"], "/srv/state"), Some(Id::BrokerSandbox));
        assert_eq!(of_broker(&["[Service]\nReadWritePaths=/run /srv\n"], "/srv/state"), None);
    }
}
