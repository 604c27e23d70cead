//! The one place that knows every adapter.

pub mod backup;
pub mod blobs;
mod storage;

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use susurro_protocol::ErrorCode;
use susurro_protocol::rest::{NewAnnouncement, SignedAnnouncement};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::acme;
use crate::adapters::inbound::listen::{self, TlsError};
use crate::adapters::inbound::{cors, http, serve, watch, ws};
use crate::adapters::outbound::argon2::PepperedArgon2;
use crate::adapters::outbound::bus::LocalBus;
use crate::adapters::outbound::jwt::JwtTokens;
use crate::adapters::outbound::rates::LocalRates;
use crate::adapters::outbound::redis;
use crate::adapters::outbound::secrets::{SecretError, Secrets, TokenKeys};
use crate::adapters::outbound::system::{SystemClock, SystemEntropy};
use crate::adapters::outbound::{postgres, sqlite};
use crate::config::{Config, ConfigError, Database, Secret};
use crate::domain::login::LoginKeys;
use crate::domain::message::Waiting;
use crate::metrics::metrics;
use crate::ports::{Around, Bus, Commits, Entropy as _, Figures, Neighbours, Rates, Sessions, Stance};
use crate::reload;
use crate::service::{Cluster, Fanout, Office, Ports, Presences, Relay, RelayKeys, SharedRates};
use crate::shutdown::Shutdown;

