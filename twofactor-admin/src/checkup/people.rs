//! Users who are asked for a second factor and have none.
//!
//! Invariants: the demands on a login are found by [`policy::judge`], as the module finds them. A user whose credentials
//! are not known is not called locked out.

use std::time::Duration;

use super::catalogue::Id;
use super::finding::{Finding, some_of};
use super::services::{asks_first_factor, our_lines};
use twofactor_core::account::factors::Factors;
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::rule::Facts;
use twofactor_core::config::{Config, InvitationRule};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::shell::quoted;
use twofactor_core::host::user::{Doubt, LookupError, UserDatabase, UserName};
use twofactor_core::pam_service::{Phase, Service, programs};
use twofactor_core::policy::{self, By, Candidates, Decision, Ruling};

/// A user who may log in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The canonical name.
    pub name: UserName,
    /// His rights on the host.
    pub role: Role,
    /// His credentials.
    pub has: Has,
    /// The chances of his password.
    pub password: Password,
    /// The state of his account.
    pub account: Account,
}

/// The credentials of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Has {
    /// With codes of these kinds, or of none.
    Factors(Factors),
    /// Nothing: the account under this name is another uid's, so a user who is asked is refused.
    AnothersAccount,
    /// None of the host's own. The servers of its fleet know of another, and may be away.
    OfFleet,
    /// That is not known.
    Unknown,
}

/// The state of a user's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// He may log in, or the state is not known.
    Open,
    /// The account, or a password that should have been changed, has expired.
    Expired,
}

/// The rights of a user on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Mend the host: uid 0, or one of the administrators' groups.
    Administrator,
    /// Anything else.
    User,
}

/// The chances of a user's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It could let him in, or that is not known.
    Perhaps,
    /// It is locked.
    Locked,
}

/// A service that runs the module.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// Its name.
    pub name: String,
    /// `nullok` on its line.
    pub null_ok: NullOk,
    /// The question for a password or something like it before ours.
    pub first_factor: FirstFactor,
}

/// The question for a first factor in a service itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstFactor {
    /// It does: whose password is locked does not get as far as us.
    Asked,
    /// It does not ask, or another program did before (an ssh key).
    NotAsked,
}

/// Services for logins over a network, which have a remote host.
const REMOTE: [&str; 5] = ["sshd", "xrdp-sesman", "cockpit", "vsftpd", "dovecot"];
/// An address for documentation (RFC 5737): a login from elsewhere.
const ELSEWHERE: &str = "192.0.2.1";

/// This long before a rule counts as `required` it is time to do something.
const SOON: Duration = Duration::from_hours(14 * 24);

/// The users of `people` whom `services` ask for a second factor that they lack, now or soon. `file` is the configuration.
pub fn of_people(
    config: &Config,
    file: &str,
    people: &[Person],
    services: &[Guarded],
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<Vec<Finding>, LookupError> {
    let mut troubles = Vec::new();
    for service in services {
        let mut stranded = Vec::new();
        let those_who_try: Vec<&Person> = people.iter().filter(|person| service.lets_try(person)).collect();
        for person in &those_who_try {
            match prospect(config, person, service, users, now)? {
                Prospect::Well => {}
                Prospect::Stranded => stranded.push(*person),
                Prospect::Soon(rule) => {
                    let what = format!("{file}:{rule} only, and not enrolled");
                    Trouble { id: Id::GraceEnding, what, services: vec![], people: vec![person] }.join(&mut troubles);
                }
            }
        }
        of_stranded(service, stranded, &those_who_try).for_each(|trouble| trouble.join(&mut troubles));
        let without_server = |person: &Person| gets_in(config, person, service, users, now);
        let away =
            config.membership.as_ref().and_then(|_| of_no_local_administrator(service, &those_who_try, without_server));
        if let Some(trouble) = away {
            trouble.join(&mut troubles);
        }
    }
    Ok(troubles.iter().map(Trouble::finding).collect())
}

/// Those of `people` whom a service refuses now: they are asked for a second factor there and have none that counts.
pub fn refused<'p>(
    config: &Config,
    people: &'p [Person],
    service: &Guarded,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<Vec<&'p Person>, LookupError> {
    let mut refused = Vec::new();
    for person in people.iter().filter(|person| service.lets_try(person)) {
        if matches!(prospect(config, person, service, users, now)?, Prospect::Stranded) {
            refused.push(person);
        }
    }
    Ok(refused)
}

