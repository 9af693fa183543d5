//! The first login of a user without a second factor, where the policy allows enrollment.
//!
//! Show a QR code → ask for a code of it → hand on the confirmed factor. Invariant: nothing is stored here. The
//! confirmed factor waits for the account phase, which an application runs only after a successful authentication:
//! behind a wrong password even right answers set up nothing. Hanging up leaves nothing; the next login shows another
//! secret.
//!
//! A user who does not exist sees the same and is refused at the end.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::account::App;
use crate::account::enrollment::{self, Proposal, TRIES};
use crate::account::invitation::{Invitation, InvitationCode};
use crate::codes::answer::{self, Answer};
use crate::codes::otp::Code;
use crate::codes::token::{Label, Serial};
use crate::config::InvitationRule;
use crate::host::shell;
use crate::host::user::UserName;
use crate::log::reason::Reason;
use crate::log::record::{Event, Record};
use crate::policy::MayEnroll;
use crate::store::{EnrollmentStatus, NotRegistered, Pending, PendingFactor, SecretOrigin};
use crate::text::qr::{Glyphs, Qr};

use super::course::{
    CONFIRMATION_PROMPT, EnrollmentObstacle, FIRST_CODE_PROMPT, INVITATION_PROMPT, ONCE_MORE_PROMPT, Offering,
    REGISTERS_NO_TOKENS, SECOND_CODE_PROMPT, SERIAL_PROMPT, registers_tokens,
};
use super::denial::Denial;
use super::outcome::Unfinished;
use super::progress::Login;
use super::request::{Process, Reply};

/// Shown to a user whose second factor the host could not store.
pub(super) const NOT_SET_UP: &str = "Your second factor could not be set up. Log in again.";

/// The same in a process that shows no secret that was kept ([`Process::ItsUsers`]).
const SET_UP_ELSEWHERE: &str = "Your second factor could not be set up here. Log in at the console or over ssh.";

/// Shown to a user who asks to register a token where only the sysadmin registers them.
const REGISTERED_BY_THE_SYSADMIN: &str = "Physical tokens are registered by the sysadmin.";

/// Shown to a user who asks to register a token in a process that must not hold the registry ([`Process::ItsUsers`]).
const REGISTER_ELSEWHERE: &str =
    "A physical token cannot be registered here. Register it when you log in at the console or
     over ssh, or ask your administrator: twofactor token assign";

/// The number of answers that show a text again and use up no try.
const MOST_DRAWINGS: u8 = 10;

/// A user's answer below the QR code.
enum Wish {
    /// A code.
    Code(Reply),
    /// The QR code again, in ASCII.
    Ascii,
    /// A physical token instead.
    Token,
}

impl Wish {
    fn of(reply: Reply) -> Self {
        match reply.trim_ascii() {
            word if word.eq_ignore_ascii_case(b"ascii") => Self::Ascii,
            word if word.eq_ignore_ascii_case(b"token") => Self::Token,
            _ => Self::Code(reply),
        }
    }
}

