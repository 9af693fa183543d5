//! One connection: who asks, which questions, and the answers.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use twofactor_core::account::factors::Factors;
use twofactor_core::account::throttle::Count;
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::caller::Caller as CallerRule;
use twofactor_core::config::rule::Facts;
use twofactor_core::config::{Config, Expected, InvitationRule};
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, SystemUsers};
use twofactor_core::log::reason::Reason;
use twofactor_core::policy;
use twofactor_core::store::wire::{Call, Channel, Message, WireError};
use twofactor_core::store::{self, EnrollmentStore, Redemption, Store};

use crate::caller::{Caller, Leave, Refusal};
use crate::fleet;
use crate::helpdesk;
use crate::journal::{self, Asker};
use crate::places::{Full, Place};
use crate::self_service::{self, OwnAccounts};

/// The time in which a whole question must arrive, and its answer be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers the questions of one connection, one after the other.
pub(crate) fn serve(stream: UnixStream, caller: Caller, mut place: Place, config: &Path) {
    let mut channel = Channel::answering(stream, Instant::now() + PATIENCE);
    let _among_strangers = if !place.is_of_a_known_user() && caller.is_stranger() {
        match place.among_strangers() {
            Ok(among) => Some(among),
            Err(Full) => return channel.leave_with(&Message::busy()),
        }
    } else {
        place.is_of_a_user();
        None
    };
    // What is not understood, too large or too slow ends the connection: no program of ours sends it.
    while let Ok(Some(question)) = channel.receive() {
        if caller.is_root() {
            let Ok(starter) = question.starter() else { return };
            if place.is_asked_for(starter.map_or(0, |user| user.0)) == Err(Full) {
                return channel.leave_with(&Message::busy());
            }
        }
        // A right code is not burned for a program that is gone: a broker that was stopped finds such questions.
        if channel.is_abandoned() {
            return;
        }
        let Ok(answer) = answer(&question, caller, config) else { return };
        let answer = if caller.is_root() { answer } else { answer.without_details() };
        channel.until(Instant::now() + PATIENCE);
        if channel.send(&answer).is_err() {
            return;
        }
        channel.until(Instant::now() + PATIENCE);
    }
}

/// The pause after a refusal, with the place held: each costs writes to the disk and a line in the log.
const PAUSE: Duration = Duration::from_millis(250);

fn answer(question: &Message, caller: Caller, config: &Path) -> Result<Message, WireError> {
    let call = Call::read(question)?;
    let config = match Config::load(config, Expected::Perhaps, Owner::ROOT) {
        Ok(config) => config,
        Err(error) => {
            let problem = error.lines().into_iter().next().unwrap_or_default();
            return Ok(Message::refusing(Reason::BadConfig, &problem, &error.hint()));
        }
    };
    let store = store::open(&config, SystemClock);
    let of_a_fleet = |call: &Call| {
        let (user, refusal) = fleet::refusal(call, &config, &store)?;
        journal::write_refusal(user, caller, &refusal);
        Some(paused(refusal.answer()))
    };
    if let Call::Help(_) = &call
        && let Some(refused) = of_a_fleet(&call)
    {
        return Ok(refused);
    }
    let call = match call {
        Call::Help(request) => {
            // Also an act that is done takes its time: each writes to the disk and the log.
            let is_act = request.act.is_some();
            let store = store.changing_in_time();
            return Ok(match helpdesk::answer(request, caller, &config, &store) {
                Ok(done) if !is_act => done,
                Ok(answer) | Err(answer) => paused(answer),
            });
        }
        call => call,
    };
    let leave = match caller.leave(&call, &config) {
        Ok(leave) => leave,
        Err(refusal) => {
            refuse(&call, caller, &refusal);
            return Ok(refusal.answer());
        }
    };
    // Behind the leave: it says whether a user has an account here.
    if let Some(refused) = of_a_fleet(&call) {
        return Ok(refused);
    }
    let link = match leave {
        Leave::Root => None,
        Leave::Own | Leave::Service(_) => match fleet::link_for(&call, &config, &store) {
            Ok(link) => link,
            Err(error) => return Ok(Message::failing(&error)),
        },
    };
    let store = store.with_registry();
    Ok(match leave {
        Leave::Root => match &call {
            Call::StoreApp(_, app) if config.enrollment.invitation == InvitationRule::Required && !app.is_invited() => {
                Message::refusing(
                    Reason::NotConfirmed,
                    "a second factor is set up with an invitation only",
                    "see [enrollment] in twofactor.toml(5)",
                )
            }
            _ => call.answered_by(&store),
        },
        Leave::Own => {
            let asker = Asker { caller, service: None };
            match link {
                Some(link) => answer_a_user(call, asker, &config, &link),
                None => answer_a_user(call, asker, &config, &store.counting_on(Count::Unprivileged)),
            }
        }
        Leave::Service(rule) => match link {
            Some(link) => answer_a_service(call, caller, rule, &config, &link),
            None => answer_a_service(call, caller, rule, &config, &store.counting_on(Count::Unprivileged)),
        },
    })
}