/// A user's prospect at a login.
enum Prospect {
    /// He gets in, or that is not known.
    Well,
    /// He is asked for what he does not have.
    Stranded,
    /// He will be, when this rule lapses.
    Soon(String),
}

fn prospect(
    config: &Config,
    person: &Person,
    service: &Guarded,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<Prospect, LookupError> {
    let ruling = ruling(config, person, service, users, now);
    let counts = match person.has {
        // Only sshd sees ssh keys.
        Has::Factors(has) if programs::is_sshd(&service.name) => has.common(ruling.factors) != Factors::NONE,
        Has::Factors(has) => has.with_codes().common(ruling.factors) != Factors::NONE,
        Has::AnothersAccount => false,
        Has::OfFleet | Has::Unknown => return Ok(Prospect::Well),
    };
    let is_asked_in_vain = match person.has {
        Has::Factors(has) => has.include_ssh_keys() && has.with_codes() == Factors::NONE,
        Has::AnothersAccount => true,
        Has::OfFleet | Has::Unknown => false,
    };
    match (ruling.decision, ruling.grace, ruling.by) {
        (_, _, By::Doubt(Candidates { why: Doubt::Failed(error), .. })) => Err(error),
        _ if counts => Ok(Prospect::Well),
        (Decision::AskTheEnrolled(_) | Decision::AskOrEnroll(_), ..) if is_asked_in_vain => Ok(Prospect::Stranded),
        (Decision::Ask, ..) => Ok(Prospect::Stranded),
        (_, Some((until, level)), By::Rule(line)) if until <= now.after(SOON) => {
            Ok(Prospect::Soon(format!("{line}: \"{level}\" until {until}")))
        }
        _ => Ok(Prospect::Well),
    }
}

/// True when a user who has passed the first factor of a service certainly gets past our line, with what he has or can set up
/// there. Recovery codes are no way in to build on: they run out. Nor are ssh keys: sshd may not demand them.
pub fn gets_in(config: &Config, person: &Person, service: &Guarded, users: &dyn UserDatabase, now: UnixTime) -> bool {
    let ruling = ruling(config, person, service, users, now);
    let has = match person.has {
        Has::Factors(has) => Factors { recovery: false, ..has },
        Has::AnothersAccount | Has::OfFleet => return matches!(ruling.decision, Decision::Waive(_)),
        Has::Unknown => return false,
    };
    let counts = has.with_codes().common(ruling.factors) != Factors::NONE;
    match ruling.decision {
        Decision::Waive(_) => true,
        Decision::AskTheEnrolled(_) => counts || has == Factors::NONE,
        Decision::AskOrEnroll(_) if config.enrollment.invitation == InvitationRule::None => {
            counts || has == Factors::NONE
        }
        Decision::AskOrEnroll(_) | Decision::Ask => counts,
    }
}

/// The policy's ruling on a usual login: over a network to the services that are there for that.
fn ruling(config: &Config, person: &Person, service: &Guarded, users: &dyn UserDatabase, now: UnixTime) -> Ruling {
    let rhost = REMOTE.contains(&service.name.as_str()).then_some(ELSEWHERE);
    let facts = Facts { user: Some(&person.name), service: &service.name, rhost };
    policy::judge(config, service.null_ok, &facts, None, users, now)
}

impl Guarded {
    /// A service that asks for a code, as its first line of ours says; `None` when it asks for none.
    pub fn of(service: &Service) -> Option<Self> {
        let (_, arguments) = our_lines(service).find(|(line, _)| line.phase == Phase::Auth)?;
        let first_factor = if asks_first_factor(service) { FirstFactor::Asked } else { FirstFactor::NotAsked };
        Some(Self { name: service.name.clone(), null_ok: arguments.null_ok, first_factor })
    }

    /// True when a user gets as far as our line.
    fn lets_try(&self, person: &Person) -> bool {
        self.keeps_out(person).is_none()
    }

    /// The reason for which a user does not get as far as our line, or no further, whatever he has.
    pub fn keeps_out(&self, person: &Person) -> Option<&'static str> {
        match (person.account, person.password, self.first_factor) {
            (Account::Expired, ..) => Some("expired"),
            (Account::Open, Password::Locked, FirstFactor::Asked) => Some("the password is locked"),
            (Account::Open, ..) => None,
        }
    }
}

