//! Questions judged by the accounts in files.
//!
//! Invariants: the files lock, charge and settle, as at a login of a single host. The judgement is written down before it is told; a
//! server that is killed between the two has used a code up that the host does not know of, and the user types the next one. Work that
//! has begun ends, also where the host waits no longer, and until then no other question about the user begins.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use twofactor_core::account::quota::pause;
use twofactor_core::host::clock::SystemClock;
use twofactor_core::host::user::UserName;
use twofactor_core::store::wire::{Call, Message};
use twofactor_core::store::{Presence, Store as _, VerificationRules};
use twofactor_core::terms::OwnChanges;
use zeroize::Zeroizing;

use super::by_name::ByName;
use crate::answers::judged::{Counted, Judged, Outcome, Question, is_look, may_register, refusal};
use crate::answers::own_changes::answered;
use crate::answers::queues::Turn;
use crate::error::ServerError;
use crate::fleet_file::{FleetFile, Known, Note, Place, unusable};
use crate::hosts::host::Host;
use crate::journal::complain;
use crate::sealing::keys::Keys;

/// Most questions that are judged at once. Each has a thread, which waits for the disk.
const THREADS: usize = 64;

/// The file that a server locks while it runs.
const SERVING: &str = "serving";

/// The pause between two removals of old rows.
const ROUND: Duration = Duration::from_secs(10);

/// The accounts in a folder, for its one server.
pub(crate) struct InFiles {
    place: Place,
    pub(crate) file: Arc<FleetFile>,
    threads: Arc<Semaphore>,
    /// Held from the look at a quota of enrollments to the count of what was enrolled.
    enrolling: Arc<Mutex<()>>,
    /// Locked.
    _serving: File,
}

impl InFiles {
    /// Opens the store in a folder, where no other server runs.
    pub(crate) fn open(folder: &Path, keys: Keys) -> Result<Self, ServerError> {
        let place = Place::of(folder)?;
        // Many threads cannot be the owner in turns: root must not start the server of another.
        place.must_be_own()?;
        let serving = serving(&place, folder)?;
        let file = Arc::new(FleetFile::open(&place, keys)?);
        let (threads, enrolling) = (Arc::new(Semaphore::new(THREADS)), Arc::default());
        Ok(Self { place, file, threads, enrolling, _serving: serving })
    }

    /// Removes what is old, for ever.
    pub(crate) async fn keep_house(&self, audit_days: u32) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut has_failed = false;
        loop {
            rounds.tick().await;
            let file = Arc::clone(&self.file);
            let removed = spawn_blocking(move || file.remove_old(audit_days)).await;
            let failed = removed.unwrap_or(Err(ServerError::BrokenOff)).err();
            if let Some(error) = failed.as_ref().filter(|_| !has_failed) {
                complain(&error.to_string());
            }
            has_failed = failed.is_some();
        }
    }

    /// Judges a question, whose turn it is, and writes the judgement down.
    pub(crate) async fn judge(
        &self,
        question: Question<'_>,
        rules: VerificationRules,
        turn: Turn,
    ) -> Result<Judged, ServerError> {
        let digest = self.file.seals.digest_of(&question.host.name, &question.numbered()?)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| ServerError::BrokenOff)?;
        let work = Work {
            place: self.place.clone(),
            file: Arc::clone(&self.file),
            host: question.host.clone(),
            user: question.user.clone(),
            line: Zeroizing::new(question.line.to_vec()),
            digest,
            rules,
            own: question.own.cloned(),
            quota: question.quota,
            enrolling: Arc::clone(&self.enrolling),
        };
        let judged = spawn_blocking(move || {
            let _until_it_ends = (turn, thread);
            work.judged()
        });
        judged.await.unwrap_or(Err(ServerError::BrokenOff))
    }
}

/// Locks the file of the server that runs.
fn serving(place: &Place, folder: &Path) -> Result<File, ServerError> {
    place.folder()?.make_if_absent(SERVING).map_err(unusable)?;
    let path = folder.join(SERVING);
    let failed =
        |error: std::io::Error| ServerError::FleetFile { file: path.display().to_string(), problem: error.to_string() };
    let file = File::open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServerError::AnotherServer(folder.display().to_string())),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A question on a thread of its own.
