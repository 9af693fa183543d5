//! The audit read back: judged attempts of hosts, changes of sysadmins, and the comings and goings of hosts, in the words of the log.

use tokio_postgres::Row;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::{HistoryPart, PastChange};
use twofactor_core::text::pairs::{self, Pairs};

use crate::database::part_of_log::{LogTable, PartOfLog};
use crate::database::tables::Database;
use crate::error::ServerError;

/// A question of a host with the first word of its answer, and the log's event for it. Of other judgements the log says nothing.
const JUDGED: [(&str, Event); 25] = [
    ("redeem redeemed", Event::Accepted),
    ("redeem near-miss", Event::Denied),
    ("redeem refused", Event::Denied),
    ("strip burned", Event::Skipped),
    ("strip nothing", Event::Skipped),
    ("strip throttled", Event::Skipped),
    ("check-invitation refused", Event::Denied),
    ("check-registration not-registered", Event::Denied),
    ("store-app done", Event::Enrolled),
    ("register done", Event::Registered),
    ("register superseded", Event::Denied),
    // Changes that users make of their own second factor.
    ("self-enroll changed", Event::Enrolled),
    ("self-enroll refused", Event::Denied),
    ("self-replace changed", Event::Enrolled),
    ("self-replace refused", Event::Denied),
    ("self-reset changed", Event::Reset),
    ("self-reset refused", Event::Denied),
    ("self-recovery changed", Event::RecoveryReplaced),
    ("self-recovery refused", Event::Denied),
    ("self-token changed", Event::Registered),
    ("self-token refused", Event::Denied),
    ("self-ssh-key-add changed", Event::SshKeyAdded),
    ("self-ssh-key-add refused", Event::Denied),
    ("self-ssh-key-remove changed", Event::SshKeyRemoved),
    ("self-ssh-key-remove refused", Event::Denied),
];

const TABLE: LogTable = LogTable {
    name: "audit",
    at: "floor(extract(epoch from at))::int8",
    columns: "host, name, event, detail, who",
    is_asked: "(event = any($1) or event || ' ' || split_part(detail, ' ', 1) = any($2))",
    is_about: "(name = any($3) or (event = 'account-renamed' and detail = any($3)))",
    is_rename: "event = 'account-renamed'",
};

/// A part of the audit, read in portions.
#[derive(Debug)]
pub(crate) struct Audit(PartOfLog);

impl Audit {
    pub(crate) fn new(part: &HistoryPart) -> Self {
        let is_asked = |event: &Event| part.events.is_empty() || part.events.contains(event);
        let words = JUDGED.iter().filter(|(_, event)| is_asked(event)).map(|(words, _)| *words);
        Self(PartOfLog::of(&TABLE, part, words.collect()))
    }

    /// The next rows; empty at the end.
    pub(crate) async fn next_portion(&mut self, database: &Database) -> Result<Vec<PastChange>, ServerError> {
        self.0.next_portion(database).await?.iter().map(past).collect()
    }
}

/// A row in the words of the log.
fn past(row: &Row) -> Result<PastChange, ServerError> {
    let number: i64 = row.try_get(0)?;
    let at = UnixTime::from_seconds(u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default());
    let about: [&str; 4] = [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?];
    in_words(at, row.try_get(6)?, about).ok_or_else(|| ServerError::DamagedToken(format!("audit {number}")))
}

/// The objects of a change; `None` where the row is none of ours.
fn of_change(event: Event, host: &str, name: &str, detail: &str) -> Option<Pairs> {
    Some(match event {
        Event::AccountRenamed => pairs([("user", detail), ("user_before", name)]),
        Event::SecretShown | Event::SecretExported => pairs([("user", name), ("token", detail)]),
        Event::HostAdded => pairs([("member", host), ("groups", detail)]),
        Event::HostRevoked => pairs([("member", host)]),
        Event::FleetJoined | Event::CertificateRenewed => pairs([("member", host), ("certificate", detail)]),
        Event::KeysChanged => pairs::read(detail)?,
        _ => pairs([("user", name)]),
    })
}

/// A row (host, name, event, detail) in the words of the log; `None` for one that it has no word for.
pub(crate) fn in_words(
    at: UnixTime,
    who: Option<String>,
    [host, name, event, detail]: [&str; 4],
) -> Option<PastChange> {
    let (event, pairs) = match Event::from_word(event) {
        Some(event) => (event, of_change(event, host, name, detail)?),
        None => by_host(host, name, event, detail)?,
    };
    Some(PastChange { at, who: who.unwrap_or_default(), event, pairs })
}

/// The judgement of a host's question.
fn by_host(host: &str, name: &str, question: &str, detail: &str) -> Option<(Event, Pairs)> {
    let (outcome, about) = detail.split_once(' ').unwrap_or((detail, ""));
    let words = format!("{question} {outcome}");
    let (_, event) = JUDGED.iter().find(|(judged, _)| *judged == words)?;
    let more = match (outcome, about) {
        ("redeemed" | "burned", token) => ("token", token),
        ("changed", _) => ("by", name),
        ("not-registered", "throttled") => ("reason", "throttled"),
        // As the module says it: why it was not registered is in the row.
        ("near-miss" | "not-registered", _) => ("reason", "wrong-code"),
        ("refused" | "superseded", reason) => ("reason", reason),
        _ => ("", ""),
    };
    let mut all = pairs([("user", name), ("host", host)]);
    all.extend(pairs([more]));
    Some((*event, all))
}

fn pairs<const N: usize>(of: [(&str, &str); N]) -> Pairs {
    of.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
