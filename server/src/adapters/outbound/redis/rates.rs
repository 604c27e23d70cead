//! Counters in Redis: one number an asker, which goes by itself when the asker has everything back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Script;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::connect::{Connection, connect};
use super::seal::Seal;
use super::{Address, Options};
use crate::domain::Error;
use crate::domain::rate::{Allowance, PerMinute};
use crate::ports::{Answer, Asker, Counted, Rates};

/// How long a request may wait for its count; then it is counted in its node alone.
const PATIENCE: Duration = Duration::from_millis(300);

/// Between two tries to connect.
const AGAIN: Duration = Duration::from_secs(1);

/// A bucket as the moment at which it will be full again, in microseconds of the clock of Redis, which is one clock
/// for all nodes. Takes what one request costs, and gives: whether it was allowed, how long until the bucket is full,
/// and how long until the next request.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
if full + cost - now > window then
  return {0, full - now, full + cost - now - window}
end
full = full + cost
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return {1, full - now, 0}
";

/// Microseconds in which an empty bucket fills up.
const WINDOW: u64 = 60_000_000;

/// Counters that every node counts on.
pub struct RedisRates {
    shared: Arc<Shared>,
    seal: Seal,
    take: Script,
}

/// Keeps the counters' connection up.
pub struct RatesDriver {
    address: Address,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connection: Mutex<Option<Connection>>,
    broken: Notify,
}

/// Counters that count as soon as their driver runs.
///
/// # Errors
///
/// [`Error::Internal`] for a key that cannot be used.
pub fn rates(options: Options) -> Result<(RedisRates, RatesDriver), Error> {
    let unusable = || Error::Internal("the key of the nodes cannot be used".to_owned());
    let seal = Seal::new(&options.key).ok_or_else(unusable)?;
    let shared = Arc::new(Shared::default());
    let driver = RatesDriver { address: options.address, shared: shared.clone() };
    Ok((RedisRates { shared, seal, take: Script::new(TAKE) }, driver))
}

impl Shared {
    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RatesDriver {
    /// Connects, and again whenever a count failed.
    pub async fn run(self) {
        loop {
            match connect(&self.address).await {
                Ok((connection, _)) => {
                    *self.shared.connection() = Some(connection);
                    self.shared.broken.notified().await;
                    tracing::debug!("counting in Redis failed: each node counts alone for now");
                }
                Err(error) => tracing::debug!(why = error.category(), "counting in Redis is not possible"),
            }
            sleep(AGAIN).await;
        }
    }
}

impl RedisRates {
    async fn count(&self, mut connection: Connection, key: &str, rate: u64) -> Result<(bool, u64, u64), Error> {
        let mut call = self.take.key(key);
        call.arg(WINDOW / rate).arg(WINDOW);
        let counted = match &mut connection {
            Connection::Single(connection) => timeout(PATIENCE, call.invoke_async::<(u8, u64, u64)>(connection)).await,
            Connection::Cluster(connection) => timeout(PATIENCE, call.invoke_async::<(u8, u64, u64)>(connection)).await,
        };
        match counted {
            Ok(Ok((allowed, full, next))) => Ok((allowed == 1, full, next)),
            Ok(Err(error)) => Err(Error::Storage(error.category().to_owned())),
            Err(_) => Err(Error::Storage("Redis takes too long".to_owned())),
        }
    }
}

impl Rates for RedisRates {
    fn take(&self, asker: Asker, rate: PerMinute, _now: u64) -> Answer<'_, Allowance> {
        let kind = match asker.counted {
            Counted::Auth => "ra",
            Counted::Address => "ri",
            Counted::Account => "rc",
            Counted::Search => "rs",
        };
        Box::pin(async move {
            let gone = || Error::Storage("Redis is not connected".to_owned());
            let connection = self.shared.connection().clone().ok_or_else(gone)?;
            let key = self.seal.name(kind, &asker.who).ok_or_else(gone)?;
            let rate = u64::from(rate.0.max(1));
            let counted = self.count(connection, &key, rate).await;
            if counted.is_err() && self.shared.connection().take().is_some() {
                self.shared.broken.notify_one();
            }
            let (allowed, full, next) = counted?;
            let seconds = |micros: u64| micros.div_ceil(1_000_000);
            let remaining = WINDOW.saturating_sub(full) / (WINDOW / rate).max(1);
            Ok(Allowance {
                limit: u32::try_from(rate).unwrap_or(u32::MAX),
                remaining: u32::try_from(remaining.min(rate)).unwrap_or(u32::MAX),
                reset: seconds(full),
                retry_after: (!allowed).then(|| seconds(next).max(1)),
            })
        })
    }
}
