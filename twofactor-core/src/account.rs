//! An account: a user's apps, recovery codes and physical tokens, and how far they have been used.
//!
//! [`Credentials`] change on enrollment only and [`Held`] tokens when they are assigned; [`State`] changes with every
//! login. They are stored apart, so that configuration management and backups of the one do not fight with the other.

use crate::answer::Answer;
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::invitation::Invitation;
use crate::lifecycle::{Owned, Stage, Status};
use crate::memory::{Memories, Opener};
use crate::otp::{self, Code, Match, Progress, Step, Window};
use crate::recovery::{RecoveryCode, Salt};
use crate::rule::{FactorKind, Factors};
use crate::secret::SecretError;
use crate::throttle::{Source, Throttle};
use crate::token::{Label, Seed, Serial, Token};

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
    /// How many physical tokens the user holds. Should the registry know of fewer, it is not what it was.
    pub tokens_held: usize,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// Accepted logins that spare the next one the code, oldest first.
    pub memories: Memories,
    /// Lets the user enroll at login.
    pub invitation: Option<Invitation>,
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

/// What an attempt is to an account. Nothing has been recorded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It opens a session, once `uses` is recorded.
    Right {
        /// Which reading of the answer.
        reading: usize,
        /// What it is a code of.
        proof: Box<Proof>,
        /// Everything that must not be good again: all that was right about the attempt, also beside the proof.
        uses: Uses,
    },
    /// It was right once.
    Replayed {
        /// When codes of this token will be good again, should the clock have been ahead when the last one was used.
        burned_until: Option<UnixTime>,
    },
    /// It is right, but for an app that was never confirmed.
    NotConfirmed,
    /// It is right, but for a token that opens nothing.
    Disabled {
        /// Which.
        serial: Serial,
        /// Why it opens nothing.
        stage: Stage,
    },
    /// It is right, but such things do not count here.
    NotAllowed,
    /// It is a code of a token, far from where that stands. A guess like any other, until a second code confirms it.
    NearMiss(NearMiss),
    /// None of the above.
    Wrong,
}

/// So many near misses in a row are no accident: a guess is one in two hundred times.
const REPEATED: u32 = 3;

/// A code outside the window of the token it seems to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Which token.
    pub serial: Serial,
    /// What the user calls it.
    pub label: Label,
    /// Which sequence of codes.
    pub seed: Seed,
    /// The step of the code.
    pub step: Step,
    /// How far off that is, in steps; ahead is positive. For root's eyes only.
    pub steps: i64,
    /// Whether it has happened often enough to be no accident.
    pub is_repeated: bool,
}

/// What a right answer is a code of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An app or a physical token.
    Token {
        /// Which sequence of codes.
        seed: Seed,
        /// Its serial.
        serial: Serial,
        /// What the user calls it; a physical token's serial.
        label: Label,
        /// Its learned drift in steps, this code included.
        drift: i32,
    },
    /// A recovery code, as it is stored.
    Recovery(Digest),
}

impl Proof {
    /// What is remembered of it.
    pub fn opener(&self) -> Opener {
        match self {
            Self::Token { seed, .. } => Opener::Seed(*seed),
            Self::Recovery(digest) => Opener::Recovery(*digest),
        }
    }
}

/// What an attempt uses up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    steps: Vec<(Seed, Usage)>,
    recovery: Vec<Digest>,
}

/// Everything a user can prove himself with at one moment, from wherever it is kept.
#[derive(Debug)]
pub struct Wallet<'a> {
    /// Apps and recovery codes; `None` without any.
    pub credentials: Option<&'a Credentials>,
    /// Physical tokens.
    pub held: &'a [Held],
    /// Which of all that count.
    pub factors: Factors,
}

