//! An account: a user's apps and recovery codes, and how far they have been used.
//!
//! [`Credentials`] change on enrollment only; [`State`] changes with every login. They are stored apart, so that
//! configuration management and backups of the one do not fight with the other.

use crate::answer::Answer;
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::otp::{self, Code, Match, Progress, Window};
use crate::recovery::Salt;
use crate::throttle::{Source, Throttle};
use crate::token::{Label, Seed, Serial, Token};

/// Most apps of one user.
pub const MOST_APPS: usize = 16;
/// Most recovery codes of one user.
pub const MOST_RECOVERY_CODES: usize = 20;
/// Most seeds whose burned steps are kept for one user: those of all apps, and of as many that are gone.
const MOST_SEEDS: usize = 4 * MOST_APPS;

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

    /// How far the token has come, to take up from there.
    pub(crate) fn at(mut self, progress: Progress) -> Self {
        self.token.start = progress;
        self
    }

    /// An app as a store has kept it.
    pub(crate) fn stored(token: Token, confirmation: Confirmation) -> Self {
        Self { token, confirmation }
    }

    /// The shared secret and its names.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The shared secret and its names, to offer them again.
    pub fn into_token(self) -> Token {
        self.token
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

/// How far the credentials have been used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Watermark and drift of every seed that was used, oldest first. A seed's entry stays when its app is gone: what is
    /// burned stays burned when the same secret is enrolled again.
    pub progress: Vec<(Seed, Progress)>,
    /// Recovery codes that opened a session.
    pub used_recovery: Vec<Digest>,
    /// Counted wrong codes.
    pub throttle: Throttle,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
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

/// What an attempt is to an account. Nothing has been recorded yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It opens a session, once `uses` is recorded.
    Right {
        /// Which reading of the answer.
        reading: usize,
        /// What it is a code of.
        proof: Proof,
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
    /// None of the above.
    Wrong,
}

/// What a right answer is a code of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An app.
    App {
        /// Its serial.
        serial: Serial,
        /// What the user calls it.
        label: Label,
        /// Its learned drift in steps, this code included.
        drift: i8,
    },
    /// A recovery code.
    Recovery,
}

/// What an attempt uses up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Uses {
    steps: Vec<(Seed, Progress)>,
    recovery: Vec<Digest>,
}

impl Credentials {
    /// What an attempt is at `now`, given everything its answer can mean.
    ///
    /// Every reading is held against every app, and all that is right is used up. Were it only the first, digits that two
    /// apps happen to share would open a second session.
    pub fn judge(&self, readings: &[Answer], state: &State, window: Window, now: UnixTime) -> Judgement {
        let mut uses = Uses::default();
        let mut first_right = None;
        let mut otherwise = Judgement::Wrong;
        for (reading, answer) in readings.iter().enumerate() {
            match answer {
                Answer::Unintelligible => {}
                Answer::Recovery(code) => {
                    let digest = self.salt.digest(code);
                    if state.used_recovery.contains(&digest) {
                        otherwise = otherwise.or(Judgement::Replayed { burned_until: None });
                    } else if self.recovery.contains(&digest) {
                        uses.recovery.push(digest);
                        first_right.get_or_insert((reading, Proof::Recovery));
                    }
                }
                Answer::Code(code) => {
                    for app in &self.apps {
                        match app.judge(code, state, window, now) {
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
            Some((reading, proof)) => Judgement::Right { reading, proof, uses },
            None => otherwise,
        }
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

impl App {
    /// What a code is to this app: a proof and what to burn, or why not.
    fn judge(
        &self,
        code: &Code,
        state: &State,
        window: Window,
        now: UnixTime,
    ) -> Result<(Proof, (Seed, Progress)), Judgement> {
        let token = &self.token;
        let (kind, progress) = (token.parameters.kind, state.progress_of(token));
        match (token.find(code, progress, window, now), self.confirmation) {
            (Match::None, _) => Err(Judgement::Wrong),
            (_, Confirmation::Pending) => Err(Judgement::NotConfirmed),
            (Match::Replayed(_), Confirmation::Confirmed) => {
                Err(Judgement::Replayed { burned_until: otp::burned_until(kind, progress, window, now) })
            }
            (Match::Fresh(step), Confirmation::Confirmed) => {
                let advanced = progress.advanced(step, kind, now);
                let (serial, label) = (token.serial.clone(), token.label.clone());
                Ok((Proof::App { serial, label, drift: advanced.drift }, (token.seed(), advanced)))
            }
        }
    }
}

impl State {
    /// How far `token` has come.
    pub fn progress_of(&self, token: &Token) -> Progress {
        let seed = token.seed();
        let recorded = self.progress.iter().find(|(recorded, _)| *recorded == seed);
        recorded.map(|(_, progress)| *progress).unwrap_or_default()
    }

    /// Burns what enrolling `token` has burned. What is burned already stays so.
    pub fn begin(&mut self, token: &Token) {
        if token.start.watermark > self.progress_of(token).watermark {
            self.record(token.seed(), token.start);
        }
    }

    /// The state once `uses` are used up.
    #[must_use]
    pub fn after(mut self, uses: Uses) -> Self {
        for (seed, progress) in uses.steps {
            self.record(seed, progress);
        }
        self.used_recovery.extend(uses.recovery);
        self
    }

    fn record(&mut self, seed: Seed, progress: Progress) {
        match self.progress.iter_mut().find(|(recorded, _)| *recorded == seed) {
            Some((_, recorded)) => *recorded = progress,
            None => self.progress.push((seed, progress)),
        }
    }

    /// Drops what can never matter again, so that the state stays small: recovery codes that were replaced, and the oldest
    /// seeds without an app.
    pub fn tidy(&mut self, credentials: &Credentials) {
        self.used_recovery.retain(|digest| credentials.recovery.contains(digest));
        if self.progress.len() <= MOST_SEEDS {
            return;
        }
        let seeds: Vec<Seed> = credentials.apps.iter().map(|app| app.token.seed()).collect();
        while self.progress.len() > MOST_SEEDS
            && let Some(oldest) = self.progress.iter().position(|(seed, _)| !seeds.contains(seed))
        {
            self.progress.remove(oldest);
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
            Self::Right { .. } => 3,
            Self::Replayed { .. } => 2,
            Self::NotConfirmed => 1,
            Self::Wrong => 0,
        }
    }
}
