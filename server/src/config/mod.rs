//! What an operator can choose: the values, the [`table`] that flags, variables, keys and reference
//! come from, and the places that [`resolve()`] takes values from.

pub mod reference;
mod resolve;
mod secret;
pub mod setting;
mod source;
pub mod table;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use resolve::{Chosen, Given, Resolved, resolve};
pub use secret::Secret;
pub use source::Origin;

use crate::adapters::inbound::cors::Site;
use crate::adapters::inbound::serve::Bounds;
use crate::adapters::inbound::ws::Timing;
use crate::domain::blob::BLOB_QUOTA;
use crate::domain::invite::Registration;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::proxies::Proxies;
use crate::domain::rate::{Pace, PerMinute};
use crate::telemetry::Logs;

/// The directory of Let's Encrypt.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Everything that a relay is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the relay's secrets, and of its database unless `database` says otherwise.
    pub data_dir: PathBuf,
    /// Directory of the relay's secrets, which several nodes share; `None` for `data_dir`.
    pub secrets_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…`; `None` for `relay.db` in `data_dir`.
    pub database: Option<String>,
    /// Password for the database, in place of one in its URL.
    pub database_password: Option<Secret>,
    /// `redis://HOST`, where the nodes of a relay reach each other; `None` for a relay of one node.
    pub redis: Option<String>,
    /// Password for Redis, in place of one in its URL.
    pub redis_password: Option<Secret>,
    /// Connections to PostgreSQL beside the one that writes messages.
    pub database_connections: u32,
    /// Where to listen; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Certificate chain and private key, as PEM files.
    pub tls: Option<TlsFiles>,
    /// Certificates from an authority, in place of `tls`, as soon as there is a domain.
    pub acme: Acme,
    /// A proxy in a private network ends TLS and says in `X-Forwarded-For` who asks.
    pub behind_proxy: bool,
    /// Who may register.
    pub registration: Registration,
    /// Between two looks for what a command beside this relay has ended.
    pub watch_every: Duration,
    /// Proxies that are believed besides.
    pub trusted_proxies: Proxies,
    /// Sites whose pages may ask from inside a browser.
    pub cors_origins: Vec<Site>,
    /// Between two looks whether certificate and token keys have changed.
    pub reload_every: Duration,
    /// `POST /auth/…` a minute from one address.
    pub auth_rate: PerMinute,
    /// Other requests a minute from one account.
    pub rest_rate: PerMinute,
    /// Searches for people a minute from one account.
    pub search_rate: PerMinute,
    /// How many connections there may be, and how long they may dawdle.
    pub bounds: Bounds,
    /// How much one device may bring.
    pub pace: Pace,
    /// Where attachments are kept, and how much of them.
    pub blobs: Blobs,
    /// What may wait in one mailbox.
    pub mailbox: MailboxBounds,
    /// Bytes that the database may grow to; `None` for as large as the disk.
    pub database_max: Option<u64>,
    /// Patience with connections.
    pub timing: Timing,
    /// Between two looks for what is past its time.
    pub tidy_every: Duration,
    /// How long a shutdown may take.
    pub shutdown_deadline: Duration,
    /// What is logged, and how.
    pub logs: Logs,
    /// Where metrics are given out; `None` for nowhere.
    pub metrics_listen: Option<SocketAddr>,
}

/// A database of a kind that the relay knows.
#[derive(Debug, Clone)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A URL, perhaps with a password.
    Postgres(Secret),
}

/// Where encrypted attachments are kept, and how much of them.
#[derive(Debug, Clone)]
pub struct Blobs {
    /// A directory, or `s3://BUCKET/PREFIX`; `None` for `blobs` in the data directory.
    pub place: Option<String>,
    /// Address of a service like S3; `None` for Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// Name of the key.
    pub access_key: Option<String>,
    /// The key.
    pub secret_key: Option<Secret>,
    /// Bytes that the attachments of one account may take.
    pub quota: u64,
}

impl Default for Blobs {
    fn default() -> Self {
        let region = "us-east-1".to_owned();
        Self { place: None, endpoint: None, region, access_key: None, secret_key: None, quota: BLOB_QUOTA }
    }
}

/// Files of a TLS identity.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// Certificate chain, the relay's own first.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Where certificates come from by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// Names of this relay; none to do without.
    pub domains: Vec<String>,
    /// Whom the authority may write to: a mail address.
    pub contact: Option<String>,
    /// The authority's directory.
    pub directory: String,
    /// Certificates of the authority's own server, when this machine does not know them.
    pub ca: Option<PathBuf>,
}

impl Default for Acme {
    fn default() -> Self {
        let directory = LETS_ENCRYPT.to_owned();
        Self { domains: Vec::new(), contact: None, directory, ca: None }
    }
}

/// A setting that cannot be read, before anything was started.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that was named, or the `.env` that is there.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}, line {line}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, without what stands there.
        what: String,
    },
    /// A key that is none.
    #[error(
        "{origin}: {key} is no setting{}; `susurro-server config print` shows all that there are",
        nearest.as_ref().map(|near| format!(", perhaps {near} is meant")).unwrap_or_default()
    )]
    Unknown {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A value that the setting cannot have.
    #[error("{origin}: {key}: {what}")]
    Wrong {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// What to give instead, without the value.
        what: String,
    },
    /// Two values in one place.
    #[error("{key} is set twice: {one}, and {other}; keep one of them")]
    Twice {
        /// The setting.
        key: &'static str,
        /// One place.
        one: Origin,
        /// The other.
        other: Origin,
    },
    /// A secret where every user of the machine can read it.
    #[error(
        "{flag}: arguments are seen by everybody on this machine, so no password may stand in them; \
         put the address into a file and name it with {variable} or {flag}-file"
    )]
    OpenSecret {
        /// The flag.
        flag: String,
        /// A better way.
        variable: String,
    },
}

