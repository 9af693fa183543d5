//! Every sealed record opened once, to find those that do not open before their owners log in.

use std::time::Duration;

use tokio_postgres::types::Type;
use twofactor_core::host::clock::UnixTime;
use twofactor_core::host::user::UserName;
use twofactor_core::store::one_account::{Decoy, OneAccount, Read};
use twofactor_core::store::{StoreError, VerificationRules};

use crate::database::sealed_row::sealed;
use crate::database::tables::{Database, Parameters};
use crate::error::ServerError;
use crate::sealing::sealed_columns::{SEALED_COLUMNS, SealedColumn};
use crate::sealing::seals::Kind;

/// The longest that a look at a portion may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Records of one statement.
const PORTION: i64 = 500;

/// The records of a store after all of them were opened.
#[derive(Debug, Default)]
pub(crate) struct Inspected {
    /// The number of accounts.
    pub(crate) accounts: usize,
    /// The errors, each with the name of its owner.
    pub(crate) flaws: Vec<StoreError>,
}

impl Database {
    /// Opens everything. `rules` judge nothing here.
    pub(crate) async fn inspect(&self, rules: VerificationRules, now: UnixTime) -> Result<Inspected, ServerError> {
        let mut inspected = Inspected::default();
        self.inspect_accounts(rules, now, &mut inspected).await?;
        for column in SEALED_COLUMNS.iter().filter(|column| !matches!(column.kind, Kind::State | Kind::Credentials)) {
            self.inspect_column(column, &mut inspected).await?;
        }
        let changed = self.changed_hosts().await?.into_iter();
        inspected.flaws.extend(changed.map(|record| ServerError::BrokenSeal(record).into()));
        Ok(inspected)
    }

    /// Reads each account as a login does: both records open, and neither is missing.
    async fn inspect_accounts(
        &self,
        rules: VerificationRules,
        now: UnixTime,
        inspected: &mut Inspected,
    ) -> Result<(), ServerError> {
        const ACCOUNTS: &str = "select n.name, s.key, s.sealed, c.key, c.sealed
            from (select name from twofactor.state union select name from twofactor.credentials) as n
            left join twofactor.state s on s.name = n.name left join twofactor.credentials c on c.name = n.name
            where n.name > $1 order by n.name limit $2";
        let decoy = Decoy::new(now).map_err(|_| ServerError::NoRandomness)?;
        let mut after = String::new();
        loop {
            let portion: &Parameters<'_> = &[(&after, Type::TEXT), (&PORTION, Type::INT8)];
            let rows = self.ask_within(PATIENCE, ACCOUNTS, portion).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.try_get(0)?;
            for row in &rows {
                let name: &str = row.try_get(0)?;
                let open = |kind, at| {
                    let sealed = sealed(row, at)?;
                    sealed.map(|sealed| self.seals.open_text(kind, name, &sealed)).transpose()
                };
                let credentials = || open(Kind::Credentials, 3).map_err(ServerError::of_credentials);
                let read =
                    open(Kind::State, 1).and_then(|state| credentials().map(|credentials| Read { credentials, state }));
                let user = UserName::new(name).map_err(|_| ServerError::BrokenSeal(name.to_owned()));
                let account = read.and_then(|read| Ok((user?, read))).map_err(StoreError::from);
                let account =
                    account.and_then(|(user, read)| OneAccount::of(user, &read, rules, &decoy, now).map(drop));
                inspected.accounts += 1;
                inspected.flaws.extend(account.err());
            }
        }
    }

    async fn inspect_column(
        &self,
        SealedColumn { table, key, sealed: bytes, owner, kind }: &SealedColumn,
        inspected: &mut Inspected,
    ) -> Result<(), ServerError> {
        let records = format!(
            "select {owner}, t.{key}, t.{bytes} from twofactor.{table} as t where {owner} > $1 order by {owner} limit $2"
        );
        let mut after = String::new();
        loop {
            let portion: &Parameters<'_> = &[(&after, Type::TEXT), (&PORTION, Type::INT8)];
            let rows = self.ask_within(PATIENCE, &records, portion).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.try_get(0)?;
            for row in &rows {
                let owner: &str = row.try_get(0)?;
                let opened = sealed(row, 1)?.map(|sealed| self.seals.open(*kind, owner, &sealed)).transpose();
                inspected.flaws.extend(opened.err().map(StoreError::from));
            }
        }
    }
}
