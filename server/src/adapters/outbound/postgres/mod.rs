//! The store of relays that share a PostgreSQL database: any number of nodes at once.
//!
//! Nothing that another node can change is believed from memory, but for the rosters of chats, of
//! whose changes the database tells. What keeps nodes out of each other's way:
//!
//! - Messages are written by one writer a node, in one transaction for all that waits
//!   (`writer.rs`). A transaction takes its message ids first, in their order, then the rows of its
//!   mailboxes, in theirs: no two wait for each other. Positions come from the locked rows, so that
//!   they have no gaps and follow the order of commits.
//! - Prekeys are given out under a lock of their device, refresh tokens exchanged under a lock of
//!   their family.
//! - Whoever deletes messages, or a mailbox, locks the mailbox before.

mod accounts;
mod administration;
mod announcements;
mod backup;
mod blobs;
mod chats;
mod deposit;
mod device_list;
mod expire;
mod fault;
mod mailboxes;
mod migrate;
mod neighbours;
mod open;
mod prekeys;
mod recovery;
mod rosters;
mod rows;
mod sessions;
mod writer;

use std::sync::Arc;

use sqlx::{PgPool, PgTransaction};

pub use backup::{SUFFIX, backup, restore};
pub use migrate::{SchemaFault, go, status};
pub use open::{OpenError, Options, migrate};

use self::neighbours::Place;
use self::rosters::Rosters;
use self::writer::Writer;
use crate::ports::Commits;

/// Times that a transaction is tried when it collides with another.
const TRIES: usize = 5;

/// Does something again when it collided with another transaction; gives the relay's error.
macro_rules! retried {
    ($attempt:expr) => {{
        let mut tries = 1;
        loop {
            match $attempt.await {
                Err(fault) if fault.is_collision() && tries < $crate::adapters::outbound::postgres::TRIES => tries += 1,
                outcome => break outcome.map_err($crate::domain::Error::from),
            }
        }
    }};
}
use retried;

/// A relay's share of a PostgreSQL database.
pub struct PostgresStore {
    pool: PgPool,
    writer: Writer,
    rosters: Arc<Rosters>,
    revocations: administration::Read,
    place: Place,
}

impl PostgresStore {
    /// Connects and brings the schema up to date. `commits` hears of every message that this node
    /// has stored.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what is wrong, without the password.
    pub async fn open(options: &Options, commits: Arc<dyn Commits>) -> Result<Self, OpenError> {
        let (connect, pool) = open::open(options).await?;
        let rosters = Arc::new(Rosters::default());
        rosters::listen(rosters.clone(), pool.clone());
        let place = Place::new(connect.clone());
        let writer = Writer::start(connect, options.mailbox, commits);
        Ok(Self { pool, writer, rosters, revocations: administration::Read::default(), place })
    }

    /// Writes what waits and ends every connection.
    pub async fn close(&self) {
        self.writer.close().await;
        self.place.leave().await;
        self.pool.close().await;
    }

    async fn begin(&self) -> Result<PgTransaction<'static>, sqlx::Error> {
        self.pool.begin().await
    }
}