/// Administrators without a credential matter together: while one of them gets in, the others can be helped.
fn of_stranded<'p>(
    service: &'p Guarded,
    stranded: Vec<&'p Person>,
    those_who_try: &[&Person],
) -> impl Iterator<Item = Trouble<'p>> {
    let is_administrator = |person: &&Person| person.role == Role::Administrator;
    let all_administrators = stranded.iter().filter(|person| is_administrator(person)).count()
        == those_who_try.iter().filter(|person| is_administrator(person)).count();
    let (administrators, mut others) =
        stranded.into_iter().partition::<Vec<_>, _>(|person| all_administrators && is_administrator(person));
    // Their accounts are findings of their own.
    others.retain(|person| person.has != Has::AnothersAccount);
    let none_enrolled = "no administrator is enrolled who could log in there".to_owned();
    let asked = "it asks for a second factor, and not enrolled".to_owned();
    let services = || vec![service.name.as_str()];
    let both = [
        Trouble { id: Id::NoAdministrator, what: none_enrolled, services: services(), people: administrators },
        Trouble { id: Id::UsersWithoutCredential, what: asked, services: services(), people: others },
    ];
    both.into_iter().filter(|trouble| !trouble.people.is_empty())
}

/// On a host of a fleet: the administrators of a service, when none of them gets in while no server answers.
fn of_no_local_administrator<'p>(
    service: &'p Guarded,
    those_who_try: &[&'p Person],
    gets_in: impl Fn(&Person) -> bool,
) -> Option<Trouble<'p>> {
    let administrators = those_who_try.iter().copied().filter(|person| person.role == Role::Administrator);
    let people: Vec<&Person> = administrators.collect();
    if people.is_empty() || people.iter().any(|person| gets_in(person)) {
        return None;
    }
    let what = "no administrator has a second factor of this host alone".to_owned();
    Some(Trouble { id: Id::NoLocalAdministrator, what, services: vec![&service.name], people })
}

/// The same thing for some people at some services.
struct Trouble<'p> {
    id: Id,
    what: String,
    /// The services concerned; none in particular when it is empty.
    services: Vec<&'p str>,
    people: Vec<&'p Person>,
}

impl Trouble<'_> {
    /// Adds itself to what is known: to the same thing for the same people elsewhere, or for others in the same place.
    fn join(self, known: &mut Vec<Self>) {
        let names = |trouble: &Self| trouble.people.iter().map(|person| person.name.clone()).collect::<Vec<_>>();
        let same = |other: &&mut Self| (other.id, &other.what) == (self.id, &self.what);
        let (at_services, who) = (!self.services.is_empty(), names(&self));
        match known.iter_mut().filter(same).find(|other| !at_services || names(other) == who) {
            Some(other) if at_services => other.services.extend(self.services),
            Some(other) => {
                let new =
                    self.people.into_iter().filter(|person| !other.people.iter().any(|one| one.name == person.name));
                let new: Vec<&Person> = new.collect();
                other.people.extend(new);
            }
            None => known.push(self),
        }
    }

    fn finding(&self) -> Finding {
        let names = some_of(self.people.iter().map(|person| person.name.as_str()));
        let services = some_of(self.services.iter().copied());
        let place = if services.is_empty() { String::new() } else { format!("{services}: ") };
        let what = format!("{place}{}: {names}", self.what);
        let command = enroll(self.people.first().map(|person| person.name.as_str()));
        match self.id {
            Id::NoAdministrator => Finding::run(self.id, what, command),
            Id::NoLocalAdministrator => Finding::run(self.id, what, format!("{command} --local")),
            Id::GraceEnding => {
                Finding::consider(self.id, what, "enroll them one by one, or choose a later day", command)
            }
            _ => {
                let advice = "enroll them one by one, or let them do it at login: second_factor = \"enroll\"";
                Finding::consider(self.id, what, advice, command)
            }
        }
    }
}

