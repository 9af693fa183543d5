//! The import of tokens into the registry of this host.

use crate::store::administration::{Author, Counts, Finding, Origin, Sharing, TokenImport, TokenWalk};
use crate::store::error::StoreError;
use crate::store::registry::Intake;

/// An import, with the registry's errors as those of the store.
#[derive(Debug)]
pub(super) struct FilesImport(pub(super) Intake);

impl TokenImport for FilesImport {
    fn expect(&mut self, tokens: usize) {
        self.0.expect(tokens);
    }

    fn share(&mut self, sharing: Sharing) {
        self.0.share(sharing);
    }

    fn has_series(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.0.has_series(name)?)
    }

    fn plan_walk(&mut self, walk: TokenWalk<'_, Finding>) -> Result<Option<Counts>, StoreError> {
        Ok(self.0.plan(&mut |judge| walk(&mut |token| Ok(judge(token)?)))?)
    }

    fn write_walk(
        self: Box<Self>,
        origin: Origin<'_>,
        rejected: u64,
        author: Author<'_>,
        walk: TokenWalk<'_, ()>,
    ) -> Result<Option<Counts>, StoreError> {
        Ok(self.0.write(origin, rejected, author, &mut |take| walk(&mut |token| Ok(take(token)?)))?)
    }
}