impl Wallet<'_> {
    /// What an attempt is at `now`, given everything its answer can mean.
    ///
    /// Every reading is held against every app and token, and all that is right is used up. Were it only the first, digits
    /// that two of them happen to share would open a second session.
    ///
    /// `previous` is a code that was outside the window a moment ago: with it, two consecutive codes are looked for wherever
    /// they may be (RFC 4226 §7.4).
    pub fn judge(
        &self,
        readings: &[Answer],
        previous: Option<&Code>,
        state: &State,
        window: Window,
        now: UnixTime,
    ) -> Judgement {
        let mut uses = Uses::default();
        let mut first_right = None;
        let mut otherwise = Judgement::Wrong;
        for (reading, answer) in readings.iter().enumerate() {
            match answer {
                Answer::Unintelligible => {}
                Answer::Recovery(code) => {
                    let Some(credentials) = self.credentials else { continue };
                    let digest = credentials.salt.digest(code);
                    if state.used_recovery.contains(&digest) {
                        otherwise = otherwise.or(Judgement::Replayed { burned_until: None });
                    } else if credentials.recovery.contains(&digest) {
                        if self.factors.recovery {
                            uses.recovery.push(digest);
                            first_right.get_or_insert((reading, Proof::Recovery(digest)));
                        } else {
                            otherwise = otherwise.or(Judgement::NotAllowed);
                        }
                    }
                }
                Answer::Code(code) => {
                    for item in self.items() {
                        let judged = match previous {
                            Some(previous) => item.judge_pair([previous, code], state, now),
                            None => item.judge(code, state, window, now),
                        };
                        match judged {
                            Ok((proof, step)) => {
                                uses.steps.push(step);
                                first_right.get_or_insert((reading, proof));
                            }
                            Err(judgement) => otherwise = otherwise.or(judgement),
                        }
                    }
                }
            }
        }
        match first_right {
            Some((reading, proof)) => Judgement::Right { reading, proof: Box::new(proof), uses },
            None if otherwise == Judgement::Wrong && previous.is_none() => self.near_miss(readings, state, now),
            None => otherwise,
        }
    }

    /// Whether what once opened a session would still open this one.
    pub fn still_opens(&self, opener: &Opener) -> bool {
        match opener {
            Opener::Seed(seed) => self.items().any(|item| item.token.seed() == *seed && item.obstacle.is_none()),
            Opener::Recovery(digest) => {
                let codes = self.credentials.map_or(&[][..], |credentials| &credentials.recovery);
                self.factors.recovery && codes.contains(digest)
            }
        }
    }

    /// Whether a wrong answer is a code of a token whose clock is off.
    fn near_miss(&self, readings: &[Answer], state: &State, now: UnixTime) -> Judgement {
        for answer in readings {
            let Answer::Code(code) = answer else { continue };
            for item in self.items().filter(|item| item.obstacle.is_none()) {
                let token = item.token;
                let progress = state.progress_of(token);
                if let Some(step) = otp::near_miss(&token.secret, token.parameters, code, progress, now) {
                    let (serial, label, seed) = (token.serial.clone(), token.label.clone(), token.seed());
                    let is_repeated = state.usage_of(seed).near_misses + 1 >= REPEATED;
                    let steps = otp::distance(step, token.parameters.kind, progress, now);
                    return Judgement::NearMiss(NearMiss { serial, label, seed, step, steps, is_repeated });
                }
            }
        }
        Judgement::Wrong
    }

    fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let apps = self.credentials.iter().flat_map(|credentials| &credentials.apps);
        let all = apps.map(Item::app).chain(self.held.iter().map(Item::held));
        all.map(|item| item.under(self.factors))
    }
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

/// An app or a physical token, as far as judging a code needs to know.
struct Item<'a> {
    kind: FactorKind,
    token: &'a Token,
    /// Why even a right code opens nothing.
    obstacle: Option<Judgement>,
    first_use: FirstUse,
}

impl<'a> Item<'a> {
    fn app(app: &'a App) -> Self {
        let obstacle = (app.confirmation == Confirmation::Pending).then_some(Judgement::NotConfirmed);
        Self { kind: FactorKind::App, token: &app.token, obstacle, first_use: FirstUse::Over }
    }

    fn held(held: &'a Held) -> Self {
        let stage = held.status.stage(Owned::Unused);
        let disabled = || Judgement::Disabled { serial: held.token.serial.clone(), stage };
        let obstacle = (!stage.is_usable()).then(disabled);
        Self { kind: FactorKind::Token, token: &held.token, obstacle, first_use: held.first_use }
    }

    /// The same where `factors` count.
    fn under(self, factors: Factors) -> Self {
        let counts = factors.include(self.kind);
        let obstacle = if counts { self.obstacle } else { Some(self.obstacle.unwrap_or(Judgement::NotAllowed)) };
        Self { obstacle, ..self }
    }

    /// What two consecutive codes are to this token: they show where it stands, and are burned both.
    fn judge_pair(&self, codes: [&Code; 2], state: &State, now: UnixTime) -> Result<(Proof, (Seed, Usage)), Judgement> {
        let token = self.token;
        let (kind, progress) = (token.parameters.kind, state.progress_of(token));
        match (otp::resynchronize(&token.secret, token.parameters, codes, progress, now), &self.obstacle) {
            (None, _) => Err(Judgement::Wrong),
            (Some(_), Some(obstacle)) => Err(obstacle.clone()),
            (Some(step), None) => Ok(self.used(progress.anchored(step, kind, now), state, now)),
        }
    }

