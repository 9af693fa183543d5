//! Inspection of all files of the store, read as a login reads them. Changes nothing and locks nothing; no secret
//! leaves it.

use std::path::Path;

use crate::account::{Credentials, State};
use crate::codes::token::Serial;
use crate::host::trusted::{FileError, Folder, TEMPORARY, UNFINISHED};
use crate::host::user::UserName;
use crate::store::administration::{Defect, Inspection, StateInspection};
use crate::store::error::StoreError;
use crate::store::files::decoy::DECOY;
use crate::store::files::differences;
use crate::store::files::error::FilesError;
use crate::store::files::identity;
use crate::store::files::last_backup;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::{Account, SECRET, STATE, USERS};
use crate::store::registry::{self, RegistryError, RegistryReader};

/// Files of the state folder that SQLite and the service commands keep there.
const OF_THE_REGISTRY: [&str; 4] =
    [registry::FILE, registry::WRITE_AHEAD_LOG, registry::SHARED_MEMORY, registry::JOURNAL];
/// Files of the state folder that are replaced, so that their successors may be left over.
const OF_OURS: [&str; 5] =
    [registry::FILE, registry::WRITE_AHEAD_LOG, registry::SHARED_MEMORY, identity::FILE, last_backup::FILE];
/// The folder with the records of changed PAM services.
const SERVICES: &str = "services";

/// The registry, where it can be read.
enum Registry {
    There(RegistryReader),
    /// That there is none is an answer too.
    Absent,
}

impl StateInspection for Files {
    fn inspect(&self) -> Inspection {
        let mut inspection = Inspection::default();
        // A folder that other users can write to is not trusted, so its content is not inspected.
        match self.state_folder() {
            Ok(Some(state)) => inspection.look_at_everything(self, &state),
            Ok(None) => inspection.lacks_registry = true,
            Err(error) => inspection.found(error),
        }
        inspection
    }
}

impl Inspection {
    fn look_at_everything(&mut self, files: &Files, state: &Folder) {
        for name in self.names(state) {
            match name.as_str() {
                // The decoy is made anew whenever it cannot be used; whether the identity fits was looked at on the way here.
                USERS | DECOY | identity::FILE | identity::LOST_AND_FOUND => {}
                SERVICES => self.look_at_records(state),
                last_backup::FILE => state.has(&name).map_or_else(|error| self.found(error), drop),
                // The registry looks at these itself.
                name if OF_THE_REGISTRY.contains(&name) => {}
                name if name.starts_with(UNFINISHED) => self.flaws.push(Defect::LeftOver(state.path().join(name))),
                name if was_set_aside(name) => self.flaws.push(Defect::SetAside(state.path().join(name))),
                name => self.stray(state, name, &OF_OURS),
            }
        }
        let registry = self.look_at_registry(state);
        let users = match files.users_folder() {
            Ok(Some(users)) => users,
            Ok(None) => return,
            Err(error) => return self.found(error),
        };
        let registry = registry.as_ref();
        for name in self.names(&users) {
            match UserName::new(&name) {
                _ if identity::is_ours(&name) => {}
                _ if name.strip_suffix(TEMPORARY) == Some(identity::USERS_FILE) => {
                    self.flaws.push(Defect::LeftOver(users.path().join(name)));
                }
                Ok(user) => self.look_at_account(&users, &user, registry),
                Err(_) if name.starts_with(UNFINISHED) => self.flaws.push(Defect::LeftOver(users.path().join(name))),
                Err(_) => self.flaws.push(Defect::Unknown(users.path().join(name))),
            }
        }
        if let Some(Registry::There(reader)) = registry {
            let looked = self.look_at_owners(&users, reader);
            looked.unwrap_or_else(|error| self.found(error));
        }
    }

    /// Owners of tokens whose folder is gone, and with it what their tokens were used for.
    fn look_at_owners(&mut self, users: &Folder, reader: &RegistryReader) -> Result<(), StoreError> {
        for user in reader.owners()? {
            if users.folder(user.as_str())?.is_none() {
                let found = differences::between(&user, None, &reader.held_by(&user)?, |_| Ok::<_, StoreError>(true));
                self.flaws.extend(found?.into_iter().map(Defect::Differs));
            }
        }
        Ok(())
    }

