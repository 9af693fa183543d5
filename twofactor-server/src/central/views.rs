//! Views of physical tokens and series, of which there are none yet.

use std::ops::ControlFlow;

use twofactor_core::codes::otp::{Code, Match};
use twofactor_core::codes::token::Serial;
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::{History, Identified, SeriesSummary, TokenFilter, TokenView, TokenViews};

use super::store::Central;

impl TokenViews for Central {
    fn token(&self, _: &Serial) -> Result<Option<TokenView>, StoreError> {
        Ok(None)
    }

    fn tokens(&self, _: &TokenFilter, _: &mut dyn FnMut(TokenView) -> ControlFlow<()>) -> Result<(), StoreError> {
        Ok(())
    }

    fn verify_token(&self, _: &Serial, _: &Code) -> Result<Option<Match>, StoreError> {
        Ok(None)
    }

    fn identify(&self, _: [&Code; 2], _: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError> {
        Ok(Vec::new())
    }

    fn serials_from(&self, _: &str, _: u32) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn token_count(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn history(&self) -> Result<Option<Box<dyn History>>, StoreError> {
        Ok(None)
    }

    fn check_tokens(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn series(&self, _: &str) -> Result<Option<SeriesSummary>, StoreError> {
        Ok(None)
    }

    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        Ok(Vec::new())
    }

    fn series_from(&self, _: &str, _: u32) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}
