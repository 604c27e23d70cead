//! Writing messages and forgetting them, many in one transaction, beside other nodes that do the same.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use sqlx::{Executor as _, PgConnection, Row as _};
use susurro_protocol::{DeviceId, MailboxSeq, MessageId};

use super::rows::signed;
use crate::domain::mailbox::MailboxBounds;
use crate::domain::message::{Deposited, MESSAGE_ID_MEMORY_MS, NewMessage, Waiting};

/// Device numbers that are kept in memory. A node with more active devices reads some again.
const NUMBERS_KEPT: usize = 200_000;

/// A message id of a device, by its number.
type Key = (i64, MessageId);

/// The numbers of devices. A number never belongs to another device, so that what is kept here is
/// right although other nodes write as well.
#[derive(Default)]
pub(super) struct Numbers(HashMap<DeviceId, i64>);

/// What one transaction does with its messages.
#[derive(Default)]
pub(super) struct Deposits {
    /// For each message, in their order.
    pub(super) outcomes: Vec<Deposited>,
    /// What the mailboxes hold after the commit, in the order of their positions.
    pub(super) committed: Vec<Waiting>,
}

/// A locked row.
struct Mailbox {
    head: MailboxSeq,
    waiting: u64,
    /// The bytes of what waits.
    bytes: u64,
    changed: bool,
}

/// What a message id stands for.
struct Sent {
    content: [u8; 32],
    stored_at: u64,
}

/// New rows, a column each.
#[derive(Default)]
struct Rows {
    mailbox: Vec<i64>,
    seq: Vec<i64>,
    message: Vec<Vec<u8>>,
    chat: Vec<Vec<u8>>,
    sender: Vec<i64>,
    stored_at: Vec<i64>,
    expires_at: Vec<i64>,
    body: Vec<Bytes>,
}

impl Numbers {
    /// Reads the numbers of these devices, as far as they exist.
    async fn read(
        &mut self,
        connection: &mut PgConnection,
        mut devices: BTreeSet<DeviceId>,
    ) -> Result<(), sqlx::Error> {
        if self.0.len() > NUMBERS_KEPT {
            self.0.clear();
        }
        devices.retain(|device| !self.0.contains_key(device));
        if devices.is_empty() {
            return Ok(());
        }
        let unknown: Vec<Vec<u8>> = devices.iter().map(|device| device.as_bytes().to_vec()).collect();
        let select = "SELECT device, number FROM devices WHERE device = ANY($1)";
        for row in sqlx::query(select).bind(unknown).fetch_all(connection).await? {
            if let Ok(device) = row.try_get::<&[u8], usize>(0)?.try_into() {
                self.0.insert(DeviceId::from_bytes(device), row.try_get(1)?);
            }
        }
        Ok(())
    }

    fn of(&self, device: &DeviceId) -> Option<i64> {
        self.0.get(device).copied()
    }
}

/// Begins a transaction and writes acknowledgements and messages in it. Nothing of this may be
/// believed before the commit.
pub(super) async fn write(
    connection: &mut PgConnection,
    numbers: &mut Numbers,
    bounds: MailboxBounds,
    acknowledged: &HashMap<DeviceId, MailboxSeq>,
    messages: &[NewMessage],
) -> Result<Deposits, sqlx::Error> {
    begin(connection, !messages.is_empty()).await?;
    let named = messages.iter().flat_map(|m| m.deposits.iter().map(|(device, _)| *device).chain([m.sender_device]));
    let named = named.chain(acknowledged.keys().copied()).collect();
    numbers.read(connection, named).await?;

    // Before any mailbox is locked: whoever waits here for a message id holds no mailbox that the
    // other one may want.
    let mut known = claim_ids(connection, numbers, messages).await?;
    let (devices, cursors): (Vec<i64>, Vec<i64>) =
        acknowledged.iter().filter_map(|(device, cursor)| Some((numbers.of(device)?, signed(*cursor)))).unzip();
    let recipients = messages.iter().flat_map(|message| &message.deposits);
    let recipients = recipients.filter_map(|(device, _)| numbers.of(device));
    let wanted = recipients.chain(devices.iter().copied()).collect();
    let mut mailboxes = lock(connection, wanted).await?;
    forget(connection, &mut mailboxes, &devices, &cursors).await?;

    let mut done = Deposits { outcomes: Vec::with_capacity(messages.len()), ..Deposits::default() };
    let mut rows = Rows::default();
    let mut claimed: HashMap<Key, (&NewMessage, Option<&NewMessage>)> = HashMap::with_capacity(messages.len());
    for message in messages {
        let Some(sender) = numbers.of(&message.sender_device) else {
            done.outcomes.push(Deposited::NoMailbox);
            continue;
        };
        let key = (sender, message.message);
        let outcome = match known.entry(key) {
            Entry::Occupied(before) => before.get().again(message),
            Entry::Vacant(vacant) => {
                let outcome = place(&mut mailboxes, numbers, bounds, message, sender, &mut rows, &mut done);
                let (_, stored) = claimed.entry(key).or_insert((message, None));
                if matches!(outcome, Deposited::Stored { .. }) {
                    vacant.insert(Sent { content: message.content, stored_at: message.stored_at });
                    *stored = Some(message);
                }
                outcome
            }
        };
        done.outcomes.push(outcome);
    }
    give_back_ids(connection, &claimed).await?;
    insert(connection, rows).await?;
    update(connection, &mailboxes).await?;
    Ok(done)
}

