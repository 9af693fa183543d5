//! The second part: what the registry of physical tokens costs, up to a million of them.
//!
//! What always holds: whatever is measured is the real tool or the real module, each with the configuration as shipped.

mod commands;
mod documents;
mod imports;
mod logins;
mod meanwhile;
mod report;
pub(crate) mod vendor;

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::Path;

use twofactor_core::store::registry::FILE;
use twofactor_tests::private_host::Host;

use crate::machine::Meter;
use crate::population::{self, INDEX, Population, User};
use crate::progress;
use crate::stopwatch::{self, Lap};
use crate::tokens::commands::Commands;
use crate::tokens::documents::Documents;
use crate::tokens::imports::Imports;
use crate::tokens::logins::Logins;
use crate::tokens::meanwhile::Meanwhile;
use crate::tokens::vendor::{Seeds, Vendor};

/// The programs of the reference, and the Debian packages they come in.
pub(crate) const REFERENCE: [(&str, &str); 2] = [("7z", "p7zip-full"), ("sqlite3", "sqlite3")];

/// The extent of the measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Tokens of the large registry.
    many: usize,
    /// Tokens of the small one, all of them owned.
    few: usize,
    /// Owned tokens of the large one.
    owned: usize,
    /// How often the large import is repeated.
    repetitions: usize,
    /// Encrypted keys of a PSKC document.
    keys: usize,
    /// Measured logins of each kind, one for each of so many users.
    logins: usize,
    /// Tokens that are imported while others log in.
    meanwhile: usize,
    /// How often a short command is repeated.
    commands: usize,
}

impl Plan {
    /// For the report.
    pub(crate) const FULL: Self = Self {
        many: 1_000_000,
        few: 1_000,
        owned: 100_000,
        repetitions: 3,
        keys: 50_000,
        logins: 1_000,
        meanwhile: 100_000,
        commands: 50,
    };
    /// For somebody who works on the benchmark itself.
    pub(crate) const QUICK: Self = Self {
        many: 20_000,
        few: 1_000,
        owned: 2_000,
        repetitions: 1,
        keys: 2_000,
        logins: 60,
        meanwhile: 5_000,
        commands: 10,
    };
}

/// The measurement.
#[derive(Debug)]
pub(crate) struct Tokens {
    plan: Plan,
    imports: Imports,
    documents: Documents,
    assigning: Lap,
    logins: Logins,
    commands: Commands,
    meanwhile: Meanwhile,
    /// The part of the processors that programs of others used meanwhile.
    others: f64,
}

/// Owners of one list: each is locked with an open file, of which a host may allow 20,000.
const OWNERS_AT_ONCE: usize = 10_000;

/// The two registries, and a host of people with apps beside them.
struct Sites {
    few: Site,
    many: Site,
    apps: Population,
}

/// A state folder with a registry, and users who log in there.
#[derive(Debug)]
pub(crate) struct Site(Population);

impl Tokens {
    /// Measures in folders below `disk`.
    pub(crate) fn measure(host: &Host, disk: &Path, plan: Plan) -> Self {
        let meter = Meter::start();
        progress("making seed files");
        let vendor = Vendor::open(&disk.join("vendor"));
        // Users 0.. own the first tokens; then come those who get one later, then those of the crowd.
        let (newcomers, crowd) = (plan.owned..plan.owned + plan.commands, plan.owned + plan.commands);
        let users = crowd + meanwhile::USERS;
        let sites = Sites {
            few: Site::make(host, &disk.join("few-tokens"), plan.few),
            many: Site::make(host, &disk.join("many-tokens"), users),
            apps: Population::make(host, &disk.join("apps"), plan.logins),
        };
        let imports = Imports::measure(host, &vendor, disk, &sites.many, plan);
        let documents = Documents::measure(host, &vendor, disk, plan);
        let few = vendor.file("few", Seeds::clocks(0..plan.few));
        sites.few.import(host, &vendor, &few, &[]);
        let fobs = vendor.file("crowd", Seeds::counters(crowd..users));
        sites.many.import(host, &vendor, &fobs, &["--type", "hotp"]);

        progress("assigning tokens");
        sites.many.be_known();
        let owners = vendor.owners("few-owners", Seeds::clocks(0..plan.few));
        let assigning = sites.few.assign_all(host, &owners);
        sites.many.restore_owners(&sites.few, 0..plan.owned);
        for first in (0..plan.owned).step_by(OWNERS_AT_ONCE) {
            let portion = first..plan.owned.min(first + OWNERS_AT_ONCE);
            let owners = vendor.owners(&format!("owners-{first}"), Seeds::clocks(portion));
            sites.many.assign_all(host, &owners);
        }
        let owners = vendor.owners("crowd-owners", Seeds::counters(crowd..users));
        sites.many.assign_all(host, &owners);
        nix::unistd::sync();

        let logins = Logins::measure(host, &sites, plan.logins);
        let commands = Commands::measure(host, &sites.many, plan, newcomers);
        let meanwhile = Meanwhile::measure(host, &vendor, &sites.many, plan, crowd);
        Self { plan, imports, documents, assigning, logins, commands, meanwhile, others: meter.others() }
    }
}

