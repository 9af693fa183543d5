//! Questions judged by the accounts in PostgreSQL: read, judge in memory, write by one compare-and-set.
//!
//! Invariants: an account that was changed between reading and writing is read and judged again. A question that was answered a moment
//! ago, by any server, is answered from the record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use twofactor_core::account::quota::pause;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::{Person, Uid, UserName};
use twofactor_core::store::administration::Author;
use twofactor_core::store::one_account::{Change, Decoy, OneAccount};
use twofactor_core::store::wire::{Call, Message};
use twofactor_core::store::{Listing, TokenRegistration, VerificationRules};

use crate::answers::guesses::Guesses;
use crate::answers::judged::{Counted, Judged, Outcome, Question, REFUSALS, is_look, may_register, refusal};
use crate::answers::own_changes::answered;
use crate::clocks::agreed;
use crate::database::schema::Tables;
use crate::database::tables::{Database, Found, Note, Written};
use crate::error::ServerError;
use crate::inventory::{self, Registered, Registering, looking};
use crate::postgresql::Postgresql;
use crate::sealing::keys::Keys;
use crate::upkeep::housekeeping::Housekeeping;

/// The number of times that a question is judged. Each conflict means that another attempt was written, so in a race of this many
/// each of them ends.
pub(crate) const ROUNDS: usize = 64;

/// For so long a question is asked again of a database whose connection was lost: one of its processes was killed, or another host
/// takes over.
const STANDING_BY: Duration = Duration::from_secs(2);

/// The pause before that.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest that a server which ends may take to say so.
const GOODBYE: Duration = Duration::from_secs(1);

/// The longest wait of a registration for a sysadmin's change of tokens.
const REGISTRATION_PATIENCE: Duration = Duration::from_secs(3);

/// The accounts of a store in PostgreSQL, for one of its servers.
pub(crate) struct InDatabase {
    pub(crate) database: Arc<Database>,
    instance: String,
    decoy: Decoy,
    guesses: Guesses,
}

