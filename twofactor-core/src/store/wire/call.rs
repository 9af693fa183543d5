//! The questions of a login, one for each verb of [`Store`], and the answering of them.

use std::net::IpAddr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::answered;
use super::enrolling::{self, Confirming, NewcomersApp, TypedInvitation, attempt_from, source};
use super::error::WireError;
use super::helpdesk;
use super::message::{ASK, Message};
use super::self_service;
use crate::account::factors::{FactorKind, Factors};
use crate::account::invitation::Invitation;
use crate::account::remembered::{LoginPlace, Recall};
use crate::account::throttle::Source;
use crate::codes::answer::Answer;
use crate::codes::otp::Code;
use crate::codes::token::Serial;
use crate::host::user::{Person, Uid, UserName};
use crate::log::reason::Reason;
use crate::store::enrollment::{
    EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, Shown, Superseded,
};
use crate::store::error::StoreError;
use crate::store::helpdesk::{Request as HelpRequest, Whom};
use crate::store::redemption::{Attempt, Store};
use crate::store::self_service::{Change, Request};

/// A question.
#[derive(Debug)]
pub enum Call {
    /// [`Store::presence`].
    Presence(UserName),
    /// [`Store::code_lengths`].
    CodeLengths(UserName),
    /// [`Store::remembers`].
    Remembers(Person, Remembering, Factors),
    /// [`Store::recovery_left`].
    RecoveryLeft(Person),
    /// [`Store::redeem`].
    Redeem(Person, Guess),
    /// [`Store::strip`].
    Strip(Person, Guess),
    /// [`Store::pretend`].
    Pretend(Guess),
    /// [`EnrollmentStore::enrollment_status`].
    EnrollmentStatus(Person),
    /// [`EnrollmentStore::check_registration`].
    CheckRegistration(Person, ShownToken),
    /// [`EnrollmentStore::store_pending`] of a token. Its codes are judged once more.
    Register(Person, ShownToken, Option<Invitation>),
    /// [`EnrollmentStore::confirm`]. About no user.
    Confirm(Confirming),
    /// [`EnrollmentStore::check_invitation`].
    CheckInvitation(Person, TypedInvitation),
    /// [`EnrollmentStore::store_pending`] of an app.
    StoreApp(Person, NewcomersApp),
    /// A greeting, which shows that a broker answers. About no user.
    Hello,
    /// [`SelfService::own_account`](crate::store::self_service::SelfService::own_account).
    OwnAccount(Person),
    /// [`SelfService::own_ssh_keys`](crate::store::self_service::SelfService::own_ssh_keys).
    OwnSshKeys(Person),
    /// [`SelfService::change_own`](crate::store::self_service::SelfService::change_own).
    ChangeOwn(Person, Request),
    /// [`Helpdesk::help`](crate::store::helpdesk::Helpdesk::help).
    Help(HelpRequest),
}

/// A token's serial and two codes of it.
#[derive(Debug)]
pub struct ShownToken {
    serial: Serial,
    shown: Shown,
}

/// The place of a login, and for how long it is remembered.
#[derive(Debug)]
pub struct Remembering {
    service: String,
    address: IpAddr,
    longest: Duration,
}

/// An [`Attempt`] with values of its own.
#[derive(Debug)]
pub struct Guess {
    readings: Vec<Answer>,
    previous: Option<Code>,
    source: Source,
    factors: Factors,
    remember: Option<Remembering>,
}

impl Guess {
    /// The attempt.
    pub fn attempt(&self) -> Attempt<'_> {
        let remember = self.remember.as_ref();
        Attempt {
            readings: &self.readings,
            previous: self.previous.as_ref(),
            source: &self.source,
            factors: self.factors,
            remember: remember.map(|remembering| (remembering.place(), remembering.longest)),
        }
    }

    /// The same without what the process claims of the login: from the source `?`, and not remembered.
    #[must_use]
    pub fn without_claims(self) -> Self {
        Self { source: Source::claimed(), remember: None, ..self }
    }

    /// The same as one of this host.
    #[must_use]
    fn at_host(self, host: &str) -> Self {
        let remember = self.remember.map(|remembering| remembering.at_host(host));
        Self { source: self.source.at_host(host), remember, ..self }
    }

    /// The same with these factors alone, of those that the process says count.
    #[must_use]
    pub fn limited_to(self, factors: Factors) -> Self {
        Self { factors: self.factors.common(factors), ..self }
    }
}

