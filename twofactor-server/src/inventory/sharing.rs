//! Secrets that several users or tokens have.

use tokio_postgres::types::Type;
use twofactor_core::codes::token::Marks;
use twofactor_core::host::user::UserName;
use twofactor_core::store::administration::Sharer;

use super::app_secrets::app_secrets;
use super::changing::CHANGE_PATIENCE;
use super::recognition::{all_keyed, note_shared, twins};
use super::transaction::{Purpose, Transaction};
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::Seals;

/// The app or token, other than the user's own, that has the secret with these marks.
pub(crate) async fn sharer(database: &Database, user: &UserName, marks: Marks) -> Result<Option<Sharer>, ServerError> {
    let transaction = Transaction::begin(database, Purpose::Look).await?;
    let found = sharer_in(&transaction, &database.seals, user, marks).await;
    transaction.settle(found).await
}

async fn sharer_in(
    transaction: &Transaction,
    seals: &Seals,
    user: &UserName,
    marks: Marks,
) -> Result<Option<Sharer>, ServerError> {
    let twins = twins(transaction, &all_keyed(seals, marks)?).await?;
    if let Some(sharer) = twins.into_iter().find_map(|twin| twin.as_sharer(user)) {
        return Ok(Some(sharer));
    }
    Ok(app_secrets(transaction, seals).await?.other_than(Some(user), marks).cloned().map(Sharer::App))
}

/// Records that an app is about to have the secret with these marks, where a token has it.
pub(crate) async fn note(database: &Database, marks: Marks) -> Result<(), ServerError> {
    const KNOWN: &str = "select exists (select from twofactor.tokens where mark = any($1) or key_mark = any($1))";
    let keyed = all_keyed(&database.seals, marks)?;
    let known = database.ask(KNOWN, &[(&keyed, Type::INT8_ARRAY)]).await?;
    if !known.first().map_or(Ok(false), |row| row.try_get::<_, bool>(0))? {
        return Ok(());
    }
    let transaction = Transaction::begin(database, Purpose::Change(CHANGE_PATIENCE)).await?;
    let noted = note_shared(&transaction, &keyed).await;
    transaction.settle(noted).await
}
