//! The verbs of a sysadmin, for every kind of store. No login needs it.
//!
//! A store with these traits, [`Store`] and [`EnrollmentStore`] is all that the command speaks to ([`AdministeredStore`]).

mod accounts;
mod author;
mod backup;
mod exporting;
mod history;
mod hosts;
mod import;
mod last_backup;
mod renaming;
mod series;
mod sharing;
mod ssh_keys;
mod state;
mod token_error;
mod tokens;

pub use accounts::{AccountStatus, Adoption, AppStatus, Belongs, EnrollError, Existing, MoveInError, Newcomer, Reset};
pub use author::Author;
pub use backup::{
    AccountRecord, BackupRecord, BrokenOff, Column, Destination, Form, NextRecord, RegistryRow, RestoreError, Restored,
    StateBackup, TABLES, Table, Value,
};
pub use exporting::{ExportedAccount, ExportedSecret, SecretStanding};
pub use history::{History, HistoryPart, PastChange};
pub use hosts::{AddedAgain, AddedHost, FleetHost, HostAdministration, HostCertificate};
pub use import::{Counts, Finding, NewToken, Origin, TokenImport, TokenWalk};
pub use last_backup::LastBackup;
pub use renaming::{RenameError, Renamed};
pub use series::{ImportRecord, SeriesSummary};
pub use sharing::{Sharer, Sharing};
pub use ssh_keys::{AddedKey, SshKeyAdministration, SshKeyError, SshKeyView};
pub use state::{
    Defect, Difference, Identity, Inspection, Marking, Migration, Naming, Repair, Repairs, Sighting, TokenDifference,
};
pub use token_error::{LastCredential, TokenError};
pub use tokens::{Encoding, Fit, Identified, TokenFilter, TokenView};

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::account::invitation::InvitationCode;
use crate::account::lifecycle::Change;
use crate::account::throttle::{Count, Source};
use crate::account::{App, Judgement};
use crate::codes::answer::Answer;
use crate::codes::otp::{Algorithm, Code, Match, Progress};
use crate::codes::recovery::RecoveryCode;
use crate::codes::secret::Secret;
use crate::codes::temporary::TemporaryCode;
use crate::codes::token::{Label, Serial, Token};
use crate::host::clock::UnixTime;
use crate::host::trusted::Folder;
use crate::host::user::{Person, UserName};
use crate::log::record::Event;
use crate::store::enrollment::EnrollmentStore;
use crate::store::enrollment::Superseded;
use crate::store::error::StoreError;
use crate::store::redemption::Store;

/// All groups of verbs together.
pub trait Administration:
    AccountAdministration
    + InvitationAdministration
    + SecretSharing
    + AccountOwnership
    + AccountRenaming
    + AccountExport
    + SshKeyAdministration
    + TokenAdministration
    + TokenViews
    + StateIdentity
    + StateInspection
    + StateRepair
    + StateBackup
{
}

impl<
    S: AccountAdministration
        + InvitationAdministration
        + SecretSharing
        + AccountOwnership
        + AccountRenaming
        + AccountExport
        + SshKeyAdministration
        + TokenAdministration
        + TokenViews
        + StateIdentity
        + StateInspection
        + StateRepair
        + StateBackup,
> Administration for S
{
}

/// A store that offers all verbs: logins, enrollments and administration.
pub trait AdministeredStore: Store + EnrollmentStore + Administration + Debug {}

impl<S: Store + EnrollmentStore + Administration + Debug> AdministeredStore for S {}