impl Site {
    /// Makes an empty state in `folder`, and users.
    pub(crate) fn make(host: &Host, folder: &Path, users: usize) -> Self {
        Self(Population::strangers(host, folder, users))
    }

    /// Makes this site's users those of the host, for the tool. A worker has its own view.
    pub(crate) fn be_known(&self) {
        for name in INDEX {
            fs::copy(self.0.folder.join(name), Path::new("/etc").join(name)).expect("this host's /etc can be written");
        }
    }

    /// Runs the tool with this site's configuration; it must succeed.
    pub(crate) fn tool<A: Into<OsString>>(&self, host: &Host, arguments: impl IntoIterator<Item = A>) -> Lap {
        let configuration = [OsString::from("--config"), self.0.configuration().into()];
        let arguments: Vec<OsString> = configuration.into_iter().chain(arguments.into_iter().map(Into::into)).collect();
        stopwatch::time(host, &host.place("bin/twofactor"), &arguments)
    }

    /// Takes a seed file in.
    pub(crate) fn import(&self, host: &Host, vendor: &Vendor, file: &Path, options: &[&str]) -> Lap {
        let words = ["token", "import", "--password-file"].map(OsString::from);
        let words = words.into_iter().chain([vendor.password_file().into(), file.into()]);
        self.tool(host, words.chain(options.iter().map(OsString::from)))
    }

    /// Gives the tokens of a list to their owners.
    pub(crate) fn assign_all(&self, host: &Host, owners: &Path) -> Lap {
        self.tool(host, ["token".into(), "assign".into(), "--from".into(), owners.as_os_str().to_owned()])
    }

    /// Makes accounts as a restore from a backup would: as the first one of `site`, whose owner has not logged in yet.
    fn restore_owners(&self, site: &Self, owners: Range<usize>) {
        let folder = |site: &Self, user: User| site.0.state().join("users").join(user.name());
        let entries = fs::read_dir(folder(site, User(0))).expect("an account").flatten();
        let files: Vec<(OsString, Vec<u8>)> =
            entries.map(|entry| (entry.file_name(), fs::read(entry.path()).expect("a file"))).collect();
        for owner in owners.map(User) {
            let folder = folder(self, owner);
            population::make_folder(&folder);
            for (name, content) in &files {
                population::write(&folder.join(name), content);
            }
        }
    }

    /// The number of accounts.
    pub(crate) fn accounts(&self) -> usize {
        let entries = fs::read_dir(self.0.state().join("users")).expect("a state").flatten();
        entries.filter(|entry| entry.path().join("secret.toml").exists()).count()
    }

    /// Another program than the one that wrote them counts the tokens.
    pub(crate) fn assert_holds(&self, host: &Host, tokens: usize) {
        imports::assert_holds(host, &self.0.state().join(FILE), tokens);
    }

    /// How large a file of the registry is; one that is not there has no bytes.
    fn size(&self, name: &str) -> u64 {
        fs::metadata(self.0.state().join(name)).map_or(0, |file| file.len())
    }
}
