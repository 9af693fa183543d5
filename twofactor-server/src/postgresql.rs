//! Connections to PostgreSQL, by a connection string of libpq.
//!
//! Invariants: the host that was good last is tried first, so one that does not answer costs its time once. No host takes longer than
//! its share of the whole time, and no address of one longer than its share of that. Where TLS is asked for, nothing is said without it.

mod connection_string;
mod tls;

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Connect;
use tokio::net::lookup_host;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls};

use crate::error::ServerError;
use tls::MakeTls;

/// The longest that all hosts may take together: less than a statement has that needs a connection (`times.rs`), so that the last one is
/// tried, too.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1800);

/// The time after which the kernel gives up a host that has gone without a word.
const GONE: Duration = Duration::from_secs(8);

/// A database that may have several hosts.
#[derive(Clone)]
pub struct Postgresql(Arc<Hosts>);

struct Hosts {
    all: Vec<DatabaseHost>,
    good: AtomicUsize,
    tls: Option<MakeTls>,
    is_verified: bool,
}

/// One host, with what a connection to it needs.
#[derive(Clone)]
pub(crate) struct DatabaseHost {
    config: Config,
    tls: Option<MakeTls>,
    /// Its name, for people.
    pub(crate) name: String,
    /// The addresses of a name that is looked up, the one that was good last first.
    found: Arc<Mutex<Vec<IpAddr>>>,
}

impl FromStr for Postgresql {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let (config, options) = connection_string::read(text)?;
        let tls = tls::connector(&options)?;
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        let all = (0..count).map(|place| DatabaseHost::of(&config, place, tls.as_ref())).collect();
        Ok(Self(Arc::new(Hosts { all, good: AtomicUsize::new(0), tls, is_verified: options.is_verified() })))
    }
}

impl Postgresql {
    /// The hosts, in the order of the string.
    pub(crate) fn hosts(&self) -> &[DatabaseHost] {
        &self.0.all
    }

    /// True where a host is taken for what it says by its certificate alone.
    pub(crate) fn is_verified(&self) -> bool {
        self.0.is_verified
    }

    /// Connects to the first host that can be used, beginning with the one that was good last.
    pub(crate) async fn connect(&self) -> Result<(Client, JoinHandle<()>), Error> {
        let hosts = &self.0.all;
        let first = self.0.good.load(Ordering::Relaxed);
        let mut problem = None;
        for place in (0..hosts.len()).map(|place| (first + place) % hosts.len()) {
            let Some(host) = hosts.get(place) else { continue };
            match host.connect(self.share()).await {
                Ok(connected) => {
                    self.0.good.store(place, Ordering::Relaxed);
                    return Ok(connected);
                }
                Err(error) => problem = Some(error),
            }
        }
        Err(problem.unwrap_or_else(Error::__private_api_timeout))
    }

    /// Cancels the statement that runs on a connection, unless commits wait for another host: one that is canceled then counts, and its
    /// answer would be given before it is durable there.
    pub(crate) async fn cancel(&self, token: CancelToken) -> Result<(), Error> {
        const OTHERS: &str = "select current_setting('synchronous_standby_names')";
        let (client, _) = self.connect().await?;
        let others: String = client.query_typed_one(OTHERS, &[]).await?.try_get(0)?;
        if !others.is_empty() {
            return Ok(());
        }
        match &self.0.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        }
    }

    /// The time of one host.
    pub(crate) fn share(&self) -> Duration {
        PATIENCE / u32::try_from(self.0.all.len().max(1)).unwrap_or(u32::MAX)
    }
}

impl Connect for Postgresql {
    fn connect(
        &self,
        _: &Config,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(self.connect())
    }
}

