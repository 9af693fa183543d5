//! The judgement of a vendor's file, before anything of it is written: what each token is to those that are there and to those that
//! stood in the file before it.
//!
//! The tokens of a file are remembered as hashes: a million rows take 40 MB. A chance collision of two serials happens in
//! one of 18,000 files of a million rows, and then the file is refused.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};

use super::app_secrets::AppSecrets;
use crate::account::lifecycle::TokenStatus;
use crate::codes::otp::{Kind, Parameters, Progress, Step};
use crate::store::administration::{Counts, Finding, NewToken, Sharing};
use crate::text::pairs;

/// A file that is judged token by token.
#[derive(Debug)]
pub struct ImportPlan {
    /// For every token judged, whether it is new.
    news: Vec<bool>,
    /// The marks of the new tokens' secrets.
    seeds: Vec<i64>,
    /// The marks of new tokens' secrets that apps have, too.
    shared: Vec<i64>,
    counts: Counts,
    /// The secrets of apps, and whether a token may have one of them.
    apps: AppSecrets,
    sharing: Sharing,
    /// The number of tokens in the file.
    expected: usize,
    before: Option<Seen>,
}

/// A file that was judged.
#[derive(Debug)]
pub struct Judged {
    /// For every token, in the file's order, whether it is new.
    pub news: Vec<bool>,
    /// The marks of the new tokens' secrets, in the same order.
    pub seeds: Vec<i64>,
    /// The marks of new tokens' secrets that apps have, too.
    pub shared: Vec<i64>,
    /// The numbers of tokens.
    pub counts: Counts,
}

/// A token that is there already, under the serial of one in a file.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// It has the same secret.
    pub has_same_secret: bool,
    /// The state it was put into.
    pub status: TokenStatus,
    /// The parameters of its codes.
    pub parameters: Parameters,
}

impl Known {
    /// The relation of a file's token to this one.
    pub fn compare(self, token: &NewToken<'_>) -> Finding {
        let Self { has_same_secret, status, parameters } = self;
        match has_same_secret {
            _ if status == TokenStatus::Revoked => Finding::Revoked,
            false => Finding::OtherSecret,
            true if parameters == token.parameters => Finding::Unchanged,
            true if token.stated.contradicts(parameters) => Finding::OtherParameters(parameters),
            true => Finding::OtherThanAssumed(parameters),
        }
    }
}

impl ImportPlan {
    /// A plan for a store whose users have these apps.
    pub fn new(apps: AppSecrets) -> Self {
        let (news, seeds, shared) = (Vec::new(), Vec::new(), Vec::new());
        let (counts, sharing) = (Counts::default(), Sharing::Refuse);
        Self { news, seeds, shared, counts, apps, sharing, expected: 0, before: None }
    }

    /// Reserves memory for this number of tokens.
    pub fn expect(&mut self, tokens: usize) {
        self.expected = tokens;
    }

    /// Takes tokens in although users' apps have their secrets, or refuses them.
    pub fn share(&mut self, sharing: Sharing) {
        self.sharing = sharing;
    }

    /// Judges the next token. `present` is its relation to those that are there, and is asked where the file has it once.
    pub fn judge<E>(
        &mut self,
        token: &NewToken<'_>,
        present: impl FnOnce(&NewToken<'_>) -> Result<Finding, E>,
    ) -> Result<Finding, E> {
        let expected = self.expected;
        let before = self.before.get_or_insert_with(|| {
            self.news.reserve_exact(expected);
            self.seeds.reserve_exact(expected);
            Seen::expecting(expected)
        });
        let finding = match before.note(token) {
            Some(finding) => finding,
            None => present(token)?,
        };
        let finding = match (finding, self.apps.other_than(None, token.marks)) {
            (Finding::New, Some(user)) => Finding::Shared(user.clone()),
            (finding, _) => finding,
        };
        let is_new = match finding {
            Finding::New => true,
            Finding::Shared(_) if self.sharing == Sharing::Allow => {
                self.shared.extend(token.marks.iter());
                true
            }
            _ => false,
        };
        self.news.push(is_new);
        match finding {
            _ if is_new => {
                self.seeds.push(token.marks.secret());
                self.counts.added += 1;
            }
            Finding::Unchanged | Finding::OtherThanAssumed(_) => self.counts.unchanged += 1,
            _ => self.counts.conflicts += 1,
        }
        Ok(finding)
    }

    /// The numbers of what was judged.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The file as it was judged, with the number of its rows that could not be read.
    pub fn judged(self, rejected: u64) -> Judged {
        let counts = Counts { rejected, ..self.counts };
        Judged { news: self.news, seeds: self.seeds, shared: self.shared, counts }
    }
}

/// The progress of a new token.
pub fn beginning(token: &NewToken<'_>) -> Progress {
    let watermark = token.counter.filter(|_| token.parameters.kind == Kind::Hotp).and_then(|next| next.checked_sub(1));
    let drift = token.drift.unwrap_or(0);
    Progress { watermark: watermark.map(Step), drift, anchor: drift }
}

/// The line of the history about an import, in the form of [`pairs`].
pub fn import_in_words(series: &str, counts: Counts) -> String {
    let mut detail = String::new();
    pairs::write(&mut detail, "series", series);
    for (key, count) in [
        ("new", counts.added),
        ("unchanged", counts.unchanged),
        ("conflicts", counts.conflicts),
        ("rejected", counts.rejected),
    ] {
        pairs::write(&mut detail, key, count);
    }
    detail
}

/// The tokens of this file that came before, as hashes.
#[derive(Debug)]
struct Seen {
    random: RandomState,
    serials: Serials,
    secrets: HashSet<u64>,
    /// The parameters of its tokens, each once: most files have one set. The first [`Mark::SETS`] are numbered.
    parameters: Vec<Parameters>,
}

/// The serials that stood there before.
#[derive(Debug)]
enum Serials {
    /// Each behind the one before it, as vendors sort them, so that none can stand twice. `last` is the newest.
    Ascending { last: String, marks: Vec<Mark> },
    /// In any order.
    Mixed(HashSet<Mark>),
}

/// The hash of a serial, and in its last bits that of the secret beside it and the number of its parameters. Equal when the
/// serials are.
#[derive(Debug, Clone, Copy)]
struct Mark(u64);

impl Seen {
    fn expecting(tokens: usize) -> Self {
        let serials = Serials::Ascending { last: String::new(), marks: Vec::with_capacity(tokens) };
        Self { random: RandomState::new(), serials, secrets: HashSet::with_capacity(tokens), parameters: Vec::new() }
    }