impl InDatabase {
    /// Opens the store behind a connection string.
    pub(crate) async fn open(postgresql: Postgresql, keys: Keys) -> Result<Self, ServerError> {
        let database = Arc::new(Database::open(postgresql, keys, Tables::Upgraded).await?.answering_links());
        let decoy = Decoy::new(SystemClock.now()?).map_err(|_| ServerError::NoRandomness)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| ServerError::NoRandomness)?;
        let instance = data_encoding::HEXLOWER.encode(&random);
        Ok(Self { database, instance, decoy, guesses: Guesses::default() })
    }

    /// Does the work beside the questions, for ever.
    pub(crate) async fn keep_house(&self, audit_days: u32) {
        Housekeeping::new(&self.database, &self.instance, audit_days).work().await;
    }

    /// Says that this server does not run any more.
    pub(crate) async fn leave(&self) {
        let _ = timeout(GOODBYE, self.database.leave(&self.instance)).await;
    }

    /// Judges a question, and writes the judgement.
    pub(crate) async fn judge(&self, question: Question<'_>, rules: VerificationRules) -> Result<Judged, ServerError> {
        if self.guesses.are_too_many(question.user, rules.limits) {
            return Err(ServerError::PutBack(question.user.to_string()));
        }
        let digest = self.database.digest_of(&question.host.name, &question.numbered()?)?;
        let began = Instant::now();
        for _ in 0..ROUNDS {
            match self.judge_once(question, &digest, rules).await {
                Ok(Some(judged)) => return Ok(judged),
                Ok(None) => {}
                // If it was written all the same, the answer is read now.
                Err(error) if error.is_passing() && began.elapsed() < STANDING_BY => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Err(ServerError::Contended(ROUNDS))
    }

    /// The judgement; `None` where the account was changed between reading and writing.
    async fn judge_once(
        &self,
        Question { host, message, user, own, quota, .. }: Question<'_>,
        digest: &[u8],
        rules: VerificationRules,
    ) -> Result<Option<Judged>, ServerError> {
        let broken = || ServerError::BrokenSeal(user.to_string());
        let account = match self.database.read(&host.name, host.as_of, user, digest).await? {
            Found::Answered(answer) => {
                return Message::read(&answer).map(|answer| Some(Judged::plain(answer))).map_err(|_| broken());
            }
            Found::Account(account) => account,
        };
        let now = agreed(account.now)?;
        // Read anew: a question is used up by its answer.
        let call = Call::read(message).map_err(|_| broken())?;
        let is_new = account.version.is_none();
        let (gets_rows, refusal) = (account.refused < REFUSALS, refusal(&call, is_new));
        may_register(&call, account.newcomers, is_new)?;
        let (event, is_look) = (call.word(), is_look(&call));
        let slowed = pause(account.wrong_codes, host.wrong_codes_per_hour);
        let rules = VerificationRules { slowed, ..rules };
        let one = OneAccount::of(user.clone(), &account.read, rules, &self.decoy, now)?;
        if let Some(serial) = call.token() {
            let found = looking::token(&self.database, serial).await?;
            one.knows(serial.clone(), found.map_or(Listing::Unknown, |seen| seen.listed.into_listing()));
        }
        let answer = match own {
            Some(may) => answered(call, &one, host, may),
            None => call.at_host(&host.name).answered_by(&one),
        };
        if let Some(registration) = one.registered() {
            let (host, who, read) = (host.name.as_str(), None, account.version);
            let asked = Registering { host, who, question: digest, event, read, quota, gets_rows };
            let registered = self.register(user, &registration, asked, now).await?;
            let is_refused = registered.as_ref().is_some_and(Message::is_refusal);
            if is_refused {
                self.database.count_refusal(host, refusal).await?;
            }
            return Ok(registered.map(|answer| Judged { is_kept: gets_rows || !is_refused, ..Judged::plain(answer) }));
        }
        let is_guess = one.has_counted_a_guess();
        let change = one.into_change();
        if matches!(change, Change::Nothing) {
            return Ok(Some(Judged::plain(answer)));
        }
        let is_refused = is_look || answer.is_refusal() || matches!(change, Change::InVain);
        let outcome = Outcome { is_guess, is_new, is_refused };
        let (counted, is_kept) = (Counted::of(refusal, outcome), outcome.gets_row(account.refused));
        let detail = answer.in_short();
        let line = answer.line().map_err(|_| ServerError::NoRandomness)?;
        let note = Note {
            host: &host.name,
            who: None,
            user,
            event,
            detail: &detail,
            question: digest,
            answer: &line,
            quota: quota.filter(|_| matches!(change, Change::Both { .. })),
            counted,
            is_kept,
        };
        // Before it is written: a writer of the database can keep the end of a write from this server.
        if counted == Some(Counted::WrongCode) {
            self.guesses.count(user, digest);
        }
        match self.database.write(&account, &change, &note).await? {
            Written::Done if answer.is_redemption() => self.guesses.forget(user),
            Written::Done => {}
            Written::Conflict => return Ok(None),
            Written::OverQuota => return Err(ServerError::EnrollmentsUsedUp),
        }
        let wrong_codes = (counted == Some(Counted::WrongCode)).then_some(account.wrong_codes + 1.0);
        Ok(Some(Judged { answer, wrong_codes, is_kept }))
    }

    /// Gives a token to the user who has shown two codes of it; `None` where the account was changed meanwhile.
    async fn register(
        &self,
        user: &UserName,
        registration: &TokenRegistration,
        asked: Registering<'_>,
        now: UnixTime,
    ) -> Result<Option<Message>, ServerError> {
        let by = Author { who: user.as_str(), at: now };
        let change = inventory::Change { clock: &SystemClock, by, patience: REGISTRATION_PATIENCE };
        // Names are compared, and no uids.
        let person = Person { name: user.clone(), uid: Uid(u32::MAX) };
        match change.register(&self.database, &person, registration, asked).await? {
            Registered::Judged(stored) => Ok(Some(inventory::answer(registration, &stored))),
            Registered::Conflict => Ok(None),
            Registered::OverQuota => Err(ServerError::EnrollmentsUsedUp),
        }
    }
}
