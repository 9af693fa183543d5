//! Checks an answer against all of a user's apps, tokens and recovery codes.
//!
//! Invariants: nothing is recorded here. Every reading of the answer is held against every app and token, and all that
//! is right about it is used up together.

use super::credentials::{App, Credentials, FirstUse, Held};
use super::disqualified::Disqualified;
use super::limits::{MOST_APPS, MOST_HELD, MOST_RECOVERY_CODES};
use super::state::{MOST_SUSPECTS, State, Usage};
use crate::account::factors::{FactorKind, Factors};
use crate::account::lifecycle::{Owned, Stage};
use crate::account::remembered::Opener;
use crate::codes::answer::Answer;
use crate::codes::digest::Digest;
use crate::codes::otp::{self, Code, Digits, Kind, Match, Progress, Reach, Reaches, Step, Window};
use crate::codes::recovery::RecoveryCode;
use crate::codes::temporary::Handout;
use crate::codes::token::{Label, Seed, Seeds, Serial, Token};
use crate::host::clock::UnixTime;

/// The judgement of an attempt. Nothing has been recorded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It opens a session, once `uses` is recorded.
    Right {
        /// The reading of the answer that matched.
        reading: usize,
        /// The credential that the code belongs to.
        proof: Box<Proof>,
        /// Everything that must not be good again: all that was right about the attempt, also beside the proof.
        uses: Uses,
    },
    /// It was right once.
    Replayed {
        /// The time from which codes of this token are good again, should the clock have been ahead when the last one was used.
        burned_until: Option<UnixTime>,
    },
    /// It is right, but for an app that was never confirmed.
    NotConfirmed,
    /// It is right, but for a token that opens nothing.
    Disabled {
        /// The token's serial.
        serial: Serial,
        /// Why it opens nothing.
        stage: Stage,
    },
    /// It is right, but such things do not count here.
    NotAllowed,
    /// It is a code of a token, far from where that stands. A guess like any other, until a second code confirms it.
    NearMiss(Box<NearMiss>),
    /// None of the above.
    Wrong,
}

/// So many near misses in a row are no accident: a guess is one in four thousand times, of a counter in a thousand.
pub const REPEATED: u32 = 3;

/// A code outside the window of the token it seems to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The token's serial.
    pub serial: Serial,
    /// The user's name for it.
    pub label: Label,
    /// Its sequence of codes.
    pub seeds: Seeds,
    /// The step of the code.
    pub step: Step,
    /// The distance from the expected step; ahead is positive. For root's eyes only.
    pub steps: i64,
    /// True when it has happened often enough to be no accident.
    pub is_repeated: bool,
}

/// The credential that a right answer belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// An app or a physical token.
    Token {
        /// Its sequence of codes.
        seed: Seed,
        /// Its serial.
        serial: Serial,
        /// The user's name for it; a physical token's serial.
        label: Label,
        /// Its learned drift in steps, this code included.
        drift: i32,
    },
    /// A recovery code, as it is stored.
    Recovery(Digest),
    /// The temporary code.
    Temporary,
}

impl Proof {
    /// The part of it that is remembered; `None` for a temporary code, which opens one session.
    pub fn opener(&self) -> Option<Opener> {
        match self {
            Self::Token { seed, .. } => Some(Opener::Seed(*seed)),
            Self::Recovery(digest) => Some(Opener::Recovery(*digest)),
            Self::Temporary => None,
        }
    }
}

/// The steps and recovery codes that an attempt uses up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    pub(super) steps: Vec<(Seeds, Usage)>,
    pub(super) recovery: Vec<Digest>,
    pub(super) handout: bool,
}

/// The time at which an attempt is judged, and the tolerance for its codes.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The tolerance for one code.
    pub window: Window,
    /// The tolerance for two consecutive ones.
    pub reaches: Reaches,
    /// The time.
    pub now: UnixTime,
}

/// Everything a user can prove himself with at one moment.
#[derive(Debug)]
pub struct Wallet<'a> {
    /// Apps, recovery codes and physical tokens; `None` without any.
    pub credentials: Option<&'a Credentials>,
    /// The kinds of credentials that are accepted.
    pub factors: Factors,
}