    /// Remembers a token; says so when it stood in the file before.
    fn note(&mut self, token: &NewToken<'_>) -> Option<Finding> {
        let (serial, marks) = (token.serial.as_str(), token.marks);
        let secret = self.random.hash_one(marks.secret());
        let mark = Mark::of(self.random.hash_one(serial), secret, self.number_of(token.parameters));
        let before = self.serials.note(serial, mark);
        let new_secret = self.secrets.insert(secret);
        let new_key = marks.key().is_none_or(|key| self.secrets.insert(self.random.hash_one(key)));
        match before {
            None if new_secret && new_key => None,
            None => Some(Finding::SecretTwice),
            Some(before) if new_secret || !before.has_secret_of(mark) => Some(Finding::SerialTwice),
            Some(before) => match self.parameters.get(before.number()).copied() {
                Some(parameters) if parameters == token.parameters => Some(Finding::Unchanged),
                before => Some(Finding::ParametersTwice(before)),
            },
        }
    }

    /// The number of parameters among those of the file, as far as they are numbered.
    fn number_of(&mut self, parameters: Parameters) -> usize {
        let number = self.parameters.iter().position(|known| *known == parameters);
        number.unwrap_or_else(|| {
            if self.parameters.len() < Mark::SETS {
                self.parameters.push(parameters);
                return self.parameters.len() - 1;
            }
            Mark::SETS
        })
    }
}

impl Serials {
    /// Remembers a serial; gives the mark it had before.
    fn note(&mut self, serial: &str, mark: Mark) -> Option<Mark> {
        match self {
            Self::Ascending { last, marks } if last.as_str() < serial => {
                serial.clone_into(last);
                marks.push(mark);
                None
            }
            Self::Ascending { marks, .. } => {
                let mut mixed: HashSet<Mark> = marks.drain(..).collect();
                let before = mixed.replace(mark);
                *self = Self::Mixed(mixed);
                before
            }
            Self::Mixed(mixed) => mixed.replace(mark),
        }
    }
}

impl Mark {
    /// The bits of the secret, and above them those of the number.
    const SECRET: u64 = 0xff;
    const NUMBER: u64 = 0x700;
    /// So many sets of parameters have a number. All others share the last one.
    const SETS: usize = 7;

    fn of(serial: u64, secret: u64, parameters: usize) -> Self {
        let number = (u64::try_from(parameters).unwrap_or(u64::MAX) << Self::SECRET.count_ones()) & Self::NUMBER;
        Self(serial & !(Self::SECRET | Self::NUMBER) | secret & Self::SECRET | number)
    }

    fn number(self) -> usize {
        usize::try_from((self.0 & Self::NUMBER) >> Self::SECRET.count_ones()).unwrap_or(Self::SETS)
    }

    fn has_secret_of(self, other: Self) -> bool {
        (self.0 ^ other.0) & Self::SECRET == 0
    }

    fn serial(self) -> u64 {
        self.0 & !(Self::SECRET | Self::NUMBER)
    }
}

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        self.serial() == other.serial()
    }
}

impl Eq for Mark {}

impl Hash for Mark {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.serial().hash(hasher);
    }
}