use storage::Store;
pub use storage::migrate;

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was asked for something that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The directory of its data.
    #[error("cannot use the data directory {}: {why}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// Another relay works on the same data.
    #[error("another relay is running on {}; stop it first, or give this one its own --data-dir", .0.display())]
    Locked(PathBuf),
    /// Its secrets.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Its database, in a file.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// Its database, on a server.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// Its certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its address.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        why: io::Error,
    },
    /// The address of Redis.
    #[error(transparent)]
    Redis(#[from] redis::AddressError),
    /// Something that should not happen.
    #[error(transparent)]
    Internal(#[from] crate::domain::Error),
}

/// A relay at work.
pub struct RunningRelay {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where metrics are given out.
    pub metrics_addr: Option<SocketAddr>,
    tls: bool,
    relay_key: [u8; 32],
    shutdown: Shutdown,
    deadline: Duration,
    serving: JoinHandle<()>,
    tidying: JoinHandle<()>,
    tending: Vec<JoinHandle<()>>,
    watching: JoinHandle<()>,
    reload: Arc<Notify>,
    store: Arc<dyn Store>,
    _locks: Vec<File>,
}

/// Starts a relay. It serves until [`RunningRelay::shutdown`]; when the value is dropped instead, it
/// goes on until the runtime ends.
///
/// # Errors
///
/// [`StartError`] says what to do; nothing was overwritten.
pub async fn start(config: Config) -> Result<RunningRelay, StartError> {
    config.check()?;
    make_data_dir(&config.data_dir)?;
    let locks = storage::lock(&config)?;
    let tls = match &config.tls {
        Some(files) => Some(listen::Tls::of_files(files)?),
        None if config.acme.domains.is_empty() => None,
        None => Some(listen::Tls::new()?),
    };
    make_data_dir(config.secrets_dir())?;
    let secrets = Secrets::open(config.secrets_dir())?;
    let signing = SigningKey::from_bytes(&secrets.relay);
    let relay_key = signing.verifying_key().to_bytes();

    let nodes = nodes(&config, &secrets)?;
    let bus = nodes.bus.clone();
    let fanout = Arc::new(Fanout(bus.clone()));
    let store = storage::open(&config, secrets.fingerprint, fanout).await?;
    let tokens = Arc::new(JwtTokens::new(&relay_key, &secrets.tokens)?);
    let ports = Ports {
        accounts: store.clone(),
        administration: store.clone(),
        invites: store.clone(),
        announcements: store.clone(),
        devices: store.clone(),
        prekeys: store.clone(),
        chats: store.clone(),
        blob_records: store.clone(),
        blobs: blobs::open(&config)?,
        mailboxes: store.clone(),
        sessions: store.clone(),
        bus,
        tokens: tokens.clone(),
        passwords: Arc::new(PepperedArgon2::new(secrets.passwords)),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let (rates, presences) = (nodes.rates.clone(), nodes.presences());
    let mut tending = nodes.tend(ports.sessions.clone(), store.clone());
    let login = LoginKeys::new(*secrets.nonces, *secrets.salts);
    let relay = Relay::new(ports, RelayKeys { signing, login })
        .with_registration(config.registration)
        .paced(config.pace)
        .with_blob_quota(config.blobs.quota)
        .with_presences(presences);
    let relay = Arc::new(relay);

    let (listener, addr) = bind(config.listen).await?;
    let watched = match config.metrics_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let metrics_addr = watched.as_ref().map(|(_, addr)| *addr);
    let shutdown = Shutdown::default();
    let proxies = config.proxies();
    let limits = http::Limits {
        auth: config.auth_rate,
        rest: config.rest_rate,
        search: config.search_rate,
        proxies: proxies.clone(),
    };
    let sockets = ws::router(relay.clone(), config.timing, shutdown.listener());
    let router = http::finish(http::router(relay.clone(), limits, rates).merge(sockets));
    let router = cors::around(router, &config.cors_origins);
    let is_tls = tls.is_some();
    let reload = Arc::new(Notify::new());
    let certificate = tls.clone().zip(config.tls.clone());
    let keeping = reload::Kept { secrets_dir: config.secrets_dir().to_owned(), tokens, certificate };
    if let Some(tls) = tls.as_ref().filter(|_| !config.acme.domains.is_empty()) {
        tending.push(tokio::spawn(acme::keep(config.acme.clone(), config.data_dir.clone(), tls.clone())));
    }
    tending.push(tokio::spawn(reload::keep(keeping, config.reload_every, reload.clone())));
    let bounds = config.bounds.within(serve::open_files());
    let serving = tokio::spawn(serve::serve(listener, tls, router, bounds, proxies, shutdown.listener()));
    let tidying = tokio::spawn(tidy(relay.clone(), config.tidy_every));
    if let Some((listener, addr)) = watched {
        tracing::info!(%addr, "metrics are given out");
        let router = watch::router(relay.clone());
        tending.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics are no longer given out");
            }
        }));
    }
    let watching = tokio::spawn(watch_elsewhere(relay, config.watch_every));
    tracing::info!(%addr, tls = is_tls, "the relay is listening");
    Ok(RunningRelay {
        addr,
        tls: is_tls,
        relay_key,
        shutdown,
        deadline: config.shutdown_deadline,
        metrics_addr,
        serving,
        tidying,
        tending,
        watching,
        reload,
        store,
        _locks: locks,
    })
}

/// The database of a relay, for a command beside it.
pub struct OpenOffice {
    /// What can be done.
    pub office: Office,
    store: Arc<dyn Store>,
    config: Config,
}

/// The same with the relay's keys.
pub struct TokenOffice<'o> {
    open: &'o OpenOffice,
    tokens: JwtTokens,
}

impl TokenOffice<'_> {
    /// [`Office::token`].
    ///
    /// # Errors
    ///
    /// Those.
    pub async fn token(&self, name: &str) -> Result<String, crate::domain::Error> {
        let store = &self.open.store;
        self.open.office.token(name, &**store, &**store, &self.tokens).await
    }
}

/// A relay's database in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreStats {
    /// Accounts, the disabled ones included.
    pub accounts: u64,
    /// Accounts that may not log in.
    pub disabled: u64,
    /// Messages that wait in all mailboxes.
    pub waiting: u64,
    /// Bytes of the database, without logs that are written over again.
    pub bytes: u64,
}

