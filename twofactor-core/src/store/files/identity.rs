//! The identity of this host's state: a random number, kept in the state and in a marker beside the configuration.
//!
//! Invariants: where a marker exists, no other state is used, and an absent state is never an empty one (a file system
//! that was not mounted, a clone's disk). The same holds for the users folder, which may be a file system of its own:
//! in a state with an identity it has the same one. Only a users folder with accounts may lack it, as those of older
//! versions do. Only the tool writes these files, in the order users folder, state, marker. A crash between two of them
//! leaves a state that is used as before, and the next change completes them.

use std::fs::DirBuilder;
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::config::STATE_ID;
use crate::host::trusted::{self, FileError, Folder, Protection, UNFINISHED};
use crate::host::user::UserName;
use crate::store::administration::{Identity, Marking, Naming, Sighting, StateIdentity};
use crate::store::error::StoreError;
use crate::store::files::error::FilesError;
use crate::store::files::locations::Files;
use crate::store::files::user_folder::{SECRET, STATE, USERS};
use crate::store::registry;

/// The name of the file in the state and of the marker.
pub(super) const FILE: &str = STATE_ID;

/// The name of the file in the users folder.
pub(super) const USERS_FILE: &str = ".id";

/// Larger than any file of ours.
const LARGEST: usize = 256;

/// The folder that a new file system contains.
pub(super) const LOST_AND_FOUND: &str = "lost+found";

impl StateIdentity for Files {
    fn sighting(&self) -> Result<Sighting, StoreError> {
        let marker = self.marker();
        let folder = Folder::open(&self.state, self.owner, Protection::FromReading)?;
        let copy = folder.as_ref().map_or(Ok(None), copy_in);
        let users = folder.as_ref().map_or(Ok(None), naming_within);
        let is_used = folder.as_ref().map_or(Ok(false), is_used)?;
        let has_accounts = folder.as_ref().map_or(Ok(false), has_accounts)?;
        Ok(Sighting { marker, copy, users, has_folder: folder.is_some(), is_used, has_accounts })
    }

    fn adopt(&self) -> Result<Identity, StoreError> {
        let Some(marker) = &self.marker else { return Err(FilesError::NoFolder(self.state.clone()).into()) };
        let folder = || Folder::open(&self.state, self.owner, Protection::FromReading);
        let state = match folder()? {
            Some(state) => state,
            None => self.make_state_folder()?,
        };
        let locked = folder()?.map(|folder| folder.lock(self.patience())).transpose()?;
        let identity = match copy_in(&state) {
            Ok(Some(identity)) => identity,
            // What cannot be understood is replaced.
            Ok(None) | Err(_) => Identity::generate()?,
        };
        name_users(&state, &identity)?;
        state.replace(FILE, identity.line().as_bytes())?;
        self.write_marker(marker, &identity)?;
        drop(locked);
        Ok(identity)
    }

    fn claim_if_used(&self) -> Result<Marking, StoreError> {
        let used = match self.state_folder()? {
            Some(state) => copy_in(&state)?.is_some() || is_used(&state)?,
            None => false,
        };
        if used { self.claim() } else { Ok(Marking::NothingToMark) }
    }

    fn claimed_folder(&self) -> Result<Folder, StoreError> {
        self.claim()?;
        // What comes to stand in a new state must not stand there without the folder of users: logins would take that for lost.
        if matches!(self.users_folder(), Ok(None)) {
            self.users_folder_or_new()?;
        }
        self.state_folder_or_new()
    }
}

impl Files {
    /// Says which file names the state that belongs to this host. Without one, any state does.
    #[must_use]
    pub fn marked_by(mut self, marker: Option<&Path>) -> Self {
        self.marker = marker.map(Path::to_owned);
        self
    }

