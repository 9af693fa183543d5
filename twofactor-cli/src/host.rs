//! The host as a command needs it: root's rights, the configuration, the store, and the users.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use twofactor_core::account::throttle::{Count, Source};
use twofactor_core::codes::token::Serial;
use twofactor_core::config::{Config, ConfigError, DEFAULT_PATH, Expected};
use twofactor_core::host::clock::{Clock as _, SystemClock, UnixTime};
use twofactor_core::host::shell::quoted;
use twofactor_core::host::trusted::Owner;
use twofactor_core::host::user::{LookupError, Person, SystemUsers, Uid, UserDatabase as _, UserName};
use twofactor_core::log::reason::Reason;
use twofactor_core::store;
use twofactor_core::store::administration::Author;
use twofactor_core::store::administration::{
    AccountStatus, AdministeredStore, HostAdministration, TokenError, TokenView,
};
use twofactor_core::store::broker::{Broker, SOCKET};
use twofactor_core::store::{Presence, StoreError};

use crate::error::{Failure, FleetFailure};
use crate::journal;
use crate::output;

/// The longest that the broker may take to answer a greeting of a command.
const BROKER_PATIENCE: Duration = Duration::from_secs(2);

/// The sentence about what keeps the module in a program without root from asking the broker; `None` when nothing does.
pub(crate) fn broker_problem() -> Option<String> {
    let config = Path::new(DEFAULT_PATH);
    let lacks =
        |path: &Path, bit: u32| std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & bit == 0);
    if lacks(config, 0o004) || config.parent().is_some_and(|folder| lacks(folder, 0o001)) {
        return Some(format!(
            "a program without root cannot read {DEFAULT_PATH}: chmod 0755 its folder, 0644 the file"
        ));
    }
    unanswering_broker()
}

/// The sentence about why the broker does not answer a greeting; `None` when it does.
pub(crate) fn unanswering_broker() -> Option<String> {
    let greeted = Broker::new(Path::new(SOCKET), Owner::ROOT, BROKER_PATIENCE).greet();
    greeted.err().map(|error| error.to_string())
}

/// Opens the central store of a configuration. The name is that of the sysadmin, for its audit.
pub type OpenCentral = fn(&Config, String) -> Result<Box<dyn AdministeredStore>, StoreError>;

/// The store of this program, where it is no host's own: chosen once, before a command runs.
static CENTRAL: OnceLock<OpenCentral> = OnceLock::new();

/// Opens the hosts of a fleet, in the same way.
pub type OpenHosts = fn(&Config, String) -> Result<Box<dyn HostAdministration>, StoreError>;

static HOSTS: OnceLock<OpenHosts> = OnceLock::new();

/// Administers the central store from now on.
pub(crate) fn administer_with(open: OpenCentral, hosts: OpenHosts) {
    let _ = CENTRAL.set(open);
    let _ = HOSTS.set(hosts);
}

/// The hosts of the fleet whose central machine this is.
pub(crate) fn open_hosts(config: &Config) -> Result<Box<dyn HostAdministration>, Failure> {
    let open = HOSTS.get().ok_or(FleetFailure::NotCentral)?;
    Ok(open(config, journal::actor_or_root())?)
}

/// True when the central store is administered, and not this host's files.
pub(crate) fn administers_central() -> bool {
    CENTRAL.get().is_some()
}

/// True where the accounts are those of one host of a fleet.
pub(crate) fn asks_a_fleet(config: &Config) -> bool {
    config.membership.is_some() && !administers_central()
}

/// The store of a configuration.
pub(crate) fn open_store(config: &Config) -> Result<Box<dyn AdministeredStore>, StoreError> {
    match CENTRAL.get() {
        Some(open) => open(config, journal::actor_or_root()),
        None => Ok(Box::new(store::open(config, SystemClock))),
    }
}

/// The host, for a command that touches accounts.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Config,
    /// The file it was read from, if it was there.
    pub(crate) config_file: PathBuf,
    pub(crate) accounts: Box<dyn AdministeredStore>,
    pub(crate) clock: SystemClock,
}

