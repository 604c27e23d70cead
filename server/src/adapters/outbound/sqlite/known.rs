//! Which message ids were used, without a place in a large index for each message.
//!
//! Ids are random, so an index of all of them has another page to change for nearly each message,
//! four kibibytes for forty bytes, twice. Rows of `sent` are appended; the ids of the latest ones are
//! kept in memory, and go into the index many at once and in its order, so that they share pages. A
//! start finds them in the rows that the index does not have yet.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use susurro_protocol::MessageId;

/// Ids that are gathered before they go into the index: some hundred kibibytes of memory, and a
/// start that reads them in a moment.
const GATHERED: usize = 32 * 1024;

/// Ids that go into the index with each message that is stored, until it has all of those that were
/// gathered: more than one, so that it has them before as many are there again.
const PACE: usize = 2;

/// The number of the sending device, and the id.
pub(super) type Key = (i64, MessageId);

/// What a used id stands for: the hash of the contents and when it was stored.
pub(super) type Used = ([u8; 32], u64);

/// The ids that the index does not have.
pub(super) struct Known {
    /// How many are gathered.
    gathered: usize,
    /// The latest, with their rows.
    young: HashMap<Key, i64>,
    /// Those that go into the index now, in its order.
    ripe: Vec<(Key, i64)>,
    /// How many of them are there.
    done: usize,
    /// The last row of them.
    ripe_up_to: i64,
    /// The last row of all.
    last: i64,
}

/// What one transaction adds. Nothing of it counts before the commit.
#[derive(Default)]
pub(super) struct Added {
    fresh: HashMap<Key, i64>,
    indexed: usize,
}

/// The statements, prepared once in the life of the connection.
pub(super) struct Statements<'c> {
    find: CachedStatement<'c>,
    read: CachedStatement<'c>,
    append: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            find: connection.prepare_cached("SELECT id FROM used_ids WHERE device = ? AND message = ?")?,
            read: connection.prepare_cached("SELECT content, stored_at FROM sent WHERE id = ?")?,
            append: connection
                .prepare_cached("INSERT INTO sent (id, device, message, content, stored_at) VALUES (?, ?, ?, ?, ?)")?,
        })
    }
}

impl Known {
    /// Reads what the index does not have.
    pub(super) fn load(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let up_to: i64 = connection.query_row("SELECT up_to FROM used_ids_up_to", [], |row| row.get(0))?;
        // What the last run has brought into the index stays there, however often a relay is started anew.
        let mut select = connection.prepare_cached(
            "SELECT id, device, message FROM sent s WHERE id > ? AND NOT EXISTS (SELECT 1 FROM used_ids u \
             WHERE u.device = s.device AND u.message = s.message AND u.id = s.id) ORDER BY id",
        )?;
        let mut rows = select.query([up_to])?;
        let mut young = HashMap::new();
        while let Some(row) = rows.next()? {
            young.insert((row.get(1)?, MessageId::from_bytes(row.get(2)?)), row.get(0)?);
        }
        let newest = "SELECT max(?, (SELECT coalesce(max(id), 0) FROM sent))";
        let last = connection.query_row(newest, [up_to], |row| row.get(0))?;
        Ok(Self { gathered: GATHERED, young, ripe: Vec::new(), done: 0, ripe_up_to: up_to, last })
    }

    /// What is remembered under an id.
    pub(super) fn find(
        &self,
        statements: &mut Statements<'_>,
        added: &Added,
        key: &Key,
    ) -> Result<Option<Used>, rusqlite::Error> {
        let ripe = || self.ripe.binary_search_by_key(key, |(ripe, _)| *ripe).ok().map(|at| self.ripe[at].1);
        let row = added.fresh.get(key).or_else(|| self.young.get(key)).copied().or_else(ripe);
        let row = match row {
            Some(row) => Some(row),
            None => statements.find.query_row(params![key.0, key.1.as_bytes()], |row| row.get(0)).optional()?,
        };
        // The row is gone when the id is past its time, or its account is.
        let Some(row) = row else { return Ok(None) };
        let used = statements.read.query_row([row], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())));
        used.optional()
    }

    /// Remembers an id.
    pub(super) fn append(
        &self,
        statements: &mut Statements<'_>,
        added: &mut Added,
        key: Key,
        content: &[u8; 32],
        stored_at: i64,
    ) -> Result<(), rusqlite::Error> {
        let row = self.last + 1 + added.fresh.len() as i64;
        statements.append.execute(params![row, key.0, key.1.as_bytes(), content, stored_at])?;
        added.fresh.insert(key, row);
        Ok(())
    }

    /// Brings the index a little further, as a part of the transaction that `added` is of.
    pub(super) fn index(&self, connection: &Connection, added: &mut Added) -> Result<(), rusqlite::Error> {
        let slice = &self.ripe[self.done..];
        let slice = &slice[..slice.len().min(PACE * added.fresh.len())];
        if slice.is_empty() {
            return Ok(());
        }
        // From the row: one that is gone, with its account, is not remembered.
        let mut insert = connection.prepare_cached(
            "INSERT INTO used_ids (device, message, id) SELECT device, message, id FROM sent WHERE id = ? \
             ON CONFLICT (device, message) DO UPDATE SET id = excluded.id",
        )?;
        for (_, row) in slice {
            insert.execute([row])?;
        }
        added.indexed = slice.len();
        if self.done + slice.len() == self.ripe.len() {
            connection.prepare_cached("UPDATE used_ids_up_to SET up_to = ?")?.execute([self.ripe_up_to])?;
        }
        Ok(())
    }

    /// Keeps what a commit has made true.
    pub(super) fn settle(&mut self, added: Added) {
        self.last += added.fresh.len() as i64;
        self.young.extend(added.fresh);
        self.done += added.indexed;
        if self.done < self.ripe.len() {
            return;
        }
        self.ripe = Vec::new();
        self.done = 0;
        if self.young.len() >= self.gathered {
            self.ripe = self.young.drain().collect();
            self.ripe.sort_unstable();
            self.ripe_up_to = self.last;
        }
    }
}

