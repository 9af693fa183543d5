//! The answer to a question of a host: read, judge, write, and only then say it.
//!
//! Invariants: the core judges. An answer is told once it is durable. An account that was changed meanwhile is read and judged
//! again, so of any number of simultaneous logins with one code, through any number of servers, exactly one wins. A question that
//! is asked again is answered from the record.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use twofactor_core::account::quota::pause;
use twofactor_core::config::fleet::{ENROLLMENTS_PER_HOUR, WRONG_CODES_PER_HOUR};
use twofactor_core::config::{Config, InvitationRule, SelfRegistration};
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::administration::Author;
use twofactor_core::store::one_account::{Change, Decoy, OneAccount};
use twofactor_core::store::wire::{About, Call, Message, WireError};
use twofactor_core::store::{Listing, StoreError, TokenRegistration, VerificationRules};
use zeroize::Zeroizing;

use crate::alarms::Alarms;
use crate::database::{Account, Database, Found, Note, Written};
use crate::error::ServerError;
use crate::fleet_hosts::FleetHosts;
use crate::housekeeping::Housekeeping;
use crate::inventory::{self, Registering, looking};
use crate::journal::complain;
use crate::keys::Keys;
use crate::memberships::Memberships;
use crate::postgresql::Postgresql;

/// The number of times that a question is judged. Each conflict means that another attempt was written, so in a race of this many
/// each of them ends.
pub(crate) const ROUNDS: usize = 64;

/// The longest that a question may take, with its wait for others about the same user. A question that is given up may have been
/// written: asked again under its number, it gets that answer.
const PATIENCE: Duration = Duration::from_secs(9);

/// For so long a question is asked again of a database whose connection was lost: one of its processes was killed, or another host
/// takes over.
const STANDING_BY: Duration = Duration::from_secs(2);

/// The pause before that.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest that a server which ends may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);

/// The longest wait of a registration for a sysadmin's change of tokens.
const REGISTRATION_PATIENCE: Duration = Duration::from_secs(3);

/// The queues of one server. A user's attempts wait in one of them for each other, and not in the database.
const QUEUES: usize = 1024;

/// Clocks of server and database that differ by more seconds than this judge nothing.
const MOST_APART: u64 = 60;

/// A host, by the name in its certificate, and what it may ask.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// It may enroll users at its login prompt, and not only ask about logins.
    pub may_enroll: bool,
    /// The groups whose members it may ask about; `None`: about each user.
    pub groups: Option<Vec<String>>,
    /// Its quota of wrong codes.
    pub wrong_codes_per_hour: u32,
    /// Its quota of users who are enrolled without an invitation.
    pub enrollments_per_hour: u32,
    /// The number of changes of the fleet's hosts as of which this is known; `None` where a site signs their certificates. No account is
    /// read for a host of which that is not the present.
    pub as_of: Option<i64>,
}

impl Host {
    /// The host of this name, which may ask about the logins of all users.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            may_enroll: false,
            groups: None,
            wrong_codes_per_hour: WRONG_CODES_PER_HOUR,
            enrollments_per_hour: ENROLLMENTS_PER_HOUR,
            as_of: None,
        }
    }

    /// The same host, for which these groups were named when it was added; none stands for all. Of two lists those groups count that
    /// are in both.
    #[must_use]
    pub(crate) fn within(mut self, added: &[String]) -> Self {
        if !added.is_empty() {
            self.groups = Some(match self.groups {
                None => added.to_vec(),
                Some(groups) => groups.into_iter().filter(|group| added.contains(group)).collect(),
            });
        }
        self
    }
}

/// Judges for all hosts.
pub struct Server {
    database: Arc<Database>,
    instance: String,
    rules: VerificationRules,
    invitation: InvitationRule,
    registration: SelfRegistration,
    decoy: Decoy,
    memberships: Memberships,
    policy: Arc<Config>,
    alarms: Alarms,
    queues: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Server {
    /// A server on the store behind a connection string, with these keys. The rules of logins and of enrollment are those of
    /// `config`.
    pub async fn open(postgresql: Postgresql, keys: Keys, config: &Config) -> Result<Self, ServerError> {
        let database = Arc::new(Database::open(postgresql, keys).await?);
        let decoy = Decoy::new(SystemClock.now()?).map_err(|_| ServerError::NoRandomness)?;
        let queues = (0..QUEUES).map(|_| Mutex::new(())).collect();
        let (rules, invitation) = (VerificationRules::of(config), config.enrollment.invitation);
        let registration = config.enrollment.self_registration;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| ServerError::NoRandomness)?;
        let instance = data_encoding::HEXLOWER.encode(&random);
        let (memberships, alarms) = (Memberships::new(), Alarms::default());
        Ok(Self {
            database,
            instance,
            rules,
            invitation,
            registration,
            decoy,
            memberships,
            policy: Arc::new(config.clone()),
            alarms,
            queues,
            hasher: RandomState::new(),
        })
    }

