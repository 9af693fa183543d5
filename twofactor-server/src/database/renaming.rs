//! An account goes to another name: both are written in one transaction, or neither.

use tokio_postgres::IsolationLevel;
use tokio_postgres::types::Type;
use twofactor_core::store::one_account::Change;

use crate::database::tables::{Account, Database, FRESH, Note, PATIENCE, Written, within};
use crate::error::ServerError;
use crate::inventory::TOKENS_LOCK;
use crate::sealing::seals::Kind;

impl Database {
    /// Forgets the account `from` of the note's user, and writes `change` as that of `name`, which was read as `to`.
    pub(crate) async fn rename(
        &self,
        from: &Account,
        (name, to): (&str, &Account),
        change: &Change,
        note: &Note<'_>,
    ) -> Result<Written, ServerError> {
        let (state, credentials) = match change {
            Change::Nothing | Change::InVain => return Ok(Written::Done),
            Change::State(state) | Change::Forgotten { state } => (state, None),
            Change::Both { credentials, state } => (state, Some(credentials)),
        };
        let state = self.seals.seal(Kind::State, name, state.as_bytes())?;
        let credentials =
            credentials.map(|text| self.seals.seal(Kind::Credentials, name, text.as_bytes())).transpose()?;
        let mut connection = self.in_use().await?;
        let old = note.user.as_str();
        let work = async {
            const FORGET: &str = "delete from twofactor.state where name = $1 and version = $2
                and clock_timestamp() < to_timestamp($3) + make_interval(secs => $4)";
            const FORGET_CREDENTIALS: &str = "delete from twofactor.credentials where name = $1";
            const KEEP: &str = "insert into twofactor.state (name, version, key, sealed) values ($1, $2, $3, $4)";
            const KEEP_CREDENTIALS: &str = "insert into twofactor.credentials (name, key, sealed) values ($1, $2, $3)";
            const NOTE: &str =
                "insert into twofactor.audit (host, name, event, detail, who) values ($1, $2, $3, $4, $5)";
            const TOKENS: &str = "update twofactor.tokens set name = $2 where name = $1";
            // Else what is read behind the lock would be as of before it was waited for.
            let transaction = connection
                .client_mut()?
                .build_transaction()
                .isolation_level(IsolationLevel::ReadCommitted)
                .start()
                .await?;
            // Tokens are locked before accounts.
            transaction.query_typed(TOKENS_LOCK, &[]).await?;
            for (name, account) in [(old, from), (name, to)] {
                let Some(version) = account.version else { continue };
                let parameters = [
                    (&name as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT),
                    (&version, Type::INT8),
                    (&account.now, Type::FLOAT8),
                    (&FRESH, Type::FLOAT8),
                ];
                if transaction.execute_typed(FORGET, &parameters).await? == 0 {
                    return Ok(Written::Conflict);
                }
            }
            transaction.execute_typed(FORGET_CREDENTIALS, &[(&old, Type::TEXT)]).await?;
            transaction.execute_typed(TOKENS, &[(&old, Type::TEXT), (&name, Type::TEXT)]).await?;
            // Higher than both, so that an attempt that has read one of them writes nothing.
            let version = from.version.max(to.version).unwrap_or_default() + 1;
            transaction
                .execute_typed(
                    KEEP,
                    &[
                        (&name, Type::TEXT),
                        (&version, Type::INT8),
                        (&state.key, Type::INT4),
                        (&state.bytes, Type::BYTEA),
                    ],
                )
                .await?;
            if let Some(credentials) = &credentials {
                let parameters: &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)] =
                    &[(&name, Type::TEXT), (&credentials.key, Type::INT4), (&credentials.bytes, Type::BYTEA)];
                transaction.execute_typed(KEEP_CREDENTIALS, parameters).await?;
            }
            transaction
                .execute_typed(
                    NOTE,
                    &[
                        (&note.host, Type::TEXT),
                        (&old, Type::TEXT),
                        (&note.event, Type::TEXT),
                        (&note.detail, Type::TEXT),
                        (&note.who, Type::TEXT),
                    ],
                )
                .await?;
            transaction.commit().await?;
            Ok(Written::Done)
        };
        let written = within(PATIENCE, work).await?;
        connection.ended();
        match written {
            Err(error @ ServerError::Database(_)) if error.is_conflict() => Ok(Written::Conflict),
            written => written,
        }
    }
}