impl Sent {
    /// What to say of a message that comes under the same id.
    fn again(&self, message: &NewMessage) -> Deposited {
        if self.content == message.content {
            Deposited::Repeated { stored_at: self.stored_at }
        } else {
            Deposited::IdReused
        }
    }
}

/// Takes the message ids that are free, waiting for transactions of other nodes that try the same;
/// says what the others stand for.
async fn claim_ids(
    connection: &mut PgConnection,
    numbers: &Numbers,
    messages: &[NewMessage],
) -> Result<HashMap<Key, Sent>, sqlx::Error> {
    let mut wanted: HashMap<Key, &NewMessage> = HashMap::with_capacity(messages.len());
    for message in messages {
        if let Some(sender) = numbers.of(&message.sender_device) {
            wanted.entry((sender, message.message)).or_insert(message);
        }
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let mut sorted: Vec<_> = wanted.iter().map(|(key, message)| (*key, *message)).collect();
    // The same order on every node: no two wait for each other.
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let insert = "INSERT INTO sent (device, message, content, stored_at) \
                  SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[]) \
                  ON CONFLICT DO NOTHING RETURNING device, message";
    let query = bind_sent(sqlx::query(insert), &sorted);
    for row in query.fetch_all(&mut *connection).await? {
        if let Ok(message) = row.try_get::<&[u8], usize>(1)?.try_into() {
            wanted.remove(&(row.try_get(0)?, MessageId::from_bytes(message)));
        }
    }
    let mut known = HashMap::new();
    if wanted.is_empty() {
        return Ok(known);
    }
    let (devices, ids): (Vec<i64>, Vec<Vec<u8>>) =
        wanted.keys().map(|(device, message)| (*device, message.as_bytes().to_vec())).unzip();
    let select = "SELECT s.device, s.message, s.content, s.stored_at FROM unnest($1::bigint[], $2::bytea[]) k(device, message) \
                  JOIN sent s ON s.device = k.device AND s.message = k.message";
    for row in sqlx::query(select).bind(devices).bind(ids).fetch_all(connection).await? {
        let (message, content) =
            (row.try_get::<&[u8], usize>(1)?.try_into(), row.try_get::<&[u8], usize>(2)?.try_into());
        if let (Ok(message), Ok(content)) = (message, content) {
            let stored_at = row.try_get::<i64, usize>(3)?.unsigned_abs();
            known.insert((row.try_get(0)?, MessageId::from_bytes(message)), Sent { content, stored_at });
        }
    }
    Ok(known)
}

/// Makes what stands under the claimed ids what was stored under them: nothing for a message that
/// was refused, and another content when a later message of the same id was taken.
async fn give_back_ids(
    connection: &mut PgConnection,
    claimed: &HashMap<Key, (&NewMessage, Option<&NewMessage>)>,
) -> Result<(), sqlx::Error> {
    let is_other = |(first, stored): &(&NewMessage, Option<&NewMessage>)| {
        stored.is_none_or(|stored| (stored.content, stored.stored_at) != (first.content, first.stored_at))
    };
    let others: Vec<_> = claimed.iter().filter(|(_, claim)| is_other(claim)).collect();
    if others.is_empty() {
        return Ok(());
    }
    let (devices, ids): (Vec<i64>, Vec<Vec<u8>>) =
        others.iter().map(|((device, message), _)| (*device, message.as_bytes().to_vec())).unzip();
    let delete = "DELETE FROM sent s USING unnest($1::bigint[], $2::bytea[]) k(device, message) \
                  WHERE s.device = k.device AND s.message = k.message";
    sqlx::query(delete).bind(devices).bind(ids).execute(&mut *connection).await?;
    let stored: Vec<_> = others.iter().filter_map(|(key, (_, stored))| Some((**key, (*stored)?))).collect();
    let insert = "INSERT INTO sent (device, message, content, stored_at) \
                  SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[])";
    bind_sent(sqlx::query(insert), &stored).execute(connection).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind_sent<'q>(query: Query<'q>, sent: &[(Key, &NewMessage)]) -> Query<'q> {
    query
        .bind(sent.iter().map(|((device, _), _)| *device).collect::<Vec<i64>>())
        .bind(sent.iter().map(|((_, message), _)| message.as_bytes().to_vec()).collect::<Vec<_>>())
        .bind(sent.iter().map(|(_, message)| message.content.to_vec()).collect::<Vec<_>>())
        .bind(sent.iter().map(|(_, message)| signed(message.stored_at)).collect::<Vec<_>>())
}

