//! Users' own verbs in the files.
//!
//! Invariants: the code is burned, and the notice of the change written, before the change itself: a crash between leaves the
//! account as it was, with a code used and a notice too many. All of it happens under one lock.

use crate::account::enrollment::{Proposal, recovery_codes};
use crate::account::factors::{Attestation, Factors};
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::lifecycle::TokenStatus;
use crate::account::notice::{Notice, NoticedChange};
use crate::account::throttle::{Count, Source};
use crate::account::{App, Confirmation, Credentials, EnrolledKey, MOST_APPS, MOST_SSH_KEYS, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid};
use crate::log::reason::Reason;
use crate::store::administration::{
    AccountAdministration as _, AccountOwnership as _, AppStatus, Author, Reset, Sharing, SshKeyView,
    TokenAdministration as _, TokenError, TokenView,
};
use crate::store::enrollment::{EnrollmentStore as _, NotRegistered, Pending, PendingFactor, Registration, Superseded};
use crate::store::error::StoreError;
use crate::store::files::locations::{Files, migrated};
use crate::store::files::user_folder::LockedAccount;
use crate::store::newcomer::spend;
use crate::store::redemption::{Attempt, Factor, Presence, Redemption, Store as _};
use crate::store::registry::{self, RegistryError};
use crate::store::self_service::{
    Change, ChangeOutcome, Changed, FirstFactor, KeyNotChanged, NewApp, NotChanged, OwnAccount, OwnApp, OwnToken,
    OwnedToken, Request, SelfService, Terms,
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
            last_accepted: app.last_accepted,
        };
        this.apps = status.apps.into_iter().map(app).collect();
        let token = |token: TokenView| OwnToken {
            serial: token.serial,
            state: token.stage.word().to_owned(),
            last_accepted: token.last_accepted,
        };
        this.tokens = status.tokens.into_iter().map(token).collect();
        this.ssh_keys = status.ssh_keys.len();
        this.recovery_left = status.recovery_left;
        this.temporary_until = status.temporary_until;
        this.last_accepted = status.last_accepted;
        Ok(this)
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

/// A change of an account that has a factor, made up before the code for it is burned.
enum Prepared {
    App(App, Vec<RecoveryCode>),
    Recovery(Vec<RecoveryCode>),
    Reset,
    AddedKey(EnrolledKey),
    RemovedKey(EnrolledKey),
}

impl Prepared {
    fn noticed(&self) -> NoticedChange {
        match self {
            Self::App(..) => NoticedChange::AppReplaced,
            Self::Recovery(_) => NoticedChange::RecoveryReplaced,
            Self::Reset => NoticedChange::Reset,
            Self::AddedKey(_) => NoticedChange::SshKeyAdded,
            Self::RemovedKey(_) => NoticedChange::SshKeyRemoved,
        }
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
        Ok(Ok(Changed { recovery, ssh_key: None }))
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
        let source = Source::claimed();
        // Before the proof is looked at: a slip in the serial must cost no recovery code.
        if let Err(not_changed) = self.shown(person, token, &attempt(&[], &source, terms))? {
            return Ok(Err(not_changed));
        }
        let readings = [proof];
        match proven_by(&self.redeem(person, &attempt(&readings, &source, terms))?) {
            Ok(factor) => *burned = Some(factor),
            Err(not_changed) => return Ok(Err(not_changed)),
        }
        self.notice(person, person.uid, NoticedChange::TokenRegistered)?;
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
        let prepared = match self.prepared(change, &proof, &credentials, &state, terms, now)? {
            Ok(prepared) => prepared,
            Err(not_changed) => return Ok(Err(not_changed)),
        };

        let (source, readings) = (Source::claimed(), [proof]);
        let attempt = attempt(&readings, &source, terms);
        let wallet = Wallet { credentials: Some(&credentials), factors: terms.factors };
        let presented = Presented { person, wallet: &wallet, attempt: &attempt, rules: &self.rules, now };
        let complete = |state: &State| migrated(user, state);
        let redeeming = Redeeming { presented, missing: None, complete };
        match proven_by(&verify(&mut account.state_file()?, now, redeeming)?) {
            Ok(factor) => *burned = Some(factor),
            Err(not_changed) => return Ok(Err(not_changed)),
        }
        self.make(person, &account, credentials, prepared, now).map(Ok)
    }