/// Opens the database of a relay, which may be running, for a command.
///
/// # Errors
///
/// [`StartError`], also when there is no database yet.
pub async fn office(config: &Config) -> Result<OpenOffice, StartError> {
    let store = storage::open_beside(config, Arc::new(Nobody)).await?;
    let office = Office {
        accounts: store.clone(),
        administration: store.clone(),
        invites: store.clone(),
        announcements: store.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    Ok(OpenOffice { office, store, config: config.clone() })
}

/// How long a command waits for the relay to do something.
const ASKED: Duration = Duration::from_secs(10);

impl OpenOffice {
    /// The database in numbers, counted now.
    ///
    /// # Errors
    ///
    /// Only those of the store.
    pub async fn stats(&self) -> Result<StoreStats, crate::domain::Error> {
        let Figures { accounts, disabled, waiting } = self.store.figures().await?;
        Ok(StoreStats { accounts, disabled, waiting, bytes: self.store.bytes().await? })
    }

    /// Announces something to everybody, signed with the relay's key, which has to be on this machine.
    ///
    /// # Errors
    ///
    /// [`StartError::Secret`], or what [`Office::announce`] refuses.
    pub async fn announce(&self, new: &NewAnnouncement) -> Result<SignedAnnouncement, StartError> {
        let key = SigningKey::from_bytes(&*Secrets::relay(self.config.secrets_dir())?);
        Ok(self.office.announce(&key, new).await?)
    }

    /// Erases an account: a relay that is running does it, which alone knows what it holds in memory, and
    /// otherwise this process.
    ///
    /// # Errors
    ///
    /// `InvalidName`, `NotFound`; `Storage` when the relay has not done it yet.
    pub async fn erase(&self, name: &str) -> Result<(), crate::domain::Error> {
        self.office.ask_to_erase(name).await?;
        let until = Instant::now() + ASKED;
        loop {
            // Held until it is done: no relay starts meanwhile.
            if let Ok(_held) = storage::lock(&self.config) {
                self.office.erase_asked().await?;
            }
            match self.office.user(name).await {
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(()),
                Err(error) => return Err(error),
                Ok(_) if Instant::now() < until => sleep(Duration::from_millis(100)).await,
                Ok(_) => {
                    let why = "the account is disabled and noted for deletion; the relay has not come to it yet";
                    return Err(crate::domain::Error::Storage(why.to_owned()));
                }
            }
        }
    }

    /// What it takes to make tokens: the relay's own keys, which have to be on this machine.
    ///
    /// # Errors
    ///
    /// [`StartError::Secret`]; none are made.
    pub fn tokens(&self) -> Result<TokenOffice<'_>, StartError> {
        let (relay_key, keys) =
            (Secrets::relay(self.config.secrets_dir())?, TokenKeys::read(self.config.secrets_dir())?);
        let relay_key = SigningKey::from_bytes(&relay_key).verifying_key().to_bytes();
        let tokens = JwtTokens::new(&relay_key, &keys.verifying())?;
        if let Some(signing) = keys.signing() {
            tokens.replace(&keys.verifying(), signing)?;
        }
        Ok(TokenOffice { open: self, tokens })
    }

    /// The nodes that are at work on the database.
    ///
    /// # Errors
    ///
    /// When the database does not say.
    pub async fn nodes(&self) -> Result<Around, crate::domain::Error> {
        self.store.look(Stance::Visitor).await
    }

    /// Writes what waits and closes the database.
    pub async fn close(self) {
        let _ = self.store.close().await;
    }
}

/// A command stores no messages.
struct Nobody;

impl Commits for Nobody {
    fn committed(&self, _: Vec<Waiting>) {}
}

impl RunningRelay {
    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// The key that clients pin.
    #[must_use]
    pub fn relay_key(&self) -> [u8; 32] {
        self.relay_key
    }

    /// Looks right away whether the certificate or the token keys have changed, which it does now and
    /// then by itself.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Ends the relay: takes no more connections, tells everybody when to come back, writes what
    /// waits, and closes the database. Says whether all of that was done before the deadline.
    pub async fn shutdown(self) -> bool {
        self.shutdown.begin();
        self.tidying.abort();
        self.watching.abort();
        let in_time = timeout(self.deadline, self.shutdown.done()).await.is_ok();
        self.serving.abort();
        self.tending.iter().for_each(JoinHandle::abort);
        // What was taken is in the queue of the store; that is written in any case.
        // Its one error is that there is nothing to close any longer.
        let _ = self.store.close().await;
        tracing::info!(in_time, "the relay has ended");
        in_time
    }
}