struct Work {
    place: Place,
    file: Arc<FleetFile>,
    host: Host,
    user: UserName,
    line: Zeroizing<Vec<u8>>,
    digest: Vec<u8>,
    rules: VerificationRules,
    own: Option<Arc<OwnChanges>>,
    quota: Option<u32>,
    enrolling: Arc<Mutex<()>>,
}

impl Work {
    fn judged(&self) -> Result<Judged, ServerError> {
        let Self { place, file, host, user, line, digest, rules, own, quota, enrolling } = self;
        let broken = || ServerError::BrokenSeal(user.to_string());
        let Known { answer, wrong_codes, refused, newcomers } = file.known(&host.name, host.as_of, digest)?;
        if let Some(answer) = answer {
            return Message::read(&answer).map(Judged::plain).map_err(|_| broken());
        }
        let call = Message::read(line).and_then(|message| Call::read(&message)).map_err(|_| broken())?;
        let (event, changes, is_look) = (call.word(), changes_accounts(&call), is_look(&call));
        let slowed = pause(wrong_codes, host.wrong_codes_per_hour);
        let accounts = place.accounts(VerificationRules { slowed, ..*rules }, SystemClock);
        let accounts = ByName::new(accounts, place.clone(), Arc::clone(file), None);
        // An account that cannot be read is complained about by the answer.
        let is_new = call.token().is_some() && !accounts.files().knows(user).unwrap_or(true);
        may_register(&call, newcomers, is_new)?;
        let refusal = refusal(&call, is_new);
        // Of an account that cannot be read nothing is enrolled.
        let is_absent = |accounts: &ByName| matches!(accounts.presence(user), Ok(Presence::Absent(_)));
        let quota = quota.filter(|_| is_absent(&accounts));
        let _alone = quota.map(|_| enrolling.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(quota) = quota
            && file.is_over_quota(&host.name, quota)?
        {
            return Err(ServerError::EnrollmentsUsedUp);
        }
        let answer = match own {
            Some(may) => answered(call, &accounts, host, may),
            None => call.at_host(&host.name).answered_by(&accounts),
        };
        if !changes {
            return Ok(Judged::plain(answer));
        }
        let is_guess = accounts.files().has_counted_a_guess();
        let has_enrolled = quota.is_some() && !is_absent(&accounts);
        if answer.is_failing() && !is_guess && !has_enrolled {
            return Ok(Judged::plain(answer));
        }
        let outcome = Outcome { is_guess, is_new, is_refused: is_look || answer.is_refusal() };
        let (counted, is_kept) = (Counted::of(refusal, outcome), outcome.gets_row(refused));
        let detail = answer.in_short();
        file.note(&Note {
            host: &host.name,
            user,
            event,
            detail: &detail,
            question: digest,
            answer: &answer.line().map_err(|_| ServerError::NoRandomness)?,
            counted,
            is_kept,
            has_enrolled,
        })?;
        let wrong_codes = (counted == Some(Counted::WrongCode)).then_some(wrong_codes + 1.0);
        Ok(Judged { answer, wrong_codes, is_kept })
    }
}

/// True for a question whose answer changes an account, or hides that there is none. It has one answer.
fn changes_accounts(call: &Call) -> bool {
    match call {
        Call::Redeem(..)
        | Call::Strip(..)
        | Call::Pretend(_)
        | Call::CheckRegistration(..)
        | Call::Register(..)
        | Call::CheckInvitation(..)
        | Call::StoreApp(..)
        | Call::ChangeOwn(..)
        | Call::Help(_) => true,
        Call::Presence(_)
        | Call::CodeLengths(_)
        | Call::Remembers(..)
        | Call::RecoveryLeft(_)
        | Call::EnrollmentStatus(_)
        | Call::Confirm(_)
        | Call::Hello
        | Call::OwnAccount(_)
        | Call::OwnSshKeys(_) => false,
    }
}
