//! Views of physical tokens and series.

use std::ops::ControlFlow;
use std::sync::Arc;

use twofactor_core::codes::otp::{Code, Match};
use twofactor_core::codes::token::Serial;
use twofactor_core::host::user::UserName;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{
    History, HistoryPart, Identified, SeriesSummary, TokenFilter, TokenView, TokenViews,
};
use twofactor_core::store::inventory::Filter;

use super::history::CentralHistory;
use super::store::Central;
use crate::inventory::{Seen, looking};

impl TokenViews for Central {
    fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError> {
        Ok(self.wait(looking::token(&self.database, serial))?.map(Seen::view))
    }

    fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.each_token(&Filter::from(filter), |seen| {
            let view = seen.view();
            if filter.stage.is_some_and(|stage| stage != view.stage) { ControlFlow::Continue(()) } else { take(view) }
        })
    }

    fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError> {
        let now = self.now()?;
        let Some(Seen { listed, known }) = self.wait(looking::token(&self.database, serial))? else { return Ok(None) };
        Ok(listed.judge(code, &known?, self.rules.window, now))
    }

    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        let now = self.now()?;
        let (mut found, mut looked) = (Vec::new(), 0);
        self.each_token(&Filter::default(), |seen| {
            looked += 1;
            tick(looked);
            found.extend(seen.listed.identified(codes, now));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.wait(looking::serials_from(&self.database, prefix, most))
    }

    fn token_count(&self) -> Result<u64, StoreError> {
        self.wait(looking::count(&self.database))
    }

    fn history(&self, part: &HistoryPart) -> Result<Option<Box<dyn History>>, StoreError> {
        let (runtime, database) = (Arc::clone(&self.runtime), Arc::clone(&self.database));
        Ok(Some(Box::new(CentralHistory::new(runtime, database, part))))
    }

    /// A list reads them itself: there is no file that could be missing.
    fn check_tokens(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError> {
        Ok(self.wait(looking::series(&self.database, Some(name)))?.pop())
    }

    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        self.wait(looking::series(&self.database, None))
    }

    fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError> {
        self.wait(looking::series_from(&self.database, prefix, most))
    }
}

impl Central {
    /// The tokens of a user.
    pub(super) fn tokens_of(&self, user: &UserName) -> Result<Vec<TokenView>, StoreError> {
        let of_user = Filter { owner: Some(user.clone()), ..Filter::default() };
        let mut views = Vec::new();
        self.each_token(&of_user, |seen| {
            views.push(seen.view());
            ControlFlow::Continue(())
        })?;
        Ok(views)
    }

    /// Hands out every token that `filter` lets through, by serial, in portions.
    fn each_token(&self, filter: &Filter, mut take: impl FnMut(Seen) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let portion = self.wait(looking::portion(&self.database, filter, &after))?;
            let Some(last) = portion.last() else { return Ok(()) };
            after = last.listed.serial.to_string();
            if portion.into_iter().try_for_each(&mut take).is_break() {
                return Ok(());
            }
        }
    }
}