/// Locks mailboxes in the order of their numbers. What is read here holds until the commit.
async fn lock(connection: &mut PgConnection, wanted: BTreeSet<i64>) -> Result<HashMap<i64, Mailbox>, sqlx::Error> {
    let mut locked = HashMap::with_capacity(wanted.len());
    if wanted.is_empty() {
        return Ok(locked);
    }
    let wanted: Vec<i64> = wanted.into_iter().collect();
    let select = "SELECT device, head, waiting, bytes FROM mailboxes WHERE device = ANY($1) ORDER BY device FOR UPDATE";
    for row in sqlx::query(select).bind(wanted).fetch_all(connection).await? {
        let count = |column| row.try_get::<i64, usize>(column).map(i64::unsigned_abs);
        let (head, waiting, bytes) = (count(1)?, count(2)?, count(3)?);
        locked.insert(row.try_get(0)?, Mailbox { head, waiting, bytes, changed: false });
    }
    Ok(locked)
}

/// Deletes what was acknowledged.
async fn forget(
    connection: &mut PgConnection,
    mailboxes: &mut HashMap<i64, Mailbox>,
    devices: &[i64],
    cursors: &[i64],
) -> Result<(), sqlx::Error> {
    if devices.is_empty() {
        return Ok(());
    }
    let delete = "WITH gone AS (DELETE FROM messages m USING unnest($1::bigint[], $2::bigint[]) acked(mailbox, cursor) \
                  WHERE m.mailbox = acked.mailbox AND m.seq <= acked.cursor \
                  RETURNING m.mailbox, octet_length(m.body) AS size) \
                  SELECT mailbox, count(*), sum(size)::bigint FROM gone GROUP BY mailbox";
    for row in sqlx::query(delete).bind(devices).bind(cursors).fetch_all(connection).await? {
        if let Some(mailbox) = mailboxes.get_mut(&row.try_get(0)?) {
            let count = |column| row.try_get::<i64, usize>(column).map(i64::unsigned_abs);
            mailbox.waiting = mailbox.waiting.saturating_sub(count(1)?);
            // Nodes of a version that does not count bytes may have been at it: an empty mailbox is right again.
            mailbox.bytes = if mailbox.waiting == 0 { 0 } else { mailbox.bytes.saturating_sub(count(2)?) };
            mailbox.changed = true;
        }
    }
    Ok(())
}

