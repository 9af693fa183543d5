//! The fourth part: moving in from google-authenticator, and a backup of many tokens and back.
//!
//! Invariants: the tool is the real one, and accounts and tokens are counted afterwards by another program or by their files.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;
use std::time::Duration;

use twofactor_tests::private_host::Host;

use crate::population;
use crate::progress;
use crate::stopwatch::Lap;
use crate::target::{Target, grouped, mebibytes, seconds};
use crate::tokens::Site;
use crate::tokens::vendor::{Seeds, Vendor};

/// The most memory that a backup or a restore may have, in KiB.
const MEMORY: u64 = 128 << 10;
/// All accounts are taken over within this.
const TAKING_OVER: Duration = Duration::from_secs(30);

/// A key of age, and its identity.
const KEY: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33\n";

/// The first uid of the users who move in.
const FIRST_UID: usize = 200_000;

/// The extent of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Tokens of the backup.
    tokens: usize,
    /// Those of them that have an owner.
    owned: usize,
    /// Users of google-authenticator.
    users: usize,
}

impl Plan {
    /// For the report.
    pub(crate) const FULL: Self = Self { tokens: 1_000_000, owned: 10_000, users: 500 };
    /// For work on the benchmark itself.
    pub(crate) const QUICK: Self = Self { tokens: 20_000, owned: 1_000, users: 50 };
}

/// The measurement.
#[derive(Debug)]
pub(crate) struct Moving {
    plan: Plan,
    taking_over: Lap,
    backup: Lap,
    /// The size of the backup, in bytes.
    bytes: u64,
    restore: Lap,
}

impl Moving {
    /// Measures in folders below `disk`.
    pub(crate) fn measure(host: &Host, disk: &Path, plan: Plan) -> Self {
        let vendor = Vendor::open(&disk.join("moving-vendor"));
        let site = Site::make(host, &disk.join("moving"), plan.owned);
        progress(&format!("importing {} tokens", plan.tokens));
        let seeds = vendor.file("moving", Seeds::clocks(0..plan.tokens));
        site.import(host, &vendor, &seeds, &[]);
        site.be_known();
        let owners = vendor.owners("moving-owners", Seeds::clocks(0..plan.owned));
        site.assign_all(host, &owners);
        nix::unistd::sync();

        progress("writing a backup, and restoring it");
        let file = disk.join("moving.age");
        let words = ["backup", "--recipient", KEY].map(OsString::from);
        let backup = site.tool(host, words.into_iter().chain([file.clone().into()]));
        let bytes = fs::metadata(&file).expect("a backup").len();
        let identity = disk.join("moving-key.txt");
        population::write(&identity, IDENTITY);
        let restored = Site::make(host, &disk.join("restored"), 1);
        nix::unistd::sync();
        let words = ["restore".into(), file.into(), "--identity".into(), OsString::from(identity)];
        let restore = restored.tool(host, words);
        restored.assert_holds(host, plan.tokens);

        // Without the owners of tokens, whom the import would look at, too.
        population::look_users_up_in_an_index();
        progress(&format!("taking over {} users of google-authenticator", plan.users));
        let taking_over = taken_over(host, disk, plan.users);
        Self { plan, taking_over, backup, bytes, restore }
    }

    /// The targets of backups and of moving in.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let tokens = grouped(self.plan.tokens);
        let within_memory = |what: &str, lap: Lap| {
            let promise = format!("{what} of {tokens} tokens takes ≤ {} MiB of memory", MEMORY >> 10);
            Target::new(promise, mebibytes(lap.peak), lap.peak <= MEMORY)
        };
        let promise = format!("taking over {} users takes ≤ {} s", self.plan.users, TAKING_OVER.as_secs());
        let took = self.taking_over.took;
        vec![
            within_memory("a backup", self.backup),
            within_memory("a restore", self.restore),
            Target::new(promise, seconds(took), took <= TAKING_OVER),
        ]
    }
}

/// Users of google-authenticator, and one command that takes all of them over.
fn taken_over(host: &Host, disk: &Path, users: usize) -> Lap {
    let site = Site::make(host, &disk.join("moved-in"), 1);
    let folder = disk.join("google-authenticator");
    population::make_folder(&folder);
    let mut passwd = crate::read("/etc/passwd");
    let now = twofactor_tests::oathtool::now();
    for number in 0..users {
        let secret = data_encoding::BASE32_NOPAD.encode(format!("secret of {number:06}").as_bytes());
        let used = now / 30 - 7;
        let path = folder.join(format!("mover{number}"));
        population::write(
            &path,
            format!("{secret}\n\" TOTP_AUTH\n\" DISALLOW_REUSE {used}\n{}\n", 20_000_000 + number),
        );
        let _ = writeln!(passwd, "mover{number}:x:{0}:{0}::/nonexistent:/bin/sh", FIRST_UID + number);
    }
    fs::write("/etc/passwd", passwd).expect("this host's /etc can be written");
    let line = format!("auth required pam_google_authenticator.so user=root secret={}/${{USER}}\n", folder.display());
    host.system_service("movers", &line);
    nix::unistd::sync();
    let lap = site.tool(host, ["import", "google-authenticator", "--all", "--from-pam"]);
    assert_eq!(site.accounts(), users, "each user has an account");
    lap
}

impl fmt::Display for Moving {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { tokens, owned, users } = self.plan;
        writeln!(
            formatter,
            "A backup of {} tokens, {} of them with owners, has {}:\n",
            grouped(tokens),
            grouped(owned),
            mebibytes(self.bytes / 1_024)
        )?;
        writeln!(formatter, "| command                                 |      time | peak memory |")?;
        writeln!(formatter, "|:----------------------------------------|----------:|------------:|")?;
        let import = format!("import google-authenticator, {users} users");
        for (name, lap) in [("backup", self.backup), ("restore", self.restore), (import.as_str(), self.taking_over)] {
            writeln!(formatter, "| {name:<39} | {:>9} | {:>11} |", seconds(lap.took), mebibytes(lap.peak))?;
        }
        Ok(())
    }
}