/// Forgets ids that are past their time, at most `batch`, in the index as well. Says how many.
pub(super) fn expire(connection: &Connection, oldest: i64, batch: u32) -> Result<u64, rusqlite::Error> {
    // Rows lie in the order of arrival: the first one that is young enough ends the search.
    let mut forget = connection.prepare_cached(
        "DELETE FROM sent WHERE id IN \
         (SELECT id FROM (SELECT id, stored_at FROM sent ORDER BY id LIMIT ?2) WHERE stored_at <= ?1)",
    )?;
    Ok(forget.execute(params![oldest, batch])? as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may stop anywhere")]

    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in [
            include_str!("../../../../../migrations/sqlite/0001_relay.up.sql"),
            include_str!("../../../../../migrations/sqlite/0006_used_ids.up.sql"),
        ] {
            connection.execute_batch(step).unwrap();
        }
        connection
    }

    fn few_gathered(connection: &Connection) -> Known {
        Known { gathered: 8, ..Known::load(connection).unwrap() }
    }

    /// The n-th id, in an order that is not theirs.
    fn key(n: u8) -> Key {
        (i64::from(n % 3), MessageId::from_bytes([n.wrapping_mul(97); 16]))
    }

    /// One transaction that stores these.
    fn store(connection: &Connection, known: &mut Known, ids: std::ops::Range<u8>) {
        let mut statements = Statements::prepare(connection).unwrap();
        let mut added = Added::default();
        for n in ids {
            assert_eq!(known.find(&mut statements, &added, &key(n)).unwrap(), None, "{n} is new");
            known.append(&mut statements, &mut added, key(n), &[n; 32], i64::from(n)).unwrap();
            assert_eq!(known.find(&mut statements, &added, &key(n)).unwrap(), Some(([n; 32], u64::from(n))));
        }
        known.index(connection, &mut added).unwrap();
        known.settle(added);
    }

    fn all_are_known(connection: &Connection, known: &Known, ids: std::ops::Range<u8>) {
        let mut statements = Statements::prepare(connection).unwrap();
        for n in ids {
            let found = known.find(&mut statements, &Added::default(), &key(n)).unwrap();
            assert_eq!(found, Some(([n; 32], u64::from(n))), "{n}");
        }
    }

    fn count(connection: &Connection, select: &str) -> i64 {
        connection.query_row(select, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_id_is_known_whether_it_is_young_on_its_way_into_the_index_or_there() {
        let connection = database();
        let mut known = few_gathered(&connection);
        for n in (0..96).step_by(3) {
            store(&connection, &mut known, n..n + 3);
            all_are_known(&connection, &known, 0..n + 3);
            // A start at any moment knows the same.
            let again = few_gathered(&connection);
            all_are_known(&connection, &again, 0..n + 3);
            if n % 9 == 0 {
                known = again;
            }
        }
        assert!(count(&connection, "SELECT count(*) FROM used_ids") > 60, "most are in the index by now");
        assert!(count(&connection, "SELECT up_to FROM used_ids_up_to") > 60);
        assert!(known.young.len() + known.ripe.len() < 40, "and no longer in memory");
    }

    #[test]
    fn a_transaction_that_fails_leaves_nothing_behind() {
        let connection = database();
        let mut known = few_gathered(&connection);
        store(&connection, &mut known, 0..10);
        connection.execute_batch("BEGIN").unwrap();
        let mut statements = Statements::prepare(&connection).unwrap();
        let mut added = Added::default();
        known.append(&mut statements, &mut added, key(50), &[50; 32], 50).unwrap();
        known.index(&connection, &mut added).unwrap();
        drop((statements, added));
        connection.execute_batch("ROLLBACK").unwrap();
        all_are_known(&connection, &known, 0..10);
        store(&connection, &mut known, 50..60);
        all_are_known(&connection, &known, 50..60);
    }

    #[test]
    fn an_id_past_its_time_is_forgotten_wherever_it_is_and_its_row_number_is_not_used_again() {
        let connection = database();
        let mut known = few_gathered(&connection);
        for n in (0..30).step_by(3) {
            store(&connection, &mut known, n..n + 3);
        }
        assert_eq!(expire(&connection, 19, 100).unwrap(), 20);
        assert_eq!(expire(&connection, 29, 100).unwrap(), 10);
        assert_eq!(count(&connection, "SELECT count(*) FROM sent"), 0);
        let left = count(&connection, "SELECT count(*) FROM used_ids");
        assert_eq!(left, 0, "the index keeps nothing of them");
        // What still remembers them does not bring them back.
        store(&connection, &mut known, 100..130);
        let rows = count(&connection, "SELECT count(*) FROM used_ids WHERE id <= 30");
        assert_eq!(rows, 0);
        let mut again = few_gathered(&connection);
        store(&connection, &mut again, 0..3);
        all_are_known(&connection, &few_gathered(&connection), 0..3);
        all_are_known(&connection, &few_gathered(&connection), 100..130);
    }
}
