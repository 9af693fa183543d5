//! The changes that users make of their own accounts: made up before the code for them is burned, and made after it.

use super::enrolling::Whole;
use crate::account::enrollment::{Proposal, recovery_codes};
use crate::account::factors::{Attestation, Factors};
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::lifecycle::TokenStatus;
use crate::account::notice::{Notice, NoticedChange};
use crate::account::throttle::Count;
use crate::account::{App, Confirmation, Credentials, EnrolledKey, MOST_APPS, MOST_SSH_KEYS, State, Wallet};
use crate::codes::answer::Answer;
use crate::codes::otp::Window;
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::SecretError;
use crate::host::clock::UnixTime;
use crate::host::user::{Person, Uid};
use crate::log::reason::Reason;
use crate::store::administration::{AccountStatus, AppStatus, SshKeyView, TokenView};
use crate::store::enrollment::{NotRegistered, Superseded};
use crate::store::error::StoreError;
use crate::store::newcomer::spend;
use crate::store::redemption::{Attempt, Factor, Redemption};
use crate::store::rules::VerificationRules;
use crate::store::self_service::{
    Change, Changed, FirstFactor, KeyNotChanged, NewApp, NotChanged, OwnAccount, OwnApp, OwnToken, Terms,
};

/// The account as its owner sees it. `status` is `None` for a user who is not enrolled.
pub(in crate::store) fn own_account(
    state: &State,
    status: Option<AccountStatus>,
    rules: &VerificationRules,
    now: UnixTime,
) -> OwnAccount {
    let own = state.throttle_of(Count::Unprivileged);
    let this = OwnAccount {
        failures: state.throttle.user.count,
        blocked_until: state.throttle.others_blocked_until(rules.limits, now),
        own_failures: own.user.count,
        own_blocked_until: own.others_blocked_until(rules.limits, now),
        invited_until: state.invitation.as_ref().and_then(|invitation| invitation.open_until(now)),
        ..OwnAccount::default()
    };
    let Some(status) = status else { return this };
    let app = |app: AppStatus| OwnApp {
        label: app.label,
        serial: app.serial,
        issued: app.issued,
        confirmation: app.confirmation,
        last_accepted: app.last_accepted,
    };
    let token = |token: TokenView| OwnToken {
        serial: token.serial,
        state: token.stage.word().to_owned(),
        last_accepted: token.last_accepted,
    };
    OwnAccount {
        apps: status.apps.into_iter().map(app).collect(),
        tokens: status.tokens.into_iter().map(token).collect(),
        ssh_keys: status.ssh_keys.len(),
        recovery_left: status.recovery_left,
        temporary_until: status.temporary_until,
        last_accepted: status.last_accepted,
        ..this
    }
}

/// A user who changes the own account.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Changer<'p> {
    /// The user, under the uid that the account has.
    pub(in crate::store) owner: &'p Person,
    /// The uid of the process that asks, for the notice. `None` in the store of a fleet: no login shows notices there, and the uid would
    /// be the word of a host.
    pub(in crate::store) by: Option<Uid>,
    /// The time of the change.
    pub(in crate::store) at: UnixTime,
}

impl Changer<'_> {
    /// Has the owner told at the next login, where one shows it.
    fn tell(self, state: &mut State, change: NoticedChange) {
        state.uid = Some(self.owner.uid);
        if let Some(by) = self.by {
            state.notice(Notice { at: self.at, by, change });
        }
    }
}

/// The account with a first app.
pub(in crate::store) fn first_app(
    app: App,
    invitation: Option<Invitation>,
    mut state: State,
    terms: &Terms,
    changer: Changer<'_>,
) -> Result<Result<(Whole, Changed), NotChanged>, StoreError> {
    if spend(&mut state, invitation, changer.at).is_err() {
        return Ok(Err(NotChanged::Proof(Reason::InvitationWrong)));
    }
    let (recovery, mut credentials) = (new_recovery_codes(terms)?, Credentials::none()?);
    state.begin(app.token());
    credentials.apps.push(app);
    credentials.replace_recovery(&recovery);
    changer.tell(&mut state, NoticedChange::AppEnrolled);
    Ok(Ok((Whole { credentials, state }, Changed { recovery, ssh_key: None })))
}

/// A change of an account that has a factor, made up before the code for it is burned.
pub(in crate::store) enum Prepared {
    /// An app with its recovery codes.
    App(App, Vec<RecoveryCode>),
    /// Recovery codes.
    Recovery(Vec<RecoveryCode>),
    /// Nothing but physical tokens.
    Reset,
    /// A further ssh key.
    AddedKey(EnrolledKey),
    /// One ssh key less.
    RemovedKey(EnrolledKey),
}

