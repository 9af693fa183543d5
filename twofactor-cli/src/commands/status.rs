//! `twofactor status [USER]`: who is enrolled with what.

use std::fmt::Write as _;

use serde_json::{Value, json};
use twofactor_core::account::Confirmation;
use twofactor_core::account::lifecycle::Stage;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::{AccountStatus, AppStatus, Newcomer, SshKeyView, TokenView};

use crate::args;
use crate::commands::{ssh_key, token};
use crate::error::Failure;
use crate::host::{self, Host, asks_a_fleet};
use crate::output::values::{counted, csv_row, described, period};
use crate::output::{self, Cell, Format, Output, Screen, Stream, Tint};

pub(crate) fn run(arguments: &args::Status, host: &Host, output: &Output) -> Result<(), Failure> {
    match &arguments.user {
        Some(typed) => {
            let user = match host.account_holder(typed) {
                Err(Failure::NotEnrolled(user)) => {
                    host.warn_of_delay(&user)?;
                    if let Some(invited) = host.accounts.newcomer(&user)? {
                        let now = host.now()?;
                        output
                            .report(|| invited_in_words(&user, &invited, now), || invited_as_json(&user, &invited))?;
                    }
                    return Err(Failure::NotEnrolled(user));
                }
                other => other?,
            };
            let status = host.status(&user)?;
            let now = host.now()?;
            output.report(|| detailed(&user, &status, now), || as_json(&user, &status))?;
            status.tokens_problem.map_or(Ok(()), |problem| Err(problem.into()))
        }
        None => everybody(arguments, host, output),
    }
}

/// A user who is enrolled, or invited to enroll.
enum Standing {
    Enrolled(Box<AccountStatus>),
    Invited(Newcomer),
}

/// All users who can be read. A broken account is reported and does not hide the others.
fn everybody(arguments: &args::Status, host: &Host, output: &Output) -> Result<(), Failure> {
    let mut accounts = Vec::new();
    let mut broken = 0;
    let mut add = |user: UserName, found: Result<Option<Standing>, Failure>| match found {
        Ok(Some(standing)) => accounts.push((user, standing)),
        // Reset since the names were listed, or not invited.
        Ok(None) | Err(Failure::NotEnrolled(_)) => {}
        Err(failure) => {
            broken += 1;
            output::failure(&failure.lines(), failure.hint().as_deref());
        }
    };
    let (users, newcomers) = (host.accounts.users()?, host.accounts.newcomers()?);
    let now = host.now()?;
    for user in newcomers.into_iter().filter(|user| users.binary_search(user).is_err()) {
        let newcomer = host.accounts.newcomer(&user);
        add(user, newcomer.map(|newcomer| newcomer.map(Standing::Invited)).map_err(Failure::from));
    }
    for user in users {
        let status = host.status(&user);
        add(user, status.map(|status| Some(Standing::Enrolled(Box::new(status)))));
    }
    accounts.sort_by(|(one, _), (other, _)| one.cmp(other));
    let all = accounts.len() + broken;
    if arguments.csv {
        output::raw(&csv(&accounts))?;
    } else if all == 0 {
        output.done(|| "No user is enrolled.\n".to_owned(), || json!([]))?;
    } else {
        output.report_whole(
            || table(&accounts, now, output.screen(Stream::Results)),
            || accounts.iter().map(standing_as_json).collect(),
        )?;
        if output.format() == Format::Text {
            output.explain(&totals(&accounts, now));
        }
    }
    if asks_a_fleet(&host.config) && output.format() == Format::Text && !arguments.csv {
        output.explain("Accounts of this host alone; those of the fleet are on its central machine.");
    }
    // Without the registry the list looks complete and is not.
    host.accounts.check_tokens()?;
    if broken == 0 { Ok(()) } else { Err(Failure::BrokenAccounts { broken, all }) }
}

