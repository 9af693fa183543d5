//! The answer to a question of a host: read, judge, write, and only then say it.
//!
//! Invariants: the core judges. An answer is told once it is durable. An account that was changed meanwhile is read and judged
//! again, so of any number of simultaneous logins with one code, through any number of servers, exactly one wins. A question that
//! is asked again is answered from the record.

use std::path::Path;
use std::sync::Arc;

use tokio::time::timeout_at;
use twofactor_core::account::quota::pause;
use twofactor_core::account::throttle::Count;
use twofactor_core::config::{Config, InvitationRule, SelfRegistration};
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::wire::{About, Call, Message, WireError};
use twofactor_core::store::{StoreError, VerificationRules};

use crate::alarms::Alarms;
use crate::answers::accounts::Accounts;
use crate::answers::in_database::InDatabase;
use crate::answers::judged::{Judged, NEWCOMERS, Question, REFUSALS};
use crate::answers::memberships::Memberships;
use crate::answers::own_changes::OwnRules;
use crate::answers::queues::{Queues, Turn};
use crate::embedded::InFiles;
use crate::error::ServerError;
use crate::hosts::fleet_hosts::FleetHosts;
use crate::hosts::host::Host;
use crate::journal::complain;
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::times::Times;

/// Judges for all hosts.
pub struct Server {
    accounts: Accounts,
    rules: VerificationRules,
    invitation: InvitationRule,
    registration: SelfRegistration,
    own_rules: OwnRules,
    memberships: Memberships,
    policy: Arc<Config>,
    alarms: Alarms,
    queues: Queues,
}

impl Server {
    /// A server on the store behind a connection string, with these keys. The rules of logins and of enrollment are those of
    /// `config`.
    pub async fn open(postgresql: Postgresql, keys: Keys, config: &Config) -> Result<Self, ServerError> {
        Ok(Self::on(Accounts::Database(InDatabase::open(postgresql, keys).await?), config))
    }

    /// The same on the store in a folder, of which it is the only server.
    pub fn open_files(folder: &Path, keys: Keys, config: &Config) -> Result<Self, ServerError> {
        Ok(Self::on(Accounts::Files(InFiles::open(folder, keys)?), config))
    }

    fn on(accounts: Accounts, config: &Config) -> Self {
        let (rules, invitation) = (VerificationRules::of(config), config.enrollment.invitation);
        let registration = config.enrollment.self_registration;
        let (memberships, alarms, queues) = (Memberships::new(), Alarms::default(), Queues::default());
        let policy = Arc::new(config.clone());
        let own_rules = OwnRules::new(Arc::clone(&policy));
        Self { accounts, rules, invitation, registration, own_rules, memberships, policy, alarms, queues }
    }

    /// Takes these keys from now on. False where this server has them already; an error where they do not open what it has sealed last.
    pub fn renew_keys(&self, keys: Keys) -> Result<bool, ServerError> {
        let seals = self.accounts.seals();
        let before = seals.keys();
        if keys.are(&before) {
            return Ok(false);
        }
        if !keys.can_follow(&before) {
            return Err(ServerError::UnknownKey(before.sealing()));
        }
        seals.renew(keys);
        Ok(true)
    }

    /// Does the work beside the questions, for ever: says that the server runs, compares the clocks, removes what is old. Rows of the
    /// audit are kept for `audit_days`.
    pub async fn keep_house(&self, audit_days: u32) {
        self.accounts.keep_house(audit_days).await;
    }

    /// Says that the server does not run any more. Best effort: else it is known a minute later.
    pub async fn leave(&self) {
        self.accounts.leave().await;
    }

    /// The hosts that have joined this store, under its own authority.
    pub async fn fleet_hosts(&self) -> Result<FleetHosts, ServerError> {
        FleetHosts::of(self.accounts.hosts()).await
    }

    /// Answers a question of `host`. An error is a question that is not understood.
    pub async fn answer(&self, host: &Host, question: &[u8]) -> Result<Message, WireError> {
        let answered = self.judged(host, (question, &Message::read(question)?), Times::from_now()).await?;
        Ok(answered.unwrap_or_else(|error| Message::failing(&StoreError::from(error))))
    }

    /// The same of a question as it came and as it was read, within these times, with the error for which nothing was judged. A question
    /// that is given up may have been written: asked again under its number, it gets that answer.
    pub(crate) async fn judged(
        &self,
        host: &Host,
        (line, message): (&[u8], &Message),
        times: Times,
    ) -> Result<Result<Message, ServerError>, WireError> {
        let call = Call::read(message)?;
        message.is_numbered()?;
        let count = if message.is_of_a_user()? || is_own(&call) { Count::Unprivileged } else { Count::Logins };
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
        let judging = timeout_at(times.answer().into(), async {
            if let Some(refused) = self.is_of_another_host(&host.name, &user, groups, times).await {
                return Ok(refused);
            }
            if call.enrolls_uninvited()
                && let Some(refused) = self.is_closed(host, &user, times).await?
            {
                return Ok(refused);
            }
            let (mut own, mut is_uninvited) = (None, call.enrolls_uninvited());
            if is_own(&call) {
                match self.own_rules.of(&self.memberships, &host.name, &user, times.look_ups()).await {
                    Ok(may) => own = Some(Arc::new(may)),
                    Err(refused) => return Ok(refused),
                }
            }
            if let (Some(may), Call::ChangeOwn(_, request)) = (&own, &call) {
                is_uninvited = may.enroll_uninvited(request);
            }
            let turn = match call.about() {
                About::Nobody => self.queues.turn_of_any().await,
                About::Name(_) | About::Person(_) => self.queues.turn_of(&user).await,
            };
            let quota = is_uninvited.then_some(host.enrollments_per_hour);
            let (user, own) = (&user, own.as_ref());
            self.judge(Question { host, line, message, user, count, own, quota }, turn).await
        });
        let judging = judging.await;
        let answered = judging.unwrap_or(Err(ServerError::Late(Times::longest())));
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
            call if self.invitation == InvitationRule::Required && call.enrolls_uninvited() => {
                refused("a second factor is set up with an invitation only", "see [enrollment] in twofactor.toml(5)")
            }
            Call::CheckRegistration(..) | Call::Register(..) if self.registration == SelfRegistration::Forbidden => {
                refused("physical tokens are registered by the sysadmin", "see [enrollment] in twofactor.toml(5)")
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
            Call::OwnAccount(_) | Call::OwnSshKeys(_) | Call::ChangeOwn(..) => {
                if host.may_self {
                    Ok(())
                } else {
                    Err(Message::not_at_this_host())
                }
            }
            Call::Help(_) => refused("no host may ask this of the central store", "do it on the central machine"),
        }
    }