    /// Makes the change up, or says why it cannot be made. It tells nothing that its owner may not see without a code: the
    /// secret of a new app is the user's own, and `self status` lists the rest.
    fn prepared(
        &self,
        change: Change,
        proof: &Answer,
        credentials: &Credentials,
        state: &State,
        terms: &Terms,
        now: UnixTime,
    ) -> Result<Result<Prepared, NotChanged>, StoreError> {
        let refused = |why| Ok(Err(NotChanged::SshKey(why)));
        let keys = &credentials.ssh_keys;
        Ok(Ok(match change {
            Change::Replace(new) => {
                let app = match self.confirmed(new, terms, now)? {
                    Ok(app) => app,
                    Err(not_changed) => return Ok(Err(not_changed)),
                };
                let others = credentials.apps.iter().filter(|present| present.token().label != app.token().label);
                if others.count() >= MOST_APPS {
                    return Ok(Err(NotChanged::TooMany));
                }
                Prepared::App(app, new_recovery_codes(terms)?)
            }
            Change::Recovery => Prepared::Recovery(new_recovery_codes(terms)?),
            Change::Reset => Prepared::Reset,
            Change::AddSshKey { key, .. } if keys.iter().any(|enrolled| enrolled.key == key) => {
                return refused(KeyNotChanged::AlreadyEnrolled);
            }
            Change::AddSshKey { .. } if keys.len() >= MOST_SSH_KEYS => return refused(KeyNotChanged::TooMany),
            Change::AddSshKey { key, label } => {
                Prepared::AddedKey(EnrolledKey { key, label, issued: now, attestation: Attestation::None })
            }
            Change::RemoveSshKey(fingerprint) => match keys.iter().find(|one| one.key.fingerprint() == fingerprint) {
                None => return refused(KeyNotChanged::NoKey),
                Some(key) if !opens_without(key, credentials, state, proof, &terms.accepted) => {
                    return refused(KeyNotChanged::LastCredential);
                }
                Some(key) => Prepared::RemovedKey(key.clone()),
            },
            // A first factor needs no proof, and a token more than one.
            Change::Enroll(_) | Change::Token(_) => return Ok(Err(NotChanged::Enrolled)),
        }))
    }

    /// Makes the change, once the code for it is burned.
    fn make(
        &self,
        person: &Person,
        account: &LockedAccount,
        mut credentials: Credentials,
        prepared: Prepared,
        now: UnixTime,
    ) -> Result<Changed, StoreError> {
        let mut state = account.state()?;
        tell(&mut state, person, now, prepared.noticed());
        let mut changed = Changed { recovery: Vec::new(), ssh_key: None };
        match prepared {
            Prepared::Reset => {
                account.overwrite_state(&state)?;
                self.reset_account(account, &person.name, Reset::Everything)?;
                return Ok(changed);
            }
            Prepared::App(app, recovery) => {
                credentials.apps.retain(|present| present.token().label != app.token().label);
                state.begin(app.token());
                credentials.apps.push(app);
                credentials.replace_recovery(&recovery);
                changed.recovery = recovery;
            }
            Prepared::Recovery(recovery) => {
                credentials.replace_recovery(&recovery);
                changed.recovery = recovery;
            }
            Prepared::AddedKey(key) => {
                changed.ssh_key = Some(SshKeyView::of(&key));
                credentials.ssh_keys.push(key);
            }
            Prepared::RemovedKey(key) => {
                changed.ssh_key = Some(SshKeyView::of(&key));
                credentials.ssh_keys.retain(|other| other.key != key.key);
            }
        }
        account.write(&state, &credentials)?;
        Ok(changed)
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

/// True when a user who has used up this proof can begin every login without this ssh key that the key opens, one of `accepted`
/// counting there. Else taking it away would shut the user out, or leave an account that counts as not enrolled, which a policy may
/// let in.
fn opens_without(
    key: &EnrolledKey,
    credentials: &Credentials,
    state: &State,
    proof: &Answer,
    accepted: &[Factors],
) -> bool {
    let wallet = Wallet { credentials: Some(credentials), factors: Factors::ALL };
    let used = usize::from(wallet.has_on_paper(proof, state));
    let opens = |factors: Factors| {
        let app = |app: &App| app.confirmation() == Confirmation::Confirmed && factors.app;
        let another = |other: &EnrolledKey| other.key != key.key && factors.accept_ssh_key(other.attestation);
        credentials.apps.iter().any(app)
            || credentials.held.iter().any(|held| held.status == TokenStatus::Good && factors.token)
            || (credentials.recovery_left(state) > used && factors.recovery)
            || credentials.ssh_keys.iter().any(another)
    };
    let counts = |factors: &&Factors| factors.accept_ssh_key(key.attestation);
    opens(Factors::ALL) && accepted.iter().filter(counts).all(|factors| opens(*factors))
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