/// `3 users: 2 enrolled, 1 invited; 1 delayed`.
fn totals(accounts: &[(UserName, Standing)], now: UnixTime) -> String {
    let count = |is: &dyn Fn(&Standing) -> bool| accounts.iter().filter(|(_, standing)| is(standing)).count() as u64;
    let enrolled = count(&|standing| matches!(standing, Standing::Enrolled(_)));
    let delayed = count(&|standing| {
        let until = match standing {
            Standing::Enrolled(status) => status.blocked_until,
            Standing::Invited(newcomer) => newcomer.blocked_until,
        };
        until.is_some_and(|until| until > now)
    });
    let unconfirmed = count(&|standing| match standing {
        Standing::Enrolled(status) => status.apps.iter().any(|app| app.confirmation == Confirmation::Pending),
        Standing::Invited(_) => false,
    });
    let parts = |parts: &[(u64, &str)]| {
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        parts.join(", ")
    };
    let all = accounts.len() as u64;
    let (kinds, remarks) = (
        parts(&[(enrolled, "enrolled"), (all - enrolled, "invited")]),
        parts(&[(unconfirmed, "not confirmed"), (delayed, "delayed")]),
    );
    let remarks = if remarks.is_empty() { remarks } else { format!("; {remarks}") };
    format!("{}: {kinds}{remarks}", counted(all, "user"))
}

/// The names of JSON, in one line; tokens as the table has them.
const CSV_HEADER: &str = "user,uid,uid_now,tokens,recovery_codes,failures,blocked_until,last_accepted,\
                          last_accepted_from,last_accepted_with,invited_until,tokens_problem\n";

fn csv(accounts: &[(UserName, Standing)]) -> String {
    let mut text = CSV_HEADER.to_owned();
    for account in accounts {
        let mut row = standing_as_json(account);
        row["tokens"] = match &account.1 {
            Standing::Enrolled(status) => Cell::joined(factors(status), "; ").to_string().into(),
            Standing::Invited(_) => Value::Null,
        };
        csv_row(&mut text, CSV_HEADER, &row);
    }
    text
}

/// Apps, then physical tokens, then ssh keys.
fn factors(status: &AccountStatus) -> impl Iterator<Item = Cell> {
    let keys = status.ssh_keys.iter().map(|one| format!("{} (ssh-key)", one.label).into());
    status.apps.iter().map(app).chain(status.tokens.iter().map(physical)).chain(keys)
}

/// A line for each user; shortened to the screen, if it is one.
fn table(accounts: &[(UserName, Standing)], now: UnixTime, screen: Screen) -> String {
    let never = || Cell::from("never");
    let row = |(user, standing): &(UserName, Standing)| match standing {
        Standing::Enrolled(status) => {
            let tokens =
                Cell::joined(factors(status).chain(status.invited_until.map(|until| invited(until).into())), ", ");
            let last = status.last_accepted.as_ref().map_or_else(never, |last| last.at.to_string().into());
            let recovery = if status.recovery_left == 0 { Tint::Yellow } else { Tint::Plain };
            let recovery = Cell::tinted(status.recovery_left.to_string(), recovery);
            [name(user, status), tokens, recovery, wrong_codes_cell(status.failures, status.blocked_until, now), last]
        }
        Standing::Invited(newcomer) => {
            let wrong_codes = wrong_codes_cell(newcomer.failures, newcomer.blocked_until, now);
            let invited = Cell::tinted(invited(newcomer.invited_until), Tint::Cyan);
            [user.to_string().into(), invited, "0".into(), wrong_codes, never()]
        }
    };
    let header = ["USER", "TOKENS", "RECOVERY", "WRONG CODES", "LAST ACCEPTED"];
    output::table(header, accounts.iter().map(row).collect(), [18, 14, 8, 11, 20], screen)
}

/// `bob`, or `bob (another uid)` where the account is not that of the user who has the name now.
fn name(user: &UserName, status: &AccountStatus) -> Cell {
    match host::another_person(user, status.uid) {
        Some(_) => Cell::from(format!("{user} ")).and(Cell::tinted("(another uid)", Tint::Red)),
        None => user.to_string().into(),
    }
}

