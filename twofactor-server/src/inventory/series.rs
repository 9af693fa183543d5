//! Changes of whole series.

use std::collections::BTreeSet;

use tokio_postgres::types::Type;
use twofactor_core::codes::otp::Progress;
use twofactor_core::codes::token::{Marks, Seeds, Serial};
use twofactor_core::store::administration::{Fit, LastCredential, TokenError};
use twofactor_core::store::inventory::{
    self, Direction, HistoryLine, LoadedTokens, Mended, Stored, TokenChange as _, mended, mending_in_words,
    series_deletion_in_words,
};

use super::changing::{Change, Wanted, load, select};
use super::recognition::{Burned, all_keyed, keyed, twins};
use super::row::stored;
use super::stop::Stop;
use super::transaction::{Purpose, Transaction};
use super::writing;
use crate::database::tables::Database;
use crate::error::ServerError;
use crate::sealing::seals::Seals;

/// So many tokens are in memory at a time.
const PORTION: i64 = 1000;

impl Change<'_> {
    /// Forgets a series and all its tokens. Gives their number.
    pub(crate) async fn delete_series(
        self,
        database: &Database,
        name: &str,
        last: LastCredential,
    ) -> Result<usize, TokenError> {
        self.again(async || {
            let transaction = Transaction::begin(database, Purpose::Change(self.patience)).await?;
            let done = self.delete_series_in(&transaction, &database.seals, name, last).await;
            transaction.settle(done).await
        })
        .await
    }

    async fn delete_series_in(
        self,
        transaction: &Transaction,
        seals: &Seals,
        name: &str,
        last: LastCredential,
    ) -> Result<usize, Stop> {
        // Tokens that never had an owner and were never used leave nothing to remember. Revoked ones stay known: they must not come
        // back with the next file.
        const DELETE: &str = "with deleted as (delete from twofactor.tokens
            where series = $1 and name is null and used is null and status <> 'revoked' returning 1)
            select count(*) from deleted";
        const LEFT: &str =
            "select serial from twofactor.tokens where series = $1 and status <> 'revoked' order by number";
        const ORPHANS: &str = "update twofactor.tokens set series = null where series = $1";
        const IMPORTS: &str = "update twofactor.imports set series = null where series = $1";
        const SERIES: &str = "delete from twofactor.series where number = $1";
        let series = number(transaction, name).await?;
        let of_series: &crate::database::tables::Parameters<'_> = &[(&series, Type::INT4)];
        let unused: i64 = transaction.ask_one(DELETE, of_series).await?.try_get(0).map_err(ServerError::from)?;
        let rows = transaction.ask(LEFT, of_series).await?;
        let serials = rows.iter().filter_map(|row| Serial::new(row.try_get(0).ok()?)).collect();
        let wanted = Wanted { serials, ..Wanted::default() };
        let mut loaded = LoadedTokens::at(self.now()?, self.by.at);
        let versions = load(transaction, seals, &mut loaded, &wanted).await?;
        let mut tokens: Vec<Stored> = Vec::new();
        for serial in &wanted.serials {
            tokens.extend(loaded.token(serial)?);
        }
        inventory::delete_all(&mut loaded, &tokens, last)?;
        let all = usize::try_from(unused).unwrap_or_default() + tokens.len();
        let (event, detail) = series_deletion_in_words(name, all);
        loaded.record_line(HistoryLine { event, serial: None, user: None, detail: Some(detail) });
        self.write(transaction, seals, loaded.into_writes(Direction::Takes)?, &versions).await?;
        for statement in [ORPHANS, IMPORTS, SERIES] {
            transaction.ask(statement, of_series).await?;
        }
        Ok(all)
    }

    /// Gives all tokens of a series the parameters `fit`, found with the token `probed`. Gives their number.
    pub(crate) async fn mend_series(
        self,
        database: &Database,
        name: &str,
        probed: &Serial,
        fit: &Fit,
    ) -> Result<usize, TokenError> {
        self.again(async || {
            let transaction = Transaction::begin(database, Purpose::Change(self.patience)).await?;
            let done = self.mend_series_in(&transaction, &database.seals, name, probed, fit).await;
            transaction.settle(done).await
        })
        .await
    }

    async fn mend_series_in(
        self,
        transaction: &Transaction,
        seals: &Seals,
        name: &str,
        probed: &Serial,
        fit: &Fit,
    ) -> Result<usize, Stop> {
        let series = number(transaction, name).await?;
        let query = select("t.series = $1 and t.number > $2 and t.status <> 'revoked' order by t.number limit $3");
        let (mut mended_tokens, mut after) = (0, 0);
        loop {
            // In portions: a million tokens do not fit into memory.
            let portion = [(&series as _, Type::INT4), (&after as _, Type::INT8), (&PORTION as _, Type::INT8)];
            let rows = transaction.ask(&query, &portion).await?;
            let tokens = rows.iter().map(|row| stored(row, seals)).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = tokens.last() else { break };
            after = last.id;
            mended_tokens += tokens.len();
            self.mend_portion(transaction, seals, tokens, probed, fit).await?;
        }
        let (event, detail) = mending_in_words(name, mended_tokens, fit);
        let line = HistoryLine { event, serial: None, user: None, detail: Some(detail) };
        super::history::record(transaction, self.by, &[line]).await?;
        Ok(mended_tokens)
    }

    /// A token's use as what it was taken for is kept, should it be taken for that again; as what it is now it begins where it was
    /// shown to be, or where an earlier life has led it.
    async fn mend_portion(
        self,
        transaction: &Transaction,
        seals: &Seals,
        tokens: Vec<Stored>,
        probed: &Serial,
        fit: &Fit,
    ) -> Result<(), Stop> {
        let wanted = Wanted { serials: tokens.iter().map(|token| token.serial.clone()).collect(), ..Wanted::default() };
        let now = self.now()?;
        let mut loaded = LoadedTokens::at(now, self.by.at);
        let versions = load(transaction, seals, &mut loaded, &wanted).await?;
        let burned = Burned::all(transaction, seals).await?;
        let (mut marks, mut seen) = (Vec::new(), BTreeSet::new());
        for token in tokens {
            let used = inventory::use_of(&mut loaded, &token)?;
            let Mended { secret, parameters, shown } = mended(&token, probed, fit, now)?;
            let its = Marks::of(&secret, parameters.algorithm);
            let all = all_keyed(seals, its)?;
            let mut others = twins(transaction, &all).await?;
            others.retain(|twin| twin.serial != token.serial);
            if let Some(twin) = others.into_iter().next() {
                return Err(TokenError::Twins(token.serial, twin.serial).into());
            }
            let seeds = Seeds::of(&secret, parameters);
            let known = burned.progress(seals, || seeds)?;
            let is_same = token.seeds().is_some_and(|before| before.key() == seeds.key());
            let same = if is_same { used } else { Progress::default() };
            let progress = shown.latest(same).latest(known);
            marks.push((
                token.serial.clone(),
                keyed(seals, its.secret())?,
                its.key().map(|mark| keyed(seals, mark)).transpose()?,
            ));
            if !all.iter().all(|mark| seen.insert(*mark)) {
                // Two of one portion have become the same.
                let twin =
                    marks.iter().find(|(_, mark, key)| all.contains(mark) || key.is_some_and(|key| all.contains(&key)));
                let twin = twin.map_or_else(|| token.serial.clone(), |(serial, ..)| serial.clone());
                return Err(TokenError::Twins(token.serial, twin).into());
            }
            loaded.mend(&token, used, secret, parameters, progress);
        }
        writing::marks(transaction, &marks).await?;
        self.write(transaction, seals, loaded.into_writes(Direction::Gives)?, &versions).await?;
        Ok(())
    }
}

async fn number(transaction: &Transaction, name: &str) -> Result<i32, Stop> {
    let query = "select number from twofactor.series where name = $1";
    let rows = transaction.ask(query, &[(&name, Type::TEXT)]).await?;
    let row = rows.first().ok_or_else(|| TokenError::NoSeries(name.to_owned()))?;
    Ok(row.try_get(0).map_err(ServerError::from)?)
}
