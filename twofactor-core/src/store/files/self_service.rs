//! Users' own verbs in the files.
//!
//! Invariants: the code is burned, and the notice of the change written, before the change itself: a crash between leaves the
//! account as it was, with a code used and a notice too many. All of it happens under one lock.

use crate::account::enrollment::{Proposal, recovery_codes};
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::{Notice, NoticedChange};
use crate::account::throttle::{Count, Source};
use crate::account::{App, Credentials, MOST_APPS, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid};
use crate::log::reason::Reason;
use crate::store::administration::{
    AccountAdministration as _, AccountOwnership as _, AppStatus, Author, Reset, Sharing, TokenAdministration as _,
    TokenError, TokenView,
};
use crate::store::enrollment::{EnrollmentStore as _, NotRegistered, Pending, PendingFactor, Registration, Superseded};
use crate::store::error::StoreError;
use crate::store::files::enrollment::spend;
use crate::store::files::locations::{Files, migrated};
use crate::store::files::user_folder::LockedAccount;
use crate::store::redemption::{Attempt, Factor, Presence, Redemption, Store as _};
use crate::store::self_service::{
    Change, Changed, FirstFactor, NewApp, NotChanged, OwnAccount, OwnApp, OwnToken, OwnedToken, Request, SelfService,
    Terms,
};
use crate::store::verification::{InvitationCheck, Presented, Redeeming, verify};

impl SelfService for Files {
    fn own_account(&self, person: &Person) -> Result<OwnAccount, StoreError> {
        self.check_owner(person)?;
        let (limits, now) = (self.rules.limits, self.clock.now()?);
        let Some(account) = self.unlocked(&person.name)? else { return Ok(OwnAccount::default()) };
        let state = account.state()?;
        let own = state.throttle_of(Count::Unprivileged);
        let mut this = OwnAccount {
            failures: state.throttle.user.count,
            blocked_until: state.throttle.others_blocked_until(limits, now),
            own_failures: own.user.count,
            own_blocked_until: own.others_blocked_until(limits, now),
            invited_until: state.invitation.and_then(|invitation| invitation.open_until(now)),
            ..OwnAccount::default()
        };
        let Some(status) = self.status(&person.name)? else { return Ok(this) };
        migrated(&person.name, &state)?;
        let app = |app: AppStatus| OwnApp {
            label: app.label,
            serial: app.serial,
            issued: app.issued,
            confirmation: app.confirmation,
        };
        this.apps = status.apps.into_iter().map(app).collect();
        let token = |token: TokenView| OwnToken { serial: token.serial, state: token.stage.word().to_owned() };
        this.tokens = status.tokens.into_iter().map(token).collect();
        this.recovery_left = status.recovery_left;
        this.last_accepted = status.last_accepted;
        Ok(this)
    }

    fn change_own(
        &self,
        person: &Person,
        request: Request,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let Request { proof, invitation, change } = request;
        let (new, change) = match change {
            Change::Enroll(new) => return self.enroll_first(person, new, invitation.as_ref(), terms),
            Change::Replace(new) => (Some(new), NoticedChange::AppReplaced),
            Change::Reset => (None, NoticedChange::Reset),
            Change::Recovery => (None, NoticedChange::RecoveryReplaced),
            Change::Token(token) => {
                return match self.presence(&person.name)? {
                    Presence::Absent(_) => self.register_first(person, &token, invitation.as_ref(), terms),
                    Presence::Enrolled => self.register_another(person, &token, proof, terms),
                };
            }
        };
        let Some(proof) = proof else { return Ok(Err(NotChanged::NeedsProof)) };
        self.change_with_proof(person, &[proof], new, change, terms)
    }
}

/// The parts of a change, made before the code for it is burned.
struct Prepared {
    app: Option<App>,
    recovery: Vec<RecoveryCode>,
    change: NoticedChange,
}

