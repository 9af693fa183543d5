//! The helpdesk's verbs in the files: the sysadmin's, with a notice for the user.
//!
//! Invariants: a notice is written together with its act or before it, and the line of the history before it. The registry is
//! locked from that line to the end, and the owner after it. No member forgets the codes that were tried at the helpdesk. An
//! account of another person is neither shown nor touched.

use crate::account::Wallet;
use crate::account::factors::Factors;
use crate::account::notice::{Notice, NoticedChange};
use crate::account::throttle::{Count, Limits, Source};
use crate::codes::answer::Answer;
use crate::codes::otp::{Progress, Reaches};
use crate::codes::token::Serial;
use crate::host::clock::UnixTime;
use crate::host::user::Person;
use crate::log::record::Record;
use crate::store::administration::{
    AccountAdministration as _, AccountOwnership as _, Author, EnrollError, Reset, Sharing, StateIdentity as _,
    TokenError,
};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::locations::{Files, migrated};
use crate::store::files::tokens::progress_in;
use crate::store::helpdesk::{Act, Helpdesk, Helped, NotHelped, Verdict};
use crate::store::redemption::Attempt;
use crate::store::registry::{self, Begun, CHANGE_PATIENCE, Edit, RegistryError, Writer};
use crate::store::rules::VerificationRules;
use crate::store::self_service::OwnedToken;
use crate::store::verification::{Checking, Presented, Resynchronizing, TwoCodes};

impl Helpdesk for Files {
    fn help(&self, person: &Person, act: Act, by: &Person) -> Result<Result<Helped, NotHelped>, StoreError> {
        let outcome = match act {
            Act::Status => self.looked_at(person),
            act => self.recorded(person, act, by),
        };
        match outcome {
            Err(StoreError::UidChanged { .. }) => Ok(Err(NotHelped::AnotherPerson)),
            other => other,
        }
    }
}

/// The registry while an act is done, and the line of the history that is the act's.
struct Recording<'r> {
    registry: &'r mut Writer,
    by: Author<'r>,
    begun: Begun,
}

impl Recording<'_> {
    /// The change of the registry that is the act. The line says the outcome as soon as the change is there.
    fn edit(&mut self) -> Result<Edit<'_>, StoreError> {
        Ok(self.registry.edit_begun(self.by, self.begun)?)
    }
}

impl Files {
    fn looked_at(&self, person: &Person) -> Result<Result<Helped, NotHelped>, StoreError> {
        self.check_owner(person)?;
        let user = &person.name;
        if let Some(status) = self.status(user)? {
            return Ok(Ok(Helped::Enrolled(Box::new(status))));
        }
        Ok(match self.newcomer(user)? {
            Some(newcomer) if newcomer.uid.is_some_and(|uid| uid != person.uid) => Err(NotHelped::AnotherPerson),
            newcomer => newcomer.map(Helped::Invited).ok_or(NotHelped::NotEnrolled),
        })
    }

    /// Does an act that stands in the history from before it is done. The registry is locked until its outcome stands there, too.
    fn recorded(&self, person: &Person, act: Act, by: &Person) -> Result<Result<Helped, NotHelped>, StoreError> {
        self.check_owner(person)?;
        // It takes the lock that is the registry's.
        self.claim_if_used()?;
        let Some(state) = self.state_folder()? else { return Ok(Err(NotHelped::NotEnrolled)) };
        // Waits for the owner's lock before the registry is locked: an account that is stuck holds up no act about others.
        drop(self.locked(&person.name)?);
        let patience = self.until_deadline().unwrap_or(CHANGE_PATIENCE);
        // A registry that is lost is not begun anew here: its history would be lost without a word.
        let missing = || RegistryError::Missing(self.state.join(registry::FILE));
        let mut registry = Writer::open(state, patience)?.ok_or_else(missing)?;
        let author = Author { who: by.name.as_str(), at: self.clock.now()? };
        let (event, name) = (act.event(), act.name());
        let begun = registry.begin(author, by.uid, event, &person.name, act.serial())?;
        let outcome = self.helped(person, act, by, Recording { registry: &mut registry, by: author, begun });
        // The act is not undone where the line cannot be completed: it goes on saying that the outcome is not known.
        let _ = match &outcome {
            Ok(Ok(helped)) if !helped.is_nothing() => {
                registry.end(begun, author, helped.noted_in(Record::new(event)).pairs())
            }
            Ok(Err(why)) if why.is_guess() => {
                registry.refuse(begun, author, &why.noted_in(Record::refused(why.reason()), name))
            }
            Ok(_) | Err(StoreError::UidChanged { .. }) => registry.forget(begun, author),
            Err(_) => Ok(()),
        };
        outcome
    }

