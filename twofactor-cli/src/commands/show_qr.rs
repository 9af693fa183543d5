//! `twofactor qr USER`: the QR code of an app that no code has confirmed yet.
//!
//! Invariant: a secret is shown here for enrollment and for nothing else. The secret of an app that opens logins is not shown
//! again: a copy of it would go unnoticed, where a new secret is noticed by its owner. Only `export` shows one, to leave for
//! another system. A secret is shown after its line is in the log.

use serde_json::{Value, json};
use twofactor_core::account::Confirmation;
use twofactor_core::account::enrollment::Proposal;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;

use crate::args::ShowQr;
use crate::commands::{enroll, offer};
use crate::error::Failure;
use crate::host::{self, Host};
use crate::journal;
use crate::output::values::period;
use crate::output::{self, Format, Output, Stream, Unwritten};

pub(crate) fn run(arguments: &ShowQr, host: &Host, output: &Output) -> Result<(), Failure> {
    let user = host.account_holder(&arguments.user)?;
    // The secret is for the person to whom the account belongs.
    let person = host::known_person(user.as_str())?;
    host.accounts.check_owner(&person)?;
    let label = label(&user, arguments.label.as_ref(), host)?;
    let Some(token) = host.accounts.pending(&user, &label)? else {
        return Err(Failure::InUse { user, label });
    };
    let (issuer, account) = enroll::issuer_and_account(None, &user, host);
    let proposal = Proposal::again(token, &issuer, &account);
    let (uri, token) = (proposal.uri(), proposal.token());
    host.accounts.note_showing(&user, Event::SecretShown, &[&token.label])?;
    journal::write(journal::about(Event::SecretShown, &user).with("token", &token.label));
    match output.format() {
        Format::Text => {
            let offer = offer::Offer { user: &user, token, uri: &uri, qr: arguments.qr };
            offer::show(&offer, Stream::Results, output)?;
            output.explain("It opens no login until a code of it was typed: at a login that lets the user enroll, or in \"twofactor enroll\".");
            Ok(())
        }
        Format::Json => {
            let shown: Value = json!({
                "user": user.as_str(),
                "serial": token.serial.as_str(),
                "label": token.label.as_str(),
                "secret": token.secret.expose_base32().as_str(),
                "uri": uri.as_str(),
                "type": token.parameters.kind.name(),
                "algorithm": token.parameters.algorithm.to_string(),
                "digits": token.parameters.digits.count(),
                "period": period(token.parameters.kind),
                "issued": token.issued.to_string(),
            });
            Ok(output::must_show_json(shown).map_err(Unwritten)?)
        }
    }
}

/// The label that was typed, else that of the one app that waits for a code.
fn label(user: &UserName, typed: Option<&Label>, host: &Host) -> Result<Label, Failure> {
    let apps = host.status(user)?.apps;
    if let Some(typed) = typed {
        return match apps.iter().find(|app| app.label == *typed) {
            Some(_) => Ok(typed.clone()),
            None => Err(Failure::NoSuchApp { user: user.clone(), label: typed.clone() }),
        };
    }
    let waiting = || apps.iter().filter(|app| app.confirmation == Confirmation::Pending);
    match (waiting().next(), waiting().count()) {
        (Some(app), 1) => Ok(app.label.clone()),
        (Some(_), _) => {
            let labels = waiting().map(|app| app.label.to_string()).collect();
            Err(Failure::SeveralWaiting { user: user.clone(), labels })
        }
        (None, _) => match apps.first() {
            Some(app) => Err(Failure::InUse { user: user.clone(), label: app.label.clone() }),
            None => Err(Failure::OnlyTokens(user.clone())),
        },
    }
}
