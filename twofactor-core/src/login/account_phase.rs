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

use super::{Conversation, Denial, Login, Request, World};

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

/// Finishes a login whose authentication we took part in. `pending` is what that has confirmed.
pub fn finish(
    request: &Request,
    world: &World<'_>,
    pending: Option<Pending>,
    conversation: &mut dyn Conversation,
    audit: &mut dyn Audit,
) -> AccountVerdict {
    let mut login = Login::new(request, world, conversation, audit);
    let identified = login.identify();
    let Some(pending) = pending else {
        login.notices(&identified);
        return AccountVerdict::NothingToDo;
    };
    // The application may have changed its mind about who logs in, or nobody can tell any more.
    if !identified.as_ref().is_ok_and(|user| *user == pending.user) {
        let problem = "the user is not the one of the authentication";
        return AccountVerdict::Refused(login.denied(&Denial::explained(
            Reason::Conversation,
            &problem,
            "log in again",
        )));
    }
    match login.store(pending) {
        Ok(()) => AccountVerdict::Stored,
        Err(denial) => AccountVerdict::Refused(login.denied(&denial)),
    }
}

impl Login<'_> {
    fn store(&mut self, pending: Pending) -> Result<(), Denial> {
        let now = self.world.clock.now()?;
        let (event, token) = match &pending.what {
            What::App { app, .. } => (Event::Enrolled, app.token().label.to_string()),
            What::Token(registration) => (Event::Registered, registration.serial().to_string()),
        };
        let text = match &pending.what {
            What::App { recovery, .. } => welcome(recovery),
            What::Token(registration) => {
                Zeroizing::new(format!("\nToken {} is yours from now on.\n", registration.serial()))
            }
        };
        if let Err(error) = self.world.newcomers.store_pending(pending, now) {
            self.conversation.tell("Your second factor could not be set up. Log in again.");
            return Err(error.into());
        }
        let record = self.about(Record::new(event)).with("token", token);
        self.audit.record(&record);
        self.conversation.tell(&text);
        Ok(())
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