    fn helped(
        &self,
        person: &Person,
        act: Act,
        by: &Person,
        recording: Recording<'_>,
    ) -> Result<Result<Helped, NotHelped>, StoreError> {
        let user = &person.name;
        let now = self.clock.now()?;
        let notice = |change| Some(Notice { at: now, by: by.uid, change });
        match act {
            Act::Status => self.looked_at(person),
            Act::Verify(answer) => {
                let verdict = match self.checked(person, answer, by)? {
                    Ok(verdict) => verdict,
                    Err(why) => return Ok(Err(why)),
                };
                Ok(Ok(Helped::Judged(verdict, self.logins_blocked_until(person))))
            }
            Act::Unlock => {
                let failures = self.forgive(user, &Count::OF_USER, notice(NoticedChange::Unlocked))?;
                Ok(failures.map(Helped::Unlocked).ok_or(NotHelped::NotEnrolled))
            }
            Act::GiveCode(valid) => {
                let until = now.after(valid);
                match self.hand_out(person, until, notice(NoticedChange::CodeGiven)) {
                    Ok(Some(code)) => {
                        let blocked_until = self.logins_blocked_until(person);
                        Ok(Ok(Helped::CodeGiven { code, until, blocked_until }))
                    }
                    Err(EnrollError::Store(error)) => Err(error),
                    Err(EnrollError::Entropy(error)) => Err(error.into()),
                    // No app is enrolled here.
                    Ok(None)
                    | Err(EnrollError::AlreadyEnrolled(..) | EnrollError::TooMany(_) | EnrollError::Shared(_)) => {
                        Ok(Err(NotHelped::NotEnrolled))
                    }
                }
            }
            Act::RevokeCode => {
                Ok(Ok(Helped::CodeRevoked(self.take_back_handout(user, notice(NoticedChange::CodeRevoked))?)))
            }
            Act::Reset => self.reset_by_helpdesk(person, by),
            Act::Assign(serial) => self.assigned(person, &serial, by, recording),
            Act::Resync(token) => self.resynced(person, &token, by, recording),
        }
    }

    /// The time until which logins from anywhere are refused. That it cannot be looked up does not undo what was done.
    fn logins_blocked_until(&self, person: &Person) -> Option<UnixTime> {
        self.blocked_until(&person.name, Count::Logins, &Source::from_rhost(None)).unwrap_or_default()
    }

    fn helpdesk_rules(&self) -> VerificationRules {
        // A member learns of codes that are further off than a login looks. Guesses have a bound also where logins are not delayed:
        // a member is told at once whether a code is right.
        let limits = self.rules.limits.stricter(Limits::default());
        VerificationRules { reaches: Reaches::DAY, limits, ..self.rules.counting_on(Count::Helpdesk) }
    }