impl DatabaseHost {
    /// The host in that place of the string.
    fn of(config: &Config, place: usize, tls: Option<&MakeTls>) -> Self {
        let mut one = Config::new();
        let some = |value: Option<&str>| value.map(str::to_owned);
        if let Some(user) = some(config.get_user()) {
            one.user(user);
        }
        if let Some(password) = config.get_password() {
            one.password(password);
        }
        if let Some(name) = some(config.get_dbname()) {
            one.dbname(name);
        }
        if let Some(options) = some(config.get_options()) {
            one.options(options);
        }
        one.application_name(config.get_application_name().unwrap_or("twofactor-server"));
        let (mut name, mut is_local) = (String::new(), false);
        match config.get_hosts().get(place) {
            Some(Host::Tcp(host)) => {
                host.clone_into(&mut name);
                one.host(host);
            }
            Some(Host::Unix(folder)) => {
                (name, is_local) = (folder.display().to_string(), true);
                one.host_path(folder);
            }
            None => {}
        }
        if let Some(address) = config.get_hostaddrs().get(place) {
            name = if name.is_empty() { address.to_string() } else { name };
            one.hostaddr(*address);
        }
        if let Some(port) = config.get_ports().get(place).or_else(|| config.get_ports().first()) {
            one.port(*port);
        }
        // Without it the kernel waits for minutes on a host that has gone without a word.
        one.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(GONE));
        one.keepalives_idle(Duration::from_mins(1));
        if let Some(patience) = config.get_connect_timeout() {
            one.connect_timeout(*patience);
        }
        one.target_session_attrs(config.get_target_session_attrs());
        one.channel_binding(config.get_channel_binding());
        one.ssl_negotiation(config.get_ssl_negotiation());
        // As libpq does: a socket of this machine needs no TLS.
        let tls = tls.filter(|_| !is_local).cloned();
        one.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        Self { config: one, tls, name, found: Arc::default() }
    }

    /// True where what is said can be read on the way.
    pub(crate) fn is_open(&self) -> bool {
        self.tls.is_none() && !matches!(self.config.get_hosts().first(), Some(Host::Unix(_)))
    }

    /// Connects to it, within `patience`, at the first of its addresses at which it is.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<(Client, JoinHandle<()>), Error> {
        let until = Instant::now() + patience;
        let found = match self.looked_up() {
            None => return timeout(patience, self.connect_with(&self.config)).await.unwrap_or_else(late),
            Some(name) => self.addresses(name, patience / 2).await,
        };
        if found.is_empty() {
            // It says why.
            let left = until.saturating_duration_since(Instant::now());
            return timeout(left, self.connect_with(&self.config)).await.unwrap_or_else(late);
        }
        let mut failed = Error::__private_api_timeout();
        for (turn, address) in (0..).zip(&found) {
            let others = u32::try_from(found.len()).unwrap_or(u32::MAX) - turn;
            let share = until.saturating_duration_since(Instant::now()) / others;
            let mut config = self.config.clone();
            config.hostaddr(*address);
            match timeout(share, self.connect_with(&config)).await.unwrap_or_else(late) {
                Ok(connected) => {
                    let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                    known.sort_by_key(|known| known != address);
                    return Ok(connected);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The name that has to be looked up; `None` where there is an address or a socket.
    fn looked_up(&self) -> Option<&str> {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) if self.config.get_hostaddrs().is_empty() => Some(name),
            _ => None,
        }
    }

    /// The addresses of a name. Where none is found in time, those that were found before.
    async fn addresses(&self, name: &str, patience: Duration) -> Vec<IpAddr> {
        let found = timeout(patience, lookup_host((name, 0))).await;
        let mut known = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Ok(found)) = found {
            let good = known.first().copied();
            *known = found.map(|address| address.ip()).collect();
            known.dedup();
            known.sort_by_key(|address| Some(*address) != good);
        }
        known.clone()
    }

    async fn connect_with(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                Ok((client, tokio::spawn(async move { drop(connection.await) })))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Ok((client, tokio::spawn(async move { drop(connection.await) })))
            }
        }
    }
}

fn late<T>(_: Elapsed) -> Result<T, Error> {
    Err(Error::__private_api_timeout())
}
