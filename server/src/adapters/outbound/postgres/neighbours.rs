//! The neighbours port: nodes see each other by locks of the database, which end with the connection that holds them.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{PostgresStore, fault, open};
use crate::ports::{Answer, Around, Neighbours, Stance};

/// The first half of the names of these locks: advisory locks with two keys, which every holder shares.
const LOCKS: i32 = 0x5355_5355;

/// Held by each node.
const HERE: i32 = 1;

/// Held besides by a node that is not heard.
const UNHEARD: i32 = 2;

/// How long a server may take to tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a node holds.
pub(super) struct Place {
    connect: PgConnectOptions,
    held: Mutex<Option<Held>>,
}

struct Held {
    connection: PgConnection,
    stance: Stance,
}

impl Place {
    pub(super) fn new(connect: PgConnectOptions) -> Self {
        Self { connect, held: Mutex::new(None) }
    }

    /// Gives the locks back.
    pub(super) async fn leave(&self) {
        if let Some(held) = self.held.lock().await.take() {
            // The server notices by itself when the word does not come through.
            let _ = timeout(PATIENCE, held.connection.close()).await;
        }
    }

    async fn look(&self, stance: Stance) -> Result<Around, sqlx::Error> {
        let mut place = self.held.lock().await;
        let looking = async {
            // Taken out: what is given up in the middle leaves no connection behind.
            let mut held = match place.take() {
                Some(held) => held,
                None => Held { connection: open::connect(&self.connect).await?, stance: Stance::Visitor },
            };
            for (lock, wanted, has) in [
                (HERE, stance != Stance::Visitor, held.stance != Stance::Visitor),
                (UNHEARD, stance == Stance::Unheard, held.stance == Stance::Unheard),
            ] {
                let change = match (wanted, has) {
                    (true, false) => "SELECT pg_advisory_lock_shared($1, $2)",
                    (false, true) => "SELECT pg_advisory_unlock_shared($1, $2)",
                    _ => continue,
                };
                sqlx::query(change).bind(LOCKS).bind(lock).execute(&mut held.connection).await?;
            }
            held.stance = stance;
            // 2: of two keys (pg_locks in the manual of PostgreSQL).
            let select = "SELECT count(*) FILTER (WHERE objid = $2::bigint::oid), \
                          count(*) FILTER (WHERE objid = $3::bigint::oid) \
                          FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objsubid = 2 \
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                          AND pid <> pg_backend_pid() AND granted";
            let query = sqlx::query(select).bind(i64::from(LOCKS)).bind(i64::from(HERE)).bind(i64::from(UNHEARD));
            let row = query.fetch_one(&mut held.connection).await?;
            *place = Some(held);
            let count = |column: usize| row.try_get::<i64, usize>(column).map(|n| u64::try_from(n).unwrap_or_default());
            Ok(Around { others: count(0)?, unheard: count(1)? })
        };
        timeout(PATIENCE, looking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }
}

impl Neighbours for PostgresStore {
    fn look(&self, stance: Stance) -> Answer<'_, Around> {
        Box::pin(async move { self.place.look(stance).await.map_err(|why| fault::error(&why)) })
    }
}
