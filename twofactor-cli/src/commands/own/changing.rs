//! `twofactor self enroll`, `replace`, `recovery`, `reset`: the questions, and the change in one message.

use serde_json::{Value, json};
use twofactor_core::account::enrollment::{Proposal, TRIES};
use twofactor_core::account::invitation::InvitationCode;
use twofactor_core::codes::answer::Answer;
use twofactor_core::codes::otp::Code;
use twofactor_core::codes::recovery::RecoveryCode;
use twofactor_core::codes::secret::Secret;
use twofactor_core::codes::token::Label;
use twofactor_core::host::clock::{Clock as _, SystemClock};
use twofactor_core::log::reason::Reason;
use twofactor_core::store::self_service::{
    Change, NewApp, NotChanged, Offer, OwnAccount, OwnedToken, Permitted, Request,
};
use zeroize::Zeroizing;

use super::oneself::Oneself;
use crate::args::own::{OwnEnroll, OwnReplace, OwnReset, OwnToken};
use crate::asking::Asking;
use crate::commands::enroll::host_name;
use crate::commands::offer;
use crate::error::Failure;
use crate::output::values::{ABOUT_RECOVERY_CODES, exposed, listed, period};
use crate::output::{self, Format, Output, Stream};
use crate::qr::QrChoice;
use crate::terminal;

/// The question for the proof of a change.
const PROOF: &str = "Code, or a recovery code: ";

pub(super) fn enroll(arguments: &OwnEnroll, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let (account, offer) = oneself.broker.own_account(&oneself.person)?;
    // Before a secret is shown.
    if account.has_factors() {
        return Err(oneself.not_changed(NotChanged::Enrolled));
    }
    let invited = match offer.enroll {
        Permitted::Yes => None,
        Permitted::No => return Err(oneself.not_changed(NotChanged::SwitchedOff)),
        Permitted::WithInvitation => Some(oneself.ask_invitation()?),
    };
    let proposal = oneself.propose(arguments.label.clone(), &offer)?;
    show(&proposal, arguments.qr, oneself, output)?;
    for left in (0..TRIES).rev() {
        let new = ask_new(&proposal)?;
        let invitation = invited.as_ref().and_then(|typed| InvitationCode::parse(typed));
        let request = Request { proof: None, invitation, change: Change::Enroll(new) };
        match oneself.broker.change_own(&oneself.person, &request)? {
            Ok(codes) => return oneself.show_app(&proposal, &codes, output),
            Err(NotChanged::Unconfirmed) if left > 0 => say_wrong(left),
            Err(NotChanged::Unconfirmed) => return Err(Failure::Unconfirmed),
            Err(why) => return Err(oneself.not_changed(why)),
        }
    }
    Err(Failure::Unconfirmed)
}

pub(super) fn replace(arguments: &OwnReplace, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let (account, offer) = oneself.changeable()?;
    let label = arguments.label.clone().unwrap_or_else(|| match account.apps.as_slice() {
        [only] => only.label.clone(),
        _ => Label::app(),
    });
    let proposal = oneself.propose(label, &offer)?;
    show(&proposal, arguments.qr, oneself, output)?;
    for left in (0..TRIES).rev() {
        let new = ask_new(&proposal)?;
        let request = Request { proof: Some(ask_proof()?), invitation: None, change: Change::Replace(new) };
        match oneself.broker.change_own(&oneself.person, &request)? {
            Ok(codes) => return oneself.show_app(&proposal, &codes, output),
            Err(NotChanged::Unconfirmed) if left > 0 => say_wrong(left),
            Err(NotChanged::Unconfirmed) => return Err(Failure::Unconfirmed),
            Err(NotChanged::Proof(Reason::WrongCode | Reason::Replayed)) if left > 0 => {
                output::progress("The second of the two is not right, or used already. Both once more.");
            }
            Err(why) => return Err(oneself.not_changed(why)),
        }
    }
    Err(Failure::Unconfirmed)
}

