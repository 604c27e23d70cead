//! Real PostgreSQL, Redis and S3 servers for the tests, each in a directory of its own, ended with the
//! process that started it, whatever ends that process.
//!
//! ```no_run
//! # fn main() -> Result<(), xtask::step::Failure> {
//! // An empty database on the cluster of this test run.
//! let database = xtask::services::database()?;
//! println!("{}", database.url());
//! // Servers of a test's own, which it may stop, kill and start again.
//! let mut postgres = xtask::services::Postgres::start(&Default::default())?;
//! let mut redis = xtask::services::Redis::start()?;
//! redis.kill()?;
//! redis.restart()?;
//! postgres.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! `cargo xtask test` starts one cluster for all tests and names it in [`CLUSTER`]. A test that runs
//! without that variable starts a cluster for its process: a copy of one that was made once in the
//! build folder, which takes about a quarter of a second.

mod objects;
mod postgres;
mod redis;
mod redis_cluster;
mod supervised;

use crate::step::{self, Outcome};
use crate::system;

pub use objects::Objects;
pub use postgres::{CLUSTER, Database, Options, Place, Postgres, database};
pub use redis::Redis;
pub use redis_cluster::RedisCluster;

/// Makes sure that the servers are installed, in the way of [`system::prepare`].
///
/// # Errors
///
/// The line that says what is missing.
pub fn prepare() -> Outcome {
    step::say("PostgreSQL and Redis, which tests start by themselves");
    system::prepare_servers(|| postgres::find().is_some(), || redis::find().is_some())
}
