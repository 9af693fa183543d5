//! What is asked of whom: the first rule that matches decides, else `[default]`.
//!
//! What always holds: only this file can make a [`Waived`], and it needs a proof: the store's that the user has no account,
//! or its memory of an accepted login; or a rule that says `off`. Whatever is not known for certain is asked: a group
//! database that fails makes the answer `required`, whatever the rules say.

use std::cell::OnceCell;
use std::time::Duration;

use crate::clock::UnixTime;
use crate::config::Config;
use crate::rule::{Conditions, Demand, Factors, Facts, Level, Mismatch};
use crate::store::{Absent, Remembered};
use crate::user::{LookupError, UserDatabase, UserName};

/// The `nullok` argument of a PAM line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullOk {
    /// `required` means required.
    #[default]
    No,
    /// `required` means `optional` on this line.
    Yes,
}

/// What the policy says of a login, and how it came to say so.
#[derive(Debug)]
#[must_use]
pub struct Ruling {
    /// What is to be done.
    pub decision: Decision,
    /// What counts as a second factor.
    pub factors: Factors,
    /// How long an accepted login is remembered.
    pub remember: Duration,
    /// Until when less than `required` is asked, and by what the level is called until then.
    pub grace: Option<(UnixTime, Level)>,
    /// What decided.
    pub by: By,
    /// The rules that were looked at and did not match, in order.
    pub passed: Vec<(usize, Mismatch)>,
}

/// What decided.
#[derive(Debug)]
pub enum By {
    /// The rule that begins at this line.
    Rule(usize),
    /// `[default]`.
    Default,
    /// Nothing could: the user database or the group database failed.
    Failure(LookupError),
}

/// What is to be done.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Ask for a code.
    Ask,
    /// Ask; whoever provably has no account sets one up.
    AskOrEnroll(MayEnroll),
    /// Ask unless the user provably has no account.
    AskTheEnrolled(Optional),
    /// Do not ask.
    Waive(Waived),
}

/// The policy's leave to waive the second factor for somebody without an account.
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
            Self::Ask => "everybody is asked for a code",
            Self::AskOrEnroll(_) => "everybody is asked for a code, or sets up an app",
            Self::AskTheEnrolled(_) => "whoever is enrolled is asked for a code",
            Self::Waive(_) => "nobody is asked for a code",
        }
    }
}

impl Optional {
    /// Waives the second factor for somebody whose absence the store has proved.
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

/// What `config` asks of the login that `facts` are about, on a PAM line with or without `nullok`. `unknown` is why the user
/// could not be looked up.
pub fn judge(
    config: &Config,
    null_ok: NullOk,
    facts: &Facts<'_>,
    unknown: Option<LookupError>,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Ruling {
    if let Some(error) = unknown.filter(|_| !config.rules.is_empty()) {
        return ruling(&Demand::at(Level::Required), By::Failure(error), NullOk::No, now, Vec::new());
    }
    let membership = Membership { facts, users, gids: OnceCell::new() };
    let mut passed = Vec::new();
    for rule in &config.rules {
        match rule.conditions.meet(facts, |groups| membership.is_in(groups)) {
            Ok(Ok(())) => return ruling(&rule.demand, By::Rule(rule.line), null_ok, now, passed),
            Ok(Err(mismatch)) => passed.push((rule.line, mismatch)),
            Err(error) => {
                // Nobody knows which rule would have matched: the strictest answer, and no `nullok` either.
                let demand = Demand::at(Level::Required);
                return ruling(&demand, By::Failure(error), NullOk::No, now, passed);
            }
        }
    }
    ruling(&Demand::at(config.default_level), By::Default, null_ok, now, passed)
}

/// Whether some login of `user` could set up a second factor at `now`: a rule that may be the first to match, or
/// `[default]`, says `enroll`.
pub fn lets_enroll(
    config: &Config,
    user: &UserName,
    users: &dyn UserDatabase,
    now: UnixTime,
) -> Result<bool, LookupError> {
    let facts = Facts { user: Some(user), service: "", rhost: None };
    let membership = Membership { facts: &facts, users, gids: OnceCell::new() };
    for rule in &config.rules {
        let Conditions { users, groups, services, networks, locality } = rule.conditions.clone();
        let every_login = services.is_none() && networks.is_none() && locality.is_none();
        let about_user = Conditions { users, groups, ..Conditions::default() };
        if about_user.meet(&facts, |groups| membership.is_in(groups))?.is_err() {
            continue;
        }
        if rule.demand.level_at(now) == Level::Enroll {
            return Ok(true);
        }
        if every_login {
            return Ok(false);
        }
    }
    Ok(config.default_level == Level::Enroll)
}

fn ruling(demand: &Demand, by: By, null_ok: NullOk, now: UnixTime, passed: Vec<(usize, Mismatch)>) -> Ruling {
    let decision = match (demand.level_at(now), null_ok) {
        (Level::Required, NullOk::No) => Decision::Ask,
        (Level::Enroll, _) => Decision::AskOrEnroll(MayEnroll(())),
        (Level::Required, NullOk::Yes) | (Level::Optional, _) => Decision::AskTheEnrolled(Optional(())),
        (Level::Off, _) => Decision::Waive(Waived { why: "off" }),
    };
    let grace = demand.until.filter(|until| now < *until && demand.level != Level::Required);
    let grace = grace.map(|until| (until, demand.level));
    Ruling { decision, factors: demand.factors, remember: demand.remember, grace, by, passed }
}

/// Which groups the user is in: asked at most once, and only when a rule wants to know.
struct Membership<'a> {
    facts: &'a Facts<'a>,
    users: &'a dyn UserDatabase,
    gids: OnceCell<Vec<u32>>,
}

impl Membership<'_> {
    /// Whether the user is in any of these groups. One that does not exist has no members.
    fn is_in(&self, groups: &[String]) -> Result<bool, LookupError> {
        let Some(user) = self.facts.user else { return Ok(false) };
        if self.gids.get().is_none() {
            let _ = self.gids.set(self.users.gids(user)?);
        }
        let gids = self.gids.get().map_or(&[][..], Vec::as_slice);
        for group in groups {
            if let Some(gid) = self.users.gid(group)?
                && gids.contains(&gid)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{Person, Uid};

    /// alice is in ops.
    struct People;

    impl UserDatabase for People {
        fn person(&self, typed: &str) -> Result<Option<Person>, LookupError> {
            Ok(UserName::new(typed).ok().map(|name| Person { name, uid: Uid(1001) }))
        }

        fn gids(&self, user: &UserName) -> Result<Vec<u32>, LookupError> {
            Ok(if user.as_str() == "alice" { vec![7] } else { Vec::new() })
        }

        fn gid(&self, group: &str) -> Result<Option<u32>, LookupError> {
            match group {
                "ops" => Ok(Some(7)),
                "broken" => Err(LookupError("server down".to_owned())),
                _ => Ok(None),
            }
        }
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
        ] {
            let alice = UserName::new("alice").unwrap();
            let found = lets_enroll(&Config::parse(text).unwrap(), &alice, &People, now);
            assert_eq!(found.ok(), expected, "{text}");
        }
    }
}
