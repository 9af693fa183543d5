//! Rows of the audit about secrets that leave the store.

use tokio_postgres::types::Type;
use twofactor_core::codes::token::Label;
use twofactor_core::host::user::UserName;
use twofactor_core::log::record::Event;

use crate::database::tables::{Database, Parameters};
use crate::error::ServerError;

impl Database {
    /// Notes that `who` is about to be shown the secrets of these labels.
    pub(crate) async fn note_showing(
        &self,
        who: &str,
        user: &UserName,
        event: Event,
        labels: &[&Label],
    ) -> Result<(), ServerError> {
        const NOTE: &str = "insert into twofactor.audit (host, name, event, detail, who)
            select '', $1, $2, label, $3 from unnest($4) as label";
        let labels: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
        let (user, event) = (user.as_str(), event.word());
        let row: &Parameters<'_> =
            &[(&user, Type::TEXT), (&event, Type::TEXT), (&who, Type::TEXT), (&labels, Type::TEXT_ARRAY)];
        self.ask(NOTE, row).await.map(drop)
    }
}
