//! Findings about the way in which a service runs our module.
//!
//! Each finding names the line it is about. Nothing here says how bad it is for this host or how it is mended.

use std::fmt;
use std::path::PathBuf;

use super::control::{Action, Outcome};
use super::first_factor::FirstFactor;
use super::flow::{self, Accepted, Assumed, Ending, Others, Ours, Primary, SoFar, Tangled, Told};
use super::line::{Flaw, Kind, Line, Phase};
use super::modules::{self, Nature, OURS};
use super::service::Service;

/// The place of a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub number: usize,
    /// Its words, as far as its module.
    pub text: String,
}

impl Place {
    /// Of a line.
    pub fn of(line: &Line) -> Self {
        let text = format!("{} {} {}", line.phase.word(), line.control, line.module);
        // Nothing but the blanks of words that are not there: what else looks like one is what is wrong.
        let text = text.trim_end_matches(' ').to_owned();
        Self { file: line.file.clone(), number: line.number, text }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.number)
    }
}

/// A defect of a service, or a fact that its reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No line of the phase runs our module.
    NoLine(Phase),
    /// The phase succeeds without our line: `by` ends it early or leaves our line out. In auth that is a login with the right
    /// first factor alone, or with what an unknown module is content with; in account an enrollment that is not stored.
    Skipped {
        /// Auth or account.
        phase: Phase,
        /// The line that does it.
        by: Place,
    },
    /// At the login of a user whose password has expired our line does not run, or its refusal does not count: an application has
    /// the password changed and goes on.
    SkippedWhenExpired {
        /// The line that ends the account phase, or decides how it ends.
        by: Place,
    },
    /// The phase can succeed although our line refuses.
    Overruled {
        /// Auth or account.
        phase: Phase,
        /// Our line.
        ours: Place,
        /// Another line that forgets the refusal. `None` when the control of ours does.
        by: Option<Place>,
    },
    /// A refused first factor does not count: the right code alone is a login, or nothing at all.
    PrimaryOverruled {
        /// The line that asked for it.
        primary: Place,
    },
    /// Only modules that ask nothing have run, and the login succeeds. That is meant (`pam_rootok.so`), or a hole.
    Unasked {
        /// The line that ends the phase or leaves the others out.
        by: Place,
    },
    /// Users whom our line does not ask are refused: its result is a failure by its control then, or no other line says that the
    /// login is a success.
    OnlyIgnores {
        /// Our line.
        ours: Place,
    },
    /// One login runs two of our lines, and each asks: the same code is not good twice, and a client that can answer once is
    /// refused.
    AskedTwice {
        /// The line that asks first.
        first: Place,
        /// The line that asks again.
        again: Place,
    },
    /// Our line is told of a failed first factor where none failed, and refuses who has a right one.
    ToldWrongly {
        /// The line that tells it.
        teller: Place,
    },
    /// Our line is never told what a line is there to tell: it stands above, or nothing leads from one to the other.
    NeverTold {
        /// The line that is to tell it.
        teller: Place,
    },
    /// Our line stands below a module that asks for the password, in a service whose users type password and code in one: that
    /// module gets both, and refuses. Found by [`too_late`].
    TooLate {
        /// Our line.
        ours: Place,
        /// The line that asks for the password.
        password: Place,
    },
    /// With our line the phase would succeed where it did not: a code would open what was closed, or a factor fewer would do. Only
    /// a comparison with the service without our line shows it.
    Opens {
        /// The line that leads there.
        by: Place,
    },
    /// With our line, and a right code, the phase would no longer succeed where it did.
    Closes {
        /// The line that leads there.
        by: Place,
    },
    /// The phase never succeeds.
    NeverSucceeds(Phase),
    /// The module of our line is not where libpam looks for it.
    Missing {
        /// Our line.
        ours: Place,
    },
    /// A line is meant to run our module and names none that is there.
    Misnamed {
        /// The line.
        line: Place,
    },
    /// libpam makes a failure of a line.
    Broken {
        /// The line.
        line: Place,
        /// Why.
        flaw: Flaw,
    },
    /// A control that libpam does not know: every outcome is a failure.
    UnknownControl(Place),
    /// The ways of a phase are too many to follow, so its problems are not known.
    Tangled(Phase),
}

