//! An account: a user's apps and recovery codes, and how far they have been used.
//!
//! [`Credentials`] change on enrollment only; [`State`] changes with every login. They are stored apart, so that
//! configuration management and backups of the one do not fight with the other.

use std::collections::BTreeMap;

use crate::answer::Answer;
use crate::clock::UnixTime;
use crate::otp::{Code, Match, Progress, Step, Window};
use crate::recovery::{Digest, Salt};
use crate::throttle::{Source, Throttle};
use crate::token::{Label, Serial, Token};

/// Most apps of one user.
pub const MOST_APPS: usize = 16;
/// Most recovery codes of one user.
pub const MOST_RECOVERY_CODES: usize = 20;

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
                Ok(Self {
                    token,
                    confirmation: Confirmation::Confirmed,
                })
            }
            Match::Replayed(_) | Match::None => Err(token),
        }
    }

    /// The app of a token the sysadmin vouches for, without a code.
    pub fn vouched_for(token: Token) -> Self {
        Self {
            token,
            confirmation: Confirmation::Confirmed,
        }
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

    /// Takes the confirmation back, from `progress` on.
    pub(crate) fn unconfirm(&mut self, progress: Progress) {
        self.token.start = progress;
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
    /// Watermark and drift of every token.
    pub progress: BTreeMap<Serial, Progress>,
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

/// What an answer is to an account. Nothing has been recorded yet.
#[derive(Debug, PartialEq, Eq)]
pub enum Judgement {
    /// A new code of an app.
    App {
        /// Which token.
        serial: Serial,
        /// What the user calls it.
        label: Label,
        /// The step to burn.
        step: Step,
        /// The token's progress once the step is burned.
        progress: Progress,
    },
    /// A recovery code that was not used yet.
    Recovery(Digest),
    /// It was right once.
    Replayed,
    /// It is right, but for an app that was never confirmed.
    NotConfirmed,
    /// None of the above.
    Wrong,
}

impl Credentials {
    /// What `answer` is at `now`. Every app is tried whatever the others say.
    pub fn judge(&self, answer: &Answer, state: &State, window: Window, now: UnixTime) -> Judgement {
        match answer {
            Answer::Unintelligible => Judgement::Wrong,
            Answer::Recovery(code) => {
                let digest = self.salt.digest(code);
                if state.used_recovery.contains(&digest) {
                    Judgement::Replayed
                } else if self.recovery.contains(&digest) {
                    Judgement::Recovery(digest)
                } else {
                    Judgement::Wrong
                }
            }
            Answer::Code(code) => {
                let judgements = self.apps.iter().map(|app| {
                    let token = &app.token;
                    let progress = state.progress_of(token);
                    match (token.find(code, progress, window, now), app.confirmation) {
                        (Match::None, _) => Judgement::Wrong,
                        (_, Confirmation::Pending) => Judgement::NotConfirmed,
                        (Match::Replayed(_), Confirmation::Confirmed) => Judgement::Replayed,
                        (Match::Fresh(step), Confirmation::Confirmed) => Judgement::App {
                            serial: token.serial.clone(),
                            label: token.label.clone(),
                            step,
                            progress: progress.advanced(step, token.parameters.kind, now),
                        },
                    }
                });
                judgements
                    .reduce(|best, next| if next.says_more_than(&best) { next } else { best })
                    .unwrap_or(Judgement::Wrong)
            }
        }
    }

    /// The app called `label`.
    pub fn app(&self, label: &Label) -> Option<&App> {
        self.apps.iter().find(|app| app.token.label == *label)
    }

    /// How many recovery codes are still good.
    pub fn recovery_left(&self, state: &State) -> usize {
        self.recovery
            .iter()
            .filter(|digest| !state.used_recovery.contains(digest))
            .count()
    }
}

impl State {
    /// How far `token` has come: what is recorded, else where its enrollment left it.
    pub fn progress_of(&self, token: &Token) -> Progress {
        self.progress.get(&token.serial).copied().unwrap_or(token.start)
    }
}

impl Judgement {
    /// Of two judgements of one attempt the one that says more counts: a fresh code of one app is not spoilt by another.
    pub(crate) fn says_more_than(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    fn rank(&self) -> u8 {
        match self {
            Self::App { .. } | Self::Recovery(_) => 3,
            Self::Replayed => 2,
            Self::NotConfirmed => 1,
            Self::Wrong => 0,
        }
    }
}
