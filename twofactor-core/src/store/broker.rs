//! The store of a process that cannot open files of root: it asks the broker, `twofactord`, over a socket.
//!
//! Invariants: an answer counts only from a process of root, at a socket in a folder of root; a broker that is stopped,
//! dead or overloaded is an error within [`PATIENCE`], and never a yes. The broker decides what this process may ask.

mod connection;
mod error;

use crate::account::App;
use crate::account::enrollment::Proposal;
use crate::account::factors::Factors;
use crate::account::invitation::{Invitation, InvitationCode};
use crate::account::notice::Notice;
use crate::account::remembered::Recall;
use crate::codes::otp::{Code, Digits};
use crate::codes::recovery::RecoveryCode;
use crate::codes::ssh_key::SshKey;
use crate::codes::token::{Serial, Token};
use crate::host::random::fill;
use crate::host::shell;
use crate::host::trusted::Owner;
use crate::host::user::{Person, Uid, UserName};
use crate::log::reason::Reason;
use crate::store::administration::SshKeyView;
use crate::store::enrollment::{
    EnrollmentStatus, EnrollmentStore, NotRegistered, Pending, PendingFactor, Registration, RegistrationProof,
    SecretOrigin, Shown, Superseded,
};
use crate::store::error::StoreError;
use crate::store::helpdesk::{Act, Helped, NotHelped, Request as HelpRequest, Whom};
use crate::store::redemption::{Attempt, Presence, Recognized, Redemption, Remembered, Store, Stripping};
use crate::store::self_service::{ChangeOutcome, NotChanged, Offer, OwnAccount, Request};
use crate::store::wire::{Answered, Message, WireError};
use connection::connect;
pub use error::BrokerError;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The socket of the broker.
pub const SOCKET: &str = "/run/twofactord/socket";

/// The socket of the link to a fleet's servers, which speaks as the broker does.
pub const LINK: &str = "/run/twofactor-link/socket";

/// The longest that a question may take, connecting included. The broker waits for a lock as long as a login does, and a little
/// is added for the way.
pub const PATIENCE: Duration = Duration::from_secs(12);

/// The pause before a question is asked again that a busy broker has not taken.
const AGAIN: Duration = Duration::from_millis(20);

/// For so long a question is asked again whose link was killed before it answered: the next one may be on its way.
const RESTART: Duration = Duration::from_secs(3);

/// The broker behind a socket.
#[derive(Debug)]
pub struct Broker {
    socket: PathBuf,
    owner: Owner,
    patience: Duration,
    /// The user who has started this process, where it is root's.
    starter: Option<Uid>,
    /// True where this is asked for a program without root.
    is_for_a_user: bool,
    /// The error where none listens.
    absent: fn(PathBuf) -> BrokerError,
    /// For so long a question is asked again whose connection has ended without an answer. Never of a broker, which knows no numbers.
    restart: Option<Duration>,
    /// Set once an answer has not come in time: a login waits for a stopped broker once.
    is_late: Cell<bool>,
}

impl Broker {
    /// The broker behind `socket`, which must be a process of `owner`. Nothing is connected yet.
    pub fn new(socket: &Path, owner: Owner, patience: Duration) -> Self {
        let (starter, absent) = (None, BrokerError::Absent as fn(PathBuf) -> BrokerError);
        let (socket, restart, is_late) = (socket.to_owned(), None, Cell::new(false));
        Self { socket, owner, patience, starter, is_for_a_user: false, absent, restart, is_late }
    }

    /// The link to a fleet's servers behind `socket`: it is asked as a broker is. Each question has a number, so where a link is killed
    /// before it answers, the next one brings the answer that a server has given.
    pub fn link(socket: &Path, owner: Owner, patience: Duration) -> Self {
        Self { absent: BrokerError::NoLink, restart: Some(RESTART), ..Self::new(socket, owner, patience) }
    }

    /// The same, asked by a process of root that this user has started and can stop.
    #[must_use]
    pub fn started_by(self, user: Uid) -> Self {
        Self { starter: Some(user), ..self }
    }

