//! The audit read back: judged attempts of hosts, and changes of sysadmins, in the words of the log.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::Event;
use twofactor_core::store::administration::PastChange;
use twofactor_core::text::pairs::Pairs;

use crate::database::Database;
use crate::error::ServerError;

/// The audit, read in portions.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    last: i64,
}

impl Audit {
    /// The next rows; empty at the end.
    pub(crate) async fn next_portion(&mut self, database: &Database) -> Result<Vec<PastChange>, ServerError> {
        const PORTION: i64 = 1000;
        const ROWS: &str =
            "select number, extract(epoch from at)::int8, host, name, event, detail, who from twofactor.audit
            where number > $1 order by number limit $2";
        loop {
            let rows = database.ask(ROWS, &[(&self.last, Type::INT8), (&PORTION, Type::INT8)]).await?;
            let Some(end) = rows.last() else { return Ok(Vec::new()) };
            self.last = end.try_get(0)?;
            let portion: Result<Vec<Option<PastChange>>, ServerError> = rows.iter().map(past).collect();
            let portion: Vec<PastChange> = portion?.into_iter().flatten().collect();
            if !portion.is_empty() {
                return Ok(portion);
            }
        }
    }
}

/// A row in the words of the log; `None` for one that is about nothing the log has a word for.
fn past(row: &Row) -> Result<Option<PastChange>, ServerError> {
    let at = UnixTime::from_seconds(u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or_default());
    let [host, name, event, detail]: [&str; 4] = [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, row.try_get(5)?];
    let Some(who) = row.try_get::<_, Option<String>>(6)? else {
        return Ok(judged(at, host, name, event, detail));
    };
    Ok(Event::from_word(event).map(|event| {
        let pairs = match event {
            Event::AccountRenamed => pairs([("user", detail), ("user_before", name)]),
            _ => pairs([("user", name), ("", "")]),
        };
        PastChange { at, who, event, pairs }
    }))
}

/// The row of a host's question in the words of the log; `None` for one that it has no word for.
pub(crate) fn judged(at: UnixTime, host: &str, name: &str, question: &str, detail: &str) -> Option<PastChange> {
    let (event, pairs) = by_host(host, name, question, detail)?;
    Some(PastChange { at, who: String::new(), event, pairs })
}

/// The judgement of a host's question.
fn by_host(host: &str, name: &str, question: &str, detail: &str) -> Option<(Event, Pairs)> {
    let (outcome, about) = detail.split_once(' ').unwrap_or((detail, ""));
    let (event, more) = match (question, outcome) {
        ("redeem", "redeemed") => (Event::Accepted, ("token", about)),
        ("redeem", "near-miss") => (Event::Denied, ("reason", "wrong-code")),
        ("redeem" | "check-invitation", "refused") => (Event::Denied, ("reason", about)),
        ("store-app", "done") => (Event::Enrolled, ("", "")),
        ("register", "done") => (Event::Registered, ("", "")),
        (own, "changed") => (own_change(own)?, ("by", name)),
        (own, "refused") if own_change(own).is_some() => (Event::Denied, ("reason", about)),
        _ => return None,
    };
    let mut all = pairs([("user", name), ("host", host)]);
    all.extend(pairs([more]));
    Some((event, all))
}

/// The event of a change that users make of their own second factor, where the question asks for one.
fn own_change(question: &str) -> Option<Event> {
    Some(match question {
        "self-enroll" | "self-replace" => Event::Enrolled,
        "self-reset" => Event::Reset,
        "self-recovery" => Event::RecoveryReplaced,
        "self-token" => Event::Registered,
        "self-ssh-key-add" => Event::SshKeyAdded,
        "self-ssh-key-remove" => Event::SshKeyRemoved,
        _ => return None,
    })
}

fn pairs<const N: usize>(of: [(&str, &str); N]) -> Pairs {
    of.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
