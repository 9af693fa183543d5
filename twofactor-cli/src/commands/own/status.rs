//! `twofactor self status`: one's own second factor, and what one may do about it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_core::account::Confirmation;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::UserName;
use twofactor_core::store::self_service::{Offer, OwnAccount, Permitted};

use super::oneself::Oneself;
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let (account, offer) = oneself.broker.own_account(&oneself.person)?;
    let now = SystemClock.now()?;
    let user = oneself.name();
    Ok(output.report(|| in_words(user, &account, &offer, now), || as_json(user, &account, &offer))?)
}

fn in_words(user: &UserName, account: &OwnAccount, offer: &Offer, now: UnixTime) -> String {
    let mut text = format!("User:            {user}\n");
    for app in &account.apps {
        let waits = if app.confirmation == Confirmation::Pending { ", not confirmed" } else { "" };
        let _ = writeln!(text, "App:             {}, {}, issued {}{waits}", app.label, app.serial, app.issued);
    }
    for token in &account.tokens {
        let _ = writeln!(text, "Token:           {}, {}", token.serial, token.state);
    }
    if !account.has_factors() {
        text.push_str("Second factor:   none\n");
    }
    if let Some(until) = account.invited_until {
        let _ = writeln!(text, "Invitation:      open until {until}");
    }
    let _ = writeln!(text, "Recovery codes:  {} left", account.recovery_left);
    let counted = |failures: u32, until: Option<UnixTime>| match until.and_then(|until| until.since(now)) {
        Some(rest) => format!("{failures}, delayed {}", humantime::format_duration(rest)),
        None => failures.to_string(),
    };
    let _ = writeln!(text, "Wrong codes:     {} at logins", counted(account.failures, account.blocked_until));
    let own = counted(account.own_failures, account.own_blocked_until);
    let _ = writeln!(text, "                 {own} in programs without root");
    let _ = match &account.last_accepted {
        Some(last) => writeln!(text, "Last accepted:   {}, {}, from {}", last.at, last.factor, last.source),
        None => writeln!(text, "Last accepted:   never"),
    };
    let _ = writeln!(text, "You may:         {}", possible(account, offer).join("\n                 "));
    text
}

/// The commands that are open to the user now, or the sentence that none is.
fn possible(account: &OwnAccount, offer: &Offer) -> Vec<String> {
    let mut all = Vec::new();
    match (account.has_factors(), offer.enroll) {
        (false, Permitted::Yes) => all.push("twofactor self enroll"),
        (false, Permitted::WithInvitation) => all.push("twofactor self enroll, with an invitation code"),
        (false, Permitted::No) | (true, _) => {}
    }
    if account.has_factors() && offer.change == Permitted::Yes {
        all.extend(["twofactor self replace", "twofactor self recovery", "twofactor self reset"]);
    }
    match offer.tokens {
        Permitted::Yes => all.push("twofactor self token SERIAL"),
        Permitted::WithInvitation => all.push("twofactor self token SERIAL, with an invitation code"),
        Permitted::No => {}
    }
    if all.is_empty() {
        all.push("nothing without your administrator");
    }
    all.into_iter().map(ToOwned::to_owned).collect()
}

fn as_json(user: &UserName, account: &OwnAccount, offer: &Offer) -> Value {
    let time = |time: Option<UnixTime>| time.map(|time| time.to_string());
    let last = account.last_accepted.as_ref();
    let apps = account.apps.iter().map(|app| {
        let state = if app.confirmation == Confirmation::Pending { "pending" } else { "active" };
        json!({
            "label": app.label.as_str(),
            "serial": app.serial.as_str(),
            "state": state,
            "issued": app.issued.to_string(),
        })
    });
    let tokens = account.tokens.iter().map(|token| json!({ "serial": token.serial.as_str(), "state": token.state }));
    json!({
        "user": user.as_str(),
        "apps": apps.collect::<Vec<_>>(),
        "tokens": tokens.collect::<Vec<_>>(),
        "recovery_codes": account.recovery_left,
        "failures": account.failures,
        "blocked_until": time(account.blocked_until),
        "own_failures": account.own_failures,
        "own_blocked_until": time(account.own_blocked_until),
        "last_accepted": last.map(|last| last.at.to_string()),
        "last_accepted_from": last.map(|last| last.source.to_string()),
        "last_accepted_with": last.map(|last| last.factor.as_str()),
        "invited_until": time(account.invited_until),
        "may_enroll": offer.enroll.word(),
        "may_change": offer.change.word(),
        "may_register": offer.tokens.word(),
    })
}