    /// Takes other keys from now on. An error where they do not open what this server has sealed last.
    pub fn renew_keys(&self, keys: Keys) -> Result<(), ServerError> {
        let before = self.database.seals.keys();
        if !keys.can_follow(&before) {
            return Err(ServerError::UnknownKey(before.sealing()));
        }
        self.database.seals.renew(keys);
        Ok(())
    }

    /// Does the work beside the questions, for ever: says that the server runs, compares the clocks, removes what is old. Rows of the
    /// audit are kept for `audit_days`.
    pub async fn keep_house(&self, audit_days: u32) {
        Housekeeping::new(&self.database, &self.instance, audit_days).work().await;
    }

    /// Says that the server does not run any more. Best effort: else it is known a minute later.
    pub async fn leave(&self) {
        let _ = timeout(GOODBYE, self.database.leave(&self.instance)).await;
    }

    /// The hosts that have joined this store, under its own authority.
    pub async fn fleet_hosts(&self) -> Result<FleetHosts, ServerError> {
        FleetHosts::of(Arc::clone(&self.database)).await
    }

    /// Answers a question of `host`. An error is a question that is not understood.
    pub async fn answer(&self, host: &Host, question: &[u8]) -> Result<Message, WireError> {
        let answered = self.judged(host, question).await?;
        Ok(answered.unwrap_or_else(|error| Message::failing(&StoreError::from(error))))
    }

    /// The same, with the error for which nothing was judged.
    pub(crate) async fn judged(&self, host: &Host, question: &[u8]) -> Result<Result<Message, ServerError>, WireError> {
        let message = Message::read(question)?;
        let call = Call::read(&message)?;
        message.is_numbered()?;
        if let Err(refused) = self.may(host, &call) {
            return Ok(Ok(refused));
        }
        let (user, groups) = match call.about() {
            About::Name(user) => (user.clone(), host.groups.as_deref()),
            About::Person(person) => (person.name.clone(), host.groups.as_deref()),
            About::Nobody if matches!(call, Call::Hello) => return Ok(Ok(Message::done())),
            // A user who does not exist, or a question about none. Nothing is kept under this name.
            About::Nobody => (UserName::new("?").map_err(|_| WireError::Value("user"))?, None),
        };
        let judging = timeout(PATIENCE, async {
            if let Some(refused) = self.is_of_another_host(&user, groups).await {
                return Ok(refused);
            }
            if call.enrolls_uninvited()
                && let Some(refused) = self.is_closed(host, &user).await?
            {
                return Ok(refused);
            }
            self.judge(host, question, &message, &user).await
        });
        let judging = judging.await;
        let answered = judging.unwrap_or(Err(ServerError::Late(PATIENCE.as_secs())));
        let is_new = || answered.as_ref().is_ok_and(|answer| answer.in_short() == "new");
        if matches!(call, Call::EnrollmentStatus(_)) && !host.may_enroll && is_new() {
            // Before a secret is shown that could not be stored.
            return Ok(Ok(not_here()));
        }
        Ok(answered)
    }

    /// The refusal of what this host may not ask.
    fn may(&self, host: &Host, call: &Call) -> Result<(), Message> {
        let refused = |problem, hint| Err(Message::refusing(Reason::NotRoot, problem, hint));
        match call {
            Call::Presence(_)
            | Call::CodeLengths(_)
            | Call::Remembers(..)
            | Call::RecoveryLeft(_)
            | Call::Redeem(..)
            | Call::Strip(..)
            | Call::Pretend(_)
            | Call::EnrollmentStatus(_)
            | Call::Hello => Ok(()),
            Call::Register(_, _, None) if self.invitation == InvitationRule::Required => {
                refused("a second factor is set up with an invitation only", "see [enrollment] in twofactor.toml(5)")
            }
            Call::CheckRegistration(..) | Call::Register(..) if self.registration == SelfRegistration::Forbidden => {
                refused("physical tokens are registered by the sysadmin", "see [enrollment] in twofactor.toml(5)")
            }
            Call::StoreApp(_, app) if self.invitation == InvitationRule::Required && !app.is_invited() => {
                refused("a second factor is set up with an invitation only", "see [enrollment] in twofactor.toml(5)")
            }
            Call::Confirm(_)
            | Call::CheckInvitation(..)
            | Call::StoreApp(..)
            | Call::CheckRegistration(..)
            | Call::Register(..) => {
                if host.may_enroll {
                    Ok(())
                } else {
                    Err(not_here())
                }
            }
            Call::OwnAccount(_) | Call::OwnSshKeys(_) | Call::ChangeOwn(..) | Call::Help(_) => {
                refused("no host may ask this of the central store", "do it on the central machine")
            }
        }
    }

