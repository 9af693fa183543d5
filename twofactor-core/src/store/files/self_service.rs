//! Users' own verbs in the files.
//!
//! Invariants: the code is burned, and the notice of the change written, before the change itself: a crash between leaves the
//! account as it was, with a code used and a notice too many. All of it happens under one lock.

use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::{Notice, NoticedChange};
use crate::account::{State, Wallet};
use crate::codes::answer::Answer;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid};
use crate::store::administration::{
    AccountAdministration as _, AccountOwnership as _, Author, Reset, Sharing, SshKeyView, TokenAdministration as _,
    TokenError,
};
use crate::store::changes::{self, Changer, Made, Prepared, Whole};
use crate::store::enrollment::{EnrollmentStore as _, Pending, PendingFactor, Registration};
use crate::store::error::StoreError;
use crate::store::files::locations::{Files, migrated};
use crate::store::redemption::{Attempt, Factor, Presence, Store as _};
use crate::store::registry::{self, RegistryError};
use crate::store::self_service::{
    Change, ChangeOutcome, Changed, NewApp, NotChanged, OwnAccount, OwnedToken, Request, SelfService, Terms,
};
use crate::store::verification::{InvitationCheck, Presented, Redeeming};

impl SelfService for Files {
    fn own_account(&self, person: &Person) -> Result<OwnAccount, StoreError> {
        self.check_owner(person)?;
        let Some(account) = self.unlocked(&person.name)? else { return Ok(OwnAccount::default()) };
        let (state, status) = (account.state()?, self.status(&person.name)?);
        if status.is_some() {
            migrated(&person.name, &state)?;
        }
        Ok(changes::own_account(&state, status, &self.rules, self.clock.now()?))
    }

    fn change_own(&self, person: &Person, request: Request, terms: &Terms) -> ChangeOutcome {
        let mut burned = None;
        let made = self.change(person, request, terms, &mut burned);
        ChangeOutcome { proof: burned, made }
    }

    fn own_ssh_keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        self.check_owner(person)?;
        let Some(account) = self.unlocked(&person.name)? else { return Ok(Vec::new()) };
        let credentials = account.credentials()?;
        Ok(credentials.iter().flat_map(|credentials| &credentials.ssh_keys).map(SshKeyView::of).collect())
    }
}

impl Files {
    /// Makes a change. `burned` is the factor of the code that was used up for it.
    fn change(
        &self,
        person: &Person,
        request: Request,
        terms: &Terms,
        burned: &mut Option<Factor>,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let Request { proof, invitation, change } = request;
        match change {
            Change::Enroll(new) => self.enroll_first(person, new, invitation.as_ref(), terms),
            Change::Token(token) => match self.presence(&person.name)? {
                Presence::Absent(_) if proof.is_some() => Ok(Err(NotChanged::NotEnrolled)),
                Presence::Absent(_) => self.register_first(person, &token, invitation.as_ref(), terms),
                Presence::Enrolled => self.register_another(person, &token, proof, terms, burned),
            },
            change => match proof {
                Some(proof) => self.change_with_proof(person, proof, change, terms, burned),
                None => Ok(Err(NotChanged::NeedsProof)),
            },
        }
    }

