//! Users about themselves, at a host that may let them: on which terms, and the answer.
//!
//! Invariants: the terms are those of this server's configuration, its rules and its user database, and no word of the host counts for
//! them. A first factor is set up at a host that may enroll, too, and without an invitation where enrollment at a host's prompt needs none.
//! Look-ups have the threads of the host that asks.

use std::sync::Arc;
use std::time::Instant;

use twofactor_core::account::throttle::Source;
use twofactor_core::config::{Config, InvitationRule};
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::user::{Person, SystemUsers, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::self_service::{
    Change, FirstFactor, KeyNotChanged, NotChanged, Permitted, Request, SelfService,
};
use twofactor_core::store::wire::{Call, Message};
use twofactor_core::store::{EnrollmentStore, Presence, Store};
use twofactor_core::terms::OwnChanges;

use crate::answers::memberships::{self, Memberships};
use crate::hosts::host::Host;

/// The rules of users' changes.
pub(crate) struct OwnRules {
    config: Arc<Config>,
}

impl OwnRules {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self { config }
    }

    /// The changes that `user` may make, for a question of `host`. The refusal of the question where that cannot be looked up until
    /// then.
    pub(crate) async fn of(
        &self,
        memberships: &Memberships,
        host: &str,
        user: &UserName,
        until: Instant,
    ) -> Result<OwnChanges, Message> {
        let (config, user) = (Arc::clone(&self.config), user.clone());
        let looked_up = memberships.in_a_thread(host, until, move || {
            let Ok(now) = SystemClock.now() else { return Ok(None) };
            let is_open = config.enrollment.invitation == InvitationRule::None;
            let is_open = is_open && memberships::is_open(&config, &user, now).unwrap_or(false);
            let first = if is_open { FirstFactor::Open } else { FirstFactor::Invited };
            Ok(Some(OwnChanges::of(&config, &user, &SystemUsers, now).demanding(first)))
        });
        looked_up.await.ok().flatten().ok_or_else(|| {
            let problem = "the server cannot look up in time what the user may change";
            Message::refusing(Reason::StoreUnavailable, problem, "on the server: id USER")
        })
    }
}

/// A store that has users' accounts.
pub(crate) trait Accounts: Store + EnrollmentStore + SelfService {}

impl<S: Store + EnrollmentStore + SelfService> Accounts for S {}

/// The answer to a question of users about themselves.
pub(crate) fn answered(call: Call, one: &impl Accounts, host: &Host, may: &OwnChanges) -> Message {
    match call {
        Call::OwnAccount(person) => one.own_account(&person).map_or_else(
            |error| Message::failing(&error),
            |account| {
                let mut offer = may.offer(&account);
                offer.ssh_keys = Permitted::No;
                if !host.may_enroll {
                    offer.enroll = Permitted::No;
                    if !account.has_factors() {
                        offer.tokens = Permitted::No;
                    }
                }
                Message::answering_own_account(&account, &offer)
            },
        ),
        Call::OwnSshKeys(person) => {
            let keys = one.own_ssh_keys(&person);
            keys.map_or_else(|error| Message::failing(&error), |keys| Message::answering_own_ssh_keys(&keys))
        }
        Call::ChangeOwn(person, request) => changed(&person, request, one, host, may),
        other => other.answered_by(one),
    }
}

fn changed(person: &Person, request: Request, one: &impl Accounts, host: &Host, may: &OwnChanges) -> Message {
    if let Some(not_changed) = may.refusal(&request.change) {
        return Message::answering_change(&Err(not_changed));
    }
    if matches!(request.change, Change::AddSshKey { .. }) {
        // No login of a fleet asks for it: sshd has verified a key on a host, whose word for it is none here.
        return Message::answering_change(&Err(NotChanged::SshKey(KeyNotChanged::CountsNowhere)));
    }
    let is_first = match &request.change {
        Change::Enroll(_) => true,
        Change::Token(_) => !matches!(one.presence(&person.name), Ok(Presence::Enrolled)),
        _ => false,
    };
    if is_first && !host.may_enroll {
        return Message::answering_change(&Err(NotChanged::SwitchedOff));
    }
    let terms = may.terms(Source::claimed().at_host(&host.name));
    let made = one.change_own(person, request, &terms).made;
    made.map_or_else(|error| Message::failing(&error), |made| Message::answering_change(&made))
}