impl Login<'_> {
    /// Sets up a second factor with a user who has none. `status` is `None` for a user who does not exist.
    pub(super) fn first_time(
        &mut self,
        _leave: MayEnroll,
        status: Option<EnrollmentStatus>,
        offering: Offering,
    ) -> Result<Unfinished, Denial> {
        let invitation = self.ask_invitation()?;
        if let (Some(EnrollmentStatus::Waiting), Ok(user)) = (status, self.claimant.person()) {
            // The account phase asks. Where that never runs, this line is all there is to see of it.
            self.audit.record(&self.about(Record::new(Event::Skipped)).with("policy", "asked-in-account-phase"));
            return Ok(Unfinished::Kept { user: user.clone(), invitation });
        }
        let factor = match offering {
            Offering::App | Offering::AppOrToken => {
                let proposal = self.propose()?;
                self.offer(proposal, offering)?
            }
            Offering::Token => {
                self.conversation.tell("This account needs a second factor. Register your physical token:");
                self.register()?
            }
        };
        let user = self.claimant.person().map_err(Denial::from)?.clone();
        // Should nothing come of it, the password was wrong: a guesser wanted to see the QR code.
        self.audit.record(&self.about(Record::new(Event::Confirmed)).with("token", factor.name()));
        Ok(Unfinished::Confirmed(Pending { user, factor, invitation }))
    }

    /// Shows a kept secret until a code of it is right. Only the account phase does it: the user has proved the
    /// password or a key.
    ///
    /// Asks before it shows the secret. After a wrong password by the method `password` and then a key in the same
    /// connection, sshd runs the account phase with no user to answer, and would send the text to the holder of the
    /// key.
    pub(super) fn once_more(&mut self, invitation: Option<Invitation>) -> Result<Pending, Denial> {
        let user = self.claimant.person().map_err(Denial::from)?.clone();
        drop(self.conversation.ask_openly(ONCE_MORE_PROMPT)?);
        let token = self.world.enrollments.kept_secret(&user).inspect_err(|_| {
            let stoppable = self.world.process == Process::ItsUsers;
            self.tell_unless_silent(if stoppable { SET_UP_ELSEWHERE } else { NOT_SET_UP });
        })?;
        let (issuer, account) = self.names();
        let proposal = Proposal::again(token, issuer, &account);
        let factor = match self.offer(proposal, Offering::App)? {
            PendingFactor::App { app, recovery, .. } => {
                PendingFactor::App { app, recovery, secret: SecretOrigin::Kept }
            }
            token @ PendingFactor::Token(_) => token,
        };
        Ok(Pending { user, factor, invitation })
    }

    /// Asks a user who cannot enroll the questions that all are asked, and refuses.
    pub(super) fn refuse_to_enroll(&mut self, obstacle: &EnrollmentObstacle) -> Denial {
        if *obstacle == EnrollmentObstacle::RegistersNoTokens {
            self.tell_unless_silent(REGISTER_ELSEWHERE);
        }
        if let Err(error) = self.conversation.ask(&self.world.config.prompt.code) {
            return error.into();
        }
        let reason = obstacle.reason(self.claimant);
        match obstacle {
            EnrollmentObstacle::NoAccountLine(problem) => {
                let hint = format!("twofactor service enable {}", shell::quoted(self.claimant.service));
                Denial::explained(reason, problem, hint)
            }
            EnrollmentObstacle::RegistersNoTokens => match self.claimant.name() {
                Some(user) => Denial::explained(reason, obstacle, assign_to(user)),
                None => Denial::of(reason),
            },
            EnrollmentObstacle::NotRoot => match self.claimant.name() {
                Some(user) => {
                    let enroll = format!("twofactor enroll {}", shell::quoted(user.as_str()));
                    Denial::explained(reason, obstacle, enroll)
                }
                None => Denial::of(reason),
            },
        }
    }

    /// The invitation code, where one is needed.
    fn ask_invitation(&mut self) -> Result<Option<Invitation>, Denial> {
        if self.world.config.enrollment.invitation == InvitationRule::None {
            return Ok(None);
        }
        self.conversation.tell("This account has no second factor yet. Setting one up takes an invitation code.");
        let reply = self.conversation.ask(INVITATION_PROMPT)?;
        self.refuse_passwords(&reply)?;
        if answer::is_blank(&reply) {
            return Err(Denial::of(Reason::NoAnswer));
        }
        let typed = InvitationCode::parse(&reply).ok_or_else(|| Denial::of(Reason::InvitationWrong))?;
        let user = self.claimant.person().map_err(Denial::from)?;
        let attempt = self.attempt(&[]);
        match self.world.enrollments.check_invitation(user, &typed, &attempt)? {
            Ok(invitation) => Ok(Some(invitation)),
            Err(reason) => {
                let hint = reason == Reason::InvitationWrong;
                let new = || format!("a new one: twofactor invite {}", shell::quoted(user.name.as_str()));
                Err(Denial { hint: hint.then(new), ..Denial::of(reason) })
            }
        }
    }

    /// The issuer and the account that an app displays: the host, and `user@host`.
    fn names(&self) -> (&str, String) {
        let issuer = self.world.config.enrollment.issuer.as_deref().unwrap_or(self.world.host_name);
        (issuer, format!("{}@{}", self.claimant.name_or_typed(), self.world.host_name))
    }

    /// A new secret.
    fn propose(&self) -> Result<Proposal, Denial> {
        let enrollment = &self.world.config.enrollment;
        let (issuer, account) = self.names();
        let label = Label::app();
        let now = self.world.clock.now()?;
        let proposal = Proposal::new(label, enrollment.parameters, issuer, &account, now);
        proposal.map_err(|error| Denial::explained(Reason::StoreUnavailable, &error, "is /dev/urandom there?"))
    }

    /// Shows the secret until a code of it is right or the user registers a physical token. Every other answer is one
    /// of three tries, also a password and sshd's dummy password: a different reply to those would reveal which users
    /// exist.
    fn offer(&mut self, mut proposal: Proposal, offering: Offering) -> Result<PendingFactor, Denial> {
        let mut text = picture(&proposal, offering, Glyphs::HalfBlocks);
        let (mut tries, mut drawings) = (TRIES, MOST_DRAWINGS);
        loop {
            self.conversation.tell(&text);
            let reply = self.conversation.ask(CONFIRMATION_PROMPT)?;
            let denial = match Wish::of(reply) {
                Wish::Ascii | Wish::Token if drawings == 0 => return Err(Denial::of(Reason::NotConfirmed)),
                Wish::Ascii => {
                    drawings -= 1;
                    text = picture(&proposal, offering, Glyphs::Ascii);
                    continue;
                }
                Wish::Token if offering == Offering::AppOrToken => return self.register(),
                Wish::Token => {
                    drawings -= 1;
                    text = Zeroizing::new(self.refuse_to_register().to_owned());
                    continue;
                }
                Wish::Code(reply) => match self.refuse_passwords(&reply) {
                    Err(denial) => denial,
                    Ok(()) => match self.confirmed(proposal, &reply)? {
                        Ok(app) => return self.with_recovery_codes(app),
                        Err(again) => {
                            proposal = *again;
                            let problem = "no code of the secret that was shown; has the client shown it?";
                            Denial { problem: Some(problem.to_owned()), ..Denial::of(offering.refusal()) }
                        }
                    },
                },
            };
            tries -= 1;
            if tries == 0 {
                return Err(denial);
            }
            let left = if tries == 1 { "One try left." } else { "Two tries left." };
            text = Zeroizing::new(format!("That code is not right. {left} Is the clock of the phone right?"));
        }
    }

    /// The text for a user who asks to register a token where that is not possible.
    fn refuse_to_register(&mut self) -> &'static str {
        if self.world.process == Process::Roots || !registers_tokens(self.world.config, self.factors) {
            return REGISTERED_BY_THE_SYSADMIN;
        }
        let hint = self.claimant.name().map(assign_to);
        let record = self.about(Record::refused(Reason::FactorNotAllowed)).with("reason", Reason::FactorNotAllowed);
        self.audit.record(&record.with("problem", REGISTERS_NO_TOKENS).with_some("hint", hint));
        REGISTER_ELSEWHERE
    }

    fn confirmed(&self, proposal: Proposal, reply: &Reply) -> Result<Result<App, Box<Proposal>>, Denial> {
        match Answer::parse(reply) {
            Answer::Code(code) => Ok(self.world.enrollments.confirm(self.claimant.name(), proposal, &code)?),
            Answer::Temporary(_) | Answer::Recovery(_) | Answer::Unintelligible => Ok(Err(Box::new(proposal))),
        }
    }

    fn with_recovery_codes(&self, app: App) -> Result<PendingFactor, Denial> {
        // None for a user for whom they would not count.
        let count = if self.factors.recovery { self.world.config.enrollment.recovery_codes } else { 0 };
        let recovery = enrollment::recovery_codes(count)
            .map_err(|error| Denial::explained(Reason::StoreUnavailable, &error, "is /dev/urandom there?"))?;
        Ok(PendingFactor::App { app, recovery, secret: SecretOrigin::New })
    }

    /// Serial and two consecutive codes. Whatever is wrong with them, the user learns the same.
    fn register(&mut self) -> Result<PendingFactor, Denial> {
        let serial = self.conversation.ask_openly(SERIAL_PROMPT)?;
        let first = self.conversation.ask(FIRST_CODE_PROMPT)?;
        self.refuse_passwords(&first)?;
        let second = self.conversation.ask(SECOND_CODE_PROMPT)?;
        self.refuse_passwords(&second)?;
        let user = self.claimant.person().map_err(Denial::from)?;
        let problem = || Some("what was typed can be no serial with two codes".to_owned());
        let is_blank = [&serial, &first, &second].into_iter().any(|reply| answer::is_blank(reply));
        let reason = if is_blank { Reason::NoAnswer } else { Offering::Token.refusal() };
        let wrong = || Denial { problem: problem(), ..Denial::of(reason) };
        let serial = std::str::from_utf8(&serial).ok().and_then(Serial::typed).ok_or_else(wrong)?;
        let (first, second) = (code(&first).ok_or_else(wrong)?, code(&second).ok_or_else(wrong)?);
        let attempt = self.attempt(&[]);
        match self.world.enrollments.check_registration(user, &serial, [&first, &second], &attempt) {
            Ok(Ok(registration)) => Ok(PendingFactor::Token(registration)),
            Ok(Err(not_registered)) => Err(not_registered.into()),
            Err(error) => {
                // It is the host's fault, whatever the serial is.
                self.tell_unless_silent(NOT_SET_UP);
                Err(error.into())
            }
        }
    }
}

