//! The terms on which a user changes the own second factor, by the configuration and its rules.
//!
//! Invariants: what is switched off is refused before the store is asked. A user without a factor sets one up where a rule
//! says `enroll` for a local login of his through the service [`SERVICE`]; elsewhere an invitation is needed, also where it is
//! uncertain which rule holds. Nothing of this is taken from the question.

use crate::account::factors::Factors;
use crate::account::throttle::Source;
use crate::config::arguments::NullOk;
use crate::config::rule::{Demand, Facts};
use crate::config::{Config, EnrollmentDefaults, InvitationRule, Permission, SelfRegistration, SelfService};
use crate::host::clock::UnixTime;
use crate::host::user::{UserDatabase, UserName};
use crate::policy::{self, Decision};
use crate::store::self_service::{Change, FirstFactor, NotChanged, Offer, OwnAccount, Permitted, Request, Terms};

/// The service that rules see.
pub const SERVICE: &str = "twofactor-self";

/// The changes that a configuration and its rules let a user make.
#[derive(Debug)]
pub struct OwnChanges {
    permissions: SelfService,
    enrollment: EnrollmentDefaults,
    /// The factors that count.
    factors: Factors,
    /// The sets of factors of which one may count at a login of the user.
    accepted: Vec<Factors>,
    first: FirstFactor,
}

impl OwnChanges {
    /// The changes that `config` lets `user` make, at `now`.
    pub fn of(config: &Config, user: &UserName, users: &dyn UserDatabase, now: UnixTime) -> Self {
        let facts = Facts { user: Some(user), service: SERVICE, rhost: None };
        let ruling = policy::judge(config, NullOk::No, &facts, None, users, now);
        let first = match (&ruling.decision, config.enrollment.invitation) {
            (Decision::AskOrEnroll(_), InvitationRule::None) => FirstFactor::Open,
            _ => FirstFactor::Invited,
        };
        Self {
            permissions: config.self_service,
            enrollment: config.enrollment.clone(),
            factors: ruling.factors,
            accepted: accepted_anywhere(config, user, users),
            first,
        }
    }

    /// The same with this demand on a first factor.
    #[must_use]
    pub fn demanding(self, first: FirstFactor) -> Self {
        Self { first, ..self }
    }

    /// True for a request that sets up a first factor, if the user has none, without an invitation.
    pub fn enroll_uninvited(&self, request: &Request) -> bool {
        // Also with a proof: that is the word of a host, and does not say that there is another factor.
        matches!(request.change, Change::Enroll(_) | Change::Token(_))
            && request.invitation.is_none()
            && self.first == FirstFactor::Open
            && self.refusal(&request.change).is_none()
    }

    /// The reason for which a change is made of no account.
    pub fn refusal(&self, change: &Change) -> Option<NotChanged> {
        let permission = match change {
            Change::Enroll(_) => self.permissions.enroll,
            Change::Replace(_) | Change::Reset | Change::Recovery => self.permissions.change,
            Change::Token(_) => self.permissions.tokens,
            Change::AddSshKey { .. } | Change::RemoveSshKey(_) => self.permissions.ssh_key,
        };
        if permission == Permission::Refused {
            return Some(NotChanged::SwitchedOff);
        }
        match change {
            Change::Enroll(_) | Change::Replace(_) if !self.factors.app => Some(NotChanged::AppsDoNotCount),
            Change::Token(_) if !self.tokens_count() => Some(NotChanged::TokensDoNotCount),
            _ => None,
        }
    }

    /// The terms of a change whose wrong codes are counted under `source`.
    pub fn terms(&self, source: Source) -> Terms {
        Terms {
            factors: self.factors,
            accepted: self.accepted.clone(),
            first: self.first,
            parameters: self.enrollment.parameters,
            recovery_codes: self.enrollment.recovery_codes,
            source,
        }
    }

    /// The changes that the owner of an account is offered.
    pub fn offer(&self, account: &OwnAccount) -> Offer {
        let own = self.permissions;
        let permitted = |permission, otherwise| if permission == Permission::Given { otherwise } else { Permitted::No };
        let first = match self.first {
            FirstFactor::Open => Permitted::Yes,
            FirstFactor::Invited => Permitted::WithInvitation,
        };
        Offer {
            issuer: self.enrollment.issuer.clone(),
            parameters: self.enrollment.parameters,
            enroll: if self.factors.app { permitted(own.enroll, first) } else { Permitted::No },
            change: permitted(own.change, Permitted::Yes),
            tokens: match (self.tokens_count(), account.has_factors()) {
                (false, _) => Permitted::No,
                (true, true) => permitted(own.tokens, Permitted::Yes),
                (true, false) => permitted(own.tokens, first),
            },
            ssh_keys: permitted(own.ssh_key, Permitted::Yes),
        }
    }

    /// True when a token counts for the user, and the configuration lets users register theirs.
    fn tokens_count(&self) -> bool {
        self.factors.token && self.enrollment.self_registration == SelfRegistration::Allowed
    }
}

/// The sets of factors of which one may count at a login of the user. Where a look-up fails, those of all rules.
fn accepted_anywhere(config: &Config, user: &UserName, users: &dyn UserDatabase) -> Vec<Factors> {
    let of_any_user = |_| {
        let rules = config.rules.iter().map(|rule| rule.demand);
        rules.chain([Demand::at(config.default_level)]).collect()
    };
    let demands = policy::demands(config, user, users).unwrap_or_else(of_any_user);
    demands.into_iter().map(|demand| demand.factors).collect()
}
