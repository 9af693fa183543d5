//! `twofactor verify USER [CODE]`: would this code be accepted now? Burns nothing and counts nothing.

use serde_json::{Value, json};
use twofactor_core::account::{Judgement, NearMiss};
use twofactor_core::codes::answer::Answer;
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::StoreError;
use twofactor_core::store::helpdesk::{Credential, Verdict};
use zeroize::Zeroizing;

use crate::args::Verify;
use crate::error::{Failure, Refusal};
use crate::host::Host;
use crate::output::Output;
use crate::terminal::{self, Unanswered};

pub(crate) fn run(arguments: Verify, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    let typed = typed(arguments.code)?;
    if let Err(failure) = host.check_owner(&user) {
        return refuse_another(user, failure, output);
    }
    let answer = Answer::parse(&typed);
    let is_guess = answer.digits().is_some();
    let judgement = host.accounts.verify(&user, answer)?;
    let Some(judgement) = judgement else {
        return Err(Failure::NotEnrolled(user));
    };
    let verdict = match judgement {
        Judgement::Right { proof, .. } => {
            host.warn_of_delay(&user)?;
            Verdict::Right(Credential::of(*proof))
        }
        Judgement::Replayed { .. } => Verdict::Replayed,
        Judgement::NotConfirmed => Verdict::NotConfirmed,
        Judgement::Disabled { serial, stage } => Verdict::Disabled { serial, stage },
        Judgement::Wrong if !is_guess => return refuse_no_guess(user, output),
        Judgement::NearMiss(near_miss) => out_of_step(*near_miss, &user, host)?,
        // Everything counts here: which rule a login would meet is not known.
        Judgement::NotAllowed | Judgement::Wrong => Verdict::Wrong,
    };
    tell(user, verdict, output)
}

/// The code as it was typed: behind the user, or to a question.
pub(super) fn typed(code: Option<String>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match code {
        Some(code) => Ok(Zeroizing::new(code.into_bytes())),
        None => terminal::ask_hidden("Code: ").map_err(|unanswered| match unanswered {
            Unanswered::EndOfInput => Failure::NoCode,
            other => other.into(),
        }),
    }
}

/// Says what a login with the code would meet.
pub(super) fn tell(user: UserName, verdict: Verdict, output: &Output) -> Result<(), Failure> {
    let reason = verdict.word();
    let refusal = match verdict {
        Verdict::Right(credential) => {
            return Ok(output.report(|| in_words(&credential), || as_json(&user, &credential))?);
        }
        Verdict::Replayed => Refusal::Replayed,
        Verdict::NotConfirmed => Refusal::NotConfirmed,
        Verdict::Disabled { serial, stage } => Refusal::Unusable { serial, stage },
        Verdict::TokenOutOfStep { serial, steps } => Refusal::TokenOutOfStep { serial, steps },
        Verdict::AppOutOfStep { label, steps } => Refusal::AppOutOfStep { label, steps },
        Verdict::Wrong => Refusal::Wrong(user.clone()),
    };
    output.report_json(|| json!({ "user": user.as_str(), "accepted": false, "reason": reason }))?;
    Err(Failure::CodeRefused { user, refusal })
}

/// Says that what was typed is no code.
pub(super) fn refuse_no_guess(user: UserName, output: &Output) -> Result<(), Failure> {
    let reason = Reason::WrongCode.word();
    output.report_json(|| json!({ "user": user.as_str(), "accepted": false, "reason": reason }))?;
    Err(Failure::CodeRefused { user, refusal: Refusal::NoCode })
}

/// A code of an account that is another person's opens nothing, whatever it is.
fn refuse_another(user: UserName, failure: Failure, output: &Output) -> Result<(), Failure> {
    match failure {
        Failure::Store(StoreError::UidChanged { recorded, now, .. }) => {
            let reason = Reason::UidChanged.word();
            output.report_json(|| json!({ "user": user.as_str(), "accepted": false, "reason": reason }))?;
            Err(Failure::CodeRefused { user, refusal: Refusal::AnotherPerson { recorded, now } })
        }
        other => Err(other),
    }
}

/// A code that is right at another time than now.
fn out_of_step(near_miss: NearMiss, user: &UserName, host: &Host) -> Result<Verdict, Failure> {
    let NearMiss { serial, label, steps, .. } = near_miss;
    let is_physical = host.status(user)?.tokens.iter().any(|token| token.serial == serial);
    Ok(if is_physical { Verdict::TokenOutOfStep { serial, steps } } else { Verdict::AppOutOfStep { label, steps } })
}

fn in_words(credential: &Credential) -> String {
    match credential {
        Credential::Token { label, drift, .. } => format!("would be accepted (token \"{label}\", drift {drift})\n"),
        Credential::Recovery => "would be accepted (recovery code)\n".to_owned(),
        Credential::Temporary => "would be accepted (temporary code)\n".to_owned(),
    }
}

fn as_json(user: &UserName, credential: &Credential) -> Value {
    match credential {
        Credential::Token { serial, label, drift } => json!({
            "user": user.as_str(),
            "accepted": true,
            "serial": serial.as_str(),
            "label": label.as_str(),
            "drift": drift,
        }),
        Credential::Recovery => json!({ "user": user.as_str(), "accepted": true, "label": "recovery" }),
        Credential::Temporary => json!({ "user": user.as_str(), "accepted": true, "label": "temporary" }),
    }
}