impl From<NotRegistered> for Denial {
    fn from(why: NotRegistered) -> Self {
        let hint = match &why {
            NotRegistered::Throttled => return Self::of(Reason::Throttled),
            NotRegistered::NoSuchToken => "see: twofactor token list".to_owned(),
            NotRegistered::NotFree(serial) | NotRegistered::WrongCodes(serial) => {
                format!("see: twofactor token show {}", shell::quoted(serial.as_str()))
            }
        };
        Self::explained(Reason::WrongCode, &why, hint)
    }
}

/// All that a user needs to set up an app, in one text. It begins with a newline, because ssh puts the user's name before
/// its first line. The QR code comes last and the text ends with it: the prompt stands in the row below, and on a console
/// of 24 rows all of the code is still there.
fn picture(proposal: &Proposal, offering: Offering, glyphs: Glyphs) -> Zeroizing<String> {
    let uri = proposal.uri();
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
    text.push_str("\nThis account needs a second factor. Scan the QR code with an authenticator app,\n");
    text.push_str("or type the secret into it:\n\n");
    let _ = writeln!(text, "Secret: {}\n{}\n", proposal.token().secret.expose_grouped().as_str(), uri.as_str());
    text.push_str("Then type the code that the app shows.");
    if glyphs == Glyphs::HalfBlocks {
        text.push_str(" No picture? Type: ascii");
    }
    if offering == Offering::AppOrToken {
        text.push_str("\nYou have a physical token instead? Type: token");
    }
    if let Ok(qr) = Qr::encode_small(&uri, glyphs) {
        text.push('\n');
        text.push_str(qr.draw(glyphs).trim_end_matches('\n'));
    }
    text
}

fn code(reply: &Reply) -> Option<Code> {
    match Answer::parse(reply) {
        Answer::Code(code) => Some(code),
        Answer::Temporary(_) | Answer::Recovery(_) | Answer::Unintelligible => None,
    }
}

/// The command that gives a user a token.
fn assign_to(user: &UserName) -> String {
    format!("twofactor token assign SERIAL {}", shell::quoted(user.as_str()))
}
