//! A vendor's encrypted file into the registry, against the same file into a bare table: 7z and sqlite3 in a pipe.
//!
//! The table has the serial and the secret as text and one unique index, on the serial; it is filled in one transaction
//! and synced in full, as sqlite3 does by default. So is its rollback journal, which suits a new table best. Ours must keep
//! a write-ahead log, because logins read meanwhile; the same table with one is measured beside it. What the reference
//! leaves out: looking at any row, decoding secrets, noticing one secret under two serials, a second index, the file's
//! digest, a history. It runs in two processes at once, ours in one process of two threads.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use twofactor_core::store::registry::FILE;
use twofactor_tests::private_host::Host;

use crate::progress;
use crate::statistics::Sample;
use crate::stopwatch::{self, Lap};
use crate::tokens::vendor::{PASSWORD, Seeds, Vendor};
use crate::tokens::{Plan, Site};

/// `$1` the zip file, `$2` the database, `$3` the password, `$4` the journal. The shell's `.import` is one transaction.
const REFERENCE: &str = r#"
7z x -so -bd "-p$3" "$1" | sqlite3 -bail "$2" \
    "PRAGMA journal_mode = $4" "PRAGMA synchronous = FULL" \
    "CREATE TABLE tokens (serial TEXT NOT NULL UNIQUE, secret TEXT NOT NULL)" \
    ".import --csv /dev/stdin tokens"
"#;

/// What the imports took.
#[derive(Debug, Default)]
pub(super) struct Imports {
    pub(super) ours: Sample,
    /// With a rollback journal.
    pub(super) reference: Sample,
    /// With a write-ahead log.
    pub(super) reference_with_log: Sample,
    /// The most memory that ours ever had, in KiB.
    pub(super) peak: u64,
    /// The registry afterwards, in bytes.
    pub(super) registry: u64,
    /// Its write-ahead log, in bytes.
    pub(super) log: u64,
}

impl Imports {
    /// Lets all take turns. The last registry is that of `site`, and stays.
    pub(super) fn measure(host: &Host, vendor: &Vendor, disk: &Path, site: &Site, plan: Plan) -> Self {
        let file = vendor.sealed_file(host, "many", Seeds::clocks(0..plan.many));
        let mut imports = Self::default();
        for repetition in 1..=plan.repetitions {
            progress(&format!("importing {} tokens, {repetition} of {}", plan.many, plan.repetitions));
            let database = disk.join("reference.db");
            imports.reference.add(reference(host, &file, &database, "delete", plan.many).took);
            imports.reference_with_log.add(reference(host, &file, &database, "wal", plan.many).took);
            if repetition == plan.repetitions {
                imports.ours(host, vendor, &file, site, plan.many);
            } else {
                let folder = disk.join("import");
                imports.ours(host, vendor, &file, &Site::make(host, &folder, 1), plan.many);
                fs::remove_dir_all(folder).expect("a site can be removed");
            }
        }
        imports
    }

    fn ours(&mut self, host: &Host, vendor: &Vendor, file: &Path, site: &Site, tokens: usize) {
        nix::unistd::sync();
        let lap = site.import(host, vendor, file, &[]);
        self.ours.add(lap.took);
        self.peak = self.peak.max(lap.peak);
        self.registry = site.size(FILE);
        self.log = site.size(&format!("{FILE}-wal"));
        assert_holds(host, &site.0.state().join(FILE), tokens);
    }
}

fn reference(host: &Host, file: &Path, database: &Path, journal: &str, tokens: usize) -> Lap {
    nix::unistd::sync();
    let words = [OsString::from("-c"), REFERENCE.into(), "reference".into(), file.into(), database.into()];
    let words: Vec<OsString> = words.into_iter().chain([PASSWORD.into(), journal.into()]).collect();
    let lap = stopwatch::time(host, Path::new("sh"), &words);
    assert_holds(host, database, tokens);
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{ending}", database.display()));
    }
    lap
}

/// Somebody else than the program that wrote them counts the tokens.
pub(super) fn assert_holds(host: &Host, database: &Path, tokens: usize) {
    let database = database.display().to_string();
    let found = host.succeed("sqlite3", ["-readonly", database.as_str(), "SELECT count(*) FROM tokens"]);
    assert_eq!(found.trim(), tokens.to_string(), "tokens in {database}");
}
