//! The account phase of a login: stores what the authentication has confirmed, and tells the user what to know.
//!
//! What always holds: an application gets here only when the whole authentication was a success, so what is stored now
//! belongs to somebody who also had the password. Recovery codes are shown once they are stored, and only then.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::audit::{Audit, Event, Record};
use crate::reason::Reason;
use crate::recovery::RecoveryCode;
use crate::store::{Pending, Presence, Superseded, What};
use crate::user::UserName;

use super::first_time::NOT_SET_UP;
use super::{Conversation, Denial, Login, Request, Unfinished, World};

/// How the account phase ends.
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

/// So few recovery codes are worth a word.
const FEW: usize = 3;

/// Finishes a login whose authentication we took part in. `unfinished` is what that has left to do.
pub fn finish(
    request: &Request,
    world: &World<'_>,
    unfinished: Option<Unfinished>,
    conversation: &mut dyn Conversation,
    audit: &mut dyn Audit,
) -> AccountVerdict {
    let mut login = Login::new(request, world, conversation, audit);
    let identified = login.identify();
    let Some(unfinished) = unfinished else {
        login.notices(&identified);
        return AccountVerdict::NothingToDo;
    };
    // The application may have changed its mind about who logs in, or nobody can tell any more.
    if !identified.as_ref().is_ok_and(|user| user == unfinished.user()) {
        let problem = "the user is not the one of the authentication";
        return AccountVerdict::Refused(login.denied(&Denial::explained(
            Reason::Conversation,
            &problem,
            "log in again",
        )));
    }
    let confirmed = match unfinished {
        Unfinished::Confirmed(pending) => Ok(pending),
        Unfinished::Kept { token, invitation, .. } => login.once_more(token, invitation, &identified),
    };
    match confirmed.and_then(|pending| login.store(pending)) {
        Ok(()) => AccountVerdict::Stored,
        Err(denial) => AccountVerdict::Refused(login.denied(&denial)),
    }
}

impl Login<'_> {
    fn store(&mut self, pending: Pending) -> Result<(), Denial> {
        let now = self.world.clock.now()?;
        let name = pending.what.name();
        let (event, text, hint) = match &pending.what {
            What::App { recovery, .. } => {
                (Event::Enrolled, welcome(recovery), self.missing_recovery_codes(&pending.user))
            }
            What::Token(_) => {
                (Event::Registered, Zeroizing::new(format!("\nToken {name} is yours from now on.\n")), None)
            }
        };
        if let Err(error) = self.world.newcomers.store_pending(pending, now) {
            self.tell_unless_silent(NOT_SET_UP);
            return Err(error.into());
        }
        self.audit.record(&self.about(Record::new(event)).with("token", name).with_some("hint", hint));
        self.tell_unless_silent(&text);
        Ok(())
    }

    /// Whoever enrolls through an application that wants no texts cannot be shown recovery codes, and so has none.
    fn missing_recovery_codes(&self, user: &UserName) -> Option<String> {
        let wanted = self.world.config.enrollment.recovery_codes > 0;
        let hint = || {
            format!(
                "{} shows no texts, so {user} has no recovery codes: twofactor recovery {user}",
                self.request.service
            )
        };
        (self.request.silent && wanted).then(hint)
    }

    pub(super) fn tell_unless_silent(&mut self, text: &str) {
        if !self.request.silent {
            self.conversation.tell(text);
        }
    }

    /// What a user should know in time. Whatever cannot be found out now is not worth refusing a login for.
    fn notices(&mut self, identified: &Result<UserName, super::Unidentified>) {
        let Ok(user) = identified else { return };
        if self.request.silent {
            return;
        }
        let ruling = self.rule(identified);
        if let Some((until, _)) = ruling.grace
            && let Ok(Presence::Absent(_)) = self.world.store.presence(user)
        {
            let day = until.to_string();
            let day = day.split('T').next().unwrap_or(&day);
            let text = format!("A second factor is required from {day}. Ask your administrator to enroll you before.");
            self.conversation.tell(&text);
        }
        if let Ok(Some(left)) = self.world.store.recovery_left(user)
            && left <= FEW
        {
            let text = match left {
                0 => "You have no recovery codes left. Ask your administrator for new ones.".to_owned(),
                1 => "You have one recovery code left. Ask your administrator for new ones.".to_owned(),
                _ => format!("You have {left} recovery codes left. Ask your administrator for new ones."),
            };
            self.conversation.tell(&text);
        }
    }
}

/// What somebody reads who has just set up an app.
fn welcome(recovery: &[RecoveryCode]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    text.push_str("\nYour second factor is set up. From now on you are asked for a code.\n");
    if !recovery.is_empty() {
        text.push_str(
            "Write these recovery codes down, they are not shown again. Each opens one login\nwithout the app:\n\n",
        );
        for pair in recovery.chunks(2) {
            let shown: Vec<Zeroizing<String>> = pair.iter().map(RecoveryCode::expose_grouped).collect();
            for code in &shown {
                let _ = write!(text, "    {}", code.as_str());
            }
            text.push('\n');
        }
    }
    text
}

impl From<Superseded> for Denial {
    fn from(superseded: Superseded) -> Self {
        match superseded {
            Superseded::Store(error) => error.into(),
            Superseded::Entropy(error) => Self::explained(Reason::StoreUnavailable, &error, "is /dev/urandom there?"),
            Superseded::Enrolled | Superseded::TokenTaken | Superseded::InvitationSpent => {
                Self::explained(Reason::NotConfirmed, &superseded, "the user logs in again")
            }
        }
    }
}