/// A store that answers programs without root: the files of this host, or the servers of its fleet.
trait Accounts: Store + EnrollmentStore + OwnAccounts {}

impl<S: Store + EnrollmentStore + OwnAccounts> Accounts for S {}

/// The refusal, after its pause.
fn paused(refused: Message) -> Message {
    thread::sleep(PAUSE);
    refused
}

/// Logs the refusal of an answer that a service account wants to have judged, and takes as long as that of a wrong code: those
/// who log in there must not learn about whom it may ask.
fn refuse(call: &Call, caller: Caller, refusal: &Refusal) {
    if refusal.is_logged
        && let Call::Redeem(person, _) | Call::Strip(person, _) = call
    {
        journal::write_refusal(Some(&person.name), caller, refusal);
        thread::sleep(PAUSE);
    }
}

/// Answers a service account about another user. The policy is asked about the service of the rule, whatever the program
/// says, and nothing else that it says of the login counts.
fn answer_a_service(call: Call, caller: Caller, rule: &CallerRule, config: &Config, store: &impl Accounts) -> Message {
    let asker = Asker { caller, service: Some(&rule.service) };
    match call {
        Call::Redeem(person, guess) => {
            let guess = guess.limited_to(factors(&person, &rule.service, config));
            answer_a_user(Call::Redeem(person, guess), asker, config, store)
        }
        // A user who does not exist: those who log in there must not see it by the time.
        Call::Pretend(guess) => {
            store.pretend(&guess.without_claims().attempt());
            thread::sleep(PAUSE);
            Message::done()
        }
        Call::Strip(..)
        | Call::Remembers(..)
        | Call::Presence(_)
        | Call::CodeLengths(_)
        | Call::RecoveryLeft(_)
        | Call::EnrollmentStatus(_)
        | Call::Hello => answer_a_user(call, asker, config, store),
        Call::CheckRegistration(..)
        | Call::Register(..)
        | Call::Confirm(_)
        | Call::CheckInvitation(..)
        | Call::StoreApp(..)
        | Call::OwnAccount(_)
        | Call::OwnSshKeys(..)
        | Call::ChangeOwn(..)
        | Call::Help(_) => Message::refusing(
            Reason::NotRoot,
            "a service account changes nothing of other users",
            "see [[caller]] in twofactor.toml(5)",
        ),
    }
}

/// The factors that the policy accepts at this service, without a remote host: that is a claim.
fn factors(person: &Person, service: &str, config: &Config) -> Factors {
    let facts = Facts { user: Some(&person.name), service, rhost: None };
    // Without a clock every rule has lapsed.
    let now = SystemClock.now().unwrap_or(UnixTime::from_seconds(u64::MAX));
    policy::judge(config, NullOk::No, &facts, None, &SystemUsers, now).factors
}

/// Answers a process of an ordinary user: what it says of the login is a claim, so nothing is remembered for it, and no
/// address is trusted. It learns about its own user how an answer was judged; the log has the rest, and root writes it here.
fn answer_a_user(call: Call, asker: Asker<'_>, config: &Config, store: &impl Accounts) -> Message {
    let caller = asker.caller;
    match call {
        Call::Redeem(person, guess) => {
            let outcome = store.redeem(&person, &guess.without_claims().attempt());
            journal::write_redemption(&person, asker, &outcome);
            if !matches!(outcome, Ok(Redemption::Redeemed(_))) {
                thread::sleep(PAUSE);
            }
            Message::answering_redeem(&outcome)
        }
        Call::Strip(person, guess) => {
            let outcome = store.strip(&person, &guess.without_claims().attempt());
            journal::write_stripping(&person, asker, &outcome);
            Message::answering_strip(&outcome)
        }
        Call::Remembers(..) => Message::not_remembered(),
        // It hides nothing from a user who asks about himself.
        Call::Pretend(_) | Call::Hello => Message::done(),
        Call::OwnAccount(person) | Call::OwnSshKeys(person) | Call::ChangeOwn(person, _)
            if person.uid.0 != caller.uid =>
        {
            Message::refusing(
                Reason::NotRoot,
                "only the user changes his second factor here",
                "twofactor self is for the user it runs as",
            )
        }
        Call::OwnAccount(person) => self_service::own_account(&person, asker, config, store),
        Call::OwnSshKeys(person) => self_service::own_ssh_keys(&person, asker, store),
        Call::ChangeOwn(person, request) => {
            self_service::change(&person, request, caller, config, store).unwrap_or_else(paused)
        }
        // It sets nothing up: a login does, as root.
        Call::CheckRegistration(..)
        | Call::Register(..)
        | Call::Confirm(_)
        | Call::CheckInvitation(..)
        | Call::StoreApp(..) => Message::refusing(
            Reason::NotRoot,
            "a second factor is set up by logins of root, or with: twofactor self",
            "log in with ssh or at the console",
        ),
        Call::Presence(_)
        | Call::CodeLengths(_)
        | Call::RecoveryLeft(_)
        | Call::EnrollmentStatus(_)
        // Answered before.
        | Call::Help(_) => call.answered_by(store),
    }
}