/// `phone (totp)`, `phone (totp, not confirmed)`.
fn app(app: &AppStatus) -> Cell {
    let start = format!("{} ({}", app.label, app.parameters.kind.name());
    match app.confirmation {
        Confirmation::Confirmed => format!("{start})").into(),
        Confirmation::Pending => {
            Cell::from(format!("{start}, ")).and(Cell::tinted("not confirmed", Tint::Yellow)).and(")".into())
        }
    }
}

/// `1234567891234 (totp)`, `1234567891234 (totp, lost)`.
fn physical(token: &TokenView) -> Cell {
    let start = format!("{} ({}", token.serial, token.parameters.kind.name());
    match token.stage {
        Stage::Active => format!("{start})").into(),
        stage => {
            let stage = Cell::tinted(stage.word(), token::rendering::tint(stage));
            Cell::from(format!("{start}, ")).and(stage).and(")".into())
        }
    }
}

/// The time, or that it has not come.
pub(super) fn or_never(time: Option<UnixTime>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.to_string())
}

/// `invited until 2026-11-22T12:00:00Z`.
fn invited(until: UnixTime) -> String {
    format!("invited until {until}")
}

/// `0`, or `7, delayed 14m 30s`.
fn wrong_codes(failures: u32, blocked_until: Option<UnixTime>, now: UnixTime) -> String {
    match blocked_until.and_then(|until| until.since(now)) {
        Some(rest) => format!("{failures}, delayed {}", humantime::format_duration(rest)),
        None => failures.to_string(),
    }
}

/// The same, in colour while the user is refused unseen.
fn wrong_codes_cell(failures: u32, blocked_until: Option<UnixTime>, now: UnixTime) -> Cell {
    let is_delayed = blocked_until.is_some_and(|until| until > now);
    let tint = if is_delayed { Tint::Red } else { Tint::Plain };
    Cell::tinted(wrong_codes(failures, blocked_until, now), tint)
}

pub(super) fn detailed(user: &UserName, status: &AccountStatus, now: UnixTime) -> String {
    let mut text = format!("User:            {user}\n");
    let _ = match (host::another_person(user, status.uid), status.uid) {
        (Some(another), _) => {
            writeln!(text, "Uid:             every login is refused: {another}\n                 {}", another.hint())
        }
        (None, Some(uid)) => writeln!(text, "Uid:             {uid}"),
        (None, None) => writeln!(text, "Uid:             not known before the next accepted login"),
    };
    for app in &status.apps {
        let _ = writeln!(text, "Token:           {}, {}", app.label, app.serial);
        let _ = writeln!(text, "                 {}", described(app.parameters));
        let _ = writeln!(text, "                 issued {}, drift {}", app.issued, app.drift);
        let _ = writeln!(text, "                 last accepted {}", or_never(app.last_accepted));
        if let Some(until) = app.burned_until {
            let _ = writeln!(text, "                 codes burned until {until}: the clock was ahead");
        }
        if app.confirmation == Confirmation::Pending {
            let _ = writeln!(text, "                 not confirmed: opens no login until a code of it was typed");
        }
    }
    for token in &status.tokens {
        let _ = writeln!(text, "Token:           {}, {}", token.serial, token.stage);
        let _ = writeln!(text, "                 {}", described(token.parameters));
        let since = token.assigned_at.map_or_else(String::new, |since| format!("assigned {since}, "));
        let _ = writeln!(text, "                 {since}drift {}", token.drift);
        let _ = writeln!(text, "                 last accepted {}", or_never(token.last_accepted));
    }
    if status.tokens_problem.is_some() {
        text.push_str("Token:           physical tokens are not known: the registry cannot be read\n");
    }
    for one in status.ssh_keys.iter().map(SshKeyView::of) {
        text += &ssh_key::in_words(&one);
    }
    if let Some(until) = status.invited_until {
        let _ = writeln!(text, "Invitation:      open until {until}");
    }
    let _ = writeln!(text, "Recovery codes:  {} left", status.recovery_left);
    if let Some(until) = status.temporary_until {
        let _ = writeln!(text, "Temporary code:  good once until {until}");
    }
    let _ = writeln!(text, "Wrong codes:     {}", wrong_codes(status.failures, status.blocked_until, now));
    if status.own_failures > 0 || status.own_blocked_until.is_some() {
        let own = wrong_codes(status.own_failures, status.own_blocked_until, now);
        let _ = writeln!(text, "                 {own} in programs without root");
    }
    let _ = match &status.last_accepted {
        Some(last) => writeln!(text, "Last accepted:   {}, {}, from {}", last.at, last.factor, last.source),
        None => writeln!(text, "Last accepted:   never"),
    };
    text
}

