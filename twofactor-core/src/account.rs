//! An account: a user's apps, recovery codes and physical tokens, and how far they have been used.
//!
//! What an answer is to all of that is in `judging`.
//!
//! [`Credentials`] change on enrollment only and [`Held`] tokens when they are assigned; [`State`] changes with every
//! login. They are stored apart, so that configuration management and backups of the one do not fight with the other.

use crate::account::invitation::Invitation;
use crate::account::lifecycle::Status;
use crate::account::remembered::Memories;
use crate::account::throttle::{Source, Throttle};
use crate::codes::digest::Digest;
use crate::codes::otp::{self, Code, Match, Progress, Step, Window};
use crate::codes::recovery::{RecoveryCode, Salt};
use crate::codes::secret::SecretError;
use crate::codes::token::{Label, Seed, Seeds, Token};
use crate::host::clock::UnixTime;
use crate::host::user::Uid;

pub use judging::{Judgement, NearMiss, Proof, REPEATED, Rules, Uses, Wallet};

pub mod enrollment;
pub mod invitation;
mod judging;
pub mod lifecycle;
pub mod remembered;
pub mod throttle;

/// Most apps of one user.
pub const MOST_APPS: usize = 16;
/// Most recovery codes of one user.
pub const MOST_RECOVERY_CODES: usize = 20;
/// Most used recovery codes that are remembered of one user.
const MOST_USED_RECOVERY: usize = 2 * MOST_RECOVERY_CODES;
/// Most physical tokens of one user.
pub const MOST_HELD: usize = 16;
/// Most seeds whose burned steps are kept for one user: those of all apps and tokens, and of as many that are gone.
const MOST_SEEDS: usize = 2 * (MOST_APPS + MOST_HELD);

/// What a user can prove himself with.
#[derive(Debug)]
pub struct Credentials {
    /// Authenticator apps, oldest first.
    pub apps: Vec<App>,
    /// Salts every digest of this account.
    pub salt: Salt,
    /// Recovery codes, as digests.
    pub recovery: Vec<Digest>,
}

/// An app's token, and whether a code ever confirmed it. New ones exist only confirmed: by a code or by the sysadmin.
#[derive(Debug)]
pub struct App {
    token: Token,
    confirmation: Confirmation,
}

impl App {
    /// The app of a token whose holder just typed `code`. The code's step is burned: whoever looked over a shoulder
    /// cannot log in with it. Gives the token back when the code is not right.
    pub fn confirmed_by(mut token: Token, code: &Code, window: Window, now: UnixTime) -> Result<Self, Token> {
        match token.find(code, token.start, window, now) {
            Match::Fresh(step) => {
                token.start = token.start.advanced(step, token.parameters.kind, now);
                Ok(Self { token, confirmation: Confirmation::Confirmed })
            }
            Match::Replayed(_) | Match::None => Err(token),
        }
    }

    /// The app of a token the sysadmin vouches for, without a code.
    pub fn vouched_for(token: Token) -> Self {
        Self { token, confirmation: Confirmation::Confirmed }
    }

    /// The shared secret and its names, with all the progress they ever made, to be confirmed again.
    pub(crate) fn offered_again(mut self, state: &State) -> Token {
        self.token.start = state.progress_of(&self.token);
        self.token
    }

    /// An app as a store has kept it.
    pub(crate) fn stored(token: Token, confirmation: Confirmation) -> Self {
        Self { token, confirmation }
    }

    /// The shared secret and its names.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// An app that no code has confirmed opens nothing.
    pub fn confirmation(&self) -> Confirmation {
        self.confirmation
    }

    /// Whether the code that has confirmed this app, which is its last one, is within `window` at `now`. A counter knows no
    /// time.
    pub(crate) fn was_confirmed_within(&self, window: Window, now: UnixTime) -> bool {
        let Token { start, parameters, .. } = &self.token;
        start.watermark.is_none_or(|last| otp::is_within(last, parameters.kind, *start, window, now))
    }

    /// Takes the confirmation back.
    pub(crate) fn unconfirm(&mut self) {
        self.confirmation = Confirmation::Pending;
    }
}

/// Whether a code has shown that the app holds the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// A code was right, or the sysadmin vouched for it (`--no-confirm`).
    Confirmed,
    /// `reset --keep-secret`: the next enrollment shows the same secret again.
    Pending,
}

/// A physical token assigned to the user.
#[derive(Debug)]
pub struct Held {
    /// Its secret, serial and parameters. It begins at the step its registry has last written down.
    pub token: Token,
    /// What stands against it.
    pub status: Status,
    /// Whether the first login may be further out than others.
    pub first_use: FirstUse,
}