impl Remembering {
    fn at_host(self, host: &str) -> Self {
        Self { service: format!("{host}/{}", self.service), ..self }
    }

    fn place(&self) -> LoginPlace<'_> {
        LoginPlace { service: &self.service, address: self.address }
    }
}

/// The one that a question is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'c> {
    /// A name.
    Name(&'c UserName),
    /// A name, and the uid that the process says it stands for.
    Person(&'c Person),
    /// A user who does not exist.
    Nobody,
}

impl Call {
    /// The one that is asked about.
    pub fn about(&self) -> About<'_> {
        match self {
            Self::Presence(user) | Self::CodeLengths(user) => About::Name(user),
            Self::Remembers(person, ..)
            | Self::RecoveryLeft(person)
            | Self::Redeem(person, _)
            | Self::Strip(person, _)
            | Self::EnrollmentStatus(person)
            | Self::CheckRegistration(person, _)
            | Self::Register(person, ..)
            | Self::CheckInvitation(person, _)
            | Self::StoreApp(person, _)
            | Self::OwnAccount(person)
            | Self::OwnSshKeys(person)
            | Self::ChangeOwn(person, _)
            | Self::Help(HelpRequest { whom: Whom::User(person), .. }) => About::Person(person),
            Self::Pretend(_)
            | Self::Confirm(_)
            | Self::Hello
            | Self::Help(HelpRequest { whom: Whom::OwnerOf(_), .. }) => About::Nobody,
        }
    }

    /// The physical token that the question is about, by what its owner has typed.
    pub fn token(&self) -> Option<&Serial> {
        match self {
            Self::CheckRegistration(_, token) | Self::Register(_, token, _) => Some(&token.serial),
            Self::ChangeOwn(_, Request { change: Change::Token(token), .. }) => Some(&token.serial),
            _ => None,
        }
    }

    /// True for a question that sets up a user's first factor, and comes without an invitation.
    pub fn enrolls_uninvited(&self) -> bool {
        match self {
            Self::StoreApp(_, app) => !app.is_invited(),
            Self::Register(_, _, invitation) => invitation.is_none(),
            _ => false,
        }
    }

    /// The word for the question, as it stands in the message.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Presence(_) => "presence",
            Self::CodeLengths(_) => "code-lengths",
            Self::Remembers(..) => "remembers",
            Self::RecoveryLeft(_) => "recovery-left",
            Self::Redeem(..) => "redeem",
            Self::Strip(..) => "strip",
            Self::Pretend(_) => "pretend",
            Self::EnrollmentStatus(_) => "enrollment-status",
            Self::CheckRegistration(..) => "check-registration",
            Self::Register(..) => "register",
            Self::Confirm(_) => "confirm",
            Self::CheckInvitation(..) => "check-invitation",
            Self::StoreApp(..) => "store-app",
            Self::Hello => "hello",
            Self::OwnAccount(_) => "self-status",
            Self::OwnSshKeys(_) => "self-ssh-keys",
            Self::ChangeOwn(_, request) => self_service::word_of(&request.change),
            Self::Help(_) => "help",
        }
    }

    /// The same question as one of `host`. Where its logins come from is the host's word and counts for that host alone: what one
    /// host counts or remembers trusts no other.
    #[must_use]
    pub fn at_host(self, host: &str) -> Self {
        match self {
            Self::Redeem(person, guess) => Self::Redeem(person, guess.at_host(host)),
            Self::Strip(person, guess) => Self::Strip(person, guess.at_host(host)),
            Self::Pretend(guess) => Self::Pretend(guess.at_host(host)),
            Self::Remembers(person, remembering, factors) => {
                Self::Remembers(person, remembering.at_host(host), factors)
            }
            Self::CheckInvitation(person, typed) => Self::CheckInvitation(person, typed.at_host(host)),
            Self::CheckRegistration(person, token) => Self::CheckRegistration(person, token.at_host(host)),
            Self::Register(person, token, invitation) => Self::Register(person, token.at_host(host), invitation),
            other => other,
        }
    }

    /// Asks a store, and gives its answer as a message.
    pub fn answered_by(self, store: &(impl Store + EnrollmentStore)) -> Message {
        let answered = match self {
            Self::Presence(user) => store.presence(&user).map(|presence| answered::of_presence(&presence)),
            Self::CodeLengths(user) => store.code_lengths(&user).map(|lengths| answered::of_lengths(&lengths)),
            Self::Remembers(person, remembering, factors) => {
                let like = Recall { place: remembering.place(), longest: remembering.longest };
                store.remembers(&person, &like, factors).map(|remembered| answered::of_memory(remembered.as_ref()))
            }
            Self::RecoveryLeft(person) => store.recovery_left(&person).map(answered::of_recovery_left),
            Self::Redeem(person, guess) => {
                return Message::answering_redeem(&store.redeem(&person, &guess.attempt()));
            }
            Self::Strip(person, guess) => {
                return Message::answering_strip(&store.strip(&person, &guess.attempt()));
            }
            Self::Pretend(guess) => {
                store.pretend(&guess.attempt());
                Ok(Message::done())
            }
            Self::EnrollmentStatus(person) => {
                store.enrollment_status(&person).map(|status| answered::of_enrollment_status(&status))
            }
            Self::CheckRegistration(person, token) => {
                token.checked_by(store, &person).map(|checked| answered::of_registration(&checked))
            }
            Self::Register(user, token, invitation) => token.checked_by(store, &user).map(|checked| {
                let stored = checked.map_err(|_| Superseded::TokenTaken).and_then(|registration| {
                    let factor = PendingFactor::Token(registration);
                    store.store_pending(Pending { user, factor, invitation })
                });
                answered::of_stored(&stored)
            }),
            Self::Confirm(confirming) => confirming.answered_by(store),
            Self::CheckInvitation(person, typed) => typed.answered_by(store, &person),
            Self::StoreApp(person, app) => return app.answered_by(store, person),
            Self::Hello => Ok(Message::done()),
            // Root changes others, by the commands for each user.
            Self::OwnAccount(_) | Self::OwnSshKeys(..) | Self::ChangeOwn(..) => {
                return Message::refusing(
                    Reason::NotRoot,
                    "users without root ask this about themselves",
                    "twofactor status",
                );
            }
            Self::Help(_) => {
                return Message::refusing(
                    Reason::NotRoot,
                    "a helpdesk without root asks this",
                    "root has the commands themselves",
                );
            }
        };
        answered.unwrap_or_else(|error| answered::of_error(&error))
    }

    /// Reads a question.
    pub fn read(message: &Message) -> Result<Self, WireError> {
        let verb = message.get(ASK)?;
        let keys: &[&str] = match verb {
            "presence" | "code-lengths" => &["user"],
            "remembers" => &["user", "uid", "factors", "service", "address", "seconds"],
            "recovery-left" | "enrollment-status" | "self-status" | "self-ssh-keys" => &["user", "uid"],
            "check-registration" => &["user", "uid", "serial", "code", "source"],
            "register" => &["user", "uid", "serial", "code", "source", "salt", "digest", "until"],
            "redeem" | "strip" => {
                &["user", "uid", "reading", "previous", "source", "factors", "service", "address", "seconds"]
            }
            "pretend" => &["reading", "previous", "source", "factors", "service", "address", "seconds"],
            "hello" => &[],
            other => enrolling::keys_of(other)
                .or_else(|| self_service::keys_of(other))
                .or_else(|| helpdesk::keys_of(other))
                .ok_or(WireError::Value(ASK))?,
        };
        // A newer program may add what restricts a question: it must not be passed over.
        message.must_have_only(keys, &[STARTED_BY, ATTEMPT, ASKER])?;
        Ok(match verb {
            "presence" => Self::Presence(user(message)?),
            "code-lengths" => Self::CodeLengths(user(message)?),
            "remembers" => {
                let remembering = remembering(message)?.ok_or(WireError::Value("service"))?;
                Self::Remembers(person(message)?, remembering, factors(message)?)
            }
            "recovery-left" => Self::RecoveryLeft(person(message)?),
            "redeem" => Self::Redeem(person(message)?, guess(message)?),
            "strip" => Self::Strip(person(message)?, guess(message)?),
            "pretend" => Self::Pretend(guess(message)?),
            "enrollment-status" => Self::EnrollmentStatus(person(message)?),
            "check-registration" => Self::CheckRegistration(person(message)?, shown_token(message)?),
            "register" => Self::Register(person(message)?, shown_token(message)?, enrolling::invitation(message)?),
            "confirm" => Self::Confirm(Confirming::read(message)?),
            "check-invitation" => Self::CheckInvitation(person(message)?, TypedInvitation::read(message)?),
            "store-app" => Self::StoreApp(person(message)?, NewcomersApp::read(message)?),
            "hello" => Self::Hello,
            "self-status" => Self::OwnAccount(person(message)?),
            "self-ssh-keys" => Self::OwnSshKeys(person(message)?),
            act if helpdesk::keys_of(act).is_some() => {
                let user = message.find("user")?.map(|_| person(message)).transpose()?;
                Self::Help(helpdesk::request(act, user, message)?)
            }
            change => Self::ChangeOwn(person(message)?, self_service::request(change, message)?),
        })
    }
}

