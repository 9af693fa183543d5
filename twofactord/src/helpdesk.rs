//! A helpdesk that is not root: who is a member, whom a member may help, and the act with its line in the log.
//!
//! Invariants: a member is a user whom the kernel names and the user database certainly has in the group, at each question
//! anew. No member helps root, himself, another member, or a user who may be in a protected group; each name of the uid counts.
//! A user who is no member learns nothing of others.

use std::slice;

use nix::unistd::{Uid as RawUid, User};
use twofactor_core::config::Config;
use twofactor_core::config::helpdesk::Helpdesk as Rule;
use twofactor_core::host::user::{Doubt, LookupError, Person, SystemUsers, UserDatabase as _, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::policy;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::TokenViews as _;
use twofactor_core::store::files::Files;
use twofactor_core::store::helpdesk::{Act, Helpdesk as _, NotHelped, Request, Whom};
use twofactor_core::store::wire::Message;

use crate::caller::{Caller, Refusal};
use crate::journal::{self, Deed};

/// A user in the group of a rule.
struct Member<'c> {
    person: Person,
    /// The rules of whose group the user certainly is.
    rules: Vec<&'c Rule>,
}

/// A user whom a member does not help, as far as it is known who it is.
enum Unhelped {
    /// For this reason, which the member is told.
    Not(Option<UserName>, NotHelped),
    /// Because something is not certain, which the log has.
    InDoubt(Option<UserName>, Refusal),
    /// Because the registry cannot say whose a token is.
    Unknown(StoreError),
}

/// Answers a question of the helpdesk. The answer is an error where the member has no leave, or cannot be told what was done.
pub(crate) fn answer(request: Request, caller: Caller, config: &Config, store: &Files) -> Result<Message, Message> {
    let Request { whom, act } = request;
    let member = member(caller, config).map_err(|refusal| {
        if refusal.is_logged {
            // Not about whom: the name is the asker's word, and no user's.
            journal::write_refusal(None, caller, &refusal);
        }
        refusal.answer()
    })?;
    let name = act.as_ref().map_or("leave", Act::name);
    let event = act.as_ref().map(Act::event);
    let serial = match &whom {
        Whom::OwnerOf(serial) => Some(serial.clone()),
        Whom::User(_) => act.as_ref().and_then(|act| act.serial().cloned()),
    };
    let by = &member.person.name;
    let deed = |user: Option<UserName>| Deed { caller, by, user, act: name, event, serial: serial.clone() };
    let person = member.may_help(&whom, config, store).map_err(|unhelped| match unhelped {
        Unhelped::Not(user, why) => {
            journal::write_deed(&deed(user), &Ok(Err(why)));
            Message::answering_help(&Err(why))
        }
        Unhelped::InDoubt(user, refusal) => {
            journal::write_refusal(user.as_ref(), caller, &refusal);
            refusal.answer()
        }
        Unhelped::Unknown(error) => {
            let outcome = Err(error);
            journal::write_deed(&deed(None), &outcome);
            outcome.as_ref().map_or_else(Message::failing, Message::answering_help)
        }
    })?;
    let Some(act) = act else { return Ok(Message::done()) };
    let outcome = store.help(&person, act, &member.person);
    journal::write_deed(&deed(Some(person.name)), &outcome);
    Ok(outcome.as_ref().map_or_else(Message::failing, Message::answering_help))
}

/// The user of this process as a member of the helpdesk.
fn member(caller: Caller, config: &Config) -> Result<Member<'_>, Refusal> {
    // Root has the commands, and would be recorded as a member.
    if caller.is_root() {
        return Err(of_stranger());
    }
    let name = match User::from_uid(RawUid::from_raw(caller.uid)) {
        Ok(found) => found.map(|user| user.name).ok_or_else(of_stranger)?,
        Err(errno) => return Err(Refusal::of_look_up(&LookupError(errno.desc().to_owned()))),
    };
    let found = SystemUsers.person(&name).map_err(|error| Refusal::of_look_up(&error))?;
    let person = found.filter(|person| person.uid.0 == caller.uid).ok_or_else(of_stranger)?;
    let (mut rules, mut in_doubt) = (Vec::new(), None);
    for rule in &config.helpdesks {
        match policy::is_member(&person.name, slice::from_ref(&rule.group), &SystemUsers) {
            Ok(true) => rules.push(rule),
            Ok(false) => {}
            Err(doubt) => in_doubt = in_doubt.or(Some(of_doubt(&person.name, "the group", rule, &doubt))),
        }
    }
    match in_doubt {
        _ if !rules.is_empty() => Ok(Member { person, rules }),
        Some(refusal) => Err(refusal),
        None => Err(of_stranger()),
    }
}

