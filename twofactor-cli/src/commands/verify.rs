//! `twofactor verify USER [CODE]`: would this code be accepted now? Burns nothing and counts nothing.

use serde_json::{Value, json};
use twofactor_core::account::{Judgement, NearMiss, Proof};
use twofactor_core::codes::answer::Answer;
use twofactor_core::host::user::UserName;
use twofactor_core::log::reason::Reason;
use twofactor_core::store::StoreError;
use zeroize::Zeroizing;

use crate::args::Verify;
use crate::error::{Failure, Refusal};
use crate::host::Host;
use crate::output::Output;
use crate::terminal::{self, Unanswered};

pub(crate) fn run(arguments: Verify, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    let typed = match arguments.code {
        Some(code) => Zeroizing::new(code.into_bytes()),
        None => terminal::ask_hidden("Code: ").map_err(|unanswered| match unanswered {
            Unanswered::EndOfInput => Failure::NoCode,
            other => other.into(),
        })?,
    };
    if let Err(failure) = host.check_owner(&user) {
        return refuse_another(user, failure, output);
    }
    let answer = Answer::parse(&typed);
    let is_guess = answer.digits().is_some();
    let judgement = host.accounts.verify(&user, answer)?;
    let Some(judgement) = judgement else {
        return Err(Failure::NotEnrolled(user));
    };
    let refusal = match judgement {
        Judgement::Right { proof, .. } => {
            host.warn_of_delay(&user)?;
            return Ok(output.report(|| in_words(&proof), || as_json(&user, &proof))?);
        }
        Judgement::Replayed { .. } => (Refusal::Replayed, Reason::Replayed),
        Judgement::NotConfirmed => (Refusal::NotConfirmed, Reason::NotConfirmed),
        Judgement::Disabled { serial, stage } => (Refusal::Unusable { serial, stage }, Reason::TokenDisabled),
        Judgement::Wrong if !is_guess => (Refusal::NoCode, Reason::WrongCode),
        // Everything counts here: which rule a login would meet is not known.
        Judgement::NotAllowed => (Refusal::Wrong(user.clone()), Reason::FactorNotAllowed),
        Judgement::NearMiss(near_miss) => (out_of_step(*near_miss, &user, host)?, Reason::WrongCode),
        Judgement::Wrong => (Refusal::Wrong(user.clone()), Reason::WrongCode),
    };
    let (refusal, reason) = refusal;
    output.report_json(|| json!({ "user": user.as_str(), "accepted": false, "reason": reason.word() }))?;
    Err(Failure::CodeRefused { user, refusal })
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
fn out_of_step(near_miss: NearMiss, user: &UserName, host: &Host) -> Result<Refusal, Failure> {
    let NearMiss { serial, label, steps, .. } = near_miss;
    let is_physical = host.status(user)?.tokens.iter().any(|token| token.serial == serial);
    Ok(if is_physical { Refusal::TokenOutOfStep { serial, steps } } else { Refusal::AppOutOfStep { label, steps } })
}

fn in_words(proof: &Proof) -> String {
    match proof {
        Proof::Token { label, drift, .. } => format!("would be accepted (token \"{label}\", drift {drift})\n"),
        Proof::Recovery(_) => "would be accepted (recovery code)\n".to_owned(),
        Proof::Temporary => "would be accepted (temporary code)\n".to_owned(),
    }
}

fn as_json(user: &UserName, proof: &Proof) -> Value {
    match proof {
        Proof::Token { serial, label, drift, .. } => json!({
            "user": user.as_str(),
            "accepted": true,
            "serial": serial.as_str(),
            "label": label.as_str(),
            "drift": drift,
        }),
        Proof::Recovery(_) => json!({ "user": user.as_str(), "accepted": true, "label": "recovery" }),
        Proof::Temporary => json!({ "user": user.as_str(), "accepted": true, "label": "temporary" }),
    }
}