/// Each question as a message, from the values that a login has.
impl Message {
    pub(in crate::store) fn asking_about(verb: &'static str, user: &UserName) -> Self {
        Self::asking(verb).with("user", user.as_str())
    }

    pub(in crate::store) fn asking_of(verb: &'static str, person: &Person) -> Self {
        Self::asking_about(verb, &person.name).with_plain("uid", person.uid)
    }

    pub(in crate::store) fn asking_to_remember(person: &Person, like: &Recall<'_>, factors: Factors) -> Self {
        Self::asking_of("remembers", person).with_factors(factors).with_place(like.place, like.longest)
    }

    /// `redeem` or `strip`.
    pub(in crate::store) fn attempting(verb: &'static str, person: &Person, attempt: &Attempt<'_>) -> Self {
        Self::asking_of(verb, person).with_attempt(attempt)
    }

    pub(in crate::store) fn pretending(attempt: &Attempt<'_>) -> Self {
        Self::asking("pretend").with_attempt(attempt)
    }

    /// `check-registration` or `register`.
    pub(in crate::store) fn registering(
        verb: &'static str,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        source: &Source,
    ) -> Self {
        let this = Self::asking_of(verb, person).with("serial", serial.as_str());
        codes.into_iter().fold(this, |this, code| this.with("code", code.expose())).with("source", source.as_str())
    }