impl Prepared {
    /// Makes the change up, or says why it cannot be made. It tells nothing that its owner may not see without a code: the
    /// secret of a new app is the user's own, and `self status` lists the rest.
    pub(in crate::store) fn of(
        change: Change,
        proof: &Answer,
        credentials: &Credentials,
        state: &State,
        terms: &Terms,
        (window, now): (Window, UnixTime),
    ) -> Result<Result<Self, NotChanged>, StoreError> {
        let refused = |why| Ok(Err(NotChanged::SshKey(why)));
        let keys = &credentials.ssh_keys;
        Ok(Ok(match change {
            Change::Replace(new) => {
                let app = match confirmed(new, terms, window, now)? {
                    Ok(app) => app,
                    Err(not_changed) => return Ok(Err(not_changed)),
                };
                let others = credentials.apps.iter().filter(|present| present.token().label != app.token().label);
                if others.count() >= MOST_APPS {
                    return Ok(Err(NotChanged::TooMany));
                }
                Self::App(app, new_recovery_codes(terms)?)
            }
            Change::Recovery => Self::Recovery(new_recovery_codes(terms)?),
            Change::Reset => Self::Reset,
            Change::AddSshKey { key, .. } if keys.iter().any(|enrolled| enrolled.key == key) => {
                return refused(KeyNotChanged::AlreadyEnrolled);
            }
            Change::AddSshKey { .. } if keys.len() >= MOST_SSH_KEYS => return refused(KeyNotChanged::TooMany),
            Change::AddSshKey { key, label } => {
                Self::AddedKey(EnrolledKey { key, label, issued: now, attestation: Attestation::None })
            }
            Change::RemoveSshKey(fingerprint) => match keys.iter().find(|one| one.key.fingerprint() == fingerprint) {
                None => return refused(KeyNotChanged::NoKey),
                Some(key) if !opens_without(key, credentials, state, proof, &terms.accepted) => {
                    return refused(KeyNotChanged::LastCredential);
                }
                Some(key) => Self::RemovedKey(key.clone()),
            },
            // A first factor needs no proof, and a token more than one.
            Change::Enroll(_) | Change::Token(_) => return Ok(Err(NotChanged::Enrolled)),
        }))
    }

    fn noticed(&self) -> NoticedChange {
        match self {
            Self::App(..) => NoticedChange::AppReplaced,
            Self::Recovery(_) => NoticedChange::RecoveryReplaced,
            Self::Reset => NoticedChange::Reset,
            Self::AddedKey(_) => NoticedChange::SshKeyAdded,
            Self::RemovedKey(_) => NoticedChange::SshKeyRemoved,
        }
    }

    /// Makes the change of an account whose state is the one after the code.
    pub(in crate::store) fn made(
        self,
        mut credentials: Credentials,
        mut state: State,
        changer: Changer<'_>,
    ) -> (Made, Changed) {
        changer.tell(&mut state, self.noticed());
        let mut outcome = Changed { recovery: Vec::new(), ssh_key: None };
        match self {
            Self::Reset => return (Made::Reset(Whole { credentials, state }), outcome),
            Self::App(app, recovery) => {
                credentials.apps.retain(|present| present.token().label != app.token().label);
                state.begin(app.token());
                credentials.apps.push(app);
                credentials.replace_recovery(&recovery);
                outcome.recovery = recovery;
            }
            Self::Recovery(recovery) => {
                credentials.replace_recovery(&recovery);
                outcome.recovery = recovery;
            }
            Self::AddedKey(key) => {
                outcome.ssh_key = Some(SshKeyView::of(&key));
                credentials.ssh_keys.push(key);
            }
            Self::RemovedKey(key) => {
                outcome.ssh_key = Some(SshKeyView::of(&key));
                credentials.ssh_keys.retain(|other| other.key != key.key);
            }
        }
        (Made::Changed(Whole { credentials, state }), outcome)
    }
}

/// An account after a change.
pub(in crate::store) enum Made {
    /// To be written.
    Changed(Whole),
    /// To be reset, and the notice of that kept.
    Reset(Whole),
}

/// The app of a new secret, with the code that has confirmed it burned.
pub(in crate::store) fn confirmed(
    new: NewApp,
    terms: &Terms,
    window: Window,
    now: UnixTime,
) -> Result<Result<App, NotChanged>, StoreError> {
    let NewApp { label, secret, code } = new;
    if secret.bits() != 8 * terms.parameters.algorithm.secret_length() {
        return Ok(Err(NotChanged::BadSecret));
    }
    let proposal = Proposal::with_secret(secret, label, terms.parameters, "", "", now)?;
    Ok(proposal.try_code(&code, window, now).map_err(|_| NotChanged::Unconfirmed))
}

/// The invitation of a user who sets up a first factor, where one is needed or was typed. `check` looks at the code.
pub(in crate::store) fn invited(
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
pub(in crate::store) fn proven_by(redemption: &Redemption) -> Result<Factor, NotChanged> {
    match redemption {
        Redemption::Redeemed(redeemed) => Ok(redeemed.factor().clone()),
        Redemption::NearMiss { .. } => Err(NotChanged::Proof(Reason::WrongCode)),
        Redemption::Refused { reason, .. } => Err(NotChanged::Proof(*reason)),
    }
}

/// The user's attempt with these readings.
pub(in crate::store) fn attempt<'a>(readings: &'a [Answer], terms: &'a Terms) -> Attempt<'a> {
    Attempt { readings, previous: None, source: &terms.source, factors: terms.factors, remember: None }
}

/// The reason in the words for a user: one for all that is wrong with a token.
pub(in crate::store) fn token_refused(why: &NotRegistered) -> NotChanged {
    match why {
        NotRegistered::Throttled => NotChanged::Proof(Reason::Throttled),
        NotRegistered::NoSuchToken | NotRegistered::NotFree(_) | NotRegistered::WrongCodes(_) => {
            NotChanged::TokenRefused
        }
    }
}

/// The reason for which a registration was not stored, in the words for a user. An error is one of the store.
pub(in crate::store) fn overtaken(why: Superseded) -> Result<NotChanged, StoreError> {
    match why {
        Superseded::Store(error) => Err(error),
        Superseded::Entropy(error) => Err(error.into()),
        Superseded::Enrolled => Ok(NotChanged::Enrolled),
        Superseded::InvitationSpent => Ok(NotChanged::Proof(Reason::InvitationWrong)),
        Superseded::Reset | Superseded::Expired | Superseded::TokenTaken => Ok(NotChanged::TokenRefused),
    }
}

/// New recovery codes, where they count.
fn new_recovery_codes(terms: &Terms) -> Result<Vec<RecoveryCode>, SecretError> {
    recovery_codes(if terms.factors.recovery { terms.recovery_codes } else { 0 })
}
