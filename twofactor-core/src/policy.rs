//! The policy: the first rule that matches decides what is asked of a user, else `[default]`.
//!
//! A rule that may match, because a look-up failed or its "not found" is no proof, is a candidate. The strictest of the candidates
//! and of the first certain match holds, with the factors that all of them allow, without `nullok` and without `remember`.
//!
//! Invariants: only this file can make a [`Waived`], and it needs a proof: the store's that the user has no account, or its
//! memory of an accepted login; or rules that say `off`, every one that may match. `optional` in doubt asks every user.

use std::cell::OnceCell;
use std::time::Duration;

use crate::account::factors::Factors;
use crate::config::Config;
use crate::config::arguments::NullOk;
use crate::config::rule::{Conditions, Demand, Facts, Level, Mismatch, Rule, Who};
use crate::host::clock::UnixTime;
use crate::host::user::{Doubt, LookupError, UserDatabase, UserName};
use crate::store::{Absent, Remembered};

/// The ruling of the policy on a login, and its origin.
#[derive(Debug)]
#[must_use]
pub struct Ruling {
    /// The decision.
    pub decision: Decision,
    /// The level, on this line and at this time.
    pub level: Level,
    /// The kinds of credentials that are accepted.
    pub factors: Factors,
    /// The time for which an accepted login is remembered.
    pub remember: Duration,
    /// Until when less than `required` is asked, and by what the level is called until then.
    pub grace: Option<(UnixTime, Level)>,
    /// The rule that decided.
    pub by: By,
    /// The rules that were looked at and did not match, in order.
    pub passed: Vec<(usize, Mismatch)>,
}

/// The rule that decided.
#[derive(Debug)]
pub enum By {
    /// The rule that begins at this line.
    Rule(usize),
    /// `[default]`.
    Default,
    /// The strictest of several.
    Doubt(Candidates),
}

/// The rules of which one decides, and it is not known which.
#[derive(Debug)]
pub struct Candidates {
    /// Why it is not known, for the first of them; a look-up that failed before one that proves nothing.
    pub why: Doubt,
    /// The lines at which those begin that may match.
    pub rules: Vec<usize>,
    /// The line of the first that certainly does; `None` for `[default]`.
    pub last: Option<usize>,
    /// The effect: more is asked than by the last of them, or the same.
    pub effect: Effect,
}

/// The change that a doubt makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// More is asked, or less counts.
    Stricter,
}

/// The decision.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Ask for a code.
    Ask,
    /// Ask; a user who provably has no account sets one up.
    AskOrEnroll(MayEnroll),
    /// Ask unless the user provably has no account.
    AskTheEnrolled(Optional),
    /// Do not ask.
    Waive(Waived),
}

/// The policy's leave to waive the second factor for a user without an account.
#[derive(Debug)]
pub struct Optional(());

/// The policy's leave to set up a second factor at login.
#[derive(Debug)]
pub struct MayEnroll(());

/// Proof that the policy asks nothing of this login.
#[derive(Debug)]
#[must_use]
pub struct Waived {
    why: &'static str,
}

impl Decision {
    /// For the log, when the line asks for `debug`.
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Ask => "every user is asked for a code",
            Self::AskOrEnroll(_) => "every user is asked for a code, or sets up an app",
            Self::AskTheEnrolled(_) => "every enrolled user is asked for a code",
            Self::Waive(_) => "no user is asked for a code",
        }
    }
}

impl Optional {
    /// Waives the second factor for a user whose absence the store has proved.
    pub fn waive(self, _proof: Absent) -> Waived {
        Waived { why: "optional-not-enrolled" }
    }
}

impl Waived {
    /// Waives the second factor for a login like one that was accepted a while ago.
    pub fn remembered(_proof: Remembered) -> Self {
        Self { why: "remembered" }
    }

    /// The log's word for it.
    pub fn why(&self) -> &'static str {
        self.why
    }
}

