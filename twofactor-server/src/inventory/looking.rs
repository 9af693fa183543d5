//! Views of physical tokens and series. Nothing here changes anything.

use std::iter::Peekable;
use std::str::Chars;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use twofactor_core::account::lifecycle::TokenStatus;
use twofactor_core::account::{Held, State};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::UserName;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{ImportRecord, SeriesSummary, TokenView};
use twofactor_core::store::inventory::{Filter, Listed, Ownership};
use twofactor_core::store::one_account::state_of;

use super::row::{self, COLUMNS, WIDTH};
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// So many tokens are in memory at a time.
const PORTION: i64 = 1000;

/// The longest wait for one statement over all tokens.
const PATIENCE: Duration = Duration::from_mins(2);

/// A token with the state of its owner; an empty one for a token that no user can use.
pub(crate) struct Seen {
    /// The token.
    pub(crate) listed: Listed,
    /// The state of its owner.
    pub(crate) known: Result<State, StoreError>,
}

impl Seen {
    /// The view of the token.
    pub(crate) fn view(self) -> TokenView {
        match self.known {
            Ok(known) => self.listed.viewed(&known),
            Err(error) => TokenView { problem: Some(error), ..self.listed.viewed(&State::default()) },
        }
    }
}

/// The token with that serial.
pub(crate) async fn token(database: &Database, serial: &Serial) -> Result<Option<Seen>, ServerError> {
    let query = select("t.serial = $1");
    let rows = database.ask(&query, &[(&serial.as_str(), Type::TEXT)]).await?;
    rows.first().map(|row| seen(row, &database.seals)).transpose()
}

/// The tokens that stand behind the serial `after` and meet the conditions, by serial, a portion of them. Empty at the end.
pub(crate) async fn portion(database: &Database, filter: &Filter, after: &str) -> Result<Vec<Seen>, ServerError> {
    let query = select(
        "t.serial > $1 and ($3::text is null or t.series = (select number from twofactor.series where name = $3))
         and ($4::text is null or t.name = $4) and ($5::text is null or t.serial ~ $5)
         and ($6::text is null or t.status = $6) and ($7::bool is null or (t.name is not null) = $7)
         order by t.serial limit $2",
    );
    let owner = filter.owner.as_ref().map(UserName::as_str);
    let pattern = filter.serial.as_deref().map(regular_expression);
    let status = filter.status.map(TokenStatus::word);
    let has_owner = filter.owned.map(|owned| owned == Ownership::Owned);
    let rows = database
        .ask_within(
            PATIENCE,
            &query,
            &[
                (&after, Type::TEXT),
                (&PORTION, Type::INT8),
                (&filter.series, Type::TEXT),
                (&owner, Type::TEXT),
                (&pattern, Type::TEXT),
                (&status, Type::TEXT),
                (&has_owner, Type::BOOL),
            ],
        )
        .await?;
    rows.iter().map(|row| seen(row, &database.seals)).collect()
}

/// The tokens of a user as they stand in the user's credentials.
pub(crate) async fn held_by(database: &Database, user: &UserName) -> Result<Vec<Held>, ServerError> {
    let query = format!("select {COLUMNS} from twofactor.tokens as t where t.name = $1 order by t.number");
    let rows = database.ask(&query, &[(&user.as_str(), Type::TEXT)]).await?;
    let held = |row: &Row| -> Result<Held, ServerError> {
        let stored = row::stored(row, &database.seals)?;
        let serial = stored.serial.to_string();
        stored.into_held().ok_or(ServerError::DamagedToken(serial))
    };
    rows.iter().map(held).collect()
}

/// A query for rows of [`seen`].
fn select(conditions: &str) -> String {
    format!(
        "select {COLUMNS}, series.name, t.vendor, t.model, state.key, state.sealed from twofactor.tokens as t
         left join twofactor.series on series.number = t.series left join twofactor.state on state.name = t.name
         where {conditions}"
    )
}

fn seen(row: &Row, seals: &Seals) -> Result<Seen, ServerError> {
    let listed = row::listed(row, seals)?;
    let (Some(owner), Some(_)) = (&listed.owner, &listed.token) else {
        return Ok(Seen { listed, known: Ok(State::default()) });
    };
    let (key, bytes): (Option<i32>, Option<Vec<u8>>) = (row.try_get(WIDTH + 3)?, row.try_get(WIDTH + 4)?);
    let sealed = key.zip(bytes).map(|(key, bytes)| Sealed { key, bytes });
    let opened = sealed.map(|sealed| seals.open_text(Kind::State, owner.as_str(), &sealed)).transpose();
    let known = opened.map_err(StoreError::from);
    let known = known.and_then(|text| state_of(owner, text.as_ref().map(|text| text.as_str())));
    Ok(Seen { listed, known })
}