pub(super) fn recovery(oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    oneself.changeable()?;
    let request = Request { proof: Some(ask_proof()?), invitation: None, change: Change::Recovery };
    let codes = oneself.broker.change_own(&oneself.person, &request)?.map_err(|why| oneself.not_changed(why))?;
    let user = oneself.name();
    let shown = match output.format() {
        Format::Json => output::must_show_json(json!({ "user": user.as_str(), "recovery_codes": exposed(&codes) })),
        Format::Text if codes.is_empty() => {
            return Ok(output.done(|| "You have no recovery codes any more.\n".to_owned(), || Value::Null)?);
        }
        Format::Text => {
            let old = output.explanation("The old recovery codes are void.\n", Stream::Results);
            output::must_show(Stream::Results, &Zeroizing::new(format!("{old}{}", about(&codes, output).as_str())))
        }
    };
    shown.map_err(Failure::OwnCodesUnseen)
}

pub(super) fn reset(arguments: &OwnReset, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    oneself.changeable()?;
    if !arguments.yes {
        let question =
            "Forget your apps, ssh keys and recovery codes? Where a code is needed you cannot log in then. [y/N] ";
        Asking::at_a_terminal().confirm(question)?;
    }
    let request = Request { proof: Some(ask_proof()?), invitation: None, change: Change::Reset };
    let _ = oneself.broker.change_own(&oneself.person, &request)?.map_err(|why| oneself.not_changed(why))?;
    let user = oneself.name();
    Ok(output.done(
        || "Your apps, ssh keys and recovery codes are forgotten.\n".to_owned(),
        || json!({ "user": user.as_str() }),
    )?)
}

pub(super) fn token(arguments: &OwnToken, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let (account, offer) = oneself.broker.own_account(&oneself.person)?;
    let invited = match offer.tokens {
        Permitted::Yes => None,
        Permitted::No => return Err(oneself.not_changed(NotChanged::TokensDoNotCount)),
        Permitted::WithInvitation => Some(oneself.ask_invitation()?),
    };
    if account.has_factors() && !account.gives_codes() {
        return Err(oneself.not_changed(NotChanged::NoCodes));
    }
    let codes = [ask_code("Code the token shows now: ")?, ask_code("Wait for the next code: ")?];
    let proof = if account.has_factors() { Some(ask_proof()?) } else { None };
    let serial = arguments.serial.clone();
    let invitation = invited.as_ref().and_then(|typed| InvitationCode::parse(typed));
    let request = Request { proof, invitation, change: Change::Token(OwnedToken { serial, codes }) };
    let _ = oneself.broker.change_own(&oneself.person, &request)?.map_err(|why| oneself.not_changed(why))?;
    let (user, serial) = (oneself.name(), &arguments.serial);
    Ok(output.done(
        || format!("Token {serial} is yours from now on.\n"),
        || json!({ "user": user.as_str(), "serial": serial.as_str() }),
    )?)
}

impl Oneself {
    pub(super) fn not_changed(&self, why: NotChanged) -> Failure {
        Failure::NotChanged { user: self.name().clone(), why }
    }

    /// The account, unless nothing of it can be changed: that is said before anything is asked.
    fn changeable(&self) -> Result<(OwnAccount, Offer), Failure> {
        let (account, offer) = self.broker.own_account(&self.person)?;
        self.must_be_changeable(&account, offer.change)?;
        Ok((account, offer))
    }

    /// Refuses a change that no code of the user could prove, or that the configuration does not let users make.
    pub(super) fn must_be_changeable(&self, account: &OwnAccount, permitted: Permitted) -> Result<(), Failure> {
        Err(self.not_changed(match permitted {
            _ if !account.has_factors() => NotChanged::NotEnrolled,
            Permitted::WithInvitation | Permitted::No => NotChanged::SwitchedOff,
            Permitted::Yes if !account.gives_codes() => NotChanged::NoCodes,
            Permitted::Yes => return Ok(()),
        }))
    }