impl Files {
    /// Stores a first app, by the rules of an enrollment at login.
    fn enroll_first(
        &self,
        person: &Person,
        new: NewApp,
        invitation: Option<&InvitationCode>,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let account = self.counting(&person.name)?;
        migrated(&person.name, &account.state()?)?;
        if account.credentials()?.is_some() {
            return Ok(Err(NotChanged::Enrolled));
        }
        let now = self.clock.now()?;
        let app = match self.confirmed(new, terms, now)? {
            Ok(app) => app,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let source = Source::claimed();
        let attempt = attempt(&[], &source, terms);
        let check = |typed: &InvitationCode| {
            let check = InvitationCheck { person, typed, attempt: &attempt, rules: &self.rules, now };
            verify(&mut account.state_file()?, now, check)
        };
        let invitation = match invited(invitation, terms.first, check)? {
            Ok(invitation) => invitation,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let recovery = new_recovery_codes(terms)?;
        let mut credentials = Credentials::none()?;
        let mut state = account.state()?.seen_at(now);
        if spend(&mut state, invitation, now).is_err() {
            return Ok(Err(NotChanged::Proof(Reason::InvitationWrong)));
        }
        state.begin(app.token());
        credentials.apps.push(app);
        credentials.replace_recovery(&recovery);
        tell(&mut state, person, now, NoticedChange::AppEnrolled);
        account.write(&state, &credentials)?;
        Ok(Ok(Changed { recovery, proof: None }))
    }

    /// Registers a token as a first factor, by the rules of a registration at login.
    fn register_first(
        &self,
        person: &Person,
        token: &OwnedToken,
        invitation: Option<&InvitationCode>,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let source = Source::claimed();
        let attempt = attempt(&[], &source, terms);
        let check = |typed: &InvitationCode| self.check_invitation(person, typed, &attempt);
        let invitation = match invited(invitation, terms.first, check)? {
            Ok(invitation) => invitation,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let registration = match self.shown(person, token, &attempt)? {
            Ok(registration) => registration,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let factor = PendingFactor::Token(registration);
        match self.store_pending(Pending { user: person.clone(), factor, invitation }) {
            Ok(()) => {}
            Err(Superseded::Store(error)) => return Err(error),
            Err(Superseded::Entropy(error)) => return Err(error.into()),
            Err(Superseded::Enrolled) => return Ok(Err(NotChanged::Enrolled)),
            Err(Superseded::InvitationSpent) => return Ok(Err(NotChanged::Proof(Reason::InvitationWrong))),
            Err(Superseded::Reset | Superseded::Expired | Superseded::TokenTaken) => {
                return Ok(Err(NotChanged::TokenRefused));
            }
        }
        self.notice(person, person.uid, NoticedChange::TokenRegistered)?;
        Ok(Ok(Changed { recovery: Vec::new(), proof: None }))
    }

    /// Registers a token beside the factors of a user, who proves himself with a code of one of those. The code is burned and
    /// the notice written first; the token's own codes are burned before it has an owner.
    fn register_another(
        &self,
        person: &Person,
        token: &OwnedToken,
        proof: Option<Answer>,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let Some(proof) = proof else { return Ok(Err(NotChanged::NeedsProof)) };
        let source = Source::claimed();
        // Before the proof is looked at: a slip in the serial must cost no recovery code.
        if let Err(not_changed) = self.shown(person, token, &attempt(&[], &source, terms))? {
            return Ok(Err(not_changed));
        }
        let readings = [proof];
        let factor = match proven_by(&self.redeem(person, &attempt(&readings, &source, terms))?) {
            Ok(factor) => factor,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        self.notice(person, person.uid, NoticedChange::TokenRegistered)?;
        let by = || -> Result<_, StoreError> { Ok(Author { who: person.name.as_str(), at: self.clock.now()? }) };
        let OwnedToken { serial, codes: [first, second] } = token;
        let given = self
            .resynchronize(serial, [first, second], by()?)
            .and_then(|_| self.assign(&[(serial.clone(), person.clone())], Sharing::Refuse, by()?));
        match given {
            Ok(()) => Ok(Ok(Changed { recovery: Vec::new(), proof: Some(factor) })),
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
        let checked = self.check_registration(person, serial, [first, second], attempt)?;
        Ok(checked.map_err(|why| match why {
            NotRegistered::Throttled => NotChanged::Proof(Reason::Throttled),
            NotRegistered::NoSuchToken | NotRegistered::NotFree(_) | NotRegistered::WrongCodes(_) => {
                NotChanged::TokenRefused
            }
        }))
    }

    /// Has the owner of an account told at the next login. It leaves open whose account that is: an invitation in it may be for the
    /// person who had the name before.
    fn notice(&self, person: &Person, by: Uid, change: NoticedChange) -> Result<(), StoreError> {
        let Some(account) = self.locked(&person.name)? else { return Ok(()) };
        let mut state = account.state()?;
        state.notice(Notice { at: self.clock.now()?, by, change });
        account.write_state(&state)
    }

    /// Changes an account whose owner proves himself with a code of it.
    fn change_with_proof(
        &self,
        person: &Person,
        proof: &[Answer],
        new: Option<NewApp>,
        change: NoticedChange,
        terms: &Terms,
    ) -> Result<Result<Changed, NotChanged>, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Err(NotChanged::NotEnrolled)) };
        let credentials = account.credentials()?;
        // Half of an account is not changed: what is missing would be taken for absent.
        migrated(user, &account.state()?)?;
        if credentials.is_none() {
            return Ok(Err(NotChanged::NotEnrolled));
        }
        let now = self.clock.now()?;
        // Before the proof is looked at: an app that shows a wrong code must cost no recovery code. It tells nothing of the
        // account, because the secret is the user's own.
        let app = match new.map(|new| self.confirmed(new, terms, now)).transpose()? {
            Some(Ok(app)) => Some(app),
            Some(Err(not_changed)) => return Ok(Err(not_changed)),
            None => None,
        };
        if let Some(app) = &app {
            let apps = credentials.iter().flat_map(|credentials| &credentials.apps);
            if apps.filter(|present| present.token().label != app.token().label).count() >= MOST_APPS {
                return Ok(Err(NotChanged::TooMany));
            }
        }
        let recovery = if change == NoticedChange::Reset { Vec::new() } else { new_recovery_codes(terms)? };

        let source = Source::claimed();
        let attempt = attempt(proof, &source, terms);
        let wallet = Wallet { credentials: credentials.as_ref(), factors: terms.factors };
        let presented = Presented { person, wallet: &wallet, attempt: &attempt, rules: &self.rules, now };
        let complete = |state: &State| migrated(user, state);
        let redeeming = Redeeming { presented, missing: None, complete };
        let factor = match proven_by(&verify(&mut account.state_file()?, now, redeeming)?) {
            Ok(factor) => factor,
            Err(not_changed) => return Ok(Err(not_changed)),
        };
        let prepared = Prepared { app, recovery, change };
        self.make(person, &account, credentials, prepared, now)
            .map(|recovery| Ok(Changed { recovery, proof: Some(factor) }))
    }

    /// Makes the change, once the code for it is burned. Gives the recovery codes.
    fn make(
        &self,
        person: &Person,
        account: &LockedAccount,
        credentials: Option<Credentials>,
        Prepared { app, recovery, change }: Prepared,
        now: UnixTime,
    ) -> Result<Vec<RecoveryCode>, StoreError> {
        let mut state = account.state()?;
        tell(&mut state, person, now, change);
        if change == NoticedChange::Reset {
            account.overwrite_state(&state)?;
            self.reset_account(account, &person.name, Reset::Everything)?;
            return Ok(recovery);
        }
        let mut credentials = credentials.map_or_else(Credentials::none, Ok)?;
        if let Some(app) = app {
            credentials.apps.retain(|present| present.token().label != app.token().label);
            state.begin(app.token());
            credentials.apps.push(app);
        }
        credentials.replace_recovery(&recovery);
        account.write(&state, &credentials)?;
        Ok(recovery)
    }

    /// The app of a new secret, with the code that has confirmed it burned.
    fn confirmed(&self, new: NewApp, terms: &Terms, now: UnixTime) -> Result<Result<App, NotChanged>, StoreError> {
        let NewApp { label, secret, code } = new;
        if secret.bits() != 8 * terms.parameters.algorithm.secret_length() {
            return Ok(Err(NotChanged::BadSecret));
        }
        let proposal = Proposal::with_secret(secret, label, terms.parameters, "", "", now)?;
        Ok(proposal.try_code(&code, self.rules.window, now).map_err(|_| NotChanged::Unconfirmed))
    }
}

/// The invitation of a user who sets up a first factor, where one is needed or was typed. `check` looks at the code.
fn invited(
    typed: Option<&InvitationCode>,
    first: FirstFactor,
    check: impl FnOnce(&InvitationCode) -> Result<Result<Invitation, Reason>, StoreError>,
) -> Result<Result<Option<Invitation>, NotChanged>, StoreError> {
    match (typed, first) {
        (None, FirstFactor::Open) => Ok(Ok(None)),
        (None, FirstFactor::Invited) => Ok(Err(NotChanged::NeedsInvitation)),
        (Some(typed), _) => Ok(check(typed)?.map(Some).map_err(NotChanged::Proof)),
    }
}

/// The factor of the code with which a user has proved himself.
fn proven_by(redemption: &Redemption) -> Result<Factor, NotChanged> {
    match redemption {
        Redemption::Redeemed(redeemed) => Ok(redeemed.factor().clone()),
        Redemption::NearMiss { .. } => Err(NotChanged::Proof(Reason::WrongCode)),
        Redemption::Refused { reason, .. } => Err(NotChanged::Proof(*reason)),
    }
}

/// New recovery codes, where they count.
fn new_recovery_codes(terms: &Terms) -> Result<Vec<RecoveryCode>, SecretError> {
    recovery_codes(if terms.factors.recovery { terms.recovery_codes } else { 0 })
}

fn attempt<'a>(readings: &'a [Answer], source: &'a Source, terms: &Terms) -> Attempt<'a> {
    Attempt { readings, previous: None, source, factors: terms.factors, remember: None }
}

/// Has the owner told at the next login.
fn tell(state: &mut State, person: &Person, at: UnixTime, change: NoticedChange) {
    state.uid = Some(person.uid);
    state.notice(Notice { at, by: person.uid, change });
}
