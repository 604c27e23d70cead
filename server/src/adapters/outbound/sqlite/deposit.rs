//! Writing messages and forgetting them, many in one transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, SqliteConnection};
use susurro_protocol::{DeviceId, MailboxSeq, MessageId};

use super::rows::signed;
use super::writer::Range;
use crate::domain::message::{Deposited, MESSAGE_ID_MEMORY_MS, NewMessage, Waiting};

/// Mailboxes whose numbers are kept in memory. A relay with more active devices reads some again.
const MAILBOXES_KEPT: usize = 100_000;

/// Rows of one statement, largest first: few statements, each of a size that stays prepared.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// What the writer knows of each mailbox. It is the only one who changes them, so what it keeps
/// is right until a transaction fails.
pub(super) struct Ledger {
    mailbox_max: u64,
    kept: HashMap<DeviceId, Mailbox>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Mailbox {
    number: i64,
    head: MailboxSeq,
    waiting: u64,
    changed: bool,
}

/// What one transaction did with its messages.
#[derive(Default)]
pub(super) struct Deposits {
    /// For each message, in their order.
    pub(super) outcomes: Vec<Deposited>,
    /// What the mailboxes hold by now, in the order of their positions.
    pub(super) committed: Vec<Waiting>,
    /// The mailboxes as they are after the commit.
    pub(super) touched: HashMap<DeviceId, Mailbox>,
}

/// What a message id stands for.
struct Sent {
    content: [u8; 32],
    stored_at: u64,
}

/// A mailbox position on its way into a row.
struct Row<'m> {
    message: &'m NewMessage,
    mailbox: i64,
    seq: MailboxSeq,
    sender: i64,
    body: &'m [u8],
}

impl Ledger {
    pub(super) fn new(mailbox_max: u64) -> Self {
        Self { mailbox_max, kept: HashMap::new() }
    }

    /// Writes acknowledgements and messages. Nothing of this may be believed before the commit.
    pub(super) async fn write(
        &self,
        connection: &mut SqliteConnection,
        acknowledged: &HashMap<Range, MailboxSeq>,
        messages: &[NewMessage],
    ) -> Result<Deposits, sqlx::Error> {
        let mut done = Deposits { outcomes: Vec::with_capacity(messages.len()), ..Deposits::default() };
        for (range, cursor) in acknowledged {
            self.forget_up_to(connection, &mut done.touched, *range, *cursor).await?;
        }
        let mut senders = Vec::with_capacity(messages.len());
        for message in messages {
            let sender = self.mailbox(connection, &mut done.touched, message.sender_device).await?;
            senders.push(sender.map(|mailbox| mailbox.number));
        }
        let mut known = find_sent(connection, &senders, messages).await?;
        let mut rows: Vec<Row<'_>> = Vec::with_capacity(messages.len());
        let mut fresh: Vec<(i64, &NewMessage)> = Vec::with_capacity(messages.len());
        for (message, sender) in messages.iter().zip(senders) {
            let outcome = match sender.map(|sender| (sender, known.entry((sender, message.message)))) {
                None => Deposited::NoMailbox,
                Some((_, Entry::Occupied(before))) => before.get().again(message),
                Some((sender, Entry::Vacant(vacant))) => {
                    let outcome = self.place(connection, &mut done, sender, message, &mut rows).await?;
                    if matches!(outcome, Deposited::Stored { .. }) {
                        vacant.insert(Sent { content: message.content, stored_at: message.stored_at });
                        fresh.push((sender, message));
                    }
                    outcome
                }
            };
            done.outcomes.push(outcome);
        }
        insert_sent(connection, &fresh).await?;
        insert_messages(connection, &rows).await?;
        update_mailboxes(connection, &done.touched).await?;
        Ok(done)
    }

    /// Keeps what a commit has made true. `expired` says that rows went that nobody counted here.
    pub(super) fn settle(&mut self, touched: HashMap<DeviceId, Mailbox>, expired: bool) {
        if expired || self.kept.len() + touched.len() > MAILBOXES_KEPT {
            self.kept.clear();
        }
        if !expired {
            self.kept
                .extend(touched.into_iter().map(|(device, mailbox)| (device, Mailbox { changed: false, ..mailbox })));
        }
    }