    /// The refusal of a question about a user who is in none of the host's groups.
    async fn is_of_another_host(&self, user: &UserName, groups: Option<&[String]>) -> Option<Message> {
        let hint = "see groups in [[host]] of twofactor.toml(5), on the server";
        match self.memberships.is_member(user, groups?).await {
            Ok(true) => None,
            Ok(false) => Some(Message::refusing(Reason::NotRoot, "this host may not ask about the user", hint)),
            Err(doubt) => {
                if self.alarms.is_due("the user database") {
                    complain(&format!("it is not certain whether {user} is in a group of a [[host]]: {doubt}"));
                }
                let problem = "the server does not know for certain whether this host may ask about the user";
                Some(Message::refusing(Reason::StoreUnavailable, problem, "on the server: id USER"))
            }
        }
    }

    /// The refusal of an enrollment without an invitation: the server's policy does not open it to the user, or the host's quota
    /// is used up. What is not refused is counted, whatever comes of it.
    async fn is_closed(&self, host: &Host, user: &UserName) -> Result<Option<Message>, ServerError> {
        let Host { name, enrollments_per_hour: quota, .. } = host;
        let policy = Arc::clone(&self.policy);
        match self.memberships.lets_enroll(user, policy, SystemClock.now()?).await {
            Ok(true) => {}
            Ok(false) => {
                let hint = "on the server: twofactor invite USER, or a rule for twofactor-fleet in twofactor.toml(5)";
                let problem = "the server's policy lets the user set up a second factor with an invitation only";
                return Ok(Some(Message::refusing(Reason::NotRoot, problem, hint)));
            }
            Err(doubt) => {
                if self.alarms.is_due("the user database") {
                    complain(&format!("it is not certain which rule is about {user}: {doubt}"));
                }
                let problem = "the server does not know for certain whether the user may set up a second factor";
                return Ok(Some(Message::refusing(Reason::StoreUnavailable, problem, "on the server: id USER")));
            }
        }
        if self.database.count_enrollment(name, *quota).await? {
            return Ok(None);
        }
        if self.alarms.is_due(&format!("enrollments at {name}")) {
            complain(&format!(
                "host {name} has enrolled as many users without an invitation within an hour as it may, \
                 enrollments_per_hour = {quota}; more are refused. Is that host still yours?"
            ));
        }
        let hint = "on the server: twofactor invite USER, or enrollments_per_hour in [[host]] of twofactor.toml(5)";
        let problem = "this host has enrolled as many users within an hour as it may";
        Ok(Some(Message::refusing(Reason::NotRoot, problem, hint)))
    }