/// Whether the next login with a token is the first since it was assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstUse {
    /// It may be, unless the owner's state knows better.
    Open,
    /// It is not.
    Over,
}

/// How far the credentials have been used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// How far every seed was used, oldest first. A seed's entry stays when its app or token is gone: what is burned stays
    /// burned when the same secret is enrolled or assigned again.
    pub usage: Vec<(Seed, Usage)>,
    /// Recovery codes that opened a session.
    pub used_recovery: Vec<Digest>,
    /// Counted wrong codes.
    pub throttle: Throttle,
    /// Counted wrong codes where none was needed.
    pub stripping: Throttle,
    /// How many physical tokens the user holds. Should the registry know of fewer, it is not what it was.
    pub tokens_held: usize,
    /// How many of them it was before a gift of which it is not written down yet that it has happened.
    pub tokens_before_gift: Option<usize>,
    /// Whether there are credentials, so that losing them is noticed. Written down once their file is there, taken back before
    /// it is removed. States of older versions learn it at the next accepted login.
    pub has_credentials: bool,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// Accepted logins that spare the next one the code, oldest first.
    pub memories: Memories,
    /// Lets the user enroll at login.
    pub invitation: Option<Invitation>,
    /// Whose all of this is: a name can be given to another person. `None` until an accepted login has shown it.
    pub uid: Option<Uid>,
}

/// How far one seed was used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Watermark and drift.
    pub progress: Progress,
    /// When a code was last accepted.
    pub last_accepted: Option<UnixTime>,
    /// Right codes outside the window since then: the clock is off.
    pub near_misses: u32,
    /// The steps of the last of these. Whoever has typed such a code has learned that it will be right one day, so alone it
    /// never is: only together with the next one.
    pub suspects: Vec<Step>,
}

/// Most suspects of one seed.
const MOST_SUSPECTS: usize = 8;

impl Usage {
    /// Of two records of one sequence of codes all that either knows.
    fn and(self, other: Self) -> Self {
        let progress = self.progress.latest(other.progress);
        let mut suspects = self.suspects;
        suspects.extend(other.suspects.into_iter().filter(|step| Some(*step) > progress.watermark));
        suspects.sort_unstable();
        suspects.dedup();
        Self {
            progress,
            last_accepted: self.last_accepted.max(other.last_accepted),
            near_misses: self.near_misses.max(other.near_misses),
            suspects,
        }
    }
}

/// The last accepted login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAccepted {
    /// When.
    pub at: UnixTime,
    /// From where.
    pub source: Source,
    /// With what: an app's label, or `recovery`.
    pub factor: String,
}

impl Credentials {
    /// None yet, with a salt of their own.
    pub fn none() -> Result<Self, SecretError> {
        Ok(Self { apps: Vec::new(), salt: Salt::generate()?, recovery: Vec::new() })
    }

    /// Puts these recovery codes in the place of all others.
    pub fn replace_recovery(&mut self, codes: &[RecoveryCode]) {
        self.recovery = codes.iter().map(|code| self.salt.digest(code)).collect();
    }

    /// The app called `label`.
    pub fn app(&self, label: &Label) -> Option<&App> {
        self.apps.iter().find(|app| app.token.label == *label)
    }

    /// How many recovery codes are still good.
    pub fn recovery_left(&self, state: &State) -> usize {
        self.recovery.iter().filter(|digest| !state.used_recovery.contains(digest)).count()
    }
}

impl State {
    /// How far `token` has come: as far as this state or the token's own beginning knows, whichever is further.
    pub fn progress_of(&self, token: &Token) -> Progress {
        token.start.latest(self.usage_of(token.seeds()).progress)
    }

    /// The state at `now`, by a clock that may have been set back since it was written: nothing lasts longer for it.
    ///
    /// What had run out at the latest moment that is written down has run out, and what is dated later than now is rewritten
    /// as made now. Whoever judges by this state writes it down, so that this happens once.
    #[must_use]
    pub fn seen_at(mut self, now: UnixTime) -> Self {
        let Some(latest) = self.latest().filter(|latest| *latest > now) else { return self };
        self.throttle.set_back(now);
        self.stripping.set_back(now);
        self.memories.set_back(now, latest);
        self.invitation = self.invitation.filter(|invitation| latest < invitation.until);
        let usages = self.usage.iter_mut().filter_map(|(_, usage)| usage.last_accepted.as_mut());
        for time in usages.chain(self.last_accepted.as_mut().map(|last| &mut last.at)) {
            *time = now.min(*time);
        }
        self
    }

