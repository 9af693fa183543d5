//! The account phase of a login: stores the second factor that the authentication has confirmed, and shows notices.
//!
//! Invariants: an application runs this phase only after a successful authentication, so the user has also proved the
//! password. Nothing is shown or stored for an account that is known to be closed; the authentication treats it like
//! any other, because a guesser must not learn that it is closed. Recovery codes are shown only after they are stored,
//! in a question, because applications drop texts behind the last one; the answer decides nothing.
//!
//! sshd also runs this phase after a key, in a transaction in which the password was wrong before. A second factor left
//! over from that attempt is shown only after an answer, and in that transaction there is no user to answer.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::account::notice::Notice;
use crate::codes::recovery::RecoveryCode;
use crate::config::{InvitationRule, Permission};
use crate::host::clock::UnixTime;
use crate::host::shell;
use crate::host::user::expiry::{END_UNKNOWN, Expired};
use crate::host::user::{LookupError, UserName};
use crate::log::reason::Reason;
use crate::log::record::{Audit, Event, Record};
use crate::policy::Decision;
use crate::store::{Pending, PendingFactor, Presence, Superseded};

use super::denial::Denial;
use super::first_time::NOT_SET_UP;
use super::outcome::Unfinished;
use super::progress::Login;
use super::request::Process;
use super::request::{Conversation, Request, World};

/// The result of the account phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum AccountVerdict {
    /// There was nothing to store.
    NothingToDo,
    /// The second factor is stored.
    Stored,
    /// It could not be stored: the login must not go on.
    Refused(Reason),
}

/// Shown to a user whose account is closed.
const CLOSED: &str = "This account has expired, so no second factor was set up. Ask your administrator.";

/// The number of recovery codes from which on the user is warned.
pub const FEW_RECOVERY_CODES: usize = 3;

/// Knows which accounts are closed.
pub trait Accounts {
    /// The reason for which the account of `user` is closed at `now`, when it is known to be closed. A missing shadow
    /// entry proves nothing: SSSD users have none.
    fn expired(&self, user: &UserName, now: UnixTime) -> Result<Option<Expired>, LookupError>;
}

/// Finishes a login whose authentication this module took part in. `unfinished` is what that authentication left to
/// store.
pub fn finish(
    request: &Request,
    world: &World<'_>,
    accounts: &dyn Accounts,
    unfinished: Option<Unfinished>,
    conversation: &mut dyn Conversation,
    audit: &mut dyn Audit,
) -> AccountVerdict {
    let claimant = request.claimant(world.users);
    let mut login = Login::new(&claimant, request, world, conversation, audit);
    let Some(unfinished) = unfinished else {
        login.notices();
        return AccountVerdict::NothingToDo;
    };
    // The application may have changed PAM_USER since, or the look-up fails now.
    if !claimant.person().is_ok_and(|person| person == unfinished.user()) {
        let problem = "the user is not the one of the authentication";
        return AccountVerdict::Refused(login.denied(&Denial::explained(
            Reason::Conversation,
            &problem,
            "log in again",
        )));
    }
    let allowed = login.is_open(&unfinished.user().name, accounts).and_then(|()| login.may_still_enroll(&unfinished));
    let stored = allowed.and_then(|()| {
        let pending = match unfinished {
            Unfinished::Confirmed(pending) => pending,
            Unfinished::Kept { invitation, .. } => {
                let pending = login.once_more(invitation)?;
                login.is_open(&pending.user.name, accounts)?;
                pending
            }
        };
        login.store(pending)
    });
    match stored {
        Ok(()) => AccountVerdict::Stored,
        Err(denial) => AccountVerdict::Refused(login.denied(&denial)),
    }
}

