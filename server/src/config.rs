//! What an operator can choose.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use susurro_protocol::limits::MAILBOX_MESSAGES_MAX;

use crate::adapters::inbound::ws::Timing;
use crate::domain::rate::PerMinute;

/// Everything that a relay is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the relay's secrets, and of its database unless `database` says otherwise.
    pub data_dir: PathBuf,
    /// `sqlite:PATH`; `None` for `relay.db` in `data_dir`.
    pub database: Option<String>,
    /// Where to listen; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Certificate chain and private key, as PEM files.
    pub tls: Option<TlsFiles>,
    /// A proxy in front ends TLS and says in `X-Forwarded-For` who asks.
    pub behind_proxy: bool,
    /// `POST /auth/…` a minute from one address.
    pub auth_rate: PerMinute,
    /// Other requests a minute from one account.
    pub rest_rate: PerMinute,
    /// Messages that may wait in one mailbox.
    pub mailbox_max: u64,
    /// Bytes that the database may grow to; `None` for as large as the disk.
    pub database_max: Option<u64>,
    /// Patience with connections.
    pub timing: Timing,
    /// Between two looks for what is past its time.
    pub tidy_every: Duration,
    /// How long a shutdown may take.
    pub shutdown_deadline: Duration,
}

/// Files of a TLS identity.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificate chain, the relay's own first.
    pub cert: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// What cannot be, before anything was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A database of a kind that this version does not have.
    #[error("the database {0} is none that this version can use; give sqlite:PATH")]
    Database(String),
    /// Plain HTTP where others can listen in.
    #[error(
        "plain HTTP on {0} would show tokens and names to the network; give --tls-cert and --tls-key, \
         listen on 127.0.0.1, or say --behind-proxy when a proxy in front ends TLS"
    )]
    PlainHttp(SocketAddr),
}

impl Config {
    /// The defaults, for a relay in this directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            behind_proxy: false,
            auth_rate: PerMinute(20),
            rest_rate: PerMinute(100),
            mailbox_max: MAILBOX_MESSAGES_MAX,
            database_max: None,
            timing: Timing::default(),
            tidy_every: Duration::from_secs(60),
            shutdown_deadline: Duration::from_secs(10),
        }
    }

    /// The file of the database.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Database`].
    pub fn database_path(&self) -> Result<PathBuf, ConfigError> {
        match &self.database {
            None => Ok(self.data_dir.join("relay.db")),
            Some(url) => match url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
                Some(path) => Ok(PathBuf::from(path)),
                None => Err(ConfigError::Database(url.clone())),
            },
        }
    }

    /// Checks what belongs together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        self.database_path()?;
        if self.tls.is_none() && !self.behind_proxy && !self.listen.ip().is_loopback() {
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
    }

    #[test]
    fn a_database_of_an_unknown_kind_is_refused() {
        let mut config = Config::new("/srv");
        assert_eq!(config.database_path().ok(), Some(PathBuf::from("/srv/relay.db")));
        config.database = Some("sqlite:/var/x.db".to_owned());
        assert_eq!(config.database_path().ok(), Some(PathBuf::from("/var/x.db")));
        config.database = Some("postgres://localhost".to_owned());
        assert!(config.check().is_err());
    }
}