    /// What a code is to this token: a proof and what to burn, or why not.
    fn judge(
        &self,
        code: &Code,
        state: &State,
        window: Window,
        now: UnixTime,
    ) -> Result<(Proof, (Seed, Usage)), Judgement> {
        let token = self.token;
        let (kind, progress) = (token.parameters.kind, state.progress_of(token));
        let is_first = self.first_use == FirstUse::Open && !state.has_used(token);
        let window = if is_first { window.for_first_use() } else { window };
        match (token.find(code, progress, window, now), &self.obstacle) {
            (Match::None, _) => Err(Judgement::Wrong),
            (_, Some(obstacle)) => Err(obstacle.clone()),
            (Match::Replayed(_), None) => {
                Err(Judgement::Replayed { burned_until: otp::burned_until(kind, progress, window, now) })
            }
            (Match::Fresh(step), None) if state.usage_of(token.seed()).suspects.contains(&step) => {
                Err(Judgement::Wrong)
            }
            (Match::Fresh(step), None) => {
                let progress =
                    if is_first { progress.anchored(step, kind, now) } else { progress.advanced(step, kind, now) };
                Ok(self.used(progress, state, now))
            }
        }
    }

    /// The proof of a right code, and what it burns.
    fn used(&self, progress: Progress, state: &State, now: UnixTime) -> (Proof, (Seed, Usage)) {
        let token = self.token;
        // Those that are burned by now need not be remembered; the others go on being suspect.
        let mut suspects = state.usage_of(token.seed()).suspects;
        suspects.retain(|suspect| Some(*suspect) > progress.watermark);
        let usage = Usage { progress, last_accepted: Some(now), near_misses: 0, suspects };
        let (serial, label) = (token.serial.clone(), token.label.clone());
        (Proof::Token { seed: token.seed(), serial, label, drift: progress.drift }, (token.seed(), usage))
    }
}

impl State {
    /// How far `token` has come: as far as this state or the token's own beginning knows, whichever is further.
    pub fn progress_of(&self, token: &Token) -> Progress {
        token.start.latest(self.usage_of(token.seed()).progress)
    }

    /// Whether a code of `token` was accepted since its beginning was written down.
    pub fn has_used(&self, token: &Token) -> bool {
        self.usage_of(token.seed()).progress.watermark > token.start.watermark
    }

    /// How far a seed was used.
    pub fn usage_of(&self, seed: Seed) -> Usage {
        let recorded = self.usage.iter().find(|(recorded, _)| *recorded == seed);
        recorded.map(|(_, usage)| usage.clone()).unwrap_or_default()
    }

    /// Burns what enrolling `token` has burned. What is burned already stays so.
    pub fn begin(&mut self, token: &Token) {
        let usage = self.usage_of(token.seed());
        if token.start.watermark > usage.progress.watermark {
            self.record(token.seed(), Usage { progress: token.start, ..usage });
        }
    }

    /// Forgets that codes were outside the window: it is known now where the token stands.
    pub fn forgive_near_misses(&mut self, seed: Seed) {
        let usage = self.usage_of(seed);
        if usage.near_misses > 0 {
            self.record(seed, Usage { near_misses: 0, ..usage });
        }
    }

    /// The state once `uses` are used up.
    #[must_use]
    pub fn after(mut self, uses: Uses) -> Self {
        for (seed, usage) in uses.steps {
            self.record(seed, usage);
        }
        self.used_recovery.extend(uses.recovery);
        self
    }

    /// Counts a right code outside the window.
    pub fn count_near_miss(&mut self, near_miss: &NearMiss) {
        let mut usage = self.usage_of(near_miss.seed);
        usage.near_misses = usage.near_misses.saturating_add(1);
        usage.suspects.retain(|suspect| *suspect != near_miss.step);
        if usage.suspects.len() >= MOST_SUSPECTS {
            usage.suspects.remove(0);
        }
        usage.suspects.push(near_miss.step);
        self.record(near_miss.seed, usage);
    }

    fn record(&mut self, seed: Seed, usage: Usage) {
        match self.usage.iter_mut().find(|(recorded, _)| *recorded == seed) {
            Some((_, recorded)) => *recorded = usage,
            None => self.usage.push((seed, usage)),
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
        let seeds: Vec<Seed> = wallet.items().map(|item| item.token.seed()).collect();
        while self.usage.len() > MOST_SEEDS
            && let Some(oldest) = self.usage.iter().position(|(seed, _)| !seeds.contains(seed))
        {
            self.usage.remove(oldest);
        }
    }
}

impl Judgement {
    /// Of two findings about one attempt the one that says more: a used code of one app is not hidden by another app.
    fn or(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Right { .. } => 6,
            Self::Replayed { .. } => 5,
            Self::NotAllowed => 4,
            Self::Disabled { .. } => 3,
            Self::NotConfirmed => 2,
            Self::NearMiss(_) => 1,
            Self::Wrong => 0,
        }
    }
}