    /// The refusal of a question about a user who is in none of the host's groups.
    async fn is_of_another_host(
        &self,
        host: &str,
        user: &UserName,
        groups: Option<&[String]>,
        times: Times,
    ) -> Option<Message> {
        let hint = "see groups in [[host]] of twofactor.toml(5), on the server";
        match self.memberships.is_member(host, user, groups?, times.look_ups()).await {
            Ok(true) => None,
            Ok(false) => Some(Message::refusing(Reason::NotRoot, "this host may not ask about the user", hint)),
            Err(doubt) => {
                let doubt = format!("it is not certain whether {user} is in a group of a [[host]]: {doubt}");
                Some(self.uncertain(&doubt, "whether this host may ask about the user"))
            }
        }
    }

    /// The refusal of an enrollment without an invitation that the server's policy does not open to the user.
    async fn is_closed(&self, host: &Host, user: &UserName, times: Times) -> Result<Option<Message>, ServerError> {
        let (policy, now, until) = (Arc::clone(&self.policy), SystemClock.now()?, times.look_ups());
        match self.memberships.lets_enroll(&host.name, user, policy, now, until).await {
            Ok(true) => Ok(None),
            Ok(false) => {
                let hint = "on the server: twofactor invite USER, or a rule for twofactor-fleet in twofactor.toml(5)";
                let problem = "the server's policy lets the user set up a second factor with an invitation only";
                Ok(Some(Message::refusing(Reason::NotRoot, problem, hint)))
            }
            Err(doubt) => {
                let doubt = format!("it is not certain which rule is about {user}: {doubt}");
                Ok(Some(self.uncertain(&doubt, "whether the user may set up a second factor")))
            }
        }
    }

    /// The refusal of what the user database leaves open, which is complained about.
    fn uncertain(&self, doubt: &str, open: &str) -> Message {
        if self.alarms.is_due("the user database") {
            complain(doubt);
        }
        let problem = format!("the server does not know for certain {open}");
        Message::refusing(Reason::StoreUnavailable, &problem, "on the server: id USER")
    }

    /// Complains about a host that has enrolled as many users without an invitation as it may.
    fn watch_enrollments(&self, Host { name, enrollments_per_hour: quota, .. }: &Host) {
        if self.alarms.is_due(&format!("enrollments at {name}")) {
            complain(&format!(
                "host {name} has enrolled as many users without an invitation within an hour as it may, \
                 enrollments_per_hour = {quota}; more are refused. Is that host still yours?"
            ));
        }
    }

    async fn judge(&self, question: Question<'_>, turn: Turn) -> Result<Message, ServerError> {
        let judged = self.accounts.judge(question, self.rules.counting_on(question.count), turn).await;
        match &judged {
            Err(ServerError::EnrollmentsUsedUp) => self.watch_enrollments(question.host),
            Err(error @ ServerError::PutBack(user)) if self.alarms.is_due(&format!("guesses at {user}")) => {
                complain(&format!("{error}. Its attempts are refused. Who writes to the database?"));
            }
            Err(ServerError::TooManyNewcomers) => self.has_too_many_newcomers(question.host),
            Ok(Judged { is_kept: false, .. }) => self.has_asked_too_much(question.host),
            Ok(_) | Err(_) => {}
        }
        let Judged { answer, wrong_codes, .. } = judged?;
        if let Some(wrong_codes) = wrong_codes {
            self.watch(question.host, wrong_codes);
        }
        Ok(answer)
    }

    /// Complains about a host that asks about what is refused to it, over and over.
    fn has_asked_too_much(&self, Host { name, .. }: &Host) {
        if self.alarms.is_due(&format!("refusals to {name}")) {
            complain(&format!(
                "more than {REFUSALS} attempts of host {name} were refused within an hour, beside wrong codes; those that follow get no \
                 row in the audit. Is that host still yours?"
            ));
        }
    }

    /// Complains about a host at which too many newcomers have typed codes of tokens.
    fn has_too_many_newcomers(&self, Host { name, .. }: &Host) {
        if self.alarms.is_due(&format!("newcomers at {name}")) {
            complain(&format!(
                "codes of tokens came from {NEWCOMERS} users at host {name} within an hour of whom nothing was kept before: no more \
                 such users register tokens there. Is that host still yours?"
            ));
        }
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
}

/// True for a question of users about themselves.
fn is_own(call: &Call) -> bool {
    matches!(call, Call::OwnAccount(_) | Call::OwnSshKeys(_) | Call::ChangeOwn(..))
}

/// The refusal of an enrollment at a host that may only ask about logins.
fn not_here() -> Message {
    let hint = "see may in [[host]] of twofactor.toml(5), on the server";
    Message::refusing(Reason::NotRoot, "this host may enroll no user", hint)
}
