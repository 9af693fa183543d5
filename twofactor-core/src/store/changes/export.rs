//! The secrets of an account, for another system.

use crate::account::{Credentials, Held, State};
use crate::store::administration::{ExportedAccount, ExportedSecret, SecretStanding};

/// The secrets with what was used of them.
pub(in crate::store) fn exported(credentials: Credentials, state: &State) -> ExportedAccount {
    let (recovery_left, ssh_keys) = (credentials.recovery_left(state), credentials.ssh_keys.len());
    let apps = credentials.apps.into_iter().map(|app| {
        let standing = SecretStanding::App(app.confirmation());
        ExportedSecret { token: app.offered_again(state), standing }
    });
    let held = credentials.held.into_iter().map(|Held { mut token, status, .. }| {
        token.start = state.progress_of(&token);
        ExportedSecret { token, standing: SecretStanding::Token(status) }
    });
    ExportedAccount { secrets: apps.chain(held).collect(), recovery_left, ssh_keys }
}
