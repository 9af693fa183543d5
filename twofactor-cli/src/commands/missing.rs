//! `twofactor status --missing`: users with a login shell whom a rule asks for a second factor and who have none. A sysadmin
//! looks here before a service is switched on.
//!
//! Invariant: a user of whom a look-up failed is never left out in silence. A warning names the user, and the exit code is 1.
//!
//! Recovery codes alone are no second factor here: they run out.

use serde_json::{Value, json};
use twofactor_admin::checkup::people::{Account, Has, Password, Person, Role};
use twofactor_core::account::Confirmation;
use twofactor_core::account::factors::Factors;
use twofactor_core::config::rule::{Demand, Level};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::SystemUsers;
use twofactor_core::policy;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::AccountStatus;

use crate::args;
use crate::error::{Failure, ServiceFailure};
use crate::host::{self, Host};
use crate::output::values::{counted, csv_row, day};
use crate::output::{self, Cell, Format, Output, Stream, Tint};
use crate::people;

pub(crate) fn run(arguments: &args::Status, host: &Host, output: &Output) -> Result<(), Failure> {
    let now = host.now()?;
    let people = people::with_accounts(&host.config, &*host.accounts, now).map_err(ServiceFailure::People)?;
    let (mut missing, mut unknown, mut all) = (Vec::new(), 0, 0);
    for (person, account) in people.filter(|(person, _)| person.account == Account::Open) {
        all += 1;
        let name = person.name.clone();
        match Missing::of(person, account, host, now) {
            Ok(found) => missing.extend(found),
            Err(reason) => {
                unknown += 1;
                output::warning(&format!("{name} may be missing: {reason}"));
            }
        }
    }
    missing.sort_by(|one, other| one.person.name.cmp(&other.person.name));
    if arguments.csv {
        let mut text = CSV_HEADER.to_owned();
        for missing in &missing {
            csv_row(&mut text, CSV_HEADER, &missing.as_json());
        }
        output::raw(&text)?;
    } else if missing.is_empty() && unknown == 0 {
        output.done(|| "No user who is asked for a second factor is without one.\n".to_owned(), || json!([]))?;
    } else {
        let rows = || missing.iter().map(Missing::row).collect();
        let header = ["USER", "SECOND FACTOR", "HAS", "ROLE"];
        output.report_whole(
            || output::table(header, rows(), [12, 13, 20, 13], output.screen(Stream::Results)),
            || missing.iter().map(Missing::as_json).collect(),
        )?;
    }
    if output.format() == Format::Text && !arguments.csv {
        output.explain(&totals(&missing, all));
    }
    if unknown == 0 { Ok(()) } else { Err(Failure::PeopleUnknown { unknown, all }) }
}

/// A user who is asked for a second factor, now or later, and has none that counts.
struct Missing {
    person: Person,
    asked: Asked,
    has: Unfit,
    invited_until: Option<UnixTime>,
}

/// The strictest that a rule asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    level: Level,
    /// The day from which it is required.
    required_from: Option<UnixTime>,
}

impl Asked {
    /// `None` where the demand is less than a second factor, now and later.
    fn of(demand: &Demand, now: UnixTime) -> Option<Self> {
        let level = demand.level_at(now);
        let required_from = demand.until.filter(|until| now < *until && level != Level::Required);
        (level <= Level::Enroll || required_from.is_some()).then_some(Self { level, required_from })
    }

    /// The demands of both on one user.
    fn and(self, other: Self) -> Self {
        let days = [self.required_from, other.required_from];
        let level = self.level.min(other.level);
        let required_from = days.into_iter().flatten().min().filter(|_| level != Level::Required);
        Self { level, required_from }
    }

    /// `required`, `enroll`, `required from 2027-01-31`.
    fn in_words(self) -> String {
        match (self.level, self.required_from) {
            (level, None) => level.to_string(),
            (Level::Enroll, Some(from)) => format!("enroll, required from {}", day(from)),
            (_, Some(from)) => format!("required from {}", day(from)),
        }
    }
}

/// A credential of a user that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    Nothing,
    NotConfirmed,
    RecoveryCodes,
    /// Ssh keys, which only sshd sees.
    SshKeys,
    /// An app where tokens count, or a token where apps do.
    OtherFactor,
    /// The account under the name is another uid's.
    AnothersAccount,
    /// No account of this host alone: the central machine knows the rest.
    OfFleet,
}

impl Unfit {
    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NotConfirmed => "not-confirmed",
            Self::RecoveryCodes => "recovery-codes",
            Self::SshKeys => "ssh-keys",
            Self::OtherFactor => "other-factor",
            Self::AnothersAccount => "another-uid",
            Self::OfFleet => "fleet",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::NotConfirmed => "an app, not confirmed",
            Self::RecoveryCodes => "recovery codes only",
            Self::SshKeys => "ssh keys only",
            Self::OtherFactor => "a factor that does not count",
            Self::AnothersAccount => "an account of another uid",
            Self::OfFleet => "what its fleet knows",
        }
    }
}