    /// The folder of everything, when it is there; `None` on a host that has no state yet. A state that is not mounted, or
    /// belongs to another host, is an error.
    pub(super) fn state_folder(&self) -> Result<Option<Folder>, StoreError> {
        let marker = self.marker()?;
        match (Folder::open(&self.state, self.owner, Protection::FromReading)?, marker) {
            (Some(state), None) => Ok(Some(state)),
            (Some(state), Some(marker)) => match copy_in(&state)? {
                Some(copy) if copy == marker => Ok(Some(state)),
                other => Err(self.foreign(other.as_ref())),
            },
            (None, Some(_)) => Err(self.foreign(None)),
            (None, None) => self.state_is_new().map(|()| None),
        }
    }

    /// The folder of all users; `None` on a host where nothing was ever kept. That it is missing beside anything else is an
    /// error: only inside it can absence be proved. So is one that is not this state's.
    pub(super) fn users_folder(&self) -> Result<Option<Folder>, StoreError> {
        let Some(state) = self.state_folder()? else { return Ok(None) };
        let is_nothing = |name: &String| name == LOST_AND_FOUND || name.starts_with(UNFINISHED);
        match state.folder(USERS)? {
            Some(users) => naming_of(&state, &users).map(|_| Some(users)),
            None if state.names()?.iter().all(is_nothing) => Ok(None),
            None => Err(FilesError::NoFolder(self.state.join(USERS)).into()),
        }
    }

    /// The folder of everything, made when this host has no state yet.
    pub(super) fn state_folder_or_new(&self) -> Result<Folder, StoreError> {
        match self.state_folder()? {
            Some(state) => Ok(state),
            None => self.make_state_folder(),
        }
    }

    /// The folder of all users, made when this host has no state yet: the state has no identity then, and neither gets the
    /// folder one.
    pub(super) fn users_folder_or_new(&self) -> Result<Folder, StoreError> {
        match self.users_folder()? {
            Some(users) => Ok(users),
            None => Ok(self.state_folder_or_new()?.make_folder(USERS)?),
        }
    }

    /// Makes sure that this host has a state with an identity, which the marker names. Every change of the tool begins with
    /// it; a login never does it. A marker that cannot be written is no failure.
    pub fn claim(&self) -> Result<Marking, StoreError> {
        let Some(marker) = &self.marker else { return Ok(Marking::NothingToMark) };
        let has_marker = self.marker()?.is_some();
        if has_marker && self.state_folder()?.map_or(Ok(None), |state| naming_within(&state))? != Some(Naming::Unnamed)
        {
            return Ok(Marking::Done);
        }
        let state = self.state_folder_or_new()?;
        // Two commands at once must not write two identities.
        let locked = self.state_folder_or_new()?.lock(self.patience())?;
        let identity = match copy_in(&state)? {
            Some(identity) => {
                if naming_within(&state)? == Some(Naming::Unnamed) {
                    name_users(&state, &identity)?;
                }
                identity
            }
            None => {
                // What a crash has left between the two files is completed.
                let left = state.folder(USERS)?.map_or(Ok(None), |users| copy_in_users(&users))?;
                let identity = left.map_or_else(Identity::generate, Ok)?;
                name_users(&state, &identity)?;
                state.replace(FILE, identity.line().as_bytes())?;
                identity
            }
        };
        let written = if has_marker { Ok(()) } else { self.write_marker(marker, &identity) };
        drop(locked);
        Ok(written.map_or_else(Marking::Unmarked, |()| Marking::Done))
    }

    /// The identity in the marker. An unusable marker is an error, which denies.
    pub(super) fn marker(&self) -> Result<Option<Identity>, StoreError> {
        let Some(path) = &self.marker else { return Ok(None) };
        let Some(content) = trusted::read_file(path, self.owner, LARGEST)? else { return Ok(None) };
        Identity::parse(&content).map(Some).ok_or_else(|| FilesError::BadIdentity(path.clone()).into())
    }

