//! The secrets of all apps, for secrets that come from outside: those of vendors' files and of tokens that are assigned.

use tokio_postgres::types::Type;
use twofactor_core::host::user::UserName;
use twofactor_core::store::inventory::AppSecrets;

use super::transaction::Transaction;
use crate::error::ServerError;
use crate::sealing::seals::{Kind, Sealed, Seals};

/// Reads all credentials, in portions. What cannot be read is passed over.
pub(super) async fn app_secrets(transaction: &Transaction, seals: &Seals) -> Result<AppSecrets, ServerError> {
    const PORTION: i64 = 500;
    const CREDENTIALS: &str =
        "select name, key, sealed from twofactor.credentials where name > $1 order by name limit $2";
    let (mut secrets, mut last) = (AppSecrets::default(), String::new());
    loop {
        let rows = transaction.ask(CREDENTIALS, &[(&last, Type::TEXT), (&PORTION, Type::INT8)]).await?;
        let Some(end) = rows.last() else { return Ok(secrets) };
        last = end.try_get(0)?;
        for row in &rows {
            let name: &str = row.try_get(0)?;
            let sealed = Sealed { key: row.try_get(1)?, bytes: row.try_get(2)? };
            let Ok(user) = UserName::new(name) else { continue };
            if let Ok(text) = seals.open_text(Kind::Credentials, name, &sealed) {
                secrets.add_text(&user, &text);
            }
        }
    }
}
