//! What the nodes of one relay share in Redis or Valkey, a single server or a cluster: what they tell each other, and
//! how often somebody may ask. Nothing is kept there that may not be lost at any moment.
//!
//! Redis is not trusted with more than it needs. Devices and askers stand there under names that only the nodes can
//! make, and what is said is encrypted: who reads along sees how many wake-ups go to how many names, and when. See
//! `docs/threat-model.md`.

mod connect;
mod link;
mod rates;
mod seal;
mod words;

use std::time::Duration;

use zeroize::Zeroizing;

pub use connect::{Address, AddressError, ping};
pub use link::{Driver, RedisLink, link};
pub use rates::{RatesDriver, RedisRates, rates};

/// How long Redis may take to answer before it is taken for gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Redis and the key of what is kept in it.
#[derive(Clone)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// 32 secret bytes that the nodes share and nobody else has.
    pub key: Zeroizing<[u8; 32]>,
}
