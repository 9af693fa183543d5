//! Users' own verbs, asked through a host of a fleet.
//!
//! Invariants: the program that has read the account knows that the host may ask this, and has made the terms by its own
//! configuration. A change and the code that is burned for it are one write. No notice is kept: no login of a fleet shows one.

use super::account::{InMemory, Kept, OneAccount};
use super::error::AccountError;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::{State, Wallet};
use crate::codes::answer::Answer;
use crate::host::user::Person;
use crate::store::administration::{AccountAdministration as _, AccountStatus, SshKeyView};
use crate::store::changes::{self, Changer, Made, Prepared, Remains, Whole};
use crate::store::enrollment::{BySelf, NotRegistered, Registration, TokenRegistration};
use crate::store::error::StoreError;
use crate::store::inventory::view_of_held;
use crate::store::redemption::{Attempt, Factor};
use crate::store::self_service::{
    Change, ChangeOutcome, Changed, NewApp, NotChanged, OwnAccount, OwnedToken, Request, SelfService, Terms,
};
use crate::store::verification::{InvitationCheck, Presented, Redeeming, RegistrationCheck, TwoCodes, verify};

impl SelfService for OneAccount<'_> {
    fn own_account(&self, person: &Person) -> Result<OwnAccount, StoreError> {
        let user = &person.name;
        let Some(Kept { credentials, state }) = self.kept(user)? else { return Ok(OwnAccount::default()) };
        let held = credentials.iter().flat_map(|credentials| &credentials.held);
        let tokens = held.map(|held| view_of_held(user, held, None, state)).collect();
        let status = self.status(user)?.map(|status| AccountStatus { tokens, ..status });
        Ok(changes::own_account(state, status, &self.rules, self.now))
    }

    fn own_ssh_keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        let credentials = self.kept(&person.name)?.and_then(|kept| kept.credentials.as_ref());
        Ok(credentials.iter().flat_map(|credentials| &credentials.ssh_keys).map(SshKeyView::of).collect())
    }

    fn change_own(&self, person: &Person, request: Request, terms: &Terms) -> ChangeOutcome {
        let mut burned = None;
        let made = self.change_of(person, request, terms, &mut burned);
        ChangeOutcome { proof: burned, made }
    }
}

/// The outcome of a change.
type Outcome = Result<Result<Changed, NotChanged>, StoreError>;