fn enroll(name: Option<&str>) -> String {
    format!("twofactor enroll {}", name.map_or_else(|| "USER".to_owned(), quoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofactor_core::host::user::SystemUsers;

    fn person(name: &str, role: Role, has: Factors) -> Person {
        Person {
            name: UserName::new(name).unwrap(),
            role,
            has: Has::Factors(has),
            password: Password::Perhaps,
            account: Account::Open,
        }
    }

    fn found(config: &str, people: &[Person], services: &[Guarded]) -> Vec<(Id, String)> {
        let now = UnixTime::from_rfc3339("2027-01-20T00:00:00Z").unwrap();
        let config = Config::parse(config).unwrap();
        let findings = of_people(&config, "f", people, services, &SystemUsers, now).unwrap();
        findings.into_iter().map(|finding| (finding.id, finding.what)).collect()
    }

    fn ids(config: &str, people: &[Person]) -> Vec<Id> {
        found(config, people, &[service("sshd")]).into_iter().map(|(id, _)| id).collect()
    }

    fn service(name: &str) -> Guarded {
        Guarded { name: name.to_owned(), null_ok: NullOk::No, first_factor: FirstFactor::Asked }
    }

    const APP: Factors = Factors { app: true, ..Factors::NONE };

    #[test]
    fn whoever_is_enrolled_is_no_finding() {
        assert_eq!(ids("", &[person("alice", Role::Administrator, APP), person("bob", Role::User, APP)]), []);
    }

    #[test]
    fn who_is_asked_and_has_nothing_that_counts_is_found() {
        let people = [person("alice", Role::Administrator, APP), person("bob", Role::User, Factors::NONE)];
        assert_eq!(ids("", &people), [Id::UsersWithoutCredential]);
        for level in ["enroll", "optional", "off"] {
            assert_eq!(ids(&format!("[default]\nsecond_factor = \"{level}\"\n"), &people), [], "{level}");
        }
        let tokens_only = "[[rule]]\nsecond_factor = \"required\"\nfactors = [\"token\"]\n";
        assert_eq!(ids(tokens_only, &people[..1]), [Id::NoAdministrator], "an app does not count there");
        let nullok = Guarded { null_ok: NullOk::Yes, ..service("sshd") };
        assert_eq!(found("", &people, &[nullok]), []);
    }

    #[test]
    fn those_whom_a_service_would_refuse_are_counted_by_their_rules() {
        let refused = |config: &str, people: &[Person], guarded: &Guarded| {
            let now = UnixTime::from_rfc3339("2027-01-20T00:00:00Z").unwrap();
            let config = Config::parse(config).unwrap();
            let refused = refused(&config, people, guarded, &SystemUsers, now).unwrap();
            refused.into_iter().map(|person| person.name.to_string()).collect::<Vec<_>>()
        };
        let without = |name: &str| person(name, Role::User, Factors::NONE);
        let locked = Person { password: Password::Locked, ..without("key") };
        let unknown = Person { has: Has::Unknown, ..without("damaged") };
        let people = [person("alice", Role::User, APP), without("bob"), without("root"), locked, unknown];
        assert_eq!(refused("", &people, &service("login")), ["bob", "root"]);
        assert_eq!(refused("", &people, &Guarded { null_ok: NullOk::Yes, ..service("login") }), [""; 0]);
        let until =
            |day: &str| format!("[[rule]]\nservices = [\"login\"]\nsecond_factor = \"optional\"\nuntil = {day}\n");
        assert_eq!(refused(&until("2027-01-21"), &people, &service("login")), [""; 0]);
        assert_eq!(refused(&until("2027-01-20"), &people, &service("login")), ["bob", "root"]);
        assert_eq!(refused(&until("2027-01-21"), &people, &service("sudo")), ["bob", "root"]);
    }

    #[test]
    fn who_has_the_name_of_another_persons_account_gets_in_only_where_nothing_is_asked() {
        let now = UnixTime::from_rfc3339("2027-01-20T00:00:00Z").unwrap();
        let bob = [Person { has: Has::AnothersAccount, ..person("bob", Role::Administrator, APP) }];
        for (level, is_refused) in [("required", true), ("enroll", true), ("optional", true), ("off", false)] {
            let text = format!("[default]\nsecond_factor = \"{level}\"\n");
            let config = Config::parse(&text).unwrap();
            let refused = refused(&config, &bob, &service("sshd"), &SystemUsers, now).unwrap();
            assert_eq!(refused.len(), usize::from(is_refused), "{level}");
            assert_eq!(gets_in(&config, &bob[0], &service("sshd"), &SystemUsers, now), !is_refused, "{level}");
        }
        assert_eq!(ids("", &bob), [Id::NoAdministrator]);
        let with_another = [bob[0].clone(), person("alice", Role::Administrator, APP)];
        assert_eq!(ids("", &with_another), [], "the account is a finding of its own");
    }

    #[test]
    fn administrators_are_found_when_none_of_them_gets_in() {
        let without = |name: &str| person(name, Role::Administrator, Factors::NONE);
        assert_eq!(ids("", &[without("alice"), without("carol")]), [Id::NoAdministrator]);
        assert_eq!(
            ids("", &[without("alice"), person("carol", Role::Administrator, APP)]),
            [Id::UsersWithoutCredential]
        );
        let exempt = "[[rule]]\nusers = [\"carol\"]\nsecond_factor = \"off\"\n";
        assert_eq!(ids(exempt, &[without("alice"), without("carol")]), [Id::UsersWithoutCredential]);
    }

    #[test]
    fn on_a_host_of_a_fleet_an_administrator_needs_an_account_of_that_host_alone() {
        const FLEET: &str = "[fleet]\nservers = [\"otp1.example.org\"]\n";
        let of_fleet = |name: &str, role| Person { has: Has::OfFleet, ..person(name, role, Factors::NONE) };
        let people = [of_fleet("alice", Role::User), of_fleet("root", Role::Administrator)];
        assert_eq!(ids(FLEET, &people), [Id::NoLocalAdministrator], "the servers know of the user");
        assert_eq!(ids(FLEET, &people[..1]), []);
        let with_one = [people[1].clone(), person("carol", Role::Administrator, APP)];
        assert_eq!(ids(FLEET, &with_one), []);
        let exempt = format!("{FLEET}[[rule]]\nusers = [\"root\"]\nsecond_factor = \"off\"\n");
        assert_eq!(ids(&exempt, &people), []);
    }

    #[test]
    fn whose_password_is_locked_gets_not_as_far_unless_nobody_asks_for_it() {
        let locked = Person { password: Password::Locked, ..person("root", Role::Administrator, Factors::NONE) };
        assert_eq!(ids("", std::slice::from_ref(&locked)), []);
        let key_and_code = Guarded { first_factor: FirstFactor::NotAsked, ..service("sshd") };
        assert_eq!(found("", &[locked], std::slice::from_ref(&key_and_code)).len(), 1);
        let expired = Person { account: Account::Expired, ..person("alice", Role::Administrator, Factors::NONE) };
        assert_eq!(found("", &[expired], std::slice::from_ref(&key_and_code)), []);
        let unknown = Person { has: Has::Unknown, ..person("alice", Role::Administrator, APP) };
        assert_eq!(ids("", &[unknown]), [], "what is not known is not said");
    }

    #[test]
    fn a_rule_that_is_about_to_lapse_is_found_once_with_those_it_strands() {
        let rule = |day: &str| format!("[[rule]]\nsecond_factor = \"enroll\"\nuntil = {day}\n");
        let people = [person("alice", Role::Administrator, APP), person("bob", Role::User, Factors::NONE)];
        let both = [service("sshd"), service("sudo")];
        let near = found(&rule("2027-01-31"), &people, &both);
        assert_eq!(near.len(), 1, "{near:?}");
        assert!(near[0].1.starts_with("f:1: \"enroll\" until 2027-01-31"), "{near:?}");
        assert!(near[0].0 == Id::GraceEnding && near[0].1.ends_with("not enrolled: bob"), "{near:?}");
        assert_eq!(found(&rule("2027-03-31"), &people, &both), []);
        assert_eq!(found(&rule("2027-01-31"), &people[..1], &both), []);
    }

    #[test]
    fn what_is_the_same_at_several_services_is_said_once() {
        let people = ["bob", "carol"].map(|name| person(name, Role::User, Factors::NONE));
        let found = found("", &people, &[service("sshd"), service("login"), service("su")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.starts_with("sshd, login, su: ") && found[0].1.ends_with(": bob, carol"), "{found:?}");
    }

    #[test]
    fn a_login_with_sshd_comes_from_elsewhere() {
        let local = "[[rule]]\nlocal = true\nsecond_factor = \"off\"\n";
        let bob = [person("bob", Role::User, Factors::NONE)];
        assert_eq!(found(local, &bob, &[service("sshd")]).len(), 1);
        assert_eq!(found(local, &bob, &[service("sudo")]), []);
    }
}