    /// The registry, when it can be read.
    fn look_at_registry(&mut self, state: &Folder) -> Option<Registry> {
        match Self::reader_and_damage(state) {
            Ok(None) => {
                self.lacks_registry = true;
                Some(Registry::Absent)
            }
            Ok(Some((reader, tokens, damage))) if damage.is_empty() => {
                self.tokens = usize::try_from(tokens).ok();
                Some(Registry::There(reader))
            }
            Ok(Some((_, _, damage))) => {
                // Each line names a page or an index, and all are mended together.
                let problem = damage.into_iter().next().unwrap_or_default();
                self.found(RegistryError::Damaged { path: state.path().join(registry::FILE), problem });
                None
            }
            Err(error) => {
                self.found(error);
                None
            }
        }
    }

    /// The registry with the number of its tokens, and the damage that SQLite finds; `None` without a registry.
    fn reader_and_damage(state: &Folder) -> Result<Option<(RegistryReader, u64, Vec<String>)>, RegistryError> {
        let Some(reader) = RegistryReader::open(state)? else { return Ok(None) };
        let damage = reader.integrity()?;
        let tokens = if damage.is_empty() { reader.count()? } else { 0 };
        Ok(Some((reader, tokens, damage)))
    }

    fn look_at_account(&mut self, users: &Folder, user: &UserName, registry: Option<&Registry>) {
        let account = match users.folder(user.as_str()) {
            Ok(Some(folder)) => Account(folder),
            // Gone since the names were read.
            Ok(None) => return,
            Err(error) => return self.found(error),
        };
        self.accounts += 1;
        for name in self.names(account.folder()) {
            if name != SECRET && name != STATE {
                self.stray(account.folder(), &name, &[SECRET, STATE]);
            }
        }
        let (state, credentials) = (account.state(), account.credentials());
        // What is wrong with the registry itself is said once.
        let at = users.path().parent().unwrap_or(users.path());
        if let (Ok(state), Ok(credentials), Some(registry)) = (&state, &credentials, registry) {
            let looked = self.look_at_tokens(user, state, credentials.as_ref(), registry, at);
            looked.unwrap_or_else(|error| self.found(error));
        }
        match credentials {
            // Where there are none, it is the state that cannot be read.
            Err(error) if state.is_ok() || account.has(SECRET).unwrap_or(true) => self.found(error),
            Ok(_) | Err(_) => {}
        }
        if let Err(error) = state {
            self.found(error);
        }
    }

    fn look_at_tokens(
        &mut self,
        user: &UserName,
        state: &State,
        credentials: Option<&Credentials>,
        registry: &Registry,
        registry_at: &Path,
    ) -> Result<(), StoreError> {
        let registered = match registry {
            Registry::There(reader) => reader.held_by(user)?,
            Registry::Absent => Vec::new(),
        };
        if state.tokens_held > 0 {
            let (user, held, known) = (user.clone(), state.tokens_held, registered.len());
            let registry_at = registry_at.join(registry::FILE);
            return Err(if known < held {
                FilesError::LostTokens { path: registry_at, user, held, known }.into()
            } else {
                FilesError::NotMigrated { user, held }.into()
            });
        }
        let is_known = |serial: &Serial| match registry {
            Registry::There(reader) => Ok::<_, StoreError>(reader.token(serial)?.is_some()),
            Registry::Absent => Ok(false),
        };
        let differences = differences::between(user, credentials, &registered, is_known)?;
        self.flaws.extend(differences.into_iter().map(Defect::Differs));
        Ok(())
    }

    /// The service commands keep a folder for every service.
    fn look_at_records(&mut self, state: &Folder) {
        let records = match state.folder(SERVICES) {
            Ok(Some(records)) => records,
            Ok(None) => return,
            Err(error) => return self.found(error),
        };
        for name in self.names(&records) {
            match records.folder(&name) {
                Ok(Some(record)) => {
                    for file in self.names(&record) {
                        record.has(&file).map_or_else(|error| self.found(error), drop);
                    }
                }
                Ok(None) => {}
                Err(error) => self.found(error),
            }
        }
    }

    /// A name that is not one of `known`.
    fn stray(&mut self, folder: &Folder, name: &str, known: &[&str]) {
        let path = folder.path().join(name);
        let left_over = name.strip_suffix(TEMPORARY).is_some_and(|name| known.contains(&name));
        self.flaws.push(if left_over { Defect::LeftOver(path) } else { Defect::Unknown(path) });
    }