    async fn judge(
        &self,
        host: &Host,
        question: &[u8],
        message: &Message,
        user: &UserName,
    ) -> Result<Message, ServerError> {
        let digest = self.database.digest_of(&host.name, &numbered(message, question)?)?;
        let _turn = self.queue_of(user).lock().await;
        let began = Instant::now();
        for _ in 0..ROUNDS {
            match self.judge_once(host, &digest, message, user).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                // If it was written all the same, the answer is read now.
                Err(error) if error.is_passing() && began.elapsed() < STANDING_BY => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Err(ServerError::Contended(ROUNDS))
    }

    /// The answer; `None` where the account was changed between reading and writing.
    async fn judge_once(
        &self,
        host: &Host,
        digest: &[u8],
        message: &Message,
        user: &UserName,
    ) -> Result<Option<Message>, ServerError> {
        let account = match self.database.read(&host.name, host.as_of, user, digest).await? {
            Found::Answered(answer) => {
                return Message::read(&answer).map(Some).map_err(|_| ServerError::BrokenSeal(user.to_string()));
            }
            Found::Account(account) => account,
        };
        let now = present(&account)?;
        // Read anew: a question is used up by its answer.
        let Ok(call) = Call::read(message) else { return Err(ServerError::BrokenSeal(user.to_string())) };
        let event = call.word();
        let slowed = pause(account.wrong_codes, host.wrong_codes_per_hour);
        let rules = VerificationRules { slowed, ..self.rules };
        let one = OneAccount::of(user.clone(), &account.read, rules, &self.decoy, now)?;
        if let Some(serial) = call.token() {
            let found = looking::token(&self.database, serial).await?;
            one.knows(serial.clone(), found.map_or(Listing::Unknown, |seen| seen.listed.into_listing()));
        }
        let answer = call.at_host(&host.name).answered_by(&one);
        if let Some(registration) = one.registered() {
            return self.register(&host.name, user, &registration, digest, now).await.map(Some);
        }
        let is_guess = one.has_counted_a_guess();
        let change = one.into_change();
        let wrong_codes = match change {
            Change::Nothing => return Ok(Some(answer)),
            Change::InVain => Some(0),
            _ => is_guess.then_some(1),
        };
        let detail = answer.in_short();
        let line = answer.line().map_err(|_| ServerError::NoRandomness)?;
        let note = Note {
            host: &host.name,
            who: None,
            user,
            event,
            detail: &detail,
            question: digest,
            answer: &line,
            wrong_codes,
        };
        if self.database.write(&account, &change, &note).await? == Written::Conflict {
            return Ok(None);
        }
        if is_guess {
            self.watch(host, account.wrong_codes + 1.0);
        }
        Ok(Some(answer))
    }

    /// Gives a token to the user who has shown two codes of it.
    async fn register(
        &self,
        host: &str,
        user: &UserName,
        registration: &TokenRegistration,
        question: &[u8],
        now: UnixTime,
    ) -> Result<Message, ServerError> {
        let by = Author { who: user.as_str(), at: now };
        let change = inventory::Change { now, by, patience: REGISTRATION_PATIENCE };
        // Names are compared, and no uids.
        let person = Person { name: user.clone(), uid: Uid(u32::MAX) };
        let asked = Registering { host, who: None, question };
        let stored = change.register(&self.database, &person, registration, asked).await?;
        Ok(Message::answering_stored(&stored))
    }

    /// Complains about a host over its quota.
    fn watch(&self, Host { name, wrong_codes_per_hour: quota, .. }: &Host, wrong_codes: f64) {
        if pause(wrong_codes, *quota).is_some() && self.alarms.is_due(name) {
            complain(&format!(
                "host {name} is over its quota: {wrong_codes:.0} wrong codes within an hour, wrong_codes_per_hour = {quota}; \
                 each user waits an hour or more there after a wrong code. Is that host still yours?"
            ));
        }
    }

    fn queue_of(&self, user: &UserName) -> &Mutex<()> {
        let place = usize::try_from(self.hasher.hash_one(user.as_str())).unwrap_or_default() % QUEUES;
        // There is always a first.
        self.queues.get(place).unwrap_or(&self.queues[0])
    }
}

/// The refusal of an enrollment at a host that may only ask about logins.
fn not_here() -> Message {
    let hint = "see may in [[host]] of twofactor.toml(5), on the server";
    Message::refusing(Reason::NotRoot, "this host may enroll no user", hint)
}

/// A question that is told from every other. One without a number gets one here: two logins may type the same.
fn numbered(message: &Message, question: &[u8]) -> Result<Zeroizing<Vec<u8>>, ServerError> {
    let mut numbered = Zeroizing::new(Vec::with_capacity(question.len() + 16));
    numbered.extend_from_slice(question);
    if !message.is_numbered().unwrap_or(false) {
        let mut number = [0; 16];
        getrandom::fill(&mut number).map_err(|_| ServerError::NoRandomness)?;
        numbered.extend_from_slice(&number);
    }
    Ok(numbered)
}

/// The present by this server's clock, where the database's agrees.
pub(crate) fn present(account: &Account) -> Result<UnixTime, ServerError> {
    let (ours, theirs) = (SystemClock.now()?, account.time());
    let apart = ours.seconds().abs_diff(theirs.seconds());
    if apart > MOST_APART { Err(ServerError::ClockOff(apart)) } else { Ok(ours) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_groups_of_a_rule_and_of_a_join_those_in_both_count() {
        let groups = |listed: &[&str]| listed.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>();
        let of = |rule: Option<&[&str]>, added: &[&str]| {
            Host { groups: rule.map(groups), ..Host::named("web1") }.within(&groups(added)).groups
        };
        assert_eq!(of(None, &[]), None);
        assert_eq!(of(None, &["web"]), Some(groups(&["web"])));
        assert_eq!(of(Some(&["web", "dba"]), &[]), Some(groups(&["web", "dba"])));
        assert_eq!(of(Some(&["web", "dba"]), &["dba", "ops"]), Some(groups(&["dba"])));
        assert_eq!(of(Some(&["web"]), &["ops"]), Some(Vec::new()), "about no user");
    }
}