impl Host {
    /// Makes sure we are root, keeps this process's memory to itself, and reads the configuration.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, Failure> {
        must_be_root()?;
        protect_memory();
        let config = configuration(named)?;
        let config_file = named.unwrap_or(Path::new(DEFAULT_PATH)).to_owned();
        let accounts = open_store(&config)?;
        Ok(Self { config, config_file, accounts, clock: SystemClock })
    }

    /// The same for a command that changes something: sets aside what stands in the way of the registry, and says so.
    pub(crate) fn to_change(named: Option<&Path>) -> Result<Self, Failure> {
        let host = Self::open(named)?;
        let aside = host.accounts.clear_obstructions();
        for path in &aside {
            output::warning(&format!("what could not be used beside the registry is now {}", path.display()));
        }
        journal::write_all(aside.iter().map(|path| journal::about_set_aside(path)));
        Ok(host)
    }

    /// The time now.
    pub(crate) fn now(&self) -> Result<UnixTime, Failure> {
        Ok(self.clock.now()?)
    }

    /// The canonical name of a user who has an account. A user who was deleted from the host may still have one.
    pub(crate) fn account_holder(&self, typed: &str) -> Result<UserName, Failure> {
        if let Some(user) = SystemUsers.canonical(typed)? {
            return if self.has_account(&user)? { Ok(user) } else { Err(Failure::NotEnrolled(user)) };
        }
        match UserName::new(typed) {
            Ok(user) if self.has_account(&user)? => Ok(user),
            // Users of a fleet need not be known to its central machine.
            Ok(user) if administers_central() => Err(Failure::NotEnrolled(user)),
            _ => Err(Failure::UnknownUser(typed.to_owned())),
        }
    }

    /// The status of an account.
    pub(crate) fn status(&self, user: &UserName) -> Result<AccountStatus, Failure> {
        let status = self.accounts.status(user)?;
        status.ok_or_else(|| Failure::NotEnrolled(user.clone()))
    }

    /// Refuses where the account under the user's name is another person's. Of a user whom the host does not know it is
    /// not another person's.
    pub(crate) fn check_owner(&self, user: &UserName) -> Result<(), Failure> {
        match SystemUsers.person(user.as_str())? {
            Some(person) => Ok(self.accounts.check_owner(&person)?),
            None => Ok(()),
        }
    }

    /// Says so when logins of the user are refused unseen, because of wrong codes. That happens also to who is not enrolled:
    /// wrong invitations count.
    pub(crate) fn warn_of_delay(&self, user: &UserName) -> Result<(), Failure> {
        let anywhere = Source::from_rhost(None);
        if let Some(until) = self.accounts.blocked_until(user, Count::Logins, &anywhere)? {
            warn_of_delay_until(user, until);
        }
        Ok(())
    }

    /// The sysadmin who changes something now.
    pub(crate) fn sysadmin(&self) -> Result<Sysadmin, Failure> {
        Ok(Sysadmin { who: journal::actor_or_root(), at: self.now()? })
    }

    /// A user the host knows, who gets a credential. In the files of a fleet's host only a user with an account there gets one: all others
    /// are the central store's.
    pub(crate) fn person_to_equip(&self, typed: &str) -> Result<Person, Failure> {
        let person = known_person(typed)?;
        self.must_be_local(&person.name)?;
        Ok(person)
    }

    /// Refuses where the user is the central store's, and this is a host that asks it.
    pub(crate) fn must_be_local(&self, user: &UserName) -> Result<(), Failure> {
        if !asks_a_fleet(&self.config) || self.has_account(user)? {
            return Ok(());
        }
        Err(FleetFailure::NotLocal(user.clone()).into())
    }

    fn has_account(&self, user: &UserName) -> Result<bool, Failure> {
        match self.accounts.presence(user) {
            Ok(Presence::Enrolled) => Ok(true),
            // What is lost can be reset, and every other command says what is wrong with it.
            Err(error) if error.loss().is_some() => Ok(true),
            Ok(Presence::Absent(_)) => Ok(false),
            // So is what was damaged in the central store.
            Err(error) if administers_central() && error.reason() == Reason::StoreCorrupt => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Says until when logins of the user may be refused unseen.
pub(crate) fn warn_of_delay_until(user: &UserName, until: UnixTime) {
    output::warning(&format!(
        "too many wrong codes: logins may be refused until {until}; \"twofactor unlock {}\" ends that",
        quoted(user.as_str())
    ));
}

/// The sysadmin who changes the registry, and the time.
#[derive(Debug)]
pub(crate) struct Sysadmin {
    who: String,
    at: UnixTime,
}

impl Sysadmin {
    /// For the registry's history.
    pub(crate) fn by(&self) -> Author<'_> {
        Author { who: &self.who, at: self.at }
    }
}

/// Refuses all other users.
pub(crate) fn must_be_root() -> Result<(), Failure> {
    if geteuid().is_root() { Ok(()) } else { Err(Failure::NotRoot) }
}

/// Lets this process open as many files as it may: a change of the tokens of many owners locks each of them.
pub(crate) fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Names of which a command has said that this machine does not know them: it says so once of each.
static SAID_UNKNOWN: Mutex<BTreeSet<UserName>> = Mutex::new(BTreeSet::new());

/// A user the host knows. The central machine of a fleet need not know its users: there a name that it does not know is taken as it was
/// typed, and that is said.
pub(crate) fn person(typed: &str) -> Result<Option<Person>, LookupError> {
    if let Some(person) = SystemUsers.person(typed)? {
        return Ok(Some(person));
    }
    let name = UserName::new(typed).ok().filter(|_| administers_central());
    Ok(name.map(|name| {
        if SAID_UNKNOWN.lock().is_ok_and(|mut said| said.insert(name.clone())) {
            output::warning(&format!(
                "this machine does not know {name}: the name counts on all hosts as it was typed"
            ));
        }
        Person { name, uid: Uid::NONE }
    }))
}

/// The same, of whom there must be one.
pub(crate) fn known_person(typed: &str) -> Result<Person, Failure> {
    person(typed)?.ok_or_else(|| Failure::UnknownUser(typed.to_owned()))
}

/// The uid that a name stands for now; `None` where the host does not know the user, or cannot tell.
pub(crate) fn uid_now(user: &UserName) -> Option<Uid> {
    SystemUsers.person(user.as_str()).ok().flatten().map(|person| person.uid)
}

/// Why logins of `user` are refused whose account belongs to `recorded`; `None` where the name stands for that uid still.
pub(crate) fn another_person(user: &UserName, recorded: Option<Uid>) -> Option<StoreError> {
    let (recorded, now) = (recorded?, uid_now(user)?);
    (recorded != now).then(|| StoreError::UidChanged { user: user.clone(), recorded, now })
}

/// The configuration that was named, else the host's, else the defaults.
pub(crate) fn configuration(named: Option<&Path>) -> Result<Config, ConfigError> {
    match named {
        Some(path) => Config::load(path, Expected::Certainly, Owner::ROOT),
        None => Config::load(Path::new(DEFAULT_PATH), Expected::Perhaps, Owner::ROOT),
    }
}

/// The state folder that a configuration names which does not hold, as far as that can be read.
pub(crate) fn state_of_broken_configuration(named: Option<&Path>) -> PathBuf {
    Config::load_state(named.unwrap_or(Path::new(DEFAULT_PATH)), Owner::ROOT).unwrap_or_else(|| Config::default().state)
}

/// Secrets must not reach a core file or a debugger. That a kernel refuses this is no reason to refuse a sysadmin.
pub(crate) fn protect_memory() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
}

/// The token with that serial.
pub(crate) fn known_token(serial: &Serial, host: &Host) -> Result<TokenView, Failure> {
    let view = host.accounts.token(serial)?;
    Ok(view.ok_or_else(|| TokenError::NoToken(serial.clone()))?)
}