/// The demands of `config` on the login that `facts` are about, on a PAM line with or without `nullok`. `unknown` is why it is not
/// certain who the user is, where `facts` name none.
pub fn judge(
    config: &Config,
    null_ok: NullOk,
    facts: &Facts<'_>,
    unknown: Option<Doubt>,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Ruling {
    let whom = Whom::new(facts.user, unknown, users);
    let default = Demand::at(config.default_level);
    let (mut passed, mut doubtful, mut first_match) = (Vec::new(), Vec::new(), None);
    for rule in &config.rules {
        match rule.conditions.meet(facts, &whom) {
            Ok(Ok(())) => {
                first_match = Some(rule);
                break;
            }
            Ok(Err(mismatch)) => passed.push((rule.line, mismatch)),
            Err(doubt) => doubtful.push((rule, doubt)),
        }
    }
    let certain = first_match.map_or(&default, |rule| &rule.demand);
    let last = first_match.map(|rule| rule.line);
    // Where no look-up has failed and each rule that may match says the same, the same happens whichever does.
    let matters = |(rule, doubt): &(&Rule, Doubt)| matches!(doubt, Doubt::Failed(_)) || rule.demand != *certain;
    if doubtful.iter().any(matters) {
        in_doubt(doubtful, last, certain, null_ok, now, passed)
    } else {
        ruling(certain, last.map_or(By::Default, By::Rule), null_ok, now, passed)
    }
}

/// The ruling when one of several rules may be the first to match.
fn in_doubt(
    doubtful: Vec<(&Rule, Doubt)>,
    last: Option<usize>,
    certain: &Demand,
    null_ok: NullOk,
    now: UnixTime,
    passed: Vec<(usize, Mismatch)>,
) -> Ruling {
    let without_doubt = ruling(certain, By::Default, null_ok, now, Vec::new());
    let demands = || doubtful.iter().map(|(rule, _)| &rule.demand).chain([certain]);
    let level = demands().map(|demand| demand.level_at(now)).min().unwrap_or(Level::Required);
    let factors = demands().map(|demand| demand.factors).fold(Factors::ALL, Factors::common);
    let decision = match level {
        Level::Required | Level::Optional => Decision::Ask,
        Level::Enroll => Decision::AskOrEnroll(MayEnroll(())),
        Level::Off => Decision::Waive(Waived { why: "off" }),
    };
    let unchanged = decision.in_words() == without_doubt.decision.in_words() && factors == certain.factors;
    let effect = if unchanged && certain.remember.is_zero() { Effect::None } else { Effect::Stricter };
    let rules = doubtful.iter().map(|(rule, _)| rule.line).collect();
    let failed = doubtful.iter().position(|(_, doubt)| matches!(doubt, Doubt::Failed(_)));
    let why = doubtful.into_iter().nth(failed.unwrap_or(0)).map(|(_, doubt)| doubt);
    let why = why.unwrap_or_else(|| LookupError("it gave no reason".to_owned()).into());
    let by = By::Doubt(Candidates { why, rules, last, effect });
    Ruling { decision, level, factors, remember: Duration::ZERO, grace: None, by, passed }
}

/// Tells if some login of `user` could set up a second factor at `now`: the strictest of the rules that may be the first to match
/// says `enroll`. An error where a look-up failed that will give another answer when it does not.
pub fn lets_enroll(
    config: &Config,
    user: &UserName,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<bool, LookupError> {
    // Candidates of every login, and of some.
    let (mut always, mut sometimes) = (Level::Off, Vec::new());
    let enrolls = |level: Level, always: Level, sometimes: &[Level]| match level.min(always) {
        Level::Required => false,
        Level::Enroll => true,
        Level::Optional | Level::Off => sometimes.contains(&Level::Enroll),
    };
    for rule in rules_about(config, &Whom::new(Some(user), None, users)) {
        let RuleAbout { demand, user, logins } = rule?;
        let level = demand.level_at(now);
        match (user, logins) {
            (Named::Certainly, _) if enrolls(level, always, &sometimes) => return Ok(true),
            (Named::Certainly, Logins::All) => return Ok(false),
            (Named::Certainly, Logins::Some) => {}
            (Named::Perhaps, Logins::All) => always = always.min(level),
            (Named::Perhaps, Logins::Some) => sometimes.push(level),
        }
    }
    Ok(enrolls(config.default_level, always, &sometimes))
}

/// Every demand that may decide about some login of `user`: what a sysadmin has to reckon with. An error where a look-up failed
/// that will give another answer when it does not.
pub fn demands(config: &Config, user: &UserName, users: &dyn UserDatabase) -> Result<Vec<Demand>, LookupError> {
    let mut demands = Vec::new();
    for rule in rules_about(config, &Whom::new(Some(user), None, users)) {
        let RuleAbout { demand, user, logins } = rule?;
        demands.push(demand);
        if (user, logins) == (Named::Certainly, Logins::All) {
            return Ok(demands);
        }
    }
    demands.push(Demand::at(config.default_level));
    Ok(demands)
}

/// Tells if `user` is in one of these groups. An error where that is not certain.
pub fn is_member(user: &UserName, groups: &[String], users: &dyn UserDatabase) -> Result<bool, Doubt> {
    Whom::new(Some(user), None, users).is_in_one_of(groups)
}

/// A rule that may be the one that decides about a login of a user.
struct RuleAbout {
    demand: Demand,
    user: Named,
    logins: Logins,
}

/// A rule's users and groups beside a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Certainly,
    /// "Not found" proves nothing.
    Perhaps,
}

/// The logins of its users that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logins {
    All,
    /// Those of a service or from a place.
    Some,
}