    fn ask_invitation(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let typed = terminal::ask_hidden("Invitation code: ")?;
        if typed.trim_ascii().is_empty() {
            return Err(self.not_changed(NotChanged::NeedsInvitation));
        }
        match InvitationCode::parse(&typed) {
            Some(_) => Ok(typed),
            None => Err(self.not_changed(NotChanged::Proof(Reason::InvitationWrong))),
        }
    }

    fn propose(&self, label: Label, offer: &Offer) -> Result<Proposal, Failure> {
        let host = host_name();
        let (issuer, account) = (offer.issuer.as_ref().unwrap_or(&host), format!("{}@{host}", self.name()));
        let proposal = Proposal::new(label, offer.parameters, issuer, &account, SystemClock.now()?);
        proposal.map_err(Failure::Entropy)
    }

    /// Says that the app is stored, and shows the recovery codes.
    fn show_app(&self, proposal: &Proposal, codes: &[RecoveryCode], output: &Output) -> Result<(), Failure> {
        let token = proposal.token();
        let shown = match output.format() {
            Format::Json => output::must_show_json(json!({
                "user": self.name().as_str(),
                "label": token.label.as_str(),
                "secret": token.secret.expose_base32().as_str(),
                "uri": proposal.uri().as_str(),
                "algorithm": token.parameters.algorithm.to_string(),
                "digits": token.parameters.digits.count(),
                "period": period(token.parameters.kind),
                "recovery_codes": exposed(codes),
            })),
            Format::Text => {
                let done = format!("Your app \"{}\" is set up.\n", token.label);
                let done = output.explanation(&done, Stream::Results);
                let text = Zeroizing::new(format!("{done}{}", about(codes, output).as_str()));
                output::must_show(Stream::Results, &text)
            }
        };
        shown.map_err(Failure::OwnCodesUnseen)
    }
}

/// The recovery codes with the sentence about them.
fn about(codes: &[RecoveryCode], output: &Output) -> Zeroizing<String> {
    if codes.is_empty() {
        return Zeroizing::new(String::new());
    }
    let about = output.explanation(ABOUT_RECOVERY_CODES, Stream::Results);
    Zeroizing::new(format!("{about}{}", listed(codes).as_str()))
}

/// Shows the secret: to a script in the result, so that JSON has standard output to itself.
fn show(proposal: &Proposal, qr: QrChoice, oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let stream = match output.format() {
        Format::Text => Stream::Results,
        Format::Json => Stream::Progress,
    };
    let (user, token, uri) = (oneself.name(), proposal.token(), proposal.uri());
    offer::show(&offer::Offer { user, token, uri: &uri, qr }, stream, output)
}

/// Asks for a code of the secret that was shown.
fn ask_new(proposal: &Proposal) -> Result<NewApp, Failure> {
    let token = proposal.token();
    loop {
        let typed = terminal::ask_hidden("Code from the new app: ")?;
        if let Answer::Code(code) = Answer::parse(&typed) {
            let secret = Secret::from_base32(&token.secret.expose_base32()).map_err(Failure::Entropy)?;
            return Ok(NewApp { label: token.label.clone(), secret, code });
        }
        // A slip of the finger is no try.
        output::progress(&format!("A code has {} digits.", token.parameters.digits.count()));
    }
}

fn ask_code(question: &str) -> Result<Code, Failure> {
    match Answer::parse(&terminal::ask_hidden(question)?) {
        Answer::Code(code) => Ok(code),
        _ => Err(Failure::NotACode),
    }
}

/// Asks for a code that proves the user.
pub(super) fn ask_proof() -> Result<Answer, Failure> {
    match Answer::parse(&terminal::ask_hidden(PROOF)?) {
        Answer::Unintelligible => Err(Failure::NoCode),
        answer => Ok(answer),
    }
}

fn say_wrong(left: u8) {
    output::progress(if left == 1 {
        "The code of the new app is not right. One try left."
    } else {
        "The code of the new app is not right. Two tries left."
    });
}