    /// The same, asked for a program without root: its wrong codes go on a count of their own.
    #[must_use]
    pub fn for_a_user(self) -> Self {
        Self { is_for_a_user: true, ..self }
    }

    /// Makes sure that a broker listens. Asks nothing.
    pub fn is_there(&self) -> Result<(), StoreError> {
        Ok(connect(&self.socket, self.owner, Instant::now() + self.patience).map(drop)?)
    }

    /// True when a broker listens, and false when certainly none does: only then may another way be taken.
    pub fn listens(&self) -> Result<bool, StoreError> {
        match connect(&self.socket, self.owner, Instant::now() + self.patience) {
            Ok(_) => Ok(true),
            Err(BrokerError::Absent(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes sure that a broker answers.
    pub fn greet(&self) -> Result<(), StoreError> {
        self.ask(Message::greeting(), Answered::done)
    }

    /// Asks about a token, for a login of root. All else of such a login needs no broker: the error says so.
    fn ask_to_register<T>(
        &self,
        question: Message,
        read: impl FnOnce(&Answered) -> Result<T, WireError>,
    ) -> Result<T, StoreError> {
        self.ask_or(BrokerError::RegistersNoTokens, question, read)
    }

    /// Asks one question on a connection of its own.
    fn ask<T>(&self, question: Message, read: impl FnOnce(&Answered) -> Result<T, WireError>) -> Result<T, StoreError> {
        self.ask_or(self.absent, question, read)
    }

    /// The same. `absent` is the error when there is no broker. Where others have taken up the broker's places, it asks again:
    /// nothing was judged.
    fn ask_or<T>(
        &self,
        absent: fn(PathBuf) -> BrokerError,
        question: Message,
        read: impl FnOnce(&Answered) -> Result<T, WireError>,
    ) -> Result<T, StoreError> {
        let wire = |error| {
            self.is_late.set(self.is_late.get() || matches!(error, WireError::Deadline | WireError::Busy));
            BrokerError::Wire { socket: self.socket.clone(), error }
        };
        if self.is_late.get() {
            return Err(wire(WireError::Deadline).into());
        }
        let question = match self.starter {
            Some(user) => question.started_by(user),
            None => question,
        };
        let question = if self.is_for_a_user { question.of_a_user() } else { question };
        let question = if self.restart.is_some() { numbered(question).map_err(wire)? } else { question };
        let deadline = Instant::now() + self.patience;
        // The end of the time in which another link may come.
        let mut until: Option<Instant> = None;
        loop {
            let channel = match connect(&self.socket, self.owner, deadline) {
                Ok(channel) => channel,
                Err(BrokerError::Absent(_)) if until.is_some_and(|until| Instant::now() < until) => {
                    sleep(AGAIN);
                    continue;
                }
                Err(BrokerError::Absent(socket)) => return Err(absent(socket).into()),
                Err(error) => return Err(error.into()),
            };
            // A broker that is busy says so without having read the question.
            let sent = channel.send(&question);
            let answer = match channel.receive() {
                Ok(Some(answer)) => answer,
                ended => {
                    let error = sent.err().or(ended.err()).unwrap_or(WireError::Ended);
                    let now = Instant::now();
                    let last = self.restart.map(|restart| *until.get_or_insert((now + restart).min(deadline)));
                    if matches!(error, WireError::Ended) && last.is_some_and(|last| now + AGAIN < last) {
                        sleep(AGAIN);
                        continue;
                    }
                    return Err(wire(error).into());
                }
            };
            match Answered::of(answer) {
                Err(WireError::Busy) if Instant::now() + AGAIN < deadline => sleep(AGAIN),
                answered => {
                    let answered = answered.map_err(wire)??;
                    return Ok(read(&answered).map_err(wire)?);
                }
            }
        }
    }
}

/// The question under a number that no other has.
fn numbered(question: Message) -> Result<Message, WireError> {
    let mut number = [0; 16];
    fill(&mut number).map_err(|_| WireError::Ended)?;
    Ok(question.numbered(u128::from_be_bytes(number)))
}

impl Store for Broker {
    fn presence(&self, user: &UserName) -> Result<Presence, StoreError> {
        self.ask(Message::asking_about("presence", user), Answered::presence)
    }

    fn code_lengths(&self, user: &UserName) -> Result<Vec<Digits>, StoreError> {
        self.ask(Message::asking_about("code-lengths", user), Answered::lengths)
    }

    fn remembers(
        &self,
        person: &Person,
        like: &Recall<'_>,
        factors: Factors,
    ) -> Result<Option<Remembered>, StoreError> {
        self.ask(Message::asking_to_remember(person, like, factors), Answered::memory)
    }

    /// None: a program whose user can stop it, or that is the user's own, is not sshd, and its word for a key is none.
    fn recognize(&self, _: &Person, _: &[SshKey], _: Factors) -> Result<Option<Recognized>, StoreError> {
        Ok(None)
    }

    fn recovery_left(&self, person: &Person) -> Result<Option<usize>, StoreError> {
        self.ask(Message::asking_of("recovery-left", person), Answered::recovery_left)
    }

    fn redeem(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Redemption, StoreError> {
        let readings = attempt.readings.len();
        self.ask(Message::attempting("redeem", person, attempt), |answered| answered.redemption(readings))
    }

    fn strip(&self, person: &Person, attempt: &Attempt<'_>) -> Result<Stripping, StoreError> {
        let readings = attempt.readings.len();
        self.ask(Message::attempting("strip", person, attempt), |answered| answered.stripping(readings))
    }

    /// None: a program that its user can stop might show none of them.
    fn take_notices(&self, _: &Person) -> Result<Vec<Notice>, StoreError> {
        Ok(Vec::new())
    }

    fn pretend(&self, attempt: &Attempt<'_>) {
        let _ = self.ask(Message::pretending(attempt), |_| Ok(()));
    }
}

/// Questions of a user's program about that user.
impl Broker {
    /// The account of `person`, and what `person` may do about it.
    pub fn own_account(&self, person: &Person) -> Result<(OwnAccount, Offer), StoreError> {
        self.ask(Message::asking_of("self-status", person), Answered::own_account)
    }

    /// The ssh keys of `person`, oldest first.
    pub fn own_ssh_keys(&self, person: &Person) -> Result<Vec<SshKeyView>, StoreError> {
        self.ask(Message::asking_of("self-ssh-keys", person), Answered::own_ssh_keys)
    }

    /// Enrolls an ssh key of `person`, or takes it away. Gives that key. Without an answer it is not known whether that was done,
    /// and the error says so.
    pub fn change_own_ssh_key(
        &self,
        person: &Person,
        request: &Request,
    ) -> Result<Result<SshKeyView, NotChanged>, StoreError> {
        let look = || "twofactor self ssh-key list".to_owned();
        let asked = self.ask(Message::requesting(person, request), Answered::changed_ssh_key);
        asked.map_err(|error| BrokerError::of_an_act(error, look))
    }

    /// Changes the account of `person`, for a broker that has the answer told.
    pub fn change_for(&self, person: &Person, request: &Request) -> ChangeOutcome {
        let asked = self.ask(Message::requesting(person, request), Answered::change);
        ChangeOutcome { proof: None, made: asked.map_err(|error| BrokerError::of_an_act(error, look_at_own)) }
    }

    /// Changes the account of `person`. Gives the new recovery codes. Without an answer it is not known whether that was done, and
    /// the error says so.
    pub fn change_own(
        &self,
        person: &Person,
        request: &Request,
    ) -> Result<Result<Vec<RecoveryCode>, NotChanged>, StoreError> {
        let asked = self.ask(Message::requesting(person, request), Answered::changed);
        asked.map_err(|error| BrokerError::of_an_act(error, look_at_own))
    }
}

/// The command that says whether an own change was made.
fn look_at_own() -> String {
    "twofactor self status".to_owned()
}

/// Questions of a helpdesk about other users.
impl Broker {
    /// Asks for leave to act for a user. Nothing is done.
    pub fn may_help(&self, whom: Whom) -> Result<Result<(), NotHelped>, StoreError> {
        self.ask(Message::asking_for_help(&HelpRequest { whom, act: None }), Answered::leave)
    }

    /// Acts for a user. Without an answer it is not known whether that was done, and the error says so.
    pub fn help(&self, whom: Whom, act: Act) -> Result<Result<Helped, NotHelped>, StoreError> {
        let user = match &whom {
            Whom::User(person) => Some(person.name.clone()),
            Whom::OwnerOf(_) => None,
        };
        let user = user.map_or_else(|| "USER".to_owned(), |user| shell::quoted(user.as_str()));
        let question = Message::asking_for_help(&HelpRequest { whom, act: Some(act) });
        let look = || format!("twofactor status {user}");
        self.ask(question, Answered::helped).map_err(|error| BrokerError::of_an_act(error, look))
    }
}

/// A login of root registers physical tokens through the broker, which has the registry. One that its user can stop sets up
/// apps through it as well.
impl EnrollmentStore for Broker {
    fn enrollment_status(&self, person: &Person) -> Result<EnrollmentStatus, StoreError> {
        self.ask(Message::asking_of("enrollment-status", person), Answered::enrollment_status)
    }

    fn confirm(
        &self,
        _: Option<&UserName>,
        proposal: Proposal,
        code: &Code,
    ) -> Result<Result<App, Box<Proposal>>, StoreError> {
        let confirmed = self.ask(Message::confirming(&proposal, code), Answered::confirmed)?;
        Ok(match confirmed {
            Some(start) => Ok(proposal.confirmed_elsewhere(start)),
            None => Err(Box::new(proposal)),
        })
    }

    /// An error: no secret goes over the wire to a process that may be root of a container alone.
    fn kept_secret(&self, _: &Person) -> Result<Token, Superseded> {
        Err(Superseded::Store(BrokerError::ShowsNoSecret.into()))
    }

    fn check_invitation(
        &self,
        person: &Person,
        typed: &InvitationCode,
        attempt: &Attempt<'_>,
    ) -> Result<Result<Invitation, Reason>, StoreError> {
        self.ask(Message::inviting(person, typed, attempt.source), Answered::invited)
    }

    fn check_registration(
        &self,
        person: &Person,
        serial: &Serial,
        codes: [&Code; 2],
        attempt: &Attempt<'_>,
    ) -> Result<Result<Registration, NotRegistered>, StoreError> {
        let source = attempt.source;
        let question = Message::registering("check-registration", person, serial, codes, source);
        let checked = self.ask_to_register(question, |answered| answered.registration(serial))?;
        let codes = codes.map(|code| Code::new(Zeroizing::new(code.expose().to_owned())));
        let [Some(first), Some(second)] = codes else { return Err(BrokerError::SetsNothingUp.into()) };
        let proof = RegistrationProof::Codes(Shown { codes: [first, second], source: source.clone() });
        Ok(checked.map(|()| Registration { serial: serial.clone(), proof }))
    }

    fn store_pending(&self, pending: Pending) -> Result<(), Superseded> {
        let Pending { user, factor, invitation } = pending;
        let invitation = invitation.as_ref();
        match factor {
            PendingFactor::Token(Registration { serial, proof: RegistrationProof::Codes(shown) }) => {
                let Shown { codes: [first, second], source } = &shown;
                let question = Message::registering("register", &user, &serial, [first, second], source);
                self.ask_to_register(question.with_invitation(invitation), Answered::stored)?
            }
            PendingFactor::App { app, recovery, secret: SecretOrigin::New } => {
                self.ask(Message::storing_app(&user, &app, &recovery, invitation), Answered::stored)?
            }
            PendingFactor::Token(_) | PendingFactor::App { .. } => {
                Err(Superseded::Store(BrokerError::SetsNothingUp.into()))
            }
        }
    }
}
