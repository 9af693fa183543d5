//! The use of an account's seeds and recovery codes.

use crate::account::invitation::Invitation;
use crate::account::notice::{MOST_NOTICES, Notice};
use crate::account::remembered::Memories;
use crate::account::throttle::{Count, Source, Throttle};
use crate::codes::digest::Digest;
use crate::codes::otp::{Progress, Step};
use crate::codes::temporary::Handout;
use crate::codes::token::{Seed, Seeds, Token};
use crate::host::clock::UnixTime;
use crate::host::user::Uid;

/// The use of all credentials of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The use of every seed, oldest first. A seed's entry stays when its app or token is gone: what is burned stays
    /// burned when the same secret is enrolled or assigned again.
    pub usage: Vec<(Seed, Usage)>,
    /// Recovery codes that opened a session.
    pub used_recovery: Vec<Digest>,
    /// Counted wrong codes.
    pub throttle: Throttle,
    /// Counted wrong codes where none was needed.
    pub stripping: Throttle,
    /// Counted wrong codes that processes without root have asked about.
    pub unprivileged: Throttle,
    /// Counted wrong codes that the helpdesk has asked about.
    pub helpdesk: Throttle,
    /// The number of physical tokens that the user holds in an older version's registry alone, until `migrate` has put them
    /// into the user's file. This version never raises it. Should the registry know of fewer, it is not what it was.
    pub tokens_held: usize,
    /// The number of physical tokens before a gift that is not yet recorded as done: the registry may have them, and the
    /// user's file not.
    pub tokens_before_gift: Option<usize>,
    /// The presence of credentials, so that losing them is noticed. Written down once their file is there, taken back before
    /// it is removed. States of older versions learn it at the next accepted login.
    pub has_credentials: bool,
    /// The last accepted login.
    pub last_accepted: Option<LastAccepted>,
    /// Accepted logins that spare the next one the code, oldest first.
    pub memories: Memories,
    /// Lets the user enroll at login.
    pub invitation: Option<Invitation>,
    /// The temporary code that the helpdesk has given last.
    pub handout: Option<Handout>,
    /// Changes that the owner has not been told of, oldest first.
    pub notices: Vec<Notice>,
    /// The user's uid: a name can be given to another person. `None` until an accepted login has shown it.
    pub uid: Option<Uid>,
}

/// The use of one seed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Watermark and drift.
    pub progress: Progress,
    /// The time of the last accepted code.
    pub last_accepted: Option<UnixTime>,
    /// Right codes outside the window since then: the clock is off.
    pub near_misses: u32,
    /// The steps of the last of these. A user who has typed such a code knows that it will be right one day, so alone it
    /// never is: only together with the next one.
    pub suspects: Vec<Step>,
}

/// Most suspects of one seed.
pub(super) const MOST_SUSPECTS: usize = 8;

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
    /// The time of the login.
    pub at: UnixTime,
    /// From where.
    pub source: Source,
    /// With what: an app's label, `recovery` or `temporary`.
    pub factor: String,
}

impl State {
    /// The progress of `token`: as far as this state or the token's own beginning knows, whichever is further.
    pub fn progress_of(&self, token: &Token) -> Progress {
        token.start.latest(self.usage_of(token.seeds()).progress)
    }

    /// The state at `now`, by a clock that may have been set back since it was written: nothing lasts longer for it.
    ///
    /// What had run out at the latest moment that is written down has run out, and what is dated later than now is rewritten
    /// as made now. The caller that judges by this state writes it down, so that this happens once.
    #[must_use]
    pub fn seen_at(mut self, now: UnixTime) -> Self {
        let Some(latest) = self.latest().filter(|latest| *latest > now) else { return self };
        self.throttle.set_back(now);
        self.stripping.set_back(now);
        self.unprivileged.set_back(now);
        self.helpdesk.set_back(now);
        self.memories.set_back(now, latest);
        self.invitation = self.invitation.filter(|invitation| latest < invitation.until);
        self.handout = self.handout.filter(|handout| latest < handout.until);
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
        let throttles = Count::ALL.into_iter().filter_map(|count| self.throttle_of(count).latest());
        let others = throttles.chain(self.last_accepted.as_ref().map(|last| last.at));
        usages.chain(memories).chain(others).max()
    }

    /// Keeps a change that the owner is to be told of. Of the same change by the same user the last is told, so that no
    /// user pushes another notice out by repeating one.
    pub fn notice(&mut self, notice: Notice) {
        self.notices.retain(|other| (other.by, other.change) != (notice.by, notice.change));
        if self.notices.len() >= MOST_NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(notice);
    }

    /// The throttle that keeps this count.
    pub fn throttle_of(&self, count: Count) -> &Throttle {
        match count {
            Count::Logins => &self.throttle,
            Count::Stripping => &self.stripping,
            Count::Unprivileged => &self.unprivileged,
            Count::Helpdesk => &self.helpdesk,
        }
    }

    /// [`State::throttle_of`], to be changed.
    pub fn throttle_of_mut(&mut self, count: Count) -> &mut Throttle {
        match count {
            Count::Logins => &mut self.throttle,
            Count::Stripping => &mut self.stripping,
            Count::Unprivileged => &mut self.unprivileged,
            Count::Helpdesk => &mut self.helpdesk,
        }
    }

    /// True when this can be the state of the user with this uid: it names no other.
    pub fn may_be_of(&self, uid: Uid) -> bool {
        self.uid.is_none_or(|recorded| recorded == uid)
    }

    /// True when a code of `token` was accepted since its beginning was written down.
    pub fn has_used(&self, token: &Token) -> bool {
        self.usage_of(token.seeds()).progress.watermark > token.start.watermark
    }

    /// The use of a token, by all that is written down under its seeds.
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

    /// True when the use of a sequence of codes is written down here, be it none.
    pub(crate) fn has_recorded(&self, seeds: Seeds) -> bool {
        self.usage.iter().any(|(recorded, _)| seeds.include(*recorded))
    }

    /// Begins to write down the use of `token`, which is the user's from now on. A state that was made anew meanwhile knows
    /// nothing of it, and is told by that.
    pub(crate) fn begin_to_record(&mut self, token: &Token) {
        if !self.has_recorded(token.seeds()) {
            self.record(token.seeds(), &Usage { progress: token.start, ..Usage::default() });
        }
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

    pub(super) fn record(&mut self, seeds: Seeds, usage: &Usage) {
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
}