impl Missing {
    /// `None` for a user who is not asked, or has what counts. The error says what is not known.
    fn of(
        person: Person,
        account: Result<Option<AccountStatus>, StoreError>,
        host: &Host,
        now: UnixTime,
    ) -> Result<Option<Self>, String> {
        let demands = policy::demands(&host.config, &person.name, &SystemUsers).map_err(|error| error.to_string())?;
        let has = match person.has {
            Has::Factors(has) => Factors { recovery: false, ..has.with_codes() },
            Has::AnothersAccount | Has::OfFleet => Factors::NONE,
            Has::Unknown => {
                return Err(match account.map(|status| status.and_then(|status| status.tokens_problem)) {
                    Err(error) | Ok(Some(error)) => error.to_string(),
                    Ok(None) => "the account could not be read".to_owned(),
                });
            }
        };
        let lacking = demands.iter().filter(|demand| has.common(demand.factors) == Factors::NONE);
        let Some(asked) = lacking.filter_map(|demand| Asked::of(demand, now)).reduce(Asked::and) else {
            return Ok(None);
        };
        let status = account.map_err(|error| error.to_string())?;
        let is_pending =
            |status: &AccountStatus| status.apps.iter().any(|app| app.confirmation == Confirmation::Pending);
        let unfit = match person.has {
            Has::AnothersAccount => Unfit::AnothersAccount,
            Has::OfFleet => Unfit::OfFleet,
            _ if has != Factors::NONE => Unfit::OtherFactor,
            _ if status.as_ref().is_some_and(is_pending) => Unfit::NotConfirmed,
            Has::Factors(has) if has.recovery => Unfit::RecoveryCodes,
            Has::Factors(has) if has.include_ssh_keys() => Unfit::SshKeys,
            _ => Unfit::Nothing,
        };
        let invited_until = match status {
            Some(status) => status.invited_until,
            None => {
                let newcomer = host.accounts.newcomer(&person.name).map_err(|error| error.to_string())?;
                newcomer.map(|newcomer| newcomer.invited_until)
            }
        };
        Ok(Some(Self { person, asked, has: unfit, invited_until }))
    }

    fn row(&self) -> [Cell; 4] {
        let has = match self.invited_until {
            Some(until) => format!("{}, invited until {}", self.has.in_words(), day(until)),
            None => self.has.in_words().to_owned(),
        };
        let level = if self.asked.level == Level::Required { Tint::Red } else { Tint::Yellow };
        let role = if self.person.role == Role::Administrator { "administrator" } else { "user" };
        [self.person.name.to_string().into(), Cell::tinted(self.asked.in_words(), level), has.into(), role.into()]
    }

    fn as_json(&self) -> Value {
        json!({
            "user": self.person.name.as_str(),
            "uid_now": host::uid_now(&self.person.name).map(|uid| uid.0),
            "second_factor": self.asked.level.to_string(),
            "required_from": self.asked.required_from.map(|from| from.to_string()),
            "has": self.has.word(),
            "invited_until": self.invited_until.map(|until| until.to_string()),
            "administrator": self.person.role == Role::Administrator,
            "password_locked": self.person.password == Password::Locked,
        })
    }
}

/// The names of JSON, in one line.
const CSV_HEADER: &str = "user,uid_now,second_factor,required_from,has,invited_until,administrator,password_locked\n";

/// `3 of 12 users with a login shell, of those that getent lists, 1 administrator among them`.
fn totals(missing: &[Missing], all: usize) -> String {
    let administrators = missing.iter().filter(|missing| missing.person.role == Role::Administrator).count() as u64;
    let among_them = match administrators {
        0 => String::new(),
        _ => format!(", {} among them", counted(administrators, "administrator")),
    };
    let all = counted(all as u64, "user");
    format!("{} of {all} with a login shell, of those that getent lists{among_them}", missing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_and_the_earliest_count() {
        let at = |text: &str| UnixTime::from_rfc3339(text).unwrap();
        let (now, later) = (at("2027-01-20T00:00:00Z"), at("2027-01-31T00:00:00Z"));
        let until = |level| Demand { until: Some(later), ..Demand::at(level) };
        let asked = |demand: Demand| Asked::of(&demand, now);
        assert_eq!(asked(Demand::at(Level::Off)), None);
        assert_eq!(asked(Demand::at(Level::Optional)), None);
        let from = asked(until(Level::Off)).unwrap();
        assert_eq!(from.in_words(), "required from 2027-01-31");
        let enroll = asked(Demand::at(Level::Enroll)).unwrap();
        assert_eq!(enroll.in_words(), "enroll");
        assert_eq!(enroll.and(from).in_words(), "enroll, required from 2027-01-31");
        assert_eq!(from.and(asked(Demand::at(Level::Required)).unwrap()).in_words(), "required");
        assert_eq!(Asked::of(&until(Level::Off), later).unwrap().in_words(), "required");
    }
}