/// What cannot be, before anything was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A bucket without the key to it.
    #[error("blobs in a bucket need blobs-access-key, and the key itself in SUSURRO_BLOBS_SECRET_KEY or a file")]
    BlobKeys,
    /// Nowhere to keep anything.
    #[error("there is no data directory; give --data-dir DIR, SUSURRO_DATA_DIR, or data-dir in the configuration file")]
    NoDataDir,
    /// One of two files that belong together.
    #[error("a certificate needs its private key, and the other way round; give both tls-cert and tls-key, or neither")]
    HalfTls,
    /// Two ways to a certificate.
    #[error("a certificate comes from files or from an authority; give tls-cert and tls-key, or acme-domain")]
    TwoCertificates,
    /// A database of a kind that this version does not have.
    #[error("the database {0} is none that this version can use; give sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Database(String),
    /// Plain HTTP where others can listen in.
    #[error(
        "plain HTTP on {0} would show tokens and names to the network; give --tls-cert and --tls-key, \
         listen on 127.0.0.1, or declare the proxy in front that ends TLS with --trusted-proxy"
    )]
    PlainHttp(SocketAddr),
}

impl Config {
    /// The defaults, for a relay in this directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            secrets_dir: None,
            database: None,
            database_password: None,
            redis: None,
            redis_password: None,
            database_connections: 16,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            acme: Acme::default(),
            behind_proxy: false,
            registration: Registration::Open,
            watch_every: Duration::from_millis(500),
            trusted_proxies: Proxies::default(),
            cors_origins: Vec::new(),
            reload_every: Duration::from_secs(5),
            auth_rate: PerMinute(20),
            rest_rate: PerMinute(100),
            search_rate: PerMinute(30),
            // A hundred messages a second and a megabyte a second, for ever: more than any person.
            pace: Pace { messages: PerMinute(6_000), kib: PerMinute(64 * 1024) },
            bounds: Bounds::default(),
            blobs: Blobs::default(),
            mailbox: MailboxBounds::default(),
            database_max: None,
            timing: Timing::default(),
            tidy_every: Duration::from_secs(60),
            shutdown_deadline: Duration::from_secs(10),
            logs: Logs::default(),
            metrics_listen: None,
        }
    }

    /// Which database.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Database`].
    pub fn database(&self) -> Result<Database, ConfigError> {
        let Some(url) = &self.database else { return Ok(Database::Sqlite(self.data_dir.join("relay.db"))) };
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Database::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(Database::Postgres(Secret::new(url)))
            }
            _ => Err(ConfigError::Database(setting::without_password(url))),
        }
    }

    /// The directory of the relay's secrets.
    #[must_use]
    pub fn secrets_dir(&self) -> &Path {
        self.secrets_dir.as_deref().unwrap_or(&self.data_dir)
    }

    /// Every proxy that is believed.
    #[must_use]
    pub fn proxies(&self) -> Proxies {
        let private = if self.behind_proxy { Proxies::private() } else { Proxies::default() };
        private.and(self.trusted_proxies.clone())
    }

    /// Checks what belongs together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(ConfigError::NoDataDir);
        }
        if self.tls.as_ref().is_some_and(|tls| tls.cert.as_os_str().is_empty() != tls.key.as_os_str().is_empty()) {
            return Err(ConfigError::HalfTls);
        }
        self.database()?;
        if self.tls.is_some() && !self.acme.domains.is_empty() {
            return Err(ConfigError::TwoCertificates);
        }
        if self.tls.is_none()
            && self.acme.domains.is_empty()
            && self.proxies().is_empty()
            && !self.listen.ip().is_loopback()
        {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine_unless_a_proxy_is_declared() {
        let mut config = Config::new("/srv");
        assert!(config.check().is_ok());
        config.listen = SocketAddr::from(([0, 0, 0, 0], 80));
        assert!(matches!(config.check(), Err(ConfigError::PlainHttp(_))));
        config.behind_proxy = true;
        assert!(config.check().is_ok());
        config.behind_proxy = false;
        config.trusted_proxies = Proxies::private();
        assert!(config.check().is_ok());
    }

    #[test]
    fn a_database_of_an_unknown_kind_is_refused() {
        let mut config = Config::new("/srv");
        let is_file = |config: &Config, file: &str| matches!(config.database(), Ok(Database::Sqlite(path)) if path == Path::new(file));
        assert!(is_file(&config, "/srv/relay.db"));
        config.database = Some("sqlite:/var/x.db".to_owned());
        assert!(is_file(&config, "/var/x.db"));
        for url in ["postgres://localhost/x", "postgresql://u:geheim@localhost/x"] {
            config.database = Some(url.to_owned());
            assert!(matches!(config.database(), Ok(Database::Postgres(_))));
            assert!(!format!("{:?}", config.database()).contains("geheim"));
        }
        for url in ["mysql://u:geheim@localhost/x", "postgres", "sqlite:", "postgres:geheim"] {
            config.database = Some(url.to_owned());
            let refused = config.check().map_err(|error| error.to_string());
            assert!(refused.as_ref().is_err_and(|said| !said.contains("u:geheim")), "{refused:?}");
        }
    }
}