    /// The latest moment at which something happened that is written down here.
    fn latest(&self) -> Option<UnixTime> {
        let usages = self.usage.iter().filter_map(|(_, usage)| usage.last_accepted);
        let memories = self.memories.iter().map(|memory| memory.since);
        let throttles = self.throttle.latest().into_iter().chain(self.stripping.latest());
        let others = throttles.chain(self.last_accepted.as_ref().map(|last| last.at));
        usages.chain(memories).chain(others).max()
    }

    /// Whether this can be the state of the user with this uid: it names no other.
    pub fn may_be_of(&self, uid: Uid) -> bool {
        self.uid.is_none_or(|recorded| recorded == uid)
    }

    /// Whether a code of `token` was accepted since its beginning was written down.
    pub fn has_used(&self, token: &Token) -> bool {
        self.usage_of(token.seeds()).progress.watermark > token.start.watermark
    }

    /// How far a token was used, by all that is written down under its seeds.
    pub fn usage_of(&self, seeds: Seeds) -> Usage {
        let recorded = self.usage.iter().filter(|(recorded, _)| seeds.include(*recorded));
        recorded.map(|(_, usage)| usage.clone()).reduce(Usage::and).unwrap_or_default()
    }

    /// Writes down under all seeds of each token what is known under one of them. So what a long secret has used is found
    /// under its key, also when the secret itself is gone.
    #[must_use]
    pub fn recognizing<'t>(mut self, tokens: impl IntoIterator<Item = &'t Token>) -> Self {
        for seeds in tokens.into_iter().map(Token::seeds).filter(|seeds| seeds.iter().count() > 1) {
            if self.usage.iter().any(|(recorded, _)| seeds.include(*recorded)) {
                let usage = self.usage_of(seeds);
                self.record(seeds, &usage);
            }
        }
        self
    }

    /// Burns what enrolling `token` has burned. What is burned already stays so.
    pub fn begin(&mut self, token: &Token) {
        self.burn(token.seeds(), token.start);
    }

    /// Burns what led to `progress`. What is burned already stays so.
    pub(crate) fn burn(&mut self, seeds: Seeds, progress: Progress) {
        let usage = self.usage_of(seeds);
        if progress.watermark > usage.progress.watermark {
            self.record(seeds, &Usage { progress, ..usage });
        }
    }

    /// Forgets that codes were outside the window: it is known now where the token stands.
    pub fn forgive_near_misses(&mut self, seeds: Seeds) {
        let usage = self.usage_of(seeds);
        if usage.near_misses > 0 {
            self.record(seeds, &Usage { near_misses: 0, ..usage });
        }
    }

    /// The state once `uses` are used up.
    #[must_use]
    pub fn after(mut self, uses: Uses) -> Self {
        for (seeds, usage) in uses.steps {
            self.record(seeds, &usage);
        }
        self.used_recovery.extend(uses.recovery);
        self
    }

    /// Counts a right code outside the window.
    pub fn count_near_miss(&mut self, near_miss: &NearMiss) {
        let mut usage = self.usage_of(near_miss.seeds);
        usage.near_misses = usage.near_misses.saturating_add(1);
        usage.suspects.retain(|suspect| *suspect != near_miss.step);
        if usage.suspects.len() >= MOST_SUSPECTS {
            usage.suspects.remove(0);
        }
        usage.suspects.push(near_miss.step);
        self.record(near_miss.seeds, &usage);
    }

    fn record(&mut self, seeds: Seeds, usage: &Usage) {
        for seed in seeds.iter() {
            match self.usage.iter_mut().find(|(recorded, _)| *recorded == seed) {
                // Tokens that share one of their seeds write it down one after the other.
                Some((_, recorded)) => {
                    let progress = usage.progress.latest(recorded.progress);
                    *recorded = Usage { progress, ..usage.clone() };
                }
                None => self.usage.push((seed, usage.clone())),
            }
        }
    }

    /// Drops what hardly matters any more, so that the state stays small: the oldest of the used recovery codes that were
    /// replaced, and of the seeds without an app or token.
    pub fn tidy(&mut self, wallet: &Wallet<'_>) {
        // What was replaced is kept too: should an older secret.toml be restored, its used codes stay used.
        let recovery = wallet.credentials.map_or(&[][..], |credentials| &credentials.recovery);
        while self.used_recovery.len() > MOST_USED_RECOVERY
            && let Some(oldest) = self.used_recovery.iter().position(|digest| !recovery.contains(digest))
        {
            self.used_recovery.remove(oldest);
        }
        if self.usage.len() <= MOST_SEEDS {
            return;
        }
        let seeds = wallet.seeds();
        while self.usage.len() > MOST_SEEDS
            && let Some(oldest) = self.usage.iter().position(|(seed, _)| !seeds.contains(seed))
        {
            self.usage.remove(oldest);
        }
    }
}
