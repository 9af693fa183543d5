//! `twofactor self status`: one's own second factor, and what one may do about it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_core::account::Confirmation;
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::SshKeyView;
use twofactor_core::store::self_service::{Offer, OwnAccount, Permitted};

use super::oneself::Oneself;
use crate::commands::ssh_key;
use crate::commands::status::or_never;
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(oneself: &Oneself, output: &Output) -> Result<(), Failure> {
    let (account, offer) = oneself.broker.own_account(&oneself.person)?;
    let keys = if account.ssh_keys > 0 { oneself.broker.own_ssh_keys(&oneself.person)? } else { Vec::new() };
    let now = SystemClock.now()?;
    let user = oneself.name();
    Ok(output.report(|| in_words(user, &account, &keys, &offer, now), || as_json(user, &account, &keys, &offer))?)
}

fn in_words(user: &UserName, account: &OwnAccount, keys: &[SshKeyView], offer: &Offer, now: UnixTime) -> String {
    let mut text = format!("User:            {user}\n");
    for app in &account.apps {
        let waits = if app.confirmation == Confirmation::Pending { ", not confirmed" } else { "" };
        let _ = writeln!(text, "App:             {}, {}, issued {}{waits}", app.label, app.serial, app.issued);
        let _ = writeln!(text, "                 last accepted {}", or_never(app.last_accepted));
    }
    for token in &account.tokens {
        let _ = writeln!(text, "Token:           {}, {}", token.serial, token.state);
        let _ = writeln!(text, "                 last accepted {}", or_never(token.last_accepted));
    }
    for key in keys {
        text += &ssh_key::in_words(key);
    }
    if !account.has_factors() {
        text.push_str("Second factor:   none\n");
    }
    if let Some(until) = account.invited_until {
        let _ = writeln!(text, "Invitation:      open until {until}");
    }
    let _ = writeln!(text, "Recovery codes:  {} left", account.recovery_left);
    if let Some(until) = account.temporary_until {
        let _ = writeln!(text, "Temporary code:  good once until {until}");
    }
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
    let can_prove = account.has_factors() && account.gives_codes();
    if can_prove && offer.change == Permitted::Yes {
        all.extend(["twofactor self replace", "twofactor self recovery", "twofactor self reset"]);
    }
    if can_prove && offer.ssh_keys == Permitted::Yes {
        all.push("twofactor self ssh-key add FILE");
        if account.ssh_keys > 0 {
            all.push("twofactor self ssh-key remove KEY");
        }
    }
    match offer.tokens {
        // It takes a code as well.
        _ if account.has_factors() && !can_prove => {}
        Permitted::Yes => all.push("twofactor self token SERIAL"),
        Permitted::WithInvitation => all.push("twofactor self token SERIAL, with an invitation code"),
        Permitted::No => {}
    }
    if all.is_empty() {
        all.push("nothing without your administrator");
    }
    all.into_iter().map(ToOwned::to_owned).collect()
}

fn as_json(user: &UserName, account: &OwnAccount, keys: &[SshKeyView], offer: &Offer) -> Value {
    let time = |time: Option<UnixTime>| time.map(|time| time.to_string());
    let last = account.last_accepted.as_ref();
    let apps = account.apps.iter().map(|app| {
        let state = if app.confirmation == Confirmation::Pending { "pending" } else { "active" };
        json!({
            "label": app.label.as_str(),
            "serial": app.serial.as_str(),
            "state": state,
            "issued": app.issued.to_string(),
            "last_accepted": time(app.last_accepted),
        })
    });
    let tokens = account.tokens.iter().map(|token| {
        json!({
            "serial": token.serial.as_str(),
            "state": token.state,
            "last_accepted": time(token.last_accepted),
        })
    });
    json!({
        "user": user.as_str(),
        "apps": apps.collect::<Vec<_>>(),
        "tokens": tokens.collect::<Vec<_>>(),
        "ssh_keys": keys.iter().map(|key| ssh_key::as_json(user, key)).collect::<Vec<_>>(),
        "recovery_codes": account.recovery_left,
        "temporary_code_until": time(account.temporary_until),
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
        "may_change_ssh_keys": offer.ssh_keys.word(),
    })
}