impl OneAccount<'_> {
    fn change_of(&self, person: &Person, request: Request, terms: &Terms, burned: &mut Option<Factor>) -> Outcome {
        let Request { proof, invitation, change } = request;
        let kept = self.kept(&person.name)?.cloned().unwrap_or_default();
        let owner = kept.owner(&person.name);
        let changer = Changer { owner: &owner, by: None, at: self.now };
        match change {
            Change::Enroll(new) => self.enroll_first(kept, new, invitation.as_ref(), terms, changer),
            Change::Token(token) => {
                let shown = (token, proof);
                self.register_own(&kept, shown, invitation.as_ref(), terms, (changer, burned))
            }
            change => match proof {
                Some(proof) => self.change_with_proof(kept, proof, change, terms, (changer, burned)),
                None => Ok(Err(NotChanged::NeedsProof)),
            },
        }
    }

    fn enroll_first(
        &self,
        kept: Kept,
        new: NewApp,
        invitation: Option<&InvitationCode>,
        terms: &Terms,
        changer: Changer<'_>,
    ) -> Outcome {
        if kept.credentials.is_some() || kept.state.tokens_held > 0 {
            return Ok(Err(NotChanged::Enrolled));
        }
        let app = match changes::confirmed(new, terms, self.rules.window, self.now)? {
            Ok(app) => app,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let mut ledger = self.ledger(kept.state);
        let invitation = match self.invited(&mut ledger, invitation, terms, changer)? {
            Ok(invitation) => invitation,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let state = ledger.into_state().seen_at(self.now);
        Ok(changes::first_app(app, invitation, state, terms, changer)?.map(|(whole, changed)| {
            self.write(&whole.state, &whole.credentials);
            changed
        }))
    }

    /// Has a token registered by the program that has read the account, together with the inventory: a first one by the rules of a
    /// registration at login, another one with a code of what the user has.
    fn register_own(
        &self,
        kept: &Kept,
        (token, proof): (OwnedToken, Option<Answer>),
        invitation: Option<&InvitationCode>,
        terms: &Terms,
        (changer, burned): (Changer<'_>, &mut Option<Factor>),
    ) -> Outcome {
        let mut ledger = self.ledger(kept.state.clone());
        let (invitation, proof) = match (&kept.credentials, proof) {
            (Some(_), None) => return Ok(Err(NotChanged::NeedsProof)),
            (Some(credentials), Some(proof)) => (None, Some((credentials, proof))),
            // A word of the host: it would pass for another factor.
            (None, Some(_)) => return Ok(Err(NotChanged::NotEnrolled)),
            (None, None) => match self.invited(&mut ledger, invitation, terms, changer)? {
                Ok(invitation) => (invitation, None),
                Err(not_changed) => return Ok(Err(not_changed)),
            },
        };
        // Before the proof is looked at: a slip in the serial must cost no recovery code.
        let registration = match self.shown(&mut ledger, &token, &changes::attempt(&[], terms))? {
            Ok(registration) => registration,
            Err(why) => return Ok(Err(changes::token_refused(&why))),
        };
        let proven = match proof {
            None => None,
            Some((credentials, proof)) => {
                let wallet = Wallet { credentials: Some(credentials), factors: terms.factors };
                match self.proven(&mut ledger, &wallet, proof, terms, changer)? {
                    Ok(factor) => *burned = Some(factor),
                    Err(not_changed) => return Ok(Err(not_changed)),
                }
                Some(Box::new(ledger.into_state()))
            }
        };
        let Some(registration) = TokenRegistration::of(&registration, invitation) else {
            return Ok(Err(NotChanged::TokenRefused));
        };
        self.registered.replace(Some(registration.by_user(BySelf { proven })));
        Ok(Ok(Changed { recovery: Vec::new(), ssh_key: None }))
    }

    fn change_with_proof(
        &self,
        kept: Kept,
        proof: Answer,
        change: Change,
        terms: &Terms,
        (changer, burned): (Changer<'_>, &mut Option<Factor>),
    ) -> Outcome {
        let Kept { credentials: Some(credentials), state } = kept else { return Ok(Err(NotChanged::NotEnrolled)) };
        // Before the proof is looked at: a change that cannot be made must cost no recovery code.
        let times = (self.rules.window, self.now);
        let prepared = match Prepared::of(change, &proof, &credentials, &state, terms, times)? {
            Ok(prepared) => prepared,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let mut ledger = self.ledger(state);
        let wallet = Wallet { credentials: Some(&credentials), factors: terms.factors };
        match self.proven(&mut ledger, &wallet, proof, terms, changer)? {
            Ok(factor) => *burned = Some(factor),
            Err(not_changed) => return Ok(Err(not_changed)),
        }
        let (made, outcome) = prepared.made(credentials, ledger.into_state(), changer);
        match made {
            Made::Changed(Whole { credentials, state }) => self.write(&state, &credentials),
            Made::Reset(Whole { credentials, state }) => {
                let held = credentials.held.clone();
                self.write_remains(&Remains::of(Some(state), Some(&credentials), held, self.now)?);
            }
        }
        Ok(Ok(outcome))
    }

    /// Judges the code by which users prove themselves, and burns it.
    fn proven(
        &self,
        ledger: &mut InMemory<'_>,
        wallet: &Wallet<'_>,
        proof: Answer,
        terms: &Terms,
        changer: Changer<'_>,
    ) -> Result<Result<Factor, NotChanged>, StoreError> {
        let readings = [proof];
        let (person, attempt) = (changer.owner, changes::attempt(&readings, terms));
        let presented = Presented { person, wallet, attempt: &attempt, rules: &self.rules, now: self.now };
        let redeeming = Redeeming { presented, missing: None, complete: |_: &State| Ok(()) };
        Ok(changes::proven_by(&verify(ledger, self.now, redeeming)?))
    }

    fn invited(
        &self,
        ledger: &mut InMemory<'_>,
        typed: Option<&InvitationCode>,
        terms: &Terms,
        changer: Changer<'_>,
    ) -> Result<Result<Option<Invitation>, NotChanged>, StoreError> {
        let (attempt, now) = (changes::attempt(&[], terms), self.now);
        changes::invited(typed, terms.first, |typed| {
            if self.kept(&changer.owner.name)?.is_none() {
                return Ok(Err(self.invites_no_user(&attempt)));
            }
            let check = InvitationCheck { person: changer.owner, typed, attempt: &attempt, rules: &self.rules, now };
            verify(ledger, now, check)
        })
    }

    /// Judges two codes of a token. An error where the program has told nothing of it.
    fn shown(
        &self,
        ledger: &mut InMemory<'_>,
        token: &OwnedToken,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let OwnedToken { serial, codes: [first, second] } = token;
        let known = self.listed.take().filter(|(known, _)| known == serial);
        let (_, listing) = known.ok_or(AccountError::RegistersNoTokens)?;
        let two = TwoCodes { serial, codes: [first, second], attempt, rules: &self.rules, now: self.now };
        verify(ledger, self.now, RegistrationCheck { two, find: || Ok(listing) })
    }
}