impl Finding {
    /// The phase it is about. A line that is broken says so itself.
    pub fn phase(&self) -> Option<Phase> {
        match self {
            Self::NoLine(phase)
            | Self::Skipped { phase, .. }
            | Self::Overruled { phase, .. }
            | Self::NeverSucceeds(phase)
            | Self::Tangled(phase) => Some(*phase),
            Self::SkippedWhenExpired { .. } => Some(Phase::Account),
            Self::PrimaryOverruled { .. }
            | Self::Unasked { .. }
            | Self::OnlyIgnores { .. }
            | Self::TooLate { .. }
            | Self::Opens { .. }
            | Self::Closes { .. }
            | Self::ToldWrongly { .. }
            | Self::NeverTold { .. }
            | Self::AskedTwice { .. } => Some(Phase::Auth),
            Self::Missing { .. } | Self::Misnamed { .. } | Self::Broken { .. } | Self::UnknownControl(_) => None,
        }
    }
}

/// Everything about how `service` runs our module. `is_missing` says of a line whether its module is not there.
pub fn of(service: &Service, is_missing: &dyn Fn(&Line) -> bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = service.lines.iter().filter_map(flawed).collect();
    let misnamed = |line: &&&Line| modules::names_ours_wrongly(line) && (line.kind != Kind::Module || is_missing(line));
    for phase in [Phase::Auth, Phase::Account] {
        let lines = service.phase(phase);
        let examined = Examined { phase, lines: &lines, is_missing };
        let mut found = examined.findings().unwrap_or_else(|Tangled| vec![Finding::Tangled(phase)]);
        if let Some(line) = lines.iter().find(misnamed) {
            // There is a line; what is wrong with it is not that there is none.
            found.retain(|finding| !matches!(finding, Finding::NoLine(_)));
            if line.kind == Kind::Module {
                findings.push(Finding::Misnamed { line: Place::of(line) });
            }
        }
        findings.extend(found);
    }
    findings
}

/// Our first auth line, where it stands below a first factor. That is its place, except in a service whose users type password
/// and code in one.
pub fn too_late(service: &Service) -> Option<Finding> {
    let lines = service.phase(Phase::Auth);
    let ours = lines.iter().position(|line| line.is_ours())?;
    let password = lines.iter().take(ours).find(|line| Nature::of(line) == Nature::Primary)?;
    Some(Finding::TooLate { ours: Place::of(lines.get(ours)?), password: Place::of(password) })
}

/// Account lines whose refusal does not keep our line from storing a second factor: those below ours, and those above whose
/// refusal does not end the phase. Expiry that pam_unix tells is asked for before anything is stored.
pub fn unheard_refusals(service: &Service) -> Vec<Place> {
    let lines = service.phase(Phase::Account);
    let refuses = |at: usize, line: &&&Line| {
        let can_refuse = line.kind == Kind::Module
            && matches!(Nature::of(line), Nature::Primary | Nature::Silent | Nature::Unknown)
            && !line.runs("pam_unix.so");
        // The others accept, or those that could end the phase or leave lines out have nothing to say.
        can_refuse
            && [Assumed::Passes, Assumed::Abstains].into_iter().any(|deciders| {
                let ends = |said: Assumed| {
                    let assumed = |other: usize, line: &Line| {
                        let others = if !line.is_ours() && decides(line) { deciders } else { Assumed::Passes };
                        if other == at { said } else { others }
                    };
                    flow::endings_assuming(&lines, &assumed)
                        .is_ok_and(|all| all.iter().any(|one| one.so_far == SoFar::Failure && one.ours == Ours::Passed))
                };
                ends(Assumed::Refuses) && !ends(Assumed::Passes)
            })
    };
    let found = lines.iter().enumerate().filter(|(at, line)| refuses(*at, line));
    found.map(|(_, line)| Place::of(line)).collect()
}

/// True when the success of a line ends its stack or leaves lines out.
fn decides(line: &Line) -> bool {
    line.actions.actions(Outcome::Success).iter().any(|action| matches!(action, Action::Done | Action::Jump(_)))
}

/// The state of a service's account line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountLine {
    /// Whenever the account phase succeeds, our line ran and did not refuse.
    Reached,
    /// It is not so, and why.
    Not(Finding),
}

/// Tells if the account phase of `service` can store an enrollment, and refuse.
pub fn account_line(service: &Service) -> AccountLine {
    let lines = service.phase(Phase::Account);
    let examined = Examined { phase: Phase::Account, lines: &lines, is_missing: &|_| false };
    let findings = examined.findings().unwrap_or_else(|Tangled| vec![Finding::Tangled(Phase::Account)]);
    // Also one that is skipped when the password has expired: the application has it changed, and lets in.
    findings.into_iter().next().map_or(AccountLine::Reached, AccountLine::Not)
}