impl Wallet<'_> {
    /// Judges an attempt by `rules`, given everything its answer can mean.
    ///
    /// Every reading is held against every app and token, and all that is right is used up. Were it only the first, digits
    /// that two of them happen to share would open a second session.
    ///
    /// `previous` is a code that was outside the window a moment ago: with it, two consecutive codes are looked for as far off
    /// as the rules allow (RFC 4226 §7.4).
    pub fn judge(&self, readings: &[Answer], previous: Option<&Code>, state: &State, rules: &Rules) -> Judgement {
        let mut uses = Uses::default();
        let mut first_right = None;
        let mut otherwise = Judgement::Wrong;
        for (reading, answer) in readings.iter().enumerate() {
            match self.on_paper(answer, state) {
                None => {}
                Some(Ok(digest)) => {
                    uses.recovery.push(digest);
                    first_right.get_or_insert((reading, Proof::Recovery(digest)));
                }
                Some(Err(judgement)) => otherwise = otherwise.or(judgement),
            }
            match answer {
                Answer::Unintelligible | Answer::Recovery(_) => {}
                Answer::Temporary(code) => match state.handout.filter(|handout| handout.is(code, rules.now)) {
                    None => {}
                    Some(handout) if handout.is_used => {
                        otherwise = otherwise.or(Judgement::Replayed { burned_until: None });
                    }
                    Some(_) if self.factors.recovery => {
                        uses.handout = true;
                        first_right.get_or_insert((reading, Proof::Temporary));
                    }
                    Some(_) => otherwise = otherwise.or(Judgement::NotAllowed),
                },
                Answer::Code(code) => {
                    for item in self.items() {
                        let judged = match previous {
                            Some(previous) => item.judge_pair([previous, code], state, rules),
                            None => item.judge(code, state, rules),
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
            None if otherwise == Judgement::Wrong && previous.is_none() => self.near_miss(readings, state, rules),
            None => otherwise,
        }
    }

    /// Judges an answer as a recovery code: its digest, to be used up, or the refusal. `None` when it is none of the user's. A
    /// code that came along from another system has eight digits, as a code of a token may have.
    fn on_paper(&self, answer: &Answer, state: &State) -> Option<Result<Digest, Judgement>> {
        let credentials = self.credentials?;
        let digest = match answer {
            Answer::Recovery(code) => credentials.salt.digest(code),
            Answer::Code(code) => credentials.salt.digest(&RecoveryCode::moved(code.expose())?),
            Answer::Temporary(_) | Answer::Unintelligible => return None,
        };
        if state.used_recovery.contains(&digest) {
            return Some(Err(Judgement::Replayed { burned_until: None }));
        }
        let is_one = credentials.recovery.contains(&digest);
        is_one.then_some(if self.factors.recovery { Ok(digest) } else { Err(Judgement::NotAllowed) })
    }

    /// True when an answer is a recovery code that is good.
    pub(crate) fn has_on_paper(&self, answer: &Answer, state: &State) -> bool {
        matches!(self.on_paper(answer, state), Some(Ok(_)))
    }

    /// True when the credential that once opened a session would still open this one.
    pub fn still_opens(&self, opener: &Opener) -> bool {
        match opener {
            Opener::Seed(seed) => self.items().any(|item| item.obstacle.is_none() && item.token.seeds().include(*seed)),
            Opener::Recovery(digest) => {
                let codes = self.credentials.map_or(&[][..], |credentials| &credentials.recovery);
                self.factors.recovery && codes.contains(digest)
            }
        }
    }

    /// Finds the token whose clock is off so far that a wrong answer is its code.
    fn near_miss(&self, readings: &[Answer], state: &State, rules: &Rules) -> Judgement {
        let now = rules.now;
        for answer in readings {
            let Answer::Code(code) = answer else { continue };
            for item in self.items().filter(|item| item.obstacle.is_none()) {
                let token = item.token;
                let progress = state.progress_of(token);
                if let Some(step) =
                    otp::near_miss(&token.secret, token.parameters, code, progress, item.reach(rules), now)
                {
                    // Suspects of a counter do not run out with time. Once there are too many to remember, nothing is told of
                    // further ones: what is forgotten would be right one day.
                    let suspects = state.usage_of(token.seeds()).suspects;
                    let is_full = suspects.len() >= MOST_SUSPECTS && !suspects.contains(&step);
                    if is_full && token.parameters.kind == Kind::Hotp {
                        continue;
                    }
                    let (serial, label, seeds) = (token.serial.clone(), token.label.clone(), token.seeds());
                    let is_repeated = state.usage_of(seeds).near_misses + 1 >= REPEATED;
                    let steps = otp::distance(step, token.parameters.kind, progress, now);
                    return Judgement::NearMiss(Box::new(NearMiss { serial, label, seeds, step, steps, is_repeated }));
                }
            }
        }
        Judgement::Wrong
    }

    /// The seeds of all apps and tokens.
    pub(super) fn seeds(&self) -> Vec<Seed> {
        self.tokens().flat_map(|token| token.seeds().iter()).collect()
    }

    /// The lengths that codes of the user can have, for finding one at the end of a combined answer.
    pub(crate) fn code_lengths(&self) -> Vec<Digits> {
        let mut lengths: Vec<Digits> = self.tokens().map(|token| token.parameters.digits).collect();
        if self.credentials.is_some_and(|credentials| !credentials.recovery.is_empty()) {
            // A recovery code may have come along from another system.
            lengths.push(Digits::EIGHT);
        }
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }

    /// All apps and tokens.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.items().map(|item| item.token)
    }

    fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let apps = self.credentials.iter().flat_map(|credentials| &credentials.apps);
        let apps = apps.map(|app| Item::app(app, self.factors));
        let held = self.credentials.iter().flat_map(|credentials| &credentials.held);
        apps.chain(held.map(|held| Item::held(held, self.factors)))
    }
}

/// An app or a physical token, as far as judging a code needs to know.
struct Item<'a> {
    kind: FactorKind,
    token: &'a Token,
    /// Why even a right code opens nothing.
    obstacle: Option<Disqualified>,
    first_use: FirstUse,
}

