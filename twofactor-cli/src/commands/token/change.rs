//! `twofactor token enable|disable|lost|revoke|delete SERIAL…`: all of them or none.

use serde_json::{Value, json};
use twofactor_core::account::lifecycle::Change;
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{LastCredential, TokenView};

use crate::args::tokens;
use crate::asking::Asking;
use crate::error::Failure;
use crate::host::known_token;
use crate::host::{self, Host};
use crate::journal;
use crate::output::Output;
use crate::output::values::counted;

/// The changes that cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The secret is wiped, the serial stays known.
    Revoke,
    /// As if it had never been imported.
    Delete,
}

/// A change that can be taken back.
pub(super) fn set(arguments: &tokens::Change, change: Change, host: &Host, output: &Output) -> Result<(), Failure> {
    let tokens = all_known(&arguments.serials, host)?;
    let serials = serials(&tokens);
    host.accounts.change(&serials, change, LastCredential::Keep, host.sysadmin()?.by())?;
    let (event, word) = match change {
        Change::Enable => (Event::Enabled, "enabled"),
        Change::Disable => (Event::Disabled, "disabled"),
        Change::ReportLost => (Event::Lost, "lost"),
        Change::Revoke => (Event::Revoked, "revoked"),
    };
    report(&tokens, event, word, output)
}

/// A change that cannot be taken back: asks before it, and before it takes a user's last credential.
pub(super) fn end(arguments: &tokens::End, end: End, host: &Host, output: &Output) -> Result<(), Failure> {
    let tokens = all_known(&arguments.serials, host)?;
    let serials = serials(&tokens);
    let asking = Asking::unless(&arguments.yes);
    asking.confirm(&question(&tokens, end))?;
    host::raise_open_files();
    let sysadmin = host.sysadmin()?;
    asking.act(arguments.force.last_credential(), |last| match end {
        End::Revoke => host.accounts.change(&serials, Change::Revoke, last, sysadmin.by()),
        End::Delete => host.accounts.delete_tokens(&serials, last, sysadmin.by()),
    })?;
    match end {
        End::Revoke => report(&tokens, Event::Revoked, "revoked", output),
        End::Delete => report(&tokens, Event::Deleted, "deleted", output),
    }
}

/// `Revoke token 123 of alice for good? [y/N] `
fn question(tokens: &[TokenView], end: End) -> String {
    let verb = match end {
        End::Revoke => "Revoke",
        End::Delete => "Delete",
    };
    let what = match tokens {
        [token] => {
            let of_owner = token.owner.as_ref().map_or_else(String::new, |owner| format!(" of {owner}"));
            format!("token {}{of_owner}", token.serial)
        }
        tokens => {
            let owned = tokens.iter().filter(|token| token.owner.is_some()).count();
            let owned = if owned > 0 { format!(", {owned} of them assigned") } else { String::new() };
            format!("{}{owned},", counted(tokens.len() as u64, "token"))
        }
    };
    format!("{verb} {what} for good? [y/N] ")
}

/// The tokens with their owners, each once.
fn all_known(serials: &[Serial], host: &Host) -> Result<Vec<TokenView>, Failure> {
    let mut tokens: Vec<TokenView> = Vec::with_capacity(serials.len());
    for serial in serials {
        if tokens.iter().all(|token| token.serial != *serial) {
            tokens.push(known_token(serial, host)?);
        }
    }
    Ok(tokens)
}

fn serials(tokens: &[TokenView]) -> Vec<Serial> {
    tokens.iter().map(|token| token.serial.clone()).collect()
}

fn report(tokens: &[TokenView], event: Event, word: &str, output: &Output) -> Result<(), Failure> {
    journal::write_all(tokens.iter().map(|token| {
        let listed = token;
        journal::about_token(event, &listed.serial).with_some("user", listed.owner.as_ref())
    }));
    Ok(output.done(
        || match tokens {
            [token] => format!("Token {} is {word}.\n", token.serial),
            tokens => format!("{} are {word}.\n", counted(tokens.len() as u64, "token")),
        },
        || tokens.iter().map(|token| as_json(token, word)).collect(),
    )?)
}

fn as_json(token: &TokenView, word: &str) -> Value {
    let owner = token.owner.as_ref().map(UserName::as_str);
    json!({ "serial": token.serial.as_str(), "user": owner, "done": word })
}
