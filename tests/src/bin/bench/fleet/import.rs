//! Physical tokens into PostgreSQL: the real command on the central machine, beside `COPY` of the same rows into the same tables.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use super::site::Site;
use crate::stopwatch::{self, Lap};
use crate::tokens::vendor::{Seeds, Vendor};

/// The times.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) ours: Lap,
    pub(crate) copy: Duration,
}

/// The rows, as they are afterwards.
const OUT: &str = "copy twofactor.tokens to";
const TABLE: &str = "create table twofactor.copied (like twofactor.tokens including all)";

impl Import {
    pub(crate) fn measure(site: &Site<'_>, tokens: usize) -> Self {
        let vendor = Vendor::open(&site.folder.join("vendor"));
        let file = vendor.file("tokens", Seeds::clocks(0..tokens));
        let tool = site.host.place("bin/twofactor");
        nix::unistd::sync();
        let mut words: Vec<OsString> = vec!["--config".into(), site.central().into(), "token".into(), "import".into()];
        words.push(file.into());
        let ours = stopwatch::time(site.host, &tool, &words);
        let count = site.postgres.sql("select count(*) from twofactor.tokens");
        assert_eq!(count, tokens.to_string(), "tokens in the database");
        let rows = site.postgres.home().join("rows");
        site.postgres.sql(&format!("{OUT} '{}'", rows.display()));
        site.postgres.sql(TABLE);
        Self { ours, copy: copied(site, &rows) }
    }
}

fn copied(site: &Site<'_>, rows: &Path) -> Duration {
    site.postgres.sql("checkpoint");
    nix::unistd::sync();
    let started = Instant::now();
    site.postgres.sql(&format!("copy twofactor.copied from '{}'", rows.display()));
    started.elapsed()
}