impl Member<'_> {
    /// The user whom the question is about, when this member may help that user.
    fn may_help(&self, whom: &Whom, config: &Config, store: &Files) -> Result<Person, Unhelped> {
        let (user, claimed) = match whom {
            Whom::User(person) => (person.name.clone(), Some(person.uid)),
            Whom::OwnerOf(serial) => {
                let token = store.token(serial).map_err(Unhelped::Unknown)?;
                let token = token.ok_or(Unhelped::Not(None, NotHelped::NoToken))?;
                (token.owner.ok_or(Unhelped::Not(None, NotHelped::NotOwned))?, None)
            }
        };
        let not = |why| Unhelped::Not(Some(user.clone()), why);
        let in_doubt = |refusal| Unhelped::InDoubt(Some(user.clone()), refusal);
        let looked_up = |error: &LookupError| in_doubt(Refusal { is_logged: true, ..Refusal::of_look_up(error) });
        let found = SystemUsers.person(user.as_str()).map_err(|error| looked_up(&error))?;
        // The name may have passed to another user since the member's program has looked it up.
        let is_it = |person: &Person| person.name == user && claimed.is_none_or(|uid| uid == person.uid);
        let person = found.filter(is_it).ok_or_else(|| not(NotHelped::NoUser))?;
        if person.uid == self.person.uid {
            return Err(not(NotHelped::Oneself));
        }
        // Who logs in under a second name of root, or of an administrator, is that user.
        let name = match User::from_uid(RawUid::from_raw(person.uid.0)) {
            Ok(named) => named.map(|user| user.name),
            Err(errno) => return Err(looked_up(&LookupError(errno.desc().to_owned()))),
        };
        if person.uid.0 == 0 || name.as_deref() != Some(user.as_str()) {
            return Err(not(NotHelped::Protected));
        }
        // Further names of the uid have the rights of the user, and the user theirs.
        let groups = config.helpdesks.iter().map(|rule| &rule.group);
        let groups: Vec<String> = groups.chain(self.rules.iter().flat_map(|rule| &rule.protected)).cloned().collect();
        let others = SystemUsers.other_names(&person, &groups).map_err(|doubt| in_doubt(of_names(&user, &doubt)))?;
        let is_member = |groups: &[String]| is_one_a_member(&user, &others, groups);
        for rule in &config.helpdesks {
            match is_member(slice::from_ref(&rule.group)) {
                Ok(false) => {}
                Ok(true) => return Err(not(NotHelped::Protected)),
                Err(doubt) => return Err(in_doubt(of_doubt(&user, "the group", rule, &doubt))),
            }
        }
        // Each rule gives leave on its own.
        let mut refused = not(NotHelped::Protected);
        for rule in &self.rules {
            match is_member(&rule.protected) {
                Ok(false) => return Ok(person),
                Ok(true) => {}
                Err(doubt) => refused = in_doubt(of_doubt(&user, "a protected group", rule, &doubt)),
            }
        }
        Err(refused)
    }
}

/// Tells if a user is in one of these groups, by that name or another one. An error where that is not certain.
fn is_one_a_member(user: &UserName, others: &[UserName], groups: &[String]) -> Result<bool, Doubt> {
    let mut certain = Ok(false);
    for name in others.iter().chain([user]) {
        match policy::is_member(name, groups, &SystemUsers) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(doubt) => certain = Err(doubt),
        }
    }
    certain
}

/// The refusal of a user who is no member, in the same words about each user.
fn of_stranger() -> Refusal {
    Refusal {
        reason: Reason::NotRoot,
        problem: "this program does not run as root, and its user is in no [[helpdesk]]".to_owned(),
        hint: "see [[helpdesk]] in twofactor.toml(5)".to_owned(),
        is_logged: false,
    }
}

fn of_names(user: &UserName, doubt: &Doubt) -> Refusal {
    Refusal {
        reason: Reason::StoreUnavailable,
        problem: format!("it is not certain under which names {user} can log in: {doubt}"),
        hint: "look at /etc/passwd and the groups of [[helpdesk]]".to_owned(),
        is_logged: true,
    }
}

fn of_doubt(user: &UserName, group: &str, rule: &Rule, doubt: &Doubt) -> Refusal {
    Refusal {
        reason: Reason::StoreUnavailable,
        problem: format!(
            "it is not certain whether {user} is in {group} of [[helpdesk]] (line {}): {doubt}",
            rule.line
        ),
        hint: format!("try: id {}", twofactor_core::host::shell::quoted(user.as_str())),
        is_logged: true,
    }
}
