//! `twofactor restore`: everything of a store back from a backup.

use serde_json::json;
use twofactor_admin::backup::{BackupReader, StreamError};
use twofactor_admin::checkup::some_of;
use twofactor_core::account::RecoveryCodes;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store::administration::{BrokenOff, Destination, Marking, RestoreError, Restored};

use super::backup::{Opener, open};
use super::undone::{self, Log, Undone};
use crate::args::backup::Restore;
use crate::error::{BackupFailure, Failure};
use crate::host::{Host, asks_a_fleet};
use crate::journal;
use crate::output::values::counted;
use crate::output::{self, Output};

/// The most undone acts that a terminal is shown.
const MOST_SHOWN: usize = 50;

pub(crate) fn run(arguments: &Restore, host: &Host, output: &Output) -> Result<(), Failure> {
    let path = arguments.file.as_path();
    let in_stream = |error| BackupFailure::Stream { path: path.to_owned(), error };
    let opened = open(path, &Opener::of(arguments)?)?;
    let mut reader = BackupReader::begin(opened).map_err(in_stream)?;
    let at = reader.at();
    let recovery = if arguments.keep_recovery { RecoveryCodes::Keep } else { RecoveryCodes::Void };
    let mut broken: Option<StreamError> = None;
    let destination = if arguments.merge { Destination::InUse } else { Destination::Empty };
    let restored = host.accounts.restore(
        destination,
        &mut || {
            reader.next_record().map_err(|error| {
                broken = Some(error);
                BrokenOff
            })
        },
        recovery,
    );
    let restored = restored.map_err(|error| match (error, broken) {
        (RestoreError::BrokenOff, Some(error)) => Failure::from(in_stream(error)),
        (RestoreError::Store(error), _) => error.into(),
        (error, _) => BackupFailure::Restore(error).into(),
    })?;
    let Restored { users, kept, tokens, voided, in_doubt, .. } = &restored;
    let record = Record::new(Event::Restored).with("file", path.display()).with("from", at);
    journal::write(record.with("accounts", users.len()).with("tokens", tokens));
    let undone = undone::since(at, &restored, destination, host);
    say(&restored, &undone, at, destination);
    if asks_a_fleet(&host.config) && !users.is_empty() {
        let names = some_of(users.iter().map(UserName::as_str));
        output::warning(&format!("accounts of this host alone, which come before those of the fleet: {names}"));
        output::hint("twofactor reset USER takes one away, and from then on the fleet's servers judge that user");
    }
    let text = || {
        let (accounts, tokens) = (counted(users.len() as u64, "account"), counted(*tokens, "physical token"));
        match destination {
            Destination::Empty => format!("{accounts} and {tokens} are as they were at {at}.\n"),
            Destination::InUse => {
                let kept = counted(kept.len() as u64, "account");
                format!("{accounts} and {tokens} are back, as of {at}.\n{kept} stayed.\n")
            }
        }
    };
    let as_json = || {
        json!({
            "file": path,
            "at": at.to_string(),
            "users": listed(users),
            "kept": listed(kept),
            "tokens": tokens,
            "recovery_void": listed(voided),
            "two_codes": listed(in_doubt),
            "undone": undone.acts.iter().map(undone::UndoneAct::as_json).collect::<Vec<_>>(),
        })
    };
    Ok(output.done(text, as_json)?)
}

/// Says what else is otherwise than before.
fn say(restored: &Restored, undone: &Undone, at: UnixTime, destination: Destination) {
    let Restored { users, kept, tokens, voided, in_doubt, marking, left_over, .. } = restored;
    if let Marking::Unmarked(error) = marking {
        output::warning(&error.to_string());
    }
    if let Some(folder) = left_over {
        output::warning(&format!("the former state could not be removed: {}", folder.display()));
    }
    let names = |users: &[UserName]| some_of(users.iter().map(UserName::as_str));
    if !kept.is_empty() {
        output::warning(&format!("left as they are, but for used codes: {}", names(kept)));
    }
    if destination == Destination::Empty || !users.is_empty() || *tokens > 0 {
        say_undone(undone, at, destination);
    }
    if !voided.is_empty() {
        output::warning(&format!("the recovery codes of {} are void: they may have been used since", names(voided)));
        output::hint("new ones: twofactor recovery USER");
    }
    if !in_doubt.is_empty() {
        output::warning(&format!("the next login of {} asks for two codes of a counter", names(in_doubt)));
    }
}

fn say_undone(undone: &Undone, at: UnixTime, destination: Destination) {
    let of_what = match destination {
        Destination::Empty => "",
        Destination::InUse => "of all that came back, ",
    };
    let source = match undone.log {
        Log::Read => "",
        Log::Absent => "; no log of this host tells it",
    };
    output::warning(&format!(
        "{of_what}whatever was reset, reported lost, revoked or taken away after {at} is back as it was then{source}"
    ));
    for act in undone.acts.iter().take(MOST_SHOWN) {
        output::warning(&format!("{}, after the backup: that is undone", act.words));
        output::hint(&act.again);
    }
    let more = undone.left_out.saturating_add(undone.acts.len().saturating_sub(MOST_SHOWN) as u64);
    if more > 0 {
        output::warning(&format!("{} more may be undone", counted(more, "act")));
        output::hint(&format!("twofactor log --since {at}"));
    }
}

fn listed(users: &[UserName]) -> Vec<&str> {
    users.iter().map(UserName::as_str).collect()
}