/// Hands out every token that `filter` lets through, by serial, one by one, until `take` fails.
pub fn each_token<E: From<StoreError>>(
    store: &(impl TokenViews + ?Sized),
    filter: &TokenFilter,
    mut take: impl FnMut(TokenView) -> Result<(), E>,
) -> Result<(), E> {
    let mut failed = None;
    store.tokens(filter, &mut |view| match take(view) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// Administration of accounts: enroll, look, reset, unlock.
pub trait AccountAdministration {
    /// Adds an app to the user's account, which is made when there is none. The credentials are replaced by one atomic
    /// write: a crash leaves the old account or the new one.
    ///
    /// `recovery` are new recovery codes; `None` keeps those the account has.
    fn enroll(
        &self,
        person: &Person,
        app: App,
        recovery: Option<&[RecoveryCode]>,
        existing: Existing,
    ) -> Result<(), EnrollError>;

    /// Takes in an account of another system: its apps, and its recovery codes in the place of those that there are. An
    /// account that exists stays as it is, or gets these apps in the place of its own; its physical tokens and ssh keys stay.
    /// Gives the number of recovery codes that were taken: none where a reset has forgotten which of them are used.
    fn move_in(
        &self,
        person: &Person,
        apps: Vec<App>,
        recovery: &[RecoveryCode],
        existing: Existing,
    ) -> Result<usize, MoveInError>;

    /// The user's apps, tokens, recovery codes and counts; `None` when the user has neither app nor token. A registry that
    /// cannot be read does not hide the apps.
    fn status(&self, user: &UserName) -> Result<Option<AccountStatus>, StoreError>;

    /// The names of all users with an account, sorted; empty when no user was ever enrolled.
    ///
    /// An entry that cannot be judged is listed too and hides no other: [`AccountAdministration::status`] says what is
    /// wrong with it.
    fn users(&self) -> Result<Vec<UserName>, StoreError>;

    /// The names of users of whom something is kept but no credentials, sorted; owners of physical tokens are among
    /// them. [`AccountAdministration::newcomer`] gives their invitations.
    fn newcomers(&self) -> Result<Vec<UserName>, StoreError>;

    /// The open invitation of a user without credentials; `None` when there is none.
    fn newcomer(&self, user: &UserName) -> Result<Option<Newcomer>, StoreError>;

    /// True when the store keeps anything of the user: an account, or the remains of one after a reset or an accident.
    fn has_traces(&self, user: &UserName) -> Result<bool, StoreError>;

    /// The time until which an attempt of the user from `source`, which goes on `count`, is refused unseen; `None` when it is
    /// looked at.
    fn blocked_until(&self, user: &UserName, count: Count, source: &Source) -> Result<Option<UnixTime>, StoreError>;

    /// Judges `answer` as a login would now. Burns nothing and counts nothing; `None` when the user is not enrolled.
    fn verify(&self, user: &UserName, answer: Answer) -> Result<Option<Judgement>, StoreError>;

    /// The token that `reset --keep-secret` left to be confirmed again, with all the progress it ever made.
    fn pending(&self, user: &UserName, label: &Label) -> Result<Option<Token>, StoreError>;

    /// Forgets an account, or its confirmations. `false` when the user has none. Physical tokens stay assigned.
    fn reset(&self, user: &UserName, reset: Reset) -> Result<bool, StoreError>;

    /// Replaces all recovery codes by `codes`. `false` when the user is not enrolled. An owner of physical tokens can
    /// have recovery codes without an app.
    fn replace_recovery(&self, user: &UserName, codes: &[RecoveryCode]) -> Result<bool, EnrollError>;

    /// Makes a temporary code, good once until `until`, in the place of an earlier one. `None` when the user is not enrolled.
    fn give_code(&self, person: &Person, until: UnixTime) -> Result<Option<TemporaryCode>, EnrollError>;

    /// Takes the temporary code back. `false` when none was good.
    fn revoke_code(&self, user: &UserName) -> Result<bool, StoreError>;

    /// Forgets counted failures and remembered logins. Gives the number of those failures; `None` when the user is not
    /// enrolled and has none.
    fn unlock(&self, user: &UserName) -> Result<Option<u32>, StoreError>;
}

/// Administration of invitations.
pub trait InvitationAdministration {
    /// Lets a user enroll at the login prompt, once, before `until`. In the place of an earlier invitation.
    fn invite(&self, person: &Person, until: UnixTime) -> Result<InvitationCode, Superseded>;

    /// Takes an invitation back. `false` when there is none.
    fn revoke_invitation(&self, user: &UserName) -> Result<bool, StoreError>;
}

/// Secrets that several users or tokens have.
pub trait SecretSharing {
    /// The app or token, other than the user's own, that already has the secret `user` is about to get. A token without
    /// an owner counts, because it will be assigned one day.
    fn sharer(&self, user: &UserName, secret: &Secret, algorithm: Algorithm) -> Result<Option<Sharer>, StoreError>;

    /// Records that an app is about to share this secret with a token, so that the token is not assigned to another
    /// user unnoticed. Does nothing when no token has the secret.
    fn note_shared(&self, secret: &Secret, algorithm: Algorithm, by: Author<'_>) -> Result<(), StoreError>;
}

/// Ownership of accounts: a user name can pass to another person.
pub trait AccountOwnership {
    /// The names of all users of whom anything is kept, sorted.
    fn names(&self) -> Result<Vec<UserName>, StoreError>;

    /// The owner of the account under this name.
    fn belongs(&self, user: &UserName) -> Result<Belongs, StoreError>;

    /// Refuses where another person has an app, recovery codes or a token under this name. An invitation is no
    /// obstacle: the next one replaces it.
    fn check_owner(&self, person: &Person) -> Result<(), StoreError>;

    /// Makes the account that of the person's uid, provided that it still belongs as `seen` says. Takes no room on the disk.
    fn adopt_uid(&self, person: &Person, seen: Belongs) -> Result<Adoption, StoreError>;
}

/// Accounts that go to another name of the same person.
pub trait AccountRenaming {
    /// Gives the account of `from`, provided that it still belongs as `seen` says, to the person `to`: with all that was used
    /// and counted, its tokens and its invitation. Can be repeated after an interruption.
    fn rename(&self, from: &UserName, to: &Person, seen: Belongs, by: Author<'_>) -> Result<Renamed, RenameError>;
}

/// Accounts that are handed on to another system.
pub trait AccountExport {
    /// The secrets of a user's apps and physical tokens, with what was used of them; `None` when the user is not enrolled.
    fn export(&self, user: &UserName) -> Result<Option<ExportedAccount>, StoreError>;

    /// Notes that the secrets of these labels are about to be shown, in a store that keeps a history of that.
    fn note_showing(&self, user: &UserName, event: Event, labels: &[&Label]) -> Result<(), StoreError>;
}

/// Changes of physical tokens and series. A change takes effect as a whole or not at all.
pub trait TokenAdministration {
    /// Begins the import of a vendor's file: locks the tokens against other changes.
    fn import(&self) -> Result<Box<dyn TokenImport>, StoreError>;

    /// The same for a dry run, which changes nothing.
    fn import_rehearsal(&self) -> Result<Box<dyn TokenImport>, StoreError>;

    /// Gives tokens to users: all of them or none.
    fn assign(&self, pairs: &[(Serial, Person)], sharing: Sharing, by: Author<'_>) -> Result<(), TokenError>;

    /// Takes a token from its owner. The next login with it is refused.
    fn unassign(&self, serial: &Serial, last: LastCredential, by: Author<'_>) -> Result<UserName, TokenError>;

    /// Puts tokens aside, back, or ends them: all of them or none. Revoking also takes them from their owners.
    fn change(
        &self,
        serials: &[Serial],
        change: Change,
        last: LastCredential,
        by: Author<'_>,
    ) -> Result<(), TokenError>;

    /// Forgets tokens: all of them or none. How far their seeds were used is kept.
    fn delete_tokens(&self, serials: &[Serial], last: LastCredential, by: Author<'_>) -> Result<(), TokenError>;

    /// Finds where a token stands from two consecutive codes, both of which are burned. Gives its drift.
    fn resynchronize(&self, serial: &Serial, codes: [&Code; 2], by: Author<'_>) -> Result<Progress, TokenError>;

    /// The encodings of the token's secret and the parameters that give these two consecutive codes.
    fn probe(&self, serial: &Serial, codes: [&Code; 2]) -> Result<Vec<Fit>, TokenError>;

    /// Forgets a series and all its tokens. Gives their number.
    fn delete_series(&self, name: &str, last: LastCredential, by: Author<'_>) -> Result<usize, TokenError>;

    /// Gives all tokens of a series the parameters `fit`, found with the token `probed`. Gives their number. The two
    /// codes of `probed` are burned: its holder has read them out.
    fn mend_series(&self, name: &str, probed: &Serial, fit: &Fit, by: Author<'_>) -> Result<usize, TokenError>;
}

/// Views of physical tokens and series. Nothing is changed.
pub trait TokenViews {
    /// The token with that serial.
    fn token(&self, serial: &Serial) -> Result<Option<TokenView>, StoreError>;

    /// Hands out every token that `filter` lets through, by serial, one by one, until `take` breaks off.
    fn tokens(
        &self,
        filter: &TokenFilter,
        take: &mut dyn FnMut(TokenView) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Judges `code` as a login of the token's owner would, also for a token that is disabled or lost. Burns nothing.
    fn verify_token(&self, serial: &Serial, code: &Code) -> Result<Option<Match>, StoreError>;

    /// The tokens that show these two consecutive codes within ten minutes of now (for 30 s steps), also those that opened a
    /// session with them. Looks at every token; `tick` hears how many were looked at.
    fn identify(&self, codes: [&Code; 2], tick: &mut dyn FnMut(u64)) -> Result<Vec<Identified>, StoreError>;

    /// The first serials that begin with `prefix`.
    fn serials_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError>;

    /// The number of tokens.
    fn token_count(&self) -> Result<u64, StoreError>;

    /// The changes that sysadmins made to physical tokens, and the acts of a helpdesk; `None` where there was neither.
    fn history(&self, part: &HistoryPart) -> Result<Option<Box<dyn History>>, StoreError>;

    /// Succeeds when the tokens can be read, or there are none. Every list of tokens calls it: without it a list would look
    /// complete although the tokens are unreadable.
    fn check_tokens(&self) -> Result<(), StoreError>;

    /// The series called `name`.
    fn series(&self, name: &str) -> Result<Option<SeriesSummary>, StoreError>;

    /// All series, by name.
    fn all_series(&self) -> Result<Vec<SeriesSummary>, StoreError>;

    /// The first names of series that begin with `prefix`.
    fn series_from(&self, prefix: &str, most: u32) -> Result<Vec<String>, StoreError>;
}

/// Identity of the state as a whole: the host it belongs to.
pub trait StateIdentity {
    /// The state and its marker as found, consistent or not. Changes nothing.
    fn sighting(&self) -> Result<Sighting, StoreError>;

    /// Makes the state that is there now the one of this host, whatever the marker says: it belongs to a clone, to an image,
    /// or to a host whose /etc was restored. The state's own identity is kept, or made when it has none.
    fn adopt(&self) -> Result<Identity, StoreError>;

    /// Makes sure that the state has an identity, which the marker names, where something is kept already. A folder without
    /// accounts, which may be a mount point, is left alone.
    fn claim_if_used(&self) -> Result<Marking, StoreError>;

    /// The folder of everything, of a state that has an identity now. For what is kept beside the accounts.
    fn claimed_folder(&self) -> Result<Folder, StoreError>;
}

/// Inspection of the state as a whole.
pub trait StateInspection {
    /// Looks at every file.
    fn inspect(&self) -> Inspection;
}

/// Repair of the state as a whole.
pub trait StateRepair {
    /// Repairs what can be repaired safely.
    fn repair(&self, by: Author<'_>) -> Repairs;

    /// Makes a registry where there is none, for the history of a helpdesk. An error where a user holds a token: it is lost then.
    fn make_registry(&self) -> Result<Option<Repair>, StoreError>;

    /// Moves the tokens that an older version has left in the registry alone to where logins look for them. Can be repeated.
    fn migrate(&self, by: Author<'_>) -> Result<Migration, StoreError>;

    /// Sets aside the files that obstruct the store's other files, and gives their new names. An error here is reported by
    /// the next verb that opens those.
    fn clear_obstructions(&self) -> Vec<PathBuf>;
}
