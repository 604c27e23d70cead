//! From an address to a connection that hears.

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, InfoDict, IntoConnectionInfo as _, Pipeline, ProtocolVersion,
    PushInfo, RedisResult,
};
use tokio::sync::mpsc;

use super::PATIENCE;

/// Where Redis is, with its password.
#[derive(Clone)]
pub struct Address(ConnectionInfo);

/// An address that is none.
#[derive(Debug, thiserror::Error)]
#[error("the address of Redis cannot be used; give redis://HOST:PORT, or rediss:// for TLS")]
pub struct AddressError;

impl Address {
    /// Reads `redis://[NAME@]HOST[:PORT][/DB]`, `rediss://` for TLS or `redis+unix:///PATH`, with a password in it or
    /// beside it.
    ///
    /// # Errors
    ///
    /// [`AddressError`], which does not repeat it.
    pub fn read(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        let info = url.into_connection_info().map_err(|_| AddressError)?;
        let mut settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        if let Some(password) = password {
            settings = settings.set_password(password);
        }
        Ok(Self(info.set_redis_settings(settings)))
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.0.addr(), redis::ConnectionAddr::TcpTls { .. })
    }
}

/// A connection to a single server, or to all of a cluster.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Connects, and hears from `pushes` what is pushed, the end of the connection included.
pub(super) async fn connect(address: &Address) -> RedisResult<(Connection, mpsc::UnboundedReceiver<PushInfo>)> {
    let (sender, pushes) = mpsc::unbounded_channel();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        .set_push_sender(sender);
    let client = Client::open(address.0.clone())?;
    let mut single = client.get_multiplexed_async_connection_with_config(&config).await?;
    let info: InfoDict = redis::cmd("INFO").arg("cluster").query_async(&mut single).await?;
    if info.get::<u8>("cluster_enabled") != Some(1) {
        return Ok((Connection::Single(single), pushes));
    }
    drop(single);
    let (sender, pushes) = mpsc::unbounded_channel();
    let client = ClusterClient::builder([address.0.clone()])
        .connection_timeout(PATIENCE)
        .response_timeout(PATIENCE)
        .use_protocol(ProtocolVersion::RESP3)
        .push_sender(sender)
        .build()?;
    Ok((Connection::Cluster(client.get_async_connection().await?), pushes))
}

/// Whether Redis answers, and then whether it is a cluster.
///
/// # Errors
///
/// The kind of what went wrong, without the address.
pub async fn ping(address: &Address) -> Result<bool, String> {
    match connect(address).await {
        Ok((connection, _)) => Ok(matches!(connection, Connection::Cluster(_))),
        Err(error) => Err(error.category().to_owned()),
    }
}

impl Connection {
    /// Listens to channels of one share.
    pub(super) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.subscribe(channels).await,
            Self::Cluster(connection) => connection.ssubscribe(channels).await,
        }
    }

    /// Listens no longer to channels of one share.
    pub(super) async fn unsubscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => connection.unsubscribe(channels).await,
            Self::Cluster(connection) => connection.sunsubscribe(channels).await,
        }
    }

    /// Says things in channels, in their order as far as they go to one channel.
    pub(super) async fn publish(&mut self, said: &[(String, Vec<u8>)]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => {
                let mut pipeline = Pipeline::with_capacity(said.len());
                for (channel, word) in said {
                    pipeline.cmd("PUBLISH").arg(channel).arg(word).ignore();
                }
                pipeline.exec_async(connection).await
            }
            Self::Cluster(connection) => {
                // Each to its server; they are on their way together.
                let all = said.iter().map(|(channel, word)| {
                    let mut connection = connection.clone();
                    let command: Cmd = redis::cmd("SPUBLISH").arg(channel).arg(word).take();
                    async move { command.exec_async(&mut connection).await }
                });
                futures_util::future::try_join_all(all).await.map(|_| ())
            }
        }
    }
}