/// The first serials that begin with `prefix`.
pub(crate) async fn serials_from(database: &Database, prefix: &str, most: u32) -> Result<Vec<String>, ServerError> {
    let query = "select serial from twofactor.tokens where serial >= $1 order by serial limit $2";
    names_from(database, query, prefix, most).await
}

/// The same for the names of series.
pub(crate) async fn series_from(database: &Database, prefix: &str, most: u32) -> Result<Vec<String>, ServerError> {
    let query = "select name from twofactor.series where name >= $1 order by name limit $2";
    names_from(database, query, prefix, most).await
}

async fn names_from(database: &Database, query: &str, prefix: &str, most: u32) -> Result<Vec<String>, ServerError> {
    let rows = database.ask(query, &[(&prefix, Type::TEXT), (&i64::from(most), Type::INT8)]).await?;
    let mut names = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    names.retain(|name| name.starts_with(prefix));
    Ok(names)
}

/// The number of tokens.
pub(crate) async fn count(database: &Database) -> Result<u64, ServerError> {
    let rows = database.ask_within(PATIENCE, "select count(*) from twofactor.tokens", &[]).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// All series by name, or the one with this name.
pub(crate) async fn series(database: &Database, name: Option<&str>) -> Result<Vec<SeriesSummary>, ServerError> {
    const SERIES: &str =
        "select s.number, s.name, coalesce(c.tokens, 0), coalesce(c.assigned, 0), coalesce(c.unusable, 0),
            coalesce(c.revoked, 0), coalesce(c.inventory, 0)
        from twofactor.series as s left join (
            select series, count(*) as tokens, count(name) as assigned,
                count(*) filter (where status in ('disabled', 'lost')) as unusable,
                count(*) filter (where status = 'revoked') as revoked,
                count(*) filter (where status = 'good' and name is null) as inventory
            from twofactor.tokens group by series
        ) as c on c.series = s.number
        where $1::text is null or s.name = $1 order by s.name";
    const IMPORTS: &str = "select series, file, sha256, at, who, added, unchanged, conflicts, rejected
        from twofactor.imports where series = any($1) order by number";
    let rows = database.ask_within(PATIENCE, SERIES, &[(&name, Type::TEXT)]).await?;
    let numbers = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i32>, _>>()?;
    let imports = database.ask(IMPORTS, &[(&numbers, Type::INT4_ARRAY)]).await?;
    let mut all = Vec::new();
    for row in &rows {
        let number: i32 = row.try_get(0)?;
        let its =
            imports.iter().filter(|import| import.try_get::<_, Option<i32>>(0).is_ok_and(|its| its == Some(number)));
        all.push(SeriesSummary {
            name: row.try_get(1)?,
            tokens: counted(row, 2)?,
            assigned: counted(row, 3)?,
            unusable: counted(row, 4)?,
            revoked: counted(row, 5)?,
            inventory: counted(row, 6)?,
            imports: its.map(import).collect::<Result<_, _>>()?,
        });
    }
    Ok(all)
}

fn import(row: &Row) -> Result<ImportRecord, ServerError> {
    Ok(ImportRecord {
        file: row.try_get(1)?,
        sha256: row.try_get(2)?,
        at: row::time(row.try_get(3)?),
        who: row.try_get(4)?,
        added: counted(row, 5)?,
        unchanged: counted(row, 6)?,
        conflicts: counted(row, 7)?,
        rejected: counted(row, 8)?,
    })
}

fn counted(row: &Row, column: usize) -> Result<u64, ServerError> {
    Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or_default())
}

/// A pattern of `*`, `?` and `[…]` as a regular expression of PostgreSQL. Every character stands there by its number.
fn regular_expression(pattern: &str) -> String {
    let (mut expression, mut rest) = (String::from("^"), pattern.chars().peekable());
    while let Some(letter) = rest.next() {
        match letter {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => expression.push_str(&set(&mut rest)),
            letter => expression.push_str(&number(letter)),
        }
    }
    expression.push('$');
    expression
}

/// The set of characters that begins here. As in SQLite, one without an end matches nothing, and a range that falls is its first
/// character.
fn set(letters: &mut Peekable<Chars<'_>>) -> String {
    let is_negated = letters.next_if_eq(&'^').is_some();
    let (mut set, mut begins) = (String::new(), None);
    if letters.next_if_eq(&']').is_some() {
        set.push_str(&number(']'));
    }
    while let Some(letter) = letters.next() {
        match (letter, begins, letters.peek().copied()) {
            (']', ..) => {
                return format!("[{}{set}]", if is_negated { "^" } else { "" });
            }
            ('-', Some(first), Some(last)) if last != ']' => {
                letters.next();
                if first < last {
                    set.push('-');
                    set.push_str(&number(last));
                }
                begins = None;
            }
            (letter, ..) => {
                set.push_str(&number(letter));
                begins = Some(letter);
            }
        }
    }
    "(?!)".to_owned()
}

fn number(letter: char) -> String {
    format!("\\U{:08x}", u32::from(letter))
}