    /// Believes nothing any longer.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
    }

    /// Gives a new message its positions, if there is room in every mailbox.
    async fn place<'m>(
        &self,
        connection: &mut SqliteConnection,
        done: &mut Deposits,
        sender: i64,
        message: &'m NewMessage,
        rows: &mut Vec<Row<'m>>,
    ) -> Result<Deposited, sqlx::Error> {
        for (device, _) in &message.deposits {
            match self.mailbox(connection, &mut done.touched, *device).await? {
                None => return Ok(Deposited::NoMailbox),
                Some(mailbox) if mailbox.waiting >= self.mailbox_max => return Ok(Deposited::MailboxFull),
                Some(_) => {}
            }
        }
        for (device, ciphertext) in &message.deposits {
            let Some(mailbox) = done.touched.get_mut(device) else { continue };
            mailbox.head += 1;
            mailbox.waiting += 1;
            mailbox.changed = true;
            rows.push(Row { message, mailbox: mailbox.number, seq: mailbox.head, sender, body: ciphertext });
            done.committed.push(Waiting {
                mailbox: *device,
                seq: mailbox.head,
                message: message.message,
                chat: message.chat,
                sender: message.sender,
                sender_device: message.sender_device,
                stored_at: message.stored_at,
                ciphertext: ciphertext.clone(),
            });
        }
        Ok(Deposited::Stored { stored_at: message.stored_at })
    }

    async fn forget_up_to(
        &self,
        connection: &mut SqliteConnection,
        touched: &mut HashMap<DeviceId, Mailbox>,
        (device, chat): Range,
        cursor: MailboxSeq,
    ) -> Result<(), sqlx::Error> {
        let Some(mailbox) = self.mailbox(connection, touched, device).await? else { return Ok(()) };
        if mailbox.waiting == 0 {
            return Ok(());
        }
        let delete = match chat {
            None => sqlx::query("DELETE FROM messages WHERE mailbox = ? AND seq <= ?"),
            Some(_) => sqlx::query("DELETE FROM messages WHERE mailbox = ? AND seq <= ? AND chat = ?"),
        };
        let delete = delete.bind(mailbox.number).bind(signed(cursor));
        let delete = match chat {
            None => delete,
            Some(chat) => delete.bind(chat.as_bytes().to_vec()),
        };
        let gone = delete.execute(connection).await?.rows_affected();
        if gone > 0 {
            mailbox.waiting = mailbox.waiting.saturating_sub(gone);
            mailbox.changed = true;
        }
        Ok(())
    }

    /// The mailbox of a device as this transaction sees it.
    async fn mailbox<'t>(
        &self,
        connection: &mut SqliteConnection,
        touched: &'t mut HashMap<DeviceId, Mailbox>,
        device: DeviceId,
    ) -> Result<Option<&'t mut Mailbox>, sqlx::Error> {
        match touched.entry(device) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(vacant) => {
                let found = match self.kept.get(&device) {
                    Some(kept) => Some(*kept),
                    None => load(connection, &device).await?,
                };
                Ok(found.map(|mailbox| vacant.insert(mailbox)))
            }
        }
    }
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

async fn load(connection: &mut SqliteConnection, device: &DeviceId) -> Result<Option<Mailbox>, sqlx::Error> {
    let select = "SELECT d.number, m.head, m.waiting FROM devices d JOIN mailboxes m ON m.device = d.number \
                  WHERE d.device = ?";
    let row = sqlx::query(select).bind(&device.as_bytes()[..]).fetch_optional(connection).await?;
    let count = |row: &sqlx::sqlite::SqliteRow, column| row.try_get::<i64, usize>(column).map(i64::unsigned_abs);
    row.map(|row| {
        Ok(Mailbox { number: row.try_get(0)?, head: count(&row, 1)?, waiting: count(&row, 2)?, changed: false })
    })
    .transpose()
}

/// What is remembered under the ids of these messages.
async fn find_sent(
    connection: &mut SqliteConnection,
    senders: &[Option<i64>],
    messages: &[NewMessage],
) -> Result<HashMap<(i64, MessageId), Sent>, sqlx::Error> {
    let mut found = HashMap::with_capacity(messages.len());
    let keys = senders.iter().zip(messages).filter_map(|(sender, message)| Some(((*sender)?, message.message)));
    let keys: Vec<(i64, MessageId)> = keys.collect();
    let mut keys = &keys[..];
    for size in CHUNKS {
        if keys.len() < size {
            continue;
        }
        let terms = vec!["(device = ? AND message = ?)"; size].join(" OR ");
        let statement = format!("SELECT device, message, content, stored_at FROM sent WHERE {terms}");
        while let Some((chunk, rest)) = keys.split_at_checked(size) {
            // The text holds column names and question marks only.
            let query =
                chunk.iter().fold(sqlx::query(AssertSqlSafe(statement.as_str())), |query, (sender, message)| {
                    query.bind(*sender).bind(message.as_bytes().to_vec())
                });
            for row in query.fetch_all(&mut *connection).await? {
                let (device, message): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
                let (content, stored_at): (Vec<u8>, i64) = (row.try_get(2)?, row.try_get(3)?);
                let (Ok(message), Ok(content)) = (message.as_slice().try_into(), content.try_into()) else { continue };
                found.insert((device, message), Sent { content, stored_at: stored_at.unsigned_abs() });
            }
            keys = rest;
        }
    }
    Ok(found)
}

