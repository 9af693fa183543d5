//! Users about themselves: the terms of the configuration, the change, and its line in the log.
//!
//! Invariants: what is switched off is refused before the store is asked. A user without a factor sets one up where a rule
//! says `enroll` for a local login of his through the service [`SERVICE`]; elsewhere an invitation is needed, also where it is
//! uncertain which rule holds. Nothing of this is taken from the question.

use twofactor_core::account::factors::Factors;
use twofactor_core::config::arguments::NullOk;
use twofactor_core::config::rule::{Demand, Facts};
use twofactor_core::config::{Config, InvitationRule, Permission, SelfRegistration};
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::expiry::{File, KnownExpiry, Shadow};
use twofactor_core::host::user::{Person, SystemUsers, UserName};
use twofactor_core::policy::{self, Decision, Ruling};
use twofactor_core::store::StoreError;
use twofactor_core::store::files::Files;
use twofactor_core::store::self_service::{
    Change, ChangeOutcome, FirstFactor, NotChanged, Offer, OwnAccount, Permitted, Request, SelfService as _, Terms,
};
use twofactor_core::store::wire::Message;

use crate::caller::Caller;
use crate::journal::{self, Asker};

/// The service that rules see.
const SERVICE: &str = "twofactor-self";

/// The account of a user, and what the user may do about it.
pub(crate) fn own_account(person: &Person, config: &Config, store: &Files) -> Message {
    let answered = store.own_account(person).and_then(|account| {
        let ruling = ruling(config, &person.name, SystemClock.now()?);
        Ok(Message::answering_own_account(&account, &offer(config, &ruling, &account)))
    });
    answered.unwrap_or_else(|error| Message::failing(&error))
}

/// The ssh keys of a user.
pub(crate) fn own_ssh_keys(person: &Person, store: &Files) -> Message {
    let keys = store.own_ssh_keys(person);
    keys.map_or_else(|error| Message::failing(&error), |keys| Message::answering_own_ssh_keys(&keys))
}

/// Makes a change, and writes it down. The answer is an error where nothing was changed.
pub(crate) fn change(
    person: &Person,
    request: Request,
    caller: Caller,
    config: &Config,
    store: &Files,
) -> Result<Message, Message> {
    let asker = Asker { caller, service: None };
    let line = journal::about_change(person, asker, &request.change);
    let outcome = changed(person, request, config, store);
    journal::write_change(person, asker, line, &outcome);
    match outcome.made {
        Ok(Ok(changed)) => Ok(Message::answering_change(&Ok(changed))),
        Ok(Err(not_changed)) => Err(Message::answering_change(&Err(not_changed))),
        Err(error) => Err(Message::failing(&error)),
    }
}

fn changed(person: &Person, request: Request, config: &Config, store: &Files) -> ChangeOutcome {
    let now = match SystemClock.now() {
        Ok(now) => now,
        Err(error) => return StoreError::from(error).into(),
    };
    let own = config.self_service;
    let permission = match request.change {
        Change::Enroll(_) => own.enroll,
        Change::Replace(_) | Change::Reset | Change::Recovery => own.change,
        Change::Token(_) => own.tokens,
        Change::AddSshKey { .. } | Change::RemoveSshKey(_) => own.ssh_key,
    };
    if permission == Permission::Refused {
        return NotChanged::SwitchedOff.into();
    }
    let ruling = ruling(config, &person.name, now);
    if matches!(request.change, Change::Enroll(_) | Change::Replace(_)) && !ruling.factors.app {
        return NotChanged::AppsDoNotCount.into();
    }
    if matches!(request.change, Change::Token(_)) && !tokens_count(config, &ruling) {
        return NotChanged::TokensDoNotCount.into();
    }
    if matches!(request.change, Change::Enroll(_) | Change::Token(_) | Change::AddSshKey { .. })
        && !is_open(&person.name, now)
    {
        return NotChanged::Closed.into();
    }
    let terms = Terms {
        factors: ruling.factors,
        accepted: accepted_anywhere(config, &person.name),
        first: first_factor(config, &ruling),
        parameters: config.enrollment.parameters,
        recovery_codes: config.enrollment.recovery_codes,
    };
    store.change_own(person, request, &terms)
}

fn offer(config: &Config, ruling: &Ruling, account: &OwnAccount) -> Offer {
    let own = config.self_service;
    let permitted = |permission, otherwise| if permission == Permission::Given { otherwise } else { Permitted::No };
    let first = match first_factor(config, ruling) {
        FirstFactor::Open => Permitted::Yes,
        FirstFactor::Invited => Permitted::WithInvitation,
    };
    Offer {
        issuer: config.enrollment.issuer.clone(),
        parameters: config.enrollment.parameters,
        enroll: if ruling.factors.app { permitted(own.enroll, first) } else { Permitted::No },
        change: permitted(own.change, Permitted::Yes),
        tokens: match (tokens_count(config, ruling), account.has_factors()) {
            (false, _) => Permitted::No,
            (true, true) => permitted(own.tokens, Permitted::Yes),
            (true, false) => permitted(own.tokens, first),
        },
        ssh_keys: permitted(own.ssh_key, Permitted::Yes),
    }
}

/// True when a token counts for the user, and the configuration lets users register theirs.
fn tokens_count(config: &Config, ruling: &Ruling) -> bool {
    ruling.factors.token && config.enrollment.self_registration == SelfRegistration::Allowed
}

fn ruling(config: &Config, user: &UserName, now: UnixTime) -> Ruling {
    let facts = Facts { user: Some(user), service: SERVICE, rhost: None };
    policy::judge(config, NullOk::No, &facts, None, &SystemUsers, now)
}

/// The sets of factors of which one may count at a login of the user. Where a look-up fails, those of all rules.
fn accepted_anywhere(config: &Config, user: &UserName) -> Vec<Factors> {
    let of_any_user = |_| {
        let rules = config.rules.iter().map(|rule| rule.demand);
        rules.chain([Demand::at(config.default_level)]).collect()
    };
    let demands = policy::demands(config, user, &SystemUsers).unwrap_or_else(of_any_user);
    demands.into_iter().map(|demand| demand.factors).collect()
}

fn first_factor(config: &Config, ruling: &Ruling) -> FirstFactor {
    match (&ruling.decision, config.enrollment.invitation) {
        (Decision::AskOrEnroll(_), InvitationRule::None) => FirstFactor::Open,
        _ => FirstFactor::Invited,
    }
}

/// True when the account of the host is known not to be closed: a process may outlive the day on which it was.
fn is_open(user: &UserName, now: UnixTime) -> bool {
    match Shadow::of_host().known(user, now) {
        Ok(KnownExpiry::All(closed)) => closed.is_none(),
        // Users of a directory have none.
        Ok(KnownExpiry::AskHelper(File::HasNoEntry)) => true,
        Ok(KnownExpiry::AskHelper(File::Unread)) | Err(_) => false,
    }
}