    pub(in crate::store) fn greeting() -> Self {
        Self::asking("hello")
    }

    pub(super) fn asking(verb: &'static str) -> Self {
        Self::new(ASK, verb)
    }

    /// The question of a process of root that this user has started, as `su` is.
    #[must_use]
    pub(in crate::store) fn started_by(self, user: Uid) -> Self {
        self.with_plain(STARTED_BY, user)
    }

    /// The user who has started the process that asks, as it says itself. Only the word of a process of root counts.
    pub fn starter(&self) -> Result<Option<Uid>, WireError> {
        Ok(self.parsed_if_there(STARTED_BY)?.map(Uid))
    }

    /// The question of a program without root, as the broker of a host brings it to a central store.
    #[must_use]
    pub(in crate::store) fn of_a_user(self) -> Self {
        self.with(ASKER, USER)
    }

    /// True for such a question: its wrong codes go on the count of programs without root. A host says so itself.
    pub fn is_of_a_user(&self) -> Result<bool, WireError> {
        match self.find(ASKER)? {
            None => Ok(false),
            Some(USER) => Ok(true),
            Some(_) => Err(WireError::Value(ASKER)),
        }
    }

    /// The question under a number of its own: asked again under it, it is the same question, and gets the same answer.
    #[must_use]
    pub fn numbered(self, number: u128) -> Self {
        self.with_plain(ATTEMPT, format_args!("{number:032x}"))
    }

    /// True for a question with such a number. Two questions without one are two, though they say the same.
    pub fn is_numbered(&self) -> Result<bool, WireError> {
        let Some(number) = self.find(ATTEMPT)? else { return Ok(false) };
        let is_number = number.len() == 32 && number.bytes().all(|digit| digit.is_ascii_hexdigit());
        if is_number { Ok(true) } else { Err(WireError::Value(ATTEMPT)) }
    }

    fn with_attempt(mut self, attempt: &Attempt<'_>) -> Self {
        for reading in attempt.readings {
            // What is no guess is told as such, and not repeated.
            self = self.with("reading", reading.digits().unwrap_or(UNINTELLIGIBLE));
        }
        let this = self
            .with_some("previous", attempt.previous.map(Code::expose))
            .with("source", attempt.source.as_str())
            .with_factors(attempt.factors);
        match attempt.remember {
            Some((place, longest)) => this.with_place(place, longest),
            None => this,
        }
    }