fn flawed(line: &Line) -> Option<Finding> {
    match &line.kind {
        Kind::Broken(flaw) => Some(Finding::Broken { line: Place::of(line), flaw: flaw.clone() }),
        Kind::Module | Kind::Substack if line.has_unknown_control() => Some(Finding::UnknownControl(Place::of(line))),
        Kind::Module | Kind::Substack => None,
    }
}

/// A phase and what it is asked about.
struct Examined<'l> {
    phase: Phase,
    lines: &'l [&'l Line],
    is_missing: &'l dyn Fn(&Line) -> bool,
}

impl Examined<'_> {
    fn findings(&self) -> Result<Vec<Finding>, Tangled> {
        let Some(ours) = self.lines.iter().find(|line| line.is_ours()) else {
            return Ok(vec![Finding::NoLine(self.phase)]);
        };
        let mut findings = Vec::new();
        if (self.is_missing)(ours) {
            findings.push(Finding::Missing { ours: Place::of(ours) });
        }
        // What the stack says is asked of the stack; a module that is missing has its own finding.
        let endings = flow::endings(self.lines, &|line| !line.runs(OURS) && (self.is_missing)(line))?;
        if !endings.iter().any(|ending| ending.so_far == SoFar::Success) {
            findings.push(Finding::NeverSucceeds(self.phase));
            return Ok(findings);
        }
        let mut found: Vec<Finding> = endings.iter().filter_map(|ending| self.about(ending)).collect();
        let succeeds = |with: Ours| endings.iter().any(|one| one.so_far == SoFar::Success && one.ours == with);
        if self.phase == Phase::Auth && succeeds(Ours::Passed) && !succeeds(Ours::Ignored) {
            found.push(Finding::OnlyIgnores { ours: Place::of(ours) });
        }
        found.extend(self.asked_twice(&endings));
        if self.phase == Phase::Auth {
            found.extend(endings.iter().filter_map(|ending| self.told_wrongly(ending)));
            found.extend(self.never_told(&endings));
        }
        for finding in found {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        Ok(findings)
    }

    /// Problems with one way of ending.
    fn about(&self, ending: &Ending) -> Option<Finding> {
        let phase = self.phase;
        match (phase, ending.so_far, ending.primary, ending.ours) {
            (_, SoFar::Nothing | SoFar::Tolerated | SoFar::Failure, ..) | (Phase::Auth, SoFar::ExpiredPassword, ..) => {
                None
            }
            (_, SoFar::ExpiredPassword, _, Ours::Refused) => {
                let says = |step: &&flow::Step| {
                    step.outcome == Outcome::NewPassword && matches!(step.action, Action::Bad | Action::Die)
                };
                Some(Finding::SkippedWhenExpired { by: self.place(ending.path.iter().find(says)?.line)? })
            }
            (_, _, _, Ours::Refused) => self.overruled(ending),
            (Phase::Account, SoFar::NewPassword | SoFar::ExpiredPassword, _, Ours::NotRun) => {
                Some(Finding::SkippedWhenExpired { by: self.skipping(ending)? })
            }
            (Phase::Auth, SoFar::Success, Primary::Refused, _) => {
                Some(Finding::PrimaryOverruled { primary: self.refused(ending)? })
            }
            // Another product asked for the second factor.
            (Phase::Auth, SoFar::Success, Primary::Passed, Ours::NotRun) if ending.others == Others::Beside => None,
            (Phase::Account, SoFar::Success, _, Ours::NotRun)
            | (Phase::Auth, SoFar::Success, Primary::Perhaps | Primary::Passed, Ours::NotRun) => {
                Some(Finding::Skipped { phase, by: self.skipping(ending)? })
            }
            (Phase::Auth, SoFar::Success, Primary::NotAsked, Ours::NotRun) => {
                Some(Finding::Unasked { by: self.skipping(ending)? })
            }
            _ => None,
        }
    }

    fn overruled(&self, ending: &Ending) -> Option<Finding> {
        let is_ours = |line: usize| self.lines.get(line).is_some_and(|line| line.is_ours());
        let at = ending
            .path
            .iter()
            .position(|step| is_ours(step.line) && matches!(step.outcome, Outcome::Failure | Outcome::Missing))?;
        let counted = ending.path.get(at).is_some_and(|step| matches!(step.action, Action::Bad | Action::Die));
        let forgets = ending.path.iter().skip(at).find(|step| step.action == Action::Reset).filter(|_| counted);
        let ours = self.place(ending.path.get(at)?.line)?;
        let by = forgets.and_then(|step| self.place(step.line)).filter(|by| *by != ours);
        Some(Finding::Overruled { phase: self.phase, ours, by })
    }

    /// Two of our lines that both have to accept for a login.
    fn asked_twice(&self, endings: &[Ending]) -> Option<Finding> {
        let twice = |one: &&Ending| one.so_far == SoFar::Success && one.accepted == Accepted::Repeatedly;
        let ending = endings.iter().find(twice).filter(|_| self.phase == Phase::Auth)?;
        let accepting = ending.path.iter().filter(|step| step.outcome == Outcome::Success);
        let mut ours = accepting.filter(|step| self.lines.get(step.line).is_some_and(|line| line.is_ours()));
        let (first, again) = (ours.next()?, ours.next()?);
        Some(Finding::AskedTwice { first: self.place(first.line)?, again: self.place(again.line)? })
    }

    /// The line that notes a failure in a login that would succeed, did ours not heed it.
    fn told_wrongly(&self, ending: &Ending) -> Option<Finding> {
        if (ending.so_far, ending.told) != (SoFar::Success, Told::Told) || ending.primary == Primary::Refused {
            return None;
        }
        let teller = ending.path.iter().rev().find(|step| self.notes_failure(step.line))?;
        Some(Finding::ToldWrongly { teller: self.place(teller.line)? })
    }

    fn never_told(&self, endings: &[Ending]) -> Option<Finding> {
        let teller = (0..self.lines.len()).find(|line| self.notes_failure(*line))?;
        let is_told = endings.iter().any(|ending| ending.told == Told::Told);
        if is_told { None } else { Some(Finding::NeverTold { teller: self.place(teller)? }) }
    }

    fn notes_failure(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|line| line.notes() == Some(FirstFactor::Failed))
    }

    /// The last line that left ours out.
    fn skipping(&self, ending: &Ending) -> Option<Place> {
        let ours: Vec<usize> =
            self.lines.iter().enumerate().filter(|(_, line)| line.is_ours()).map(|(at, _)| at).collect();
        let skips = |step: &&flow::Step| ours.iter().any(|at| step.line < *at && *at < step.next);
        self.place(ending.path.iter().rev().find(skips)?.line)
    }

    /// The last line that refused a first factor.
    fn refused(&self, ending: &Ending) -> Option<Place> {
        let is_primary = |line: usize| self.lines.get(line).is_some_and(|line| Nature::of(line) == Nature::Primary);
        let refused = |step: &&flow::Step| is_primary(step.line) && step.outcome == Outcome::Failure;
        self.place(ending.path.iter().rev().find(refused)?.line)
    }

    fn place(&self, line: usize) -> Option<Place> {
        self.lines.get(line).map(|line| Place::of(line))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLine(phase) => write!(formatter, "no {} line of pam_twofactor", phase.word()),
            Self::Skipped { phase: Phase::Account, by } => {
                write!(formatter, "{by} ({}) can end the account phase without the line of pam_twofactor", by.text)
            }
            Self::Skipped { by, .. } => {
                write!(formatter, "{by} ({}) lets the first factor alone be enough", by.text)
            }
            Self::SkippedWhenExpired { by } => {
                write!(
                    formatter,
                    "{by} ({}) outweighs pam_twofactor, or leaves it out, when the password has expired",
                    by.text
                )
            }
            Self::Overruled { ours, by: None, .. } => {
                write!(formatter, "{ours} ({}) cannot refuse: its control lets a refusal pass", ours.text)
            }
            Self::Overruled { by: Some(by), .. } => {
                write!(formatter, "{by} ({}) forgets what pam_twofactor refused", by.text)
            }
            Self::PrimaryOverruled { primary } => {
                write!(formatter, "a login succeeds although {primary} ({}) refuses", primary.text)
            }
            Self::Unasked { by } => write!(formatter, "{by} ({}) can let a user in who is asked nothing", by.text),
            Self::OnlyIgnores { ours } => {
                write!(formatter, "whom {ours} ({}) does not ask is refused: nothing makes that a success", ours.text)
            }
            Self::AskedTwice { first, again } => {
                write!(formatter, "{first} and {again} ({}) both ask for a code in one login", again.text)
            }
            Self::ToldWrongly { teller } => {
                write!(
                    formatter,
                    "{teller} ({}) tells pam_twofactor of a failure where nothing has failed",
                    teller.text
                )
            }
            Self::NeverTold { teller } => {
                write!(
                    formatter,
                    "{teller} ({}) tells no line of pam_twofactor that a first factor failed",
                    teller.text
                )
            }
            Self::TooLate { ours, password } => {
                write!(formatter, "{ours} ({}) stands below {password}, which gets password and code in one", ours.text)
            }
            Self::Opens { by } => {
                write!(
                    formatter,
                    "{by} ({}) leads to a login that was refused before: what we say would be the only yes",
                    by.text
                )
            }
            Self::Closes { by } => {
                write!(formatter, "{by} ({}) leads to a refusal where there was a login before", by.text)
            }
            Self::NeverSucceeds(phase) => write!(formatter, "its {} phase never succeeds", phase.word()),
            Self::Missing { ours } => write!(formatter, "{ours} names a module that is not there"),
            Self::Misnamed { line } => {
                write!(formatter, "{line} ({}) names no module that is there: ours is {OURS}", line.text.escape_debug())
            }
            Self::Broken { line, flaw } => write!(formatter, "{line} always fails: {flaw}"),
            Self::UnknownControl(line) => {
                write!(formatter, "{line} ({}) has a control that libpam does not know, so it always fails", line.text)
            }
            Self::Tangled(phase) => write!(formatter, "its {} lines jump in too many ways to follow", phase.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::modules::OURS;
    use super::*;
    use std::path::Path;

    /// What is found in a service, in short: the finding and the numbers of its lines.
    fn found(text: &str) -> Vec<String> {
        let service = Service::from_text("s", Path::new("/nonexistent/s"), text, &[]).unwrap();
        let short = |finding: Finding| match finding {
            Finding::NoLine(phase) => format!("no {}", phase.word()),
            Finding::Skipped { phase, by } => format!("{} skipped by {}", phase.word(), by.number),
            Finding::SkippedWhenExpired { by } => format!("expired by {}", by.number),
            Finding::Overruled { phase, ours, by: None } => format!("{} {} overruled", phase.word(), ours.number),
            Finding::Overruled { phase, ours, by: Some(by) } => {
                format!("{} {} overruled by {}", phase.word(), ours.number, by.number)
            }
            Finding::PrimaryOverruled { primary } => format!("primary {} overruled", primary.number),
            Finding::Unasked { by } => format!("unasked by {}", by.number),
            Finding::OnlyIgnores { ours } => format!("only ignores at {}", ours.number),
            Finding::AskedTwice { first, again } => format!("asked at {} and {}", first.number, again.number),
            Finding::TooLate { ours, .. } => format!("too late at {}", ours.number),
            Finding::ToldWrongly { teller } => format!("told wrongly by {}", teller.number),
            Finding::NeverTold { teller } => format!("never told by {}", teller.number),
            Finding::Opens { by } => format!("opened by {}", by.number),
            Finding::Closes { by } => format!("closed by {}", by.number),
            Finding::NeverSucceeds(phase) => format!("{} never succeeds", phase.word()),
            Finding::Missing { ours } => format!("missing at {}", ours.number),
            Finding::Misnamed { line } => format!("misnamed at {}", line.number),
            Finding::Broken { line, .. } => format!("broken {}", line.number),
            Finding::UnknownControl(line) => format!("unknown control {}", line.number),
            Finding::Tangled(phase) => format!("{} tangled", phase.word()),
        };
        of(&service, &|_| false).into_iter().map(short).collect()
    }

    const ACCOUNT: &str = "account required pam_twofactor.so\n";

    #[test]
    fn a_stack_as_it_should_be_has_no_findings() {
        let stack = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n\
                     auth required pam_twofactor.so\naccount required pam_twofactor.so\naccount required pam_unix.so\n";
        assert_eq!(found(stack), [""; 0]);
        let key_and_code =
            "auth required pam_twofactor.so\nauth required pam_permit.so\naccount required pam_twofactor.so\n";
        assert_eq!(found(key_and_code), [""; 0]);
    }

    #[test]
    fn sufficient_before_us_is_found_with_its_line() {
        let stack = "auth sufficient pam_unix.so\nauth required pam_twofactor.so\nauth required pam_deny.so\n";
        assert_eq!(found(&format!("{stack}{ACCOUNT}")), ["auth skipped by 1"]);
    }

    #[test]
    fn another_second_factor_behind_a_first_one_is_no_hole() {
        let behind = format!("auth required pam_twofactor.so\n{ACCOUNT}");
        for other in [
            "pam_google_authenticator.so nullok",
            "pam_oath.so usersfile=/etc/users.oath",
            "pam_duo.so",
            "pam_privacyidea.so",
            "pam_python.so /lib/security/privacyidea_pam.py",
            "pam_yubico.so id=1",
            "pam_u2f.so cue",
        ] {
            for control in ["sufficient", "[success=done default=ignore]", "[success=1 default=ignore]"] {
                let second = format!("auth {control} {other}\n");
                let end = if control.contains("=1") { "auth optional pam_permit.so\n" } else { "" };
                let stack = format!("auth requisite pam_unix.so\n{second}{behind}{end}");
                assert_eq!(found(&stack), [""; 0], "{second}");
                let above = format!("{second}{behind}{end}auth required pam_unix.so\n");
                if end.is_empty() {
                    assert!(found(&above).contains(&"auth skipped by 1".to_owned()), "no first factor: {second}");
                }
                let alternative = format!("auth sufficient pam_unix.so\n{second}{behind}{end}");
                let alternative = found(&alternative);
                assert!(alternative.contains(&"auth skipped by 1".to_owned()), "{second}: {alternative:?}");
            }
        }
        let known = "auth required pam_google_authenticator.so\nauth sufficient pam_unix.so\n";
        let known = found(&format!("{known}{behind}"));
        assert_eq!(known, ["auth skipped by 2", "primary 2 overruled"], "whom it does not ask needs a password alone");
        let unasked = "auth requisite pam_unix.so\nauth sufficient pam_u2f.so nouserok\n";
        assert_eq!(found(&format!("{unasked}{behind}")), ["auth skipped by 2"], "it may accept whom it did not ask");
        let stranger = "auth requisite pam_unix.so\nauth sufficient pam_frobnicate.so\n";
        assert_eq!(found(&format!("{stranger}{behind}")), ["auth skipped by 2"], "nobody knows what it asks for");
    }

    #[test]
    fn a_jump_over_us_is_found_with_its_line() {
        let stack = "auth [success=2 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n\
                     auth required pam_twofactor.so\nauth required pam_permit.so\n";
        assert!(found(&format!("{stack}{ACCOUNT}")).contains(&"auth skipped by 1".to_owned()));
    }

    #[test]
    fn a_wrong_password_that_does_not_count_is_found() {
        let stack = "auth [success=ok default=ignore] pam_unix.so\nauth required pam_twofactor.so\n";
        assert_eq!(found(&format!("{stack}{ACCOUNT}")), ["primary 1 overruled"]);
        let first = "auth sufficient pam_twofactor.so\nauth required pam_unix.so\n";
        assert_eq!(found(&format!("{first}{ACCOUNT}")), ["auth 1 overruled"]);
    }

    #[test]
    fn a_refusal_of_ours_that_does_not_count_is_found() {
        for control in [
            "optional",
            "sufficient",
            "[success=ok default=ignore]",
            "[success=ok ignore=ignore auth_err=ignore default=bad]",
        ] {
            let stack = format!("auth required pam_unix.so\nauth {control} pam_twofactor.so\n{ACCOUNT}");
            assert_eq!(found(&stack), ["auth 2 overruled"], "{control}");
        }
        let reset =
            "auth required pam_twofactor.so\nauth [success=reset default=bad] pam_a.so\nauth required pam_unix.so\n";
        assert_eq!(found(&format!("{reset}{ACCOUNT}")), ["auth 1 overruled by 2"]);
        let missing = "auth required pam_unix.so\nauth [success=ok ignore=ignore module_unknown=ignore default=bad] pam_twofactor.so\n";
        assert_eq!(found(&format!("{missing}{ACCOUNT}")), [""; 0], "a module that is there never says so");
    }

    #[test]
    fn root_who_is_asked_nothing_is_mentioned() {
        let stack = "auth sufficient pam_rootok.so\nauth required pam_unix.so\nauth required pam_twofactor.so\n";
        assert_eq!(found(&format!("{stack}{ACCOUNT}")), ["unasked by 1"]);
    }

    #[test]
    fn a_module_that_nobody_knows_is_taken_for_one_that_asks() {
        let behind = "auth required pam_unix.so\nauth required pam_twofactor.so\n";
        for first in [
            "auth sufficient pam_yubico.so\n",
            "auth [success=done perm_denied=die default=ignore] pam_oslogin_login.so\n",
            "auth [success=2 default=ignore] pam_oidc.so\n",
        ] {
            let stack = format!("{first}{behind}auth required pam_permit.so\n{ACCOUNT}");
            assert_eq!(found(&stack), ["auth skipped by 1"], "{first}");
        }
        let before = "auth required pam_oidc.so\nauth sufficient pam_succeed_if.so user ingroup staff\n";
        let before = found(&format!("{before}{behind}{ACCOUNT}"));
        assert!(before.contains(&"auth skipped by 2".to_owned()), "what it asked is all there was: {before:?}");
        let silent = "auth required pam_env.so\nauth sufficient pam_succeed_if.so user ingroup staff\n";
        assert_eq!(found(&format!("{silent}{behind}{ACCOUNT}")), ["unasked by 2"]);
    }

    #[test]
    fn a_stack_in_which_nobody_but_us_speaks_is_found() {
        assert_eq!(found(&format!("auth required pam_twofactor.so\n{ACCOUNT}")), ["only ignores at 1"]);
    }

    #[test]
    fn account_lines_that_are_not_reached_or_cannot_refuse_are_found() {
        let auth = "auth required pam_unix.so\nauth required pam_twofactor.so\n";
        let account = |text: &str| found(&format!("{auth}{text}"));
        assert_eq!(account(""), ["no account"]);
        assert_eq!(
            account("account sufficient pam_localuser.so\naccount required pam_twofactor.so\n"),
            ["account skipped by 3"]
        );
        assert_eq!(
            account("account optional pam_twofactor.so\naccount required pam_unix.so\n"),
            ["account 3 overruled"]
        );
        let debian = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
                      account required pam_permit.so\naccount required pam_twofactor.so\n";
        assert_eq!(account(debian), ["expired by 3"]);
        assert_eq!(
            account("account requisite pam_deny.so\naccount required pam_twofactor.so\n"),
            ["account never succeeds"]
        );
    }

    #[test]
    fn refusals_that_keep_our_line_from_nothing_are_found() {
        let unheard = |text: &str| {
            let service = Service::from_text("s", Path::new("/nonexistent/s"), text, &[]).unwrap();
            unheard_refusals(&service).iter().map(|place| place.number).collect::<Vec<_>>()
        };
        let ours = "account required pam_twofactor.so\n";
        assert_eq!(unheard(&format!("account required pam_access.so\naccount required pam_unix.so\n{ours}")), [1]);
        assert_eq!(unheard(&format!("account requisite pam_access.so\naccount required pam_unix.so\n{ours}")), []);
        assert_eq!(unheard(&format!("{ours}account required pam_access.so\n")), [2]);
        let debian = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                      account requisite pam_deny.so\naccount required pam_permit.so\n";
        assert_eq!(unheard(&format!("{ours}{debian}")), []);
        assert_eq!(unheard(&format!("account required pam_nologin.so\n{ours}{debian}")), [1]);
        let ldap = debian
            .replace("success=1", "success=2")
            .replace("account requisite", "account [success=1 default=ignore] pam_ldap.so\naccount requisite");
        assert_eq!(unheard(&format!("{ours}{ldap}")), [3]);
        let fedora = "account required pam_unix.so\naccount sufficient pam_localuser.so\n\
                      account [default=bad success=ok user_unknown=ignore] pam_sss.so\naccount required pam_permit.so\n";
        assert_eq!(unheard(&format!("{ours}{fedora}")), [4]);
        assert_eq!(unheard("account required pam_access.so\n"), [], "nothing is stored there");
    }

    #[test]
    fn an_expired_password_that_outweighs_our_refusal_is_found() {
        let auth = "auth required pam_unix.so\nauth required pam_twofactor.so\n";
        let sss = "account [default=bad success=ok user_unknown=ignore] pam_sss.so\n";
        assert_eq!(found(&format!("{auth}{sss}{ACCOUNT}")), ["expired by 3"]);
        assert_eq!(found(&format!("{auth}{ACCOUNT}{sss}")), [""; 0]);
        assert_eq!(found(&format!("{auth}account [success=ok default=die] pam_unix.so\n{ACCOUNT}")), ["expired by 3"]);
    }

    #[test]
    fn the_account_line_counts_when_it_is_reached_and_can_refuse() {
        let line = |text: &str| {
            let service = Service::from_text("s", Path::new("/nonexistent/s"), text, &[]).unwrap();
            account_line(&service)
        };
        assert_eq!(line("account required pam_twofactor.so\n"), AccountLine::Reached);
        let behind = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\naccount requisite pam_deny.so\n\
                      account required pam_twofactor.so\n";
        assert!(
            matches!(line(behind), AccountLine::Not(Finding::SkippedWhenExpired { .. })),
            "then it is changed, and in"
        );
        assert_eq!(line(""), AccountLine::Not(Finding::NoLine(Phase::Account)));
        for text in [
            "account optional pam_twofactor.so\naccount required pam_permit.so\n",
            "account sufficient pam_twofactor.so\naccount required pam_permit.so\n",
            "account sufficient pam_localuser.so\naccount required pam_twofactor.so\n",
            "account include nowhere\naccount required pam_twofactor.so\n",
        ] {
            assert!(matches!(line(text), AccountLine::Not(_)), "{text}");
        }
    }

    #[test]
    fn who_is_asked_twice_in_one_login_is_found() {
        let ours = "auth required pam_twofactor.so\n";
        let auth = |lines: &str| found(&format!("auth required pam_unix.so\n{lines}{ACCOUNT}"));
        assert_eq!(auth(&ours.repeat(2)), ["asked at 2 and 3"]);
        assert_eq!(auth(&format!("{ours}auth optional pam_cap.so\n{}", ours.repeat(2))), ["asked at 2 and 4"]);
        let again = "auth [success=done ignore=ignore default=bad] pam_twofactor.so\n";
        assert_eq!(auth(&format!("{again}{ours}")), [""; 0], "only one of them runs where it asks");
        let either = format!("auth [success=1 default=ignore] pam_succeed_if.so uid = 0\n{again}{ours}");
        assert_eq!(auth(&either), [""; 0], "one or the other");
        assert_eq!(found(&format!("auth required pam_unix.so\n{ours}{ACCOUNT}{ACCOUNT}")), [""; 0], "nothing is asked");
    }

    #[test]
    fn a_line_that_tells_ours_of_a_failure_for_nothing_or_of_none_is_found() {
        let auth = "auth required pam_unix.so\n";
        let ours = "auth required pam_twofactor.so\n";
        let failed = "auth optional pam_twofactor.so first_factor=failed\n";
        let behind_a_failure = "auth [success=1 default=bad] pam_unix.so\n";
        assert_eq!(found(&format!("{behind_a_failure}{failed}auth required pam_permit.so\n{ours}{ACCOUNT}")), [""; 0]);
        assert_eq!(found(&format!("{auth}{failed}{ours}{ACCOUNT}")), ["told wrongly by 2"]);
        assert_eq!(found(&format!("{auth}{ours}{failed}{ACCOUNT}")), ["never told by 3"]);
        assert_eq!(found(&format!("{auth}{failed}{ACCOUNT}")), ["no auth"]);
        let misspelt = found(&format!("{auth}auth optional pam_twofactor.so first_factor=wrong\n{ours}{ACCOUNT}"));
        assert!(misspelt.contains(&"asked at 2 and 3".to_owned()), "it is no such line: {misspelt:?}");
    }

    #[test]
    fn lines_that_libpam_cannot_run_are_found() {
        let stack = "auth required pam_unix.so\nauth required pam_twofactor.so\naccount requierd pam_unix.so\n\
                     account\naccount required pam_twofactor.so\n";
        assert_eq!(found(stack), ["unknown control 3", "broken 4", "account never succeeds"]);
    }

    #[test]
    fn a_line_that_was_meant_for_our_module_is_one_that_names_it_wrongly() {
        for module in
            ["pam_twofactor.so\r", "pam_twofactor.so\u{a0}", "pam_twofactor", "Pam_TwoFactor.so", "/x/pam_twofactor.s"]
        {
            let text = format!("auth required pam_unix.so\nauth required {module}\n{ACCOUNT}");
            let service = Service::from_text("s", Path::new("/nonexistent/s"), &text, &[]).unwrap();
            let found = of(&service, &|line| line.number == 2);
            assert!(matches!(&found[..], [Finding::Misnamed { line }] if line.number == 2), "{module:?}: {found:?}");
            assert!(found[0].to_string().contains(&module.escape_debug().to_string()), "{found:?}");
        }
        for line in
            ["auth\u{a0}required pam_twofactor.so", "auth required\u{a0}pam_twofactor.so", "x\u{a0}pam_twofactor.so"]
        {
            assert_eq!(found(&format!("auth required pam_unix.so\n{line}\n{ACCOUNT}")), ["broken 2"], "{line:?}");
        }
    }

    #[test]
    fn a_module_that_is_not_there_is_found() {
        let text = format!("auth required pam_unix.so\nauth required pam_twofactor.so\n{ACCOUNT}");
        let service = Service::from_text("s", Path::new("/nonexistent/s"), &text, &[]).unwrap();
        let findings = of(&service, &|line| line.runs(OURS));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings.iter().all(|finding| matches!(finding, Finding::Missing { .. })), "{findings:?}");
    }
}