    fn foreign(&self, found: Option<&Identity>) -> StoreError {
        let marker = self.marker.clone().unwrap_or_default();
        FilesError::ForeignState { state: self.state.clone(), marker, has_identity: found.is_some() }.into()
    }

    /// A missing state folder is a new host only where the folder that would hold it is there.
    fn state_is_new(&self) -> Result<(), StoreError> {
        let parent = self.state.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        match Folder::open(parent, self.owner, Protection::FromWriting) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(FilesError::NoFolder(self.state.clone()).into()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn make_state_folder(&self) -> Result<Folder, StoreError> {
        let parent = self.state.parent();
        let parent =
            parent.map(|parent| Folder::open(parent, self.owner, Protection::FromWriting)).transpose()?.flatten();
        let name = self.state.file_name().and_then(|name| name.to_str());
        match (parent, name) {
            (Some(parent), Some(name)) => Ok(parent.make_folder(name)?),
            _ => Err(FilesError::NoFolder(self.state.clone()).into()),
        }
    }

    /// Takes the marker away, so that any state is used. Gives the identity that stood there.
    pub(super) fn take_marker(&self, marker: &Path) -> Result<Option<Identity>, StoreError> {
        let named = self.marker()?;
        let folder = marker.parent().unwrap_or(Path::new("/"));
        if let Some(folder) = Folder::open(folder, self.owner, Protection::FromWriting)? {
            folder.remove(FILE)?;
        }
        Ok(named)
    }

    pub(super) fn write_marker(&self, marker: &Path, identity: &Identity) -> Result<(), FileError> {
        let folder = marker.parent().unwrap_or(Path::new("/"));
        // Should this fail, opening the folder says why.
        let _ = DirBuilder::new().mode(0o755).create(folder);
        let opened = Folder::open(folder, self.owner, Protection::FromWriting)?;
        let missing = || FileError::Io { path: folder.to_owned(), doing: "open", source: not_found() };
        opened.ok_or_else(missing)?.replace(FILE, identity.line().as_bytes())
    }
}

fn not_found() -> std::io::Error {
    std::io::ErrorKind::NotFound.into()
}

/// The identity in the state itself.
fn copy_in(state: &Folder) -> Result<Option<Identity>, StoreError> {
    let Some(content) = state.read(FILE, LARGEST)? else { return Ok(None) };
    let bad = || FilesError::BadIdentity(state.path().join(FILE)).into();
    Identity::parse(&content).map(Some).ok_or_else(bad)
}

/// The identity in the folder of all users.
fn copy_in_users(users: &Folder) -> Result<Option<Identity>, StoreError> {
    let Some(content) = users.read(USERS_FILE, LARGEST)? else { return Ok(None) };
    let bad = || FilesError::BadIdentity(users.path().join(USERS_FILE)).into();
    Identity::parse(&content).map(Some).ok_or_else(bad)
}

/// Makes sure that the folder of all users is the one of its state. An empty one may be where it is to be mounted.
fn naming_of(state: &Folder, users: &Folder) -> Result<Naming, StoreError> {
    let Some(identity) = copy_in(state)? else { return Ok(Naming::Unnamed) };
    match copy_in_users(users)? {
        Some(copy) if copy == identity => Ok(Naming::Named),
        None if has_an_account(users)? => Ok(Naming::Unnamed),
        other => Err(FilesError::ForeignUsers {
            users: users.path().to_owned(),
            copy: state.path().join(FILE),
            has_identity: other.is_some(),
        }
        .into()),
    }
}

/// The same of the folder that is there; `None` when there is none.
fn naming_within(state: &Folder) -> Result<Option<Naming>, StoreError> {
    state.folder(USERS)?.map(|users| naming_of(state, &users)).transpose()
}

/// Writes the identity into the folder of all users, which is made when there is none.
fn name_users(state: &Folder, identity: &Identity) -> Result<(), StoreError> {
    let line = identity.line();
    let users = match state.folder(USERS)? {
        Some(users) => users,
        None => state.make_folder_with(USERS, USERS_FILE, line.as_bytes())?,
    };
    match copy_in_users(&users) {
        Ok(Some(copy)) if copy == *identity => Ok(()),
        _ => Ok(users.replace(USERS_FILE, line.as_bytes())?),
    }
}

/// The users of whom the users folder keeps anything, sorted by name.
pub(super) fn users_in(users: &Folder) -> Result<Vec<UserName>, FileError> {
    let names = users.names()?;
    Ok(names.iter().filter(|name| !is_ours(name)).filter_map(|name| UserName::new(name).ok()).collect())
}

/// Whether a name in the users folder is one of ours and no user's.
pub(super) fn is_ours(name: &str) -> bool {
    name == USERS_FILE || name == LOST_AND_FOUND
}

/// Whether the users folder holds an account. Looks no further than the first.
fn has_an_account(users: &Folder) -> Result<bool, StoreError> {
    let is_account = |name: &str| {
        if is_ours(name) || UserName::new(name).is_err() {
            return false;
        }
        match users.folder(name) {
            Ok(Some(folder)) => [STATE, SECRET].iter().any(|file| folder.has(file).unwrap_or(true)),
            Ok(None) | Err(_) => false,
        }
    };
    let found =
        users.each_name(|name| if is_account(name) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })?;
    Ok(found.is_break())
}

/// Whether the state holds an account or a registry.
pub(super) fn is_used(state: &Folder) -> Result<bool, StoreError> {
    Ok(state.examine(registry::FILE)?.is_some() || has_accounts(state)?)
}

/// Whether the state holds an account.
fn has_accounts(state: &Folder) -> Result<bool, StoreError> {
    Ok(match state.folder(USERS)? {
        Some(users) => !users_in(&users)?.is_empty(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::enrollment::Proposal;
    use crate::account::invitation::InvitationCode;
    use crate::codes::otp::Parameters;
    use crate::codes::token::Label;
    use crate::host::clock::{SystemClock, UnixTime};
    use crate::host::trusted::{Owner, private_directory};
    use crate::host::user::{Person, person};
    use crate::store::administration::Reset;
    use crate::store::administration::{
        AccountAdministration as _, AccountOwnership as _, InvitationAdministration as _, StateInspection as _,
    };
    use crate::store::files::PATIENCE;
    use crate::store::{
        EnrollmentStatus, EnrollmentStore as _, Pending, PendingFactor, Presence, SecretOrigin, Store as _,
    };
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    const LATER: UnixTime = UnixTime::from_seconds(1_800_000_000);

    /// A host: /etc/twofactor and /var/lib/twofactor below a temporary folder.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new() -> Self {
            let host = Self(private_directory());
            fs::create_dir(host.0.path().join("lib")).unwrap();
            host
        }

        fn state(&self) -> PathBuf {
            self.0.path().join("lib/twofactor")
        }

        pub(super) fn marker(&self) -> PathBuf {
            self.0.path().join("etc/state.id")
        }

        fn files(&self) -> Files {
            let owner = Owner(nix::unistd::geteuid().as_raw());
            Files::new(&self.state(), owner, PATIENCE, SystemClock).marked_by(Some(&self.marker()))
        }

        /// Something is kept of alice, by the tool.
        fn invite(&self) -> Result<InvitationCode, crate::store::enrollment::Superseded> {
            self.files().invite(&alice(), LATER)
        }

        fn folder(path: &Path) {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        }

        /// The state as tmpfiles.d would make it on an empty mount point.
        fn unmount(&self) {
            fs::rename(self.state(), self.0.path().join("elsewhere")).unwrap();
            Self::folder(&self.state());
        }

        fn is_refused(&self) -> bool {
            let presence = self.files().presence(&alice().name);
            let prospect = self.files().enrollment_status(&alice());
            let reasons = [presence.err(), prospect.err()].map(|error| error.map(|error| error.reason().word()));
            match reasons {
                [Some(one), Some(other)] => one == other && matches!(one, "store-unavailable" | "unsafe-file"),
                _ => false,
            }
        }

        fn is_new(&self) -> bool {
            matches!(self.files().presence(&alice().name), Ok(Presence::Absent(_)))
                && matches!(self.files().enrollment_status(&alice()), Ok(EnrollmentStatus::New(_)))
        }
    }

    fn alice() -> Person {
        person("alice", 1001)
    }

    #[test]
    fn on_a_new_host_nobody_is_enrolled() {
        let host = Host::new();
        assert!(host.is_new(), "no state folder");
        Host::folder(&host.state());
        assert!(host.is_new(), "an empty one");
        fs::create_dir(host.state().join("lost+found")).unwrap();
        assert!(host.is_new(), "a new file system");
        assert!(!host.marker().exists(), "looking changes nothing");
    }

    #[test]
    fn a_folder_that_is_asked_for_without_an_identity_makes_no_state_that_seems_to_have_lost_its_users() {
        for is_there in [false, true] {
            let host = Host::new();
            if is_there {
                Host::folder(&host.state());
            }
            let folder = host.files().marked_by(None).claimed_folder().unwrap();
            folder.make_folder("services").unwrap();
            assert!(host.is_new(), "{is_there}");
        }
    }

    #[test]
    fn a_state_that_is_not_mounted_is_never_an_empty_one() {
        let host = Host::new();
        host.invite().unwrap();
        assert_eq!(fs::read(host.marker()).unwrap(), fs::read(host.state().join(FILE)).unwrap());
        host.unmount();
        assert!(host.is_refused(), "the empty mount point");
        Host::folder(&host.state().join(USERS));
        assert!(host.is_refused(), "with the folder that older packages make");
        fs::remove_dir_all(host.state()).unwrap();
        assert!(host.is_refused(), "no folder at all");
        assert!(host.invite().is_err(), "nor does the tool begin another one");
        assert!(!host.state().exists());
        fs::rename(host.0.path().join("elsewhere"), host.state()).unwrap();
        assert!(host.is_new(), "mounted again, and alice is still only invited");
    }

    #[test]
    fn what_stands_in_the_place_of_an_identity_denies_and_never_waits() {
        type Damage = fn(&Path);
        let damages: [(&str, Damage); 7] = [
            ("empty", |path| fs::write(path, "").unwrap()),
            ("garbage", |path| fs::write(path, "garbage").unwrap()),
            ("large", |path| fs::write(path, "x".repeat(10_000)).unwrap()),
            ("another", |path| fs::write(path, format!("{}\n", "0".repeat(32))).unwrap()),
            ("link", |path| {
                fs::rename(path, path.with_extension("old")).unwrap();
                symlink(path.with_extension("old"), path).unwrap();
            }),
            ("FIFO", |path| {
                fs::remove_file(path).unwrap();
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap();
            }),
            ("folder", |path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }),
        ];
        for (name, damage) in damages {
            for place in ["etc", "lib/twofactor"] {
                let host = Host::new();
                host.invite().unwrap();
                damage(&host.0.path().join(place).join(FILE));
                let presence = host.files().presence(&alice().name);
                assert!(presence.is_err(), "{name} in {place}: {presence:?}");
                assert!(host.invite().is_err(), "{name} in {place}");
            }
        }
        let host = Host::new();
        host.invite().unwrap();
        fs::set_permissions(host.marker(), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(host.is_refused(), "others can write it");
    }

    #[test]
    fn a_state_of_before_there_were_identities_is_used_and_marked_by_the_next_change() {
        let host = Host::new();
        host.invite().unwrap();
        fs::remove_file(host.marker()).unwrap();
        fs::remove_file(host.state().join(FILE)).unwrap();
        fs::remove_file(host.state().join(USERS).join(USERS_FILE)).unwrap();
        assert!(host.is_new(), "alice is only invited");
        assert!(matches!(host.files().claim_if_used().unwrap(), Marking::Done));
        assert_eq!(fs::read(host.marker()).unwrap(), fs::read(host.state().join(FILE)).unwrap());
    }

    #[test]
    fn an_empty_folder_may_be_a_mount_point_and_is_not_marked() {
        let host = Host::new();
        Host::folder(&host.state());
        Host::folder(&host.state().join(USERS));
        assert!(matches!(host.files().claim_if_used().unwrap(), Marking::NothingToMark));
        assert!(!host.marker().exists());
    }

    #[test]
    fn a_marker_that_cannot_be_written_is_no_failure() {
        let host = Host::new();
        fs::write(host.0.path().join("etc"), "no folder").unwrap();
        let files = host.files().marked_by(Some(&host.0.path().join("etc2/state.id")));
        symlink("/nowhere", host.0.path().join("etc2")).unwrap();
        files.invite(&alice(), LATER).unwrap();
        assert!(host.state().join(FILE).exists());
        assert!(matches!(files.claim().unwrap(), Marking::Unmarked(_)));
    }

    #[test]
    fn a_login_makes_the_state_where_there_is_none_and_never_the_marker() {
        let host = Host::new();
        let proposal = Proposal::new(Label::app(), Parameters::default(), "testhost", "alice", LATER).unwrap();
        let factor = PendingFactor::App { app: proposal.vouch(), recovery: Vec::new(), secret: SecretOrigin::New };
        host.files().store_pending(Pending { user: alice(), factor, invitation: None }).unwrap();
        assert!(matches!(host.files().presence(&alice().name), Ok(Presence::Enrolled)));
        assert!(!host.marker().exists() && !host.state().join(FILE).exists());
        assert!(matches!(host.files().claim_if_used().unwrap(), Marking::Done), "the tool's next change does");
        assert!(host.marker().exists());
    }

    #[test]
    fn what_a_crash_leaves_between_the_two_files_is_completed() {
        let host = Host::new();
        host.invite().unwrap();
        fs::remove_file(host.marker()).unwrap();
        let identity = fs::read(host.state().join(FILE)).unwrap();
        assert!(host.is_new(), "alice is only invited");
        assert!(matches!(host.files().claim().unwrap(), Marking::Done));
        assert_eq!(fs::read(host.marker()).unwrap(), identity);
        // Before any account is there, and with nothing but the first of the three.
        for folder in ["etc", "lib/twofactor"] {
            fs::remove_file(host.0.path().join(folder).join(FILE)).unwrap();
        }
        fs::remove_dir_all(host.state().join("users/alice")).unwrap();
        assert!(host.is_new());
        host.invite().unwrap();
        assert_eq!(fs::read(host.marker()).unwrap(), identity);
        fs::remove_dir_all(host.state()).unwrap();
        fs::remove_file(host.marker()).unwrap();
        Host::folder(&host.state());
        Host::folder(&host.state().join("-new-0000000000000000"));
        assert!(host.is_new(), "killed while it made the folder");
        host.invite().unwrap();
    }

    #[test]
    fn commands_at_once_write_one_identity() {
        let host = Host::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| host.files().claim().unwrap());
            }
        });
        assert_eq!(fs::read(host.marker()).unwrap(), fs::read(host.state().join(FILE)).unwrap());
    }

    #[test]
    fn a_folder_of_users_that_is_not_mounted_is_never_an_empty_one() {
        let host = Host::new();
        host.invite().unwrap();
        let users = host.state().join(USERS);
        assert_eq!(fs::read(users.join(USERS_FILE)).unwrap(), fs::read(host.marker()).unwrap());
        for has_marker in [true, false] {
            if !has_marker {
                // An /etc that could not be written.
                fs::remove_file(host.marker()).unwrap();
            }
            fs::rename(&users, host.0.path().join("elsewhere")).unwrap();
            Host::folder(&users);
            assert!(host.is_refused(), "the empty mount point");
            fs::create_dir(users.join("lost+found")).unwrap();
            fs::write(users.join("README"), "to be mounted").unwrap();
            assert!(host.is_refused(), "and what stands in mount points");
            assert!(host.invite().is_err() && host.files().claim_if_used().is_err(), "nor does the tool begin anew");
            assert!(!users.join(USERS_FILE).exists());
            fs::write(users.join(USERS_FILE), format!("{}\n", "0".repeat(32))).unwrap();
            assert!(host.is_refused(), "another one's");
            fs::write(users.join(USERS_FILE), "garbage").unwrap();
            assert!(host.is_refused(), "damaged");
            fs::remove_dir_all(&users).unwrap();
            assert!(host.is_refused(), "none at all");
            fs::rename(host.0.path().join("elsewhere"), &users).unwrap();
            assert!(host.is_new(), "mounted again, and alice is still only invited");
        }
    }

    #[test]
    fn accounts_of_before_there_was_an_identity_beside_them_are_used_and_the_next_change_writes_it() {
        let host = Host::new();
        host.invite().unwrap();
        let users = host.state().join(USERS);
        fs::remove_file(users.join(USERS_FILE)).unwrap();
        assert!(host.is_new(), "alice is only invited");
        let seen = host.files().sighting().unwrap();
        assert!(seen.is_ours() && matches!(seen.users, Ok(Some(Naming::Unnamed))));
        assert!(matches!(host.files().claim_if_used().unwrap(), Marking::Done));
        assert_eq!(fs::read(users.join(USERS_FILE)).unwrap(), fs::read(host.marker()).unwrap());
    }

    #[test]
    fn an_empty_folder_of_users_is_adopted() {
        let host = Host::new();
        host.invite().unwrap();
        let users = host.state().join(USERS);
        fs::remove_dir_all(&users).unwrap();
        assert!(host.is_refused() && !host.files().sighting().unwrap().is_ours());
        Host::folder(&users);
        assert!(host.is_refused() && !host.files().sighting().unwrap().is_ours());
        host.files().adopt().unwrap();
        assert!(host.is_new() && host.files().sighting().unwrap().is_ours());
        host.invite().unwrap();
        assert_eq!(host.files().names().unwrap(), [alice().name], "an identity is nobody's account");
        assert!(host.files().inspect().flaws.is_empty());
    }

    #[test]
    fn a_clones_state_is_adopted_and_keeps_its_identity() {
        let host = Host::new();
        host.invite().unwrap();
        let identity = fs::read(host.state().join(FILE)).unwrap();
        fs::write(host.marker(), format!("{}\n", "0".repeat(32))).unwrap();
        assert!(host.is_refused() && !host.files().sighting().unwrap().is_ours());
        host.files().adopt().unwrap();
        assert!(host.is_new() && host.files().sighting().unwrap().is_ours());
        assert_eq!(fs::read(host.marker()).unwrap(), identity);
        fs::write(host.state().join(FILE), "garbage").unwrap();
        host.files().adopt().unwrap();
        assert!(host.is_new(), "what was damaged is made anew");
    }

    #[test]
    fn an_emptied_account_is_lost_and_one_that_was_reset_is_not_enrolled() {
        let host = Host::new();
        host.invite().unwrap();
        let account = host.state().join("users/alice");
        fs::remove_file(account.join("state")).unwrap();
        let presence = host.files().presence(&alice().name);
        assert_eq!(presence.unwrap_err().reason().word(), "store-corrupt");
        assert_eq!(host.files().enrollment_status(&alice()).unwrap_err().reason().word(), "store-corrupt");
        assert!(host.invite().is_err(), "nothing begins anew beside what was lost");
        assert!(host.files().reset(&alice().name, Reset::Everything).unwrap(), "there is a way out");
        assert!(host.is_new());
    }
}