    /// Only those with codes: the broker recognizes no ssh key, and an older one would not know the word.
    fn with_factors(self, factors: Factors) -> Self {
        self.with("factors", &factors.with_codes().names().join(","))
    }

    fn with_place(self, place: LoginPlace<'_>, longest: Duration) -> Self {
        self.with("service", place.service)
            .with_plain("address", place.address)
            .with_plain("seconds", longest.as_secs())
    }
}

const STARTED_BY: &str = "started_by";
const ATTEMPT: &str = "attempt";
const ASKER: &str = "asker";
const USER: &str = "user";
const UNINTELLIGIBLE: &str = "?";

fn user(message: &Message) -> Result<UserName, WireError> {
    UserName::new(message.get("user")?).map_err(|_| WireError::Value("user"))
}

fn person(message: &Message) -> Result<Person, WireError> {
    Ok(Person { name: user(message)?, uid: Uid(message.parsed("uid")?) })
}

fn factors(message: &Message) -> Result<Factors, WireError> {
    let names = message.get("factors")?;
    names.split(',').filter(|name| !name.is_empty()).try_fold(Factors::NONE, |factors, name| {
        let kind = FactorKind::parse(name).filter(|kind| Factors::NONE.and(*kind).with_codes() != Factors::NONE);
        kind.map(|kind| factors.and(kind)).ok_or(WireError::Value("factors"))
    })
}

fn remembering(message: &Message) -> Result<Option<Remembering>, WireError> {
    let Some(service) = message.find("service")? else { return Ok(None) };
    let longest = Duration::from_secs(message.parsed("seconds")?);
    Ok(Some(Remembering { service: service.to_owned(), address: message.parsed("address")?, longest }))
}

fn guess(message: &Message) -> Result<Guess, WireError> {
    let readings = message.all("reading").map(|text| match text {
        UNINTELLIGIBLE => Ok(Answer::Unintelligible),
        digits => match Answer::parse(digits.as_bytes()) {
            Answer::Unintelligible => Err(WireError::Value("reading")),
            answer => Ok(answer),
        },
    });
    let previous = message
        .find("previous")?
        .map(|digits| Code::new(Zeroizing::new(digits.to_owned())).ok_or(WireError::Value("previous")));
    let source = source(message)?;
    let readings = readings.collect::<Result<Vec<_>, _>>()?;
    if !are_of_one_answer(&readings) {
        return Err(WireError::Value("reading"));
    }
    Ok(Guess {
        readings,
        previous: previous.transpose()?,
        source,
        factors: factors(message)?,
        remember: remembering(message)?,
    })
}

fn shown_token(message: &Message) -> Result<ShownToken, WireError> {
    let serial = Serial::new(message.get("serial")?).ok_or(WireError::Value("serial"))?;
    Ok(ShownToken { serial, shown: Shown { codes: message.two_codes()?, source: source(message)? } })
}

impl ShownToken {
    /// The question that it came in, once more.
    #[cfg(test)]
    pub(super) fn asking(&self, verb: &'static str, person: &Person) -> Message {
        let Shown { codes: [first, second], source } = &self.shown;
        Message::registering(verb, person, &self.serial, [first, second], source)
    }

    /// The same as one of this host.
    fn at_host(mut self, host: &str) -> Self {
        self.shown.source = self.shown.source.at_host(host);
        self
    }

    fn checked_by(
        &self,
        store: &impl EnrollmentStore,
        person: &Person,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let Shown { codes: [first, second], source } = &self.shown;
        store.check_registration(person, &self.serial, [first, second], &attempt_from(source))
    }
}

/// True when the readings are what one answer can mean: its last digits, as many as a code can have. Readings are counted as one
/// attempt, so a thousand codes in one message would be a thousand guesses for one.
fn are_of_one_answer(readings: &[Answer]) -> bool {
    let mut digits: Vec<&str> = readings.iter().filter_map(Answer::digits).collect();
    digits.sort_by_key(|digits| digits.len());
    let follows = |pair: &[&str]| matches!(pair, [short, long] if short.len() < long.len() && long.ends_with(short));
    readings.len() <= MOST_READINGS && digits.windows(2).all(follows)
}

/// A code of each length, a temporary code and a recovery code.
const MOST_READINGS: usize = 5;