    /// Stores a first app, by the rules of an enrollment at login.
    fn enroll_first(
        &self,
        person: &Person,
        new: NewApp,
        invitation: Option<&InvitationCode>,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        // A user of whom nothing is kept gets a folder together with the app.
        let known = self.locked(&person.name)?;
        if let Some(account) = &known {
            migrated(&person.name, &account.state()?)?;
            if account.credentials()?.is_some() {
                return Ok(Err(NotChanged::Enrolled));
            }
        }
        let now = self.clock.now()?;
        let app = match changes::confirmed(new, terms, self.rules.window, now)? {
            Ok(app) => app,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let attempt = changes::attempt(&[], terms);
        let check = |typed: &InvitationCode| {
            let Some(account) = &known else { return Ok(Err(self.invites_no_user(&attempt))) };
            let check = InvitationCheck { person, typed, attempt: &attempt, rules: &self.rules, now };
            self.verify_at(account, now, check)
        };
        let invitation: Option<Invitation> = match changes::invited(invitation, terms.first, check)? {
            Ok(invitation) => invitation,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let account = known.map_or_else(|| self.locked_or_new(&person.name), Ok)?;
        let state = account.state()?.seen_at(now);
        // Another may have been quicker where it was new.
        if account.has_credentials()? {
            return Ok(Err(NotChanged::Enrolled));
        }
        match changes::first_app(app, invitation, state, terms, by_oneself(person, now))? {
            Ok((Whole { credentials, state }, changed)) => {
                account.write(&state, &credentials)?;
                Ok(Ok(changed))
            }
            Err(not_changed) => Ok(Err(not_changed)),
        }
    }

    /// Registers a token as a first factor, by the rules of a registration at login.
    fn register_first(
        &self,
        person: &Person,
        token: &OwnedToken,
        invitation: Option<&InvitationCode>,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let attempt = changes::attempt(&[], terms);
        let check = |typed: &InvitationCode| self.check_invitation(person, typed, &attempt);
        let invitation = match changes::invited(invitation, terms.first, check)? {
            Ok(invitation) => invitation,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let registration = match self.shown(person, token, &attempt)? {
            Ok(registration) => registration,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let factor = PendingFactor::Token(registration);
        if let Err(superseded) = self.store_pending(Pending { user: person.clone(), factor, invitation }) {
            return changes::overtaken(superseded).map(Err);
        }
        self.notice(person, NoticedChange::TokenRegistered)?;
        Ok(Ok(Changed { recovery: Vec::new(), ssh_key: None }))
    }

    /// Registers a token beside the factors of a user, who proves himself with a code of one of those. The code is burned and
    /// the notice written first; the token's own codes are burned before it has an owner.
    fn register_another(
        &self,
        person: &Person,
        token: &OwnedToken,
        proof: Option<Answer>,
        terms: &Terms,
        burned: &mut Option<Factor>,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let Some(proof) = proof else { return Ok(Err(NotChanged::NeedsProof)) };
        // Before the proof is looked at: a slip in the serial must cost no recovery code.
        if let Err(not_changed) = self.shown(person, token, &changes::attempt(&[], terms))? {
            return Ok(Err(not_changed));
        }
        let readings = [proof];
        match changes::proven_by(&self.redeem(person, &changes::attempt(&readings, terms))?) {
            Ok(factor) => *burned = Some(factor),
            Err(not_changed) => return Ok(Err(not_changed)),
        }
        self.notice(person, NoticedChange::TokenRegistered)?;
        let by = || -> Result<_, StoreError> { Ok(Author { who: person.name.as_str(), at: self.clock.now()? }) };
        let OwnedToken { serial, codes: [first, second] } = token;
        let given = self
            .resynchronize(serial, [first, second], by()?)
            .and_then(|_| self.assign(&[(serial.clone(), person.clone())], Sharing::Refuse, by()?));
        match given {
            Ok(()) => Ok(Ok(Changed { recovery: Vec::new(), ssh_key: None })),
            Err(TokenError::Store(error)) => Err(error),
            Err(_) => Ok(Err(NotChanged::TokenRefused)),
        }
    }

    /// Two codes of a token in inventory, counted like any attempt.
    fn shown(
        &self,
        person: &Person,
        token: &OwnedToken,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotChanged>, StoreError> {
        let OwnedToken { serial, codes: [first, second] } = token;
        // Without one no token is known, whatever the serial: that is the host's fault and not the user's.
        if let Some(state) = self.state_folder()?
            && registry::is_missing(&state)?
        {
            return Err(RegistryError::Missing(self.state.join(registry::FILE)).into());
        }
        let checked = self.check_registration(person, serial, [first, second], attempt)?;
        Ok(checked.map_err(|why| changes::token_refused(&why)))
    }

    /// Has the owner of an account told at the next login. It leaves open whose account that is: an invitation in it may be for the
    /// person who had the name before.
    fn notice(&self, person: &Person, change: NoticedChange) -> Result<(), StoreError> {
        let Some(by) = noticed(person) else { return Ok(()) };
        let Some(account) = self.locked(&person.name)? else { return Ok(()) };
        let mut state = account.state()?;
        state.notice(Notice { at: self.clock.now()?, by, change });
        account.write_state(&state)
    }

    /// Changes an account whose owner proves himself with a code of it.
    fn change_with_proof(
        &self,
        person: &Person,
        proof: Answer,
        change: Change,
        terms: &Terms,
        burned: &mut Option<Factor>,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Err(NotChanged::NotEnrolled)) };
        let (credentials, state) = (account.credentials()?, account.state()?);
        // Half of an account is not changed: what is missing would be taken for absent.
        migrated(user, &state)?;
        let Some(credentials) = credentials else { return Ok(Err(NotChanged::NotEnrolled)) };
        Self::check_belongings(&account, &state, person)?;
        let now = self.clock.now()?;
        // Before the proof is looked at: a change that cannot be made must cost no recovery code.
        let times = (self.rules.window, now);
        let prepared = match Prepared::of(change, &proof, &credentials, &state, terms, times)? {
            Ok(prepared) => prepared,
            Err(not_changed) => return Ok(Err(not_changed)),
        };

        let readings = [proof];
        let attempt = changes::attempt(&readings, terms);
        let wallet = Wallet { credentials: Some(&credentials), factors: terms.factors };
        let presented = Presented { person, wallet: &wallet, attempt: &attempt, rules: &self.rules, now };
        let complete = |state: &State| migrated(user, state);
        let redeeming = Redeeming { presented, missing: None, complete };
        match changes::proven_by(&self.verify_at(&account, now, redeeming)?) {
            Ok(factor) => *burned = Some(factor),
            Err(not_changed) => return Ok(Err(not_changed)),
        }
        let (made, changed) = prepared.made(credentials, account.state()?, by_oneself(person, now));
        match made {
            Made::Changed(Whole { credentials, state }) => account.write(&state, &credentials)?,
            Made::Reset(Whole { state, .. }) => {
                account.overwrite_state(&state)?;
                self.reset_account(&account, user, Reset::Everything)?;
            }
        }
        Ok(Ok(changed))
    }
}

/// The user as the changer of the own account: the kernel has named the uid.
fn by_oneself(person: &Person, now: UnixTime) -> Changer<'_> {
    Changer { owner: person, by: noticed(person), at: now }
}

/// The uid that a notice names. `None` where accounts are known by their names: those of a fleet, whose logins show no notices.
fn noticed(person: &Person) -> Option<Uid> {
    (person.uid != Uid::NONE).then_some(person.uid)
}