/// The rules whose users and groups `whom` is among, in order. An error where a look-up failed.
fn rules_about<'c>(
    config: &'c Config,
    whom: &'c Whom<'_>,
) -> impl Iterator<Item = Result<RuleAbout, LookupError>> + use<'c> {
    config.rules.iter().filter_map(move |rule| {
        let Conditions { users, groups, services, networks, locality } = rule.conditions.clone();
        let all = services.is_none() && networks.is_none() && locality.is_none();
        let logins = if all { Logins::All } else { Logins::Some };
        let facts = Facts { user: whom.user, service: "", rhost: None };
        let user = match (Conditions { users, groups, ..Conditions::default() }).meet(&facts, whom) {
            Ok(Ok(())) => Named::Certainly,
            Ok(Err(_)) => return None,
            Err(Doubt::Failed(error)) => return Some(Err(error)),
            Err(Doubt::Unproven { .. }) => Named::Perhaps,
        };
        Some(Ok(RuleAbout { demand: rule.demand, user, logins }))
    })
}

fn ruling(demand: &Demand, by: By, null_ok: NullOk, now: UnixTime, passed: Vec<(usize, Mismatch)>) -> Ruling {
    let level = match (demand.level_at(now), null_ok) {
        (Level::Required, NullOk::Yes) => Level::Optional,
        (level, _) => level,
    };
    let decision = match level {
        Level::Required => Decision::Ask,
        Level::Enroll => Decision::AskOrEnroll(MayEnroll(())),
        Level::Optional => Decision::AskTheEnrolled(Optional(())),
        Level::Off => Decision::Waive(Waived { why: "off" }),
    };
    let grace = demand.until.filter(|until| now < *until && demand.level != Level::Required);
    let grace = grace.map(|until| (until, demand.level));
    Ruling { decision, level, factors: demand.factors, remember: demand.remember, grace, by, passed }
}

/// The user of a login. Each thing is looked up at most once, and only when a rule asks for it.
struct Whom<'a> {
    /// `None` for a user who does not exist, or of whom that is not known.
    user: Option<&'a UserName>,
    unknown: Option<Doubt>,
    users: &'a dyn UserDatabase,
    gids: OnceCell<Result<Vec<u32>, Doubt>>,
    /// That those are all.
    complete: OnceCell<Result<(), Doubt>>,
}

impl<'a> Whom<'a> {
    fn new(user: Option<&'a UserName>, unknown: Option<Doubt>, users: &'a dyn UserDatabase) -> Self {
        Self { user, unknown, users, gids: OnceCell::new(), complete: OnceCell::new() }
    }

    /// The user. `None`: no user that exists.
    fn user(&self) -> Result<Option<&'a UserName>, Doubt> {
        match (self.user, &self.unknown) {
            (None, Some(doubt)) => Err(doubt.clone()),
            (user, _) => Ok(user),
        }
    }

    /// Looks up what [`Who::is_in_one_of`] would for an existing user, so that the time reveals no users.
    fn look_up_for_no_user(&self, groups: &[String]) {
        let Ok(no_user) = UserName::new(NO_USER) else { return };
        let _ = self.gids.get_or_init(|| {
            self.users.pretend_gids(&no_user);
            Ok(Vec::new())
        });
        for group in groups {
            match self.users.gid(group) {
                Ok(Some(_)) => drop(self.complete.get_or_init(|| self.users.has_no_more_groups(&no_user, &[])).clone()),
                Ok(None) => drop(self.users.has_no_group(group)),
                Err(_) => {}
            }
        }
    }
}

