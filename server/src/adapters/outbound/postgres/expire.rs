//! Dropping what is past its time.

use sqlx::Row as _;

use super::PostgresStore;
use super::fault::Fault;
use super::rows::signed;
use crate::domain::message::MESSAGE_ID_MEMORY_MS;

/// Names the advisory lock under which one node at a time tidies up.
const TURN: i64 = 0x5355_5355_5252_4f31;

impl PostgresStore {
    /// Drops a bounded number of rows of each kind; none while another node is at it.
    pub(super) async fn expire_once(&self, now: u64, batch: u32) -> Result<u64, Fault> {
        let batch = i64::from(batch);
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT pg_try_advisory_xact_lock($1)").bind(TURN).fetch_one(&mut *transaction).await?;
        if !row.try_get::<bool, usize>(0)? {
            return Ok(0);
        }
        let select = "SELECT mailbox, seq FROM messages WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";
        let rows = sqlx::query(select).bind(signed(now)).bind(batch).fetch_all(&mut *transaction).await?;
        let mut gone = 0;
        if !rows.is_empty() {
            let (mut mailboxes, mut seqs) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for row in &rows {
                mailboxes.push(row.try_get::<i64, usize>(0)?);
                seqs.push(row.try_get::<i64, usize>(1)?);
            }
            let lock = "SELECT device FROM mailboxes WHERE device = ANY($1) ORDER BY device FOR UPDATE";
            sqlx::query(lock).bind(&mailboxes).execute(&mut *transaction).await?;
            // Some may have been acknowledged before the lock was there.
            let delete = "WITH gone AS (DELETE FROM messages m USING unnest($1::bigint[], $2::bigint[]) past(mailbox, seq) \
                          WHERE m.mailbox = past.mailbox AND m.seq = past.seq RETURNING m.mailbox, octet_length(m.body) AS size), \
                          counted AS (SELECT mailbox, count(*) AS n, sum(size)::bigint AS size FROM gone GROUP BY mailbox), \
                          left_over AS (UPDATE mailboxes b SET waiting = greatest(b.waiting - counted.n, 0), \
                          bytes = CASE WHEN b.waiting <= counted.n THEN 0 ELSE greatest(b.bytes - counted.size, 0) END \
                          FROM counted WHERE b.device = counted.mailbox) \
                          SELECT coalesce(sum(n), 0)::bigint FROM counted";
            let row = sqlx::query(delete).bind(&mailboxes).bind(&seqs).fetch_one(&mut *transaction).await?;
            gone += row.try_get::<i64, usize>(0)?.unsigned_abs();
        }
        let forget = "DELETE FROM sent WHERE ctid = ANY(ARRAY(SELECT ctid FROM sent WHERE stored_at <= $1 LIMIT $2))";
        let oldest = signed(now.saturating_sub(MESSAGE_ID_MEMORY_MS));
        let forget = sqlx::query(forget).bind(oldest).bind(batch).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(gone + forget.rows_affected())
    }
}
