//! `twofactor backup`: everything of this store as one encrypted file.

mod sealing;

pub(crate) use sealing::{Opener, open};

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use serde_json::json;
use twofactor_admin::backup::{BackupWriter, Imprint, ImprintWriter, Summary};
use twofactor_core::host::clock::UnixTime;
use twofactor_core::log::record::{Event, Record};
use twofactor_core::store::StoreError;
use twofactor_core::store::administration::LastBackup;

use crate::args::backup::Backup;
use crate::error::{BackupFailure, Failure};
use crate::host::Host;
use crate::journal;
use crate::output::values::counted;
use crate::output::{self, Output};

pub(crate) fn run(arguments: &Backup, host: &Host, output: &Output) -> Result<(), Failure> {
    let path = arguments.file.as_path();
    match fs::symlink_metadata(path) {
        Ok(_) if !arguments.force => return Err(BackupFailure::Exists(path.to_owned()).into()),
        // A rename would put a file in the place of a device.
        Ok(there) if !there.is_file() => return Err(BackupFailure::NotAFile(path.to_owned()).into()),
        Ok(_) | Err(_) => {}
    }
    let encryption = sealing::encryption(arguments)?;
    let at = host.now()?;
    let unfinished = Unfinished::create(path)?;
    let failed = |error| Failure::OutputFile { path: path.to_owned(), error };
    let output_file = ImprintWriter::new(BufWriter::new(&unfinished.file));
    let wrapped = encryption.wrap_output(output_file).map_err(failed)?;
    let mut writer = BackupWriter::begin(wrapped, at, env!("CARGO_PKG_VERSION")).map_err(failed)?;
    let mut problem = None;
    let (_, unreadable) = host.accounts.back_up(&mut |record| match writer.write(&record) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            problem = Some(error);
            ControlFlow::Break(())
        }
    })?;
    problem.map_or(Ok(()), Err).map_err(failed)?;
    let (wrapped, summary) = writer.finish().map_err(failed)?;
    let (mut file, imprint) = wrapped.finish().map_err(failed)?.finish();
    file.flush().map_err(failed)?;
    drop(file);
    unfinished.put(arguments.force)?;
    remember(arguments, host, at, summary, imprint);
    let Summary { accounts, tokens, .. } = summary;
    let record = Record::new(Event::BackedUp).with("file", path.display());
    journal::write(record.with("accounts", accounts).with("tokens", tokens));
    let (broken, all) = (unreadable.len(), unreadable.len() + usize::try_from(accounts).unwrap_or(usize::MAX));
    unreadable.into_iter().for_each(say_unreadable);
    let text = || {
        let (accounts, tokens) = (counted(accounts, "account"), counted(tokens, "physical token"));
        format!("{accounts} and {tokens} are in {}.\n", path.display())
    };
    let as_json = || json!({ "file": path, "at": at.to_string(), "accounts": accounts, "tokens": tokens });
    output.done(text, as_json)?;
    if broken == 0 { Ok(()) } else { Err(Failure::BrokenAccounts { broken, all }) }
}

/// Writes down for `doctor` that there is a backup. The backup is whole without it.
fn remember(arguments: &Backup, host: &Host, at: UnixTime, summary: Summary, imprint: Imprint) {
    let Summary { accounts, tokens, .. } = summary;
    let recipients = arguments.recipient.clone();
    let absolute = std::path::absolute(&arguments.file).ok();
    let Some(file) = absolute.as_deref().and_then(Path::to_str) else {
        return output::warning("\"twofactor doctor\" will not know of it: its path is not UTF-8");
    };
    let Imprint { size, sha256 } = imprint;
    let backup = LastBackup { at, file: file.to_owned(), size, sha256, recipients, accounts, tokens };
    if let Err(error) = host.accounts.remember_backup(&backup) {
        output::warning(&format!("\"twofactor doctor\" will not know of it: {error}"));
    }
}

fn say_unreadable(error: StoreError) {
    let failure = Failure::from(error);
    output::failure(&failure.lines(), failure.hint().as_deref());
}

/// A file that is written beside its place, and gone when it is not put there. It is locked meanwhile, against another backup to
/// the same place.
struct Unfinished<'p> {
    path: &'p Path,
    beside: PathBuf,
    file: File,
    is_put: bool,
}

impl<'p> Unfinished<'p> {
    fn create(path: &'p Path) -> Result<Self, Failure> {
        let failed = |error| Failure::OutputFile { path: path.to_owned(), error };
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let mut beside = std::ffi::OsString::from(".");
        beside.push(name);
        beside.push(".new");
        let beside = path.with_file_name(beside);
        let busy = || Failure::from(BackupFailure::Busy(path.to_owned()));
        if !cleared(&beside) {
            return Err(busy());
        }
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => busy(),
            _ => failed(error),
        })?;
        // Says that the file is in use. Where a file system has no locks, nothing does.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(busy());
        }
        Ok(Self { path, beside, file, is_put: false })
    }

    fn put(mut self, force: bool) -> Result<(), Failure> {
        let failed = |error| Failure::OutputFile { path: self.path.to_owned(), error };
        self.file.sync_all().map_err(failed)?;
        if force {
            fs::rename(&self.beside, self.path).map_err(failed)?;
        } else {
            // Never over a file that has come meanwhile.
            let flags = RenameFlags::RENAME_NOREPLACE;
            match renameat2(AT_FDCWD, &self.beside, AT_FDCWD, self.path, flags) {
                Ok(()) => {}
                Err(nix::errno::Errno::EEXIST) => return Err(BackupFailure::Exists(self.path.to_owned()).into()),
                // Not every file system can do that.
                Err(nix::errno::Errno::EINVAL) => fs::rename(&self.beside, self.path).map_err(failed)?,
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        self.is_put = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Removes what an interrupted backup has left. False where that backup still goes on: its file is locked.
fn cleared(beside: &Path) -> bool {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let Ok(left) = OpenOptions::new().read(true).custom_flags(flags).open(beside) else {
        let _ = fs::remove_file(beside);
        return true;
    };
    if matches!(left.try_lock(), Err(TryLockError::WouldBlock)) {
        return false;
    }
    // Another backup may have removed it, and have begun its own under the same name.
    let is_named = match (left.metadata(), fs::symlink_metadata(beside)) {
        (Ok(left), Ok(named)) => (left.dev(), left.ino()) == (named.dev(), named.ino()),
        _ => false,
    };
    if is_named {
        let _ = fs::remove_file(beside);
    }
    true
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_put {
            let _ = fs::remove_file(&self.beside);
        }
    }
}