    fn names(&mut self, folder: &Folder) -> Vec<String> {
        folder.names().unwrap_or_else(|error: FileError| {
            self.found(error);
            Vec::new()
        })
    }

    fn found(&mut self, error: impl Into<StoreError>) {
        self.flaws.push(Defect::Unusable(error.into()));
    }
}

/// Whether a change of the registry has set this file aside.
fn was_set_aside(name: &str) -> bool {
    let (file, number) = name.split_once(registry::ASIDE).unwrap_or_default();
    OF_THE_REGISTRY.contains(&file) && (number.is_empty() || number.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::clock::SystemClock;
    use crate::host::trusted::{Owner, private_directory};
    use crate::store::files::{FilesError, PATIENCE};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    fn inspected(state: &Path) -> Inspection {
        Files::new(state, Owner(nix::unistd::geteuid().as_raw()), PATIENCE, SystemClock).inspect()
    }

    /// What is wrong, in short.
    fn flaws(state: &Path) -> Vec<String> {
        let short = |flaw: &Defect| match flaw {
            Defect::Unusable(error) => error.to_string(),
            Defect::LeftOver(path) => format!("left over: {}", path.strip_prefix(state).unwrap().display()),
            Defect::SetAside(path) => format!("set aside: {}", path.strip_prefix(state).unwrap().display()),
            Defect::Unknown(path) => format!("unknown: {}", path.strip_prefix(state).unwrap().display()),
            Defect::Differs(difference) => format!("{difference:?}"),
        };
        inspected(state).flaws.iter().map(short).collect()
    }

    fn make(state: &Path, folder: &str) {
        fs::create_dir(state.join(folder)).unwrap();
        fs::set_permissions(state.join(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_state_without_accounts_is_well_and_one_without_folders_is_not() {
        let state = private_directory();
        let missing = state.path().join("users");
        assert!(flaws(state.path()).is_empty(), "nothing was ever kept");
        assert!(flaws(&state.path().join("elsewhere")).is_empty());
        assert_eq!(flaws(&state.path().join("nowhere/elsewhere")).len(), 1, "is what holds it mounted?");
        make(state.path(), "services");
        assert_eq!(flaws(state.path()), [FilesError::NoFolder(missing).to_string()]);
        make(state.path(), "users");
        let inspection = inspected(state.path());
        assert!(inspection.flaws.is_empty() && inspection.tokens.is_none(), "{inspection:?}");
    }

    #[test]
    fn what_does_not_belong_there_is_named_and_is_not_opened() {
        let state = private_directory();
        for folder in ["users", "users/alice", "services", "services/sshd"] {
            make(state.path(), folder);
        }
        for file in [
            "registry.db.new",
            "registry.db-wal.aside.2",
            "users/alice/state.new",
            "users/alice/state.bak",
            "users/-rf",
            "core",
        ] {
            fs::write(state.path().join(file), "").unwrap();
        }
        nix::unistd::mkfifo(&state.path().join("users/alice/fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let lost = state.path().join("users/alice/state");
        assert_eq!(
            flaws(state.path()),
            [
                "unknown: core",
                "set aside: registry.db-wal.aside.2",
                "left over: registry.db.new",
                "unknown: users/-rf",
                "unknown: users/alice/fifo",
                "unknown: users/alice/state.bak",
                "left over: users/alice/state.new",
                &format!("{} is missing, so the codes that were used are not known", lost.display())
            ]
        );
        assert_eq!(inspected(state.path()).accounts, 1);
    }

    #[test]
    fn below_a_folder_that_others_may_enter_nobody_looks() {
        let state = private_directory();
        make(state.path(), "users");
        fs::write(state.path().join("core"), "").unwrap();
        fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            matches!(inspected(state.path()).flaws.as_slice(), [Defect::Unusable(error)] if matches!(FilesError::of(error), Some(FilesError::File(_))))
        );
    }

    #[test]
    fn records_that_others_may_read_are_found() {
        let state = private_directory();
        for folder in ["users", "services", "services/sshd"] {
            make(state.path(), folder);
        }
        let record = state.path().join("services/sshd/before");
        fs::write(&record, "").unwrap();
        fs::set_permissions(&record, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            matches!(inspected(state.path()).flaws.as_slice(), [Defect::Unusable(error)] if matches!(FilesError::of(error), Some(FilesError::File(_))))
        );
    }
}