impl<'a> Item<'a> {
    fn app(app: &'a App, factors: Factors) -> Self {
        let obstacle = Disqualified::app(app.confirmation, factors);
        Self { kind: FactorKind::App, token: &app.token, obstacle, first_use: FirstUse::Over }
    }

    fn held(held: &'a Held, factors: Factors) -> Self {
        let obstacle = Disqualified::token(held.status.stage(Owned::Unused), factors);
        Self { kind: FactorKind::Token, token: &held.token, obstacle, first_use: held.first_use }
    }

    /// The judgement of a right code of this token, for the obstacle `why`.
    fn disqualified(&self, why: Disqualified) -> Judgement {
        match why {
            Disqualified::NotConfirmed => Judgement::NotConfirmed,
            Disqualified::Disabled(stage) => Judgement::Disabled { serial: self.token.serial.clone(), stage },
            Disqualified::NotAllowed => Judgement::NotAllowed,
        }
    }

    /// The distance within which two of its codes are searched.
    fn reach(&self, rules: &Rules) -> Reach {
        match self.kind {
            FactorKind::Token => rules.reaches.token,
            FactorKind::App | FactorKind::Recovery | FactorKind::SshKey | FactorKind::AttestedSshKey => {
                rules.reaches.app
            }
        }
    }

    /// Judges two consecutive codes of this token: they show where it stands, and are burned both.
    fn judge_pair(
        &self,
        codes: [&Code; 2],
        state: &State,
        rules: &Rules,
    ) -> Result<(Proof, (Seeds, Usage)), Judgement> {
        let (token, now) = (self.token, rules.now);
        let (kind, progress) = (token.parameters.kind, state.progress_of(token));
        let found = otp::resynchronize(&token.secret, token.parameters, codes, progress, self.reach(rules), now);
        match (found, self.obstacle) {
            (None, _) => Err(Judgement::Wrong),
            (Some(_), Some(why)) => Err(self.disqualified(why)),
            (Some(step), None) => Ok(self.used(progress.anchored(step, kind, now), state, now)),
        }
    }

    /// Judges one code of this token: a proof and the steps to burn, or the refusal.
    fn judge(&self, code: &Code, state: &State, rules: &Rules) -> Result<(Proof, (Seeds, Usage)), Judgement> {
        let (token, Rules { window, now, .. }) = (self.token, *rules);
        let (kind, progress) = (token.parameters.kind, state.progress_of(token));
        let is_first = self.first_use == FirstUse::Open && !state.has_used(token);
        let window = if is_first { window.for_first_use() } else { window };
        match (token.find(code, progress, window, now), self.obstacle) {
            (Match::None, _) => Err(Judgement::Wrong),
            (_, Some(why)) => Err(self.disqualified(why)),
            (Match::Replayed(_), None) => {
                Err(Judgement::Replayed { burned_until: otp::burned_until(kind, progress, window, now) })
            }
            (Match::Fresh(step), None)
                if progress.is_in_doubt(kind) || state.usage_of(token.seeds()).suspects.contains(&step) =>
            {
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
    fn used(&self, progress: Progress, state: &State, now: UnixTime) -> (Proof, (Seeds, Usage)) {
        let token = self.token;
        // Those that are burned by now need not be remembered; the others go on being suspect.
        let mut suspects = state.usage_of(token.seeds()).suspects;
        suspects.retain(|suspect| Some(*suspect) > progress.watermark);
        let usage = Usage { progress, last_accepted: Some(now), near_misses: 0, suspects };
        let (serial, label) = (token.serial.clone(), token.label.clone());
        let seeds = token.seeds();
        (Proof::Token { seed: seeds.key(), serial, label, drift: progress.drift }, (seeds, usage))
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

impl State {
    /// The state once `uses` are used up.
    #[must_use]
    pub fn after(mut self, uses: Uses) -> Self {
        for (seeds, usage) in uses.steps {
            self.record(seeds, &usage);
        }
        self.used_recovery.extend(uses.recovery);
        self.handout = self.handout.map(|handout| Handout { is_used: handout.is_used || uses.handout, ..handout });
        self
    }

    /// The state once `uses` are burned by a check that opens no session: no credential counts as used by its owner.
    #[must_use]
    pub fn burning(mut self, uses: Uses) -> Self {
        for (seeds, usage) in uses.steps {
            self.burn(seeds, usage.progress);
        }
        self.after(Uses { steps: Vec::new(), ..uses })
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

/// Most used recovery codes that are remembered of one user.
pub(super) const MOST_USED_RECOVERY: usize = 2 * MOST_RECOVERY_CODES;

/// Most seeds whose burned steps are kept for one user: those of all apps and tokens, and of as many that are gone.
pub(super) const MOST_SEEDS: usize = 2 * (MOST_APPS + MOST_HELD);