/// Gives a new message its positions, if there is room in every mailbox.
fn place(
    mailboxes: &mut HashMap<i64, Mailbox>,
    numbers: &Numbers,
    bounds: MailboxBounds,
    message: &NewMessage,
    sender: i64,
    rows: &mut Rows,
    done: &mut Deposits,
) -> Deposited {
    let mut placed = Vec::with_capacity(message.deposits.len());
    for (device, ciphertext) in &message.deposits {
        match numbers.of(device).and_then(|number| Some((number, mailboxes.get(&number)?))) {
            None => return Deposited::NoMailbox,
            Some((number, mailbox)) if bounds.admit(mailbox.waiting, mailbox.bytes, ciphertext.len()) => {
                placed.push((*device, number, ciphertext));
            }
            Some(_) => return Deposited::MailboxFull,
        }
    }
    let longest = message.stored_at.saturating_add(MESSAGE_ID_MEMORY_MS);
    for (device, number, ciphertext) in placed {
        let Some(mailbox) = mailboxes.get_mut(&number) else { continue };
        mailbox.head += 1;
        mailbox.waiting += 1;
        mailbox.bytes = mailbox.bytes.saturating_add(ciphertext.len() as u64);
        mailbox.changed = true;
        rows.mailbox.push(number);
        rows.seq.push(signed(mailbox.head));
        rows.message.push(message.message.as_bytes().to_vec());
        rows.chat.push(message.chat.as_bytes().to_vec());
        rows.sender.push(sender);
        rows.stored_at.push(signed(message.stored_at));
        rows.expires_at.push(signed(message.expires_at.unwrap_or(longest).min(longest)));
        rows.body.push(ciphertext.clone());
        done.committed.push(Waiting {
            mailbox: device,
            seq: mailbox.head,
            message: message.message,
            chat: message.chat,
            sender: message.sender,
            sender_device: message.sender_device,
            stored_at: message.stored_at,
            ciphertext: ciphertext.clone(),
        });
    }
    Deposited::Stored { stored_at: message.stored_at }
}

async fn insert(connection: &mut PgConnection, rows: Rows) -> Result<(), sqlx::Error> {
    if rows.mailbox.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO messages (mailbox, seq, message, chat, sender, stored_at, expires_at, body) \
                  SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[], \
                  $6::bigint[], $7::bigint[], $8::bytea[])";
    let bodies: Vec<&[u8]> = rows.body.iter().map(|body| &body[..]).collect();
    sqlx::query(insert)
        .bind(rows.mailbox)
        .bind(rows.seq)
        .bind(rows.message)
        .bind(rows.chat)
        .bind(rows.sender)
        .bind(rows.stored_at)
        .bind(rows.expires_at)
        .bind(bodies)
        .execute(connection)
        .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, mailboxes: &HashMap<i64, Mailbox>) -> Result<(), sqlx::Error> {
    let changed: Vec<_> = mailboxes.iter().filter(|(_, mailbox)| mailbox.changed).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let update = "UPDATE mailboxes b SET head = u.head, waiting = u.waiting, bytes = u.bytes \
                  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) u(device, head, waiting, bytes) \
                  WHERE b.device = u.device";
    sqlx::query(update)
        .bind(changed.iter().map(|(number, _)| **number).collect::<Vec<i64>>())
        .bind(changed.iter().map(|(_, mailbox)| signed(mailbox.head)).collect::<Vec<i64>>())
        .bind(changed.iter().map(|(_, mailbox)| signed(mailbox.waiting)).collect::<Vec<i64>>())
        .bind(changed.iter().map(|(_, mailbox)| signed(mailbox.bytes)).collect::<Vec<i64>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Which of these are in their mailboxes: what became of a commit whose answer was lost.
pub(super) async fn find(connection: &mut PgConnection, uncertain: Vec<Waiting>) -> Result<Vec<Waiting>, sqlx::Error> {
    let select = "SELECT k.at FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) WITH ORDINALITY k(device, seq, message, at) \
                  JOIN devices d ON d.device = k.device \
                  JOIN messages m ON m.mailbox = d.number AND m.seq = k.seq AND m.message = k.message ORDER BY k.at";
    let rows = sqlx::query(select)
        .bind(uncertain.iter().map(|waiting| waiting.mailbox.as_bytes().to_vec()).collect::<Vec<_>>())
        .bind(uncertain.iter().map(|waiting| signed(waiting.seq)).collect::<Vec<_>>())
        .bind(uncertain.iter().map(|waiting| waiting.message.as_bytes().to_vec()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let at = usize::try_from(row.try_get::<i64, usize>(0)? - 1).unwrap_or(usize::MAX);
        found.extend(uncertain.get(at).cloned());
    }
    Ok(found)
}

/// Begins a transaction. One that only forgets need not wait for the disk: what is not forgotten is
/// delivered again.
async fn begin(connection: &mut PgConnection, must_last: bool) -> Result<(), sqlx::Error> {
    let begin = if must_last { "BEGIN" } else { "BEGIN; SET LOCAL synchronous_commit = off" };
    connection.execute(begin).await.map(|_| ())
}