    fn checked(&self, person: &Person, answer: Answer, by: &Person) -> Result<Result<Verdict, NotHelped>, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Err(NotHelped::NotEnrolled)) };
        let Some(credentials) = account.credentials()? else {
            return migrated(user, &account.state()?).map(|()| Err(NotHelped::NotEnrolled));
        };
        let (now, rules) = (self.clock.now()?, self.helpdesk_rules());
        let wallet = Wallet { credentials: Some(&credentials), factors: Factors::ALL };
        let (source, readings) = (Source::claimed(), [answer]);
        let attempt = attempt(&readings, &source);
        let presented = Presented { person, wallet: &wallet, attempt: &attempt, rules: &rules, now };
        let notice = Notice { at: now, by: by.uid, change: NoticedChange::CodeChecked };
        let verdict = self.verify_at(&account, now, Checking { presented, notice })?;
        match verdict {
            // It may be a code of a token that is not in the file yet.
            Ok(Verdict::Wrong | Verdict::AppOutOfStep { .. } | Verdict::TokenOutOfStep { .. }) => {
                migrated(user, &account.state()?).map(|()| verdict)
            }
            verdict => Ok(verdict),
        }
    }

    fn reset_by_helpdesk(&self, person: &Person, by: &Person) -> Result<Result<Helped, NotHelped>, StoreError> {
        let user = &person.name;
        let Some(account) = self.locked(user)? else { return Ok(Err(NotHelped::NotEnrolled)) };
        // What is damaged is root's matter.
        let (before, credentials) = (account.state()?, account.credentials()?);
        Self::check_belongings(&account, &before, person)?;
        let mut told = before.clone();
        told.notice(Notice { at: self.clock.now()?, by: by.uid, change: NoticedChange::Reset });
        account.overwrite_state(&told)?;
        if !self.reset_account(&account, user, Reset::Everything)? {
            account.overwrite_state(&before)?;
            let has_tokens = credentials.is_some() || before.tokens_held > 0;
            return Ok(Err(if has_tokens { NotHelped::OnlyTokens } else { NotHelped::NotEnrolled }));
        }
        // That they cannot be listed does not undo what was done.
        let held = self.registered(user).unwrap_or_default();
        Ok(Ok(Helped::Reset(held.into_iter().map(|held| held.token.serial).collect())))
    }

    fn assigned(
        &self,
        person: &Person,
        serial: &Serial,
        by: &Person,
        mut recording: Recording<'_>,
    ) -> Result<Result<Helped, NotHelped>, StoreError> {
        let notice = Notice { at: self.clock.now()?, by: by.uid, change: NoticedChange::TokenAssigned };
        let pair = (serial.clone(), person.clone());
        match self.give(recording.edit()?, &[pair], Sharing::Refuse, Some(&notice)) {
            Ok(()) => Ok(Ok(Helped::Assigned)),
            Err(error) => not_helped(error).map(Err),
        }
    }

    /// Sets a token right, under the locks of the registry and of the owner. Right codes are burned in the owner's state as they
    /// are judged: they are used up also where the registry cannot be written afterwards.
    fn resynced(
        &self,
        person: &Person,
        shown: &OwnedToken,
        by: &Person,
        mut recording: Recording<'_>,
    ) -> Result<Result<Helped, NotHelped>, StoreError> {
        let OwnedToken { serial, codes: [first, second] } = shown;
        let user = &person.name;
        let edit = recording.edit()?;
        let Some(token) = edit.token(serial)? else { return Ok(Err(NotHelped::NoToken)) };
        if token.owner.as_deref() != Some(user.as_str()) {
            return Ok(Err(NotHelped::NotOwned));
        }
        let (Some(secret), parameters) = (&token.secret, token.parameters) else { return Ok(Err(NotHelped::Revoked)) };
        let lost = || FilesError::LostState(self.path_of_state(user));
        let account = self.locked(user)?.ok_or_else(lost)?;
        let (now, rules, source) = (self.clock.now()?, self.helpdesk_rules(), Source::claimed());
        let resynchronizing = Resynchronizing {
            person,
            two: TwoCodes { serial, codes: [first, second], attempt: &attempt(&[], &source), rules: &rules, now },
            secret,
            parameters,
            progress: progress_in(&account, &token, now)?,
            notice: Notice { at: now, by: by.uid, change: NoticedChange::TokenResynced },
        };
        let progress = match self.verify_at(&account, now, resynchronizing)? {
            Ok(progress) => progress,
            Err(why) => return Ok(Err(why)),
        };
        edit.resynchronize(&token, progress)?;
        edit.commit()?;
        let Progress { drift, watermark, .. } = progress;
        Ok(Ok(Helped::Resynced { owner: user.clone(), kind: parameters.kind, drift, watermark }))
    }
}

fn attempt<'a>(readings: &'a [Answer], source: &'a Source) -> Attempt<'a> {
    Attempt { readings, previous: None, source, factors: Factors::ALL, remember: None }
}

/// The reason for which a member has not changed a token.
fn not_helped(error: TokenError) -> Result<NotHelped, StoreError> {
    Ok(match error {
        TokenError::NoToken(_) => NotHelped::NoToken,
        TokenError::Owned(..) | TokenError::Twice(_) => NotHelped::Owned,
        TokenError::NotOwned(_) => NotHelped::NotOwned,
        TokenError::Revoked(_) => NotHelped::Revoked,
        TokenError::Unusable(..) => NotHelped::Unusable,
        TokenError::TooMany(_) => NotHelped::TooMany,
        TokenError::Shared(..) => NotHelped::Shared,
        TokenError::WrongCodes(_) => NotHelped::WrongCodes,
        // Of other changes.
        TokenError::NoSeries(_) | TokenError::LastCredential(_) | TokenError::Unreadable(_) | TokenError::Twins(..) => {
            NotHelped::NoToken
        }
        TokenError::Store(error) => return Err(error),
    })
}