/// A name that no user has: useradd refuses it.
const NO_USER: &str = ".nobody";

impl Who<Doubt> for Whom<'_> {
    fn is_one_of(&self, users: &[String]) -> Result<bool, Doubt> {
        Ok(self.user()?.is_some_and(|user| users.iter().any(|one| one == user.as_str())))
    }

    fn is_in_one_of(&self, groups: &[String]) -> Result<bool, Doubt> {
        let user = match self.user() {
            Ok(Some(user)) => user,
            Err(Doubt::Failed(error)) => return Err(error.into()),
            no_user => {
                self.look_up_for_no_user(groups);
                return no_user.map(|_| false);
            }
        };
        let gids = self.gids.get_or_init(|| Ok(self.users.gids(user)?)).as_ref().map_err(Doubt::clone)?;
        // One group that he is in decides; else all must be known for certain. All are looked up in any case, so that time
        // does not tell who is a member.
        let (mut certain, mut is_member) = (Ok(()), false);
        for group in groups {
            let complete = || self.complete.get_or_init(|| self.users.has_no_more_groups(user, gids)).clone();
            let absent = match self.users.gid(group) {
                Ok(Some(gid)) => {
                    is_member |= gids.contains(&gid);
                    complete()
                }
                // A group that does not exist has no members.
                Ok(None) => self.users.has_no_group(group),
                Err(error) => Err(error.into()),
            };
            certain = certain.and(absent);
        }
        if is_member { Ok(true) } else { certain.map(|()| false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::user::{Person, Uid};

    /// alice is in ops.
    struct People;

    impl UserDatabase for People {
        fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
            Ok(UserName::new(typed).ok().map(|name| Person { name, uid: Uid(1001) }))
        }

        fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
            Ok(if user.as_str() == "alice" { vec![7] } else { Vec::new() })
        }

        fn pretend_gids(&self, _nobody: &UserName) {}

        fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
            match group {
                "ops" => Ok(Some(7)),
                "broken" => Err(LookupError("server down".to_owned())),
                _ => Ok(None),
            }
        }

        fn has_no_user(&self, _typed: &str) -> Result<(), Doubt> {
            Ok(())
        }

        fn has_no_group(&self, group: &str) -> Result<(), Doubt> {
            if group == "elsewhere" { Err(unproven()) } else { Ok(()) }
        }

        fn has_no_more_groups(&self, user: &UserName, _gids: &[u32]) -> Result<(), Doubt> {
            if user.as_str() == "carol" { Err(unproven()) } else { Ok(()) }
        }
    }

    fn unproven() -> Doubt {
        Doubt::Unproven { file: "nsswitch.conf".to_owned(), sources: "sss".to_owned(), database: "group" }
    }

    fn failed() -> Doubt {
        LookupError("server down".to_owned()).into()
    }

    /// The ruling of a login of `user`, who may exist, at `rhost`.
    fn ruled(text: &str, user: Option<&str>, null_ok: NullOk, unknown: Option<Doubt>) -> Ruling {
        let user = user.map(|user| UserName::new(user).unwrap());
        let facts = Facts { user: user.as_ref(), service: "sshd", rhost: Some("192.0.2.7") };
        let now = UnixTime::from_rfc3339("2027-01-31T00:00:00Z").unwrap();
        judge(&Config::parse(text).unwrap(), null_ok, &facts, unknown, &People, now)
    }

    /// A rule with these conditions that says `level`.
    fn rule(conditions: &str, level: &str) -> String {
        format!("[[rule]]\n{conditions}\nsecond_factor = \"{level}\"\n")
    }

    #[test]
    fn the_strictest_rule_that_may_match_holds_and_optional_asks_everybody() {
        let levels = ["required", "enroll", "optional", "off"];
        for (strict, level) in levels.into_iter().enumerate() {
            for (default_strict, default) in levels.into_iter().enumerate() {
                let text =
                    format!("{}[default]\nsecond_factor = \"{default}\"\n", rule("groups = [\"broken\"]", level));
                for null_ok in [NullOk::No, NullOk::Yes] {
                    let ruling = ruled(&text, Some("alice"), null_ok, None);
                    let expected = match strict.min(default_strict) {
                        0 | 2 => "every user is asked for a code",
                        1 => "every user is asked for a code, or sets up an app",
                        _ => "no user is asked for a code",
                    };
                    assert_eq!(ruling.decision.in_words(), expected, "{level} or {default}");
                    assert!(matches!(&ruling.by, By::Doubt(Candidates { rules, last: None, .. }) if rules == &[1]));
                }
            }
        }
    }

    #[test]
    fn what_certainly_matches_before_a_failed_look_up_decides_alone() {
        let root = rule("users = [\"root\"]", "off");
        let admins = rule("groups = [\"broken\"]", "required");
        let off = "[default]\nsecond_factor = \"off\"\n";
        let words = |text: String, user| ruled(&text, Some(user), NullOk::No, None).decision.in_words();
        assert_eq!(words(format!("{root}{admins}{off}"), "root"), "no user is asked for a code");
        assert_eq!(words(format!("{root}{admins}{off}"), "alice"), "every user is asked for a code");
        assert_eq!(words(format!("{admins}{root}{off}"), "root"), "every user is asked for a code", "too late");
        let elsewhere = rule("groups = [\"broken\"]\nservices = [\"cron\"]", "required");
        assert_eq!(words(format!("{elsewhere}{off}"), "alice"), "no user is asked for a code", "it cannot match");
        let either = rule("groups = [\"broken\", \"ops\"]", "off");
        assert_eq!(words(either, "alice"), "no user is asked for a code", "she is in one of them");
    }

    #[test]
    fn in_doubt_only_factors_that_all_candidates_allow_count_and_nothing_is_remembered() {
        let tokens =
            "[[rule]]\ngroups = [\"broken\"]\nsecond_factor = \"optional\"\nfactors = [\"token\", \"recovery\"]\n";
        let apps = "[[rule]]\nsecond_factor = \"required\"\nfactors = [\"app\", \"recovery\"]\nremember = \"8h\"\n";
        let ruling = ruled(&format!("{tokens}{apps}"), Some("alice"), NullOk::No, None);
        assert_eq!((ruling.factors.names(), ruling.remember), (vec!["recovery"], Duration::ZERO));
        assert_eq!((ruling.level, ruling.grace), (Level::Required, None));
        let apps = apps.replace(", \"recovery\"", "");
        let ruling = ruled(&format!("{tokens}{apps}"), Some("alice"), NullOk::No, None);
        assert_eq!(ruling.factors, Factors::NONE, "then nothing counts");
    }

    #[test]
    fn a_user_who_could_not_be_looked_up_may_be_any_user() {
        let backup = format!("{}[default]\nsecond_factor = \"off\"\n", rule("users = [\"backup\"]", "required"));
        let words = |unknown| ruled(&backup, None, NullOk::No, unknown).decision.in_words();
        assert_eq!(words(Some(failed())), "every user is asked for a code");
        assert_eq!(words(Some(unproven())), "every user is asked for a code");
        assert_eq!(words(None), "no user is asked for a code", "who does not exist is not backup");
        let by_place = rule("services = [\"sshd\"]", "off");
        let ruling = ruled(&by_place, None, NullOk::No, Some(failed()));
        assert_eq!(ruling.decision.in_words(), "no user is asked for a code", "whoever it is");
    }

    #[test]
    fn not_found_where_it_proves_nothing_is_a_doubt_unless_every_candidate_says_the_same() {
        let off = "[default]\nsecond_factor = \"off\"\n";
        for (group, user) in [("elsewhere", "alice"), ("ops", "carol")] {
            let text = format!("{}{off}", rule(&format!("groups = [\"{group}\"]"), "required"));
            let ruling = ruled(&text, Some(user), NullOk::No, None);
            assert_eq!(ruling.decision.in_words(), "every user is asked for a code", "{user}");
            assert!(matches!(ruling.by, By::Doubt(Candidates { effect: Effect::Stricter, .. })));
        }
        let bob = ruled(&format!("{}{off}", rule("groups = [\"ops\"]", "required")), Some("bob"), NullOk::No, None);
        assert_eq!(bob.decision.in_words(), "no user is asked for a code");
        let same = rule("groups = [\"elsewhere\"]", "required");
        let ruling = ruled(&same, Some("alice"), NullOk::Yes, None);
        assert_eq!(ruling.decision.in_words(), "every enrolled user is asked for a code");
    }

    #[test]
    fn whether_a_user_could_ever_enroll_at_login_depends_on_every_rule_before() {
        let now = UnixTime::from_rfc3339("2027-01-31T00:00:00Z").unwrap();
        for (text, expected) in [
            ("", Some(false)),
            ("[default]\nsecond_factor = \"enroll\"\n", Some(true)),
            ("[[rule]]\nservices = [\"sshd\"]\nsecond_factor = \"enroll\"\n", Some(true)),
            ("[[rule]]\ngroups = [\"ops\"]\nsecond_factor = \"enroll\"\n", Some(true)),
            ("[[rule]]\ngroups = [\"guests\"]\nsecond_factor = \"enroll\"\n", Some(false)),
            ("[[rule]]\nsecond_factor = \"enroll\"\nuntil = 2027-01-31\n", Some(false)),
            (
                "[[rule]]\nusers = [\"alice\"]\nsecond_factor = \"off\"\n[default]\nsecond_factor = \"enroll\"\n",
                Some(false),
            ),
            ("[[rule]]\nlocal = true\nsecond_factor = \"off\"\n[default]\nsecond_factor = \"enroll\"\n", Some(true)),
            ("[[rule]]\ngroups = [\"broken\"]\nsecond_factor = \"enroll\"\n", None),
            ("[[rule]]\ngroups = [\"elsewhere\"]\nsecond_factor = \"enroll\"\n", Some(false)),
            (
                "[[rule]]\ngroups = [\"elsewhere\"]\nsecond_factor = \"enroll\"\n[default]\nsecond_factor = \"off\"\n",
                Some(true),
            ),
            (
                "[[rule]]\ngroups = [\"elsewhere\"]\nservices = [\"su\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"enroll\"\n",
                Some(true),
            ),
            (
                "[[rule]]\ngroups = [\"elsewhere\"]\nsecond_factor = \"required\"\n[default]\nsecond_factor = \"enroll\"\n",
                Some(false),
            ),
        ] {
            let alice = UserName::new("alice").unwrap();
            let found = lets_enroll(&Config::parse(text).unwrap(), &alice, &People, now);
            assert_eq!(found.ok(), expected, "{text}");
        }
    }

    /// Notes what is looked up; alice is in ops.
    #[derive(Default)]
    struct Noting(std::cell::RefCell<Vec<String>>);

    impl Noting {
        fn note(&self, what: &str) {
            self.0.borrow_mut().push(what.to_owned());
        }
    }

    impl UserDatabase for Noting {
        fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
            People.person(typed)
        }

        fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
            self.note("gids");
            People.gids(user)
        }

        fn pretend_gids(&self, _nobody: &UserName) {
            self.note("gids");
        }

        fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
            self.note(group);
            People.gid(group)
        }

        fn has_no_user(&self, typed: &str) -> Result<(), Doubt> {
            People.has_no_user(typed)
        }

        fn has_no_group(&self, group: &str) -> Result<(), Doubt> {
            self.note("has_no_group");
            People.has_no_group(group)
        }

        fn has_no_more_groups(&self, user: &UserName, gids: &[u32]) -> Result<(), Doubt> {
            self.note("has_no_more_groups");
            People.has_no_more_groups(user, gids)
        }
    }

    #[test]
    fn of_who_does_not_exist_as_much_is_looked_up_as_of_who_does() {
        let config = Config::parse("[[rule]]\ngroups = [\"ops\", \"wheel\"]\nsecond_factor = \"required\"\n");
        let config = config.unwrap();
        let looked_up = |user: Option<&str>, unknown: Option<Doubt>| {
            let noting = Noting::default();
            let name = user.map(|user| UserName::new(user).unwrap());
            let facts = Facts { user: name.as_ref(), service: "sshd", rhost: None };
            let _ = judge(&config, NullOk::No, &facts, unknown, &noting, UnixTime::from_seconds(1));
            noting.0.into_inner()
        };
        let unproven = Doubt::Unproven { file: String::new(), sources: String::new(), database: "passwd" };
        let member = looked_up(Some("alice"), None);
        assert_eq!(member, ["gids", "ops", "has_no_more_groups", "wheel", "has_no_group"]);
        assert_eq!(looked_up(Some("bob"), None), member, "in none of them");
        assert_eq!(looked_up(None, None), member, "nobody");
        assert_eq!(looked_up(None, Some(unproven)), member, "perhaps nobody");
    }
}
