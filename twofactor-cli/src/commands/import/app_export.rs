//! `twofactor import otpauth`, `migration`, `aegis` and `twofas`: the app that a user has already.
//!
//! Invariant: an app knows the codes of many services. Of an export with several entries none is taken that was not named.

use std::io;
use std::path::Path;

use twofactor_admin::moving_in::Arrival;
use twofactor_admin::moving_in::app_export::{ExportEntry, read};
use twofactor_admin::seed_files::App;
use zeroize::Zeroizing;

use super::picture;
use super::taking_over::{Candidate, take_over};
use crate::args::import::AppExport;
use crate::commands::list_file;
use crate::error::{Failure, MovingInFailure};
use crate::host::{self, Host};
use crate::output::Output;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;

pub(super) fn run(expected: App, arguments: &AppExport, host: &Host, output: &Output) -> Result<(), Failure> {
    let path = arguments.file.as_path();
    let person = host::known_person(&arguments.user)?;
    let content = content(path).map_err(|error| Failure::InputFile { path: path.to_owned(), error })?;
    let opened = read(content, host.now()?);
    let (app, entries) = opened.map_err(|error| Failure::SeedFile { path: path.to_owned(), error })?;
    if app != expected {
        return Err(MovingInFailure::OtherExport { path: path.to_owned(), is: app.name() }.into());
    }
    let chosen = chosen(entries, app, arguments)?;
    let account = together(chosen, path);
    let candidate = Candidate { name: person.name.to_string(), place: path.display().to_string(), account };
    take_over(system(app), vec![candidate], &arguments.taking, host, output)
}

/// Its name in the log.
fn system(app: App) -> &'static str {
    match app {
        App::Migration => "migration",
        App::Aegis => "aegis",
        App::TwoFas => "2fas",
        _ => "otpauth",
    }
}

/// The text of a file, or that of the QR codes in a picture.
fn content(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let content = list_file::bytes(path, LARGEST)?;
    if picture::is_png(&content) { picture::text(&content) } else { Ok(content) }
}

/// The entries that are meant: those that were named, all URIs of a list, or the only one of an export.
fn chosen(entries: Vec<ExportEntry>, app: App, arguments: &AppExport) -> Result<Vec<ExportEntry>, Failure> {
    let path = || arguments.file.clone();
    for typed in &arguments.entries {
        if !entries.iter().any(|entry| entry.is_called(typed)) {
            return Err(MovingInFailure::NoEntry { path: path(), typed: typed.clone() }.into());
        }
    }
    if arguments.entries.is_empty() && app != App::Uris && entries.len() > 1 {
        let names = entries.iter().map(|entry| format!("{} \"{}\"", entry.number, entry.name())).collect();
        return Err(MovingInFailure::SeveralEntries { path: path(), names }.into());
    }
    let is_meant = |entry: &ExportEntry| {
        arguments.entries.is_empty() || arguments.entries.iter().any(|typed| entry.is_called(typed))
    };
    Ok(entries.into_iter().filter(is_meant).collect())
}

/// One account of all of them.
fn together(entries: Vec<ExportEntry>, path: &Path) -> Result<Arrival, Failure> {
    let mut all = Arrival::default();
    for ExportEntry { number, account, .. } in entries {
        let account = account.map_err(|error| MovingInFailure::Entry { path: path.to_owned(), number, error })?;
        all.tokens.extend(account.tokens);
        all.remarks.extend(account.remarks);
    }
    Ok(all)
}