/// How this node reaches connections, its own and those of others.
struct Nodes {
    bus: Arc<dyn Bus>,
    rates: Arc<dyn Rates>,
    /// `None` where there can be no others.
    cluster: Option<Arc<Cluster>>,
    redis: Option<(redis::Driver, redis::RatesDriver)>,
}

fn nodes(config: &Config, secrets: &Secrets) -> Result<Nodes, StartError> {
    let local = Arc::new(LocalBus::default());
    let rates = Arc::new(LocalRates::default());
    let Some(url) = &config.redis else {
        // Others may come to a database on a server at any time.
        return Ok(match config.database()? {
            Database::Sqlite(_) => Nodes { bus: local, rates, cluster: None, redis: None },
            Database::Postgres(_) => {
                let cluster = Arc::new(Cluster::unlinked(local));
                Nodes { bus: cluster.clone(), rates, cluster: Some(cluster), redis: None }
            }
        });
    };
    let address = redis::Address::read(url, config.redis_password.as_ref().map(Secret::reveal))?;
    if address.is_tls() {
        // The client of Redis takes the process's provider. One that is there already is the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let options = redis::Options { address, key: secrets.nodes.clone() };
    let (link, driver) = redis::link(options.clone())?;
    let (shared, counting) = redis::rates(options)?;
    let rates = Arc::new(SharedRates { shared: Arc::new(shared), local: rates });
    let mut node = [0; 8];
    SystemEntropy.fill(&mut node)?;
    let cluster = Arc::new(Cluster::new(local, Arc::new(link), u64::from_be_bytes(node)));
    Ok(Nodes { bus: cluster.clone(), rates, cluster: Some(cluster), redis: Some((driver, counting)) })
}

impl Nodes {
    fn presences(&self) -> Arc<Presences> {
        self.cluster.as_ref().map_or_else(|| Arc::new(Presences::alone()), |cluster| cluster.presences())
    }

    /// Begins to talk with the other nodes, if there are any.
    fn tend(self, sessions: Arc<dyn Sessions>, neighbours: Arc<dyn Neighbours>) -> Vec<JoinHandle<()>> {
        let Some(cluster) = self.cluster else { return Vec::new() };
        let mut tending = Vec::new();
        if let Some((driver, counting)) = self.redis {
            let (shown, presences) = (cluster.clone(), cluster.presences());
            tending.extend([
                tokio::spawn(driver.run(cluster.clone())),
                tokio::spawn(counting.run()),
                tokio::spawn(async move { shown.show_itself().await }),
                tokio::spawn(async move { presences.tend().await }),
            ]);
        }
        tending.push(tokio::spawn(async move { cluster.tend(sessions, neighbours).await }));
        tending
    }
}

async fn tidy(relay: Arc<Relay>, every: Duration) {
    let mut rounds = interval(every);
    loop {
        rounds.tick().await;
        let gone = relay.tidy().await;
        if gone > 0 {
            metrics().expired.inc_by(gone);
            tracing::info!(gone, "dropped what was past its time");
        }
    }
}

/// Closes the connections of what `susurro-server admin` has ended beside this process.
async fn watch_elsewhere(relay: Arc<Relay>, every: Duration) {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        rounds.tick().await;
        let heard = relay.hear_elsewhere().await;
        if let (Err(error), false) = (&heard, failing) {
            tracing::warn!(%error, "cannot see what was ended beside this process, goes on trying");
        }
        failing = heard.is_err();
    }
}

/// Listens, and says where: port 0 is any that is free.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |why| StartError::Listen { address, why };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

fn make_data_dir(path: &Path) -> Result<(), StartError> {
    let failed = |why| StartError::DataDir { path: path.to_owned(), why };
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(failed)
}