pub(super) fn invited_in_words(user: &UserName, newcomer: &Newcomer, now: UnixTime) -> String {
    let wrong_codes = wrong_codes(newcomer.failures, newcomer.blocked_until, now);
    let until = newcomer.invited_until;
    format!("User:            {user}\nInvitation:      open until {until}\nWrong codes:     {wrong_codes}\n")
}

fn standing_as_json((user, standing): &(UserName, Standing)) -> Value {
    match standing {
        Standing::Enrolled(status) => as_json(user, status),
        Standing::Invited(newcomer) => invited_as_json(user, newcomer),
    }
}

pub(super) fn invited_as_json(user: &UserName, newcomer: &Newcomer) -> Value {
    json!({
        "user": user.as_str(),
        "uid": newcomer.uid.map(|uid| uid.0),
        "uid_now": host::uid_now(user).map(|uid| uid.0),
        "tokens": [],
        "ssh_keys": [],
        "tokens_problem": null,
        "recovery_codes": 0,
        "failures": newcomer.failures,
        "blocked_until": newcomer.blocked_until.map(|until| until.to_string()),
        "own_failures": 0,
        "own_blocked_until": null,
        "last_accepted": null,
        "last_accepted_from": null,
        "last_accepted_with": null,
        "invited_until": newcomer.invited_until.to_string(),
        "temporary_code_until": null,
    })
}

pub(super) fn as_json(user: &UserName, status: &AccountStatus) -> Value {
    let physical = status.tokens.iter().map(token::rendering::as_json);
    let tokens: Vec<Value> = status.apps.iter().map(app_as_json).chain(physical).collect();
    let last = status.last_accepted.as_ref();
    json!({
        "user": user.as_str(),
        "uid": status.uid.map(|uid| uid.0),
        "uid_now": host::uid_now(user).map(|uid| uid.0),
        "tokens": tokens,
        "ssh_keys": status.ssh_keys.iter().map(|one| ssh_key::as_json(user, &SshKeyView::of(one))).collect::<Vec<_>>(),
        "tokens_problem": status.tokens_problem.as_ref().map(ToString::to_string),
        "recovery_codes": status.recovery_left,
        "failures": status.failures,
        "blocked_until": status.blocked_until.map(|until| until.to_string()),
        "own_failures": status.own_failures,
        "own_blocked_until": status.own_blocked_until.map(|until| until.to_string()),
        "last_accepted": last.map(|last| last.at.to_string()),
        "last_accepted_from": last.map(|last| last.source.to_string()),
        "last_accepted_with": last.map(|last| last.factor.as_str()),
        "invited_until": status.invited_until.map(|until| until.to_string()),
        "temporary_code_until": status.temporary_until.map(|until| until.to_string()),
    })
}

fn app_as_json(app: &AppStatus) -> Value {
    let state = match app.confirmation {
        Confirmation::Confirmed => "active",
        Confirmation::Pending => "pending",
    };
    json!({
        "serial": app.serial.as_str(),
        "label": app.label.as_str(),
        "state": state,
        "type": app.parameters.kind.name(),
        "algorithm": app.parameters.algorithm.to_string(),
        "digits": app.parameters.digits.count(),
        "period": period(app.parameters.kind),
        "drift": app.drift,
        "burned_until": app.burned_until.map(|until| until.to_string()),
        "issued": app.issued.to_string(),
        "last_accepted": app.last_accepted.map(|at| at.to_string()),
    })
}
