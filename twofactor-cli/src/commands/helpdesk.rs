//! Commands of a helpdesk that is not root: they ask the broker, which decides whom a member may help.
//!
//! Invariants: this process has no rights but its user's. It asks for leave before it asks its user anything. What needs an
//! option that the broker does not offer is root's.

use std::path::Path;

use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{Person, SystemUsers, Uid, UserDatabase as _, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{Reset, Sharing};
use twofactor_core::store::broker::{Broker, BrokerError, PATIENCE, SOCKET};
use twofactor_core::store::helpdesk::{Act, Helped, NotHelped, Whom};
use twofactor_core::store::self_service::OwnedToken;
use twofactor_core::store::wire::WireError;

use super::{code, handing_out, status, token, unlock, verify};
use crate::args::tokens::{Assign, TwoCodes};
use crate::args::{self, Code, Unlock, Verify};
use crate::error::Failure;
use crate::host::{configuration, protect_memory, warn_of_delay_until};
use crate::output::Output;

pub(super) fn status(typed: &str, output: &Output) -> Result<(), Failure> {
    let (desk, person) = Desk::for_user(typed)?;
    let user = &person.name;
    match desk.help(Act::Status)? {
        Helped::Enrolled(account) => {
            let now = SystemClock.now()?;
            output.report(|| status::detailed(user, &account, now), || status::as_json(user, &account))?;
            account.tokens_problem.map_or(Ok(()), |problem| Err(problem.into()))
        }
        Helped::Invited(newcomer) => {
            let now = SystemClock.now()?;
            output.report(
                || status::invited_in_words(user, &newcomer, now),
                || status::invited_as_json(user, &newcomer),
            )?;
            Err(desk.not_helped(NotHelped::NotEnrolled))
        }
        _ => Err(other_answer()),
    }
}

pub(super) fn verify(arguments: Verify, output: &Output) -> Result<(), Failure> {
    let (desk, person) = Desk::for_user(&arguments.user)?;
    let answer = Answer::parse(&verify::typed(arguments.code)?);
    if answer.digits().is_none() {
        return verify::refuse_no_guess(person.name, output);
    }
    let Helped::Judged(verdict, blocked_until) = desk.help(Act::Verify(answer))? else { return Err(other_answer()) };
    if let Some(until) = blocked_until {
        warn_of_delay_until(&person.name, until);
    }
    verify::tell(person.name, verdict, output)
}

pub(super) fn unlock(arguments: &Unlock, output: &Output) -> Result<(), Failure> {
    let (desk, person) = Desk::for_user(&arguments.user)?;
    let Helped::Unlocked(failures) = desk.help(Act::Unlock)? else { return Err(other_answer()) };
    unlock::say(&person.name, failures, output)
}

pub(super) fn code(arguments: &Code, output: &Output) -> Result<(), Failure> {
    let (desk, person) = Desk::for_user(&arguments.user)?;
    let user = &person.name;
    if arguments.revoke {
        let Helped::CodeRevoked(had) = desk.help(Act::RevokeCode)? else { return Err(other_answer()) };
        return handing_out::say_void(user, had, "temporary code", output);
    }
    let Helped::CodeGiven { code, until, blocked_until } = desk.help(Act::GiveCode(arguments.valid))? else {
        return Err(other_answer());
    };
    if let Some(until) = blocked_until {
        warn_of_delay_until(user, until);
    }
    if let Ok(config) = configuration(None) {
        code::warn_when_useless(user, &config);
    }
    if let Err(error) = code::show(&code, user, until, output) {
        // A code that was not shown is of no use.
        desk.help(Act::RevokeCode)?;
        return Err(Failure::TemporaryCodeUnseen(error));
    }
    Ok(())
}

pub(super) fn reset(arguments: &args::Reset, output: &Output) -> Result<(), Failure> {
    if arguments.keep_secret {
        return Err(Failure::NotRoot);
    }
    let (desk, person) = Desk::for_user(&arguments.user)?;
    if !arguments.yes {
        super::reset::ask(&person.name, Reset::Everything)?;
    }
    let Helped::Reset(tokens) = desk.help(Act::Reset)? else { return Err(other_answer()) };
    let tokens: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    super::reset::say(&person.name, Reset::Everything, &tokens, output)
}

pub(super) fn assign(arguments: &Assign, output: &Output) -> Result<(), Failure> {
    let (Some(serial), Some(user), Sharing::Refuse) = (&arguments.serial, &arguments.user, arguments.sharing()) else {
        return Err(Failure::NotRoot);
    };
    let (desk, person) = Desk::for_user(user)?;
    let desk = Desk { serial: Some(serial.clone()), ..desk };
    let Helped::Assigned = desk.help(Act::Assign(serial.clone()))? else { return Err(other_answer()) };
    token::assign::say(serial, &person, output)
}

pub(super) fn resync(arguments: TwoCodes, output: &Output) -> Result<(), Failure> {
    let serial = arguments.serial;
    let desk = Desk::for_owner_of(&serial)?;
    let codes = token::codes::two(arguments.codes)?;
    let act = Act::Resync(OwnedToken { serial: serial.clone(), codes });
    let Helped::Resynced { owner, kind, drift, watermark } = desk.help(act)? else { return Err(other_answer()) };
    token::resync::say(&serial, Some(&owner), kind, drift, watermark, output)
}

/// The broker, asked about one user.
struct Desk {
    broker: Broker,
    whom: Whom,
    serial: Option<Serial>,
}

impl Desk {
    /// Asks for leave to act for a user.
    fn for_user(typed: &str) -> Result<(Self, Person), Failure> {
        let unknown = || Failure::UnknownUser(typed.to_owned());
        let person = match SystemUsers.person(typed)? {
            Some(person) => person,
            // A user who is no member is told so first.
            None => Person { name: UserName::new(typed).map_err(|_| unknown())?, uid: Uid(u32::MAX) },
        };
        let desk = Self::with_leave(Whom::User(person.clone()), None)?;
        Ok((desk, person))
    }

    /// Asks for leave to act for the owner of a token.
    fn for_owner_of(serial: &Serial) -> Result<Self, Failure> {
        Self::with_leave(Whom::OwnerOf(serial.clone()), Some(serial.clone()))
    }

    fn with_leave(whom: Whom, serial: Option<Serial>) -> Result<Self, Failure> {
        protect_memory();
        let this = Self { broker: Broker::new(Path::new(SOCKET), Owner::ROOT, PATIENCE), whom, serial };
        match this.broker.may_help(this.whom.clone()) {
            Ok(Ok(())) => Ok(this),
            Ok(Err(why)) => Err(this.not_helped(why)),
            Err(error) => Err(refused(error)),
        }
    }

    fn help(&self, act: Act) -> Result<Helped, Failure> {
        match self.broker.help(self.whom.clone(), act) {
            Ok(helped) => helped.map_err(|why| self.not_helped(why)),
            Err(error) => Err(refused(error)),
        }
    }

    fn not_helped(&self, why: NotHelped) -> Failure {
        let user = match &self.whom {
            Whom::User(person) => Some(person.name.clone()),
            Whom::OwnerOf(_) => None,
        };
        Failure::NotHelped { user, serial: self.serial.clone(), why }
    }
}

/// The failure of a user who is no member, or of a broker that cannot answer. Where there is a helpdesk, a broker that does not run is
/// named.
fn refused(error: StoreError) -> Failure {
    let has_helpdesk = || configuration(None).is_ok_and(|config| !config.helpdesks.is_empty());
    match error.kind() {
        Some(BrokerError::Absent(_)) if has_helpdesk() => error.into(),
        _ if error.reason() == Reason::NotRoot => Failure::NotRoot,
        _ => error.into(),
    }
}

/// The broker has answered another question.
fn other_answer() -> Failure {
    let error = WireError::Value("answer");
    StoreError::from(BrokerError::Wire { socket: SOCKET.into(), error }).into()
}