async fn insert_sent(connection: &mut SqliteConnection, sent: &[(i64, &NewMessage)]) -> Result<(), sqlx::Error> {
    insert(
        connection,
        "INSERT INTO sent (device, message, content, stored_at) VALUES ",
        4,
        sent,
        |query, (sender, message)| {
            query
                .bind(*sender)
                .bind(message.message.as_bytes().to_vec())
                .bind(message.content.to_vec())
                .bind(signed(message.stored_at))
        },
    )
    .await
}

async fn insert_messages(connection: &mut SqliteConnection, rows: &[Row<'_>]) -> Result<(), sqlx::Error> {
    let into = "INSERT INTO messages (mailbox, seq, message, chat, sender, stored_at, expires_at, body) VALUES ";
    insert(connection, into, 8, rows, |query, row| {
        query
            .bind(row.mailbox)
            .bind(signed(row.seq))
            .bind(row.message.message.as_bytes().to_vec())
            .bind(row.message.chat.as_bytes().to_vec())
            .bind(row.sender)
            .bind(signed(row.message.stored_at))
            .bind(row.message.expires_at.map(signed))
            .bind(row.body.to_vec())
    })
    .await
}

async fn update_mailboxes(
    connection: &mut SqliteConnection,
    touched: &HashMap<DeviceId, Mailbox>,
) -> Result<(), sqlx::Error> {
    for mailbox in touched.values().filter(|mailbox| mailbox.changed) {
        sqlx::query("UPDATE mailboxes SET head = ?, waiting = ? WHERE device = ?")
            .bind(signed(mailbox.head))
            .bind(signed(mailbox.waiting))
            .bind(mailbox.number)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Inserts many rows with few statements.
async fn insert<T>(
    connection: &mut SqliteConnection,
    into: &str,
    columns: usize,
    mut rows: &[T],
    bind: impl for<'q> Fn(Query<'q>, &T) -> Query<'q>,
) -> Result<(), sqlx::Error> {
    for size in CHUNKS {
        if rows.len() < size {
            continue;
        }
        let tuple = format!("({})", vec!["?"; columns].join(","));
        let statement = format!("{into}{}", vec![tuple; size].join(","));
        while rows.len() >= size {
            let (chunk, rest) = rows.split_at(size);
            // The text holds column names and question marks only.
            let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(statement.as_str())), &bind);
            query.execute(&mut *connection).await?;
            rows = rest;
        }
    }
    Ok(())
}

/// Drops what is past its time, a bounded number of rows of each kind.
pub(super) async fn expire(connection: &mut SqliteConnection, now: u64, batch: u32) -> Result<u64, sqlx::Error> {
    let oldest = signed(now.saturating_sub(MESSAGE_ID_MEMORY_MS));
    let mut gone = 0;
    // Rows lie in the order of arrival: the first one that is young enough ends the search.
    let by_age = "SELECT id, mailbox FROM (SELECT id, mailbox, stored_at FROM messages ORDER BY id LIMIT ?2) \
                  WHERE stored_at <= ?1";
    let by_wish = "SELECT id, mailbox FROM messages WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
    for (select, limit) in [(by_age, oldest), (by_wish, signed(now))] {
        for row in sqlx::query(select).bind(limit).bind(batch).fetch_all(&mut *connection).await? {
            let (id, mailbox): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            sqlx::query("DELETE FROM messages WHERE id = ?").bind(id).execute(&mut *connection).await?;
            sqlx::query("UPDATE mailboxes SET waiting = max(waiting - 1, 0) WHERE device = ?")
                .bind(mailbox)
                .execute(&mut *connection)
                .await?;
            gone += 1;
        }
    }
    let forget = "DELETE FROM sent WHERE id IN \
                  (SELECT id FROM (SELECT id, stored_at FROM sent ORDER BY id LIMIT ?2) WHERE stored_at <= ?1)";
    gone += sqlx::query(forget).bind(oldest).bind(batch).execute(connection).await?.rows_affected();
    Ok(gone)
}