impl Login<'_> {
    /// Refuses a closed account. An account line below ours would refuse it only after the second factor was stored: an
    /// attacker with the password would own the second factor of the account on the day it opens again.
    fn is_open(&mut self, user: &UserName, accounts: &dyn Accounts) -> Result<(), Denial> {
        let now = self.world.clock.now()?;
        match accounts.expired(user, now) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => {
                self.tell_unless_silent(CLOSED);
                Err(Denial::explained(
                    Reason::AccountExpired,
                    &why,
                    format!("see: chage -l {}", shell::quoted(user.as_str())),
                ))
            }
            Err(error) => {
                self.tell_unless_silent(NOT_SET_UP);
                let user = shell::quoted(user.as_str());
                let hint = if error.0.contains(END_UNKNOWN) {
                    format!("the application must not ignore SIGCHLD; enroll elsewhere, or: twofactor enroll {user}")
                } else {
                    format!("without it there is no telling whether the account is closed; try: chage -l {user}")
                };
                Err(Denial::explained(Reason::StoreUnavailable, &error, hint))
            }
        }
    }

    /// Refuses where the policy no longer allows this enrollment: a prompt may have stood open for days.
    fn may_still_enroll(&mut self, unfinished: &Unfinished) -> Result<(), Denial> {
        let ruling = self.rule();
        self.factors = ruling.factors;
        let (counts, invitation) = match unfinished {
            Unfinished::Confirmed(Pending { factor: PendingFactor::Token(_), invitation, .. }) => {
                (ruling.factors.token && self.world.process == Process::Roots, invitation)
            }
            Unfinished::Confirmed(Pending { invitation, .. }) | Unfinished::Kept { invitation, .. } => {
                (ruling.factors.app, invitation)
            }
        };
        let invited = invitation.is_some() || self.world.config.enrollment.invitation == InvitationRule::None;
        if matches!(ruling.decision, Decision::AskOrEnroll(_)) && counts && invited {
            return Ok(());
        }
        let problem = "the policy no longer lets this user set that up at login";
        Err(Denial::explained(Reason::NotConfirmed, &problem, "see: twofactor explain"))
    }

    fn store(&mut self, pending: Pending) -> Result<(), Denial> {
        let name = pending.factor.name();
        let event = match &pending.factor {
            PendingFactor::App { .. } => Event::Enrolled,
            PendingFactor::Token(_) => Event::Registered,
        };
        let news = News::of(&pending.factor);
        let user = pending.user.name.clone();
        if let Err(error) = self.world.enrollments.store_pending(pending) {
            self.tell_unless_silent(NOT_SET_UP);
            return Err(error.into());
        }
        self.audit.record(&self.about(Record::new(event)).with("token", name));
        match news {
            News::Told(text) => self.tell_unless_silent(&text),
            News::Asked(question) => self.show_recovery_codes(&question, &user),
        }
        Ok(())
    }

    /// Asks a question that holds the recovery codes, also where the application wants no texts. They are stored by
    /// now, so the login goes on whatever the answer is.
    fn show_recovery_codes(&mut self, question: &str, user: &UserName) {
        if self.conversation.ask_openly(question).is_ok() {
            return;
        }
        let problem = "the recovery codes were shown in a question that got no answer";
        let name = shell::quoted(user.as_str());
        let hint = format!("new ones for a user who has not seen them: twofactor recovery {name}");
        let record = self.about(Record::new(Event::Error)).with("reason", Reason::Conversation);
        self.audit.record(&record.with("problem", problem).with("hint", hint));
    }

    pub(super) fn tell_unless_silent(&mut self, text: &str) {
        if !self.request.silent {
            self.conversation.tell(text);
        }
    }

    /// Shows how long the grace period lasts and how few recovery codes are left. A look-up that fails here refuses no
    /// login.
    fn notices(&mut self) {
        let Ok(person) = self.claimant.person() else { return };
        let user = &person.name;
        if self.request.silent {
            return;
        }
        let ruling = self.rule();
        if let Some((until, _)) = ruling.grace
            && let Ok(Presence::Absent(_)) = self.world.store.presence(user)
        {
            let day = until.to_string();
            let day = day.split('T').next().unwrap_or(&day);
            let how = format!("ask your administrator to run: twofactor enroll {}", shell::quoted(user.as_str()));
            let text = format!("A second factor is required from {day}. Before that day, {how}");
            self.conversation.tell(&text);
        }
        // Only where the user cannot end the process between the two: each is told once.
        if self.world.process == Process::Roots
            && let Ok(notices) = self.world.store.take_notices(person)
        {
            for Notice { at, by, change } in notices {
                let day = at.to_string();
                let day = day.split('T').next().unwrap_or(&day);
                let who = if by == person.uid { "yourself" } else { "the helpdesk" };
                self.conversation
                    .tell(&format!("Your second factor was changed on {day} by {who} (uid {by}): {change}."));
            }
        }
        if let Ok(Some(left)) = self.world.store.recovery_left(person)
            && left <= FEW_RECOVERY_CODES
        {
            let left = match left {
                0 => "You have no recovery codes left.".to_owned(),
                1 => "You have one recovery code left.".to_owned(),
                _ => format!("You have {left} recovery codes left."),
            };
            let new = match self.world.config.self_service.change {
                Permission::Given => "Make new ones: twofactor self recovery",
                Permission::Refused => "Ask your administrator for new ones.",
            };
            self.conversation.tell(&format!("{left} {new}"));
        }
    }
}

/// The words about a second factor that was just stored.
enum News {
    /// A text, which the user may miss.
    Told(Zeroizing<String>),
    /// A question with the recovery codes in it.
    Asked(Zeroizing<String>),
}

impl News {
    fn of(factor: &PendingFactor) -> Self {
        match factor {
            PendingFactor::App { recovery, .. } if recovery.is_empty() => Self::Told(Zeroizing::new(SET_UP.to_owned())),
            PendingFactor::App { recovery, .. } => Self::Asked(with_recovery_codes(recovery)),
            PendingFactor::Token(_) => {
                Self::Told(Zeroizing::new(format!("\nToken {} is yours from now on.\n", factor.name())))
            }
        }
    }
}

/// Read by a user who has just set up an app. It begins with a newline, because ssh puts the user's name before it.
const SET_UP: &str = "\nYour second factor is set up. From now on you are asked for a code.\n";

/// The same with the recovery codes, two in a line, as a question. Ten codes take less than the 512 bytes that
/// `PAM_MAX_MSG_SIZE` promises.
fn with_recovery_codes(recovery: &[RecoveryCode]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    text.push_str(SET_UP);
    text.push_str("Each of these recovery codes opens one login without the app:\n\n");
    for pair in recovery.chunks(2) {
        for code in pair {
            let _ = write!(text, "    {}", code.expose_grouped().as_str());
        }
        text.push('\n');
    }
    text.push_str("\nThey are not shown again. Write these down, then press Enter: ");
    text
}

impl From<Superseded> for Denial {
    fn from(superseded: Superseded) -> Self {
        match superseded {
            Superseded::Store(error) => error.into(),
            Superseded::Entropy(error) => Self::explained(Reason::StoreUnavailable, &error, "is /dev/urandom there?"),
            Superseded::Enrolled
            | Superseded::Reset
            | Superseded::Expired
            | Superseded::TokenTaken
            | Superseded::InvitationSpent => {
                Self::explained(Reason::NotConfirmed, &superseded, "the user logs in again")
            }
        }
    }
}
